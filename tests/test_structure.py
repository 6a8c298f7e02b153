"""The shape of nnlib: who may import whom, what `import nnlib` loads, and how long the library is."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "nnlib"

# Each file imports only those before it. This is the one place where the order is written down.
RANKS = [
    "device", "cuda", "kernels", "autograd", "core", "ops", "conv", "functional", "distributions", "module", "init",
    "layers", "losses", "lr_scheduler", "optim", "utils", "download", "data", "models", "serialization", "inspection",
    "testing", "training", "layout", "plot", "widgets", "course",
]  # fmt: skip
PROPER = RANKS[: RANKS.index("layout")]  # the library proper: NumPy and the standard library, all of it
LATE = {("training", "widgets")}  # live curves, imported by fit() when they are asked for
GPU = {"cuda", "kernels"}  # counted apart: the library reads and runs without them
GPU_LIMIT = 450
AIM = 3000  # code lines: "compact enough to read in an afternoon"
LIMIT = 4444  # what it takes with every error that says what came and how to mend it; to be lowered, not raised


def files() -> Iterator[tuple[str, Path]]:
    """(rank name, file) for every file of the package."""
    for path in sorted(LIBRARY.rglob("*.py")):
        part = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if part != "__init__":
            yield part, path


def imports(path: Path, top_level: bool = False, source: str | None = None) -> Iterator[str]:
    """Modules that a file imports, as absolute names: nnlib.core, numpy, …"""
    tree = ast.parse(source or path.read_text(encoding="utf-8"))
    package = ["nnlib", *path.relative_to(LIBRARY).parts[:-1]]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if top_level and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            yield from [base] if node.module else (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def inner(name: str) -> str | None:
    """core for nnlib.core or nnlib.core.x; None for what is not ours."""
    parts = name.split(".")
    return parts[1] if parts[0] == "nnlib" and len(parts) > 1 else None


def test_every_file_has_a_rank() -> None:
    assert {part for part, _ in files()} <= set(RANKS), "write the new file into RANKS, after what it imports"


@pytest.mark.parametrize("part", RANKS)
def test_a_file_imports_only_those_of_lower_rank(part: str) -> None:
    for own, path in files():
        if own != part:
            continue
        for name in imports(path):
            target = inner(name)
            if target in (None, part) or (part, target) in LATE or target not in RANKS:
                continue
            assert RANKS.index(target) < RANKS.index(part), f"{path.name} imports {name}"


@pytest.mark.parametrize("part", PROPER)
def test_the_library_proper_imports_numpy_alone(part: str) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "nnlib", "__future__"}
    for own, path in files():
        if own == part:
            assert {name.split(".")[0] for name in imports(path, top_level=True)} <= allowed, path.name


def test_every_spelling_of_an_import_is_seen() -> None:
    source = "from . import optim\nfrom .widgets.x import y\nimport nnlib.plot\ndef f():\n    from .data import z\n"
    path = LIBRARY / "core.py"
    assert [inner(name) for name in imports(path, source=source)] == ["optim", "widgets", "plot", "data"]
    assert [inner(name) for name in imports(path, True, source)] == ["optim", "widgets", "plot"]
    deeper = LIBRARY / "plot" / "basic.py"
    assert list(imports(deeper, source="from ..core import Tensor\nfrom .style import x\nfrom .. import data\n")) == [
        "nnlib.core", "nnlib.plot.style", "nnlib.data",
    ]  # fmt: skip


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True, cwd=ROOT,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_import_loads_numpy_only_and_prints_nothing() -> None:
    done = run(
        "import sys, numpy.random; before = set(sys.modules)  # NumPy brings Cython's runtime modules\n"
        "import nnlib, nnlib.functional\n"
        "roots = {m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "sys.exit(' '.join(sorted(roots - {'nnlib', 'numpy'})) or 0)"
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_import_loads_nothing_that_few_programs_need() -> None:
    """Together these took three times as long as nnlib itself; each is imported where it is used."""
    heavy = {
        "concurrent.futures", "dataclasses", "gzip", "hashlib", "json", "logging", "pathlib", "random", "shutil",
        "tempfile", "traceback", "urllib", "zipfile", "numpy.random", "nnlib.inspection",
    }  # fmt: skip
    done = run("import sys, numpy; before = set(sys.modules); import nnlib\nprint(*set(sys.modules) - before)")
    loaded = set(done.stdout.split())
    assert loaded >= {"nnlib", "nnlib.core", "nnlib.layers", "nnlib.training"}
    assert not loaded & heavy


def test_import_leaves_plot_widgets_and_course_alone() -> None:
    done = run(
        "import sys, nnlib\n"
        "print(*(m for m in sys.modules if m.startswith(('nnlib.plot', 'nnlib.widgets', 'nnlib.course'))))"
    )
    assert done.stdout.strip() == ""


def test_import_draws_no_random_numbers_and_keeps_numpys_settings() -> None:
    done = run(
        "import numpy as np; np.random.seed(0); a = np.random.get_state()[1].tolist(); e = np.geterr()\n"
        "p = np.get_printoptions(); import nnlib\n"
        "print(a == np.random.get_state()[1].tolist(), e == np.geterr(), p == np.get_printoptions())"
    )
    assert done.stdout.split() == ["True"] * 3


def code_lines(source: str) -> int:
    """Lines that hold code: no blank lines, no comments, no docstrings."""
    tree = ast.parse(source)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    docs: set[int] = set()
    for node in documented:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            docs.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)


def test_the_library_stays_compact(record_property: pytest.RecordProperty) -> None:
    """Code lines, file by file; comments and docstrings are free, so nobody deletes them to fit."""
    counts = dict.fromkeys(["__init__", *PROPER], 0)
    for part, path in [("__init__", LIBRARY / "__init__.py"), *files()]:
        if part in counts:
            counts[part] += code_lines(path.read_text(encoding="utf-8"))
    report = "\n".join(f"{count:6} {part}" for part, count in counts.items())
    gpu = sum(counts[part] for part in GPU)
    total = sum(counts.values()) - gpu
    print(f"{report}\n{total:6} code lines, {total - AIM:+} to the aim of {AIM}; {gpu} more for the GPU")
    record_property("code_lines", total)
    assert total <= LIMIT, f"{total} code lines, more than {LIMIT}:\n{report}"
    assert gpu <= GPU_LIMIT, f"{gpu} code lines for the GPU, more than {GPU_LIMIT}"


def test_what_counts_as_a_code_line() -> None:
    source = (
        '"""Doc."""\n\n# comment\ndef f(x):\n    """Doc\n    more."""\n'
        '    y = """a\nb"""  # not a docstring\n    return (\n        x\n    )\n'
    )
    assert code_lines(source) == 6
