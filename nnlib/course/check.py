"""The instant check of an exercise: is it right, and if not, what came and which mistake this looks like.

    from nnlib.course.check import check
    check("X22")              right, or what is not; the attempt is judged on inputs drawn afresh each time
    check.look(draw, x)       the picture that your function draws, once it is written
    check.hint("X22")         the next hint
    check.progress()          what is done, lesson by lesson
    check.reset("X22")        forget that it is done (a lesson: "05"; everything: no argument)

A check that is not passed raises `NotYet`, whose whole traceback is the message, so that a cell, a script and a test
runner all see it. Nothing is hidden: a learner who opens nnlib/course/exercises/ finds the references. A grade is
judged elsewhere, on other inputs (docs/grading.md).
"""

from __future__ import annotations

import sys
import textwrap
from typing import Any

from . import CourseError, checkout, progress
from .exercises import Exercise, exercises, find
from .lessons import joined, lesson_paths, read_notebook
from .verdict import Verdict

__all__ = ["NotYet", "check", "section"]


class NotYet(AssertionError):
    """The exercise is not right yet, or not attempted; the text says which and why."""

    def _render_traceback_(self) -> list[str]:  # IPython shows these lines in place of frames
        return folded(str(self)).split("\n")


def folded(text: str) -> str:
    """The text in lines of 100 characters, cut between words: JupyterLab cuts longer ones inside a number."""
    style: Any = {"break_long_words": False, "break_on_hyphens": False, "replace_whitespace": False}
    return "\n".join(textwrap.fill(line, 100, subsequent_indent="    ", **style) for line in text.split("\n"))


def section(exercise: Exercise, cell: str = "") -> str:
    """Where to read again: lesson 05, "How many regions": the heading above the exercise's cell (or "05#cell")."""
    lesson, _, id = (cell or exercise.cell).rpartition("#")
    lesson = lesson or exercise.lesson
    heading = ""
    try:
        cells = read_notebook(next(p for p in lesson_paths(checkout() / "notebooks") if p.name[:2] == lesson))["cells"]
    except (CourseError, StopIteration):  # a class bundle may come without the lessons
        cells = []
    for one in cells:
        if one["cell_type"] == "markdown":
            titles = [line for line in joined(one["source"]).splitlines() if line.startswith("#")]
            heading = titles[-1].lstrip("# ") if titles else heading
        if one.get("id") == id:
            return f"lesson {lesson}, “{heading}”" if heading else f"lesson {lesson}"
    return f"lesson {lesson}"


def report(exercise: Exercise, verdict: Verdict) -> str:
    """Everything there is to say about a verdict, as lines of plain text."""
    if verdict.state == "todo":
        return f"{exercise.id}: not attempted"
    if verdict.state == "correct":
        return f"{exercise.id}: correct" + (f". {exercise.after}" if exercise.after else "")
    parts = verdict.parts
    right = sum(part.state == "correct" for part in parts.values())
    lines = [f"{exercise.id}: not yet" + (f", {right} of {len(parts)} parts are right" if len(parts) > 1 else "")]
    known = {mistake.key: mistake for mistake in exercise.mistakes}
    places: dict[str, None] = {}
    for name, part in parts.items():
        if part.state != "correct":
            told = part.text if name in part.text else f"{name}: {part.text}"
            lines += [line for text in told.splitlines() if (line := f"  {text}") not in lines]
            if part.state == "wrong":
                places[section(exercise, known[part.mistake].cell if part.mistake else "")] = None
    again = f"Read again: {'; '.join(places)}. " if places else ""  # what is only not written yet points nowhere
    lines.append(f"  {again}Hints: check.hint({exercise.id!r})")
    return "\n".join(lines)


class Check:
    """``check(id)``; see the module's text."""

    def __call__(self, id: str) -> None:
        """Judge the names of the notebook (or module) that calls. Raises NotYet, CourseError for an unknown id."""
        exercise = find(id)
        verdict = exercise.check(sys._getframe(1).f_globals)
        text = report(exercise, verdict)
        if verdict.state != "correct":
            raise NotYet(text)
        print(folded(text))
        if note := progress.record(done=exercise.id):
            print(note)

    def look(self, what: Any, *arguments: Any) -> None:
        """Show the figure that a function draws, or print what it returns; say so while it is not written."""
        pyplot: Any = sys.modules.get("matplotlib.pyplot")
        before = set(pyplot.get_fignums()) if pyplot else set()
        try:
            result = what if what is ... or not callable(what) else what(*arguments)
        except NotImplementedError:
            result = ...
        drawn = set(pyplot.get_fignums()) - before if pyplot else set()
        if result is ...:
            for number in drawn:  # a given first line may have opened a figure
                pyplot.close(number)
            print("nothing to see yet")
        elif drawn:
            pyplot.show()
        else:
            print(result)

    def hint(self, id: str) -> None:
        """Print the next hint, and how many there are; after the last one it starts again."""
        exercise = find(id)
        read = progress.hints().get(id, 0)
        number = read % len(exercise.hints)
        print(folded(f"{id}, hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}"))
        progress.record(hint=id)

    def progress(self) -> None:
        """Print which exercises are done, lesson by lesson."""
        done = progress.done()
        lessons: dict[str, list[str]] = {}
        for exercise in exercises().values():
            lessons.setdefault(exercise.lesson, []).append(exercise.id)
        for lesson, ids in lessons.items():
            right = [id for id in ids if id in done]
            left = [id for id in ids if id not in done]
            bar = "#" * len(right) + "." * len(left)
            to_do = f"to do: {' '.join(left)}" if left else "all done"
            print(f"lesson {lesson}  {len(right):2} of {len(ids):2}  {bar:12}  {to_do}")
        print(f"{len(done & exercises().keys())} of {len(exercises())} exercises")

    def reset(self, what: str | None = None) -> None:
        """Forget one exercise ("X22"), a lesson ("05"), or everything (no argument). Your notebooks are not touched."""
        ids = None if what is None else [e.id for e in exercises().values() if what in (e.id, e.lesson)]
        if ids == []:
            find(str(what))
        print(progress.reset(ids) or f"Forgotten: {' '.join(ids) if ids else 'everything'}.")


check = Check()
