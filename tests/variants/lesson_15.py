# %% X76 alternative vectorised
blur = np.ones((3, 3)) / 9
edge = np.outer([1, 2, 1], [-1, 0, 1])
sharpen = 6 * np.eye(3)[1][:, None] * np.eye(3)[1] - np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def filter_image(x, w):
    k = w.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (1, 2))
    return np.einsum("cyxij,cij->yx", windows, w)


def draw(image):
    figure, axes = plt.subplots(3)
    for ax, kernel in zip(axes, (blur, edge, sharpen)):
        picture = filter_image(image[None], kernel[None])
        ax.imshow(picture if kernel is not edge else abs(picture))
    return figure


def cells(a, k):
    return a.reshape(a.shape[0] // k, k, a.shape[1] // k, k)


def max_pool(a, k):
    return cells(a, k).max(3).max(1)


def max_pool_back(a, g, k):
    return np.where(a == np.kron(max_pool(a, k), np.ones((k, k))), np.kron(g, np.ones((k, k))), 0)


def avg_pool_back(a, g, k):
    return g.repeat(k, 0).repeat(k, 1) / (k * k)


# %% X76 alternative engine
blur = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1]]) / 9
edge = np.array([[-1, 0, 1]] * 3) * [[1], [2], [1]]
sharpen = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])


def filter_image(x, w):
    a, b = (nn.tensor(v[None], dtype=nn.float64) for v in (x, w))
    return F.conv2d(a, b, padding=w.shape[-1] // 2).numpy()[0, 0]


def draw(image):
    for i, kernel in enumerate((blur, edge, sharpen)):
        plt.figure(1)
        plt.subplot(1, 3, i + 1)
        plt.imshow(np.abs(filter_image(image[None], kernel[None])) if i == 1 else filter_image(image[None], kernel[None]))
    return plt.gcf()


def engine(kind, a, k):
    a = nn.tensor(a[None, None], dtype=nn.float64, requires_grad=True)
    return a, kind(a, k)


def max_pool(a, k):
    return engine(F.max_pool2d, a, k)[1].detach().numpy()[0, 0]


def max_pool_back(a, g, k):
    a, z = engine(F.max_pool2d, a, k)
    z.backward(gradient=g[None, None])
    return a.grad[0, 0]


def avg_pool_back(a, g, k):
    a, z = engine(F.avg_pool2d, a, k)
    z.backward(gradient=g[None, None])
    return a.grad[0, 0]


# %% X76 mutant sign
blur, sharpen = np.full((3, 3), 1 / 9), np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
edge = np.outer([1, 2, 1], [1, 0, -1])
filter_image = draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None

# %% X76 mutant level
blur, sharpen = np.full((3, 3), 1 / 9), np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
edge = np.outer([-1, 0, 1], [1, 2, 1])
filter_image = draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None

# %% X76 mutant sum-nine
blur, sharpen = np.ones((3, 3)), np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
edge = np.outer([1, 2, 1], [-1, 0, 1])
filter_image = draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None

# %% X76 mutant zero-sum
blur, sharpen = np.full((3, 3), 1 / 9), np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
edge = np.outer([1, 2, 1], [-1, 0, 1])
filter_image = draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None

# %% X76 mutant first-channel
blur = edge = sharpen = np.zeros((3, 3))
draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None


def filter_image(x, w):
    k = w.shape[-1]
    padded, out = np.pad(x[0], k // 2), np.zeros(x.shape[1:])
    for y, u in np.ndindex(out.shape):
        out[y, u] = (padded[y : y + k, u : u + k] * w[0]).sum()
    return out


# %% X76 mutant no-sum
blur = edge = sharpen = np.zeros((3, 3))
draw = max_pool = max_pool_back = avg_pool_back = lambda *a: None


def filter_image(x, w):
    k = w.shape[-1]
    padded, out = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2))), np.zeros(x.shape)
    for y, u in np.ndindex(out.shape[1:]):
        out[:, y, u] = (padded[:, y : y + k, u : u + k] * w).sum((1, 2))
    return out


# %% X76 mutant everywhere
blur = edge = sharpen = np.zeros((3, 3))
filter_image = draw = max_pool = avg_pool_back = lambda *a: None


def max_pool_back(a, g, k):
    return g.repeat(k, 0).repeat(k, 1)


# %% X76 mutant no-share
blur = edge = sharpen = np.zeros((3, 3))
filter_image = draw = max_pool = max_pool_back = lambda *a: None


def avg_pool_back(a, g, k):
    return g.repeat(k, 0).repeat(k, 1)


# %% X76 mutant ~valid
blur, sharpen = np.full((3, 3), 1 / 9), np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
edge = np.outer([1, 2, 1], [-1, 0, 1])


def filter_image(x, w):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[1:], (1, 2))
    return np.einsum("cyxij,cij->yx", windows, w)


def draw(image):
    figure, axes = plt.subplots(1, 3)
    for ax, kernel in zip(axes, (blur, edge, sharpen)):
        ax.imshow(filter_image(image[None], kernel[None]))
    return figure


def max_pool(a, k):
    return a[::k, ::k]


def max_pool_back(a, g, k):
    return g.repeat(k, 0).repeat(k, 1) / k


def avg_pool_back(a, g, k):
    return g.repeat(k, 0).repeat(k, 1) / k


# %% X74 alternative loop
def moves_along(f, x, by):
    n = x.shape[2]
    shifted = f(x[:, :, [(row - by) % n for row in range(n)]])
    still = f(x)
    for m in range(still.shape[2] + 1):
        if np.abs(shifted - np.roll(still, m, 2)).max() < 1e-9:
            return True
    return False


holds = {"circular": [1, 2, 3, 4], "zeros": [], "stride 2": [2, 4], "max pool 2": [2, 4]}
holds.update({"stride 2 + max pool 2": [4], "global max": [1, 2, 3, 4], "dense": []})

# %% X74 alternative fourier
def moves_along(f, x, by):
    after, before = f(np.roll(x, by, 2)), f(x)
    every = np.stack([np.roll(before, -m, 2) for m in range(len(before[0, 0]))])  # (rows, N, C, H, W)
    return np.abs(every - after).max((1, 2, 3, 4)).min() < 1e-9


every = (1, 2, 3, 4)
holds = dict(zip(("circular", "zeros", "stride 2", "max pool 2"), (every, (), every[1::2], every[1::2])))
holds["stride 2 + max pool 2"], holds["global max"], holds["dense"] = every[3:], every, ()

# %% X74 mutant everywhere
def moves_along(f, x, by):
    return f(x).shape == f(np.roll(x, by, 2)).shape


holds = {name: [1, 2, 3, 4] for name in layers}

# %% X74 mutant zero-input
def moves_along(f, x, by):
    x = np.zeros_like(x)
    after, before = f(np.roll(x, by, 2)), f(x)
    return any(np.allclose(after, np.roll(before, m, 2)) for m in range(before.shape[2]))


holds = {name: [1, 2, 3, 4] if name != "dense" else [] for name in layers}

# %% X74 mutant same-rows
def moves_along(f, x, by):
    return np.allclose(f(np.roll(x, by, 2)), np.roll(f(x), by, 2))


holds = {name: [by for by in (1, 2, 3, 4) if moves_along(f, x, by)] for name, f in layers.items()}

# %% X74 mutant three-rows
def moves_along(f, x, by):
    after, before = f(np.roll(x, by, 2)), f(x)
    return any(np.allclose(after, np.roll(before, m, 2)) for m in (0, 1, 2))


holds = {name: [by for by in (1, 2, 3, 4) if moves_along(f, x, by)] for name, f in layers.items()}

# %% X74 mutant stands-still
def moves_along(f, x, by):
    return np.allclose(f(np.roll(x, by, 2)), f(x))


holds = {name: [by for by in (1, 2, 3, 4) if moves_along(f, x, by)] for name, f in layers.items()}

# %% X74 mutant odd-stride
moves_along = lambda f, x, by: None
holds = {name: [1, 2, 3, 4] if name not in ("zeros", "dense") else [] for name in layers}

# %% X74 mutant border
moves_along = lambda f, x, by: None
holds = {"circular": [1, 2, 3, 4], "zeros": [1, 2, 3, 4], "stride 2": [2, 4], "max pool 2": [2, 4]}
holds |= {"stride 2 + max pool 2": [4], "global max": [1, 2, 3, 4], "dense": []}

# %% X74 mutant twice
moves_along = lambda f, x, by: None
holds = {"circular": [1, 2, 3, 4], "zeros": [], "stride 2": [2, 4], "max pool 2": [2, 4]}
holds |= {"stride 2 + max pool 2": [2, 4], "global max": [1, 2, 3, 4], "dense": []}

# %% X68 alternative loops
def batch_norm(x, eps):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        out[:, c] = (x[:, c] - x[:, c].mean()) / (x[:, c].var() + eps) ** 0.5
    return out


def layer_norm(x, eps):
    return np.stack([(a - a.mean()) / (a.var() + eps) ** 0.5 for a in x])


def group_norm(x, groups, eps):
    out, size = np.empty_like(x), x.shape[1] // groups
    for n in range(len(x)):
        for g in range(groups):
            a = x[n, g * size : (g + 1) * size]
            out[n, g * size : (g + 1) * size] = (a - a.mean()) / (a.var() + eps) ** 0.5
    return out


def update(mean, var, x, momentum):
    n = x.size // x.shape[1]
    batch = np.array([[x[:, c].mean(), x[:, c].var() * n / (n - 1)] for c in range(x.shape[1])])
    return (1 - momentum) * mean + momentum * batch[:, 0], (1 - momentum) * var + momentum * batch[:, 1]


def batch_norm_eval(x, mean, var, eps):
    return np.stack([(x[:, c] - mean[c]) / (var[c] + eps) ** 0.5 for c in range(x.shape[1])], axis=1)


# %% X68 alternative modules
def tensors(*arrays):
    return [nn.tensor(a, dtype=nn.float64) for a in arrays]


def batch_norm(x, eps):
    return nn.BatchNorm2d(x.shape[1], eps=eps, affine=False).double()(*tensors(x))


def layer_norm(x, eps):
    return nn.GroupNorm(1, x.shape[1], eps=eps).double()(*tensors(x)).detach()


def group_norm(x, groups, eps):
    return nn.GroupNorm(groups, x.shape[1], eps=eps).double()(*tensors(x)).detach()


def update(mean, var, x, momentum):
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    keep = 1 - momentum
    return mean * keep + rows.mean(0) * momentum, var * keep + np.cov(rows.T).diagonal() * momentum


def batch_norm_eval(x, mean, var, eps):
    return np.moveaxis((np.moveaxis(x, 1, -1) - mean) / np.sqrt(var + eps), -1, 1)


# %% X68 mutant batch-only
layer_norm = group_norm = update = batch_norm_eval = lambda *a: None


def batch_norm(x, eps):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + eps)


# %% X68 mutant channels-only
batch_norm = group_norm = update = batch_norm_eval = lambda *a: None


def layer_norm(x, eps):
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps)


# %% X68 mutant interleaved
batch_norm = layer_norm = update = batch_norm_eval = lambda *a: None


def group_norm(x, groups, eps):
    out = np.empty_like(x)
    for g in range(groups):
        a = x[:, g::groups]
        out[:, g::groups] = (a - a.mean((1, 2, 3), keepdims=True)) / np.sqrt(a.var((1, 2, 3), keepdims=True) + eps)
    return out


# %% X68 mutant batch-in-eval
batch_norm = layer_norm = group_norm = update = lambda *a: None


def batch_norm_eval(x, mean, var, eps):
    return (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)


# %% X68 mutant biased
batch_norm = layer_norm = group_norm = batch_norm_eval = lambda *a: None


def update(mean, var, x, momentum):
    return mean + momentum * (x.mean((0, 2, 3)) - mean), var + momentum * (x.var((0, 2, 3)) - var)


# %% X68 mutant swapped
batch_norm = layer_norm = group_norm = batch_norm_eval = lambda *a: None


def update(mean, var, x, m):
    return m * mean + (1 - m) * x.mean((0, 2, 3)), m * var + (1 - m) * x.var((0, 2, 3), ddof=1)


# %% X68 mutant unbiased
layer_norm = group_norm = update = batch_norm_eval = lambda *a: None


def batch_norm(x, eps):
    return (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True, ddof=1) + eps)


# %% X68 mutant eps
batch_norm = group_norm = update = batch_norm_eval = lambda *a: None


def layer_norm(x, eps):
    return (x - x.mean((1, 2, 3), keepdims=True)) / (x.std((1, 2, 3), keepdims=True) + eps)


# %% X68 mutant ~variance
batch_norm = update = batch_norm_eval = group_norm = lambda *a: None


def layer_norm(x, eps):
    return (x - x.mean((1, 2, 3), keepdims=True)) / (x.var((1, 2, 3), keepdims=True) + eps)


# %% X85 alternative loops
def im2col(x, k, stride, padding):
    N, C, H, W = x.shape
    X = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    X[:, :, padding : padding + H, padding : padding + W] = x
    rows = []
    for n in range(N):
        for y in range(0, X.shape[2] - k + 1, stride):
            for u in range(0, X.shape[3] - k + 1, stride):
                rows.append(X[n, :, y : y + k, u : u + k].flatten())
    return np.array(rows)


def conv2d(x, weight, bias, stride, padding):
    N, K, k = len(x), len(weight), weight.shape[-1]
    oh, ow = [(n + 2 * padding - k) // stride + 1 for n in x.shape[2:]]
    rows, out = im2col(x, k, stride, padding), np.zeros((N, K, oh, ow))
    for r, (n, y, u) in enumerate(np.ndindex(N, oh, ow)):
        for f in range(K):
            out[n, f, y, u] = rows[r] @ weight[f].ravel() + bias[f]
    return out


# %% X85 alternative einsum
def im2col(x, k, stride, padding):
    X = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    oh, ow = ((n - k) // stride + 1 for n in X.shape[2:])
    parts = [
        X[:, :, i : i + stride * (oh - 1) + 1 : stride, j : j + stride * (ow - 1) + 1 : stride]
        for i in range(k) for j in range(k)
    ]
    return np.stack(parts, 2).transpose(0, 3, 4, 1, 2).reshape(len(x) * oh * ow, -1)


def conv2d(x, weight, bias, stride, padding):
    X = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    view = np.lib.stride_tricks.sliding_window_view(X, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxij,fcij->nfyx", view, weight) + bias[:, None, None]


# %% X85 mutant channels-last
def im2col(x, k, stride, padding):
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(X, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return view.transpose(0, 2, 3, 4, 5, 1).reshape(-1, x.shape[1] * k * k)


def conv2d(x, weight, bias, stride, padding):
    return None


# %% X85 mutant not-moved
def im2col(x, k, stride, padding):
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(X, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * k * k)


def conv2d(x, weight, bias, stride, padding):
    k = weight.shape[-1]
    oh, ow = [(n + 2 * padding - k) // stride + 1 for n in x.shape[2:]]
    out = im2col(x, k, stride, padding) @ weight.reshape(len(weight), -1).T + bias
    return out.reshape(len(x), len(weight), oh, ow)


# %% X85 mutant flipped
def im2col(x, k, stride, padding):
    return None


def conv2d(x, weight, bias, stride, padding):
    X = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    view = np.lib.stride_tricks.sliding_window_view(X, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxij,fcij->nfyx", view, weight[..., ::-1, ::-1]) + bias[:, None, None]


# %% X85 mutant no-bias
def im2col(x, k, stride, padding):
    return None


def conv2d(x, weight, bias, stride, padding):
    X = np.pad(x, [(0, 0)] * 2 + [(padding, padding)] * 2)
    view = np.lib.stride_tricks.sliding_window_view(X, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxij,fcij->nfyx", view, weight)


# %% X85 mutant no-padding
def im2col(X, k, stride, padding):
    view = np.lib.stride_tricks.sliding_window_view(X, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(-1, X.shape[1] * k * k)


def conv2d(x, weight, bias, stride, padding):
    view = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxij,fcij->nfyx", view, weight) + bias[:, None, None]


# %% X85 mutant ~transposed
def im2col(x, k, stride, padding):
    X = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(X, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return view.transpose(0, 3, 2, 1, 4, 5).reshape(-1, x.shape[1] * k * k)


def conv2d(x, weight, bias, stride, padding):
    return None


# %% X86 alternative places
def conv2d_back(g, x, weight, stride, padding):
    p, k = padding, weight.shape[-1]
    X = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dX, dW, db = np.zeros(X.shape), np.zeros(weight.shape), np.zeros(len(weight))
    for n in range(len(x)):
        for f in range(len(weight)):
            for y in range(g.shape[2]):
                for u in range(g.shape[3]):
                    at = n, slice(None), slice(y * stride, y * stride + k), slice(u * stride, u * stride + k)
                    dX[at] += g[n, f, y, u] * weight[f]
                    dW[f] += g[n, f, y, u] * X[at]
                    db[f] += g[n, f, y, u]
    return dX[:, :, p : X.shape[2] - p, p : X.shape[3] - p], dW, db


# %% X86 alternative matrix
def conv2d_back(g, x, weight, stride, padding):
    k, C = weight.shape[-1], x.shape[1]
    place = np.pad(np.arange(x.size).reshape(x.shape) + 1, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(place, (k, k), (2, 3))[:, :, ::stride, ::stride]
    index = view.transpose(0, 2, 3, 1, 4, 5).reshape(-1, C * k * k)  # whose number each window holds; 0: padding
    rows = np.append(0, x.ravel())[index]
    G = g.transpose(0, 2, 3, 1).reshape(-1, len(weight))
    dx = np.bincount(index.ravel(), (G @ weight.reshape(len(weight), -1)).ravel(), x.size + 1)[1:]
    return dx.reshape(x.shape), (G.T @ rows).reshape(weight.shape), G.sum(0)


# %% X86 mutant overwrite
def conv2d_back(g, x, weight, stride, padding):
    p, k = padding, weight.shape[-1]
    dX = np.zeros((*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    for n, y, u in np.ndindex(len(g), *g.shape[2:]):
        dX[n, :, y * stride : y * stride + k, u * stride : u * stride + k] = np.tensordot(g[n, :, y, u], weight, 1)
    return dX[:, :, p : p + x.shape[2], p : p + x.shape[3]], None, None


# %% X86 mutant keeps-padding
def conv2d_back(g, x, weight, stride, padding):
    p, k = padding, weight.shape[-1]
    dX = np.zeros((*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    for n, y, u in np.ndindex(len(g), *g.shape[2:]):
        dX[n, :, y * stride : y * stride + k, u * stride : u * stride + k] += np.tensordot(g[n, :, y, u], weight, 1)
    return dX, None, None


# %% X86 mutant not-turned
def conv2d_back(g, x, weight, stride, padding):
    p, k = padding, weight.shape[-1]
    dX = np.zeros((*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    turned = weight[:, :, ::-1, ::-1]
    for n, y, u in np.ndindex(len(g), *g.shape[2:]):
        dX[n, :, y * stride : y * stride + k, u * stride : u * stride + k] += np.tensordot(g[n, :, y, u], turned, 1)
    return dX[:, :, p : p + x.shape[2], p : p + x.shape[3]], None, None


# %% X86 mutant first-example
def conv2d_back(g, x, weight, stride, padding):
    p, k = padding, weight.shape[-1]
    X = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dW = np.zeros_like(weight)
    for f, y, u in np.ndindex(*g.shape[1:]):
        dW[f] += g[0, f, y, u] * X[0, :, y * stride : y * stride + k, u * stride : u * stride + k]
    return None, dW, None


# %% X86 mutant bias-mean
def conv2d_back(g, x, weight, stride, padding):
    return None, None, g.mean((0, 2, 3))


# %% X86 mutant bias-batch
def conv2d_back(g, x, weight, stride, padding):
    return None, None, g.sum((2, 3))


# %% X86 mutant ~no-batch-sum
def conv2d_back(g, x, weight, stride, padding):
    return 0 * x, weight, g.sum()


# %% X87 alternative vectorised
def max_pool_back2d(g, x, k, stride):
    N, C, oh, ow = g.shape
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    i, j = np.divmod(view.reshape(N, C, oh, ow, k * k).argmax(-1), k)
    n, c, y, u = np.indices(g.shape)
    dx = np.zeros(x.shape)
    np.add.at(dx, (n, c, y * stride + i, u * stride + j), g)
    return dx


# %% X87 alternative engine
def max_pool_back2d(g, x, k, stride):
    x = nn.tensor(x, dtype=nn.float64, requires_grad=True)
    F.max_pool2d(x, k, stride).backward(gradient=g)
    return x.grad


# %% X87 mutant as-given
def max_pool_back2d(g, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, y, u in np.ndindex(g.shape):
        top, left = y * stride, u * stride
        window = x[n, c, top : top + k, left : left + k]
        winner = window == window.max()
        dx[n, c, top : top + k, left : left + k][winner] = g[n, c, y, u]
    return dx


# %% X87 mutant overwrite
def max_pool_back2d(g, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, y, u in np.ndindex(g.shape):
        i, j = divmod(x[n, c, y * stride : y * stride + k, u * stride : u * stride + k].argmax(), k)
        dx[n, c, y * stride + i, u * stride + j] = g[n, c, y, u]
    return dx


# %% X87 mutant all-winners
def max_pool_back2d(g, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, y, u in np.ndindex(g.shape):
        at = n, c, slice(y * stride, y * stride + k), slice(u * stride, u * stride + k)
        dx[at] += g[n, c, y, u] * (x[at] == x[at].max())
    return dx


# %% X87 mutant last-winner
def max_pool_back2d(g, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, y, u in np.ndindex(g.shape):
        window = x[n, c, y * stride : y * stride + k, u * stride : u * stride + k]
        i, j = divmod(k * k - 1 - window[::-1, ::-1].argmax(), k)
        dx[n, c, y * stride + i, u * stride + j] += g[n, c, y, u]
    return dx


# %% X87 mutant ~shared
def max_pool_back2d(g, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, y, u in np.ndindex(g.shape):
        at = n, c, slice(y * stride, y * stride + k), slice(u * stride, u * stride + k)
        winners = x[at] == x[at].max()
        dx[at] += g[n, c, y, u] * winners / winners.sum()
    return dx
