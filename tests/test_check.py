"""What a learner sees of a check: messages, hints, progress; and that progress survives crashes and crowds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlib.course import CourseError, progress
from nnlib.course.check import NotYet, check
from nnlib.course.exercises import find

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLIB_PROGRESS", str(tmp_path / "deep" / "progress.jsonl"))


def ask(id: str, **names: object) -> None:
    exec(f"check({id!r})", {"check": check, **names})


def test_right_wrong_and_not_attempted(capsys: pytest.CaptureFixture[str]) -> None:
    ask("X37", largest_rate=2 / 4.774852)
    assert capsys.readouterr().out.startswith("X37: correct")
    with pytest.raises(NotYet, match=r"^X37: not attempted$"):
        ask("X37", largest_rate=...)
    with pytest.raises(NotYet, match="no name 'largest_rate'"):
        ask("X37")
    for answer in ("0.45", None, [0.45], object(), float("nan"), True):
        with pytest.raises(NotYet, match="X37: not yet") as found:
            ask("X37", largest_rate=answer)
        assert "expected a number" in str(found.value)


def test_a_known_mistake_has_its_name_and_place() -> None:
    with pytest.raises(NotYet) as found:
        ask("X37", largest_rate=1 / 4.774852)
    text = str(found.value)
    assert find("X37").mistakes[0].say in text
    assert "lesson 02, “How large may a step be?”" in text and "check.hint('X37')" in text
    shown = found.value._render_traceback_()  # no frames above the message, no line that JupyterLab would cut
    assert " ".join(shown).split() == text.split()
    assert max(map(len, text.split("\n"))) > 100 >= max(map(len, shown))


def test_a_part_not_written_yet_sends_nobody_back_to_the_lesson() -> None:
    def todo(*_):
        raise NotImplementedError

    def entropy(q):
        return -(q[q > 0] * np.log2(q[q > 0])).sum()

    with pytest.raises(NotYet, match="1 of 3 parts are right") as found:
        ask("X54", entropy=entropy, cross_entropy=todo, divergence=todo)
    assert "not written yet" in str(found.value) and "Read again" not in str(found.value)
    with pytest.raises(NotYet, match="Read again: lesson 08"):
        ask("X54", entropy=entropy, cross_entropy=todo, divergence=lambda q, p: 17.0)


def test_an_error_in_the_answer_is_shown_and_not_thrown() -> None:
    def gradient(phi, x, y):
        return phi.nope

    with pytest.raises(NotYet, match=r"AttributeError: .*nope.*\(at: return phi.nope\)"):
        ask("X34", gradient=gradient)


def test_hints_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(len(find("X34").hints) + 1):
        check.hint("X34")
    out = capsys.readouterr().out
    said = out.replace("\n    ", " ").splitlines()  # a long hint goes on in the next line
    assert said[0].startswith("X34, hint 1 of 3:") and said[2].startswith("X34, hint 3") and said[3] == said[0]
    assert max(map(len, said)) > 100 >= max(map(len, out.splitlines()))


def test_unknown_exercise_names_its_neighbours() -> None:
    with pytest.raises(CourseError, match="no exercise 'X999'; did you mean X"):
        check("X999")
    with pytest.raises(CourseError):
        check.reset("nothing")


def test_progress_and_reset(capsys: pytest.CaptureFixture[str]) -> None:
    ask("X37", largest_rate=0.418861)
    ask("X37", largest_rate=0.418861)
    path = progress.path()
    assert path is not None and len(path.read_text().splitlines()) == 1
    capsys.readouterr()
    check.progress()
    assert "lesson 02   1 of  6" in capsys.readouterr().out
    check.reset("X37")
    assert progress.done() == set()
    progress.record(done="X34")
    check.reset("02")
    assert progress.done() == set()
    progress.record(done="X34")
    check.reset()
    assert progress.done() == set() and progress.hints() == {}


def test_a_crash_and_a_newer_version_lose_nothing_else() -> None:
    progress.record(done="X34")
    path = progress.path()
    assert path is not None
    with path.open("ab") as file:
        file.write(b'{"v": 2, "done": "X40"}\n\xff\xfe{"v": 1, "done": "X3')  # newer, then torn
    progress.record(done="X37")
    assert progress.done() == {"X34", "X37"}


def test_many_notebooks_at_once() -> None:
    program = (
        "import sys\nfrom nnlib.course import progress\n"
        "for i in range(40): progress.record(done=f'X{sys.argv[1]}{i:02}')"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(n)], cwd=ROOT) for n in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert progress.done() == {f"X{n}{i:02}" for n in range(4) for i in range(40)}


def test_a_file_that_cannot_be_written_is_said_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NNLIB_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    ask("X37", largest_rate=0.418861)
    assert "X37: correct" in (said := capsys.readouterr().out) and "Progress was not saved" in said


def test_look_says_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(x: int) -> int:
        raise NotImplementedError

    check.look(unwritten, 1)
    check.look(...)
    check.look(lambda x: x + 1, 1)
    assert capsys.readouterr().out.splitlines() == ["nothing to see yet", "nothing to see yet", "2"]
