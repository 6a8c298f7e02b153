r"""The rules of the lessons: functions that return what is wrong, run on every lesson present.

For authors. A lesson's metadata (nnlib/course/lessons.py) says which cells teach which id of the
course map; tests/data/course_map.json lists all ids. Then

- **items** (A W T K C): every item of the lesson is claimed; the text and code of its cells match
  the item's `words`; where it has `values`, the executed output of one of its cells shows one of
  them (at least three digits, or exactly: see `shows`).
- **slips, kind box**: the claim names a markdown cell that contains the id (a comment ``<!-- E27
  -->`` will do) and the word "slip", and a code cell that proves it: its asserts compare a name
  that starts with ``printed`` and one that starts with ``right``. A cell that proves n slips
  names each id in a comment and has n names of each kind. Where the slip has numbers, the cell
  shows both.
- **notes**: a claimed markdown cell contains ``<!-- E44 -->``, and the paragraph or table row
  around it has at least six words.
- **formulas**: each ``$$ ... $$`` has a ``\tag{label}``; `formulas` names for each label a code
  cell with an ``assert`` or ``gradcheck``, or a test (tests/file.py::name).
- **figures**: a cell that draws is listed in `figures` and prints, after the picture, a sentence
  that says what it shows. No plotting code: that lives in nnlib.plot.
- **experiment**: its cell shows an object whose text is "Run this cell to play: ...".
- **sections**: headings with "what you will be able to do", "recall", "recap", "next"; at least
  three recall questions hide their answers in ``<details>``.
- **cells**: something to do within 100 words; at most 15 code lines, never above 25; stored by
  nnlib.course.store; at most two ``nbval-ignore-output``; outputs that hold on another machine.
"""

from __future__ import annotations

import ast
import base64
import copy
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnlib import widgets
from nnlib.course import CourseError, index
from nnlib.course.lessons import (
    Cell,
    Lesson,
    cells_of,
    lesson_paths,
    load,
    load_all,
    read_notebook,
)
from nnlib.course.store import dumps, limits, normalise

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
MAP: dict[str, Any] = json.loads((ROOT / "tests/data/course_map.json").read_text(encoding="utf-8"))
NUMBERS = json.loads((ROOT / "tests/data/numbers.json").read_text(encoding="utf-8"))

# The lessons that must be there. A new lesson is added here, and to nothing else.
LESSONS = {
    "00-one-page.ipynb",
    "01-perceptrons.ipynb",
    "02-a-line.ipynb",
    "03-activations.ipynb",
    "04-hidden-layer.ipynb",
    "05-shallow-networks.ipynb",
    "06-approximation-and-depth.ipynb",
    "07-losses-from-likelihood.ipynb",
    "08-information-and-regularisation.ipynb",
    "09-gradients-on-graphs.ipynb",
    "10-backpropagation.ipynb",
    "11-modules.ipynb",
    "12-training.ipynb",
    "13-normalisation.ipynb",
    "14-convolution-1d.ipynb",
    "15-images-and-cnns.ipynb",
    "16-residual-networks.ipynb",
}

Problems = list[str]
Rule = Callable[[Lesson, dict[str, Any]], Problems]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    RULES[function.__name__] = function
    return function


# ---------------------------------------------------------------- what text says

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def shows(text: str, value: float) -> bool:
    """Whether a printed number is `value`: exact, or rounded to three digits or more."""
    text = text.replace("−", "-")
    merged = re.sub(r"(?<=\d)[,_ \u00a0\u202f](?=\d{3}(?!\d))", "", text)
    for token in NUMBER.findall(text) + NUMBER.findall(merged):
        number = float(token)
        if number == value:
            return True
        mantissa, _, exponent = token.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        digits = len(mantissa.replace("-", "").replace(".", "").lstrip("0"))
        half = 0.501 * 10.0 ** (int(exponent or 0) - decimals)
        if digits >= 3 and decimals and abs(number - value) <= half:
            return True
    return False


def words(text: str) -> list[str]:
    """Words of markdown: no comments, no bare punctuation."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return [word for word in text.split() if re.search(r"\w", word)]


def code_lines(cell: Cell) -> int:
    return sum(1 for line in cell.source.splitlines() if line.strip())


def tree_of(cell: Cell) -> ast.Module:
    """Parse a code cell without its magics."""
    kept = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return ast.parse("\n".join(kept))


def asserted_names(cell: Cell) -> set[str]:
    """Names inside those asserts of a cell that compare or call something."""
    found: set[str] = set()
    for node in ast.walk(tree_of(cell)):
        if isinstance(node, ast.Assert):
            parts = list(ast.walk(node.test))
            if any(isinstance(part, ast.Compare | ast.Call) for part in parts):
                found |= {part.id for part in parts if isinstance(part, ast.Name)}
    return found


def ids_of(lesson: Lesson, kind: str | None = None) -> list[str]:
    """Ids of the map that belong to this lesson; kind None: items, else box or note."""
    if kind is None:
        return [id for id, item in MAP["items"].items() if item["lesson"] == lesson.number]
    return [
        id
        for id, slip in MAP["errata"].items()
        if slip["lesson"] == lesson.number and slip["kind"] == kind
    ]


def code(lesson: Lesson) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.kind == "code"]


def markdown(lesson: Lesson) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.kind == "markdown"]


# ---------------------------------------------------------------- claims


@rule
def metadata_points_somewhere(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = [f"needs unknown lesson {n}" for n in lesson.needs if n not in MAP["lessons"]]
    problems += [f"needs {n}, which is not before it" for n in lesson.needs if n >= lesson.number]
    if not lesson.objectives:
        problems.append("no objectives")
    if not 5 <= lesson.reading <= 120:
        problems.append(f"{lesson.reading} minutes of reading is no honest estimate")
    return problems


@rule
def claims_are_known(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    own = {*ids_of(lesson), *ids_of(lesson, "box"), *ids_of(lesson, "note")}
    return [f"{id} is not an id of lesson {lesson.number}" for id in lesson.claims if id not in own]


@rule
def claims_are_complete(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    own = ids_of(lesson) + ids_of(lesson, "box") + ids_of(lesson, "note")
    return [f"{id} is claimed by no cell" for id in own if id not in lesson.claims]


@rule
def claimed_cells_exist(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    named = [(id, cell) for id, cells in lesson.claims.items() for cell in cells]
    return [
        f"{id} claims cell {cell!r}, which is not there"
        for id, cell in named
        if not lesson.cell(cell)
    ]


@rule
def items_are_said(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = []
    for id in ids_of(lesson):
        cells = lesson.claimed(id)
        item = MAP["items"][id]
        text = "\n".join(cell.source for cell in cells)
        if not re.search(item["words"], text, re.IGNORECASE):
            problems.append(f"{id} ({item['title']}): its cells do not match {item['words']!r}")
        values = item.get("values")
        if values and not any(shows(cell.text, v) for cell in cells for v in values):
            problems.append(
                f"{id} ({item['title']}): no output of its cells shows one of {values[:6]}"
            )
    return problems


@rule
def boxes_prove_the_slip(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = []
    boxes = ids_of(lesson, "box")
    load_of = Counter(name for id in boxes for name in lesson.claims.get(id, ()))
    for id in boxes:
        slip, cells = MAP["errata"][id], lesson.claimed(id)
        told = [c for c in cells if c.kind == "markdown" and re.search(rf"\b{id}\b", c.source)]
        if not any("slip" in cell.source.lower() for cell in told):
            problems.append(f"{id}: no claimed markdown cell has the id and the word slip")
        proofs = [cell for cell in cells if cell.kind == "code"]
        if not proofs:
            problems.append(f"{id}: no claimed code cell")
        for cell in proofs:
            count = load_of[cell.id]
            for kind in ("printed", "right"):
                names = {name for name in asserted_names(cell) if name.startswith(kind)}
                if len(names) < count:
                    problems.append(
                        f"{id}: cell {cell.id} asserts {len(names)} names {kind}*, wants {count}"
                    )
            if count > 1 and not re.search(rf"#.*\b{id}\b", cell.source):
                problems.append(
                    f"{id}: cell {cell.id} proves {count} slips; name each in a comment"
                )
        said = "\n".join(cell.source + "\n" + cell.text for cell in proofs)
        for key in ("printed_value", "right_value"):
            if key in slip and not shows(said, slip[key]):
                problems.append(
                    f"{id}: its cell does not show the {key.replace('_', ' ')} {slip[key]}"
                )
    return problems


@rule
def notes_are_mentioned(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = []
    for id in ids_of(lesson, "note"):
        text = "\n\n".join(cell.source for cell in lesson.claimed(id) if cell.kind == "markdown")
        mark = re.compile(rf"<!--\s*{id}\s*-->")
        blocks = [block for block in re.split(r"\n\s*\n|\n(?=\|)", text) if mark.search(block)]
        if not any(len(words(block)) >= 6 for block in blocks):
            problems.append(f"{id}: no claimed markdown paragraph with <!-- {id} --> and six words")
    return problems


# ---------------------------------------------------------------- shape


@rule
def cells_are_short(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    long = {cell.id: code_lines(cell) for cell in code(lesson) if code_lines(cell) > 15}
    problems = [f"cell {id} has {n} code lines, never above 25" for id, n in long.items() if n > 25]
    if len(long) > 0.1 * len(code(lesson)):
        problems.append(f"{len(long)} of {len(code(lesson))} code cells are above 15 lines: {long}")
    return problems


@rule
def action_within_100_words(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    count = 0
    for cell in lesson.cells:
        if cell.kind == "code":
            return [f"{count} words before the first code cell"] if count > 100 else []
        count += len(words(cell.source))
    return ["no code cell"]


@rule
def no_plotting_code(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    plotting = re.compile(
        r"matplotlib|\bplt\.|pyplot|\bax\.|subplots?\(|(?<!\bplot)\.(imshow|scatter|savefig)\("
    )
    return [f"cell {c.id} has plotting code" for c in code(lesson) if plotting.search(c.source)]


@rule
def outputs_are_compared(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = []
    ignored = [cell.id for cell in code(lesson) if "nbval-ignore-output" in cell.tags]
    if len(ignored) > 2:
        problems.append(f"{len(ignored)} ignored outputs, at most 2: {ignored}")
    for cell in code(lesson):
        if "nbval-skip" in cell.tags or re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source):
            problems.append(f"cell {cell.id}: not skipped, and tags instead of NBVAL comments")
    return problems


@rule
def stored_after_running(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    """nbval compares nothing where a cell has no run number, so each has its own, in order."""
    runs = [cell.run for cell in code(lesson) if cell.source.strip()]
    problems = []
    if runs != list(range(1, len(runs) + 1)):
        problems.append(f"cells were not run once each, in order: {runs}")
    for cell in code(lesson):
        kinds = {output["output_type"] for output in cell.outputs}
        if "error" in kinds and "raises-exception" not in cell.tags:
            problems.append(f"cell {cell.id} failed")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            problems.append(f"cell {cell.id} writes to stderr (a warning, plain tqdm)")
    return problems


@rule
def outputs_hold_elsewhere(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    patterns = {
        "an address": r"\b0x[0-9a-fA-F]{5,}",
        "a path": r"(/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\?\w|site-packages)",
        "a bare float (round it)": r"(?<![\w.])-?\d+\.\d{13,}",
    }
    return [
        f"cell {cell.id} shows {what}: {found[0][:40]!r}"
        for cell in code(lesson)
        if "nbval-ignore-output" not in cell.tags
        for what, pattern in patterns.items()
        if (found := re.search(pattern, cell.text))
    ]


@rule
def stored_in_one_form(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    form = normalise(notebook)
    problems = limits(form)
    if dumps(form) != lesson.path.read_bytes():
        problems.append("not written by nnlib.course.store (run it on this lesson)")
    twice = [id for id, n in Counter(cell.id for cell in lesson.cells).items() if n > 1]
    return problems + [f"cell id {id!r} is used twice" for id in twice]


# ---------------------------------------------------------------- content


@rule
def formulas_are_checked(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems: Problems = []
    labels: list[str] = []
    for cell in markdown(lesson):
        for formula in re.findall(r"\$\$(.+?)\$\$", cell.source, re.DOTALL):
            tags = re.findall(r"\\tag\{([^}]*)\}", formula)
            if not tags:
                problems.append(
                    rf"cell {cell.id}: a formula without \tag: {formula.strip()[:50]!r}"
                )
            labels += tags
        if re.search(r"\\\[|^\s*\\begin\{(equation|align|gather)", cell.source, re.MULTILINE):
            problems.append(f"cell {cell.id}: display formulas with $$, so that they are counted")
    problems += [f"label {label!r} twice" for label, n in Counter(labels).items() if n > 1]
    problems += [f"formula {x!r} is checked nowhere" for x in labels if x not in lesson.formulas]
    for label, target in lesson.formulas.items():
        if label not in labels:
            problems.append(f"metadata lists formula {label!r}, which no cell displays")
        if "::" in target:
            file, _, name = target.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
            if not re.search(rf"^\s*def {re.escape(name.split('[')[0])}\(", text, re.MULTILINE):
                problems.append(f"formula {label!r}: no test {target}")
        else:
            cell = lesson.cell(target)
            if (
                not cell
                or cell.kind != "code"
                or not re.search(r"\bassert|gradcheck\(", cell.source)
            ):
                problems.append(f"formula {label!r}: {target!r} is no code cell with an assert")
    return problems


@rule
def figures_are_described(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    problems = []
    listed = set(lesson.figures.values())
    for cell in code(lesson):
        if not cell.has_picture():
            if cell.id in listed:
                problems.append(f"cell {cell.id} is listed as a figure and shows no picture")
            continue
        if cell.id not in listed:
            problems.append(f"cell {cell.id} shows a picture and is not listed in figures")
        has = [any(m.startswith("image/") for m in out.get("data", {})) for out in cell.outputs]
        after = cell.outputs[len(has) - has[::-1].index(True) :]
        sentence = "".join("".join(o["text"]) for o in after if o["output_type"] == "stream")
        if len(words(sentence)) < 6:
            problems.append(f"cell {cell.id}: no sentence is printed after the picture")
    missing = [name for name, id in lesson.figures.items() if not lesson.cell(id)]
    return problems + [f"figure {name!r}: no cell {lesson.figures[name]!r}" for name in missing]


@rule
def experiment_can_be_played(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    if lesson.experiment is None:
        return ["no experiment"]
    cell = lesson.cell(lesson.experiment["cell"])
    if cell is None or cell.kind != "code":
        return [f"no code cell {lesson.experiment['cell']!r}"]
    if "Run this cell to play: " not in cell.text:
        return [f"cell {cell.id} does not show 'Run this cell to play: ...'"]
    return []


@rule
def sections_are_there(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    headings = [
        line for c in markdown(lesson) for line in c.source.splitlines() if line.startswith("#")
    ]
    wanted = ["what you will be able to do", "recall", "recap", "next"]
    problems = [
        f"no heading with {want!r}"
        for want in wanted
        if not any(re.search(rf"\b{want}\b", heading, re.IGNORECASE) for heading in headings)
    ]
    hidden = sum(len(re.findall(r"<details\b", cell.source)) for cell in markdown(lesson))
    if hidden < 3:
        problems.append(f"{hidden} hidden answers (<details>), at least 3")
    return problems


@rule
def section_b_is_computed(lesson: Lesson, notebook: dict[str, Any]) -> Problems:
    text = "\n".join(cell.text for cell in code(lesson))
    return [
        f"{name}: no output shows {value}"
        for name, section in MAP["section_b"].items()
        if section["lesson"] == lesson.number
        for value in section["values"]
        if not shows(text, value)
    ]


# ---------------------------------------------------------------- the tests


PRESENT = lesson_paths(NOTEBOOKS)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("path", PRESENT, ids=lambda path: path.stem)
def test_lesson(path: Path, name: str) -> None:
    problems = RULES[name](load(path), read_notebook(path))
    assert not problems, f"{path.name}:\n  " + "\n  ".join(problems)


def test_lessons_are_there() -> None:
    assert {path.name for path in PRESENT} >= LESSONS


def test_every_id_is_claimed_once_over_all_lessons() -> None:
    lessons = load_all(NOTEBOOKS)
    claimed = Counter(id for lesson in lessons for id in lesson.claims)
    here = {lesson.number for lesson in lessons}
    known = MAP["items"] | MAP["errata"]
    assert claimed == Counter(id for id, entry in known.items() if entry["lesson"] in here)


def test_map_counts() -> None:
    kinds = Counter(slip["kind"] for slip in MAP["errata"].values())
    assert len(MAP["items"]) == 233
    assert len(MAP["errata"]) == 142
    assert kinds == {"box": 84, "note": 58}
    assert sorted(MAP["lessons"]) == [f"{number:02}" for number in range(17)]
    seeds = Counter(id[0] for id in MAP["items"])
    assert seeds == {"A": 31, "W": 62, "T": 66, "K": 26, "C": 48}


def test_map_values_are_those_of_numbers() -> None:
    """Every number the lessons must show is in numbers.json, or here with its reason."""
    by_hand = {
        **dict.fromkeys((15, 10, 6, 9), "gate values, which numbers.json has as text (B4)"),
        **dict.fromkeys((0.02, 0.03, 0.49, 0.74), "what a slide prints, and the right product"),
        **dict.fromkeys((0.998, 0.999), "factors of weight decay (B18)"),
    }

    def flat(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [x for inner in value.values() for x in flat(inner)]
        if isinstance(value, list):
            return [x for inner in value for x in flat(inner)]
        return [value] if isinstance(value, int | float) else []

    known = flat(NUMBERS)
    wanted = [v for item in MAP["items"].values() for v in item.get("values", ())]
    wanted += [v for part in MAP["section_b"].values() for v in part["values"]]
    wanted += [
        s[k] for s in MAP["errata"].values() for k in ("printed_value", "right_value") if k in s
    ]
    lost = [
        value
        for value in wanted
        if value not in by_hand
        and not any(abs(value - k) <= 6e-7 * max(1, abs(value)) for k in known)
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a = 0.750080", 0.7500798843241387, True),
        ("a = 0.75", 0.7500798843241387, False),  # two digits say too little
        ("a = 0.7501.", 0.7500798843241387, True),
        ("a = 0.7502", 0.7500798843241387, False),
        ("[-12.]", -12, True),
        ("−12", -12, True),
        ("12", -12, False),
        ("203,530 parameters", 203530, True),
        ("203 530", 203530, True),
        ("x41 = 3", 41, False),
        ("4.60e-03", 0.004596663590353933, True),
        ("4.60e-04", 0.004596663590353933, False),
        ("750", 0.75, False),
    ],
)
def test_shows(text: str, value: float, expected: bool) -> None:
    assert shows(text, value) is expected


# ---------------------------------------------------------------- each rule can fail

SAMPLE_MAP = {
    "lessons": {"00": {}, "01": {}, "04": {}},
    "items": {"W22": {"lesson": "04", "title": "Worked", "words": "by hand", "values": [0.75008]}},
    "errata": {
        "E27": {"lesson": "04", "kind": "box", "printed_value": 0.314, "right_value": 0.686},
        "E33": {"lesson": "04", "kind": "note"},
    },
    "section_b": {"B1": {"lesson": "04", "values": [0.75008]}},
}


def text_cell(id: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": source}


def code_cell(id: str, source: str, run: int, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": id,
        "metadata": {},
        "execution_count": run,
        "source": source,
        "outputs": list(outputs),
    }


def printed_text(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


PICTURE = {
    "output_type": "display_data",
    "metadata": {},
    # one grey pixel
    "data": {
        "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNo"
        "AAAAggCBd81ytgAAAABJRU5ErkJggg==\n",
        "text/plain": "<Figure size 1x1>",
    },
}
PLAY = {
    "output_type": "execute_result",
    "metadata": {},
    "execution_count": 4,
    "data": {"text/plain": "Run this cell to play: sliders"},
}


def sample() -> dict[str, Any]:
    """A lesson that keeps every rule."""
    hidden = "<details><summary>Answer</summary>Yes.</details>\n"
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "nnlib": {
                "number": 4,
                "title": "One hidden layer",
                "minutes": {"reading": 30, "compute": 1},
                "needs": ["01"],
                "objectives": ["compute a network by hand"],
                "claims": {"W22": ["title", "run"], "E27": ["slip", "proof"], "E33": "title"},
                "formulas": {"sum": "proof"},
                "figures": {"net": "figure"},
                "experiment": {"name": "sliders", "cell": "play"},
            }
        },
        "cells": [
            text_cell(
                "title",
                "# 04\n## What you will be able to do\nCompute it by hand.\n\n"
                "The biases are left out there, and kept here. <!-- E33 -->",
            ),
            code_cell("run", "print('0.75008')", 1, printed_text("0.75008\n")),
            text_cell("slip", "**Find the slip** (E27)\n$$a = b \\tag{sum}$$"),
            code_cell(
                "proof",
                "printed, right = 0.314, 0.686\nassert printed < 0.5 < right",
                2,
            ),
            code_cell(
                "figure",
                "plot.net()",
                3,
                PICTURE,
                printed_text("Three inputs lead to two hidden units.\n"),
            ),
            code_cell("play", "widgets.hidden_layer()", 4, PLAY),
            text_cell("recall", "## Recall\n" + 3 * hidden + "## Recap\n## What to do next\n"),
        ],
    }


def cell_named(notebook: dict[str, Any], id: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["id"] == id)


def change(id: str, **fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda notebook: cell_named(notebook, id).update(fields)


def replace(id: str, old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def apply(notebook: dict[str, Any]) -> None:
        cell = cell_named(notebook, id)
        assert old in cell["source"]
        cell["source"] = cell["source"].replace(old, new)

    return apply


def meta(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda notebook: notebook["metadata"]["nnlib"].update({key: value})


def claim(id: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(notebook: dict[str, Any]) -> None:
        claims = notebook["metadata"]["nnlib"]["claims"]
        claims.pop(id, None)
        if value:
            claims[id] = value

    return apply


ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
BROKEN: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("metadata_points_somewhere", meta("needs", ["99"])),
    ("metadata_points_somewhere", meta("needs", ["04"])),
    ("metadata_points_somewhere", meta("objectives", [])),
    ("metadata_points_somewhere", meta("minutes", {"reading": 0, "compute": 0})),
    ("claims_are_known", claim("W99", "title")),
    ("claims_are_complete", claim("W22", None)),
    ("claims_are_complete", claim("E33", None)),
    ("claimed_cells_exist", claim("W22", ["title", "run", "gone"])),
    ("items_are_said", replace("title", "by hand", "so")),
    ("items_are_said", change("run", outputs=[printed_text("0.76\n")])),
    ("boxes_prove_the_slip", replace("slip", "slip", "error")),
    ("boxes_prove_the_slip", replace("slip", "E27", "E28")),
    ("boxes_prove_the_slip", claim("E27", "slip")),
    ("boxes_prove_the_slip", replace("proof", "< right", "")),
    ("boxes_prove_the_slip", replace("proof", "printed < 0.5 <", "0.5 <")),
    ("boxes_prove_the_slip", change("proof", source="printed, right = 0.314, 0.686")),
    ("boxes_prove_the_slip", replace("proof", "0.314", "0.315")),
    ("notes_are_mentioned", replace("title", "E33", "E34")),
    ("notes_are_mentioned", replace("title", "The biases are left out there, and kept here.", "")),
    ("cells_are_short", change("run", source="x = 1\n" * 26)),
    ("cells_are_short", change("run", source="x = 1\n" * 16)),
    ("action_within_100_words", change("title", source="word " * 101)),
    ("no_plotting_code", change("run", source="import matplotlib.pyplot as plt")),
    ("no_plotting_code", change("run", source="ax.plot(x)")),
    ("outputs_are_compared", change("run", metadata={"tags": ["nbval-skip"]})),
    ("outputs_are_compared", change("run", source="# NBVAL_IGNORE_OUTPUT\nprint(1)")),
    (
        "outputs_are_compared",
        lambda nb: [
            cell_named(nb, id)["metadata"].update(tags=["nbval-ignore-output"])
            for id in ("run", "proof", "figure")
        ],
    ),
    ("stored_after_running", change("proof", execution_count=None)),
    ("stored_after_running", change("proof", outputs=[ERROR])),
    ("stored_after_running", change("proof", outputs=[printed_text("w", "stderr")])),
    ("outputs_hold_elsewhere", change("run", outputs=[printed_text("<o at 0x7f12ab34>")])),
    ("outputs_hold_elsewhere", change("run", outputs=[printed_text("/home/me/x")])),
    ("outputs_hold_elsewhere", change("run", outputs=[printed_text("0.6856801139382539")])),
    ("stored_in_one_form", lambda nb: cell_named(nb, "slip").update(id="title")),
    ("formulas_are_checked", meta("formulas", {})),
    ("formulas_are_checked", meta("formulas", {"sum": "run"})),
    ("formulas_are_checked", meta("formulas", {"sum": "tests/test_notebooks.py::test_gone"})),
    ("formulas_are_checked", meta("formulas", {"sum": "proof", "more": "proof"})),
    ("formulas_are_checked", replace("slip", r"\tag{sum}", "")),
    ("formulas_are_checked", replace("slip", "$$a", "$$c \\tag{sum}$$ $$a")),
    ("formulas_are_checked", replace("recall", "## Recap", r"\[ x \]")),
    ("figures_are_described", meta("figures", {})),
    ("figures_are_described", meta("figures", {"net": "figure", "two": "run"})),
    ("figures_are_described", meta("figures", {"net": "figure", "two": "gone"})),
    ("figures_are_described", change("figure", outputs=[PICTURE])),
    ("figures_are_described", change("figure", outputs=[printed_text("a b c d e f g"), PICTURE])),
    ("experiment_can_be_played", meta("experiment", None)),
    ("experiment_can_be_played", meta("experiment", {"name": "x", "cell": "gone"})),
    ("experiment_can_be_played", change("play", outputs=[])),
    ("sections_are_there", replace("title", "What you will be able to do", "Aims")),
    ("sections_are_there", replace("recall", "Recap", "End")),
    ("sections_are_there", replace("recall", "next", "then")),
    ("sections_are_there", replace("recall", "<details", "<div")),
    ("section_b_is_computed", change("run", outputs=[])),
]


def problems_of(notebook: dict[str, Any], folder: Path, name: str) -> Problems:
    path = folder / "04-sample.ipynb"
    path.write_bytes(dumps(notebook))
    return RULES[name](load(path), read_notebook(path))


@pytest.fixture
def small_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "MAP", SAMPLE_MAP)


@pytest.mark.usefixtures("small_map")
@pytest.mark.parametrize("name", RULES)
def test_sample_keeps_the_rules(name: str, tmp_path: Path) -> None:
    assert problems_of(normalise(sample()), tmp_path, name) == []


@pytest.mark.usefixtures("small_map")
@pytest.mark.parametrize(
    ("name", "breaking"), BROKEN, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BROKEN)]
)
def test_broken_sample_is_found(
    name: str, breaking: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    notebook = copy.deepcopy(sample())
    breaking(notebook)
    assert problems_of(normalise(notebook), tmp_path, name) != []


def test_a_notebook_saved_by_hand_is_found(tmp_path: Path) -> None:
    notebook = normalise(sample())
    cell_named(notebook, "run")["metadata"]["execution"] = {"iopub.status.busy": "2025-01-01"}
    assert problems_of(notebook, tmp_path, "stored_in_one_form") != []


def test_every_rule_is_shown_to_fail() -> None:
    assert {name for name, _ in BROKEN} == set(RULES)


# ---------------------------------------------------------------- the index


def test_index_is_up_to_date() -> None:
    path = NOTEBOOKS / "index.ipynb"
    assert path.is_file(), "run python -m nnlib.course.index"
    fresh = dumps(index.build(load_all(NOTEBOOKS), MAP, read_notebook(path)))
    assert path.read_bytes() == fresh, "run python -m nnlib.course.index"
    page = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    assert index.readme(page, load_all(NOTEBOOKS)) == page, "run python -m nnlib.course.index"


def test_every_experiment_is_played_in_a_lesson_and_hangs_in_the_gallery() -> None:
    assert len(widgets.EXPERIMENTS) == 20
    there = {one.title: one for one in index.played(load_all(NOTEBOOKS))}
    kinds = [getattr(widgets, name) for name in widgets.EXPERIMENTS]
    assert {kind.title for kind in kinds} == set(there)
    gallery = index.build(load_all(NOTEBOOKS), MAP, read_notebook(NOTEBOOKS / "index.ipynb"))["cells"]
    (cell,) = (cell for cell in gallery if cell["id"] == "experiments")
    rows = [row for row in "".join(cell["source"]).splitlines() if row.startswith("| [![")]
    assert len(rows) == len(kinds) == len(cell["attachments"])
    for kind in kinds:
        one = there[kind.title]
        (row,) = (row for row in rows if f"**[{kind.title}](" in row)
        assert f"{one.lesson.path.name}#cell-id={one.cell}" in row
        assert len(row.partition("<br>")[2]) > 20  # the one line
        attached = cell["attachments"][re.findall(r"attachment:([\w.-]+)", row)[0]]["image/png"]
        assert base64.b64decode(attached).startswith(b"\x89PNG")


def test_links_of_lessons_and_index_lead_somewhere() -> None:
    """Each relative link has its file, and each ``#cell-id=`` its cell."""
    lost = []
    for path in [*PRESENT, NOTEBOOKS / "index.ipynb"]:
        for cell in cells_of(read_notebook(path)) if path.is_file() else ():
            if cell.kind != "markdown":
                continue
            prose = re.sub(r"`[^`]*`", "", cell.source)
            for target in re.findall(r"(?<!\\)\]\(([^)\s]+)\)", prose):
                file, _, fragment = target.partition("#")
                if ":" in file:
                    continue
                other = (path.parent / file) if file else path
                there = other.exists()
                if there and fragment.startswith("cell-id="):
                    ids = {c.id for c in cells_of(read_notebook(other))}
                    there = fragment.removeprefix("cell-id=") in ids
                if not there:
                    lost.append(f"{path.name}: cell {cell.id}: {target}")
    assert lost == []


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    for folder in ("nnlib", "notebooks", "tests/data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks/04-sample.ipynb").write_bytes(dumps(normalise(sample())))
    slip = {"place": "001 L415", "says": "g = 1/(1+exp(0.78)) | a_1", "right": "the minus"}
    small = copy.deepcopy(SAMPLE_MAP)
    small["errata"]["E27"] |= slip
    (tmp_path / "tests/data/course_map.json").write_text(json.dumps(small))
    return tmp_path


def test_index_lists_what_the_lesson_says(small_project: Path) -> None:
    assert index.main(["--root", str(small_project)]) == 0
    book = read_notebook(small_project / "notebooks/index.ipynb")
    text = {cell.id: cell.source for cell in cells_of(book)}
    assert "[One hidden layer](04-sample.ipynb) | 30 min | 1 min | 01 |" in text["lessons"]
    assert "**W**\n\n- [Worked](04-sample.ipynb#cell-id=title) (04)" in text["concepts"]
    assert r"| Deep Learning, week 4 | g = 1/(1+exp(0.78)) \| a\_1 | the minus |" in text["slips"]
    assert "[sum](04-sample.ipynb#cell-id=slip) (04)" in text["formulas"]
    assert "[check](04-sample.ipynb#cell-id=proof)" in text["formulas"]
    assert "[net](04-sample.ipynb#cell-id=figure)" in text["figures"]
    assert "[sliders](04-sample.ipynb#cell-id=play)" in text["experiments"]
    assert all(cell["cell_type"] == "markdown" for cell in book["cells"])


def test_index_check_notices_a_change(
    small_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--root", str(small_project)]
    assert index.main([*command, "--check"]) == 1
    assert "not up to date" in capsys.readouterr().err
    assert index.main(command) == 0
    first = (small_project / "notebooks/index.ipynb").read_bytes()
    assert index.main(command) == 0
    assert (small_project / "notebooks/index.ipynb").read_bytes() == first
    assert index.main([*command, "--check"]) == 0
    lesson = small_project / "notebooks/04-sample.ipynb"
    lesson.write_bytes(lesson.read_bytes().replace(b"One hidden layer", b"Two"))
    assert index.main([*command, "--check"]) == 1


# ---------------------------------------------------------------- wrong metadata


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("number", 5, "does not fit the file's name"),
        ("minutes", {"reading": 1}, "minutes must be"),
        ("needs", "01", "needs must be a list"),
        ("claims", {"W22": []}, "claim W22"),
        ("experiment", {"name": "x"}, "experiment must be"),
        ("surprise", 1, "unknown key 'surprise'"),
    ],
)
def test_wrong_metadata_names_file_and_key(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    notebook = sample()
    notebook["metadata"]["nnlib"][key] = value
    path = tmp_path / "04-sample.ipynb"
    path.write_bytes(dumps(notebook))
    with pytest.raises(CourseError, match=message) as error:
        load(path)
    assert str(error.value).startswith("04-sample.ipynb: metadata nnlib: ")


def test_missing_metadata_and_no_notebook(tmp_path: Path) -> None:
    notebook = sample()
    del notebook["metadata"]["nnlib"]["title"]
    path = tmp_path / "04-sample.ipynb"
    path.write_bytes(dumps(notebook))
    with pytest.raises(CourseError, match="no key 'title'"):
        load(path)
    path.write_text("{}")
    with pytest.raises(CourseError, match="is not a notebook"):
        load(path)
