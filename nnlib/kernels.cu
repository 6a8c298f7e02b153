// The kernels of kernels.py, in CUDA C++. T is float or double, given as -DSCALAR=… when they are compiled (by CuPy, at
// first use). Letters as in conv.py; a pointer may be null where the comment says so. The tests compile this very file as
// C++ and run it on the CPU, so nothing here goes beyond blocks, threads, __syncthreads and one shuffle.

typedef SCALAR T;

#define EACH(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)
#define MINE(j, n) for (int j = threadIdx.x; j < (n); j += blockDim.x)
#define KERNEL extern "C" __global__ void

// ------------------------------------------------------------------------------------------- windows (images of H × W)

struct Window { int H, W, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw; };  // sizes; strides, padding before, dilations

// What every kernel element sees: x -> cols (C·kh·kw, N·oh·ow). Image n, channel c of x begins at n·xn + c·xc.
KERNEL im2col(const T* x, T* cols, Window w, long long N, long long rows, long long xn, long long xc) {
    const int places = N * w.oh * w.ow;
    for (int k = blockIdx.y; k < rows; k += gridDim.y) {
        const int j = k % w.kw, i = k / w.kw % w.kh, c = k / (w.kw * w.kh);
        EACH(l, places) {
            const int n = l / (w.oh * w.ow), y = l / w.ow % w.oh * w.sh - w.ph + i * w.dh;
            const int z = l % w.ow * w.sw - w.pw + j * w.dw;
            const bool inside = y >= 0 && y < w.H && z >= 0 && z < w.W;
            cols[(long long)k * places + l] = inside ? x[n * xn + c * xc + (long long)y * w.W + z] : T(0);
        }
    }
}

// The output row that kernel row i must stand at to see pixel row y, or -1.
__device__ int place(int y, int i, int size, int stride, int padding, int dilation) {
    const int start = y + padding - i * dilation;
    return start < 0 || start % stride || start / stride >= size ? -1 : start / stride;
}

// The way back: a pixel collects from the windows that saw it, cols (C·kh·kw, N·oh·ow) -> x (C, N, H, W). No atomics.
KERNEL col2im(const T* cols, T* x, Window w, long long N, long long C) {
    const int pixels = N * w.H * w.W, places = N * w.oh * w.ow;
    for (int c = blockIdx.y; c < C; c += gridDim.y) {
        EACH(p, pixels) {
            const int n = p / (w.H * w.W), y = p / w.W % w.H, z = p % w.W;
            T sum = 0;
            for (int i = 0; i < w.kh; i++) {
                const int oy = place(y, i, w.oh, w.sh, w.ph, w.dh);
                if (oy < 0) continue;
                for (int j = 0; j < w.kw; j++) {
                    const int ox = place(z, j, w.ow, w.sw, w.pw, w.dw);
                    if (ox < 0) continue;
                    sum += cols[((long long)(c * w.kh + i) * w.kw + j) * places + (n * w.oh + oy) * w.ow + ox];
                }
            }
            x[(long long)c * pixels + p] = sum;
        }
    }
}

// Largest element of each window of planes x (P, H, W), and which kernel element saw it. NaN wins; padding never does.
KERNEL max_pool(const T* x, T* out, int* winner, Window w, long long P) {
    for (int p = blockIdx.y; p < P; p += gridDim.y) {
        EACH(l, w.oh * w.ow) {
            const int top = l / w.ow * w.sh - w.ph, left = l % w.ow * w.sw - w.pw;
            T best = 0;
            int won = -1;
            for (int i = 0; i < w.kh; i++)
                for (int j = 0; j < w.kw; j++) {
                    const int y = top + i * w.dh, z = left + j * w.dw;
                    if (y < 0 || y >= w.H || z < 0 || z >= w.W) continue;
                    const T v = x[((long long)p * w.H + y) * w.W + z];
                    if (won < 0 || v > best || v != v) best = v, won = i * w.kw + j;
                }
            out[(long long)p * w.oh * w.ow + l] = best;
            winner[(long long)p * w.oh * w.ow + l] = won;
        }
    }
}

KERNEL max_pool_grad(const T* g, const int* winner, T* dx, Window w, long long P) {
    for (int p = blockIdx.y; p < P; p += gridDim.y) {
        EACH(pixel, w.H * w.W) {
            T sum = 0;
            for (int i = 0; i < w.kh; i++) {
                const int oy = place(pixel / w.W, i, w.oh, w.sh, w.ph, w.dh);
                if (oy < 0) continue;
                for (int j = 0; j < w.kw; j++) {
                    const int ox = place(pixel % w.W, j, w.ow, w.sw, w.pw, w.dw);
                    if (ox < 0) continue;
                    const long long l = ((long long)p * w.oh + oy) * w.ow + ox;
                    if (winner[l] == i * w.kw + j) sum += g[l];
                }
            }
            dx[(long long)p * w.H * w.W + pixel] = sum;
        }
    }
}

// ------------------------------------------------------------------------------------------- sums over a block of threads

// Combine one value per thread so that every thread gets the result: butterflies inside a warp, then a look at all warps.
// Blocks are whole warps, at most 32 of them.
template <class V, class F>
__device__ V block_reduce(V v, F combine) {
    __shared__ V warps[32];
    for (int d = 16; d; d /= 2) v = combine(v, v.other(d));
    __syncthreads();  // the last call may still be reading
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
    __syncthreads();
    v = warps[0];
    for (int i = 1; i < blockDim.x / 32; i++) v = combine(v, warps[i]);
    return v;
}

__device__ T shuffle(T v, int d) { return __shfl_xor_sync(0xffffffff, v, d); }

struct One { T a; __device__ One other(int d) const { return {shuffle(a, d)}; } };
struct Two { T a, b; __device__ Two other(int d) const { return {shuffle(a, d), shuffle(b, d)}; } };

__device__ One add(One x, One y) { return {x.a + y.a}; }
__device__ One larger(One x, One y) { return {x.a > y.a || x.a != x.a ? x.a : y.a}; }
__device__ Two add(Two x, Two y) { return {x.a + y.a, x.b + y.b}; }
__device__ T block_sum(T v) { return block_reduce(One{v}, [](One x, One y) { return add(x, y); }).a; }
__device__ T block_max(T v) { return block_reduce(One{v}, [](One x, One y) { return larger(x, y); }).a; }
__device__ Two block_sums(T a, T b) { return block_reduce(Two{a, b}, [](Two x, Two y) { return add(x, y); }); }

// Count, mean and Σ(x − mean)² of a set. Chan et al. 1983: sets join without cancellation.
struct Moments {
    T n, mean, m2;
    __device__ Moments other(int d) const { return {shuffle(n, d), shuffle(mean, d), shuffle(m2, d)}; }
};
__device__ Moments join(Moments x, Moments y) {
    const T n = x.n + y.n, d = y.mean - x.mean;
    if (n == 0) return x;
    return {n, x.mean + d * (y.n / n), x.m2 + y.m2 + d * d * (x.n * y.n / n)};
}
__device__ Moments block_moments(Moments m) {
    return block_reduce(m, [](Moments x, Moments y) { return join(x, y); });
}

// A thread sums differences to its first value, which costs no division, and turns them into moments at the end.
struct Running {
    T n, pivot, sum, squares;
    __device__ void see(T x) {
        if (n == 0) pivot = x;
        const T d = x - pivot;
        n += 1, sum += d, squares += d * d;
    }
    __device__ Moments moments() const {
        return n == 0 ? Moments{0, 0, 0} : Moments{n, pivot + sum / n, squares - sum * sum / n};
    }
};

// ------------------------------------------------------------------------------------------- rows

// softmax (or its logarithm) of each row of x (R, M); a block a row.
KERNEL softmax(const T* x, T* out, long long M, long long logarithm) {
    x += blockIdx.x * M, out += blockIdx.x * M;
    T top = x[0], total = 0;
    MINE(j, M) top = larger(One{x[j]}, One{top}).a;
    top = block_max(top);
    MINE(j, M) total += exp(x[j] - top);
    total = block_sum(total);
    MINE(j, M) out[j] = logarithm ? x[j] - top - log(total) : exp(x[j] - top) / total;
}

KERNEL softmax_grad(const T* out, const T* g, T* dx, long long M, long long logarithm) {
    const long long row = blockIdx.x * M;
    out += row, g += row, dx += row;
    T sum = 0;
    MINE(j, M) sum += logarithm ? g[j] : g[j] * out[j];
    sum = block_sum(sum);
    MINE(j, M) dx[j] = logarithm ? g[j] - exp(out[j]) * sum : out[j] * (g[j] - sum);
}

// Softmax p of each row of logits z (N, K) and its loss −ln p_y: 0 for ignored rows, NaN where y is no class.
KERNEL cross_entropy(const T* z, const long long* y, T* p, T* losses, long long K, long long ignored) {
    const long long target = y[blockIdx.x];
    z += blockIdx.x * K, p += blockIdx.x * K;
    T top = z[0], total = 0;
    MINE(j, K) top = larger(One{z[j]}, One{top}).a;
    top = block_max(top);
    MINE(j, K) total += exp(z[j] - top);
    total = block_sum(total);
    MINE(j, K) p[j] = exp(z[j] - top) / total;
    if (threadIdx.x == 0) {
        const bool exists = target >= 0 && target < K;
        losses[blockIdx.x] = target == ignored ? T(0) : exists ? log(total) + top - z[target] : T(nan(""));
    }
}

// loss[0] = mean over the rows that count, loss[1] = how many those are; one block.
KERNEL mean_loss(const T* losses, const long long* y, T* loss, long long N, long long ignored) {
    T sum = 0, count = 0;
    MINE(i, N) sum += losses[i], count += y[i] != ignored;
    const Two both = block_sums(sum, count);
    if (threadIdx.x == 0) loss[0] = both.a / both.b, loss[1] = both.b;
}

KERNEL cross_entropy_grad(const T* p, const long long* y, const T* loss, const T* g, T* dz, long long N, long long K,
                          long long ignored) {
    const T scale = *g / loss[1];
    EACH(i, N * K) {
        const long long target = y[i / K];
        dz[i] = target == ignored ? T(0) : scale * (p[i] - (i % K == target));
    }
}

// x̂ = (x − μ)/√(σ² + eps) of each row (R, M), scale = 1/√(σ² + eps), and out = x̂·weight + bias (each may be null) where
// element j of row r has weight ((r mod groups)·M + j)/per: one per element for layer_norm, one per channel for group_norm.
KERNEL norm_rows(const T* x, const T* weight, const T* bias, T* hat, T* out, T* scale, long long M, long long groups,
                 long long per, double eps) {
    const long long row = blockIdx.x * M;
    Running running = {};
    MINE(j, M) running.see(x[row + j]);
    const Moments m = block_moments(running.moments());
    const T s = 1 / sqrt(m.m2 / m.n + T(eps));
    MINE(j, M) {
        const long long k = (blockIdx.x % groups * M + j) / per;
        const T h = (x[row + j] - m.mean) * s;
        hat[row + j] = h;
        if (out != hat) out[row + j] = (weight ? h * weight[k] : h) + (bias ? bias[k] : T(0));
    }
    if (threadIdx.x == 0) scale[blockIdx.x] = s;
}

KERNEL norm_rows_grad(const T* hat, const T* weight, const T* scale, const T* g, T* dx, long long M, long long groups,
                      long long per) {
    const long long row = blockIdx.x * M;
    T a = 0, b = 0;
    MINE(j, M) {
        const T u = g[row + j] * (weight ? weight[(blockIdx.x % groups * M + j) / per] : T(1));
        a += u, b += u * hat[row + j];
    }
    const Two sums = block_sums(a, b);
    MINE(j, M) {
        const T u = g[row + j] * (weight ? weight[(blockIdx.x % groups * M + j) / per] : T(1));
        dx[row + j] = scale[blockIdx.x] * (u - sums.a / M - hat[row + j] * (sums.b / M));
    }
}

// ------------------------------------------------------------------------------------------- batch normalisation

// Element j of a channel is pixel j mod L of image j / L; image n of channel c begins at n·image + c·channel.
struct Rows {
    long long image, channel, L;
    __device__ long long at(int c, int j) const {
        return c * channel + (image == L ? j : j / (int)L * image + j % (int)L);
    }
};

// First of two launches: moments of part s = blockIdx.x of channel c = blockIdx.y, into parts (C, S, 3).
KERNEL channel_moments(const T* x, Rows at, T* parts, long long n) {
    Running running = {};
    EACH(j, n) running.see(x[at.at(blockIdx.y, j)]);
    const Moments m = block_moments(running.moments());
    T* part = parts + (blockIdx.y * gridDim.x + blockIdx.x) * 3;
    if (threadIdx.x == 0) part[0] = m.n, part[1] = m.mean, part[2] = m.m2;
}

// Second: join the S parts (none: mean and var are given), normalise, and move the running statistics (may be null).
KERNEL batch_norm(const T* x, Rows at, const T* parts, T* mean, T* var, const T* weight, const T* bias,
                  T* running_mean, T* running_var, T* out, Rows to, long long n, long long S, double momentum, double eps) {
    const int c = blockIdx.y;
    Moments m = {0, 0, 0};
    for (int s = 0; s < S; s++) {
        const T* part = parts + (c * S + s) * 3;
        m = join(m, Moments{part[0], part[1], part[2]});
    }
    const T mu = S ? m.mean : mean[c], v = S ? m.m2 / m.n : var[c];
    const T slope = (weight ? weight[c] : T(1)) / sqrt(v + T(eps)), shift = bias ? bias[c] : T(0);
    EACH(j, n) out[to.at(c, j)] = (x[at.at(c, j)] - mu) * slope + shift;
    if (S && blockIdx.x == 0 && threadIdx.x == 0) {
        mean[c] = mu, var[c] = v;
        if (running_mean) {
            running_mean[c] += T(momentum) * (mu - running_mean[c]);
            running_var[c] += T(momentum) * (m.m2 / (m.n - 1) - running_var[c]);
        }
    }
}

// Backwards the same in two: Σg and Σg·(x − μ) of part s of channel c, into parts (C, S, 2) …
KERNEL channel_sums(const T* x, Rows at, const T* g, Rows up, const T* mean, T* parts, long long n) {
    const int c = blockIdx.y;
    T a = 0, b = 0;
    EACH(j, n) a += g[up.at(c, j)], b += g[up.at(c, j)] * (x[at.at(c, j)] - mean[c]);
    const Two sums = block_sums(a, b);
    T* part = parts + (c * gridDim.x + blockIdx.x) * 2;
    if (threadIdx.x == 0) part[0] = sums.a, part[1] = sums.b;
}

// … then the gradients of x, weight and bias. Without training the statistics are constants.
KERNEL batch_norm_grad(const T* x, Rows at, const T* g, Rows up, const T* parts, const T* mean, const T* var,
                       const T* weight, T* dx, Rows to, T* dw, T* db, long long n, long long S, double eps, long long training) {
    const int c = blockIdx.y;
    T a = 0, b = 0;
    for (int s = 0; s < S; s++) a += parts[(c * S + s) * 2], b += parts[(c * S + s) * 2 + 1];
    const T scale = 1 / sqrt(var[c] + T(eps)), slope = scale * (weight ? weight[c] : T(1));
    const T mean_g = training ? a / n : T(0), along = training ? b * scale * scale / n : T(0);
    EACH(j, n) dx[to.at(c, j)] = slope * (g[up.at(c, j)] - mean_g - (x[at.at(c, j)] - mean[c]) * along);
    if (blockIdx.x == 0 && threadIdx.x == 0) dw[c] = b * scale, db[c] = a;
}

// ------------------------------------------------------------------------------------------- optimisers

struct Parameters { T *p[80], *g[80], *m[80], *v[80], *step[80]; long long n[80]; };  // 3,840 of a launch's 4,096 bytes

// One launch for all parameters: blockIdx.y is the parameter. ``first``: m begins as the gradient. No momentum: m is null.
KERNEL sgd(Parameters t, double lr, double momentum, double dampening, double decay, long long nesterov,
           long long first) {
    const int k = blockIdx.y;
    EACH(i, t.n[k]) {
        T g = t.g[k][i] + T(decay) * t.p[k][i];
        if (momentum != 0) {
            const T m = first ? g : T(momentum) * t.m[k][i] + T(1 - dampening) * g;
            t.m[k][i] = m;
            g = nesterov ? g + T(momentum) * m : m;
        }
        t.p[k][i] -= T(lr) * g;
    }
}

// Adam counts its steps on the device, before each, so that a captured graph goes on counting.
KERNEL tick(Parameters t, long long count) {
    EACH(k, count) *t.step[k] += 1;
}

KERNEL adam(Parameters t, double lr, double beta1, double beta2, double eps, double decay, long long decoupled) {
    const int k = blockIdx.y;
    const double s = *t.step[k], fast = lr / (1 - pow(beta1, s)), root = sqrt(1 - pow(beta2, s));
    EACH(i, t.n[k]) {
        const T p = t.p[k][i] * (decoupled ? T(1 - lr * decay) : T(1));
        const T g = t.g[k][i] + (decoupled ? T(0) : T(decay) * p);
        const T m = T(beta1) * t.m[k][i] + T(1 - beta1) * g, v = T(beta2) * t.v[k][i] + T(1 - beta2) * g * g;
        t.m[k][i] = m, t.v[k][i] = v;
        t.p[k][i] = p - T(fast) * m / (sqrt(v) / T(root) + T(eps));
    }
}
