"""A JupyterLab of its own and a page in it: what the browser tests and `python -m benchmarks.feel` share."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync"
# When a key or the pointer moved, and when the page had painted a new picture; of gestures on the picture, which are
# numbered, when each was made (asked) and which was the newest that a picture painted showed (shown).
WATCH = """() => {
  window.drawn = []; window.pressed = 0; window.asked = []; window.shown = [];
  for (const kind of ['keydown', 'pointerdown', 'pointermove'])
    document.addEventListener(kind, (event) => { window.pressed = event.timeStamp; }, true);
  const seen = (changes) => changes.forEach(({ target, attributeName }) => {
    if (attributeName === 'data-asked') { window.asked.push([Number(target.dataset.asked), window.pressed]); return; }
    const gesture = Number(target.dataset.frame.split(' ')[1]);
    requestAnimationFrame(() => setTimeout(() => {
      window.drawn.push(performance.now()); window.shown.push([gesture, performance.now()]);
    }, 0));
  });
  new MutationObserver(seen)
    .observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-frame', 'data-asked'] });
}"""


def chromium() -> str | None:
    """The path of this machine's Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def cell(text: str, id: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": id,
        "metadata": {},
        "source": text,
        "outputs": [],
        "execution_count": None,
    }


def notebook(path: Path, cells: list[dict[str, Any]]) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
    path.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """A JupyterLab whose root is ``folder``; gives the address of a notebook as ``address.format("all.ipynb")``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {
        **os.environ,
        **places,
        "PYTHONPATH": str(ROOT),
        "PATH": path,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "s"),
    }
    env |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "w"), "IPYTHONDIR": str(folder / "i")}
    env |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # as start.py has it
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
               "--ServerApp.token=x", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None",
               "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
               "--LabApp.expose_app_in_browser=True"]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token=x", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.5)
        else:
            raise RuntimeError("JupyterLab did not start: " + (folder / "log").read_text())
        yield address + "/lab/tree/{}?token=x&reset"
    finally:
        process.terminate()
        process.wait(30)


class Lab:
    """The page, what went wrong on it, and the few gestures of these tests."""

    def __init__(self, browser: Any, address: str, width: int = 1280) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 1000})
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))
        self.page.on("request", self._request)
        self.page.goto(address)
        self.page.wait_for_function(
            "window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=90000
        )
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        self.page.evaluate(
            "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.ready; }"
        )
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60000)
        # A stored notebook comes with its counts; what is waited for is this run's.
        self.command("notebook:clear-all-cell-outputs")
        self.command("notebook:run-all-cells")
        self.page.wait_for_selector(".nn-exp svg", timeout=90000)
        self.page.evaluate(WATCH)

    def _request(self, request: Any) -> None:
        if "127.0.0.1" not in request.url and not request.url.startswith(("data:", "blob:")):
            self.outside.append(request.url)

    def command(self, name: str, **options: Any) -> None:
        self.page.evaluate(
            "([name, options]) => window.jupyterapp.commands.execute(name, options)",
            [name, options],
        )

    def experiment(self, index: int) -> Any:
        """The root of the experiment of a cell, scrolled into view and past its question."""
        root = self.page.locator(f".jp-Cell[data-windowed-list-index='{index}'] .nn-exp")
        self.page.evaluate(
            "i => window.jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", index
        )
        root.locator("svg").wait_for(timeout=60000)
        button = root.locator("button:has-text('no idea')")
        if button.count():
            before = self.sight(root)
            button.focus()
            self.page.keyboard.press("Enter")
            self.changed(root, before)
        return root

    def run(self, code: str) -> None:
        """Run code in the page's kernel; raises the kernel's error."""
        reply = self.page.evaluate(
            """async code => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              return (await kernel.requestExecute({ code }).done).content;
            }""",
            code,
        )
        assert reply["status"] == "ok", reply

    def finished(self, seconds: float = 120) -> None:
        """Wait until the kernel has done all it was given."""
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp.shell.currentWidget;
              const cells = [...panel.content.model.cells].filter((cell) => cell.type === "code");
              return panel.sessionContext.session?.kernel?.status === "idle"
                && cells.every((cell) => cell.executionState === "idle" && cell.executionCount !== null);
            }""",
            timeout=1000 * seconds,
            polling=250,
        )

    def sight(self, root: Any) -> tuple[str, str]:
        return root.locator(".nn-art").inner_html(), root.locator(".nn-status").text_content()

    def changed(self, root: Any, before: tuple[str, str], both: bool = True) -> tuple[str, str]:
        """Wait for another picture and another sentence (or another one of the two)."""
        for _ in range(160):
            now = self.sight(root)
            if (all if both else any)(new != old for new, old in zip(now, before)):
                return now
            self.page.wait_for_timeout(50)
        raise AssertionError(f"nothing new after 8 s: {before[1]}")
