"""Small networks in the plane, trained so that every moment can be had again: what the playground plays.

A run is decided by its settings and by a *history*, what somebody did to it on the way: a setting changed at a step, a
weight edited, a point added, one example taken alone. The same settings and history give the same run, so a state is a
short text, any earlier step can be shown again, and a run that broke can be taken back to before it did. Runs remember
their steps; one that agrees with a remembered run up to a step begins there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

import nnlib as nn
import nnlib.functional as F
from nnlib.device import rng

__all__ = ["History", "Run", "loss_of", "trained"]

SETS = ("moons", "rings", "spirals", "XOR", "blobs", "tumours (real)", "own points")
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "ReLU": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}
CROSS, HINGE, SQUARED, SQUASHED = LOSSES = ("cross entropy", "hinge", "squared error", "squared error after σ")
OPTIMIZERS = ("SGD", "momentum", "Adam")
STARTS = ("random", "sure of ●", "all zero")
COUNT = 100  # examples to learn from, and as many held out
REACH = 3.0  # the window is −3 … 3 both ways
BEGUN = ("data", "noise", "draw", "depth", "width", "activation", "start")  # a change begins a new run
GOES_ON = ("loss", "optimizer", "rate", "batch", "l1", "l2")  # a change counts from this step on


# ---------------------------------------------------------------- data


def examples(data: str, noise: float, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """200 inputs (200, 2) in the window and their classes (200,), 0 or 1; two corners only for own points."""
    n, seed = 2 * COUNT, draw
    if data == "own points":
        return np.array([[-1.5, -1.5], [1.5, 1.5]]), np.array([0, 1])
    if data == "tumours (real)":
        X, y = nn.data.breast_cancer()
        chosen = np.random.default_rng(seed).permutation(len(X))[:n]
        return X.data[chosen][:, [0, 1]].astype(float), y.data[chosen]  # mean radius, mean texture
    if data == "moons":
        X, y = nn.data.moons(n, 0.6 * noise, seed)
        X = 1.5 * (X - nn.tensor([0.5, 0.25], dtype=X.dtype))
    elif data == "rings":
        X, y = nn.data.rings(n, 0.8 * noise, (0.8, 2.2), seed)
    elif data == "spirals":
        X, y = nn.data.spirals(n, 2, 1.2, 1.2 * noise, seed)
        X = 1.3 * X
    elif data == "XOR":
        X, y = nn.data.xor(n, 0.2 + 0.6 * noise, seed)
        X = 1.4 * X
    else:
        X, y = nn.data.blobs(n, 2, 0.3 + noise, seed)
        X = 0.8 * X
    return X.data.astype(float), y.data


# ---------------------------------------------------------------- what was done on the way


class Change(NamedTuple):
    """The setting ``name`` had ``value`` before ``step``."""

    step: int
    name: str
    value: Any


class Edit(NamedTuple):
    """At ``step`` the weight of a layer's unit from a source (0: its bias) was set; all counted from 1."""

    step: int
    layer: int
    unit: int
    source: int
    value: float

    @property
    def place(self) -> tuple[int, int, int]:
        return self.layer, self.unit, self.source


class Point(NamedTuple):
    """An example added at ``step``."""

    step: int
    x: float
    y: float
    label: int


class Single(NamedTuple):
    """At ``step`` one example alone was learned from."""

    step: int
    example: int


_TOKENS: tuple[tuple[str, Callable[[re.Match[str]], Any]], ...] = (
    (r"(\w+)=([^@<>\s]+)<(\d+)", lambda m: _change(m[1], m[2], int(m[3]))),
    (
        r"w(\d+)\[(\d+),(\d+)\]=([-+.e\d]+)@(\d+)",
        lambda m: Edit(int(m[5]), int(m[1]), int(m[2]), int(m[3]), _finite(m[4])),
    ),
    (r"b(\d+)\[(\d+)\]=([-+.e\d]+)@(\d+)", lambda m: Edit(int(m[4]), int(m[1]), int(m[2]), 0, _finite(m[3]))),
    (r"point\(([-.\d]+),([-.\d]+),([01])\)@(\d+)", lambda m: Point(int(m[4]), _inside(m[1]), _inside(m[2]), int(m[3]))),
    (r"one=(\d+)@(\d+)", lambda m: Single(int(m[2]), int(m[1]))),
)
_KINDS = {"loss": LOSSES, "optimizer": OPTIMIZERS}


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= 1e6:
        raise ValueError("a weight is at most a million")
    return value


def _inside(text: str) -> float:
    value = float(text)
    if abs(value) > REACH:
        raise ValueError(f"a point lies between −{REACH:g} and {REACH:g}")
    return value


def _change(name: str, text: str, step: int) -> Change:
    if name in _KINDS:
        value: Any = text.replace("_", " ")
        if value not in _KINDS[name]:
            raise ValueError(f"{name} is one of {', '.join(_KINDS[name])}")
    elif name in GOES_ON:
        value = int(text) if name == "batch" else text if name in ("l1", "l2") else float(text)
        if not 0 < float(value) <= 100 and name not in ("l1", "l2"):
            raise ValueError(f"{name} {text} is out of reach")
        float(value)
    else:
        raise ValueError(f"only {', '.join(GOES_ON)} change on the way")
    return Change(step, name, value)


@dataclass(frozen=True)
class History:
    """What was done to a run, in a text of words without spaces.

    ``rate=0.1<120`` (it was 0.1 before step 120), ``w2[1,3]=0.5@120`` and ``b2[1]=0@120`` (layer 2, unit 1, from unit
    3), ``point(0.5,-1,1)@120``, ``one=37@120`` (example 37 alone).

    >>> history = History.read("rate=0.1<120 w2[1,3]=0.5@120")
    >>> history.at(119, {"rate": 0.3})["rate"], history.at(120, {"rate": 0.3})["rate"]
    (0.1, 0.3)
    >>> str(history)
    'rate=0.1<120 w2[1,3]=0.5@120'
    """

    changes: tuple[Change, ...] = ()
    edits: tuple[Edit, ...] = ()
    points: tuple[Point, ...] = ()
    singles: tuple[Single, ...] = ()

    @classmethod
    def read(cls, text: str) -> History:
        """From its text.  Raises ValueError that names the word it cannot read."""
        found: dict[type, list[Any]] = {Change: [], Edit: [], Point: [], Single: []}
        for word in text.split():
            for pattern, make in _TOKENS:
                if match := re.fullmatch(pattern, word):
                    try:
                        item = make(match)
                    except ValueError as error:
                        raise ValueError(f"history: {word!r}: {error}.") from None
                    found[type(item)].append(item)
                    break
            else:
                raise ValueError(
                    f"history: cannot read {word!r}; it takes words like rate=0.1<120, w2[1,3]=0.5@120, b2[1]=0@120, "
                    "point(0.5,-1,1)@120 and one=37@120."
                )
        return cls(*(tuple(sorted(items, key=lambda i: i.step)) for items in found.values()))

    def __str__(self) -> str:
        words = [f"{c.name}={_plain(c.value)}<{c.step}" for c in self.changes]
        for e in self.edits:
            where = f"w{e.layer}[{e.unit},{e.source}]" if e.source else f"b{e.layer}[{e.unit}]"
            words.append(f"{where}={_plain(e.value)}@{e.step}")
        words += [f"point({_plain(p.x)},{_plain(p.y)},{p.label})@{p.step}" for p in self.points]
        words += [f"one={s.example}@{s.step}" for s in self.singles]
        return " ".join(words)

    def at(self, step: int, present: Mapping[str, Any]) -> dict[str, Any]:
        """The settings in force from this step to the next."""
        result = {name: present[name] for name in GOES_ON if name in present}
        for change in reversed(self.changes):
            if step < change.step:
                result[change.name] = change.value
        return result

    def until(self, step: int) -> History:
        """Without what came after this step; what the settings were then is :meth:`at`."""
        return History(
            tuple(c for c in self.changes if c.step <= step),
            tuple(e for e in self.edits if e.step <= step),
            tuple(p for p in self.points if p.step <= step),
            tuple(s for s in self.singles if s.step < step),  # the step that it took is not taken yet
        )

    def steps(self) -> set[int]:
        """Where something happens."""
        return {i.step for part in (self.changes, self.edits, self.points, self.singles) for i in part}


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace(" ", "_")


# ---------------------------------------------------------------- runs


def loss_of(loss: str, z: nn.Tensor, y: nn.Tensor) -> nn.Tensor:
    """The mean loss of outputs z (N, 1) for classes y (N, 1), 0 or 1."""
    if loss == CROSS:
        return F.binary_cross_entropy_with_logits(z, y)
    if loss == HINGE:
        return F.hinge_loss(z, 2 * y - 1)
    return F.mse_loss(z, 2 * y - 1) if loss == SQUARED else F.mse_loss(z.sigmoid(), y)


@dataclass(frozen=True)
class Plan:
    """All that decides a run."""

    base: tuple[Any, ...]  # the settings of BEGUN
    present: tuple[tuple[str, Any], ...]  # those of GOES_ON, as they are now
    history: History

    def effect(self, step: int) -> tuple[Any, ...]:
        """What decides the step from here to the next."""
        h = self.history
        return (
            self.settings(step),
            [e for e in h.edits if e.step == step],
            [p for p in h.points if p.step <= step],
            [s for s in h.singles if s.step == step],
        )

    def settings(self, step: int) -> dict[str, Any]:
        return self.history.at(step, dict(self.present))

    def agrees(self, other: Plan) -> float:
        """The last step to which both runs are one."""
        if self.base != other.base:
            return -1
        moments = {0} | self.history.steps() | other.history.steps()
        for step in sorted(moments):
            if self.effect(step) != other.effect(step):
                return step
        return math.inf


@dataclass
class Moment:
    """One step: the network after what was done to it there, and the gradient that it is about to follow."""

    train: float  # loss over the examples to learn from
    held: float  # over those held out; nan where there are none
    gradient: np.ndarray  # (layers,) root mean square of the weights' gradient
    indices: np.ndarray  # the examples of the step
    sick: str = ""  # where the first value that is no number stands


@dataclass
class Run:
    """A training run; ``at(step)`` trains on as far as needed and keeps every step."""

    plan: Plan
    weights: list[list[np.ndarray]] = field(default_factory=list)  # before the edits of a step
    states: list[dict[int, dict[str, Any]]] = field(default_factory=list)  # of the optimiser
    moments: list[Moment] = field(default_factory=list)
    failed: int | None = None  # the step at which a value was no number

    def __post_init__(self) -> None:
        data, noise, draw, depth, width, activation, start = self.plan.base
        self.X, self.y = examples(data, noise, draw)
        self.split = len(self.X) if data == "own points" else COUNT
        self.sizes = [2, *[width] * depth, 1]
        self.model = network(self.sizes, activation, start, draw)
        self.parameters = list(self.model.parameters())
        if not self.weights:
            self.weights = [[p.data.copy() for p in self.parameters]]
            self.states = [{}]
        self.optimizer: Any = None
        self.kind = ""
        self._orders: dict[Any, np.ndarray] = {}
        self._load(len(self.weights) - 1)

    @classmethod
    def begun(cls, plan: Plan, other: Run, step: int) -> Run:
        """A run that is the other up to ``step``."""
        run = cls(plan, other.weights[: step + 1], other.states[: step + 1], other.moments[:step])
        return run

    def at(self, step: int) -> int:
        """Train until ``step`` can be shown; returns it, or the step at which the run broke."""
        with np.errstate(all="ignore"):
            while len(self.moments) <= step and self.failed is None:
                if len(self.moments) < len(self.weights):
                    self._moment()
                else:
                    self._step()
        return step if self.failed is None else min(step, self.failed)

    def training_set(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (N, 2) and classes (N,) to learn from, own points last."""
        own = [p for p in self.plan.history.points if p.step <= step]
        X = np.array([[p.x, p.y] for p in own]).reshape(-1, 2)
        return np.concatenate([self.X[: self.split], X]), np.concatenate(
            [self.y[: self.split], np.array([p.label for p in own], dtype=int)]
        )

    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        return self.X[self.split :], self.y[self.split :]

    def order(self, step: int, batch: int, count: int) -> tuple[np.ndarray, int]:
        """The examples of this step, and its epoch: shuffled, cut into batches, walked through."""
        each = math.ceil(count / min(batch, count))
        epoch, place = divmod(step, each)
        key = (epoch, count)
        if key not in self._orders:
            if len(self._orders) > 8:
                self._orders.clear()
            self._orders[key] = np.random.default_rng([self.plan.base[2], epoch, count]).permutation(count)
        return self._orders[key][place * batch : (place + 1) * batch], epoch

    def outputs(self, step: int, X: np.ndarray) -> list[np.ndarray]:
        """What every layer says to inputs (N, 2) at this step: activations of each hidden layer, then z (N, 1)."""
        self._put(step)
        values, result = nn.from_numpy(X), []
        with nn.no_grad(), np.errstate(all="ignore"):
            for i in range(0, len(self.model), 2):
                values = self.model[i](values)
                values = self.model[i + 1](values) if i + 1 < len(self.model) else values
                result.append(values.data)
        self._put(len(self.weights) - 1)
        return result

    def edited(self, step: int) -> list[np.ndarray]:
        """The weights and biases shown at a step."""
        weights = self.weights[step]
        for e in self.plan.history.edits:
            if e.step == step and e.layer < len(self.sizes) and e.unit <= self.sizes[e.layer]:
                k = 2 * e.layer - 2 + (e.source == 0)
                if e.source <= self.sizes[e.layer - 1]:
                    weights = [w.copy() if i == k else w for i, w in enumerate(weights)]
                    weights[k][(e.unit - 1, e.source - 1) if e.source else e.unit - 1] = e.value
        return weights

    # ------------------------------------------------------------ inside

    def _put(self, step: int) -> None:
        for p, w in zip(self.parameters, self.edited(step)):
            p.data = w.copy()

    def _load(self, step: int) -> None:
        """Continue from a kept step: its weights, and the optimiser as it was."""
        self._put(step)
        before = self.plan.settings(step - 1)["optimizer"] if step else ""
        self._build(self.plan.settings(step))
        if before == self.kind:
            saved = self.optimizer.state_dict()
            self.optimizer.load_state_dict({**saved, "state": self.states[step]})

    def _build(self, settings: Mapping[str, Any]) -> None:
        self.kind = settings["optimizer"]
        if self.kind == "Adam":
            self.optimizer = nn.optim.Adam(self.parameters, lr=settings["rate"])
        else:
            momentum = 0.9 if self.kind == "momentum" else 0.0
            self.optimizer = nn.optim.SGD(self.parameters, lr=settings["rate"], momentum=momentum)

    def _moment(self) -> None:
        """Measure the newest step and find the gradient to follow."""
        step = len(self.weights) - 1
        settings = self.plan.settings(step)
        X, y = self.training_set(step)
        self._put(step)
        indices, _ = self.order(step, settings["batch"], len(X))
        for single in self.plan.history.singles:
            if single.step == step:
                indices = np.array([single.example % len(X)])
        everything, targets = nn.from_numpy(X), nn.from_numpy(y[:, None].astype(float))
        self.model.zero_grad()
        part = nn.from_numpy(X[indices]), nn.from_numpy(targets.data[indices])
        loss = loss_of(settings["loss"], self.model(part[0]), part[1])
        for name, penalty in (("l1", lambda w: w.abs().sum()), ("l2", lambda w: (w * w).sum() / 2)):
            if (strength := float(settings[name])) > 0:
                for weight in self.parameters[::2]:
                    loss = loss + strength * penalty(weight)
        loss.backward()
        held_x, held_y = self.held_out()
        with nn.no_grad():
            train = loss_of(settings["loss"], self.model(everything), targets).item()
            held = math.nan
            if len(held_x):
                target = nn.from_numpy(held_y[:, None].astype(float))
                held = loss_of(settings["loss"], self.model(nn.from_numpy(held_x)), target).item()
        gradient = np.array([math.sqrt(float((p.grad**2).mean())) for p in self.parameters[::2]])
        sick = "" if math.isfinite(train) and np.isfinite(gradient).all() else self._where(X)
        self.moments.append(Moment(train, held, gradient, indices, sick))
        if sick:
            self.failed = step

    def _where(self, X: np.ndarray) -> str:
        """The first place, forward and then backward, whose value is not finite."""
        step, last = len(self.weights) - 1, len(self.sizes) - 1
        for k in range(last):
            if not all(np.isfinite(p.data).all() for p in self.parameters[2 * k : 2 * k + 2]):
                return f"the weights of {layer_name(k + 1, last)}"
        for k, values in enumerate(self.outputs(step, X), 1):
            if not np.isfinite(values).all():
                return f"the output of {layer_name(k, last)}"
        for k in range(last, 0, -1):
            if not np.isfinite(self.parameters[2 * k - 2].grad).all():
                return f"the gradient of {layer_name(k, last)}"
        return "the loss"

    def _step(self) -> None:
        step = len(self.weights) - 1
        settings = self.plan.settings(step)
        if settings["optimizer"] != self.kind:
            self._build(settings)
        self.optimizer.param_groups[0]["lr"] = settings["rate"]
        self.optimizer.step()
        self.weights.append([p.data.copy() for p in self.parameters])
        state = self.optimizer.state_dict()["state"]
        self.states.append(
            {i: {k: v.copy() if hasattr(v, "copy") else v for k, v in s.items()} for i, s in state.items()}
        )


def layer_name(number: int, last: int) -> str:
    """``layer 2``, or ``the output layer``."""
    return "the output layer" if number == last else f"layer {number}"


def network(sizes: list[int], activation: str, start: str, draw: int) -> nn.Sequential:
    """Linear layers with the activation between; weights U(±1/√inputs) as in nn.Linear, of this draw.

    ``sure of ●`` sets the last bias to −8: every point gets class ● with probability 0.9997.
    """
    layers: list[nn.Module] = []
    kept = rng().bit_generator.state  # making a layer draws numbers; a lesson's own must stay as they are
    generator = np.random.default_rng(draw)
    for inputs, outputs in zip(sizes, sizes[1:]):
        linear = nn.Linear(inputs, outputs).double()
        bound = 0.0 if start == "all zero" else 1 / math.sqrt(inputs)
        linear.weight.data = generator.uniform(-bound, bound, (outputs, inputs))
        linear.bias.data = generator.uniform(-bound, bound, outputs)
        layers += [linear, ACTIVATIONS[activation]()]
    rng().bit_generator.state = kept
    if start == "sure of ●":
        layers[-2].bias.data = np.array([-8.0])
    return nn.Sequential(*layers[:-1])


_KEPT: list[Run] = []  # the newest first


def trained(settings: Mapping[str, Any]) -> Run:
    """The run of these settings, as far as it has been trained; begun where a kept run agrees with it."""
    plan = Plan(
        tuple(settings[name] for name in BEGUN),
        tuple((name, settings[name]) for name in GOES_ON),
        History.read(settings["history"]),
    )
    run = next((r for r in _KEPT if r.plan == plan), None)
    if run is None:
        shared = [(min(plan.agrees(r.plan), len(r.weights) - 1), i, r) for i, r in enumerate(_KEPT)]
        step, _, other = max(shared, key=lambda s: (s[0], -s[1]), default=(-1, 0, None))
        run = Run(plan) if other is None or step < 1 else Run.begun(plan, other, int(step))
    else:
        _KEPT.remove(run)
    _KEPT.insert(0, run)
    del _KEPT[6:]
    return run


def changed(settings: dict[str, Any], before: Mapping[str, Any], name: str) -> None:
    """Note in ``settings`` that ``name`` was moved at the step shown: from here on, what was done later is undone."""
    step, history = settings["step"], History.read(settings["history"])
    earlier = history.at(step - 1, before) if step else {}
    value = settings[name]
    settings.update(history.at(step, before))
    settings[name] = value
    history = history.until(step)
    if step:
        others = tuple(c for c in history.changes if (c.step, c.name) != (step, name))
        note = () if earlier[name] == value else (Change(step, name, earlier[name]),)
        history = replace(history, changes=tuple(sorted(others + note, key=lambda c: c.step)))
    else:
        history = replace(history, changes=())
    settings["history"] = str(history)


def done(settings: dict[str, Any], item: Edit | Point | Single) -> None:
    """Note in ``settings`` an edit, a point or a single example at the step shown."""
    step, history = settings["step"], History.read(settings["history"])
    settings.update(history.at(step, settings))
    history = history.until(step)
    if isinstance(item, Edit):
        others = tuple(e for e in history.edits if (e.step, e.place) != (step, item.place))
        history = replace(history, edits=(*others, item))
    elif isinstance(item, Point):
        history = replace(history, points=(*history.points, item))
    else:
        history = replace(history, singles=(*history.singles, item))
    settings["history"] = str(history)
