"""Make what a class gets: the workbook without solutions/ and tests/.

    python -m nnlib.course.release DIR          a folder
    python -m nnlib.course.release DIR.zip      the same as one file

exercises/ must be what solutions/ say. The references that the instant checks compare with are in it,
as nnlib/course/exercises/: a learner may read them, and a grade draws its own inputs (docs/grading.md).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import CourseError, checkout
from .assignments import assignments, release
from .lessons import read_notebook
from .store import dumps

__all__ = ["bundle", "main"]

PARTS = [
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "conftest.py", "docs", "environment.yml", "exercises",
    "nnlib", "notebooks", "pyproject.toml", "start.py",
]  # fmt: skip
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


def bundle(root: Path, target: Path) -> Path:
    """Write the class's workbook to `target`, a new or empty folder; return it. Raises CourseError if it is neither."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CourseError(f"{target} is there already and not empty; choose a new folder.")
    if target.resolve().is_relative_to(root.resolve()):
        raise CourseError(f"{target} lies in the workbook itself; choose a folder outside.")
    for path, exercise in assignments(root):
        if not exercise.is_file() or exercise.read_bytes() != dumps(release(read_notebook(path))):
            fix = "run python -m nnlib.course.assignments first"
            raise CourseError(f"{exercise.name} is not what its solution says; {fix}.")
    target.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=LEFT_OUT)
        elif source.is_file():
            shutil.copy(source, target / name)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m nnlib.course.release", description=__doc__, formatter_class=raw)
    parser.add_argument("target", type=Path, metavar="DIR", help="a new folder, or the name of a .zip file")
    options = parser.parse_args(arguments)
    target: Path = options.target
    try:
        if target.suffix != ".zip":
            bundle(checkout(), target)
        elif target.exists():
            raise CourseError(f"{target} is there already.")
        else:
            with tempfile.TemporaryDirectory() as folder:
                bundle(checkout(), Path(folder) / target.stem)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.make_archive(str(target.with_suffix("")), "zip", folder, target.stem)
    except CourseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
