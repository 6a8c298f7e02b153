"""Prove an exercise: its stub is not attempted, right answers of different shapes pass, mutants fail as they should.

``tests/variants/lesson_NN.py`` holds the variants, cells of plain Python:

    # %% X22 alternative loop           another right answer, named by its shape
    # %% X22 mutant last-term           a wrong one, named by the mistake that the verdict must recognise
    # %% X22 mutant ~rounded            a wrong one without a diagnosis of its own
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nnlib.course.assignments import stub
from nnlib.course.exercises import Exercise
from nnlib.course.lessons import cells_of, read_notebook

ROOT = Path(__file__).resolve().parents[1]
CELL = re.compile(r"^# %% (X\d\d+) (alternative|mutant) (~?[a-z0-9-]+)\n(.*?)(?=^# %% |\Z)", re.M | re.S)
# How many mutants the course map names, where it is not three.
NAMED = {"X62": 5, "X66": 5, "X76": 5} | dict.fromkeys("X08 X11 X34 X36 X42 X43 X45 X47 X67 X78 X83".split(), 4)


@dataclass
class Answers:
    """The answers to one exercise: `before` is the code that the notebook gives or solves ahead of it."""

    before: list[str]
    reference: str
    alternatives: dict[str, str] = field(default_factory=dict)
    mutants: dict[str, str] = field(default_factory=dict)


@cache
def answers() -> dict[str, Answers]:
    """What solutions/ and tests/variants/ hold, by exercise."""
    found: dict[str, Answers] = {}
    for path in sorted((ROOT / "solutions").glob("*/*.ipynb")):
        before: list[str] = []
        for cell in cells_of(read_notebook(path)):
            if cell.kind != "code" or cell.id.endswith("-check") or "raises-exception" in cell.tags:
                continue
            if cell.id.endswith("-answer"):
                found[cell.id.removesuffix("-answer").upper()] = Answers(list(before), cell.source)
            before.append(cell.source)
    for path in sorted((ROOT / "tests" / "variants").glob("lesson_*.py")):
        for id, kind, name, source in CELL.findall(path.read_text(encoding="utf-8")):
            group = found[id].alternatives if kind == "alternative" else found[id].mutants
            assert name not in group, f"{id} has two {kind}s called {name}"
            group[name] = source
    return found


@cache
def _before(sources: tuple[str, ...]) -> dict[str, Any]:
    if not sources:
        return {"__name__": "__main__"}
    names = dict(_before(sources[:-1]))
    exec(compile(sources[-1], "<before>", "exec"), names)
    return names


def names_of(answer: str, before: list[str]) -> dict[str, Any]:
    """The names of a notebook after `before` and this answer ran."""
    names = dict(_before(tuple(before)))
    exec(compile(answer, "<answer>", "exec"), names)
    return names


def shape(source: str) -> str:
    """The syntax tree without names, numbers and docstrings: what two copies with other names share."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for name in ("id", "arg", "name", "attr", "value"):
            if isinstance(getattr(node, name, None), str | int | float):
                setattr(node, name, "")
    return ast.dump(tree)


def prove(exercise: Exercise, given: Answers, seeds: tuple[int, ...] = (0, 1, 2)) -> list[str]:
    """Return what is wrong with an exercise and its check, or []."""
    problems = []

    def verdict(answer: str, seed: int) -> Any:
        return exercise.check(names_of(answer, given.before), seed)

    if (state := verdict(stub(given.reference), 0).state) != "todo":
        problems.append(f"the stub is {state}, not todo")
    right = {"reference": given.reference, **given.alternatives}
    for name, source in right.items():
        for seed in seeds:
            found = verdict(source, seed)
            if found.state != "correct":
                problems.append(f"the right answer {name!r} is {found.state} (seed {seed}): {found.parts}")
                break
    if len(given.alternatives) < 2:
        problems.append(f"{len(given.alternatives)} alternatives, at least 2")
    if len({shape(source) for source in right.values()}) < len(right):
        problems.append("two right answers have the same syntax tree")
    least = NAMED.get(exercise.id, 3)
    if len(given.mutants) < least:
        problems.append(f"{len(given.mutants)} mutants, at least {least}")
    for name, source in given.mutants.items():
        found = verdict(source, 0)
        if found.state != "wrong":
            problems.append(f"the mutant {name!r} is {found.state}")
        if name[0] == "~" and found.mistakes:
            problems.append(f"the mutant {name!r} is taken for {found.mistakes}")
        if name[0] != "~" and name not in found.mistakes:
            problems.append(f"the mutant {name!r} is not recognised: {found.parts}")
    keys = {mistake.key for mistake in exercise.mistakes}
    if missing := sorted(keys - given.mutants.keys()):
        problems.append(f"no mutant shows the mistakes {missing}")
    return problems
