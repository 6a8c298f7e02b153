"""Compare nnlib with PyTorch and the teaching libraries: ``python -m benchmarks [workload ...]``.

Every figure comes from a process of its own, the libraries take turns, and what counts is the ratio to PyTorch within
this run. ``--write`` puts the table, the plot and the machine into ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import gpu
from .workloads import WORKLOADS, Workload

HERE = Path(__file__).parent
LIBRARIES = ("nnlib", "torch", "autograd", "mygrad", "micrograd")
EXTRA = {
    "import": Workload(name="import", what="import of the library, NumPy included", owed=0.3, goal=0.2,
        build=dict.fromkeys(LIBRARIES)),
    "peak memory": Workload(name="peak memory", what="largest resident memory of the ResNet-20 training", owed=0.5,
        goal=0.35, build={"nnlib": None, "torch": None}),
}  # fmt: skip


def run_once(
    name: str, library: str, seconds: float, threads: int, device: str = "cpu", timeout: float = 600
) -> dict[str, float]:
    """One worker's figures; raises RuntimeError with its last line if it failed."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", name, library, str(seconds), device],
        capture_output=True, text=True, cwd=HERE.parent, env=environment, timeout=timeout,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name} with {library}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(names: list[str], rounds: int, seconds: float, threads: int) -> list[dict[str, Any]]:
    """A row per workload."""
    from tqdm import tqdm

    chosen = {**WORKLOADS, **EXTRA}
    found = [library for library in LIBRARIES if importlib.util.find_spec(library)]
    jobs = [(name, library) for name in names for library in found if library in chosen[name].build]
    results: dict[tuple[str, str], list[dict[str, float]]] = {job: [] for job in jobs}
    with tqdm(total=len(jobs) * rounds, unit="run") as bar:
        for name in names:
            for _ in range(rounds):  # the libraries take turns, so that a slow minute hits all of them
                for job in [job for job in jobs if job[0] == name]:
                    bar.set_description(" ".join(job))
                    results[job].append(run_once(*job, seconds, threads))
                    bar.update()
    return [summary(chosen[n], {lib: results[n, lib] for lib in found if (n, lib) in results}) for n in names]


def summary(work: Workload, results: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """A row: per library the median over rounds and the range, and nnlib's ratio to PyTorch."""
    row: dict[str, Any] = {key: getattr(work, key) for key in ("name", "what", "owed", "goal")}
    for library, runs in results.items():
        if runs:
            medians = [run["median"] for run in runs]
            row[library] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            row[library].update(low=min(medians), high=max(medians))
    if "torch" in row and "nnlib" in row:
        ratios = [a["median"] / b["median"] for a, b in zip(results["nnlib"], results["torch"])]
        row["ratio"], row["ratios"] = statistics.median(ratios), [min(ratios), max(ratios)]
    return row


def _quantity(name: str, figures: dict[str, float] | None) -> str:
    if figures is None:
        return ""
    value = figures["median"]
    if name == "peak memory":
        return f"{value / 2**20:.0f} MB"
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            if "beyond NumPy" in figures:
                return f"{value / scale:.3g} {unit} (NumPy + {1000 * figures['beyond NumPy']:.1f} ms)"
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    found = [library for library in LIBRARIES if any(library in row for row in rows)]
    lines = ["| workload | " + " | ".join(found) + " | nnlib : torch (range) | owed | goal |"]
    lines.append("|" + "---|" * (len(found) + 4))
    for row in rows:
        cells = [_quantity(row["name"], row.get(library)) for library in found]
        ratio = ""
        if "ratio" in row:
            mark = "" if row["ratio"] <= row["owed"] else " (missed)"
            ratio = f"**{row['ratio']:.2f}** ({row['ratios'][0]:.2f}–{row['ratios'][1]:.2f}){mark}"
        cells = [f"{row['name']}: {row['what']}", *cells, ratio, str(row["owed"]), str(row["goal"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine(threads: int) -> str:
    """What the figures depend on."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), processor)
    packages = [p for p in ("numpy", *LIBRARIES) if p != "nnlib" and importlib.util.find_spec(p)]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} cores, {threads} BLAS thread(s); {system}; {versions}"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Ratios to PyTorch as bars, with the owed ratio as a mark."""
    from matplotlib.figure import Figure

    shown = [row for row in rows if "ratio" in row][::-1]
    figure = Figure(figsize=(8, 0.4 * len(shown) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh([row["name"] for row in shown], [row["ratio"] for row in shown], color="#0072B2", height=0.6)
    axes.plot([row["owed"] for row in shown], range(len(shown)), "|", ms=14, mew=2, color="#D55E00", label="owed")
    axes.axvline(1, color="0.4", lw=1, ls="--")
    for i, row in enumerate(shown):
        axes.annotate(f"{row['ratio']:.2f}", (row["ratio"], i), (4, 0), textcoords="offset points", va="center")
    axes.set_xlabel("time (or memory) of nnlib divided by PyTorch's: left of the dashed line nnlib is faster")
    axes.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})


def main() -> int:
    """Run, print, and write if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help="names, or parts of them (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="processes per library and workload")
    parser.add_argument("--seconds", type=float, default=1.5, help="time per process")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="BLAS threads")
    parser.add_argument("--device", choices=("cpu", "cuda", "stand-in"), default="cpu",
        help="cuda: the workloads of a GPU; stand-in: those, small, on the tests' stand-in for CuPy")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md and its plot")
    arguments = parser.parse_args()
    everything = [*WORKLOADS, *EXTRA] if arguments.device == "cpu" else list(gpu.WORKLOADS)
    asked = [w.lower() for w in arguments.workloads] or [""]
    names = [n for n in everything if any(w in n.lower() for w in asked)]
    if not names:
        parser.error(f"no workload is called {arguments.workloads}; there are {', '.join(everything)}")
    if arguments.device != "cpu":
        return on_gpu(names, arguments)
    rows = compare(names, arguments.rounds, arguments.seconds, arguments.threads)
    print(machine(arguments.threads))
    print(table(rows))
    if arguments.write:
        plot(rows, HERE / "ratios.png")
        readme = HERE / "README.md"
        before, _, after = readme.read_text(encoding="utf-8").partition("<!-- results -->")
        parts = [f"{before}<!-- results -->", machine(arguments.threads), table(rows), "![Ratios](ratios.png)"]
        rest = "".join(after.partition("\n## ")[1:])
        readme.write_text("\n\n".join(parts) + "\n" + rest, encoding="utf-8")
    return 0


def on_gpu(names: list[str], arguments: argparse.Namespace, end: float = math.inf) -> int:
    """The same for a GPU: another table, with the card's ceilings.

    What fails, or takes too long, is left out of the table and said below it; every workload gets its first round
    before any gets a second, and the table is printed (and written) after each round: so a first run brings back most.
    """
    import nnlib as nn

    device = arguments.device
    if device == "cuda" and not nn.cuda.is_available():
        print(f"--device cuda needs a GPU with CuPy: {nn.cuda._problem}.", file=sys.stderr)
        return 1
    failures: list[str] = []

    def attempt(name: str, library: str) -> dict[str, float] | None:
        left = end - time.monotonic()
        if left < 5:
            failures.append(f"{name} with {library}: no time left")
            return None
        try:
            return run_once(name, library, arguments.seconds, arguments.threads, device, min(left, 150))
        except (RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
            failures.append(str(error).replace("\n", " ")[:300])
            print(f"failed: {failures[-1]}", flush=True)
            return None

    top = attempt("ceilings", "nnlib") or {"flops": math.nan, "bandwidth": math.nan}
    libraries = [library for library in ("nnlib", "torch") if importlib.util.find_spec(library)]
    results: dict[str, dict[str, list[dict[str, float]]]] = {name: {lib: [] for lib in libraries} for name in names}
    for turn in range(arguments.rounds):
        for name in names:
            runs = {library: attempt(name, library) for library in libraries}
            said = ", ".join(f"{library} {run['median'] * 1e3:.3g} ms" for library, run in runs.items() if run)
            print(f"{name}: {said}", flush=True)
            for library, run in runs.items():
                if run and (all(runs.values()) or not turn):  # ratios are of pairs
                    results[name][library].append(run)
        text = f"{gpu.card(device)}\n\n{gpu.table([summary(gpu.WORKLOADS[n], results[n]) for n in names], top)}"
        text += "".join(f"\n\nFailed: {failure}" for failure in dict.fromkeys(failures))
        print(f"\nafter round {turn + 1}:\n{text}\n", flush=True)
        if arguments.write and device == "cuda":
            readme = HERE / "README.md"
            before, mark, after = readme.read_text(encoding="utf-8").partition("<!-- results on a GPU -->")
            rest = "".join(after.partition("\n## ")[1:])
            readme.write_text(f"{before}{mark}\n\n{text}\n{rest}", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
