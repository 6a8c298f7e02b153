"""start.py: what is done when, what is left when it fails, and what it then says.

pip, venv and JupyterLab are played by stand-ins here; that the real ones do what is asked of them is seen
by .ci/run, which starts from a clean checkout.
"""

from __future__ import annotations

import ast
import errno
import glob
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
posix = pytest.mark.skipif(os.name != "posix", reason="the stand-in for .venv's Python is a shell script")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A workbook in a folder with a space in its name."""
    folder = tmp_path / "my workbook"
    folder.mkdir()
    for name in ("start.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def start(book: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("start_of_a_copy", book / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.rmtree(book / "__pycache__", ignore_errors=True)  # of this import: who runs start.py makes none
    return module


def stand_in(book: Path, script: str) -> None:
    """Make .venv's Python a shell script."""
    python = book / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


class Steps:
    """In place of the long steps: writes down what was asked, and fails where it should."""

    def __init__(self, book: Path):
        self.book, self.done, self.fail = book, [], {}

    def __call__(self, title: str, command: list[str]) -> None:
        if "venv" in command:
            self.done.append("venv")
            stand_in(self.book, f"echo {THIS}")
        else:
            assert command[1:5] == ["-m", "pip", "install", "--no-input"]
            self.done.append(command[-1])
        if "venv" not in command:
            (self.book / ".venv" / "half-made").touch()
        if error := self.fail.get(self.done[-1]):
            raise error
        (self.book / ".venv" / "half-made").unlink(missing_ok=True)


@pytest.fixture
def steps(book: Path, start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps(book)
    monkeypatch.setattr(start, "run_long", steps)
    return steps


# ---------------------------------------------------------------- what is done when


@posix
def test_installed_once_then_never_again(start: ModuleType, steps: Steps) -> None:
    start.environment({"course"})
    assert steps.done == ["venv", ".[course]"]
    start.environment({"course"})
    assert steps.done == ["venv", ".[course]"]


@posix
def test_tests_after_lessons_add_their_extra(start: ModuleType, steps: Steps) -> None:
    for extras in ({"course"}, {"course", "test"}, {"course"}, {"course", "test"}):
        start.environment(extras)
    assert steps.done == ["venv", ".[course]", ".[course,test]"]


@posix
def test_tests_may_come_first(start: ModuleType, steps: Steps) -> None:
    start.environment({"course", "test"})
    start.environment({"course"})
    assert steps.done == ["venv", ".[course,test]"]


@posix
def test_new_versions_are_installed_with_all_extras(book: Path, start: ModuleType, steps: Steps) -> None:
    start.environment({"course", "test"})
    with (book / "pyproject.toml").open("a") as file:
        file.write("# newer\n")
    start.environment({"course"})
    assert steps.done[2:] == [".[course,test]"]


@posix
def test_somebody_elses_venv_is_used_and_kept(book: Path, start: ModuleType, steps: Steps) -> None:
    stand_in(book, f"echo {THIS}")
    (book / ".venv" / "theirs").touch()
    start.environment({"course"})
    assert steps.done == [".[course]"]
    assert (book / ".venv" / "theirs").exists()


@posix
def test_what_a_killed_run_left_is_made_again(book: Path, start: ModuleType, steps: Steps) -> None:
    (book / ".venv").mkdir()
    start.write_stamp(())
    (book / ".venv" / "half-made").touch()
    start.environment({"course"})
    assert steps.done == ["venv", ".[course]"]
    assert sorted(path.name for path in book.glob(".venv*")) == [".venv"]


@posix
@pytest.mark.parametrize("damaged", ["", "[]", "{}", "null", '{"extras": ["course"]}'])
def test_a_damaged_stamp_counts_as_none(book: Path, start: ModuleType, steps: Steps, damaged: str) -> None:
    start.environment({"course"})
    (book / ".venv" / "start.json").write_text(damaged)
    start.environment({"course"})
    assert steps.done == ["venv", ".[course]", ".[course]"]


@posix
def test_fresh_replaces_the_old_one(book: Path, start: ModuleType, steps: Steps) -> None:
    start.environment({"course"})
    (book / ".venv" / "old").touch()
    start.environment({"course"}, fresh=True)
    assert steps.done == ["venv", ".[course]"] * 2
    assert not (book / ".venv" / "old").exists()
    assert sorted(path.name for path in book.glob(".venv*")) == [".venv"]


# ---------------------------------------------------------------- what is left when it fails


@posix
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("step", ["venv", ".[course]"])
def test_a_failed_first_run_leaves_nothing(
    book: Path, start: ModuleType, steps: Steps, step: str, error: BaseException
) -> None:
    steps.fail[step] = error
    assert start.main([]) == 1
    assert sorted(path.name for path in book.iterdir()) == ["pyproject.toml", "start.py"]


@posix
def test_a_failed_update_leaves_what_was_there(book: Path, start: ModuleType, steps: Steps) -> None:
    start.environment({"course"})
    stamp = start.read_stamp()
    steps.fail[".[course,test]"] = start.Problem("no network")
    with pytest.raises(start.Problem, match="no network"):
        start.environment({"course", "test"})
    assert start.read_stamp() == stamp
    start.environment({"course"})
    assert steps.done == ["venv", ".[course]", ".[course,test]"]


@posix
def test_a_failed_fresh_one_brings_the_old_one_back(book: Path, start: ModuleType, steps: Steps) -> None:
    start.environment({"course"})
    (book / ".venv" / "old").touch()
    steps.fail[".[course]"] = start.Problem("no network")
    with pytest.raises(start.Problem, match="no network"):
        start.environment({"course"}, fresh=True)
    assert (book / ".venv" / "old").exists()
    assert sorted(path.name for path in book.glob(".venv*")) == [".venv"]
    assert start.read_stamp() == start.wanted({"course"})


# ---------------------------------------------------------------- what it says


def said(start: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str] | None = None) -> str:
    """Return the one line that a failing start prints."""
    assert start.main(arguments or []) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("start.py: ")
    return lines[0]


@posix
def test_venv_of_another_python(
    book: Path, start: ModuleType, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(book, "echo 3.99")
    line = said(start, capsys)
    assert f".venv is for Python 3.99, and this is {THIS}" in line
    assert line.endswith("start.py --fresh")
    assert not steps.done


@posix
@pytest.mark.parametrize("how", ["python gone", "python fails", "a file"])
def test_broken_venv(
    book: Path, start: ModuleType, steps: Steps, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    if how == "a file":
        (book / ".venv").touch()
    else:
        stand_in(book, "exit 1")
        if how == "python gone":
            (book / ".venv" / "bin" / "python").unlink()
            (book / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    line = said(start, capsys)
    assert ".venv is broken" in line
    assert line.endswith("start.py --fresh")
    assert not steps.done


@posix
def test_moved_workbook(
    book: Path, start: ModuleType, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(book, f"echo {THIS}")
    (book / ".venv" / "start.json").write_text(json.dumps(start.wanted({"course"}) | {"path": "/old/place"}))
    line = said(start, capsys)
    assert ".venv was made in /old/place and cannot be moved" in line
    assert line.endswith("start.py --fresh")
    assert not steps.done


def test_python_without_venv(
    book: Path, start: ModuleType, steps: Steps, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    missing: Callable[[str], object] = lambda name: None if name == "ensurepip" else find(name)
    monkeypatch.setattr(importlib.util, "find_spec", missing)
    line = said(start, capsys)
    assert "lacks venv and ensurepip" in line
    assert f"sudo apt install python{THIS}-venv" in line
    assert not (book / ".venv").exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_read_only_checkout(
    book: Path,
    start: ModuleType,
    steps: Steps,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    def refuse(path: str, *rest: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(start.os, "mkdir", refuse)  # by hand, because root may write anywhere
    line = said(start, capsys)
    assert f"{book} cannot be written to. Copy the workbook to a folder of yours" in line


OFFLINE = """Collecting jupyterlab>=4.2
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.\
connection.HTTPSConnection at 0x7f>: [Errno -3] Temporary failure in name resolution')'
ERROR: Could not find a version that satisfies the requirement hatchling>=1.25 (from versions: none)"""
FAILURES = {
    OFFLINE: "nothing can be downloaded. The first start needs a network",
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": "the disk is full",
    "ERROR: [WinError 112] There is not enough space on the disk": "the disk is full",
    "OSError: [Errno 122] Disk quota exceeded: '/home/x'": "the disk is full",
    "fine\nERROR: No matching distribution found for x\nbye": "Installing failed: ERROR: No matching distribution",
    "just this": "Installing failed: just this",
}


@pytest.mark.parametrize("output", FAILURES, ids=["offline", "full", "full-windows", "quota", "other", "silent"])
def test_pip_fails(
    book: Path, start: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    program = f"import sys; print({output!r}); sys.exit(2)"
    command = [sys.executable, "-c", program]
    monkeypatch.setattr(start, "environment", lambda *rest: start.run_long("Installing", command))
    assert FAILURES[output] in said(start, capsys)


def test_a_long_step_shows_that_it_is_alive(start: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    start.run_long("Waiting", [sys.executable, "-c", "pass"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Waiting, 0 s"
    assert lines[-1].startswith("Waiting, ")
    assert lines[-1].strip().endswith(" s  done")


def test_on_a_screen_the_line_is_one_line(
    start: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    program = f"import time; print('Collecting {'x' * 80}', flush=True); time.sleep(1.2)"
    start.run_long("Waiting", [sys.executable, "-c", program])
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    states = shown.rstrip("\n").split("\r")[1:]
    assert any("Collecting xxx" in state for state in states)
    assert {len(state) for state in states} == {39}


def test_unknown_option_is_refused(start: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        start.main(["--leson", "04"])
    assert stopped.value.code == 2
    assert "--leson" in capsys.readouterr().err


# ---------------------------------------------------------------- old Pythons, other systems

PLACES = ("~/.pyenv/versions/{}.*/bin/python", "/usr/bin/python{}")
OLD = [
    path
    for version in ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")
    for place in PLACES
    for path in glob.glob(os.path.expanduser(place.format(version)))
]


@pytest.mark.skipif(not OLD, reason="no Python before 3.11 on this machine")
def test_old_pythons_are_turned_away(book: Path) -> None:
    for python in OLD:
        done = subprocess.run([python, str(book / "start.py")], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, python
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "the workbook needs 3.11 or newer" in done.stderr
    assert not (book / ".venv").exists()


def test_old_pythons_can_read_it() -> None:
    """The same where there are none: nothing that Python 2.7 or 3.5 cannot parse."""
    source = (ROOT / "start.py").read_text(encoding="utf-8")
    assert source.isascii()
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal, ast.AsyncFunctionDef, ast.Starred, ast.Match)
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, new), ast.dump(node)
        assert not (isinstance(node, ast.Raise) and node.cause), f"line {node.lineno}: raise ... from"
        if isinstance(node, ast.FunctionDef):
            arguments = node.args.args + node.args.kwonlyargs
            assert not node.args.kwonlyargs, node.name
            assert node.returns is None, node.name
            assert all(argument.annotation is None for argument in arguments), node.name


def test_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "start.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("system", "parts"), [("nt", (".venv", "Scripts", "python.exe")), ("posix", (".venv", "bin", "python"))]
)
def test_where_python_is(book: Path, system: str, parts: tuple[str, ...]) -> None:
    """With the system's name patched before start.py is read; the imports before need the true one."""
    program = (
        "import argparse, hashlib, importlib.util, json, shutil, subprocess, threading, os, sys;"
        f"os.name = {system!r}; sys.path.insert(0, {str(book)!r});"
        "import start; print(start.python())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == os.path.join(os.path.realpath(book), *parts)


# ---------------------------------------------------------------- the commands

# Plays .venv's Python: knows its version, hands out a copy, writes down how JupyterLab and pytest were called.
SCRIPT = f"""
case "$*" in
*"import pip"*) echo {THIS} ;;
*"nnlib.course.work open 99"*) echo "work: there is no lesson 99" >&2; exit 1 ;;
*"nnlib.course.work open"*) echo "a newer version is there" >&2; echo "$PWD/work/${{4:-07}} a b.ipynb" ;;
*) printf "%s\\n" "$@" > called; env > environment; exit ${{STATUS:-0}} ;;
esac
"""


@pytest.fixture
def run(book: Path, start: ModuleType) -> Callable[..., subprocess.CompletedProcess[str]]:
    stand_in(book, SCRIPT)
    start.write_stamp({"course", "test"})

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(book / "start.py"), *arguments]
        away = os.path.dirname(book)  # started from another folder
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        return subprocess.run(command, capture_output=True, text=True, cwd=away, env=clean | env, timeout=60)

    return run


@posix
def test_opens_the_learners_copy(book: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run("--lesson", "04", "--no-browser")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "a newer version is there\n"
    words = (book / "called").read_text().splitlines()
    assert words[:2] == ["-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/work/04%20a%20b.ipynb" in words
    assert f"--ServerApp.root_dir={os.path.realpath(book)}" in words
    assert "--no-browser" in words


@posix
def test_opens_the_last_place(book: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert run().returncode == 0
    words = (book / "called").read_text().splitlines()
    assert "--LabApp.default_url=/lab/tree/work/07%20a%20b.ipynb" in words
    assert "--no-browser" not in words


@posix
def test_asks_nothing_of_the_network(book: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    run("--no-browser")
    words = (book / "called").read_text().splitlines()
    assert "--LabApp.news_url=None" in words
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in words
    assert "--LabApp.extension_manager=readonly" in words


@posix
def test_jupyterlab_does_not_ask_about_news(book: Path, start: ModuleType, steps: Steps) -> None:
    start.environment({"course"})
    settings = json.loads((book / ".venv/share/jupyter/lab/settings/overrides.json").read_text())
    assert settings == {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
    }


@posix
def test_a_lesson_that_is_not_there(book: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = run("--lesson", "99")
    assert done.returncode == 1
    assert done.stderr == "work: there is no lesson 99\n"
    assert not (book / "called").exists()


@posix
@pytest.mark.parametrize("status", [0, 1, 5])
def test_tests_get_the_arguments_and_give_the_status(
    book: Path, run: Callable[..., subprocess.CompletedProcess[str]], status: int
) -> None:
    done = run("test", "-k", "two words", "--lesson", STATUS=str(status))
    assert done.returncode == status
    words = (book / "called").read_text().splitlines()
    assert words[:3] == ["-m", "pytest", "-n"]
    assert "--dist=loadfile" in words
    assert words[-3:] == ["-k", "two words", "--lesson"]


@posix
@pytest.mark.parametrize("command", [(), ("test",)])
def test_one_thread_unless_asked_otherwise(
    book: Path, run: Callable[..., subprocess.CompletedProcess[str]], command: tuple[str, ...]
) -> None:
    run(*command, MKL_NUM_THREADS="3", MPLBACKEND="Agg")
    lines = (book / "environment").read_text().splitlines()
    assert {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=3"} <= set(lines)
    assert not [line for line in lines if line.startswith("MPLBACKEND=")]


@posix
def test_grading_adds_its_extra_and_runs_where_it_was_called(
    book: Path, start: ModuleType, steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called = []
    monkeypatch.setattr(start, "follow", lambda command, folder=None: called.append((command[1:], folder)))
    monkeypatch.chdir(tmp_path)
    start.main(["submit", "02", "--student", "ada"])
    start.main(["grade", "02", "submitted", "--csv", "marks.csv"])
    start.main(["mark", "."])
    start.main(["grade", "02", "submitted", "--csv", "marks.csv", "--scheduler=tcp://host:8786"])
    assert steps.done == ["venv", ".[course]", ".[course,grade]", ".[cluster,course,grade]"]
    assert [words[1].split(".")[-1] for words, _ in called] == ["submit", "grade", "formgrader", "grade"]
    assert called[1] == (["-m", "nnlib.course.grade", "02", "submitted", "--csv", "marks.csv"], str(tmp_path))
