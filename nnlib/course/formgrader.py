"""nbgrader's formgrader, for the questions that a person marks; its autograde and feedback actions are nnlib's.

    python -m nnlib.course.formgrader COURSE [--no-browser]

COURSE is the folder of gradebook.db, in which `nnlib.course.grade` has put an nbgrader_config.py that calls `install`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import CourseError

__all__ = ["command", "install", "main", "markdown2html"]


def install(solutions: str | None = None) -> None:
    """Make nbgrader's autograding, pages and command line, ours: the stock one runs submissions unprotected.

    solutions: the folder of the assignments, if it is not the workbook's own.
    """
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.converters.autograde import Autograde

    def grade(coursedir: Any, assignment: str, student: str | None = None) -> dict[str, Any]:
        submitted = Path(coursedir.root) / coursedir.submitted_directory
        return _grade(Path(coursedir.root), submitted, assignment, student, solutions)

    def autograde(self: Any, assignment_id: str, student_id: str, force: bool = True, create: bool = True) -> Any:
        return grade(self.coursedir, assignment_id, student_id)

    def generate_feedback(self: Any, assignment_id: str, student_id: str | None = None, force: bool = True) -> Any:
        return grade(self.coursedir, assignment_id)  # nothing new is graded; the pages are written anew

    def start(self: Any) -> None:
        one = self.coursedir.student_id
        result = grade(self.coursedir, self.coursedir.assignment_id, None if one == "*" else one)
        print(result["log"], end="")
        if not result["success"]:
            sys.exit(1)

    NbGraderAPI.autograde, NbGraderAPI.generate_feedback, Autograde.start = autograde, generate_feedback, start


TAGS = "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong sub sup"
TAGS += " table tbody td th thead tr ul"


def markdown2html(source: str) -> str:
    """Render a stranger's markdown without anything that could run, load or pass for a part of the page."""
    import bleach
    from nbconvert.filters import markdown2html as convert

    return str(bleach.clean(convert(source), tags=set(TAGS.split()), attributes={"a": ["href"], "*": ["class"]}))


def _grade(
    course: Path, submitted: Path, assignment: str, student: str | None, solutions: str | None
) -> dict[str, Any]:
    """Run the grading command on a course, as formgrader wants it answered: {success, log, error}."""
    command = [sys.executable, "-m", "nnlib.course.grade", assignment, str(submitted)]
    command += ["--course", str(course), "--csv", str(course / f"{assignment}.csv")]
    command += ["--student", student] if student else []
    command += ["--solutions", solutions] if solutions else []
    paths = [
        str(Path(__file__).resolve().parents[2]),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=course,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    return {
        "success": done.returncode == 0,
        "log": done.stdout,
        **({"error": done.stdout} if done.returncode else {}),
    }


def command(course: Path, browser: bool = True) -> list[str]:
    """The command that opens formgrader on a course."""
    words = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--log-level=ERROR",
        f"--ServerApp.root_dir={course}",
    ]
    words += ["--LabApp.default_url=/formgrader", "--LabApp.news_url=None"]
    words += [
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return words + ["--no-browser"] * (not browser) + ["--allow-root"] * as_root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m nnlib.course.formgrader", description="Mark by hand.")
    parser.add_argument("course", type=Path, help="the folder of gradebook.db")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    options = parser.parse_args(arguments)
    course = options.course.resolve()
    try:
        if not (course / "nbgrader_config.py").is_file():
            raise CourseError(f"{course} is no course yet: grade an assignment first (python -m nnlib.course.grade).")
    except CourseError as error:
        print(f"formgrader: {error}", file=sys.stderr)
        return 1
    return subprocess.run(command(course, not options.no_browser), cwd=course).returncode


if __name__ == "__main__":
    sys.exit(main())
