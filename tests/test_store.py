"""The store: executed, in one form, the same bytes twice; and nbval, which relies on it."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from nnlib.course import CourseError, store
from nnlib.course.store import PNG, differences, dpi, dumps, execute, limits, normalise

ROOT = Path(__file__).resolve().parents[1]


def notebook(*sources: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{i}",
            "metadata": {"tags": list(tags)} if tags else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for i, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {"nnlib": {"kept": 1}}, "nbformat": 4, "nbformat_minor": 5}


def png(*chunks: tuple[bytes, bytes]) -> str:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    head = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = (b"IDAT", zlib.compress(b"\0\0"))
    data = PNG + b"".join(chunk(*c) for c in (head, *chunks, body, (b"IEND", b"")))
    return base64.b64encode(data).decode()


def shown(data: dict[str, Any]) -> dict[str, Any]:
    book = notebook("draw()")
    book["cells"][0]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    return book


def resolution(dots: float) -> tuple[bytes, bytes]:
    per_metre = round(dots / 0.0254)
    return (b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))


# ---------------------------------------------------------------- one form


def test_normalise_drops_what_differs_by_machine() -> None:
    book = notebook("x = 1")
    book["metadata"] |= {
        "widgets": {"state": {}},
        "kernelspec": {"name": "mine"},
        "language_info": {"name": "python", "version": "3.11.7"},
    }
    book["cells"][0]["metadata"] = {"execution": {"a": 1}, "scrolled": True, "tags": ["kept"]}
    form = normalise(book)
    assert form["metadata"]["nnlib"] == {"kept": 1}
    assert form["metadata"]["kernelspec"]["name"] == "python3"
    assert "version" not in form["metadata"]["language_info"]
    assert "widgets" not in form["metadata"]
    assert form["cells"][0]["metadata"] == {"tags": ["kept"]}
    assert form["cells"][0]["id"] == "cell-0"


def test_normalise_is_idempotent_and_leaves_its_argument() -> None:
    book = shown({"image/png": png((b"tEXt", b"Software\0x")), "text/plain": "a\nb"})
    before = json.dumps(book)
    form = normalise(book)
    assert dumps(normalise(form)) == dumps(form)
    assert json.dumps(book) == before


def test_streams_are_joined_in_order() -> None:
    book = notebook("print()")
    pieces = [("stdout", "a\n"), ("stdout", ["b", "\n"]), ("stderr", "c"), ("stdout", "d")]
    book["cells"][0]["outputs"] = [
        {"output_type": "stream", "name": name, "text": text} for name, text in pieces
    ]
    outputs = normalise(book)["cells"][0]["outputs"]
    assert [(out["name"], "".join(out["text"])) for out in outputs] == [
        ("stdout", "a\nb\n"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_lines_are_split_at_newlines_only() -> None:
    assert store.lines("a\u2028b\x0cc\nd") == ["a\u2028b\x0cc\n", "d"]
    assert store.lines("") == []


def test_pictures_differ_by_what_they_draw_alone() -> None:
    a = normalise(shown({"image/png": png((b"tEXt", b"Software\0Matplotlib 3.9"), resolution(72))}))
    b = normalise(shown({"image/png": png((b"tEXt", b"Software\0Matplotlib 4.0"), resolution(72))}))
    assert dumps(a) == dumps(b)
    stored = a["cells"][0]["outputs"][0]["data"]["image/png"]
    assert dpi(stored) == pytest.approx(72, abs=0.1)


def test_widget_views_are_not_stored() -> None:
    data = {"text/plain": "Run this cell to play: x", store.WIDGET_VIEW: {"model_id": "f00"}}
    outputs = normalise(shown(data))["cells"][0]["outputs"]
    assert list(outputs[0]["data"]) == ["text/plain"]


def test_limits_name_resolution_and_size() -> None:
    assert limits(normalise(shown({"image/png": png(resolution(100))}))) == []
    assert "cell-0: 150 dpi" in limits(normalise(shown({"image/png": png(resolution(150))})))[0]
    assert "MB, at most 1.2" in limits(normalise(shown({"text/plain": "x" * 1_600_000})))[0]


def test_differences_name_the_cell_and_ignore_pixels() -> None:
    old = shown({"image/png": png(), "text/plain": "0.1"})
    same = shown({"image/png": png(resolution(80)), "text/plain": "0.1"})
    other = shown({"image/png": png(), "text/plain": "0.2"})
    assert differences(old, same) == []
    assert differences(old, other)[0].startswith("cell cell-0: stored")


# ---------------------------------------------------------------- execution

needs_jupyter = pytest.mark.skipif(
    importlib.util.find_spec("nbclient") is None, reason="needs Jupyter (the course extra)"
)


def arguments(*paths: Path, **options: str) -> list[str]:
    return [str(path) for path in paths] + [
        f"--{k.replace('_', '-')}={v}" for k, v in options.items()
    ]


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(*sources: str, tags: tuple[str, ...] = ()) -> Path:
        path = tmp_path / "sample.ipynb"
        path.write_bytes(dumps(notebook(*sources, tags=tags)))
        return path

    return save


@needs_jupyter
def test_stored_twice_the_same_and_then_unchanged(saved: Any, capsys: Any) -> None:
    path = saved(
        "import os, sys\nprint('a'); sys.stdout.flush(); print(hash('x'))",
        "print(os.environ['OPENBLAS_NUM_THREADS'], __import__('nnlib').__name__)\n{'b': 1}",
    )
    assert store.main([*arguments(path), "--twice"]) == 0
    first = path.read_bytes()
    assert store.main(arguments(path)) == 0
    assert path.read_bytes() == first
    assert "written" in (out := capsys.readouterr().out)
    assert "unchanged" in out
    cells = json.loads(first)["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2]
    assert cells[1]["outputs"][0]["text"] == ["1 nnlib\n"]


@needs_jupyter
def test_a_failing_cell_is_named_and_nothing_is_written(saved: Any, capsys: Any) -> None:
    path = saved("x = 1", "x / 0")
    before = path.read_bytes()
    assert store.main(arguments(path)) == 1
    error = capsys.readouterr().err
    assert "cell cell-1 failed" in error
    assert "ZeroDivisionError" in error
    assert "----> 1 x / 0" in error
    assert path.read_bytes() == before


@needs_jupyter
def test_an_expected_exception_is_stored_without_paths(saved: Any) -> None:
    path = saved("1 / 0", tags=("raises-exception",))
    assert store.main(arguments(path)) == 0
    output = json.loads(path.read_bytes())["cells"][0]["outputs"][0]
    assert output["traceback"] == ["ZeroDivisionError: division by zero"]


@needs_jupyter
def test_too_long_is_stopped_and_named(tmp_path: Path) -> None:
    book = notebook("import time", "time.sleep(60)")
    with pytest.raises(CourseError, match="cell cell-1 took longer than 1 s"):
        execute(book, tmp_path, cell_timeout=1)
    with pytest.raises(CourseError, match="not finished after 3 s"):
        execute(book, tmp_path, timeout=3)


@needs_jupyter
def test_cpu_limit_and_check_fail(saved: Any, capsys: Any) -> None:
    path = saved("print('stable')")
    assert store.main(arguments(path, limit="-1")) == 1
    assert "s of CPU, at most -1" in capsys.readouterr().err
    assert store.main(arguments(path)) == 0
    assert store.main([*arguments(path), "--check"]) == 0
    path.write_bytes(path.read_bytes().replace(b'"stable\\n"', b'"changed\\n"'))
    before = path.read_bytes()
    assert store.main([*arguments(path), "--check"]) == 1
    assert "cell cell-0: stored" in capsys.readouterr().err
    assert path.read_bytes() == before


@needs_jupyter
def test_two_runs_that_differ_are_found(saved: Any, capsys: Any) -> None:
    path = saved("import os; print(os.getpid())")
    assert store.main([*arguments(path), "--twice"]) == 1
    assert "two runs differ: cell cell-0" in capsys.readouterr().err


def test_unknown_lessons_are_one_line(capsys: Any) -> None:
    assert store.main(["99"]) == 1
    assert "no lesson '99'" in capsys.readouterr().err
    assert store.main(["gone.ipynb"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_write_atomic_leaves_the_old_file_where_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# ---------------------------------------------------------------- strict nbval


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """The workbook's own conftest and settings around one notebook."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "tests").mkdir()
    book = notebook("print('0.75')")
    run = {"output_type": "stream", "name": "stdout", "text": "0.75\n"}
    book["cells"][0] |= {"execution_count": 1, "outputs": [run]}
    (tmp_path / "notebooks" / "00-x.ipynb").write_bytes(dumps(normalise(book)))
    return tmp_path


@needs_jupyter
def test_plain_pytest_compares_notebooks(small_project: Path) -> None:
    pytest.importorskip("nbval")
    good = run_pytest(small_project)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "1 passed" in good.stdout
    path = small_project / "notebooks" / "00-x.ipynb"
    path.write_bytes(path.read_bytes().replace(b'"0.75\\n"', b'"0.74\\n"'))
    bad = run_pytest(small_project)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "1 failed" in bad.stdout


def test_without_nbval_the_settings_are_no_error(small_project: Path) -> None:
    (small_project / "tests" / "test_one.py").write_text("def test_one():\n    assert True\n")
    run = run_pytest(small_project, "-p", "no:nbval", "-p", "no:xdist")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
