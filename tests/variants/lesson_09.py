# %% X41 alternative loop
def xyz(x, y, z):
    q = x + y
    gradients = {"f": 1.0}
    for name, user, slope in [("dq", "f", z), ("dz", "f", q), ("dx", "dq", 1.0), ("dy", "dq", 1.0)]:
        gradients[name] = gradients[user] * slope
    return {name: gradients[name] for name in ("dq", "dz", "dx", "dy")}


# %% X41 alternative engine
def xyz(x, y, z):
    x, y, z = (nn.tensor(v, dtype=nn.float64, requires_grad=True) for v in (x, y, z))
    q = x + y
    dq, dz, dx, dy = nn.grad(q * z, [q, z, x, y])
    return {"dq": dq, "dz": dz, "dx": dx, "dy": dy}


# %% X41 mutant dz-z
def xyz(x, y, z):
    return {"dq": z, "dz": z, "dx": z, "dy": z}


# %% X41 mutant dq-q
def xyz(x, y, z):
    q = x + y
    return {"dq": q, "dz": q, "dx": q, "dy": q}


# %% X41 mutant no-swap
def xyz(x, y, z):
    q = x + y
    dq, dz = q, z
    return {"dq": dq, "dz": dz, "dx": dq, "dy": dq}


# %% X41 mutant ones
def xyz(x, y, z):
    return {"dq": z, "dz": x + y, "dx": 1, "dy": 1}


# %% X41 mutant ~sign
def xyz(x, y, z):
    return {"dq": z, "dz": x + y, "dx": z, "dy": -z}


# %% X42 alternative engine
def gradients(w, x):
    names = dict(zip(("w0", "w1", "w2", "x0", "x1"), (nn.tensor(v, dtype=nn.float64, requires_grad=True) for v in (*w, *x))))
    a, b = names["w0"] * names["x0"], names["w1"] * names["x1"]
    c = a + b
    s = c + names["w2"]
    n = -s
    e = nn.exp(n)
    d = 1 + e
    names |= {"a": a, "b": b, "c": c, "s": s, "n": n, "e": e, "d": d, "f": 1 / d}
    return {name: float(g) for name, g in zip(names, nn.grad(names["f"], list(names.values())))}


def fused(s):
    sigma = 0.5 * (1 + np.tanh(s / 2))
    return [sigma, sigma - sigma**2]


# %% X42 alternative table
def gradients(w, x):
    s = float(np.dot(w[:2], x) + w[2])
    sigma = 1 / (1 + np.exp(-s))
    ds = sigma * (1 - sigma)
    g = dict.fromkeys(["a", "b", "c", "s", "w2"], ds)
    g |= dict.fromkeys(["d", "e"], -(sigma**2)) | {"n": -ds, "f": 1}
    for i in (0, 1):
        g[f"w{i}"], g[f"x{i}"] = ds * x[i], ds * w[i]
    return g


def fused(s):
    e = np.exp(-s)
    return np.array([1 / (1 + e), e / (1 + e) ** 2])


# %% X42 mutant sigma-minus
def gradients(w, x):
    return {}


def fused(s):
    sigma = 1 / (1 + np.exp(s))
    return sigma, (1 - sigma) * sigma


# %% X42 mutant one-over
def gradients(w, x, sign=-1):
    (w0, w1, w2), (x0, x1) = w, x
    e = np.exp(-(w0 * x0 + w1 * x1 + w2))
    g = {"f": 1.0, "d": -1 / (e + 1), "e": -1 / (e + 1)}
    g["n"] = g["e"] * e
    g["s"] = g["c"] = g["w2"] = g["a"] = g["b"] = sign * g["n"]
    return g | {"w0": g["a"] * x0, "x0": g["a"] * w0, "w1": g["b"] * x1, "x1": g["b"] * w1}


fused = np.sign


# %% X42 mutant lost-sign
def gradients(w, x, sign=1):
    (w0, w1, w2), (x0, x1) = w, x
    e = np.exp(-(w0 * x0 + w1 * x1 + w2))
    g = {"f": 1.0, "d": -1 / (e + 1) ** 2, "e": -1 / (e + 1) ** 2}
    g["n"] = g["e"] * e
    g["s"] = g["c"] = g["w2"] = g["a"] = g["b"] = sign * g["n"]
    return g | {"w0": g["a"] * x0, "x0": g["a"] * w0, "w1": g["b"] * x1, "x1": g["b"] * w1}


fused = np.sign


# %% X42 mutant wx-swapped
def gradients(w, x, sign=-1):
    (w0, w1, w2), (x0, x1) = w, x
    e = np.exp(-(w0 * x0 + w1 * x1 + w2))
    g = {"f": 1.0, "d": -1 / (e + 1) ** 2, "e": -1 / (e + 1) ** 2}
    g["n"] = g["e"] * e
    g["s"] = g["c"] = g["w2"] = g["a"] = g["b"] = sign * g["n"]
    return g | {"w0": g["a"] * w0, "x0": g["a"] * x0, "w1": g["b"] * w1, "x1": g["b"] * x1}


fused = np.sign


# %% X42 mutant ~twelve
def gradients(w, x):
    g = dict.fromkeys("w0 x0 w1 x1 w2 a b c s n e d".split(), 0.0)
    return g


def fused(s):
    return 1 / (1 + np.exp(-s))


# %% X43 alternative loop
def add(a, b, g):
    return [list(g)] * 2


def mul(a, b, g):
    return [[u * v for u, v in zip(g, other)] for other in (b, a)]


def copy(a, g, g2):
    return [sum(shares) for shares in zip(g, g2)]


def largest(a, b, g):
    pairs = []
    for x, y, upstream in zip(a, b, g):
        if x > y:
            pairs.append((upstream, 0.0))
        elif x < y:
            pairs.append((0.0, upstream))
        else:
            pairs.append((upstream / 2, upstream / 2))
    return np.transpose(pairs)


# %% X43 alternative signs
def add(a, b, g):
    return np.stack([g, g])


def mul(a, b, g):
    return g * np.stack([b, a])


copy = lambda a, *shares: np.sum(shares, axis=0)


def largest(a, b, g):
    lean = np.sign(a - b)
    return g * (1 + lean) / 2, g * (1 - lean) / 2


# %% X43 mutant copy-overwrites
def add(a, b, g):
    return g, g


def mul(a, b, g):
    return g * b, g * a


def copy(a, g, g2):
    grad = g
    grad = g2
    return grad


# %% X43 mutant mul-keeps
def mul(a, b, g):
    return g * a, g * b


# %% X43 mutant max-both
def largest(a, b, g):
    return g, g


# %% X43 mutant tie
def largest(a, b, g):
    return np.where(a >= b, g, 0), np.where(a >= b, 0, g)


# %% X43 mutant tie-double
def largest(a, b, g):
    top = np.maximum(a, b)
    return g * (a == top), g * (b == top)


# %% X43 mutant add-halves
def add(a, b, g):
    return g / 2, g / 2


# %% X43 mutant ~tie-none
def largest(a, b, g):
    return g * (a > b), g * (b > a)


# %% X45 alternative flat
def numeric_grad(f, x, h):
    flat = x.ravel()
    rows = np.eye(flat.size) * h
    return np.array([(f((flat + e).reshape(x.shape)) - f((flat - e).reshape(x.shape))) / (2 * h) for e in rows]).reshape(x.shape)


def along(f, x, v, h):
    return np.subtract(*[f(x + s * h * v) for s in (1, -1)]) / h / 2


def draw(steps):
    sigma = lambda z: float(nn.sigmoid(nn.tensor(z, dtype=nn.float64)).numpy())
    true = np.exp(-1) / (1 + np.exp(-1)) ** 2
    for back in (0, 1):
        errors = [abs((sigma(1 + h) - sigma(1 - back * h)) / ((1 + back) * h) - true) for h in steps]
        plt.plot(steps, errors)
    plt.xscale("log")
    plt.yscale("log")


best_step = 10**-5

# %% X45 alternative in-a-copy
def numeric_grad(f, x, h):
    moved, out = np.array(x, float), np.empty(x.shape)
    for i, value in np.ndenumerate(x):
        moved[i] = value + h
        out[i] = f(moved)
        moved[i] = value - h
        out[i] -= f(moved)
        moved[i] = value
    return out / (2 * h)


def along(f, x, v, h):
    def at(t):
        return f(x + t * v)

    return (at(h) - at(-h)) / (h + h)


def draw(steps):
    sigma = lambda z: 0.5 + 0.5 * np.tanh(z / 2)
    slope = 0.25 / np.cosh(0.5) ** 2
    ax = plt.figure().gca()
    ax.set(xscale="log", yscale="log")
    ax.plot(steps, np.abs((sigma(1 + steps) - sigma(1)) / steps - slope))
    ax.plot(steps, np.abs((sigma(1 + steps) - sigma(1 - steps)) / 2 / steps - slope))
    return ax


best_step = 0.00001

# %% X45 mutant forward
def numeric_grad(f, x, h):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = h
        out[i] = (f(x + e) - f(x)) / h
    return out


# %% X45 mutant shared
def numeric_grad(f, x, h):
    x, out = x.copy(), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        out[i] = (above - f(x)) / (2 * h)
    return out


# %% X45 mutant no-half
def along(f, x, v, h):
    return (f(x + h * v) - f(x - h * v)) / h


# %% X45 mutant unit
def along(f, x, v, h):
    v = v / np.linalg.norm(v)
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


# %% X45 mutant columns
def along(f, x, v, h):
    J = np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)], axis=1)
    return J @ v


# %% X45 mutant tiny
best_step = 1e-12

# %% X45 mutant forward-best
best_step = 1e-8

# %% X45 mutant near
best_step = 1e-6

# %% X45 mutant linear-axes
def draw(steps):
    figure, ax = plt.subplots()
    ax.plot(steps, steps)
    ax.semilogy(steps, steps**2)
    return figure


# %% X45 mutant signed
def draw(steps):
    sigma = lambda z: 1 / (1 + np.exp(-z))
    slope = (1 - sigma(1.0)) * sigma(1.0)
    figure, ax = plt.subplots()
    ax.loglog(steps, (sigma(1 + steps) - sigma(1)) / steps - slope)
    ax.loglog(steps, (sigma(1 + steps) - sigma(1 - steps)) / (2 * steps) - slope)
    return figure


# %% X45 mutant order-swapped
def draw(steps):
    sigma = lambda z: 1 / (1 + np.exp(-z))
    slope = (1 - sigma(1.0)) * sigma(1.0)
    figure, ax = plt.subplots()
    ax.loglog(steps, abs((sigma(1 + steps) - sigma(1 - steps)) / (2 * steps) - slope))
    ax.loglog(steps, abs((sigma(1 + steps) - sigma(1)) / steps - slope))
    return figure


# %% X45 mutant ~formulas
def draw(steps):
    figure, ax = plt.subplots()
    ax.loglog(steps, 0.0454 * steps)
    ax.loglog(steps, 0.0059 * steps**2)
    return figure


# %% X45 mutant ~rows-only
def numeric_grad(f, x, h):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


# %% X46 alternative computed
functions = [np.abs, lambda x: max(x, 0), lambda x: x * abs(x), lambda x: max(x, 0.2 * x),
             lambda x: x * x * np.sin(1 / x) if x else 0.0, lambda x: np.log1p(np.exp(x))]
h = 1e-8
right = [(f(h) - f(0)) / h for f in functions]
left = [(f(0) - f(-h)) / h for f in functions]
centred = [round((r + l) / 2, 6) for r, l in zip(right, left)]
exists = [bool(abs(r - l) < 1e-3) for r, l in zip(right, left)]

# %% X46 alternative arrays
left, right = np.array([[-1, 0, 0, 0.2, 0, 0.5], [1, 1, 0, 1, 0, 0.5]])
centred = (left + right) / 2
exists = left == right

# %% X46 mutant abs-one
centred, exists = [1, 0.5, 0, 0.6, 0, 0.5], [False] * 6

# %% X46 mutant relu-rule
centred = [0, 0, 0, 0.6, 0, 0.5]
exists = ...

# %% X46 mutant yes
centred = ...
exists = [True, True, True, True, True, True]

# %% X46 mutant bars
centred, exists = ..., [False, False, False, False, True, True]

# %% X46 mutant wiggle
centred, exists = ..., [False, False, True, False, False, True]

# %% X46 mutant ~strings
centred, exists = ["0"] * 6, [0, 0, 1, 0, 1, 1]


# %% X84 alternative stack
def operations(e):
    count, waiting = 0, [e]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            count += 1
            waiting += part[1:]
    return count


def distinct(e):
    parts = lambda part: {part}.union(*map(parts, part[1:])) if isinstance(part, tuple) else set()
    return len(parts(e))


def sigmoids(d):
    return sum(7 + 8 * k for k in range(d)), 5 + 7 * (d - 1)


def products(d):
    return 2 * (2**d - 1), d + d


# %% X84 alternative counted
def operations(e):
    return str(e).count("(") if isinstance(e, tuple) else 0


def distinct(e):
    text = set()
    collect = lambda part: [text.add(str(part)), *map(collect, part[1:])] if isinstance(part, tuple) else None
    collect(e)
    return len(text)


def sigmoids(d):
    u, fraction, sweep = "x", None, None
    for _ in range(d):
        e = ("exp", ("neg", u))
        square = ("square", ("+", 1, e))
        factor, slope = ("*", ("exp", u), square), ("/", e, square)
        fraction = ("*", fraction, factor) if fraction else factor
        sweep = ("*", sweep, slope) if sweep else slope
        u = ("1/", ("+", 1, e))
    return operations(("1/", fraction)), distinct(sweep)


def products(d):
    u = "x"
    for _ in range(d):
        u = ("*", u, ("exp", u))
    return operations(u), distinct(u)


# %% X84 mutant characters
def operations(e):
    return len(str(e))


# %% X84 mutant leaves
def operations(e):
    return 1 + sum(map(operations, e[1:])) if isinstance(e, tuple) else 1


# %% X84 mutant tree-twice
def distinct(e):
    return 1 + sum(map(distinct, e[1:])) if isinstance(e, tuple) else 0


# %% X84 mutant simplified
def sigmoids(d):
    return 4 * d**2 + 4 * d - 1, 7 * d - 2


# %% X84 mutant outermost
def sigmoids(d):
    return 8 * d - 1, 6 * d - 1


# %% X84 mutant half-tree
def products(d):
    return 2 * d, 2 * d


# %% X84 mutant ~exponential
def sigmoids(d):
    return 7**d, 7 * d - 2


# %% X98 alternative searched
def first(expressions, values, overwriting, early):
    for expression in expressions:
        graph = [expression, values]
        if (bool(wrong(graph, **OVERWRITING)), bool(wrong(graph, **TOO_EARLY))) == (overwriting, early):
            return graph


tries = ["x + y", "x*x + y", "q = x*y; q*q", "q = x*y; 2*q + 3*q", "q = x + y; a = 2*q; b = 0*q; a + b", "q = x + y; a = 2*q; b = 0*q; b + a"]
both_found = first(tries, "x = 2, y = 3", True, True)
overwriting_only = first(tries, "x = 2, y = 3", True, False)
early_only = first(tries, "x = 2, y = 3", False, True)

# %% X98 alternative relu
both_found, overwriting_only, early_only = [
    [expression, "x = 1, y = -2"] for expression in ("a = 2*x; a + 3*a*y", "x*y + x", "q = x + y; a = 3*q; relu(q) + a")
]

# %% X98 mutant tree
both_found = ("(x + y)*z", "x = -2, y = 5, z = -4")
overwriting_only = early_only = ...

# %% X98 mutant lucky
both_found = ("q = x + y; a = 2*q; b = 0*q; a + b", "x = 2, y = 3")
overwriting_only = ("x + 0*x", "x = 2")
early_only = ("q = x + y; q + 0*q", "x = 2, y = 3")

# %% X98 mutant both
both_found = overwriting_only = early_only = ("q = x + y; q*z + 2*q", "x = 1, y = 2, z = 4")

# %% X98 mutant other-way
both_found = overwriting_only = early_only = ("x*x", "x = 3")

# %% X98 mutant ~unreadable
both_found = overwriting_only = early_only = ("x +", "x = 3")

# %% X98 mutant ~no-point
both_found = overwriting_only = early_only = "x*x"
