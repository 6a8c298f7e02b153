# %% X58 alternative arrays
def sgd(x, y, order, lr, lam):
    theta, path = np.zeros(2), []
    for n in order:
        a = np.array([x[n], 1.0])
        theta = theta - lr * (2 * (a @ theta - y[n]) * a + 2 * lam * theta * [1, 0])
        path.append(theta)
    return np.array(path)


# %% X58 alternative engine
def sgd(x, y, order, lr, lam):
    w, b = (nn.Parameter(nn.tensor(0.0, dtype=nn.float64)) for _ in range(2))
    optimizer = nn.optim.SGD([{"params": [w], "weight_decay": 2 * lam}, {"params": [b]}], lr=lr)
    path = []
    for n in order:
        optimizer.zero_grad()
        ((w * float(x[n]) + b - float(y[n])) ** 2).backward()
        optimizer.step()
        path.append([w.item(), b.item()])
    return path


# %% X58 mutant uphill
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        r = w * x[n] + b - y[n]
        w, b = w + lr * (2 * r * x[n] + 2 * lam * w), b + lr * 2 * r
        path.append((w, b))
    return path


# %% X58 mutant no-penalty
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        r = w * x[n] + b - y[n]
        w, b = w - lr * 2 * r * x[n], b - lr * 2 * r
        path.append((w, b))
    return path


# %% X58 mutant half-penalty
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        r = w * x[n] + b - y[n]
        w, b = w - lr * (2 * r * x[n] + lam * w), b - lr * 2 * r
        path.append((w, b))
    return path


# %% X58 mutant bias-too
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        r = w * x[n] + b - y[n]
        w, b = w - lr * (2 * r * x[n] + 2 * lam * w), b - lr * (2 * r + 2 * lam * b)
        path.append((w, b))
    return path


# %% X58 mutant full
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        r = w * x + b - y
        w, b = w - lr * (2 * (r * x).mean() + 2 * lam * w), b - lr * 2 * r.mean()
        path.append((w, b))
    return path


# %% X58 mutant ~one-after-the-other
def sgd(x, y, order, lr, lam):
    w = b = 0.0
    path = []
    for n in order:
        w = w - lr * (2 * (w * x[n] + b - y[n]) * x[n] + 2 * lam * w)
        b = b - lr * 2 * (w * x[n] + b - y[n])
        path.append((w, b))
    return path


# %% X59 alternative shuffle
def epoch(N, B, rng):
    rest, parts = list(range(N)), []
    rng.shuffle(rest)
    while rest:
        parts.append(rest[:B])
        rest = rest[B:]
    return parts


def mean_step(theta, grads, lr):
    for g in grads:
        theta = theta - lr / len(grads) * g
    return theta


def sum_rate(lr, B):
    return lr * (1 / B)


# %% X59 alternative split
def epoch(N, B, rng):
    return np.split(np.argsort(rng.random(N)), range(B, N, B))


def mean_step(theta, grads, lr):
    return theta - np.einsum("bp->p", grads) * lr / grads.shape[0]


sum_rate = np.divide

# %% X59 mutant replacement
def epoch(N, B, rng):
    return [rng.integers(N, size=min(B, N - i)) for i in range(0, N, B)]


mean_step = sum_rate = lambda *a: 0

# %% X59 mutant drops
def epoch(N, B, rng):
    order = rng.permutation(N)
    return [order[i * B : i * B + B] for i in range(N // B)]


mean_step = sum_rate = lambda *a: 0

# %% X59 mutant unshuffled
def epoch(N, B, rng):
    return [list(range(N))[i : i + B] for i in range(0, N, B)]


mean_step = sum_rate = lambda *a: 0

# %% X59 mutant same-order
def epoch(N, B, rng):
    order = np.random.default_rng(0).permutation(N)
    return [order[i : i + B] for i in range(0, N, B)]


mean_step = sum_rate = lambda *a: 0

# %% X59 mutant sum
epoch = sum_rate = lambda *a: []


def mean_step(theta, grads, lr):
    return theta - lr * grads.sum(0)


# %% X59 mutant uphill
epoch = sum_rate = lambda *a: []


def mean_step(theta, grads, lr):
    return theta + lr * grads.mean(0)


# %% X59 mutant times
epoch = mean_step = lambda *a: []


def sum_rate(lr, B):
    return B * lr


# %% X59 mutant ~overlap
def epoch(N, B, rng):
    order = rng.permutation(N)
    return [order[:B], order[B:]]


mean_step = lambda theta, grads, lr: theta - lr * grads[0]
sum_rate = lambda lr, B: lr

# %% X60 alternative closed
four = np.array([0.8, 0.46, 0.062, -0.3086])


def momentum(gradient, x, lr, mu, steps):
    points, slopes = [x], []
    for _ in range(steps):
        slopes.append(gradient(points[-1]))
        points.append(points[-1] - lr * sum(mu**age * g for age, g in enumerate(slopes[::-1])))
    return points[1:]


# %% X60 alternative recursive
def momentum(gradient, x, lr, mu, steps, v=0.0):
    if steps == 0:
        return []
    v = mu * v + gradient(x)
    return [x - lr * v, *momentum(gradient, x - lr * v, lr, mu, steps - 1, v)]


four = momentum(lambda x: 2 * x, 1.0, 0.1, 0.9, 4)

# %% X60 mutant dampened
def momentum(gradient, x, lr, mu, steps):
    v, path = 0.0, []
    for _ in range(steps):
        v = mu * v + (1 - mu) * gradient(x)
        x -= lr * v
        path.append(x)
    return path


four = momentum(lambda x: 2 * x, 1.0, 0.1, 0.9, 4)

# %% X60 mutant nesterov
def momentum(gradient, x, lr, mu, steps):
    v, path = 0.0, []
    for _ in range(steps):
        g = gradient(x)
        v = mu * v + g
        x -= lr * (g + mu * v)
        path.append(x)
    return path


four = momentum(lambda x: 2 * x, 1.0, 0.1, 0.9, 4)

# %% X60 mutant uphill
def momentum(gradient, x, lr, mu, steps):
    v, path = 0.0, []
    for _ in range(steps):
        v = mu * v - gradient(x)
        x -= lr * v
        path.append(x)
    return path


four = momentum(lambda x: 2 * x, 1.0, 0.1, 0.9, 4)

# %% X60 mutant late
def momentum(gradient, x, lr, mu, steps):
    v, path = 0.0, []
    for _ in range(steps):
        g = gradient(x)
        x -= lr * v
        v = mu * v + g
        path.append(x)
    return path


four = momentum(lambda x: 2 * x, 1.0, 0.1, 0.9, 4)

# %% X60 mutant no-momentum
def momentum(gradient, x, lr, mu, steps):
    path = []
    for _ in range(steps):
        x -= lr * gradient(x)
        path.append(x)
    return path


four = [0.8, 0.64, 0.512, 0.4096]

# %% X60 mutant ~with-start
four = [1, 0.8, 0.46, 0.062]


def momentum(gradient, x, lr, mu, steps):
    v, path = 0.0, [x]
    for _ in range(steps):
        v = mu * v + gradient(x)
        x -= lr * v
        path.append(x)
    return path


# %% X61 alternative loop
def loss(phi0):
    total = 0.0
    for i in range(61):
        x = -15 + i / 2
        u, u0 = phi0 + 0.06 * 16.6 * x, 0.06 * 16.6 * x
        total += (np.sin(u) * np.exp(-u * u / 32) - np.sin(u0) * np.exp(-u0 * u0 / 32)) ** 2
    return total / 61


valleys = []
for i in range(-99, 100):
    if loss(i / 10) < min(loss((i - 1) / 10), loss((i + 1) / 10)):
        valleys.append(i / 10)
ends = [min(valleys, key=lambda v: abs(v - start)) for start in (-8.5, -4, -1, 2, 5)]


def draw():
    fig, ax = plt.subplots()
    places = [i / 10 for i in range(-100, 101)]
    ax.plot(places, list(map(loss, places)))
    ax.scatter(valleys, list(map(loss, valleys)))
    return ax


# %% X61 alternative engine
xs = nn.linspace(-15, 15, 61, dtype=nn.float64)


def model(phi0):
    u = phi0 + 0.996 * xs
    return F.mse_loss(u.sin() * (-(u * u) / 32).exp(), (0.996 * xs).sin() * (-((0.996 * xs) ** 2) / 32).exp())


def loss(phi0):
    return model(nn.tensor(float(phi0), dtype=nn.float64)).item()


def descend(start):
    phi = nn.tensor(start, dtype=nn.float64, requires_grad=True)
    optimizer = nn.optim.SGD([phi], lr=1.0, momentum=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        model(phi).backward()
        optimizer.step()
    return round(phi.item(), 1)


ends = [descend(start) for start in (-8.5, -4.0, -1.0, 2.0, 5.0)]
valleys = np.unique(np.round(np.abs(ends), 1)).tolist() + [-6.1]


def draw():
    plt.figure()
    at = np.linspace(-10, 10, 300)
    plt.plot(at, [loss(a) for a in at])
    for v in valleys:
        plt.plot(v, loss(v), "k*")
    return plt.gcf()


# %% X61 mutant convex
loss, draw, ends, valleys = None, None, [], [0.0]

# %% X61 mutant grid-ends
loss, draw, ends, valleys = None, None, [], [-10, -6.1, 0.0, 6.1, 10]

# %% X61 mutant hills
loss, draw, ends, valleys = None, None, [], [-6.1, -3.0, 0.0, 3.0, 6.1]

# %% X61 mutant outside
draw, ends, valleys = None, [], []


def loss(phi0):
    u, u0 = phi0 + 0.996 * np.linspace(-15, 15, 61), 0.996 * np.linspace(-15, 15, 61)
    return ((np.sin(u) - np.sin(u0)) ** 2 * np.exp(-(u**2) / 32)).mean()


# %% X61 mutant fixed
draw, ends, valleys = None, [], []


def loss(phi0):
    u0 = 0.996 * np.linspace(-15, 15, 61)
    return (((np.sin(phi0 + u0) - np.sin(u0)) * np.exp(-(u0**2) / 32)) ** 2).mean()


# %% X61 mutant nearest-zero
loss, draw, ends, valleys = None, None, [0, 0, 0, 0, 0], []

# %% X61 mutant starts
loss, draw, ends, valleys = None, None, [-8.5, -4, -1, 2, 5], []

# %% X61 mutant ~sum
ends, valleys = [6.1, 6.1, 0, 0, -6.1], [-6.1, 0]


def loss(phi0):
    x = np.linspace(-15, 15, 61)
    wave = lambda phi0: np.sin(phi0 + 0.996 * x) * np.exp(-((phi0 + 0.996 * x) ** 2) / 32)
    return ((wave(phi0) - wave(0.0)) ** 2).sum()


def draw():
    figure, ax = plt.subplots()
    ax.plot(np.linspace(-10, 10, 200), [loss(v) for v in np.linspace(-10, 10, 200)])
    return figure


# %% X39 alternative numpy
def first(flags):
    places = np.flatnonzero(flags)
    return int(places[0]) if len(places) else None


def loss_rule(losses, eps):
    return first(np.abs(np.diff(losses, prepend=np.inf)) < eps)


def gradient_rule(norms, eps):
    return first(np.array(norms) < eps)


def patience_rule(held, k):
    best = np.minimum.accumulate(held)
    since = [t - list(held).index(best[t]) for t in range(len(held))]
    return first(np.array(since) >= k)


def stop(losses, norms, held, eps_loss, eps_grad, k):
    for t in range(max(map(len, (losses, norms, held)))):
        if loss_rule(losses, eps_loss) == t:
            return t, "loss"
        if gradient_rule(norms, eps_grad) == t:
            return t, "gradient"
        if patience_rule(held, k) == t:
            return t, "patience"
    return None


# %% X39 alternative stream
def loss_rule(losses, eps):
    pairs = enumerate(zip(losses, losses[1:]), 1)
    return next((t for t, (a, b) in pairs if -eps < b - a < eps), None)


def gradient_rule(norms, eps):
    t = 0
    while t < len(norms):
        if norms[t] < eps:
            return t
        t += 1
    return None


def patience_rule(held, k):
    lowest, waiting = float("inf"), 0
    for t, value in enumerate(held):
        waiting = 0 if value < lowest else waiting + 1
        lowest = min(lowest, value)
        if waiting == k:
            return t
    return None


def stop(losses, norms, held, eps_loss, eps_grad, k):
    best = None
    for reason, t in [
        ("loss", loss_rule(losses, eps_loss)), ("gradient", gradient_rule(norms, eps_grad)), ("patience", patience_rule(held, k))
    ]:
        if t is not None and (best is None or t < best[0]):
            best = [t, reason]
    return best


# %% X39 mutant no-abs
gradient_rule = patience_rule = stop = lambda *a: -1


def loss_rule(losses, eps):
    for t in range(1, len(losses)):
        if losses[t - 1] - losses[t] < eps:
            return t


# %% X39 mutant step-zero
gradient_rule = patience_rule = stop = lambda *a: -1


def loss_rule(losses, eps):
    before = losses[0]
    for t, value in enumerate(losses):
        if abs(value - before) < eps:
            return t
        before = value


# %% X39 mutant shifted
gradient_rule = patience_rule = stop = lambda *a: -1


def loss_rule(losses, eps):
    for t in range(len(losses) - 1):
        if abs(losses[t] - losses[t + 1]) < eps:
            return t


# %% X39 mutant one-eps
def loss_rule(losses, eps):
    return next((t for t in range(1, len(losses)) if abs(losses[t] - losses[t - 1]) < eps), None)


def gradient_rule(norms, eps):
    return next((t for t, norm in enumerate(norms) if norm < eps), None)


def patience_rule(held, k):
    return next((t for t in range(len(held)) if t - held.index(min(held[: t + 1])) >= k), None)


def stop(losses, norms, held, eps_loss, eps_grad, k):
    steps = [loss_rule(losses, eps_loss), gradient_rule(norms, eps_loss), patience_rule(held, k)]
    fired = [(t, reason) for t, reason in zip(steps, ("loss", "gradient", "patience")) if t is not None]
    return min(fired, key=lambda pair: pair[0]) if fired else None


# %% X39 mutant last-only
loss_rule = gradient_rule = stop = lambda *a: -1


def patience_rule(held, k):
    bad = 0
    for t in range(1, len(held)):
        bad = bad + 1 if held[t] >= held[t - 1] else 0
        if bad == k:
            return t


# %% X39 mutant in-all
loss_rule = gradient_rule = stop = lambda *a: -1


def patience_rule(held, k):
    bad, best = 0, held[0]
    for t in range(1, len(held)):
        bad += held[t] >= best
        best = min(best, held[t])
        if bad == k:
            return t


# %% X39 mutant ~latest
def loss_rule(losses, eps):
    return [t for t in range(1, len(losses)) if abs(losses[t] - losses[t - 1]) < eps]


gradient_rule = lambda norms, eps: min(norms) < eps
patience_rule = lambda held, k: k
stop = lambda *a: (1, "patience")

# %% X26 alternative solve
def random_error(W, b, x, y, x_new, y_new):
    make = lambda x: np.hstack([(x @ W.T + b).clip(0), np.ones((len(x), 1))])
    A = make(x)
    c = np.linalg.solve(A.T @ A, A.T @ y)
    return float(np.square(make(x_new) @ c - y_new).mean())


def trained(n, x, y, x_new):
    rng, tries = np.random.default_rng(1), []
    for _ in range(4):
        W, b, v, c = rng.normal(size=(n, x.shape[1])) / 2, rng.normal(size=n), rng.normal(size=n) / n, 0.0
        memory = [np.zeros_like(p) for p in (W, b, v, np.zeros(()))]
        second = [np.zeros_like(p) for p in memory]
        for t in range(1, 501):
            h = np.maximum(x @ W.T + b, 0)
            r = h @ v + c - y
            dh = np.outer(r, v) * (h > 0)
            grads = [2 * g / len(x) for g in (dh.T @ x, dh.sum(0), h.T @ r, r.sum())]
            memory = [0.9 * m + 0.1 * g for m, g in zip(memory, grads)]
            second = [0.999 * s + 0.001 * g * g for s, g in zip(second, grads)]
            moves = [0.03 * m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8) for m, s in zip(memory, second)]
            W, b, v, c = (p - d for p, d in zip((W, b, v, c), moves))
        tries.append(((r * r).mean(), np.maximum(x_new @ W.T + b, 0) @ v + c))
    return min(tries, key=lambda pair: pair[0])[1]


def slope(n, errors):
    a, e = np.log(n), np.log(errors)
    return ((a - a.mean()) * (e - e.mean())).sum() / ((a - a.mean()) ** 2).sum()


def barron(C, r, n):
    return 4 * r * r * C * C / n


def fixed(n, d):
    return np.exp(-2 / d * np.log(n))


# %% X26 alternative fit
def random_error(W, b, x, y, x_new, y_new):
    total = 0.0
    columns = [[max(0.0, row @ w + bias) for w, bias in zip(W, b)] + [1.0] for row in x]
    c = np.linalg.lstsq(np.array(columns), y, rcond=None)[0]
    for row, target in zip(x_new, y_new):
        guess = c[-1]
        for j, (w, bias) in enumerate(zip(W, b)):
            guess += c[j] * max(0.0, row @ w + bias)
        total += (guess - target) ** 2
    return total / len(x_new)


def trained(n, x, y, x_new):
    nets = []
    data = [nn.tensor(a, dtype=nn.float64) for a in (x, y[:, None])]
    for seed in (5, 6, 7):
        nn.manual_seed(seed)
        net = nn.models.MLP([x.shape[1], n, 1]).double()
        nn.fit(net, data, F.mse_loss, nn.optim.Adam(net.parameters(), lr=0.02), 40, batch_size=20, progress=False)
        nets.append((F.mse_loss(net(data[0]), data[1]).item(), net))
    return min(nets, key=lambda pair: pair[0])[1](nn.tensor(x_new, dtype=nn.float64))


def slope(n, errors):
    return np.linalg.lstsq(np.column_stack([np.log10(n), np.ones(len(n))]), np.log10(errors), rcond=None)[0][0]


def barron(C, r, n):
    return (2 * C * r) ** 2 * n**-1.0


def fixed(n, d):
    return 1 / n ** (2 / d)


# %% X26 mutant same-points
trained = slope = barron = fixed = lambda *a: 0


def random_error(W, b, x, y, x_new, y_new):
    A = np.column_stack([np.maximum(x @ W.T + b, 0), np.ones(len(x))])
    return ((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2).mean()


# %% X26 mutant no-constant
trained = slope = barron = fixed = lambda *a: 0


def random_error(W, b, x, y, x_new, y_new):
    c = np.linalg.lstsq(np.maximum(x @ W.T + b, 0), y, rcond=None)[0]
    return ((np.maximum(x_new @ W.T + b, 0) @ c - y_new) ** 2).mean()


# %% X26 mutant no-radius
trained = slope = random_error = fixed = lambda *a: 0


def barron(C, r, n):
    return 4 * C**2 / n


# %% X26 mutant one-over-n
trained = slope = random_error = barron = lambda *a: 0


def fixed(n, d):
    return n**-1


# %% X26 mutant half-d
trained = slope = random_error = barron = lambda *a: 0


def fixed(n, d):
    return (1 / n) ** (d / 2)


# %% X26 mutant no-logs
trained = fixed = random_error = barron = lambda *a: 0


def slope(n, errors):
    return np.polyfit(n, errors, 1)[0]


# %% X26 mutant not-trained
slope = fixed = barron = random_error = lambda *a: 0


def trained(n, x, y, x_new):
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(n, x.shape[1])), rng.normal(size=n)
    A, B = (np.column_stack([np.maximum(a @ W.T + b, 0), np.ones(len(a))]) for a in (x, x_new))
    return B @ np.linalg.lstsq(A, y, rcond=None)[0]


# %% X26 mutant ~shape
slope = fixed = barron = random_error = lambda *a: 0


def trained(n, x, y, x_new):
    return y


# %% X81 alternative loop
def features(model, x):
    layers = list(model)
    for layer in layers[: len(layers) - 1]:
        x = layer(x)
    return np.array(x.data)


def probe(x, y, x_new, y_new):
    A, B = (np.insert(a, 0, 1.0, axis=1) for a in (x, x_new))
    scores = []
    for k in range(max(y) + 1):
        scores.append(B @ np.linalg.solve(A.T @ A, A.T @ (y == k)))
    return sum(int(np.argmax(column)) == label for column, label in zip(np.transpose(scores), y_new)) / len(y_new)


# %% X81 alternative by-hand
def features(model, x):
    h, parameters = np.asarray(x.data), [p.data for p in model.parameters()]
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2]):
        h = np.maximum(h @ W.T + b, 0)
    return h


def probe(x, y, x_new, y_new):
    mean = x.mean(0)
    targets = np.eye(1 + y.max())[y]
    W = np.linalg.pinv(x - mean) @ (targets - targets.mean(0))
    guess = ((x_new - mean) @ W + targets.mean(0)).argmax(axis=1)
    return np.mean(guess == y_new)


# %% X81 mutant output
probe = lambda *a: -1


def features(model, x):
    return model(x).detach()


# %% X81 mutant before-relu
probe = lambda *a: -1


def features(model, x):
    return model[:-2](x).detach()


# %% X81 mutant refit
probe = lambda *a: -1


def features(model, x):
    for p in model.parameters():
        p.data = 0.9 * p.data
    return model[:-1](x).detach()


# %% X81 mutant leak
features = lambda *a: -1


def probe(x, y, x_new, y_new):
    A = np.column_stack([x_new, np.ones(len(x_new))])
    W = np.linalg.lstsq(A, np.eye(3)[y_new], rcond=None)[0]
    return ((A @ W).argmax(1) == y_new).mean()


# %% X81 mutant training
features = lambda *a: -1


def probe(x, y, x_new, y_new):
    A = np.column_stack([x, np.ones(len(x))])
    W = np.linalg.lstsq(A, np.eye(3)[y], rcond=None)[0]
    return ((A @ W).argmax(1) == y).mean()


# %% X81 mutant no-constant
features = lambda *a: -1


def probe(x, y, x_new, y_new):
    W = np.linalg.lstsq(x, np.eye(3)[y], rcond=None)[0]
    return ((x_new @ W).argmax(1) == y_new).mean()


# %% X81 mutant ~first-layer
probe = lambda x, y, x_new, y_new: 1 - ((x_new @ np.ones(x.shape[1]) > 0) == y_new).mean()


def features(model, x):
    return model[:1](x).detach()


# %% X82 alternative loops
def count(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += sizes[i] * sizes[i - 1]
        total += sizes[i]
    return total


def width(layers, budget):
    fits = [n for n in range(1, budget) if count([2, *[n] * layers, 1]) <= budget]
    return fits[-1]


def report(pairs):
    held = [new for _, new in pairs]
    mean = sum(held) / len(held)
    return mean, (sum((h - mean) ** 2 for h in held) / (len(held) - 1)) ** 0.5


table = {1: (0.738, 0.045), 2: (0.958, 0.037), 3: (0.968, 0.029)}

# %% X82 alternative formula
def count(sizes):
    a, b = np.array(sizes[:-1]), np.array(sizes[1:])
    return int(a @ b + b.sum())


def width(layers, budget):
    # (layers − 1)n² + (layers + 3)n + 1 = budget
    if layers == 1:
        return (budget - 1) // 4
    p, q = layers + 3, layers - 1
    return int((-p + np.sqrt(p * p + 4 * q * (budget - 1))) / (2 * q) + 1e-9)


def report(pairs):
    training, held = zip(*pairs)
    return [np.mean(held), np.std(held) * np.sqrt(len(held) / (len(held) - 1))]


runs = [[(0.8, 0.7), (0.8, 0.75), (0.9, 0.8)], [(1, 0.9), (1, 0.95), (1, 1)], [(1, 0.93), (0.97, 1), (1, 0.99)]]
table = dict(zip((1, 2, 3), map(report, runs)))

# %% X82 mutant no-biases
report, table = (lambda pairs: None), {}


def count(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


def width(layers, budget):
    return max(n for n in range(1, budget) if count([2, *[n] * layers, 1]) <= budget)


# %% X82 mutant unequal
count, report, table = (lambda sizes: None), (lambda pairs: None), {}


def width(layers, budget):
    return (budget - 1) // 4


# %% X82 mutant over
count, report, table = (lambda sizes: None), (lambda pairs: None), {}


def width(layers, budget):
    n = 1
    while layers * n + 3 * n + (layers - 1) * n * n + 1 <= budget:
        n += 1
    return n


# %% X82 mutant training
count, width, table = (lambda sizes: None), (lambda *a: None), {}


def report(pairs):
    first = np.array(pairs)[:, 0]
    return first.mean(), first.std(ddof=1)


# %% X82 mutant one-seed
count, width, table = (lambda sizes: None), (lambda *a: None), {}


def report(pairs):
    return pairs[0][1], 0.0


# %% X82 mutant population
count, width, table = (lambda sizes: None), (lambda *a: None), {}


def report(pairs):
    held = np.array(pairs)[:, 1]
    return held.mean(), held.std()


# %% X82 mutant one-seed-table
count, width, report = (lambda sizes: None), (lambda *a: None), (lambda pairs: None)
table = {1: (0.7, 0.0), 2: (0.97, 0.0), 3: (0.98, 0.0)}

# %% X82 mutant ~guess
count = lambda sizes: sum(sizes)
width = lambda layers, budget: budget // layers
report = lambda pairs: (max(b for _, b in pairs), 0.1)
table = {1: (0.95, 0.03), 2: (0.96, 0.03), 3: (0.97, 0.03)}
