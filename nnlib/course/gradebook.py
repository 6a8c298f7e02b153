"""What a class's results become: nbgrader's gradebook, the notebooks that formgrader shows, a page for each student.

Marks given by hand are kept; a cell whose submission changed after it was marked asks to be looked at again. The pages
need no network, and there is no hidden test in them, because there is none in the notebooks.
"""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import CourseError
from .judge import clean
from .store import dumps, lines, write_atomic
from .submission import Assignment, Item, merge

__all__ = ["Gradebook", "feedback", "graded_notebook"]

CONFIG = """\
# nbgrader's settings for this course, made by python -m nnlib.course.grade.
import os

from nnlib.course import formgrader

c = get_config()  # noqa: F821
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.submitted_directory = {submitted!r}
# A submission's text must not run in the marker's browser.
c.TemplateExporter.filters = {{"markdown2html": formgrader.markdown2html}}
# Autograding and feedback are nnlib's: nothing of a submission runs outside the sandbox.
formgrader.install({solutions!r})
"""


WORDS = {"correct": "correct", "todo": "not attempted", "wrong": "not right"}


class Gradebook:
    """The course's ``gradebook.db``, through nbgrader.api. A context manager."""

    def __init__(self, course: Path) -> None:
        # A new gradebook is stamped by alembic, which nbgrader looks for on the PATH.
        beside = str(Path(sys.executable).parent)
        if beside not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = os.pathsep.join([beside, *filter(None, [os.environ.get("PATH")])])
        try:
            from nbgrader import api
        except ImportError:
            raise CourseError(
                'the gradebook needs nbgrader: python -m pip install "nnlib[grade]", or start with '
                "python3 start.py grade. Without a gradebook: --no-gradebook."
            ) from None
        self.api = api
        self.book = api.Gradebook(f"sqlite:///{course.resolve() / 'gradebook.db'}")

    def __enter__(self) -> Gradebook:
        return self

    def __exit__(self, *_: object) -> None:
        self.book.close()

    def enrol(self, roster: Iterable[dict[str, str]]) -> None:
        """Add or update students: {"id", "first_name", "last_name", "email"}."""
        for row in roster:
            self.book.update_or_create_student(row["id"], **{k: v for k, v in row.items() if k != "id" and v})

    def prepare(self, assignment: Assignment) -> None:
        """Enter the assignment's cells. Raises CourseError if others are there, with submissions that have marks."""
        import nbformat
        from nbgrader.utils import compute_checksum

        book, name = self.book, assignment.name
        book.update_or_create_assignment(name)
        notebook = book.update_or_create_notebook(name, name)
        graded = {item.grade_id for item in assignment.items if item.exercise or item.manual}
        there = {cell.name for cell in notebook.grade_cells}
        if there and there != graded and notebook.submissions:
            raise CourseError(
                f"the gradebook has {name} with the graded cells {', '.join(sorted(there))}, and now they are "
                f"{', '.join(sorted(graded))}. Marks would be lost: move gradebook.db away, or use another --course."
            )
        for stale in [cell for cell in notebook.grade_cells if cell.name not in graded]:
            book.db.delete(stale)
        released = {c.get("id"): c for c in nbformat.from_dict(assignment.released).cells}
        for item in assignment.items:
            if not item.grade_id:
                continue
            cell = released[item.id]
            cell.source = "".join(cell.source)
            book.update_or_create_source_cell(
                item.grade_id, name, name, source=cell.source, cell_type=item.kind, locked=item.fixed,
                checksum=compute_checksum(cell),
            )  # fmt: skip
            if item.grade_id in graded:
                book.update_or_create_grade_cell(item.grade_id, name, name, max_score=item.points, cell_type=item.kind)
            if item.solution:
                book.update_or_create_solution_cell(item.grade_id, name, name)

    def record(self, assignment: Assignment, result: dict[str, Any], answered: set[str]) -> dict[str, Any]:
        """Enter one result; return {score, max_score, to_mark (points to be given by hand), comments}.

        `answered` holds the grade ids of the hand-marked cells that say something.
        """
        book, student = self.book, result["student"]
        try:
            book.find_student(student)
        except self.api.MissingEntry:
            book.add_student(student)
        with book.db.no_autoflush:
            submission = book.update_or_create_submission(assignment.name, student)
        notebook = submission.notebooks[0]
        grades = {grade.name: grade for grade in notebook.grades}
        comments = {comment.name: comment for comment in notebook.comments}
        to_mark = 0.0
        for item in assignment.items:
            grade = grades.get(item.grade_id)
            if grade is None:
                continue
            auto = (
                result["exercises"][item.exercise]["points"]
                if item.exercise
                else None
                if item.grade_id in answered
                else 0.0
            )
            changed = grade.auto_score != auto or bool(result.get("new"))
            grade.auto_score = auto
            if changed or auto is None:
                undecided = auto is None and grade.manual_score is None
                grade.needs_manual_grade = undecided or (grade.manual_score is not None and changed)
            if auto is None and grade.manual_score is None:
                to_mark += item.points
            if item.manual and item.grade_id in comments:
                comments[item.grade_id].auto_comment = None if item.grade_id in answered else "No response."
        book.db.commit()
        said = {name: comment.comment for name, comment in comments.items() if comment.comment}
        marks = {item.grade_id: grades[item.grade_id].score for item in assignment.manual if item.grade_id in grades}
        return {
            "score": float(notebook.score or 0), "max_score": float(notebook.max_score or 0), "to_mark": to_mark,
            "comments": said, "marks": marks,
        }  # fmt: skip


def answered(assignment: Assignment, submitted: list[dict[str, str]]) -> set[str]:
    """The grade ids of the hand-marked cells in which the student wrote something."""
    stubs = {cell.get("id"): "".join(cell["source"]).strip() for cell in assignment.released["cells"]}
    merged = merge(assignment, submitted)
    return {
        item.grade_id for item, _, source in merged
        if item is not None and item.manual and source.strip() not in ("", stubs.get(item.id, ""))
    }  # fmt: skip


def explained(item: Item, judged: dict[str, Any]) -> list[str]:
    """What a check said, as lines of text: right or not, the points, what came."""
    said = [f"{item.exercise}: {WORDS[judged['state']]}, {judged['points']:g} of {judged['max']:g} points"]
    return said + [f"  {text}" for state, text in judged["parts"].values() if text and state != "correct"]


def graded_notebook(assignment: Assignment, result: dict[str, Any], submitted: list[dict[str, str]]) -> dict[str, Any]:
    """The notebook that formgrader shows: the assignment's cells with the student's text, and what the checks said.

    Metadata are the assignment's, outputs ours; of the submission there is text only.
    """
    released = {cell.get("id"): cell for cell in assignment.released["cells"]}
    cells, seen = [], set()
    for number, (item, kind, source) in enumerate(merge(assignment, submitted)):
        first = item is not None and item.id not in seen
        base = (
            released[item.id]
            if item is not None and first
            else {"id": f"added-{number}", "metadata": {}, "cell_type": kind}
        )
        if item is not None:
            seen.add(item.id)
            source = "".join(base["source"]) if item.fixed else source
        cell = {
            "cell_type": base["cell_type"],
            "id": base["id"],
            "metadata": base["metadata"],
            "source": lines(source[:100_000]),
        }
        if cell["cell_type"] == "code":
            text = (
                "\n".join(explained(item, result["exercises"][item.exercise])) + "\n" if item and item.exercise else ""
            )
            output = {"output_type": "stream", "name": "stdout", "text": lines(text)}
            cell |= {"execution_count": None, "outputs": [output] if text else []}
        cells.append(cell)
    for gone in (item for item in assignment.items if item.id not in seen):
        # Deleted, and formgrader wants a cell for each mark.
        text = "(This cell was deleted.)" if gone.kind == "markdown" else "# This cell was deleted."
        cells.append(released[gone.id] | {"source": lines(text)})
    return assignment.released | {"cells": cells}


# ---------------------------------------------------------------- the page for a student

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8888; }}
td {{ font-variant-numeric: tabular-nums; }}
pre {{ padding: .7rem; border: 1px solid #8888; border-radius: 4px; overflow-x: auto; font-size: 15px; }}
.said {{ white-space: pre-wrap; border-left: 4px solid #0072b2; padding-left: .8rem; }}
.right {{ border-color: #009e73; }}
</style></head><body>
<h1>{title}</h1>
{summary}
<table><thead><tr><th>exercise</th><th>result</th><th>points</th><th>of</th></tr></thead><tbody>
{rows}
</tbody></table>
<h2>Your answers</h2>
{answers}
</body></html>
"""


def feedback(
    assignment: Assignment,
    result: dict[str, Any],
    marks: dict[str, Any],
    submitted: list[dict[str, str]],
) -> str:
    """Return a page that says what each answer got and why, beside the student's own text; it needs no network."""
    esc = lambda text: html.escape(str(text))
    table, answers = [], []
    for number, (item, kind, source) in enumerate(merge(assignment, submitted), 1):
        if item is not None and item.exercise:
            judged = result["exercises"][item.exercise]
            right = " right" if judged["state"] == "correct" else ""
            answers.append(f'<p class="said{right}">{esc(chr(10).join(explained(item, judged)))}</p>')
        elif (item is None and kind == "code") or (item is not None and not item.fixed):
            name = (item and (item.grade_id or item.id)) or str(number)
            answers.append(f"<pre>{esc(source[:100_000])}</pre>")
            for said in (result["problems"].get(f"cell {name}"), marks["comments"].get(name)):
                answers.append(f'<p class="said">{esc(said)}</p>' if said else "")
    for item in assignment.items:
        if item.exercise:
            judged = result["exercises"][item.exercise]
            table.append(
                (
                    item.exercise,
                    WORDS[judged["state"]],
                    f"{judged['points']:g}",
                    f"{judged['max']:g}",
                )
            )
        elif item.manual:
            mark = marks["marks"].get(item.grade_id)
            given = "–" if marks["to_mark"] and not mark else f"{mark or 0:g}"
            table.append((item.grade_id, "marked by hand", given, f"{item.points:g}"))
    summary = [f"<strong>{marks['score']:g} of {marks['max_score']:g} points</strong>"]
    if marks["to_mark"]:
        summary.append(f"{marks['to_mark']:g} points are still to be given by hand.")
    if result["status"] != "ok":
        summary.append(f"{esc(result['status'])}: {esc(result['reason'])}")
    return PAGE.format(
        title=f"{esc(assignment.name)}: {esc(clean(result['student'], 80))}",
        summary="\n".join(f"<p>{text}</p>" for text in summary),
        rows="\n".join("<tr>" + "".join(f"<td>{esc(cell)}</td>" for cell in row) + "</tr>" for row in table),
        answers="\n".join(answers),
    )


def write(
    course: Path,
    assignment: Assignment,
    result: dict[str, Any],
    marks: dict[str, Any],
    submitted: list[dict[str, str]],
) -> None:
    """Write a student's graded notebook and page below ``autograded/`` and ``feedback/``."""
    page = feedback(assignment, result, marks, submitted).encode("utf-8", "replace")
    notebook = dumps(graded_notebook(assignment, result, submitted))
    for folder, suffix, data in (("autograded", ".ipynb", notebook), ("feedback", ".html", page)):
        place = course / folder / result["student"] / assignment.name
        place.mkdir(parents=True, exist_ok=True)
        write_atomic(place / f"{assignment.name}{suffix}", data)


def prepare_course(course: Path, assignment: Assignment, submitted: Path, solutions: Path | None = None) -> None:
    """Write the course's settings, and the assignment's source and release, where nbgrader looks for them."""
    course.mkdir(parents=True, exist_ok=True)
    config = course / "nbgrader_config.py"
    if not config.exists():
        place = submitted.name if submitted.parent == course else str(submitted)
        own = str(solutions.resolve()) if solutions else None
        write_atomic(config, CONFIG.format(submitted=place, solutions=own).encode())
    for folder, notebook in (("source", assignment.notebook), ("release", assignment.released)):
        path = course / folder / assignment.name / f"{assignment.name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, dumps(notebook))
