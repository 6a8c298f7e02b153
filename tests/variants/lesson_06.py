# %% X24 alternative stretches
zigs = np.array([3, 9, 27])
settings = dict(layers=4, kind="tent (2 units)")


def preimages(t, K):
    edges = np.linspace(-1, 1, 3**K + 1)
    places = []
    for k, (left, right) in enumerate(zip(edges, edges[1:])):
        low, high = (left, right) if k % 2 == 0 else (right, left)
        places.append(low + (high - low) * (t + 1) / 2)
    return places


# %% X24 alternative recursive
zigs = [3**K for K in (1, 2, 3)]
settings = {"kind": "tent (2 units)", "layers": 4, "reach": 1.0, "u": 0.2}


def preimages(t, K):
    if K == 0:
        return np.array([t])
    return np.sort(np.ravel([preimages(one, K - 1) for one in ((t - 2) / 3, -t / 3, (t + 2) / 3)]))


# %% X24 mutant added
zigs, settings = [3, 6, 9], ...


def preimages(t, K):
    raise NotImplementedError


# %% X24 mutant bound
zigs, settings = [4, 16, 64], ...


def preimages(t, K):
    raise NotImplementedError


# %% X24 mutant one-layer
zigs, settings = [4, 7, 10], ...


def preimages(t, K):
    raise NotImplementedError


# %% X24 mutant one-level
zigs, settings = [3, 9, 27], ...


def preimages(t, K):
    return np.array([(t - 2) / 3, -t / 3, (t + 2) / 3])


# %% X24 mutant unsorted
zigs, settings = [3, 9, 27], ...


def preimages(t, K):
    places = [t]
    for _ in range(K):
        places = [u for p in places for u in ((p - 2) / 3, -p / 3, (p + 2) / 3)]
    return places


# %% X24 mutant too-wide
zigs, settings = [3, 9, 27], {"kind": "zig (3 units)", "layers": 3, "reach": 1.0}


def preimages(t, K):
    raise NotImplementedError


# %% X24 mutant too-flat
zigs, settings = [3, 9, 27], {"kind": "tent (2 units)", "layers": 4, "reach": 0.3}


def preimages(t, K):
    raise NotImplementedError


# %% X24 mutant ~wrong-branch
zigs, settings = [2, 4, 8], {"kind": "tent"}


def preimages(t, K):
    places = np.array([t])
    for _ in range(K):
        places = np.concatenate([(places - 2) / 3, places / 3, (places + 2) / 3])
    return np.sort(places)


# %% X25 alternative loop
def bump_units(a, b, margin):
    s = 1.0
    while 2 / (1 + np.exp(s * margin)) > 0.001:
        s *= 1.1
    return [(1, s, a), (-1, s, b)]


def steps(heights):
    table = []
    for i in range(1, len(heights)):
        table.append([heights[i] - heights[i - 1], i / len(heights)])
    return table


# %% X25 alternative mirrored
def bump_units(a, b, margin):
    s = 9 / margin
    return np.array([[1.0, -s, b], [-1.0, -s, a]])


def steps(heights):
    edges = np.linspace(0, 1, len(heights) + 1)[1:-1]
    return np.stack([heights[1:] - heights[:-1], edges], axis=1)


# %% X25 mutant single
def bump_units(a, b, margin):
    return np.array([[1.0, 8 / margin, a]])


steps = ...

# %% X25 mutant same-sign
def bump_units(a, b, margin):
    return np.array([[1.0, 8 / margin, a], [1.0, 8 / margin, b]])


steps = ...

# %% X25 mutant too-slow
def bump_units(a, b, margin):
    return np.array([[1.0, 100.0, a], [-1.0, 100.0, b]])


steps = ...

# %% X25 mutant too-steep
def bump_units(a, b, margin):
    return np.array([[1.0, 1e6, a], [-1.0, 1e6, b]])


steps = ...

# %% X25 mutant heights
bump_units = ...


def steps(heights):
    return np.column_stack([heights[1:], np.arange(1, len(heights)) / len(heights)])


# %% X25 mutant middles
bump_units = ...


def steps(heights):
    n = len(heights)
    return np.column_stack([np.diff(heights), np.arange(0.5, n - 1) / n])


# %% X25 mutant from-zero
bump_units = ...


def steps(heights):
    n = len(heights)
    return [(heights[i + 1] - heights[i], i / n) for i in range(n - 1)]


# %% X25 mutant ~half-height
def bump_units(a, b, margin):
    return np.array([[0.5, 8 / margin, a], [-0.5, 8 / margin, b]])


def steps(heights):
    return np.column_stack([np.diff(heights), np.arange(len(heights) - 1)])


# %% X27 alternative logs
rates = np.exp(-np.log(100) * 2 / np.array([1, 2, 10]))
separate = next(d for d in range(1, 20) if 2 / d < 1)


def needed(eps, d):
    return np.exp(-np.log(eps) * d / 2)


# %% X27 alternative roots
rates, separate = (0.0001, 0.01, 0.39810717), 2 + 1


def needed(eps, d):
    return 1 / np.sqrt(eps) ** d


# %% X27 mutant upside-down
rates, separate = [0.01 ** (d / 2) for d in (1, 2, 10)], 3


def needed(eps, d):
    return eps ** (-2 / d)


# %% X27 mutant square
rates, separate = [0.0001, 0.0001, 0.0001], 3


def needed(eps, d):
    return 1 / math.sqrt(eps)


# %% X27 mutant everywhere
rates, separate, needed = ..., 1, ...

# %% X27 mutant equal
rates, separate, needed = ..., 2, ...

# %% X27 mutant network
rates, separate = ..., 3


def needed(eps, d):
    return 1 / eps


# %% X27 mutant ~log
rates, separate = [2, 1, 0.2], 10


def needed(eps, d):
    return -d / 2 * math.log(eps)


# %% X28 alternative loop
def count_monomials(D, M):
    count = 1
    for i in range(1, M + 1):
        count = count * (D + i) // i
    return count


def monomials(x, M):
    values = [1.0]
    for variable in x:
        grown = []
        for power in range(M + 1):
            grown += [(value, power) for value in values if not isinstance(value, tuple)]
        values = [value * variable**power for value, power in grown]
    degrees = [0]
    for _ in x:
        degrees = [degree + power for power in range(M + 1) for degree in degrees]
    return [value for value, degree in zip(values, degrees) if degree <= M]


# %% X28 alternative exponents
def count_monomials(D, M):
    return math.factorial(D + M) // math.factorial(D) // math.factorial(M)


def monomials(x, M):
    powers = [p for p in itertools.product(range(M + 1), repeat=len(x)) if sum(p) <= M]
    return np.prod(np.asarray(x) ** np.array(powers), axis=1)


# %% X28 mutant power
def count_monomials(D, M):
    return D**M


monomials = ...

# %% X28 mutant ordered
def count_monomials(D, M):
    return sum(D**m for m in range(M + 1))


def monomials(x, M):
    return [math.prod(term) for m in range(M + 1) for term in itertools.product(x, repeat=m)]


# %% X28 mutant no-repeats
def count_monomials(D, M):
    return sum(math.comb(D, m) for m in range(M + 1))


def monomials(x, M):
    return [math.prod(term) for m in range(M + 1) for term in itertools.combinations(x, m)]


# %% X28 mutant choose
def count_monomials(D, M):
    return math.comb(D, M)


monomials = ...

# %% X28 mutant no-constant
def count_monomials(D, M):
    return math.comb(D + M, M) - 1


def monomials(x, M):
    return [math.prod(t) for m in range(1, M + 1) for t in itertools.combinations_with_replacement(x, m)]


# %% X28 mutant ~exact-order
def count_monomials(D, M):
    return math.comb(D + M - 1, M)


def monomials(x, M):
    return [math.prod(t) for t in itertools.combinations_with_replacement(x, M)]


# %% X29 alternative vectorised
def block_vote(X, y, new, b):
    code = lambda Z: np.clip((Z * b).astype(int), 0, b - 1) @ b ** np.arange(Z.shape[1])
    votes = (code(new)[:, None] == code(X)) @ np.eye(y.max() + 1, dtype=int)[y]
    return votes.argmax(axis=1)


def number_of_blocks(b, D):
    return math.prod([b] * D)


# %% X29 alternative loop
def block_vote(X, y, new, b):
    answers = []
    for point in new:
        count = {}
        for example, label in zip(X, y):
            if all(min(int(p * b), b - 1) == min(int(q * b), b - 1) for p, q in zip(point, example)):
                count[label] = count.get(label, 0) + 1
        best = 0
        for label in sorted(count):
            if count[label] > count.get(best, 0):
                best = label
        answers.append(int(best))
    return answers


def number_of_blocks(b, D):
    return int(np.prod(np.full(D, b)))


# %% X29 mutant edge
def block_vote(X, y, new, b):
    members = {}
    for point, label in zip(X, y):
        members.setdefault(tuple((point * b).astype(int)), []).append(label)
    return np.array([np.bincount(members.get(tuple((p * b).astype(int)), [0])).argmax() for p in new])


number_of_blocks = ...

# %% X29 mutant empty
def block_vote(X, y, new, b):
    block = lambda point: tuple(np.minimum((point * b).astype(int), b - 1))
    members = {}
    for point, label in zip(X, y):
        members.setdefault(block(point), []).append(label)
    return np.array([np.bincount(members.get(block(point), y)).argmax() for point in new])


number_of_blocks = ...

# %% X29 mutant ties
def block_vote(X, y, new, b):
    block = lambda point: tuple(np.minimum((point * b).astype(int), b - 1))
    members = {}
    for point, label in zip(X, y):
        members.setdefault(block(point), []).append(label)
    lists = [sorted(members.get(block(point), [0]), reverse=True) for point in new]
    return np.array([max(one, key=one.count) for one in lists])


number_of_blocks = ...

# %% X29 mutant nearest
def block_vote(X, y, new, b):
    return [y[np.linalg.norm(X - point, axis=1).argmin()] for point in new]


number_of_blocks = ...

# %% X29 mutant product
block_vote = ...


def number_of_blocks(b, D):
    return b * D


# %% X29 mutant ~minority
def block_vote(X, y, new, b):
    return np.zeros(len(new), int)


def number_of_blocks(b, D):
    return D**b


# %% X30 alternative numpy
def mode(D, sigma):
    return np.sqrt((D - 1) * sigma**2)


def curvature(D, sigma):
    r = mode(D, sigma)
    return -(D - 1) / r**2 - 1 / sigma**2


def thickness(D, sigma):
    return 1 / np.sqrt(-curvature(D, sigma))


# %% X30 alternative search
def mode(D, sigma):
    r = sigma
    for _ in range(60):  # Newton on the slope of ln p
        slope, bend = (D - 1) / r - r / sigma**2, -(D - 1) / r**2 - 1 / sigma**2
        r = max(r - slope / bend, r / 2)
    return r


def curvature(D, sigma):
    h, r = 1e-3 * sigma, mode(D, sigma)
    log_p = lambda r: (D - 1) * math.log(r) - r * r / (2 * sigma**2)
    return (log_p(r - h) + log_p(r + h) - 2 * log_p(r)) / (h * h)


def thickness(D, sigma):
    return (0.5 * sigma**2) ** 0.5


# %% X30 mutant root-d
def mode(D, sigma):
    return sigma * D**0.5


curvature = thickness = ...

# %% X30 mutant no-sigma
def mode(D, sigma):
    return math.sqrt(D - 1)


curvature = thickness = ...

# %% X30 mutant three
def curvature(D, sigma):
    return -3 / sigma**2


mode = thickness = ...

# %% X30 mutant one-force
def curvature(D, sigma):
    return -1 / sigma**2


mode = thickness = ...

# %% X30 mutant sign
def curvature(D, sigma):
    return 2 / sigma**2


mode = thickness = ...

# %% X30 mutant ~variance
def mode(D, sigma):
    return sigma**2 * math.sqrt(D - 1)


def curvature(D, sigma):
    return -2 / sigma


def thickness(D, sigma):
    return 2 * sigma**2


# %% X31 alternative loop
def norms(points):
    return [math.sqrt(sum(v * v for v in point)) for point in points]


def draw_norms(points):
    values = norms(points)
    edges = np.linspace(min(values) - 0.1, max(values) + 0.1, 21)
    count = np.zeros(20)
    for value in values:
        count[np.searchsorted(edges, value) - 1] += 1
    plt.figure()
    plt.bar(edges[:-1], count / count.sum() / np.diff(edges), np.diff(edges), align="edge")


mean = math.sqrt(2) * math.exp(math.lgamma(500.5) - math.lgamma(500))
spread = math.sqrt(1000 - mean**2)

# %% X31 alternative tensors
def norms(points):
    return (nn.tensor(points) ** 2).sum(dim=1).sqrt()


def draw_norms(points):
    ax = plt.subplot()
    ax.hist(norms(points).numpy(), 12, density=True, histtype="bar")
    return ax


mean, spread = math.sqrt(999.5), 1 / math.sqrt(2)

# %% X31 mutant squared
def norms(points):
    return (points**2).sum(axis=1)


def draw_norms(points):
    plt.hist(norms(points), bins=30, density=True)


mean, spread = 1000.0, math.sqrt(2000)

# %% X31 mutant by-coordinate
def norms(points):
    return np.linalg.norm(points, axis=0)


draw_norms = mean = spread = ...

# %% X31 mutant densest
norms = draw_norms = spread = ...
mean = 0.0

# %% X31 mutant one
norms = draw_norms = mean = ...
spread = 1.0

# %% X31 mutant grows
norms = draw_norms = mean = ...
spread = math.sqrt(1000)

# %% X31 mutant counts
norms = mean = spread = ...


def draw_norms(points):
    plt.hist(np.linalg.norm(points, axis=1), bins=30)


# %% X31 mutant coordinates
norms = mean = spread = ...


def draw_norms(points):
    plt.hist(points.ravel(), bins=30, density=True)


# %% X31 mutant ~few-bars
def norms(points):
    return np.abs(points).sum(axis=1)


def draw_norms(points):
    plt.hist(np.linalg.norm(points, axis=1), bins=5, density=True)


mean, spread = 800.0, 0.5
