"""Pack an exercise notebook for the instructor.

    python -m nnlib.course.submit 02 --student ada                  your copy in work/
    python -m nnlib.course.submit path/02-a-line.ipynb --student ada

It writes STUDENT--ASSIGNMENT.zip into the current folder: hand that file in. In it is the notebook alone, without
outputs; nothing is sent anywhere. On the way it says what is not answered yet.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from . import CourseError, checkout
from .assignments import assignments
from .lessons import joined, read_notebook
from .store import dumps, normalise, write_atomic

__all__ = ["main", "pack"]

STUDENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")


def pack(notebook: Path, student: str, exercise: Path | None = None) -> tuple[str, bytes, list[str]]:
    """Return the file's name, the file, and the answers that are still as they were given.

    notebook: the learner's copy; exercise: what it was copied from, to see what was answered. Raises CourseError for a
    name that no folder should have, or for a file that is no notebook.
    """
    if not STUDENT.fullmatch(student) or "--" in student:
        raise CourseError(f"--student {student!r}: use letters, digits and _ . @ + -, as on the class list, not --.")
    given = read_notebook(notebook)
    empty = []
    if exercise is not None:
        before = {cell.get("id"): joined(cell["source"]).strip() for cell in read_notebook(exercise)["cells"]}
        for cell in given["cells"]:
            role = cell.get("metadata", {}).get("nbgrader", {})
            if role.get("solution") and joined(cell["source"]).strip() == before.get(cell.get("id")):
                empty.append(role.get("grade_id", cell.get("id", "?")))
    bare = normalise(given)
    for cell in bare["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(notebook.name, (1980, 1, 1, 0, 0, 0)), dumps(bare), zipfile.ZIP_DEFLATED)
    return f"{student}--{notebook.stem}.zip", file.getvalue(), empty


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m nnlib.course.submit", description=__doc__, formatter_class=raw)
    parser.add_argument("assignment", help="its number, its name, or the notebook's path")
    parser.add_argument("--student", required=True, help="your name on the class list")
    parser.add_argument("--into", type=Path, default=Path(), help="the folder to write to (default: this one)")
    options = parser.parse_args(arguments)
    try:
        exercise, notebook = None, Path(options.assignment)
        if notebook.suffix != ".ipynb":
            root = checkout()
            released = sorted((root / "exercises").glob("*/*.ipynb")) or [path for _, path in assignments(root)]
            found = [p for p in released if options.assignment in (p.stem, p.stem[:2], p.stem[:2].lstrip("0"))]
            if not found:
                there = ", ".join(path.stem for path in released) or "none"
                raise CourseError(f"there is no exercise {options.assignment!r}; there are: {there}.")
            exercise = found[0]
            notebook = root / "work" / exercise.relative_to(root)
            if not notebook.is_file():
                raise CourseError(f"you have not opened {exercise.stem} yet (there is no {notebook}).")
        name, data, empty = pack(notebook, options.student, exercise)
        options.into.mkdir(parents=True, exist_ok=True)
        write_atomic(options.into / name, data)
    except CourseError as error:
        print(f"submit: {error}", file=sys.stderr)
        return 1
    if empty:
        print(f"not answered yet: {', '.join(empty)}", file=sys.stderr)
    print(options.into / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
