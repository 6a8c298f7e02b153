"""Make ``notebooks/index.ipynb``: find any concept, formula, slip or experiment.

    python -m nnlib.course.index            write it
    python -m nnlib.course.index --check    exit with status 1 if it is not up to date

Everything in it comes from the lessons' own metadata, from the course map and from the table of
symbols (nnlib/course/symbols.py); nobody edits it.
Links carry the cell (``04-hidden-layer.ipynb#cell-id=by-hand``), which JupyterLab scrolls to.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import CourseError, checkout
from .lessons import Lesson, load_all
from .store import dumps, lines, normalise, write_atomic
from .symbols import SOURCES, SYMBOLS

__all__ = ["build", "main"]

SEEDS = {"000": "AI335, lecture 2", "001": "Deep Learning, week 4", "002": "Trieste"}
SEEDS |= {"003": "Data C182, lecture 4", "004": "CS229, chapter 7"}


def build(lessons: Sequence[Lesson], course_map: dict[str, Any]) -> dict[str, Any]:
    """Return the index as a notebook without code cells; the same for the same lessons."""
    sections = {
        "title": _title(),
        "lessons": _lessons(lessons),
        "concepts": _concepts(lessons, course_map),
        "slips": _slips(lessons, course_map),
        "formulas": _formulas(lessons),
        "figures": _figures(lessons),
        "experiments": _experiments(lessons),
        "symbols": _symbols(lessons),
    }
    cells = [
        {"cell_type": "markdown", "id": id, "metadata": {}, "source": lines("\n".join(text))}
        for id, text in sections.items()
    ]
    return normalise({"cells": cells, "metadata": {}})


def _link(lesson: Lesson, text: str, cell: str | None = None) -> str:
    return f"[{text}]({lesson.path.name}{f'#cell-id={cell}' if cell else ''})"


def _cellsafe(text: str) -> str:
    """Escape what markdown, its tables or MathJax would take for markup."""
    return re.sub(r"([\\|*_$<>\[\]`])", r"\\\1", text)


def _name(text: str) -> str:
    return text.replace("-", " ").replace("_", " ")


def _title() -> Iterator[str]:
    yield "# Find anything"
    yield ""
    yield "Lessons, concepts, slips of the notes, formulas, figures, experiments, symbols, linked."
    yield ""
    parts = ["lessons", "concepts", "slips", "formulas", "figures", "experiments", "symbols"]
    yield " · ".join(f"[{part.capitalize()}](#cell-id={part})" for part in parts)


def _lessons(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Lessons"
    yield ""
    yield "| | lesson | reading | computing | needs |"
    yield "|---|---|---|---|---|"
    there = {lesson.number: lesson for lesson in lessons}
    for lesson in lessons:
        needs = ", ".join(_link(there[n], n) if n in there else n for n in lesson.needs) or "–"
        title = _link(lesson, _cellsafe(lesson.title))
        times = f"{lesson.reading:g} min | {lesson.compute:g} min"
        yield f"| {lesson.number} | {title} | {times} | {needs} |"


def _concepts(lessons: Sequence[Lesson], course_map: dict[str, Any]) -> Iterator[str]:
    yield "## Concepts, A to Z"
    entries = []
    for lesson in lessons:
        for id, cells in lesson.claims.items():
            if id in course_map["items"]:
                title = course_map["items"][id]["title"]
                entries.append((re.sub(r"^\W+", "", title).lower(), title, lesson, cells[0]))
    letter = ""
    for key, title, lesson, cell in sorted(entries, key=lambda e: (e[0], e[2].number, e[3])):
        first = key[0].upper() if key[0].isalpha() else "0–9"
        if first != letter:
            letter = first
            yield from ("", f"**{letter}**", "")
        yield f"- {_link(lesson, _cellsafe(title), cell)} ({lesson.number})"


def _slips(lessons: Sequence[Lesson], course_map: dict[str, Any]) -> Iterator[str]:
    yield "## Slips of the notes"
    yield ""
    yield "What the lecture notes print, and what is right. Each is proved in its lesson."
    yield ""
    yield "| the notes | print | right | lesson |"
    yield "|---|---|---|---|"
    for lesson in lessons:
        for id, cells in sorted(lesson.claims.items(), key=lambda pair: int(pair[0][1:])):
            slip = course_map["errata"].get(id)
            if slip and slip["kind"] == "box":
                notes = SEEDS.get(slip["place"][:3], "")
                says, right = _cellsafe(slip["says"]), _cellsafe(slip["right"])
                yield f"| {notes} | {says} | {right} | {_link(lesson, lesson.number, cells[0])} |"


def _formulas(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Formulas"
    yield ""
    yield "Each is checked numerically, in the cell linked here or in the test suite."
    yield ""
    for lesson in lessons:
        for label in sorted(lesson.formulas):
            tag = f"\\tag{{{label}}}"
            shown = next((cell.id for cell in lesson.cells if tag in cell.source), None)
            target = lesson.formulas[label]
            where = f"`{target}`" if "::" in target else _link(lesson, "check", target)
            yield f"- {_link(lesson, _cellsafe(_name(label)), shown)} ({lesson.number}), {where}"


def _figures(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Figures"
    yield ""
    for lesson in lessons:
        for name, cell in sorted(lesson.figures.items()):
            yield f"- {_link(lesson, _cellsafe(_name(name)), cell)} ({lesson.number})"


def _experiments(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Experiments"
    yield ""
    yield "Open the lesson, run its first cell and then the experiment's: sliders, live."
    yield ""
    for lesson in lessons:
        if lesson.experiment:
            name = _cellsafe(lesson.experiment["name"])
            yield f"- {_link(lesson, name, lesson.experiment['cell'])} ({lesson.number})"


def _symbols(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Symbols"
    yield ""
    yield "Each letter of the lessons, the lesson that introduces it, and what each of the five"
    yield "sources writes for it, in its own counting (– where it has no letter). Sources set many"
    yield "of them in bold. The same letter can mean something else there: read along the row."
    yield ""
    yield f"| we write | for | shape | lesson | {' | '.join(SOURCES.values())} |"
    yield "|---" * (4 + len(SOURCES)) + "|"
    there = {lesson.number: lesson for lesson in lessons}
    for symbol in SYMBOLS:
        lesson = there.get(symbol.lesson)
        where = symbol.lesson
        if lesson:
            where = _link(lesson, where, symbol.cell if lesson.cell(symbol.cell) else None)
        names = " | ".join(f"${name}$" if name else "–" for name in symbol.names.values())
        shape = symbol.shape or "–"
        yield f"| ${symbol.latex}$ | {symbol.what} | {shape} | {where} | {names} |"


def readme(text: str, lessons: Sequence[Lesson]) -> str:
    """The README with the table of lessons between its two marks."""
    begin, end = "<!-- lessons -->", "<!-- /lessons -->"
    rows = ["| | lesson | minutes | needs | experiment |", "|---|---|---|---|---|"]
    for lesson in lessons:
        needs = ", ".join(lesson.needs) or "nothing"
        played = lesson.experiment["name"] if lesson.experiment else ""
        link = f"[{lesson.title}](notebooks/{lesson.path.name})"
        rows.append(f"| {lesson.number} | {link} | {lesson.reading:g} | {needs} | {played} |")
    before, _, rest = text.partition(begin)
    return "\n".join([before + begin, *rows, end]) + rest.partition(end)[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nnlib.course.index", description="Make notebooks/index.ipynb and the README's table."
    )
    parser.add_argument("--root", type=Path, help="the workbook's folder (default: found)")
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    try:
        root = checkout(options.root)
        course_map = json.loads((root / "tests/data/course_map.json").read_text(encoding="utf-8"))
        lessons = load_all(root / "notebooks")
        files = {root / "notebooks" / "index.ipynb": dumps(build(lessons, course_map))}
        if (page := root / "README.md").is_file():
            files[page] = readme(page.read_text(encoding="utf-8"), lessons).encode()
    except CourseError as error:
        print(f"index: {error}", file=sys.stderr)
        return 1
    for path, data in files.items():
        if path.is_file() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"index: {path} is not up to date; run python -m nnlib.course.index.", file=sys.stderr)
            return 1
        write_atomic(path, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
