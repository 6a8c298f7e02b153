"""The hidden-layer ledger: every number of a small network, computed and shown one cell at a time.

Three inputs, two sigmoid units, one sigmoid output: 11 parameters, 14 computed cells. The next value is asked before it
is shown, and an answer that a known slip would give is told which slip it is. Beside the exact values
stand those printed in the notes, marked where they are wrong. Surprise: changing one weight of the
first unit changes six cells and leaves eight alone, the ones that are not downstream.

A second example is the housing network: four inputs, three ReLU units that see one or two of them each, an output
without activation, θ₁ … θ₁₂. In its second house a unit is off, and three parameters change nothing at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Entry, Experiment, Flag, Number, Prediction, Slider
from .scene import Scene, number, signed

__all__ = ["HiddenLayerLedger", "compute", "draw", "judge", "say"]

INPUTS = {"x1": 0.4, "x2": 0.2, "x3": 0.2}
HIDDEN = {
    "w11": 1.0,
    "w12": 0.2,
    "w13": 1.2,
    "b1": 0.1,
    "w21": 0.5,
    "w22": 1.2,
    "w23": 0.1,
    "b2": 0.2,
}
OUTPUT = {"v1": 0.3, "v2": 0.9, "c": 0.3}
START = INPUTS | HIDDEN | OUTPUT
SMALL = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
WORDS = {name: f"{name[0]}{name[1:].translate(SMALL)}" for name in START}

THETA = (0.5, 0.3, -0.2, 0.4, 0.1, 0.2, 0.6, -0.1, 1.0, 2.0, 1.5, 0.3)
HOUSE = {f"t{i}": value for i, value in enumerate(THETA, 1)} | dict(zip(("s1", "s2", "s3", "s4"), (2.0, 3.0, 0.5, 1.0)))
OTHER_HOUSE = HOUSE | {"t12": -2.0, "s1": 1.0, "s2": 1.0, "s3": 0.2, "s4": 0.0}
WORDS |= {name: ("θ" if name[0] == "t" else "x") + name[1:].translate(SMALL) for name in HOUSE}
NOTES, HOUSING, OTHER = EXAMPLES = ("3-2-1, sigmoid", "housing, θ₁ … θ₁₂", "housing, another house")
GIVEN = {NOTES: START, HOUSING: HOUSE, OTHER: OTHER_HOUSE}
# unit of the housing network -> its name, (θ, x) of its products, θ of its bias
UNITS = {
    1: ("family size", (("t1", "s1"), ("t2", "s2")), "t3"),
    2: ("walkable", (("t4", "s3"),), "t5"),
    3: ("school quality", (("t6", "s3"), ("t7", "s4")), "t8"),
}

# cell -> what the notes print there, which slip it is, and why
SLIPS = {
    "h1": (
        "0.68",
        "E27, E33",
        "the notes write 1/(1 + exp(0.78)), which is 0.3143; 0.68 is cut off, not rounded",
    ),
    "p23": ("0.03", "E28", "0.1 · 0.2 is 0.02"),
    "z2": ("0.49", "E29", "that is 0.2 + 0.24 + 0.03 + 0.02: the bias 0.2 was read as 0.02"),
    "h2": ("0.62", "E30", "σ(0.49), carried on from the wrong sum"),
    "q1": ("0.204", "E33", "0.3 times the cut 0.68"),
    "q2": ("0.558", "E30", "0.9 times the wrong 0.62"),
    "z": ("1.062", "E30", "the sum of wrong terms"),
    "y": ("0.74", "E30", "σ(1.062)"),
}


@dataclass
class Cell:
    """One computed number."""

    id: str
    symbol: str
    formula: str  # with the numbers put in
    value: float
    changed: bool  # differs from the same cell of the shipped numbers
    slips: dict[float, str]  # what a known slip gives here, and its name


@dataclass
class Numbers:
    example: str
    given: dict[str, float]
    cells: list[Cell]
    step: int
    notes: bool  # show the printed values
    shipped: bool  # the numbers are the course's, so the printed values apply
    verdict: str

    @property
    def last(self) -> int:
        return len(self.cells)

    @property
    def off(self) -> list[str]:
        """ReLU units whose output is 0."""
        return [c.id for c in self.cells if c.id[0] == "a" and c.value == 0]

    def cell(self, id: str) -> Cell:
        return next(cell for cell in self.cells if cell.id == id)

    @property
    def changed(self) -> list[str]:
        return [cell.id for cell in self.cells if cell.changed]


def forward(given: Mapping[str, float]) -> dict[str, float]:
    """The 14 values, by nnlib in double precision: products, sums z, activations h, output y."""
    x = nn.tensor([given[f"x{i}"] for i in (1, 2, 3)], dtype=nn.float64)
    weight1 = nn.tensor([[given[f"w{j}{i}"] for i in (1, 2, 3)] for j in (1, 2)], dtype=nn.float64)
    bias1 = nn.tensor([given["b1"], given["b2"]], dtype=nn.float64)
    weight2 = nn.tensor([[given["v1"], given["v2"]]], dtype=nn.float64)
    bias2 = nn.tensor([given["c"]], dtype=nn.float64)
    z1 = nn.functional.linear(x, weight1, bias1)
    h = nn.functional.sigmoid(z1)
    z2 = nn.functional.linear(h, weight2, bias2)
    products, output_products = weight1 * x, weight2 * h
    values: dict[str, float] = {}
    for j in (1, 2):
        values |= {f"p{j}{i}": products[j - 1, i - 1].item() for i in (1, 2, 3)}
        values |= {f"z{j}": z1[j - 1].item(), f"h{j}": h[j - 1].item()}
    values |= {f"q{j}": output_products[0, j - 1].item() for j in (1, 2)}
    return values | {"z": z2.item(), "y": nn.functional.sigmoid(z2).item()}


def price(given: Mapping[str, float]) -> dict[str, float]:
    """The 15 values of the housing network, by nnlib: a 4-3-1 network most of whose connections are missing."""
    x = nn.tensor([given[f"s{i}"] for i in (1, 2, 3, 4)], dtype=nn.float64)
    weight = np.zeros((3, 4))
    for j, (_, terms, _) in UNITS.items():
        for theta, s in terms:
            weight[j - 1, int(s[1]) - 1] = given[theta]
    bias = nn.tensor([given[bias] for _, _, bias in UNITS.values()], dtype=nn.float64)
    z = nn.functional.linear(x, nn.tensor(weight), bias)
    a = nn.functional.relu(z)
    out = nn.tensor([[given[f"t{i}"] for i in (9, 10, 11)]], dtype=nn.float64)
    total = nn.functional.linear(a, out, nn.tensor([given["t12"]], dtype=nn.float64))
    products, last = nn.tensor(weight) * x, out * a
    values: dict[str, float] = {}
    for j, (_, terms, _) in UNITS.items():
        values |= {f"p{theta[1:]}": products[j - 1, int(s[1]) - 1].item() for theta, s in terms}
        values |= {f"z{j}": z[j - 1].item(), f"a{j}": a[j - 1].item()}
    values |= {f"q{i}": last[0, i - 9].item() for i in (9, 10, 11)}
    return values | {"price": total.item()}


def _house_formula(id: str, g: Mapping[str, float], v: Mapping[str, float]) -> tuple[str, str, dict[float, str]]:
    """Symbol, formula with the numbers in, and what known slips give."""
    sub = id[1:].translate(SMALL)
    if id[0] == "p" and id != "price":
        theta, s = next(term for _, terms, _ in UNITS.values() for term in terms if term[0] == f"t{id[1:]}")
        return f"θ{sub}{WORDS[s]}", f"{signed(g[theta])} · {signed(g[s])}", {}
    if id[0] == "q":
        j = int(id[1:]) - 8
        return f"θ{sub}a{str(j).translate(SMALL)}", f"{signed(g[f't{id[1:]}'])} · {signed(v[f'a{j}'])}", {}
    if id[0] == "a":
        z = v[f"z{id[1]}"]
        slips = {z: "the negative value was kept: ReLU(z) = max(0, z)", -z: "ReLU is not the absolute value"}
        return f"a{sub}", f"ReLU({number(z)})", slips if z < 0 else {}
    if id == "price":
        bias, parts = "t12", [v[f"q{i}"] for i in (9, 10, 11)]
        slips = {0.0: "there is no ReLU on the output: a price below 0 shows that the model is wrong"}
        slips = slips if v[id] < 0 else {}
    else:
        _, terms, bias = UNITS[int(id[1])]
        parts, slips = [v[f"p{theta[1:]}"] for theta, _ in terms], {}
        if bias == "t5":
            slips = {parts[0] + g["t5"] * g["s3"]: "θ₅ stands alone; x₃ does not multiply it"}
    slips |= {v[id] - g[bias]: f"the bias {WORDS[bias]} = {number(g[bias])} is missing"}
    return "ŷ" if id == "price" else f"z{sub}", " + ".join(signed(part) for part in [*parts, g[bias]]), slips


def _known_slips(id: str, given: Mapping[str, float], v: Mapping[str, float]) -> dict[float, str]:
    """What a known slip gives in this cell."""

    def sigma(z: float) -> float:
        return nn.functional.sigmoid(nn.tensor(z, dtype=nn.float64)).item()

    if id in ("z1", "z2", "z"):
        bias = {"z1": "b1", "z2": "b2", "z": "c"}[id]
        slips = {v[id] - given[bias]: f"the bias {WORDS[bias]} = {number(given[bias])} is missing"}
        if id == "z2":
            tenth = v[id] - 0.9 * given["b2"]
            slips |= {
                tenth: f"{WORDS['b2']} was read as {number(given['b2'] / 10)}",
                v[id] + 0.01: "one of the products is 0.01 too large",
                tenth + 0.01: "a product is 0.01 too large and the bias was read as a tenth",
            }
        return slips
    if id in ("h1", "h2", "y"):
        z = v[{"h1": "z1", "h2": "z2", "y": "z"}[id]]
        return {sigma(-z): "the sign in the exponent is lost: σ(z) = 1/(1 + exp(−z))", z: "that is z; σ is still to do",
                sigma(z) * (1 - sigma(z)): "that is the slope of σ, not σ"}  # fmt: skip
    return {}


def _formula(id: str, g: Mapping[str, float], v: Mapping[str, float]) -> tuple[str, str]:
    """The cell's symbol, and its formula with the numbers in."""
    if id[0] == "p":
        j, i = id[1], id[2]
        return (
            f"{WORDS[f'w{j}{i}']}{WORDS[f'x{i}']}",
            f"{signed(g[f'w{j}{i}'])} · {signed(g[f'x{i}'])}",
        )
    if id[0] == "q":
        return (
            f"{WORDS[f'v{id[1]}']}h{'₁₂'[int(id[1]) - 1]}",
            f"{signed(g[f'v{id[1]}'])} · {signed(v[f'h{id[1]}'])}",
        )
    sub = "₁₂"[int(id[1]) - 1] if id[1:] else ""
    if id[0] == "z":
        parts = (
            [v[f"p{id[1]}{i}"] for i in (1, 2, 3)] + [g[f"b{id[1]}"]]
            if sub
            else [v["q1"], v["q2"], g["c"]]
        )
        return f"z{sub}", " + ".join(signed(p) for p in parts)
    return (f"h{sub}", f"σ({number(v[f'z{id[1]}'])})") if sub else ("y", f"σ({number(v['z'])})")


ORDER = tuple(forward(START))
HOUSE_ORDER = tuple(price(HOUSE))
LAST, HOUSE_LAST = len(ORDER), len(HOUSE_ORDER)


def compute(settings: dict[str, Any]) -> Numbers:
    """All cells, which of them changed, and what to say to the answer given for the last one."""
    example = settings["example"]
    start, run = GIVEN[example], forward if example == NOTES else price
    given = {name: settings[name] for name in start}
    values, before = run(given), run(start)
    cells = []
    for id in values:
        if example == NOTES:
            (symbol, formula), slips = _formula(id, given, values), _known_slips(id, given, values)
        else:
            symbol, formula, slips = _house_formula(id, given, values)
        cells.append(
            Cell(id, symbol, formula, values[id], abs(values[id] - before[id]) > 1e-12, slips)
        )
    step = min(settings["step"], len(cells))
    verdict = (
        judge(cells[step - 1], settings["answer"]) if step and settings["answer"].strip() else ""
    )
    notes = settings["notes"] and example == NOTES
    return Numbers(example, given, cells, step, notes, given == start, verdict)


def judge(cell: Cell, answer: str) -> str:
    """What to say to somebody who expected ``answer`` in this cell.

    Right means right in every digit given, two at least; a known slip is called by its name.
    """
    try:
        said = float(answer.replace(",", ".").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return f"“{answer}” is not a number."
    digits = len(answer.strip().partition(".")[2]) if "." in answer else 0
    tolerance = 0.5001 * 10.0 ** -max(digits, 2)
    if abs(said - cell.value) <= tolerance:
        return f"{number(said)} is right."
    near = [why for value, why in cell.slips.items() if abs(said - value) <= max(tolerance, 0.005)]
    why = f" {near[0][0].upper()}{near[0][1:]}." if near else ""
    return f"You expected {number(said)}; it is {number(cell.value)}.{why}"


W, H = 1000, 406
BOX = (118, 62)


def _places() -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    for j, y in ((1, 86), (2, 206)):
        places |= {f"p{j}{i}": (110 + 136 * (i - 1), y) for i in (1, 2, 3)}
        places |= {f"z{j}": (650, y), f"h{j}": (850, y)}
    return places | {"q1": (246, 326), "q2": (382, 326), "z": (650, 326), "y": (850, 326)}


PLACES = _places()
LEDGER = ((86, "unit 1", "b1"), (206, "unit 2", "b2"), (326, "output", "c"))
HOUSE_ROWS = [(82 + 96 * (j - 1), f"a{str(j).translate(SMALL)}, {UNITS[j][0]}", UNITS[j][2]) for j in UNITS]
HOUSE_ROWS.append((370, "output: the price", "t12"))
HOUSE_PLACES = {f"z{j}": (650, 82 + 96 * (j - 1)) for j in UNITS} | {f"a{j}": (850, 82 + 96 * (j - 1)) for j in UNITS}
HOUSE_PLACES |= {f"p{t[1:]}": (246 + 136 * k, 82 + 96 * (j - 1)) for j in UNITS for k, (t, _) in enumerate(UNITS[j][1])}
HOUSE_PLACES |= {f"q{9 + k}": (110 + 136 * k, 370) for k in range(3)} | {"price": (650, 370)}


def draw(numbers: Numbers) -> Scene:
    """The lines of the ledger: the hidden units and the output."""
    notes = numbers.example == NOTES
    scene, g = Scene(W, H if notes else H + 10), numbers.given
    w, h = BOX
    places, rows, order = (PLACES, LEDGER, ORDER) if notes else (HOUSE_PLACES, HOUSE_ROWS, HOUSE_ORDER)
    inputs = [name for name in g if name[0] in "xs"]
    x_text = "x = (" + ", ".join(number(g[name]) for name in inputs) + ")"
    scene.text(8, 13, x_text, anchor="start", size=16, bold=True, color="green")
    for x, name in (
        (382 - (136 if notes else 68), "weight · value"),
        (382 + 132, "+ bias"),
        (650, "= z"),
        (850, "σ(z)" if notes else "ReLU(z)"),
    ):
        scene.text(x, 13, name, color="faint", size=14)
    for y, name, bias in rows:
        scene.text(8, y - 42, name, anchor="start", bold=True, size=14)
        ids = [id for id in order if places[id][1] == y]
        for left, right in zip(ids, ids[1:]):
            end, start = places[left][0] + w / 2, places[right][0] - w / 2
            if start - end < 30:
                scene.text((end + start) / 2, y, "+", size=16, color="faint")
            else:
                scene.line((end + 2, y), (start - 4, y), color="faint", arrow=True)
        changed = g[bias] != GIVEN[numbers.example][bias]
        scene.box(
            514 - 26,
            y - 17,
            52,
            34,
            fill="red-tint" if changed else "green-tint",
            radius=4,
            width=1.2,
        )
        scene.text(514, y, f"{'−' if g[bias] < 0 else '+'} {number(abs(g[bias]))}", size=14)
    for j in (1, 2) if notes else ():
        if numbers.step > ORDER.index(f"h{j}"):
            x0, y0 = PLACES[f"h{j}"]
            x1, y1 = PLACES[f"q{j}"]
            way = (
                [(x0, 144), (464, 144), (464, 274), (x1, 274)] if j == 1 else [(x0, 264), (x1, 264)]
            )
            scene.line(
                (x0, y0 + h / 2), *way, (x1, y1 - h / 2 - 3), color="faint", arrow=True, width=1
            )
    for n, cell in enumerate(numbers.cells):
        x, y = places[cell.id]
        shown, now = n < numbers.step, n == numbers.step - 1
        fill = (
            "glow"
            if now
            else "red-tint"
            if shown and cell.changed
            else "blue-tint"
            if shown
            else "paper"
        )
        scene.box(x - w / 2, y - h / 2, w, h, fill=fill, color="ink" if shown else "grid", radius=6,
                  width=3 if shown and cell.changed else 1.3, dash=not shown, id=f"cell {cell.id}")  # fmt: skip
        if not shown:
            scene.text(x, y, f"{cell.symbol} = ?", color="faint", size=15)
            continue
        mark = " ● changed" if cell.changed else " ○ off" if cell.id in numbers.off else ""
        scene.text(x, y - 19, cell.symbol + mark, size=12, color="faint")
        long = len(cell.formula) > 16
        scene.text(
            x, y + 20, cell.formula if not long else "sum of the row", size=12.5, color="faint"
        )
        scene.text(
            x, y, number(cell.value), size=19, bold=True, color="blue", id=f"value {cell.id}"
        )
        if numbers.notes and numbers.shipped and cell.id in SLIPS:
            printed, which, _ = SLIPS[cell.id]
            scene.box(x - 58, y + h / 2 + 4, 116, 15, fill="paper", color="none")
            scene.text(
                x,
                y + h / 2 + 12,
                f"✗ notes: {printed} ({which})",
                size=12.5,
                color="red",
                id=f"slip {cell.id}",
            )
    return scene


def say(numbers: Numbers) -> str:
    """The verdict on the last answer, the newest cell, and what is downstream of a change."""
    parts = [numbers.verdict] if numbers.verdict else []
    if numbers.step == 0:
        parts.append(
            f"No cell is filled yet. The first: {numbers.cells[0].symbol} = {numbers.cells[0].formula}."
        )
    else:
        cell = numbers.cells[numbers.step - 1]
        parts.append(f"{cell.symbol} = {cell.formula} = {number(cell.value)}.")
        if numbers.notes and numbers.shipped and cell.id in SLIPS:
            printed, which, why = SLIPS[cell.id]
            parts.append(f"The notes print {printed} ({which}): {why}.")
    if numbers.step == numbers.last and numbers.off:
        which = ", ".join(numbers.cell(id).symbol for id in numbers.off)
        parts.append(f"Off: {which}. The parameters of a unit that is off change nothing.")
    start = GIVEN[numbers.example]
    moved = [name for name in start if numbers.given[name] != start[name]]
    if moved:
        names = ", ".join(f"{WORDS[n]} = {number(numbers.given[n])}" for n in moved)
        touched = ", ".join(numbers.cell(id).symbol for id in numbers.changed) or "none"
        parts.append(f"With {names}, {len(numbers.changed)} of {numbers.last} cells change: {touched}.")
    if numbers.step < numbers.last and numbers.step:
        following = numbers.cells[numbers.step]
        parts.append(f"Next: {following.symbol} = {following.formula} = ?")
    return " ".join(parts)


def tell(numbers: Numbers) -> str:
    """The slips of the notes reached so far, as a table."""
    if not (numbers.notes and numbers.shipped):
        return ""
    rows = [
        f"<tr><td>{escape(cell.symbol)}</td><td>{SLIPS[cell.id][0]}</td><td>{number(cell.value)}</td>"
        f'<td style="text-align:left">{SLIPS[cell.id][1]}: {escape(SLIPS[cell.id][2])}</td></tr>'
        for cell in numbers.cells[: numbers.step]
        if cell.id in SLIPS
    ]
    head = "<tr><th>cell</th><th>the notes print</th><th>exact</th><th>why</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


class HiddenLayerLedger(Experiment):
    """The 3-2-1 example and the housing network, number by number.  Lesson 04.

    >>> round(HiddenLayerLedger.measure().cell("y").value, 6)
    0.75008
    >>> [round(HiddenLayerLedger.measure(example=house).cell("price").value, 4) for house in (HOUSING, OTHER)]
    [3.5, -1.04]
    """

    title = "Hidden-layer ledger"
    controls = {
        "example": Choice("network", NOTES, EXAMPLES),
        "step": Slider("cells shown", 0, 0, HOUSE_LAST),
        "answer": Entry("your value for the next cell", "", 320),
        "notes": Flag("show what the notes print", False),
        **{name: Number(WORDS[name], value) for name, value in (START | HOUSE).items()},
    }
    rows = (
        ("example", "notes", "restore"), ("answer", "next", "all", "step"), ("x1", "x2", "x3"),
        ("w11", "w12", "w13", "b1"), ("w21", "w22", "w23", "b2"), ("v1", "v2", "c"),
        ("s1", "s2", "s3", "s4"), tuple(f"t{i}" for i in range(1, 9)), tuple(f"t{i}" for i in range(9, 13)),
    )  # fmt: skip
    still = {"step": LAST, "notes": True}
    least = 640
    prediction = Prediction(
        f"{LAST} numbers are computed on the way to the output. Raise the one weight "
        f"{WORDS['w12']} (from x₂ to unit 1) from 0.2 to 1.2. How many of them change?",
        ("1", "3", "6", "all"),
        "6",
        "Its product, then z₁, h₁, the product v₁h₁, z and y: the cells downstream. Unit 2 never hears of it, and "
        "backpropagation works because of that.",
        before={"example": NOTES, "step": 0},
        after={"example": NOTES, "step": LAST, "w12": 1.2},
    )
    challenge = Challenge(
        "Find a weight that you can change as much as you like while the output does not move at all.",
        lambda n: not n.shipped and not n.cells[-1].changed,
        "A weight whose input is 0, or whose unit is multiplied by 0 afterwards, is out of the game: no change, and no "
        "gradient either.",
    )
    compute, draw = staticmethod(compute), staticmethod(draw)
    say, tell = staticmethod(say), staticmethod(tell)

    @classmethod
    def complete(cls, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All settings; an example comes with its numbers."""
        settings = dict(settings or {})
        return super().complete({**GIVEN.get(str(settings.get("example")), {}), **settings})

    def set(self, **settings: Any) -> None:
        """Change settings; another example comes with its numbers."""
        if settings.get("example") not in (None, self._settings["example"]):
            settings = {**GIVEN.get(settings["example"], {}), **settings}
        super().set(**settings)

    def __init__(self, **settings: Any) -> None:
        import ipywidgets as w

        self._buttons = {
            "next": w.Button(
                description="Check and show", button_style="primary", layout={"width": "130px"}
            ),
            "all": w.Button(description="Show all", layout={"width": "90px"}),
            "restore": w.Button(description="The course’s numbers", layout={"width": "auto"}),
        }
        self._buttons["next"].on_click(lambda _: self._show_next())
        self._buttons["all"].on_click(lambda _: self.set(step=self.numbers.last, answer=""))
        self._buttons["restore"].on_click(lambda _: self.set(answer="", **GIVEN[self._settings["example"]]))
        super().__init__(**settings)

    def _part(self, name: str) -> Any:
        return self._buttons[name] if name in self._buttons else super()._part(name)

    def answer(self, text: str = "") -> str:
        """Answer for the next cell (or nothing), show it, and return what is said."""
        if self._settings["step"] < self.numbers.last:
            self.set(step=self._settings["step"] + 1, answer=text)
        return self.numbers.verdict

    def _show_next(self) -> None:
        """The button. A click after typing also leaves the field, which has shown the cell by then."""
        if time.monotonic() - self._answered > 0.5:
            self.answer()

    _answered = -1.0

    def moved(self, name: str) -> None:
        """Enter in the answer's field, or leaving it, shows the next cell; another example brings its numbers."""
        if name == "example":
            self._settings |= GIVEN[self._settings["example"]]
        asked = name == "answer" and self._settings["answer"].strip()
        if asked and self._settings["step"] < self.numbers.last:
            self._settings["step"] += 1
            self._answered = time.monotonic()

    def tune(self, numbers: Numbers) -> None:
        """The field names the cell it asks for and is empty again."""
        done = numbers.step == numbers.last
        self.widgets["step"].max = numbers.last
        self._settings["step"] = min(self._settings["step"], numbers.last)
        for name in START | HOUSE:
            self.widgets[name].layout.display = None if name in numbers.given else "none"
        self.widgets["notes"].layout.display = None if numbers.example == NOTES else "none"
        field = self.widgets["answer"]
        self._settings["answer"] = ""  # judged by now
        field.description = "all cells shown" if done else f"{numbers.cells[numbers.step].symbol} ="
        field.disabled = self._buttons["next"].disabled = self._buttons["all"].disabled = done
