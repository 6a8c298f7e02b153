"""An assignment as the grader sees it, and a submission as it came: which cells run, in which order, what is judged.

Points, check cells and locked cells come from ``solutions/``; of a submission only the text of its other cells counts,
whatever its metadata say. Cells run in the order of the assignment; a cell that is nobody's keeps its place after the
cell before it. Nothing here runs or trusts a submission.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import CourseError
from .assignments import release
from .lessons import joined, read_notebook

__all__ = ["Assignment", "Item", "Refused", "load", "read_submission", "steps"]

CHECK = re.compile(r"""\bcheck(?:\.\w+)?\(\s*["']([A-Za-z]\w*)["']""")
MAX_BYTES = 20 << 20  # of a submitted notebook; the largest lesson with its pictures has 1 MB


class Refused(Exception):
    """A submission that cannot be graded: its status and a reason in one line."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Item:
    """A code or text cell of the assignment. `exercise` is the id that its check judges, `points` its or a reader's."""

    id: str
    grade_id: str
    kind: str
    source: str
    solution: bool = False
    fixed: bool = False
    exercise: str = ""
    points: float = 0
    manual: bool = False


@dataclass(frozen=True)
class Assignment:
    """One notebook of ``solutions/``: `name` is its folder's and its file's."""

    name: str
    items: tuple[Item, ...]
    notebook: dict[str, Any] = field(repr=False, compare=False)
    released: dict[str, Any] = field(repr=False, compare=False)  # as a student gets it

    @property
    def checks(self) -> list[Item]:
        """The cells that an exercise's probe judges, in order."""
        return [item for item in self.items if item.exercise]

    @property
    def manual(self) -> list[Item]:
        """The cells that a person reads and marks."""
        return [item for item in self.items if item.manual]

    @property
    def max_score(self) -> float:
        return sum(item.points for item in self.items)


def load(name: str, solutions: Path) -> Assignment:
    """Read an assignment of ``solutions/`` by its name or number. Raises CourseError if it is wrong."""
    folders = sorted(path for path in solutions.glob("*") if (path / f"{path.name}.ipynb").is_file())
    match = [
        path for path in folders if path.name == name or (name.isdigit() and path.name.startswith(f"{int(name):02}-"))
    ]
    if not match:
        there = ", ".join(path.name for path in folders) or "none"
        raise CourseError(f"there is no assignment {name!r} in {solutions}; there are: {there}.")
    folder = match[0]
    notebook = read_notebook(folder / f"{folder.name}.ipynb")
    items, seen = [], set()
    for cell in notebook["cells"]:
        meta = cell.get("metadata", {}).get("nbgrader", {})
        source, grade, solution = (
            joined(cell["source"]),
            meta.get("grade", False),
            meta.get("solution", False),
        )
        judged = CHECK.search(source) if grade and not solution else None
        if meta.get("task"):
            raise CourseError(f"{folder.name}: {cell.get('id')} is a task cell; make it a manually graded answer.")
        if grade and not solution and not judged:
            raise CourseError(
                f'{folder.name}: the graded cell {cell.get("id")} calls no check("…"), so nothing judges it.'
            )
        item = Item(
            cell.get("id", ""), meta.get("grade_id", ""), cell["cell_type"], source, solution,
            fixed=not solution, exercise=judged[1] if judged else "",
            points=float(meta.get("points", 0)) if grade else 0, manual=bool(grade and solution),
        )  # fmt: skip
        if item.exercise in seen:
            raise CourseError(f"{folder.name}: two cells check {item.exercise}.")
        seen |= {item.exercise} - {""}
        items.append(item)
    return Assignment(folder.name, tuple(items), notebook, release(notebook))


# ---------------------------------------------------------------- a submission


def read_submission(folder: Path, student: str, assignment: str) -> tuple[list[dict[str, str]], str]:
    """Return the cells of STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, {id, grade_id, kind, source} each, and the file's hash.

    Raises Refused, with the status for the class list, for anything that is not a plain, readable notebook.
    """
    try:
        student.encode()
    except UnicodeEncodeError:
        raise Refused("refused", "the name of the folder is not UTF-8") from None
    place = folder
    for part in (student, assignment, f"{assignment}.ipynb"):
        place = place / part
        if place.is_symlink():
            raise Refused("refused", f"{place.relative_to(folder)} is a symbolic link; submit the file itself")
    try:
        with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused("refused", f"{place.name} is not a file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Refused("missing", f"there is no {place.relative_to(folder)}") from None
    except OSError as error:
        raise Refused("unreadable", f"{place.name} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise Refused(
            "refused",
            f"{place.name} has more than {MAX_BYTES >> 20} MB; clear its outputs and submit again",
        )
    return cells(data, place.name), hashlib.sha256(data).hexdigest()


def cells(data: bytes, name: str) -> list[dict[str, str]]:
    """Return the cells of a notebook file. Raises Refused if it is none."""
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
        found = notebook["cells"]
        if not isinstance(found, list):
            raise TypeError("its cells are no list")
    except UnicodeDecodeError as error:
        raise Refused("unreadable", f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise Refused("unreadable", f"{name} is nested too deeply") from None
    except (ValueError, KeyError, TypeError) as error:
        problem = "it has no cells" if isinstance(error, KeyError) else str(error)
        raise Refused("unreadable", f"{name} is not a notebook: {problem}") from None
    return [cell for raw in found if (cell := _cell(raw)) is not None]


def _cell(raw: Any) -> dict[str, str] | None:
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    meta = raw.get("metadata")
    meta = meta.get("nbgrader") if isinstance(meta, dict) else None
    grade_id = meta.get("grade_id", "") if isinstance(meta, dict) else ""
    # A lone surrogate, which JSON can write, is no text: files and tables could not hold it.
    text = lambda value: value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
    return {
        "id": text(raw.get("id")),
        "grade_id": text(grade_id),
        "kind": raw["cell_type"],
        "source": text(source),
    }


def merge(assignment: Assignment, submitted: list[dict[str, str]]) -> list[tuple[Item | None, str, str]]:
    """Return (the assignment's cell or None, kind, text) in the order in which they count.

    A submitted cell is recognised by its grade id, its id, or its text. What the assignment fixes is the assignment's;
    a solution cell that was deleted is missing, one that stands there twice counts twice, the later last.
    """
    by_grade_id = {item.grade_id: i for i, item in enumerate(assignment.items) if item.grade_id}
    by_id = {item.id: i for i, item in enumerate(assignment.items) if item.id}
    by_text = {item.source: i for i, item in enumerate(assignment.items) if item.source.strip()}
    placed: list[tuple[float, Item | None, str, str]] = []
    place = -1.0
    for cell in submitted:
        index = by_grade_id.get(cell["grade_id"], by_id.get(cell["id"], by_text.get(cell["source"])))
        if index is None:
            placed.append((place, None, cell["kind"], cell["source"]))
            continue
        place, item = float(index), assignment.items[index]
        if not item.fixed:
            placed.append((place, item, item.kind, cell["source"]))
        elif item.kind == cell["kind"] == "code" and not item.exercise and cell["source"] != item.source:
            # An edited cell of the assignment: both run, so that neither an import nor a change is lost.
            placed.append((place, None, cell["kind"], cell["source"]))
    placed += [(float(i), item, item.kind, item.source) for i, item in enumerate(assignment.items) if item.fixed]
    order = sorted(placed, key=lambda entry: (entry[0], entry[1] is None))  # stable: else as submitted
    return [entry[1:] for entry in order]


def steps(assignment: Assignment, submitted: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return what runs in the sandbox, in order: {"name", "probe": False, "source"}; a check has "probe": True."""
    found, names = [], set()
    for number, (item, kind, source) in enumerate(merge(assignment, submitted), 1):
        if item is not None and item.exercise:
            found.append({"name": item.exercise, "probe": True})
        elif kind == "code" and source.strip():
            name = f"cell {(item and (item.grade_id or item.id)) or number}"
            name = name if name not in names else f"{name} (number {number})"
            names.add(name)
            found.append({"name": name, "probe": False, "source": source})
    return found
