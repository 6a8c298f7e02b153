# %% X79 alternative sequential
class MLP(nn.Module):
    def __init__(self, n_in):
        nn.Module.__init__(self)
        sizes = [n_in, 256, 10]
        for name, a, b in zip(("hidden", "out"), sizes, sizes[1:]):
            setattr(self, name, nn.Linear(a, b))

    def forward(self, x):
        chain = nn.Sequential(self.hidden, nn.ReLU(), self.out)
        return chain(x)


def parameters(n_in):
    total = 0
    for a, b in [(n_in, 256), (256, 10)]:
        total += a * b + b
    return total


# %% X79 alternative counted
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden, self.out = nn.Linear(in_features=n_in, out_features=256), nn.Linear(in_features=256, out_features=10)

    def forward(self, x):
        h = self.hidden(x)
        h = nn.maximum(h, nn.zeros(*h.shape, dtype=h.dtype))
        return self.out(h)


parameters = lambda n_in: sum(p.numel() for p in MLP(n_in).parameters())


# %% X79 mutant one-size
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(256)
        self.out = nn.Linear(10)

    def forward(self, x):
        return self.out(nn.functional.relu(self.hidden(x)))


# %% X79 mutant relu-end
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(n_in, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        return nn.functional.relu(self.out(nn.functional.relu(self.hidden(x))))


# %% X79 mutant softmax-end
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(n_in, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        return nn.functional.softmax(self.out(nn.functional.relu(self.hidden(x))), dim=1)


# %% X79 mutant turned
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(256, n_in)
        self.out = nn.Linear(10, 256)

    def forward(self, x):
        return self.out(nn.functional.relu(self.hidden(x)))


# %% X79 mutant no-relu
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(n_in, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        return self.out(self.hidden(x))


# %% X79 mutant no-biases
def parameters(n_in):
    return n_in * 256 + 256 * 10


# %% X79 mutant ~no-super
class MLP(nn.Module):
    def __init__(self, n_in):
        self.hidden = nn.Linear(n_in, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        return self.out(nn.functional.relu(self.hidden(x)))


# %% X79 mutant ~hidden-hidden
class MLP(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.hidden = nn.Linear(n_in, 256)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(nn.functional.relu(self.hidden(x)))


# %% X83 alternative engine
class Twice(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        for mm in (self.first, self.second):
            x = x + nn.tanh(mm(x))
        return x


def count(boxes):
    known, total = {}, 0
    for name, n_in, n_out in boxes:
        if name not in known:
            known[name] = True
            total += n_in * n_out + n_out
    return total


res_res = Twice


def woven(x, Wa, Wb, Wc, dy):
    weights = [nn.tensor(W, requires_grad=True) for W in (Wa, Wb, Wc)]
    h = nn.tanh(nn.tensor(x) @ weights[0].T)
    k = nn.tanh(h @ weights[1].T) + h
    y = nn.cat([h, k], dim=1) @ weights[2].T
    return dict(zip(("Wa", "Wb", "Wc"), nn.grad((y * nn.tensor(dy)).sum(), weights)))


# %% X83 alternative loop
class Res(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mm = nn.Linear(width, width)

    def forward(self, x):
        return x + self.mm(x).tanh()


def count(boxes):
    return sum((1 + a) * b for a, b in {name: (a, b) for name, a, b in boxes}.values())


def res_res(width):
    return nn.Sequential(*(Res(width) for _ in range(2)))


def woven(x, Wa, Wb, Wc, dy):
    grads = {"Wa": np.zeros(Wa.shape), "Wb": np.zeros(Wb.shape), "Wc": np.zeros(Wc.shape)}
    for row, up in zip(x, dy):
        h = np.tanh(Wa @ row)
        t = np.tanh(Wb @ h)
        first, second = np.split(Wc.T @ up, 2)
        dz = second * (1 - t * t)
        dh = first + second + Wb.T @ dz
        grads["Wc"] += np.outer(up, np.concatenate([h, t + h]))
        grads["Wb"] += np.outer(dz, h)
        grads["Wa"] += np.outer(dh * (1 - h * h), row)
    return grads


# %% X83 mutant overwritten
def woven(x, Wa, Wb, Wc, dy):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    d_both = dy @ Wc
    dh, dk = d_both[:, :n], d_both[:, n:]
    dh = dk
    dz = dk * (1 - t**2)
    dh = dz @ Wb
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dz.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


# %% X83 mutant no-skip
def woven(x, Wa, Wb, Wc, dy):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    d_both = dy @ Wc
    dh, dk = d_both[:, :n], d_both[:, n:]
    dz = dk * (1 - t**2)
    dh = dh + dz @ Wb
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dz.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


# %% X83 mutant no-concat
def woven(x, Wa, Wb, Wc, dy):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    dk = (dy @ Wc)[:, n:]
    dz = dk * (1 - t**2)
    dh = dk + dz @ Wb
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dz.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


# %% X83 mutant halves-swapped
def woven(x, Wa, Wb, Wc, dy):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    d_both = dy @ Wc
    dk, dh = d_both[:, :n], d_both[:, n:]
    dz = dk * (1 - t**2)
    dh = dh + dk + dz @ Wb
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dz.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


# %% X83 mutant counted-twice
def count(boxes):
    return sum(n_out * (n_in + 1) for _, n_in, n_out in boxes)


# %% X83 mutant no-biases
def count(boxes):
    return sum(n_out * n_in for _, n_in, n_out in set(boxes))


# %% X83 mutant one-block
class Res(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mm = nn.Linear(width, width)

    def forward(self, x):
        return x + self.mm(x).tanh()


def res_res(width):
    block = Res(width)
    return nn.Sequential(block, block)


# %% X83 mutant ~skip-into-b
def woven(x, Wa, Wb, Wc, dy):
    n = len(Wa)
    h = np.tanh(x @ Wa.T)
    t = np.tanh(h @ Wb.T)
    d_both = dy @ Wc
    dh, dk = d_both[:, :n], d_both[:, n:]
    dz = dk * (1 - t**2)
    dh = dh + dz + dz @ Wb
    return {"Wa": (dh * (1 - h**2)).T @ x, "Wb": dz.T @ h, "Wc": dy.T @ np.hstack([h, t + h])}


# %% X80 alternative engine
def states_of(W, U, b, x):
    h = nn.zeros(len(b), dtype=nn.float64)
    states = []
    for row in x:
        h = nn.tanh(W @ h + nn.tensor(U @ row + b))
        states.append(h)
    return states


def rnn_forward(W, U, b, x):
    return nn.stack(states_of(nn.tensor(W), U, b, x))


def rnn_backward(W, U, b, x, g):
    W = nn.tensor(W, requires_grad=True)
    states_of(W, U, b, x)[-1].backward(gradient=g)
    return W.grad


def draw(ws, u, x):
    for w in ws:
        h, f = [nn.tensor(0.0, dtype=nn.float64, requires_grad=True)], nn.tensor(w, dtype=nn.float64)
        for value in x:
            h.append(nn.tanh(f * h[-1] + u * value))
        plt.plot([abs(float(g)) for g in nn.grad(h[-1], h)])
    plt.yscale("log")


# %% X80 alternative recursive
def rnn_forward(W, U, b, x):
    if len(x) == 0:
        return np.zeros((0, len(b)))
    before = rnn_forward(W, U, b, x[:-1])
    last = before[-1] if len(before) else np.zeros(len(b))
    return np.vstack([before, np.tanh(W @ last + U @ x[-1] + b)])


def rnn_backward(W, U, b, x, g):
    if len(x) == 0:
        return np.zeros(W.shape)
    h = rnn_forward(W, U, b, x)
    dz = g * (1 - h[-1] ** 2)
    before = h[-2] if len(h) > 1 else np.zeros(len(b))
    return dz[:, None] * before + rnn_backward(W, U, b, x[:-1], W.T @ dz)


def draw(ws, u, x):
    figure = plt.figure()
    ax = figure.add_subplot()
    ax.set_yscale("log")
    for w in ws:
        h = rnn_forward(np.array([[w]]), np.array([[u]]), np.zeros(1), x[:, None])[:, 0]
        slopes = np.append(w * (1 - h**2), 1.0)
        ax.plot(np.arange(len(slopes)), np.abs(np.cumprod(slopes[::-1])[::-1]))
    return figure, ax


# %% X80 mutant last-step
def rnn_backward(W, U, b, x, g):
    h, old = np.zeros(len(b)), None
    for row in x:
        old, h = h, np.tanh(W @ h + U @ row + b)
    return np.outer(g * (1 - h**2), old)


# %% X80 mutant copies
def rnn_backward(W, U, b, x, g):
    states = [np.zeros(len(b))]
    for row in x:
        states.append(np.tanh(W @ states[-1] + U @ row + b))
    shares = []
    for t in range(len(x), 0, -1):
        dz = (1 - states[t] ** 2) * g
        shares = [np.outer(dz, states[t - 1]), *shares]
        g = W.T @ dz
    return shares


# %% X80 mutant averaged
def rnn_backward(W, U, b, x, g):
    states = [np.zeros(len(b))]
    for row in x:
        states.append(np.tanh(W @ states[-1] + U @ row + b))
    dW = 0
    for t in range(len(x), 0, -1):
        dz = (1 - states[t] ** 2) * g
        dW = dW + np.outer(dz, states[t - 1]) / len(x)
        g = W.T @ dz
    return dW


# %% X80 mutant not-fed-back
def rnn_forward(W, U, b, x):
    h = np.zeros(len(b))
    return np.stack([np.tanh(W @ h + U @ row + b) for row in x])


# %% X80 mutant with-start
def rnn_forward(W, U, b, x):
    states = [np.zeros(len(b))]
    for row in x:
        states.append(np.tanh(W @ states[-1] + U @ row + b))
    return np.array(states)


# %% X80 mutant no-slope
def rnn_backward(W, U, b, x, g):
    states = [np.zeros(len(b))]
    for row in x:
        states.append(np.tanh(W @ states[-1] + U @ row + b))
    dW = 0
    for t in range(len(x), 0, -1):
        dW = dW + np.outer(g, states[t - 1])
        g = W.T @ g
    return dW


# %% X80 mutant time-turned
def draw(ws, u, x):
    for w in ws:
        h, sizes = [0.0], [1.0]
        for value in x:
            h.append(np.tanh(w * h[-1] + u * value))
        for t in range(len(x), 0, -1):
            sizes.append(sizes[-1] * abs(w) * (1 - h[t] ** 2))
        plt.semilogy(sizes)


# %% X80 mutant no-slope-drawn
def draw(ws, u, x):
    for w in ws:
        plt.semilogy([w ** (len(x) - t) for t in range(len(x) + 1)])


# %% X80 mutant not-transposed
def rnn_backward(W, U, b, x, g):
    states = [np.zeros(len(b))]
    for row in x:
        states.append(np.tanh(W @ states[-1] + U @ row + b))
    dW = 0
    for t in range(len(x), 0, -1):
        dz = (1 - states[t] ** 2) * g
        dW = dW + np.outer(dz, states[t - 1])
        g = W @ dz
    return dW


# %% X44 alternative counting
class Tensor:
    def __init__(self, data, edges=()):
        self.data = np.array(data, dtype=float)
        self.grad = 0 * self.data
        self.edges = edges

    def __add__(self, other):
        return Tensor(self.data + other.data, ((self, lambda g: g), (other, lambda g: g)))

    def __mul__(self, other):
        return Tensor(self.data * other.data, ((self, lambda g: other.data * g), (other, lambda g: self.data * g)))

    def sum(self):
        return Tensor(np.sum(self.data), ((self, lambda g: g + 0 * self.data),))

    def backward(self):
        users, found, waiting = {self: 0}, [self], [self]
        while waiting:  # how many edges lead to each value
            for argument, _ in waiting.pop().edges:
                if argument not in users:
                    users[argument] = 0
                    found.append(argument)
                    waiting.append(argument)
                users[argument] += 1
        for value in found:
            if value.edges:
                value.grad = 0 * value.data
        self.grad, ready = np.ones_like(self.data), [self]
        while ready:  # a value is ready when all its users have sent their shares
            value = ready.pop()
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)
                users[argument] -= 1
                if users[argument] == 0:
                    ready.append(argument)


# %% X44 alternative stamped
class Tensor:
    made = 0

    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = np.asarray(data, float), edges, np.zeros(np.shape(data))
        Tensor.made += 1
        self.number = Tensor.made  # a value is always made after its arguments

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, other.data), (other, self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, np.ones(self.data.shape))])

    def backward(self):
        graph, more = {self}, {self}
        while more:
            more = {argument for value in more for argument, _ in value.edges} - graph
            graph |= more
        for value in graph:
            value.grad = value.grad if not value.edges else np.zeros(value.data.shape)
        self.grad = np.ones(self.data.shape)
        for value in sorted(graph, key=lambda value: -value.number):
            for argument, slope in value.edges:
                argument.grad = argument.grad + slope * value.grad


# %% X44 mutant overwrite
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g))])

    def backward(self):
        order, seen, waiting = [], set(), [(self, False)]
        while waiting:
            value, done = waiting.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                waiting.append((value, True))
                waiting += [(argument, False) for argument, _ in value.edges]
        self.grad = np.ones(self.data.shape)
        for value in reversed(order):
            for argument, pull in value.edges:
                argument.grad = pull(value.grad)


# %% X44 mutant too-early
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g))])

    def backward(self):
        self.grad, waiting, done = np.ones(self.data.shape), [self], set()
        while waiting:
            value = waiting.pop(0)
            if value not in done:
                done.add(value)
                for argument, pull in value.edges:
                    argument.grad = argument.grad + pull(value.grad)
                    waiting.append(argument)


# %% X44 mutant not-reset
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g))])

    def backward(self):
        order, seen, waiting = [], set(), [(self, False)]
        while waiting:
            value, done = waiting.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                waiting.append((value, True))
                waiting += [(argument, False) for argument, _ in value.edges]
        self.grad = np.ones(self.data.shape)
        for value in reversed(order):
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)


# %% X44 mutant recursion
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g))])

    def backward(self):
        order, seen = [], set()

        def visit(value):
            if value not in seen:
                seen.add(value)
                for argument, _ in value.edges:
                    visit(argument)
                order.append(value)

        visit(self)
        for value in order:
            if value.edges:
                value.grad = np.zeros(value.data.shape)
        self.grad = np.ones(self.data.shape)
        for value in reversed(order):
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)


# %% X44 mutant ~sum-mean
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g / self.data.size))])

    def backward(self):
        order, seen, waiting = [], set(), [(self, False)]
        while waiting:
            value, done = waiting.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                waiting.append((value, True))
                waiting += [(argument, False) for argument, _ in value.edges]
        for value in order:
            if value.edges:
                value.grad = np.zeros(value.data.shape)
        self.grad = np.ones(self.data.shape)
        for value in reversed(order):
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)


# %% X44 mutant mul-keeps
class Tensor:
    def __init__(self, data, edges=()):
        self.data, self.edges = np.asarray(data, float), list(edges)
        self.grad = np.zeros(self.data.shape)

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data, [(self, lambda g: g * self.data), (other, lambda g: g * other.data)])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: np.full(self.data.shape, g))])

    def backward(self):
        order, seen, waiting = [], set(), [(self, False)]
        while waiting:
            value, done = waiting.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                waiting.append((value, True))
                waiting += [(argument, False) for argument, _ in value.edges]
        for value in order:
            if value.edges:
                value.grad = np.zeros(value.data.shape)
        self.grad = np.ones(self.data.shape)
        for value in reversed(order):
            for argument, pull in value.edges:
                argument.grad = argument.grad + pull(value.grad)
