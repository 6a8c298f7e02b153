"""Make ``exercises/`` from ``solutions/``: the same notebooks without the answers.

    python -m nnlib.course.assignments            write exercises/
    python -m nnlib.course.assignments --check    compare with what is there; write nothing

A solution stands between the marks ``### BEGIN SOLUTION`` and ``### END SOLUTION`` (nbgrader's). Inside a function or
a class it becomes ``raise NotImplementedError``; at the top of a cell every name it defines becomes
``name = ...``. Outputs, counts and hidden tests go. Cells that check are tagged
``raises-exception``, so that Run All passes them.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import CourseError, checkout
from .lessons import joined, read_notebook
from .store import dumps, lines, normalise, write_atomic

__all__ = ["assignments", "main", "release", "stub"]

REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION[^\n]*\n(.*?)^[ \t]*### END SOLUTION[^\n]*\n?", re.M | re.S)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?", re.M | re.S)


def names_of(source: str) -> Iterator[str]:
    """The names that the statements at the top of this source define."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for name in ast.walk(target) if isinstance(target, ast.expr) else ():
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    yield name.id


def stub(source: str) -> str:
    """Return the source of a cell with every solution replaced by what the learner starts from."""

    def empty(match: re.Match[str]) -> str:
        indent, inner = match[1], match[2]
        if indent:
            return f"{indent}raise NotImplementedError  # your code\n"
        return "".join(f"{name} = ...\n" for name in dict.fromkeys(names_of(inner)))

    return REGION.sub(empty, source + "\n").rstrip("\n")


def release(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the exercise notebook of a solution notebook. Raises CourseError where a solution cell has no mark."""
    cells = []
    for cell in normalise(notebook)["cells"]:
        source, meta = joined(cell["source"]), dict(cell["metadata"])
        role = meta.get("nbgrader", {})
        if role.get("solution"):
            if cell["cell_type"] == "code" and not REGION.search(source + "\n"):
                raise CourseError(f"solution cell {cell['id']} has no ### BEGIN SOLUTION … ### END SOLUTION.")
            source = stub(source) if cell["cell_type"] == "code" else "*Your answer here.*"
        elif role.get("grade"):
            source = HIDDEN.sub("", source + "\n").rstrip("\n")
        if cell["cell_type"] == "code":
            cell = cell | {"outputs": [], "execution_count": None}
            if role.get("grade") and not role.get("solution"):
                meta["tags"] = sorted({*meta.get("tags", []), "raises-exception"})
        cells.append(cell | {"source": lines(source), "metadata": meta})
    return normalise(notebook) | {"cells": cells}


def assignments(root: Path) -> list[tuple[Path, Path]]:
    """The (solution, exercise) paths of every assignment: solutions/NN-name/NN-name.ipynb, in order."""
    found = sorted((root / "solutions").glob("*/*.ipynb"))
    found = [path for path in found if path.stem == path.parent.name]
    return [(path, root / "exercises" / path.parent.name / path.name) for path in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (1 if with --check anything differs)."""
    parser = argparse.ArgumentParser(
        prog="python -m nnlib.course.assignments", description="Make exercises/ from solutions/."
    )
    parser.add_argument("--check", action="store_true", help="compare with what is there, write nothing")
    options = parser.parse_args(arguments)
    stale = []
    try:
        root = checkout()
        for solution, exercise in assignments(root):
            data = dumps(release(read_notebook(solution)))
            if not exercise.exists() or exercise.read_bytes() != data:
                stale.append(exercise.relative_to(root).as_posix())
                if not options.check:
                    exercise.parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(exercise, data)
        wanted = {exercise for _, exercise in assignments(root)}
        extra = sorted(set((root / "exercises").rglob("*.ipynb")) - wanted)
        stale += [f"{path.relative_to(root).as_posix()} (it has no solution; delete it)" for path in extra]
    except CourseError as error:
        print(f"assignments: {error}", file=sys.stderr)
        return 1
    for name in stale:
        print(("differs: " if options.check else "written: ") + name)
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
