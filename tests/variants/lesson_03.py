# %% X06 alternative masks
def sigmoid(z):
    out = np.empty_like(z)
    right = z >= 0
    out[right] = 1 / (1 + np.exp(-z[right]))
    e = np.exp(z[~right])
    out[~right] = e / (1 + e)
    return out


# %% X06 alternative loop
def sigmoid(z):
    one = lambda v: 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))
    return np.array([one(v) for v in z.ravel()]).reshape(z.shape)


# %% X06 alternative library
def sigmoid(z):
    return F.sigmoid(nn.tensor(z)).numpy()


# %% X06 mutant naive
def sigmoid(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))


# %% X06 mutant clipped
def sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(z, -20, 20)))


# %% X06 mutant tanh-only
def sigmoid(z):
    return np.tanh(0.5 * z)


# %% X06 mutant tanh-form
def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


# %% X06 mutant ~mirrored
def sigmoid(z):
    return 1 / (1 + np.exp(-abs(z)))


# %% X07 alternative mirrored
def tanh_from(sigma, z):
    return 1 - 2 * sigma(-2 * z)


def sigma_from(tanh, z):
    return 0.5 + 0.5 * tanh(0.5 * z)


# %% X07 alternative loop
def tanh_from(sigma, z):
    values = []
    for v in z:
        p = sigma(v + v)
        values.append(p - (1 - p))
    return values


def sigma_from(tanh, z):
    values = []
    for v in z:
        values.append((tanh(v / 2) + 1) / 2)
    return np.array(values)


# %% X07 mutant no-inner
def tanh_from(sigma, z):
    return 2 * sigma(z) - 1


def sigma_from(tanh, z):
    return (1 + tanh(z)) / 2


# %% X07 mutant no-outer
def tanh_from(sigma, z):
    return sigma(2 * z)


def sigma_from(tanh, z):
    return (1 + tanh(z / 2)) / 2


# %% X07 mutant shift-up
def tanh_from(sigma, z):
    return 2 * sigma(2 * z) + 1


def sigma_from(tanh, z):
    return (1 + tanh(z / 2)) / 2


# %% X07 mutant not-used
def tanh_from(sigma, z):
    return np.tanh(z)


def sigma_from(tanh, z):
    return 1 / (1 + np.exp(-z))


# %% X07 mutant not-squeezed
def tanh_from(sigma, z):
    return 2 * sigma(2 * z) - 1


def sigma_from(tanh, z):
    return tanh(z / 2)


# %% X07 mutant ~halved
def tanh_from(sigma, z):
    return 2 * sigma(z / 2) - 1


def sigma_from(tanh, z):
    return (1 + tanh(2 * z)) / 2


# %% X08 alternative engine
def bank(name, z):
    phis = {"elu": lambda t: F.elu(t, 2.0), "leaky_relu": lambda t: nn.maximum(t, 0.1 * t - 1e-300)}
    t = nn.tensor(z, requires_grad=True)
    h = F.leaky_relu(t, 0.1) if name == "leaky_relu" else phis.get(name, getattr(F, name))(t)
    return h.detach().numpy(), nn.grad(h.sum(), t)[0]


# %% X08 alternative scalars
def bank(name, z):
    E, sigma = math.exp, lambda v: 1 / (1 + math.exp(-v))
    normal = lambda v: (1 + math.erf(v / math.sqrt(2))) / 2
    table = {
        "sigmoid": (sigma, lambda v: sigma(v) * sigma(-v)),
        "tanh": (math.tanh, lambda v: 1 / math.cosh(v) ** 2),
        "relu": (lambda v: max(0.0, v), lambda v: float(v > 0)),
        "leaky_relu": (lambda v: max(0.1 * v, v), lambda v: 1.0 if v > 0 else 0.1),
        "elu": (lambda v: v if v > 0 else 2 * (E(v) - 1), lambda v: 1.0 if v > 0 else 2 * E(v)),
        "softplus": (lambda v: math.log(1 + E(v)), sigma),
        "gelu": (lambda v: v * normal(v), lambda v: normal(v) + v * E(-v * v / 2) / math.sqrt(2 * math.pi)),
        "silu": (lambda v: v * sigma(v), lambda v: sigma(v) * (1 + v * sigma(-v))),
    }
    value, slope = table[name]
    return [value(v) for v in z], [slope(v) for v in z]


# %% X08 mutant leaky-side
def bank(name, z):
    if name == "leaky_relu":
        return np.where(z > 0, 0.1 * z, z), np.where(z > 0, 0.1, 1.0)


# %% X08 mutant elu-slope
def bank(name, z):
    if name == "elu":
        return np.where(z > 0, z, 2 * (np.exp(z) - 1)), np.where(z > 0, 1.0, 2.0)


# %% X08 mutant gelu-tanh
def bank(name, z):
    if name == "gelu":
        t = nn.tensor(z, requires_grad=True)
        h = F.gelu(t, approximate="tanh")
        return h.detach().numpy(), nn.grad(h.sum(), t)[0]


# %% X08 mutant kink
def bank(name, z):
    if name == "relu":
        return z * (z >= 0), np.where(z >= 0, 1.0, 0.0)


# %% X08 mutant gelu-slope
def bank(name, z):
    below = (1 + np.array([math.erf(v / math.sqrt(2)) for v in z])) / 2
    if name == "gelu":
        return z * below, below


# %% X08 mutant silu-slope
def bank(name, z):
    s = 1 / (1 + np.exp(-z))
    if name == "silu":
        return z * s, s


# %% X08 mutant ~default-alpha
def bank(name, z):
    if name == "elu":
        return np.where(z > 0, z, np.exp(z) - 1), np.where(z > 0, 1.0, np.exp(z))


# %% X09 alternative bisection
def gelu_slope(z):
    t = nn.tensor(np.asarray(z, float), requires_grad=True)
    return nn.grad(F.gelu(t).sum(), t)[0]


def draw():
    plt.figure()
    plt.plot(np.arange(-4, 4.01, 0.05), [gelu_slope([z])[0] for z in np.arange(-4, 4.01, 0.05)])


low, turn = -2.0, 0.0
while turn - low > 1e-9:
    middle = (low + turn) / 2
    if gelu_slope([middle])[0] < 0:
        low = middle
    else:
        turn = middle
steepest = math.sqrt(2)

# %% X09 alternative newton
def draw():
    z = np.linspace(-4, 4, 400)
    value = F.gelu(nn.tensor(z)).numpy()
    ax = plt.subplot()
    ax.plot(z, np.gradient(value, z))
    return ax


phi = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
first = lambda z: (1 + math.erf(z / math.sqrt(2))) / 2 + z * phi(z)
second = lambda z: (2 - z * z) * phi(z)
turn, steepest = -0.5, 1.0
for _ in range(20):
    turn -= first(turn) / second(turn)
    steepest -= (2 - steepest**2) / (-2 * steepest)

# %% X09 mutant minus-one
draw = plt.figure
turn, steepest = -1.0, 1.0

# %% X09 mutant tanh-form
draw = plt.figure
turn, steepest = -0.752461, 2**0.5

# %% X09 mutant value
draw = plt.figure
turn, steepest = -0.1699712, 1.1289

# %% X09 mutant not-slope
def draw():
    z = np.linspace(-4, 4, 200)
    plt.plot(z, F.gelu(nn.tensor(z)).numpy())


turn, steepest = -0.751792, 2**0.5

# %% X09 mutant ~rounded
draw = plt.figure
turn, steepest = -0.75, 1.4

# %% X10 alternative search
phis = {"step": F.step, "sigmoid": F.sigmoid, "tanh": F.tanh, "ReLU": F.relu, "leaky ReLU": F.leaky_relu}
phis |= {"ELU": F.elu, "softplus": F.softplus, "GELU": F.gelu}
witness = dict.fromkeys(phis)
for name in phis:
    for z in range(-4, 4):
        low, high = phis[name](nn.tensor([z, z + 1.0])).tolist()
        if low >= high:
            witness[name] = [z, z + 1.0]

# %% X10 alternative pairs
witness = dict(step=(-5, -1), sigmoid=None, tanh=None, ReLU=(-1.5, -0.5), ELU=None, softplus=None, GELU=(-9, -1))
witness["leaky ReLU"] = None

# %% X10 mutant relu-strict
witness = dict(step=(-5, -1), sigmoid=None, tanh=None, ReLU=None, ELU=None, softplus=None, GELU=(-9, -1))
witness["leaky ReLU"] = None

# %% X10 mutant gelu-strict
witness = dict(step=(-5, -1), sigmoid=None, tanh=None, ReLU=(-2, -1), ELU=None, softplus=None, GELU=None)
witness["leaky ReLU"] = None

# %% X10 mutant leaky
witness = dict(step=(-5, -1), sigmoid=None, tanh=None, ReLU=(-2, -1), ELU=None, softplus=None, GELU=(-2, -1))
witness["leaky ReLU"] = (-2, -1)

# %% X10 mutant rounding
witness = dict(step=(-5, -1), sigmoid=(40, 50), tanh=None, ReLU=(-2, -1), ELU=None, softplus=None, GELU=(-2, -1))
witness["leaky ReLU"] = None

# %% X10 mutant ~order
witness = dict(step=(-1, -5), sigmoid=None, tanh=None, ReLU=(-2, -1), ELU=None, softplus=None, GELU=(-2, -1))
witness["leaky ReLU"] = None
