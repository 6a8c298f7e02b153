"""Every exercise is proved by right answers and by mutants; exercises/ is what solutions/ say; nothing leaks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnlib.course.assignments import REGION, assignments, release, stub
from nnlib.course.check import section
from nnlib.course.exercises import Exercise, Mistake, exercises
from nnlib.course.lessons import cells_of, joined, lesson_paths, load, read_notebook
from nnlib.course.probe import My, Todo, calls, dumps, loads, run, source_of, values
from nnlib.course.store import dumps as notebook_bytes
from tests.proof import Answers, answers, names_of, prove

ROOT = Path(__file__).resolve().parents[1]
RECORDS = exercises()
SOLUTIONS = [solution for solution, _ in assignments(ROOT)]
LESSONS = {path.name[:2]: path for path in lesson_paths(ROOT / "notebooks")}
COUNT = 98  # exercises there are; to be raised, never lowered


def test_none_is_missing() -> None:
    assert len(RECORDS) >= COUNT
    assert f"{len(RECORDS)} exercises" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert answers().keys() == RECORDS.keys(), "each record has a solution, each solution a record"


@pytest.mark.parametrize("id", RECORDS)
def test_proved(id: str) -> None:
    assert prove(RECORDS[id], answers()[id]) == []


@pytest.mark.parametrize("id", RECORDS)
def test_record(id: str) -> None:
    """Its pointers lead somewhere, its hints and mistakes are there."""
    exercise = RECORDS[id]
    assert exercise.hints and exercise.points > 0
    for cell in [exercise.cell, *filter(None, (m.cell for m in exercise.mistakes))]:
        lesson, _, name = cell.rpartition("#")
        assert load(LESSONS[lesson or exercise.lesson]).cell(name), f"{id}: no cell {cell}"
        assert "“" in section(exercise, cell), f"{id}: {cell} stands below no heading"
    keys = [mistake.key for mistake in exercise.mistakes]
    assert len(set(keys)) == len(keys) >= 1
    for mistake in exercise.mistakes:
        assert re.fullmatch(r"[a-z0-9-]+", mistake.key) and mistake.say.endswith((".", "?")), mistake


@pytest.mark.parametrize("id", RECORDS)
def test_the_probe_stands_alone(id: str) -> None:
    """What is sent into the sandbox is the probe's text: it must work there, among its own module's names only."""
    exercise, given = RECORDS[id], answers()[id]
    names: dict = {}
    prelude = "import numpy as np\nimport nnlib as nn\nfrom nnlib.course.probe import *\n"
    exec(prelude + source_of(exercise.probe), names)
    mine = names_of(given.reference, given.before)
    cases = exercise.draw(3)
    there = loads(dumps(run(names["probe"], mine, loads(dumps(cases)))))
    assert exercise.verdict(there, [tuple(case) for case in cases]).state == "correct"
    blank = run(exercise.probe, {}, cases)
    assert [outcome.keys() for outcome in blank] == [outcome.keys() for outcome in there], "a part hides behind another"


@pytest.mark.parametrize("id", [id for id, e in RECORDS.items() if getattr(e.probe, "source", "").startswith("values")])
def test_a_message_does_not_tell_the_answer(id: str) -> None:
    exercise = RECORDS[id]
    wrong = {name: np.asarray(value) * 0 + 12345.678 for name, value in (exercise.reference or {}).items()}
    text = " ".join(part.text for part in exercise.check(wrong).parts.values())
    for value in (exercise.reference or {}).values():
        for number in np.ravel(value):
            assert f"{number:.5g}" not in text or float(number).is_integer()


def test_a_broken_check_is_found_out() -> None:
    """The proof itself must fail for a check that accepts anything, that accepts nothing, that diagnoses wrongly."""
    honest = Exercise(
        "X00", "Twice", "02", "title", calls("twice"), ["Double it."], reference={"twice": lambda x: 2 * x},
        cases=lambda rng: [(x,) for x in rng.normal(size=3)],
        mistakes=[Mistake("square", "Squared.", {"twice": lambda x: x**2})],
    )  # fmt: skip
    body = "def twice(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION\n"
    given = Answers(
        [], body,
        {"loop": "def twice(x):\n    return sum(x for _ in range(2))\n",
         "product": "def twice(x):\n    return 2 * x\n"},
        {"square": "twice = lambda x: x * x\n", "~half": "twice = lambda x: x / 2\n", "~none": "def twice(x): pass\n"},
    )  # fmt: skip
    assert prove(honest, given) == []
    accepts_anything = replace(honest, judge=lambda answer, *case: None)
    assert sum("mutant" in problem for problem in prove(accepts_anything, given)) >= 3
    accepts_nothing = replace(honest, judge=lambda answer, *case: "no")
    assert sum("right answer" in problem for problem in prove(accepts_nothing, given)) == 3
    blind = replace(honest, mistakes=[Mistake("square", "Squared.", {"twice": lambda x: x**3})])
    assert any("not recognised" in problem for problem in prove(blind, given))
    hasty = replace(honest, mistakes=[*honest.mistakes, Mistake("half", "Halved.", {"twice": lambda x: x / 2})])
    assert any("is taken for" in problem for problem in prove(hasty, given))
    no_stub = replace(given, reference="twice = lambda x: 2 * x\n")
    assert any("stub" in problem for problem in prove(honest, no_stub))
    poor = replace(given, alternatives={}, mutants={})
    assert {"0 alternatives, at least 2", "0 mutants, at least 3"} <= set(prove(honest, poor))
    twins = {"a": "def twice(a):\n    return a + a\n", "b": "def twice(b):\n    return 2 * b\n"}
    twin = replace(given, alternatives=twins)
    assert any("same syntax tree" in problem for problem in prove(honest, replace(twin, reference=body)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, [1.0, np.nan], np.array([1.0, -np.inf]), {"a": [np.nan]}])
def test_no_judge_takes_nan_for_right(bad: object) -> None:
    """`abs(x - y) > tolerance` is false for nan: such a judge objects to nothing."""
    small = lambda x: "large" if np.max(x) > 1 else None
    hole = Exercise("X00", "Small", "02", "title", values("x"), ["?"], judge=small)
    assert hole.check({"x": 0.5}).state == "correct"
    assert "nan or infinity" in hole.check({"x": bad}).parts["x"].text


# ------------------------------------------------------------------- the notebooks


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_exercises_are_what_the_solutions_say(solution: Path) -> None:
    exercise = ROOT / "exercises" / solution.parent.name / solution.name
    fresh = notebook_bytes(release(read_notebook(solution)))
    assert exercise.read_bytes() == fresh, "python -m nnlib.course.assignments"


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_markup(solution: Path) -> None:
    """Each exercise: a statement, an answer, and a check whose id and points are the record's."""
    notebook = read_notebook(solution)
    assert solution.stem in {path.stem for path in LESSONS.values()}, "an assignment is named like its lesson"
    roles = [(cell["id"], cell["metadata"].get("nbgrader"), joined(cell["source"])) for cell in notebook["cells"]]
    assert all(role for _, role, _ in roles), "every cell has nbgrader's metadata"
    checks = [(role, source) for _, role, source in roles if role["grade"] and not role["solution"]]
    wanted = [(e.id, e.points) for e in RECORDS.values() if e.lesson == solution.stem[:2]]
    assert [(role["grade_id"], role["points"]) for role, _ in checks] == wanted or sorted(
        (role["grade_id"], role["points"]) for role, _ in checks
    ) == sorted(wanted)
    assert all(role["locked"] and source == f'check("{role["grade_id"]}")' for role, source in checks)
    ids = [id for id, _, _ in roles]
    for id, _ in wanted:
        place = ids.index(f"{id.lower()}-check")
        assert f"{id.lower()}-task" in ids[:place] and f"{id.lower()}-answer" in ids[:place]
        assert f"## {id} {RECORDS[id].title}" in roles[ids.index(f"{id.lower()}-task")][2]


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_nothing_leaks(solution: Path) -> None:
    exercise = ROOT / "exercises" / solution.parent.name / solution.name
    text = exercise.read_text(encoding="utf-8")
    notebook = read_notebook(exercise)
    assert "SOLUTION" not in text and "HIDDEN" not in text and not re.search(r"\d\d:\d\d:\d\d", text)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])
    assert all(cell["metadata"].keys() <= {"nbgrader", "tags"} for cell in notebook["cells"])
    everything = "\n".join(joined(cell["source"]) for cell in notebook["cells"])
    for cell in cells_of(read_notebook(solution)):
        given = REGION.sub("", cell.source + "\n")
        for region in REGION.finditer(cell.source + "\n"):
            for line in map(str.strip, region[2].splitlines()):
                if len(line) > 25 and line not in given:
                    assert line not in everything, f"{cell.id}: {line}"
        if cell.kind == "markdown" and cell.id.endswith("-answer"):
            assert cell.source not in everything


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda path: path.stem)
def test_unsolved_says_not_attempted(solution: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run All on what a learner opens: every check says "not attempted", none "correct"."""
    from nnlib.course.check import NotYet

    names: dict = {"__name__": "__main__"}
    said = []
    for cell in cells_of(read_notebook(ROOT / "exercises" / solution.parent.name / solution.name)):
        if cell.kind == "code":
            try:
                exec(compile(cell.source, cell.id, "exec"), names)
            except NotYet as error:
                said.append(str(error))
    wanted = [e.id for e in RECORDS.values() if e.lesson == solution.stem[:2]]
    assert sorted(said) == sorted(f"{id}: not attempted" for id in wanted)
    assert "correct" not in capsys.readouterr().out


@pytest.mark.parametrize("number", LESSONS)
def test_objectives_lead_to_exercises(number: str) -> None:
    """Each exercise of a lesson is linked where the lesson says what one will be able to do."""
    path = LESSONS[number]
    (goals,) = [c for c in cells_of(read_notebook(path)) if "## What you will be able to do" in c.source]
    wanted = {f"[{e.id}](../exercises/{path.stem}/{path.stem}.ipynb)" for e in RECORDS.values() if e.lesson == number}
    assert wanted and {link for link in wanted if link not in goals.source} == set()


def test_a_message_names_what_the_function_was_given() -> None:
    """Also where a probe of its own hands each function only a part of the case."""
    part = RECORDS["X70"].check({"offsets": lambda k: [], "reads": lambda i, k, n: []}, 0).parts["reads"]
    assert part.text.startswith("reads(0, 3, 6): expected ")
    for exercise in filter(lambda e: e.called, RECORDS.values()):
        (parts, *_) = run(exercise.probe, {}, exercise.draw(0)[:1])
        assert exercise.called.keys() <= parts.keys(), exercise.id


def test_stub() -> None:
    source = "a = 1\n### BEGIN SOLUTION\nb, (c, d) = 2, (3, 4)\ndef f(): pass\n### END SOLUTION\nprint(a)"
    assert stub(source) == "a = 1\nb = ...\nc = ...\nd = ...\nf = ...\nprint(a)"
    source = "def f(x):\n    '''Doc.'''\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    assert stub(source) == "def f(x):\n    '''Doc.'''\n    raise NotImplementedError  # your code"


# ------------------------------------------------------------------- probes


def test_outcomes_never_raise() -> None:
    def hostile(x):
        raise SystemExit(3)

    names = {"a": ..., "f": hostile, "g": lambda x: x.append(1), "h": lambda x: {"k": (1, np.float32(2.5), {3})}}
    assert run(values("a", "b"), names, [()]) == [{"a": {"todo": "a"}, "b": {"missing": "b"}}]
    (found,) = run(calls("f", "g", "h"), names, [([0],)])
    assert found["f"]["error"].startswith("SystemExit") and "in place" in found["g"]["error"]
    assert found["h"] == {"value": {"k": [1, 2.5, [3]]}}
    with pytest.raises(Todo):
        My(names).a  # noqa: B018


def test_plain_data_travel() -> None:
    data = {"a": [1, -2.5, float("inf"), None, True, "é"], "b": np.ones((2, 3), np.float32), "c": {}}
    back = loads(dumps(data))
    assert back["a"] == data["a"] and back["c"] == {}
    assert back["b"].dtype == np.float32 and (back["b"] == data["b"]).all()
    for text in ('{"x": 1}', '{"array": ["|O", [1], ""]}', '{"array": ["<f8", [2], "AA=="]}', "[", '{"float": "x"}'):
        with pytest.raises(ValueError):
            loads(text)
