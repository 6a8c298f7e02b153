# %% X77 alternative loop
def block(x, W1, W2, Ws=None):
    rows = []
    for row in x:
        branch = W2 @ np.maximum(W1 @ row, 0)
        shortcut = row if Ws is None else Ws @ row
        if len(branch) != len(shortcut):
            raise ValueError("shapes differ")
        rows.append(np.maximum(branch + shortcut, 0))
    return np.array(rows)


def block_back(g, x, W1, W2, Ws=None):
    dx, dW1, dW2, dWs = [], 0, 0, 0
    for row, up in zip(x, g):
        h = np.maximum(W1 @ row, 0)
        ds = up * (W2 @ h + (row if Ws is None else Ws @ row) > 0)
        dz = (W2.T @ ds) * (h > 0)
        dW1, dW2, dWs = dW1 + np.outer(dz, row), dW2 + np.outer(ds, h), dWs + np.outer(ds, row)
        dx.append(W1.T @ dz + (ds if Ws is None else Ws.T @ ds))
    return np.array(dx), dW1, dW2, None if Ws is None else dWs


def res(z, W1, W2):
    return np.array([row + np.maximum(W2 @ np.maximum(W1 @ row, 0), 0) for row in z])


def res_back(g, z, W1, W2):
    back = []
    for row, up in zip(z, g):
        on = W1 @ row > 0
        J = W2 @ (on[:, None] * W1)
        J = (J @ row > 0)[:, None] * J
        back.append(up + up @ J)
    return np.array(back)


# %% X77 alternative engine
def tensors(*arrays):
    return [nn.tensor(a, dtype=nn.float64, requires_grad=True) for a in arrays if a is not None]


def net(x, W1, W2, Ws=None):
    skip = x if Ws is None else F.linear(x, Ws)
    branch = F.linear(F.relu(F.linear(x, W1)), W2)
    if skip.shape != branch.shape:
        raise ValueError("no")
    return F.relu(branch + skip)


def block(x, W1, W2, Ws=None):
    return net(*tensors(x, W1, W2, Ws)).detach()


def block_back(g, x, W1, W2, Ws=None):
    leaves = tensors(x, W1, W2, Ws)
    net(*leaves).backward(gradient=g)
    return [*(leaf.grad for leaf in leaves), None][:4]


def res(z, W1, W2):
    z, W1, W2 = tensors(z, W1, W2)
    return (z + F.relu(F.linear(F.relu(F.linear(z, W1)), W2))).detach()


def res_back(g, z, W1, W2):
    leaf, W1, W2 = tensors(z, W1, W2)
    (leaf + F.relu(F.linear(F.relu(F.linear(leaf, W1)), W2))).backward(gradient=g)
    return leaf.grad


# %% X77 mutant lost-skip
def block(x, W1, W2, Ws=None):
    return np.maximum(np.maximum(x @ W1.T, 0) @ W2.T + (x if Ws is None else x @ Ws.T), 0)


def block_back(g, x, W1, W2, Ws=None):
    h = np.maximum(x @ W1.T, 0)
    ds = g * (block(x, W1, W2, Ws) > 0)
    dz = (ds @ W2) * (h > 0)
    return dz @ W1, dz.T @ x, ds.T @ h, None if Ws is None else ds.T @ x


def res(z, W1, W2):
    return z + np.maximum(np.maximum(z @ W1.T, 0) @ W2.T, 0)


def res_back(g, z, W1, W2):
    h = np.maximum(z @ W1.T, 0)
    return (((g * (h @ W2.T > 0)) @ W2) * (h > 0)) @ W1


# %% X77 mutant other-form
def block(x, W1, W2, Ws=None):
    skip = x if Ws is None else x @ Ws.T
    branch = np.maximum(np.maximum(x @ W1.T, 0) @ W2.T, 0)
    if skip.shape != branch.shape:
        raise ValueError("no")
    return branch + skip


def block_back(g, x, W1, W2, Ws=None):
    h = np.maximum(x @ W1.T, 0)
    d2 = g * (h @ W2.T > 0)
    d1 = (d2 @ W2) * (h > 0)
    return d1 @ W1 + (g if Ws is None else g @ Ws), d1.T @ x, d2.T @ h, None if Ws is None else g.T @ x


def res(z, W1, W2):
    return np.maximum(z + np.maximum(z @ W1.T, 0) @ W2.T, 0)


def res_back(g, z, W1, W2):
    h = np.maximum(z @ W1.T, 0)
    ds = g * (res(z, W1, W2) > 0)
    return ds + ((ds @ W2) * (h > 0)) @ W1


# %% X77 mutant broadcast
def block(x, W1, W2, Ws=None):
    return np.maximum(np.maximum(x @ W1.T, 0) @ W2.T + (x if Ws is None else x @ Ws.T), 0)


block_back = res = res_back = lambda *a: None

# %% X77 mutant open
block = res = res_back = lambda *a: None


def block_back(g, x, W1, W2, Ws=None):
    h = np.maximum(x @ W1.T, 0)
    dz = (g @ W2) * (h > 0)
    return dz @ W1 + (g if Ws is None else g @ Ws), dz.T @ x, g.T @ h, None if Ws is None else g.T @ x


# %% X77 mutant no-shortcut
block_back = res_back = lambda *a: None


def block(x, W1, W2, Ws=None):
    return np.maximum(np.maximum(x @ W1.T, 0) @ W2.T, 0)


def res(z, W1, W2):
    return block(z, W1, W2)


# %% X77 mutant ~transposed
block = res = res_back = lambda *a: None


def block_back(g, x, W1, W2, Ws=None):
    h = np.maximum(x @ W1.T, 0)
    dz = (g @ W2) * (h > 0)
    return None, x.T @ dz, h.T @ g, x.T @ g


# %% X78 alternative list
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def ledger(depth, stride_in):
    layers, C, n = [(49, 3, 64, 112)], 64, 56  # window, channels in, filters, side
    for width, repeats, first in zip((64, 128, 256, 512), BLOCKS[depth], (1, 2, 2, 2)):
        for stride in [first] + [1] * (repeats - 1):
            m, wide = n // stride, width * (4 if depth > 34 else 1)
            if depth > 34:
                layers += [(1, C, width, m if stride_in == "1x1" else n), (9, width, width, m), (1, width, wide, m)]
            else:
                layers += [(9, C, width, m), (9, width, width, m)]
            if C != wide or stride == 2:
                layers.append((1, C, wide, m))
            C, n = wide, m
    parameters = sum(k * c * f + 2 * f for k, c, f, _ in layers) + (C + 1) * 1000
    return parameters, sum(k * c * f * s**2 for k, c, f, s in layers) + C * 1000


# %% X78 alternative widget
def ledger(depth, stride_in):
    from nnlib.widgets.resnet_ledger import STRIDES, ResNetLedger

    numbers = ResNetLedger.measure(depth=str(depth), stride=STRIDES[stride_in != "1x1"])
    return numbers.parameters, numbers.macs


# %% X78 mutant no-norm
def conv(k, C, f, n):
    return np.array([k * k * C * f, k * k * C * f * n * n])


def count(depth, stride_in, conv, shortcuts=True):
    total, C, side = conv(7, 3, 64, 112), 64, 56
    for stage, width in enumerate((64, 128, 256, 512)):
        for i in range(BLOCKS[depth][stage]):
            out = side // 2 if stage > 0 and i == 0 else side
            filters = width if depth < 50 else 4 * width
            if depth < 50:
                total = total + conv(3, C, width, out) + conv(3, width, width, out)
            else:
                total = total + conv(1, C, width, out if stride_in == "1x1" else side)
                total = total + conv(3, width, width, out) + conv(1, width, filters, out)
            if shortcuts and (C, side) != (filters, out):
                total = total + conv(1, C, filters, out)
            C, side = filters, out
    return total[0] + 1000 * C + 1000, total[1] + 1000 * C


BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def ledger(depth, stride_in):
    return count(depth, stride_in, conv)


# %% X78 mutant conv-bias
from nnlib.course.exercises.lesson_16 import counted


def ledger(depth, stride_in):
    return counted(depth, stride_in, norm=3)


# %% X78 mutant no-shortcut
from nnlib.course.exercises.lesson_16 import counted


def ledger(depth, stride_in):
    return counted(depth, stride_in, shortcuts=False)


# %% X78 mutant stride
from nnlib.course.exercises.lesson_16 import counted


def ledger(depth, stride_in):
    return counted(depth, {"1x1": "3x3", "3x3": "1x1"}[stride_in])


# %% X78 mutant doubled
from nnlib.course.exercises.lesson_16 import counted


def ledger(depth, stride_in):
    parameters, work = counted(depth, stride_in)
    return parameters, work + work


# %% X78 mutant ~no-head
from nnlib.course.exercises.lesson_16 import counted


def ledger(depth, stride_in):
    parameters, work = counted(depth, stride_in)
    return parameters - 1000, work - 1000


# %% X88 alternative setattr
class BasicBlock(nn.Module):
    def __init__(self, C):
        super().__init__()
        for i in (1, 2):
            setattr(self, f"conv{i}", nn.Conv2d(C, C, 3, padding="same", bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(C))

    def forward(self, x):
        h = x
        for i in (1, 2):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            h = F.relu(h if i == 1 else h + x)
        return h


# %% X88 alternative maximum
class BasicBlock(nn.Module):
    def __init__(self, C):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(C, C, 3, 1, 1, bias=False) for _ in "12")
        self.bn1, self.bn2 = nn.BatchNorm2d(C), nn.BatchNorm2d(C)
        self.act = nn.ReLU()

    def forward(self, x):
        branch = nn.Sequential(self.conv1, self.bn1, self.act, self.conv2, self.bn2)
        return self.act(x + branch(x))


# %% X88 mutant before-sum
class BasicBlock(nn.models.BasicBlock):
    def __init__(self, C):
        super().__init__(C, C)

    def forward(self, x):
        return x + F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


# %% X88 mutant linear-end
class BasicBlock(nn.models.BasicBlock):
    def __init__(self, C):
        super().__init__(C, C)

    def forward(self, x):
        return x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))


# %% X88 mutant no-skip
class BasicBlock(nn.models.BasicBlock):
    def __init__(self, C):
        super().__init__(C, C)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


# %% X88 mutant conv-bias
class BasicBlock(nn.Module):
    def __init__(self, C):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(C, C, 3, padding=1), nn.Conv2d(C, C, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(C), nn.BatchNorm2d(C)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x)


# %% X88 mutant linear-middle
class BasicBlock(nn.models.BasicBlock):
    def __init__(self, C):
        super().__init__(C, C)

    def forward(self, x):
        return F.relu(x + self.bn2(self.conv2(self.bn1(self.conv1(x)))))


# %% X88 mutant ~one-norm
class BasicBlock(nn.models.BasicBlock):
    def __init__(self, C):
        super().__init__(C, C)

    def forward(self, x):
        return F.relu(x + self.bn1(self.conv2(F.relu(self.bn1(self.conv1(x))))))


# %% X89 alternative loop
class Bottleneck(nn.Module):
    def __init__(self, C):
        super().__init__()
        sizes = [C, C // 4, C // 4, C]
        for i, k in enumerate((1, 3, 1)):
            setattr(self, f"conv{i + 1}", nn.Conv2d(sizes[i], sizes[i + 1], k, padding=k // 2, bias=False))
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(sizes[i + 1]))

    def forward(self, x):
        h = x
        for i in (1, 2, 3):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            h = F.relu(h + x if i == 3 else h)
        return h


def weights(C):
    return [sum(k * k * a * b for k, a, b in layers)
            for layers in ([(3, C, C)] * 2, [(1, C, C // 4), (3, C // 4, C // 4), (1, C // 4, C)])]  # fmt: skip


# %% X89 alternative library
class Bottleneck(nn.models.Bottleneck):
    def __init__(self, C):
        super().__init__(C, C // 4)


def weights(C):
    return 18 * C * C, 17 * C * C // 16


# %% X89 mutant no-squeeze
class Bottleneck(nn.Module):
    def __init__(self, C):
        super().__init__()
        self.conv1, self.conv3 = (nn.Conv2d(C, C, 1, bias=False) for _ in range(2))
        self.conv2 = nn.Conv2d(C, C, 3, padding=1, bias=False)
        self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(C) for _ in range(3))

    def forward(self, x):
        h = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(x + self.bn3(self.conv3(h)))


def weights(C):
    return 18 * C * C, 11 * C * C


# %% X89 mutant linear-middle
class Bottleneck(nn.models.Bottleneck):
    def __init__(self, C):
        super().__init__(C, C // 4)

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(x + self.bn3(self.conv3(h)))


def weights(C):
    return 0


# %% X89 mutant before-sum
class Bottleneck(nn.models.Bottleneck):
    def __init__(self, C):
        super().__init__(C, C // 4)

    def forward(self, x):
        h = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return x + F.relu(self.bn3(self.conv3(h)))


def weights(C):
    return 0


# %% X89 mutant with-norm
Bottleneck = nn.models.Bottleneck


def weights(C):
    return 18 * C * C + 4 * C, 17 * (C // 4) ** 2 + C + 2 * C


def weights(C):
    blocks = nn.models.BasicBlock(C, C), nn.models.Bottleneck(C, C // 4)
    return [nn.inspection.count_parameters(block) for block in blocks]


# %% X89 mutant small-basic
Bottleneck = nn.models.Bottleneck


def weights(C):
    return 2 * 9 * (C // 4) * (C // 4), 17 * C * C // 16


# %% X89 mutant ~no-padding
class Bottleneck(nn.models.Bottleneck):
    def __init__(self, C):
        super().__init__(C, C // 4)
        self.conv2 = nn.Conv2d(C // 4, C // 4, 3, bias=False)


def weights(C):
    return 9 * C * C, C * C


# %% X90 alternative residual
class DownBlock(nn.Module):
    def __init__(self, C, K, stride):
        super().__init__()
        for i, (inputs, s) in enumerate(((C, stride), (K, 1)), 1):
            setattr(self, f"conv{i}", nn.Conv2d(inputs, K, 3, stride=s, padding=1, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(K))
        if (C, 1) != (K, stride):
            self.downsample = nn.Sequential(nn.Conv2d(C, K, 1, stride=stride, bias=False), nn.BatchNorm2d(K))

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + (self.downsample(x) if hasattr(self, "downsample") else x))


def option_a(x, K, stride):
    N, C, H, W = x.shape
    out = np.zeros((N, K, -(-H // stride), -(-W // stride)))
    for c in range(C):
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, c, i, j] = x[:, c, i * stride, j * stride]
    return out


def projections(depth):
    return {18: 3, 34: 3}.get(depth, 4)


# %% X90 alternative library
DownBlock = nn.models.BasicBlock


def option_a(x, K, stride):
    small = x[:, :, ::stride, ::stride]
    return np.concatenate([small, np.zeros_like(small[:, :1]).repeat(K - x.shape[1], 1)], axis=1)


def projections(depth):
    if depth < 50:
        return 3
    return 4


# %% X90 mutant always
class DownBlock(nn.models.BasicBlock):
    def __init__(self, C, K, stride):
        super().__init__(C, K, stride)
        self.downsample = nn.Sequential(nn.Conv2d(C, K, 1, stride, bias=False), nn.BatchNorm2d(K))


option_a = projections = lambda *a: None

# %% X90 mutant late-stride
class DownBlock(nn.models.BasicBlock):
    def __init__(self, C, K, stride):
        super().__init__(C, K, stride)
        self.conv1 = nn.Conv2d(C, K, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(K, K, 3, stride, padding=1, bias=False)


option_a = projections = lambda *a: None

# %% X90 mutant no-norm
class DownBlock(nn.models.BasicBlock):
    def __init__(self, C, K, stride):
        super().__init__(C, K, stride)
        if self.downsample is not None:
            self.downsample = nn.Conv2d(C, K, 1, stride, bias=False)


option_a = projections = lambda *a: None

# %% X90 mutant zeros-first
DownBlock = projections = lambda *a: None


def option_a(x, K, stride):
    return np.pad(x[:, :, ::stride, ::stride], ((0, 0), (K - x.shape[1], 0), (0, 0), (0, 0)))


# %% X90 mutant all-pixels
DownBlock = projections = lambda *a: None


def option_a(x, K, stride):
    return np.pad(x, ((0, 0), (0, K - x.shape[1]), (0, 0), (0, 0)))


# %% X90 mutant three
DownBlock = option_a = lambda *a: None


def projections(depth):
    return 3


# %% X90 mutant every-block
DownBlock = option_a = lambda *a: None


def projections(depth):
    return {18: 8, 34: 16, 50: 16, 101: 33, 152: 50}[depth]


# %% X90 mutant ~mean
DownBlock = projections = lambda *a: None


def option_a(x, K, stride):
    return np.repeat(x[:, :, ::stride, ::stride].mean(1, keepdims=True), K, 1)


# %% X91 alternative closures
def array(x):
    return x.data if hasattr(x, "requires_grad") else np.array(x)


class Value:
    def __init__(self, data, edges=()):
        self.data, self.grad, self.requires_grad = np.array(data), None, True
        self.edges = [edge for edge in edges if getattr(edge[0], "requires_grad", False)]

    @property
    def shape(self):
        return self.data.shape

    def flatten(self, start):
        return Value(self.data.reshape(self.shape[:start] + (-1,)), [(self, lambda g: g.reshape(self.shape))])

    def __add__(self, other):
        out = self.data + array(other)

        def fit(shape):
            def pull(g):
                while g.ndim > len(shape):
                    g = g.sum(0)
                for axis, size in enumerate(shape):
                    if size == 1:
                        g = g.sum(axis, keepdims=True)
                return g

            return pull

        return Value(out, [(self, fit(self.shape)), (other, fit(array(other).shape))])

    def backward(self):
        users = {}

        def count(value):  # how many shares each value waits for
            for of, _ in getattr(value, "edges", ()):
                users[id(of)] = users.get(id(of), 0) + 1
                if users[id(of)] == 1:
                    count(of)

        count(self)
        self.grad = np.ones(self.shape)
        ready = [self]
        while ready:
            value = ready.pop()
            for of, pull in getattr(value, "edges", ()):
                of.grad = pull(value.grad) + (0 if of.grad is None else of.grad)
                users[id(of)] -= 1
                if users[id(of)] == 0:
                    ready.append(of)


def linear(x, weight, bias=None):
    X, W = array(x), array(weight)
    edges = [(x, lambda g: np.einsum("no,oi->ni", g, W)), (weight, lambda g: np.einsum("no,ni->oi", g, X))]
    out = np.einsum("ni,oi->no", X, W)
    if bias is not None:
        out = out + array(bias)
        edges.append((bias, lambda g: np.einsum("no->o", g)))
    return Value(out, edges)


def relu(x):
    on = array(x) > 0
    return Value(array(x) * on, [(x, lambda g: g * on)])


def conv2d(x, weight, bias=None, stride=1, padding=0):
    N, C, H, W = array(x).shape
    K, _, k, _ = weight.shape
    place = np.pad(np.arange(1, N * C * H * W + 1).reshape(N, C, H, W), [(0, 0)] * 2 + [(padding, padding)] * 2)
    view = np.lib.stride_tricks.sliding_window_view(place, (k, k), (2, 3))[:, :, ::stride, ::stride]
    oh, ow = view.shape[2:4]
    index = view.transpose(0, 2, 3, 1, 4, 5).reshape(N * oh * ow, -1)
    flat = Value(np.append(0, array(x))[index], [
        (x, lambda g: np.bincount(index.ravel(), g.ravel(), N * C * H * W + 1)[1:].reshape(N, C, H, W))
    ])
    rows = linear(flat, Value(array(weight).reshape(K, -1), [(weight, lambda g: g.reshape(weight.shape))]), bias)
    out = rows.data.reshape(N, oh, ow, K).transpose(0, 3, 1, 2)
    return Value(out, [(rows, lambda g: g.transpose(0, 2, 3, 1).reshape(-1, K))])


def max_pool2d(x, k):
    X = array(x)
    N, C, H, W = X.shape
    out, winners = np.zeros((N, C, H // k, W // k)), np.zeros(X.shape, bool)
    for y in range(H // k):
        for u in range(W // k):
            cell = X[:, :, y * k : y * k + k, u * k : u * k + k].reshape(N, C, -1)
            out[:, :, y, u] = cell.max(2)
            one = np.arange(k * k) == cell.argmax(2)[:, :, None]
            winners[:, :, y * k : y * k + k, u * k : u * k + k] = one.reshape(N, C, k, k)
    return Value(out, [(x, lambda g: np.kron(g, np.ones((k, k))) * winners)])


def avg_pool2d(x, k):
    X, share = array(x), 1 / (k * k)
    out = sum(X[:, :, i::k, j::k] for i in range(k) for j in range(k)) * share
    return Value(out, [(x, lambda g: np.kron(g, np.full((k, k), share)))])


def cross_entropy(logits, target):
    z, t, n = array(logits), array(target), np.arange(len(target))
    top = z.max(1)
    total = top + np.log(np.exp(z - top[:, None]).sum(1))

    def pull(g):
        p = np.exp(z - total[:, None])
        p[n, t] -= 1
        return g * p / len(n)

    return Value((total - z[n, t]).mean(), [(logits, pull)])


# %% X91 alternative recursive
class Value:
    requires_grad = True

    def __init__(self, data, edges=()):
        self.data = np.asarray(data)
        self.grad = None
        self.edges = list(edges)

    shape = property(lambda self: self.data.shape)

    def flatten(self, start):
        rows = self.data.reshape(len(self.data), -1) if start == 1 else self.data.ravel()
        return Value(rows, [(self, lambda g: g.reshape(self.shape))])

    def __add__(self, other):
        ones = np.ones_like(self.data)
        return Value(self.data + data_of(other), [(self, lambda g: g * ones), (other, lambda g: narrow(g, data_of(other)))])

    def backward(self):
        order = []
        visit(self, set(), order)
        self.grad = np.ones_like(self.data)
        for value in order[::-1]:
            for of, pull in getattr(value, "edges", []):
                if hasattr(of, "requires_grad") and of.requires_grad:
                    share = pull(value.grad)
                    of.grad = share if of.grad is None else of.grad + share


def visit(value, seen, order):
    if id(value) in seen or not hasattr(value, "edges"):
        return
    seen.add(id(value))
    for of, _ in value.edges:
        visit(of, seen, order)
    order.append(value)


def data_of(x):
    return np.asarray(getattr(x, "data", x)) if not isinstance(x, np.ndarray) else x


def narrow(g, like):
    extra = tuple(range(g.ndim - like.ndim))
    return g.sum(extra).sum(tuple(i for i, n in enumerate(like.shape) if n == 1), keepdims=True)


def linear(x, weight, bias=None):
    return Value(
        data_of(x) @ data_of(weight).T + (0 if bias is None else data_of(bias)),
        [(x, lambda g: g @ data_of(weight)), (weight, lambda g: g.T @ data_of(x)), (bias, lambda g: g.sum(0))],
    )


def relu(x):
    return Value(data_of(x).clip(0), [(x, lambda g: g * np.heaviside(data_of(x), 0))])


def conv2d(x, weight, bias=None, stride=1, padding=0):
    W, k = data_of(weight), data_of(weight).shape[2]
    X = np.pad(data_of(x), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh, ow = (X.shape[2] - k) // stride + 1, (X.shape[3] - k) // stride + 1
    windows = {(y, u): np.s_[:, :, y * stride : y * stride + k, u * stride : u * stride + k] for y in range(oh) for u in range(ow)}
    out = np.zeros((len(X), len(W), oh, ow))
    for (y, u), at in windows.items():
        out[:, :, y, u] = np.tensordot(X[at], W, ([1, 2, 3], [1, 2, 3]))
    out += 0 if bias is None else data_of(bias).reshape(-1, 1, 1)

    def to_x(g):
        dX = np.zeros_like(X)
        for (y, u), at in windows.items():
            dX[at] += np.tensordot(g[:, :, y, u], W, 1)
        return dX[:, :, padding : X.shape[2] - padding, padding : X.shape[3] - padding]

    def to_weight(g):
        return sum(np.tensordot(g[:, :, y, u].T, X[at], 1) for (y, u), at in windows.items())

    return Value(out, [(x, to_x), (weight, to_weight), (bias, lambda g: g.sum(axis=(0, 2, 3)))])


def pool(x, k, choose):
    X = data_of(x)
    parts = np.stack([X[:, :, i::k, j::k] for i in range(k) for j in range(k)])
    share = choose(parts)

    def pull(g):
        dX = np.zeros_like(X)
        for n in range(k * k):
            dX[:, :, n // k :: k, n % k :: k] = g * share[n]
        return dX

    return Value((parts * share).sum(0), [(x, pull)])


def max_pool2d(x, k):
    return pool(x, k, lambda parts: 1.0 * (np.arange(k * k)[:, None, None, None, None] == parts.argmax(0)))


def avg_pool2d(x, k):
    return pool(x, k, lambda parts: np.full(parts.shape, k**-2))


def cross_entropy(logits, target):
    z = data_of(logits)
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    at = np.arange(len(z)), data_of(target)
    shifted = z - z.max(1, keepdims=True)
    loss = np.mean(np.log(e.sum(1)) - shifted[at])
    return Value(loss, [(logits, lambda g: g * (p - np.eye(z.shape[1])[at[1]]) / len(z))])


# %% X91 mutant overwrite
from nnlib.course.tape import avg_pool2d, conv2d, cross_entropy, linear, max_pool2d, relu, topological
from nnlib.course import tape


class Value(tape.Value):
    def backward(self):
        self.grad = np.ones_like(self.data)
        for value in reversed(topological(self)):
            for of, pull in value.edges:
                of.grad = pull(value.grad)


# %% X91 mutant no-unbroadcast
from nnlib.course.tape import avg_pool2d, conv2d, cross_entropy, max_pool2d, relu
from nnlib.course import tape


class Value(tape.Value):
    def __add__(self, other):
        return Value(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])


def linear(x, weight, bias=None):
    out = tape.linear(x, weight, bias)
    return Value(out.data, out.edges)


# %% X91 mutant no-mean
from nnlib.course.tape import Value, avg_pool2d, conv2d, linear, max_pool2d, relu


def cross_entropy(logits, target):
    z = logits.data - logits.data.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    hot = np.eye(z.shape[1])[target]
    return Value(-(hot * log_p).sum() / len(z), [(logits, lambda g: g * (np.exp(log_p) - hot))])


# %% X91 mutant turned
from nnlib.course.tape import Value, avg_pool2d, conv2d, linear, max_pool2d, relu


def cross_entropy(logits, target):
    z = logits.data - logits.data.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    hot = np.eye(z.shape[1])[target]
    return Value(-(hot * log_p).sum() / len(z), [(logits, lambda g: g * (hot - np.exp(log_p)) / len(z))])


# %% X91 mutant everywhere
from nnlib.course.tape import Value, avg_pool2d, conv2d, cross_entropy, linear, relu
from nnlib.course import tape


def max_pool2d(x, k):
    out = tape.max_pool2d(x, k)
    return Value(out.data, [(x, lambda g: g.repeat(k, 2).repeat(k, 3))])


# %% X91 mutant no-share
from nnlib.course.tape import Value, conv2d, cross_entropy, linear, max_pool2d, relu
from nnlib.course import tape


def avg_pool2d(x, k):
    out = tape.avg_pool2d(x, k)
    return Value(out.data, [(x, lambda g: g.repeat(k, 2).repeat(k, 3))])


# %% X91 mutant overlap
from nnlib.course.tape import Value, avg_pool2d, cross_entropy, linear, max_pool2d, relu
from nnlib.course import tape


def conv2d(x, weight, bias=None, stride=1, padding=0):
    def to_x(g):
        p, k = padding, weight.shape[-1]
        dX = np.zeros((len(g), weight.shape[1], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
        for y in range(g.shape[2]):
            for u in range(g.shape[3]):
                dX[:, :, y * stride : y * stride + k, u * stride : u * stride + k] = np.tensordot(g[:, :, y, u], weight.data, 1)
        return dX[:, :, p : p + x.shape[2], p : p + x.shape[3]]

    rest = tape.conv2d(tape.raw(x), weight, bias, stride, padding)
    return Value(rest.data, [(x, to_x), (rest, lambda g: g)])


# %% X91 mutant unstable
from nnlib.course.tape import Value, avg_pool2d, conv2d, linear, max_pool2d, relu


def cross_entropy(logits, target):
    p = np.exp(logits.data)
    p = p / p.sum(1, keepdims=True)
    hot = np.eye(p.shape[1])[target]
    return Value(-np.log((p * hot).sum(1)).mean(), [(logits, lambda g: g * (p - hot) / len(p))])


# %% X91 mutant ~borrowed
from nnlib.course.tape import Value, avg_pool2d, conv2d, cross_entropy, linear, max_pool2d, relu

# %% X91 mutant ~no-gradients
class Value:
    def __init__(self, data, edges=()):
        self.data, self.shape = np.asarray(data), np.shape(data)

    def backward(self):
        pass

    def flatten(self, start):
        return Value(self.data.reshape(len(self.data), -1))

    def __add__(self, other):
        return Value(self.data + other.data)


linear = lambda x, w, b=None: Value(x.data @ w.data.T)
relu = lambda x: Value(np.maximum(x.data, 0))
conv2d = max_pool2d = avg_pool2d = lambda x, *a, **k: Value(x.data)
cross_entropy = lambda x, t: Value(0.0)
