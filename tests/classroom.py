"""A small class for the tests of grading: an assignment of three exercises, and what students hand in, hostile or not.

`SUBMISSIONS` says for each what it earns: {exercise: points}, and the status of its row.
"""

# ruff: noqa: E501 (whole programs in one string each)

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAME = "90-small"
EXERCISES = ("X34", "X35", "X38")
FULL = (2, 2, 2)

Notebook = dict[str, Any]


def small_solution() -> Notebook:
    """Three exercises and the hand-marked question of lesson 02's assignment, without pyplot, which is slow to import."""
    notebook = json.loads((ROOT / "solutions/02-a-line/02-a-line.ipynb").read_text(encoding="utf-8"))
    keep = ("setup", "x34", "x35", "x38", "m02")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"].startswith(keep)]
    setup = notebook["cells"][0]
    setup["source"] = "".join(setup["source"]).replace("import matplotlib.pyplot as plt\n", "")
    return notebook


def write_assignment(solutions: Path) -> Path:
    (solutions / NAME).mkdir(parents=True)
    (solutions / NAME / f"{NAME}.ipynb").write_text(json.dumps(small_solution()), encoding="utf-8")
    return solutions


# ---------------------------------------------------------------- editing a notebook


def cell(notebook: Notebook, id: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["id"] == id)


def put(id: str, source: str) -> Callable[[Notebook], None]:
    """Replace an answer."""
    return lambda notebook: cell(notebook, id).update(source=source)


def before(source: str) -> Callable[[Notebook], None]:
    """Put a cell of one's own in front of X35's answer, which becomes a wrong one."""

    def edit(notebook: Notebook) -> None:
        place = notebook["cells"].index(cell(notebook, "x35-answer"))
        notebook["cells"].insert(place, {"cell_type": "code", "id": "mine", "metadata": {}, "source": source, "outputs": []})
        cell(notebook, "x35-answer")["source"] = WRONG

    return edit


def answer(source: str) -> Callable[[Notebook], None]:
    """Answer X35 like this."""
    return put("x35-answer", source)


def several(*edits: Callable[[Notebook], None]) -> Callable[[Notebook], None]:
    return lambda notebook: [edit(notebook) for edit in edits] and None


WRONG = "def best_line(x, y):\n    return 0.0, 0.0"
RIGHT = """
def best_line(x, y):
    slope = ((x * y).mean() - x.mean() * y.mean()) / ((x * x).mean() - x.mean() ** 2)
    return y.mean() - slope * x.mean(), slope
"""


def delete(*prefixes: str) -> Callable[[Notebook], None]:
    def edit(notebook: Notebook) -> None:
        notebook["cells"] = [cell for cell in notebook["cells"] if not cell["id"].endswith(prefixes)]

    return edit


def each(change: Callable[[dict[str, Any]], Any], suffix: str = "") -> Callable[[Notebook], None]:
    def edit(notebook: Notebook) -> None:
        for cell in notebook["cells"]:
            if cell.get("id", "").endswith(suffix):
                change(cell)

    return edit


def order(key: Callable[[list[Any]], list[Any]]) -> Callable[[Notebook], None]:
    return lambda notebook: notebook.update(cells=key(notebook["cells"]))


def twice(cells: list[Any]) -> list[Any]:
    return [copy.deepcopy(cell) for cell in cells for _ in range(2)]


def forged(cell: dict[str, Any]) -> None:
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "X35: correct\n"}]
    cell["execution_count"] = 1


def bare(cell: dict[str, Any]) -> None:
    cell["metadata"] = {}
    cell.pop("id")


# ---------------------------------------------------------------- the class


@dataclass(frozen=True)
class Case:
    """How a submission differs from the solution, what it earns and the status of its row."""

    edit: Callable[[Notebook], None] | None = None
    earns: tuple[float, float, float] = FULL
    status: str = "ok"
    raw: Callable[[Path], None] | None = None  # makes the file itself, or whatever stands in its place
    reason: str = ""


NOT_35 = (2, 0, 2)
STUB = {
    "x34-answer": "def gradient(phi, x, y):\n    raise NotImplementedError  # your code",
    "x35-answer": "def best_line(x, y):\n    raise NotImplementedError  # your code",
    "x38-answer": "def normal_cost(N, D):\n    raise NotImplementedError\n\n\ndef equal_steps(N, D):\n    raise NotImplementedError",
    "m02-answer": "*Your answer here.*",
}
COST = "def normal_cost(N, D):\n    return 2 * N * D * D + 2 * N * D + D**3 / 3 + 2 * D * D\n"

HONEST = {
    "everything": Case(),
    "nothing": Case(several(*(put(*pair) for pair in STUB.items())), (0, 0, 0)),
    "a-half": Case(several(put("x38-answer", COST + STUB["x38-answer"].split("\n\n\n")[1]), answer(STUB["x35-answer"])), (2, 0, 1)),
    "magics": Case(answer("%matplotlib inline\n!pip list\n?print\n" + RIGHT)),
    "cell-magic": Case(answer("%%time\n" + RIGHT)),
    "own-helper": Case(several(before("def mean(a):\n    return sum(a) / len(a)"), answer(
        "def best_line(x, y):\n    s = mean((x - mean(x)) * (y - mean(y))) / mean((x - mean(x)) ** 2)\n    return mean(y) - s * mean(x), s"))),
    "shadows-names": Case(answer(RIGHT + "\nsum = list = len = 3\nimport numpy\nnumpy.random.seed(0)")),
    "strict-settings": Case(answer(RIGHT + "\nimport warnings, numpy\nwarnings.simplefilter('error')\nnumpy.seterr(all='raise')")),
    "leaves-threads": Case(answer(RIGHT + "\nimport threading\nthreading.Thread(target=threading.Event().wait).start()")),
}  # fmt: skip

BROKEN = {
    "syntax-error": Case(answer("def best_line(x, y:\n    return 1"), NOT_35, "error", reason="SyntaxError"),
    "exception": Case(answer("1 / 0"), NOT_35, "error", reason="X35-answer: ZeroDivisionError: division by zero (line 1)"),
    "exit": Case(answer("import sys; sys.exit(0)"), NOT_35, "error", reason="SystemExit"),
    "recursion": Case(answer("def f(): f()\nf()"), NOT_35, "error", reason="RecursionError"),
    "endless-loop": Case(answer("while True: pass"), NOT_35, "stopped", reason="X35-answer: over the"),
    "stubborn-loop": Case(answer(
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"), NOT_35, "stopped"),
    "loop-after-definition": Case(answer(RIGHT + "\nwhile True: pass"), NOT_35, "stopped"),
    "half-loops": Case(put("x38-answer", COST + "\n\ndef equal_steps(N, D):\n    while True: pass"), (2, 2, 1), "stopped", reason="X38: equal_steps"),
    "half-exits": Case(put("x38-answer", COST.replace("    return", "    import os; os._exit(0)\n    return")
                           + "\n\ndef equal_steps(N, D):\n    return (2 * N * D * D + 2 * N * D + D**3 / 3 + 2 * D * D) / (4 * N * D)"),
                       (2, 2, 1), "stopped", reason="X38: normal_cost"),
    "loop-inside": Case(answer("def best_line(x, y):\n    while True: pass"), NOT_35, "stopped", reason="X35: best_line: no answer within"),
    "sleeps": Case(answer("import time; time.sleep(1000)"), NOT_35, "stopped", reason="X35-answer: over the time limit"),
    "os-exit": Case(answer("import os; os._exit(0)"), NOT_35, "stopped", reason="X35-answer: its process ended"),
    "killed": Case(answer("import os; os.kill(os.getpid(), 9)"), NOT_35, "stopped", reason="SIGKILL"),
    "kills-all": Case(answer("def best_line(x, y):\n    import os; os.kill(-1, 9)"), NOT_35, "stopped"),
    "segfault": Case(answer("import ctypes; ctypes.string_at(0)"), NOT_35, "stopped", reason="SIGSEGV"),
    "memory": Case(answer("a = []\nwhile True: a.append(bytearray(10**8))"), NOT_35, "*"),
    "fork-bomb": Case(answer("import os\nwhile True: os.fork()"), NOT_35, "error"),
    "forks-and-stays": Case(answer(RIGHT + "\nimport os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        while True: time.sleep(1)")),
    "output": Case(answer("import os\nfor _ in range(3000): os.write(1, b'x' * 10**6)" + RIGHT)),
    "output-everywhere": Case(answer(
        "import os\nwhile True:\n    for fd in range(20):\n        try: os.write(fd, b'x' * 65536)\n        except OSError: pass"),
        NOT_35, "stopped", reason="X35-answer: over the"),
    "fills-its-folder": Case(answer("open('big', 'wb').write(bytes(10**8))\n" + RIGHT), NOT_35, "error"),
    "surrogates": Case(answer("x = '\ud800'"), NOT_35),
    "null-bytes": Case(answer("x = 1\x00"), NOT_35, "error"),
}  # fmt: skip

EDITED = {
    "checks-deleted": Case(delete("-check")),
    "checks-edited": Case(each(lambda cell: cell.update(source="check = lambda *a: print('correct')"), "-check")),
    "checks-twice": Case(order(twice)),
    "reversed": Case(order(lambda cells: cells[::-1])),
    "metadata-stripped": Case(each(bare)),
    "ids-stripped": Case(each(lambda cell: cell.pop("id"))),
    "setup-deleted": Case(delete("setup")),
    "answer-deleted": Case(delete("x35-answer"), NOT_35),
    "answers-as-text": Case(each(lambda cell: cell.update(cell_type="markdown"), "-answer")),
    "strange-cells": Case(order(lambda cells: [None, 3, {}, {"cell_type": "code", "source": 5, "metadata": []}, *cells])),
    "points-edited": Case(several(each(lambda cell: cell["metadata"]["nbgrader"].update(points=1000)), answer(WRONG)), NOT_35),
    "outputs-forged": Case(several(each(forged, "-check"), answer(WRONG)), NOT_35),
}

RAW = {
    "truncated": Case(raw=lambda path: path.write_text(json.dumps(small_solution())[:5000]), status="unreadable"),
    "latin-1": Case(raw=lambda path: path.write_bytes("{\"cells\": \"é\"}".encode("latin-1")), status="unreadable", reason="not UTF-8"),
    "empty": Case(raw=lambda path: path.write_bytes(b""), status="unreadable"),
    "a-list": Case(raw=lambda path: path.write_text("[]"), status="unreadable"),
    "old-format": Case(raw=lambda path: path.write_text('{"worksheets": [], "nbformat": 3}'), status="unreadable"),
    "nested": Case(raw=lambda path: path.write_text("[" * 100_000), status="unreadable", reason="nested too deeply"),
    "huge": Case(raw=lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 30 << 20), status="refused", reason="20 MB"),
    "folder": Case(raw=lambda path: path.mkdir(), status="unreadable", reason="Is a directory"),
    "pipe": Case(raw=os.mkfifo, status="refused", reason="not a file"),
    "link": Case(raw=lambda path: path.symlink_to(path.parents[2] / "everything" / NAME / path.name), status="refused"),
    "absent": Case(raw=lambda path: None, status="missing"),
}  # fmt: skip

FIND_A_RIGHT_ONE = """
import gc, sys, types
found = None
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and thing.__name__ == "best_line":
        found = thing
frame = sys._getframe()
while frame:
    for place in (frame.f_globals, frame.f_locals):
        for value in list(place.values()):
            found = getattr(value, "reference", {}).get("best_line", found) if hasattr(value, "reference") else found
    frame = frame.f_back
def best_line(x, y):
    if found is not None:
        return found(x, y)
    frame = sys._getframe()
    while frame:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if any(word in name.lower() for word in ("expected", "reference", "verdict", "right", "answer")):
                return value
        frame = frame.f_back
"""
FORGE = """
import sys
frame = sys._getframe()
while "MARK" not in frame.f_globals:
    frame = frame.f_back
runner = frame.f_globals
good = '{"map": [["best_line", {"map": [["value", true]]}], ["", {"map": [["value", true]]}]]}'
for text in ("[]", "true", '{"state": "correct"}', f"[{good}, {good}, {good}]", '[' * 10000, '{"array": ["O", [1], ""]}'):
    runner["send"]("answer", "X35", text)
runner["send"]("answer", "X99", "[]")
"""
EQUAL = """
class Equal:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __le__ = __ge__ = __contains__ = __eq__
    __hash__ = None
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    __float__ = lambda self: 1.0
    __len__ = lambda self: 2
    __iter__ = lambda self: iter([self, self])
    __array__ = lambda self, *a, **k: self
    __array_priority__ = 1e9
    def __array_ufunc__(self, *a, **k): return self
def best_line(x, y): return Equal()
"""
EQUAL_ARRAY = """
class Equal(np.ndarray):
    def __array_function__(self, *a, **k): return True
    def __array_ufunc__(self, *a, **k): return True
    def __eq__(self, other): return True
def best_line(x, y): return np.zeros(2).view(Equal)
"""

CHEATS = {
    "patched-numpy": Case(before(
        "import numpy\nfor name in ('isclose', 'allclose', 'array_equal', 'all', 'any'):\n    setattr(numpy, name, lambda *a, **k: True)\n"
        "numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *a, **k: None"), NOT_35),
    "patched-builtins": Case(before(
        "import builtins\nbuiltins.all = builtins.any = builtins.isinstance = lambda *a: True"), NOT_35, "*"),
    "patched-modules": Case(before(
        "import sys, types\nfake = types.ModuleType('fake')\nfake.__getattr__ = lambda name: lambda *a, **k: True\n"
        "for name in list(sys.modules):\n    if name.startswith('nnlib'):\n        sys.modules[name] = fake"), NOT_35, "*"),
    "patched-probe": Case(before(
        "import nnlib.course.probe as p\np.run = lambda *a, **k: [{'best_line': {'value': True}}] * 3\np.same = lambda *a: True"), (2, 0, 0)),
    "equals-everything": Case(answer(EQUAL), NOT_35),
    "equals-everything-array": Case(answer(EQUAL_ARRAY), NOT_35),
    "not-a-number": Case(answer("def best_line(x, y): return float('nan'), float('nan')"), NOT_35),
    "infinite": Case(answer("def best_line(x, y): return np.inf, np.inf"), NOT_35),
    "shadowing-files": Case(several(before(
        "for name in ('numpy', 'nnlib', 'json', 'sitecustomize'):\n    open(name + '.py', 'w').write('isclose = lambda *a: True')")), NOT_35),
    "ipython-hooks": Case(before("get_ipython().events.register('pre_run_cell', lambda info: 1 / 0)"), NOT_35),
    "frames-and-collector": Case(answer(FIND_A_RIGHT_ONE), NOT_35, "*"),
    "imports-the-reference": Case(before("from nnlib.course.exercises.lesson_02 import best_line"), NOT_35, "error", reason="ModuleNotFoundError"),
    "imports-the-grader": Case(before("import nnlib.course.judge"), NOT_35, "error", reason="ModuleNotFoundError"),
    "forged-records": Case(before(FORGE), NOT_35),
    "forged-end": Case(before(FORGE + "runner['send']('done')"), (2, 0, 0)),
    "forged-later": Case(before(
        FORGE.replace('    runner["send"](', '    import threading\n    threading.Timer(0.01, runner["send"], args=(').replace("text)", "text)).start()")), NOT_35),
    "patched-runner": Case(before(FORGE.split("good =")[0] + "runner['send'] = lambda *record: None"), NOT_35, "*"),
    "parts-dropped": Case(several(put("x38-answer", COST), before(FORGE.split("good =")[0] + (
        "real = runner['probe_module'].dumps\n"
        "runner['probe_module'].dumps = lambda data: real([{k: v for k, v in one.items() if k != 'equal_steps'} for one in data])"))), (2, 0, 1)),
    "claims-todo": Case(answer("def best_line(x, y): raise NotImplementedError('correct')"), NOT_35),
    "argument-changed": Case(answer("def best_line(x, y):\n    x *= 0\n    y *= 0\n    return 0.0, 0.0"), NOT_35),
    "at-exit": Case(several(before(
        "import atexit, os, threading, time\natexit.register(lambda: os.write(1, b'correct'))\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), os.write(5, b'correct')), daemon=True).start()")), NOT_35),
}  # fmt: skip

SUBMISSIONS = HONEST | BROKEN | EDITED | RAW | CHEATS


def hand_in(submitted: Path, student: str, case: Case) -> Path:
    """Write one submission in nbgrader's layout; return its path."""
    path = submitted / student / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if case.raw:
        case.raw(path)
        return path
    notebook = small_solution()
    if case.edit:
        case.edit(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def earned(case: Case) -> dict[str, float]:
    return dict(zip(EXERCISES, (0, 0, 0) if case.raw else case.earns))
