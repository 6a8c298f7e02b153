"""Figures judged by their artists: positions, texts, colours and sentences, never by pixels."""

import io
import itertools
import json
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("matplotlib")
import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

import nnlib as nn
from nnlib import layout, plot
from nnlib.plot import style


def scalar(value):
    return nn.tensor(float(value), requires_grad=True, dtype=nn.float64)


def product_graph():
    """(x + y)·z at (-2, 5, -4)."""
    x, y, z = scalar(-2), scalar(5), scalar(-4)
    q = x + y
    return nn.inspection.graph(q * z, {"x": x, "y": y, "z": z, "q": q})


def sigmoid_graph():
    """1/(1 + exp(-(w0·x0 + w1·x1 + w2))) at w = (2, -3, -3), x = (-1, -2)."""
    w0, x0, w1, x1, w2 = (scalar(v) for v in (2, -1, -3, -2, -3))
    s = w0 * x0 + w1 * x1 + w2
    out = 1 / (1 + nn.exp(s * -1))
    return nn.inspection.graph(out, {"w0": w0, "x0": x0, "w1": w1, "x1": x1, "w2": w2})


def drawn(picture):
    """The figure after drawing, and a renderer to measure with."""
    canvas = FigureCanvasAgg(picture.figure)
    with style.context():
        canvas.draw()
    return picture.figure, canvas.get_renderer()


def texts(figure, kind=""):
    """gid → text artist, of those that show something."""
    found = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text().strip())
    return {a.get_gid(): a for a in found if (a.get_gid() or "").startswith(kind)}


def numbers(figure, kind):
    """The numbers of labels ``value-3`` … in the order of their edges."""
    labels = sorted(texts(figure, kind + "-").items(), key=lambda item: int(item[0].rsplit("-", 1)[1]))
    return [artist.get_text().replace("\N{MINUS SIGN}", "-") for _, artist in labels]


def route(patch):
    """The points of an arrow from its tail to its tip (get_path would add the head)."""
    return patch._path_original.vertices


def overlaps(figure, renderer):
    """Pairs of texts whose boxes cover each other."""
    every = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text().strip())
    boxes = [(a.get_text(), a.get_window_extent(renderer)) for a in every]
    pairs = []
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5:
            pairs.append((first, second))
    return pairs


# -- the object


def test_user_settings_stay_as_they_are():
    with mpl.rc_context({"font.size": 4, "axes.grid": False, "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        picture = plot.curves({"a": [1, 2, 3]})
        figure = picture.figure
        picture.png()
        assert dict(mpl.rcParams) == before
    assert figure.axes[0].lines[0].get_linewidth() == style.RC["lines.linewidth"]


def test_settings_come_back_after_an_error():
    before = dict(mpl.rcParams)
    with pytest.raises(RuntimeError, match="planned"), style.context():
        raise RuntimeError("planned")
    assert dict(mpl.rcParams) == before


def test_importing_loads_neither_pyplot_nor_more_than_needed():
    code = (
        "import sys, nnlib; assert 'matplotlib' not in sys.modules;"
        "from nnlib import plot; plot.curves({'a': [1, 2]}).show();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Curves over x 0 to 1: a from 1 to 2.\n"


def test_show_in_a_terminal_only_prints(capsys):
    picture = plot.bars({"a": 1})
    assert picture.show() is None
    assert capsys.readouterr().out == "Bars: a 1.\n"
    assert picture._figure is None  # nothing was drawn for nobody


def test_show_in_a_notebook_displays_once_and_prints(monkeypatch, capsys):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(style, "_shell", lambda: type("Shell", (), {"kernel": 1})())
    monkeypatch.setattr(display, "display", lambda data, metadata, raw: shown.append((data, metadata)))
    plot.bars({"a": 1}).show()
    [(data, metadata)] = shown
    assert sorted(data) == ["image/png", "text/plain"]
    assert data["text/plain"] == "(picture)"  # strict nbval compares it
    assert metadata == {"image/png": {"alt": "Bars: a 1."}}
    assert capsys.readouterr().out == "Bars: a 1.\n"


def test_show_survives_a_terminal_that_cannot_write_the_sentence(monkeypatch):
    import io

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    plot.bars({"σ": 1}).show()
    sys.stdout.flush()
    assert raw.getvalue() == b"Bars: ? 1.\n"


def test_png_is_the_same_twice_names_no_software_and_has_100_dpi():
    first, second = (plot.curves({"a": [1, 2, 3]}).png() for _ in range(2))
    assert first == second
    assert b"Software" not in first
    width, height = (int.from_bytes(first[i : i + 4], "big") for i in (16, 20))
    assert (width, height) == (680, 390)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_png_of_a_drawing_is_small_and_looks_the_same():
    drawing = plot.decision_surface(lambda p: np.sin(2 * p[:, 0]) - p[:, 1], np.eye(2), [0, 1])
    small, full = drawing.png(), drawing._written("png")
    assert len(small) < len(full) / 2
    assert abs(pixels(small) - pixels(full)).max() <= 16


def test_png_of_a_photograph_keeps_every_colour():
    photograph = plot.image_grid(np.random.default_rng(0).random((1, 100, 120, 3)), width=4)
    np.testing.assert_array_equal(pixels(photograph.png()), pixels(photograph._written("png")))


def test_save_knows_its_endings(tmp_path):
    for ending in ("png", "svg", "pdf"):
        plot.bars({"a": 1}).save(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").stat().st_size > 1000
    with pytest.raises(ValueError, match="png, .svg or .pdf"):
        plot.bars({"a": 1}).save(tmp_path / "a.bmp")


def test_repr_is_the_sentence_and_the_figure_is_drawn_once():
    picture = plot.bars({"a": 1})
    assert repr(picture) == "Picture: Bars: a 1. (.show() displays it)"
    assert picture.figure is picture.figure


def test_row_numbers_the_sentences_and_shares_a_legend():
    one = plot.scatter([[0, 0], [1, 1]], [0, 1])
    both = plot.row(one, one)
    assert both.text == f"(1) {one.text} (2) {one.text}"
    figure, _ = drawn(both)
    assert len(figure.legends) == 1
    assert not any(part.legends for part in figure.subfigs)
    assert both.size[0] <= style.WIDEST
    with pytest.raises(ValueError, match="at least one picture"):
        plot.row()


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0, "0"), (-1e-14, "0"), (0.19661193, "0.197"), (1e-5, "1e-5"), (12345.6, "12300"), (-2.5e8, "-2.5e8"),
     (0.99999, "1"), (float("-inf"), "-inf"), (100, "100")],
)  # fmt: skip
def test_numbers_in_sentences(value, text):
    assert style.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0, "0"), (0.5, "0.50"), (-0.5344466, "-0.53"), (-12.0, "-12"), (0.001, "0.001"), (1e7, "1e7")],
)
def test_numbers_in_labels(value, text):
    assert style.fixed(value) == text


def luminance(color):
    channels = np.array(mpl.colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_have_contrast_on_the_paper():
    for color in (style.INK, style.GRADIENT, style.FAINT):
        assert contrast(color, style.PAPER) >= 4.5, color
    for color in style.COLORS:
        assert contrast(color, style.PAPER) >= 3, color
    for tint in (*style.TINTS, style.HIGHLIGHT):
        assert contrast(style.INK, tint) >= 7, tint


def test_series_differ_by_more_than_colour():
    axes = plot.curves({name: np.arange(50) for name in "abcdef"}).figure.axes[0]
    assert len({line._dash_pattern[1] and tuple(line._dash_pattern[1]) for line in axes.lines}) == 6
    axes = plot.scatter(np.zeros((10, 2)), np.arange(10)).figure.axes[0]
    assert len({line.get_marker() for line in axes.lines}) == 10
    axes = plot.bars({name: [1, 2] for name in "abcdef"}, names=["u", "v"]).figure.axes[0]
    assert len({patch.get_hatch() for patch in axes.patches}) == 6


# -- the layout


def test_layout_keeps_distances_and_orders_layers():
    boxes = [layout.Box(0.4, 0.4) for _ in range(7)]
    pairs = [(0, 3), (1, 3), (1, 4), (2, 4), (3, 5), (4, 5), (0, 6), (5, 6)]
    links = [layout.Link(a, b, 0.5, 0.5) for a, b in pairs]
    size = layout.layered(boxes, links, gap=0.1, space=0.2)
    for a, b in pairs:
        assert boxes[a].x + boxes[a].width / 2 < boxes[b].x - boxes[b].width / 2
    for a, b in itertools.combinations(boxes, 2):
        if a.layer == b.layer:
            assert abs(a.y - b.y) >= 0.6 - 1e-6
    labels = [link.label for link in links]
    for (xa, ya), (xb, yb) in itertools.combinations(labels, 2):
        assert abs(xa - xb) > 0.5 or abs(ya - yb) >= 0.7 - 1e-6
    assert all(0 <= box.x <= size.width and 0 <= box.y <= size.height for box in boxes)


def test_layout_takes_the_crossing_out():
    boxes = [layout.Box(0.4, 0.4) for _ in range(5)]
    links = [layout.Link(a, b) for a, b in [(0, 3), (1, 2), (2, 4), (3, 4)]]
    layout.layered(boxes, links)
    assert (boxes[0].y - boxes[1].y) * (boxes[3].y - boxes[2].y) > 0


def test_layout_takes_out_the_crossing_of_neighbours_with_equal_means():
    x, y, z = (scalar(v) for v in (1, 2, 4))
    q = x + y
    figure = plot.graph(nn.inspection.graph(q * z + 2 * q, {"x": x, "y": y, "z": z})).figure
    edges = [p for p in figure.axes[0].patches if str(p.get_gid()).startswith("edge")]
    ways = [p.get_path().interpolated(20).vertices for p in edges]
    assert len(ways) == 8
    for n, a in enumerate(ways):
        for b in ways[n + 1 :]:
            steps = np.linspace(max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0]), 30)[1:-1]
            side = np.sign(np.interp(steps, *a.T) - np.interp(steps, *b.T))
            assert len({*side} - {0}) < 2 or steps[0] > steps[-1]


def test_layout_refuses_a_cycle():
    with pytest.raises(ValueError, match="cycle"):
        layout.layered([layout.Box(1, 1), layout.Box(1, 1)], [layout.Link(0, 1), layout.Link(1, 0)])


def test_separation_is_the_least_squares_solution():
    wanted, weights, gaps = np.array([0.0, 0.5, -1.0]), np.array([1.0, 3.0, 1.0]), np.array([1.0, 0.2])
    got = layout._separated(wanted, weights, gaps)
    # by hand: y0 = y1 + 1, minimise y0² + 3(y1 - 0.5)² → y1 = 1/8; the third is free
    np.testing.assert_allclose(got, [1.125, 0.125, -1.0])


# -- computation graphs


def test_product_graph_shows_the_numbers_of_the_notes():
    figure, renderer = drawn(plot.graph(product_graph()))
    assert sorted(numbers(figure, "value")) == sorted(["-2", "5", "3", "-4", "-12"])
    assert sorted(numbers(figure, "gradient")) == sorted(["-4", "-4", "-4", "3", "1"])
    assert overlaps(figure, renderer) == []


def test_sigmoid_graph_shows_the_numbers_of_the_notes():
    picture = plot.graph(sigmoid_graph())
    figure, renderer = drawn(picture)
    values = ["2", "-1", "-3", "-2", "-3", "-2", "6", "4", "1", "-1", "0.37", "1.37", "0.73"]
    gradients = "-0.20 0.39 -0.39 -0.59 0.20 0.20 0.20 0.20 0.20 -0.20 -0.53 -0.53 1".split()
    assert sorted(numbers(figure, "value")) == sorted(values)
    assert sorted(numbers(figure, "gradient")) == sorted(gradients)
    assert len(texts(figure, "symbol")) == 13
    assert overlaps(figure, renderer) == []
    for part in ("×(-1) = -1, exp = 0.37, +1 = 1.37, 1/x = 0.73", "+1 -0.53, exp -0.53, ×(-1) -0.20", "x1 -0.59"):
        assert part in picture.text


@pytest.mark.parametrize("make", [product_graph, sigmoid_graph])
def test_values_stand_above_the_edge_and_gradients_below(make):
    graph = make()
    figure, renderer = drawn(plot.graph(graph))
    values, gradients = texts(figure, "value-"), texts(figure, "gradient-")
    edges = {
        patch.get_gid(): patch for patch in figure.axes[0].patches if (patch.get_gid() or "").startswith("edge")
    }
    assert len(edges) == len(values) == len(gradients) == 13 - 8 * (make is product_graph)
    for gid, value in values.items():
        number = gid.split("-")[1]
        gradient = gradients[f"gradient-{number}"]
        (x, _), above, below = (
            value.get_position(),
            value.get_window_extent(renderer),
            gradient.get_window_extent(renderer),
        )
        points = route(edges[f"edge-{number}"])
        level = next(
            y1 for (x0, y0), (x1, y1) in itertools.pairwise(points) if y0 == y1 and x0 - 1e-6 <= x <= x1 + 1e-6
        )
        line = figure.axes[0].transData.transform((x, level))[1]
        assert below.y1 < line < above.y0
        assert gradient.get_style() == "italic" != value.get_style()
        assert gradient.get_color() != value.get_color()


def test_nodes_are_apart_and_arrows_point_right():
    figure = plot.graph(sigmoid_graph()).figure
    centers = [artist.get_position() for artist in texts(figure, "symbol").values()]
    assert all(np.hypot(a - c, b - d) > 0.4 for (a, b), (c, d) in itertools.combinations(centers, 2))
    for patch in figure.axes[0].patches:
        if (patch.get_gid() or "").startswith("edge"):
            assert route(patch)[-1][0] > route(patch)[0][0]


def test_reverse_turns_the_arrows():
    forward, back = (plot.graph(product_graph(), reverse=r).figure.axes[0].patches for r in (False, True))
    for a, b in zip(forward, back):
        if (a.get_gid() or "").startswith("edge"):
            np.testing.assert_allclose(route(a), route(b)[::-1])
            assert a.get_linestyle() != b.get_linestyle()


def test_steps_reveal_forward_then_backward():
    graph = product_graph()
    order = plot.graph_steps(graph)
    assert len(order) == 5  # + and ×, then the output, × and +
    expected = {  # step: (values, gradients)
        0: (["-2", "5", "-4", "?", "?"], []),
        1: (["-2", "5", "-4", "3", "?"], []),
        2: (["-2", "5", "-4", "3", "-12"], []),
        3: (["-2", "5", "-4", "3", "-12"], ["?", "?", "?", "?", "1"]),
        4: (["-2", "5", "-4", "3", "-12"], ["?", "?", "-4", "3", "1"]),
        5: (["-2", "5", "-4", "3", "-12"], ["-4", "-4", "-4", "3", "1"]),
    }
    sizes = set()
    for step, (values, gradients) in expected.items():
        picture = plot.graph(graph, step=step)
        sizes.add(picture.size)
        assert sorted(numbers(picture.figure, "value")) == sorted(values), step
        assert sorted(numbers(picture.figure, "gradient")) == sorted(gradients), step
        assert picture.text.startswith(f"Computation graph, step {step} of 5.")
    assert len(sizes) == 1  # the picture keeps still
    assert "-12" not in plot.graph(graph, step=1).text
    with pytest.raises(ValueError, match="0…5"):
        plot.graph(graph, step=6)


def test_a_step_marks_its_node():
    graph = product_graph()

    def marked(**options):
        patches = plot.graph(graph, **options).figure.axes[0].patches
        return [p.get_gid() for p in patches if mpl.colors.same_color(p.get_facecolor(), style.HIGHLIGHT)]

    by_name = {node.name or node.label: f"node-{node.id}" for node in graph.nodes}
    assert marked(step=1) == [by_name["q"]]
    assert marked(step=4) == [by_name["mul"]]
    assert marked(highlight="z") == [by_name["z"]]
    assert marked() == []
    with pytest.raises(ValueError, match="no node 'nobody'"):
        plot.graph(graph, highlight="nobody")


def test_show_chooses_what_is_written():
    only = plot.graph(product_graph(), show="values").figure
    assert numbers(only, "gradient") == []
    only = plot.graph(product_graph(), show="gradients").figure
    assert numbers(only, "value") == []
    with pytest.raises(ValueError, match="'values', 'gradients' or 'both'"):
        plot.graph(product_graph(), show="all")


def test_several_uses_are_summed_under_the_node():
    a = scalar(3)
    picture = plot.graph(nn.inspection.graph(a * a + a, {"a": a}))
    figure, renderer = drawn(picture)
    assert [t.get_text() for t in texts(figure, "sum").values()] == ["Σ = 7"]
    assert sorted(numbers(figure, "gradient")) == ["1", "1", "1", "3", "3"]
    assert "(sum 7)" in picture.text
    assert overlaps(figure, renderer) == []


def test_constants_join_their_op_unless_told_not_to():
    x = scalar(2)
    graph = nn.inspection.graph((x - 1) ** 2 * -3 / 4, {"x": x})

    def symbols(**options):
        return [t.get_text() for t in texts(plot.graph(graph, **options).figure, "symbol").values()]

    assert symbols() == ["x", "\N{MINUS SIGN}1", "x²", "×(\N{MINUS SIGN}3)", "÷4"]
    assert len(symbols(fold=False)) == 9


def test_arrays_show_their_shape():
    w = nn.tensor(np.ones((2, 3)), requires_grad=True)
    picture = plot.graph(nn.inspection.graph(w.sum(), {"w": w}))
    assert numbers(picture.figure, "value") == ["2×3", "6"]


@dataclass
class Node:
    id: int
    kind: str
    label: str
    name: str | None = None
    shape: tuple = ()
    value: object = 0.0
    grad: object = None
    requires_grad: bool = False


@dataclass
class Edge:
    source: int
    target: int
    index: int
    gradient: object = None


@dataclass
class Data:
    nodes: list = field(default_factory=list)
    edges: list = field(default_factory=list)


def test_graph_takes_anything_with_the_fields():
    data = Data(
        [Node(7, "leaf", "u", "u", value=np.array(0.5), grad=np.array(2.0), requires_grad=True),
         Node(9, "op", "exp", None, value=np.array(1.6487), grad=np.array(1.0), requires_grad=True)],
        [Edge(7, 9, 0, np.array(1.6487))],
    )  # fmt: skip
    assert plot.graph(data, digits=3).text == (
        "Computation graph. Inputs: u = 0.500. Values, left to right: exp = 1.649. "
        "Gradients of the output, right to left: output 1, u 1.649."
    )
    data.edges.append(Edge(3, 9, 1))
    with pytest.raises(ValueError, match="edge 3 → 9"):
        plot.graph(data)


def test_a_graph_beyond_a_picture_is_refused():
    x = scalar(1)
    y = x
    for _ in range(200):
        y = y * x
    with pytest.raises(ValueError, match="more than a picture"):
        plot.graph(nn.inspection.graph(y, {"x": x}))


def test_gates():
    picture = plot.gates([("+", (3, 4), (7,), (2,), (2, 2)), ("max", (4, 5), (5,), (9,), (0, 9))])
    assert picture.text == (
        "Gates. + of 3, 4 is 7; upstream 2 becomes 2, 2; max of 4, 5 is 5; upstream 9 becomes 0, 9."
    )
    figure, renderer = drawn(picture)
    assert overlaps(figure, renderer) == []
    with pytest.raises(ValueError, match="as many gradients as inputs"):
        plot.gates([("+", (3, 4), (7,), (2,), (2,))])


# -- networks and modules

W1, W2 = [[1.0, 0.2, 1.2], [0.5, 1.2, 0.1]], [[0.3, 0.9]]


def test_network_writes_each_weight_on_its_line():
    picture = plot.network([3, 2, 1], weights=[W1, W2], biases=[[0.1, 0.2], [0.3]], names=["x", "h", "o"])
    figure, renderer = drawn(picture)
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    written = texts(figure, "number-")
    for layer, table in enumerate((W1, W2)):
        for (j, i), w in np.ndenumerate(np.array(table)):
            label, line = written[f"number-{layer}-{j}-{i}"], lines[f"weight-{layer}-{j}-{i}"]
            assert float(label.get_text()) == w
            (x0, x1), (y0, y1) = line.get_data()
            x, y = label.get_position()
            assert y == pytest.approx(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
    assert [t.get_text() for t in texts(figure, "bias").values()] == ["b = 0.1", "b = 0.2", "b = 0.3"]
    assert overlaps(figure, renderer) == []
    assert "1, 0.2, 1.2; 0.5, 1.2, 0.1" in picture.text


def test_network_shows_sign_by_dash_and_leaves_out_missing_weights():
    lines = {line.get_gid(): line for line in plot.network([2, 1], weights=[[[2.0, -1.0]]]).figure.axes[0].lines}
    assert lines["weight-0-0-0"].get_linestyle() == "-"
    assert lines["weight-0-0-1"].get_linestyle() == "--"
    assert lines["weight-0-0-0"].get_linewidth() > lines["weight-0-0-1"].get_linewidth()
    assert len(plot.network([2, 1], weights=[[[np.nan, 1.0]]]).figure.axes[0].lines) == 1
    named = plot.network([2, 1], weights=[[["θ₁", ""]]])
    assert len(named.figure.axes[0].lines) == 1
    assert "θ₁, none" in named.text


def test_network_cuts_wide_layers_and_names_a_transposed_weight():
    figure = plot.network([784, 10], most=6).figure
    assert [t.get_text() for t in texts(figure).values()].count("⋮") <= 2
    assert len(figure.axes[0].patches) == 2 * 5
    with pytest.raises(ValueError, match=r"\(out, in\) = \(2, 3\), got \(3, 2\). Transpose"):
        plot.network([3, 2], weights=[np.ones((3, 2))])


def test_modules_route_a_skip_around_the_chain():
    nodes = {"x": "x", "a": "Linear", "b": "ReLU", "+": "+"}
    picture = plot.modules(nodes, [("x", "a"), ("a", "b"), ("b", "+"), ("x", "+")])
    figure, renderer = drawn(picture)
    ys = {k: texts(figure, "module")[f"module-{k}"].get_position()[1] for k in nodes}
    assert np.ptp(list(ys.values())) < 0.02  # the chain is straight
    skip = route(figure.axes[0].patches[3])
    assert min(v[1] for v in skip) < min(ys.values()) - 0.3
    assert overlaps(figure, renderer) == []
    assert picture.text == "Modules: x → Linear, Linear → ReLU, ReLU → +, x → +."


def test_modules_draw_a_loop_as_leading_back():
    picture = plot.modules(["x", "cell", "y"], [("x", "cell"), ("cell", "y"), ("cell", "cell", "hₜ₋₁")])
    assert picture.text == "Modules: x → cell, cell → y. Leading back: cell → cell (hₜ₋₁)."
    assert len(picture.figure.axes[0].patches) == 3 + 3
    with pytest.raises(ValueError, match="'nobody'"):
        plot.modules(["x"], [("x", "nobody")])


@pytest.mark.parametrize(
    ("length", "layer", "out", "reads"),
    [
        (6, {"kernel": 3, "padding": 1}, 6, "2 to 4 (3 of 6)"),
        (7, {"kernel": 3, "padding": 1, "stride": 2}, 4, "4 to 6 (3 of 7)"),
        (9, {"kernel": 3, "dilation": 2}, 5, "3, 5, 7 (3 of 9)"),
    ],
)
def test_connections_follow_the_convolution(length, layer, out, reads):
    picture = plot.connections(length, [layer], unit=2)
    assert f"{out} outputs" in picture.text
    assert picture.text.endswith(f"reads inputs {reads}.")
    weight = np.ones((1, 1, layer["kernel"]))
    options = {k: v for k, v in layer.items() if k != "kernel"}
    got = nn.functional.conv1d(nn.tensor(np.ones((1, 1, length))), nn.tensor(weight), **options)
    assert got.shape[-1] == out


def test_connections_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="longer than 3"):
        plot.connections(3, [{"kernel": 5}])
    with pytest.raises(ValueError, match="kernel, stride, padding"):
        plot.connections(3, [{"kernel": 3, "strid": 2}])
    with pytest.raises(ValueError, match="0…3"):
        plot.connections(4, [{"kernel": 3, "padding": 1}], unit=4)


def test_blocks_must_fit_together():
    assert plot.blocks([("A", (2, 3)), ("v", (3, 1))]).text == "Product: A (2×3) · v (3×1)."
    with pytest.raises(ValueError, match="3 ≠ 2"):
        plot.blocks([("A", (2, 3)), ("B", (2, 1))])


# -- fields


class Classifier(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.linear = nn.Linear(2, outputs)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.linear(x))


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_a_decision_surface_leaves_the_model_as_it_was(outputs):
    nn.manual_seed(0)
    model = Classifier(outputs)
    model.drop.eval()
    points = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.5]])
    before = {k: v.data.copy() for k, v in model.named_parameters()}
    with nn.no_grad():
        scores = model.linear(nn.tensor(points, dtype=nn.float32)).numpy()
    labels = scores.argmax(1) if outputs > 1 else (scores[:, 0] > 0).astype(int)
    picture = plot.decision_surface(model, points, labels)
    drawn(picture)
    assert picture.text.endswith("3 of 3 on their side of the boundary.")
    assert (model.training, model.linear.training, model.drop.training) == (True, True, False)
    assert all(p.grad is None and (p.data == before[k]).all() for k, p in model.named_parameters())


def test_the_boundary_is_where_the_model_says():
    figure = plot.decision_surface(lambda p: p[:, 0] - 0.25, limits=((-1, 1), (-1, 1))).figure
    contours = [c for c in figure.axes[0].collections if type(c).__name__ == "QuadContourSet"]
    edges = np.concatenate([path.vertices for path in contours[-1].get_paths()])
    np.testing.assert_allclose(edges[:, 0], 0.25, atol=0.02)


def test_decision_surface_asks_for_what_it_lacks():
    with pytest.raises(ValueError, match="limits"):
        plot.decision_surface(lambda p: p[:, 0])
    with pytest.raises(ValueError, match=r"\(N, 2\)"):
        plot.decision_surface(lambda p: p[:, 0], np.zeros((3, 4)))
    with pytest.raises(ValueError, match="output must be"):
        plot.decision_surface(lambda p: p[:, 0], np.zeros((3, 2)), output="score")


def test_regions_agree_with_sampling():
    rng = np.random.default_rng(3)
    for units in (1, 3, 6):
        weight, bias = rng.normal(size=(units, 2)), 0.3 * rng.normal(size=units)
        text = plot.regions(weight, bias).text
        points = rng.uniform(-2, 2, (200_000, 2))
        patterns = {tuple(row) for row in points @ weight.T + bias > 0}
        assert f"into {len(patterns)} region" in text


def test_three_parallel_lines_make_four_regions_and_general_ones_seven():
    assert "into 4 regions" in plot.regions([[1, 0]] * 3, [0, 1, -1]).text
    assert "into 7 regions" in plot.regions([[1, 0], [0, 1], [1, 1]], [0, 0, -0.5]).text


def test_contour_path_draws_the_given_points():
    track = np.array([[2.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    picture = plot.contour_path(lambda p: (p**2).sum(1), ((-2, 2), (-2, 2)), {"a": track}, spacing="square")
    line = next(a for a in picture.figure.axes[0].lines if a.get_label() == "a")
    np.testing.assert_array_equal(line.get_xydata(), track)
    with pytest.raises(ValueError, match="'even', 'square' or 'log'"):
        plot.contour_path(lambda p: p[:, 0], ((-1, 1), (-1, 1)), spacing="other")


def test_flow_names_the_shape_it_wants():
    with pytest.raises(ValueError, match=r"pre must be \(3, 4\)"):
        plot.flow(np.arange(4), np.ones((2, 4)), np.ones((3, 4)), np.ones((3, 4)), np.ones(4))


# -- points, curves, images


def test_errors_are_the_vertical_distances():
    picture = plot.error_segments([0, 1, 2], [1, 2, 4], 5 / 6, 1.5)
    assert "mean square 0.0556" in picture.text
    segments = picture.figure.axes[0].collections[0].get_segments()
    np.testing.assert_allclose([s[1, 1] - s[0, 1] for s in segments], [-1 / 6, 1 / 3, -1 / 6])


def test_margin_is_the_distance_to_the_nearest_point():
    text = plot.scatter([[3, 4], [6, 8]], [0, 1], lines={"axis": (0, 2, 0)}, margin=True).text
    assert text.endswith("nearest point at distance 4.")
    with pytest.raises(ValueError, match="no line"):
        plot.scatter([[0, 0]], lines={"axis": (0, 0, 1)})


def test_series_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="x has 2 numbers and series 'a' has 3"):
        plot.curves({"a": [1, 2, 3]}, x=[1, 2])
    with pytest.raises(ValueError, match=r"'a' must be one row of numbers, got shape \(2, 2\)"):
        plot.curves({"a": [[1, 2], [3, 4]]})
    with pytest.raises(ValueError, match="at least one"):
        plot.curves({})


def test_curves_say_where_numbers_stop_being_numbers():
    assert "a from 1 to 2, 1 value not finite" in plot.curves({"a": [1, 2, np.inf]}).text


def test_image_grid_marks_right_and_wrong_by_sign_as_well_as_colour():
    figure = plot.image_grid(np.zeros((2, 3, 3)), np.array([1, 2]), np.array([1, 7])).figure
    assert [ax.get_title() for ax in figure.axes] == ["✓ 1", "✗ 7 (is 2)"]
    with pytest.raises(ValueError, match="2 images and 3 labels"):
        plot.image_grid(np.zeros((2, 3, 3)), [1, 2, 3])


def test_matrix_cells_hold_the_numbers_and_groups_share_a_fill():
    table = np.array([[1.0, -0.5], [0.0, 2.25]])
    cells = texts(plot.matrix(table).figure, "cell")
    for (r, c), value in np.ndenumerate(table):
        assert float(cells[f"cell-{r}-{c}"].get_text().replace("\N{MINUS SIGN}", "-")) == value
    picture = plot.matrix([[1, 2], [0, 1]], groups=[[0, 1], [-1, 0]])
    fills = {p.get_gid(): p.get_facecolor() for p in picture.figure.axes[0].patches if p.get_gid()}
    assert set(fills) == {"group-0", "group-1"}
    assert fills["group-0"] != fills["group-1"]
    assert picture.text == "Matrix 2×2, 2 different weights in 3 cells."
    named = plot.matrix([[1, 2], [0, 1]], groups=[[0, 1], [-1, 0]], names=["a", "b"])
    assert named.text == "Matrix 2×2, 2 different weights in 3 cells: a, b; 0, a."
    means = plot.matrix(np.zeros((2, 2)), groups=[[0, 0], [1, 1]], group="shared mean", numbers=False)
    assert means.text == "Matrix 2×2, 2 shared means in 4 cells."


def test_pictures_take_tensors_with_a_graph():
    w = nn.tensor([[1.0, 2.0]], requires_grad=True)
    assert plot.matrix(w * 2).text == "Matrix 1×2, from 2 to 4: 2, 4."
    assert plot.curves({"a": nn.tensor([1.0, 2.0])}).text == "Curves over x 0 to 1: a from 1 to 2."


def test_doctests():
    import doctest
    import importlib

    for name in ("layout", *(f"plot.{n}" for n in ("style", "basic", "graphs", "diagrams", "fields", "images"))):
        module = importlib.import_module(f"nnlib.{name}")
        tested = doctest.testmod(module, extraglobs={"nn": nn, "plot": plot, "np": np})
        assert tested.failed == 0, name


def test_numbers_of_the_map_are_those_of_the_graphs():
    path = __file__.replace("test_plot.py", "data/numbers.json")
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    text = json.dumps(told)
    for node in sigmoid_graph().nodes:
        if node.kind == "op" and not float(node.value).is_integer():
            assert repr(float(node.value))[:12] in text
