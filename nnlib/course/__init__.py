"""The course around the library: lessons, the learner's copies, the store, the index.

    work      the learner's copies of lessons and exercises: open, announce, restore
    lessons   what a lesson says about itself (title, time, claims, formulas, figures)
    store     execute a notebook and write it the same, byte for byte, on every machine
    exercises a record for each exercise: what to look at, how to judge it
    probe     what runs beside a learner's code;  verdict  judges what it brings back
    check     the instant check in the notebook;  progress  remembers what is done
    assignments  exercises/ made from solutions/
    index     notebooks/index.ipynb, made from what the lessons say about themselves
    symbols   the letters of the lessons and what the five sources write for them
    grade     grade a class; submission, judge, sandbox, runner, gradebook and formgrader are its parts

Nothing here is imported by ``import nnlib``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["CourseError", "checkout"]


class CourseError(Exception):
    """What went wrong and the fix, in one line; the commands print it and exit with status 1."""


def checkout(start: Path | str | None = None) -> Path:
    """Return the workbook's folder: from `start` upwards, the first with ``notebooks/`` in it.

    Without `start`: the checkout this package lies in, else the one around the current folder.
    Raises CourseError where there is none (nnlib installed from a wheel, say).
    """
    places = [Path(start)] if start else [Path(__file__).resolve().parents[2], Path.cwd()]
    for place in places:
        for folder in (place.resolve(), *place.resolve().parents):
            if (folder / "notebooks").is_dir() and (folder / "nnlib").is_dir():
                return folder
    looked = " or ".join(str(place) for place in places)
    raise CourseError(
        f"no workbook found at {looked}: the lessons live in a checkout, not in the installed "
        "package. Run this inside the folder that holds start.py."
    )
