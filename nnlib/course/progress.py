"""Which exercises are done and which hints were read: one file of this user, outside the checkout; nothing leaves it.

One JSON object a line, appended in a single write, so that notebooks running at once and a crash in the middle lose at
most the line being written. ``NNLIB_PROGRESS`` names another file, or, empty, none at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["done", "hints", "path", "record", "reset"]

VERSION = 1


def path() -> Path | None:
    """The file: ``NNLIB_PROGRESS`` (None if that is empty), else ``progress.jsonl`` in this user's data folder."""
    if (named := os.environ.get("NNLIB_PROGRESS")) is not None:
        return Path(named) if named else None
    from platformdirs import user_data_path

    return user_data_path("nnlib", appauthor=False) / "progress.jsonl"


def _append(**what: Any) -> str:
    """Write one line; return what to say if that could not be done, else ''."""
    line = (json.dumps({"v": VERSION, **what}, sort_keys=True) + "\n").encode()
    file = path()
    if file is None:
        return ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # A line that a crash cut short must not swallow this one.
            size = os.lseek(handle, 0, os.SEEK_END)
            torn = size and os.lseek(handle, size - 1, os.SEEK_SET) >= 0 and os.read(handle, 1) != b"\n"
            os.write(handle, b"\n" + line if torn else line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return f"(Progress was not saved: {error}. NNLIB_PROGRESS may name another file.)"
    return ""


def _read() -> list[dict[str, Any]]:
    """Every line that can be read, oldest first; torn lines and those of a newer version are passed over."""
    file = path()
    try:
        raw = file.read_bytes() if file else b""
    except OSError:
        return []
    events = []
    for line in raw.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("v") == VERSION:
            events.append(event)
    return events


def _state() -> tuple[set[str], dict[str, int]]:
    done: set[str] = set()
    hints: dict[str, int] = {}
    for event in _read():
        if "done" in event:
            done.add(event["done"])
        elif "hint" in event:
            hints[event["hint"]] = hints.get(event["hint"], 0) + 1
        elif "reset" in event:
            gone = event["reset"]
            done -= set(gone) if gone is not None else set(done)
            hints = {id: n for id, n in hints.items() if gone is not None and id not in gone}
    return done, hints


def done() -> set[str]:
    """The ids of the exercises that were right once."""
    return _state()[0]


def hints() -> dict[str, int]:
    """How many hints were read, by exercise."""
    return _state()[1]


def record(**what: str) -> str:
    """``record(done=id)`` or ``record(hint=id)``; returns what to say if it could not be saved, else ''."""
    return "" if "done" in what and what["done"] in done() else _append(**what)


def reset(ids: list[str] | None = None) -> str:
    """Forget these exercises, or (None) everything. Returns what to say if that could not be saved, else ''."""
    return _append(reset=ids)
