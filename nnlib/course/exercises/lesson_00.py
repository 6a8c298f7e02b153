"""Lesson 00, the course on one page: what every axis counts, the 64 pairs, columns read as rows."""

from __future__ import annotations

import numpy as np

import nnlib as nn

from ..verdict import show
from . import Exercise, Mistake


def axes(my, N, n_in, n_out):
    return {
        "shapes_rows": lambda: my.shapes_rows(N, n_in, n_out),
        "shapes_columns": lambda: my.shapes_columns(N, n_in, n_out),
        "traps": lambda: my.traps,
    }


TRAPS = [["accepted", "refused", "refused"], ["refused", "accepted", "refused"], ["refused", "refused", "accepted"], ["refused"] * 3]
WRONG = "W stored as (in, out)", "x with examples as columns", "b of size batch"


def reception(sizes):
    """What the explorer's layer does with each of the three wrong arguments."""
    from nnlib.widgets import ShapeExplorer

    batch, inputs, outputs = map(int, sizes)
    measured = [ShapeExplorer.measure(batch=batch, inputs=inputs, outputs=outputs, wrong=wrong) for wrong in WRONG]
    return ["refused" if numbers.error else "accepted" for numbers in measured]


def traps_judge(answer, N, n_in, n_out):
    if len(answer) != 4 or any(not isinstance(sizes, list) or len(sizes) != 3 for sizes in answer):
        return f"traps holds four triples (batch, inputs, outputs), got {show(answer)}"
    for number, (sizes, wanted) in enumerate(zip(answer, TRAPS)):
        try:
            got = reception(sizes)
        except ValueError as error:
            return f"triple {number + 1}: {error}"
        if got == wanted:
            continue
        if got.count("accepted") == 3:
            return "all-equal"
        if sorted(got) == sorted(wanted) or (number < 3 and got.count("accepted") == 1):
            return "other-trap"
        if number == 3:
            return "not-safe"
        return f"triple {number + 1}: {', '.join(f'{name}: {what}' for name, what in zip(WRONG, got))}"
    return None


def shapes_rows(N, n_in, n_out):
    return [[N, n_in], [n_out, n_in], [n_out], [N, n_out]]


def shapes_columns(N, n_in, n_out):
    return [[n_in, N], [n_out, n_in], [n_out, 1], [n_out, N]]


X94 = Exercise(
    "X94", "What every axis counts", lesson="00", cell="layouts",
    probe=axes,
    cases=lambda rng: [(32, 20, 5), tuple(int(v) for v in rng.permutation(np.arange(2, 30))[:3])],
    reference={"shapes_rows": shapes_rows, "shapes_columns": shapes_columns},
    judge={"traps": traps_judge},
    mistakes=[
        Mistake("turned", "The weight is stored as (out, in), a row for each output; only in the formula it is turned.",
                {"shapes_rows": lambda N, i, o: [[N, i], [i, o], [o], [N, o]], "shapes_columns": lambda N, i, o: [[i, N], [i, o], [o, 1], [o, N]]}),
        Mistake("other-form", "These are the shapes of the other form. One example is a row in the first, a column in the second.",
                {"shapes_rows": shapes_columns, "shapes_columns": shapes_rows}),
        Mistake("bias-flat", "Beside columns a bias of shape (out,) acts as a row and is added to the wrong numbers. It needs a second axis.",
                {"shapes_columns": lambda N, i, o: [[i, N], [o, i], [o], [o, N]]}, cell="broadcast-answer"),
        Mistake("bias-batch", "The bias has one number for each output. It does not know how many examples will come.",
                {"shapes_rows": lambda N, i, o: [[N, i], [o, i], [N], [N, o]], "shapes_columns": lambda N, i, o: [[i, N], [o, i], [o, N], [o, N]]},
                cell="shapes-answer"),
        Mistake("all-equal", "With three equal sizes everything passes. Make only the two sizes equal that this mistake mixes up.", cell="shapes-answer"),
        Mistake("other-trap", "These sizes hide another one of the mistakes. Which two axes change places in this one?", cell="shapes-answer"),
        Mistake("not-safe", "With the last sizes one of the mistakes still passes in silence.", cell="shapes-answer"),
    ],
    hints=[
        "x W^T: (N, in) times (in, out). W x: (out, in) times (in, N). The stored W is the same.",
        "A wrong argument passes when it has the right shape all the same. For W as (in, out) that is when in equals out.",
        "x as columns has shape (in, N); b of size batch has N entries. Which two sizes must agree for each to pass?",
    ],
    after="So test code with sizes that all differ: then no transposed array can fit by accident.",
)  # fmt: skip


def pairs_loss(guess, truth):
    with np.errstate(all="ignore"):
        return np.mean([(g - t) ** 2 for g in guess for t in truth])


def honest_loss(guess, truth):
    if np.size(guess) != np.size(truth):
        raise ValueError("guess and truth hold different numbers of values")
    return nn.functional.mse_loss(nn.tensor(np.ravel(guess)), nn.tensor(np.ravel(truth))).item()


def silent_loss(guess, truth):
    return np.mean((np.asarray(guess) - np.asarray(truth)) ** 2)


def losses(my, guess, truth):
    def honest():
        column, row = {"(N,)": guess, "(N, 1)": guess[:, None]}, {"(N,)": truth, "(N, 1)": truth[:, None]}
        return {f"{i} against {j}": my.honest_loss(column[i].copy(), row[j].copy()) for i in column for j in row}

    def refuses():
        answers = {}
        for n in (1, len(truth) - 1):
            try:
                my.honest_loss(guess[:n, None].copy(), truth.copy())
                answers[f"({n}, 1) against ({len(truth)},)"] = "no ValueError"
            except ValueError:
                answers[f"({n}, 1) against ({len(truth)},)"] = "ValueError"
        return answers

    return {
        "pairs_loss": lambda: my.pairs_loss(guess.copy(), truth.copy()),
        "best_guess": lambda: my.best_guess(truth.copy()),
        "honest_loss": honest,
        "refuses": refuses,
    }


def targets(rng):
    yield np.arange(2.0, 10), np.arange(1.0, 9)  # every answer off by 1: 11.5 in place of 1
    yield rng.normal(size=5).round(2), rng.normal(size=5).round(2) + 3


X95 = Exercise(
    "X95", "The sixty-four pairs", lesson="00", cell="mse-answer", points=3,
    probe=losses,
    cases=targets,
    reference={"pairs_loss": pairs_loss, "best_guess": lambda truth: np.full(len(truth), truth.mean()), "honest_loss": honest_loss},
    mistakes=[
        Mistake("matching", "This is the loss that was meant. Asked for is what NumPy prints: every guess against every truth.",
                {"pairs_loss": lambda g, t: np.mean((g - t) ** 2)}),
        Mistake("sum", "Right up to the number of pairs: the loss is their mean.",
                {"pairs_loss": lambda g, t: pairs_loss(g, t) * len(g) * len(t), "honest_loss": lambda g, t: honest_loss(g, t) * np.size(t)}),
        Mistake("perfect", "These guesses are perfect, and their loss over all pairs is not 0. Is there nothing smaller?",
                {"best_guess": lambda truth: truth.copy()}),
        Mistake("one-number", "The right number, once. There is one guess for each truth: shape (N,).",
                {"best_guess": lambda truth: truth.mean()}),
        Mistake("middle", "A guess is compared with all truths, and the loss counts squares: then the median is not the best answer.",
                {"best_guess": lambda truth: np.full(len(truth), np.median(truth))}),
        Mistake("silent", "(N, 1) against (N,) still compares every pair, and nothing is refused.", {"honest_loss": silent_loss}, cell="broadcast-answer"),
    ],
    hints=[
        "guess.reshape(N, 1) − truth has shape (N, N): a row for each guess.",
        "In that table each guess meets all truths. Which single number is nearest to all of them, in the mean of squares?",
        "np.ravel makes (N, 1) and (N,) the same. Compare the sizes first, and raise a ValueError that names both shapes.",
    ],
    after="A network trained on those pairs learns the mean of all targets, whatever its input. Now you know what it looks like.",
)  # fmt: skip


def network(X, W1, b1, W2, b2):
    """Each example for itself, as a column, as the notes have it."""
    columns = [W2 @ np.maximum(W1 @ x[:, None] + b1, 0) + b2 for x in X]
    return np.array([column[:, 0] for column in columns])


def translated(rng):
    for N, i, h, o in (3, 4, 5, 2), (4, 4, 4, 4), (1, 3, 2, 2):
        yield rng.normal(size=(N, i)), rng.normal(size=(h, i)), rng.normal(size=(h, 1)), rng.normal(size=(o, h)), rng.normal(size=(o, 1))


def notes_parts(my, X, W1, b1, W2, b2):
    return {
        "network": lambda: my.network(X.copy(), W1.copy(), b1.copy(), W2.copy(), b2.copy()),
        "stored": lambda: my.stored(W1.T.copy()),
    }


X96 = Exercise(
    "X96", "Columns read as rows", lesson="00", cell="conventions-names",
    probe=notes_parts,
    cases=translated,
    reference={"network": network, "stored": lambda w: np.stack([w[:, j] for j in range(w.shape[1])])},
    mistakes=[
        Mistake("as-column", "The weights were multiplied from the left, as in the notes. Beside rows they stand on the right, turned.",
                {"network": lambda X, W1, b1, W2, b2: W2 @ np.maximum(W1 @ X + b1, 0) + b2}, cell="layouts"),
        Mistake("not-turned", "x W fits only when W is square, and then gives other numbers: W is stored as (out, in), so it has to be turned.",
                {"network": lambda X, W1, b1, W2, b2: np.maximum(X @ W1 + b1.T, 0) @ W2 + b2.T}, cell="layouts"),
        Mistake("bias-column", "The bias came from the notes as a column, and beside rows it is added to the wrong axis.",
                {"network": lambda X, W1, b1, W2, b2: np.maximum(X @ W1.T + b1, 0) @ W2.T + b2}, cell="broadcast-answer"),
        Mistake("answer-column", "The numbers are right and lie on their side: an example is a row of the result too.",
                {"network": lambda X, W1, b1, W2, b2: network(X, W1, b1, W2, b2).T}),
        Mistake("squashed", "The last layer has no activation in this formula.",
                {"network": lambda X, W1, b1, W2, b2: np.maximum(network(X, W1, b1, W2, b2), 0)}),
        Mistake("dealt-again", "reshape deals the numbers out again in reading order. The table has to be turned.",
                {"stored": lambda w: w.reshape(w.shape[::-1])}),
        Mistake("as-it-came", "This is the table as it came, (in, out). The library stores (out, in).", {"stored": lambda w: w.copy()}),
    ],
    hints=[
        "Transpose the whole formula: (W x)ᵀ = xᵀ Wᵀ. The columns become rows, the factors change places.",
        "b1.T has shape (1, hidden) and is repeated for every row; b1.ravel() does the same.",
        "In x w with w (in, out) column j of w belongs to output j. In the library that is row j.",
    ],
)  # fmt: skip


