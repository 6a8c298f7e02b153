"""The ResNet ledger against the real nets and the published numbers; the lesion bench's surprises."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

import nnlib as nn
from nnlib.widgets import lesion_bench, resnet_ledger
from nnlib.widgets.resnet_ledger import BLOCKS, SHORTCUTS, STRIDES

Ledger = resnet_ledger.ResNetLedger
NUMBERS = json.loads((Path(__file__).parent / "data" / "numbers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("depth", BLOCKS)
def test_every_line_is_the_course_map_s(depth):
    known = NUMBERS[f"B10.{depth}"]
    for stride, form in zip(STRIDES, ("1x1", "3x3")):
        numbers = Ledger.measure(depth=str(depth), stride=stride)
        assert (numbers.parameters, numbers.macs) == (known["params"], known[f"macs_{form}"])
        lines = [[r.stage, r.size, r.macs, r.parameters] for r in numbers.rows]
        assert [line[1:] for line in lines] == [line[1:] for line in known[f"rows_{form}"]]
        assert numbers.totals[depth] == (numbers.parameters, numbers.macs)
    padded = Ledger.measure(depth=str(depth), shortcut=SHORTCUTS[1])
    assert (padded.parameters, padded.macs) == (known["params_shortcutA"], known["macs_A"])


@pytest.mark.parametrize("size", [33, 64, 97])
@pytest.mark.parametrize(("stride", "form"), list(zip(STRIDES, ("1x1", "3x3"))))
@pytest.mark.parametrize(("shortcut", "kind"), list(zip(SHORTCUTS, ("projection", "padding"))))
def test_the_real_nets_agree_at_other_sizes(size, stride, form, shortcut, kind):
    for depth in (18, 50):
        net = getattr(nn.models, f"resnet{depth}")(stride_in=form, shortcut=kind)
        numbers = Ledger.measure(depth=str(depth), stride=stride, shortcut=shortcut, size=size)
        assert nn.inspection.count_parameters(net) == numbers.parameters
        assert nn.inspection.count_macs(net, (1, 3, size, size)) == numbers.macs


def test_fifty_layers_cost_about_as_much_as_thirty_four():
    assert Ledger.measure(depth="50").macs / Ledger.measure(depth="34").macs == pytest.approx(
        1.053, abs=5e-4
    )
    assert (
        Ledger.measure(depth="50", stride=STRIDES[1]).macs > 1.1 * Ledger.measure(depth="34").macs
    )


def test_how_the_printed_row_fits():
    row = {
        d: resnet_ledger.fits(Ledger.measure(depth=str(d)).macs, p)
        for d, p in resnet_ledger.PRINTED.items()
    }
    assert row == {
        18: "rounded", 34: "cut off; it rounds to 3.7", 50: "cut off; it rounds to 3.9", 101: "rounded", 152: "rounded",
    }  # fmt: skip
    modern = Ledger.measure(depth="50", stride=STRIDES[1])
    assert "The notes print 3.8·10⁹ FLOPs: +8%." in resnet_ledger.say(modern)
    assert "the notes print" in resnet_ledger.tell(modern)
    assert "the notes print" not in resnet_ledger.tell(Ledger.measure(size=128))


def test_sizes_round_up_and_then_a_pixel_costs_more():
    assert Ledger.measure().sizes == [224, 112, 56, 28, 14, 7]
    assert Ledger.measure(size=33).sizes == [33, 17, 9, 5, 3, 2]
    experiment = Ledger()
    experiment.set(size=448)
    assert not experiment.met
    assert experiment.numbers.per_area == pytest.approx(1, abs=1e-2)
    experiment.set(size=33)
    assert experiment.met


def test_bars_are_shares():
    for bars in resnet_ledger.BARS:
        numbers = Ledger.measure(bars=bars)
        scene = resnet_ledger.draw(numbers)
        marks = [scene.find(f"bar {row.stage}") for row in numbers.rows]
        widths = [m.points[1][0] - m.points[0][0] for m in marks]
        assert sum(widths) == pytest.approx(resnet_ledger.BAR_WIDTH, abs=2)
        largest = numbers.rows[widths.index(max(widths))].stage
        assert largest == ("conv4_x" if bars == "multiply-adds" else "conv5_x")


# ------------------------------------------------------------ lesion bench

Bench = lesion_bench.LesionBench


def test_the_deeper_plain_net_is_worse_on_training_pictures_and_the_residual_one_is_not():
    for seed in range(5):
        numbers = Bench.measure(seed=seed)
        assert numbers.plain.whole < 0.75 < 0.95 < numbers.residual.whole
        assert numbers.short.whole > 0.95
        assert numbers.plain.losses[-1] > 3 * numbers.residual.losses[-1]
    shallow = Bench.measure(pairs=1)  # where the surprise vanishes
    assert shallow.plain == shallow.short
    assert abs(shallow.plain.whole - shallow.residual.whole) < 0.05


def test_losing_one_block_hardly_hurts_the_residual_net_alone():
    for seed in range(5):
        numbers = Bench.measure(seed=seed)
        assert np.median(numbers.residual.without) > 0.9 * numbers.residual.whole
        assert max(numbers.plain.without) < 0.4
        assert min(numbers.residual.without) > max(numbers.plain.without)


def test_a_deletion_is_the_net_without_that_pair():
    random = np.random.default_rng(0)
    net = lesion_bench.build(3, True, True, random).eval()
    parts = list(net.children())
    x = lesion_bench.digits()[0][:5]
    h = x
    for part in [*parts[:3], *parts[4:]]:
        h = part(h)
    assert np.array_equal(lesion_bench.without(net, 2)(x).data, h.data)


def test_plain_and_residual_start_from_the_same_numbers():
    nets = [lesion_bench.build(4, r, True, np.random.default_rng(3)) for r in (False, True)]
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert np.array_equal(a.data, b.data)


def test_the_notebook_s_random_numbers_are_kept():
    lesion_bench.training.cache_clear()
    nn.manual_seed(0)
    expected = nn.rand(3).tolist()
    nn.manual_seed(0)
    Bench.measure(pairs=1)
    assert nn.rand(3).tolist() == expected


def test_without_batch_norm_the_deep_residual_net_fails():
    experiment = Bench()
    experiment.set()
    assert not experiment.met
    experiment.set(norm=False)
    assert experiment.met
    assert experiment.error is None
    assert "NaN" in lesion_bench.say(Bench.measure(norm=False, seed=3))


def test_a_deletion_beyond_the_last_pair_is_the_last():
    assert Bench.measure(pairs=2, deleted=8).deleted == 2


def test_a_learner_sees_the_training_go_on_and_can_stop_it(monkeypatch):
    """In a kernel: the move is answered at once, the rest follows in pieces, the last of which is ``compute``'s."""
    monkeypatch.setattr("nnlib.widgets.experiment.PIECE", 0.0)  # a batch
    monkeypatch.setattr("nnlib.widgets.experiment.BETWEEN", 0.0)

    async def learner():
        lesion_bench.training.cache_clear()
        experiment = Bench(pairs=1)
        experiment.set(pairs=2)
        assert experiment._working.layout.display == "none"
        seen = []
        experiment.view.observe(lambda change: seen.append(change["new"]), "status")
        experiment.widgets["pairs"].value = 3
        assert not experiment.numbers.finished
        assert experiment._working.layout.display is None
        while not experiment.numbers.plain.losses:
            await asyncio.sleep(0.01)
        experiment._stop.click()
        done = experiment._bar.value
        assert 0 < done < 1
        assert experiment._stop.description == "Go on"
        assert not experiment.view.live
        await asyncio.sleep(0.1)
        assert experiment._bar.value == done
        assert not experiment.numbers.finished
        experiment._stop.click()
        while not experiment.numbers.finished:
            await asyncio.sleep(0.01)
        assert experiment._working.layout.display == "none"
        assert len(seen) > 2
        assert "Training: of 10 epochs plain 1, loss" in "".join(seen)
        lesion_bench.training.cache_clear()
        assert experiment.numbers == Bench.measure(pairs=3)
        experiment.widgets["deleted"].value = 1  # nothing to wait for
        assert experiment.numbers.finished

    asyncio.run(learner())
