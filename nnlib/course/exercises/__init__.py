"""The exercises: one record each, in ``lesson_NN.py``.

A record has a *probe* that runs beside the learner's code and brings back plain data (nnlib/course/probe.py), and what a
*verdict* needs to judge the data: reference names, or a `judge`. The instant check does both in the notebook; the grader
runs the probe in a sandbox and the verdict outside. References and mistakes are names like the learner's, looked at by
the same probe: what a reference does is right, and what a mistake does is recognised.

    X22 = Exercise(
        "X22", "How many regions", lesson="05", cell="region-formula",
        probe=calls("regions"),
        cases=lambda rng: [(D, 2) for D in range(2, 6)],
        reference={"regions": lambda D, D_i: sum(math.comb(D, j) for j in range(D_i + 1))},
        mistakes=[Mistake("last-term", "Only the last term of the sum.", {"regions": math.comb})],
        hints=["How many regions do three lines make? Draw them."],
    )
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from .. import CourseError
from ..probe import dumps, loads, run
from ..verdict import Part, Verdict, difference, finite, show

__all__ = ["Exercise", "Mistake", "exercises", "find"]


@dataclass(frozen=True)
class Mistake:
    """A known misconception: what it is (one or two sentences to the learner) and the names it would define.

    It is recognised where the learner's outcome equals that of `names` (over the reference's) in every case, or where a
    `judge` returns its key. `cell` is the lesson's cell to read again (else the exercise's), "05#id" in another lesson.
    """

    key: str
    say: str
    names: dict[str, Any] | None = None
    cell: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise: what to look at, and how to judge it.

    probe       what runs beside the learner's code: ``probe(my, *case)``
    cases       rng -> argument tuples for the probe; drawn afresh for every check, by the instructor's seed for a grade
    reference   names that are right, or
    judge       ``judge(answer, *case)`` -> None (right), the key of a mistake, or a sentence; {part: judge} for some parts
    mistakes    known misconceptions, the most specific first
    hints       one after the other, on request; the last may say nearly everything
    after       what to take along, said once it is right
    quiet       a RuntimeWarning of NumPy (overflow, 0/0) is a mistake
    called      {part: case -> what a probe of its own hands to that function}, so that a message can name it
    """

    id: str
    title: str
    lesson: str
    cell: str
    probe: Callable[..., Any]
    hints: Sequence[str]
    reference: dict[str, Any] | None = None
    judge: Callable[..., str | None] | dict[str, Callable[..., str | None]] | None = None
    mistakes: Sequence[Mistake] = ()
    cases: Callable[[np.random.Generator], Iterable[tuple[Any, ...]]] = field(default=lambda rng: [()])
    points: int = 2
    rtol: float = 1e-6
    atol: float = 1e-9
    after: str = ""
    quiet: bool = False
    called: dict[str, Callable[..., tuple[Any, ...]]] = field(default_factory=dict)

    def draw(self, seed: int | None = None) -> list[tuple[Any, ...]]:
        """The cases of this seed (a fresh one without), as plain data."""
        cases = [tuple(case) for case in self.cases(np.random.default_rng(seed))]
        return [tuple(case) for case in loads(dumps(cases))]

    def check(self, names: dict[str, Any], seed: int | None = None) -> Verdict:
        """Probe these names and judge them, in this process."""
        cases = self.draw(seed)
        return self.verdict(run(self.probe, names, cases), cases)

    def verdict(self, outcomes: Sequence[dict[str, Any]], cases: Sequence[tuple[Any, ...]]) -> Verdict:
        """Judge what `run` brought back for these cases. The outcomes may come from anywhere: they are only looked at."""
        if len(outcomes) != len(cases) or not all(isinstance(o, dict) and o for o in outcomes):
            return Verdict(self.id, {"": Part("wrong", "the probe was disturbed")})
        # Which parts there are is asked here, of the reference: an attempt must not add or drop one.
        asked = run(self.probe, self.reference or {}, cases)
        parts: dict[str, Part] = {}
        would: dict[str, Any] = {}  # what each mistake would have brought: found out once, when first asked for
        for name in asked[0]:
            got = [outcome.get(name, outcome.get("", {"error": "no answer"})) for outcome in outcomes]
            parts[name] = self._part(name, got, [right[name] for right in asked], cases, would)
        return Verdict(self.id, parts)

    def _part(
        self, name: str, got: list[Any], right: list[Any], cases: Sequence[tuple[Any, ...]], would: dict[str, Any]
    ) -> Part:
        def at(case: tuple[Any, ...]) -> str:
            handed = self.called[name](*case) if name in self.called else case if hasattr(self.probe, "source") else ()
            call = f"{name}({', '.join(map(show, handed))}): "
            return call if handed and name and len(call) <= 120 else f"{name}: " if name else ""

        judge = self.judge.get(name) if isinstance(self.judge, dict) else self.judge
        if any("todo" in outcome for outcome in got):
            return Part("todo", f"{name or 'this'} is not written yet")
        if missing := next((o["missing"] for o in got if "missing" in o), None):
            return Part("wrong", f"there is no name {missing!r} yet; did the cell above run?")
        found = ""
        for index, (outcome, case) in enumerate(zip(got, cases)):
            if "value" not in outcome:
                found = f"{at(case)}{outcome.get('error', 'no answer')}"
            elif self.quiet and "warned" in outcome:
                found = f"{at(case)}NumPy warned: {outcome['warned']}"
            elif judge is not None:
                found = self._judged(judge, outcome["value"], case)
            else:
                problem = difference(right[index]["value"], outcome["value"], self.rtol, self.atol)
                found = at(case) + problem if problem else ""
            if found:
                break
        else:
            return Part("correct")
        mistake = next((m for m in self.mistakes if m.key == found), None) or self._recognise(name, got, cases, would)
        if mistake is None:
            return Part("wrong", found)
        return Part("wrong", mistake.say if found == mistake.key else f"{found}\n{mistake.say}", mistake.key)

    def _judged(self, judge: Callable[..., str | None], answer: Any, case: tuple[Any, ...]) -> str:
        """What `judge` says, or that the answer was not of a kind that it can look at."""
        if not finite(answer):  # every comparison with nan is false, so a judge would find nothing to object to
            return f"the answer contains nan or infinity: {show(answer)}"
        try:
            return judge(answer, *case) or ""
        except Exception as error:  # an answer of another kind than the judge looks for
            return f"the answer has not the form that was asked for ({type(error).__name__}: {error}); got {show(answer)}"

    def _recognise(
        self, name: str, got: list[Any], cases: Sequence[tuple[Any, ...]], would: dict[str, Any]
    ) -> Mistake | None:
        """The first known mistake that would have done exactly this."""
        for mistake in self.mistakes:
            if mistake.names is None:
                continue
            if mistake.key not in would:
                would[mistake.key] = run(self.probe, {**(self.reference or {}), **mistake.names}, cases)
            if all(self._alike(w.get(name, w.get("")), g) for w, g in zip(would[mistake.key], got)):
                return mistake
        return None

    def _alike(self, a: Any, b: Any) -> bool:
        if a is None or ("value" in a) != ("value" in b):
            return False
        if "value" not in a:
            return str(a.get("error")).split(":")[0] == str(b.get("error")).split(":")[0]
        if self.quiet and ("warned" in a) != ("warned" in b):
            return False
        return not difference(a["value"], b["value"], self.rtol, self.atol)


@cache
def exercises() -> dict[str, Exercise]:
    """Every exercise by its id, in the order of the lessons. Raises CourseError if two share an id."""
    found: dict[str, Exercise] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Exercise):
                if value.id in found:
                    raise CourseError(f"two exercises are called {value.id}.")
                found[value.id] = value
    return found


def find(id: str) -> Exercise:
    """The exercise with this id. Raises CourseError, naming those near it, if there is none."""
    import difflib

    if id in exercises():
        return exercises()[id]
    near = difflib.get_close_matches(str(id), exercises(), 3) or list(exercises())[:3]
    raise CourseError(f"there is no exercise {id!r}; did you mean {' or '.join(near)}?")
