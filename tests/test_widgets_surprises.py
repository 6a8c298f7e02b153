"""Each experiment's surprise, as a contrast, and the setting at which it vanishes; and what the graphs compute."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

import nnlib as nn
from nnlib.widgets import expressions, far_point, graph_stepper, hidden_layer_ledger, shape_explorer
from nnlib.widgets.graph_stepper import BUGS, EXAMPLES, ORDERS, GraphStepper
from tests.experiments import pointer

# ------------------------------------------------------------ far point

FarPoint = far_point.FarPoint


def test_one_right_far_point_ruins_least_squares_and_not_the_logistic_cut():
    without, with_ = FarPoint.measure(present=False), FarPoint.measure()
    assert without.squares.threshold == pytest.approx(0.5)
    assert without.logistic.threshold == pytest.approx(0.5)
    assert without.squares.errors == without.logistic.errors == 0
    assert with_.squares.threshold == pytest.approx(0.735632, abs=1e-6)
    assert with_.squares.errors == 1
    assert with_.logistic.threshold == pytest.approx(0.5, abs=1e-6)
    assert with_.logistic.errors == 0


def test_the_far_point_is_harmless_when_it_is_near():
    near = FarPoint.measure(far=1.2)
    assert near.squares.errors == 0
    assert abs(near.squares.threshold - 0.5) < 0.05


def test_least_squares_is_the_exact_solution_for_every_far_point():
    for far in np.arange(1.2, 20.1, 1.7):
        numbers = FarPoint.measure(far=float(far))
        slope, intercept = np.polyfit(numbers.x, numbers.labels, 1)
        assert numbers.squares.weight == pytest.approx(slope)
        assert numbers.squares.threshold == pytest.approx((0.5 - intercept) / slope)


@pytest.mark.parametrize("label", ["class 0", "class 1"])
@pytest.mark.parametrize("far", [1.2, 2.0, 5.0, 10.0, 20.0])
def test_the_logistic_fit_is_a_minimum(far, label):
    numbers = FarPoint.measure(far=far, label=label)
    w = nn.tensor(numbers.logistic.weight, dtype=nn.float64, requires_grad=True)
    b = nn.tensor(numbers.logistic.bias, dtype=nn.float64, requires_grad=True)
    x, y = (nn.tensor(v, dtype=nn.float64) for v in (numbers.x, numbers.labels))
    loss = (
        nn.functional.binary_cross_entropy_with_logits(w * x + b, y) + 0.5 * far_point.DECAY * w * w
    )
    loss.backward()
    assert abs(float(w.grad)) < 1e-6
    assert abs(float(b.grad)) < 1e-6


def test_a_wrong_far_point_ruins_the_logistic_cut_too():
    experiment = FarPoint()
    experiment.set()
    assert not experiment.met
    experiment.set(label="class 0")
    assert experiment.met
    assert "Done" in experiment._task.value


def test_the_far_point_follows_the_pointer():
    experiment = FarPoint()
    experiment.set()
    mark = far_point.draw(experiment.numbers).find("far")
    x, y = (sum(p[i] for p in mark.points) / 2 for i in (0, 1))
    pointer(experiment, "press", "far", x, y)
    assert experiment.settings["far"] == pytest.approx(10.0)
    pointer(experiment, "drag", "far", x - 200, y)
    assert 5 < experiment.settings["far"] < 8
    pointer(experiment, "drag", "far", -9999, y)
    assert experiment.settings["far"] == 1.2


# ------------------------------------------------------------ graph stepper


def gradients(numbers):
    return {
        node.name: numbers.totals.get(i, 0.0)
        for i, node in enumerate(numbers.program.nodes)
        if node.op is None
    }


def engine(numbers):
    return {
        node.name: numbers.engine[i]
        for i, node in enumerate(numbers.program.nodes)
        if node.op is None
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_right_order_without_bugs_is_the_engine_and_the_finite_difference(example):
    numbers = GraphStepper.measure(example=example, step=60)
    assert gradients(numbers).keys() == engine(numbers).keys()
    for name, gradient in gradients(numbers).items():
        assert gradient == pytest.approx(engine(numbers)[name], nan_ok=True)
    if "−800" not in example:
        assert numbers.wrong == []
        for visit in numbers.visits:
            assert visit.arrived == visit.uses
            for share in visit.shares:
                assert share.product == pytest.approx(share.difference, rel=1e-5, abs=1e-7)
                assert np.shape(share.product) == np.shape(share.value)
                if np.ndim(visit.upstream):
                    through = np.ravel(visit.upstream) @ share.local
                    assert np.ravel(share.product) == pytest.approx(through)
                else:
                    assert np.all(share.product == visit.upstream * share.local)


def test_the_notes_examples():
    first = GraphStepper.measure(example="(x + y) · z")
    assert first.values[-1] == -12
    assert gradients(first) == {"x": -4, "y": -4, "z": 3}
    sigmoid = GraphStepper.measure(example="sigmoid, gate by gate")
    assert len(sigmoid.program.nodes) == 13
    assert len(sigmoid.program.operations) == 8
    g = 0.19661193324148188
    assert gradients(sigmoid) == pytest.approx(
        {"w0": -g, "x0": 2 * g, "w1": -2 * g, "x1": -3 * g, "w2": g}
    )
    back = [v.shares[0].product for v in sigmoid.visits]
    assert back[:4] == pytest.approx([-0.534446645388523, -0.534446645388523, -g, g])
    assert gradients(GraphStepper.measure(example="sigmoid, one gate")) == pytest.approx(
        gradients(sigmoid)
    )


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("add gate", {"x": 2, "y": 2}),
        ("mul gate", {"x": 15, "y": 10}),
        ("copy gate", {"x": 6}),
        ("max gate", {"x": 0, "y": 9}),
    ],
)
def test_gates(example, expected):
    assert gradients(GraphStepper.measure(example=example)) == expected


def test_reuse_adds_and_forgetting_it_shows_only_where_something_is_reused():
    assert gradients(GraphStepper.measure(example="copy gate"))["x"] == 6
    forgot = GraphStepper.measure(example="copy gate", bug=BUGS[1])
    assert gradients(forgot)["x"] in (4, 2)
    assert forgot.wrong == ["x"]
    assert GraphStepper.measure(example="(x + y) · z", bug=BUGS[1]).wrong == []


def test_hasty_order_is_wrong_where_a_sum_is_reused_and_right_in_a_tree():
    hasty = GraphStepper.measure(example="a sum used twice", order=ORDERS[1], step=60)
    assert set(hasty.wrong) == {"x", "y"}
    assert any(v.arrived < v.uses for v in hasty.visits)
    middle = [
        graph_stepper.say(GraphStepper.measure(example="a sum used twice", order=ORDERS[1], step=s))
        for s in range(9)
    ]
    assert any("Too early" in text for text in middle)
    assert GraphStepper.measure(example="a sum used twice").wrong == []
    assert GraphStepper.measure(example="sigmoid, gate by gate", order=ORDERS[1]).wrong == []


def test_oldest_first_sends_nothing_to_the_inputs():
    assert gradients(GraphStepper.measure(example="(x + y) · z", order=ORDERS[2])) == {
        "x": 0,
        "y": 0,
        "z": 3,
    }


def test_39_and_40_differ_by_rounding_alone():
    exact, rounded = (
        GraphStepper.measure(example="sigmoid, gate by gate", rounded=r) for r in (False, True)
    )
    assert round(gradients(exact)["x0"], 2) == 0.39
    assert round(gradients(rounded)["x0"], 2) == 0.40
    assert [rounded.values[i] for i in rounded.program.operations[-3:]] == [0.37, 1.37, 0.73]
    whole = [
        gradients(GraphStepper.measure(example="(x + y) · z", rounded=r)) for r in (False, True)
    ]
    assert whole[0] == whole[1]  # nothing to round


def test_the_naive_chain_loses_its_gradient_at_800_and_not_at_8():
    naive = GraphStepper.measure(example="naive sigmoid at −800", step=60)
    assert naive.values[-1] == 0
    assert math.isnan(gradients(naive)["s"])
    assert "not a number" in graph_stepper.say(naive)
    fused = GraphStepper.measure(example="your own", expression="sigmoid(s)", values="s = -800")
    assert gradients(fused)["s"] == 0
    calm = GraphStepper.measure(example="your own", expression="1 / (1 + exp(-s))", values="s = -8")
    assert calm.wrong == []
    experiment = GraphStepper()
    experiment.set(example="naive sigmoid at −800")
    assert experiment.met
    experiment = GraphStepper()
    experiment.set(example="your own", expression="1 / (1 + exp(-s))", values="s = -8")
    assert not experiment.met


def test_stepper_asks_its_question_only_over_the_graph_it_is_about() -> None:
    assert not GraphStepper().revealed
    other = GraphStepper(expression="q = x + y; q*z + 2*q", values="x = 1, y = 2, z = 4", step=0)
    assert other.revealed and other.settings["step"] == 0
    assert other.status.startswith("Inputs: x = 1")


@pytest.mark.parametrize(
    ("bug", "example"),
    [
        (BUGS[2], "mul gate"),
        (BUGS[3], "sigmoid, gate by gate"),
        (BUGS[4], "max gate"),
        (BUGS[5], "a hidden unit"),
    ],
)
def test_planted_bugs_differ_from_the_finite_difference_where_they_act(bug, example):
    planted = GraphStepper.measure(example=example, bug=bug, step=60)
    assert planted.wrong
    assert "✗ differs" in graph_stepper.tell(planted)
    assert "✗" not in graph_stepper.tell(GraphStepper.measure(example=example, step=60))
    assert GraphStepper.measure(example="add gate", bug=bug).wrong == []


def test_steps_show_one_operation_more_each_time():
    experiment = GraphStepper()
    experiment.predict("−0.04")
    texts = [experiment.status]
    while not experiment._buttons["next"].disabled:
        experiment._buttons["next"].click()
        texts.append(experiment.status)
    assert len(texts) == 4  # two forward, two backward
    assert len(set(texts)) == 4
    assert (
        experiment.settings["step"]
        == experiment.widgets["step"].value
        == experiment.widgets["step"].max
        == 4
    )
    experiment._buttons["back"].click()
    assert experiment.settings["step"] == 3
    for keys, step in ((["ArrowLeft"], 2), (["ArrowRight", "ArrowRight"], 4), (["Home"], 0), (["End"], 4)):
        experiment._message(None, {"type": "keys", "keys": keys}, [])
        assert experiment.settings["step"] == step
    drawn = [
        len(
            [
                m
                for m in graph_stepper.draw(GraphStepper.measure(step=s)).marks
                if m.id.startswith("gradient")
            ]
        )
        for s in range(5)
    ]
    assert drawn == [0, 0, 0, 3, 5]


def test_an_expression_given_by_name_is_the_one_shown():
    numbers = GraphStepper.measure(expression="x * y", values="x = 6, y = 7")
    assert numbers.values[-1] == 42
    assert "42" in GraphStepper.static(expression="x * y", values="x = 6, y = 7", step=1).text
    experiment = GraphStepper(expression="x * y", values="x = 6, y = 7")
    assert experiment.settings["example"] == "your own"
    experiment.set(step=1)
    assert experiment.numbers.values[-1] == 42


def test_typing_an_expression_makes_it_your_own():
    experiment = GraphStepper()
    experiment.set()
    experiment.widgets["expression"].value = "x * x * relu(y) - log(z + 5)"
    assert experiment.error is None
    assert experiment.settings["example"] == "your own"
    experiment.widgets["values"].value = "x = 2, y = 3, z = 0"
    assert experiment.numbers.values[-1] == pytest.approx(12 - math.log(5))
    experiment.set(step=60)
    assert experiment.numbers.wrong == []
    experiment.widgets["expression"].value = "x +"
    assert "cannot be read" in experiment.status
    experiment.widgets["example"].value = "mul gate"
    assert experiment.error is None
    assert experiment.widgets["expression"].value == EXAMPLES["mul gate"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__('os').system('ls')", "is not understood here"), ("x.real * 2", "is not understood here"),
        ("[x for x in y]", "is not understood here"), ("x if y else z", "is not understood here"),
        ("(lambda: x)() + 1", "is not understood here"), ("x * True", "is not understood here"),
        ("gamma(x)", "is not understood here"),
        ("exp(x, y)", "exp takes (input); “exp(x, y)”: too many"), ("max()", "max takes (input, dim, keepdim)"),
        ("exp + 1", "is a function here"), ("x", "at least one operation"), ("1 / 0 + x", "is not a number"),
        ("x = 1", "end with an expression"),
        ("x; y * 2", "write parts as"),
        ("x * 1e300", "at most 1e15"), ("", "at least one operation"), ("x" + "+x" * 40, "operations do not fit"),
        ("x+" * 200 + "1", "characters"), ("x = y * 2; x = 3; x*x", "is taken already"),
        ("(-2) ** 0.5 * x", "is not a number"),
    ],
)  # fmt: skip
def test_only_arithmetic_is_understood(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        expressions.parse(text)


@pytest.mark.parametrize("text", ["x", "x = ", "x = two", "= 3", "x = inf"])
def test_values_that_are_none(text):
    with pytest.raises(ValueError, match="is not a value"):
        expressions.read_values(text, ["x"])


def test_any_expression_agrees_with_finite_differences():
    pieces = [
        "x*y",
        "x/y",
        "x - y",
        "exp(x/3)",
        "log(x)",
        "max(x, y)",
        "relu(y)",
        "sigmoid(-x)",
        "tanh(x*y)",
        "x**3",
        "x**-0.5",
    ]
    for a, b in itertools.product(pieces, pieces):
        numbers = GraphStepper.measure(
            example="your own",
            expression=f"q = {a}; q*({b}) + 2/(q*q + 1)",
            values="x = 1.3, y = 0.7",
            step=60,
        )
        assert numbers.wrong == []
        assert all(share.right for visit in numbers.visits for share in visit.shares)


# ------------------------------------------------------------ hidden-layer ledger

Ledger = hidden_layer_ledger.HiddenLayerLedger


def test_ledger_has_the_exact_numbers():
    value = {cell.id: cell.value for cell in Ledger.measure().cells}
    expected = {"z1": 0.78, "h1": 0.6856801139382539, "z2": 0.66, "h2": 0.6592603884513855, "q1": 0.20570403418147618,
                "q2": 0.593334349606247, "z": 1.0990383837877231, "y": 0.7500798843241387}  # fmt: skip
    assert {id: value[id] for id in expected} == pytest.approx(expected, rel=1e-14)
    assert [value[f"p2{i}"] for i in (1, 2, 3)] == pytest.approx([0.2, 0.24, 0.02])


def test_one_weight_touches_only_the_cells_downstream():
    assert Ledger.measure(w12=1.2).changed == ["p12", "z1", "h1", "q1", "z", "y"]
    assert Ledger.measure(v2=0.1).changed == ["q2", "z", "y"]
    assert Ledger.measure(x2=0.9).changed == [
        "p12",
        "z1",
        "h1",
        "p22",
        "z2",
        "h2",
        "q1",
        "q2",
        "z",
        "y",
    ]
    assert Ledger.measure().changed == []
    assert Ledger.measure(w12=1.2, x2=0.0).cell("p12").value == 0
    same = (
        Ledger.measure(x2=0.0),
        Ledger.measure(x2=0.0, w12=9.0),
    )  # the surprise's end: a weight whose input is 0
    assert [c.value for c in same[0].cells] == [c.value for c in same[1].cells]


def test_slips_of_the_notes_are_shown_and_are_wrong():
    numbers = Ledger.measure(step=14, notes=True)
    marks = [m.text for m in hidden_layer_ledger.draw(numbers).marks if m.id.startswith("slip")]
    assert len(marks) == len(hidden_layer_ledger.SLIPS) == 8
    for id, (printed, which, _) in hidden_layer_ledger.SLIPS.items():
        assert abs(float(printed) - numbers.cell(id).value) > 0.001
        assert any(printed in text and which in text for text in marks)
    assert not [
        m
        for m in hidden_layer_ledger.draw(Ledger.measure(step=14, notes=True, x1=1.0)).marks
        if m.id.startswith("slip")
    ]


@pytest.mark.parametrize(
    ("id", "answer", "said"),
    [
        ("z2", "0.66", "0.66 is right."), ("z2", "0.46", "The bias b₂ = 0.2 is missing."), ("z2", "0.49", "a tenth"),
        ("z2", "0.67", "0.01 too large"), ("h1", "0.3143", "The sign in the exponent"),
        ("h1", "0.69", "0.69 is right."),
        ("h1", "0.6857", "is right"), ("h1", "0.685", "it is 0.6857"), ("h1", "0,69", "is right"),
        ("h1", "0.78", "still to do"),
        ("y", "0.74", "it is 0.7501"), ("y", "0.7431", "it is 0.7501"), ("y", "three", "is not a number"),
    ],
)  # fmt: skip
def test_answers_are_judged_and_known_slips_named(id, answer, said):
    assert said in hidden_layer_ledger.judge(Ledger.measure().cell(id), answer)


def test_the_next_value_is_asked_before_it_is_shown():
    experiment = Ledger()
    experiment.set()
    shown = lambda: [
        m.text
        for m in hidden_layer_ledger.draw(experiment.numbers).marks
        if m.id.startswith("value")
    ]
    assert shown() == []
    experiment.widgets["answer"].value = "0.5"
    assert "You expected 0.5; it is 0.4." in experiment.status
    assert shown() == ["0.4"]
    experiment.answer("0.04")
    assert "0.04 is right." in experiment.status
    assert experiment.settings["step"] == 2
    assert experiment.widgets["answer"].value == ""
    experiment.set(step=14)
    assert experiment.widgets["answer"].disabled
    experiment.set(x1=0.0, w11=5.0)
    assert experiment.settings["w11"] == 5.0
    experiment._buttons["restore"].click()
    assert experiment.numbers.changed == []


HOUSING, OTHER = hidden_layer_ledger.HOUSING, hidden_layer_ledger.OTHER


def test_housing_has_the_exact_numbers_of_both_houses():
    value = {cell.id: cell.value for cell in Ledger.measure(example=HOUSING).cells}
    assert [value[id] for id in ("a1", "a2", "a3", "price")] == pytest.approx([1.7, 0.3, 0.6, 3.5])
    value = {cell.id: cell.value for cell in Ledger.measure(example=OTHER).cells}
    assert [value[id] for id in ("a1", "a2", "a3", "price")] == pytest.approx([0.6, 0.18, 0, -1.04])
    parameters = [name for name in Ledger.controls if name.startswith("t")]
    assert len(parameters) == 12


def test_a_parameter_of_the_housing_network_touches_only_its_own_unit():
    for name, unit in {"t1": "1", "t3": "1", "t4": "2", "t5": "2", "t6": "3", "t8": "3"}.items():
        changed = Ledger.measure(example=HOUSING, **{name: 0.9}).changed
        assert {id for id in changed if id[0] == "a"} == {f"a{unit}"}
        assert changed[-1] == "price"


def test_a_unit_that_is_off_shuts_its_parameters_up():
    off = Ledger.measure(example=OTHER, step=15)
    assert off.off == ["a3"]
    for name in ("t6", "t7", "t8", "t11"):
        moved = Ledger.measure(example=OTHER, **{name: off.given[name] - 0.05})
        assert "price" not in moved.changed
        assert "price" in Ledger.measure(example=HOUSING, **{name: off.given[name] - 0.05}).changed  # on: it counts
    assert "Off: a₃." in hidden_layer_ledger.say(off)
    assert "Off" not in hidden_layer_ledger.say(Ledger.measure(example=HOUSING, step=15))


@pytest.mark.parametrize(
    ("example", "id", "answer", "said"),
    [
        (OTHER, "price", "0", "there is no ReLU on the output"), (OTHER, "price", "-1.04", "−1.04 is right"),
        (OTHER, "a3", "-0.06", "negative value was kept"), (OTHER, "a3", "0.06", "not the absolute value"),
        (HOUSING, "z2", "0.25", "θ₅ stands alone"), (HOUSING, "z2", "0.20", "bias θ₅ = 0.1 is missing"),
        (HOUSING, "z1", "1.7", "is right"), (HOUSING, "price", "3.2", "bias θ₁₂ = 0.3 is missing"),
    ],
)  # fmt: skip
def test_answers_about_houses_are_judged(example, id, answer, said):
    assert said.lower() in hidden_layer_ledger.judge(Ledger.measure(example=example).cell(id), answer).lower()


def test_another_example_brings_its_numbers_and_its_fields():
    experiment = Ledger()
    experiment.set(step=14)
    experiment.widgets["example"].value = OTHER
    assert experiment.numbers.shipped
    assert experiment.widgets["t12"].value == -2.0
    assert experiment.widgets["step"].max == 15
    shown = {name for name, widget in experiment.widgets.items() if widget.layout.display != "none"}
    assert shown == {"example", "step", "answer", *hidden_layer_ledger.HOUSE}
    experiment.set(example=HOUSING, s1=1.5)
    assert (experiment.settings["t12"], experiment.settings["s1"]) == (0.3, 1.5)
    experiment._buttons["restore"].click()
    assert experiment.numbers.shipped


def test_a_weight_that_does_not_matter_meets_the_challenge():
    experiment = Ledger()
    experiment.set(w12=0.5)
    assert not experiment.met
    experiment.set(w12=0.2, v1=0.0)
    assert not experiment.met  # the output moved


# ------------------------------------------------------------ shape explorer

Shapes = shape_explorer.ShapeExplorer


def test_a_square_weight_the_wrong_way_round_passes_silently_and_only_a_square_one():
    wrong = shape_explorer.WRONGS[1]
    square = Shapes.measure(inputs=3, outputs=3, wrong=wrong)
    assert square.error == ""
    assert square.silent
    oblong = Shapes.measure(inputs=3, outputs=2, wrong=wrong)
    assert "linear: weight of shape (3, 2)" in oblong.error
    assert not oblong.silent
    assert "expects input" in shape_explorer.say(oblong)
    assert not Shapes.measure(inputs=3, outputs=3).silent  # right: nothing to notice


def test_shapes_and_numbers_for_every_size():
    for batch, inputs, outputs in itertools.product(range(1, 7), repeat=3):
        numbers = Shapes.measure(batch=batch, inputs=inputs, outputs=outputs)
        assert numbers.y.shape == (batch, outputs)
        np.testing.assert_allclose(numbers.y, numbers.x @ numbers.weight.T + numbers.bias)
        columns = shape_explorer.say(
            Shapes.measure(
                batch=batch, inputs=inputs, outputs=outputs, form=shape_explorer.FORMS[1]
            )
        )
        assert f"gives y {(outputs, batch)}" in columns
        for wrong in shape_explorer.WRONGS[1:]:
            broken = Shapes.measure(batch=batch, inputs=inputs, outputs=outputs, wrong=wrong)
            assert bool(broken.error) == (broken.y is None)


def test_the_covered_result_does_not_tell_its_shape():
    scene = shape_explorer.draw(Shapes.measure(hide=True))
    assert "(4, 2)" not in scene.texts()
    assert "(4, 2)" in shape_explorer.draw(Shapes.measure()).texts()
    assert "(4, 2)" not in Shapes().status


def test_a_power_of_a_power_has_both_gradients():
    numbers = GraphStepper.measure(expression="x ** y * 2 ** x", values="x = 2, y = 3", step=60)
    assert numbers.values[-1] == 32
    assert numbers.wrong == []
    assert all(share.right for visit in numbers.visits for share in visit.shares)
    assert "2 ^ ·" in [node.label for node in numbers.program.nodes]


def test_a_slope_that_does_not_exist_is_not_called_an_overflow():
    at_zero = graph_stepper.say(GraphStepper.measure(expression="sqrt(x)", values="x = 0", step=60))
    assert "no finite slope at this point" in at_zero
    assert "overflowed" not in at_zero
