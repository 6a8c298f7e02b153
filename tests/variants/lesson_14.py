# %% X69 alternative slices
z = [sum(a * b for a, b in zip((1, 2, 3), (0, 3, 1, 4, 1, 5, 9, 0)[i:])) for i in range(6)]


def band_matrix(w, n):
    long = np.zeros((n, n + len(w) - 1))
    for i in range(n):
        long[i, i : i + len(w)] = w
    half = len(w) // 2
    return long[:, half : half + n]


# %% X69 alternative diagonals
z = np.correlate([3, 1, 4, 1, 5, 9], [1, 2, 3], "same")


def band_matrix(w, n):
    return sum(w[j] * np.eye(n, k=j - len(w) // 2) for j in range(len(w)))


# %% X69 mutant flipped
z = np.convolve([3, 1, 4, 1, 5, 9], [1, 2, 3], "same")


def band_matrix(w, n):
    return sum(w[j] * np.eye(n, k=len(w) // 2 - j) for j in range(len(w)))


# %% X69 mutant wraps
z = [1 * 9 + 2 * 3 + 3 * 1, 17, 12, 21, 38, 5 + 18 + 9]


def band_matrix(w, n):
    Q = np.zeros((n, n))
    for i in range(n):
        for j, weight in enumerate(w):
            Q[i, (i + j - len(w) // 2) % n] += weight
    return Q


# %% X69 mutant one-side
z = [9, 9, 17, 12, 21, 38]


def band_matrix(w, n):
    return sum(w[j] * np.eye(n, k=j - len(w) + 1) for j in range(len(w)))


# %% X69 mutant ~negative
z = [9, 17, 12, 21, 38, 23]


def band_matrix(w, n):
    Q = np.zeros((n, n))
    for i in range(n):
        for j, weight in enumerate(w):
            if i + j - len(w) // 2 < n:
                Q[i, i + j - len(w) // 2] = weight  # a negative place counts from the end
    return Q


# %% X70 alternative ranges
def offsets(k):
    half = (k - 1) // 2
    return list(range(-half, half + 1))


def reads(i, k, n):
    half = (k - 1) // 2
    return list(range(max(0, i - half), min(n, i + half + 1)))


# %% X70 alternative arrays
def offsets(k):
    return np.arange(k) - k // 2


def reads(i, k, n):
    places = i + offsets(k)
    return places[(places >= 0) & (places < n)]


# %% X70 mutant half
def offsets(k):
    return [j - k / 2 for j in range(k)]


def reads(i, k, n):
    return [i + o for o in offsets(k) if 0 <= i + o < n]


# %% X70 mutant up
def offsets(k):
    return [j - round((k + 0.5) / 2) for j in range(k)]


def reads(i, k, n):
    return [i + o for o in offsets(k) if 0 <= i + o < n]


# %% X70 mutant zero
def offsets(k):
    return [j for j in range(k)]


def reads(i, k, n):
    return [i + o for o in offsets(k) if 0 <= i + o < n]


# %% X70 mutant outside
def offsets(k):
    return [j - k // 2 for j in range(k)]


def reads(i, k, n):
    return [i + j - k // 2 for j in range(k)]


# %% X70 mutant below
def offsets(k):
    return [j - k // 2 for j in range(k)]


def reads(i, k, n):
    return [i + o for o in offsets(k) if i + o < n]


# %% X70 mutant last
def offsets(k):
    return [j - k // 2 for j in range(k)]


def reads(i, k, n):
    return [i + o for o in offsets(k) if 0 <= i + o <= n]


# %% X71 alternative counting
def out_length(n, k, s, p, d):
    windows, end = 0, d * (k - 1) + 1
    while end <= n + 2 * p:
        windows, end = windows + 1, end + s
    return windows


def left_over(n, k, s, p, d):
    end = d * (k - 1) + 1
    while end + s <= n + 2 * p:
        end += s
    return n + 2 * p - end


# %% X71 alternative engine
def out_length(n, k, s, p, d):
    return nn.Conv1d(1, 1, k, stride=s, padding=p, dilation=d)(nn.zeros(1, 1, n)).shape[-1]


def left_over(n, k, s, p, d):
    return divmod(n + 2 * p - 1 - d * (k - 1), s)[1]


# %% X71 mutant ceil
def out_length(n, k, s, p, d):
    return -((d * (k - 1) + 1 - n - 2 * p) // s) + 1


def left_over(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) % s


# %% X71 mutant no-dilation
def out_length(n, k, s, p, d):
    return (n + 2 * p - k) // s + 1


def left_over(n, k, s, p, d):
    return (n + 2 * p - k) % s


# %% X71 mutant no-minus-one
def out_length(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1)) // s + 1


def left_over(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1)) % s


# %% X71 mutant one-pad
def out_length(n, k, s, p, d):
    return (n + p - d * (k - 1) - 1) // s + 1


def left_over(n, k, s, p, d):
    return (n + p - d * (k - 1) - 1) % s


# %% X71 mutant steps
def out_length(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) // s


def left_over(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) % s


# %% X71 mutant ~float
def out_length(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) / s + 1


def left_over(n, k, s, p, d):
    return s - (n + 2 * p - d * (k - 1) - 1) % s


# %% X72 alternative loop
def spread(w, d):
    out = []
    for weight in w:
        out += [weight] + [0.0] * (d - 1)
    return out[: len(out) - (d - 1)]


def extent(k, d):
    return k + (k - 1) * (d - 1)


def same_padding(k, d):
    return d * (k // 2)


bench = dict(stride=4, dilation=2)  # n and k are those of the task

# %% X72 alternative kron
def spread(w, d):
    return np.kron(w, np.eye(1, d)[0])[: extent(len(w), d)]


def extent(k, d):
    return len(range(0, d * k, d)) * d - (d - 1)


def same_padding(k, d):
    return (extent(k, d) - 1) // 2


bench = {"n": 9, "k": 3, "stride": 2, "padding": 2, "dilation": 2}

# %% X72 mutant tail
def spread(w, d):
    return np.kron(w, np.eye(1, d)[0])


def extent(k, d):
    return k * d


def same_padding(k, d):
    return k * d // 2


bench = {"n": 9, "k": 3, "stride": 2, "dilation": 1}

# %% X72 mutant rate
def spread(w, d):
    out = np.zeros(len(w) + d * (len(w) - 1))
    out[:: d + 1] = w
    return out


def extent(k, d):
    return k + d * (k - 1)


def same_padding(k, d):
    return (k + d * (k - 1) - 1) // 2


bench = {"n": 9, "k": 3, "stride": 2, "dilation": 2}

# %% X72 mutant undilated
def spread(w, d):
    return w


def extent(k, d):
    return k


def same_padding(k, d):
    return k // 2


bench = {"n": 9, "k": 3, "stride": 3, "dilation": 2}

# %% X72 mutant end-only
def spread(w, d):
    return w


def extent(k, d):
    return k


def same_padding(k, d):
    return k // 2


bench = {"n": 9, "k": 3, "stride": 3, "padding": 1}

# %% X72 mutant ~triple
def spread(w, d):
    out = np.zeros(d * (len(w) - 1) + 1)
    out[::d] = w
    return out


def extent(k, d):
    return d * (k - 1) + 1


def same_padding(k, d):
    return d * (k - 1) // 2


bench = 2, 0, 2  # which is which?

# %% X72 mutant ~middle
def spread(w, d):
    out = np.zeros(d * (len(w) - 1) + 1)
    out[: len(w)] = w
    return out


def extent(k, d):
    return d * (k - 1) + 1


def same_padding(k, d):
    return d * (k - 1)


bench = {"n": 8, "k": 3, "stride": 2, "dilation": 2}

# %% X73 alternative loop
def conv_parameters(m, k, C, K):
    count = 0
    for output in range(K):
        for channel in range(C):
            count += k
        count += 1
    return count


def dense_parameters(m, k, C, K):
    return sum(m * C + 1 for unit in range(m * K))


def conv_products(m, k, C, K):
    return sum(k for place in range(m) for output in range(K) for channel in range(C))


# %% X73 alternative engine
def conv_parameters(m, k, C, K):
    return nn.inspection.count_parameters(nn.Conv1d(C, K, k, padding=k // 2))


def dense_parameters(m, k, C, K):
    return np.zeros((m * K, m * C), np.int8).size + np.zeros(m * K).size


def conv_products(m, k, C, K):
    return nn.inspection.count_macs(nn.Conv1d(C, K, 2 * k + 1, padding=k), (1, C, m)) * k // (2 * k + 1)


# %% X73 mutant pair-bias
def conv_parameters(m, k, C, K):
    return (k + 1) * C * K


def dense_parameters(m, k, C, K):
    return m * K * (m * C + 1)


def conv_products(m, k, C, K):
    return m * K * k * C


# %% X73 mutant no-bias
def conv_parameters(m, k, C, K):
    return k * C * K


def dense_parameters(m, k, C, K):
    return m * m * C * K


def conv_products(m, k, C, K):
    return m * K * k * C


# %% X73 mutant no-input
def conv_parameters(m, k, C, K):
    return K * (k + 1)


def dense_parameters(m, k, C, K):
    return m * K * (m * C + 1)


def conv_products(m, k, C, K):
    return m * K * k


# %% X73 mutant length
def conv_parameters(m, k, C, K):
    return K * (m * k * C + 1)


def dense_parameters(m, k, C, K):
    return m * K * (m * C + 1)


def conv_products(m, k, C, K):
    return m * K * k * C


# %% X73 mutant dense-bias
def conv_parameters(m, k, C, K):
    return k * C * K + K


def dense_parameters(m, k, C, K):
    return K * (m * m * C + 1)


def conv_products(m, k, C, K):
    return m * K * k * C


# %% X73 mutant once
def conv_parameters(m, k, C, K):
    return k * C * K + K


def dense_parameters(m, k, C, K):
    return m * K * (m * C + 1)


def conv_products(m, k, C, K):
    return K * k * C


# %% X75 alternative other-order
order = "FI" + "GDCAB"

# %% X75 alternative joined
order = "".join(["F", "G", "I", "D", "C", "A", "B"])

# %% X75 mutant sum-k
order = "FGIDEAB"

# %% X75 mutant no-dilation
order = "FGIDHAB"

# %% X75 mutant stride-first
order = "FGIDACB"

# %% X75 mutant ~early-return
order = "FGIBDCA"

# %% X75 mutant ~nonsense
order = "DFGICAB"
