# %% X34 alternative loop
def gradient(phi, x, y):
    total = [0.0, 0.0]
    for a, b in zip(x, y):
        r = phi[0] + phi[1] * a - b
        total[0] += 2 * r
        total[1] += 2 * r * a
    return [t / len(x) for t in total]


# %% X34 alternative engine
def gradient(phi, x, y):
    phi = nn.tensor(phi, requires_grad=True)
    ((phi[0] + phi[1] * nn.tensor(x) - nn.tensor(y)) ** 2).mean().backward()
    return phi.grad


# %% X34 mutant no-two
def gradient(phi, x, y):
    r = phi[0] + phi[1] * x - y
    return np.array([r.mean(), (x * r).mean()])


# %% X34 mutant sum
def gradient(phi, x, y):
    r = phi[0] + phi[1] * x - y
    return 2 * np.array([r.sum(), (x * r).sum()])


# %% X34 mutant sign
def gradient(phi, x, y):
    r = y - phi[0] - phi[1] * x
    return 2 * np.array([r.mean(), (x * r).mean()])


# %% X34 mutant no-x
def gradient(phi, x, y):
    r = phi[0] + phi[1] * x - y
    return 2 * np.array([r.mean(), r.mean()])


# %% X34 mutant ~column
def gradient(phi, x, y):
    r = phi[0] + phi[1] * x - y
    return 2 * np.array([[r.mean()], [(x * r).mean()]])


# %% X35 alternative loop
def best_line(x, y):
    n, sx, sy, sxx, sxy = len(x), 0.0, 0.0, 0.0, 0.0
    for a, b in zip(x, y):
        sx, sy, sxx, sxy = sx + a, sy + b, sxx + a * a, sxy + a * b
    slope = (n * sxy - sx * sy) / (n * sxx - sx**2)
    return [(sy - slope * sx) / n, slope]


# %% X35 alternative solve
def best_line(x, y):
    A = np.vander(x, 2, increasing=True)
    return np.linalg.solve(A.T @ A, A.T @ y)


# %% X35 mutant through-origin
def best_line(x, y):
    return 0.0, (x * y).sum() / (x * x).sum()


# %% X35 mutant mixed-n
def best_line(x, y):
    slope = np.cov(x, y)[0, 1] / np.var(x)
    return y.mean() - slope * x.mean(), slope


# %% X35 mutant swapped
def best_line(x, y):
    return tuple(np.polyfit(x, y, 1))


# %% X36 alternative rays
def draw(x, y, c):
    best = np.array(best_line(x, y))
    loss = lambda p: ((p[0] + p[1] * x - y) ** 2).mean()
    on_ray = lambda u: best + u * np.sqrt((c - loss(best)) / (loss(best + u) - loss(best)))  # the loss is quadratic
    circle = [np.array([np.cos(t), np.sin(t)]) for t in np.linspace(0, 2 * np.pi, 500)]
    figure, ax = plt.subplots()
    ring = np.array([on_ray(u) for u in circle])
    ax.plot(ring[:, 0], ring[:, 1])
    for u in circle[:500:50]:
        start, eps = on_ray(u), 1e-6
        slope = [(loss(start + eps * e) - loss(start - eps * e)) / (2 * eps) for e in np.eye(2)]
        end = start + 0.05 * np.array(slope)
        ax.plot([start[0], end[0]], [start[1], end[1]], "k")
    return ax


def steepest(phi, x, y):
    loss = lambda p: ((p[0] + p[1] * x - y) ** 2).mean()
    best, found = np.inf, None
    for degrees in range(360):
        t = np.radians(degrees)
        step = 1e-4 * np.array([np.cos(t), np.sin(t)])
        fall = loss(phi + step) - loss(phi - step)
        if fall < best:
            best, found = fall, degrees
    return found


# %% X36 alternative cholesky
def draw(x, y, c):
    A = np.column_stack([np.ones_like(x), x])
    best, *_ = np.linalg.lstsq(A, y, rcond=None)
    C = np.linalg.cholesky(A.T @ A / len(x))
    t = np.linspace(0, 2 * np.pi, 121)
    ring = best[:, None] + np.sqrt(c - np.square(A @ best - y).mean()) * np.linalg.solve(C.T, np.array([np.cos(t), np.sin(t)]))
    plt.figure()
    plt.plot(*ring)
    starts = ring[:, :120:12]
    ends = starts + 0.1 * 2 / len(x) * A.T @ (A @ starts - y[:, None])
    plt.plot(np.array([starts[0], ends[0]]), np.array([starts[1], ends[1]]))


def steepest(phi, x, y):
    g = gradient(phi, x, y)
    return round(np.degrees(np.arctan2(-g[1], -g[0]))) % 360


# %% X36 mutant circle
def draw(x, y, c):
    best = np.array(best_line(x, y))
    figure, ax = plt.subplots()
    t = np.linspace(0, 2 * np.pi, 100)
    ax.plot(best[0] + np.cos(t), best[1] + np.sin(t))
    for a in np.linspace(0, 6, 10):
        u = np.array([np.cos(a), np.sin(a)])
        ax.plot(*np.transpose([best + u, best + 1.2 * u]))
    return figure


def steepest(phi, x, y):
    g = gradient(phi, x, y)
    return round(np.degrees(np.arctan2(-g[1], -g[0]))) % 360


# %% X36 mutant downhill
def ring_and(turn, x, y, c):
    A = np.column_stack([np.ones(len(x)), x])
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    values, axes = np.linalg.eigh(2 / len(x) * A.T @ A)
    half = np.sqrt(2 * (c - ((A @ best - y) ** 2).mean()) / values)
    figure, ax = plt.subplots()
    ax.plot(*(best[:, None] + axes @ (half[:, None] * [np.cos(s := np.linspace(0, 6.3, 100)), np.sin(s)])))
    for t in range(10):
        start = best + axes @ (half * [np.cos(t), np.sin(t)])
        ax.plot(*np.transpose([start, start + 0.1 * turn(gradient(start, x, y))]))
    return figure


def draw(x, y, c):
    return ring_and(np.negative, x, y, c)


def steepest(phi, x, y):
    g = gradient(phi, x, y)
    return round(np.degrees(np.arctan2(-g[1], -g[0]))) % 360


# %% X36 mutant tangent
def draw(x, y, c):
    A = np.column_stack([np.ones(len(x)), x])
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    values, axes = np.linalg.eigh(2 / len(x) * A.T @ A)
    half = np.sqrt(2 * (c - ((A @ best - y) ** 2).mean()) / values)
    figure, ax = plt.subplots()
    ax.plot(*(best[:, None] + axes @ (half[:, None] * [np.cos(s := np.linspace(0, 6.3, 100)), np.sin(s)])))
    for t in range(10):
        start = best + axes @ (half * [np.cos(t), np.sin(t)])
        g = gradient(start, x, y)
        ax.plot(*np.transpose([start, start + 0.1 * np.array([-g[1], g[0]])]))
    return figure


def steepest(phi, x, y):
    g = gradient(phi, x, y)
    return round(np.degrees(np.arctan2(-g[1], -g[0]))) % 360


# %% X36 mutant uphill
draw = plt.figure


def steepest(phi, x, y):
    alpha = np.radians(np.arange(360))
    return np.argmax(np.cos(alpha) * gradient(phi, x, y)[0] + np.sin(alpha) * gradient(phi, x, y)[1])


# %% X36 mutant not-unit
draw = plt.figure


def steepest(phi, x, y):
    alpha = np.radians(np.arange(360))
    return np.argmin(gradient(phi, x, y)[0] + np.tan(alpha) * gradient(phi, x, y)[1])


# %% X37 alternative search
low, high = 0.0, 10.0
while high - low > 1e-6:
    rate = (low + high) / 2
    phi, sizes = np.array([3.0, -7.0]), []
    for _ in range(150):
        r = phi[0] + phi[1] * x - y
        step = rate * 2 * np.array([r.mean(), (r * x).mean()])
        phi = phi - step
        sizes.append(np.abs(step).max())
    low, high = (rate, high) if sizes[-1] < sizes[-2] else (low, rate)
largest_rate = low

# %% X37 alternative formula
trace, det = 2 + 2 * (x * x).mean(), 4 * x.var()  # of the Hessian
largest_rate = 4 / (trace + np.sqrt(trace**2 - 4 * det))

# %% X37 mutant one
A = np.column_stack([np.ones(3), x])
largest_rate = 1 / np.linalg.eigvalsh(2 / 3 * A.T @ A).max()

# %% X37 mutant flat
A = np.column_stack([np.ones(3), x])
largest_rate = 2 / np.linalg.eigvalsh(2 / 3 * A.T @ A).min()

# %% X37 mutant no-mean
A = np.column_stack([np.ones(3), x])
largest_rate = 2 / np.linalg.eigvalsh(A.T @ A).max()


# %% X38 alternative loop
def normal_cost(N, D):
    cost = 0
    for rows, inner, columns in [(D, N, D), (D, N, 1), (D, D, 1)]:
        cost += 2 * rows * inner * columns
    return cost + D**3 / 3


def equal_steps(N, D):
    per_step = sum(2 * rows * inner for rows, inner in [(N, D), (D, N)])
    return normal_cost(N, D) / per_step


# %% X38 alternative factored
def normal_cost(N, D):
    return 2 * D * (N * (D + 1) + D * (1 + D / 6))


def equal_steps(N, D):
    return (D + 1) / 2 + D * (1 + D / 6) / (2 * N)


# %% X38 mutant no-gram
def normal_cost(N, D):
    return 2 * N * D + D**3 / 3 + 2 * D * D


def equal_steps(N, D):
    return normal_cost(N, D) / (4 * N * D)


# %% X38 mutant cheap-factor
def normal_cost(N, D):
    return 2 * N * D * D + 2 * N * D + D**2 + 2 * D * D


def equal_steps(N, D):
    return normal_cost(N, D) / (4 * N * D)


# %% X38 mutant n-cubed
def normal_cost(N, D):
    return 2 * N * D * D + 2 * N * D + N**3 / 3 + 2 * D * D


def equal_steps(N, D):
    return normal_cost(N, D) / (4 * N * D)


# %% X38 mutant half-step
def normal_cost(N, D):
    return 2 * N * D * D + 2 * N * D + D**3 / 3 + 2 * D * D


def equal_steps(N, D):
    return normal_cost(N, D) / (2 * N * D)


# %% X40 alternative recursive
def backtrack(f, phi, g, t, c):
    enough = f(phi - t * g) <= f(phi) - c * t * np.dot(g, g)
    return t if enough else backtrack(f, phi, g, t / 2, c)


# %% X40 alternative vectorised
def backtrack(f, phi, g, t, c):
    steps = t * 0.5 ** np.arange(60)
    falls = f(phi) - np.array([f(phi - s * g) for s in steps])
    return steps[np.argmax(falls >= c * steps * (g**2).sum())]


# %% X40 mutant no-c
def backtrack(f, phi, g, t, c):
    while f(phi - t * g) > f(phi):
        t /= 2
    return t


# %% X40 mutant doubles
def backtrack(f, phi, g, t, c):
    while f(phi - t * g) > f(phi) - c * t * (g @ g):
        t *= 2
    return t


# %% X40 mutant old-point
def backtrack(f, phi, g, t, c):
    while f(phi) > f(phi) - c * t * (g @ g) and t > 1e-12:
        t /= 2
    return t


# %% X40 mutant not-squared
def backtrack(f, phi, g, t, c):
    while f(phi - t * g) > f(phi) - c * t * np.linalg.norm(g):
        t /= 2
    return t
