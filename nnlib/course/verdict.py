"""Judge plain data against a reference: right or not, what was expected in kind, what came. Never the answer itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Part", "Verdict", "difference", "finite", "kind_of", "show"]


@dataclass(frozen=True)
class Part:
    """One judged part of an exercise. `state` is correct, wrong or todo; `mistake` the key of a known one."""

    state: str
    text: str = ""
    mistake: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is to say about an attempt: the parts by name (one part without a name for a simple exercise)."""

    exercise: str
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The part of the points that is earned, 0…1."""
        return sum(part.state == "correct" for part in self.parts.values()) / max(len(self.parts), 1)

    @property
    def state(self) -> str:
        """correct: every part; todo: nothing was attempted; else wrong."""
        states = {part.state for part in self.parts.values()}
        if states == {"correct"}:
            return "correct"
        return "todo" if states <= {"todo"} else "wrong"

    @property
    def mistakes(self) -> list[str]:
        """The keys of the known mistakes that were recognised."""
        return [part.mistake for part in self.parts.values() if part.mistake]


def numeric(value: Any) -> np.ndarray | None:
    """The array that a number or nested list of numbers means, or None."""
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value)
    if isinstance(value, list) and value and not isinstance(value[0], str | dict):
        try:
            array = np.asarray(value)
        except (ValueError, OverflowError):
            return None
        return array if array.dtype.kind in "biuf" else None
    return np.zeros(0) if value == [] else None


def finite(value: Any) -> bool:
    """Is there no nan and no infinity in these plain data?"""
    if isinstance(value, float | np.ndarray):
        return bool(np.isfinite(value).all())
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return all(map(finite, value)) if isinstance(value, list) else True


def show(value: Any, limit: int = 60) -> str:
    """A value in a few characters."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, threshold=8, separator=", ").replace("\n", "")
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def kind_of(value: Any) -> str:
    """A number, text, numbers of shape (2, 3) …: the kind of an answer, without it."""
    array = numeric(value)
    if array is not None:
        what = {"b": "true/false values", "i": "whole numbers", "u": "whole numbers"}.get(array.dtype.kind, "numbers")
        if array.ndim == 0:
            return {"true/false values": "True or False", "whole numbers": "a whole number"}.get(what, "a number")
        return f"{what} of shape {array.shape}"
    if isinstance(value, dict):
        return value["strange"] if "strange" in value else f"a mapping with the keys {', '.join(value)}"
    return f"a list of {len(value)}" if isinstance(value, list) else "None" if value is None else "text"


def difference(expected: Any, got: Any, rtol: float, atol: float) -> str:
    """Say how `got` differs from `expected` (kind, shape, place), or '' if it does not. The right value is not told."""
    want, have = numeric(expected), numeric(got)
    if want is not None:
        if have is None or (have.dtype.kind == "b") != (want.dtype.kind == "b"):
            return f"expected {kind_of(expected)}, got {kind_of(got)}: {show(got)}"
        if want.shape != have.shape:
            return f"expected {kind_of(expected)}, got {kind_of(got)}"
        wrong = ~np.isclose(have.astype(float), want.astype(float), rtol=rtol, atol=atol, equal_nan=True)
        if not wrong.any():
            return ""
        if want.ndim == 0:
            return f"got {show(got)}, which is not right (expected {kind_of(expected)}, relative tolerance {rtol:g})"
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        return (
            f"the shape {want.shape} is right, but {int(wrong.sum())} of {want.size} values are not; "
            f"the first at [{', '.join(map(str, place))}]: {show(have[place].item())} (relative tolerance {rtol:g})"
        )
    if type(expected) is not type(got) or (isinstance(got, dict) and "strange" in got):
        came = "" if isinstance(got, dict) else f": {show(got)}"
        return f"expected {kind_of(expected)}, got {kind_of(got)}{came}"
    if isinstance(expected, dict):
        if expected.keys() != got.keys():
            return f"expected {kind_of(expected)}, got {kind_of(got)}"
        return next((f"{k}: {d}" for k in expected if (d := difference(expected[k], got[k], rtol, atol))), "")
    if isinstance(expected, list):
        if len(expected) != len(got):
            return f"expected a list of {len(expected)}, got {len(got)}"
        pairs = enumerate(zip(expected, got))
        return next((f"[{i}]: {d}" for i, (e, g) in pairs if (d := difference(e, g, rtol, atol))), "")
    return "" if expected == got else f"got {show(got)}, which is not right"
