"""The learner's copies: lessons and exercises are opened in ``work/`` and never overwritten.

    python -m nnlib.course.work open [04 | exercises/x/x.ipynb]   a lesson, an exercise, the last place
    python -m nnlib.course.work restore 04 [--cell ID]            one cell, or all of it, as it was
    python -m nnlib.course.work list [04]                         the copies, or the cells of one

In a notebook: ``from nnlib.course import work; work.restore("04", cell="by-hand")``.

A copy is made as the lesson is stored, outputs included, so that its figures are there before
anything runs; only its links are turned, so that they lead to the learner's copies. Beside the
copies, ``.opened/`` holds one small file for each, which remembers the version it was made from.
Losing it, or all of ``work/``, loses nothing but that memory. Paths go to stdout, everything said
goes to stderr.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import CourseError, checkout
from .lessons import Cell, cells_of, joined, lesson_paths, read_notebook
from .store import dumps, lines, write_atomic

__all__ = ["cells", "copies", "last", "main", "open_copy", "restore"]

# A markdown link or picture, or an HTML attribute; what follows # stays as it is.
LINK = re.compile(r"""(\]\(|\b(?:href|src)=["'])([^)"'\s#]+)""")


# ---------------------------------------------------------------- sources and copies


def _source(name: str | Path, root: Path) -> Path:
    """Return the lesson or exercise that `name` means: 04, a file name, a path, one in work/."""
    text = str(name)
    lessons = lesson_paths(root / "notebooks")
    if text.isdigit():
        matches = [path for path in lessons if path.name[:2] == text.zfill(2)]
        if matches:
            return matches[0]
        known = ", ".join(path.name[:2] for path in lessons) or "none"
        raise CourseError(f"there is no lesson {text}; there are: {known}.")
    candidates = [Path(text), root / text, root / "notebooks" / text, root / "exercises" / text]
    for path in (candidate.resolve() for candidate in candidates):
        if path.is_relative_to(root / "work"):
            path = _source_of_copy(path, root)
        inside = any(path.is_relative_to(root / part) for part in ("notebooks", "exercises"))
        if inside and path.suffix == ".ipynb" and path.is_file():
            return path
    raise CourseError(
        f"{text!r} is no lesson and no exercise; give a number (04) or a path below "
        "notebooks/ or exercises/."
    )


def _copy_of(source: Path, root: Path) -> Path:
    """notebooks/04-x.ipynb -> work/04-x.ipynb; exercises/a/b.ipynb -> work/exercises/a/b.ipynb."""
    inside = source.relative_to(root)
    return (
        root
        / "work"
        / (inside.relative_to("notebooks") if inside.parts[0] == "notebooks" else inside)
    )


def _source_of_copy(copy: Path, root: Path) -> Path:
    inside = copy.relative_to(root / "work")
    return root / inside if inside.parts[0] == "exercises" else root / "notebooks" / inside


def _localised(notebook: dict[str, Any], source: Path, root: Path) -> dict[str, Any]:
    """Turn the relative links of a source so that they hold from its copy, and lead to copies."""
    copy = _copy_of(source, root)

    def turn(match: re.Match[str]) -> str:
        target = match[2]
        if ":" in target or target.startswith("/"):
            return match[0]
        path = Path(os.path.normpath(source.parent / target))
        if not path.is_relative_to(root):
            return match[0]
        inside = path.relative_to(root).parts
        if path.suffix == ".ipynb" and inside[0] in ("notebooks", "exercises"):
            path = _copy_of(path, root)
        return match[1] + Path(os.path.relpath(path, copy.parent)).as_posix()

    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell = cell | {"source": lines(LINK.sub(turn, joined(cell["source"])))}
        cells.append(cell)
    return notebook | {"cells": cells}


def _linked(notebook: dict[str, Any], source: Path, root: Path) -> list[Path]:
    """Return the lessons and exercises that a source links to (and that exist)."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for _, target in LINK.findall(joined(cell["source"])):
                path = Path(os.path.normpath(source.parent / target))
                inside = any(
                    path.is_relative_to(root / part) for part in ("notebooks", "exercises")
                )
                if inside and path.suffix == ".ipynb" and path.is_file():
                    found.append(path)
    return sorted(set(found))


def _version(notebook: dict[str, Any]) -> str:
    """Hash what the author wrote, not the outputs: a picture drawn anew is no newer version."""
    text = [[cell.id, cell.kind, cell.source] for cell in cells_of(notebook)]
    return hashlib.sha256(json.dumps(text, ensure_ascii=False).encode()).hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- the memory


def _record_path(copy: Path, root: Path) -> Path:
    inside = copy.relative_to(root / "work").with_suffix(".json")
    return root / "work" / ".opened" / "--".join(inside.parts)


def _record(copy: Path, root: Path) -> dict[str, Any]:
    """Return what is remembered of a copy, or {} where the memory is missing or damaged."""
    try:
        record = json.loads(_record_path(copy, root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict) or not isinstance(record.get("opened"), int | float):
        return {}
    good = all(isinstance(record.get(key), str) for key in ("version", "placed"))
    return record if good else {}


def _remember(copy: Path, root: Path, version: str, placed: str, opened: float) -> None:
    """One file for each copy, replaced in one step: two openings at once cannot damage it."""
    path = _record_path(copy, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"version": version, "placed": placed, "opened": opened}
    write_atomic(path, (json.dumps(record, indent=1) + "\n").encode())


def _writing(action: str, path: Path, error: OSError) -> CourseError:
    """Say in one line why nothing could be written, and what to do."""
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        fix = "Move or copy the workbook to a folder you may write to, and start it there."
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "The disk is full: free some space and try again; nothing half-written was left."
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        fix = "A file stands where a folder is needed: rename it and try again."
    else:
        fix = "Nothing was changed."
    return CourseError(f"cannot {action} {path} ({error.strerror or error}). {fix}")


def _create(path: Path, data: bytes) -> bool:
    """Write a new file, whole or not at all; return False, and leave it, if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        try:
            os.link(name, path)  # fails where somebody was faster; never overwrites
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            with path.open("xb") as file:
                file.write(data)
        return True
    finally:
        Path(name).unlink(missing_ok=True)


# ---------------------------------------------------------------- open


def open_copy(name: str | Path | None = None, root: Path | None = None) -> tuple[Path, list[str]]:
    """Return the learner's copy of a lesson or exercise, made if need be, and what there is to say.

    name: a number ("04"), a file name or path; None is the last place, or lesson 00 at first. A
    copy is never overwritten once it was opened. The notebooks that it links to get copies too,
    so that no link leads nowhere; these are kept up to date until they are opened or saved.
    Raises CourseError for an unknown name, or where ``work/`` cannot be written.
    """
    root = checkout() if root is None else Path(root).resolve()
    source = _source(name if name is not None else last(root) or "00", root)
    copy = _copy_of(source, root)
    notebook = read_notebook(source)
    try:
        said = _place(source, root, notebook, time.time())
        seen, ahead = {source}, _linked(notebook, source, root)
        while ahead:
            if (path := ahead.pop()) not in seen:
                seen.add(path)
                linked = read_notebook(path)
                _place(path, root, linked, 0)
                ahead += _linked(linked, path, root)
    except OSError as error:
        raise _writing("make the copy", copy, error) from None
    return copy, said


def _place(source: Path, root: Path, notebook: dict[str, Any], opened: float) -> list[str]:
    """Make or keep one copy; `opened` is 0 for one that is only linked to. Return what to say."""
    copy, version = _copy_of(source, root), _version(notebook)
    data = dumps(_localised(notebook, source, root))
    if _create(copy, data):
        _remember(copy, root, version, _digest(data), opened)
        return [f"{_short(copy, root)} is your copy: change what you like."] if opened else []
    record = _record(copy, root)
    if not record:
        # The memory is lost. The copy may still be what the source says; else nobody can know.
        same = copy.is_file() and _same_text(copy, data)
        if opened:
            _remember(copy, root, version, "", opened)
        if same or not opened:
            return []
        return [
            f"{_short(copy, root)} is kept as it is; it differs from the lesson by your changes or "
            f"by an update (which, is no longer known). {_how(source, copy, root)}"
        ]
    if not opened:
        # Only placed because of a link, never opened here and never saved: nobody's work yet.
        untouched = not record["opened"] and _digest(copy.read_bytes()) == record["placed"]
        if untouched and version != record["version"]:
            write_atomic(copy, data)
            _remember(copy, root, version, _digest(data), 0)
        return []
    _remember(copy, root, record["version"], record["placed"], opened)
    if version == record["version"]:
        return []
    return [
        f"A newer version of {source.stem} is there. Yours is kept. " + _how(source, copy, root)
    ]


def _same_text(copy: Path, data: bytes) -> bool:
    try:
        return _version(read_notebook(copy)) == _version(json.loads(data))
    except CourseError:
        return False


def _how(source: Path, copy: Path, root: Path) -> str:
    lesson = source.parent == root / "notebooks" and source.name[:2].isdigit()
    name = source.name[:2] if lesson else _short(source, root)
    return (
        f"To see the lesson's: {_short(source, root)}. To take it (yours is saved beside it first), "
        f'run in any notebook: from nnlib.course import work; work.restore("{name}")'
    )


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def copies(root: Path | None = None) -> list[Path]:
    """Return the learner's copies (backups left out), in order."""
    root = checkout() if root is None else Path(root).resolve()
    found = sorted(path.relative_to(root) for path in (root / "work").rglob("*.ipynb"))
    shown = [root / path for path in found if not any(p.startswith(".") for p in path.parts)]
    return [path for path in shown if _source_of_copy(path, root).is_file()]


def last(root: Path | None = None) -> Path | None:
    """Return the copy opened or saved last, or None: the place to go on."""
    root = checkout() if root is None else Path(root).resolve()
    best: tuple[float, Path | None] = (0.0, None)
    for copy in copies(root):
        record = _record(copy, root)
        moment = float(record.get("opened", 0))
        if not record or _digest(copy.read_bytes()) != record["placed"]:
            moment = max(moment, copy.stat().st_mtime)
        best = max(best, (moment, copy), key=lambda pair: pair[0])
    return best[1]


# ---------------------------------------------------------------- restore


def restore(
    name: str | Path | None = None, cell: str | None = None, root: Path | None = None
) -> str:
    """Bring back a cell, or the notebook, as the newest lesson has it; return what was done.

    The learner's file is saved first, beside the copy, with the time in its name. Other cells
    keep what they hold. In JupyterLab save before, and afterwards choose File > Reload Notebook
    from Disk. name: as in `open_copy`; None is the last place. Raises CourseError for an unknown
    lesson or cell.
    """
    root = checkout() if root is None else Path(root).resolve()
    copy_or_name = name if name is not None else last(root)
    if copy_or_name is None:
        raise CourseError("nothing was opened yet, so there is nothing to restore.")
    source = _source(copy_or_name, root)
    copy, notebook = _copy_of(source, root), read_notebook(source)
    fresh = _localised(notebook, source, root)
    try:
        if not copy.exists():
            open_copy(source, root)
            return f"{_short(copy, root)} was not there; it is now, as the lesson has it."
        what = "all cells"
        if cell is None:
            data = dumps(fresh)
        else:
            what = f"cell {cell}"
            data = dumps(_with_cell(copy, fresh, cell))
        old = copy.read_bytes()
        if old == data:
            if cell is None:
                _remember(copy, root, _version(notebook), _digest(data), time.time())
            return f"{_short(copy, root)}: {what}, nothing to restore: as the lesson has it."
        backup = _backup(copy, old)
        write_atomic(copy, data)
        if cell is None:
            _remember(copy, root, _version(notebook), _digest(data), time.time())
    except OSError as error:
        raise _writing("restore", copy, error) from None
    return (
        f"{_short(copy, root)}: {what} restored. Yours before is {_short(backup, root)}. "
        "If it is open in JupyterLab: File > Reload Notebook from Disk."
    )


def _with_cell(copy: Path, fresh: dict[str, Any], id: str) -> dict[str, Any]:
    """Return the learner's notebook with one cell of `fresh`, at its place or its neighbour's."""
    order = [cell.get("id") for cell in fresh["cells"]]
    if id not in order:
        near = difflib.get_close_matches(id, [str(name) for name in order], 3, 0.3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise CourseError(f"{copy.stem} has no cell {id!r}{hint}. The command list shows all.")
    try:
        mine = read_notebook(copy)
    except CourseError as error:
        raise CourseError(f"{error} Restore the whole notebook instead (without --cell).") from None
    new = fresh["cells"][order.index(id)]
    kept = list(mine["cells"])
    ids = [cell.get("id") for cell in kept]
    if id in ids:
        kept[ids.index(id)] = new
    else:
        before = [name for name in order[: order.index(id)] if name in ids]
        kept.insert(ids.index(before[-1]) + 1 if before else 0, new)
    return mine | {"cells": kept}


def _backup(copy: Path, data: bytes) -> Path:
    """Save the learner's file under a dated name that is free."""
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    for number in range(1000):
        more = f"-{number + 1}" if number else ""
        path = copy.with_name(f"{copy.stem}.{stamp}{more}.ipynb")
        if _create(path, data):
            return path
    raise CourseError(f"cannot find a free name for a backup of {copy.name}.")


def cells(name: str | Path, root: Path | None = None) -> list[tuple[Cell, bool]]:
    """Return the cells of a lesson, each with whether the learner's copy differs from it there."""
    root = checkout() if root is None else Path(root).resolve()
    source = _source(name, root)
    copy = _copy_of(source, root)
    fresh = list(cells_of(_localised(read_notebook(source), source, root)))
    mine = {c.id: c.source for c in cells_of(read_notebook(copy))} if copy.exists() else None
    return [(cell, mine is not None and mine.get(cell.id) != cell.source) for cell in fresh]


# ---------------------------------------------------------------- command


def _listing(name: str | None, root: Path) -> list[str]:
    if name is None:
        return [_short(path, root) for path in copies(root)]
    rows = []
    for cell, changed in cells(name, root):
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        rows.append(f"{'*' if changed else ' '} {cell.id:28} {cell.kind:8} {first[:60]}")
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nnlib.course.work", description="The learner's copies of the lessons."
    )
    parser.add_argument("--root", type=Path, help="the workbook's folder (default: found)")
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", help="make a copy unless there is one; print its path")
    opening.add_argument("name", nargs="?", help="04, or a path; default: the last place, else 00")
    back = commands.add_parser(
        "restore", help="bring a notebook or a cell back; yours is saved first"
    )
    back.add_argument("name", help="04, or a path")
    back.add_argument("--cell", help="only this cell (see list)")
    listing = commands.add_parser(
        "list", help="the copies, or the cells of one (* = yours differs)"
    )
    listing.add_argument("name", nargs="?", help="04, or a path")
    options = parser.parse_args(arguments)
    try:
        root = checkout(options.root)
        if options.command == "open":
            path, said = open_copy(options.name, root)
            for line in said:
                print(line, file=sys.stderr)
            print(path)
        elif options.command == "restore":
            print(restore(options.name, options.cell, root), file=sys.stderr)
            print(_copy_of(_source(options.name, root), root))
        else:
            print("\n".join(_listing(options.name, root)))
    except CourseError as error:
        print(f"work: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
