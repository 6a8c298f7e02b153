"""Lesson 15, images: kernels and pooling, shifts, normalising maps, conv2d as a matrix product and both ways back."""

from __future__ import annotations

from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import calls, draw
from . import Exercise, Mistake


def wide(x: Any, grad: bool = False) -> nn.Tensor:
    return nn.tensor(x, dtype=nn.float64, requires_grad=grad)


def gradients(function, g, *arrays):
    """What comes back to each array when g comes back to function(*arrays)."""
    leaves = [wide(a, True) for a in arrays]
    function(*leaves).backward(gradient=g)
    return [leaf.grad for leaf in leaves]


# ------------------------------------------------------------------- X76


def kernels(my, image, x, w, a, g, k):
    return {
        "blur": lambda: my.blur,
        "edge": lambda: my.edge,
        "sharpen": lambda: my.sharpen,
        "filter_image": lambda: my.filter_image(x.copy(), w.copy()),
        "draw": lambda: draw(my.draw, image),
        "max_pool": lambda: my.max_pool(a.copy(), k),
        "max_pool_back": lambda: my.max_pool_back(a.copy(), g.copy(), k),
        "avg_pool_back": lambda: my.avg_pool_back(a.copy(), g.copy(), k),
    }


def filter_image(x, w):
    return F.conv2d(wide(x[None]), wide(w[None]), padding=w.shape[-1] // 2).numpy()[0, 0]


BLUR = np.full((3, 3), 1 / 9)
EDGE = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])


def draw_judge(answer, image, *rest):
    found = [picture for ax in answer["axes"] for picture in ax["images"]]
    if len(found) != 3:
        return f"draw: expected three pictures (imshow), got {len(found)}"
    for picture, (name, kernel) in zip(found, {"blurred": BLUR, "edges": EDGE, "sharpened": SHARPEN}.items()):
        right = filter_image(image[None], kernel[None])
        right = np.abs(right) if name == "edges" else right
        if picture.shape != right.shape:
            return f"draw: the picture {name} should have the shape {right.shape}, like the image; yours has {picture.shape}"
        if not np.allclose(picture, right):
            border = np.array_equal(np.isclose(picture, right)[1:-1, 1:-1], np.ones_like(right[1:-1, 1:-1], bool))
            where = " at the border only: beyond it there are zeros" if border else ""
            return f"draw: the picture {name} differs from what its kernel makes of the image{where}"
    return None


def kernel_cases(rng):
    image = np.zeros((9, 8))
    image[2:7, 2:5] = rng.uniform(0.5, 1)
    yield (image, rng.normal(size=(3, 5, 6)).round(2), rng.normal(size=(3, 3, 3)).round(2),
           rng.permutation(54).astype(float).reshape(6, 9), rng.normal(size=(2, 3)).round(2), 3)  # fmt: skip


def pool(kind):
    return lambda a, k: kind(wide(a[None, None]), k).numpy()[0, 0]


def pool_back(kind):
    return lambda a, g, k: gradients(lambda x: kind(x, k), g[None, None], a[None, None])[0][0, 0]


X76 = Exercise(
    "X76", "Image kernels and pooling", lesson="15", cell="kernel-text", points=4,
    probe=kernels, cases=kernel_cases,
    reference={
        "blur": BLUR, "edge": EDGE, "sharpen": SHARPEN, "filter_image": filter_image, "max_pool": pool(F.max_pool2d),
        "max_pool_back": pool_back(F.max_pool2d), "avg_pool_back": pool_back(F.avg_pool2d),
    },
    judge={"draw": draw_judge},
    mistakes=[
        Mistake("sign", "The sign is turned: this is left minus right, positive where the picture gets darker.",
                {"edge": -EDGE}, cell="digit-after"),
        Mistake("level", "This kernel compares top and bottom; upright edges need left and right.", {"edge": EDGE.T}),
        Mistake("sum-nine", "The nine weights add up to 9: a flat area would become nine times as bright. A mean has the sum 1.",
                {"blur": np.ones((3, 3))}, cell="photo-after"),
        Mistake("zero-sum", "The weights add up to 0, so this keeps the change only. Sharpening keeps the pixel as well.",
                {"sharpen": SHARPEN - np.eye(3)[1][:, None] * np.eye(3)[1]}, cell="photo-after"),
        Mistake("first-channel", "Only the first channel was read. Each channel has its own kernel, and the results are added.",
                {"filter_image": lambda x, w: filter_image(x[:1], w[:1])}, cell="channels-text"),
        Mistake("no-sum", "One map per channel came out. Add them over the channels: one filter makes one map.",
                {"filter_image": lambda x, w: np.stack([filter_image(a[None], b[None]) for a, b in zip(x, w)])},
                cell="channels-text"),
        Mistake("everywhere", "Every place of the window got the gradient; only the largest number reached the output.",
                {"max_pool_back": lambda a, g, k: np.kron(g, np.ones((k, k)))}, cell="pool-after"),
        Mistake("no-share", "An average of k² numbers hands each of them 1/k² of the gradient; here the factor is missing.",
                {"avg_pool_back": lambda a, g, k: np.kron(g, np.ones((k, k)))}, cell="pool-text"),
    ],
    hints=[
        "blur: nine equal weights with the sum 1. edge: the column on the right minus the one on the left, rows weighted 1, 2, 1.",
        "filter_image: pad the two image axes by k // 2; the window of all channels, x[:, y : y + k, u : u + k], times w, summed.",
        "Pooling backwards: loop over the cells. Max: put g at the place of the largest number (np.argmax and np.unravel_index).",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X74

LAYERS = ("circular", "zeros", "stride 2", "max pool 2", "stride 2 + max pool 2", "global max", "dense")


def shifting(my, x, w, M, by):
    F = nn.functional
    t = lambda a: nn.tensor(a, dtype=nn.float64)
    ring = lambda a: F.pad(t(a), (1, 1, 1, 1), mode="circular")
    layers = {
        "circular": lambda a: F.conv2d(ring(a), t(w)).numpy(),
        "zeros": lambda a: F.conv2d(t(a), t(w), padding=1).numpy(),
        "stride 2": lambda a: F.conv2d(ring(a), t(w), stride=2).numpy(),
        "max pool 2": lambda a: F.max_pool2d(t(a), 2).numpy(),
        "stride 2 + max pool 2": lambda a: F.max_pool2d(F.conv2d(ring(a), t(w), stride=2), 2).numpy(),
        "global max": lambda a: a.max((2, 3), keepdims=True),
        "dense": lambda a: M @ a + M[:, :1],
    }

    def claims():  # shift by shift, so that a wrong list is told by its first wrong shift
        if not isinstance(my.holds, dict):
            raise TypeError(f"holds should be a dict from each layer's name to a list of shifts, not {my.holds!r}")
        return {name: {f"shift {s}": s in shifts for s in {1, 2, 3, 4}.union(shifts)} for name, shifts in my.holds.items()}

    return {
        "moves_along": lambda: {name: my.moves_along(f, x.copy(), by) for name, f in layers.items()},
        "holds": claims,
    }


def moves_along(f, x, by, steps=None):
    after, before = f(np.roll(x, by, 2)), f(x)
    steps = range(before.shape[2]) if steps is None else steps
    return any(bool(np.allclose(after, np.roll(before, m, 2), rtol=0, atol=1e-9)) for m in steps)


def holds(*names):
    """What to claim if each layer moves along with the multiples of this number (0: never)."""
    return dict(zip(LAYERS, ([by for by in (1, 2, 3, 4) if n and by % n == 0] for n in names)))


def shift_cases(rng):
    for by in (1, 2, 3, 4):
        yield rng.normal(size=(1, 1, 8, 8)), rng.normal(size=(1, 1, 3, 3)), rng.normal(size=(8, 8)), by


X74 = Exercise(
    "X74", "What moves along", lesson="15", cell="shift-text", points=3,
    probe=shifting, cases=shift_cases,
    reference={"moves_along": moves_along, "holds": holds(1, 0, 2, 2, 4, 1, 0)},
    mistakes=[
        Mistake("zero-input", "This says yes to everything, even to a dense layer. An image of zeros, for one, looks the same after every shift.",
                {"moves_along": lambda f, x, by: True}),
        Mistake("everywhere", "Not every layer moves along: a dense layer, for one, has its own weights for every place.",
                {"holds": holds(1, 1, 1, 1, 1, 1, 1)}),
        Mistake("same-rows", "With a stride of 2 an image that moves by 2 rows moves its map by 1. Try every whole number of rows.",
                {"moves_along": lambda f, x, by: moves_along(f, x, by, [by])}),
        Mistake("three-rows", "You try m = 0, 1 and 2 only. A shift of 3 or 4 may move the map by as many rows.",
                {"moves_along": lambda f, x, by: moves_along(f, x, by, [0, 1, 2])}),
        Mistake("stands-still", "You compare with a map left in place. That is invariance; here the map may move.",
                {"moves_along": lambda f, x, by: moves_along(f, x, by, [0])}, cell="14#shift-text"),
        Mistake("odd-stride", "A stride of 2 keeps every second row. After an odd shift it keeps the other rows, with other numbers.",
                {"holds": holds(1, 0, 1, 1, 1, 1, 0)}, cell="shift-after"),
        Mistake("border", "Zero padding does not move along: near the border it reads zeros that are not in the image.",
                {"holds": holds(1, 1, 2, 2, 4, 1, 0)}, cell="14#slip-shift"),
        Mistake("twice", "Two halvings, one after the other, step by 4 rows of the image.", {"holds": holds(1, 0, 2, 2, 2, 1, 0)}),
    ],
    hints=[
        "Shift the image first and apply f; apply f to the image as it is. Is one a shift of the other?",
        "np.roll(a, m, axis=2) moves by m rows round the ring. Compare with np.allclose for every m from 0 to the rows of the map.",
        "With that, holds is a dict comprehension over layers and the shifts 1 to 4.",
    ],
    after="The global maximum moves along by 0 rows: it stands still, and that is what makes a network invariant.",
)  # fmt: skip


# ------------------------------------------------------------------- X68


def family(my, x, groups, mean, var, momentum):
    eps = 0.01
    return {
        "batch_norm": lambda: my.batch_norm(x.copy(), eps),
        "layer_norm": lambda: my.layer_norm(x.copy(), eps),
        "group_norm": lambda: my.group_norm(x.copy(), groups, eps),
        "update": lambda: my.update(mean.copy(), var.copy(), x.copy(), momentum),
        "batch_norm_eval": lambda: my.batch_norm_eval(x.copy(), mean.copy(), var.copy(), eps),
    }


def normal(x, axes, eps, ddof=0, inside=True):
    var = x.var(axes, keepdims=True, ddof=ddof)
    return (x - x.mean(axes, keepdims=True)) / (np.sqrt(var + eps) if inside else np.sqrt(var) + eps)


def running(mean, var, x, momentum):
    m, v = wide(mean), wide(var)
    F.batch_norm(wide(x), m, v, training=True, momentum=momentum)
    return [m.numpy(), v.numpy()]


def blend(mean, var, x, momentum, ddof=1, axes=(0, 2, 3)):
    return [(1 - momentum) * mean + momentum * x.mean(axes), (1 - momentum) * var + momentum * x.var(axes, ddof=ddof)]


def interleaved(x, groups, eps):
    N, C, H, W = x.shape
    return normal(x.reshape(N, C // groups, groups, H, W), (1, 3, 4), eps).reshape(x.shape)


def grouped(x, groups, eps, **how):
    N, C, H, W = x.shape
    return normal(x.reshape(N, groups, C // groups, H, W), (2, 3, 4), eps, **how).reshape(x.shape)


def all_norms(**how):
    return {"batch_norm": lambda x, eps: normal(x, (0, 2, 3), eps, **how),
            "layer_norm": lambda x, eps: normal(x, (1, 2, 3), eps, **how),
            "group_norm": lambda x, groups, eps: grouped(x, groups, eps, **how)}  # fmt: skip


def norm_cases(rng):
    for N, groups in ((2, 2), (5, 3)):
        x = rng.normal(size=(N, 6, 3, 2)) * rng.uniform(0.5, 3, size=(1, 6, 1, 1)) + rng.normal(size=(N, 6, 1, 1))
        yield x, groups, rng.normal(size=6), rng.uniform(0.5, 2, size=6), 0.1


X68 = Exercise(
    "X68", "The norm family", lesson="15", cell="norm-text", points=3,
    probe=family, cases=norm_cases,
    reference={
        "batch_norm": lambda x, eps: F.batch_norm(wide(x), None, None, training=True, eps=eps).numpy(),
        "layer_norm": lambda x, eps: F.layer_norm(wide(x), x.shape[1:], eps=eps).numpy(),
        "group_norm": lambda x, groups, eps: F.group_norm(wide(x), groups, eps=eps).numpy(),
        "update": running,
        "batch_norm_eval": lambda x, mean, var, eps: F.batch_norm(wide(x), wide(mean), wide(var), eps=eps).numpy(),
    },
    mistakes=[
        Mistake("batch-only", "The mean runs over the examples alone. A channel means the same everywhere: its places belong to it too.",
                {"batch_norm": lambda x, eps: normal(x, 0, eps)}),
        Mistake("channels-only", "The mean runs over the channels of one place. Layer norm of maps takes all numbers of an example.",
                {"layer_norm": lambda x, eps: normal(x, 1, eps)}),
        Mistake("interleaved", "Each group takes channels from all over. A group is made of neighbouring channels.",
                {"group_norm": interleaved}),
        Mistake("batch-in-eval", "In evaluation the stored mean and variance count, not those of the batch: one image alone must do.",
                {"batch_norm_eval": lambda x, mean, var, eps: normal(x, (0, 2, 3), eps)}, cell="13#batch-text"),
        Mistake("biased", "The running variance is an estimate for unseen data: it takes the unbiased variance, divided by n − 1.",
                {"update": lambda mean, var, x, m: blend(mean, var, x, m, ddof=0)}, cell="13#batch-text"),
        Mistake("swapped", "momentum is the share of the new batch here, as in PyTorch; the old value keeps 1 − momentum.",
                {"update": lambda mean, var, x, m: blend(mean, var, x, 1 - m)}, cell="13#batch-text"),
        Mistake("unbiased", "What is normalised is divided by the biased variance (n, not n − 1).", all_norms(ddof=1)),
        Mistake("eps", "ε stands inside of the root, added to the variance, not to the standard deviation.", all_norms(inside=False)),
    ],
    hints=[
        "One helper does three of them: (x − mean)/√(variance + ε) over the axes that it is given, with keepdims=True.",
        "Group norm: reshape to (N, G, C/G, H, W), normalise over the last three axes, reshape back.",
        "update: (1 − momentum)·old + momentum·new; x.var((0, 2, 3), ddof=1). eval: bring (C,) to (1, C, 1, 1) first.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X85, X86


def im2col(x, k, stride, padding):
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = [X[n, :, y : y + k, u : u + k].ravel() for n in range(len(X))
            for y in range(0, X.shape[2] - k + 1, stride) for u in range(0, X.shape[3] - k + 1, stride)]  # fmt: skip
    return np.array(rows)


def channels_last(x, k, stride, padding):
    rows = im2col(x, k, stride, padding)
    return rows.reshape(len(rows), x.shape[1], k * k).swapaxes(1, 2).reshape(len(rows), -1)


def conv2d(x, weight, bias, stride, padding):
    return F.conv2d(wide(x), wide(weight), wide(bias), stride=stride, padding=padding).numpy()


def not_moved(*case):
    out = conv2d(*case)
    return out.transpose(0, 2, 3, 1).reshape(out.shape)


def both_convs(my, x, weight, bias, stride, padding):
    k = weight.shape[-1]
    return {
        "im2col": lambda: my.im2col(x.copy(), k, stride, padding),
        "conv2d": lambda: my.conv2d(x.copy(), weight.copy(), bias.copy(), stride, padding),
    }


def conv_cases(rng):
    for N, C, H, W, K, k, stride, padding in ((2, 3, 5, 6, 4, 3, 1, 1), (1, 2, 7, 5, 3, 3, 2, 0), (3, 2, 6, 6, 2, 2, 2, 1)):
        yield (rng.normal(size=(N, C, H, W)).round(2), rng.normal(size=(K, C, k, k)).round(2),
               rng.normal(size=K).round(2), stride, padding)  # fmt: skip


X85 = Exercise(
    "X85", "A convolution is a matrix product", lesson="15", cell="channels-text", points=3,
    probe=both_convs, cases=conv_cases,
    reference={"im2col": im2col, "conv2d": conv2d},
    mistakes=[
        Mistake("channels-last", "The columns are in the order place, then channel. The weight has the channel first: (K, C, k, k).",
                {"im2col": channels_last}),
        Mistake("not-moved", "The numbers are right and lie in the wrong order: the product has the filters last. Move that axis; reshape does not.",
                {"conv2d": not_moved}),
        Mistake("flipped", "The kernels are laid down backwards. Networks do not flip them.",
                {"conv2d": lambda x, w, b, s, p: conv2d(x, w[..., ::-1, ::-1].copy(), b, s, p)}, cell="14#slip-flip"),
        Mistake("no-bias", "The bias is missing, one number for each filter.", {"conv2d": lambda x, w, b, s, p: conv2d(x, w, 0 * b, s, p)}),
        Mistake("no-padding", "No zeros were put around the image.",
                {"im2col": lambda x, k, s, p: im2col(x, k, s, 0), "conv2d": lambda x, w, b, s, p: conv2d(x, w, b, s, 0)}),
    ],
    hints=[
        "Pad the last two axes. A window is X[n, :, y : y + k, u : u + k]; ravel() gives its numbers in the right order.",
        "im2col has one row per window: n outermost, then y, then x. y and x go in steps of the stride.",
        "The product im2col(…) @ weight.reshape(K, −1).T has the shape (N·oh·ow, K): reshape to (N, oh, ow, K), then move the last axis.",
    ],
    after="Libraries do just this: a matrix product is the one thing that every processor does as fast as it can.",
)  # fmt: skip


def conv_back(my, x, weight, stride, padding, g):
    back = lambda i: my.conv2d_back(g.copy(), x.copy(), weight.copy(), stride, padding)[i]
    return {"dx": lambda: back(0), "dweight": lambda: back(1), "dbias": lambda: back(2)}


def conv2d_back(g, x, weight, stride, padding):
    run = lambda x, w, b: F.conv2d(x, w, b, stride=stride, padding=padding)
    return gradients(run, g, x, weight, np.zeros(len(weight)))


def overwritten(g, x, weight, stride, padding):
    X = np.pad(np.zeros_like(x), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = weight.shape[-1]
    for y in range(g.shape[2]):
        for u in range(g.shape[3]):
            X[:, :, y * stride : y * stride + k, u * stride : u * stride + k] = np.einsum("nf,fcij->ncij", g[:, :, y, u], weight)
    _, dw, db = conv2d_back(g, x, weight, stride, padding)
    return X[:, :, padding : X.shape[2] - padding, padding : X.shape[3] - padding], dw, db


def with_padding(g, x, weight, stride, padding):
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return conv2d_back(g, X, weight, stride, 0)[0], *conv2d_back(g, x, weight, stride, padding)[1:]


def instead(place, change):
    def back(*case):
        right = list(conv2d_back(*case))
        right[place] = change(right[place], *case)
        return right

    return {"conv2d_back": back}


X86 = Exercise(
    "X86", "A convolution backwards", lesson="15", cell="backward-text", points=4,
    probe=conv_back,
    cases=lambda rng: [(x, w, s, p, rng.normal(size=conv2d(x, w, b, s, p).shape).round(2)) for x, w, b, s, p in conv_cases(rng)],
    reference={"conv2d_back": conv2d_back},
    mistakes=[
        Mistake("overwrite", "Where windows overlap, a pixel gets a share from each. Here the last one overwrites the others: add.",
                {"conv2d_back": overwritten}),
        Mistake("keeps-padding", "The gradient still has the padding around it. Cut it off: dx has the shape of x.",
                {"conv2d_back": with_padding}),
        Mistake("not-turned", "The kernels came back as they went, without the half turn.",
                instead(0, lambda dx, g, x, w, s, p: conv2d_back(g, x, w[..., ::-1, ::-1].copy(), s, p)[0])),
        Mistake("first-example", "The weights served every example of the batch: add up over all of them.",
                instead(1, lambda dw, g, x, w, s, p: conv2d_back(g[:1], x[:1], w, s, p)[1])),
        Mistake("bias-mean", "The bias was added at every place of every example. Its gradient is the sum, not a mean.",
                instead(2, lambda db, g, x, w, s, p: g.mean((0, 2, 3)))),
        Mistake("bias-batch", "The sum over the examples is missing: dbias has one number per filter.",
                instead(2, lambda db, g, x, w, s, p: g.sum((2, 3)))),
    ],
    hints=[
        "Output (y, u) of filter f read the window X[:, :, y·s : y·s + k, u·s : u·s + k] with weight[f]. Send back along the same paths.",
        "Loop over the outputs y and u: dX of that window += Σ_f g[n, f, y, u]·weight[f], dweight[f] += Σ_n g[n, f, y, u]·window[n].",
        "np.einsum writes both sums: 'nf,fcij->ncij' for the pixels, 'nf,ncij->fcij' for the weights. At the end cut the padding off.",
    ],
    after="Two products with the im2col matrix would do it too: one for the weights, one for the pixels.",
)  # fmt: skip


# ------------------------------------------------------------------- X87


def max_back(g, x, k, stride):
    return gradients(lambda x: F.max_pool2d(x, k, stride), g, x)[0]


def pool_by_loop(g, x, k, stride, add, first):
    dx = np.zeros(x.shape)
    for n, c, y, u in np.ndindex(g.shape):
        window = x[n, c, y * stride : y * stride + k, u * stride : u * stride + k]
        places = np.argwhere(window == window.max())
        for i, j in places[:1] if first == 1 else places[-1:] if first == -1 else places:
            at = n, c, y * stride + i, u * stride + j
            dx[at] = g[n, c, y, u] + (dx[at] if add else 0)
    return dx


def pool_cases(rng):
    yield np.array([[[[1.0, -2.0], [0.5, 3.0]]]]), np.array([[[[1.0, 5, 2], [5, 9, 9], [2, 9, 1]]]]), 2, 1
    for N, C, n, k, stride in ((2, 3, 4, 2, 2), (1, 2, 7, 3, 2), (2, 1, 5, 3, 1)):
        out = (n - k) // stride + 1
        yield rng.normal(size=(N, C, out, out)).round(2), rng.integers(0, 5, size=(N, C, n, n)).astype(float), k, stride


X87 = Exercise(
    "X87", "Find the bugs: max pooling backwards", lesson="15", cell="pool-after", points=3,
    probe=calls("max_pool_back2d"), cases=pool_cases,
    reference={"max_pool_back2d": max_back},
    mistakes=[
        Mistake("as-given", "This does what the given text does: neither of its two bugs is gone.",
                {"max_pool_back2d": lambda g, x, k, s: pool_by_loop(g, x, k, s, add=False, first=0)}),
        Mistake("overwrite", "Ties are right now. But a pixel that wins in two windows must get both gradients, and keeps only the last.",
                {"max_pool_back2d": lambda g, x, k, s: pool_by_loop(g, x, k, s, add=False, first=1)}),
        Mistake("all-winners", "Overlaps are right now. But where two numbers tie, both get the gradient: it is counted twice.",
                {"max_pool_back2d": lambda g, x, k, s: pool_by_loop(g, x, k, s, add=True, first=0)}),
        Mistake("last-winner", "One winner per window, but on a tie the last one; the first, in reading order, is asked for.",
                {"max_pool_back2d": lambda g, x, k, s: pool_by_loop(g, x, k, s, add=True, first=-1)}),
    ],
    hints=[
        "Two situations do not occur in the example: a pixel in two windows, and two equal largest numbers in one window.",
        "A pixel in several windows is a value with several users. What does a gradient do there?",
        "np.argmax gives the first largest place of the flattened window; divmod(place, k) turns it into row and column.",
    ],
    after="Both bugs pass every test with 2×2 cells and random floats. A test needs overlaps and ties to see them.",
)  # fmt: skip
