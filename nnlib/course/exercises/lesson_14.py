"""Lesson 14, convolution in one dimension: by hand, offsets, lengths, dilation, counts, receptive fields."""

from __future__ import annotations

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import calls, values
from . import Exercise, Mistake

SIX, TAPS = np.array([3.0, 1, 4, 1, 5, 9]), np.array([1.0, 2, 3])


def by_hand(my, w, n):
    return {"z": lambda: my.z, "band_matrix": lambda: my.band_matrix(w.copy(), n)}


def band_matrix(w, n):
    return F.conv1d_matrix(nn.tensor(w, dtype=nn.float64), n, padding=len(w) // 2).numpy()


def wrapped(w, n):
    return sum(np.roll(np.eye(n), j - len(w) // 2, axis=1) * weight for j, weight in enumerate(w))


def one_sided(w, n):
    return np.tril(F.conv1d_matrix(nn.tensor(w, dtype=nn.float64), n, padding=len(w) - 1).numpy()[:n])


def both(matrix):
    return {"z": matrix(TAPS, 6) @ SIX, "band_matrix": matrix}


X69 = Exercise(
    "X69", "A convolution by hand", lesson="14", cell="matrix-text",
    probe=by_hand,
    cases=lambda rng: [(TAPS, 6), *((rng.normal(size=k).round(2), int(rng.integers(k, 9))) for k in (1, 3, 5))],
    reference=both(band_matrix),
    mistakes=[
        Mistake("flipped", "The kernel is laid down backwards: this is NumPy's true convolution, the transpose of what is asked.",
                both(lambda w, n: band_matrix(w, n).T), cell="slip-flip"),
        Mistake("wraps", "At the border the other end of the signal was read, as on a ring. Beyond the edge there are zeros.",
                both(wrapped), cell="padding-text"),
        Mistake("one-side", "All zeros were put in front of the signal. The kernel is centred: half of them belong at each end.",
                both(one_sided), cell="padding-text"),
    ],
    hints=[
        "Write a zero at both ends of the signal, lay 1, 2, 3 over the first three numbers, multiply, add, move on by one.",
        "Row i of the matrix holds what output i reads: weight j sits in column i + j − ⌊k/2⌋, if there is such a column.",
        "A negative index does not fail in Python, it counts from the end. Test 0 ≤ t < n before you write.",
    ],
    after="Every row is the row above, moved by one: a banded Toeplitz matrix with k different numbers.",
)  # fmt: skip


def offsets(k):
    return list(range(-((k - 1) // 2), (k - 1) // 2 + 1))


def offset_calls(my, k, i, n):
    return {"offsets": lambda: my.offsets(k), "reads": lambda: my.reads(i, k, n)}


def reads_with(offsets):
    return {"offsets": offsets, "reads": lambda i, k, n: [i + o for o in offsets(k) if 0 <= i + o < n]}


X70 = Exercise(
    "X70", "Which inputs an output reads", lesson="14", cell="formula-text",
    probe=offset_calls,
    cases=lambda rng: [(3, 0, 6), (5, 3, 6), (7, 4, 6), (1, 2, 4), (5, int(rng.integers(3, 6)), int(rng.integers(7, 10)))],
    reference=reads_with(offsets),
    called={"offsets": lambda k, i, n: (k,), "reads": lambda k, i, n: (i, k, n)},
    mistakes=[
        Mistake("half", "These are no places: with an odd k, k/2 is not a whole number. Round it down.",
                reads_with(lambda k: [j - k / 2 for j in range(k)]), cell="slip-half"),
        Mistake("up", "k/2 was rounded up, so the kernel sits one place too far to the left. It runs, and shifts every output.",
                reads_with(lambda k: [j - (k + 1) // 2 for j in range(k)]), cell="slip-half"),
        Mistake("zero", "The kernel starts at place i and looks to the right only. Its middle belongs over place i.",
                reads_with(lambda k: list(range(k)))),
        Mistake("outside", "Some of these places lie outside of the signal: they are padding and are not read.",
                {"reads": lambda i, k, n: [i + o for o in offsets(k)]}, cell="padding-text"),
        Mistake("below", "Places below 0 are padding as well, and these are still in the list.",
                {"reads": lambda i, k, n: [i + o for o in offsets(k) if i + o < n]}, cell="padding-text"),
        Mistake("last", "A signal of length n has the places 0 … n − 1; place n is already padding.",
                {"reads": lambda i, k, n: [i + o for o in offsets(k) if 0 <= i + o <= n]}),
    ],
    hints=[
        "k = 3: the place before, the place itself, the place after. Write down k = 5 too.",
        "The offsets are j − ⌊k/2⌋ for j = 0 … k − 1; in Python // rounds down.",
        "reads: add i to every offset and keep what lies in 0 … n − 1.",
    ],
)  # fmt: skip


def windows(n, k, s, p, d):
    """The first places of all windows that fit, found by trying."""
    return [t for t in range(0, n + 2 * p, s) if t + d * (k - 1) < n + 2 * p]


def length_names(room, up=False):
    """What somebody would write who takes this room for the steps."""
    return {"out_length": lambda *c: (-(-room(*c) // c[2]) if up else room(*c) // c[2]) + 1,
            "left_over": lambda *c: room(*c) % c[2]}  # fmt: skip


def length_cases(rng):
    yield from [(6, 3, 2, 1, 1), (7, 3, 2, 0, 1), (6, 3, 2, 0, 1), (12, 3, 3, 2, 2), (28, 5, 2, 2, 1)]
    for _ in range(4):
        n, k, s, p, d = (int(v) for v in rng.integers((12, 1, 1, 0, 1), (30, 5, 5, 4, 4)))
        yield n, k, s, p, d


X71 = Exercise(
    "X71", "How long is the output?", lesson="14", cell="stride-text",
    probe=calls("out_length", "left_over"),
    cases=length_cases,
    reference={
        "out_length": lambda *c: len(windows(*c)),
        "left_over": lambda n, k, s, p, d: n + 2 * p - (windows(n, k, s, p, d)[-1] + d * (k - 1) + 1),
    },
    mistakes=[
        Mistake("ceil", "Rounded up: a window that hangs over the end is not counted. Only whole steps fit.",
                {"out_length": length_names(lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1, up=True)["out_length"]}),
        Mistake("no-dilation", "The kernel's extent is d(k − 1) + 1 places, not k: dilation spreads it.",
                length_names(lambda n, k, s, p, d: n + 2 * p - k), cell="dilation-text"),
        Mistake("no-minus-one", "The kernel takes d(k − 1) + 1 places. Here one of them still counts as room to move.",
                length_names(lambda n, k, s, p, d: n + 2 * p - d * (k - 1))),
        Mistake("one-pad", "Padding p means p zeros at each end; here it was counted once.",
                length_names(lambda n, k, s, p, d: n + p - d * (k - 1) - 1), cell="padding-text"),
        Mistake("steps", "This counts the steps between windows. The first window needs no step.",
                {"out_length": lambda *c: len(windows(*c)) - 1}),
    ],
    hints=[
        "How much room is there with the padding? How many places does one window take? How many steps of s fit into the rest?",
        "Room n + 2p, extent d(k − 1) + 1. Whole steps: the difference divided by s, rounded down; one window more than steps.",
        "What does not make a whole step any more is the remainder: Python's %.",
    ],
    after="What is left over at the right end is never read: no error, no warning, no gradient.",
)  # fmt: skip


def dilate(my, w, d):
    from nnlib.widgets import ConvolutionBench

    def bench():
        if not isinstance(my.bench, dict):
            raise TypeError(f'bench should be a dict such as {{"stride": 1, "padding": 0, "dilation": 1}}, not {my.bench!r}')
        found = ConvolutionBench.measure(**{"n": 9, "k": 3} | my.bench)
        read = {place for i in range(len(found.y)) for j in range(len(found.w))
                for place in [i * found.stride - found.padding + found.dilation * j]}  # fmt: skip
        return {"n": len(found.x), "k": len(found.w), "unread": [t for t in range(len(found.x)) if t not in read]}

    return {
        "spread": lambda: my.spread(w.copy(), d),
        "extent": lambda: my.extent(len(w), d),
        "same_padding": lambda: my.same_padding(len(w), d),
        "bench": bench,
    }


def bench_judge(answer, w, d):
    if (answer["n"], answer["k"]) != (9, 3):
        return f"the bench should have n = 9 inputs and a kernel of size k = 3; yours has {answer['n']} and {answer['k']}"
    if answer["unread"] == [1, 3, 5, 7]:
        return None
    if not answer["unread"]:
        return "with these settings every input is read"
    if answer["unread"][0] > 9 - len(answer["unread"]) - 1:
        return "end-only"
    return f"with these settings the inputs never read are {[t + 1 for t in answer['unread']]}, counted from 1"


def spread(w, d):
    out = np.zeros(d * (len(w) - 1) + 1)
    out[::d] = w
    return out


def tailed(w, d):
    out = np.zeros(d * len(w))
    out[::d] = w
    return out


X72 = Exercise(
    "X72", "Kernels with gaps", lesson="14", cell="dilation-text", points=3,
    probe=dilate,
    cases=lambda rng: [(np.array([1.0, 3, 5]), 2), (rng.normal(size=3).round(2), 3), (rng.normal(size=5).round(2), 1),
                       (rng.normal(size=5).round(2), int(rng.integers(2, 5)))],
    reference={"spread": spread, "extent": lambda k, d: d * (k - 1) + 1, "same_padding": lambda k, d: d * (k - 1) // 2},
    judge={"bench": bench_judge},
    called={"spread": lambda w, d: (w, d), "extent": lambda w, d: (len(w), d), "same_padding": lambda w, d: (len(w), d)},
    mistakes=[
        Mistake("tail", "Between k weights there are k − 1 gaps: here the last weight got one as well.",
                {"spread": tailed, "extent": lambda k, d: k * d, "same_padding": lambda k, d: k * d // 2}),
        Mistake("rate", "Here d zeros stand between two weights. In the usual count dilation 1 means no gap.",
                {"spread": lambda w, d: spread(w, d + 1), "extent": lambda k, d: (d + 1) * (k - 1) + 1,
                 "same_padding": lambda k, d: (d + 1) * (k - 1) // 2}),
        Mistake("undilated", "The dilation plays no part here: this is right for d = 1 only.",
                {"spread": lambda w, d: w, "extent": lambda k, d: k, "same_padding": lambda k, d: k // 2}),
        Mistake("end-only", "Only inputs at the right end are left out. The question is about holes everywhere.", cell="bench-predict"),
    ],
    hints=[
        "Dilation d reads every d-th neighbour: from one weight to the next it is d places, with d − 1 zeros between.",
        "From the first weight to the last there are k − 1 such steps. The extent counts both ends.",
        "Bench: with dilation 2 a window reads places of one kind only, even or odd. Which strides never change the kind?",
    ],
    after="These holes are called gridding: stride and dilation with a common divisor never meet the other inputs.",
)  # fmt: skip


def conv_count(m, k, C, K):
    return sum(p.numel() for p in nn.Conv1d(C, K, k).parameters())


def dense_count(m, k, C, K):
    return (m * C + 1) * (m * K)  # every unit has a weight for each input and one bias


X73 = Exercise(
    "X73", "The diet in numbers", lesson="14", cell="cost-text",
    probe=calls("conv_parameters", "dense_parameters", "conv_products"),
    cases=lambda rng: [(6, 3, 1, 1), (100, 3, 16, 32), tuple(int(v) for v in rng.integers((7, 2, 3, 3), (20, 6, 7, 9)))],
    reference={"conv_parameters": conv_count, "dense_parameters": dense_count,
               "conv_products": lambda m, k, C, K: m * k * C * K},
    mistakes=[
        Mistake("pair-bias", "One bias per pair of channels is too many: the C parts of an output are added, and one bias does.",
                {"conv_parameters": lambda m, k, C, K: k * C * K + C * K}, cell="slip-bias"),
        Mistake("no-bias", "The biases are missing: one for each output channel of the convolution, for each output of the dense layer.",
                {"conv_parameters": lambda m, k, C, K: k * C * K, "dense_parameters": lambda m, k, C, K: m * m * C * K},
                cell="slip-bias"),
        Mistake("no-input", "An output channel has one kernel for each input channel; the input channels are left out here.",
                {"conv_parameters": lambda m, k, C, K: k * K + K, "conv_products": lambda m, k, C, K: m * k * K},
                cell="tensor-text"),
        Mistake("length", "The length is in this count. The same weights serve at every place.",
                {"conv_parameters": lambda m, k, C, K: m * k * C * K + K}),
        Mistake("dense-bias", "A dense layer has one bias for each of its outputs, and it has m of them per channel.",
                {"dense_parameters": lambda m, k, C, K: m * m * C * K + K}, cell="layer-text"),
        Mistake("once", "This counts the products for one place; the kernels are laid down at m places.",
                {"conv_products": lambda m, k, C, K: k * C * K}),
    ],
    hints=[
        "How many kernels are there? One for each pair (output channel, input channel), of k weights each.",
        "One bias per output channel. The dense layer has m·C inputs and m·C′ outputs, each output with its own bias.",
        "For m = 6, k = 3 and one channel it is 4 parameters against 42.",
    ],
)  # fmt: skip


LINES = {
    "A": "        jump = jump * s",
    "B": "    return R",
    "C": "        R = R + d * (k - 1) * jump",
    "D": "    for k, s, d in layers:",
    "E": "        R = R + d * k * jump",
    "F": "def field(layers):",
    "G": "    R = 1",
    "H": "        R = R + (k - 1) * jump",
    "I": "    jump = 1",
}
STACKS = [[], [(3, 1, 1)] * 4, [(3, 2, 1)] * 4, [(3, 1, 1), (3, 1, 2), (3, 1, 4)], [(5, 1, 1), (2, 2, 1), (3, 1, 2)]]


def field_judge(order):
    if not isinstance(order, str) or not order or not set(order) <= LINES.keys() or len(set(order)) < len(order):
        return f"expected a string of different letters from A to I, such as 'FGB'; got {order!r}"
    names: dict = {}
    try:
        exec(compile("\n".join(LINES[letter] for letter in order), "<lines>", "exec"), names)
        found = [names["field"]([tuple(layer) for layer in stack]) for stack in STACKS]
    except (SyntaxError, NameError, KeyError) as error:
        reason = "there is no function" if isinstance(error, KeyError) else getattr(error, "msg", str(error))
        return f"Python cannot run the lines in this order: {reason}"
    right = [nn.inspection.receptive_field(stack) if stack else 1 for stack in STACKS]
    if found == right:
        return None
    for key, wrong in (("sum-k", "E" in order), ("no-dilation", "H" in order),
                       ("stride-first", "A" in order and "C" in order and order.index("A") < order.index("C"))):  # fmt: skip
        if wrong:
            return key
    at = next(i for i, (a, b) in enumerate(zip(found, right)) if a != b)
    return f"the lines run, but field({STACKS[at]}) gives {found[at]}, which is not right"


X75 = Exercise(
    "X75", "Receptive field, in pieces", lesson="14", cell="field-text",
    probe=values("order"),
    judge=field_judge,
    mistakes=[
        Mistake("sum-k", "A kernel of size k adds k − 1 new places: one of the k was already counted."),
        Mistake("no-dilation", "In one of your lines the dilation is missing; with gaps of d a kernel reaches d times as far."),
        Mistake("stride-first", "A layer's stride does not widen the layer's own window, only those that come after it."),
    ],
    hints=[
        "Two numbers go through the loop: the field so far, and how many inputs one step of the present layer is worth.",
        "Before any layer a unit sees 1 input, and one step is worth 1. Two of the nine lines are traps.",
        "Inside the loop: first widen R with the jump of the layers before, then let this layer's stride make the jump longer.",
    ],
    after="Strides multiply, kernels add: four layers of size 3 see 9 inputs, with strides of 2 they see 31.",
)  # fmt: skip
