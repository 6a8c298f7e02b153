"""What is built and what is asked for: wheel, sdist, versions, and conda's way to the same set."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import nnlib

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# ---------------------------------------------------------------- pyproject.toml


def test_version_is_said_once() -> None:
    assert nnlib.__version__ == PROJECT["version"]


def test_the_changelog_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {PROJECT['version']} " in text


def test_numpy_alone_is_required() -> None:
    assert [requirement.split(">")[0] for requirement in PROJECT["dependencies"]] == ["numpy"]


def test_extras_are_those_that_the_readme_names() -> None:
    extras = {"course", "test", "grade", "cluster", "parity", "bench", "cuda12", "cuda13"}
    assert set(PROJECT["optional-dependencies"]) == extras


def test_versions_have_a_lower_bound_and_no_other() -> None:
    packaging = pytest.importorskip("packaging.requirements")
    for requirement in map(packaging.Requirement, requirements(*PROJECT["optional-dependencies"])):
        operators = [specifier.operator for specifier in requirement.specifier]
        assert operators == [">="], f"{requirement}: wants one >=, a cap needs a reason and a line here"
        assert requirement.url is None, requirement


def requirements(*extras: str) -> list[str]:
    """Return the requirements of the core and of some extras, those that an extra takes over included."""
    found = list(PROJECT["dependencies"])
    for extra in extras:
        for requirement in PROJECT["optional-dependencies"][extra]:
            if requirement.startswith("nnlib["):
                found += requirements(requirement[6:-1])
            else:
                found.append(requirement)
    return sorted(set(found))


# ---------------------------------------------------------------- environment.yml

# The same thing under another name at conda-forge. Its matplotlib-base is PyPI's matplotlib; conda's
# matplotlib adds Qt, which nobody needs here. Its playwright is the one for JavaScript.
CONDA_NAMES = {"build": "python-build", "matplotlib": "matplotlib-base", "playwright": "playwright-python"}
CONDA_ONLY = {"python", "pip"}


def conda() -> tuple[dict[str, Any], dict[str, str]]:
    """Return environment.yml, and name -> version of its packages, as conda's own grammar reads them."""
    yaml, rattler = pytest.importorskip("yaml"), pytest.importorskip("rattler")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    specs = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    matches = [rattler.MatchSpec(spec, strict=True) for spec in specs]  # raises for what conda cannot read
    versions = {match.name.normalized: str(match.version or "") for match in matches}
    assert len(versions) == len(specs), "a package is named twice"
    return environment, versions


def test_conda_gets_the_same_set() -> None:
    """The same packages and the same lowest versions as the extras course and test.

    Checked: each spec by conda's grammar (py-rattler reads what conda and mamba read), the names by the
    table above, the versions as text. Not checked, because conda-forge cannot be reached from the
    tests: that each name exists there, has such a version, and that they can be installed together.
    """
    packaging = pytest.importorskip("packaging.requirements")
    wanted = {}
    for requirement in map(packaging.Requirement, requirements("course", "test")):
        wanted[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    _, versions = conda()
    assert {name: version for name, version in versions.items() if name not in CONDA_ONLY} == wanted


def test_conda_gets_the_same_python_and_the_workbook_itself() -> None:
    environment, versions = conda()
    assert versions["python"] == PROJECT["requires-python"]
    assert environment["name"] == PROJECT["name"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert [entry for entry in environment["dependencies"] if not isinstance(entry, str)] == [{"pip": ["--editable ."]}]


# ---------------------------------------------------------------- wheel and sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, which shows that nothing is missing in it."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def sources(folder: str) -> set[str]:
    """Return the files of a folder that belong to the project, relative to the root."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    names = {path.relative_to(ROOT).as_posix() for path in files}
    return {name for name in names if not any(p == "__pycache__" or p[0] == "." for p in name.split("/"))}


def test_wheel_holds_the_library_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == sources("nnlib")
    assert "nnlib/py.typed" in names


def test_wheel_says_what_it_needs(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "nnlib"
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    required = metadata.get_all("Requires-Dist", [])
    assert [line for line in required if "extra ==" not in line] == PROJECT["dependencies"]


def test_sdist_holds_what_is_needed_to_work_on_it(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    files = {"start.py", "pyproject.toml", "environment.yml", "conftest.py", "LICENSE", "README.md", "CHANGELOG.md"}
    assert files | sources("nnlib") | sources("tests") | sources("notebooks") | sources("benchmarks") <= names
    assert not [name for name in names if name.startswith(("work/", ".venv", "shared/"))]
