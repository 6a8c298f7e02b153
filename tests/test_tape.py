"""The capstone's seam: an array tape of about 90 lines trains what the library trains."""

from __future__ import annotations

import ast
import linecache
import math
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlib as nn
from nnlib.course import CourseError, checkout, tape
from nnlib.course.lessons import cells_of, read_notebook

TAPE = Path(tape.__file__).read_text(encoding="utf-8")


def wrong(**changes: Any) -> types.SimpleNamespace:
    """The tape with some of its functions replaced."""
    return types.SimpleNamespace(
        **({name: getattr(tape, name) for name in tape.INTERFACE} | changes)
    )


def test_every_operation_agrees_with_the_library_in_float64() -> None:
    differences = tape.judge(tape)
    assert len(differences) == 13
    assert max(differences.values()) < 1e-14


def test_the_gradients_agree_with_centred_differences() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 2, 4, 4)), rng.standard_normal((3, 2, 3, 3))
    v, t = rng.standard_normal((4, 12)), np.array([3, 0])

    def loss(*arrays: Any) -> Any:
        x, w, v = (a if isinstance(a, tape.Value) else tape.Value(a) for a in arrays)
        h = tape.relu(tape.conv2d(x, w, padding=1))
        return tape.cross_entropy(tape.linear(tape.max_pool2d(h, 2).flatten(1), v), t)

    values = [tape.Value(a) for a in (x, w, v)]
    loss(*values).backward()
    for i, value in enumerate(values):
        numeric = np.zeros_like(value.data)
        for place in np.ndindex(value.shape):
            up, down = ([a.copy() for a in (x, w, v)] for _ in range(2))
            up[i][place] += 1e-6
            down[i][place] -= 1e-6
            numeric[place] = (loss(*up).item() - loss(*down).item()) / 2e-6
        np.testing.assert_allclose(value.grad, numeric, atol=1e-8)


@pytest.mark.parametrize(
    ("changes", "caught"),
    [
        ({"relu": lambda x: tape.Value(np.maximum(tape.raw(x), 0), [(x, lambda g: g)])}, "relu"),
        ({"linear": lambda x, w, b=None: tape.linear(x, w)}, "linear"),
        ({"max_pool2d": tape.avg_pool2d}, "max_pool2d"),
        ({"avg_pool2d": tape.max_pool2d}, "avg_pool2d"),
        ({"conv2d": lambda x, w, b=None, stride=1, padding=0: tape.conv2d(x, w, b)}, "conv2d, stride 2, padding 1"),
        (
            {"cross_entropy": lambda z, t: tape.Value((c := tape.cross_entropy(z, t)).data, [(c, lambda g: 2 * g)])},
            "cross_entropy",
        ),
    ],
)  # fmt: skip
def test_the_judge_names_the_wrong_operation(changes: dict[str, Any], caught: str) -> None:
    difference = tape.judge(wrong(**changes))[caught]
    assert difference > 1e-3 or math.isnan(difference)


def test_a_value_used_twice_gets_the_sum_and_a_long_chain_is_walked() -> None:
    x = tape.Value(np.array([1.0, -2.0]))
    y = x
    for _ in range(3000):
        y = y + x
    y.backward()
    assert x.grad.tolist() == [3001.0, 3001.0]


def test_data_gets_no_gradient_and_float32_stays() -> None:
    x, layer = nn.ones(2, 3), nn.Linear(3, 2)
    loss = tape.cross_entropy(tape.linear(x, layer.weight, layer.bias), nn.tensor([0, 1]))
    loss.backward()
    assert x.grad is None
    assert loss.data.dtype == layer.weight.grad.dtype == layer.bias.grad.dtype == np.float32


class Net(nn.Module):
    """Its forward asks F for every operation, as lessons 15 and 16 write it."""

    def __init__(self, F: Any) -> None:
        super().__init__()
        self.F = F
        self.conv, self.fc = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 4 * 4, 10)

    def forward(self, x: Any) -> Any:
        F = self.F
        h = F.relu(F.conv2d(x, self.conv.weight, self.conv.bias, padding=1))
        return F.linear(F.max_pool2d(h, 2).flatten(1), self.fc.weight, self.fc.bias)


def trained(F: Any, X: nn.Tensor, y: nn.Tensor, epochs: int) -> Net:
    nn.manual_seed(0)
    net = Net(F)
    optimizer = nn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    batches = nn.data.DataLoader(nn.data.TensorDataset(X, y), batch_size=64, shuffle=True)
    for _ in range(epochs):
        for rows, classes in batches:
            optimizer.zero_grad()
            F.cross_entropy(net(rows), classes).backward()
            optimizer.step()
    return net


def test_the_digits_reach_97_percent_in_20_epochs() -> None:
    X, y = nn.data.digits(images=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, held_out = order[360:], order[:360]
    net = trained(tape, X[train], y[train], epochs=20)
    right = net(X[held_out]).data.argmax(1) == y[held_out].numpy()
    assert right.mean() >= 0.97


def test_the_same_net_takes_the_same_steps_on_both_engines() -> None:
    X, y = nn.data.digits(images=True)
    X, y = X[:256].double(), y[:256]
    nets = []
    for F in (nn.functional, tape):
        nn.set_default_dtype(nn.float64)
        try:
            nets.append(trained(F, X, y, epochs=2))
        finally:
            nn.set_default_dtype(nn.float32)
    for ours, theirs in zip(*(net.parameters() for net in nets)):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-9)


# ---------------------------------------------------------------- keep and use


def as_notebook(pieces: dict[str, str]) -> dict[str, Any]:
    """Run each text as a cell of one notebook, as IPython does: a file name and lines for each."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for name, text in pieces.items():
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
        exec(compile(text, name, "exec"), space)
    return space


def cells_of_the_tape() -> dict[str, str]:
    """The tape's own text, one definition in each cell, and in each a line that must not be kept."""
    parts = [
        node for node in ast.parse(TAPE).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    until = next(i for i, node in enumerate(parts) if node.name == "judge")
    texts = {"<cell 0>": "import numpy as np\n"}
    for i, node in enumerate(parts[:until], 1):
        body = ast.get_source_segment(TAPE, node)
        texts[f"<cell {i}>"] = f"from __future__ import annotations\n{body}\nleft_out = {i}\n"
    return texts


NAMES = [
    "Value", "raw", "topological", "unbroadcast", "linear", "relu", "cross_entropy", "patches", "conv2d",
    "to_cells", "from_cells", "max_pool2d", "avg_pool2d",
]  # fmt: skip


@pytest.fixture
def space() -> dict[str, Any]:
    return as_notebook(cells_of_the_tape())


def test_a_kept_tape_is_found_in_a_later_lesson(space, tmp_path, monkeypatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tape, "checkout", lambda: tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    kept = tape.keep(*(space[name] for name in NAMES))
    assert (tmp_path / "work" / tape.FILE).is_file() and not hasattr(kept, "left_out")
    later = tape.mine()
    assert later is not tape and later is not kept
    assert max(tape.judge(later).values()) < 1e-14


def test_the_tape_that_lesson_11_writes_is_accepted(monkeypatch) -> None:
    monkeypatch.setattr(tape, "_folder", lambda: None)
    notebook = read_notebook(checkout() / "notebooks" / "11-modules.ipynb")
    cells = {
        c.id: c.source for c in cells_of(notebook) if c.kind == "code" and c.id.startswith("tape-")
    }
    keep = cells.pop("tape-judge").partition("mine = ")[2].partition("\nfor ")[0]
    cells = {"start": "import numpy as np\n"} | {
        id: text.partition("\nprint(")[0] for id, text in cells.items()
    }
    kept = eval(keep, as_notebook(cells) | {"tape": tape})
    assert len(tape.judge(kept)) == 13 and max(tape.judge(kept).values()) < 1e-14
    assert not hasattr(kept, "start") and not hasattr(kept, "ones")


def test_outside_the_learners_folder_nothing_is_written_and_the_reference_serves(
    space, tmp_path, monkeypatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(tape, "checkout", lambda: tmp_path)
    monkeypatch.chdir(tmp_path / "notebooks")
    tape.keep(*(space[name] for name in NAMES))
    assert not list((tmp_path / "work").iterdir()) and tape.mine() is tape


def test_a_line_that_attaches_a_method_is_kept(space, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tape, "_folder", lambda: None)
    text = "def twice(self):\n    return self + self\n\nValue.twice = twice\nnumber = 3\n"
    linecache.cache["<attached>"] = len(text), None, text.splitlines(keepends=True), "<attached>"
    exec(compile(text, "<attached>", "exec"), space)
    kept = tape.keep(*(space[name] for name in NAMES), space["twice"])
    assert kept.Value(2.0).twice().item() == 4


def test_an_incomplete_tape_says_what_is_missing(space, monkeypatch) -> None:
    monkeypatch.setattr(tape, "_folder", lambda: None)
    with pytest.raises(CourseError, match="no relu"):
        tape.keep(*(space[name] for name in NAMES if name != "relu"))
    with pytest.raises(CourseError, match="uses 'unbroadcast', which was not passed"):
        tape.keep(*(space[name] for name in NAMES if name != "unbroadcast"))


def test_a_damaged_file_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tape, "_folder", lambda: tmp_path)
    (tmp_path / tape.FILE).write_text("1 / 0\n")
    with pytest.raises(CourseError, match="ZeroDivisionError.*Run lesson 11 again"):
        tape.mine()
    (tmp_path / tape.FILE).write_text("class Value: pass\n")
    with pytest.raises(CourseError, match="has no linear"):
        tape.mine()
