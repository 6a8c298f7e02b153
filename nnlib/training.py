"""The training loop, and what to keep of it: ``fit``, ``evaluate`` and ``History``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .autograd import no_grad
from .core import Tensor, _check_integer, _check_tensor
from .data import DataLoader, TensorDataset
from .module import Module

__all__ = ["History", "accuracy", "evaluate", "fit"]


class History:
    """One row of numbers per finished epoch; ``history["loss"]`` is a column.

    ``interrupted`` says that the user stopped the training, ``stopped_early`` that ``patience`` did.

    >>> history = nn.History(); history.rows.append({"loss": 0.5}); history["loss"]
    [0.5]
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.interrupted = False
        self.stopped_early = False

    def __getitem__(self, name: str) -> list[float]:
        if self.rows and name not in self.rows[0]:
            raise KeyError(f"History: there is no column {name!r}; there are {', '.join(self.rows[0])}.")
        return [row[name] for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"History({len(self.rows)} epochs: {', '.join(self.rows[0]) if self.rows else 'nothing yet'})"


def accuracy(output: Tensor, target: Tensor) -> float:
    """Share of right answers: argmax of logits (N, K) against classes, or the sign of logits (N,) against 0 and 1.

    No PyTorch counterpart (torchmetrics has one).

    >>> nn.accuracy(nn.tensor([[0.1, 2.0], [3.0, 1.0]]), nn.tensor([1, 1]))
    0.5
    """
    _check_tensor("accuracy", "output", output)
    _check_tensor("accuracy", "target", target)
    scores, labels = output.data, target.data
    if scores.ndim == labels.ndim + 1 and scores.shape[-1] > 1:
        scores = scores.argmax(-1)
    elif scores.size == labels.size:
        scores, labels = scores.reshape(labels.shape) > 0, labels > 0
    if scores.shape != labels.shape:
        raise ValueError(
            f"accuracy: output {output.shape} needs a target {output.shape[:-1]} of class indices, or one of its own "
            f"shape; got {target.shape}. Pass the targets of the same rows."
        )
    return float((scores == labels).mean())


def _check_learning(name: str, model: Any, loss: Any) -> None:
    if not isinstance(model, Module):
        raise TypeError(f"{name}: model must be a Module, got {type(model).__name__}. Use nn.Sequential(...).")
    if isinstance(loss, type) or not callable(loss):
        came = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
        raise TypeError(f"{name}: loss must be a function of (output, target), got {came}. Use nn.MSELoss().")


def _loader(data: Any, batch_size: int, shuffle: bool) -> Any:
    """A loader for (X, y), a dataset or a loader."""
    if isinstance(data, (tuple, list)) and any(isinstance(t, (Tensor, np.ndarray)) for t in data):
        data = TensorDataset(*data)
    if hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        return data
    return DataLoader(data, batch_size, shuffle)


def _pairs(name: str, loader: Any) -> Iterator[Any]:
    for batch in loader:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            came = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
            raise ValueError(f"{name}: data must give pairs (x, y), got {came}. Pass (X, y), or a dataset of pairs.")
        yield batch


def _scores(value: Tensor, output: Any, target: Any, metrics: Any) -> dict[str, float]:
    return {"loss": value.item(), **{name: float(metric(output, target)) for name, metric in metrics.items()}}


def _means(scores: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Means over all examples from (size, means) of batches."""
    total = sum(size for size, _ in scores)
    names = scores[0][1] if scores else ()
    return {name: sum(size * batch[name] for size, batch in scores) / total for name in names}


def evaluate(
    model: Module, data: Any, loss: Callable[..., Tensor], metrics: Mapping[str, Callable[..., float]] | None = None,
    batch_size: int = 256,
) -> dict[str, float]:  # fmt: skip
    """Loss and metrics over all examples, in evaluation mode and without recording.

    >>> X, y = nn.tensor([[1.0], [2.0]]), nn.tensor([[1.0], [3.0]])
    >>> nn.evaluate(nn.Identity(), (X, y), nn.MSELoss())
    {'loss': 0.5}
    """
    _check_learning("evaluate", model, loss)
    modes, scores = [(module, module.training) for module in model.modules()], []
    model.eval()
    try:
        with no_grad():
            for x, y in _pairs("evaluate", _loader(data, batch_size, shuffle=False)):
                output = model(x)
                scores.append((len(x), _scores(loss(output, y), output, y, metrics or {})))
    finally:
        for module, training in modes:  # a frozen BatchNorm stays in its own mode
            module.training = training
    return _means(scores)


def fit(
    model: Module, data: Any, loss: Callable[..., Tensor], optimizer: Any, epochs: int,
    metrics: Mapping[str, Callable[..., float]] | None = None, validation: Any = None, batch_size: int = 32,
    scheduler: Any = None, patience: int | None = None, progress: bool | str = True,
) -> History:  # fmt: skip
    """Train: for each epoch, for each batch, forward, loss, backward, step.  No PyTorch counterpart.

    ``data`` and ``validation`` are (X, y), a dataset (shuffled in batches of ``batch_size``) or a DataLoader.
    ``metrics`` maps names to functions of (output, target), e.g. ``{"accuracy": nn.accuracy}``; columns of the
    validation data are called ``validation loss`` and so on. ``patience=k`` stops after k epochs without a better
    validation loss and brings back the best parameters. ``progress`` shows a bar and live curves in a
    notebook, a line in a terminal; a text is its title. Interrupting the kernel ends the training, keeps the model
    and the finished epochs.

    >>> X = nn.linspace(-1, 1, 20).reshape(20, 1); model = nn.Linear(1, 1)
    >>> history = nn.fit(model, (X, 3 * X), nn.MSELoss(), nn.optim.SGD(model.parameters(), lr=0.5), 30, progress=False)
    >>> history["loss"][-1] < 1e-3
    True
    """
    _check_learning("fit", model, loss)
    _check_integer("fit", fix=10, epochs=epochs)
    if patience is not None and validation is None:
        raise ValueError("fit: patience needs validation data to judge by. Pass validation=(X, y).")
    metrics = metrics or {}
    loader = _loader(data, batch_size, shuffle=True)
    history = History()
    show, finish = _display(progress)
    best, waited, best_state = np.inf, 0, None
    try:
        for epoch in range(epochs):
            model.train()
            scores = []
            for i, (x, y) in enumerate(_pairs("fit", loader)):
                output = model(x)
                value = loss(output, y)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                scores.append((len(x), _scores(value, output, y, metrics)))
                show(epoch + (i + 1) / len(loader), epochs, {})
            row = _means(scores)
            if validation is not None:
                held_out = evaluate(model, validation, loss, metrics)
                row.update({f"validation {name}": value for name, value in held_out.items()})
            history.rows.append(row)
            show(epoch + 1, epochs, row)
            if scheduler is not None:
                scheduler.step()
            if patience is not None:
                waited += 1
                if row["validation loss"] < best:
                    best, waited = row["validation loss"], 0
                    best_state = {key: array.copy() for key, array in model.state_dict().items()}
                if waited >= patience:
                    history.stopped_early = True
                    break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        optimizer.zero_grad()
        finish()
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
    return history


def _display(progress: bool | str) -> tuple[Callable[[float, int, dict[str, float]], None], Callable[[], None]]:
    """How to show progress here, and how to end: curves where the course's widgets are installed, else nothing."""
    if progress:
        try:
            from .widgets.curves import TrainingCurves
        except ImportError:
            pass
        else:
            curves = TrainingCurves(progress if isinstance(progress, str) else "training")
            return lambda done, total, row: curves.update(done, total, **row), curves.finish
    return lambda done, total, row: None, lambda: None
