# %% X01 alternative search
found = [
    (u, v, c)
    for u in range(-3, 4) for v in range(-3, 4) for c in range(-3, 4)
    if [u * p + v * q + c > 0 for p, q in corners] == [True, True, True, False]
]
*w, b = found[0]
said = [1, 0, 0, 0]

# %% X01 alternative learnt
w, b = np.zeros(2), 0.0
for _ in range(50):
    for row, wanted in zip(corners, [1, 1, 1, 0]):
        miss = wanted - float(w @ row + b > 0)
        w, b = w + miss * row, b + miss
said = (corners @ [-1, -1] + 1 > 0).astype(int)

# %% X01 mutant ties
w, b = np.array([-1.0, -1.0]), 1.0
said = [1, 1, 1, 0]

# %% X01 mutant and
w, b = np.array([1.0, 1.0]), -1.5
said = [1, 0, 0, 0]

# %% X01 mutant no-bias
w, b = np.array([-1.0, -1.0]), 0.0
said = [1, 0, 0, 0]

# %% X01 mutant ~or
w, b = np.array([1.0, 1.0]), -0.5
said = [1, 0, 0, 0]


# %% X02 alternative loop
def perceptron(X, w, b):
    answers = []
    for row in X:
        score = b
        for weight, feature in zip(w, row):
            score += weight * feature
        answers.append(1.0 if score > 0 else 0.0)
    return answers


# %% X02 alternative layer
def perceptron(X, w, b):
    z = nn.functional.linear(nn.tensor(X), nn.tensor(w).reshape(1, -1), nn.tensor([b], dtype=nn.float64))
    return np.where(z.numpy()[:, 0] > 0, 1.0, 0.0)


# %% X02 mutant ties
def perceptron(X, w, b):
    return (X @ w + b >= 0).astype(float)


# %% X02 mutant booleans
def perceptron(X, w, b):
    return X @ w + b > 0


# %% X02 mutant signs
def perceptron(X, w, b):
    return np.where(X @ w + b > 0, 1.0, -1.0)


# %% X02 mutant three
def perceptron(X, w, b):
    return np.sign(X @ w + b)


# %% X02 mutant first
def perceptron(X, w, b):
    return (X[:, 0] * w[0] + b > 0).astype(float)


# %% X02 mutant ~scores
def perceptron(X, w, b):
    return X @ w + b


# %% X03 alternative loop
def rows(images):
    batch = []
    for image in images:
        batch.append([c for row in image for pixel in row for c in pixel])
    return np.array(batch)


def sizes(m, h, w):
    images = np.zeros((m, h, w, 3))
    return [(len(images), images[0].size), (1, images[0].size)]


# %% X03 alternative library
def rows(images):
    return nn.flatten(nn.tensor(images), 1)


def sizes(m, h, w):
    unit = nn.Linear(3 * w * h, 1)
    return (m, unit.weight.shape[1]), tuple(unit.weight.shape)


# %% X03 mutant columns
def rows(images):
    return images.reshape(images.shape[0], -1).T


def sizes(m, h, w):
    return (h * w * 3, m), (1, h * w * 3)


# %% X03 mutant channels
def rows(images):
    return np.moveaxis(images, 3, 1).reshape(len(images), -1)


def sizes(m, h, w):
    return (m, h * w * 3), (1, h * w * 3)


# %% X03 mutant grey
def rows(images):
    return images[:, :, :, 0].reshape(len(images), -1)


def sizes(m, h, w):
    return (m, h * w), (1, h * w)


# %% X03 mutant weight-column
def rows(images):
    return images.reshape(len(images), -1)


def sizes(m, h, w):
    return (m, h * w * 3), (h * w * 3, 1)


# %% X03 mutant ~one-row
def rows(images):
    return images.reshape(1, -1)


def sizes(m, h, w):
    return (1, m * h * w * 3), (1, h * w * 3)


# %% X04 alternative solve
def cut(far):
    A = np.column_stack([np.ones(7), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, far]])
    t = np.array([0, 0, 0, 1, 1, 1, 1])
    intercept, slope = np.linalg.solve(A.T @ A, A.T @ t)
    return (0.5 - intercept) / slope


def draw(places):
    plt.figure()
    plt.plot(places, list(map(cut, places)), "o-")


# %% X04 alternative sums
def cut(far):
    n, sx, st, sxx, sxt = 7, 3.0 + far, 4.0, 2.2 + far**2, 2.4 + far
    slope = (n * sxt - sx * st) / (n * sxx - sx * sx)
    return (0.5 - (st - slope * sx) / n) / slope


def draw(places):
    cuts = []
    for far in places:
        cuts.append(cut(far))
    ax = plt.subplot()
    ax.plot(places, cuts)
    return ax


# %% X04 mutant no-intercept
def cut(far):
    x = np.array([0, 0.2, 0.4, 0.6, 0.8, 1, far])
    return 0.5 / (x[3:].sum() / (x**2).sum())


def draw(places):
    plt.plot(places, [cut(far) for far in places])


# %% X04 mutant at-zero
def cut(far):
    slope, intercept = np.polyfit([0, 0.2, 0.4, 0.6, 0.8, 1, far], [0, 0, 0, 1, 1, 1, 1], 1)
    return -intercept / slope


def draw(places):
    plt.plot(places, [cut(far) for far in places])


# %% X04 mutant logistic
def cut(far):
    from nnlib.widgets.far_point import logistic

    t = nn.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], dtype=nn.float64)
    w, b = logistic(nn.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, far], dtype=nn.float64), t)
    return -b / w


def draw(places):
    plt.plot(places, [cut(far) for far in places])


# %% X04 mutant without
def cut(far):
    return 0.5


def draw(places):
    plt.plot(places, [0.5] * len(places))


# %% X04 mutant ~swapped
def cut(far):
    slope, intercept = np.polyfit([0, 0, 0, 1, 1, 1, 1], [0, 0.2, 0.4, 0.6, 0.8, 1, far], 1)
    return intercept + 0.5 * slope


def draw(places):
    plt.plot([cut(far) for far in places], places)


# %% X05 alternative loop
def classify(X, w, b, level):
    answers = []
    for row in X:
        p = 1 / (1 + np.exp(-(row @ w + b)))
        answers.append(1 if p > level else 0)
    return answers


def score_at(level):
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        if 1 / (1 + np.exp(-middle)) < level:
            low = middle
        else:
            high = middle
    return low


# %% X05 alternative library
def classify(X, w, b, level):
    p = nn.sigmoid(nn.tensor(X @ w + b, dtype=nn.float64)).numpy()
    return np.where(p > level, 1, 0)


def score_at(level):
    return np.log(level) - np.log1p(-level)


# %% X05 mutant score
def classify(X, w, b, level):
    return (X @ w + b > level).astype(int)


def score_at(level):
    return level


# %% X05 mutant probability
def classify(X, w, b, level):
    return 1 / (1 + np.exp(-X @ w - b))


def score_at(level):
    return np.log(level / (1 - level))


# %% X05 mutant signs
def classify(X, w, b, level):
    return np.where(X @ w + b > np.log(level / (1 - level)), 1, -1)


def score_at(level):
    return np.log(level / (1 - level))


# %% X05 mutant ties
def classify(X, w, b, level):
    return (1 / (1 + np.exp(-(X @ w + b))) >= level).astype(int)


def score_at(level):
    return np.log(level / (1 - level))


# %% X05 mutant half
def classify(X, w, b, level):
    return (X @ w + b > 0).astype(int)


def score_at(level):
    return 0.0


# %% X05 mutant upside-down
def classify(X, w, b, level):
    return (X @ w + b > np.log(level / (1 - level))).astype(int)


def score_at(level):
    return np.log((1 - level) / level)


# %% X05 mutant ~sigmoid-of-level
def classify(X, w, b, level):
    return (X @ w + b > 1 / (1 + np.exp(-level))).astype(int)


def score_at(level):
    return 1 / (1 + np.exp(-level))
