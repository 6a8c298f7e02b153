"""The ResNet ledger: sizes, parameters and multiply-adds of ResNet-18 … 152, line by line, beside the printed figures.

Everything follows from the table of blocks: a k × k convolution from C to F channels has k²CF weights and uses each
once per output pixel. Batch norm adds two parameters per channel; only convolutions and the linear layer are counted
as work. Surprise: ResNet-50 has 16 layers more than ResNet-34 and costs 5 % more, because bottlenecks do their 3 × 3
work on a quarter of the channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Scene

__all__ = ["ResNetLedger", "compute", "draw", "say"]

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
WIDTHS = (64, 128, 256, 512)
PRINTED = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}  # 10⁹, the notes' FLOPs at 224
STRIDES = ("first 1×1 (the paper)", "3×3 (torchvision)")
SHORTCUTS = ("projection", "no parameters")
BARS = ("multiply-adds", "parameters")


@dataclass
class Row:
    """One stage."""

    stage: str
    size: int  # pixels a side of its output
    blocks: str
    parameters: int
    macs: int


@dataclass
class Numbers:
    depth: int
    size: int
    stride: str
    shortcut: str
    bars: str
    rows: list[Row]
    sizes: list[int]  # input, conv1, pool, the stages after it
    totals: dict[int, tuple[int, int]]  # every depth in this form: parameters, multiply-adds
    per_area: float  # multiply-adds per pixel of the input, 1 at 224

    @property
    def parameters(self) -> int:
        return self.totals[self.depth][0]

    @property
    def macs(self) -> int:
        return self.totals[self.depth][1]


def halved(n: int) -> int:
    """⌊(n + 2p − k)/2⌋ + 1 for k = 2p + 1, whatever p: half of n, rounded up."""
    return (n - 1) // 2 + 1


def conv(k: int, inputs: int, outputs: int, n: int) -> tuple[int, int]:
    """Parameters with batch norm, and multiply-adds, of a k × k convolution whose output is n × n."""
    weights = k * k * inputs * outputs
    return weights + 2 * outputs, weights * n * n


def table(depth: int, size: int, stride_in: str, projection: bool) -> tuple[list[Row], list[int]]:
    """The rows of one net, and the sizes of the image on its way."""
    n = halved(size)
    rows = [Row("conv1", n, "7×7, 64, stride 2", *conv(7, 3, 64, n))]
    sizes, channels = [size, n, halved(n)], 64
    n = halved(n)
    for stage, (repeats, width) in enumerate(zip(BLOCKS[depth], WIDTHS)):
        parameters = macs = 0
        for i in range(repeats):
            before = n
            strided = bool(stage) and i == 0
            n = halved(n) if strided else n
            if depth >= 50:
                wide = 4 * width
                first = n if stride_in == "1x1" else before
                parts = [
                    conv(1, channels, width, first),
                    conv(3, width, width, n),
                    conv(1, width, wide, n),
                ]
                text = f"[1×1, {width}; 3×3, {width}; 1×1, {wide}] ×{repeats}"
            else:
                wide = width
                parts = [conv(3, channels, width, n), conv(3, width, width, n)]
                text = f"[3×3, {width}; 3×3, {width}] ×{repeats}"
            if projection and (strided or channels != wide):
                parts.append(conv(1, channels, wide, n))
            channels = wide
            parameters += sum(p for p, _ in parts)
            macs += sum(m for _, m in parts)
        if stage:
            sizes.append(n)
        rows.append(Row(f"conv{stage + 2}_x", n, text, parameters, macs))
    return [
        *rows,
        Row("head", 1, "average pool, 1000-d fc", channels * 1000 + 1000, channels * 1000),
    ], sizes


def compute(settings: dict[str, Any]) -> Numbers:
    """The rows of the chosen net, and the totals of all five in the same form."""
    depth, size = int(settings["depth"]), settings["size"]
    form = "1x1" if settings["stride"] == STRIDES[0] else "3x3"
    projection = settings["shortcut"] == SHORTCUTS[0]

    def totals(depth: int, size: int) -> tuple[int, int]:
        rows, _ = table(depth, size, form, projection)
        return sum(r.parameters for r in rows), sum(r.macs for r in rows)

    rows, sizes = table(depth, size, form, projection)
    every = {d: totals(d, size) for d in BLOCKS}
    per_area = every[depth][1] / size**2 / (totals(depth, 224)[1] / 224**2)
    form_words = settings["stride"], settings["shortcut"], settings["bars"]
    return Numbers(depth, size, *form_words, rows, sizes, every, per_area)


def fits(macs: int, printed: float) -> str:
    """How a printed number of 10⁹ with one decimal comes from an exact one."""
    exact = macs / 1e9
    if round(exact, 1) == printed:
        return "rounded"
    if int(exact * 10) / 10 == printed:
        return f"cut off; it rounds to {exact:.1f}"
    return f"{exact / printed - 1:+.0%}".replace("-", "\N{MINUS SIGN}")


W, TOP, LINE = 1000, 64, 34
BAR, BAR_WIDTH = 700, 240


def draw(numbers: Numbers) -> Scene:
    """The table of one net; a bar says what share of the total a stage has."""
    rows = numbers.rows
    scene = Scene(W, TOP + LINE * len(rows) + 66)
    way = " → ".join(map(str, numbers.sizes))
    scene.text(8, 14, f"ResNet-{numbers.depth}", anchor="start", size=17, bold=True, color="blue")
    scene.text(150, 14, f"image {way}", anchor="start", size=14, color="faint", id="sizes")
    for x, name, anchor in ((8, "stage", "start"), (92, "output", "start"), (170, "blocks", "start"),
                            (555, "parameters", "end"), (684, "multiply-adds", "end"),
                            (BAR, f"share of {numbers.bars}", "start")):  # fmt: skip
        scene.text(x, TOP - 20, name, anchor=anchor, size=13, color="faint")
    scene.line((8, TOP - 8), (W - 8, TOP - 8), color="faint", width=1)
    by_work = numbers.bars == BARS[0]
    whole = numbers.macs if by_work else numbers.parameters
    for i, row in enumerate(rows):
        y = TOP + LINE * i + LINE / 2 - 4
        scene.text(8, y, row.stage, anchor="start", size=14, bold=True)
        scene.text(92, y, f"{row.size}×{row.size}", anchor="start", size=14, id=f"size {row.stage}")
        scene.text(170, y, row.blocks, anchor="start", size=13, color="faint")
        scene.text(
            555, y, f"{row.parameters:,}", anchor="end", size=14, color="ink" if by_work else "blue"
        )
        scene.text(
            684, y, f"{row.macs:,}", anchor="end", size=14, color="blue" if by_work else "ink"
        )
        share = (row.macs if by_work else row.parameters) / whole
        scene.box(BAR, y - 10, max(BAR_WIDTH * share, 1), 20, fill="blue-tint", color="blue", width=1,
                  id=f"bar {row.stage}")  # fmt: skip
        percent = f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%"
        scene.text(BAR + BAR_WIDTH * share + 8, y, percent, anchor="start", size=13)
    y = TOP + LINE * len(rows) + 14
    scene.line((8, y - 14), (W - 8, y - 14), color="faint", width=1)
    scene.text(8, y + 4, f"total, {numbers.depth} layers", anchor="start", size=15, bold=True)
    scene.text(
        555, y + 4, f"{numbers.parameters:,}", anchor="end", size=15, bold=True, id="parameters"
    )
    scene.text(684, y + 4, f"{numbers.macs:,}", anchor="end", size=15, bold=True, id="macs")
    scene.text(
        BAR,
        y + 4,
        f"{numbers.macs / 1e9:.3f}·10⁹",
        anchor="start",
        size=15,
        bold=True,
        color="blue",
    )
    if numbers.size == 224:
        printed = PRINTED[numbers.depth]
        text = f"the notes print {printed}·10⁹: {fits(numbers.macs, printed)}"
    else:
        text = f"per pixel of the input: {numbers.per_area:.2f} times the work at 224"
    scene.text(8, y + 34, text, anchor="start", size=14, color="red", id="printed")
    return scene


def say(numbers: Numbers) -> str:
    """The totals, the largest stage, and the printed figure."""
    largest = max(numbers.rows, key=lambda r: r.macs)
    form = f"stride in the {numbers.stride}, " if numbers.depth >= 50 else ""
    parts = [
        f"ResNet-{numbers.depth} on {numbers.size}×{numbers.size} ({form}shortcuts: {numbers.shortcut}): "
        f"{numbers.parameters:,} parameters, {numbers.macs:,} multiply-adds, "
        f"{largest.macs / numbers.macs:.0%} of them in {largest.stage}."
    ]
    if numbers.size == 224:
        printed = PRINTED[numbers.depth]
        parts.append(f"The notes print {printed}·10⁹ FLOPs: {fits(numbers.macs, printed)}.")
    else:
        parts.append(f"Per input pixel that is {numbers.per_area:.2f} times the work at 224.")
    return " ".join(parts)


def tell(numbers: Numbers) -> str:
    """All five depths in this form, beside the notes' row."""
    lines = []
    for depth, (parameters, macs) in numbers.totals.items():
        cells = [str(depth), f"{parameters:,}", f"{macs:,}"]
        if numbers.size == 224:
            cells += [f"{PRINTED[depth]}·10⁹", fits(macs, PRINTED[depth])]
        mark = ' style="font-weight:700"' if depth == numbers.depth else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>")
    titles = ["layers", "parameters", "multiply-adds"]
    titles += ["the notes print", "which is"] if numbers.size == 224 else []
    head = "".join(f"<th>{t}</th>" for t in titles)
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


class ResNetLedger(Experiment):
    """The ResNet table, recomputed.  Lesson 16.

    >>> numbers = ResNetLedger.measure(depth="50")
    >>> f"{numbers.parameters:,} parameters, {numbers.macs:,} multiply-adds"
    '25,557,032 parameters, 3,857,973,248 multiply-adds'
    """

    title = "ResNet ledger"
    controls = {
        "depth": Choice("layers", "50", tuple(map(str, BLOCKS))),
        "stride": Choice("stride of a bottleneck in", STRIDES[0], STRIDES),
        "shortcut": Choice("shortcut", SHORTCUTS[0], SHORTCUTS),
        "size": Slider("input size", 224, 32, 512),
        "bars": Choice("bars show", BARS[0], BARS),
    }
    least = 680
    prediction = Prediction(
        "This is ResNet-34. ResNet-50 has as many blocks, each of three convolutions instead of two, on four times the "
        "channels. How many multiply-adds does it need, against ResNet-34?",
        ("about as many", "1.5 times", "4 times", "16 times"),
        "about as many",
        "3.86 against 3.66·10⁹, 5 % more: 1×1 convolutions squeeze the channels to a quarter, and only there the 3×3 "
        "one works.",
        before={"depth": "34"},
        after={"depth": "50"},
    )
    challenge = Challenge(
        "Work should follow the area of the image. Find an input size at which a pixel costs over 25 % more than at "
        "224.",
        lambda numbers: bool(numbers.per_area > 1.25),
        "Every halving rounds up, five times in a row: 33 becomes 17, 9, 5, 3, 2, where 32 becomes 16, 8, 4, 2, 1.",
    )
    compute, draw = staticmethod(compute), staticmethod(draw)
    say, tell = staticmethod(say), staticmethod(tell)
