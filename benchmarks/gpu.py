"""The device beside PyTorch on the same card: ``python -m benchmarks --device cuda``, float32 with TF32 off in both.

``python -m benchmarks.gpu`` does everything for a card in one call of under ten minutes: it says what is there, runs
the tests of the device on CuPy, times the workloads, and with ``--write`` puts the figures into the README beside this.
Nothing that fails keeps the rest from running. ``--dry-run`` goes the same way without a GPU, on the tests' stand-in
for CuPy, and ``--count`` says what the steps launch and move, at full size.

A workload is a function of the library's names and of its sizes, so that a test can run it small on any machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .workloads import Step, Workload, _random, _training, load, measure

WORKLOADS: dict[str, Workload] = {}
BUDGET = 570  # seconds for the whole call
HERE = Path(__file__).parent
PACKAGES = {"cupy-cuda12x", "cupy-cuda13x", "cupy", "torch", "numpy"}
_KERNELS = "windows or pools or rows or channels or variance or class or launch or parameter or capture or elements"
CHECKS = {
    "kernels": f"({_KERNELS}) and not test_an_op", "rest": f"not test_an_op and not ({_KERNELS})",
    "ops": "test_an_op and kernels", "plain-ops": "test_an_op and functions",
}  # fmt: skip
DRY_CHECKS = {"stand-in": "test_there_are_at_least_forty"}


def workload(name: str, owed: float, **small: int) -> Callable[[Any], Any]:
    """Register a builder. It returns the step, the multiply-adds of a step (0: not counted) and the bytes that a step
    must at least move (0: not counted). ``small`` are sizes for the test."""

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        what = " ".join((build.__doc__ or "").split())
        entry = {"name": name, "what": what, "owed": owed, "goal": owed, "small": small}
        WORKLOADS[name] = Workload(**entry, build={"nnlib": build, "torch": build})
        return build

    return register


def _there(t: Any, *shape: int) -> Any:
    return t.lib.tensor(_random(*shape)).to(t.device)


def _classes(t: Any, batch: int) -> Any:
    return t.lib.tensor(np.arange(batch) % 10).to(t.device)


def _mlp(t: Any, batch: int, widths: tuple[int, ...]) -> tuple[Step, int, int]:
    nn = t.nn
    layers: list[Any] = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(t.device)
    macs = batch * sum(a * b * (3 if i else 2) for i, (a, b) in enumerate(zip(widths, widths[1:])))
    return _training(t, model, _there(t, batch, widths[0]), _classes(t, batch), nn.CrossEntropyLoss()), macs, 0


@workload("MLP 4096", owed=1.1, batch=8, hidden=16)
def mlp(t: Any, batch: int = 4096, hidden: int = 4096) -> tuple[Step, int, int]:
    """784-4096-4096-10 ReLU, cross entropy, SGD, batch 4096, one step"""
    return _mlp(t, batch, (784, hidden, hidden, 10))


@workload("MLP 64, captured", owed=0.8, batch=4, hidden=16)
def captured(t: Any, batch: int = 64, hidden: int = 256) -> tuple[Step, int, int]:
    """784-256-128-10, batch 64: launches dominate; nnlib replays a captured step, PyTorch is eager"""
    step, macs, traffic = _mlp(t, batch, (784, hidden, hidden // 2, 10))
    if t.lib.__name__ != "nnlib":
        return step, macs, traffic
    for _ in range(3):
        step()
    graph = t.lib.cuda.CUDAGraph()
    with t.lib.cuda.graph(graph):
        step()
    return graph.replay, macs, traffic


@workload("LeNet 1024", owed=1.5, batch=2)
def lenet(t: Any, batch: int = 1024) -> tuple[Step, int, int]:
    """28×28: conv 1→8 5×5, ReLU, pool, conv 8→16 3×3, ReLU, pool, 400→10; step, batch 1024"""
    nn = t.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 10),
    ).to(t.device)  # fmt: skip
    macs = batch * (2 * 8 * 25 * 24 * 24 + 3 * (16 * 72 * 10 * 10 + 400 * 10))
    return _training(t, model, _there(t, batch, 1, 28, 28), _classes(t, batch), nn.CrossEntropyLoss()), macs, 0


@workload("ResNet-20 512", owed=2.0, batch=2)
def resnet20(t: Any, batch: int = 512) -> tuple[Step, int, int]:
    """CIFAR ResNet-20 on 3×32×32, training step, batch 512"""
    model = import_module(t.models).resnet20().to(t.device)
    macs = 3 * batch * 40_551_040  # of one image forward; the image itself gets no gradient, 1 % less
    return _training(t, model, _there(t, batch, 3, 32, 32), _classes(t, batch), t.nn.CrossEntropyLoss()), macs, 0


@workload("ResNet-50 forward 64", owed=2.0, batch=1, size=32)
def resnet50(t: Any, batch: int = 64, size: int = 224) -> tuple[Step, int, int]:
    """ResNet-50, 64×3×224×224, evaluation mode, no gradient"""
    model = import_module(t.models).resnet50().eval().to(t.device)
    x = _there(t, batch, 3, size, size)

    def step() -> None:
        with t.lib.no_grad():
            model(x)

    convolutions, last = 4_087_136_256 * size * size // 224**2, 2048 * 1000
    return step, batch * (convolutions + last), 0


def _layer(t: Any, layer: Any, passes: int, *shape: int) -> tuple[Step, int, int]:
    """Forward and backward, and the bytes of ``passes`` readings or writings of the array."""
    x, g, layer = _there(t, *shape).requires_grad_(), _there(t, *shape), layer.to(t.device)

    def step() -> None:
        x.grad = None
        layer(x).backward(g)

    return step, 0, passes * 4 * math.prod(shape)


@workload("BatchNorm2d", owed=2.0, batch=2)
def batch_norm(t: Any, batch: int = 512) -> tuple[Step, int, int]:
    """512×64×32×32, forward and backward"""
    return _layer(t, t.nn.BatchNorm2d(64), 8, batch, 64, 32, 32)


@workload("LayerNorm", owed=2.0, rows=4)
def layer_norm(t: Any, rows: int = 65536) -> tuple[Step, int, int]:
    """65,536×1024, forward and backward"""
    return _layer(t, t.nn.LayerNorm(1024), 5, rows, 1024)


@workload("cross entropy", owed=2.0, rows=4)
def cross_entropy(t: Any, rows: int = 65536) -> tuple[Step, int, int]:
    """softmax cross entropy of 65,536×1024 logits, forward and backward"""
    x, y = _there(t, rows, 1024).requires_grad_(), t.lib.tensor(np.arange(rows) % 1024).to(t.device)

    def step() -> None:
        x.grad = None
        t.F.cross_entropy(x, y).backward()

    return step, 0, 4 * 4 * rows * 1024


@workload("Adam", owed=2.0, size=100)
def adam(t: Any, size: int = 5_000_000) -> tuple[Step, int, int]:
    """one step of 12 parameters of 5 million numbers each"""
    parameters = [t.nn.Parameter(_there(t, size)) for _ in range(12)]
    for p in parameters:
        p.grad = _there(t, size) if t.lib.__name__ == "torch" else _there(t, size).data
    return t.lib.optim.Adam(parameters).step, 0, 7 * 4 * 12 * size


# ---------------------------------------------------------------------------------------------- measuring


def ceilings(t: Any, n: int = 8192, copied: int = 2**28) -> dict[str, float]:
    """What the card itself reaches here: FLOP/s of a float32 product of 8192² matrices, bytes/s of a copy of 1 GiB."""
    sync = t.lib.cuda.synchronize
    a, b, c = _there(t, n, n), _there(t, n, n), _there(t, copied)
    found = {}
    for name, work, amount in (("flops", lambda: a @ b, 2.0 * n**3), ("bandwidth", lambda: c + 1, 8.0 * copied)):
        work(), work(), sync()
        started = time.perf_counter()
        for _ in range(10):
            work()
        sync()
        found[name] = 10 * amount / (time.perf_counter() - started)
    return found


def main(name: str, library: str, seconds: float, device: str = "cuda") -> dict[str, float]:
    """The figures of one run in this process: seconds per step, and what was counted. ``device`` may be "stand-in"."""
    if device == "stand-in":
        from tests import stand_in

        with stand_in.installed():
            return _figures(name, load(library, "cuda" if library == "nnlib" else "cpu"), seconds, small=True)
    return _figures(name, load(library, device), seconds)


def _figures(name: str, t: Any, seconds: float, small: bool = False) -> dict[str, float]:
    if name == "ceilings":
        return ceilings(t, 64, 2**10) if small else ceilings(t)
    step, macs, traffic = WORKLOADS[name].build[t.lib.__name__](t, **(WORKLOADS[name].small if small else {}))
    found = measure(step, seconds, t.lib.cuda.synchronize if t.device == "cuda" else lambda: None)
    return {**found, "macs": macs, "traffic": traffic, "memory": t.lib.cuda.memory_reserved()}


def launches(names: Iterable[str] = WORKLOADS) -> str:
    """What a step of nnlib launches and has to move, as a Markdown table; counted on the stand-in, on any machine.

    Each array that a launch reads or writes counts once. The optimiser's table of pointers is left out: it goes up
    again only when an array has moved, and in a captured step.
    """
    from tests import stand_in

    own = "nnlib's kernels"
    lines = [f"| step of | launches | {own} | cuBLAS | CuPy's | moved | of it by {own} | multiply-adds |"]
    lines += ["|" + "---|" * 8]
    for name in names:
        with stand_in.installed():
            macs = 0

            def build(name: str = name) -> Step:
                nonlocal macs
                step, macs, _ = WORKLOADS[name].build["nnlib"](load("nnlib", "cuda"))
                return step

            work = [(kernel, size) for kernel, size in stand_in.counted(build) if kernel != "nnlib_store"]
        groups = [[b for k, b in work if k.startswith("nnlib_")], [b for k, b in work if k == "matmul"]]
        amounts = [len(work), *map(len, groups), len(work) - sum(map(len, groups))]
        moved = [f"{sum(b for _, b in work) / 1e6:,.0f} MB", f"{sum(groups[0]) / 1e6:,.0f} MB"]
        cells = [name, *map(str, amounts), *moved, f"{macs / 1e9:,.3g} G" if macs else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], top: dict[str, float]) -> str:
    """The rows as a Markdown table; achieved FLOP/s and bytes/s of nnlib beside the card's."""
    lines = ["| workload | nnlib | torch | nnlib : torch (range) | owed | nnlib reaches |", "|" + "---|" * 6]
    for row in rows:
        ours, ratio, reached = row.get("nnlib"), "", ""
        if ours is not None:
            flops, traffic = 2 * ours["macs"] / ours["median"], ours["traffic"] / ours["median"]
            reached = f"{flops / 1e12:.1f} TFLOP/s ({flops / top['flops']:.0%})" if flops else ""
            reached += f"{traffic / 1e12:.2f} TB/s ({traffic / top['bandwidth']:.0%})" if traffic else ""
        if "ratio" in row:
            mark = "" if row["ratio"] <= row["owed"] else " (missed)"
            ratio = f"**{row['ratio']:.2f}** ({row['ratios'][0]:.2f}–{row['ratios'][1]:.2f}){mark}"
        times = [f"{row[lib]['median'] * 1e3:.3g} ms" if lib in row else "" for lib in ("nnlib", "torch")]
        cells = [f"{row['name']}: {row['what']}", *times, ratio, str(row["owed"]), reached]
        lines.append("| " + " | ".join(cells) + " |")
    flops, bandwidth = f"{top['flops'] / 1e12:.1f} TFLOP/s", f"{top['bandwidth'] / 1e12:.2f} TB/s"
    lines += ["", f"The card itself: {flops} in a product of 8192², {bandwidth} in a copy. float32, TF32 off in both."]
    return "\n".join(lines)


def card(device: str = "cuda") -> str:
    """What the figures depend on."""
    if device != "cuda":
        return "The tests' stand-in for CuPy, tiny sizes: the times mean nothing."
    import cupy

    import nnlib as nn

    runtime = cupy.cuda.runtime
    versions = f"CUDA {runtime.runtimeGetVersion()}, driver {runtime.driverGetVersion()}"
    packages = [f"{p.metadata['Name']} {p.version}" for p in importlib.metadata.distributions() if p.name in PACKAGES]
    return f"{nn.cuda.get_device_name()}; {versions}; {', '.join(sorted(packages))}"


def check(chosen: dict[str, str], end: float, logs: Path | None = None) -> dict[str, int]:
    """Run parts of the device's tests side by side; their exit codes.

    A process for each, because a broken kernel takes its process along, and because CuPy compiles at first use, with
    one core. Who is not done in time is interrupted, and says what it has found.
    """
    command = [sys.executable, *"-m pytest tests/test_device.py -q --tb=short -p no:cacheprovider -k".split()]
    folder = logs or Path(tempfile.mkdtemp(prefix="nnlib-gpu-"))
    folder.mkdir(parents=True, exist_ok=True)
    running, codes = {}, {}
    for what, tests in chosen.items():
        with open(folder / f"{what}.txt", "wb") as log:
            running[what] = subprocess.Popen([*command, tests], cwd=HERE.parent, stdout=log, stderr=subprocess.STDOUT)
    for what, process in running.items():
        try:
            codes[what] = process.wait(max(end - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            codes[what] = 124
        text = (folder / f"{what}.txt").read_text(encoding="utf-8", errors="replace").strip()
        print(f"{what}: exit {codes[what]}; all of it in {folder / what}.txt\n{text[-1500:]}\n", flush=True)
    return codes


def everything() -> int:
    """Check and time a card in one call."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/README.md")
    parser.add_argument("--rounds", type=int, default=2, help="processes per library and workload")
    parser.add_argument("--seconds", type=float, default=1.0, help="time per process")
    parser.add_argument("--logs", type=Path, help="folder for what the tests print (default: a temporary one)")
    parser.add_argument("--dry-run", action="store_true", help="on the tests' stand-in for CuPy, without a GPU")
    parser.add_argument("--count", action="store_true", help="only say what a step launches and moves")
    arguments = parser.parse_args()
    import nnlib as nn

    from .__main__ import on_gpu

    end = time.monotonic() + BUDGET
    if arguments.count:
        print(launches())
        return 0
    if not arguments.dry_run and not nn.cuda.is_available():
        print(f"benchmarks.gpu needs a GPU with CuPy: {nn.cuda._problem}.")
        return 1
    arguments.device = "stand-in" if arguments.dry_run else "cuda"
    arguments.threads = os.cpu_count() or 1
    print(card(arguments.device), flush=True)
    codes = check(DRY_CHECKS if arguments.dry_run else CHECKS, time.monotonic() + 0.45 * BUDGET, arguments.logs)
    codes["timing"] = on_gpu(list(WORKLOADS), arguments, end)
    said = ", ".join(f"{what} {'passed' if not code else f'failed (exit {code})'}" for what, code in codes.items())
    print(f"{said}; {BUDGET - (end - time.monotonic()):.0f} s in all")
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(everything())
