"""Every figure the course draws again (course map, E.2), each by one call: legible, inside its frame, told in words."""

import re
from math import erf, gamma, pi

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import nnlib as nn
from nnlib import plot
from nnlib.plot import style

rng = np.random.default_rng(0)
FIGURES = {}


def figure(*ids):
    """Register a function that draws; ``ids`` are the items of the course map whose figure it is."""

    def register(make):
        FIGURES[f"{make.__name__} ({' '.join(ids)})" if ids else make.__name__] = make
        return make

    return register


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


@figure("W15", "C28", "T11")
def activations():
    phi = lambda x: (1 + np.vectorize(erf)(x / 2**0.5)) / 2
    bell = lambda x: np.exp(-x * x / 2) / (2 * pi) ** 0.5
    elu = lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return plot.functions({
        "step": (lambda x: (x > 0) * 1.0, lambda x: 0 * x),
        "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
        "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        "ReLU": (relu, lambda x: (x > 0) * 1.0),
        "leaky ReLU (0.1)": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
        "ELU": (elu, lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0)))),
        "maxout": (lambda x: np.maximum(x / 2 + 0.5, -x - 1), lambda x: np.where(x > -1, 0.5, -1)),
        "GELU": (lambda x: x * phi(x), lambda x: phi(x) + x * bell(x)),
        "softplus": (lambda x: np.log1p(np.exp(x)), sigmoid),
    })  # fmt: skip


@figure("W06")
def linear_against_logistic():
    def one(title, *far):
        x = np.r_[1, 2, 3, 4, 6, 7, 8, 9, far]
        y = (x > 5) * 1.0
        slope, start = np.polyfit(x, y, 1)
        lines = {"least squares": lambda g: slope * g + start, "logistic": lambda g: sigmoid(3 * (g - 5))}
        return plot.fit(
            x, y, lines, marks={"cut": (0.5 - start) / slope}, levels={"½": 0.5}, classes=y, title=title
        )

    return plot.row(one("balanced"), one("one far point", 20), one("farther", 40))


@figure("W04")
def half_plane():
    points = rng.normal(size=(40, 2))
    return plot.decision_surface(lambda p: p @ [1.0, -2.0] + 0.5, points, points @ [1.0, -2.0] + 0.5 > 0)


@figure("W08")
def sigmoid_surface_and_plane():
    score = lambda p: 2 * p[:, 0] - p[:, 1]
    return plot.surface({"sigmoid": lambda p: sigmoid(score(p)), "plane": score}, ((-2, 2), (-2, 2)))


@figure("W11")
def margin():
    points = np.r_[rng.normal((0, 0), 0.5, (20, 2)), rng.normal((3, 3), 0.5, (20, 2))]
    lines = {"wide margin": (1, 1, -3), "narrow margin": (1, 0.2, -1.6)}
    return plot.scatter(points, np.repeat([0, 1], 20), lines, margin=True)


@figure("W17", "W29")
def two_hidden_layers():
    return plot.network([4, 3, 3, 2], names=["x", "h¹", "h²", "o"])


@figure("W21", "W22")
def three_two_one():
    w1, w2 = [[1.0, 0.2, 1.2], [0.5, 1.2, 0.1]], [[0.3, 0.9]]
    units = [[0.4, 0.2, 0.2], [0.6857, 0.6593], [0.7501]]
    names = ["input", "hidden, σ", "output, σ"]
    return plot.network([3, 2, 1], units, [w1, w2], [[0.1, 0.2], [0.3]], names)


@figure("W56")
def three_kinds_of_units():
    def one(symbol):
        return plot.network([2, 3, 1], [["x₁", "x₂"], [symbol] * 3, [symbol]], title=f"units {symbol}")

    return plot.row(one("σ"), one("φ"), one("ReLU"))


@figure("C13")
def housing_network():
    w1 = [["θ₁", "θ₂", "", ""], ["", "", "θ₄", ""], ["", "", "θ₆", "θ₇"]]
    units = [["size", "beds", "zip", "wealth"], ["a₁", "a₂", "a₃"], ["h"]]
    names = ["inputs", "family size, walkable,\nschool quality", "price"]
    return plot.network([4, 3, 1], units, [w1, [["θ₉", "θ₁₀", "θ₁₁"]]], [["θ₃", "θ₅", "θ₈"], ["θ₁₂"]], names)


@figure("A24", "K02", "K06")
def chain_of_modules():
    return plot.modules(["x", "Linear\n784→256", "ReLU", "Linear\n256→10", "softmax", "ŷ"])


@figure("C32", "C34")
def mlp_beside_resnet_s():
    mlp = plot.modules({"x": "x", "a": "MM", "b": "σ", "c": "MM", "d": "σ", "e": "MM"}, None, "MLP")
    resnet = plot.modules({"x": "x", "a": "Res", "b": "Res", "c": "MM"}, None, "ResNet-S")
    return plot.row(mlp, resnet, columns=1)


@figure("A27", "C33")
def residual_block():
    nodes = {"z": "z", "a": "MM", "b": "σ", "c": "MM", "d": "σ", "+": "+", "y": "Res(z)"}
    return plot.modules(nodes, [("z", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("d", "+"), ("z", "+"), ("+", "y")])


@figure("A25")
def interweaved():
    edges = [("x", "A"), ("A", "B"), ("B", "C"), ("C", "D"), ("D", "y"), ("A", "C"), ("B", "D"), ("A", "y")]
    return plot.modules(["x", "A", "B", "C", "D", "y"], edges)


@figure("A26")
def recurrent_loop_and_unrolled():
    loop = plot.modules({"x": "xₜ", "c": "cell", "h": "hₜ"}, [("x", "c"), ("c", "h"), ("c", "c", "hₜ₋₁")])
    nodes = {"h": "h₀", "a": "cell", "b": "cell", "c": "cell", "y": "h₃", "x": "x₁", "u": "x₂", "v": "x₃"}
    edges = [("h", "a"), ("x", "a"), ("a", "b", "h₁"), ("u", "b"), ("b", "c", "h₂"), ("v", "c"), ("c", "y")]
    return plot.row(loop, plot.modules(nodes, edges))


def leaf(value):
    return nn.tensor(float(value), requires_grad=True, dtype=nn.float64)


def product():
    x, y, z = leaf(-2), leaf(5), leaf(-4)
    return nn.inspection.graph((x + y) * z, {"x": x, "y": y, "z": z})


@figure("W48")
def product_graph():
    return plot.graph(product())


@figure("W50")
def sigmoid_graph():
    w0, x0, w1, x1, w2 = (leaf(v) for v in (2, -1, -3, -2, -3))
    out = 1 / (1 + nn.exp((w0 * x0 + w1 * x1 + w2) * -1))
    return plot.graph(nn.inspection.graph(out, {"w₀": w0, "x₀": x0, "w₁": w1, "x₁": x1, "w₂": w2}))


@figure("A22")
def forward_and_reverse_graph():
    forward = plot.graph(product(), show="values", title="forward")
    return plot.row(forward, plot.graph(product(), show="gradients", reverse=True, title="reverse"))


@figure("K03")
def logistic_regression_of_primitives():
    x = nn.tensor(np.ones((1, 3)), dtype=nn.float64)
    w = nn.tensor(np.full((3, 2), 0.5), requires_grad=True, dtype=nn.float64)
    z = x @ w
    return plot.graph(nn.inspection.graph((nn.exp(z).sum()).log() - z.sum(), {"x": x, "θ": w, "z": z}))


@figure("W52")
def four_gates():
    return plot.gates([
        ("+", (3, 4), (7,), (2,), (2, 2)), ("×", (2, 3), (6,), (5,), (15, 10)),
        ("copy", (7,), (7, 7), (4, 2), (6,)), ("max", (4, 5), (5,), (9,), (0, 9)),
    ])  # fmt: skip


@figure("T03")
def error_segments():
    return plot.error_segments([0, 1, 2], [1, 2, 4], 5 / 6, 1.5)


@figure("T09")
def paraboloid_and_ellipses():
    hessian, least = np.array([[2, 2], [2, 10 / 3]]), np.array([5 / 6, 1.5])
    loss = lambda p: np.einsum("ni,ij,nj->n", p - least, hessian / 2, p - least) + 1 / 18
    limits, start = ((-2, 4), (-2, 4)), np.array([3.0, 1.0])
    arrow = {"gradient": (start, 0.3 * hessian @ (start - least))}
    level = plot.contour_path(loss, limits, arrows=arrow, minimum=least, spacing="square", equal=True)
    return plot.row(plot.surface({"loss": loss}, limits, axis_names=("Φ₀", "Φ₁", "L")), level)


x = np.linspace(0, 2, 201)
theta = np.array([[-0.2, 0.4], [-0.9, 0.9], [1.1, -0.7]])
hinges = relu(theta[:, :1] + theta[:, 1:] * x)


@figure("T12", "T13")
def family_f():
    members = {f"φ = {f}": np.array(f) @ hinges - 0.2 for f in ((-2, 2, 1.5), (1, -1, 1), (2, 1, -2))}
    return plot.curves(members, x, xlabel="x", ylabel="y")


@figure("T15")
def flow_panels():
    scaled = np.array([[-2.0], [2], [1.5]]) * hinges
    return plot.flow(x, theta[:, :1] + theta[:, 1:] * x, hinges, scaled, scaled.sum(0) - 0.2, shade=(0.5, 1))


@figure("T16")
def two_outputs():
    ys = {"y₁": np.array([-2, 2, 1.5]) @ hinges, "y₂": np.array([1, -1, 0.5]) @ hinges}
    joints = {f"joint {j + 1}": -a / b for j, (a, b) in enumerate(theta)}
    return plot.curves(ys, x, marks=joints)


@figure("T17", "T24", "T25")
def surface_and_its_regions():
    weight, bias = np.array([[1.0, 0], [0, 1], [1, 1]]), np.array([0.0, 0, -0.8])
    net = lambda p: relu(p @ weight.T + bias) @ [1.0, -1.5, 2]
    return plot.row(plot.surface({"f": net}, ((-2, 2), (-2, 2))), plot.regions(weight, bias))


@figure("T19")
def rings_in_both_coordinates():
    angle, radius = rng.uniform(-pi, pi, 80), np.r_[rng.normal(1, 0.1, 40), rng.normal(2, 0.1, 40)]
    labels = np.repeat([0, 1], 40)
    flat = plot.scatter(np.c_[radius * np.cos(angle), radius * np.sin(angle)], labels, equal=True)
    return plot.row(flat, plot.scatter(np.c_[radius, angle], labels, xlabel="r", ylabel="θ"))


@figure("T29")
def gaussian_shell():
    r = np.linspace(0, 7, 200)
    shell = lambda d: 2 * pi ** (d / 2) / gamma(d / 2) * r ** (d - 1) * (2 * pi) ** (-d / 2) * np.exp(-r * r / 2)
    return plot.curves({f"D = {d}": shell(d) for d in (1, 2, 20)}, r, xlabel="r", ylabel="p(r)")


@figure("T31")
def folding():
    zig = lambda u: -1 + 3 * relu(u + 1) - 6 * relu(u + 1 / 3) + 6 * relu(u - 1 / 3)
    u = np.linspace(-1, 1, 361)
    return plot.row(plot.curves({"zig": zig(u)}, u), plot.curves({"zig∘zig": zig(zig(u))}, u))


@figure("T44")
def gabor_function_and_loss():
    f = lambda a, b, x: np.sin(a + 0.06 * b * x) * np.exp(-((a + 0.06 * b * x) ** 2) / 32)
    xs = np.linspace(-15, 15, 60)
    ys = f(0.0, 16.6, xs)
    loss = lambda p: ((f(p[:, :1], p[:, 1:], xs) - ys) ** 2).mean(1)
    shape = plot.fit(xs, ys, {"Gabor": lambda x: f(0.0, 16.6, x)})
    return plot.row(shape, plot.contour_path(loss, ((-10, 10), (2.5, 22.5)), minimum=(0, 16.6)))


@figure("T48")
def kernel_slides_over_an_image():
    image = rng.integers(0, 4, (5, 5)).astype(float)
    kernel = np.array([[1.0, 0, -1]] * 3)
    with nn.no_grad():
        out = nn.functional.conv2d(nn.tensor(image[None, None]), nn.tensor(kernel[None, None]), padding=1)
    return plot.convolution(image, kernel, out[0, 0], at=(0, 1), padding=1)


@figure("T48")
def kernels():
    blur, sharpen = np.ones((3, 3)) / 9, np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    return plot.kernels([[[1, 0, -1]] * 3, blur, sharpen], ["edge", "blur", "sharpen"])


@figure("T51", "T52")
def one_dimensional_convolution():
    values = [[1, 2, 3, 4, 5, 6], [-2, -2, -2, -2, -2, 5]]
    return plot.connections(6, [{"kernel": 3, "padding": 1}], unit=0, values=values, names=["z", "Qz"])


@figure("T53")
def stride_kernel_dilation():
    made = [{"padding": 1, "stride": 2}, {"kernel": 5, "padding": 2}, {"padding": 2, "dilation": 2}]
    return plot.row(*(plot.connections(7, [{"kernel": 3, **m}], unit=1) for m in made), columns=1)


@figure("T54", "C41")
def dense_and_convolution_matrices():
    q = np.eye(6) * 0.5 + np.eye(6, k=1) - np.eye(6, k=-1)
    band = np.subtract.outer(np.arange(6), np.arange(6))
    shared = np.where(abs(band) <= 1, 1 - band, -1)
    dense = plot.matrix(rng.normal(size=(6, 6)), np.arange(36).reshape(6, 6), numbers=False, title="dense")
    return plot.row(dense, plot.matrix(q, shared, ["w₁", "w₂", "w₃"], title="convolution"))


@figure("C41")
def matrix_q():
    return plot.matrix(np.eye(6, k=-1) - np.eye(6, k=1), title="Q")


@figure("T55")
def two_channels():
    return plot.connections(6, [{"kernel": 3, "padding": 1, "channels": 2}], names=["x", "h"])


@figure("T56")
def receptive_field_cone():
    return plot.connections(9, [{"kernel": 3, "padding": 1}] * 3, unit=4, names=["x", "h¹", "h²", "h³"])


def moons():
    angle = np.linspace(0, pi, 60)
    points = np.r_[np.c_[np.cos(angle), np.sin(angle)], np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)]]
    return points + rng.normal(0, 0.1, points.shape), np.repeat([0, 1], 60)


@figure("K08")
def playground_surface():
    return plot.decision_surface(lambda p: 3 * np.sin(2 * p[:, 0]) - 4 * p[:, 1] + 1, *moons(), margin=True)


@figure("K08")
def playground_thumbnails():
    grid = np.stack(np.meshgrid(np.linspace(-1, 2, 30), np.linspace(2, -1, 30)))
    maps = [np.tanh(np.tensordot(w, grid, 1)) for w in rng.normal(size=(6, 2))]
    return plot.feature_maps(maps, [f"unit {i}" for i in range(1, 7)], title="Hidden units")


@figure("K22", "K23")
def jacobian_product():
    n = 4096
    factors = [("dz²/da¹", (n, n)), ("da¹/dz¹", (n, n)), ("dL/da", (n, 1))]
    return plot.blocks(factors, ("dL/dz", (n, 1)), order="right to left: n² each; left to right: n³ first")


@figure("C11")
def housing_with_a_kink():
    size = rng.uniform(500, 5000, 40)
    price = relu(0.25 * size - 250) + rng.normal(0, 30, 40)
    return plot.fit(
        size, price, {"ReLU": lambda s: relu(0.25 * s - 250)}, xlabel="square feet", ylabel="price in k$"
    )


@figure()
def losses():
    t = np.arange(50)
    ys = {"training": np.exp(-t / 20), "test": np.exp(-t / 20) + 0.1}
    return plot.curves(ys, xlabel="epoch", ylabel="loss", ylog=True, marks={"best": 30}, levels={"floor": 0.1})


@figure()
def digits_with_marks():
    images = rng.integers(0, 17, (16, 8, 8))
    return plot.image_grid(images, np.arange(16) % 10, np.r_[np.arange(15) % 10, 9], title="digits")


@figure()
def histograms():
    sets = {"layer 1": rng.normal(0, 1, 500), "layer 5": rng.normal(0, 0.3, 500)}
    return plot.histogram(sets, curve=lambda x: np.exp(-x * x / 2) / (2 * pi) ** 0.5, xlabel="h")


@figure()
def probabilities():
    names = ["a rather long class name", "dog", "owl"]
    side = plot.bars(dict(zip(names, (0.7, 0.2, 0.1))), horizontal=True)
    return plot.row(plot.bars({"p": [0.5, 0.3, 0.2], "q": [0.2, 0.3, 0.5]}, names=names), side)


@figure()
def three_classes():
    points = rng.normal(size=(60, 2))
    weight = np.array([[1.0, 0], [-1, 1], [-1, -1]])
    return plot.decision_surface(
        lambda p: p @ weight.T, points, (points @ weight.T).argmax(1), names=["a", "b", "c"]
    )


@figure()
def confusion():
    names = list("0123456789")
    return plot.matrix(rng.integers(0, 50, (10, 10)), rows=names, columns=names, xlabel="predicted", ylabel="true")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_legible_and_told(name):
    picture = FIGURES[name]()
    canvas = FigureCanvasAgg(picture.figure)
    with style.context():
        canvas.draw()
    shown = picture.figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text().strip())
    small = [a.get_text() for a in shown if a.get_fontsize() < style.TEXT and "$" not in a.get_text()]
    assert not small, f"below {style.TEXT} points: {small}"
    box = picture.figure.get_tightbbox(canvas.get_renderer())
    width, height = picture.figure.get_size_inches()
    assert min(box.x0, box.y0) > -0.015, f"cut off at the left or below: {box}"
    assert box.x1 < width + 0.015, f"cut off at the right: {box}, figure {width} wide"
    assert box.y1 < height + 0.015, f"cut off above: {box}, figure {height} high"
    assert width <= style.WIDEST + 0.3
    assert re.search(r"\d", picture.text) or "modules" in name or "Modules" in picture.text
    assert picture.text.endswith(".")
    assert not re.search(r"-0(\.0*)?(?![\d.e])|nan|inf\b|\d\.\d{6,}", picture.text), picture.text
    assert "\n" not in picture.text
