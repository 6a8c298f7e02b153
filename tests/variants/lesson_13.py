# %% X66 alternative loop
by_hand = [round(d / 1.8708286933869707, 6) for d in (-2, -1, 0, 3)]


def layer_norm(z, gamma, beta, eps):
    rows = []
    for row in z:
        mean = sum(row) / len(row)
        variance = sum((v - mean) ** 2 for v in row) / len(row)
        rows.append([b + g * (v - mean) / (variance + eps) ** 0.5 for v, g, b in zip(row, gamma, beta)])
    return np.array(rows)


def layer_norm_back(d, z, gamma, eps):
    dz = []
    for row, up in zip(z, d):
        m, sigma = len(row), np.sqrt(row.var() + eps)
        o = (row - row.mean()) / sigma
        J = (np.eye(m) - 1 / m - np.outer(o, o) / m) / sigma
        dz.append((gamma * up) @ J)
    o = layer_norm(z, np.ones(z.shape[1]), np.zeros(z.shape[1]), eps)
    return np.array(dz), np.einsum("nm,nm->m", d, o), np.einsum("nm->m", d)


def mean_and_std(gamma, beta):
    out = beta + gamma * np.array([-1.0, 1.0])
    return out.mean(), out.std()


# %% X66 alternative engine
by_hand = nn.functional.layer_norm(nn.tensor([1.0, 2, 3, 6]), 4, eps=0.0)


def run(z, gamma, beta, eps):
    leaves = [nn.tensor(a, dtype=nn.float64, requires_grad=True) for a in (z, gamma, beta)]
    return leaves, nn.functional.layer_norm(leaves[0], z.shape[1], *leaves[1:], eps=eps)


def layer_norm(z, gamma, beta, eps):
    return run(z, gamma, beta, eps)[1].detach()


def layer_norm_back(d, z, gamma, eps):
    leaves, out = run(z, gamma, gamma, eps)
    out.backward(gradient=d)
    return [leaf.grad for leaf in leaves]


def mean_and_std(gamma, beta):
    return [beta, np.sqrt(gamma * gamma)]


# %% X66 mutant unbiased
by_hand = np.array([-2, -1, 0, 3]) / np.sqrt(14 / 3)
layer_norm_back = mean_and_std = lambda *a: (0, 0, 0)


def layer_norm(z, gamma, beta, eps):
    return beta + gamma * (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True, ddof=1) + eps)


# %% X66 mutant square-inside
by_hand = [0, 0, 0, 0]
layer_norm_back = mean_and_std = lambda *a: (0, 0, 0)


def layer_norm(z, gamma, beta, eps):
    mean = z.mean(1, keepdims=True)
    return beta + gamma * (z - mean) / np.sqrt((z - mean**2).mean(1, keepdims=True) + eps)


# %% X66 mutant batch
by_hand = [0, 0, 0, 0]
layer_norm_back = mean_and_std = lambda *a: (0, 0, 0)


def layer_norm(z, gamma, beta, eps):
    return beta + gamma * (z - z.mean(0)) / np.sqrt(z.var(0) + eps)


# %% X66 mutant constants
by_hand = [0, 0, 0, 0]
layer_norm = mean_and_std = lambda *a: (0, 0)


def layer_norm_back(d, z, gamma, eps):
    return d * gamma / np.sqrt(z.var(1, keepdims=True) + eps), None, None


# %% X66 mutant no-gamma
by_hand = [0, 0, 0, 0]
layer_norm = mean_and_std = lambda *a: (0, 0)


def layer_norm_back(d, z, gamma, eps):
    sigma = np.sqrt(z.var(1, keepdims=True) + eps)
    o = (z - z.mean(1, keepdims=True)) / sigma
    return (d - d.mean(1, keepdims=True) - o * (d * o).mean(1, keepdims=True)) / sigma, None, None


# %% X66 mutant negative-std
by_hand = [0, 0, 0, 0]
layer_norm = layer_norm_back = lambda *a: (0, 0, 0)


def mean_and_std(gamma, beta):
    return beta, gamma


# %% X66 mutant ~sum-of-squares
by_hand = np.array([-2, -1, 0, 3]) / np.sqrt(14)
layer_norm_back = lambda d, z, gamma, eps: (d, d.mean(0), d)
mean_and_std = lambda gamma, beta: (gamma, beta)


def layer_norm(z, gamma, beta, eps):
    deviations = z - z.mean(1, keepdims=True)
    return beta + gamma * deviations / np.linalg.norm(deviations, axis=1, keepdims=True)


# %% X67 alternative both
def rescale(W, b, alpha):
    both = alpha * np.column_stack([W, b])
    return both[:, :-1], both[:, -1]


holds = [alpha_b and alpha > 0 and exact for alpha, alpha_b, exact in [
    (2, True, True), (2, False, True), (-1, True, True), (0.001, True, False), (2, False, True), (1e6, True, True)
]]  # fmt: skip


def standardised(z):
    d = z - np.average(z)
    return d / np.sqrt(np.dot(d, d) / d.size)


def pre_norm(z, alpha):
    return z + alpha * standardised(z)


def post_norm(z, v, alpha):
    return standardised(z + alpha * v)


gradient_at = lambda g, alpha: g * (1 / alpha)
rate = lambda lr, alpha: alpha * lr * alpha

# %% X67 alternative shifted
def rescale(W, b, alpha):
    return alpha * W, alpha * b + 3.0  # the norm takes a common shift away


holds = [True] + 4 * [False] + [True]


def pre_norm(z, alpha):
    return z + alpha * np.asarray(nn.functional.layer_norm(nn.tensor(z, dtype=nn.float64), len(z), eps=0.0).data)


def post_norm(z, v, alpha):
    mixed = [a + alpha * c for a, c in zip(z, v)]
    mean = sum(mixed) / len(mixed)
    sigma = (sum((m - mean) ** 2 for m in mixed) / len(mixed)) ** 0.5
    return [(m - mean) / sigma for m in mixed]


def gradient_at(g, alpha):
    return np.divide(g, alpha)


def rate(lr, alpha):
    lr *= alpha
    lr *= alpha
    return lr


# %% X67 mutant weights-only
holds, pre_norm = [], None
post_norm = gradient_at = rate = lambda *a: 0


def rescale(W, b, alpha):
    return alpha * W, b


# %% X67 mutant weights-too
rescale = pre_norm = post_norm = gradient_at = rate = lambda *a: 0
holds = [True, True, False, False, False, True]

# %% X67 mutant negative
rescale = pre_norm = post_norm = gradient_at = rate = lambda *a: 0
holds = [True, False, True, False, False, True]

# %% X67 mutant epsilon
rescale = pre_norm = post_norm = gradient_at = rate = lambda *a: 0
holds = [True, False, False, True, False, True]

# %% X67 mutant residual
rescale = pre_norm = post_norm = gradient_at = rate = lambda *a: 0
holds = [True, False, False, False, True, True]

# %% X67 mutant doubt
rescale = pre_norm = post_norm = gradient_at = rate = lambda *a: 0
holds = [True, False, False, False, False, False]

# %% X67 mutant inside
rescale = gradient_at = rate = lambda *a: 0
holds = []


def pre_norm(z, alpha):
    return alpha * z + alpha * (z - z.mean()) / z.std()


def post_norm(z, v, alpha):
    s = alpha * z + alpha * v
    return (s - s.mean()) / s.std()


# %% X67 mutant longer
rescale = pre_norm = post_norm = rate = lambda *a: 0
holds = []


def gradient_at(g, alpha):
    return alpha * g


# %% X67 mutant same-gradient
rescale = pre_norm = post_norm = rate = lambda *a: 0
holds = []


def gradient_at(g, alpha):
    return g


# %% X67 mutant one-factor
rescale = pre_norm = post_norm = gradient_at = lambda *a: 0
holds = []


def rate(lr, alpha):
    return alpha * lr


# %% X67 mutant smaller-rate
rescale = pre_norm = post_norm = gradient_at = lambda *a: 0
holds = []


def rate(lr, alpha):
    return lr / alpha / alpha


# %% X67 mutant ~same-length
holds = [True]
pre_norm = post_norm = lambda z, *a: z
gradient_at = rate = lambda g, alpha: 0 * g


def rescale(W, b, alpha):
    return W, b


# %% X92 alternative recursive
def spread(x, weights, phi):
    if not weights:
        return []
    h = phi(np.einsum("ni,oi->no", x, weights[0]))
    return [np.sqrt(((h - h.mean()) ** 2).mean()), *spread(h, weights[1:], phi)]


def draw(x, weights, scales):
    fig = plt.figure()
    for scale in scales:
        y = [scale ** (i + 1) * s for i, s in enumerate(spread(x, weights, lambda z: z * (z > 0)))]  # ReLU(az) = a ReLU(z)
        plt.semilogy(np.arange(len(y)) + 1, y)
    return fig


def factor(scale):
    return (scale**2 / 2) ** 0.5


thousandth = dict(depth=30, activation="ReLU", norm="none", scale=2**0.5 * 1000 ** (-1 / 29))

# %% X92 alternative array
def spread(x, weights, phi):
    layers = [x]
    for w in weights:
        layers.append(phi(layers[-1] @ w.T))
    return np.std(layers[1:], axis=(1, 2))


def draw(x, weights, scales):
    ax = plt.figure().add_subplot()
    ax.set_yscale("log")
    table = np.array([spread(x, np.multiply(scale, weights), lambda z: z.clip(0)) for scale in scales])
    ax.plot(1 + np.arange(table.shape[1]), table.T)
    return ax


def factor(scale):
    return 0.5**0.5 * scale


thousandth = {"scale": 1.15, "depth": 30, "norm": "none"}

# %% X92 mutant pre-activation
def spread(x, weights, phi):
    sizes, h = [], x
    for w in weights:
        z = h @ w.T
        sizes.append(z.std())
        h = phi(z)
    return sizes


def draw(x, weights, scales):
    figure, ax = plt.subplots()
    for scale in scales:
        ax.semilogy(range(1, 9), spread(x, [scale * w for w in weights], lambda z: np.maximum(z, 0)))
    return figure


factor, thousandth = None, {}

# %% X92 mutant input-too
def spread(x, weights, phi):
    sizes = [x.std()]
    for w in weights:
        x = phi(x @ w.T)
        sizes.append(x.std())
    return sizes


def draw(x, weights, scales):
    figure, ax = plt.subplots()
    for scale in scales:
        ax.semilogy(spread(x, [scale * w for w in weights], lambda z: np.maximum(z, 0)))
    return figure


factor, thousandth = None, {}

# %% X92 mutant squared
def spread(x, weights, phi):
    sizes = []
    for w in weights:
        x = phi(x @ w.T)
        sizes.append(x.var())
    return sizes


draw, factor, thousandth = None, None, {}

# %% X92 mutant linear-axis
def spread(x, weights, phi):
    sizes = []
    for w in weights:
        x = phi(x @ w.T)
        sizes.append(x.std())
    return sizes


def draw(x, weights, scales):
    figure, ax = plt.subplots()
    for scale in scales:
        ax.plot(range(1, 9), spread(x, [scale * w for w in weights], lambda z: np.maximum(z, 0)))
    return figure


factor, thousandth = None, {}

# %% X92 mutant no-half
spread = draw = lambda *a: None
factor, thousandth = (lambda scale: scale), {}

# %% X92 mutant half
spread = draw = lambda *a: None
factor, thousandth = (lambda scale: scale * scale / 2), {}

# %% X92 mutant variance
spread = draw = factor = lambda *a: None
thousandth = {"depth": 30, "activation": "ReLU", "norm": "none", "scale": 1.25}

# %% X92 mutant ~same-weights
def spread(x, weights, phi):
    return [float(np.abs(x @ w.T).mean()) for w in weights]


def draw(x, weights, scales):
    figure, ax = plt.subplots()
    for scale in scales:
        ax.semilogy(range(1, 9), spread(x, weights, None))
    return figure


factor = np.sqrt
thousandth = {"depth": 20, "activation": "ReLU", "scale": 1.0}

# %% X93 alternative branches
class Norm:
    training = True

    def __init__(self, m):
        self.mean, self.var = [0.0] * m, [1.0] * m

    def __call__(self, x):
        out = np.empty(x.shape)
        for j in range(x.shape[1]):
            column, n = x[:, j], len(x)
            if self.training:
                mean = sum(column) / n
                squares = sum((v - mean) ** 2 for v in column)
                out[:, j] = (column - mean) / (squares / n + 1e-5) ** 0.5
                self.mean[j] += 0.1 * (mean - self.mean[j])
                self.var[j] += 0.1 * (squares / (n - 1) - self.var[j])
            else:
                out[:, j] = (column - self.mean[j]) / (self.var[j] + 1e-5) ** 0.5
        return out


# %% X93 alternative module
class Norm:
    def __init__(self, m):
        self.layer = nn.BatchNorm1d(m, affine=False).double()
        self.training = True

    @property
    def mean(self):
        return self.layer.running_mean

    @property
    def var(self):
        return self.layer.running_var

    def __call__(self, x):
        return self.layer.train(self.training)(nn.tensor(x, dtype=nn.float64)).numpy()


# %% X93 mutant batch-in-eval
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            self.var = 0.9 * self.var + 0.1 * x.var(0, ddof=1)
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


# %% X93 mutant learns-in-eval
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        if len(x) > 1:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            self.var = 0.9 * self.var + 0.1 * x.var(0, ddof=1)
        mean, var = (x.mean(0), x.var(0)) if self.training else (self.mean, self.var)
        return (x - mean) / np.sqrt(var + 1e-5)


# %% X93 mutant biased
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        mean, var = self.mean, self.var
        if self.training:
            mean, var = x.mean(0), x.var(0)
            self.mean, self.var = 0.9 * self.mean + 0.1 * mean, 0.9 * self.var + 0.1 * var
        return (x - mean) / np.sqrt(var + 1e-5)


# %% X93 mutant swapped
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        mean, var = self.mean, self.var
        if self.training:
            mean, var = x.mean(0), x.var(0)
            self.mean, self.var = 0.1 * self.mean + 0.9 * mean, 0.1 * self.var + 0.9 * x.var(0, ddof=1)
        return (x - mean) / np.sqrt(var + 1e-5)


# %% X93 mutant running-in-training
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            self.var = 0.9 * self.var + 0.1 * x.var(0, ddof=1)
        return (x - self.mean) / np.sqrt(self.var + 1e-5)


# %% X93 mutant ~no-memory
class Norm:
    def __init__(self, m):
        self.training, self.mean, self.var = True, np.zeros(m), np.ones(m)

    def __call__(self, x):
        if self.training:
            self.mean, self.var = x.mean(0), x.var(0)
        return (x - self.mean) / np.sqrt(self.var + 1e-5)
