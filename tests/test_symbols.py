"""The table of symbols: every row points to a cell that has the symbol, and the index shows it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from nnlib.course import index
from nnlib.course.lessons import Lesson, cells_of, load_all
from nnlib.course.store import dumps
from nnlib.course.symbols import SOURCES, SYMBOLS, Symbol

ROOT = Path(__file__).resolve().parents[1]
MATH = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$([^$]+?)\$", re.DOTALL)
NAMES = [f"{row.latex}-{row.lesson}" for row in SYMBOLS]


@pytest.fixture(scope="module")
def lessons() -> dict[str, Lesson]:
    return {lesson.number: lesson for lesson in load_all(ROOT / "notebooks")}


def maths(markdown: str) -> str:
    """All that stands between dollar signs."""
    return "\n".join(block or inline for block, inline in MATH.findall(markdown))


def contains(text: str, latex: str) -> bool:
    """Whether the formulas of a text have the symbol, not a longer name that contains it."""
    pattern = r"\s*".join(re.escape(part) for part in latex.split())
    before = "" if latex.startswith(("\\", "(")) else r"(?<![A-Za-z\\])"
    after = r"(?![A-Za-z])" if latex[-1].isalpha() else ""
    return bool(re.search(before + pattern + after, maths(text)))


@pytest.mark.parametrize(
    ("text", "latex", "there"),
    [
        ("so $z = x\\,W^\\top$", "x", True),
        ("so $z = xW^\\top$ and x", "w", False),
        ("$\\max(0, z)$ costs x", "x", False),
        ("$\\mu v$", r"\mu", True),
        ("$\\mux$", r"\mu", False),
        ("$$\\Pr(y \\mid\n x; \\theta)$$", r"\Pr(y \mid x; \theta)", True),
        ("two prices, \\$3 d and \\$4", "d", False),
    ],
)
def test_contains_wants_the_symbol_itself(text: str, latex: str, there: bool) -> None:
    assert contains(text, latex) is there


def test_rows_are_unique() -> None:
    for key in (lambda row: (row.latex, row.lesson), lambda row: row.what):
        assert [k for k, n in Counter(map(key, SYMBOLS)).items() if n > 1] == []


@pytest.mark.parametrize("row", SYMBOLS, ids=NAMES)
def test_the_linked_cell_has_the_symbol(row: Symbol, lessons: dict[str, Lesson]) -> None:
    assert row.lesson in lessons
    cell = lessons[row.lesson].cell(row.cell)
    assert cell and cell.kind == "markdown", f"lesson {row.lesson} has no text cell {row.cell!r}"
    assert contains(cell.source, row.latex)


@pytest.mark.parametrize("row", SYMBOLS, ids=NAMES)
def test_what_is_written_fits_a_table(row: Symbol) -> None:
    """No bar ends a cell early, no dollar sign ends a formula early, all braces are closed."""
    for text in (row.latex, *row.names.values()):
        bare = text.replace(r"\{", "").replace(r"\}", "")
        assert "$" not in text and "|" not in text
        assert bare.count("{") == bare.count("}")
        assert text == text.strip()
    for text in (row.what, row.shape):
        assert "|" not in text and text.count("$") % 2 == 0


def test_index_has_every_row_and_all_five_sources(lessons: dict[str, Lesson]) -> None:
    empty = {"items": {}, "errata": {}}
    book = index.build(list(lessons.values()), empty)
    assert dumps(book) == dumps(index.build(list(lessons.values()), empty))
    table = next(cell.source for cell in cells_of(book) if cell.id == "symbols")
    rows = [
        re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("|")
    ]
    assert [cell.strip() for cell in rows[0][4:]] == list(SOURCES.values())
    assert len(SOURCES) == 5 and len(rows) == 2 + len(SYMBOLS)
    for row, symbol in zip(rows[2:], SYMBOLS, strict=True):
        assert len(row) == 9, row
        assert row[0].strip() == f"${symbol.latex}$"
        file = lessons[symbol.lesson].path.name
        assert row[3].strip() == f"[{symbol.lesson}]({file}#cell-id={symbol.cell})"
        shown = [cell.strip() for cell in row[4:]]
        assert shown == [f"${name}$" if name else "–" for name in symbol.names.values()]


def test_a_lesson_that_is_not_there_is_a_plain_number() -> None:
    book = index.build([], {"items": {}, "errata": {}})
    table = next(cell.source for cell in cells_of(book) if cell.id == "symbols")
    assert "](" not in table and "| input, one example per row | (N, in) | 00 |" in table
