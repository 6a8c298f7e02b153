# %% X54 alternative loop
def entropy(q):
    return cross_entropy(q, q)


def cross_entropy(q, p):
    bits = 0.0
    for share, belief in zip(q, p):
        if share > 0:
            bits += share * math.log2(1 / belief)
    return bits


def divergence(q, p):
    return sum(a * math.log2(a / b) for a, b in zip(q, p) if a > 0)


# %% X54 alternative distributions
def entropy(q):
    return nn.distributions.Categorical(probs=nn.tensor(q)).entropy() / np.log(2)


def cross_entropy(q, p):
    return np.dot(q, np.log(p)) / -np.log(2)


def divergence(q, p):
    Q, P = (nn.distributions.Categorical(probs=nn.tensor(v)) for v in (q, p))
    return nn.distributions.kl_divergence(Q, P) / np.log(2)


# %% X54 mutant nats
def entropy(q):
    q = q[q > 0]
    return -(q * np.log(q)).sum()


def cross_entropy(q, p):
    return -(q * np.log(p)).sum()


def divergence(q, p):
    return cross_entropy(q, p) - entropy(q)


# %% X54 mutant symmetric
def divergence(q, p):
    there = (q[q > 0] * np.log2(q[q > 0] / p[q > 0])).sum()
    with np.errstate(divide="ignore"):
        return (there + (p * np.log2(p / q)).sum()) / 2


# %% X54 mutant turned
def divergence(q, p):
    return np.sum(p * np.log2(p / q))


# %% X54 mutant negative
def divergence(q, p):
    return -(q[q > 0] * np.log2(q[q > 0])).sum() + (q * np.log2(p)).sum()


# %% X54 mutant self-coded
def cross_entropy(q, p):
    return -(p * np.log2(q)).sum()


# %% X54 mutant zero
def entropy(q):
    return -(q * np.log2(q)).sum()


# %% X54 mutant ~smoothed
def entropy(q):
    return -(q * np.log2(q + 0.001)).sum()


# %% X55 alternative loop
def mean_nll(counts, rate):
    total = 0.0
    for x in counts:
        total -= -rate + x * math.log(rate) - math.lgamma(x + 1)
    return total / len(counts)


def kl_from_data(counts, rate):
    divergence = 0.0
    for value in set(counts.tolist()):
        share = np.mean(counts == value)
        divergence += share * math.log(share / (math.exp(-rate) * rate**value / math.factorial(value)))
    return divergence


def draw(counts, rates):
    for function in (mean_nll, kl_from_data):
        plt.plot(rates, [function(counts, r) for r in rates])


# %% X55 alternative shifted
def mean_nll(counts, rate):
    return np.negative(nn.distributions.Poisson(float(rate)).log_prob(counts.astype(float)).numpy()).mean()


def kl_from_data(counts, rate):
    q = np.bincount(counts) / counts.size
    q = q[q > 0]
    return mean_nll(counts, rate) - np.sum(-q * np.log(q))


def draw(counts, rates):
    nll = np.array([mean_nll(counts, rate) for rate in rates])
    shift = nll[0] - kl_from_data(counts, rates[0])
    figure = plt.figure()
    figure.add_subplot().plot(rates, np.stack([nll, nll - shift], axis=1))
    return figure


# %% X55 mutant from-model
def kl_from_data(counts, rate):
    values, times = np.unique(counts, return_counts=True)
    model = np.array([math.exp(-rate) * rate**v / math.factorial(v) for v in values.tolist()])
    return (model * np.log(model / (times / len(counts)))).sum()


# %% X55 mutant sum
def mean_nll(counts, rate):
    return sum(rate - x * math.log(rate) + math.lgamma(x + 1) for x in counts)


# %% X55 mutant no-entropy
def kl_from_data(counts, rate):
    return np.mean([rate - x * math.log(rate) + math.lgamma(x + 1) for x in counts])


# %% X55 mutant entropy-added
def kl_from_data(counts, rate):
    q = np.unique(counts, return_counts=True)[1] / len(counts)
    return np.mean([rate - x * math.log(rate) + math.lgamma(x + 1) for x in counts]) - (q * np.log(q)).sum()


# %% X55 mutant zero-log
def kl_from_data(counts, rate):
    q = np.bincount(counts) / len(counts)
    k = np.arange(len(q))
    log_factorial = np.array([math.lgamma(v + 1) for v in k])
    return (q * (np.log(q) + rate - k * math.log(rate) + log_factorial)).sum()


# %% X55 mutant no-factorial
def mean_nll(counts, rate):
    return (rate - counts * np.log(rate)).mean()


# %% X55 mutant ~one-line
def draw(counts, rates):
    plt.plot(rates, rates - counts.mean() * np.log(rates))


# %% X55 mutant ~unscaled
def draw(counts, rates):
    nll = rates - counts.mean() * np.log(rates)
    plt.plot(rates, nll)
    plt.plot(rates, nll - nll.min())


# %% X56 alternative measured
def factors(lr, lam):
    found = []
    for slope in (lambda w: 2 * lam * w, lambda w: lam * w):
        w = 1.0
        w -= lr * slope(w)
        found.append(w)
    return found


def strengths(s, N):
    total = 0.5 / s**2
    return np.array([1, 1 / N, 2 / N]) * total


def groups(net, decay):
    decaying, free = [], []
    for p in net.parameters():
        (decaying if len(p.shape) > 1 else free).append(p)
    return [dict(params=decaying, weight_decay=decay), dict(params=free)]


# %% X56 alternative layers
factors = lambda lr, lam: tuple(1 - lr * k * lam for k in (2, 1))


def strengths(s, N):
    weight_decay = 1 / (N * s * s)
    return weight_decay * N / 2, weight_decay / 2, weight_decay


def groups(net, decay):
    weights = {id(m.weight) for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    return [{"params": [p], "weight_decay": decay * (id(p) in weights)} for p in net.parameters()]


# %% X56 mutant no-rate
def factors(lr, lam):
    return 1 - 2 * lam, 1 - lam


# %% X56 mutant grows
def factors(lr, lam):
    return 1 + 2 * lr * lam, 1 + lr * lam


# %% X56 mutant same
def factors(lr, lam):
    return 1 - lr * lam, 1 - lr * lam


# %% X56 mutant swapped
def factors(lr, lam):
    return 1 - lr * lam, 1 - 2 * lr * lam


# %% X56 mutant no-half
def strengths(s, N):
    lam = 1 / s**2
    return lam, lam / N, 2 * lam / N


# %% X56 mutant times-n
def strengths(s, N):
    lam = 1 / (2 * s**2)
    return lam, lam * N, 2 * lam * N


# %% X56 mutant decay-is-lambda
def strengths(s, N):
    lam = 1 / (2 * s**2)
    return lam, lam / N, lam / N


# %% X56 mutant everything
def groups(net, decay):
    return [{"params": list(net.parameters()), "weight_decay": decay}]


# %% X56 mutant norm-too
def groups(net, decay):
    weights = [p for name, p in net.named_parameters() if "weight" in name]
    biases = [p for name, p in net.named_parameters() if "bias" in name]
    return [{"params": weights, "weight_decay": decay}, {"params": biases}]


# %% X56 mutant nothing
def groups(net, decay):
    return [{"params": [p for p in net.parameters() if p.ndim > 1]}, {"params": [p for p in net.parameters() if p.ndim < 2]}]


# %% X56 mutant ~minus-lambda
def factors(lr, lam):
    return 1 - lam, 1 - lam


# %% X57 alternative loop
def walk(threshold, w, targets, lr, lam, steps):
    ends = []
    for value, target in zip(w, targets):
        for _ in range(steps):
            value = threshold(value, value - 2 * lr * (value - target), lr * lam)
        ends.append(value)
    return ends


def subgradient(w, targets, lr, lam, steps):
    return walk(lambda old, v, t: v - t if old > 0 else v + t if old < 0 else v, w, targets, lr, lam, steps)


def proximal(w, targets, lr, lam, steps):
    return walk(lambda old, v, t: v - t if v > t else v + t if v < -t else 0.0, w, targets, lr, lam, steps)


first_zero = next(k for k in range(200) if proximal([1.0], [0.05], 0.05, 0.2, k)[0] == 0)

# %% X57 alternative recursive
def subgradient(w, targets, lr, lam, steps):
    if steps == 0:
        return w
    slope = np.where(w > 0, lam, np.where(w < 0, -lam, 0.0)) + 2 * (w - targets)
    return subgradient(w - lr * slope, targets, lr, lam, steps - 1)


def proximal(w, targets, lr, lam, steps):
    if steps == 0:
        return w
    v = (1 - 2 * lr) * w + 2 * lr * targets
    return proximal(v - np.clip(v, -lr * lam, lr * lam), targets, lr, lam, steps - 1)


w, first_zero = np.array([1.0]), 0
while w[0] != 0:
    w, first_zero = proximal(w, np.array([0.05]), 0.05, 0.2, 1), first_zero + 1

# %% X57 mutant threshold
def proximal(w, targets, lr, lam, steps):
    for _ in range(steps):
        v = w - 2 * lr * (w - targets)
        w = np.sign(v) * np.maximum(abs(v) - lam, 0)
    return w


# %% X57 mutant sign-lost
def proximal(w, targets, lr, lam, steps):
    for _ in range(steps):
        v = w - 2 * lr * (w - targets)
        w = np.maximum(abs(v) - lr * lam, 0)
    return w


# %% X57 mutant clipped
def proximal(w, targets, lr, lam, steps):
    for _ in range(steps):
        w = np.clip(w - 2 * lr * (w - targets), -lr * lam, lr * lam)
    return w


# %% X57 mutant through-zero
def proximal(w, targets, lr, lam, steps):
    for _ in range(steps):
        v = w - 2 * lr * (w - targets)
        w = v - lr * lam * np.sign(v)
    return w


# %% X57 mutant penalty-free
def subgradient(w, targets, lr, lam, steps):
    for _ in range(steps):
        w = w - 2 * lr * (w - targets)
    return w


# %% X57 mutant off-by-one
first_zero = 28

# %% X57 mutant ~half-slope
def subgradient(w, targets, lr, lam, steps):
    for _ in range(steps):
        w = w - lr * ((w - targets) + lam * np.sign(w))
    return w


# %% X97 alternative loop
def l2_path(c, lams):
    return [[value / (1 + lam) for value in c] for lam in lams]


def l1_path(c, lams):
    rows = []
    for lam in lams:
        row = []
        for value in c:
            if value > lam / 2:
                row.append(value - lam / 2)
            elif value < -lam / 2:
                row.append(value + lam / 2)
            else:
                row.append(0.0)
        rows.append(row)
    return rows


def all_gone(c):
    return max(2 * abs(value) for value in c)


def draw_paths(c, lams):
    for number, path in enumerate([l2_path, l1_path]):
        plt.subplot(1, 2, number + 1)
        for i in range(len(c)):
            plt.plot(lams, [row[i] for row in path(c, lams)])


# %% X97 alternative clipped
def l2_path(c, lams):
    return np.outer(1 / (1 + lams), c)


def l1_path(c, lams):
    c = np.broadcast_to(c, (len(lams), len(c)))
    leash = np.broadcast_to(lams[:, None] / 2, c.shape)
    return c - np.clip(c, -leash, leash)


all_gone = lambda c: np.ptp([2 * np.max(np.abs(c)), 0.0])


def draw_paths(c, lams):
    figure = plt.figure()
    left, right = figure.add_subplot(121), figure.add_subplot(122)
    left.plot(lams, l2_path(c, lams))
    right.plot(lams, l1_path(c, lams))
    right.axhline(0, color="0.8")
    return figure


# %% X97 mutant half-lambda
def l2_path(c, lams):
    return c / (1 + lams[:, None] / 2)


# %% X97 mutant subtracted
def l2_path(c, lams):
    return np.sign(c) * np.maximum(abs(c) - lams[:, None] / 2, 0)


# %% X97 mutant whole-lambda
def l1_path(c, lams):
    return np.sign(c) * np.maximum(abs(c) - lams[:, None], 0)


# %% X97 mutant beyond-zero
def l1_path(c, lams):
    return c - np.sign(c) * lams[:, None] / 2


# %% X97 mutant sign-lost
def l1_path(c, lams):
    return np.maximum(abs(c) - lams[:, None] / 2, 0)


# %% X97 mutant first-gone
def all_gone(c):
    return 2 * min(abs(c))


# %% X97 mutant panels-swapped
def draw_paths(c, lams):
    figure, (left, right) = plt.subplots(1, 2)
    left.plot(lams, np.sign(c) * np.maximum(abs(c) - lams[:, None] / 2, 0))
    right.plot(lams, c / (1 + lams[:, None]))
    return figure


# %% X97 mutant ~one-panel
def draw_paths(c, lams):
    plt.plot(lams, c / (1 + lams[:, None]))
    plt.plot(lams, np.sign(c) * np.maximum(abs(c) - lams[:, None] / 2, 0))


# %% X97 mutant ~signed-max
def all_gone(c):
    return 2 * np.abs(c).sum()
