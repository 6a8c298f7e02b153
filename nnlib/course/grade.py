"""Grade a class.

    python -m nnlib.course.grade 02 submitted --csv marks.csv              grade what is new, or has changed
    python -m nnlib.course.grade 02 submitted --csv marks.csv --student ada      grade one again
    python -m nnlib.course.grade 02 submitted --csv marks.csv --scheduler tcp://host:8786      on a Dask cluster

`submitted` has nbgrader's layout, STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, or the .zip files that `nnlib.course.submit`
packs. Every submission gets a row in the CSV: student_id, score, max_score, status, reason. Beside `submitted`, in the
course's folder, there are then nbgrader's gradebook.db, autograded/ and feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html.
A run that was stopped goes on where it was. docs/grading.md says the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import multiprocessing
import os
import secrets
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import CourseError, checkout, judge
from .sandbox import THREADS, Limits, Sandbox
from .store import write_atomic
from .submission import MAX_BYTES, Assignment, Refused, load, read_submission
from .submit import STUDENT

__all__ = ["main", "results"]

HIDDEN = ".grading"  # in the course's folder: the secret and the results so far


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def students(submitted: Path, roster: Iterable[dict[str, str]] = ()) -> list[str]:
    """Who submitted, and who is on the roster; in order."""
    folders = (p.name for p in submitted.iterdir() if not p.name.startswith(".") and (p.is_dir() or p.is_symlink()))
    return sorted({*folders, *(row["id"] for row in roster)})


def read_roster(path: Path) -> list[dict[str, str]]:
    """Read a CSV with the columns id (or student_id), first_name, last_name, email. Raises CourseError if not."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"the roster {path} cannot be read: {error}.") from None
    wanted = ("first_name", "last_name", "email")
    people = [
        {"id": row.get("id") or row.get("student_id") or "", **{k: row.get(k, "") for k in wanted}} for row in rows
    ]
    if not people or not all(person["id"] for person in people):
        raise CourseError(
            f"the roster {path} needs a column id, filled in every row (and may have {', '.join(wanted)})."
        )
    return people


def secret(course: Path) -> bytes:
    """The course's secret, from which an assignment's inputs are drawn; made at first use."""
    path = course / HIDDEN / "secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_bytes()


# ---------------------------------------------------------------- doing the work


def results(
    tasks: Sequence[judge.Task],
    jobs: int,
    sandbox: Sandbox | None,
    limits: Limits,
    scheduler: str = "",
    trust: bool = False,
) -> Iterator[dict[str, Any]]:
    """Grade tasks and yield their results as they come: here, in `jobs` processes, or on a Dask cluster.

    A result depends on its task alone, so the order and the number of workers do not matter.
    """
    if scheduler:
        yield from _on_cluster(tasks, scheduler, limits, trust)
    elif jobs == 1 or len(tasks) < 2:
        assert sandbox is not None
        yield from (_safely(task, sandbox) for task in tasks)
    else:
        assert sandbox is not None
        again = []
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
            futures = {pool.submit(_safely, task, sandbox): task for task in tasks}
            try:
                for future in as_completed(futures):
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        again.append(futures[future])
            finally:
                pool.shutdown(cancel_futures=True)
        for task in again:  # a worker was killed, by the system perhaps: each by itself, to see which
            try:
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    yield pool.submit(_safely, task, sandbox).result()
            except BrokenProcessPool:
                yield _failed(task, "a grading process was killed; is there enough memory? Grade again.")


def _safely(task: judge.Task, sandbox: Sandbox) -> dict[str, Any]:
    try:
        return judge.grade(task, sandbox)
    except Exception as error:  # ours: the row says so, and the class goes on
        return _failed(task, f"the grader failed ({type(error).__name__}: {error}); grade again")


def _failed(task: judge.Task, why: str) -> dict[str, Any]:
    return judge.refused(task.assignment, task.student, Refused("failed", why))


def remotely(task: judge.Task, limits: dict[str, Any], trust: bool, version: str) -> dict[str, Any]:
    """What a worker of a cluster runs."""
    if judge.sources() != version:
        raise CourseError("a worker has another version of nnlib; install the same on all machines.")
    return _safely(task, _own_sandbox(tuple(sorted(limits.items())), trust))


_SANDBOXES: dict[Any, Sandbox] = {}


def _own_sandbox(limits: tuple[tuple[str, Any], ...], trust: bool) -> Sandbox:
    with judge._ONE:
        if (limits, trust) not in _SANDBOXES:
            _SANDBOXES[limits, trust] = Sandbox.find(trust, Limits(**dict(limits)))
        return _SANDBOXES[limits, trust]


def _on_cluster(tasks: Sequence[judge.Task], scheduler: str, limits: Limits, trust: bool) -> Iterator[dict[str, Any]]:
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError:
        raise CourseError('--scheduler needs Dask: python -m pip install "nnlib[cluster]".') from None
    with Client(scheduler) as client:
        version, given = judge.sources(), asdict(limits)
        futures = {
            client.submit(
                remotely,
                task,
                given,
                trust,
                version,
                key=f"{task.digest}-{task.student}",
                retries=3,
            ): task
            for task in tasks
        }
        for future in completed(futures):
            error = future.exception()
            if isinstance(error, CourseError):
                raise error
            yield (_failed(futures[future], f"the cluster: {error}; grade again") if error else future.result())


# ---------------------------------------------------------------- the command


def _file(place: Path, student: str) -> Path:
    """Where a student's result is kept; a folder's name may be too long for a file's."""
    short = len(os.fsencode(student)) < 200
    return place / f"{student if short else hashlib.sha256(os.fsencode(student)).hexdigest()}.json"


def _kept(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return kept
    return {}


def grade_class(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Grade what is new; write gradebook, notebooks, pages; return the rows of the CSV."""
    from tqdm import tqdm

    submitted = options.submitted.resolve()
    if not submitted.is_dir():
        raise CourseError(f"there is no folder {submitted}; it should hold STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb.")
    course = (options.course or submitted.parent).resolve()
    assignment = load(options.assignment, options.solutions or checkout() / "solutions")
    roster = read_roster(options.roster) if options.roster else []
    collect(submitted, assignment)
    everybody = students(submitted, roster)
    if unknown := sorted(set(options.student) - set(everybody)):
        raise CourseError(
            f"nobody in {submitted} is called {', '.join(unknown)}; there are: {', '.join(everybody) or 'none'}."
        )
    if not everybody:
        raise CourseError(f"{submitted} is empty; it should hold STUDENT/{assignment.name}/{assignment.name}.ipynb.")
    cases = judge.cases_for(assignment, secret(course))
    place = course / HIDDEN / assignment.name
    place.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    tasks = []
    for student in everybody:
        try:
            task = judge.task_for(assignment, student, submitted, cases)
        except Refused as error:
            done[student] = judge.refused(assignment, student, error)
            continue
        kept = _kept(_file(place, student))
        asked = student in options.student if options.student else options.fresh
        if (
            kept
            and not asked
            and (kept.get("digest") == task.digest or options.student)
            and kept.get("status") != "failed"
        ):
            done[student] = kept
        else:
            tasks.append(task)
    if tasks:
        limits = Limits(cell=options.cell_timeout, wall=12 * options.cell_timeout)
        with contextlib.ExitStack() as stack:
            here = None if options.scheduler else stack.enter_context(Sandbox.find(options.trust, limits))
            bar = stack.enter_context(tqdm(total=len(tasks), unit="submission", desc=assignment.name, file=sys.stderr))
            for result in results(tasks, options.jobs, here, limits, options.scheduler, options.trust):
                student = result["student"]
                write_atomic(_file(place, student), json.dumps(result).encode())
                done[student] = result | {"new": True}
                bar.update()
    results_now = [done[student] for student in everybody]
    return list(_rows(course, submitted, assignment, results_now, roster, options))


def _rows(
    course: Path, submitted: Path, assignment: Assignment, done: list[dict[str, Any]], roster: list[dict[str, str]],
    options: argparse.Namespace,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    from . import gradebook

    with contextlib.ExitStack() as stack:
        entries = None
        if options.gradebook:
            gradebook.prepare_course(course, assignment, submitted, options.solutions)
            entries = stack.enter_context(gradebook.Gradebook(course))
            entries.enrol(roster)
            entries.prepare(assignment)
        for result in done:
            try:
                cells, _ = read_submission(submitted, result["student"], assignment.name)
            except Refused:
                cells = []
            answered = gradebook.answered(assignment, cells)
            marks = _without_book(assignment, result, answered)
            try:
                if entries and not _odd(result["student"]):
                    marks = entries.record(assignment, result, answered)
                if result["status"] != "missing":
                    gradebook.write(course, assignment, result, marks, cells)
            except Exception as error:  # ours, or the disk's: this row says so, and the class goes on
                result = result | {"status": "failed", "reason": judge.clean(f"{type(error).__name__}: {error}")}
            to_mark = f"{marks['to_mark']:g} points to be marked by hand" if marks["to_mark"] else ""
            yield {
                "student_id": result["student"], "score": f"{marks['score']:g}", "max_score": f"{marks['max_score']:g}",
                "status": result["status"], "reason": "; ".join(filter(None, [result["reason"], to_mark])),
            }  # fmt: skip


def _without_book(assignment: Assignment, result: dict[str, Any], answered: set[str]) -> dict[str, Any]:
    score = sum(judged["points"] for judged in result["exercises"].values())
    to_mark = sum(item.points for item in assignment.manual if item.grade_id in answered)
    return {"score": score, "max_score": assignment.max_score, "to_mark": to_mark, "comments": {}, "marks": {}}


def _odd(student: str) -> bool:
    """Is this a name that no database can hold?"""
    return student != student.encode("utf-8", "replace").decode()


def collect(submitted: Path, assignment: Assignment) -> None:
    """Unpack STUDENT--ASSIGNMENT.zip, as `nnlib.course.submit` packs it: the one notebook in it, nothing else."""
    for path in sorted(submitted.glob(f"*--{assignment.name}.zip")):
        student = path.stem.removesuffix(f"--{assignment.name}")
        target = submitted / student / assignment.name / f"{assignment.name}.ipynb"
        links = [place for place in (path, target.parents[1], target.parent, target) if place.is_symlink()]
        if links or not STUDENT.fullmatch(student):
            why = "a link" if links else "no name of a student"
            print(f"grade: {path.name} is left alone: {why}.", file=sys.stderr)
            continue
        try:
            with zipfile.ZipFile(path) as archive, archive.open(target.name) as file:
                data = file.read(MAX_BYTES + 1)
        except Exception as error:  # zipfile has many ways to say that it is none; the student's row says it
            data = f"not a notebook in a zip file: {type(error).__name__}".encode()
        if not target.exists() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, data)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    raw = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(prog="python -m nnlib.course.grade", description=__doc__, formatter_class=raw)
    made.add_argument("assignment", help="its name in solutions/, or its number")
    made.add_argument("submitted", type=Path, help="the folder of the submissions")
    made.add_argument("--csv", type=Path, required=True, help="the table to write")
    made.add_argument("--course", type=Path, help="the folder of gradebook.db (default: the one around SUBMITTED)")
    made.add_argument(
        "--roster",
        type=Path,
        help="a CSV with id, first_name, last_name, email: who is missing gets a row too",
    )
    made.add_argument("--student", action="append", default=[], help="grade this one again (may be repeated)")
    made.add_argument("--fresh", action="store_true", help="grade all again")
    made.add_argument(
        "--jobs",
        type=int,
        default=cores(),
        help="how many at once (default: one for each core)",
    )
    made.add_argument(
        "--cell-timeout",
        type=float,
        default=10,
        help="seconds of computing for a cell or a check (default: 10)",
    )
    made.add_argument("--scheduler", default="", metavar="ADDRESS", help="of a Dask cluster whose workers grade")
    made.add_argument(
        "--solutions",
        type=Path,
        help="the folder of the assignments (default: the workbook's solutions/)",
    )
    made.add_argument(
        "--no-gradebook",
        dest="gradebook",
        action="store_false",
        help="the table and the pages only",
    )
    made.add_argument(
        "--trust",
        action="store_true",
        help="without a sandbox, where there is none: only for code that you trust",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = parser().parse_args(arguments)
    for name in THREADS:
        os.environ.setdefault(f"{name}_NUM_THREADS", "1")
    try:
        if options.jobs < 1 or options.cell_timeout <= 0:
            raise CourseError("--jobs and --cell-timeout must be positive.")
        rows = grade_class(options)
        text = io.StringIO()
        writer = csv.DictWriter(text, ["student_id", "score", "max_score", "status", "reason"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(options.csv, text.getvalue().encode("utf-8", "replace"))
    except CourseError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ngrade: stopped. What was graded is kept; run the same again to go on.",
            file=sys.stderr,
        )
        return 130
    failed = sum(row["status"] == "failed" for row in rows)
    print(
        f"{len(rows)} rows in {options.csv}" + (f"; {failed} could not be graded, run the same again" if failed else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
