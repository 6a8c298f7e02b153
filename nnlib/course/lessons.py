"""What a lesson says about itself: the notebook-level metadata under the key ``nnlib``.

::

    {"number": 4, "title": "One hidden layer", "minutes": {"reading": 40, "compute": 1},
     "needs": ["01", "03"], "objectives": ["compute ..."],
     "claims": {"W22": ["text-cell", "code-cell"], "E27": "slip-sign"},
     "formulas": {"mse": "cell-id that checks it", "chain": "tests/test_x.py::test_y"},
     "figures": {"hidden-graph": "cell-id"}, "experiment": {"name": "...", "cell": "cell-id"}}

`claims` maps ids of the course map to the cells that teach them; tests/test_notebooks.py says what
those cells must then contain. Only the standard library is imported here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import CourseError

__all__ = ["Cell", "Lesson", "lesson_paths", "load", "load_all", "read_notebook"]

NAME = re.compile(r"^(\d\d)-[a-z0-9-]+\.ipynb$")
REQUIRED = {"number", "title", "minutes", "needs", "objectives", "claims", "formulas", "figures"}


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook, its text joined and its outputs as plain data."""

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    run: int | None = None

    @property
    def text(self) -> str:
        """All text the cell printed or returned (no pictures, no HTML)."""
        parts = []
        for output in self.outputs:
            if output["output_type"] == "stream":
                parts.append(joined(output["text"]))
            else:
                parts.append(joined(output.get("data", {}).get("text/plain", "")))
        return "\n".join(parts)

    def has_picture(self) -> bool:
        return any(
            mime.startswith("image/") for output in self.outputs for mime in output.get("data", {})
        )


@dataclass(frozen=True)
class Lesson:
    """A lesson: its metadata and its cells. `number` is two digits, as in the file's name."""

    path: Path
    number: str
    title: str
    reading: float
    compute: float
    needs: tuple[str, ...]
    objectives: tuple[str, ...]
    claims: dict[str, tuple[str, ...]]
    formulas: dict[str, str]
    figures: dict[str, str]
    experiment: dict[str, str] | None
    cells: tuple[Cell, ...] = field(repr=False)

    def cell(self, id: str) -> Cell | None:
        """Return the cell with this id, or None."""
        return next((cell for cell in self.cells if cell.id == id), None)

    def claimed(self, id: str) -> list[Cell]:
        """Return the cells that claim the item or erratum `id` (those that exist)."""
        return [cell for name in self.claims.get(id, ()) if (cell := self.cell(name))]


def joined(text: str | list[str]) -> str:
    """Notebooks store text as one string or as a list of lines; return one string."""
    return text if isinstance(text, str) else "".join(text)


def read_notebook(path: Path | str) -> dict[str, Any]:
    """Read a notebook as plain data. Raises CourseError, naming the file, if it is none."""
    path = Path(path)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} is not a notebook: {error}.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise CourseError(f"{path} is not a notebook: it has no list of cells.")
    return notebook


def cells_of(notebook: dict[str, Any]) -> Iterator[Cell]:
    """Yield the cells of a notebook read by `read_notebook`; a cell without id gets ''."""
    for cell in notebook["cells"]:
        yield Cell(
            id=cell.get("id", ""),
            kind=cell["cell_type"],
            source=joined(cell["source"]),
            tags=tuple(cell.get("metadata", {}).get("tags", ())),
            outputs=tuple(cell.get("outputs", ())),
            run=cell.get("execution_count"),
        )


def load(path: Path | str) -> Lesson:
    """Read one lesson. Raises CourseError, naming file and key, where its metadata is wrong."""
    path = Path(path)
    notebook = read_notebook(path)
    meta = notebook.get("metadata", {}).get("nnlib")

    def wrong(what: str) -> CourseError:
        return CourseError(f"{path.name}: metadata nnlib: {what} (see nnlib/course/lessons.py).")

    if not isinstance(meta, dict):
        raise wrong("missing")
    if missing := sorted(REQUIRED - set(meta)):
        raise wrong(f"no key {', '.join(map(repr, missing))}")
    if extra := sorted(set(meta) - REQUIRED - {"experiment"}):
        raise wrong(f"unknown key {', '.join(map(repr, extra))}")
    match = NAME.match(path.name)
    if not match or not isinstance(meta["number"], int) or int(match[1]) != meta["number"]:
        raise wrong(f"number {meta['number']!r} does not fit the file's name")
    if not isinstance(meta["title"], str) or not meta["title"].strip():
        raise wrong("title must be text")
    minutes = meta["minutes"]
    if not isinstance(minutes, dict) or set(minutes) != {"reading", "compute"}:
        raise wrong("minutes must be {'reading': …, 'compute': …}")
    if not all(isinstance(value, int | float) and value >= 0 for value in minutes.values()):
        raise wrong(f"minutes must be numbers, got {minutes}")
    for key in ("needs", "objectives"):
        if not isinstance(meta[key], list) or not all(isinstance(x, str) for x in meta[key]):
            raise wrong(f"{key} must be a list of texts, got {meta[key]!r}")
    for key in ("claims", "formulas", "figures"):
        if not isinstance(meta[key], dict):
            raise wrong(f"{key} must be a mapping, got {meta[key]!r}")
    claims = {}
    for id, cells in meta["claims"].items():
        names = (cells,) if isinstance(cells, str) else tuple(cells or ())
        if not names or not all(isinstance(name, str) for name in names):
            raise wrong(f"claim {id} must be a cell id or a list of them, got {cells!r}")
        claims[id] = names
    experiment = meta.get("experiment")
    if experiment is not None and set(experiment) != {"name", "cell"}:
        raise wrong(f"experiment must be {{'name': …, 'cell': …}}, got {experiment!r}")
    return Lesson(
        path=path,
        number=match[1],
        title=meta["title"],
        reading=minutes["reading"],
        compute=minutes["compute"],
        needs=tuple(meta["needs"]),
        objectives=tuple(meta["objectives"]),
        claims=claims,
        formulas=dict(meta["formulas"]),
        figures=dict(meta["figures"]),
        experiment=experiment,
        cells=tuple(cells_of(notebook)),
    )


def lesson_paths(folder: Path | str) -> list[Path]:
    """Return the lessons in `folder` (files NN-name.ipynb), in order."""
    return sorted(path for path in Path(folder).glob("*.ipynb") if NAME.match(path.name))


def load_all(folder: Path | str) -> list[Lesson]:
    """Read every lesson in `folder`, in order."""
    return [load(path) for path in lesson_paths(folder)]
