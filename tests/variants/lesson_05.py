# %% X18 alternative loop
def collapse(W1, b1, W2, b2, W3, b3):
    W, b = np.eye(W1.shape[1]), np.zeros(W1.shape[1])
    for V, c in [(W1, b1), (W2, b2), (W3, b3)]:
        W, b = V @ W, V @ b + c
    return [W, b]


# %% X18 alternative homogeneous
def collapse(W1, b1, W2, b2, W3, b3):
    def block(W, b):
        return np.block([[W, b[:, None]], [np.zeros((1, W.shape[1])), np.ones((1, 1))]])

    whole = block(W3, b3) @ block(W2, b2) @ block(W1, b1)
    return whole[:-1, :-1], whole[:-1, -1]


# %% X18 mutant last-bias
def collapse(W1, b1, W2, b2, W3, b3):
    return W3 @ W2 @ W1, b3


# %% X18 mutant no-first
def collapse(W1, b1, W2, b2, W3, b3):
    return W3 @ W2 @ W1, W3 @ b2 + b3


# %% X18 mutant no-third
def collapse(W1, b1, W2, b2, W3, b3):
    return W3 @ W2 @ W1, W3 @ (W2 @ b1 + b2)


# %% X18 mutant order
def collapse(W1, b1, W2, b2, W3, b3):
    return W1 @ W2 @ W3, W3 @ (W2 @ b1 + b2) + b3


# %% X18 mutant transposed
def collapse(W1, b1, W2, b2, W3, b3):
    return W1.T @ W2.T @ W3.T, W3 @ W2 @ b1 + W3 @ b2 + b3


# %% X18 mutant ~two-layers
def collapse(W1, b1, W2, b2, W3, b3):
    return W2 @ W1, W2 @ b1 + b2


# %% X19 alternative computed
r = np.random.default_rng(1)
low, high = r.normal(size=(2, 5)), r.normal(size=(4, 2))
generic, pair, free = np.linalg.matrix_rank(high @ low), np.linalg.matrix_rank(np.diag([0, 1]) @ np.diag([1, 0])), 14
first, second = [[1, 0, 0], [0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 1]]

# %% X19 alternative projections
generic, pair = min(5, 2, 4), 0
free = generic * (5 + 4 - generic)
u, v = np.array([1.0, 2.0, 2.0]) / 3, np.array([2.0, 1.0, -2.0]) / 3
first = np.eye(3) - np.outer(u, u)
second = np.eye(3) - np.outer(v, v)

# %% X19 mutant outer
generic, pair, free, first, second = 4, 0, 14, np.eye(3), np.eye(3)

# %% X19 mutant sum
generic, pair, free, first, second = 5, 0, 14, np.eye(3), np.eye(3)

# %% X19 mutant bound
generic, pair, free, first, second = 2, 1, 14, np.eye(3), np.eye(3)

# %% X19 mutant entries
generic, pair, free, first, second = 2, 0, 20, np.eye(3), np.eye(3)

# %% X19 mutant both-factors
generic, pair, free, first, second = 2, 0, 18, np.eye(3), np.eye(3)

# %% X19 mutant two-columns
generic, pair, free, first, second = 2, 0, 8, np.eye(3), np.eye(3)

# %% X19 mutant generic
generic, pair, free = 2, 0, 14
first = second = np.diag([1.0, 1.0, 0.0])

# %% X19 mutant ~one-column
generic, pair, free, first, second = 3, 0, 10, np.ones((3, 3)), np.ones((3, 3))


# %% X20 alternative loop
def draw_parts(theta, phi, phi0, x):
    plt.figure()
    total = np.full(len(x), phi0)
    for (constant, tilt), height in zip(theta, phi):
        part = []
        for at in x:
            part.append(height * max(0.0, constant + tilt * at))
        plt.plot(x, part)
        total = total + part
    plt.plot(x, total)


# %% X20 alternative module
def draw_parts(theta, phi, phi0, x):
    hidden = nn.functional.relu(nn.tensor(np.outer(x, theta[:, 1]) + theta[:, 0])).numpy()
    figure, ax = plt.subplots()
    ax.plot(x, hidden * phi)
    ax.plot(x, hidden @ phi + phi0)
    return ax


# %% X20 mutant phi0-each
def draw_parts(theta, phi, phi0, x):
    parts = phi0 + phi[:, None] * np.maximum(theta[:, :1] + theta[:, 1:] * x, 0)
    plt.plot(x, parts.T)
    plt.plot(x, parts.sum(0))


# %% X20 mutant clip-late
def draw_parts(theta, phi, phi0, x):
    parts = np.maximum(phi[:, None] * (theta[:, :1] + theta[:, 1:] * x), 0)
    plt.plot(x, parts.T)
    plt.plot(x, phi0 + parts.sum(0))


# %% X20 mutant swapped
def draw_parts(theta, phi, phi0, x):
    parts = phi[:, None] * np.maximum(theta[:, :1] * x + theta[:, 1:], 0)
    plt.plot(x, parts.T)
    plt.plot(x, phi0 + parts.sum(0))


# %% X20 mutant unclipped
def draw_parts(theta, phi, phi0, x):
    parts = phi[:, None] * (theta[:, :1] + theta[:, 1:] * x)
    plt.plot(x, parts.T)
    plt.plot(x, phi0 + parts.sum(0))


# %% X20 mutant no-phi0
def draw_parts(theta, phi, phi0, x):
    parts = phi[:, None] * np.maximum(theta[:, :1] + theta[:, 1:] * x, 0)
    plt.plot(x, parts.T)
    plt.plot(x, parts.sum(0))


# %% X20 mutant ~no-scale
def draw_parts(theta, phi, phi0, x):
    parts = np.maximum(theta[:, :1] + theta[:, 1:] * x, 0)
    plt.plot(x, parts.T)
    plt.plot(x, phi0 + phi @ parts)


# %% X21 alternative loop
def joints(theta):
    places = []
    for constant, tilt in theta:
        if tilt:
            places.append(-constant / tilt)
    return sorted(places)


def slope_changes(theta, phi):
    table = []
    for output in phi:
        pairs = [(-c / t, p * abs(t)) for (c, t), p in zip(theta, output) if t != 0]
        table.append([change for _, change in sorted(pairs)])
    return table


# %% X21 alternative measured
def joints(theta):
    keep = np.flatnonzero(theta[:, 1])
    return np.sort(theta[keep, 0] / -theta[keep, 1])


def slope_changes(theta, phi):
    def outputs(x):
        return phi @ np.maximum(theta[:, :1] + theta[:, 1:] * x, 0)

    x, step = joints(theta), 1e-3
    return (outputs(x + step) - 2 * outputs(x) + outputs(x - step)) / step


# %% X21 mutant upside-down
def joints(theta):
    bends = theta[theta[:, 1] != 0]
    return np.sort(-bends[:, 1] / bends[:, 0])


def slope_changes(theta, phi):
    raise NotImplementedError


# %% X21 mutant no-joint
def joints(theta):
    with np.errstate(all="ignore"):
        return np.sort(-theta[:, 0] / theta[:, 1])


def slope_changes(theta, phi):
    raise NotImplementedError


# %% X21 mutant per-output
def joints(theta):
    bends = theta[theta[:, 1] != 0]
    return np.array([np.sort(-bends[:, 0] / bends[:, 1])] * 2)


def slope_changes(theta, phi):
    raise NotImplementedError


# %% X21 mutant unsorted
def joints(theta):
    bends = theta[theta[:, 1] != 0]
    return -bends[:, 0] / bends[:, 1]


def slope_changes(theta, phi):
    has = theta[:, 1] != 0
    return phi[:, has] * abs(theta[has, 1])


# %% X21 mutant signed
def joints(theta):
    bends = theta[theta[:, 1] != 0]
    return np.sort(-bends[:, 0] / bends[:, 1])


def slope_changes(theta, phi):
    has = theta[:, 1] != 0
    order = np.argsort(-theta[has, 0] / theta[has, 1])
    return (phi[:, has] * theta[has, 1])[:, order]


# %% X21 mutant sign-of-place
def joints(theta):
    bends = theta[theta[:, 1] != 0]
    return np.sort(bends[:, 0] / bends[:, 1])


def slope_changes(theta, phi):
    has = theta[:, 1] != 0
    return phi[:, has]


# %% X22 alternative recursive
def most_regions(D_i, D):
    if D_i == 0 or D == 0:
        return 1
    return most_regions(D_i, D - 1) + most_regions(D_i - 1, D - 1) if D < 20 else sum(math.comb(D, j) for j in range(D_i + 1))


# %% X22 alternative factorials
def most_regions(D_i, D):
    total, term = 0, 1
    for j in range(min(D_i, D) + 1):
        total += term
        term = term * (D - j) // (j + 1)
    return total


# %% X22 mutant last-term
def most_regions(D_i, D):
    return math.comb(D, D_i)


# %% X22 mutant all-patterns
def most_regions(D_i, D):
    return 2**D


# %% X22 mutant from-one
def most_regions(D_i, D):
    return sum(math.comb(D, j) for j in range(1, D_i + 1))


# %% X22 mutant too-short
def most_regions(D_i, D):
    return sum(math.comb(D, j) for j in range(D_i))


# %% X22 mutant ~swapped
def most_regions(D_i, D):
    return sum(math.comb(D_i, j) for j in range(D + 1))


# %% X23 alternative pairs
order = "".join(["C", "D", "A", "B"])


def regions(weight, bias):
    D = len(bias)
    crossings = 0
    for i in range(D):
        for j in range(i):
            if np.linalg.matrix_rank(weight[[i, j]]) == 2:
                crossings += 1
    return 1 + D + crossings


# %% X23 alternative vectorised
order = "CDAB"


def regions(weight, bias):
    cross = np.outer(weight[:, 0], weight[:, 1])
    meet = abs(cross - cross.T) > 1e-9
    return 1 + len(bias) + meet.sum() // 2


# %% X23 mutant grid
order = "EAB"


def regions(weight, bias):
    return 1 + len(bias) + np.sum(abs(np.outer(*weight.T) - np.outer(*weight.T).T) > 1e-9) // 2


# %% X23 mutant values
order = "CDAF"


def regions(weight, bias):
    raise NotImplementedError


# %% X23 mutant signs
order = "CDAG"


def regions(weight, bias):
    raise NotImplementedError


# %% X23 mutant bound
order = "CDAB"


def regions(weight, bias):
    return 1 + len(bias) + math.comb(len(bias), 2)


# %% X23 mutant twice
order = "CDAB"


def regions(weight, bias):
    return 1 + len(bias) + np.sum(abs(np.outer(*weight.T) - np.outer(*weight.T).T) > 1e-9)


# %% X23 mutant sampled
order = "CDAB"


def regions(weight, bias):
    points = np.random.default_rng(0).uniform(-2, 2, size=(20_000, 2))
    return len(np.unique(points @ weight.T + bias > 0, axis=0))


# %% X23 mutant ~too-early
order = "ABCD"


def regions(weight, bias):
    return 2 ** len(bias)


# %% X32 alternative complex
def polar(X):
    z = X[:, 0] + 1j * X[:, 1]
    return np.stack([abs(z), np.angle(z)], axis=1)


# %% X32 alternative loop
def polar(X):
    return [[math.sqrt(a * a + b * b), math.atan2(b, a)] for a, b in X]


# %% X32 mutant arctan
def polar(X):
    with np.errstate(all="ignore"):
        return np.column_stack([np.hypot(*X.T), np.arctan(X[:, 1] / X[:, 0])])


# %% X32 mutant swapped
def polar(X):
    return np.column_stack([np.hypot(*X.T), np.arctan2(X[:, 0], X[:, 1])])


# %% X32 mutant degrees
def polar(X):
    return np.column_stack([np.hypot(*X.T), np.rad2deg(np.arctan2(X[:, 1], X[:, 0]))])


# %% X32 mutant full-turn
def polar(X):
    return np.column_stack([np.hypot(*X.T), np.mod(np.arctan2(X[:, 1], X[:, 0]), 2 * np.pi)])


# %% X32 mutant squared
def polar(X):
    return np.column_stack([(X * X).sum(1), np.arctan2(X[:, 1], X[:, 0])])


# %% X32 mutant ~columns
def polar(X):
    return np.column_stack([np.arctan2(X[:, 1], X[:, 0]), np.hypot(*X.T)])


# %% X33 alternative square
def best_line(R):
    return 0.75 - math.asin(1 / R) / (2 * math.pi)


def features(X):
    return ((X**2).sum(1) / 4)[:, None] - [[0.5]]


def held_out(fit, X, y):
    train, test = np.split(np.arange(len(X)), 2)
    model, right = fit(X[train], y[train]), 0
    for row, label in zip(X[test], y[test]):
        right += int(model(row[None])[0] == label)
    return right / len(test)


# %% X33 alternative polar
def best_line(R):
    return (math.pi + math.acos(1 / R)) / (2 * math.pi)


def features(X):
    return np.stack([np.hypot(X[:, 0], X[:, 1]), np.arctan2(X[:, 1], X[:, 0])], axis=1)


def held_out(fit, X, y):
    n = X.shape[0] // 2
    wrong = fit(X[:n], y[:n])(X[n:]) != y[n:]
    return 1 - wrong.sum() / n


# %% X33 mutant alone
def best_line(R):
    return 0.5 + np.arccos(1 / R) / (2 * np.pi)


def features(X):
    r = np.hypot(X[:, 0], X[:, 1])
    return ((r - r.mean()) / (r.std() + 1e-9))[:, None]


held_out = None

# %% X33 mutant still-a-line
def best_line(R):
    return 0.5 + np.arccos(1 / R) / (2 * np.pi)


def features(X):
    return X


held_out = None

# %% X33 mutant seen-all
best_line = features = None


def held_out(fit, X, y):
    half = len(X) // 2
    return np.mean(fit(X, y)(X[half:]) == y[half:])


# %% X33 mutant training-score
best_line = features = None


def held_out(fit, X, y):
    half = len(X) // 2
    return np.mean(fit(X[:half], y[:half])(X[:half]) == y[:half])


# %% X33 mutant count
best_line = features = None


def held_out(fit, X, y):
    half = len(X) // 2
    return np.sum(fit(X[:half], y[:half])(X[half:]) == y[half:])


# %% X33 mutant cap-only
features = held_out = None


def best_line(R):
    return np.arccos(1 / R) / np.pi


# %% X33 mutant half-angle
features = held_out = None


def best_line(R):
    return (1 + np.arccos(1 / R) / (2 * np.pi)) / 2


# %% X33 mutant ~angle-only
def best_line(R):
    return 2 / 3


def features(X):
    return np.arctan2(X[:, 1], X[:, 0])[:, None]


def held_out(fit, X, y):
    return 1.0
