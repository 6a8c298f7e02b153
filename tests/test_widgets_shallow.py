"""The experiments of lessons 05 and 06: each surprise as a contrast, and the setting at which it vanishes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nnlib as nn
from nnlib.widgets import fold, ten_knobs
from tests.experiments import pointer

# ------------------------------------------------------------ ten knobs

TenKnobs = ten_knobs.TenKnobs


def random_knobs(seed):
    rng = np.random.default_rng(seed)
    return {
        name: float(np.round(rng.uniform(c.low, c.high), 1))
        for name, c in TenKnobs.controls.items()
        if name in ten_knobs.START
    }


@pytest.mark.parametrize("seed", range(20))
def test_without_the_activation_ten_knobs_draw_one_line_whatever_they_are(seed):
    knobs = random_knobs(seed)
    flat = TenKnobs.measure(identity=True, **knobs)
    assert flat.line
    assert flat.pieces == 1
    theta = np.array([[knobs[f"theta{j}0"], knobs[f"theta{j}1"]] for j in (1, 2, 3)])
    phi = np.array([knobs[f"phi{j}"] for j in (1, 2, 3)])
    assert flat.slopes[0] == pytest.approx(phi @ theta[:, 1])
    np.testing.assert_allclose(
        flat.y, knobs["phi0"] + phi @ theta @ np.stack([flat.x**0, flat.x]), atol=1e-12
    )


def test_with_relu_the_same_ten_draw_four_pieces():
    bent = TenKnobs.measure()
    assert bent.pieces == 4
    assert not bent.line
    assert bent.slopes.tolist() == [-1, 1, -3, -2]
    assert bent.edges == [0, 0.5, 1.5, 2.5, 3]
    assert bent.patterns == ["001", "101", "111", "110"]
    assert TenKnobs.measure(identity=True).pieces == 1


def test_the_contrast_vanishes_where_no_joint_is_in_the_window():
    with_, without = (TenKnobs.measure(identity=off, **ten_knobs.AWAY) for off in (False, True))
    assert with_.pieces == without.pieces == 1
    np.testing.assert_allclose(with_.y, without.y, atol=1e-12)


@pytest.mark.parametrize("activation", ["ReLU", "leaky ReLU (0.1)"])
@pytest.mark.parametrize("seed", range(10))
def test_pieces_slopes_and_joints_are_those_of_the_curve(seed, activation):
    n = TenKnobs.measure(activation=activation, **random_knobs(seed))
    assert 1 <= n.pieces <= 4
    np.testing.assert_allclose(n.y, n.knobs["phi0"] + n.contributions.sum(0), atol=1e-12)
    heights = n.y[0] + np.cumsum([0, *np.diff(n.edges) * n.slopes])
    np.testing.assert_allclose(n.y, np.interp(n.x, n.edges, heights), atol=1e-9)


def test_smooth_activations_have_no_joints():
    for activation in ("tanh", "sigmoid"):
        n = TenKnobs.measure(activation=activation)
        assert n.pieces is None
        assert "without joints" in ten_knobs.say(n)
        assert TenKnobs.measure(activation=activation, identity=True).pieces == 1


def test_two_hinges_at_one_place_cancel_and_meet_the_challenge():
    experiment = TenKnobs()
    experiment.set(identity=True)
    assert not experiment.met  # the identity is no answer
    experiment.set(identity=False, phi1=0.0, phi2=0.0, phi3=0.0)
    assert not experiment.met  # nor is switching the units off
    experiment.set(
        **{
            **ten_knobs.START,
            "theta30": 4.0,
            "theta20": -2.0,
            "phi2": -1.0,
            "theta10": -1.0,
            "phi1": 2.0,
        }
    )
    assert experiment.numbers.pieces == 1  # 2·relu(x − 1) − relu(2x − 2) is nothing
    assert experiment.met


def test_a_joint_follows_the_pointer():
    experiment = TenKnobs()
    experiment.set()
    mark = ten_knobs.draw(experiment.numbers).find("joint 1")
    (x, y), left, width = mark.points[0], ten_knobs.LEFT[0], ten_knobs.LEFT[2]
    pointer(experiment, "press", "joint 1", x, y)
    assert experiment.settings["theta10"] == -0.5
    pointer(experiment, "drag", "joint 1", left + width * 2 / 3, y)
    assert experiment.numbers.joints[0] == pytest.approx(2.0)
    assert experiment.error is None


# ------------------------------------------------------------ fold

Fold = fold.Fold


def most_of_one_layer(units, tries=200):
    """The most pieces on the whole line that random single layers of so many units draw."""
    rng = np.random.default_rng(0)
    best = 0
    for _ in range(tries):
        w, b, v = rng.normal(size=(3, units))
        joints = np.sort(-b / w)
        middles = np.concatenate(
            [[joints[0] - 1], (joints[1:] + joints[:-1]) / 2, [joints[-1] + 1]]
        )
        slopes = ((w * middles[:, None] + b > 0) * w) @ v
        best = max(best, 1 + np.count_nonzero(abs(np.diff(slopes)) > 1e-9))
    return best


def test_two_zigs_draw_nine_pieces_and_one_layer_of_six_at_most_seven():
    deep = Fold.measure()
    assert deep.units == 6
    assert deep.pieces == 9
    assert deep.single == most_of_one_layer(6) == 7
    assert len(deep.same) == 9  # nine inputs laid on each other at 0
    np.testing.assert_allclose(deep.edges, np.linspace(-1, 1, 10), atol=1e-12)
    np.testing.assert_allclose(abs(deep.slopes), 9)


def test_the_gain_vanishes_when_the_first_fold_stays_between_the_joints_of_the_second():
    flat, folded = Fold.measure(reach=0.3), Fold.measure(reach=0.5)
    assert flat.pieces == 3 < flat.single
    assert folded.pieces == 9
    assert Fold.measure(layers=1).pieces == 3  # nor is there a gain without depth


@pytest.mark.parametrize(("kind", "base"), [("zig (3 units)", 3), ("tent (2 units)", 2)])
def test_folds_multiply_and_units_add(kind, base):
    for layers in (1, 2, 3, 4):
        n = Fold.measure(kind=kind, layers=layers)
        assert n.pieces == base**layers
        assert n.units == base * layers


@pytest.mark.parametrize("kind", fold.KINDS)
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("reach", [0.1, 0.35, 0.65, 1.0])
def test_the_pieces_are_those_of_the_composition(kind, layers, reach):
    joints, outer = map(np.array, fold.KINDS[kind])
    n = Fold.measure(kind=kind, layers=layers, reach=reach, u=0.37)

    def plain(u):
        for i in range(layers):
            u = (np.maximum(u[:, None] - joints, 0) @ outer - 1) * (reach if i < layers - 1 else 1)
        return u

    np.testing.assert_allclose(plain(n.sample), np.interp(n.sample, n.edges, n.heights), atol=1e-9)
    np.testing.assert_allclose(plain(n.same), n.path[-1], atol=1e-6)
    np.testing.assert_allclose(n.course[-1], plain(n.sample), atol=1e-12)


def test_a_short_fold_meets_the_challenge_and_a_single_zig_does_not():
    experiment = Fold()
    experiment.set(layers=1)
    assert not experiment.met
    experiment.set(layers=2, kind="tent (2 units)", reach=0.3)
    assert not experiment.met
    experiment.set(kind="zig (3 units)")
    assert experiment.met


def test_the_input_follows_the_pointer():
    experiment = Fold()
    experiment.set(u=0.5)
    x, y = fold.draw(experiment.numbers).find("u").points[0]
    pointer(experiment, "press", "u", x, y)
    assert experiment.settings["u"] == 0.5
    pointer(experiment, "drag", "u", fold.CURVE[0], y)
    assert experiment.settings["u"] == -1
    assert experiment.error is None


# ------------------------------------------------------------ the fold of the plane

XOR = {"show": fold.PLANE}


def test_xor_is_cut_straight_in_the_hidden_plane_only_if_the_plane_is_folded():
    folded = fold.Fold.measure(**XOR).plane
    assert folded.margin > 0.2
    assert folded.together == [(2, 1)]  # (1, 0) on (0, 1)
    z = np.column_stack([folded.corners, np.ones(4)]) @ folded.cut
    assert (z > 0).tolist() == [False, True, True, False]
    assert fold.Fold.measure(**XOR, slope=-1.0).plane.margin > 0.2
    # The surprise's end: with slope 1 no two units help, whatever they look at.
    for a, b, shift in itertools.product((-180, -45, 0, 60), (-135, 30, 45, 90), (-1.5, 0.0, 1.0)):
        flat = fold.Fold.measure(**XOR, slope=1.0, angle1=a, angle2=b, shift2=shift).plane
        assert flat.margin == 0
        assert not flat.cut.any()


def test_the_sheet_is_what_nnlib_makes_of_the_inputs():
    for slope, angle in itertools.product((-1.0, 0.0, 0.4), (0, 45, 135)):
        plane = fold.Fold.measure(**XOR, slope=slope, angle1=angle, x1=0.4, x2=-0.3).plane
        net = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(slope)).double()
        net.load_state_dict({"0.weight": plane.weight, "0.bias": plane.bias})
        assert net(nn.tensor(fold.CORNERS)).data == pytest.approx(plane.corners, abs=1e-8)
        assert net(nn.tensor([[0.4, -0.3]], dtype=nn.float64)).data[0] == pytest.approx(plane.image, abs=1e-8)
        area = 0.0
        for sheet in fold._pieces(plane):
            x, y = np.array(sheet).T
            area += abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        assert area == pytest.approx((fold.FAR - fold.NEAR) ** 2)  # cut up, nothing lost


def test_the_fold_shows_the_controls_of_its_mode_and_the_point_can_be_dragged():
    experiment = fold.Fold()
    experiment.set(**XOR)
    hidden = {name for name, widget in experiment.widgets.items() if widget.layout.display == "none"}
    assert hidden == {"layers", "reach", "u", "kind"}
    left, top, wide, tall = fold.SQUARE
    pointer(experiment, "drag", "point", left + 0.75 * wide, top + 0.25 * tall)
    assert (experiment.settings["x1"], experiment.settings["x2"]) == (1.0, 1.0)
    assert experiment.numbers.plane.image == pytest.approx(experiment.numbers.plane.corners[3])


# ------------------------------------------------------------ the map of regions

TWO = {"inputs": ten_knobs.TWO}
PARALLEL = {"turn1": 0, "turn2": 0, "turn3": 180, "far1": -1.0, "far2": 0.0, "far3": -1.0}


def test_three_lines_cut_seven_regions_and_one_pattern_never_occurs():
    plane = TenKnobs.measure(**TWO).plane
    assert len(plane.sheets) == len(set(plane.patterns)) == plane.facets == 7
    assert plane.missing == ["001"]
    # The surprise's end: parallel lines make four, lines through one point six.
    assert len(TenKnobs.measure(**TWO, **PARALLEL).plane.sheets) == 4
    assert len(TenKnobs.measure(**TWO, far3=0.0).plane.sheets) == 6
    for turn, far in itertools.product(range(-180, 181, 30), (-1.0, 0.3, 2.0)):
        assert len(TenKnobs.measure(**TWO, turn3=turn, far3=far).plane.sheets) <= 7


def test_without_the_activation_there_are_regions_and_one_facet():
    plane = TenKnobs.measure(**TWO, identity=True).plane
    assert (len(plane.sheets), plane.facets) == (7, 1)
    assert "one plane" in ten_knobs.say(TenKnobs.measure(**TWO, identity=True))
    assert TenKnobs.measure(**TWO, activation="leaky ReLU (0.1)").plane.facets == 7


def test_regions_are_those_that_random_points_find_and_the_facets_meet():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(20_000, 2))
    for turn, far in itertools.product((-120, 10, 45), (-0.8, 0.7)):
        plane = TenKnobs.measure(**TWO, turn3=turn, far3=far).plane
        on = x @ plane.weight.T + plane.bias > 0
        assert {"".join("01"[int(v)] for v in row) for row in on} == set(plane.patterns)
        corners = {}
        for sheet, heights in zip(plane.sheets, plane.heights):
            for (a, b), y in zip(sheet, heights):
                corners.setdefault((round(a, 6), round(b, 6)), []).append(y)
        for found in corners.values():  # ReLU bends the surface and does not tear it
            assert found == pytest.approx([found[0]] * len(found), abs=1e-9)
