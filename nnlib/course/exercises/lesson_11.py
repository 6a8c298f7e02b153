"""Lesson 11, modules: a class to repair, connections that weave, a recurrent module unrolled, an autograd for arrays."""

from __future__ import annotations

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import draw
from . import Exercise, Mistake


class Repaired(nn.Module):
    """20-256-10 as it should be; `end` is what stands behind the last layer."""

    def __init__(self, n_in, end=lambda z: z):
        super().__init__()
        self.hidden, self.out, self.end = nn.Linear(n_in, 256), nn.Linear(256, 10), end

    def forward(self, x):
        return self.end(self.out(F.relu(self.hidden(x))))


class OneSize(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden, self.out = nn.Linear(256), nn.Linear(10)  # type: ignore[call-arg]

    def forward(self, x):
        return self.out(F.relu(self.hidden(x)))


class Turned(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden, self.out = nn.Linear(256, n_in), nn.Linear(10, 256)

    def forward(self, x):
        return self.out(F.relu(self.hidden(x)))


class Linear(Repaired):
    def forward(self, x):
        return self.out(self.hidden(x))


def repaired(my, n_in, seed):
    def network():
        rng = np.random.default_rng(seed)
        sizes = {"hidden.weight": (256, n_in), "hidden.bias": (256,), "out.weight": (10, 256), "out.bias": (10,)}
        net = my.MLP(n_in).double()
        answer = {name: list(p.shape) for name, p in net.named_parameters()}
        logits = None
        if answer == {name: list(size) for name, size in sizes.items()}:
            net.load_state_dict({name: rng.normal(size=size) / 16 for name, size in sizes.items()})
            logits = net(nn.tensor(rng.normal(size=(2, n_in)))).detach().numpy()
        return {"parameters": answer, "logits": logits}

    return {"MLP": network, "parameters": lambda: my.parameters(n_in)}


X79 = Exercise(
    "X79", "Repair a published class", lesson="11", cell="repaired-text",
    probe=repaired,
    cases=lambda rng: [(n_in, int(rng.integers(10**6))) for n_in in (20, 7)],
    reference={"MLP": Repaired, "parameters": lambda n_in: n_in * 256 + 256 + 256 * 10 + 10},
    mistakes=[
        Mistake("one-size", "A Linear needs two sizes, what comes in and what goes out: one of them is missing.", {"MLP": OneSize}, cell="slip-linear"),
        Mistake("relu-end", "A ReLU stands behind the last layer, so no logit can be negative. The last layer ends without one.",
                {"MLP": lambda n_in: Repaired(n_in, F.relu)}),
        Mistake("softmax-end", "A softmax stands behind the last layer. The loss brings its own: give it the logits.",
                {"MLP": lambda n_in: Repaired(n_in, lambda z: F.softmax(z, dim=1))}),
        Mistake("turned", "In and out are turned round: Linear(in_features, out_features), and the next layer takes in what this one gives out.",
                {"MLP": Turned}),
        Mistake("no-relu", "Between the two layers the ReLU is gone; two affine maps in a row are one affine map.", {"MLP": Linear}),
        Mistake("no-biases", "The biases are parameters too, one for each unit.", {"parameters": lambda n_in: n_in * 256 + 2560}),
    ],
    hints=[
        "There are four slips: a line that every __init__ of a module begins with, two sizes, a name that was never imported, one ReLU too many.",
        "nn.Linear(in_features, out_features). The hidden layer gets n_in numbers, the output layer 256.",
        "relu is nn.functional.relu here. A layer with m units and n inputs has m·n weights and m biases.",
    ],
    after="7,946 parameters for 20 inputs, and 203,530 for the 784 pixels of a picture.",
)  # fmt: skip


def woven(x, Wa, Wb, Wc, dy):
    x, Wa, Wb, Wc = (nn.tensor(v, requires_grad=True) for v in (x, Wa, Wb, Wc))
    h = F.linear(x, Wa).tanh()
    k = F.linear(h, Wb).tanh() + h
    F.linear(nn.cat([h, k], dim=1), Wc).backward(gradient=dy)
    return {"Wa": Wa.grad, "Wb": Wb.grad, "Wc": Wc.grad}


def woven_with(x, Wa, Wb, Wc, dy, *, swap=False, users=("concat", "skip", "b")):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    cat = dy @ Wc
    from_h, dk = (cat[:, n:], cat[:, :n]) if swap else (cat[:, :n], cat[:, n:])
    dt = dk * (1 - t**2)
    shares = {"concat": from_h, "skip": dk, "b": dt @ Wb}
    dh = sum(shares[user] for user in users)
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dt.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


class Res(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mm = nn.Linear(width, width)

    def forward(self, x):
        return x + self.mm(x).tanh()


def res_once(width):
    one = Res(width)
    return nn.Sequential(one, one)


def connected(my, x, Wa, Wb, Wc, dy, boxes):
    def res_res():
        net = my.res_res(3)
        numbers = len({id(p) for p in net.parameters()})
        for p in net.parameters():
            p.data = np.full(p.shape, 0.3 / p.ndim, dtype=p.dtype)
        return {"parameters": numbers, "output": net(nn.tensor([[1.0, -2.0, 0.5]], dtype=p.dtype)).detach().numpy()}

    return {
        "count": lambda: my.count([tuple(box) for box in boxes]),
        "res_res": res_res,
        "woven": lambda: my.woven(x.copy(), Wa.copy(), Wb.copy(), Wc.copy(), dy.copy()),
    }


def count(boxes):
    return sum(n_out * (n_in + 1) for n_in, n_out in {name: sizes for name, *sizes in boxes}.values())


X83 = Exercise(
    "X83", "Skips, weaves and twins", lesson="11", cell="weave-hand-text", points=4,
    probe=connected,
    cases=lambda rng: [(rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), rng.normal(size=(2, 6)),
                        rng.normal(size=(5, 2)), boxes) for boxes in ([["in", 2, 8], ["block", 8, 8], ["block", 8, 8], ["out", 8, 1]],
                                                                      [["a", 3, 3], ["b", 3, 3], ["a", 3, 3], ["a", 3, 3], ["c", 3, 5]])],
    reference={"woven": woven, "count": count, "res_res": lambda width: nn.Sequential(Res(width), Res(width))},
    rtol=1e-5, atol=1e-7,
    mistakes=[
        Mistake("overwritten", "Only one user's share of the gradient of h is left. h has three users: the concat, the skip, and layer b. All three count.",
                {"woven": lambda *a: woven_with(*a, users=["b"])}),
        Mistake("no-skip", "The share over the skip is missing: k = tanh(…) + h, and an add hands its gradient to both sides.",
                {"woven": lambda *a: woven_with(*a, users=["concat", "b"])}),
        Mistake("no-concat", "The share that comes straight from the concat is missing: its first columns belong to h.",
                {"woven": lambda *a: woven_with(*a, users=["skip", "b"])}),
        Mistake("halves-swapped", "The columns of the concat went back to the wrong owners. In the forward pass h stands first, then k; cut in the same order.",
                {"woven": lambda *a: woven_with(*a, swap=True)}),
        Mistake("counted-twice", "A module that is used twice was counted twice. The same name is the same module with the same numbers.",
                {"count": lambda boxes: sum(o * (i + 1) for _, i, o in boxes)}),
        Mistake("no-biases", "The biases are missing: n_out of them in each module.",
                {"count": lambda boxes: sum(o * i for i, o in {name: sizes for name, *sizes in boxes}.values())}),
        Mistake("one-block", "One block was made and used twice, so both places share its weights. In Res(Res(x)) each block has its own: make two.",
                {"res_res": res_once}, cell="own-text"),
    ],
    hints=[
        "Boxes with one name are one module: collect them in a dictionary or a set before you add up.",
        "nn.Sequential(a, b) with two modules made by two calls of Res.",
        "Backward: d_cat = dy Wc, cut into the columns of h and of k. dt = dk ⊙ (1 − t²). dh = concat's part + dk + dt Wb.",
    ],
    after="Where a value has three users, three shares come home; nothing else is new in a graph that is no chain.",
)  # fmt: skip


def rnn(W, U, b, x):
    h, states = nn.zeros(len(b), dtype=nn.float64), []
    for t in range(len(x)):
        h = (W @ h + U @ nn.tensor(x[t]) + b).tanh()
        states.append(h)
    return states


def rnn_forward(W, U, b, x):
    return np.stack([h.numpy() for h in rnn(nn.tensor(W), nn.tensor(U), nn.tensor(b), x)])


def rnn_backward(W, U, b, x, g):
    W = nn.tensor(W, requires_grad=True)
    rnn(W, nn.tensor(U), nn.tensor(b), x)[-1].backward(gradient=g)
    return W.grad


def shares_of_w(W, U, b, x, g, untransposed=False):
    """The share of each time step in the gradient by W, first step first: (T, n, n)."""
    states = [np.zeros(len(b)), *rnn_forward(W, U, b, x)]
    shares, dh = np.zeros((len(x), *W.shape)), g
    for t in reversed(range(1, len(states))):
        dz = dh * (1 - states[t] ** 2)
        shares[t - 1] = np.outer(dz, states[t - 1])
        dh = (W if untransposed else W.T) @ dz
    return shares


def no_slope(W, U, b, x, g):
    states, total, dh = [np.zeros(len(b)), *rnn_forward(W, U, b, x)], np.zeros(W.shape), g
    for t in reversed(range(1, len(states))):
        total, dh = total + np.outer(dh, states[t - 1]), W.T @ dh
    return total


def not_fed_back(W, U, b, x):
    return np.tanh(x @ U.T + b)


def reach(w, u, x):
    """abs(dh_T / dh_t) for t = 0 … T of the scalar network."""
    h, factors = 0.0, []
    for value in x:
        h = np.tanh(w * h + u * value)
        factors.append(abs(w * (1 - h * h)))
    return np.cumprod([1.0, *factors[::-1]])[::-1]


def recurrent(my, W, U, b, x, g, ws):  # the picture is asked for once, where there are ws
    return {
        "rnn_forward": lambda: my.rnn_forward(W.copy(), U.copy(), b.copy(), x.copy()),
        "rnn_backward": lambda: my.rnn_backward(W.copy(), U.copy(), b.copy(), x.copy(), g.copy()),
        "draw": lambda: draw(my.draw, ws, 0.7, x[:, 0]) if ws else my.draw and None,
    }


def reach_judge(answer, W, U, b, x, g, ws):
    if not ws:
        return None
    if not answer["axes"] or len(answer["axes"][0]["lines"]) != len(ws):
        return f"the figure should have one line for each of the {len(ws)} weights"
    ax = answer["axes"][0]
    if ax["yscale"] != "log":
        return "the y-axis should be logarithmic: these numbers shrink and grow by factors"
    for w, line in zip(ws, ax["lines"]):
        right = reach(w, 0.7, x[:, 0])
        if len(line["y"]) != len(right) or not np.allclose(line["x"], np.arange(len(right))):
            return f"each line should have a point for every t from 0 to {len(right) - 1}"
        if np.allclose(line["y"], right[::-1], rtol=1e-4, atol=0):
            return "time-turned"
        if np.allclose(line["y"], abs(w) ** np.arange(len(x), -1, -1), rtol=1e-4, atol=0):
            return "no-slope-drawn"
        if not np.allclose(line["y"], right, rtol=1e-4, atol=0):
            return f"the line for w = {w:g} is not |dh_T/dh_t|"
    return None


SCALAR = (np.array([[0.9]]), np.array([[0.7]]), np.zeros(1), np.array([[0.5], [-1.0], [0.3], [0.8]]), np.ones(1))


X80 = Exercise(
    "X80", "Back through time", lesson="11", cell="rnn-hand-text", points=4,
    probe=recurrent,
    cases=lambda rng: [(*SCALAR, [])] + [
        (rng.normal(size=(n, n)) * 0.7, rng.normal(size=(n, 2)), rng.normal(size=n) * 0.3, rng.normal(size=(T, 2)) * 0.6, rng.normal(size=n),
         ws) for n, T, ws in ((3, 4, []), (2, 7, [0.4, 1.0, 1.6]))],
    reference={"rnn_forward": rnn_forward, "rnn_backward": rnn_backward},
    judge={"draw": reach_judge},
    mistakes=[
        Mistake("last-step", "Only the last time step's share is here. W is used at every step, and the shares add.",
                {"rnn_backward": lambda *a: shares_of_w(*a)[-1]}),
        Mistake("copies", "Every step got a gradient of its own, as if there were T matrices. There is one W with T users: add them.",
                {"rnn_backward": shares_of_w}),
        Mistake("averaged", "The shares were averaged. They add: moving W moves all steps at once.",
                {"rnn_backward": lambda *a: shares_of_w(*a).mean(0)}),
        Mistake("not-fed-back", "The old state never comes back in: hₜ depends on xₜ alone here.",
                {"rnn_forward": not_fed_back, "rnn_backward": lambda W, U, b, x, g: np.zeros_like(W)}),
        Mistake("with-start", "h₀ stands in front. The states asked for begin with h₁, one for each row of x.",
                {"rnn_forward": lambda W, U, b, x: np.vstack([np.zeros(len(b)), rnn_forward(W, U, b, x)])}),
        Mistake("no-slope", "The slope of tanh is missing on the way back.", {"rnn_backward": no_slope}),
        Mistake("not-transposed", "Going back a step needs Wᵀ: column i of W says who used number i of the old state. W is right for one unit only.",
                {"rnn_backward": lambda W, U, b, x, g: shares_of_w(W, U, b, x, g, untransposed=True).sum(0)}),
        Mistake("time-turned", "Time runs the wrong way in the picture: at t = T the value is 1, since h_T moves as h_T does."),
        Mistake("no-slope-drawn", "This is |w|^(T − t). Each step back also multiplies by the slope of tanh, 1 − h²."),
    ],
    hints=[
        "Forward: h starts as zeros; for each row of x the new h is tanh(W h + U x_t + b). Keep them all, h₀ too.",
        "Back: dz = (1 − hₜ²) ⊙ dh; add the outer product of dz and hₜ₋₁ to dW; then dh = Wᵀ dz.",
        "In the scalar case each step back multiplies by w(1 − hₜ²). Start with 1 at t = T and go down to t = 0.",
    ],
    after="Below 1 per step the past is forgotten, above 1 it explodes; a weight of 1 does not help while tanh is bent.",
)  # fmt: skip


def tensor(walk):
    """The class with another backward."""

    class Tensor:
        def __init__(self, data, edges=()):
            self.data, self.edges = np.asarray(data, float), list(edges)
            self.grad = np.zeros(self.data.shape)

        def __add__(self, other):
            return type(self)(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

        def __mul__(self, other):
            return type(self)(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

        def sum(self):
            return type(self)(self.data.sum(), [(self, lambda g: g * np.ones(self.data.shape))])

        backward = walk

    return Tensor


def ordered(root):
    order, seen, waiting = [], set(), [(root, False)]
    while waiting:
        value, ready = waiting.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            waiting += [(value, True), *((argument, False) for argument, _ in value.edges)]
    return order[::-1]


def walk(self, reset=True, overwrite=False):
    order = ordered(self)
    for value in order:
        if reset and value.edges:
            value.grad = np.zeros(value.data.shape)
    self.grad = np.ones(self.data.shape)
    for value in order:
        for argument, pull in value.edges:
            argument.grad = pull(value.grad) if overwrite else argument.grad + pull(value.grad)


def walk_too_early(self):
    for value in ordered(self):
        if value.edges:
            value.grad = np.zeros(value.data.shape)
    self.grad, waiting, done = np.ones(self.data.shape), [self], set()
    while waiting:
        value = waiting.pop(0)
        if value not in done:
            done.add(value)
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)
                waiting.append(argument)


def walk_recursive(self):
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for argument, _ in value.edges:
                visit(argument)
            order.append(value)

    visit(self)
    for value in order:
        if value.edges:
            value.grad = np.zeros(value.data.shape)
    self.grad = np.ones(self.data.shape)
    for value in reversed(order):
        for argument, pull in value.edges:
            argument.grad = argument.grad + pull(value.grad)


def engine(my, a, theta, x):
    def leaf(value):
        return my.Tensor(np.array(value))

    def reuse():
        found = []
        for function in (lambda t: t * t, lambda t: t + t, lambda t: t * t * t + t):
            t = leaf(a)
            function(t).sum().backward()
            found.append(t.grad)
        return found

    def order():
        t, two, three = leaf(a), leaf(2 * np.ones(a.shape)), leaf(3 * np.ones(a.shape))
        double = t * two
        (double + double * three).sum().backward()
        return [t.grad, two.grad, three.grad]

    def footnote():
        p, data = leaf(theta), leaf(x)
        h = (p * p * data * data).sum()
        h.backward()
        return [float(h.data), p.grad, data.grad]

    def again():
        t = leaf(a)
        square = t * t
        result = (square * t + square).sum()
        result.backward()
        result.backward()
        return t.grad

    def deep():
        t = leaf(a)
        total = t
        for _ in range(4000 if a.ndim == 1 else 4):
            total = total + t
        total.sum().backward()
        return t.grad

    return {"reuse": reuse, "order": order, "footnote": footnote, "again": again, "deep": deep}


X44 = Exercise(
    "X44", "An autograd of your own", lesson="11", cell="tape-backward-text", points=5,
    probe=engine,
    cases=lambda rng: [(np.array([3.0, -1.0]), np.array([1.0, 2.0, -3.0]), np.array([1.0, 3.0, -1.0]))]
    + [(rng.normal(size=(2, 3)).round(2), rng.normal(size=4).round(2), rng.normal(size=4).round(2))],
    reference={"Tensor": tensor(walk)},
    mistakes=[
        Mistake("overwrite", "Where a value is used several times only the share that arrived last is left. Shares add.",
                {"Tensor": tensor(lambda self: walk(self, overwrite=True))}, cell="09#break-after"),
        Mistake("too-early", "A value passed its gradient on before all its users had sent theirs. Every user must stand before it in the order.",
                {"Tensor": tensor(walk_too_early)}, cell="09#break-after"),
        Mistake("not-reset", "A second backward finds the first one's gradients still lying in the results on the way. Only leaves collect over several calls; results start from 0.",
                {"Tensor": tensor(lambda self: walk(self, reset=False))}),
        Mistake("recursion", "Python stops after about a thousand nested calls, and this graph is 4,000 deep. Keep your own list of what is still to do.",
                {"Tensor": tensor(walk_recursive)}),
        Mistake("mul-keeps", "Each factor was multiplied into its own gradient. A mul swaps: the share of self is the gradient times the other factor.",
                {"Tensor": type("Tensor", (tensor(walk),), {"__mul__": lambda a, b: type(a)(
                    a.data * b.data, [(a, lambda g: g * a.data), (b, lambda g: g * b.data)])})}, cell="09#gates-text"),
    ],
    hints=[
        "mul swaps: the share of self is g * other.data. sum copies: its share is g times ones of the argument's shape.",
        "backward: (1) put the values in an order in which each stands behind all its users, (2) set the grad of every value that has edges to zeros, "
        "and of this one to ones, (3) walk the order: for each edge, argument.grad = argument.grad + pull(value.grad).",
        "An order without recursion: a list of pairs (value, done). Pop one; if it is done, write it down; if it is new, put it back as done and its arguments on top. "
        "Walk what you wrote down from its end.",
    ],
    after="This is PyTorch's contract too: leaves collect until somebody clears them, and that is why there is a zero_grad.",
)  # fmt: skip
