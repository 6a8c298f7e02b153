"""Computation graphs: values above the edges, gradients below them; and the gates they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.path import Path

from ..layout import Box, Link, layered, rim
from . import style
from .style import FAINT, GRADIENT, HIGHLIGHT, INK, PAPER, TINTS, Picture, fixed, minus, text_width

__all__ = ["gates", "graph", "graph_steps"]

SIZE = 12.5  # points
LINE = 0.19  # inches for a line of text of that size
RADIUS = 0.22
UNKNOWN = "?"
MOST = 120  # nodes of a picture
SYMBOLS = {
    "add": "+", "sub": "\N{MINUS SIGN}", "mul": "×", "div": "÷", "neg": "×(-1)", "matmul": "@", "sum": "Σ",
    "sigmoid": "σ", "reciprocal": "1/x", "sqrt": "√", "square": "x²", "abs": "|x|", "log": "ln", "maximum": "max",
    "minimum": "min", "amax": "max", "amin": "min", "relu": "ReLU", "gelu": "GELU", "cross_entropy": "cross-entropy",
    "_cross_entropy": "cross-entropy", "_reshape": "reshape", "_einsum": "einsum",
}  # fmt: skip
RAISED = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")


@dataclass
class _Drawn:
    """A node as drawn: constants are already part of their op's symbol."""

    id: int
    symbol: str
    name: str | None
    leaf: bool
    value: Any
    grad: Any
    uses: list[int] = field(default_factory=list)  # edges that leave it


@dataclass
class _Wire:
    source: int  # positions in the list of drawn nodes
    target: int
    gradient: Any


def _text(value: Any, digits: int) -> str:
    """A scalar with its digits, an array as its shape."""
    value = style.array(value)
    return fixed(value.item(), digits) if value.size == 1 else "×".join(map(str, value.shape))


def _constant(node: Any) -> bool:
    return node.kind == "leaf" and not node.name and not node.requires_grad and np.size(style.array(node.value)) == 1


def _with_constant(label: str, constant: float, index: int) -> str | None:
    """The symbol of an op one of whose two arguments is a constant: ``×(-1)``, ``+1``, ``1/x``, ``x²``."""
    c = fixed(constant, 2)
    bracket = f"({c})" if constant < 0 else c
    if label == "mul":
        return f"×{bracket}"
    if label == "add":
        return f"+{bracket}"
    if label == "sub":
        return f"{c}-x" if index == 0 else f"-{bracket}"
    if label == "div":
        return f"{c}/x" if index == 0 else f"÷{bracket}"
    if label == "pow" and index == 1:
        return "1/x" if constant == -1 else "√" if constant == 0.5 else "x" + c.translate(RAISED)
    return f"{label}({c}, x)" if index == 0 else f"{label}(x, {c})"


def _drawn(graph: Any, fold: bool) -> tuple[list[_Drawn], list[_Wire]]:
    nodes = {n.id: n for n in graph.nodes}
    arguments: dict[int, list[Any]] = {n.id: [] for n in graph.nodes}
    for edge in sorted(graph.edges, key=lambda e: e.index):
        if edge.source not in nodes or edge.target not in nodes:
            raise ValueError(f"graph: edge {edge.source} → {edge.target} names a node that is not in graph.nodes.")
        arguments[edge.target].append(edge)
    symbols, folded = {}, set()
    for node in graph.nodes:
        symbols[node.id] = SYMBOLS.get(node.label, node.label) if node.kind == "op" else (node.name or node.label)
        mine = arguments[node.id]
        constants = [e for e in mine if _constant(nodes[e.source])]
        if fold and len(mine) == 2 and len(constants) == 1:
            value = style.array(nodes[constants[0].source].value).item()
            index = mine.index(constants[0])
            symbols[node.id] = _with_constant(node.label, value, index)
            folded.add((constants[0].source, node.id))
    kept = {e.source for es in arguments.values() for e in es if (e.source, e.target) not in folded}
    shown = [n for n in graph.nodes if n.kind == "op" or n.id in kept or n is graph.nodes[-1]]
    place = {n.id: i for i, n in enumerate(shown)}
    drawn = [_Drawn(n.id, symbols[n.id], n.name, n.kind == "leaf", n.value, n.grad) for n in shown]
    wires: list[_Wire] = []
    for node in shown:
        for edge in arguments[node.id]:
            if (edge.source, edge.target) not in folded:
                drawn[place[edge.source]].uses.append(len(wires))
                wires.append(_Wire(place[edge.source], place[edge.target], edge.gradient))
    return drawn, wires


def _timeline(drawn: list[_Drawn], show: str) -> list[tuple[str, int]]:
    """What is revealed at each step: ("value", node), ("seed", output) or ("gradient", node whose inputs receive)."""
    if show not in ("values", "gradients", "both"):
        raise ValueError(f"graph: show must be 'values', 'gradients' or 'both', got {show!r}.")
    ops = [i for i, n in enumerate(drawn) if not n.leaf]
    steps = [("value", i) for i in ops] if show != "gradients" else []
    if show != "values":
        steps += [("seed", len(drawn) - 1)] + [("gradient", i) for i in reversed(ops)]
    return steps


def graph_steps(graph: Any, show: str = "both", fold: bool = True) -> list[int]:
    """Ids of the nodes in the order in which :func:`graph` reveals them; its length is the last ``step``.

    First every op's value, left to right; then 1 for the output itself, then for each op from the right the gradients
    of its arguments. ``show="values"`` or ``"gradients"`` gives only that part.

    >>> x, y = nn.tensor(2.0, requires_grad=True), nn.tensor(3.0, requires_grad=True)
    >>> plot.graph_steps(nn.inspection.graph(x * y + x, {"x": x, "y": y}))
    [2, 3, 3, 3, 2]
    """
    drawn, _ = _drawn(graph, fold)
    return [drawn[i].id for _, i in _timeline(drawn, show)]


def graph(
    graph: Any,
    show: str = "both",
    step: int | None = None,
    highlight: int | str | None = None,
    reverse: bool = False,
    digits: int = 2,
    fold: bool = True,
    title: str = "",
) -> Picture:
    """A computation graph, left to right: the value above each edge, the gradient below it, in italics.

    ``graph`` is :func:`nnlib.inspection.graph`'s, or has its fields. ``show`` is "values", "gradients" or "both".
    ``step=k`` reveals the first k of :func:`graph_steps`, marks the k-th node, and puts a question mark where a
    number is still missing. ``highlight`` marks a node by name or id. ``reverse`` turns the arrows (the graph of
    the backward pass). Numbers get ``digits`` decimals, arrays show their shape. ``fold`` writes a constant into
    its op: ``×(-1)``, ``+1``. Raises ValueError for an unknown node or a step that does not exist. No PyTorch
    counterpart (torchviz shows no numbers).

    >>> x, y, z = (nn.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    >>> picture = plot.graph(nn.inspection.graph((x + y) * z, {"x": x, "y": y, "z": z}))
    >>> print(picture.text)
    Computation graph. Inputs: x = -2, y = 5, z = -4. Values, left to right: + = 3, × = -12. \
Gradients of the output, right to left: output 1, + -4, z 3, x -4, y -4.
    """
    drawn, wires = _drawn(graph, fold)
    if len(drawn) > MOST:
        raise ValueError(f"graph: {len(drawn)} nodes are more than a picture can show ({MOST}). Draw a part of it.")
    steps = _timeline(drawn, show)
    if step is not None and not 0 <= step <= len(steps):
        raise ValueError(
            f"graph: step must be 0…{len(steps)} for this graph, got {step}. Its steps: graph_steps(graph)."
        )
    done = steps if step is None else steps[:step]
    known = {i for i, n in enumerate(drawn) if n.leaf} | {i for what, i in done if what == "value"}
    if show == "gradients":
        known = set()
    backward = {i for what, i in done if what == "gradient"}
    seeded = any(what == "seed" for what, _ in done)
    marked = _find(drawn, highlight) if highlight is not None else done[-1][1] if step else None
    output = len(drawn) - 1

    def value_of(i: int) -> str:
        if show == "gradients" or (drawn[i].leaf and not drawn[i].name and _is_number(drawn[i].symbol)):
            return ""  # an unnamed constant shows its value in its own box
        return _text(drawn[i].value, digits) if i in known else UNKNOWN

    def gradient_of(gradient: Any, revealed: bool) -> str:
        if show == "values" or gradient is None or not (seeded or step is None):
            return ""
        return _text(gradient, digits) if revealed else UNKNOWN

    labels = [(value_of(w.source), gradient_of(w.gradient, w.target in backward)) for w in wires]
    last = drawn[output]
    labels.append((value_of(output), gradient_of(last.grad, seeded)))
    # several uses: their sum stands under the node
    sums = {
        i: gradient_of(n.grad, set(n.uses) <= {u for u, w in enumerate(wires) if w.target in backward})
        for i, n in enumerate(drawn)
        if len(n.uses) > 1 and n.grad is not None
    }
    sums = {i: f"Σ = {text}" for i, text in sums.items() if text}

    boxes = [_box(n, sums.get(i, "")) for i, n in enumerate(drawn)] + [Box(0.05, 0.1)]
    links = [Link(w.source, w.target) for w in wires] + [Link(output, len(drawn))]
    for i, n in enumerate(drawn):
        boxes[i].late = n.leaf
    whole = [
        (_text(drawn[w.source].value, digits), "" if w.gradient is None else _text(w.gradient, digits)) for w in wires
    ]
    whole.append((_text(last.value, digits), "" if last.grad is None else _text(last.grad, digits)))
    for link, pair in zip(links, whole):  # room for the final labels, so that steps do not move the picture
        wide = (text_width(minus(pair[0]), SIZE), text_width(minus(pair[1]), SIZE, style="italic"))
        link.width, link.height = max(0.3, *wide) + 0.06, 2 * LINE + 0.1
    layout = layered(boxes, links)
    key, margin, least = 0.3, 0.15, 4.4 if show == "both" else 3.4
    size = (max(layout.width + 2 * margin, least), layout.height + 2 * margin + key + (0.35 if title else 0.0))

    def draw(figure: Any) -> None:
        from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

        extra = max(0.0, least - layout.width - 2 * margin) / 2
        ax = style.sheet(figure, size, (-margin - extra, -margin - key))
        for n, (link, (above, below)) in enumerate(zip(links, labels)):
            path = _route(link, boxes, drawn)
            if reverse:
                path = Path(path.vertices[::-1], [*path.codes[:1], *path.codes[:0:-1]])
            patch = FancyArrowPatch(
                path=path,
                arrowstyle="-|>,head_length=5,head_width=2.6",
                color=GRADIENT if reverse else FAINT,
                linestyle=(0, (5, 2)) if reverse else "-",
                linewidth=1.5,
                zorder=1,
            )
            patch.set_gid(f"edge-{n}")
            ax.add_patch(patch)
            x, y = link.label
            if above:
                ax.text(
                    x, y + 0.045, minus(above), fontsize=SIZE, ha="center", va="bottom", gid=f"value-{n}", color=INK
                )
            if below:
                ax.text(
                    x, y - 0.05, minus(below), fontsize=SIZE, ha="center", va="top", style="italic", color=GRADIENT,
                    gid=f"gradient-{n}",
                )  # fmt: skip
        for i, node in enumerate(drawn):
            box = boxes[i]
            fill = HIGHLIGHT if i == marked else TINTS[0] if node.leaf else PAPER
            frame: dict[str, Any] = {"facecolor": fill, "edgecolor": INK, "linewidth": 2.8 if i == marked else 1.4}
            width, height = _shape(node)
            shape: Any
            if not node.leaf and width == height:
                shape = Circle((box.x, box.y), width / 2, zorder=2, **frame)
            else:
                corner = (box.x - width / 2, box.y - height / 2)
                rounding = 0.06 if node.leaf else height / 2
                form = f"round,pad=0,rounding_size={rounding}"
                shape = FancyBboxPatch(corner, width, height, boxstyle=form, zorder=2, **frame)
            shape.set_gid(f"node-{node.id}")
            ax.add_patch(shape)
            ax.text(
                box.x, box.y, minus(node.symbol), fontsize=_symbol_size(node), ha="center", va="center_baseline",
                zorder=3, gid=f"symbol-{node.id}", color=INK,
            )  # fmt: skip
            if not node.leaf and node.name:
                ax.text(box.x, box.y + height / 2 + 0.04, node.name, fontsize=SIZE - 1, ha="center", va="bottom",
                        weight="bold", gid=f"name-{node.id}", color=INK)  # fmt: skip
            if i in sums:
                ax.text(box.x, box.y - height / 2 - 0.05, minus(sums[i]), fontsize=SIZE - 1, ha="center", va="top",
                        style="italic", color=GRADIENT, gid=f"sum-{node.id}")  # fmt: skip
        if title:
            ax.text(layout.width / 2, layout.height + margin, title, fontsize=13, ha="center", va="bottom", gid="title")
        _key(ax, layout.width, -margin - 0.02, show)

    return Picture(draw, size, _sentence(drawn, wires, steps, done, step, show, reverse, digits))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _find(drawn: list[_Drawn], which: int | str) -> int:
    for i, node in enumerate(drawn):
        if which in (node.id, node.name) or (which == node.symbol and node.leaf):
            return i
    names = [n.name or n.id for n in drawn]
    raise ValueError(f"graph: no node {which!r} to highlight; the names and ids are {names}.")


def _symbol_size(node: _Drawn) -> float:
    return 16 if len(node.symbol) == 1 and not node.leaf else 12.5 if len(node.symbol) <= 3 else 11


def _shape(node: _Drawn) -> tuple[float, float]:
    """Width and height: a circle where the symbol fits, a pill or, for a leaf, a box otherwise."""
    wide = text_width(minus(node.symbol), _symbol_size(node))
    if node.leaf:
        return max(0.36, wide + 0.16), 0.32
    if wide <= 2 * RADIUS - 0.05:
        return 2 * RADIUS, 2 * RADIUS
    return wide + 0.22, 2 * RADIUS - 0.06


def _box(node: _Drawn, total: str) -> Box:
    width, height = _shape(node)
    above = LINE + 0.05 if node.name and not node.leaf else 0.0
    below = LINE + 0.06 if total else 0.0
    name = text_width(node.name or "", SIZE - 1, weight="bold") if above else 0.0
    return Box(max(width, name, text_width(total, SIZE - 1, style="italic")), height + 2 * max(above, below))


def _route(link: Link, boxes: list[Box], drawn: list[_Drawn]) -> Path:
    """The path of an edge from outline to outline; circles are met towards their centre."""
    source, target = boxes[link.source], boxes[link.target]
    start = (source.x + _shape(drawn[link.source])[0] / 2, source.y)
    inner = link.path[:-1]
    if link.target == len(drawn):  # the stub of the output
        return style.curve([start, *inner, (target.x, target.y)])
    width, height = _shape(drawn[link.target])
    if width != height or drawn[link.target].leaf:
        end = (target.x - width / 2, target.y)
        return style.curve([start, *inner, end])
    end = rim(inner[-1], target.x, target.y, width / 2)
    return style.curve([start, *inner, end], ((target.x - end[0]) / width * 2, (target.y - end[1]) / width * 2))


def _key(ax: Any, width: float, y: float, show: str) -> None:
    """Which number is which: position, slant and colour."""
    parts = []
    if show != "gradients":
        parts.append(("value (above)", INK, "normal"))
    if show != "values":
        parts.append(("gradient of the output (below)", GRADIENT, "italic"))
    wide = [text_width(text, 11, style=slant) for text, _, slant in parts]
    x = width / 2 - (sum(wide) + 0.4 * (len(parts) - 1)) / 2
    for (text, color, slant), w in zip(parts, wide):
        ax.text(x, y, text, fontsize=11, ha="left", va="top", color=color, style=slant, gid="key")
        x += w + 0.4


def _sentence(
    drawn: list[_Drawn], wires: list[_Wire], steps: list[Any], done: list[Any], step: int | None, show: str,
    reverse: bool, digits: int,
) -> str:  # fmt: skip
    def called(i: int) -> str:
        node = drawn[i]
        return f"{node.name} ({node.symbol})" if node.name and not node.leaf else node.symbol

    def short(i: int) -> str:
        return drawn[i].name or drawn[i].symbol

    parts = ["Computation graph, arrows reversed." if reverse else "Computation graph."]
    if step is not None:
        parts = [f"{parts[0][:-1]}, step {step} of {len(steps)}."]
    leaves = [f"{short(i)} = {_text(n.value, digits)}" for i, n in enumerate(drawn) if n.leaf and n.name]
    if show != "gradients":
        if leaves:
            parts.append(f"Inputs: {', '.join(leaves)}.")
        values = [f"{called(i)} = {_text(drawn[i].value, digits)}" for what, i in done if what == "value"]
        if values:
            parts.append(f"Values, left to right: {', '.join(values)}.")
    grads = []
    sent: dict[int, int] = {}
    for what, i in done:
        if what == "seed" and drawn[i].grad is not None:
            grads.append(f"output {_text(drawn[i].grad, digits)}")
        for wire in wires if what == "gradient" else ():
            if wire.target != i or wire.gradient is None:
                continue
            node = drawn[wire.source]
            sent[wire.source] = sent.get(wire.source, 0) + 1
            grads.append(f"{short(wire.source)} {_text(wire.gradient, digits)}")
            if len(node.uses) > 1 and sent[wire.source] == len(node.uses):
                grads[-1] += f" (sum {_text(node.grad, digits)})"
    if grads:
        parts.append(f"Gradients of the output, right to left: {', '.join(grads)}.")
    return " ".join(parts)


def gates(gates: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[float], Sequence[float]]],
          digits: int = 2) -> Picture:  # fmt: skip
    """How gradients pass single gates: (symbol, inputs, outputs, upstream gradients, gradients of the inputs) for each.

    >>> gate = ("×", (2, 3), (6,), (5,), (15, 10))
    >>> plot.gates([gate]).show()
    Gates. × of 2, 3 is 6; upstream 5 becomes 15, 10.
    """
    rows = []
    for gate in gates:
        if len(gate) != 5 or len(gate[1]) != len(gate[4]) or len(gate[2]) != len(gate[3]):
            raise ValueError(
                "gates: each gate is (symbol, inputs, outputs, upstream, gradients) with as many gradients as inputs "
                f"and as many upstream gradients as outputs, got {gate!r}."
            )
        rows.append((gate[0], *([fixed(v, digits) for v in numbers] for numbers in gate[1:])))
    width, height, columns = 2.7, 1.55, min(len(rows), 2)

    def draw(figure: Any) -> None:
        from matplotlib.patches import Circle, FancyArrowPatch

        axes = style.axes(figure, -(-len(rows) // columns), columns)
        axes = axes if isinstance(axes, list) else [axes]
        for ax in axes:
            style.bare(ax)
            ax.set_xlim(-1.3, 1.3)
            ax.set_ylim(-0.75, 0.75)
            ax.set_aspect("equal")
        for ax, (symbol, inputs, outputs, upstream, gradients) in zip(axes, rows):
            for side, above, below in ((-1, inputs, gradients), (1, outputs, upstream)):
                for i, (value, gradient) in enumerate(zip(above, below)):
                    y = 0.32 * (len(above) - 1 - 2 * i)
                    end = rim((side * 0.6, y), 0.0, 0.0, RADIUS)
                    route = [(side * 1.25, y), (side * 0.6, y), end]
                    arrival = (-end[0] / RADIUS, -end[1] / RADIUS) if side < 0 else None
                    path = style.curve(route[:: -side], arrival)
                    style_ = "-|>,head_length=5,head_width=2.6"
                    ax.add_patch(FancyArrowPatch(path=path, arrowstyle=style_, color=FAINT, linewidth=1.5, zorder=1))
                    x = side * 0.88
                    ax.text(x, y + 0.045, minus(value), fontsize=SIZE, ha="center", va="bottom", color=INK)
                    ax.text(
                        x,
                        y - 0.05,
                        minus(gradient),
                        fontsize=SIZE,
                        ha="center",
                        va="top",
                        color=GRADIENT,
                        style="italic",
                    )
            ax.add_patch(Circle((0, 0), RADIUS, facecolor=PAPER, edgecolor=INK, linewidth=1.4, zorder=3))
            ax.text(0, 0, symbol, fontsize=16 if len(symbol) == 1 else 11, ha="center", va="center_baseline", zorder=4)

    told = "; ".join(
        f"{s} of {', '.join(i)} is {', '.join(o)}; upstream {', '.join(u)} becomes {', '.join(g)}"
        for s, i, o, u, g in rows
    )
    return Picture(draw, (width * columns, height * -(-len(rows) // columns)), f"Gates. {told}.")
