"""How long from a key or the mouse to new pixels: ``python -m benchmarks.feel [Experiment ...] [--write]``.

Every experiment is opened in JupyterLab, in a headless Chromium without a GPU. *key*: a slider's handle has the focus
and an arrow key is pressed four times a second. *held*: thirty presses, 33 ms apart, on the first and the last slider;
how long after the last one the picture stands still. *drag*: the mouse moves a mark of the picture ten times a second,
by eight pixels or by a cell, on a way that turns at random. *swept*: sixty times a second, 300 pixels a second.
For each move that leads to another place: how long until a picture of that place, or of a newer one, was painted.
A time ends when the page has painted. ``--write`` puts the table into ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
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
    handles = [handle for handle in root.locator(".noUi-handle").all() if handle.is_visible()]
    for index, handle in enumerate(handles):
        handle.focus()
        least, now, most = (float(handle.get_attribute(f"aria-value{end}") or 0) for end in ("min", "now", "max"))
        if least == most or not handle.is_visible():  # another slider's doing
            continue
        there, back = ("ArrowLeft", "ArrowRight") if now >= most else ("ArrowRight", "ArrowLeft")
        lab.page.keyboard.press(there)
        for n in range(min(12, max(4, 2 * (15 // len(handles))))):
            lab.page.wait_for_timeout(250)
            lab.page.evaluate("window.drawn = []")
            lab.page.keyboard.press(there if n % 2 else back)
            single.append(answer(lab))
        lab.page.keyboard.press(back)
        lab.page.wait_for_timeout(300)
        if index not in {0, len(handles) - 1}:
            continue
        lab.page.evaluate("window.drawn = []")
        for n in range(30):
            lab.page.keyboard.press(back if n % 2 else there)
            lab.page.wait_for_timeout(33)
        lab.page.wait_for_timeout(1000)
        held.append(lab.page.evaluate("window.drawn[window.drawn.length - 1] - window.pressed"))
    return single, held


def drags(lab: Lab, root: Any, count: int, gap: float, step: float) -> list[float]:
    """Times from moves of the mouse, which holds the first mark that can be dragged; not all change its place."""
    lab.run("experiment.set(**{name: control.default for name, control in experiment.controls.items()})")
    lab.page.wait_for_timeout(500)
    mark = root.locator(".nn-grip").first
    mark.scroll_into_view_if_needed()
    box, generator, heading = mark.bounding_box(), random.Random(0), 0.0
    start = x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    step = max(step, box["width"] * (box["width"] > 24) * step / 8)
    lab.page.mouse.move(x, y)
    lab.page.wait_for_timeout(300)
    lab.page.mouse.down()
    lab.page.wait_for_timeout(300)
    lab.page.evaluate("window.asked = []; window.shown = []")
    for _ in range(count):
        heading += generator.uniform(-0.7, 0.7)
        if math.dist((x, y), start) > 150:  # turn round
            heading = math.atan2(start[1] - y, start[0] - x)
        x, y = x + step * math.cos(heading), y + step * math.sin(heading)
        lab.page.mouse.move(x, y)
        lab.page.wait_for_timeout(gap)
    lab.page.wait_for_timeout(1000)
    lab.page.mouse.up()
    asked, shown = lab.page.evaluate("[window.asked, window.shown]")
    return [min(then for number, then in shown if number >= gesture) - begin for gesture, begin in asked]


def said(times: Sequence[float]) -> str:
    """Median / 95th percentile."""
    if not times:
        return ""
    rank = min(len(times) - 1, round(0.95 * len(times)))
    return f"{statistics.median(times):.0f} / {sorted(times)[rank]:.0f}"


def table(names: Sequence[str]) -> str:
    from playwright.sync_api import sync_playwright

    rows = ["| experiment | key | held | drag | swept |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        cells = [cell(f"from nnlib import widgets\n{name} = widgets.{name}()\n{name}", name) for name in names]
        notebook(Path(folder) / "all.ipynb", cells)
        with serve(Path(folder)) as address:
            browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS.split())
            lab = Lab(browser, address.format("all.ipynb"))
            for index, name in enumerate(names):
                root = lab.experiment(index)
                lab.run(f"experiment = {name}")
                single, held = keys(lab, root)
                moved: tuple[list[float], ...] = [], []
                if getattr(widgets, name).grips:
                    moved = drags(lab, root, 24, 100, 8), drags(lab, root, 60, 16, 5)
                rows.append(f"| {' | '.join([name, *map(said, (single, held, *moved))])} |")
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
