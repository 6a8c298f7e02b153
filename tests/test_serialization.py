"""States survive a round trip, an interruption, and a look by somebody who distrusts pickles."""

import os
import pickle

import numpy as np
import pytest

import nnlib as nn


def trained():
    nn.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        loss = nn.CrossEntropyLoss()(model(nn.randn(5, 3)), nn.tensor([0, 1, 0, 1, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, optimizer


def test_model_and_optimizer_continue_where_they_stopped(tmp_path):
    model, optimizer = trained()
    nn.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "run.npz")
    saved = nn.load(tmp_path / "run.npz")
    nn.manual_seed(1)
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    second = nn.optim.Adam(other.parameters(), lr=0.5)
    other.load_state_dict(saved["model"])
    second.load_state_dict(saved["optimizer"])
    assert saved["epoch"] == 3
    x, y = nn.randn(5, 3), nn.tensor([0, 1, 1, 0, 1])
    for net, opt in ((model, optimizer), (other, second)):
        opt.zero_grad()
        nn.CrossEntropyLoss()(net(x), y).backward()
        opt.step()
    for a, b in zip(model.parameters(), other.parameters()):
        assert (a == b).all()


def test_structure_comes_back_as_it_was(tmp_path):
    state = {"a": [nn.arange(3), (1, 2.5, None, True)], 7: {"text": "x"}, "empty": {}}
    nn.save(state, tmp_path / "s.npz")
    back = nn.load(tmp_path / "s.npz")
    assert back["a"][0].tolist() == [0, 1, 2]
    assert back["a"][1] == (1, 2.5, None, True)
    assert back[7] == {"text": "x"} and back["empty"] == {}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_may_be_read_by_whom_other_new_files_may(tmp_path):
    (tmp_path / "other").touch()
    nn.save({"w": np.ones(2)}, tmp_path / "w.npz")
    assert (tmp_path / "w.npz").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("moment", ["savez", "fsync", "replace"])
def test_an_interrupted_save_keeps_the_old_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "model.npz"
    nn.save({"w": np.ones(3)}, path)

    def half(file, *rest, **arrays):
        if moment == "savez":
            file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np if moment == "savez" else os, moment, half)
    with pytest.raises(KeyboardInterrupt):
        nn.save({"w": np.zeros(3)}, path)
    assert nn.load(path)["w"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_loading_never_runs_a_pickle(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    (tmp_path / "a.npz").write_bytes(pickle.dumps(Bomb()))
    np.savez(tmp_path / "b.npz", x=np.array([Bomb()], dtype=object))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(ValueError, match="no complete .npz"):
            nn.load(tmp_path / name)


def test_a_cut_off_file_is_named(tmp_path):
    path = tmp_path / "model.npz"
    nn.save({"w": np.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="model.npz"):
        nn.load(path)


def test_what_does_not_fit_is_named_and_nothing_is_copied(tmp_path):
    model, _ = trained()
    state = dict(model.state_dict())
    state["0.weight"] = np.zeros((4, 9), np.float32)
    state["extra"] = state.pop("2.bias")
    before = [p.data.copy() for p in model.parameters()]
    with pytest.raises(ValueError, match=r"0\.weight: expected shape \(4, 3\), got \(4, 9\)") as error:
        model.load_state_dict(state)
    assert "2.bias: missing" in str(error.value) and "extra: unexpected" in str(error.value)
    assert all((p.data == b).all() for p, b in zip(model.parameters(), before))


def test_safetensors_through_its_own_library(tmp_path):
    pytest.importorskip("safetensors")
    model, _ = trained()
    nn.save(model.state_dict(), tmp_path / "m.safetensors")
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    other.load_state_dict(nn.load(tmp_path / "m.safetensors"))
    assert all((a == b).all() for a, b in zip(model.parameters(), other.parameters()))


@pytest.mark.parametrize("thing", [object(), {"f": print}, {(1, 2): 3}])
def test_what_cannot_be_saved_is_refused(tmp_path, thing):
    with pytest.raises(TypeError, match="save"):
        nn.save(thing, tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []
