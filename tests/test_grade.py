"""Grading a class: every submission gets a row, nobody gains by cheating, an honest half keeps its half."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nnlib.course import grade
from tests.classroom import (
    BROKEN,
    CHEATS,
    EDITED,
    HONEST,
    NAME,
    RAW,
    SUBMISSIONS,
    Case,
    earned,
    hand_in,
    write_assignment,
)

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
SLOW = ["--cell-timeout", "1", "--no-gradebook"]


def run(course: Path, *options: str) -> dict[str, dict[str, str]]:
    """Grade a course's submissions; return the rows of the CSV by student."""
    table = course / "marks.csv"
    words = [NAME, str(course / "submitted"), "--csv", str(table), "--solutions", str(course / "solutions"), *options]
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
    return course, run(course, *SLOW, "--jobs", "2")


def test_everybody_has_a_row(graded: tuple[Path, dict[str, dict[str, str]]]) -> None:
    _, rows = graded
    assert set(rows) == {*SUBMISSIONS, "linked"}
    assert {row["max_score"] for row in rows.values()} == {"8"}
    assert rows["linked"]["status"] == "refused"
    assert (len(HONEST), len(BROKEN), len(EDITED), len(RAW), len(CHEATS)) == (9, 21, 12, 11, 21)


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
