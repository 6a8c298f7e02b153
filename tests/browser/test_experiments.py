"""The experiments in a real JupyterLab in a real Chromium: `python -m pytest -m browser`.

One server and one page for all: each experiment is opened, asked, moved by keyboard and by mouse,
in both themes and on a narrow page. `python -m benchmarks.feel` measures how long a move takes.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [
    pytest.mark.browser,
    # Playwright's sockets, closed late.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]
pytest.importorskip("jupyterlab")
playwright = pytest.importorskip("playwright.sync_api")

from nnlib import widgets  # noqa: E402
from nnlib.widgets.experiment import Choice, Entry, Flag, Ladder, Slider  # noqa: E402
from tests.browser.lab import FLAGS, Lab, cell, chromium, notebook, serve  # noqa: E402
from tests.experiments import TYPED, within_reach  # noqa: E402

NAMES = list(widgets.EXPERIMENTS)
TRAINING = """
import nnlib as nn
nn.manual_seed(0)
x = nn.randn(300, 2)
y = nn.tensor(((x.data ** 2).sum(1) > 1.2).astype("int64"))
model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
history = nn.fit(model, (x, y), nn.CrossEntropyLoss(), nn.optim.SGD(model.parameters(), lr=0.3), 15, progress="a ring")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab with a notebook of all experiments and one training."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [cell(f"from nnlib import widgets\n{name} = widgets.{name}()\n{name}", name) for name in NAMES]
    notebook(folder / "all.ipynb", [*cells, cell(TRAINING, "training")])
    with serve(folder) as address:
        yield address.format("all.ipynb")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (path := chromium()):
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=FLAGS.split(), headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(browser: Any, server: str) -> Iterator[Lab]:
    yield (lab := Lab(browser, server))
    assert lab.errors == []
    assert lab.outside == []


each = pytest.mark.parametrize(("index", "name"), list(enumerate(NAMES)), ids=NAMES)
# Controls that change what the sentence says, or only how the picture looks.
HALF = {
    ("FarPoint", "output"), ("GraphStepper", "values"), ("ResNetLedger", "bars"), ("ShiftTest", "filter"),
    ("KernelBench", "brush"), ("GraphStepper", "rounded"),
}  # fmt: skip


def by_keyboard(lab: Lab, part: Any, control: Any) -> None:
    """Another value of a control whose widget is ``part``, with keys alone."""
    page = lab.page
    if isinstance(control, Slider | Ladder):
        handle = part.locator(".noUi-handle")
        now, most = (float(handle.get_attribute(f"aria-value{end}") or 0) for end in ("now", "max"))
        handle.focus()
        page.keyboard.press("ArrowLeft" if now >= most else "ArrowRight")
    elif isinstance(control, Choice):
        chosen = part.locator("select")
        chosen.focus()
        last = chosen.evaluate("s => s.selectedIndex + 1 === s.length")
        page.keyboard.press("ArrowUp" if last else "ArrowDown")
    elif isinstance(control, Flag):
        part.locator("input").focus()
        page.keyboard.press("Space")
    else:
        part.locator("input").focus()
        page.keyboard.press("Control+A")
        page.keyboard.type(TYPED.get(control.label, "0.5") if isinstance(control, Entry) else "0.7")
        page.keyboard.press("Enter")


def by_mouse(lab: Lab, part: Any, control: Any) -> None:
    """The same with the mouse: a slider's track, a list, a box, an arrow of a number's field."""
    if isinstance(control, Slider | Ladder):
        handle, track = part.locator(".noUi-handle"), part.locator(".noUi-base").bounding_box()
        at = handle.bounding_box()["x"] + handle.bounding_box()["width"] / 2
        share = 0.2 if at > track["x"] + track["width"] / 2 else 0.8
        lab.page.mouse.click(track["x"] + share * track["width"], track["y"] + track["height"] / 2)
    elif isinstance(control, Choice):
        options = part.locator("option").all_inner_texts()
        now = part.locator("select").evaluate("s => s.selectedIndex")
        part.locator("select").select_option(index=(now + 1) % len(options))
    elif isinstance(control, Flag):
        part.locator("input").click()
    else:
        box = part.locator("input").bounding_box()
        lab.page.mouse.click(box["x"] + box["width"] - 8, box["y"] + 0.3 * box["height"])


@each
def test_every_control_moves_by_keyboard_and_by_mouse(lab: Lab, index: int, name: str) -> None:
    """Those that a setting hides, too: it is set first."""
    root = lab.experiment(index)
    kind = getattr(widgets, name)
    moved, placed = 0, [key for row in kind.rows for key in row] or list(kind.controls)
    controls = {key: control for key, control in kind.controls.items() if key in placed}
    assert set(kind.controls) - set(controls) <= {"history", "compare"}  # what the playground notes for itself
    for key, control in controls.items():
        reach, setting = within_reach(kind, key)
        for move in (by_keyboard, by_mouse):
            if move is by_mouse and isinstance(control, Entry):
                continue  # text is typed
            lab.run(f"{name}.set(**{kind.complete() | reach.settings!r})")
            part = root.locator(f".nn-of-{key}")
            try:
                part.wait_for(timeout=5000)
            except playwright.Error:
                raise AssertionError(f"{key} is not in sight after {setting}") from None
            part.scroll_into_view_if_needed()
            lab.page.wait_for_timeout(150)  # what was set has arrived
            before = lab.sight(root)
            move(lab, part, control)
            try:
                lab.changed(root, before, both=(name, key) not in HALF)
            except AssertionError as error:
                raise AssertionError(f"{key} by {move.__name__} after {setting}: {error}") from None
            assert root.locator(".nn-error").count() == 0
        moved += 1
    assert moved == len(controls)


@each
def test_every_button_can_be_pressed_and_no_letter_reaches_the_notebook(
    lab: Lab, index: int, name: str
) -> None:
    root = lab.experiment(index)
    lab.run(f"{name}.set(**{getattr(widgets, name).complete()!r})")
    cells = lab.page.locator(".jp-Cell").count()
    for button in root.locator("button:visible").all():
        if button.is_enabled():
            button.focus()
            lab.page.keyboard.press("Enter")
            lab.page.wait_for_timeout(200)
            assert root.locator(".nn-error").count() == 0
    for pause in root.locator("button:has-text('Pause')").all():  # one of the buttons was Play
        pause.press("Enter")
        lab.page.wait_for_timeout(500)  # the kernel runs code beside events: what follows must not overtake this
    if hasattr(getattr(widgets, name), "pause"):  # what plays goes on, and the next tests want it still
        lab.run(f"{name}.pause()")
    for part in root.locator("select:visible, button:visible, .noUi-handle:visible").all()[:4]:
        part.focus()
        for letter in "abymd":  # elsewhere the notebook's own: new cells, code, text, delete
            lab.page.keyboard.press(letter)
    lab.page.wait_for_timeout(300)
    assert lab.page.locator(".jp-Cell").count() == cells


@each
def test_every_kind_of_grip_follows_the_mouse(lab: Lab, index: int, name: str) -> None:
    root = lab.experiment(index)
    kind = getattr(widgets, name)
    for grip in {id.split()[0]: id for id in reversed(kind.grips)}.values():
        lab.run(f"{name}.set(**{kind.complete()!r})")
        lab.page.wait_for_timeout(300)
        mark = root.locator(f".nn-grip[data-id='{grip}']")
        if not mark.count():  # of another mode; the modes' own tests drag it
            continue
        mark.scroll_into_view_if_needed()
        before, box = lab.sight(root), mark.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        lab.page.mouse.move(x, y)
        lab.page.mouse.down()
        for k in range(12):
            lab.page.mouse.move(x + 4 * k, y + 3 * k)
            lab.page.wait_for_timeout(20)
        lab.page.mouse.up()
        try:
            lab.changed(root, before, both=False)
        except AssertionError as error:
            raise AssertionError(f"{grip}: {error}") from None
        assert root.locator(".nn-error").count() == 0


def test_cells_are_painted_with_keys(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("KernelBench"))
    lab.run("KernelBench.set(image='ring', row=1, column=1, brush=7)")
    root.locator(".nn-stage[role=application]").focus()
    for keys in (["ArrowRight", "ArrowRight"], [" "]):
        before = lab.sight(root)
        for key in keys:
            lab.page.keyboard.press(key)
        lab.changed(root, before)
    lab.page.wait_for_timeout(400)
    lab.run("assert KernelBench.numbers.x[0, 0, 2] == 7, KernelBench.numbers.x")


def test_a_burst_of_keys_queues_no_stale_pictures(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("FarPoint"))
    root.locator(".noUi-handle").first.focus()
    lab.page.keyboard.press("End")
    lab.page.wait_for_timeout(600)
    lab.page.evaluate("window.drawn = []")
    for _ in range(40):
        lab.page.keyboard.press("ArrowLeft")
    lab.page.wait_for_timeout(2000)
    assert 1 <= lab.page.evaluate("window.drawn.length") < 40
    assert root.locator(".widget-readout").first.inner_text() == "12.00"
    assert "x = 12 " in lab.sight(root)[1]


def test_the_far_point_follows_the_mouse(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("FarPoint"))
    before, box = lab.sight(root), root.locator("[data-id='far']").bounding_box()
    lab.page.mouse.move(box["x"] + 5, box["y"] + 5)
    lab.page.mouse.down()
    for k in range(20):
        lab.page.mouse.move(box["x"] + 5 - 8 * k, box["y"] + 5)
    lab.changed(root, before)
    lab.page.mouse.up()


SLOW = """
import time
{name}_compute = type({name}).compute
def slow(settings):
    time.sleep({seconds})
    return {name}_compute(settings)
type({name}).compute = staticmethod(slow)
"""


def grip(lab: Lab, name: str, id: str) -> tuple[Any, float, float]:
    """An experiment at its defaults, with the pointer on a mark long enough for its neighbours to have been sent."""
    root = lab.experiment(NAMES.index(name))
    lab.run(f"{name}.set(**{getattr(widgets, name).complete()!r})")
    lab.page.wait_for_timeout(300)
    mark = root.locator(f".nn-grip[data-id='{id}']")
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.wait_for_timeout(1500)
    return root, x, y


def test_a_drag_is_answered_before_the_kernel_has_heard_of_it(lab: Lab) -> None:
    root, x, y = grip(lab, "Fold", "u")
    lab.run(SLOW.format(name="Fold", seconds=1.5))
    try:
        lab.page.mouse.down()
        lab.page.mouse.move(x + 12, y)
        root.locator(".nn-status:has-text('u goes 0.0')").wait_for(timeout=1000)
        ahead = lab.sight(root)
        assert root.locator(".widget-readout").nth(2).inner_text() == "0.00"  # what only the kernel moves
        lab.page.mouse.up()
        lab.page.wait_for_timeout(4000)
        assert lab.sight(root) == ahead
        assert float(root.locator(".widget-readout").nth(2).inner_text()) > 0
    finally:
        lab.run("type(Fold).compute = staticmethod(Fold_compute)")


def test_a_burst_of_drags_shows_nothing_stale_and_ends_where_the_mouse_let_go(lab: Lab) -> None:
    root, x, y = grip(lab, "LossBowl", "start")
    lab.run(SLOW.format(name="LossBowl", seconds=0.05))
    try:
        lab.page.evaluate("window.asked = []; window.shown = []")
        lab.page.mouse.down()
        for k in range(40):  # away and part of the way back, over places known and unknown
            lab.page.mouse.move(x + 2.5 * (k if k < 25 else 50 - k), y + 0.5 * k)
            lab.page.wait_for_timeout(15)
        lab.page.mouse.up()
        lab.page.wait_for_timeout(2500)
    finally:
        lab.run("type(LossBowl).compute = staticmethod(LossBowl_compute)")
    asked, shown = lab.page.evaluate("[window.asked, window.shown]")
    numbers = [number for number, _ in shown if number >= asked[0][0]]  # another experiment may still play
    assert len(asked) > 10
    assert numbers == sorted(numbers)  # never an older picture after a newer one
    assert numbers[-1] == asked[-1][0]
    box = root.locator("svg").bounding_box()
    scale, lattice = 760 / box["width"], widgets.LossBowl.lattice(widgets.LossBowl.measure())["start"]
    ends = (x + 2.5 * 11 - box["x"], y + 0.5 * 39 - box["y"])
    want = [round(0.1 * round((scale * v - zero) / step), 6) for v, (zero, step, *_) in zip(ends, lattice)]
    lab.run(f"assert [LossBowl.settings[n] for n in ('intercept', 'slope')] == {want}, LossBowl.settings")
    assert f"From ({want[0]:g}, {want[1]:g})".replace("-", "\N{MINUS SIGN}") in lab.sight(root)[1]


def test_what_was_sent_ahead_is_forgotten_when_another_control_moves(lab: Lab) -> None:
    root, x, y = grip(lab, "Fold", "u")
    lab.run("Fold.set(layers=3)")
    lab.page.mouse.down()
    lab.page.mouse.move(x + 12, y)
    lab.page.mouse.up()
    root.locator(".nn-status:has-text('3 × 3 units draw 27')").wait_for(timeout=5000)
    lab.page.wait_for_timeout(500)
    assert "draw 27 straight pieces" in lab.sight(root)[1]


def test_training_shows_how_far_it_is_and_can_be_stopped(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("LesionBench"))
    lab.run("from nnlib.widgets.lesion_bench import training; LesionBench.set(pairs=7, seed=0); training.cache_clear()")
    lab.page.wait_for_timeout(300)
    before = lab.sight(root)
    root.locator(".nn-of-seed .noUi-handle").focus()
    lab.page.keyboard.press("ArrowRight")
    stop = root.locator("button:has-text('Stop')")
    stop.wait_for(timeout=5000)
    assert "Training: of 10 epochs" in lab.changed(root, before)[1]
    root.locator("[role=progressbar], .progress").first.wait_for(timeout=2000)
    stop.press("Enter")
    root.locator("button:has-text('Go on')").wait_for(timeout=5000)
    still = lab.sight(root)
    lab.page.wait_for_timeout(600)
    assert lab.sight(root) == still
    root.locator("button:has-text('Go on')").press("Enter")
    root.locator(".nn-status:has-text('Training pictures right')").wait_for(timeout=60000)
    stop.wait_for(state="hidden", timeout=5000)


def test_an_expression_that_cannot_be_read_is_said_in_place(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("GraphStepper"))
    field = root.locator("input[type=text]").first
    before = lab.sight(root)[0]
    field.fill("x +")
    field.press("Enter")
    root.locator(".nn-error").wait_for()
    assert "cannot be read" in lab.sight(root)[1]
    assert lab.sight(root)[0] == before
    field.fill("x * x")
    field.press("Enter")
    root.locator(".nn-error").wait_for(state="detached")
    assert root.locator("[data-id^='node']").count() == 2


def test_training_curves_end_with_the_training(lab: Lab) -> None:
    root = lab.experiment(len(NAMES))
    root.locator(".nn-status:has-text('15 of 15 epochs, finished')").wait_for(timeout=60000)
    assert root.locator("[data-id='train loss']").count() == 1


def test_status_lines_are_live_regions_that_stay_and_pictures_have_names(lab: Lab) -> None:
    for index in range(len(NAMES)):
        root = lab.experiment(index)
        status = root.locator(".nn-status[role=status][aria-live=polite]")
        status.wait_for(timeout=5000)  # what a test before left playing has stopped
        assert (
            root.locator("svg[role=img]").first.get_attribute("aria-label") == status.text_content()
        )


def test_dark_theme_changes_the_colours_of_the_picture(lab: Lab) -> None:
    root = lab.experiment(0)
    ink = "e => getComputedStyle(e.querySelector('svg text')).fill"
    light = root.evaluate(ink)
    lab.command("apputils:change-theme", theme="JupyterLab Dark")
    lab.page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    dark = root.evaluate(ink)
    # Two changes while the splash fades make JupyterLab itself fail (removeChild).
    lab.page.wait_for_selector("#jupyterlab-splash", state="detached")
    lab.command("apputils:change-theme", theme="JupyterLab Light")
    lab.page.wait_for_selector("body[data-jp-theme-light='true']", state="attached")
    lab.page.wait_for_selector("#jupyterlab-splash", state="detached")
    assert light != dark


def test_a_narrow_page_scrolls_the_picture_not_the_controls(browser: Any, server: str) -> None:
    lab = Lab(browser, server, width=390)
    for index in range(len(NAMES)):
        root = lab.experiment(index)
        right = root.bounding_box()["x"] + root.bounding_box()["width"] + 1
        for control in root.locator("select, input, button, .noUi-target").all():
            if box := control.bounding_box():
                assert box["x"] + box["width"] <= right
    assert lab.errors == []
    lab.page.close()


def playground(lab: Lab, state: str) -> Any:
    """The playground in a state of its text field."""
    root = lab.experiment(NAMES.index("Playground"))
    field, before = root.locator("input[type=text]").last, lab.sight(root)
    field.fill(state)
    field.press("Enter")
    lab.changed(root, before)
    return root


def test_the_playground_plays_and_the_page_stays_free(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    root = playground(lab, "data=rings; depth=2")
    surface = "e => [...e.querySelectorAll('canvas')].map(c => c.toDataURL()).join()"
    first = root.evaluate(surface)
    lab.page.evaluate("window.drawn = []")
    root.locator(".nn-stage").focus()
    lab.page.keyboard.press(" ")
    lab.page.wait_for_timeout(3000)
    drawn = lab.page.evaluate("window.drawn")
    assert len(drawn) > 5
    assert root.evaluate(surface) != first
    assert root.locator(".nn-status").get_attribute("aria-live") == "off"
    rate = root.locator(".widget-slider:has-text('rate') .noUi-handle")
    rate.focus()
    lab.page.keyboard.press("ArrowRight")  # counts while it plays
    root.locator(".nn-status:has-text('at rate 1,')").wait_for(timeout=5000)
    root.locator("button:has-text('Pause')").press("Enter")
    root.locator(".nn-status[aria-live=polite]").wait_for(state="attached", timeout=5000)
    lab.page.wait_for_timeout(700)
    count = len(lab.page.evaluate("window.drawn"))
    lab.page.wait_for_timeout(500)
    assert len(lab.page.evaluate("window.drawn")) == count  # nothing was queued
    assert "rate=0.3<" in root.locator("input[type=text]").last.input_value()
    with capsys.disabled():
        gaps = [b - a for a, b in zip(drawn, drawn[1:])]
        print(f"\nPlayground: a picture every {statistics.median(gaps):.0f} ms while it plays")


def test_points_of_ones_own_by_mouse_and_by_keyboard(lab: Lab) -> None:
    root = playground(lab, "data=own points")
    marks, before = root.locator("svg circle").count(), lab.sight(root)

    def click(id: str, x: float, y: float) -> None:
        mark = root.locator(f"[data-id='{id}']")
        box = mark.bounding_box()
        mark.click(position={"x": x * box["width"], "y": y * box["height"]})

    click("plane", 0.75, 0.75)
    before = lab.changed(root, before)
    assert root.locator("svg circle").count() == marks + 1
    for key in ("ArrowUp", "c", "ArrowUp", "Enter"):  # the click has put the focus on the picture
        lab.page.keyboard.press(key)
    lab.changed(root, before)
    root.locator(".nn-status:has-text('2 own points')").wait_for(timeout=5000)
    state = root.locator("input[type=text]").last.input_value()
    points = r"point\(1\.[45]\d*,-1\.[45]\d*,0\)@0 point\(0,0\.25,1\)@0"
    assert re.fullmatch(f"data=own points; history={points}", state)
    click("net", 0.75, 0.25)
    lab.page.wait_for_timeout(300)
    chosen = root.locator("select").last.evaluate("s => s.selectedOptions[0].textContent")
    assert chosen.replace("\N{NO-BREAK SPACE}", " ") == "output from unit 1"


def test_an_expression_of_vectors_is_stepped_by_keyboard(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("GraphStepper"))
    for field, text in zip(
        root.locator("input[type=text]").all(),
        ("cross_entropy(W @ x + b, y)", "W = [[1, -2], [0.5, 1], [1, 1]], x = [1, 0.5], b = [0.5, 0, -1], y = 2"),
    ):
        field.focus()
        lab.page.keyboard.press("Control+A")
        lab.page.keyboard.type(text)
        lab.page.keyboard.press("Enter")
    root.locator(".nn-status:has-text('x = [1, 0.5], b = [0.5, 0, −1]')").wait_for(timeout=5000)
    button = root.locator("button:has-text('Next')")
    button.focus()
    said = [lab.sight(root)]
    while button.is_enabled():
        lab.page.keyboard.press("Enter")
        said.append(lab.changed(root, said[-1]))
        assert len(said) < 9
    assert [s[:7] for _, s in said] == ["Inputs:", *["Forward"] * 3, *["Backwar"] * 3]
    assert "· Jacobian 3×6 = [[" in said[-1][1] and "All gradients are nnlib's." in said[-1][1]
    assert root.locator(".nn-below .nn-matrix tr").count() == 2 * 3  # W's and x's, a row for each output
    assert root.locator("[data-id^=gradient]").count() == 5 + 1  # none to y, the class; one at f


def test_a_graph_wider_than_its_page_shows_the_node_of_the_step(lab: Lab) -> None:
    root = lab.experiment(NAMES.index("GraphStepper"))
    before = lab.sight(root)
    root.locator("select").first.select_option(label="sigmoid, gate by gate")  # a new graph starts at its inputs
    lab.changed(root, before)
    lab.page.set_viewport_size({"width": 420, "height": 1000})
    lab.page.wait_for_timeout(500)
    root.locator(".nn-stage").focus()
    for _ in range(16):
        before = lab.sight(root)
        lab.page.keyboard.press("ArrowRight")
        lab.changed(root, before)
        now, page = root.locator("[data-id=now]").bounding_box(), root.locator(".nn-view").bounding_box()
        assert page["x"] <= now["x"] and now["x"] + now["width"] <= page["x"] + page["width"]
        assert now["height"] >= 10  # letters that can be read
    lab.page.set_viewport_size({"width": 1280, "height": 1000})


def test_two_runs_stand_side_by_side_or_one_below_the_other(lab: Lab) -> None:
    root = playground(lab, "data=XOR; step=60 versus data=XOR; loss=hinge")
    boxes = {}
    for width in (1280, 420):
        lab.page.set_viewport_size({"width": width, "height": 1000})
        lab.page.wait_for_timeout(800)
        boxes[width] = [root.locator(f"[data-id='{id}']").bounding_box() for id in ("plane", "plane A")]
    lab.page.set_viewport_size({"width": 1280, "height": 1000})
    (b, a), (below_b, below_a) = boxes[1280], boxes[420]
    assert a["x"] + a["width"] < b["x"] and a["y"] == b["y"] and a["width"] == pytest.approx(b["width"])
    assert below_b["y"] + below_b["height"] < below_a["y"] and below_a["x"] == pytest.approx(below_b["x"])
    said = lab.sight(root)[1]
    assert said.startswith("Run B. Step 60") and "Run A (loss hinge): Loss" in said


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "where no clipboard is"])
def test_the_state_is_copied_with_one_key(lab: Lab, allowed: bool) -> None:
    root = playground(lab, f"data=rings; rate={0.1 if allowed else 0.03}")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.page.evaluate("allowed => { window.kept = navigator.clipboard.writeText.bind(navigator.clipboard);"
                      "navigator.clipboard.writeText = text => allowed ? kept(text) : Promise.reject('no'); }",
                      allowed)  # fmt: skip
    button, before = root.locator("button.nn-copy"), lab.sight(root)
    button.focus()
    lab.page.keyboard.press("Enter")
    root.locator(".nn-copy:has-text('Copied')").wait_for(timeout=3000)
    state = root.locator("input[type=text]").last.input_value()
    assert lab.page.evaluate("navigator.clipboard.readText()") == state
    assert root.locator(".nn-status").text_content() == f"Copied: {state}"
    assert button.evaluate("e => e === document.activeElement")
    lab.page.wait_for_timeout(2800)
    assert button.inner_text() == "Copy" and lab.sight(root) == before
