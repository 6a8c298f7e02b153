"""Expressions of vectors and matrices: every op of nnlib beside its finite differences; what is refused."""

from __future__ import annotations

import inspect
import re
import sys

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from nnlib.widgets import expressions, graph_stepper
from nnlib.widgets.expressions import parse, read_values
from nnlib.widgets.graph_stepper import BUGS, ORDERS, GraphStepper

# An expression for every op, of x (3,), y (3,), M (2, 3) and c, a class; those of one tensor alone are called f(x).
AT = "x = [0.4, 1.3, 2.6], y = [0.7, 1.9, 0.2], M = [[0.4, -1.3, 2.2], [0.9, 1.7, -0.6]], c = 2"
CALLS = {
    **{name: f"sum({name}(x / 4 + 0.1))" for name in ("abs", "cos", "erf", "exp", "expm1", "log", "log1p", "sin")},
    **{name: f"sum({name}(x - 1.7))"
       for name in ("elu", "gelu", "leaky_relu", "logsigmoid", "relu", "sigmoid", "silu")},
    **{name: f"sum({name}(x) * y)"
       for name in ("clone", "reciprocal", "rsqrt", "softplus", "sqrt", "square", "tanh")},
    **{name: f"{name}(x, y).sum()" for name in ("add", "div", "maximum", "minimum", "mul", "pow", "sub")},
    **{name: f"y @ {name}(x) + x[0]" for name in ("ceil", "floor", "ones_like", "round", "sign", "step", "zeros_like")},
    **{name: f"sum(where({name}(x, y), x * y, y))" for name in ("eq", "ge", "gt", "le", "lt", "ne")},
    **{name: f"sum(where({name}(x), x * y, y))" for name in ("isfinite", "isinf", "isnan")},
    **{name: f"where({name}(x > y), x, y).sum()" for name in ("all", "any")},
    **{name: f"sum({name}(M, dim=1) ** 2)"
       for name in ("amax", "amin", "logsumexp", "mean", "norm", "prod", "std", "sum")},
    **{name: f"x[{name}(y)] * y[0]" for name in ("argmax", "argmin")},
    **{name: f"({name}(M, dim=1)[0] ** 2).sum()" for name in ("max", "min", "sort")},
    **{name: f"({name}(x, 1)[0] ** 2).sum()" for name in ("chunk", "split")},
    **{name: f"{name}(x, y)" for name in ("l1_loss", "mse_loss")},
    **{name: f"{name}(x / 3, y / 2)"
       for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div")},
    **{name: f"{name}(M[:, :2] @ M, [2, 0])" for name in ("cross_entropy", "multi_margin_loss")},
    **{name: f"({name}(M, dim=1) ** 2).sum()" for name in ("cumprod", "cumsum", "log_softmax", "softmax", "var")},
    **{name: f"({name}(M) ** 2).sum()" for name in ("flatten", "neg", "tril", "triu")},
    **{f"{kind}_pool1d": f"{kind}_pool1d(M, 2, stride=1).square().sum()" for kind in ("avg", "max")},
    **{f"{kind}_pool2d": f"{kind}_pool2d(M.reshape(1, 2, 3), 2, stride=1).square().sum()" for kind in ("avg", "max")},
    "adaptive_avg_pool1d": "adaptive_avg_pool1d(M, 2).square().sum()",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d(M.reshape(1, 2, 3), (1, 2)).square().sum()",
    "arange": "x @ arange(3)", "argsort": "x[argsort(y)] @ y",
    "batch_norm": "(batch_norm(M, None, None, training=True, eps=0.5) * M).sum()",
    "broadcast_to": "(broadcast_to(x, (2, 3)) * M).sum()", "cat": "sum(cat([x, y]) ** 2)",
    "clamp": "sum(clamp(x, 0.5, 2) ** 2)",
    "conv1d": "(conv1d(M.reshape(1, 2, 3), M[:, :2].reshape(1, 2, 2), padding=1) ** 2).sum()",
    "conv1d_matrix": "(conv1d_matrix(x[:2], 3) @ y).sum()",
    "conv2d": "(conv2d(M.reshape(1, 1, 2, 3), x[:2].reshape(1, 1, 1, 2)) ** 2).sum()",
    "diagonal": "diagonal(M) @ x[:2]", "dropout": "sum(dropout(M, p=0.4) ** 2)",
    "einsum": "einsum('ij,j,j->', M, x, y)",
    "expand": "(x.expand(2, 3) * M).sum()", "eye": "x @ eye(3) @ y", "flip": "flip(x, 0) @ y",
    "full": "x @ full((3,), 0.5)",
    "full_like": "x @ full_like(y, 2)", "gather": "gather(M, 1, [[2], [0]]).square().sum()",
    "getitem": "getitem(x, 1) ** 2",
    "group_norm": "(group_norm(M, 3, eps=0.5) * M).sum()", "hinge_loss": "hinge_loss(x / 5, [1, -1, 1])",
    "floor_divide": "x @ floor_divide(y, 0.5)", "meshgrid": "(meshgrid(x, y[:2])[0] @ y[:2]).square().sum()",
    "topk": "topk(x * y, 2)[0].square().sum()",
    "layer_norm": "(layer_norm(M, 3, x, y) ** 2).sum()",
    "linear": "linear(x, M).square().sum()", "linspace": "x @ linspace(0, 1, 3)",
    "masked_fill": "masked_fill(x, x > 1, 2) @ y",
    "masked_select": "masked_select(x, x > 1).square().sum()", "matmul": "matmul(M, x).square().sum()",
    "maxout": "maxout(M.reshape(1, 6), 2).square().sum()", "nll_loss": "nll_loss(log_softmax(x, dim=0), c)",
    "one_hot": "x @ one_hot(c, 3).double()", "ones": "x @ ones(3)", "outer": "(outer(x, y) ** 2).sum()",
    "pad": "(pad(x, (1, 2)) ** 2).sum()", "permute": "(permute(M, 1, 0) @ M[:, 0] ** 2).sum()",
    "remainder": "remainder(x, y + 0.13) @ x",
    "repeat": "(x.repeat(2) ** 2).sum()", "reshape": "(reshape(M, 3, 2) @ M ** 2).sum()", "roll": "roll(x, 1) @ y",
    "squeeze": "squeeze(x.reshape(1, 3)) @ y", "stack": "(stack([x, y]) * M).sum()",
    "transpose": "(transpose(M, 0, 1) @ M[:, 1]).sum()",
    "unbind": "unbind(M)[1] @ x", "unsqueeze": "(unsqueeze(x, 0) * M).sum()", "where": "where(x > y, x, y * y).sum()",
    "zeros": "(x + zeros(3)) @ y",
}  # fmt: skip


def test_no_op_of_nnlib_is_missing():
    homes = {f"nnlib.{name}": getattr(nn, name).__all__ for name in ("core", "ops", "conv")}
    homes["nnlib.functional"] = vars(F)
    public = {
        name
        for home, names in homes.items()
        for name in names
        if inspect.isfunction(f := getattr(sys.modules[home], name)) and f.__module__ == home and name[0] != "_"
    }
    assert set(CALLS) == set(expressions.FUNCTIONS) == public - expressions._ASIDE
    assert len(CALLS) > 120


@pytest.mark.parametrize("name", expressions.FUNCTIONS)
def test_every_op_agrees_with_its_finite_difference(name):
    numbers = GraphStepper.measure(expression=CALLS[name], values=AT, step=60)
    assert numbers.wrong == []
    assert numbers.visits and all(share.right for visit in numbers.visits for share in visit.shares)
    ops = {node.op for node in numbers.program.nodes}
    assert name in ops or name in ("arange", "eye", "full", "linspace", "ones", "zeros")  # constants
    for step in range(numbers.last + 1):
        shown = GraphStepper.measure(expression=CALLS[name], values=AT, step=step)
        assert graph_stepper.say(shown)
        graph_stepper.draw(shown)


# ------------------------------------------------------------ what is shown

LAYER = {"expression": "h = relu(W @ x + b); cross_entropy(V @ h, y)",
         "values": "W = [[1, -2], [0.5, 1], [1, 1]], x = [1, 0.5], b = [0.5, 0, -1], V = [[1, 0, 2], [0, -1, 1]], "
                   "y = 1"}  # fmt: skip


def test_a_layer_and_its_loss_are_worked_out_by_hand():
    numbers = GraphStepper.measure(**LAYER, step=60)
    found = {numbers.program.nodes[i].name: numbers.totals.get(i) for i in numbers.program.inputs}
    W, x, b, V = (np.array(v) for v in (
        [[1, -2], [0.5, 1], [1, 1]], [1, 0.5], [0.5, 0, -1], [[1, 0, 2], [0, -1, 1]]))  # fmt: skip
    h = np.maximum(W @ x + b, 0)
    p = np.exp(V @ h) / np.exp(V @ h).sum()
    dz = p - [0, 1]
    dh = V.T @ dz * (h > 0)
    for name, expected in {"V": np.outer(dz, h), "W": np.outer(dh, x), "b": dh, "x": W.T @ dh}.items():
        assert found[name] == pytest.approx(expected)
    assert found["y"] is None  # a class: no gradient flows there, and its edge is dashed
    marks = graph_stepper.draw(numbers).marks
    assert [m.id for m in marks if m.dash] == ["edge 9 1"]


def test_the_sentence_tells_upstream_jacobian_product_and_the_largest_difference():
    settings = {"expression": "p = softmax(z, dim=0); -log(p[2])", "values": "z = [1, 2, 3]"}
    said = graph_stepper.say(GraphStepper.measure(**settings, step=60))
    assert "upstream [0, 0, −1.5]. To z: upstream [0, 0, −1.5] · Jacobian 3×3 = [0.09, 0.245, −0.335]" in said
    assert re.search(r"\(finite differences \[0.09, 0.245, −0.335\], largest difference [\d.]+e−1\d\)", said)
    table = graph_stepper.tell(GraphStepper.measure(**settings, step=60))
    assert table.count("<td>") == 4 * 4 + 9  # four edges, and the nine elements of the Jacobian shown


def test_the_jacobian_of_an_edge_is_the_one_of_finite_differences():
    numbers = GraphStepper.measure(expression="sum(softmax(W @ x, dim=0) ** 2)",
                                   values="W = [[1, 0.3], [0, 2]], x = [1, 1]")  # fmt: skip
    (visit,) = [v for v in numbers.visits if numbers.program.nodes[v.node].op == "softmax"]
    p = numbers.values[visit.node]
    assert visit.shares[0].local == pytest.approx(np.diag(p) - np.outer(p, p))
    (visit,) = [v for v in numbers.visits if numbers.program.nodes[v.node].op == "matmul"]
    assert visit.shares[0].local.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]  # ∂(Wx)ᵢ/∂Wᵢⱼ = xⱼ
    assert visit.shares[1].local.tolist() == [[1, 0.3], [0, 2]]


@pytest.mark.parametrize(
    ("bug", "expression", "harmless"),
    [
        (BUGS[1], "q = x * x; sum(q * q)", "sum(2 * x)"), (BUGS[2], "sum(x * y)", "sum(x + y)"),
        (BUGS[4], "sum(max(x, y))", "sum(x * y)"), (BUGS[5], "sum(relu(x - 1))", "sum(relu(x))"),
        (BUGS[6], "softmax(x, dim=0)[1]", "sigmoid(x)[1]"), (BUGS[7], "mean(x * x)", "sum(x * x)"),
    ],
)  # fmt: skip
def test_bugs_planted_in_vectors_are_seen_where_they_act_and_only_there(bug, expression, harmless):
    values = {"values": "x = [0.5, 2, 3], y = [1, 1, 4]", "step": 60}
    planted = GraphStepper.measure(expression=expression, bug=bug, **values)
    assert "x" in planted.wrong
    assert "instead of [" in graph_stepper.say(planted)
    assert bug == BUGS[1] or "✗ differs" in graph_stepper.tell(planted)
    assert GraphStepper.measure(expression=expression, **values).wrong == []
    assert GraphStepper.measure(expression=harmless, bug=bug, **values).wrong == []


def test_a_vector_used_twice_adds_and_the_hasty_order_is_wrong_there():
    settings = {"expression": "q = x * W; sum(q + q * q)", "values": "x = [1, 2], W = [[1, 2], [3, 4]]", "step": 60}
    right, hasty = (GraphStepper.measure(**settings, order=order) for order in ORDERS[:2])
    assert right.wrong == [] and set(hasty.wrong) == {"x", "W"}
    assert "sum ∂ = " in graph_stepper.draw(right).texts()
    assert right.totals[2].tolist() == [[3, 9], [7, 17]]  # 2q + 1


def test_dropout_drops_the_same_elements_each_time_and_leaves_the_lessons_numbers_alone():
    nn.manual_seed(3)
    expected = nn.rand(4).tolist()
    nn.manual_seed(3)
    numbers = GraphStepper.measure(expression="sum(dropout(x, p=0.5) * x)", values="x = [1, 2, 3, 4]")
    assert numbers.wrong == []
    assert nn.rand(4).tolist() == expected


def test_as_in_a_lesson_or_bare_it_is_the_same():
    ways = ["nn.exp(x).sum()", "sum(exp(x))", "x.exp().sum()", "nn.sum(x.exp(), dim=0)", "F.relu(nn.exp(x)).sum()"]
    values = {GraphStepper.measure(expression=w, values="x = [1, 2]").values[-1] for w in ways}
    assert len(values) == 1


def test_max_of_two_is_the_larger_and_of_one_the_largest():
    x = "x = [[1, 5], [7, 4]]"
    for text, value in {"max(x)": 7, "max(x, dim=1)[0].sum()": 12, "max(x, dim=1).values.sum()": 12,
                        "max_pool1d(x, 2, return_indices=True)[0].sum()": 12,
                        "x.max(0)[0].sum()": 12, "max(x, 5).sum()": 22}.items():  # fmt: skip
        numbers = GraphStepper.measure(expression=text, values=x)
        assert numbers.values[-1] == value and numbers.wrong == [], text


def test_the_picture_does_not_move_with_the_steps_and_nothing_overlaps():
    last = GraphStepper.measure(**LAYER).last
    scenes = [graph_stepper.draw(GraphStepper.measure(**LAYER, step=s)) for s in range(last + 1)]
    assert len({(s.width, s.height) for s in scenes}) == 1
    boxes = [m for m in scenes[-1].marks if m.kind == "box" and m.id.startswith(("node", "gradient", "total"))]
    assert len(boxes) == 10 + 8
    for n, a in enumerate(boxes):
        (x0, y0), (x1, y1) = a.points
        assert 0 <= x0 and x1 <= scenes[-1].width and 0 <= y0 and y1 <= scenes[-1].height
        for b in boxes[n + 1 :]:
            (u0, v0), (u1, v1) = b.points
            assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0, (a.id, b.id)


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("x * y", "x = [1, 2], y = 3", "f has shape (2,), and gradients start from one number. Make it one: sum(…)"),
        ("W @ x", "W = [[1, 2]], x = [1, 2, 3]", "matmul"), ("argmax(x) + 0", "x = [1, 2]", "No gradient flows back"),
        ("sum(x)", "x = [1, [2]]", "is no tensor"), ("sum(x)", "x = [a, 2]", "is not a value"),
        ("sum(x)", "x = []", "has shape (0,)"), ("sum(x)", f"x = {[1] * 17}", "a node shows 1 to 16 elements"),
        ("sum(outer(x, x))", "x = [1, 2, 3, 4, 5]", "The result of outer has shape (5, 5)"),
        ("sum(softmx(x))", "", "Did you mean softmax"), ("sum(x.repeat(100000))", "", "(100000,) is too big"),
        ("sum(zeros(100000) * x)", "", "zeros: (100000,) is too big"), ("max(x, dim=0) + x", "", "has 2 results"),
        ("cross_entropy(x, y)", "x = [1, 2], y = 0.5", "whole numbers, got 0.5"),
        ("x.data + x", "", "is not understood here"), ("x.backward()", "", "is not understood here"),
        ("nn.save(x)", "", "is not understood here"),
        ("softmax(x, dim=x).sum()", "x = [1, 2]", "dim is a setting"),
        ("sum(W @ x)", "x = [1, 2]", "Use x * y for numbers. Without a value, W counts as 1: write W = … below f."),
        ("cat(x)", "", "cat: tensors is a list of tensors. Write cat([x, y])"),
        ("softmax(x, **x)", "", "softmax takes (input, dim)"),
        ("nn.data.digits()", "", "is not understood here"), ("x[y:]", "", "is not understood here"),
        ("f'{x}'", "", "is not understood here"), ("x < y < z", "", "is not understood here"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(expression, values, message):
    with pytest.raises((ValueError, TypeError, RuntimeError), match=re.escape(message)):
        GraphStepper.measure(expression=expression, values=values)


def test_a_vector_that_overflows_is_told_and_its_gate_is_not():
    by_hand = GraphStepper.measure(expression="e = exp(z); -log(e[1] / sum(e))", values="z = [800, 1, 2]", step=60)
    assert np.isnan(by_hand.engine[0]).any()
    assert "a value overflowed on the way" in graph_stepper.say(by_hand)
    assert graph_stepper.tell(by_hand)
    gate = GraphStepper.measure(expression="cross_entropy(z, 1)", values="z = [800, 1, 2]", step=60)
    assert gate.engine[0].tolist() == [1, -1, 0] and gate.wrong == []


def test_values_are_numbers_lists_and_rows():
    assert read_values("W = [[1, −2], [3, 4]]; x = [1, 2], y = 3", ["W", "x", "y"])["W"].tolist() == [[1, -2], [3, 4]]
    assert parse("x + [1, 2]").nodes[1].constant.tolist() == [1, 2]
