"""Make ``notebooks/index.ipynb``: find any concept, formula, slip, experiment or exercise.

    python -m nnlib.course.index            write it
    python -m nnlib.course.index --check    exit with status 1 if it is not up to date

Everything in it comes from the lessons' own metadata, from the course map, the exercises' records and the
table of symbols (nnlib/course/symbols.py); nobody edits it.
Links carry the cell (``04-hidden-layer.ipynb#cell-id=by-hand``), which JupyterLab scrolls to.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import widgets
from . import CourseError, checkout
from .exercises import exercises
from .lessons import Lesson, joined, load_all, read_notebook
from .store import dumps, lines, normalise, write_atomic
from .symbols import SOURCES, SYMBOLS

__all__ = ["build", "main"]

SEEDS = {"000": "AI335, lecture 2", "001": "Deep Learning, week 4", "002": "Trieste"}
SEEDS |= {"003": "Data C182, lecture 4", "004": "CS229, chapter 7"}


def build(
    lessons: Sequence[Lesson], course_map: dict[str, Any], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the index as a notebook without code cells; the same for the same lessons and the index ``before``."""
    sections = {
        "title": _title(),
        "lessons": _lessons(lessons),
        "concepts": _concepts(lessons, course_map),
        "slips": _slips(lessons, course_map),
        "formulas": _formulas(lessons),
        "figures": _figures(lessons),
        "experiments": (),
        "exercises": _exercises(lessons),
        "symbols": _symbols(lessons),
    }
    cells = [
        {"cell_type": "markdown", "id": id, "metadata": {}, "source": lines("\n".join(text))}
        for id, text in sections.items()
    ]
    cells[list(sections).index("experiments")] = _experiments(lessons, before)
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
    yield "Lessons, concepts, slips of the notes, formulas, figures, experiments, exercises, symbols, linked."
    yield ""
    parts = ["lessons", "concepts", "slips", "formulas", "figures", "experiments", "exercises", "symbols"]
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


PLAY = re.compile("Run this cell to play: ([^\\n]+)")
STATIC = re.compile(r"widgets\.(\w+)\.static\(")
WIDE = 240  # pixels of a thumbnail


@dataclass(frozen=True)
class Played:
    """An experiment where a lesson plays it: its title, that cell, and the stored picture above it."""

    lesson: Lesson
    title: str
    cell: str
    picture: bytes | None


def played(lessons: Sequence[Lesson]) -> Iterator[Played]:
    """Every experiment of the lessons, once, where it is first met."""
    seen = set()
    for lesson in lessons:
        pictures: dict[str, bytes] = {}
        for cell in lesson.cells:
            images = [out["data"]["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})]
            if images and (found := STATIC.search(cell.source)):
                pictures[found[1]] = base64.b64decode(joined(images[0]))
            for title in PLAY.findall(cell.text):
                if title not in seen:
                    seen.add(title)
                    names = [name for name in pictures if f"widgets.{name}(" in cell.source]
                    yield Played(lesson, title, cell.id, pictures[names[0]] if names else None)


def _thumbnail(picture: bytes) -> str:
    """A PNG of WIDE pixels and few colours, in base64."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((WIDE, round(image.height * WIDE / image.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.quantize(48).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def _experiments(lessons: Sequence[Lesson], before: dict[str, Any] | None) -> dict[str, Any]:
    """The gallery. A thumbnail of ``before`` stays as it is while the lesson's picture is the same one."""
    cells = (before or {}).get("cells", ())
    old: dict[str, Any] = next((cell for cell in cells if cell.get("id") == "experiments"), {})
    sums, attached = old.get("metadata", {}).get("nnlib", {}), old.get("attachments", {})
    lines_of = {}
    for name in widgets.EXPERIMENTS:
        kind = getattr(widgets, name)
        about = (sys.modules[kind.__module__].__doc__ or "").split("\n\n")[0].replace("\n", " ")
        what = about.partition(": ")[2].split(". ")[0].rstrip(".:")
        lines_of[kind.title] = what[0].upper() + what[1:] + "." * (not what.endswith("?"))
    text = ["## Experiments", "", "Open the lesson, run its first cell and then the experiment's: sliders, live.", ""]
    text += ["| | |", "|---|---|"]
    new_sums, new_attached = {}, {}
    for one in played(lessons):
        name, picture = _link(one.lesson, _cellsafe(one.title), one.cell), ""
        if one.picture:
            file = re.sub(r"\W+", "-", one.title.lower()) + ".png"
            new_sums[file] = hashlib.sha256(one.picture).hexdigest()[:16]
            kept = attached.get(file) if sums.get(file) == new_sums[file] else None
            new_attached[file] = kept or {"image/png": _thumbnail(one.picture)}
            picture = _link(one.lesson, f"![{_cellsafe(one.title)}](attachment:{file})", one.cell)
        line = f"<br>{_cellsafe(lines_of[one.title])}" if one.title in lines_of else ""
        text.append(f"| {picture} | **{name}** ({one.lesson.number}){line} |")
    cell = {"cell_type": "markdown", "id": "experiments", "metadata": {}, "source": lines("\n".join(text))}
    if new_attached:
        cell |= {"attachments": new_attached, "metadata": {"nnlib": new_sums}}
    return cell


def _exercises(lessons: Sequence[Lesson]) -> Iterator[str]:
    yield "## Exercises"
    yield ""
    yield "Each has an instant check, which says what came and which known mistake it looks like, and hints."
    yield ""
    yield "| | exercise | points | read again |"
    yield "|---|---|---|---|"
    there = {lesson.number: lesson for lesson in lessons}
    for exercise in exercises().values():
        if lesson := there.get(exercise.lesson):
            place = f"../exercises/{lesson.path.stem}/{lesson.path.name}#cell-id={exercise.id.lower()}-task"
            name, again = f"[{_cellsafe(exercise.title)}]({place})", _link(lesson, lesson.number, exercise.cell)
            yield f"| {exercise.id} | {name} | {exercise.points} | {again} |"


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
    rows = ["| | lesson | minutes | needs | experiments | exercises |", "|---|---|---|---|---|---|"]
    counts = Counter(exercise.lesson for exercise in exercises().values())
    for lesson in lessons:
        done = f"[{counts[lesson.number]}](exercises/{lesson.path.stem}/{lesson.path.name})"
        needs = ", ".join(lesson.needs) or "nothing"
        played = ", ".join(dict.fromkeys(t for cell in lesson.cells for t in PLAY.findall(cell.text)))
        link = f"[{lesson.title}](notebooks/{lesson.path.name})"
        rows.append(f"| {lesson.number} | {link} | {lesson.reading:g} | {needs} | {played} | {done} |")
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
        path = root / "notebooks" / "index.ipynb"
        before = read_notebook(path) if path.is_file() else None
        files = {path: dumps(build(lessons, course_map, before))}
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
