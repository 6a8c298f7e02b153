"""Every public name is documented: what it is, its PyTorch counterpart, and a doctest that runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from tests.test_structure import PROPER

MODULES = [f"nnlib.{part}" for part in PROPER]
# Where a name is PyTorch's own, the docstring says which; these modules have no counterpart at all.
OURS_ALONE = {"nnlib.device", "nnlib.download", "nnlib.inspection", "nnlib.training", "nnlib.testing"}
# Data sets and generators (scikit-learn has most of them).
OURS_ALONE |= {
    f"nnlib.data.{name}"
    for name in "blobs breast_cancer diabetes digits houses kangaroos moons photographs rings spirals train_test_split "
    "wine xor".split()
}
# The engine's own parts, plain records and abstract bases: described, but nothing to run on their own.
NO_EXAMPLE = {
    "nnlib.autograd.Node", "nnlib.autograd.backward_steps", "nnlib.autograd.watch", "nnlib.autograd.now",
    "nnlib.device.quietly", "nnlib.device.register", "nnlib.device.rng", "nnlib.device.special",
    "nnlib.device.unregister",
    "nnlib.cuda.CUDAGraph", "nnlib.cuda.current_device", "nnlib.cuda.get_device_capability",  # these need a GPU
    "nnlib.cuda.get_device_name", "nnlib.cuda.graph", "nnlib.cuda.max_memory_allocated", "nnlib.cuda.mem_get_info",
    "nnlib.cuda.reset_peak_memory_stats",
    "nnlib.download.fetch", "nnlib.data.cifar10", "nnlib.data.fashion_mnist", "nnlib.data.mnist",  # need a network
}  # fmt: skip


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """(name, object) for what a module offers itself: __all__ where it has one, else what it defines."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    for name in names:
        thing = getattr(module, name)
        defined_here = getattr(thing, "__module__", module.__name__) == module.__name__
        if (inspect.isfunction(thing) or inspect.isclass(thing)) and defined_here:
            yield f"{module.__name__}.{name}", thing


NAMES = [(path, thing) for name in MODULES for path, thing in public(importlib.import_module(name))]


def record(thing: Any) -> bool:
    """A dataclass or named tuple: plain data, which needs no example."""
    return inspect.isclass(thing) and (hasattr(thing, "__dataclass_fields__") or hasattr(thing, "_fields"))


@pytest.mark.parametrize(("path", "thing"), NAMES, ids=[path for path, _ in NAMES])
def test_a_public_name_is_documented(path: str, thing: Any) -> None:
    doc = inspect.getdoc(thing) or ""
    own = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert own, f"{path} has no docstring"
    assert doc.splitlines()[0].rstrip().endswith((".", ":", ")", "`", "?")), f"{path}: the first line is no sentence"
    if not {path, path.rpartition(".")[0]} & OURS_ALONE and not record(thing) and path not in NO_EXAMPLE:
        assert "PyTorch" in doc or "torch" in doc, f"{path}: name the PyTorch counterpart, or say there is none"
    if path not in NO_EXAMPLE and not record(thing):
        assert ">>>" in doc, f"{path} has no doctest"


@pytest.mark.parametrize("path", [path for path, _ in NAMES])
def test_no_docstring_is_inherited_by_chance(path: str) -> None:
    thing = dict(NAMES)[path]
    if inspect.isclass(thing):
        methods = {n: m for n, m in vars(thing).items() if inspect.isfunction(m) and not n.startswith("_")}
        inherited = {"extra_repr", "forward", "reset_parameters"}
        assert not [n for n, m in methods.items() if not m.__doc__ and n not in inherited]


def test_what_is_exempt_exists() -> None:
    assert set(NO_EXAMPLE) <= {path for path, _ in NAMES} | {"nnlib.autograd.now"}


@pytest.mark.parametrize("name", MODULES)
def test_doctests_run(name: str) -> None:
    nn.manual_seed(0)
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not say what it is for"
    # Examples inside an op's docstring are found through the function that @op wraps.
    result = doctest.testmod(module, extraglobs={"nn": nn, "F": F, "np": np, "Array": Any})
    assert result.failed == 0
    made = [thing for path, thing in NAMES if path.startswith(f"{name}.") and ">>>" in (thing.__doc__ or "")]
    assert result.attempted >= len(made), "an example is not collected by doctest"
    assert nn.get_default_dtype() == nn.float32, "an example left a setting changed"


def test_a_wrong_example_fails() -> None:
    module = ModuleType("nnlib.wrong")
    module.__doc__ = ">>> nn.tensor(1.0).item()\n2.0\n"
    assert doctest.testmod(module, extraglobs={"nn": nn}, report=False, verbose=False).failed == 1
