"""Data: datasets and loaders, real data sets that need no network, and generators where a shape is the point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import cuda
from .core import Tensor, _check_integer, as_tensor, get_default_dtype, tensor
from .device import rng
from .download import cache_folder, fetch
from .ops import stack

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DataLoader", "Dataset", "Subset", "TensorDataset", "blobs", "breast_cancer", "cifar10", "diabetes",
    "digits", "fashion_mnist", "houses", "kangaroos", "mnist", "moons", "photographs", "random_split",
    "rings", "spirals", "train_test_split", "wine", "xor",
]  # fmt: skip

# ---------------------------------------------------------------------------------------------- datasets, loaders


class Dataset:
    """Examples by number: write ``__getitem__(i)`` and ``__len__``.  PyTorch: ``torch.utils.data.Dataset``.

    >>> class Squares(nn.data.Dataset):
    ...     def __len__(self): return 3
    ...     def __getitem__(self, i): return nn.tensor(float(i)), nn.tensor(float(i * i))
    >>> [y.tolist() for x, y in nn.data.DataLoader(Squares(), batch_size=2)]
    [[0.0, 1.0], [4.0]]
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: write __getitem__(self, index) that returns one example.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: write __len__(self) that counts the examples.")


class TensorDataset(Dataset):
    """Tensors with one example per row; an example is a tuple of rows.  PyTorch: ``torch.utils.data.TensorDataset``.

    >>> data = nn.data.TensorDataset(nn.zeros(5, 2), nn.arange(5))
    >>> len(data), data[3][1].item()
    (5, 3)
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset: needs at least one tensor. Use TensorDataset(X, y).")
        self.tensors = tuple(as_tensor(t) for t in tensors)
        lengths = [len(t) for t in self.tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"TensorDataset: tensors must have equal lengths, got {lengths}. One row is one example.")

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """Some examples of a dataset, by their numbers.  PyTorch: ``torch.utils.data.Subset``.

    >>> nn.data.Subset(nn.data.TensorDataset(nn.arange(5)), [4, 2])[0][0].item()
    4
    """

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        self.dataset, self.indices = dataset, np.asarray(indices)

    def __getitem__(self, index: Any) -> Any:
        chosen = self.indices[index.data if isinstance(index, Tensor) else index]
        return self.dataset[chosen if isinstance(self.dataset, (TensorDataset, Subset)) else int(chosen)]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Dataset, lengths: Sequence[Any], seed: int | None = None) -> list[Subset]:
    """Shuffle and cut into parts of given lengths, or fractions that add up to 1.  PyTorch: ``random_split``.

    ``seed`` fixes this split alone (PyTorch passes a generator).

    >>> [len(part) for part in nn.data.random_split(nn.data.TensorDataset(nn.zeros(10)), [0.8, 0.2])]
    [8, 2]
    """
    n, sizes = len(dataset), list(lengths)
    if math.isclose(sum(sizes), 1) and all(0 <= s <= 1 for s in sizes) and n != 1:
        sizes = [math.floor(n * s) for s in sizes]
        for i in range(n - sum(sizes)):  # what rounding left over goes to the first parts, one each
            sizes[i % len(sizes)] += 1
    if sum(sizes) != n:
        raise ValueError(f"random_split: lengths {list(lengths)} must add up to {n} examples or to 1. Use [0.8, 0.2].")
    order = _generator(seed).permutation(n)
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends)]


def train_test_split(*tensors: Tensor, test_size: float = 0.2, seed: int = 0) -> list[Tensor]:
    """Shuffle rows and cut: X_train, X_test, y_train, y_test for X, y.  scikit-learn's function of that name.

    ``test_size`` is a fraction or a number of rows.

    >>> [len(t) for t in nn.data.train_test_split(nn.zeros(10, 2), nn.arange(10), test_size=3)]
    [7, 3, 7, 3]
    """
    n = len(tensors[0])
    held_out = test_size if isinstance(test_size, int) else round(n * test_size)
    if not 0 < held_out < n:
        raise ValueError(f"train_test_split: test_size {test_size} leaves {n - held_out} of {n} rows. Use 0.2.")
    order = np.random.default_rng(seed).permutation(n)
    return [t.detach()[part] for t in tensors for part in (order[held_out:], order[:held_out])]


class DataLoader:
    """Batches of a dataset, one pass an epoch.  PyTorch: ``torch.utils.data.DataLoader``.

    ``shuffle`` draws a new order each epoch. ``batch_sampler``, an iterable of index lists, replaces both.
    ``pin_memory`` puts batches into page-locked memory, from which ``to("cuda")`` neither waits nor makes a detour, and
    has the next batch of a TensorDataset ready while this one is used; without a GPU it changes nothing.

    >>> loader = nn.data.DataLoader(nn.data.TensorDataset(nn.arange(5)), batch_size=2)
    >>> [batch.tolist() for batch, in loader], len(loader)
    ([[0, 1], [2, 3], [4]], 3)
    """

    def __init__(
        self, dataset: Dataset, batch_size: int = 1, shuffle: bool = False, drop_last: bool = False,
        batch_sampler: Iterable[Any] | None = None, pin_memory: bool = False,
    ) -> None:  # fmt: skip
        _check_integer("DataLoader", fix=32, batch_size=batch_size)
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            kind = type(dataset).__name__
            raise TypeError(f"DataLoader: dataset must be a Dataset, got {kind}. Use TensorDataset(X, y).")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.batch_sampler, self.pin_memory = batch_sampler, pin_memory

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory and cuda.is_available():
            source, _ = self._behind([])
            return cuda.pinned_batches(self._batch, self._indices(), ahead=isinstance(source, TensorDataset))
        return map(self._batch, self._indices())

    def _indices(self) -> Iterator[Any]:
        if self.batch_sampler is not None:
            yield from map(np.asarray, self.batch_sampler)
            return
        n = len(self.dataset)
        order = rng().permutation(n) if self.shuffle else np.arange(n)
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]

    def _behind(self, rows: Any) -> tuple[Any, Any]:
        """The dataset behind subsets, and the numbers that ``rows`` have there."""
        source: Any = self.dataset
        while isinstance(source, Subset):
            source, rows = source.dataset, source.indices[rows]
        return source, rows

    def _batch(self, indices: Any) -> Any:
        source, rows = self._behind(indices)
        if isinstance(source, TensorDataset):  # rows of arrays at once
            return tuple(t.detach()[rows] for t in source.tensors)
        return _collate([source[int(i)] for i in rows])


def _collate(examples: list[Any]) -> Any:
    """A batch from single examples: tuples field by field, tensors and numbers stacked."""
    first = examples[0]
    if isinstance(first, (tuple, list)):
        return tuple(_collate([example[i] for example in examples]) for i in range(len(first)))
    if isinstance(first, dict):
        return {key: _collate([example[key] for example in examples]) for key in first}
    if isinstance(first, Tensor):
        return stack(examples)
    return tensor(np.stack(examples)) if isinstance(first, np.ndarray) else tensor(examples)


# ---------------------------------------------------------------------------------------------- real data


def _sklearn(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f"{name}: scikit-learn brings this data set. Use pip install 'nnlib[course]'.") from None
    return datasets


def _pair(X: Any, y: Any) -> tuple[Tensor, Tensor]:
    labels = np.int64 if y.dtype.kind in "iu" else get_default_dtype()
    return Tensor(np.asarray(X, get_default_dtype())), Tensor(y.astype(labels))


def _table(found: Any, standardise: bool) -> tuple[Tensor, Tensor]:
    """Measurements: columns of mean 0 and variance 1, if wanted."""
    X = found.data
    return _pair((X - X.mean(0)) / X.std(0) if standardise else X, found.target)


def digits(images: bool = False) -> tuple[Tensor, Tensor]:
    """1,797 handwritten digits of 8×8 pixels in [0, 1]: X (1797, 64) or images (1797, 1, 8, 8), y in 0…9.

    Source: Alpaydin & Kaynak, UCI 1998; scikit-learn's ``load_digits``.

    >>> X, y = nn.data.digits()
    >>> X.shape, y.shape, X.max().item()
    ((1797, 64), (1797,), 1.0)
    """
    X, y = _sklearn("digits").load_digits(return_X_y=True)
    X, y = _pair(X / 16, y)
    return (X.reshape(-1, 1, 8, 8) if images else X), y


def breast_cancer(standardise: bool = True) -> tuple[Tensor, Tensor]:
    """569 tumours, 30 measured features: X (569, 30), y 0 malignant, 1 benign.  Source: Wolberg et al., UCI 1995.

    >>> nn.data.breast_cancer()[0].shape
    (569, 30)
    """
    return _table(_sklearn("breast_cancer").load_breast_cancer(), standardise)


def wine(standardise: bool = True) -> tuple[Tensor, Tensor]:
    """178 wines of three growers, 13 chemical features: X (178, 13), y in 0…2.  Source: Aeberhard & Forina, UCI 1991.

    >>> nn.data.wine()[0].shape
    (178, 13)
    """
    return _table(_sklearn("wine").load_wine(), standardise)


def diabetes(standardise: bool = True) -> tuple[Tensor, Tensor]:
    """442 patients, 10 features, disease progression after a year: X (442, 10), y (442,).  Source: Efron et al. 2004.

    >>> nn.data.diabetes()[1].dtype
    dtype('float32')
    """
    return _table(_sklearn("diabetes").load_diabetes(scaled=False), standardise)


def photographs() -> tuple[Tensor, Tensor]:
    """Two colour photographs, a temple and a flower: each (3, 427, 640) in [0, 1].  Source: scikit-learn's samples.

    >>> temple, flower = nn.data.photographs(); temple.shape
    (3, 427, 640)
    """
    pictures = _sklearn("photographs").load_sample_images().images
    temple, flower = (Tensor((p / 255).astype(get_default_dtype()).transpose(2, 0, 1)) for p in pictures)
    return temple, flower


# ---------------------------------------------------------------------------------------------- downloads


_MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_FASHION_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_CIFAR10_SHA256 = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
_MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
    "cifar-10": ("https://www.cs.toronto.edu/~kriz",),
}


def _idx(path: Path) -> np.ndarray:
    """The array of an IDX file: two zero bytes, type 8 (uint8), number of axes, lengths (big-endian), elements."""
    import gzip

    raw = gzip.decompress(path.read_bytes())
    zero, kind, ndim = int.from_bytes(raw[:2], "big"), raw[2], raw[3]
    if zero or kind != 8:
        raise ValueError(f"data: {path} is no IDX file of bytes (header {raw[:4]!r}). Delete it to download it again.")
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim))
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape)


def _idx_dataset(name: str, train: bool, checksums: dict[str, str]) -> TensorDataset:
    stem = "train" if train else "t10k"
    names = (f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz")
    images, labels = (_idx(fetch(n, checksums[n], _MIRRORS[name], cache_folder() / name)) for n in names)
    X = (images[:, None] / np.float32(255)).astype(get_default_dtype(), copy=False)
    return TensorDataset(Tensor(X), Tensor(labels.astype(np.int64)))


def mnist(train: bool = True) -> TensorDataset:
    """60,000 (or 10,000) handwritten digits (1, 28, 28) in [0, 1]; 12 MB, downloaded once.  Source: LeCun et al. 1998.

    Raises ConnectionError, with what to do, where there is no network.  PyTorch: ``torchvision.datasets.MNIST``.
    """
    return _idx_dataset("mnist", train, _MNIST_SHA256)


def fashion_mnist(train: bool = True) -> TensorDataset:
    """60,000 (or 10,000) pieces of clothing (1, 28, 28) in [0, 1], ten classes; 31 MB.  Source: Xiao et al. 2017.

    PyTorch: ``torchvision.datasets.FashionMNIST``.
    """
    return _idx_dataset("fashion-mnist", train, _FASHION_SHA256)


def cifar10(train: bool = True) -> TensorDataset:
    """50,000 (or 10,000) small photographs (3, 32, 32) in [0, 1], ten classes; 170 MB.  Source: Krizhevsky 2009.

    Reads the binary form, so no pickle is opened.  PyTorch: ``torchvision.datasets.CIFAR10``.
    """
    import tarfile  # seldom wanted

    ((name, checksum),) = _CIFAR10_SHA256.items()
    path = fetch(name, checksum, _MIRRORS["cifar-10"], cache_folder() / "cifar-10")
    wanted = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
    with tarfile.open(path) as archive:
        parts = [archive.extractfile(f"cifar-10-batches-bin/{part}").read() for part in wanted]  # type: ignore[union-attr]
    rows = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 1 + 3 * 32 * 32)  # label, then red, green, blue
    X = (rows[:, 1:].reshape(-1, 3, 32, 32) / np.float32(255)).astype(get_default_dtype(), copy=False)
    return TensorDataset(Tensor(X), Tensor(rows[:, 0].astype(np.int64)))


# ---------------------------------------------------------------------------------------------- generators


def _generator(seed: int | None) -> np.random.Generator:
    return rng() if seed is None else np.random.default_rng(seed)


def _shuffled(X: Any, y: Any, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    order = random.permutation(len(X))
    return _pair(X[order], y[order])


def moons(n: int = 200, noise: float = 0.1, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Two interlocking half circles: X (n, 2), y in {0, 1}.

    >>> nn.data.moons(6)[0].shape
    (6, 2)
    """
    random = _generator(seed)
    t = np.linspace(0, np.pi, n // 2 + n % 2), np.linspace(0, np.pi, n // 2)
    upper = np.stack([np.cos(t[0]), np.sin(t[0])], 1)
    lower = np.stack([1 - np.cos(t[1]), 0.5 - np.sin(t[1])], 1)
    X = np.concatenate([upper, lower]) + noise * random.standard_normal((n, 2))
    return _shuffled(X, np.repeat([0, 1], [len(upper), len(lower)]), random)


def rings(
    n: int = 200, noise: float = 0.1, radii: Sequence[float] = (1.0, 2.0), seed: int | None = 0
) -> tuple[Tensor, Tensor]:
    """Concentric rings, one class each: X (n, 2), y in 0…len(radii) − 1.

    >>> nn.data.rings(6, noise=0)[0].norm(dim=1).sort().values.tolist()
    [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    """
    random = _generator(seed)
    y = np.arange(n) % len(radii)
    angle = random.uniform(0, 2 * np.pi, n)
    r = np.asarray(radii, dtype=float)[y] + noise * random.standard_normal(n)
    return _shuffled(np.stack([r * np.cos(angle), r * np.sin(angle)], 1), y, random)


def spirals(
    n: int = 300, classes: int = 2, turns: float = 1.0, noise: float = 0.1, seed: int | None = 0
) -> tuple[Tensor, Tensor]:
    """Interleaved spiral arms, one class each: X (n, 2), y in 0…classes − 1.

    >>> nn.data.spirals(9, classes=3)[1].max().item()
    2
    """
    random = _generator(seed)
    y = np.arange(n) % classes
    r = np.sqrt(random.uniform(0.01, 1, n))
    angle = 2 * np.pi * (turns * r + y / classes) + noise * random.standard_normal(n)
    return _shuffled(np.stack([r * np.cos(angle), r * np.sin(angle)], 1) * 2, y, random)


def blobs(n: int = 200, classes: int = 2, spread: float = 0.6, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Gaussian clouds on a circle of radius 2, one class each: X (n, 2), y in 0…classes − 1.

    >>> nn.data.blobs(6, classes=3)[0].shape
    (6, 2)
    """
    random = _generator(seed)
    y = np.arange(n) % classes
    angle = 2 * np.pi * y / classes
    X = 2 * np.stack([np.cos(angle), np.sin(angle)], 1) + spread * random.standard_normal((n, 2))
    return _shuffled(X, y, random)


def xor(n: int = 200, noise: float = 0.25, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Four clouds at (±1, ±1); class 1 where the signs differ: X (n, 2), y in {0, 1}.

    >>> X, y = nn.data.xor(8, noise=0)
    >>> bool(((X[:, 0] * X[:, 1] < 0) == (y == 1)).all())
    True
    """
    random = _generator(seed)
    corners = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])[np.arange(n) % 4]
    X = corners + noise * random.standard_normal((n, 2))
    return _shuffled(X, (corners[:, 0] != corners[:, 1]).astype(int), random)


def houses(n: int = 60, noise: float = 40.0, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Synthetic house prices with a kink: size x in square feet (n, 1), price y in 1000 dollars (n,), never below 0.

    The true price is max(0, 0.25·x − 250).

    >>> x, y = nn.data.houses(noise=0); (y - (0.25 * x[:, 0] - 250).clamp(min=0)).abs().max().item() < 1e-4
    True
    """
    random = _generator(seed)
    x = np.sort(random.uniform(500, 4500, n))
    y = np.maximum(0.25 * x - 250, 0) + noise * random.standard_normal(n)
    return _pair(x[:, None], np.maximum(y, 0))


def kangaroos(n: int = 200, size: int = 12, noise: float = 0.15, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Tiny pictures in [0, 1]: a kangaroo's shape (ears, body, tail), or the same pixels shuffled into none.

    images (n, 1, size, size), y 1 for a kangaroo, 0 for none. The shape is shifted at random.

    >>> images, y = nn.data.kangaroos(10); images.shape, y.sum().item()
    ((10, 1, 12, 12), 5)
    """
    if size < 10:
        raise ValueError(f"kangaroos: size must be >= 10 to hold the 8×8 shape and a shift, got {size}. Use 12.")
    random = _generator(seed)
    shape = np.array([[c == "#" for c in row] for row in _KANGAROO], dtype=float)
    images = np.zeros((n, 1, size, size))
    y = np.arange(n) % 2
    for image, label in zip(images[:, 0], y):
        top, left = random.integers(0, size - 8 + 1, 2)
        pixels = shape if label else random.permutation(shape.ravel()).reshape(8, 8)
        image[top : top + 8, left : left + 8] = pixels
    images = np.clip(images + noise * random.standard_normal(images.shape), 0, 1)
    X, labels = _shuffled(images.reshape(n, -1), y, random)
    return X.reshape(n, 1, size, size), labels


_KANGAROO = (
    "#.#.....",
    "###.....",
    ".##.....",
    ".####...",
    "..####..",
    "...###..",
    "...#.##.",
    "..##..##",
)
