"""Time the grading of a class beside stock nbgrader: ``python -m benchmarks.grading [--students 300] [--write]``.

Every tenth student of the made-up class hands in something odd: an untouched notebook, an exception, and in one of a
hundred an endless loop, which costs its whole time limit. Stock nbgrader gets honest notebooks only (it would leave
the loop ungraded) and is timed per submission. ``--write`` puts the figures into ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from nnlib.course.assignments import release
from nnlib.course.lessons import read_notebook

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = dict(
    os.environ, PYTHONPATH=str(ROOT), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", JUPYTER_PREFER_ENV_PATH="1",
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
)  # fmt: skip


def hand_in(submitted: Path, name: str, students: int, odd: bool = True) -> None:
    """Write a class's notebooks: most are the solution."""
    solution = read_notebook(ROOT / "solutions" / name / f"{name}.ipynb")
    first = next(cell["id"] for cell in solution["cells"] if cell["metadata"].get("nbgrader", {}).get("solution"))
    for number in range(students):
        notebook = json.loads(json.dumps(release(solution) if odd and number % 20 == 10 else solution))
        cell = next(cell for cell in notebook["cells"] if cell["id"] == first)
        if odd and number % 100 == 50:
            cell["source"] = "while True: pass"
        elif odd and number % 20 == 0:
            cell["source"] = "1 / 0"
        folder = submitted / f"student-{number:03}" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def run(words: list[str], folder: Path) -> float:
    """Run a command; return its seconds. What it writes is shown only if it fails."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return time.perf_counter() - begin


def ours(name: str, students: int, jobs: int) -> tuple[float, Counter[str]]:
    """Seconds for the whole command, and how many rows of each status it wrote."""
    with tempfile.TemporaryDirectory() as text:
        course = Path(text)
        hand_in(course / "submitted", name, students)
        words = [name, "submitted", "--csv", "marks.csv", "--jobs", str(jobs), "--solutions", str(ROOT / "solutions")]
        seconds = run(["nnlib.course.grade", *words], course)
        rows = (course / "marks.csv").read_text(encoding="utf-8").splitlines()[1:]
        return seconds, Counter(row.split(",")[3] for row in rows)


def stock(name: str, students: int) -> float:
    """Seconds for ``nbgrader autograde`` of as many honest notebooks."""
    with tempfile.TemporaryDirectory() as text:
        course = Path(text)
        (course / "source").mkdir()
        shutil.copytree(ROOT / "solutions" / name, course / "source" / name)
        (course / "nbgrader_config.py").write_text("c = get_config()\nc.ExecutePreprocessor.kernel_name = 'python3'\n")
        run(["nbgrader", "generate_assignment", name, "--create"], course)
        hand_in(course / "submitted", name, students, odd=False)
        return run(["nbgrader", "autograde", name], course)


def row(grader: str, students: int, seconds: float) -> str:
    return f"| {grader} | {students} | {seconds:.0f} | {seconds / students:.2f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="02-a-line")
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--stock", type=int, default=10, help="how many stock nbgrader grades (default: 10; 0: none)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]  # of others: on a busy machine read the ratio, not the seconds
    ours_took, statuses = ours(options.assignment, options.students, options.jobs)
    said = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    lines = [
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores (load before: {load:.1f}); Python "
        f"{platform.python_version()}; assignment {options.assignment}, {options.jobs} jobs; rows: {said}.",
        "",
        "| grader | submissions | seconds | per submission |",
        "|---|---|---|---|",
        row("`python -m nnlib.course.grade`", options.students, ours_took),
    ]
    if options.stock:
        took = stock(options.assignment, options.stock)
        lines.append(row("stock `nbgrader autograde`, honest ones only", options.stock, took))
    text = "\n".join(lines)
    print(text)
    if options.write:
        page = ROOT / "benchmarks" / "README.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("<!-- grading -->")
        after = rest.partition("<!-- /grading -->")[2]
        page.write_text(f"{before}<!-- grading -->\n\n{text}\n\n<!-- /grading -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
