"""Grade one submission: its cells run in a sandbox, the answers are judged here, where the submission cannot reach.

A cell or probe that hangs or kills its process costs what it belongs to and nothing else: the submission runs again
without it. What comes out of the sandbox is data, looked at and never executed; all that a forger can send is what a
right answer would have computed for inputs that were not known before.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .exercises import find
from .probe import dumps, loads, source_of
from .sandbox import Broken, Child, Limits, Sandbox
from .submission import Assignment, Refused, read_submission, steps

__all__ = ["Task", "cases_for", "grade", "run"]

JUDGING = 60.0  # seconds for one verdict; what came may be large
_ONE = threading.Lock()  # verdicts redirect stdout and catch warnings, which threads share


@dataclass(frozen=True)
class Task:
    """All that is needed to grade one submission, on this machine or another."""

    assignment: Assignment
    student: str
    cells: list[dict[str, str]]
    digest: str
    cases: dict[str, str]


def cases_for(assignment: Assignment, secret: bytes) -> dict[str, str]:
    """The inputs of each exercise, as text: the same for the whole class, drawn by the instructor's secret."""
    drawn = {}
    for item in assignment.checks:
        digest = hmac.digest(secret, f"{assignment.name}/{item.exercise}".encode(), "sha256")
        drawn[item.exercise] = dumps(find(item.exercise).draw(int.from_bytes(digest[:6], "big")))
    return drawn


@dataclass
class Ran:
    """What came back: answers as text by exercise, what went wrong by step, which steps were stopped, why all ended."""

    answers: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    cut: str = ""


def run(work: Sequence[dict[str, Any]], cases: dict[str, str], sandbox: Sandbox) -> Ran:
    """Run cells and probes. Whatever does not come back within the limits is left out, and the rest runs again."""
    ran, end = Ran(), time.monotonic() + sandbox.limits.wall
    while True:
        gone = ran.stopped | ran.answers.keys()  # a cell is never called like an exercise
        todo = [step for step in work if step["name"] not in gone]
        if not any(step["probe"] for step in todo):
            return ran
        step, why = _once(todo, cases, sandbox, end, ran)
        if not step:
            ran.cut = why
            return ran
        ran.problems[step] = why
        ran.stopped.add(step)
        if time.monotonic() > end:
            ran.cut = f"over the limit of {sandbox.limits.wall:g} s for a submission"
            return ran


def _once(
    todo: Sequence[dict[str, Any]], cases: dict[str, str], sandbox: Sandbox, end: float, ran: Ran
) -> tuple[str, str]:
    """One run in one child, into `ran`. Return the step it ended in and why; ("", "") if it reached the end."""
    limits, mark, step, rest = sandbox.limits, secrets.token_hex(8), "", b""
    known = {s["name"] for s in todo}
    rlimits = {"AS": limits.memory, "NPROC": limits.processes, "FSIZE": limits.disk, "NOFILE": 256, "CORE": 0}
    job = {"mark": mark, "seconds": limits.cell, "steps": todo, "limits": rlimits, "jailed": sandbox.way != "trust"}
    with sandbox.start() as child:
        try:
            child.send(json.dumps(job).encode() + b"\n")
            until = time.monotonic() + limits.cell + 20
            while data := child.read(min(until, end)):
                *whole, rest = (rest + data).split(b"\n")
                for kind, name, text in (_record(line, mark) for line in whole):
                    if kind == "done":
                        return "", ""
                    if name not in known:
                        continue
                    if kind == "begin":
                        step, until = name, time.monotonic() + 3 * limits.cell + 1
                    elif kind == "ask":
                        child.send(cases.get(name, "[]").encode() + b"\n")
                    elif kind == "answer":
                        ran.answers.setdefault(name, text)
                    elif kind == "problem":
                        ran.problems.setdefault(name, clean(text))
                    elif kind == "late":
                        ran.problems[name] = f"{clean(text, 80)}: no answer within the limits of time and memory"
                        ran.stopped.add(name)
                    elif kind == "looked" and name not in ran.answers:
                        ran.problems[name] = "no answer within the limits of time and memory"
                        ran.stopped.add(name)
            ended = _ended(child, limits)
            return step, ended if step else f"the sandbox did not start: {child.errors()[-300:] or ended}"
        except Broken as broken:
            return step, f"over the {broken}" if "limit" in str(broken) else str(broken)


def _ended(child: Child, limits: Limits) -> str:
    """Say how a child ended that did not say goodbye."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        number = child.process.wait(2)
        number = -number if number < 0 else number - 128  # bubblewrap adds 128 to a signal
        if number == signal.SIGXCPU:
            return f"over the limit of {limits.cell:g} s of computing"
        if number > 0:
            return (
                f"its process was ended by {signal.Signals(number).name}"
                if number in set(signal.Signals)
                else "its process ended"
            )
    return "its process ended before the end of the notebook"


def _record(line: bytes, mark: str) -> tuple[str, str, str]:
    """(kind, name of a step, text) of a line that carries the mark; ("", "", "") for anything else."""
    try:
        parts = json.loads(line[len(mark) :]) if line.startswith(mark.encode()) else []
    except (ValueError, RecursionError):
        parts = []
    good = isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts)
    return (parts[0], parts[1], parts[2]) if good else ("", "", "")


def clean(text: str, limit: int = 400) -> str:
    """A stranger's text for a terminal, a table or a page: one line, no control characters, not long."""
    text = " ".join(
        re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", " ", text).split()
    )
    return text if len(text) <= limit else text[: limit - 1] + "…"


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when what runs in here takes longer; in a thread, where no signal comes, it is not watched."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"judging took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def verdict(exercise: str, answer: str | None, cases: str, problem: str = "") -> dict[str, Any]:
    """Judge one answer: {state, share, parts: {name: [state, text]}}."""
    nothing = {"state": "wrong", "share": 0.0}
    if answer is None:
        return nothing | {"parts": {"": ["wrong", problem or "the submission ended before this check"]}}
    record = find(exercise)
    try:
        outcomes = loads(answer)
        asked = [tuple(case) for case in loads(cases)]
        with _ONE, at_most(JUDGING):
            result = record.verdict(outcomes, asked)
        parts = {clean(name, 80): [part.state, clean(part.text)] for name, part in result.parts.items()}
        return {"state": result.state, "share": float(result.share), "parts": parts}
    except Exception as error:  # data that no probe sends: whoever made them up gets nothing for it
        said = f"the answer cannot be judged ({clean(type(error).__name__)})"
        return nothing | {"parts": {"": ["wrong", said]}}


def grade(task: Task, sandbox: Sandbox) -> dict[str, Any]:
    """Run and judge one submission; return its result as plain data."""
    begin = time.monotonic()
    work = steps(task.assignment, task.cells)
    for step in work:
        if step["probe"]:
            step["source"] = source_of(find(step["name"]).probe)
    ran = run(work, task.cases, sandbox)
    judged = {}
    for item in task.assignment.checks:
        name = item.exercise
        result = verdict(name, ran.answers.get(name), task.cases[name], ran.problems.get(name, ran.cut))
        judged[name] = result | {"points": round(item.points * result["share"], 6), "max": item.points}
    said = [*(f"{name}: {text}" for name, text in ran.problems.items()), *filter(None, [ran.cut])]
    return {
        "student": task.student, "assignment": task.assignment.name, "digest": task.digest,
        "status": "stopped" if ran.stopped or ran.cut else "error" if ran.problems else "ok",
        "reason": clean("; ".join(said)), "exercises": judged, "problems": ran.problems,
        "seconds": round(time.monotonic() - begin, 3),
    }  # fmt: skip


def refused(assignment: Assignment, student: str, error: Refused) -> dict[str, Any]:
    """The result of a submission that cannot be run."""
    nothing = {
        "state": "wrong",
        "share": 0.0,
        "points": 0.0,
        "parts": {"": ["wrong", error.reason]},
    }
    judged = {item.exercise: nothing | {"max": item.points} for item in assignment.checks}
    return {
        "student": student, "assignment": assignment.name, "digest": "", "status": error.status,
        "reason": clean(error.reason), "exercises": judged, "problems": {}, "seconds": 0.0,
    }  # fmt: skip


def task_for(assignment: Assignment, student: str, submitted: Path, cases: dict[str, str]) -> Task:
    """Read a submission and the rules it is judged by. Raises Refused if it cannot be read."""
    cells, digest = read_submission(submitted, student, assignment.name)
    return Task(assignment, student, cells, fingerprint(digest, assignment, cases), cases)


def fingerprint(digest: str, assignment: Assignment, cases: dict[str, str]) -> str:
    """What a result depends on: the file, the assignment, the inputs, and nnlib itself."""
    parts = [
        digest,
        json.dumps(assignment.notebook, sort_keys=True),
        json.dumps(cases, sort_keys=True),
        sources(),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def sources() -> str:
    """A hash of this nnlib."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(package.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
