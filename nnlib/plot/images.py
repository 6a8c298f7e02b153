"""Grids: images, kernels, feature maps, matrices as coloured cells, one step of a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import style
from .style import (
    DIVERGING,
    FAINT,
    GRADIENT,
    HATCHES,
    INK,
    TINTS,
    VERMILLION,
    Picture,
    array,
    count,
    fixed,
    minus,
    number,
)

__all__ = ["convolution", "feature_maps", "image_grid", "kernels", "matrix"]


def image_grid(
    images: Any,
    labels: Sequence[Any] | None = None,
    predictions: Sequence[Any] | None = None,
    columns: int = 8,
    title: str = "",
    low: float | None = None,
    high: float | None = None,
    width: float = 1.1,
) -> Picture:
    """Images (N, H, W) or (N, H, W, 3) with labels; with ``predictions``, a tick or a cross: right or wrong.

    (N, H, W) is ink: white at ``low``, black at ``high``. ``width`` is that of one image, in inches.

    >>> plot.image_grid(np.zeros((2, 4, 4)), labels=[3, 5], predictions=[3, 6]).show()
    2 images of 4×4. 1 of 2 right; wrong: number 2 (5 taken for 6).
    """
    images = array(images)
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)):
        raise ValueError(f"image_grid: images must be (N, H, W) or (N, H, W, 3), got {images.shape}.")
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    labels, predictions = (None if g is None else [_plain(v) for v in g] for g in (labels, predictions))
    for what, given in (("labels", labels), ("predictions", predictions)):
        if given is not None and len(given) != len(images):
            raise ValueError(f"image_grid: {len(images)} images and {len(given)} {what}.")
    if predictions is not None and labels is None:
        raise ValueError("image_grid: predictions need labels to be compared with.")
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    right = [] if predictions is None else [str(a) == str(b) for a, b in zip(labels or [], predictions)]
    tall = images.shape[1] / images.shape[2]
    size = (
        max((width + 0.05) * columns, 3.0),
        (width * tall + (0.38 if labels is not None else 0.08)) * rows + (0.4 if title else 0.1),
    )

    def draw(figure: Any) -> None:
        grid = style.axes(figure, rows, columns)
        grid = grid if isinstance(grid, list) else [grid]
        for i, ax in enumerate(grid):
            style.bare(ax)
            if i >= len(images):
                continue
            ax.imshow(images[i], cmap="gray_r", vmin=images.min() if low is None else low,
                      vmax=images.max() if high is None else high, interpolation="nearest")  # fmt: skip
            if labels is not None:
                text, color = str(labels[i]), INK
                if right:
                    text = f"✓ {labels[i]}" if right[i] else f"✗ {predictions[i]} (is {labels[i]})"  # type: ignore[index]
                    color = "#00694D" if right[i] else GRADIENT
                ax.set_title(
                    text,
                    fontsize=style.TEXT,
                    color=color,
                    pad=3,
                    weight="normal" if not right or right[i] else "bold",
                )
            for side in ax.spines.values():
                side.set_visible(True)
                side.set_edgecolor(VERMILLION if right and not right[i] else FAINT)
                side.set_linewidth(2.2 if right and not right[i] else 0.8)
        if title:
            figure.suptitle(title, fontsize=13)

    text = f"{title + '. ' if title else ''}{count(len(images), 'image')} of {images.shape[1]}×{images.shape[2]}"
    if right and labels is not None and predictions is not None:
        text += f". {sum(right)} of {len(right)} right"
        missed = [
            f"number {i + 1} ({labels[i]} taken for {predictions[i]})" for i, ok in enumerate(right) if not ok
        ]
        text += (
            f"; wrong: {', '.join(missed[:6])}{f' and {len(missed) - 6} more' if len(missed) > 6 else ''}"
            if missed
            else ""
        )
    elif labels is not None:
        told = ", ".join(str(v) for v in list(labels)[:16])
        text += f", labelled {told}{' and so on' if len(labels) > 16 else ''}"
    return Picture(draw, size, text + ".")


def _plain(value: Any) -> Any:
    """A label as text would show it: an integer for whatever holds one."""
    return value if isinstance(value, str) else int(array(value).item())


def matrix(
    values: Any,
    groups: Any = None,
    names: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    numbers: bool | None = None,
    digits: int = 2,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    group: str = "different weight",
) -> Picture:
    """A matrix as coloured cells with its numbers: red above zero, blue below, white at zero.

    ``groups`` (the same shape, -1 for none) gives cells with one number one fill and hatch instead, so that shared
    weights look shared; ``names`` call the groups, ``group`` says what a group is. ``rows`` and ``columns`` label the
    sides. ``numbers`` False leaves the numbers out.

    >>> plot.matrix([[1, 0], [0, -2]]).show()
    Matrix 2×2, from -2 to 1: 1, 0; 0, -2.
    """
    table = array(values)
    table = table.reshape(1, -1) if table.ndim == 1 else table
    if table.ndim != 2:
        raise ValueError(f"matrix: two dimensions expected, got shape {table.shape}.")
    kinds = None if groups is None else array(groups, np.int64).reshape(table.shape)
    height, width = table.shape
    written = height * width <= 200 if numbers is None else numbers
    told = [[minus(fixed(v, digits)) for v in row] for row in table]
    long = max(len(t) for row in told for t in row) if written else 1
    cell = max(0.44, 0.115 * long + 0.1) if written else min(0.3, 6 / max(height, width))
    size = (
        max(cell * width + 0.5 + (0.12 * max(map(len, rows)) if rows else 0) + (0.3 if ylabel else 0), 2.2),
        (0.44 if written else cell) * height
        + 0.45
        + (0.35 if title else 0)
        + (0.3 if columns else 0)
        + (0.3 if xlabel else 0),
    )
    if size[0] > style.WIDEST:
        size = (style.WIDEST, size[1])

    def draw(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        ax = style.axes(figure)
        style.bare(ax)
        aspect = 1.0 if not written else 0.44 / cell
        if kinds is None:
            reach = max(float(np.nanmax(np.abs(table))), 1e-12)
            ax.imshow(table, cmap=_paler(), vmin=-reach, vmax=reach, aspect=aspect, interpolation="nearest")
        else:
            ax.set_xlim(-0.5, width - 0.5)
            ax.set_ylim(height - 0.5, -0.5)
            ax.set_aspect(aspect)
            for r, c in np.argwhere(kinds >= 0):
                k = kinds[r, c]
                ax.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor=TINTS[k % len(TINTS)], edgecolor="none",
                                       hatch=HATCHES[k // len(TINTS) % len(HATCHES)], gid=f"group-{k}"))  # fmt: skip
        if written or width <= 40:
            for edge in range(width + 1):
                ax.axvline(edge - 0.5, color="#C9C5BB", linewidth=0.8)
            for edge in range(height + 1):
                ax.axhline(edge - 0.5, color="#C9C5BB", linewidth=0.8)
        for r in range(height if written else 0):
            for c in range(width):
                if kinds is not None and kinds[r, c] < 0 and table[r, c] == 0:
                    continue
                text = names[kinds[r, c]] if kinds is not None and names and kinds[r, c] >= 0 else told[r][c]
                ax.text(c, r, text, fontsize=style.TEXT, ha="center", va="center", color=INK, gid=f"cell-{r}-{c}")
        if rows:
            ax.set_yticks(range(height), rows)
        if columns:
            ax.set_xticks(range(width), columns)
            ax.xaxis.tick_top()
        ax.tick_params(length=0)
        style.finish(ax, title, xlabel, ylabel)

    text = f"{title or 'Matrix'} {height}×{width}, "
    if kinds is None:
        text += f"from {number(table.min())} to {number(table.max())}"
        said = [[number(v) for v in row] for row in table]
    else:
        shared = kinds[kinds >= 0]
        text += f"{count(len(np.unique(shared)), group)} in {count(shared.size, 'cell')}"
        said = [[names[k] if k >= 0 else "0" for k in row] for row in kinds] if names else []
    if table.size <= 64 and said:
        text += ": " + "; ".join(", ".join(row) for row in said)
    return Picture(draw, size, text + ".")


def _paler() -> Any:
    """Blue, white, red: light enough at the ends for black numbers."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("paler", ["#7FB2D9", "#CFE2F0", "#FFFFFF", "#F8D9C6", "#EE9C6C"])


def kernels(weight: Any, names: Sequence[str] | None = None, columns: int = 8, numbers: bool | None = None,
            title: str = "Kernels") -> Picture:  # fmt: skip
    """Filters (N, kh, kw), or (N, 1, kh, kw), on one colour scale around zero, with their numbers where they are small.

    >>> plot.kernels([[[1, 0, -1]] * 3], names=["edge"]).show()
    Kernels: 1 of 3×3, weights from -1 to 1: edge.
    """
    return _maps(weight, names, columns, numbers, title, "weights", True, "kernels")


def feature_maps(maps: Any, names: Sequence[str] | None = None, columns: int = 8, title: str = "Feature maps",
                 signed: bool | None = None) -> Picture:  # fmt: skip
    """Maps (C, H, W) on one colour scale: around zero if a value is negative, from white to dark if none is.

    Also thumbnails of hidden units: each unit's output over the grid of a decision surface.

    >>> plot.feature_maps(np.ones((2, 4, 4))).show()
    Feature maps: 2 of 4×4, values from 1 to 1.
    """
    return _maps(maps, names, columns, False, title, "values", signed, "feature_maps")


def _maps(
    data: Any, names: Sequence[str] | None, columns: int, numbers: bool | None, title: str, what: str,
    signed: bool | None, where: str,
) -> Picture:  # fmt: skip
    maps = array(data)
    if maps.ndim == 4 and 1 in maps.shape[:2]:
        maps = maps.reshape(-1, *maps.shape[2:])
    if maps.ndim != 3:
        raise ValueError(
            f"{where}: (N, height, width) expected, got {maps.shape}. Choose one example or one input channel."
        )
    if names is not None and len(names) != len(maps):
        raise ValueError(f"{where}: {len(maps)} maps and {len(names)} names.")
    columns = max(1, min(columns, len(maps)))
    rows = -(-len(maps) // columns)
    written = maps.shape[1] <= 5 and maps.shape[2] <= 5 and len(maps) <= 8 if numbers is None else numbers
    both = bool(maps.min() < 0) if signed is None else signed
    reach = max(float(np.abs(maps).max()), 1e-12)
    side = max(1.2, 0.5 * maps.shape[2]) if written else 1.25
    tall = side * maps.shape[1] / maps.shape[2] + (0.35 if names else 0.1)
    if side * columns + 0.9 > style.WIDEST:
        columns = int((style.WIDEST - 0.9) // side)
        rows = -(-len(maps) // columns)
    size = (max(side * columns + 0.9, 3.2), tall * rows + 0.5)

    def draw(figure: Any) -> None:
        grid = style.axes(figure, rows, columns)
        grid = grid if isinstance(grid, list) else [grid]
        cmap, low = (
            (_paler() if written else DIVERGING, -reach) if both else ("gray_r", min(0.0, float(maps.min())))
        )
        image = None
        for i, ax in enumerate(grid):
            style.bare(ax)
            if i >= len(maps):
                continue
            image = ax.imshow(maps[i], cmap=cmap, vmin=low, vmax=reach, interpolation="nearest")
            for r, c in np.ndindex(maps.shape[1:]) if written else ():
                ax.text(c, r, minus(fixed(maps[i, r, c])), fontsize=style.TEXT, ha="center", va="center", color=INK)
            if names:
                ax.set_title(names[i], fontsize=12)
            for edge in ax.spines.values():
                edge.set_visible(True)
                edge.set_edgecolor(FAINT)
        figure.colorbar(image, ax=grid, shrink=0.8, aspect=12)
        figure.suptitle(title, fontsize=13)

    text = f"{title}: {len(maps)} of {maps.shape[1]}×{maps.shape[2]}, "
    text += f"{what} from {number(maps.min())} to {number(maps.max())}"
    return Picture(draw, size, text + (f": {', '.join(names)}." if names else "."))


def convolution(image: Any, kernel: Any, output: Any, at: tuple[int, int] = (0, 0), stride: int = 1, padding: int = 0,
                digits: int = 2) -> Picture:  # fmt: skip
    """One step of a two-dimensional convolution: the window of the image, the kernel, and the output cell it makes.

    ``image`` (H, W), ``kernel`` (kh, kw), ``output`` (oh, ow), ``at`` the row and column of the output.

    >>> image = np.arange(9.0).reshape(3, 3)
    >>> plot.convolution(image, [[1, 0], [0, -1]], [[-4, -4], [-4, -4]], at=(0, 1)).show()
    Convolution step: the 2×2 window at row 1, column 2 of the image, times the kernel, summed, is
    output (1, 2) = -4.
    """
    image, kernel, output = (array(a) for a in (image, kernel, output))
    for name, a in (("image", image), ("kernel", kernel), ("output", output)):
        if a.ndim != 2:
            raise ValueError(f"convolution: {name} must have two dimensions, got shape {a.shape}.")
    if not (0 <= at[0] < output.shape[0] and 0 <= at[1] < output.shape[1]):
        raise ValueError(f"convolution: at={at} lies outside the output {output.shape}.")
    top, left = at[0] * stride - padding, at[1] * stride - padding
    padded = np.pad(image, padding)
    cell = 0.44
    parts = [("image", padded), ("kernel", kernel), ("output", output)]
    size = (cell * sum(a.shape[1] for _, a in parts) + 2.2, cell * max(a.shape[0] for _, a in parts) + 0.8)

    def draw(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        ax = style.sheet(figure, size, (-0.2, -0.2))
        highest = cell * max(a.shape[0] for _, a in parts)
        x = 0.0
        for name, a in parts:
            y = (highest - cell * a.shape[0]) / 2
            for r, c in np.ndindex(a.shape):
                inside = (
                    name == "image"
                    and 0 <= r - (top + padding) < kernel.shape[0]
                    and 0 <= c - (left + padding) < kernel.shape[1]
                )
                chosen = inside or (name == "output" and (r, c) == tuple(at))
                border = name == "image" and padding and (
                    r < padding or c < padding or r >= a.shape[0] - padding or c >= a.shape[1] - padding
                )  # fmt: skip
                fill = style.HIGHLIGHT if chosen else TINTS[1] if name == "kernel" else style.PAPER
                corner = (x + c * cell, y + (a.shape[0] - 1 - r) * cell)
                ax.add_patch(
                    Rectangle(corner, cell, cell, facecolor=fill, edgecolor=INK if chosen else FAINT,
                              zorder=2 if chosen else 1,
                              linewidth=1.8 if chosen else 0.8, linestyle=(0, (2, 2)) if border and not chosen else "-")
                )  # fmt: skip
                ax.text(corner[0] + cell / 2, corner[1] + cell / 2, minus(fixed(a[r, c], digits)), fontsize=style.TEXT,
                        ha="center", va="center", zorder=3, gid=f"{name}-{r}-{c}")  # fmt: skip
            ax.text(x + cell * a.shape[1] / 2, highest + 0.1, name, fontsize=12, ha="center", va="bottom")
            x += cell * a.shape[1]
            if name != "output":
                ax.text(
                    x + 0.45, highest / 2, "×" if name == "image" else "=", fontsize=18, ha="center", va="center"
                )
                x += 0.9

    kh, kw = kernel.shape
    where = f"row {top + padding + 1}, column {left + padding + 1} of the {'padded ' if padding else ''}image"
    text = f"Convolution step: the {kh}×{kw} window at {where}, times the kernel, summed, "
    return Picture(draw, size, f"{text}is output ({at[0] + 1}, {at[1] + 1}) = {number(output[tuple(at)])}.")
