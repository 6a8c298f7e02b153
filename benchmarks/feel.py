"""How long from a key or the mouse to new pixels: ``python -m benchmarks.feel [Experiment ...] [--write]``.

Every experiment is opened in JupyterLab, in a headless Chromium without a GPU. *key*: a slider's handle has the focus
and an arrow key is pressed four times a second. *held*: thirty presses, 33 ms apart; how long after the last one the
picture stands still. *drag*: the mouse moves a mark of the picture, ten times a second. A time ends when the
page has painted. ``--write`` puts the table into ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnlib import widgets
from tests.browser.lab import FLAGS, Lab, cell, chromium, notebook, serve

README = Path(__file__).with_name("README.md")
MARKS = ("<!-- feel -->", "<!-- /feel -->")


def answer(lab: Lab) -> float:
    """Milliseconds from the newest key or pointer event to the first picture painted after it."""
    lab.page.wait_for_function("window.drawn.length", timeout=8000, polling=5)
    return lab.page.evaluate("window.drawn[0] - window.pressed")


def keys(lab: Lab, root: Any) -> tuple[list[float], list[float]]:
    """Times of single presses on every slider in sight, and from the last key of a held one to its picture."""
    single, held = [], []
    for handle in root.locator(".noUi-handle").all():
        if not handle.is_visible():
            continue
        handle.focus()
        now, most = (float(handle.get_attribute(f"aria-value{end}") or 0) for end in ("now", "max"))
        there, back = ("ArrowLeft", "ArrowRight") if now >= most else ("ArrowRight", "ArrowLeft")
        lab.page.keyboard.press(there)
        for n in range(12):
            lab.page.wait_for_timeout(250)
            lab.page.evaluate("window.drawn = []")
            lab.page.keyboard.press(there if n % 2 else back)
            single.append(answer(lab))
        lab.page.wait_for_timeout(300)
        lab.page.evaluate("window.drawn = []")
        for n in range(30):
            lab.page.keyboard.press(back if n % 2 else there)
            lab.page.wait_for_timeout(33)
        lab.page.wait_for_timeout(1500)
        held.append(lab.page.evaluate("window.drawn[window.drawn.length - 1] - window.pressed"))
    return single, held


def drags(lab: Lab, root: Any) -> list[float]:
    """Times from a move of the mouse, which holds the first mark that can be dragged."""
    mark = root.locator(".nn-grip").first
    if not mark.count():
        return []
    mark.scroll_into_view_if_needed()
    box, times = mark.bounding_box(), []
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    for n in range(24):
        lab.page.wait_for_timeout(100)
        lab.page.evaluate("window.drawn = []")
        lab.page.mouse.move(x + (6 if n % 2 else 12), y)
        times.append(answer(lab))
    lab.page.mouse.up()
    return times


def said(times: Sequence[float]) -> str:
    """Median / 95th percentile."""
    if not times:
        return ""
    rank = min(len(times) - 1, round(0.95 * len(times)))
    return f"{statistics.median(times):.0f} / {sorted(times)[rank]:.0f}"


def table(names: Sequence[str]) -> str:
    from playwright.sync_api import sync_playwright

    rows = ["| experiment | key | held | drag |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        cells = [cell(f"from nnlib import widgets\nwidgets.{name}()", name) for name in names]
        notebook(Path(folder) / "all.ipynb", cells)
        with serve(Path(folder)) as address:
            browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS.split())
            lab = Lab(browser, address.format("all.ipynb"))
            for index, name in enumerate(names):
                root = lab.experiment(index)
                single, held = keys(lab, root)
                rows.append(f"| {name} | {said(single)} | {said(held)} | {said(drags(lab, root))} |")
                print(rows[-1], flush=True)
            browser.close()
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=widgets.EXPERIMENTS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/README.md")
    given = parser.parse_args()
    text = f"{platform.processor() or platform.machine()}, {platform.system()}; median / 95th percentile in ms\n\n"
    text += table(given.names)
    if given.write:
        page = README.read_text(encoding="utf-8")
        before, _, rest = page.partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        README.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
