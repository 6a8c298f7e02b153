"""Execute notebooks and store them the same, byte for byte, every time.

    python -m nnlib.course.store                 every lesson in notebooks/
    python -m nnlib.course.store 04 path.ipynb   lesson 04, and any notebook by its path
    python -m nnlib.course.store --check 04      execute, compare with the stored; write nothing

Nobody stores by hand: what JupyterLab saves holds times, widget ids, versions and window state,
which differ on each machine. A stored notebook holds the text of the cells, their ids and tags,
and outputs that nbval can compare. A notebook with a failing cell, or above the limits, is not
written.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import CourseError, checkout
from .lessons import joined, lesson_paths, read_notebook

__all__ = ["Run", "dumps", "execute", "kernel_environment", "main", "normalise", "write_atomic"]

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}  # without the version, which differs by machine
# What front ends leave in a cell: times and window state, nothing the author wrote.
NOISE = {"execution", "ExecuteTime", "collapsed", "scrolled", "trusted", "vscode", "colab"}
WIDGET_VIEW = (
    "application/vnd.jupyter.widget-view+json"  # its model id is random and dies with the kernel
)
THREADS = ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
MAX_BYTES = 1_200_000
MAX_DPI = 100
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Run:
    """An executed notebook and what it cost."""

    notebook: dict[str, Any]
    seconds: float
    cpu_seconds: float


# ---------------------------------------------------------------- execution


def kernel_environment(root: Path | None = None) -> dict[str, str]:
    """Return the environment notebooks run in: one BLAS thread, fixed hashes, inline figures.

    Several processes at default thread counts fight for the cores (15 times slower, measured), and
    sums then depend on the machine. With `root`, that checkout's nnlib is the one imported.
    """
    env = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in THREADS}, "PYTHONHASHSEED": "0"}
    env["NNLIB_PROGRESS"] = ""  # storing a solution must not tick off its exercises
    env["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    if root is not None:
        rest = env.get("PYTHONPATH")
        env["PYTHONPATH"] = f"{root}{os.pathsep}{rest}" if rest else str(root)
    return env


def execute(
    notebook: dict[str, Any],
    folder: Path,
    *,
    cell_timeout: float = 120,
    timeout: float = 600,
    root: Path | None = None,
) -> Run:
    """Run all cells in a fresh kernel of this Python, in `folder`; the argument is left as it was.

    Raises CourseError, naming the cell and with its traceback, where a cell fails (unless it is
    tagged ``raises-exception``), takes longer than `cell_timeout` seconds, or all take longer
    than `timeout`.
    """
    # The user's own IPython profile must not leak into what is stored.
    with tempfile.TemporaryDirectory() as profile:
        env = kernel_environment(root) | {"IPYTHONDIR": profile}
        return asyncio.run(_execute(notebook, folder, env, cell_timeout, timeout))


async def _execute(
    notebook: dict[str, Any], folder: Path, env: dict[str, str], cell_timeout: float, timeout: float
) -> Run:
    import ipykernel.kernelspec
    import nbformat
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class ThisPython(
        KernelSpecManager
    ):  # a kernel called python3 in ~/.local may be another Python
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            spec = ipykernel.kernelspec.get_kernel_dict()
            return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **spec)

    node = nbformat.reads(json.dumps(notebook), as_version=4)
    manager: Any = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = NotebookClient(
        node,
        km=manager,
        timeout=cell_timeout,
        startup_timeout=120,
        record_timing=False,
        store_widget_state=False,
        shutdown_kernel="immediate",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of TCP on this machine itself
    )

    async def cpu() -> float:
        kernel: Any = client.kc
        reply = await kernel.execute_interactive(
            "",
            silent=True,
            store_history=False,
            user_expressions={"cpu": "__import__('time').process_time()"},
            output_hook=lambda message: None,
            timeout=30,
        )
        return float(reply["content"]["user_expressions"]["cpu"]["data"]["text/plain"])

    async def all_cells() -> Run:
        where, begun = "before the first cell", time.perf_counter()
        async with client.async_setup_kernel(env=env, cwd=str(folder), cleanup_kc=True):
            before, start = await cpu(), time.perf_counter()
            try:
                for index, cell in enumerate(node.cells):
                    where = f"cell {cell.get('id') or index}"
                    await client.async_execute_cell(cell, index)
                seconds, used = time.perf_counter() - start, await cpu() - before
            except CellExecutionError as error:
                trace = ANSI.sub("", error.traceback).strip()
                raise CourseError(f"{where} failed:\n\n{trace}\n") from None
            except CellTimeoutError:
                raise CourseError(
                    f"{where} took longer than {cell_timeout:g} s (--cell-timeout)."
                ) from None
            except DeadKernelError:
                if time.perf_counter() - begun >= timeout:
                    raise TimeoutError from None  # it died of our own interruption
                raise CourseError(f"{where}: the kernel died.") from None
        return Run(json.loads(json.dumps(node)), seconds, used)

    try:
        return await asyncio.wait_for(all_cells(), timeout)
    except TimeoutError:
        raise CourseError(f"not finished after {timeout:g} s (--timeout).") from None
    finally:
        if await manager.is_alive():
            await manager.shutdown_kernel(now=True)


# ---------------------------------------------------------------- one form


def normalise(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the one form in which a notebook is stored: no times, widget ids, versions or paths.

    Cell ids, tags and the metadata key ``nnlib`` stay. Idempotent; the argument is left as it was.
    """
    metadata = {k: v for k, v in notebook.get("metadata", {}).items() if k != "widgets"}
    metadata |= {"kernelspec": KERNELSPEC, "language_info": LANGUAGE}
    cells = []
    for old in notebook["cells"]:
        kept = {k: v for k, v in old.get("metadata", {}).items() if k not in NOISE and v != []}
        cell = {"cell_type": old["cell_type"], "id": old["id"], "metadata": kept}
        cell["source"] = lines(joined(old["source"]))
        if old.get("attachments"):
            cell["attachments"] = old["attachments"]
        if old["cell_type"] == "code":
            cell["execution_count"] = old.get("execution_count")
            cell["outputs"] = [_output(output) for output in _merged(old.get("outputs", []))]
        cells.append(cell)
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _merged(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbouring pieces of one stream: where the kernel cut them is chance."""
    result: list[dict[str, Any]] = []
    for output in outputs:
        last = result[-1] if result else {}
        stream = output["output_type"] == "stream"
        if stream and output["name"] == last.get("name"):
            result[-1] = last | {"text": joined(last["text"]) + joined(output["text"])}
        else:
            result.append(dict(output))
    return result


def _output(output: dict[str, Any]) -> dict[str, Any]:
    kind = output["output_type"]
    if kind == "stream":
        return {"name": output["name"], "output_type": kind, "text": lines(joined(output["text"]))}
    if kind == "error":  # the frames name files of this machine; the last line is the message
        ename, evalue = output["ename"], output["evalue"]
        return {
            "ename": ename,
            "evalue": evalue,
            "output_type": kind,
            "traceback": [f"{ename}: {evalue}"],
        }
    data: dict[str, Any] = {}
    for mime, value in output["data"].items():
        if mime == "image/png":
            data[mime] = _plain_png(joined(value))
        elif mime != WIDGET_VIEW:
            data[mime] = lines(joined(value)) if isinstance(value, str | list) else value
    result = {"data": data, "metadata": output.get("metadata", {}), "output_type": kind}
    if kind == "execute_result":
        result["execution_count"] = output.get("execution_count")
    return result


def lines(text: str) -> list[str]:
    """Split as notebooks do: at newlines only, which stay."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the (type, body) pairs of a PNG file."""
    if not png.startswith(PNG):
        raise CourseError("an image/png output is no PNG.")
    result, at = [], len(PNG)
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        result.append((png[at + 4 : at + 8], png[at : at + 12 + size]))
        at += 12 + size
    return result


def _plain_png(data: str) -> str:
    """Keep picture, transparency and resolution; matplotlib also writes its version."""
    keep = {b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"IDAT", b"IEND"}
    png = PNG + b"".join(raw for kind, raw in _chunks(base64.b64decode(data)) if kind in keep)
    return base64.b64encode(png).decode() + "\n"


def dpi(data: str) -> float | None:
    """Return the resolution a base64 PNG states, or None if it states none."""
    for kind, raw in _chunks(base64.b64decode(data)):
        if kind == b"pHYs" and raw[16] == 1:  # unit: pixels per metre
            (per_metre,) = struct.unpack(">I", raw[8:12])
            return per_metre * 0.0254
    return None


def dumps(notebook: dict[str, Any]) -> bytes:
    """Return the notebook as bytes, the same on every system."""
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode()


def limits(notebook: dict[str, Any]) -> list[str]:
    """Return what keeps a normalised notebook from being stored (size, resolution), or []."""
    problems = []
    size = len(dumps(notebook))
    if size > MAX_BYTES:
        problems.append(
            f"{size / 1e6:.2f} MB, at most {MAX_BYTES / 1e6} (fewer or smaller figures)."
        )
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            found = output.get("data", {}).get("image/png")
            if found and (resolution := dpi(found)) and resolution > MAX_DPI + 0.5:
                problems.append(f"cell {cell['id']}: {resolution:.0f} dpi, at most {MAX_DPI}.")
    return problems


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Name the cells whose outputs differ, pictures aside (they depend on the fonts' renderer)."""

    def seen(cell: dict[str, Any]) -> str:
        outputs = json.loads(json.dumps(cell.get("outputs", [])))
        for output in outputs:
            for mime in output.get("data", {}):
                if mime in ("image/png", "image/jpeg"):
                    output["data"][mime] = "picture"
        return json.dumps([cell.get("execution_count"), outputs], indent=1, sort_keys=True)

    problems = []
    for before, after in zip(old["cells"], new["cells"], strict=True):
        a, b = seen(before).splitlines(), seen(after).splitlines()
        if a != b:
            first = next((pair for pair in zip(a, b, strict=False) if pair[0] != pair[1]), ("", ""))
            problems.append(
                f"cell {before['id']}: stored {first[0].strip()[:90]}, now {first[1].strip()[:90]}"
            )
    return problems


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file in one step: a crash leaves the old or the new one, never half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# ---------------------------------------------------------------- command


def find(names: Sequence[str], root: Path) -> list[Path]:
    """Turn arguments (04, a path, nothing for all) into paths. Raises CourseError if unknown."""
    lessons = lesson_paths(root / "notebooks")
    if not names:
        return lessons
    found = []
    for name in names:
        if Path(name).suffix == ".ipynb":
            found.append(Path(name).resolve())
            continue
        matches = [path for path in lessons if path.name.split("-")[0] == name.zfill(2)]
        if not matches:
            known = ", ".join(path.name[:2] for path in lessons) or "none"
            raise CourseError(
                f"no lesson {name!r}; there are: {known}. Or give a path to an .ipynb."
            )
        found += matches
    return found


def store(path: Path, root: Path, options: argparse.Namespace) -> str:
    """Execute and store (or check) one notebook; return what to say. Raises CourseError."""
    stored = read_notebook(path)
    if nameless := [i for i, cell in enumerate(stored["cells"]) if not cell.get("id")]:
        raise CourseError(f"cells {nameless} have no id; ids must last, so give them by hand.")
    run = execute(
        stored,
        path.parent,
        cell_timeout=options.cell_timeout,
        timeout=options.timeout,
        root=root,
    )
    fresh = normalise(run.notebook)
    problems = limits(fresh)
    if run.cpu_seconds > options.limit:
        problems.append(f"{run.cpu_seconds:.1f} s of CPU, at most {options.limit:g} (--limit).")
    if options.check:
        if dumps(normalise(stored)) != path.read_bytes():
            problems.append("not in the stored form; run nnlib.course.store on it.")
        problems += differences(normalise(stored), fresh)
    if options.twice:
        again = execute(
            stored,
            path.parent,
            cell_timeout=options.cell_timeout,
            timeout=options.timeout,
            root=root,
        )
        if dumps(normalise(again.notebook)) != dumps(fresh):
            changed = differences(fresh, normalise(again.notebook)) or ["a picture"]
            problems.append("two runs differ: " + "; ".join(changed))
    if problems:
        raise CourseError("\n  ".join(problems))
    data = dumps(fresh)
    note = "checked"
    if not options.check:
        note = "unchanged" if path.read_bytes() == data else "written"
        if note == "written":
            write_atomic(path, data)
    return f"{run.seconds:5.1f} s  {run.cpu_seconds:5.1f} s CPU  {len(data) / 1000:6.0f} kB  {note}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status (1 if any notebook failed)."""
    parser = argparse.ArgumentParser(
        prog="python -m nnlib.course.store",
        description="Execute notebooks and store them in one form.",
    )
    parser.add_argument("names", nargs="*", help="lesson numbers or paths; all lessons if none")
    parser.add_argument(
        "--check", action="store_true", help="compare with what is stored, write nothing"
    )
    parser.add_argument("--twice", action="store_true", help="execute twice, fail if bytes differ")
    parser.add_argument(
        "--limit", type=float, default=20, help="CPU seconds a notebook may take (20)"
    )
    parser.add_argument(
        "--cell-timeout", type=float, default=120, help="seconds for one cell (120)"
    )
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one notebook (600)")
    options = parser.parse_args(arguments)
    failed = 0
    try:
        root = checkout()
        paths = find(options.names, root)
    except CourseError as error:
        print(f"store: {error}", file=sys.stderr)
        return 1
    for path in paths:
        try:
            print(f"{path.stem:32}", store(path, root, options), flush=True)
        except CourseError as error:
            failed += 1
            print(f"{path.stem:32} FAILED, not written\n  {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
