"""The training loop: it learns, it stops, it survives an interruption."""

import numpy as np
import pytest

import nnlib as nn


def line(n=40):
    X = nn.linspace(-1, 1, n).reshape(n, 1)
    return X, 3 * X + 1


def fit(model, data, epochs, **options):
    optimizer = nn.optim.SGD(model.parameters(), lr=0.3)
    return nn.fit(model, data, nn.MSELoss(), optimizer, epochs, progress=False, **options)


def test_it_learns_a_line():
    nn.manual_seed(0)
    model = nn.Linear(1, 1)
    history = fit(model, line(), 60, batch_size=8)
    assert history["loss"][-1] < 1e-4 < history["loss"][0]
    np.testing.assert_allclose([model.weight.item(), model.bias.item()], [3, 1], atol=0.02)


def test_the_history_holds_means_over_examples():
    X, y = nn.zeros(5, 1), nn.tensor([[0.0], [0.0], [0.0], [0.0], [5.0]])
    model = nn.Linear(1, 1)
    for p in model.parameters():
        p.data = np.zeros_like(p.data)
    assert nn.evaluate(model, (X, y), nn.MSELoss(), batch_size=4) == {"loss": 5.0}  # not the mean of 0 and 25


def test_validation_and_metrics_get_their_columns():
    X, y = nn.data.blobs(60, spread=0.1)
    model = nn.Linear(2, 2)
    history = nn.fit(
        model, (X, y), nn.CrossEntropyLoss(), nn.optim.SGD(model.parameters(), lr=0.5), 5,
        metrics={"accuracy": nn.accuracy}, validation=(X, y), progress=False,
    )  # fmt: skip
    assert list(history.rows[0]) == ["loss", "accuracy", "validation loss", "validation accuracy"]
    assert history["validation accuracy"][-1] == 1.0
    assert repr(history) == "History(5 epochs: loss, accuracy, validation loss, validation accuracy)"


def test_early_stopping_brings_back_the_best():
    nn.manual_seed(0)
    model = nn.Linear(1, 1)
    X, y = line()
    history = fit(model, (X, y), 50, validation=(X, -y), patience=3)  # the better it learns, the worse it is judged
    assert history.stopped_early and len(history) == 4
    best = min(history["validation loss"])
    assert nn.evaluate(model, (X, -y), nn.MSELoss())["loss"] == pytest.approx(best)


def test_an_interruption_keeps_model_and_history():
    nn.manual_seed(0)
    model = nn.Linear(1, 1)
    X, y = line(8)
    calls = []

    def loss(output, target):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return nn.MSELoss()(output, target)

    history = nn.fit(model, (X, y), loss, nn.optim.SGD(model.parameters(), lr=0.1), 10, batch_size=4, progress=False)
    assert history.interrupted and len(history) == 3
    assert np.isfinite(model(X).data).all()
    assert all(p.grad is None for p in model.parameters())
    assert fit(model, (X, y), 2)["loss"][-1] < history["loss"][0]


def test_the_scheduler_steps_once_an_epoch():
    model = nn.Linear(1, 1)
    optimizer = nn.optim.SGD(model.parameters(), lr=1.0)
    scheduler = nn.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    nn.fit(model, line(), nn.MSELoss(), optimizer, 3, scheduler=scheduler, batch_size=10, progress=False)
    assert scheduler.get_last_lr() == [0.125]


def test_modes_are_set_and_given_back():
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    seen = []
    model[1].register_forward_hook(lambda module, inputs, output: seen.append(module.training))
    fit(model, line(4), 1, batch_size=4, validation=line(4))
    assert seen == [True, False] and not model.training
    model.train()
    model[1].eval()  # frozen on its own
    nn.evaluate(model, line(4), nn.MSELoss())
    assert [module.training for module in model.modules()] == [True, True, False]


@pytest.mark.parametrize("options", [{"epochs": 0}, {"epochs": 1, "patience": 2}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="fit"):
        fit(nn.Linear(1, 1), line(), **options)


def test_accuracy_of_logits_and_scores():
    assert nn.accuracy(nn.tensor([[1.0, 2.0], [2.0, 1.0]]), nn.tensor([1, 1])) == 0.5
    assert nn.accuracy(nn.tensor([[1.0], [-2.0]]), nn.tensor([1.0, 0.0])) == 1.0


def test_the_last_curves_are_drawn_also_after_an_early_stop(monkeypatch):
    curves = pytest.importorskip("nnlib.widgets.curves")
    seen = []
    monkeypatch.setattr(curves.TrainingCurves, "update", lambda self, done, total, **row: seen.append(done))
    monkeypatch.setattr(curves.TrainingCurves, "finish", lambda self: seen.append("finished"))
    model = nn.Linear(1, 1)
    X, y = line()
    optimizer = nn.optim.SGD(model.parameters(), lr=0.3)
    history = nn.fit(model, (X, y), nn.MSELoss(), optimizer, 50, validation=(X, -y), patience=2, progress="a line")
    assert history.stopped_early and seen[-1] == "finished" and seen[-2] == len(history)
