# %% X94 alternative arrays
def shapes_rows(N, n_in, n_out):
    layer = nn.Linear(n_in, n_out)
    x = nn.zeros(N, n_in)
    return [value.shape for value in (x, layer.weight, layer.bias, layer(x))]


def shapes_columns(N, n_in, n_out):
    W, x, b = np.zeros((n_out, n_in)), np.zeros((n_in, N)), np.zeros((n_out, 1))
    return [value.shape for value in (x, W, b, W @ x + b)]


traps = [[2, 5, 5], [5, 5, 2], [5, 2, 5], [5, 4, 3]]

# %% X94 alternative search
def shapes_rows(N, n_in, n_out):
    return (N, n_in), (n_out, n_in), (n_out,), (N, n_out)


def shapes_columns(N, n_in, n_out):
    x, W, _, y = shapes_rows(N, n_in, n_out)
    return x[::-1], W, (n_out, 1), y[::-1]


wrongs = ["W stored as (in, out)", "x with examples as columns", "b of size batch"]
traps = []
for hidden in ([0], [1], [2], []):
    for sizes in np.ndindex(4, 4, 4):
        sizes = dict(zip(("batch", "inputs", "outputs"), (size + 2 for size in sizes)))
        passes = [widgets.ShapeExplorer.measure(**sizes, wrong=wrong).y is not None for wrong in wrongs]
        if [i for i in range(3) if passes[i]] == hidden:
            traps.append(tuple(sizes.values()))
            break

# %% X94 mutant turned
def shapes_rows(N, n_in, n_out):
    return (N, n_in), (n_in, n_out), (n_out,), (N, n_out)


def shapes_columns(N, n_in, n_out):
    return (n_in, N), (n_in, n_out), (n_out, 1), (n_out, N)


traps = ...

# %% X94 mutant other-form
def shapes_rows(N, n_in, n_out):
    return (n_in, N), (n_out, n_in), (n_out, 1), (n_out, N)


def shapes_columns(N, n_in, n_out):
    return (N, n_in), (n_out, n_in), (n_out,), (N, n_out)


traps = ...

# %% X94 mutant bias-flat
def shapes_columns(N, n_in, n_out):
    return (n_in, N), (n_out, n_in), (n_out,), (n_out, N)


traps = shapes_rows = ...

# %% X94 mutant bias-batch
def shapes_rows(N, n_in, n_out):
    return (N, n_in), (n_out, n_in), (N,), (N, n_out)


traps = shapes_columns = ...

# %% X94 mutant all-equal
shapes_rows = shapes_columns = ...
traps = [(3, 3, 3)] * 3 + [(4, 3, 2)]

# %% X94 mutant other-trap
shapes_rows = shapes_columns = ...
traps = [(3, 3, 2), (4, 3, 3), (4, 3, 4), (4, 3, 2)]

# %% X94 mutant not-safe
shapes_rows = shapes_columns = ...
traps = [(4, 3, 3), (3, 3, 2), (4, 3, 4), (4, 4, 2)]

# %% X94 mutant ~three
def shapes_rows(N, n_in, n_out):
    return (N, n_in), (n_out, n_in), (N, n_out)


shapes_columns = shapes_rows
traps = [(4, 3, 3), (3, 3, 2), (4, 3, 4)]


# %% X95 alternative loop
def pairs_loss(guess, truth):
    total = 0.0
    for g in guess:
        for t in truth:
            total += (g - t) ** 2
    return total / (len(guess) * len(truth))


def best_guess(truth):
    return [sum(truth) / len(truth) for _ in truth]


def honest_loss(guess, truth):
    guess, truth = guess.ravel().tolist(), truth.ravel().tolist()
    total = 0.0
    for g, t in zip(guess, truth, strict=True):
        total += (g - t) ** 2
    return total / len(truth)


# %% X95 alternative moments
def pairs_loss(guess, truth):
    return (guess**2).mean() - 2 * guess.mean() * truth.mean() + (truth**2).mean()


def best_guess(truth):
    return 0 * truth + np.average(truth)


def honest_loss(guess, truth):
    return nn.functional.mse_loss(nn.tensor(guess).flatten(), nn.tensor(truth).flatten())


# %% X95 mutant matching
def pairs_loss(guess, truth):
    return np.mean((guess - truth) ** 2)


best_guess = honest_loss = ...

# %% X95 mutant sum
def pairs_loss(guess, truth):
    return ((guess[:, None] - truth) ** 2).sum()


best_guess = honest_loss = ...

# %% X95 mutant perfect
def best_guess(truth):
    return truth


pairs_loss = honest_loss = ...

# %% X95 mutant one-number
def best_guess(truth):
    return truth.mean()


pairs_loss = honest_loss = ...

# %% X95 mutant middle
def best_guess(truth):
    return np.full(truth.shape, np.median(truth))


pairs_loss = honest_loss = ...

# %% X95 mutant silent
def honest_loss(guess, truth):
    return ((guess - truth) ** 2).mean()


pairs_loss = best_guess = ...

# %% X95 mutant ~absolute
def pairs_loss(guess, truth):
    return abs(guess[:, None] - truth).mean()


def best_guess(truth):
    return np.zeros(len(truth))


def honest_loss(guess, truth):
    return abs(guess.ravel() - truth.ravel()).mean()


# %% X96 alternative columns
def network(X, W1, b1, W2, b2):
    x = X.T  # (in, N): the notes' form, and back at the end
    return (W2 @ np.maximum(W1 @ x + b1, 0) + b2).T


def stored(w):
    return np.array([[w[i, j] for i in range(w.shape[0])] for j in range(w.shape[1])])


# %% X96 alternative library
def network(X, W1, b1, W2, b2):
    X, W1, b1, W2, b2 = map(nn.tensor, (X, W1, b1.ravel(), W2, b2.ravel()))
    hidden = nn.functional.relu(nn.functional.linear(X, W1, b1))
    return nn.functional.linear(hidden, W2, b2)


def stored(w):
    return np.moveaxis(w, 0, 1)


# %% X96 mutant as-column
def network(X, W1, b1, W2, b2):
    return W2 @ np.maximum(W1 @ X + b1, 0) + b2


stored = ...

# %% X96 mutant not-turned
def network(X, W1, b1, W2, b2):
    return np.maximum(X @ W1 + b1.ravel(), 0) @ W2 + b2.ravel()


stored = ...

# %% X96 mutant bias-column
def network(X, W1, b1, W2, b2):
    return np.maximum(X @ W1.T + b1, 0) @ W2.T + b2


stored = ...

# %% X96 mutant answer-column
def network(X, W1, b1, W2, b2):
    return W2 @ np.maximum(W1 @ X.T + b1, 0) + b2


stored = ...

# %% X96 mutant squashed
def network(X, W1, b1, W2, b2):
    return np.maximum(np.maximum(X @ W1.T + b1.T, 0) @ W2.T + b2.T, 0)


stored = ...

# %% X96 mutant dealt-again
network = ...


def stored(w):
    return w.reshape(w.shape[1], w.shape[0])


# %% X96 mutant as-it-came
network = ...


def stored(w):
    return w


# %% X96 mutant ~linear
def network(X, W1, b1, W2, b2):
    return (X @ W1.T + b1.T) @ W2.T + b2.T


def stored(w):
    return w[:, ::-1].T
