"""Lesson 16, residual networks: a block by hand, the ledger, three blocks as modules, and the capstone on one's own tape."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from .. import tape
from ..probe import My, block, plain
from ..verdict import difference
from . import Exercise, Mistake

# ------------------------------------------------------------------- X77


def residual(my, g, x, W1, W2, Ws):
    def back(place):
        return my.block_back(g.copy(), x.copy(), W1.copy(), W2.copy(), Ws.copy())[place]

    def refuses():
        try:
            out = my.block(np.ones((3, 1)), np.ones((4, 1)), np.ones((5, 4)))
        except ValueError:
            return "ValueError"
        return f"a result of shape {np.shape(out)}"

    square, out = W1.T @ W1, g[:, :1] * x  # (d, d) and (N, d) for the blocks without a projection
    return {
        "block, identity": lambda: my.block(x.copy(), W1.copy(), W1.T.copy()),
        "block, projection": lambda: my.block(x.copy(), W1.copy(), W2.copy(), Ws.copy()),
        "block, shapes that differ": refuses,
        "block_back: dx": lambda: back(0),
        "block_back: dW1": lambda: back(1),
        "block_back: dW2": lambda: back(2),
        "block_back: dWs": lambda: back(3),
        "block_back, identity": lambda: my.block_back(out, x.copy(), W1.copy(), W1.T.copy())[0],
        "res": lambda: my.res(x.copy(), square, square.T - 1),
        "res_back": lambda: my.res_back(out, x.copy(), square, square.T - 1),
    }


def wide(a: Any) -> nn.Tensor:
    return nn.tensor(a, dtype=nn.float64, requires_grad=True)


def after_sum(x, W1, W2, Ws=None):
    branch = F.linear(F.relu(F.linear(x, W1)), W2)
    return F.relu(branch + (x if Ws is None else F.linear(x, Ws)))


def before_sum(x, W1, W2, Ws=None):
    branch = F.relu(F.linear(F.relu(F.linear(x, W1)), W2))
    return branch + (x if Ws is None else F.linear(x, Ws))


def unsummed(x, W1, W2, Ws=None):
    return F.relu(F.linear(F.relu(F.linear(x, W1)), W2))


def forward(net, *arrays):
    leaves = [wide(a) for a in arrays]
    out = net(*leaves)
    if len(arrays) == 3 and out.shape != arrays[0].shape:
        raise ValueError("the shortcut has another shape")
    return out.detach().numpy()


def back(net, g, *arrays):
    leaves = [wide(a) for a in arrays]
    net(*leaves).backward(gradient=g)
    found = [leaf.grad for leaf in leaves]
    return found if len(found) == 4 else [*found, None]


def no_skip_back(g, *arrays):
    """The gradient of x through the branch alone: the shortcut is a constant."""
    x, W1, W2, *Ws = arrays
    leaf, *weights = (wide(a) for a in (x, W1, W2))
    skip = nn.tensor(x if not Ws else x @ Ws[0].T, dtype=nn.float64)
    F.relu(F.linear(F.relu(F.linear(leaf, weights[0])), weights[1]) + skip).backward(gradient=g)
    return [leaf.grad, *back(after_sum, g, *arrays)[1:]]


def open_back(g, *arrays):
    """As if the last ReLU were not there."""
    x, W1, W2, *Ws = arrays
    return back(lambda *a: F.linear(F.relu(F.linear(a[0], a[1])), a[2]) + (F.linear(a[0], a[3]) if Ws else a[0]), g, *arrays)


X77 = Exercise(
    "X77", "A residual block, there and back", lesson="16", cell="block-text", points=4,
    probe=residual,
    cases=lambda rng: [(rng.normal(size=(n, k)).round(2), rng.normal(size=(n, d)).round(2), rng.normal(size=(m, d)).round(2),
                        rng.normal(size=(k, m)).round(2), rng.normal(size=(k, d)).round(2))
                       for n, d, m, k in ((6, 2, 3, 4), (5, 3, 4, 2))],
    reference={
        "block": partial(forward, after_sum), "block_back": partial(back, after_sum), "res": partial(forward, before_sum),
        "res_back": lambda g, z, W1, W2: back(before_sum, g, z, W1, W2)[0],
    },
    mistakes=[
        Mistake("lost-skip", "The gradient came back through the branch only. x was used twice, and both shares add.",
                {"block_back": no_skip_back, "res_back": lambda g, z, W1, W2: back(unsummed, g, z, W1, W2)[0]},
                cell="skip-gradient-text"),
        Mistake("other-form", "This is the other form: look again whether the last ReLU stands before or after the sum.",
                {"block": partial(forward, before_sum), "res": partial(forward, after_sum),
                 "block_back": partial(back, before_sum), "res_back": lambda g, z, W1, W2: back(after_sum, g, z, W1, W2)[0]},
                cell="forms-text"),
        Mistake("broadcast", "A (3, 1) input and a (3, 5) branch were added in silence: NumPy copied the column five times. Refuse.",
                {"block": lambda *a: after_sum(*map(wide, a)).detach().numpy()}, cell="shortcuts-text"),
        Mistake("open", "The last ReLU lets nothing back where the sum was negative: its gradient is missing.",
                {"block_back": open_back}, cell="skip-gradient-text"),
        Mistake("no-shortcut", "The shortcut is missing: the input, or its projection, is added to the branch.",
                {"block": partial(forward, unsummed), "res": partial(forward, unsummed)}),
    ],
    hints=[
        "Keep what the way back needs: h = relu(x W1ᵀ), and where the sum was above 0.",
        "Back, step by step: ds = g·(s > 0); dW2 = dsᵀ h; dh = ds W2, cut where h is 0; dW1 = dhᵀ x; and dx has two shares.",
        "The shortcut's share of dx is ds itself, or ds Ws with a projection, and then dWs = dsᵀ x.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X78

PLAN = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def ledger_parts(my, depth, stride_in):
    return {
        "parameters": lambda: my.ledger(depth, stride_in)[0],
        "multiply_adds": lambda: my.ledger(depth, stride_in)[1],
    }


def measured(depth, stride_in):
    from nnlib.widgets.resnet_ledger import STRIDES, ResNetLedger

    found = ResNetLedger.measure(depth=str(depth), stride=STRIDES[stride_in == "3x3"])
    return found.parameters, found.macs


def counted(depth, stride_in, norm=2, bias=0, shortcuts=True):
    """(parameters, multiply-adds) if a convolution has `norm` parameters of batch norm and `bias` of its own per filter."""
    convs, C, n = [(7, 3, 64, 112)], 64, 56  # kernel, channels in, filters, side of the output
    for stage, repeats in enumerate(PLAN[depth]):
        width = 64 << stage
        for i in range(repeats):
            before, n = n, n // 2 if stage and i == 0 else n
            if depth < 50:
                wide, body = width, [(3, C, width, n), (3, width, width, n)]
            else:
                wide, squeezed = 4 * width, n if stride_in == "1x1" else before
                body = [(1, C, width, squeezed), (3, width, width, n), (1, width, wide, n)]
            convs += body + ([(1, C, wide, n)] if shortcuts and (C != wide or n != before) else [])
            C = wide
    return (sum(k * k * c * f + (norm + bias) * f for k, c, f, _ in convs) + 1000 * C + 1000,
            sum(k * k * c * f * side * side for k, c, f, side in convs) + 1000 * C)  # fmt: skip


X78 = Exercise(
    "X78", "The ResNet ledger", lesson="16", cell="conv-cost-text", points=4,
    probe=ledger_parts,
    cases=lambda rng: [(18, "3x3"), (34, "1x1"), (50, "1x1"), (50, "3x3"), (101, "3x3"), (152, "1x1")],
    reference={"ledger": measured},
    rtol=1e-12,
    mistakes=[
        Mistake("no-norm", "The batch norms are missing: γ and β, two parameters for every filter of every convolution.",
                {"ledger": partial(counted, norm=0)}),
        Mistake("conv-bias", "The convolutions have no bias here: the batch norm behind each of them has one.",
                {"ledger": partial(counted, bias=1)}),
        Mistake("no-shortcut", "The projections are missing: a 1×1 convolution with its batch norm where the shapes differ.",
                {"ledger": partial(counted, shortcuts=False)}, cell="shortcuts-text"),
        Mistake("stride", "The two places of the stride are exchanged: with \"3x3\" the first 1×1 still works on the large image.",
                {"ledger": lambda depth, place: counted(depth, "3x3" if place == "1x1" else "1x1")}, cell="block-cost-text"),
        Mistake("doubled", "This is twice as much: a multiplication with its addition counts as one multiply-add.",
                {"ledger": lambda *c: (measured(*c)[0], 2 * measured(*c)[1])}),
    ],
    hints=[
        "Go through the net with two variables: the channels C so far and the side n so far. One convolution costs k²CF·n′².",
        "The first block of stages 3, 4, 5 halves n. A shortcut needs a projection where n or the channels change: also in conv2_x of 50 to 152.",
        "ResNet-18 has 11,689,512 parameters and 1,814,073,344 multiply-adds; the last layer is 1000·C weights and 1000 biases.",
    ],
    after="152 layers, and only three times the work of 34: bottlenecks.",
)  # fmt: skip


# ------------------------------------------------------------------- X88, X89, X90


def basic_block(my, C, seed):
    return block(lambda: my.BasicBlock(C), np.random.default_rng(seed).normal(size=(3, C, 5, 4)), seed)


class Basic(nn.models.BasicBlock):
    """nnlib's block with one thing done differently: `end` is the last step, `bias` of the convolutions."""

    def __init__(self, C, end=None, bias=False, first=F.relu):
        super().__init__(C, C)
        self.end, self.first = end, first
        if bias:
            self.conv1, self.conv2 = (nn.Conv2d(C, C, 3, padding=1) for _ in range(2))

    def forward(self, x):
        h = self.bn2(self.conv2(self.first(self.bn1(self.conv1(x)))))
        return F.relu(h + x) if self.end is None else self.end(h, x)


X88 = Exercise(
    "X88", "The basic block", lesson="16", cell="block-text", points=3,
    probe=basic_block,
    cases=lambda rng: [(int(rng.integers(2, 5)), int(rng.integers(10**6)))],
    reference={"BasicBlock": lambda C: nn.models.BasicBlock(C, C)},
    mistakes=[
        Mistake("before-sum", "The last ReLU stands before the sum here, so the branch can only add. It comes after it.",
                {"BasicBlock": partial(Basic, end=lambda h, x: F.relu(h) + x)}, cell="forms-text"),
        Mistake("linear-end", "The ReLU after the sum is missing.", {"BasicBlock": partial(Basic, end=lambda h, x: h + x)},
                cell="forms-text"),
        Mistake("no-skip", "The input is not added to the branch: this is the plain net.",
                {"BasicBlock": partial(Basic, end=lambda h, x: F.relu(h))}),
        Mistake("conv-bias", "The convolutions have a bias. The batch norm behind each of them subtracts it again: bias=False.",
                {"BasicBlock": partial(Basic, bias=True)}, cell="conv-cost-text"),
        Mistake("linear-middle", "There is no ReLU between the two convolutions, and two convolutions in a row are one.",
                {"BasicBlock": partial(Basic, first=lambda h: h)}),
    ],
    hints=[
        "In __init__: super().__init__(), then self.conv1 = nn.Conv2d(C, C, 3, padding=1, bias=False), self.bn1 = nn.BatchNorm2d(C), and so on.",
        "Forward: convolution, norm, ReLU, convolution, norm, plus x, ReLU.",
    ],
)  # fmt: skip


def bottleneck(my, C, seed):
    parts = block(lambda: my.Bottleneck(C), np.random.default_rng(seed).normal(size=(2, C, 4, 5)), seed)
    return {**parts, "weights": lambda: my.weights(C)}


class Neck(nn.models.Bottleneck):
    """nnlib's bottleneck with one thing done differently."""

    def __init__(self, C, middle=F.relu, end=None, padding=1):
        super().__init__(C, C // 4)
        self.middle, self.end = middle, end

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.bn3(self.conv3(self.middle(self.bn2(self.conv2(h)))))
        return F.relu(h + x) if self.end is None else self.end(h, x)


class FullNeck(Neck):
    """All three convolutions on all channels."""

    def __init__(self, C):
        super().__init__(C)
        self.conv1, self.conv3 = (nn.Conv2d(C, C, 1, bias=False) for _ in range(2))
        self.conv2 = nn.Conv2d(C, C, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(C), nn.BatchNorm2d(C)


def conv_weights(C):
    blocks = nn.models.BasicBlock(C, C), nn.models.Bottleneck(C, C // 4)
    return [sum(p.numel() for p in block.parameters() if p.ndim == 4) for block in blocks]


X89 = Exercise(
    "X89", "The bottleneck", lesson="16", cell="block-cost-text", points=3,
    probe=bottleneck,
    cases=lambda rng: [(4 * int(rng.integers(1, 4)), int(rng.integers(10**6))), (8, int(rng.integers(10**6)))],
    reference={"Bottleneck": lambda C: nn.models.Bottleneck(C, C // 4), "weights": conv_weights},
    mistakes=[
        Mistake("no-squeeze", "All three convolutions work on all channels. The first squeezes them to a quarter, the last restores them.",
                {"Bottleneck": FullNeck, "weights": lambda C: [18 * C * C, 11 * C * C]}),
        Mistake("linear-middle", "The ReLU after the 3×3 convolution's norm is missing.",
                {"Bottleneck": partial(Neck, middle=lambda h: h)}),
        Mistake("before-sum", "The last ReLU stands before the sum here, so the branch can only add. It comes after it.",
                {"Bottleneck": partial(Neck, end=lambda h, x: F.relu(h) + x)}, cell="forms-text"),
        Mistake("with-norm", "The question is about the convolutions' weights; the norms are counted too here.",
                {"weights": lambda C: [18 * C * C + 4 * C, 17 * C * C // 16 + 3 * C]}),
        Mistake("small-basic", "The basic block to compare with works on all C channels, not on a quarter of them.",
                {"weights": lambda C: [18 * (C // 4) ** 2, 17 * C * C // 16]}),
    ],
    hints=[
        "Width = C // 4: a 1×1 from C to width, a 3×3 on width, a 1×1 from width to C, each with its batch norm.",
        "ReLU after the first and the second norm, none after the third; then plus x, then ReLU.",
        "Weights: k² times channels in times filters. Two 3×3 on C channels are 18C²; add up the three of the bottleneck likewise.",
    ],
    after="On the same channels the bottleneck has 17/16·C² weights against 18·C²: a seventeenth.",
)  # fmt: skip


def down_block(my, C, K, stride, seed):
    x = np.random.default_rng(seed).normal(size=(2, C, 6, 7))
    return {
        "option_a": lambda: my.option_a(x.copy(), K, stride),
        **block(lambda: my.DownBlock(C, K, stride), x, seed),
        "projections": lambda: [my.projections(depth) for depth in (18, 34, 50, 101, 152)],
    }


def option_a(x, K, stride):
    return nn.models.PaddedShortcut(x.shape[1], K, stride)(wide(x)).detach().numpy()


class Down(nn.models.BasicBlock):
    """nnlib's block with another shortcut, or the stride in its second convolution."""

    def __init__(self, C, K, stride, shortcut=None, late=False):
        super().__init__(C, K, stride)
        if shortcut is not None:
            self.downsample = shortcut(C, K, stride)
        if late:
            self.conv1, self.conv2 = (nn.Conv2d(c, K, 3, s, padding=1, bias=False) for c, s in ((C, 1), (K, stride)))


def projection(C, K, stride):
    return nn.Sequential(nn.Conv2d(C, K, 1, stride, bias=False), nn.BatchNorm2d(K))


def bare(C, K, stride):
    return nn.Conv2d(C, K, 1, stride, bias=False) if (C, stride) != (K, 1) else None


X90 = Exercise(
    "X90", "Shortcut and stride", lesson="16", cell="shortcuts-text", points=4,
    probe=down_block,
    cases=lambda rng: [(C, K, s, int(rng.integers(10**6))) for C, K, s in ((2, 4, 2), (3, 3, 1), (2, 5, 1), (3, 3, 2))],
    reference={"option_a": option_a, "DownBlock": nn.models.BasicBlock, "projections": lambda depth: 4 if depth >= 50 else 3},
    mistakes=[
        Mistake("always", "A projection stands in every block. Where the shapes fit already, the identity is the shortcut.",
                {"DownBlock": partial(Down, shortcut=projection)}),
        Mistake("late-stride", "The second convolution takes the stride; the first one should, so that the second has less to do.",
                {"DownBlock": partial(Down, late=True)}, cell="block-cost-text"),
        Mistake("no-norm", "The projection has no batch norm of its own.", {"DownBlock": partial(Down, shortcut=bare)}),
        Mistake("zeros-first", "The new channels come after those of x, not before them.",
                {"option_a": lambda x, K, s: np.roll(option_a(x, K, s), K - x.shape[1], 1)}),
        Mistake("all-pixels", "Every pixel was kept: take every stride-th row and column.",
                {"option_a": lambda x, K, s: option_a(x, K, 1)}),
        Mistake("three", "Count the channels of the first stage too: a bottleneck makes 256 of 64 there.",
                {"projections": lambda depth: 3}),
        Mistake("every-block", "These are all blocks. Only where size or channels change does the shortcut need a matrix.",
                {"projections": lambda depth: sum(PLAN[depth])}),
    ],
    hints=[
        "option_a: x[:, :, ::stride, ::stride], and np.zeros or np.pad for K − C more channels behind.",
        "self.downsample = None where C == K and stride == 1, else nn.Sequential(nn.Conv2d(C, K, 1, stride, bias=False), nn.BatchNorm2d(K)).",
        "Three stages begin with a stride. In the nets with bottlenecks the first stage, without one, has a change of channels as well.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X91


def capstone(my, seed, images, labels):
    rng = np.random.default_rng(seed)
    shapes = {"x": (5, 4), "w": (3, 4), "b": (3,), "row": (1, 3), "image": (2, 3, 6, 6), "kernel": (4, 3, 3, 3), "kb": (4,)}
    a = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    target = np.array([0, 2, 1, 2, 1])

    def value_and_gradients(net, *arrays):
        leaves = [nn.tensor(array, dtype=nn.float64, requires_grad=True) for array in arrays]
        out = net(*leaves)
        upstream = np.cos(np.arange(out.data.size)).reshape(out.data.shape)
        my.Value(out.data * upstream, [(out, lambda g: g * upstream)]).backward()
        found = [out.data, *(leaf.grad for leaf in leaves)]  # no gradient stays None; nan and infinity become 1e300
        return [piece if piece is None else np.where(np.isfinite(piece), piece, 1e300) for piece in found]

    def trained(skip):
        def run(seed):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(labels))
            start = lambda *s: nn.tensor(rng.normal(size=s) * (2 / np.prod(s[1:])) ** 0.5, dtype=nn.float64, requires_grad=True)
            none = lambda n: nn.tensor(np.zeros(n), dtype=nn.float64, requires_grad=True)
            p = [start(6, 1, 3, 3), none(6), start(6, 6, 3, 3), none(6), start(10, 96), none(10)]

            def net(x):
                h = my.max_pool2d(my.relu(my.conv2d(x, p[0], p[1], padding=1)), 2)
                branch = my.conv2d(h, p[2], p[3], padding=1)
                h = my.relu(h + branch) if skip else my.relu(branch)
                return my.linear(h.flatten(1), p[4], p[5])

            optimizer = nn.optim.Adam(p, lr=0.02)
            for step in range(60):
                batch = order[20 * (step % 30) :][:20]
                optimizer.zero_grad()
                my.cross_entropy(net(images[batch] / 16), labels[batch]).backward()
                optimizer.step()
            held_out = order[600:1000]
            return (net(images[held_out] / 16).data.argmax(1) == labels[held_out]).mean()

        return sorted(float(run(seed)) for seed in range(3))

    def own():
        value_and_gradients(lambda x: my.relu(x), a["x"])  # raises for what is no engine
        pieces = my.Value, my.linear, my.relu, my.conv2d, my.max_pool2d, my.avg_pool2d, my.cross_entropy
        return [str(getattr(piece, "__module__", "")) for piece in pieces]

    nets = {
        "linear": (lambda x, w, b: my.linear(x, w, b), "x", "w", "b"),
        "linear without bias": (lambda x, w: my.linear(x, w), "x", "w"),
        "relu": (lambda x: my.relu(x), "x"),
        "a + b": (lambda x, w, b, row: my.linear(x, w, b) + row, "x", "w", "b", "row"),
        "a value used twice": (lambda x, w, b: (h := my.linear(x, w, b)) + my.relu(h), "x", "w", "b"),
        "flatten": (lambda image: my.relu(image).flatten(1), "image"),
        "conv2d": (lambda image, w, b: my.conv2d(image, w, b), "image", "kernel", "kb"),
        "conv2d with stride": (lambda image, w: my.conv2d(image, w, stride=2, padding=1), "image", "kernel"),
        "max_pool2d": (lambda image: my.max_pool2d(image, 2), "image"),
        "avg_pool2d": (lambda image: my.avg_pool2d(image, 3), "image"),
        "cross_entropy": (lambda x: my.cross_entropy(x, target), "x"),
    }
    parts = {name: lambda net=net, of=of: value_and_gradients(net, *(a[n] for n in of)) for name, (net, *of) in nets.items()}
    return {
        "own code": own, **parts,
        "large logits": lambda: value_and_gradients(lambda x: my.cross_entropy(x, target), 1000 * a["x"]),
        "the net of lesson 15": lambda: trained(False), "the net of lesson 16": lambda: trained(True),
    }  # fmt: skip


class Overwriting(tape.Value):
    """What comes back last replaces what came back before."""

    def backward(self):
        self.grad = np.ones_like(self.data)
        for value in reversed(tape.topological(self)):
            for argument, pull in value.edges:
                argument.grad = pull(value.grad)


class Keeping(tape.Value):
    """A sum hands its gradient on as it is, also to an argument that was broadcast."""

    def __add__(self, other):
        return Keeping(self.data + tape.raw(other), [(self, lambda g: g), (other, lambda g: g)])


def edited(function, change, of=0):
    """A tape's function whose gradient for argument number `of` is changed: change(gradient, value, *arguments)."""

    def wrong(*arguments, **named):
        out = function(*arguments, **named)
        edges = out.edges
        argument, pull = edges[of]
        edges[of] = argument, lambda g: change(pull(g), g, *arguments, **named)
        return out

    return wrong


def in_place_of_sum(function, kind):
    """`function` with a Value of another kind, so that + behaves differently."""

    def wrong(*arguments, **named):
        out = function(*arguments, **named)
        return kind(out.data, out.edges)

    return wrong


def kron(g, k):
    return np.kron(g, np.ones((1, 1, k, k)))


def overlapping(x, weight, bias=None, stride=1, padding=0):
    rest = tape.conv2d(tape.raw(x), weight, bias, stride, padding)  # the way back to weight and bias
    k, X = weight.shape[-1], np.pad(tape.raw(x), ((0, 0), (0, 0), (padding, padding), (padding, padding)))

    def pull(g):
        dX = np.zeros_like(X)
        for y, u in np.ndindex(g.shape[2:]):
            at = np.s_[:, :, y * stride : y * stride + k, u * stride : u * stride + k]
            dX[at] = np.einsum("nf,fcij->ncij", g[:, :, y, u], tape.raw(weight))
        return dX[:, :, padding : X.shape[2] - padding, padding : X.shape[3] - padding]

    return tape.Value(rest.data, [(x, pull), (rest, lambda g: g)])


FAULTS: dict[str, dict[str, Any]] = {
    "overwrite": {"Value": Overwriting},
    "no-unbroadcast": {"linear": in_place_of_sum(tape.linear, Keeping)},
    "no-mean": {"cross_entropy": edited(tape.cross_entropy, lambda grad, g, z, t: grad * len(t))},
    "turned": {"cross_entropy": edited(tape.cross_entropy, lambda grad, g, z, t: -grad)},
    "everywhere": {"max_pool2d": edited(tape.max_pool2d, lambda grad, g, x, k: kron(g, k))},
    "no-share": {"avg_pool2d": edited(tape.avg_pool2d, lambda grad, g, x, k: kron(g, k))},
    "overlap": {"conv2d": overlapping},
}


def op_judge(part, answer, *case):
    names = {name: getattr(tape, name) for name in tape.INTERFACE}
    right = plain(capstone(My(names), *case)[part]())
    labels = ["the value", *(f"the gradient of argument {n + 1}" for n in range(len(right) - 1))]

    def off(expected, got):
        found = ["it is missing" if g is None else difference(e, g, 1e-8, 1e-10) for e, g in zip(expected, got)]
        return next((f"{part}, {label}: {text}" for label, text in zip(labels, found) if text), "")

    if not off(right, answer):
        return None
    if any(np.max(piece) >= 1e300 for piece in answer if piece is not None):
        return "unstable"
    for key, fault in FAULTS.items():
        try:
            wrong = plain(capstone(My({**names, **fault}), *case)[part]())
        except Exception:  # a fault that cannot even run here
            continue
        if off(right, wrong) and not off(wrong, answer):
            return key
    return off(right, answer)


def accuracy_judge(answer, *case):
    shares = [float(share) for share in answer]
    if shares[1] >= 0.85:
        return None
    shown = ", ".join(f"{share:.0%}" for share in shares)
    return f"three trainings end at {shown} of 400 held-out digits right; the median should reach 85 %"


def own_judge(answer, *case):
    taken = [name for name, module in zip(tape.INTERFACE, answer) if module.split(".")[0] == "nnlib"]
    return f"the capstone runs on your own code, and {', '.join(taken)} come from nnlib" if taken else None


def digits(rng):
    images, labels = nn.data.digits(images=True)
    yield int(rng.integers(10**6)), (16 * images.numpy()[:1000]).astype(np.uint8), labels.numpy()[:1000].astype(np.int16)


OPS = ("linear", "linear without bias", "relu", "a + b", "a value used twice", "flatten", "conv2d", "conv2d with stride",
       "max_pool2d", "avg_pool2d", "cross_entropy", "large logits")  # fmt: skip

X91 = Exercise(
    "X91", "Capstone: your engine trains", lesson="16", cell="tape-text", points=8,
    probe=capstone,
    cases=digits,
    judge={"own code": own_judge, **{part: partial(op_judge, part) for part in OPS},
           "the net of lesson 15": accuracy_judge, "the net of lesson 16": accuracy_judge},
    mistakes=[
        Mistake("overwrite", "Where a value is used twice, the second gradient replaces the first. They add.", cell="11#tape-backward-text"),
        Mistake("no-unbroadcast", "A row that was added to every row came back as a whole matrix. Sum over the axes that were copied.",
                cell="11#tape-add-text"),
        Mistake("no-mean", "The loss is a mean, so each row's gradient carries a 1/N.", cell="11#tape-dense-text"),
        Mistake("turned", "The sign is turned: softmax minus one-hot, not the other way round.", cell="11#tape-dense-text"),
        Mistake("everywhere", "Max pooling sent its gradient to the whole cell; only the largest number reached the output.", cell="11#tape-pool-text"),
        Mistake("no-share", "Average pooling hands each of k² numbers 1/k² of the gradient.", cell="11#tape-pool-text"),
        Mistake("overlap", "Where windows overlap, a pixel gets a share from each of them. Here the last one replaced the others.",
                cell="11#tape-conv-text"),
        Mistake("unstable", "With large logits exp overflows, or a logarithm of 0 is taken. Subtract the largest logit of each row first.",
                cell="11#tape-dense-text"),
    ],
    hints=[
        "Lesson 11 wrote all of this, and kept it: my_tape.py lies beside your copies of the lessons.",
        "Run nnlib.course.tape.judge on a module of yours: it names each operation and how far it is from the library.",
        "Every operation returns Value(result, [(argument, pull), …]); pull takes the gradient of the result and returns the argument's.",
    ],
    after="From a perceptron to a residual network, on an engine of which you know every line.",
)  # fmt: skip
