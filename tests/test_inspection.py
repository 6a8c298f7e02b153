"""Graphs and traces: the course's numbers, constants, reuse, and nothing touched."""

import numpy as np

import nnlib as nn
from nnlib.inspection import graph, trace_backward


def scalars(*values):
    return [nn.tensor(v, dtype=nn.float64, requires_grad=True) for v in values]


def test_the_sigmoid_graph_of_the_course():
    w0, x0, w1, x1, w2 = scalars(2.0, -1.0, -3.0, -2.0, -3.0)
    f = 1 / (1 + (-1 * (w0 * x0 + w1 * x1 + w2)).exp())
    names = {"w0": w0, "x0": x0, "w1": w1, "x1": x1, "w2": w2}
    found = graph(f, names)
    s = 0.19661193324148188
    for name, gradient in {"w0": -s, "x0": 2 * s, "w1": -2 * s, "x1": -3 * s, "w2": s}.items():
        assert abs(found.node(name).grad - gradient) < 1e-15
    assert [n.label for n in found.nodes if n.kind == "op"] == ["mul", "mul", "add", "add", "mul", "exp", "add", "div"]
    assert all(p.grad is None for p in names.values())
    f.backward()  # the graph is still there


def test_a_constant_is_a_leaf_for_each_use():
    (x,) = scalars(2.0)
    found = graph((x + 1) * (1 + x * 1), {"x": x})
    assert [n.label for n in found.nodes if n.kind == "leaf"].count("1") == 3
    assert found.node("x").grad == 6.0


def test_edges_are_in_topological_order_and_reach_the_output():
    x, y = scalars(2.0, 3.0)
    found = graph(x * y + x * x, {"x": x, "y": y})
    assert all(edge.source < edge.target for edge in found.edges)
    assert [n.id for n in found.nodes] == list(range(len(found.nodes)))
    assert found.nodes[-1].value == 10.0


def test_an_argument_used_twice_gets_two_edges():
    (x,) = scalars(3.0)
    found = graph(x * x, {"x": x})
    assert [(e.index, float(e.gradient)) for e in found.edges] == [(0, 3.0), (1, 3.0)]
    assert found.node("x").grad == 6.0


def test_shares_of_all_uses_add_up_to_the_gradient():
    x, y = scalars(0.3, -0.7)
    found = graph((x * y).exp() + x.tanh() * x, {"x": x, "y": y})
    for node in found.nodes:
        uses = [e.gradient for e in found.edges if e.source == node.id and e.gradient is not None]
        if uses:
            np.testing.assert_allclose(sum(uses), node.grad, rtol=1e-14)


def test_the_trace_multiplies_local_by_upstream():
    x, y, z = scalars(-2.0, 5.0, -4.0)
    steps = trace_backward((x + y) * z, {"x": x, "y": y, "z": z})
    assert [s.op for s in steps] == ["mul", "add", "leaf", "leaf", "leaf"]
    for step in steps:
        for way in step.inputs:
            assert way.product == step.upstream * way.local
    assert {s.name: float(s.upstream) for s in steps if s.op == "leaf"} == {"x": -4.0, "y": -4.0, "z": 3.0}


def test_a_graph_without_gradients_shows_values_only():
    found = graph(nn.tensor(2.0) + 1)
    assert [n.grad for n in found.nodes] == [None] * len(found.nodes)
