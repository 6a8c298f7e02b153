# %% X63 alternative loop
def linear_backward(x, W, dy):
    dW, db, dx = np.zeros(W.shape), np.zeros(len(W)), np.zeros(x.shape)
    for row, upstream, out in zip(x, dy, dx):
        dW += np.outer(upstream, row)
        db += upstream
        out[:] = W.T @ upstream
    return {"dW": dW, "db": db, "dx": dx}


# %% X63 alternative einsum
def linear_backward(x, W, dy):
    ones = np.ones(len(x))
    return dict(dW=np.einsum("no,ni->oi", dy, x), db=ones @ dy, dx=np.einsum("no,oi->ni", dy, W))


# %% X63 mutant transposed
def linear_backward(x, W, dy):
    return {"dW": x.T @ dy, "db": dy.sum(0), "dx": dy @ W}


# %% X63 mutant mean-bias
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x, "db": dy.mean(0), "dx": dy @ W}


# %% X63 mutant means
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x / len(dy), "db": dy.mean(0), "dx": dy @ W}


# %% X63 mutant batch-axis
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x, "db": dy, "dx": dy @ W}


# %% X63 mutant keepdims
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x, "db": dy.sum(0, keepdims=True), "dx": dy @ W}


# %% X63 mutant weights-transposed
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x, "db": dy.sum(0), "dx": dy @ W.T}


# %% X63 mutant ~no-dx
def linear_backward(x, W, dy):
    return {"dW": dy.T @ x, "db": dy.sum(0)}


# %% X13 alternative engine
order = "D" + "F" + "G" + "C" + "B" + "A" + "E"


def eleven(x, W1, b1, W2, b2):
    names = {name: nn.tensor(v, requires_grad=True) for name, v in dict(W1=W1, b1=b1, W2=W2, b2=b2).items()}
    h = nn.sigmoid(nn.functional.linear(nn.tensor(x), names["W1"], names["b1"]))
    out = nn.sigmoid(nn.functional.linear(h, names["W2"], names["b2"]))
    return dict(zip(names, nn.grad(out.sum(), list(names.values()))))


# %% X13 alternative nudged
order = ",".join("dfcaegb")


def eleven(x, W1, b1, W2, b2):
    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    out = lambda W1, b1, W2, b2: sigmoid(sigmoid(x @ W1.T + b1) @ W2.T + b2).item()
    gradients = {}
    for name, value in parameters.items():
        gradients[name] = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            e = np.zeros(value.shape)
            e[place] = 1e-5
            up, down = (out(**(parameters | {name: value + s * e})) for s in (1, -1))
            gradients[name][place] = (up - down) / 2e-5
    return gradients


# %% X13 mutant moved-early
order = "DGBFCAE"

# %% X13 mutant slope-at-output
def eleven(x, W1, b1, W2, b2):
    h1 = sigmoid(x @ W1.T + b1)
    out = sigmoid(h1 @ W2.T + b2)
    dz2 = sigmoid(out) * (1 - sigmoid(out))
    dz1 = (dz2 @ W2) * sigmoid(h1) * (1 - sigmoid(h1))
    return {"W1": dz1.T @ x, "b1": dz1.sum(0), "W2": dz2.T @ h1, "b2": dz2.sum(0)}


# %% X13 mutant no-w2
def eleven(x, W1, b1, W2, b2):
    h1 = sigmoid(x @ W1.T + b1)
    out = sigmoid(h1 @ W2.T + b2)
    dz2 = out * (1 - out)
    dz1 = dz2 * h1 * (1 - h1)
    return {"W1": dz1.T @ x, "b1": dz1.sum(0), "W2": dz2.T @ h1, "b2": dz2.sum(0)}


# %% X13 mutant transposed
def eleven(x, W1, b1, W2, b2):
    h1 = sigmoid(x @ W1.T + b1)
    out = sigmoid(h1 @ W2.T + b2)
    dz2 = out * (1 - out)
    dz1 = (dz2 @ W2) * h1 * (1 - h1)
    return {"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": dz2.T @ h1, "b2": dz2.sum(0)}


# %% X13 mutant no-slope
def eleven(x, W1, b1, W2, b2):
    h1 = sigmoid(x @ W1.T + b1)
    out = sigmoid(h1 @ W2.T + b2)
    dz2 = out * (1 - out)
    dz1 = dz2 @ W2
    return {"W1": dz1.T @ x, "b1": dz1.sum(0), "W2": dz2.T @ h1, "b2": dz2.sum(0)}


# %% X13 mutant ~before-it-exists
order = "AGFCDBE"

# %% X13 mutant ~six
order = "DGFCAB"


# %% X17 alternative loop
mask = [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
free = 3 + 2 + 3 + 4


def masked_forward(x, W, b, M):
    out = np.tile(b, (len(x), 1))
    for o, i in zip(*np.nonzero(M)):
        out[:, o] += W[o, i] * x[:, i]
    return out


def masked_backward(x, W, M, dy):
    dW, dx = np.zeros(W.shape), np.zeros(x.shape)
    for o, i in zip(*np.nonzero(M)):
        dW[o, i] = dy[:, o] @ x[:, i]
        dx[:, i] += dy[:, o] * W[o, i]
    return {"dW": dW, "db": np.sum(dy, 0), "dx": dx}


# %% X17 alternative engine
mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]) == 1
free = 12


def masked_forward(x, W, b, M):
    return nn.functional.linear(nn.tensor(x), nn.tensor(np.where(M, W, 0.0)), nn.tensor(b))


def masked_backward(x, W, M, dy):
    x, W, b = (nn.tensor(v, requires_grad=True) for v in (x, W, np.zeros(len(W))))
    y = nn.functional.linear(x, W * nn.tensor(M.astype(float)), b)
    dx, dW, db = nn.grad((y * nn.tensor(dy)).sum(), [x, W, b])
    return {"dx": dx, "dW": dW, "db": db}


# %% X17 mutant only-once
def masked_forward(x, W, b, M):
    return x @ W.T + b


def masked_backward(x, W, M, dy):
    return {"dW": (dy.T @ x) * M, "db": dy.sum(0), "dx": dy @ W}


# %% X17 mutant gradient-free
def masked_backward(x, W, M, dy):
    return {"dW": dy.T @ x, "db": dy.sum(0), "dx": dy @ (W * M)}


# %% X17 mutant bias-masked
def masked_backward(x, W, M, dy):
    return {"dW": (dy.T @ x) * M, "db": dy.sum(0) * M[:, 0], "dx": dy @ (W * M)}


# %% X17 mutant no-mask-at-all
def masked_backward(x, W, M, dy):
    return {"dW": dy.T @ x, "db": dy.sum(0), "dx": dy @ W}


# %% X17 mutant transposed
mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]).T

# %% X17 mutant full
free = 4 * 3 + 3 + 3 + 1

# %% X17 mutant no-biases
free = 5 + 3

# %% X17 mutant ~divided
def masked_forward(x, W, b, M):
    return x @ (W * M).T + b / 2


# %% X62 alternative recursive
def start(f, y, loss):
    D = f.shape[0]
    if loss == "cross_entropy":
        e = np.exp(f)
        return e / e.sum() - np.eye(D)[:, [int(y)]]
    return {"mse": 2 * (f - y), "bernoulli": 1 / (1 + np.exp(-f)) - y}[loss] / D


def gradients(x, y, O, B, loss):
    def down(h, k):  # the gradients from layer k on, and the gradient of h
        f = B[k] + O[k] @ h
        if k == len(O) - 1:
            df, dO, dB = start(f, y, loss), [], []
        else:
            dh, dO, dB = down(np.maximum(f, 0), k + 1)
            df = np.where(f > 0, dh, 0)
        return O[k].T @ df, [df @ h.T, *dO], [df, *dB]

    return down(x, 0)[1:]


# %% X62 alternative rows
def start(f, y, loss):
    if loss == "mse":
        return np.multiply(f - y, 2.0 / f.size)
    if loss == "bernoulli":
        return np.divide(0.5 * np.tanh(f / 2) + 0.5 - y, f.size)
    logits = nn.tensor(f.T, requires_grad=True)
    nn.functional.cross_entropy(logits, nn.tensor([int(y)])).backward()
    return logits.grad.T


def gradients(x, y, O, B, loss):
    weights, biases = ([nn.tensor(v, requires_grad=True) for v in values] for values in (O, B))
    f = None
    for W, b in zip(weights, biases):
        f = W @ (nn.tensor(x) if f is None else nn.functional.relu(f)) + b
    f.backward(gradient=start(f.detach().numpy(), y, loss))
    return [W.grad for W in weights], [b.grad for b in biases]


# %% X62 mutant mask-off-by-one
def gradients(x, y, O, B, loss):
    f, h = [B[0] + O[0] @ x], [x]
    for k in range(1, len(O)):
        h.append(np.maximum(f[k - 1], 0))
        f.append(B[k] + O[k] @ h[k])
    df = nn_start(f[-1], y, loss)
    dO, dB = [], []
    for k in reversed(range(len(O))):
        dO.insert(0, df @ h[k].T)
        dB.insert(0, df)
        if k > 0:
            df = (h[k - 1] > 0) * (O[k].T @ df)
    return dO, dB


def nn_start(f, y, loss):
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


# %% X62 mutant outer-turned
def nn_start(f, y, loss):
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


def gradients(x, y, O, B, loss):
    f, h = [B[0] + O[0] @ x], [x]
    for k in range(1, len(O)):
        h.append(np.maximum(f[k - 1], 0))
        f.append(B[k] + O[k] @ h[k])
    df = nn_start(f[-1], y, loss)
    dO, dB = [], []
    for k in reversed(range(len(O))):
        dO.insert(0, h[k] @ df.T)
        dB.insert(0, df)
        if k > 0:
            df = (f[k - 1] > 0) * (O[k].T @ df)
    return dO, dB


# %% X62 mutant not-transposed
def nn_start(f, y, loss):
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


def gradients(x, y, O, B, loss):
    f, h = [B[0] + O[0] @ x], [x]
    for k in range(1, len(O)):
        h.append(np.maximum(f[k - 1], 0))
        f.append(B[k] + O[k] @ h[k])
    df = nn_start(f[-1], y, loss)
    dO, dB = [], []
    for k in reversed(range(len(O))):
        dO.insert(0, df @ h[k].T)
        dB.insert(0, df)
        if k > 0:
            df = (f[k - 1] > 0) * (O[k] @ df)
    return dO, dB


# %% X62 mutant no-x
def nn_start(f, y, loss):
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


def gradients(x, y, O, B, loss):
    f, h = [B[0] + O[0] @ x], [x]
    for k in range(1, len(O)):
        h.append(np.maximum(f[k - 1], 0))
        f.append(B[k] + O[k] @ h[k])
    df = nn_start(f[-1], y, loss)
    dO, dB = [], []
    for k in reversed(range(len(O))):
        dO.insert(0, df @ h[k].T if k else df)
        dB.insert(0, df)
        if k > 0:
            df = (f[k - 1] > 0) * (O[k].T @ df)
    return dO, dB


# %% X62 mutant start-factor
def start(f, y, loss):
    if loss == "mse":
        return f - y
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


# %% X62 mutant no-mask
def nn_start(f, y, loss):
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (sigmoid(f) - y) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


def gradients(x, y, O, B, loss):
    f, h = [B[0] + O[0] @ x], [x]
    for k in range(1, len(O)):
        h.append(np.maximum(f[k - 1], 0))
        f.append(B[k] + O[k] @ h[k])
    df = nn_start(f[-1], y, loss)
    dO, dB = [], []
    for k in reversed(range(len(O))):
        dO.insert(0, df @ h[k].T)
        dB.insert(0, df)
        df = O[k].T @ df
    return dO, dB


# %% X62 mutant ~bernoulli-slope
def start(f, y, loss):
    s = sigmoid(f)
    if loss == "mse":
        return 2 / len(f) * (f - y)
    if loss == "bernoulli":
        return (s - y) * s * (1 - s) / len(f)
    p = np.exp(f) / np.exp(f).sum()
    p[int(y)] -= 1
    return p


# %% X64 alternative loop
def from_loss(n, L):
    count = 0
    for _ in range(L):
        count += n  # times a diagonal
        count += 1 * n * n
    return count


def jacobians_first(n, L):
    count = 0
    for layer in range(L):
        count += n * n
        if layer:
            count += n * n * n
    return count + n * n


def draw(widths):
    ax = plt.gca()
    ax.plot(widths, [jacobians_first(int(n), 3) for n in widths])
    ax.plot(widths, [from_loss(int(n), 3) for n in widths])
    ax.set_xscale("log")
    ax.set_yscale("log")


# %% X64 alternative factored
from_loss = lambda n, L: n * (n + 1) * L
jacobians_first = lambda n, L: n * n * (L + 1 + n * (L - 1))


def draw(widths):
    n = np.asarray(widths, float)
    lines = plt.loglog(n, np.stack([4 * n**2 + 2 * n**3, 3 * n**2 + 3 * n], axis=1))
    return lines[0]


# %% X64 mutant same
def from_loss(n, L):
    return L * (n + n**2)


jacobians_first = from_loss

# %% X64 mutant square-product
def jacobians_first(n, L):
    return L * n**2 + (L - 1) * n**2 + n**2


# %% X64 mutant dense-activation
def from_loss(n, L):
    return L * 2 * n**2


# %% X64 mutant one-too-many
def jacobians_first(n, L):
    return L * n**2 + L * n**3 + n**2


# %% X64 mutant free-activation
def from_loss(n, L):
    return L * n**2


# %% X64 mutant ~linear-axes
def draw(widths):
    plt.plot(widths, [2 * n**3 + 4 * n**2 for n in widths])
    plt.plot(widths, [3 * n**2 + 3 * n for n in widths])


# %% X64 mutant ~without-diagonals
def draw(widths):
    plt.loglog(widths, [2.0 * n**3 + n**2 for n in widths])
    plt.loglog(widths, [3.0 * n**2 for n in widths])


# %% X65 alternative uses
local = dict(zip("+ - * / exp log sigmoid tanh".split(), (0, 0, 2, 2, 1, 1, 3, 3)))


def price(inputs, program):
    N = len(program)
    arguments = [i for step in program for i in step[1:]]
    meeting = len(arguments) - len(set(arguments))
    return N, N + sum(local[step[0]] for step in program) + meeting, 2 * N * inputs


# %% X65 alternative counter
local = {op: cost for cost, ops in {0: ["+", "-"], 1: ["exp", "log"], 2: ["*", "/"], 3: ["sigmoid", "tanh"]}.items() for op in ops}


def price(inputs, program):
    users = np.zeros(inputs + len(program), int)
    bill = np.array([0, 0, 0])
    for op, *arguments in program:
        np.add.at(users, arguments, 1)
        bill += [1, 1 + local[op], 2 * inputs]
    bill[1] += np.maximum(users - 1, 0).sum()
    return bill


# %% X65 mutant negation
local = {"+": 0, "-": 1, "*": 2, "/": 3, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}

# %% X65 mutant division
local = {"+": 0, "-": 0, "*": 2, "/": 4, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}

# %% X65 mutant add-pays
local = {"+": 2, "-": 2, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}

# %% X65 mutant p-forward
def price(inputs, program):
    N = len(program)
    return N, N + inputs * N, 2 * inputs * N


# %% X65 mutant per-input
local = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    N = len(program)
    arguments = [i for step in program for i in step[1:]]
    backward = sum(local[step[0]] for step in program) + len(arguments) - len(set(arguments))
    return N, N + inputs * backward, 2 * inputs * N


# %% X65 mutant multiplications
local = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    N = sum(op == "*" for op, *_ in program)
    arguments = [i for step in program for i in step[1:]]
    backward = sum(local[step[0]] for step in program) + len(arguments) - len(set(arguments))
    return N, N + backward, 2 * inputs * N


# %% X65 mutant no-meeting
local = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    N = len(program)
    return N, N + sum(local[op] for op, *_ in program), 2 * inputs * N


# %% X65 mutant all-added
local = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    N = len(program)
    return N, N + sum(local[op] + len(rest) for op, *rest in program), 2 * inputs * N


# %% X65 mutant ~five
local = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    N = len(program)
    return N, 5 * N, 2 * inputs * N
