# %% X11 alternative loop
def six(x, leaving, b1, v, c):
    row = []
    total = c
    for unit in range(2):
        z = b1[unit]
        for i, value in enumerate(x):
            z += value * leaving[i, unit]
        h = sigmoid(z)
        total += v[unit] * h
        row += [z, h]
    return [*row, total, sigmoid(total)]


by_hand = six([0.4, 0.2, 0.2], np.array([[1, 0.5], [0.2, 1.2], [1.2, 0.1]]), [0.1, 0.2], [0.3, 0.9], 0.3)

# %% X11 alternative modules
def six(x, leaving, b1, v, c):
    z = nn.functional.linear(nn.tensor(x), nn.tensor(leaving.T.copy()), nn.tensor(b1))
    h = nn.sigmoid(z)
    out = (nn.tensor(v) * h).sum() + c
    return np.append(np.stack([z.numpy(), h.numpy()], axis=1).ravel(), [out.item(), nn.sigmoid(out).item()])


z1, z2 = 0.4 + 0.04 + 0.24 + 0.1, 0.2 + 0.24 + 0.02 + 0.2
out = 0.3 * sigmoid(z1) + 0.9 * sigmoid(z2) + 0.3
by_hand = np.array([z1, sigmoid(z1), z2, sigmoid(z2), out, sigmoid(out)])

# %% X11 mutant slide
by_hand = [0.78, 0.68, 0.49, 0.62, 1.062, 0.74]


def six(x, leaving, b1, v, c):
    raise NotImplementedError


# %% X11 mutant sign
def six(x, leaving, b1, v, c):
    z = leaving.T @ x + b1
    h = 1 / (1 + np.exp(z))
    out = v @ h + c
    return np.array([z[0], h[0], z[1], h[1], out, 1 / (1 + np.exp(out))])


by_hand = [0.78, 0.3143, 0.66, 0.6593, 0.98, 0.73]

# %% X11 mutant dealt-again
def six(x, leaving, b1, v, c):
    z = leaving.reshape(2, 3) @ x + b1
    h = sigmoid(z)
    out = v @ h + c
    return np.array([z[0], h[0], z[1], h[1], out, sigmoid(out)])


by_hand = ...

# %% X11 mutant no-bias
def six(x, leaving, b1, v, c):
    z = leaving.T @ x
    h = sigmoid(z)
    out = v @ h + c
    return np.array([z[0], h[0], z[1], h[1], out, sigmoid(out)])


by_hand = [0.68, sigmoid(0.68), 0.46, sigmoid(0.46), 1, 1]

# %% X11 mutant no-squash
def six(x, leaving, b1, v, c):
    z = leaving.T @ x + b1
    return np.array([z[0], z[0], z[1], z[1], v @ z + c, v @ z + c])


by_hand = [0.78, 0.78, 0.66, 0.66, 1.128, 1.128]

# %% X11 mutant ~rounded
by_hand = [0.78, 0.69, 0.66, 0.66, 1.1, 0.75]


def six(x, leaving, b1, v, c):
    z = leaving.T @ x + b1
    return np.array([*z, *sigmoid(z), v @ sigmoid(z) + c, sigmoid(v @ sigmoid(z) + c)])


# %% X12 alternative computed
x, W1, b1 = np.array([0.5, -1.0, 0.3]), np.array([[0.8, 0.2, -1.0], [-0.6, 0.4, 1.0]]), np.array([0.1, 0.2])
z = W1 @ x + b1
out = np.array([1.5, -1.0]) @ sigmoid(z) + 0.3
repaired = np.array([z[1], sigmoid(z[1]), out, sigmoid(out)])
slips = dict([(6, 1), (3, 2)])

# %% X12 alternative steps
slips = {line: {3: 2, 6: 1}.get(line, 0) for line in range(1, 7)}
repaired = []
for term in (-0.3, -0.4, 0.3, 0.2):
    repaired = [term + sum(repaired)]
repaired.append(1 / (1 + np.exp(-repaired[0])))
repaired.append(0.75 - repaired[1] + 0.3)
repaired.append(sigmoid(repaired[2]))

# %% X12 mutant inherited
slips, repaired = {3: 2, 4: 1, 5: 1, 6: 1}, ...

# %% X12 mutant one-of-two
slips, repaired = {3: 1, 6: 1}, ...

# %% X12 mutant bias-left
slips, repaired = {3: 2, 6: 1}, [-0.38, sigmoid(-0.38), 1.05 - sigmoid(-0.38), sigmoid(1.05 - sigmoid(-0.38))]

# %% X12 mutant product-left
slips, repaired = {3: 2, 6: 1}, [0.6, sigmoid(0.6), 1.05 - sigmoid(0.6), sigmoid(1.05 - sigmoid(0.6))]

# %% X12 mutant no-bias
slips, repaired = {3: 2, 6: 1}, [-0.4, sigmoid(-0.4), 1.05 - sigmoid(-0.4), sigmoid(1.05 - sigmoid(-0.4))]

# %% X12 mutant sign-left
slips, repaired = {3: 2, 6: 1}, [-0.2, 0.450166, 0.599834, 1 - 0.645618]

# %% X12 mutant as-printed
slips, repaired = {3: 2, 6: 1}, [0.42, 0.603483, 0.446517, 1 - 0.390189]

# %% X12 mutant ~two-digits
slips, repaired = {2: 1, 3: 2, 6: 1}, [-0.2, 0.45, 0.60, 0.65]


# %% X14 alternative turned
def forward_rows(X, layers):
    for number, (W, b) in enumerate(layers, start=1):
        X = np.einsum("ni,oi->no", X, W) + b
        X = sigmoid(X) if number < len(layers) else X
    return X


def forward_columns(X, layers):
    return forward_rows(X.T, layers).T


# %% X14 alternative one-by-one
def forward_columns(X, layers):
    outputs = []
    for example in X.T:
        for W, b in layers:
            z = W @ example + b
            example = sigmoid(z)
        outputs.append(z)
    return np.array(outputs).T


def forward_rows(X, layers):
    outputs = np.zeros((len(X), 1))
    for n in range(len(X)):
        h = X[n]
        for W, b in layers:
            z = [sum(w * v for w, v in zip(unit, h)) + bias for unit, bias in zip(W, b)]
            h = [sigmoid(one) for one in z]
        outputs[n] = z
    return outputs


# %% X14 mutant stretched
def forward_columns(X, layers):
    for W, b in layers[:-1]:
        X = sigmoid(W @ X + b)
    W, b = layers[-1]
    return W @ X + b


forward_rows = ...

# %% X14 mutant squashed
def forward_columns(X, layers):
    for W, b in layers:
        X = sigmoid(W @ X + b[:, None])
    return X


def forward_rows(X, layers):
    for W, b in layers:
        X = sigmoid(X @ W.T + b)
    return X


# %% X14 mutant stretched-squashed
def forward_columns(X, layers):
    for W, b in layers:
        X = sigmoid(W @ X + b)
    return X


forward_rows = ...

# %% X14 mutant reshaped
forward_columns = ...


def forward_rows(X, layers):
    X = X.reshape(3, -1)
    for W, b in layers[:-1]:
        X = sigmoid(W @ X + b[:, None])
    return (layers[-1][0] @ X + layers[-1][1]).T


# %% X14 mutant one-shape
forward_columns = ...


def forward_rows(X, layers):
    for W, b in layers[:-1]:
        X = sigmoid(X @ W.T + b)
    return layers[-1][0] @ X.T + layers[-1][1]


# %% X14 mutant linear
def forward_columns(X, layers):
    for W, b in layers:
        X = W @ X + b[:, None]
    return X


def forward_rows(X, layers):
    for W, b in layers:
        X = X @ W.T + b
    return X


# %% X14 mutant ~no-bias
def forward_columns(X, layers):
    for W, _ in layers[:-1]:
        X = sigmoid(W @ X)
    return layers[-1][0] @ X


def forward_rows(X, layers):
    return forward_columns(X.T, layers).T


# %% X15 alternative loop
def count(sizes):
    total = 0
    for l in range(1, len(sizes)):
        total += sizes[l - 1] * sizes[l] + sizes[l]
    return total


def widest(D_i, D_o, budget):
    D = 1
    while count([D_i, D + 1, D_o]) <= budget:
        D += 1
    return D


# %% X15 alternative vectorised
def count(sizes):
    n = np.array(sizes)
    return n[:-1] @ n[1:] + n[1:].sum()


def widest(D_i, D_o, budget):
    widths = np.arange(1, budget)
    return widths[(D_i + 1) * widths + (widths + 1) * D_o <= budget][-1]


# %% X15 mutant no-bias
def count(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


def widest(D_i, D_o, budget):
    return budget // (D_i + D_o)


# %% X15 mutant input-bias
def count(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes)


widest = ...

# %% X15 mutant input-added
def count(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sizes[0]


widest = ...

# %% X15 mutant one-too-many
count = ...


def widest(D_i, D_o, budget):
    D = 1
    while (D_i + 1) * D + (D + 1) * D_o <= budget:
        D += 1
    return D


# %% X15 mutant output-bias
count = ...


def widest(D_i, D_o, budget):
    return budget // (D_i + 1 + D_o)


# %% X15 mutant ~units
def count(sizes):
    return sum(sizes)


def widest(D_i, D_o, budget):
    return budget // D_i


# %% X16 alternative matrix
def wired(theta):
    W = np.zeros((3, 4))
    for (unit, source), t in zip([(0, 0), (0, 1), (1, 2), (2, 2), (2, 3)], [0, 1, 3, 5, 6]):
        W[unit, source] = theta[t]
    return W


def house(theta, x):
    hidden = np.maximum(x @ wired(theta).T + theta[[2, 4, 7]], 0)
    return hidden @ theta[8:11] + theta[11]


def draw_price(theta, x, sizes):
    plt.figure()
    prices = []
    for size in sizes:
        prices.append(house(theta, np.array([[size, *x[1:]]]))[0])
    plt.plot(sizes, prices)


# %% X16 alternative loop
def house(theta, x):
    prices = []
    for size, beds, zip_code, wealth in x:
        a1 = max(0.0, theta[0] * size + theta[1] * beds + theta[2])
        a2 = max(0.0, theta[3] * zip_code + theta[4])
        a3 = max(0.0, theta[5] * zip_code + theta[6] * wealth + theta[7])
        prices.append(theta[8] * a1 + theta[9] * a2 + theta[10] * a3 + theta[11])
    return prices


def wired(theta):
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
    W = mask.astype(float)
    W[mask == 1] = theta[[0, 1, 3, 5, 6]]
    return W


def draw_price(theta, x, sizes):
    ax = plt.subplot()
    ax.plot(sizes, house(theta, [(s, x[1], x[2], x[3]) for s in sizes]))
    return ax


# %% X16 mutant relu-out
def house(theta, x):
    a = np.maximum(x @ wired(theta).T + theta[[2, 4, 7]], 0)
    return np.maximum(a @ theta[8:11] + theta[11], 0)


def wired(theta):
    return np.array([[theta[0], theta[1], 0, 0], [0, 0, theta[3], 0], [0, 0, theta[5], theta[6]]])


def draw_price(theta, x, sizes):
    plt.plot(sizes, house(theta, np.array([(s, *x[1:]) for s in sizes])))


# %% X16 mutant theta5
def house(theta, x):
    a1 = np.maximum(theta[0] * x[:, 0] + theta[1] * x[:, 1] + theta[2], 0)
    a2 = np.maximum(theta[3] * x[:, 2] + theta[4] * x[:, 2], 0)
    a3 = np.maximum(theta[5] * x[:, 2] + theta[6] * x[:, 3] + theta[7], 0)
    return theta[8] * a1 + theta[9] * a2 + theta[10] * a3 + theta[11]


wired = draw_price = ...

# %% X16 mutant no-relu
def house(theta, x):
    a1 = theta[0] * x[:, 0] + theta[1] * x[:, 1] + theta[2]
    a2 = theta[3] * x[:, 2] + theta[4]
    a3 = theta[5] * x[:, 2] + theta[6] * x[:, 3] + theta[7]
    return theta[8] * a1 + theta[9] * a2 + theta[10] * a3 + theta[11]


wired = ...


def draw_price(theta, x, sizes):
    plt.plot(sizes, house(theta, np.array([(s, *x[1:]) for s in sizes])))


# %% X16 mutant full
house = draw_price = ...


def wired(theta):
    return np.reshape(theta, (3, 4))


# %% X16 mutant turned
house = draw_price = ...


def wired(theta):
    return np.array([[theta[0], theta[1], 0, 0], [0, 0, theta[3], 0], [0, 0, theta[5], theta[6]]]).T


# %% X16 mutant ~from-one
def house(theta, x):
    a1 = np.maximum(theta[1] * x[:, 0] + theta[2] * x[:, 1] + theta[3], 0)
    return theta[9] * a1


def wired(theta):
    return np.zeros((3, 4))


def draw_price(theta, x, sizes):
    plt.plot(sizes, 0 * sizes)
