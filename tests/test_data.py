"""Datasets, loaders, generators; downloads against a local server that truncates, corrupts, stalls and refuses."""

import gzip
import hashlib
import io
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import nnlib as nn
from nnlib import data, download

# ------------------------------------------------------------------------------------------ loaders


def test_an_epoch_visits_every_example_once():
    nn.manual_seed(0)
    loader = data.DataLoader(data.TensorDataset(nn.arange(10)), batch_size=3, shuffle=True)
    epochs = [[int(i) for (batch,) in loader for i in batch] for _ in range(2)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_drop_last_and_length():
    loader = data.DataLoader(data.TensorDataset(nn.arange(10)), batch_size=3, drop_last=True)
    assert len(loader) == 3 == len(list(loader))


def test_batch_sampler_decides():
    loader = data.DataLoader(data.TensorDataset(nn.arange(5)), batch_sampler=[[4, 4], [0]])
    assert [batch.tolist() for (batch,) in loader] == [[4, 4], [0]]


def test_subset_of_subset_and_general_datasets_agree():
    class Rows(data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return nn.tensor([float(i)]), i

    plain = data.TensorDataset(nn.arange(6, dtype=nn.float32).reshape(6, 1), nn.arange(6))
    for source in (plain, Rows()):
        nested = data.Subset(data.Subset(source, [1, 3, 5]), [2, 0])
        ((x, y),) = data.DataLoader(nested, batch_size=2)
        assert x.tolist() == [[5.0], [1.0]] and y.tolist() == [5, 1]  # in the order of the indices


def test_examples_may_be_dicts_arrays_and_numbers():
    class Records(data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return {"id": i, "pixels": np.full(2, i, np.float32), "pair": (nn.tensor(i), i / 2)}

    first, second = data.DataLoader(Records(), batch_size=2)
    assert list(first) == ["id", "pixels", "pair"]
    assert (first["id"].tolist(), first["pixels"].tolist()) == ([0, 1], [[0, 0], [1, 1]])
    assert [t.tolist() for t in first["pair"]] == [[0, 1], [0, 0.5]]
    assert (second["id"].tolist(), second["pixels"].shape) == ([2], (1, 2))


def test_random_split_is_a_partition_and_repeatable():
    dataset = data.TensorDataset(nn.arange(11))
    parts = data.random_split(dataset, [0.5, 0.25, 0.25], seed=1)
    assert [len(p) for p in parts] == [6, 3, 2]
    assert sorted(int(p[i][0]) for p in parts for i in range(len(p))) == list(range(11))
    again, other = (data.random_split(dataset, [0.5, 0.25, 0.25], seed=seed) for seed in (1, 2))
    assert (parts[0].indices == again[0].indices).all()
    assert parts[0].indices.tolist() not in (other[0].indices.tolist(), list(range(6)))  # shuffled, by the seed


def test_train_test_split_keeps_rows_together():
    X = nn.arange(20, dtype=nn.float32).reshape(10, 2)
    X_train, X_test, y_train, y_test = data.train_test_split(X, nn.arange(10), test_size=0.3)
    assert len(X_test) == 3
    for part, labels in ((X_train, y_train), (X_test, y_test)):
        assert (part[:, 0] == 2 * labels).all()


def test_real_data_has_its_published_sizes():
    pytest.importorskip("sklearn")
    sizes = {"digits": (1797, 64), "breast_cancer": (569, 30), "wine": (178, 13), "diabetes": (442, 10)}
    for name, shape in sizes.items():
        X, y = getattr(data, name)()
        assert X.shape == shape and len(y) == shape[0] and X.dtype == nn.float32
    assert data.digits(images=True)[0].shape == (1797, 1, 8, 8)
    assert np.bincount(data.digits()[1].data).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    for photo in data.photographs():
        assert photo.shape == (3, 427, 640) and 0 <= photo.min().item() < photo.max().item() <= 1


@pytest.mark.parametrize("name", ["moons", "rings", "spirals", "blobs", "xor", "kangaroos", "houses"])
def test_generators_are_seeded(name):
    make = getattr(data, name)
    (X, y), (again, _), (other, _) = make(30, seed=3), make(30, seed=3), make(30, seed=4)
    assert (X == again).all() and not (X == other).all()
    assert len(X) == len(y) == 30 and X.dtype == nn.float32


# ------------------------------------------------------------------------------------------ downloads

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8))
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT, and misbehaves as the first part of the path says."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.log, self.files = [], {}
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        manner, name = self.path.strip("/").split("/", 1)
        asked = self.headers.get("Range")
        self.server.log.append((manner, asked))
        body = self.server.files.get(name, CONTENT)
        if manner == "refuse":
            return self.send_error(503)
        if manner == "corrupt":
            body = b"x" * len(body)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and manner != "no-range" else 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        first_time = sum(m == manner for m, _ in self.server.log) == 1
        if manner in ("truncate", "always-truncate") and (first_time or manner == "always-truncate"):
            self.wfile.write(body[start : start + 100_000])
        elif manner == "stall":
            self.wfile.write(body[start : start + 1000])
            self.wfile.flush()
            self.server.release.wait(5)
        else:
            self.wfile.write(body[start:])


@pytest.fixture
def server():
    with Server() as running:
        yield running
        running.release.set()
        running.shutdown()


def get(server, tmp_path, *manners, timeout=0.3):
    return download.fetch("file.bin", SUM, [f"{server.url}/{m}" for m in manners], tmp_path, timeout)


def test_downloads_once(server, tmp_path):
    assert get(server, tmp_path, "good").read_bytes() == CONTENT
    assert get(server, tmp_path, "good").read_bytes() == CONTENT
    assert server.log == [("good", None)]
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_a_truncated_download_is_continued(server, tmp_path):
    assert get(server, tmp_path, "truncate").read_bytes() == CONTENT
    assert server.log == [("truncate", None), ("truncate", "bytes=100000-")]


def test_a_part_left_by_an_interrupted_run_is_continued(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1234])
    assert get(server, tmp_path, "good").read_bytes() == CONTENT
    assert server.log == [("good", "bytes=1234-")]


def test_a_server_without_ranges_starts_afresh(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1234])
    assert get(server, tmp_path, "no-range").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    assert get(server, tmp_path, "good").read_bytes() == CONTENT


@pytest.mark.parametrize("bad", ["corrupt", "refuse", "stall", "always-truncate"])
def test_a_bad_mirror_is_left_for_the_next(server, tmp_path, bad):
    assert get(server, tmp_path, bad, "good").read_bytes() == CONTENT


def test_a_damaged_cache_is_downloaded_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1])
    assert get(server, tmp_path, "good").read_bytes() == CONTENT


@pytest.mark.parametrize("bad", ["corrupt", "refuse", "stall"])
def test_failure_names_every_mirror_and_the_way_out(server, tmp_path, bad):
    started = time.monotonic()
    with pytest.raises(ConnectionError, match="by hand") as error:
        get(server, tmp_path, bad)
    assert f"/{bad}/file.bin" in str(error.value) and str(tmp_path / "file.bin") in str(error.value)
    assert not (tmp_path / "file.bin").exists()
    assert time.monotonic() - started < 4  # a stall is bounded by the timeout


def test_nobody_listening_is_said_so(tmp_path):
    with pytest.raises(ConnectionError, match="Connect to the network"):
        download.fetch("file.bin", SUM, ["http://127.0.0.1:9"], tmp_path, 0.5)


def test_a_wrong_file_never_passes(server, tmp_path):
    with pytest.raises(ConnectionError, match="SHA-256"):
        download.fetch("file.bin", "0" * 64, [f"{server.url}/good"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def test_mnist_reads_the_real_format(server, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (5, 28, 28), dtype=np.uint8), np.arange(5, dtype=np.uint8)
    files = {"t10k-images-idx3-ubyte.gz": idx(images), "t10k-labels-idx1-ubyte.gz": idx(labels)}
    server.files.update(files)
    monkeypatch.setenv("NNLIB_DATA", str(tmp_path))
    for name, sums in (("mnist", "_MNIST_SHA256"), ("fashion-mnist", "_FASHION_SHA256")):
        monkeypatch.setitem(data._MIRRORS, name, (f"{server.url}/good",))
        for file, content in files.items():
            monkeypatch.setitem(getattr(data, sums), file, hashlib.sha256(content).hexdigest())
        dataset = {"mnist": data.mnist, "fashion-mnist": data.fashion_mnist}[name](train=False)
        X, y = dataset.tensors
        assert X.shape == (5, 1, 28, 28) and X.dtype == nn.float32 and y.tolist() == list(range(5))
        np.testing.assert_allclose(X.data[:, 0] * 255, images, atol=1e-4)


def test_cifar10_reads_the_real_format(server, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8), np.array([3, 1, 4, 1], np.uint8)
    rows = np.concatenate([labels[:, None], images.reshape(4, -1)], 1).tobytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.size = len(rows)
        archive.addfile(member, io.BytesIO(rows))
    server.files["cifar-10-binary.tar.gz"] = packed.getvalue()
    monkeypatch.setenv("NNLIB_DATA", str(tmp_path))
    monkeypatch.setitem(data._MIRRORS, "cifar-10", (f"{server.url}/good",))
    checksum = hashlib.sha256(packed.getvalue()).hexdigest()
    monkeypatch.setitem(data._CIFAR10_SHA256, "cifar-10-binary.tar.gz", checksum)
    X, y = data.cifar10(train=False).tensors
    assert y.tolist() == [3, 1, 4, 1]
    np.testing.assert_allclose(X.data * 255, images, atol=1e-4)


def test_a_file_of_another_format_is_named(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"hello there"))
    with pytest.raises(ValueError, match="no IDX file"):
        data._idx(path)


def test_the_cache_is_where_each_system_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("NNLIB_DATA", raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for system, folder in {"linux": ".cache", "darwin": "Library/Caches", "win32": "Local"}.items():
        monkeypatch.setattr("sys.platform", system)
        assert download.cache_folder() == tmp_path / folder / "nnlib"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert download.cache_folder() == tmp_path / "x" / "nnlib"
    monkeypatch.setenv("NNLIB_DATA", str(tmp_path / "mine"))
    assert download.cache_folder() == tmp_path / "mine"
