"""The course around the grading: gradebook, pages, packing, the class's workbook, refusals in one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nnlib.course import CourseError, formgrader, grade, release, submit
from nnlib.course.assignments import release as released
from nnlib.course.sandbox import Sandbox
from nnlib.course.submission import load
from tests.classroom import (
    BROKEN,
    HONEST,
    NAME,
    ROOT,
    Case,
    answer,
    hand_in,
    put,
    several,
    small_solution,
    write_assignment,
)
from tests.test_grade import classroom, run

needs_sandbox = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
QUICK = ["--cell-timeout", "2", "--jobs", "1"]
SCRIPT = "<script>alert('mine')</script>"
CLASS = {
    "ada": Case(
        several(
            put("m02-answer", f"Because. {SCRIPT}"),
            answer(f'def best_line(x, y):\n    return "{SCRIPT}"'),
        )
    ),
    "bob": HONEST["nothing"],
    "cy": BROKEN["exception"],
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three students, graded into a gradebook."""
    pytest.importorskip("nbgrader")
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    course = classroom(tmp_path_factory.mktemp("course"), CLASS)
    (course / "class.csv").write_text("id,first_name,last_name,email\nada,Ada,Lovelace,\nbob,Bob,,\ndee,Dee,,\n")
    run(course, *QUICK, "--roster", str(course / "class.csv"))
    return course


def marks(course: Path, student: str) -> dict[str, Any]:
    """What the gradebook says of each cell: (auto, manual, needs a person)."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        submission = book.find_submission(NAME, student)
        grades = submission.notebooks[0].grades
        return {g.name: (g.auto_score, g.manual_score, g.needs_manual_grade) for g in grades} | {
            "score": submission.score
        }


def mark(course: Path, student: str, points: float) -> None:
    """What formgrader does when a person gives points."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grade = book.find_grade("M02", NAME, NAME, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.find_comment("M02", NAME, NAME, student).manual_comment = "well <argued>"
        book.db.commit()


def test_the_gradebook_says_what_the_table_says(course: Path) -> None:
    right, wrong, open_ = (2, None, False), (0, None, False), (None, None, True)
    assert marks(course, "ada") == {
        "X34": right,
        "X35": wrong,
        "X38": right,
        "M02": open_,
        "score": 4,
    }
    assert marks(course, "bob") == dict.fromkeys(("X34", "X35", "X38", "M02"), (0, None, False)) | {"score": 0}
    rows = run(course, *QUICK, "--roster", str(course / "class.csv"))
    assert [(s, r["score"], r["max_score"], r["status"]) for s, r in rows.items()] == [
        ("ada", "4", "8", "ok"), ("bob", "0", "8", "ok"), ("cy", "4", "8", "error"), ("dee", "0", "8", "missing"),
    ]  # fmt: skip
    assert rows["ada"]["reason"] == "2 points to be marked by hand" and rows["bob"]["reason"] == ""


def test_marks_given_by_hand_count_and_stay(course: Path) -> None:
    mark(course, "cy", 1.5)
    assert run(course, *QUICK)["cy"]["score"] == "5.5"
    assert marks(course, "cy")["M02"] == (None, 1.5, False)
    assert run(course, *QUICK, "--student", "cy")["cy"]["score"] == "5.5"  # graded again: the mark stays,
    assert marks(course, "cy")["M02"] == (None, 1.5, True)  # and asks to be looked at
    page = (course / "feedback" / "cy" / NAME / f"{NAME}.html").read_text()
    assert "5.5 of 8 points" in page and "well &lt;argued&gt;" in page and "ZeroDivisionError" in page


def test_the_page_needs_no_network_and_runs_nothing(course: Path) -> None:
    for student in ("ada", "bob", "cy"):
        page = (course / "feedback" / student / NAME / f"{NAME}.html").read_text()
        assert not re.findall(r"(?:src|href)\s*=|url\(|@import|<script|http", page.replace("http-equiv", ""))
        assert "default-src 'none'" in page
    page = (course / "feedback" / "ada" / NAME / f"{NAME}.html").read_text()
    assert "X34: correct, 2 of 2 points" in page and "X35: not right, 0 of 2 points" in page
    assert "&lt;script&gt;" in page
    assert "x.mean() * y.mean()" not in page  # of the solution of X35, which ada has answered otherwise
    assert not (course / "feedback" / "dee").exists()


def test_the_marked_notebook_has_the_assignments_metadata(course: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    for student in ("ada", "bob", "cy"):
        path = course / "autograded" / student / NAME / f"{NAME}.ipynb"
        nbformat.validate(nbformat.read(path, as_version=4))
    cells = {
        cell["id"]: cell
        for cell in json.loads((course / "autograded/ada" / NAME / f"{NAME}.ipynb").read_text())["cells"]
    }
    assert cells["x34-check"]["outputs"][0]["text"] == ["X34: correct, 2 of 2 points\n"]
    assert cells["x34-check"]["metadata"]["nbgrader"]["points"] == 2


def test_what_a_marker_sees_cannot_run() -> None:
    pytest.importorskip("nbconvert")
    text = "# M02\n\n*so* $a < b$ `x < 1`\n\n<script>x</script> <img src=x onerror=y>\n\n[l](javascript:z) [w](https://w.org)"
    html = formgrader.markdown2html(text)
    assert not re.search(r"<script|<img|href=.?javascript|\bid=", html)
    assert "<em>so</em>" in html and "a &lt; b" in html and 'href="https://w.org"' in html


def test_nbgraders_own_command_is_ours_too(course: Path) -> None:
    hand_in(course / "submitted", "cy", Case(answer("def best_line(x, y): return 1, 2")))
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", NAME, "--student", "cy"], capture_output=True, text=True,
        cwd=course, timeout=100, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"rows in {course / NAME}.csv" in done.stdout
    assert "ZeroDivisionError" not in (course / f"{NAME}.csv").read_text()
    assert marks(course, "cy")["X35"][0] == 0


def test_what_a_student_gets_holds_no_solution(course: Path) -> None:
    text = (course / "release" / NAME / f"{NAME}.ipynb").read_text()
    assert "BEGIN SOLUTION" not in text and "NotImplementedError" in text


def test_an_assignment_that_lost_a_check_is_not_mixed_with_the_old_one(
    course: Path, tmp_path: Path, capsys: Any
) -> None:
    other = write_assignment(tmp_path / "solutions") / NAME / f"{NAME}.ipynb"
    notebook = small_solution()
    notebook["cells"] = [cell for cell in notebook["cells"] if not cell["id"].startswith("x38")]
    other.write_text(json.dumps(notebook))
    words = [
        NAME,
        str(course / "submitted"),
        "--csv",
        str(tmp_path / "m.csv"),
        "--solutions",
        str(tmp_path / "solutions"),
    ]
    shutil.copytree(course, tmp_path / "copy")
    assert grade.main([*words, "--course", str(tmp_path / "copy")]) == 1
    assert "Marks would be lost" in capsys.readouterr().err


def test_formgrader_wants_a_course(tmp_path: Path, course: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(formgrader.subprocess, "run", lambda words, cwd: started.append((words, cwd)) or done)
    assert formgrader.main([str(tmp_path)]) == 1
    assert "is no course yet: grade an assignment first" in capsys.readouterr().err
    assert formgrader.main([str(course), "--no-browser"]) == 0
    ((words, cwd),) = started
    assert cwd == course and "--LabApp.default_url=/formgrader" in words and "--no-browser" in words


# ---------------------------------------------------------------- packing and unpacking


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A workbook with one exercise and a learner's copy of it."""
    for folder in ("notebooks", "nnlib", "exercises/" + NAME, "work/exercises/" + NAME):
        (tmp_path / "book" / folder).mkdir(parents=True)
    exercise = json.dumps(released(small_solution()))
    (tmp_path / "book/exercises" / NAME / f"{NAME}.ipynb").write_text(exercise)
    (tmp_path / "book/work/exercises" / NAME / f"{NAME}.ipynb").write_text(exercise)
    return tmp_path / "book"


@needs_sandbox
def test_a_student_packs_and_the_instructor_grades(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    work = book / "work/exercises" / NAME / f"{NAME}.ipynb"
    notebook = json.loads(work.read_text())
    next(cell for cell in notebook["cells"] if cell["id"] == "x34-answer")["source"] = (
        "def gradient(phi, x, y):\n    r = phi[0] + phi[1] * x - y\n    return 2 * np.array([r.mean(), (x * r).mean()])"
    )
    work.write_text(json.dumps(notebook))
    monkeypatch.setattr(submit, "checkout", lambda: book)
    submitted = tmp_path / "submitted"
    assert submit.main(["90", "--student", "ada", "--into", str(submitted)]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(submitted / f"ada--{NAME}.zip")
    assert said.err == "not answered yet: X35-answer, X38-answer, M02\n"
    (submitted / f"bob--{NAME}.zip").write_bytes(b"no zip")
    (submitted / f"..--{NAME}.zip").write_bytes(b"no zip")
    write_assignment(tmp_path / "solutions")
    rows = run(tmp_path, *QUICK, "--no-gradebook")
    assert (rows["ada"]["score"], rows["ada"]["status"]) == ("2", "ok")
    assert rows["bob"]["status"] == "unreadable" and set(rows) == {"ada", "bob"}
    assert f"..--{NAME}.zip is left alone" in capsys.readouterr().err


def test_packing_is_repeatable_and_holds_the_notebook_alone(book: Path) -> None:
    path = book / "work/exercises" / NAME / f"{NAME}.ipynb"
    name, data, _ = submit.pack(path, "ada")
    assert (name, data) == submit.pack(path, "ada")[:2]
    (book / "x.zip").write_bytes(data)
    with zipfile.ZipFile(book / "x.zip") as archive:
        assert archive.namelist() == [f"{NAME}.ipynb"]


@pytest.mark.parametrize("student", ["", "../x", ".x", "a b", "a--b", "a/b"])
def test_a_name_that_no_folder_should_have(book: Path, student: str) -> None:
    with pytest.raises(CourseError, match="letters, digits"):
        submit.pack(book / "work/exercises" / NAME / f"{NAME}.ipynb", student)


def test_packing_what_was_never_opened(book: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(submit, "checkout", lambda: book)
    shutil.rmtree(book / "work")
    assert submit.main(["90", "--student", "ada"]) == 1
    assert "you have not opened 90-small yet" in capsys.readouterr().err
    assert submit.main(["91", "--student", "ada"]) == 1
    assert "there is no exercise '91'; there are: 90-small." in capsys.readouterr().err


def test_the_class_gets_no_solution_and_no_test(tmp_path: Path) -> None:
    target = release.bundle(ROOT, tmp_path / "class")
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert not [
        name for name in files if name.startswith(("solutions/", "tests/", "work/", ".")) or "__pycache__" in name
    ]
    assert {
        "start.py",
        "README.md",
        "nnlib/core.py",
        "notebooks/00-one-page.ipynb",
        "exercises/02-a-line/02-a-line.ipynb",
    } <= files
    assert not [name for name in files if name.endswith(".ipynb") and "BEGIN SOLUTION" in (target / name).read_text()]
    done = subprocess.run(
        [sys.executable, "-m", "nnlib.course.work", "open", "exercises/02-a-line/02-a-line.ipynb"],
        cwd=target, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(target)},
    )  # fmt: skip
    assert done.stdout.strip() == str(target / "work/exercises/02-a-line/02-a-line.ipynb"), done.stderr
    with pytest.raises(CourseError, match="not empty"):
        release.bundle(ROOT, target)
    with pytest.raises(CourseError, match="in the workbook itself"):
        release.bundle(ROOT, ROOT / "class")


# ---------------------------------------------------------------- one line that says what is wrong, and the fix


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["99", "SUBMITTED"], "there is no assignment '99' in .*; there are: 90-small"),
        ([NAME, "nowhere"], "there is no folder .*nowhere; it should hold STUDENT/"),
        ([NAME, "EMPTY"], "is empty; it should hold STUDENT/90-small/90-small.ipynb"),
        ([NAME, "SUBMITTED", "--student", "eve"], "nobody in .* is called eve; there are: ada"),
        ([NAME, "SUBMITTED", "--jobs", "0"], "must be positive"),
        ([NAME, "SUBMITTED", "--roster", "nowhere.csv"], "the roster nowhere.csv cannot be read"),
        ([NAME, "SUBMITTED", "--roster", "ROSTER"], "needs a column id"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, capsys: Any, words: list[str], said: str) -> None:
    classroom(tmp_path, {"ada": HONEST["everything"]})
    (tmp_path / "empty").mkdir()
    (tmp_path / "roster.csv").write_text("name\nAda\n")
    places = {
        "SUBMITTED": tmp_path / "submitted",
        "EMPTY": tmp_path / "empty",
        "ROSTER": tmp_path / "roster.csv",
    }
    words = [str(places.get(word, word)) for word in words]
    assert grade.main([*words, "--csv", str(tmp_path / "m.csv"), "--solutions", str(tmp_path / "solutions")]) == 1
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "m.csv").exists()


def test_without_a_sandbox_nothing_runs_unless_told_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    classroom(tmp_path, {"ada": HONEST["everything"], "bob": HONEST["nothing"]})
    monkeypatch.setattr(Sandbox, "problem", lambda self: "forbidden here")
    words = [
        NAME,
        str(tmp_path / "submitted"),
        "--csv",
        str(tmp_path / "m.csv"),
        "--solutions",
        str(tmp_path / "solutions"),
    ]
    assert grade.main([*words, *QUICK, "--no-gradebook"]) == 1
    assert "no sandbox can be had here" in capsys.readouterr().err
    assert not (tmp_path / ".grading" / NAME / "ada.json").exists()
    assert [row["score"] for row in run(tmp_path, *QUICK, "--no-gradebook", "--trust").values()] == ["6", "0"]


def test_solutions_that_nothing_judges_are_refused(tmp_path: Path) -> None:
    path = write_assignment(tmp_path) / NAME / f"{NAME}.ipynb"
    notebook = small_solution()
    for source, said in (
        ("assert True", "nothing judges it"),
        ('check("X34")', "two cells check X34"),
    ):
        next(cell for cell in notebook["cells"] if cell["id"] == "x35-check")["source"] = source
        path.write_text(json.dumps(notebook))
        with pytest.raises(CourseError, match=said):
            load(NAME, tmp_path)


@needs_sandbox
@pytest.mark.parametrize("solution", sorted((ROOT / "solutions").glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_every_solution_earns_every_point_and_what_is_given_none(solution: Path, tmp_path: Path) -> None:
    """The whole way for each assignment of the course: its solution handed in, and its unsolved exercise."""
    (tmp_path / "solutions").symlink_to(ROOT / "solutions")
    for student, notebook in (
        ("all", solution),
        ("none", ROOT / "exercises" / solution.parent.name / solution.name),
    ):
        folder = tmp_path / "submitted" / student / solution.stem
        folder.mkdir(parents=True)
        shutil.copy(notebook, folder)
    words = [
        solution.stem,
        str(tmp_path / "submitted"),
        "--csv",
        str(tmp_path / "m.csv"),
        "--solutions",
        str(ROOT / "solutions"),
    ]
    assert grade.main([*words, "--no-gradebook", "--jobs", "1"]) == 0
    results = {
        s: json.loads((tmp_path / ".grading" / solution.stem / f"{s}.json").read_text()) for s in ("all", "none")
    }
    assert {id: judged["share"] for id, judged in results["all"]["exercises"].items() if judged["share"] < 1} == {}
    assert {id: judged["share"] for id, judged in results["none"]["exercises"].items() if judged["share"] > 0} == {}
    assert results["all"]["status"] == "ok", results["all"]["reason"]
