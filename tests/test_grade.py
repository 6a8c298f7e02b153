"""Grading a class: every submission gets a row, nobody gains by cheating, an honest half keeps its half."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nnlib.course import CourseError, grade, judge
from nnlib.course.sandbox import Limits
from nnlib.course.submission import load
from tests.classroom import (
    BROKEN,
    CHEATS,
    EDITED,
    HONEST,
    NAME,
    RAW,
    ROOT,
    SUBMISSIONS,
    Case,
    earned,
    hand_in,
    write_assignment,
)

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
ODD = ["caf\udce9", "x" * 240, 'Zoë Ünal, "x"\n=1+1']  # names of folders: not UTF-8, long, hard on a table
SLOW = ["--cell-timeout", "2", "--no-gradebook"]


def run(course: Path, *options: str) -> dict[str, dict[str, str]]:
    """Grade a course's submissions; return the rows of the CSV by student."""
    table = course / "marks.csv"
    words = [
        NAME,
        str(course / "submitted"),
        "--csv",
        str(table),
        "--solutions",
        str(course / "solutions"),
        *options,
    ]
    assert grade.main(words) == 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(list(row) == ["student_id", "score", "max_score", "status", "reason"] for row in rows)
    return {row["student_id"]: row for row in rows}


def result(course: Path, student: str) -> dict[str, Any]:
    return json.loads((course / grade.HIDDEN / NAME / f"{student}.json").read_text(encoding="utf-8"))


def classroom(course: Path, cases: dict[str, Case]) -> Path:
    write_assignment(course / "solutions")
    for student, case in cases.items():
        hand_in(course / "submitted", student, case)
    return course


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    """All of them, graded in one run by two processes."""
    course = classroom(tmp_path_factory.mktemp("course"), SUBMISSIONS)
    (course / "submitted" / "linked").symlink_to(course / "submitted" / "everything")
    for name in ODD:
        shutil.copytree(course / "submitted" / "everything", course / "submitted" / name)
    return course, run(course, *SLOW, "--jobs", "2")


def test_everybody_has_a_row(graded: tuple[Path, dict[str, dict[str, str]]]) -> None:
    _, rows = graded
    assert set(rows) == {*SUBMISSIONS, "linked", "caf?", *ODD[1:]}
    assert rows["caf?"]["status"] == "refused" and all(rows[name]["score"] == "6" for name in ODD[1:])
    assert {row["max_score"] for row in rows.values()} == {"8"}
    assert rows["linked"]["status"] == "refused"
    assert (len(HONEST), len(BROKEN), len(EDITED), len(RAW), len(CHEATS)) == (9, 23, 12, 11, 21)


@pytest.mark.parametrize("student", SUBMISSIONS)
def test_what_it_earns(graded: tuple[Path, dict[str, dict[str, str]]], student: str) -> None:
    course, rows = graded
    case, row = SUBMISSIONS[student], rows[student]
    if not case.raw:
        points = {id: judged["points"] for id, judged in result(course, student)["exercises"].items()}
        assert points == earned(case), row
    assert float(row["score"]) == sum(earned(case).values())
    assert case.status in (row["status"], "*"), row
    assert case.reason in row["reason"]


def test_nothing_is_left_running(graded: tuple[Path, dict[str, dict[str, str]]]) -> None:
    running = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            running.append(path.read_bytes())
        except OSError:
            continue
    assert not [line for line in running if b"/view/runner.py" in line]


def test_a_verdict_that_would_take_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def verdict(self, *_: object) -> None:
            while True:
                pass

    monkeypatch.setattr(judge, "find", lambda id: Slow())
    monkeypatch.setattr(judge, "JUDGING", 0.1)
    judged = judge.verdict("X34", "[]", "[]")
    assert judged["share"] == 0 and "TimeoutError" in judged["parts"][""][1]


# ---------------------------------------------------------------- the same result, however it is done

SOME = {
    name: SUBMISSIONS[name]
    for name in (
        "everything",
        "nothing",
        "a-half",
        "exception",
        "os-exit",
        "equals-everything",
        "truncated",
    )
}


def essence(course: Path) -> dict[str, Any]:
    """What was found about each student, without what a clock says."""
    return {s: result(course, s) | {"seconds": 0} for s, case in SOME.items() if not case.raw}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any]]:
    """A course graded by one process: its folder, its CSV, its results."""
    course = classroom(tmp_path_factory.mktemp("once"), SOME)
    run(course, *SLOW, "--jobs", "1")
    return course, (course / "marks.csv").read_text(), essence(course)


def same_class(once: tuple[Path, str, dict[str, Any]], course: Path) -> Path:
    """The same class with the same secret and nothing graded, handed in the other way round."""
    classroom(course, dict(reversed(SOME.items())))
    (course / grade.HIDDEN).mkdir()
    shutil.copy(once[0] / grade.HIDDEN / "secret", course / grade.HIDDEN)
    return course


def test_the_number_of_jobs_changes_nothing(once: tuple[Path, str, dict[str, Any]], tmp_path: Path) -> None:
    course = same_class(once, tmp_path)
    run(course, *SLOW, "--jobs", "3")
    assert (course / "marks.csv").read_text() == once[1]
    assert essence(course) == once[2]


def test_a_cluster_of_which_a_worker_is_killed_changes_nothing(
    once: tuple[Path, str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    course, killed = same_class(once, tmp_path), []
    cluster = distributed.LocalCluster(
        n_workers=3,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        worker_dashboard_address=None,
    )
    with cluster:
        results = grade.results

        def killing(*arguments: Any) -> Any:
            """Kill a worker that is at work as soon as the first result is there."""
            for number, one in enumerate(results(*arguments)):
                if number == 0:
                    with distributed.Client(cluster) as client:
                        busy = [address for address, keys in client.processing().items() if keys]
                        pids = client.run(os.getpid)
                        killed.append(pids[busy[0]])
                        os.kill(pids[busy[0]], signal.SIGKILL)
                yield one

        monkeypatch.setattr(grade, "results", killing)
        run(course, *SLOW, "--scheduler", cluster.scheduler_address)
    assert len(killed) == 1
    assert (course / "marks.csv").read_text() == once[1]
    assert essence(course) == once[2]


def test_a_worker_with_another_nnlib_is_refused(tmp_path: Path) -> None:
    task = judge.Task(load(NAME, write_assignment(tmp_path)), "ada", [], "", {})
    with pytest.raises(CourseError, match="another version of nnlib"):
        grade.remotely(task, asdict(Limits()), False, "an older one")


# ---------------------------------------------------------------- again, and going on


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    safely = grade._safely
    monkeypatch.setattr(grade, "_safely", lambda task, box: done.append(task.student) or safely(task, box))
    return done


def test_a_stopped_run_goes_on_and_only_what_changed_is_graded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = classroom(tmp_path, dict.fromkeys(("ada", "bob", "cy"), HONEST["everything"]))
    table = [
        "--csv",
        str(course / "marks.csv"),
        "--solutions",
        str(course / "solutions"),
        *SLOW,
        "--jobs",
        "1",
    ]
    words = [NAME, str(course / "submitted"), *table]
    done = counting(monkeypatch)
    counted = grade._safely

    def stops(task: Any, box: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        return counted(task, box)

    with monkeypatch.context() as patch:
        patch.setattr(grade, "_safely", stops)
        assert grade.main(words) == 130
    assert done == ["ada", "bob"] and not (course / "marks.csv").exists()
    assert len(run(course, *SLOW, "--jobs", "1")) == 3 and done == ["ada", "bob", "cy"]
    hand_in(course / "submitted", "bob", HONEST["nothing"])
    assert run(course, *SLOW, "--jobs", "1")["bob"]["score"] == "0" and done[3:] == ["bob"]
    run(course, *SLOW, "--jobs", "1", "--student", "cy")
    run(course, *SLOW, "--jobs", "1")
    assert done[4:] == ["cy"]
    run(course, *SLOW, "--jobs", "1", "--fresh")
    assert sorted(done[5:]) == ["ada", "bob", "cy"]
