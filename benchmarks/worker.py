"""Time one workload with one library in a process of its own; print one JSON line.

Two BLAS runtimes in one process fight over the cores, so the libraries never meet.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys


def importing(library: str, after: str = "time") -> dict[str, float]:
    """How long ``import library`` takes where ``after`` is there already: fresh processes, bytecode stored."""
    program = f"import {after}, time; t = time.perf_counter(); import {library}; print(time.perf_counter() - t)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    runs = [float(subprocess.check_output(command, env=environment)) for _ in range(6)][1:]  # the first one compiles
    low, median, high = statistics.quantiles(runs, n=4)
    return {"low": low, "median": median, "high": high}


def main(name: str, library: str, seconds: float, device: str = "cpu") -> dict[str, float]:
    """The figures of one run."""
    from . import gpu, workloads

    if device != "cpu":
        return gpu.main(name, library, seconds, device)

    if name == "import":
        beyond = {"beyond NumPy": importing(library, after="numpy")["median"]} if library == "nnlib" else {}
        return {**importing(library), **beyond}
    t = workloads.load(library)
    if name == "peak memory":
        import resource

        step = workloads.WORKLOADS["ResNet-20 batch 32"].build[library](t)
        for _ in range(3):
            step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {"low": peak, "median": peak, "high": peak}
    return workloads.measure(workloads.WORKLOADS[name].build[library](t), seconds)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:])))
