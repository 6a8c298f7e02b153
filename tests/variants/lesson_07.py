# %% X48 alternative loop
below = 1 + math.e + math.e**2
total = 0.0
for score in (0.5, -1.0, 2.0):
    total += math.exp(score) / below
shift = math.log(1 / total)

# %% X48 alternative search
e = math.e
total = (e**0.5 + 1 / e + e**2) / (1 + e + e**2)
low, high = -1.0, 1.0
while high - low > 1e-9:
    shift = (low + high) / 2
    low, high = (shift, high) if total * math.exp(shift) < 1 else (low, shift)

# %% X48 mutant one
total, shift = 1, 0

# %% X48 mutant from-one
z = np.array([0.5, -1.0, 2.0])
total = (np.exp(z) / np.exp([1, 2, 3]).sum()).sum()
shift = -np.log(total)

# %% X48 mutant own-index
z = np.array([0.5, -1.0, 2.0])
total = (np.exp(z) / np.exp([0, 1, 2])).sum()
shift = -np.log(total)

# %% X48 mutant factor
total = ...
shift = 1 / (np.exp([0.5, -1.0, 2.0]).sum() / np.exp([0, 1, 2]).sum())

# %% X48 mutant difference
total = np.exp([0.5, -1.0, 2.0]).sum() / np.exp([0, 1, 2]).sum()
shift = 1 - total

# %% X48 mutant ~turned
total = np.exp([0.5, -1.0, 2.0]).sum() / np.exp([0, 1, 2]).sum()
shift = np.log(total)


# %% X49 alternative loop
def J(y, target):
    costs = []
    for a, b in zip(y, target):
        costs.append(-b * math.log(a) - (1 - b) * math.log(1 - a))
    return costs


def dJ(y, target):
    return [(1 - b) / (1 - a) - b / a for a, b in zip(y, target)]


def least(target):
    return min(J(np.full(9999, 0.0) + np.arange(1, 10000) / 10000, [target] * 9999))


# %% X49 alternative combined
def J(y, target):
    return target * -np.log(y) + (target - 1) * np.log1p(-y)


def dJ(y, target):
    return (y - target) / (y - y * y)


least = lambda p: -p * np.log(p / (1 - p)) - np.log(1 - p)


# %% X49 mutant no-minus
def J(y, target):
    return target * np.log(y) + (1 - target) * np.log(1 - y)


# %% X49 mutant one-minus
def J(y, target):
    return -target * np.log(y) + (1 - target) * np.log(1 - y)


# %% X49 mutant slopes-plus
def dJ(y, target):
    return target / y + (1 - target) / (1 - y)


# %% X49 mutant slope-turned
def dJ(y, target):
    return target / y - (1 - target) / (1 - y)


# %% X49 mutant both-minus
def dJ(y, target):
    return -target / y - (1 - target) / (1 - y)


# %% X49 mutant by-logit
def dJ(y, target):
    return y - target


# %% X49 mutant y-for-target
def J(y, target):
    return -(target * np.log(y) + (1 - y) * np.log(1 - y))


def dJ(y, target):
    return -target / y + (1 - y) / (1 - y)


# %% X49 mutant zero
def least(target):
    return 0.0


# %% X49 mutant at-half
def least(target):
    return -(target * np.log(0.5) + (1 - target) * np.log(0.5))


# %% X49 mutant ~mean
def J(y, target):
    return -(target * np.log(y) + (1 - target) * np.log(1 - y)).mean()


# %% X50 alternative logaddexp
def bce_logits(z, y):
    return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


def bce_slope(z, y):
    return 0.5 * (1 + np.tanh(z / 2)) - y


# %% X50 alternative loop
def bce_logits(z, y):
    costs = []
    for a, b in zip(z, y):
        if a >= 0:
            costs.append((1 - b) * a + math.log1p(math.exp(-a)))
        else:
            costs.append(math.log1p(math.exp(a)) - b * a)
    return costs


def bce_slope(z, y):
    sigma = lambda a: 1 / (1 + math.exp(-a)) if a >= 0 else 1 - sigma(-a)
    return [sigma(a) - b for a, b in zip(z, y)]


# %% X50 mutant plus-minus
def bce_logits(z, y):
    return np.logaddexp(0, -y * z)


def bce_slope(z, y):
    return -y / (1 + np.exp(np.minimum(y * z, 700)))


# %% X50 mutant twice
def bce_logits(z, y):
    p = 0.5 * (1 + np.tanh(z / 2))
    return np.logaddexp(0, p) - y * p


def bce_slope(z, y):
    p = 0.5 * (1 + np.tanh(z / 2))
    return 1 / (1 + np.exp(-p)) - y


# %% X50 mutant overflow
def bce_logits(z, y):
    p = 1 / (1 + np.exp(-z))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def bce_slope(z, y):
    return 1 / (1 + np.exp(-z)) - y


# %% X50 mutant sign
def bce_slope(z, y):
    return y - 0.5 * (1 + np.tanh(z / 2))


# %% X50 mutant through-sigmoid
def bce_slope(z, y):
    p = 0.5 * (1 + np.tanh(z / 2))
    return (p - y) * p * (1 - p)


# %% X50 mutant ~clipped
def bce_logits(z, y):
    z = np.clip(z, -30, 30)
    return y * np.log(1 + np.exp(-z)) + (1 - y) * np.log(1 + np.exp(z))


# %% X47 alternative loop
def loss(z, y):
    total = 0.0
    for row, label in zip(z, y):
        top = max(row)
        total += top + math.log(sum(math.exp(score - top) for score in row)) - row[label]
    return total / len(z)


def gradient(z, y):
    rows = []
    for row, label in zip(z, y):
        e = np.exp(row - max(row))
        rows.append((e / e.sum() - np.eye(len(row))[label]) / len(z))
    return rows


# %% X47 alternative engine
def loss(z, y):
    return np.mean(np.logaddexp.reduce(z, axis=1) - np.take_along_axis(z, y[:, None], 1)[:, 0])


def gradient(z, y):
    z = nn.tensor(z, requires_grad=True)
    nn.functional.cross_entropy(z, nn.tensor(y)).backward()
    return z.grad


# %% X47 mutant overflow
def loss(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean()


def gradient(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return p / len(y)


# %% X47 mutant unfused
def loss(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(y)), y]).mean()


# %% X47 mutant turned
def gradient(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (np.eye(z.shape[1])[y] - p) / len(y)


# %% X47 mutant no-mean
def gradient(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p - np.eye(z.shape[1])[y]


# %% X47 mutant axis
def gradient(z, y):
    p = np.exp(z - z.max(axis=0))
    p /= p.sum(axis=0)
    return (p - np.eye(z.shape[1])[y]) / len(y)


# %% X47 mutant every-row
def gradient(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[:, y] -= 1
    return p / len(y)


# %% X47 mutant softmax-only
def gradient(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True) / len(y)


# %% X47 mutant ~per-element
def loss(z, y):
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).sum() / z.size


# %% X51 alternative loop
def gaussian(y):
    total = 0.0
    for value in y:
        total += value
    return total / len(y)


def laplace(y):
    return min(y, key=lambda m: sum(abs(value - m) for value in y))


def weighted(y, v):
    top = bottom = 0.0
    for value, variance in zip(y, v):
        top, bottom = top + value / variance, bottom + 1 / variance
    return top / bottom


# %% X51 alternative numpy
gaussian, laplace = np.mean, np.median


def weighted(y, v):
    return np.dot((1 / v) / np.sum(1 / v), y)


# %% X51 mutant mean
gaussian = laplace = np.mean

# %% X51 mutant unweighted
def weighted(y, v):
    return y.mean()


# %% X51 mutant midrange
laplace = lambda y: (min(y) + max(y)) / 2

# %% X51 mutant variances-up
def weighted(y, v):
    return (y * v).sum() / v.sum()


# %% X51 mutant deviations
def weighted(y, v):
    w = 1 / np.sqrt(v)
    return (w * y).sum() / w.sum()


# %% X51 mutant median-all
gaussian = laplace = np.median

# %% X51 mutant ~undivided
def weighted(y, v):
    return (y / v).sum() / len(y)


# %% X52 alternative loop
log_factorial = lambda k: sum(math.log(i) for i in range(2, int(k) + 1))


def gaussian_nll(z, y):
    total = 0.0
    for (m, s), value in zip(z, y):
        sigma = math.exp(s)
        total += 0.5 * ((value - m) / sigma) ** 2 + math.log(sigma * math.sqrt(2 * math.pi))
    return total / len(y)


def poisson_nll(z, y):
    return sum(math.exp(a) - k * a + log_factorial(k) for a, k in zip(z, y)) / len(y)


losses = "mse_loss cross_entropy poisson_nll binary_cross_entropy_with_logits l1_loss".split()
losses.append(losses[3])

# %% X52 alternative distributions
def gaussian_nll(z, y):
    z = nn.tensor(z)
    return -nn.distributions.Normal(z[:, 0], z[:, 1].exp()).log_prob(nn.tensor(y)).mean()


def poisson_nll(z, y):
    noise = nn.distributions.Poisson(np.exp(z))
    return np.negative(noise.log_prob(y).numpy()).mean()


losses = ["mse_loss", "cross_entropy", "poisson_nll", "binary_cross_entropy_with_logits", "l1_loss", "binary_cross_entropy_with_logits"]

# %% X52 mutant no-log-sigma
def gaussian_nll(z, y):
    m, s = z.T
    return ((y - m) ** 2 / (2 * np.exp(2 * s)) + 0.5 * np.log(2 * np.pi)).mean()


# %% X52 mutant no-constant
def gaussian_nll(z, y):
    m, s = z.T
    return ((y - m) ** 2 / (2 * np.exp(2 * s)) + s).mean()


# %% X52 mutant sigma-raw
def gaussian_nll(z, y):
    m, s = z.T
    return ((y - m) ** 2 / (2 * s**2) + np.log(s) + 0.5 * np.log(2 * np.pi)).mean()


# %% X52 mutant variance
def gaussian_nll(z, y):
    m, s = z.T
    return ((y - m) ** 2 / (2 * np.exp(s)) + s + 0.5 * np.log(2 * np.pi)).mean()


# %% X52 mutant factorial-turned
def poisson_nll(z, y):
    return (np.exp(z) - y * z - np.vectorize(lambda k: math.lgamma(k + 1))(y)).mean()


# %% X52 mutant rate
def poisson_nll(z, y):
    return (z - y * np.log(z) + np.vectorize(lambda k: math.lgamma(k + 1))(y)).mean()


# %% X52 mutant no-factorial
def poisson_nll(z, y):
    return (np.exp(z) - y * z).mean()


# %% X52 mutant sum
def poisson_nll(z, y):
    return (np.exp(z) - y * z + np.vectorize(lambda k: math.lgamma(k + 1))(y)).sum()


# %% X52 mutant tags
losses = ["mse_loss", "cross_entropy", "poisson_nll", "binary_cross_entropy_with_logits", "l1_loss", "cross_entropy"]

# %% X52 mutant ~outliers
losses = ["mse_loss", "cross_entropy", "poisson_nll", "binary_cross_entropy_with_logits", "mse_loss", "binary_cross_entropy_with_logits"]

# %% X53 alternative loop
def hinge(s, y):
    return [max(0.0, 1 - a) if b == 1 else max(0.0, 1 + a) for a, b in zip(s, y)]


def logistic(s, y):
    return [math.log(1 + math.exp(-a if b == 1 else a)) for a, b in zip(s, y)]


def draw(margins):
    ones = [1] * len(margins)
    rows = [[1.0 if m <= 0 else 0.0 for m in margins], hinge(margins, ones), logistic(margins, ones)]
    rows.append([value / math.log(2) for value in rows[2]])
    for row in rows:
        plt.plot(margins, row)
    return plt.gca()


hinge_gap = log2_gap = (0.0, 0.0)
logistic_gap = (-0.541325, 0.0)

# %% X53 alternative margins
def margin(s, y):
    return np.where(y == 1, s, -s)


def hinge(s, y):
    return np.clip(1 - margin(s, y), 0, None)


def logistic(s, y):
    return np.logaddexp(0, -margin(s, y))


def draw(margins):
    natural = np.logaddexp(0, -margins)
    table = np.stack([np.where(margins > 0, 0, 1), np.clip(1 - margins, 0, None), natural, natural / np.log(2)])
    figure = plt.figure()
    figure.gca().plot(margins, table.T)
    return figure


edges = np.arange(-60000, 1) / 1e5
edges = edges[np.log1p(np.exp(-edges)) < 1]
hinge_gap, logistic_gap, log2_gap = [0, 0], [edges.min(), edges.max()], [0, 0]

# %% X53 mutant labels
def hinge(s, y):
    return np.maximum(0, 1 - y * s)


def logistic(s, y):
    return np.log1p(np.exp(-y * s))


# %% X53 mutant turned
def hinge(s, y):
    return np.maximum(0, 1 + (2 * y - 1) * s)


# %% X53 mutant bound
hinge_gap = logistic_gap = log2_gap = 0, 0

# %% X53 mutant from-to
hinge_gap = log2_gap = 0, 0
logistic_gap = 0, -0.541325

# %% X53 mutant perceptron
def hinge(s, y):
    return np.maximum(0, -(2 * y - 1) * s)


# %% X53 mutant tie
def draw(margins):
    natural = np.logaddexp(0, -margins)
    table = np.stack([np.where(margins >= 0, 0, 1), np.clip(1 - margins, 0, None), natural, natural / np.log(2)])
    plt.plot(margins, table.T)


# %% X53 mutant ~three-lines
def draw(margins):
    natural = np.logaddexp(0, -margins)
    plt.plot(margins, np.stack([margins <= 0, np.clip(1 - margins, 0, None), natural]).T)


# %% X53 mutant ~zero-one-turned
def draw(margins):
    natural = np.logaddexp(0, -margins)
    plt.plot(margins, np.stack([margins * 0, np.clip(1 - margins, 0, None), natural, natural / np.log(2)]).T)
