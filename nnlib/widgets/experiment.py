"""What every experiment is made of.

An experiment is a module with three plain functions and one small class that names them:

* ``compute(settings) -> numbers``: nnlib at work; no widget, no figure;
* ``draw(numbers) -> Scene``: the picture, from those numbers alone;
* ``say(numbers) -> str``: the same in words;
* ``class X(Experiment)``: title, controls, prediction, challenge.

:class:`Experiment` turns that into something to play with. Redrawing happens inside the handler of a slider's event, on
purpose: ipywidgets sends the next value of a slider only when the kernel has finished with the last one, and sends the
newest, so a burst of events never queues stale pictures. In the pauses between, the answers to the gestures that are
likely next are computed and sent ahead, so that the page shows them without a round trip to the kernel: a slider one
step further each way, a mark at the neighbouring places of its lattice, a key on the picture. Each is computed by doing
the gesture on a copy of the state (``_foresee``), so that it cannot differ from the kernel's own answer.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any, ClassVar

__all__ = [
    "Challenge",
    "Choice",
    "Clock",
    "Entry",
    "Experiment",
    "Flag",
    "Ladder",
    "Number",
    "Prediction",
    "Slider",
]


PAUSE = 0.03  # seconds without an event before a slider's neighbours are computed; three times as long as they take
GAP = 0.002  # seconds between two pictures sent ahead, in which the kernel hears of new events
MOST_AHEAD = 150  # pictures that the page keeps for one mark
PIECE, BETWEEN = 0.012, 0.15  # seconds of slow work at a time, and between its pictures
QUICK, LONG = 0.05, 0.1  # seconds that a picture may take for the places around a mark, or a slider, to be worth it


@dataclass(frozen=True)
class Slider:
    """A number to slide; whole numbers when ``default`` and ``step`` are."""

    label: str
    default: float
    low: float
    high: float
    step: float = 1

    def check(self, value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            raise ValueError(f"expects a number from {self.low:g} to {self.high:g}, got {value!r}")
        return type(self.default)(value)

    def build(self) -> Any:
        import ipywidgets

        kind = ipywidgets.IntSlider if isinstance(self.default, int) else ipywidgets.FloatSlider
        return kind(value=self.default, min=self.low, max=self.high, step=self.step, description=self.label,
                    continuous_update=True, style={"description_width": "initial"},
                    layout={"width": "min(330px, 98%)"})  # fmt: skip


@dataclass(frozen=True)
class Clock(Slider):
    """A count of steps that is also played; getting to ``soon`` takes no time to speak of."""

    soon: int = 20


@dataclass(frozen=True)
class Number:
    """A number to type."""

    label: str
    default: float

    def check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e6:
            raise ValueError(f"expects a number of at most a million, got {value!r}")
        return float(value)

    def build(self) -> Any:
        import ipywidgets

        return ipywidgets.FloatText(value=self.default, step=0.1, description=self.label,
                                    style={"description_width": "initial"}, layout={"width": "118px"})  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    label: str
    default: str
    options: tuple[str, ...]

    def check(self, value: Any) -> str:
        if value not in self.options:
            raise ValueError(f"expects one of {', '.join(map(repr, self.options))}, got {value!r}")
        return value

    def build(self) -> Any:
        import ipywidgets

        width = min(18 + 1.05 * len(self.label) + max(map(len, self.options)), 56)
        return ipywidgets.Dropdown(options=list(self.options), value=self.default, description=self.label,
                                   style={"description_width": "initial"},
                                   layout={"width": f"min({0.56 * width:.0f}em, 98%)"})  # fmt: skip


@dataclass(frozen=True)
class Ladder(Choice):
    """One of several numbers in order, to slide along; the texts of the rungs are those of the numbers."""

    default: Any
    options: tuple[Any, ...]
    step: ClassVar[int] = 1  # rungs

    def build(self) -> Any:
        import ipywidgets

        return ipywidgets.SelectionSlider(options=[(f"{v:g}", v) for v in self.options], value=self.default,
                                          description=self.label, style={"description_width": "initial"},
                                          layout={"width": "min(300px, 98%)"})  # fmt: skip


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    label: str
    default: bool

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expects True or False, got {value!r}")
        return value

    def build(self) -> Any:
        import ipywidgets

        return ipywidgets.Checkbox(value=self.default, description=self.label, indent=False,
                                   layout={"width": "auto"})  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A line of text; it counts when Enter is pressed or the field is left."""

    label: str
    default: str
    width: int = 380

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expects a text, got {value!r}")
        return value

    def build(self) -> Any:
        import ipywidgets

        return ipywidgets.Text(value=self.default, description=self.label, continuous_update=False,
                               style={"description_width": "initial"},
                               layout={"width": f"min({self.width}px, 98%)"})  # fmt: skip


Control = Slider | Number | Choice | Flag | Entry
Move = tuple[str, Any, Callable[[], None]]  # a gesture, its value as the page calls it, and what it does


@dataclass(frozen=True)
class Prediction:
    """A question before the first picture that answers it.

    ``before`` are the settings shown with the question, ``after`` those of the reveal; ``why`` is said with the answer.
    """

    question: str
    options: tuple[str, ...]
    answer: str
    why: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def verdict(self, choice: str) -> str:
        """What is said to someone who chose ``choice``."""
        if choice not in (*self.options, UNDECIDED):
            raise ValueError(
                f"predict: one of {', '.join(map(repr, self.options))} expected, got {choice!r}."
            )
        if choice == self.answer:
            return f"You said “{choice}”, and so it is. {self.why}"
        said = "" if choice == UNDECIDED else f"You said “{choice}”. "
        return f"{said}It is “{self.answer}”. {self.why}"


UNDECIDED = "no idea, show me"


@dataclass(frozen=True)
class Challenge:
    """ "Make it fail": a task, and how the numbers show that it is done."""

    task: str
    met: Callable[[Any], bool]
    praise: str


class Experiment:
    """A thing to play with in a notebook; a cell shows it when it is the cell's last expression.

    ``experiment.settings`` is a plain dict, ``experiment.set(name=value)`` changes some of it, so a
    state can be scripted, saved and restored. ``experiment.numbers``, ``experiment.status`` and
    ``experiment.error`` say what is on the screen. ``X.static(name=value).show()`` is the same
    picture for a page without a kernel.

    Raises ValueError for a setting that does not exist or a value that it cannot take.
    """

    title: ClassVar[str]
    controls: ClassVar[dict[str, Control]]
    prediction: ClassVar[Prediction | None] = None
    challenge: ClassVar[Challenge | None] = None
    still: ClassVar[
        Mapping[str, Any]
    ] = {}  # settings of the static picture, where they differ from the defaults
    least: ClassVar[int] = 320  # pixels below which the picture scrolls
    grips: ClassVar[tuple[str, ...]] = ()  # ids of marks that can be dragged
    lasting: ClassVar[bool] = True  # where a mark is dragged to counts, not the way there
    taps: ClassVar[tuple[str, ...]] = ()  # ids of marks that can be clicked
    keys: ClassVar[
        tuple[str, ...]
    ] = ()  # keys that count while the picture has the focus, and what they do
    foreseen: ClassVar[
        tuple[str, ...]
    ] = ()  # those of them whose answers are sent ahead: they change settings and plain attributes alone
    hint: ClassVar[str] = ""
    fits: ClassVar[bool] = False  # the picture asks the page for its width
    rows: ClassVar[
        tuple[tuple[str, ...], ...]
    ] = ()  # how controls stand together; default: all in one flow

    # An experiment's module provides these as plain functions; the class names them.
    compute: ClassVar[Any]  # dict of all settings -> numbers
    draw: ClassVar[Any]  # numbers -> Scene
    say: ClassVar[Any]  # numbers -> str
    tell: ClassVar[Any] = None  # numbers -> HTML below the picture, a table; or None
    # Where computing is slow: settings -> iterator of the share done, which does a little at each next() and goes on
    # where it was; and settings -> numbers as far as that has come. ``compute`` does it all.
    work: ClassVar[Any] = None
    glimpse: ClassVar[Any] = None
    lattice: ClassVar[Any] = None  # numbers -> {a grip's id, or how several begin: (Axis, Axis)}; see scene.axis

    # ------------------------------------------------------------ without a widget

    @classmethod
    def complete(cls, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All settings: the given ones, checked, and defaults for the rest."""
        result = {name: control.default for name, control in cls.controls.items()}
        for name, value in (settings or {}).items():
            if name not in cls.controls:
                raise ValueError(
                    f"{cls.__name__}: no setting {name!r}; there are {', '.join(cls.controls)}."
                )
            try:
                result[name] = cls.controls[name].check(value)
            except ValueError as error:
                raise ValueError(f"{cls.__name__}: {name} {error}.") from None
        return result

    @classmethod
    def measure(cls, **settings: Any) -> Any:
        """The numbers of these settings: what the picture shows."""
        return cls.compute(cls.complete(settings))

    @classmethod
    def static(cls, **settings: Any) -> Any:
        """The picture of these settings for a page without a kernel: end a cell with ``X.static().show()``."""
        numbers = cls.measure(**{**cls.still, **settings})
        return cls.draw(numbers).picture(cls.say(numbers))

    # ------------------------------------------------------------ with widgets

    def __init__(self, **settings: Any) -> None:
        import ipywidgets as w

        from .view import View

        self._settings = self.complete(settings)
        self.revealed, self.met = self.prediction is None, False
        self.numbers: Any = None
        self.error: Exception | None = None
        self._watched, self._silencer = False, 0
        # JupyterLab may bring the events of two widgets in two threads at once; one after the other they count.
        self._lock = threading.RLock()
        self._ahead: asyncio.TimerHandle | None = None
        self._took: dict[str, float] = {}  # seconds that a move of each slider took, lately
        self._job: asyncio.TimerHandle | None = None  # slow work that goes on
        self._turned: tuple[str, int] | None = None  # the slider moved last, and which way
        self._answering = 0.0  # the number of the page's gesture
        self._held: tuple[str, Any] = ("", None)  # the mark that was moved last, and its place
        self._sent: set[Any] = set()  # its places that the page has pictures of
        self._keeps = False  # and they stay true
        self._event, self._drawn = False, 0.0  # a learner waits for the page; when it last got a picture
        self._imagined: Any = None  # while a gesture is only imagined: the picture it leads to
        self._named: set[str] = set()  # and the settings that it sets
        self.widgets = {name: control.build() for name, control in self.controls.items()}
        self.view = View(
            least=self.least,
            grips=list(self.grips),
            taps=list(self.taps),
            listens=list(self.keys),
            hint=self.hint,
            fits=self.fits,
            lasting=self.lasting,
            controls=[widget.model_id for widget in self.widgets.values()],
        )
        self.view.on_msg(self._message)
        for name, widget in self.widgets.items():
            widget.add_class(f"nn-of-{name}")
            if self._settings[name] != widget.value:
                widget.value = self._settings[name]
            widget.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        groups = self.rows or (tuple(self.widgets),)
        self._controls = w.VBox([_flow([self._part(name) for name in group]) for group in groups])
        self._controls.add_class("nn-rows")
        self._asked = w.VBox([])
        self._task, self._trouble = w.HTML(), w.HTML()
        heading = w.HTML(f'<h3 class="nn-title">{escape(self.title)}</h3>')
        parts = [heading, self._asked, self._controls, self.view, self._task, self._trouble]
        if self.work:
            self._bar = w.FloatProgress(max=1.0, description="training", style={"description_width": "initial"})
            self._stop = w.Button(description="Stop", layout={"width": "90px"})
            self._stop.on_click(lambda _: self._halt())
            self._working = _flow([self._bar, self._stop])
            self._working.layout.display = "none"
            parts.insert(3, self._working)
        self.box = w.VBox(parts)
        self.box.add_class("nn-exp")
        self._ask()
        self._redraw()

    def _part(self, name: str) -> Any:
        """The widget of a setting, or what a subclass adds to a row under that name (buttons)."""
        return self.widgets[name]

    def _ask(self) -> None:
        import ipywidgets as w

        if self.prediction is None:
            return
        self._controls.layout.display = "none"
        question = w.HTML(
            f'<div class="nn-card"><b>Predict first.</b> {escape(self.prediction.question)}</div>'
        )
        buttons = []
        for option in (*self.prediction.options, UNDECIDED):
            button = w.Button(description=option, layout={"width": "auto"})
            button.on_click(lambda _, option=option: self._waited_for(self.predict, option))
            buttons.append(button)
        self._asked.children = [question, _flow(buttons)]

    def predict(self, choice: str) -> str:
        """Answer the question asked first; reveals the picture and returns what is said."""
        if self.prediction is None:
            raise RuntimeError(f"{type(self).__name__}: asks for no prediction.")
        verdict = self.prediction.verdict(choice)
        self._reveal(verdict)
        self.set(**self.prediction.after)
        return verdict

    def _reveal(self, verdict: str = "") -> None:
        import ipywidgets as w

        self.revealed = True
        self._controls.layout.display = None
        card = f'<div class="nn-card" role="status">{escape(verdict)}</div>' if verdict else ""
        self._asked.children = [w.HTML(card)] if card else []

    @property
    def settings(self) -> dict[str, Any]:
        """A copy of all settings, as plain data."""
        return dict(self._settings)

    @property
    def status(self) -> str:
        """The sentence below the picture."""
        return self._said

    def set(self, **settings: Any) -> None:
        """Change settings; one redraw for all of them. Also passes the opening question."""
        with self._lock:
            new = self.complete({**self._settings, **settings})
            self._named |= settings.keys()
            if not self.revealed:
                self._reveal()
            self._settings = new
            self._redraw()

    def drag(self, id: str, i: int, j: int) -> None:
        """The mark of ``lattice`` was dragged to its place (i, j); an experiment with grips overrides this."""

    def tap(self, id: str, x: float, y: float) -> None:
        """The mark ``id`` was clicked at (x, y) of the picture; an experiment with taps overrides this."""

    def press(self, keys: list[str]) -> None:
        """These keys were pressed on the picture; an experiment with keys overrides this."""

    pressed = False  # whether a drag is the press that begins it

    def seen(self) -> None:
        """The page has painted the last picture; said only while ``view.live``."""

    def prepare(self, numbers: Any) -> None:
        """Add to the numbers what only the screen knows (where the cross is); called before they are drawn."""

    def tune(self, numbers: Any) -> None:
        """Fit controls to the numbers (a slider's range, a label); called inside a redraw."""

    def moved(self, name: str) -> None:
        """A learner moved the control ``name``; its new value is in the settings, the redraw comes next."""

    # ------------------------------------------------------------ inside

    def _moved(self, name: str, value: Any) -> None:
        if self.quiet or _same(value, self._settings[name]):  # a page's slider sends 10.200000000000001 for 10.2
            return
        start, before = time.perf_counter(), self._settings[name]
        with self._shown():
            self._waited_for(self._turn, name, self.controls[name].check(value))
            self._turned = None
            took = self._took[name] = max(time.perf_counter() - start, 0.7 * self._took.get(name, 0.0))
            if isinstance(self.controls[name], Slider | Ladder) and took < LONG:
                self._turned = name, 1 if value > before else -1
                self._plan_ahead(max(PAUSE, 3 * took), self._next_steps(*self._turned))

    def _waited_for(self, act: Callable[..., Any], *values: Any) -> None:
        """Do what a learner asked for; slow work goes on afterwards, in pieces."""
        with self._lock:
            self._event = True
            try:
                act(*values)
            finally:
                self._event = False

    def _turn(self, name: str, value: Any) -> None:
        """What moving the control ``name`` does."""
        self._named.add(name)
        self._settings[name] = value
        self.moved(name)
        self._draw()

    def _next_steps(self, name: str, onward: int) -> Iterator[Move]:
        """A slider one step on and one step back."""
        control, widget, value = self.controls[name], self.widgets[name], self._settings[name]
        for way in (onward, -onward):
            if isinstance(control, Ladder):
                rung = control.options.index(value) + way
                if 0 <= rung < len(control.options):
                    yield widget.model_id, rung, partial(self._turn, name, control.options[rung])
            elif isinstance(control, Slider):
                new = type(control.default)(round(value + way * control.step, 9))
                if control.low <= new <= widget.max:
                    yield widget.model_id, new, partial(self._turn, name, new)

    def _next_places(self, id: str, to: Any, before: Any) -> Iterator[Move]:
        """The places a mark may be dragged to from ``to``, to which it came from ``before``."""
        for place in around(to, before, self.view.lattice[id])[: None if self.lasting else 8]:
            if (id, place) not in self._sent:
                self._sent.add((id, place))
                yield f"drag {id}", "{} {}".format(*place), partial(self._grip, "drag", id, place)

    def _plan_ahead(self, wait: float, moves: Iterable[Move]) -> None:
        """Compute the answers to gestures once the learner pauses; the next picture drawn calls it off."""
        if self._ahead:
            self._ahead.cancel()
        with suppress(RuntimeError):  # outside a kernel nobody looks, and no loop runs
            self._ahead = asyncio.get_running_loop().call_later(wait, self._look_ahead, iter(moves))

    def _look_ahead(self, moves: Iterator[Move]) -> None:
        if not self.view.live and (move := next(moves, None)):
            self._foresee(*move)
            self._plan_ahead(GAP, moves)

    def _foresee(self, gesture: str, value: Any, act: Callable[[], None]) -> None:
        """Send what a gesture would lead to, for the page to show when it comes: ``act`` without consequences."""
        with self._lock:
            kept, self._settings, self._named = dict(vars(self)), dict(self._settings), set()
            self._watched, self._imagined = True, ()
            with suppress(Exception):  # what fails is shown when it is asked for
                act()
            frame, named, mine = self._imagined, self._named, vars(self)
            for name in mine.keys() - kept.keys():
                del mine[name]
            mine.update(kept)
            if frame:
                others = [widget for name, widget in self.widgets.items() if name not in named]
                given = {w.model_id: getattr(w, "index", w.value) for w in others}
                self.view.ahead = [gesture, value, given, *frame]

    def _message(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        kind, id = message.get("type", ""), message.get("id", "")
        if kind == "seen":
            self.seen()
        elif kind == "hover":
            self._hover(id, message.get("to"))
        else:
            with self._lock:
                self._answer(kind, id, message)

    def _answer(self, kind: str, id: str, message: dict[str, Any]) -> None:
        count, start = self.view.count, time.perf_counter()
        self._answering = message.get("tick", 0.0)
        moves: Iterable[Move] = ()
        try:
            with self._shown():
                if kind in ("press", "drag") and id in self.view.lattice:
                    to, (last, before) = self._clip(id, message["to"]), self._held
                    self._keeps = self.lasting and id == last
                    try:
                        self._grip(kind, id, to)
                    finally:
                        self._keeps = False
                    self._hold(id, to)
                    moves = self._next_places(id, to, before if id == last else None)
                if kind == "tap" and id in self.taps:
                    self.tap(id, *map(float, message["at"]))
                if kind == "keys":
                    self.press([key for key in message["keys"] if key in self.keys])
                    moves = self._next_keys(message["keys"][-1])
        finally:
            if self.view.count == count:  # nothing drawn: the page waits for an answer all the same
                with self.view.hold_sync():
                    self.view.answered = self._answering
                    self.view.count += 1
        if moves and time.perf_counter() - start < QUICK:
            self._plan_ahead(GAP, moves)

    def _clip(self, id: str, to: Any) -> tuple[int, int]:
        i, j = (min(max(int(k), axis[2]), axis[3]) for k, axis in zip(to, self.view.lattice[id], strict=True))
        return i, j

    def _grip(self, kind: str, id: str, to: tuple[int, int]) -> None:
        self.pressed = kind == "press"
        self.drag(id, *to)

    def _hold(self, id: str, to: Any) -> None:
        """Pictures of another mark's places are not true any more once this one moves."""
        if self._held[0] != id or len(self._sent) > MOST_AHEAD:
            self._forget()
        self._held = id, to

    def _forget(self) -> None:
        self._sent.clear()
        self.view.ahead = []

    def _hover(self, id: str, to: Any) -> None:
        """The pointer is over a mark, or the picture has got the focus: a gesture may come."""
        with self._lock:
            if not self.revealed or id and id not in self.view.lattice:
                return
            if not id:
                self._plan_ahead(GAP, self._next_keys(""))
                return
            place = self._clip(id, to)
            self._hold(id, place)
            if self.lasting:
                self._plan_ahead(GAP, self._next_places(id, place, None))
            else:
                press = f"press {id}", "{} {}".format(*place), partial(self._grip, "press", id, place)
                self._plan_ahead(GAP, [press])

    def _next_keys(self, last: str) -> Iterator[Move]:
        """The keys on the picture, the one pressed last before the others."""
        for key in sorted(self.foreseen, key=lambda key: key != last):
            yield "key", key, partial(self.press, [key])

    def _redraw(self) -> None:
        with self._shown():
            self._draw()

    def _draw(self) -> None:
        """Compute, draw, say; the view changes in one message."""
        before = {} if self.revealed or self.prediction is None else self.prediction.before
        settings = self.complete({**self._settings, **before})
        job, share = None, None
        if self.work and (self._event or self._imagined is not None) and _in_kernel():
            job = self.work(settings)
            share = next(job, None)
        numbers = type(self).compute(settings) if share is None else type(self).glimpse(settings)
        frame = self._frame(numbers)
        if self._imagined is not None:
            self._imagined = frame
            return
        picture, said, below, tiles, pixels, lattice = frame
        self.numbers, self._said = numbers, said
        for timer in filter(None, (self._ahead, self._job)):
            timer.cancel()
        self._job = None
        if self.work:
            self.view.live = share is not None  # a sentence that changes all the time is not read out
        with self.view.hold_sync():  # the picture goes first, the sliders that follow it can wait
            self.view.picture, self.view.below, self.view.lattice = picture, below, lattice
            if tiles or self.view.tiles:
                self.view.tiles, self.view.pixels = tiles, pixels
            if not self._keeps:
                self._forget()
            self.view.status = self.view.alt = said
            self.view.answered = self._answering
            self.view.count += 1
        with self.silent():
            self.tune(numbers)
            for name, widget in self.widgets.items():
                if not _same(widget.value, self._settings[name]):
                    widget.value = self._settings[name]
        self._judge(numbers)
        if self.work:
            self._drawn = time.perf_counter()
            self._follow(job, share)

    def _follow(self, job: Any, share: float | None) -> None:
        """Show how far slow work has come, and go on with it once the kernel has heard what else there is."""
        self._working.layout.display = None if share is not None else "none"
        self._bar.value, self._stop.description = share or 0.0, "Stop"
        if share is not None:
            self._job = asyncio.get_running_loop().call_later(GAP, self._go_on, job)

    def _go_on(self, job: Iterator[float]) -> None:
        with self._shown():
            start, share = time.perf_counter(), next(job, None)
            while share is not None and time.perf_counter() - start < PIECE:
                share = next(job, None)
            if share is not None and start - self._drawn < BETWEEN:
                self._follow(job, share)
                return
            self._waited_for(self._draw)
            if share is None and self._turned:
                self._plan_ahead(PAUSE, self._next_steps(*self._turned))

    def _halt(self) -> None:
        """The button beside the bar: stop the work, or go on with it."""
        if self._job:
            self._job.cancel()
            self._job, self._stop.description, self.view.live = None, "Go on", False
        else:
            with self._shown():
                self._waited_for(self._draw)

    def _frame(self, numbers: Any) -> tuple[Any, ...]:
        """Picture, sentence, HTML below; where images stand, in percent of the picture; their bytes; the lattice."""
        self.prepare(numbers)
        tell, scene = type(self).tell, type(self).draw(numbers)
        below = tell(numbers) if tell and self.revealed else ""
        images, wide, high = scene.images(), scene.width / 100, scene.height / 100
        tiles = [
            [x / wide, y / high, (x2 - x) / wide, (y2 - y) / high, *m.grid]
            for m in images
            for (x, y), (x2, y2) in [m.points]
        ]
        pixels = b"".join(m.pixels for m in images)
        lattice = type(self).lattice(numbers) if self.grips else {}
        return scene.svg(), type(self).say(numbers), below, tiles, pixels, lattice

    def _judge(self, numbers: Any) -> None:
        if self.challenge is None or not self.revealed:
            return
        self.met = self.met or bool(self.challenge.met(numbers))
        mark, more = (
            ("\N{CHECK MARK} ", f" <b>Done.</b> {escape(self.challenge.praise)}")
            if self.met
            else ("", "")
        )
        text = f'<div class="nn-card nn-again">{mark}<b>Make it fail.</b> {escape(self.challenge.task)}{more}</div>'
        if self._task.value != text:
            self._task.value = text

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Widgets may be changed inside, by this thread, without counting as a learner's move."""
        with self._lock:
            before, self._silencer = self._silencer, threading.get_ident()
            try:
                yield
            finally:
                self._silencer = before

    @property
    def quiet(self) -> bool:
        """Whether this thread changes widgets itself; a learner's gesture may come in another at any time."""
        return self._silencer == threading.get_ident()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """An exception inside appears below the picture, with its traceback; the picture keeps its last state.

        Only one thread at a time is inside.
        """
        with self._lock:
            if self._watched:  # inside another: that one shows what happens here
                yield
                return
            self._watched = True
            try:
                yield
            except Exception as error:
                self.error, self._said = error, f"{type(error).__name__}: {error}"
                lines = "".join(traceback.format_exception(error))
                self._trouble.value = (
                    f'<div class="nn-error" role="alert">\N{BALLOT X} <b>{escape(type(error).__name__)}.</b> '
                    f"{escape(str(error))}<details><summary>Where</summary><pre>{escape(lines)}</pre></details></div>"
                )
                self.view.status = self._said
            else:
                self.error = None
                if self._trouble.value:
                    self._trouble.value = ""
            finally:
                self._watched = False

    _said = ""

    def __repr__(self) -> str:
        return f"Run this cell to play: {self.title}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = self.box._repr_mimebundle_()
        data = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        return {**data, "text/plain": repr(self)}


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or isinstance(a, float) and isinstance(b, float) and abs(a - b) < 1e-9)


def _in_kernel() -> bool:
    try:
        return bool(asyncio.get_running_loop())
    except RuntimeError:
        return False


def around(to: Any, before: Any, axes: Any) -> list[tuple[int, int]]:
    """The places of a lattice near ``to`` and near where a motion from ``before`` leads, the likeliest first.

    >>> around((3, 0), (2, 0), ((0, 1, 0, 9), (0, 1, 0, 0)))
    [(4, 0), (5, 0), (2, 0), (6, 0), (1, 0), (7, 0), (0, 0)]
    """
    reach = 3 if any(first == last for *_, first, last in axes) else 1
    aim = [2 * a - b for a, b in zip(to, before or to)]
    span = range(-reach, reach + 1)
    near = {(i + di, j + dj) for i, j in (to, aim) for di in span for dj in span} - {tuple(to)}
    inside = [p for p in near if all(first <= k <= last for k, (*_, first, last) in zip(p, axes))]
    return sorted(inside, key=lambda p: (math.dist(p, aim) + 0.5 * math.dist(p, to), p))


def _flow(children: list[Any]) -> Any:
    """Widgets side by side, on as many lines as the page is narrow."""
    import ipywidgets as w

    box = w.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})
    box.add_class("nn-controls")
    return box
