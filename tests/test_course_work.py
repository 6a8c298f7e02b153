"""The learner's copies: never overwritten, updates announced, cells restored, crashes survived."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nnlib.course import CourseError, checkout, work

SOURCE_ROOT = Path(__file__).resolve().parents[1]


def notebook(title: str, *cells: tuple[str, str]) -> str:
    made = [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": [title]}]
    made += [
        {
            "cell_type": "code",
            "id": id,
            "metadata": {},
            "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["stored\n"]}],
            "source": [source],
        }
        for id, source in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


LESSON = notebook("# Four", ("first", "x = 1"), ("second", "y = 2"), ("third", "z = 3"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("nnlib", "notebooks", "exercises/04-net"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks/00-start.ipynb").write_text(notebook("# Zero"))
    (tmp_path / "notebooks/04-net.ipynb").write_text(LESSON)
    (tmp_path / "exercises/04-net/04-net.ipynb").write_text(notebook("# Do it", ("x12", "...")))
    return tmp_path


def sources(path: Path) -> dict[str, str]:
    return {c["id"]: "".join(c["source"]) for c in json.loads(path.read_text())["cells"]}


def edit(path: Path, **changes: str) -> None:
    book = json.loads(path.read_text())
    for cell in book["cells"]:
        if cell["id"] in changes:
            cell["source"] = [changes[cell["id"]]]
    path.write_text(json.dumps(book))


# ---------------------------------------------------------------- open


def test_first_open_copies_with_outputs(root: Path) -> None:
    copy, said = work.open_copy("4", root)
    assert copy == root / "work/04-net.ipynb"
    assert said == ["work/04-net.ipynb is your copy: change what you like."]
    assert sources(copy) == sources(root / "notebooks/04-net.ipynb")
    assert "stored" in copy.read_text()
    assert work.open_copy("04", root) == (copy, [])


@pytest.mark.parametrize("name", ["04-net.ipynb", "notebooks/04-net.ipynb", "work/04-net.ipynb"])
def test_other_names_of_a_lesson(root: Path, name: str) -> None:
    assert work.open_copy(name, root)[0] == root / "work/04-net.ipynb"


def test_exercises_have_copies_too(root: Path) -> None:
    copy, _ = work.open_copy("exercises/04-net/04-net.ipynb", root)
    assert copy == root / "work/exercises/04-net/04-net.ipynb"
    edit(copy, x12="mine")
    assert work.open_copy("04-net/04-net.ipynb", root)[0] == copy
    assert sources(copy)["x12"] == "mine"


def test_the_learners_file_survives_an_update(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    edit(copy, second="y = 'my work'")
    mine = copy.read_bytes()
    edit(root / "notebooks/04-net.ipynb", first="x = 'better'")
    same, said = work.open_copy("04", root)
    assert same == copy
    assert copy.read_bytes() == mine
    assert said[0].startswith("A newer version of 04-net is there. Yours is kept.")
    assert 'work.restore("04")' in said[0]
    assert work.open_copy("04", root)[1] == said  # until it is taken


def test_an_opened_copy_is_kept_even_if_unchanged(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    before = copy.read_bytes()
    edit(root / "notebooks/04-net.ipynb", first="x = 'better'")
    assert "newer" in work.open_copy("04", root)[1][0]
    assert copy.read_bytes() == before


def test_a_picture_drawn_anew_is_no_newer_version(root: Path) -> None:
    work.open_copy("04", root)
    source = root / "notebooks/04-net.ipynb"
    source.write_text(source.read_text().replace("stored", "stored again"))
    assert work.open_copy("04", root)[1] == []


def test_last_place(root: Path) -> None:
    assert work.last(root) is None
    assert work.open_copy(None, root)[0].name == "00-start.ipynb"
    copy, _ = work.open_copy("04", root)
    assert work.last(root) == copy
    zero = root / "work/00-start.ipynb"
    edit(zero, title="# gone back")
    later = copy.stat().st_mtime + 60
    os.utime(zero, (later, later))  # saved in JupyterLab, which tells us nothing
    assert work.open_copy(None, root)[0] == zero


def test_links_lead_to_copies_that_are_there(root: Path) -> None:
    text = (
        "[four](04-net.ipynb#cell-id=first) [do](../exercises/04-net/04-net.ipynb) "
        "[readme](../README.md) [web](https://example.org/a.ipynb) ![p](pic.png) [gone](05-x.ipynb)"
    )
    edit(root / "notebooks/00-start.ipynb", title=text)
    copy, _ = work.open_copy("00", root)
    assert sources(copy)["title"] == (
        "[four](04-net.ipynb#cell-id=first) [do](exercises/04-net/04-net.ipynb) "
        "[readme](../README.md) [web](https://example.org/a.ipynb) ![p](../notebooks/pic.png) "
        "[gone](05-x.ipynb)"
    )
    assert (root / "work/04-net.ipynb").is_file()
    assert (root / "work/exercises/04-net/04-net.ipynb").is_file()
    assert work.last(root) == copy


def test_a_copy_that_was_only_linked_follows_updates_until_it_is_saved(root: Path) -> None:
    edit(root / "notebooks/00-start.ipynb", title="[four](04-net.ipynb)")
    work.open_copy("00", root)
    four = root / "work/04-net.ipynb"
    edit(root / "notebooks/04-net.ipynb", first="x = 'better'")
    work.open_copy("00", root)
    assert sources(four)["first"] == "x = 'better'"
    edit(four, first="x = 'mine'")  # followed the link, worked, saved
    edit(root / "notebooks/04-net.ipynb", first="x = 'best'")
    work.open_copy("00", root)
    assert sources(four)["first"] == "x = 'mine'"
    assert "newer" in work.open_copy("04", root)[1][0]


# ---------------------------------------------------------------- accidents


@pytest.mark.parametrize("damage", ["{", "[]", '{"opened": "x"}', "\0"])
def test_a_damaged_memory_loses_no_work(root: Path, damage: str) -> None:
    copy, _ = work.open_copy("04", root)
    edit(copy, first="x = 'mine'")
    mine = copy.read_bytes()
    (record,) = (root / "work/.opened").iterdir()
    record.write_text(damage)
    assert work.last(root) == copy
    _, said = work.open_copy("04", root)
    assert copy.read_bytes() == mine
    assert "which, is no longer known" in said[0]
    assert work.open_copy("04", root)[1] == []  # said once
    edit(root / "notebooks/04-net.ipynb", second="y = 'better'")
    assert "newer" in work.open_copy("04", root)[1][0]


def test_everything_deleted_starts_again(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    for path in [copy, *(root / "work/.opened").iterdir()]:
        path.unlink()
    (root / "work/.opened").rmdir()
    (root / "work").rmdir()
    assert work.open_copy("04", root)[0].is_file()


def test_only_the_copy_deleted(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    copy.unlink()
    edit(root / "notebooks/04-net.ipynb", first="x = 'better'")
    assert "is your copy" in work.open_copy("04", root)[1][0]
    assert work.open_copy("04", root)[1] == []


def test_openings_at_once_make_one_copy(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: work.open_copy("04", root), range(24)))
    assert {copy for copy, _ in results} == {root / "work/04-net.ipynb"}
    made = [said for _, said in results if any("is your copy" in line for line in said)]
    assert len(made) == 1
    assert sources(results[0][0]) == sources(root / "notebooks/04-net.ipynb")
    left = sorted(path.name for path in (root / "work").rglob("*") if path.is_file())
    assert left == ["04-net.ipynb", "04-net.json"]


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.EROFS, "folder you may write to"),
        (errno.EACCES, "folder you may write to"),
        (errno.ENOSPC, "disk is full"),
    ],
)
def test_a_copy_that_cannot_be_written_is_one_line_with_the_fix(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, number: int, fix: str
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    assert work.main(["--root", str(root), "open", "04"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("work: cannot make the copy")
    assert fix in said.err
    assert said.err.count("\n") == 1
    assert [path for path in (root / "work").rglob("*") if path.is_file()] == []


def test_a_read_only_folder(root: Path, capsys: Any) -> None:
    root.chmod(0o555)
    try:
        if os.access(root, os.W_OK):
            pytest.skip("this user may write everywhere")
        assert work.main(["--root", str(root), "open", "04"]) == 1
    finally:
        root.chmod(0o755)
    assert "folder you may write to" in capsys.readouterr().err


def test_a_file_called_work(root: Path) -> None:
    (root / "work").write_text("")
    with pytest.raises(CourseError, match="A file stands where a folder is needed"):
        work.open_copy("04", root)


# ---------------------------------------------------------------- restore


def backups(root: Path) -> list[Path]:
    return sorted((root / "work").glob("04-net.2*.ipynb"))


def test_restore_of_a_cell_keeps_the_others(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    edit(copy, first="x = 'mine'", second="y = 'broken'")
    mine = copy.read_bytes()
    edit(root / "notebooks/04-net.ipynb", second="y = 'newest'")
    said = work.restore("04", cell="second", root=root)
    assert sources(copy)["first"] == "x = 'mine'"
    assert sources(copy)["second"] == "y = 'newest'"
    assert [path.read_bytes() for path in backups(root)] == [mine]
    assert backups(root)[0].name in said


def test_a_deleted_cell_comes_back_at_its_place(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    book = json.loads(copy.read_text())
    own = {"cell_type": "markdown", "id": "own", "metadata": {}, "source": ["mine"]}
    book["cells"] = [book["cells"][0], book["cells"][1], book["cells"][3], own]
    copy.write_text(json.dumps(book))
    work.restore("04", cell="second", root=root)
    assert list(sources(copy)) == ["title", "first", "second", "third", "own"]


def test_restore_of_a_notebook_saves_it_first_and_ends_the_announcement(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    edit(copy, first="x = 'mine'")
    mine = copy.read_bytes()
    edit(root / "notebooks/04-net.ipynb", first="x = 'better'")
    work.restore(root=root)  # the last place
    assert sources(copy)["first"] == "x = 'better'"
    assert [path.read_bytes() for path in backups(root)] == [mine]
    assert work.open_copy("04", root)[1] == []
    assert work.copies(root) == [copy]  # the backup is none


def test_restoring_twice_in_a_second_keeps_both_backups(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    for text in ("one", "two"):
        edit(copy, first=text)
        work.restore("04", root=root)
    saved = {sources(path)["first"] for path in backups(root)}
    assert saved == {"one", "two"}


def test_restore_without_change_makes_no_backup(root: Path) -> None:
    work.open_copy("04", root)
    assert "nothing to restore" in work.restore("04", root=root)
    assert backups(root) == []


def test_restore_of_an_unreadable_copy(root: Path) -> None:
    copy, _ = work.open_copy("04", root)
    copy.write_text("half a noteb")
    with pytest.raises(CourseError, match="Restore the whole notebook instead"):
        work.restore("04", cell="first", root=root)
    work.restore("04", root=root)
    assert sources(copy)["first"] == "x = 1"
    assert [path.read_text() for path in backups(root)] == ["half a noteb"]


def test_restore_that_cannot_write_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, _ = work.open_copy("04", root)
    edit(copy, first="mine")
    mine = copy.read_bytes()

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(CourseError, match="disk is full"):
        work.restore("04", root=root)
    assert copy.read_bytes() == mine


def test_unknown_names_say_what_there_is(root: Path) -> None:
    with pytest.raises(CourseError, match=r"no lesson 9; there are: 00, 04"):
        work.open_copy("9", root)
    with pytest.raises(CourseError, match="no lesson and no exercise"):
        work.open_copy("../etc/passwd", root)
    work.open_copy("04", root)
    with pytest.raises(CourseError, match=r"no cell 'secnd'; near it: second"):
        work.restore("04", cell="secnd", root=root)
    with pytest.raises(CourseError, match="no workbook found"):
        checkout(Path(root.anchor))


# ---------------------------------------------------------------- command


def test_command_prints_the_path_alone_on_stdout(root: Path) -> None:
    command = [sys.executable, "-m", "nnlib.course.work", "--root", str(root)]
    env = os.environ | {"PYTHONPATH": str(SOURCE_ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=env, check=False
        )

    opened = run("open", "04")
    assert opened.stdout == f"{root / 'work/04-net.ipynb'}\n"
    assert "is your copy" in opened.stderr
    edit(root / "work/04-net.ipynb", second="y = 'mine'")
    assert run("list").stdout == "work/04-net.ipynb\n"
    rows = run("list", "04").stdout.splitlines()
    assert [row.split()[:2] for row in rows if row.startswith("*")] == [["*", "second"]]
    restored = run("restore", "04", "--cell", "second")
    assert restored.stdout == opened.stdout
    assert "cell second restored" in restored.stderr
    wrong = run("open", "77")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "work: there is no lesson 77; there are: 00, 04.\n"
