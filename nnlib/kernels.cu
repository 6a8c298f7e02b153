// The kernels of kernels.py, in CUDA C++. T is float or double, given as -DSCALAR=… when they are compiled (by CuPy, at
// first use). Letters as in conv.py; a pointer may be null where the comment says so. The tests compile this very file as
// C++ and run it on the CPU, so nothing here goes beyond blocks, threads, __syncthreads, one shuffle and one atomic.
//
// Dividing by a number that the compiler does not know takes about 25 instructions, as long as moving several elements
// from memory: so a thread divides once to find its place and then walks on by adding.

typedef SCALAR T;

#define EACH(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)
#define MINE(j, n) for (int j = threadIdx.x; j < (n); j += blockDim.x)
#define LAYERS(c, n) for (int c = blockIdx.y; c < (n); c += gridDim.y)
#define KERNEL extern "C" __global__ void

__device__ int smaller(int a, int b) { return a < b ? a : b; }
__device__ int larger(int a, int b) { return a > b ? a : b; }

// ------------------------------------------------------------------------------------------- windows (images of H × W)

struct Window { int H, W, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw; };  // sizes; strides, padding before, dilations

// What every kernel element sees: x -> cols (C·kh·kw, N·oh·ow). Image n, channel c of x begins at n·xn + c·xc.
KERNEL im2col(const T* x, T* cols, Window w, long long N, long long C, long long xn, long long xc) {
    const int places = N * w.oh * w.ow;
    EACH(l, places) {
        const int top = l / w.ow % w.oh * w.sh - w.ph, left = l % w.ow * w.sw - w.pw;
        const T* image = x + l / (w.oh * w.ow) * xn;
        LAYERS(c, C) {
            const T* plane = image + c * xc;
            T* out = cols + (long long)c * w.kh * w.kw * places + l;
            for (int i = 0; i < w.kh; i++)
                for (int j = 0; j < w.kw; j++, out += places) {
                    const int y = top + i * w.dh, z = left + j * w.dw;
                    const bool inside = y >= 0 && y < w.H && z >= 0 && z < w.W;
                    *out = inside ? plane[y * w.W + z] : T(0);
                }
        }
    }
}

// The windows o of one axis that may see row y (counted from the padding's edge): o·stride <= y <= o·stride + dilation·(k − 1).
struct Range { int first, last; };
__device__ Range seen_by(int y, int k, int size, int stride, int dilation) {
    const int low = y - dilation * (k - 1);
    return {low > 0 ? (low + stride - 1) / stride : 0, smaller(y / stride, size - 1)};
}
// The kernel element that stands `distance` away from its window's start, or -1 if dilation leaps over it.
__device__ int element(int distance, int dilation) {
    return dilation == 1 ? distance : distance % dilation ? -1 : distance / dilation;
}

// Σ over the windows that see pixel p of each layer: of value(layer, kernel element, place in the layer's windows). No atomics.
template <class F>
__device__ T collect(Window w, int y, int z, F value) {
    const Range rows = seen_by(y + w.ph, w.kh, w.oh, w.sh, w.dh), columns = seen_by(z + w.pw, w.kw, w.ow, w.sw, w.dw);
    T sum = 0;
    for (int oy = rows.first; oy <= rows.last; oy++) {
        const int i = element(y + w.ph - oy * w.sh, w.dh);
        if (i < 0) continue;
        for (int ox = columns.first; ox <= columns.last; ox++) {
            const int j = element(z + w.pw - ox * w.sw, w.dw);
            if (j >= 0) sum += value(i * w.kw + j, oy, ox);
        }
    }
    return sum;
}

// The way back: a pixel collects from the windows that saw it, cols (C·kh·kw, N·oh·ow) -> x (C, N, H, W).
KERNEL col2im(const T* cols, T* x, Window w, long long N, long long C) {
    const int pixels = N * w.H * w.W, places = N * w.oh * w.ow, k = w.kh * w.kw;
    EACH(p, pixels) {
        const int y = p / w.W % w.H, z = p % w.W, image = p / (w.H * w.W) * w.oh * w.ow;
        LAYERS(c, C) {
            const T* layer = cols + (long long)c * k * places + image;
            x[(long long)c * pixels + p] = collect(w, y, z, [=](int e, int oy, int ox) {
                return layer[(long long)e * places + oy * w.ow + ox];
            });
        }
    }
}

// Largest element of each window of planes x (P, H, W), and which kernel element saw it. NaN wins; padding never does.
KERNEL max_pool(const T* x, T* out, int* winner, Window w, long long P) {
    const int places = w.oh * w.ow;
    EACH(l, places) {
        const int top = l / w.ow * w.sh - w.ph, left = l % w.ow * w.sw - w.pw;
        LAYERS(p, P) {
            const T* plane = x + (long long)p * w.H * w.W;
            T best = 0;
            int won = -1;
            for (int i = 0; i < w.kh; i++)
                for (int j = 0; j < w.kw; j++) {
                    const int y = top + i * w.dh, z = left + j * w.dw;
                    if (y < 0 || y >= w.H || z < 0 || z >= w.W) continue;
                    const T v = plane[y * w.W + z];
                    if (won < 0 || v > best || v != v) best = v, won = i * w.kw + j;
                }
            out[(long long)p * places + l] = best, winner[(long long)p * places + l] = won;
        }
    }
}

KERNEL max_pool_grad(const T* g, T* dx, const int* winner, Window w, long long P) {
    const int pixels = w.H * w.W, places = w.oh * w.ow;
    EACH(pixel, pixels) {
        const int y = pixel / w.W, z = pixel % w.W;
        LAYERS(p, P) {
            const long long plane = (long long)p * places;
            dx[(long long)p * pixels + pixel] = collect(w, y, z, [=](int e, int oy, int ox) {
                const long long l = plane + oy * w.ow + ox;
                return winner[l] == e ? g[l] : T(0);
            });
        }
    }
}

// One over the elements of window (oy, ox), those on the padding among them or not; or over `divisor`, unless that is 0.
__device__ T share(Window w, int oy, int ox, long long padding, double divisor) {
    if (divisor != 0) return T(1 / divisor);
    const int y = oy * w.sh - w.ph, z = ox * w.sw - w.pw, py = padding ? w.ph : 0, pz = padding ? w.pw : 0;
    const int rows = smaller(y + w.kh, w.H + py) - larger(y, -py), columns = smaller(z + w.kw, w.W + pz) - larger(z, -pz);
    return T(1) / (rows * columns);
}

// Mean of each window of planes x (P, H, W), padding being 0.
KERNEL avg_pool(const T* x, T* out, long long padding, double divisor, Window w, long long P) {
    const int places = w.oh * w.ow;
    EACH(l, places) {
        const int oy = l / w.ow, ox = l % w.ow, y = oy * w.sh - w.ph, z = ox * w.sw - w.pw;
        const int bottom = smaller(y + w.kh, w.H), right = smaller(z + w.kw, w.W);
        const T part = share(w, oy, ox, padding, divisor);
        LAYERS(p, P) {
            const T* plane = x + (long long)p * w.H * w.W;
            T sum = 0;
            for (int i = larger(y, 0); i < bottom; i++)
                for (int j = larger(z, 0); j < right; j++) sum += plane[i * w.W + j];
            out[(long long)p * places + l] = sum * part;
        }
    }
}

KERNEL avg_pool_grad(const T* g, T* dx, long long padding, double divisor, Window w, long long P) {
    const int pixels = w.H * w.W, places = w.oh * w.ow;
    EACH(pixel, pixels) {
        const int y = pixel / w.W, z = pixel % w.W;
        LAYERS(p, P) {
            const T* plane = g + (long long)p * places;
            dx[(long long)p * pixels + pixel] = collect(w, y, z, [=](int, int oy, int ox) {
                return plane[oy * w.ow + ox] * share(w, oy, ox, padding, divisor);
            });
        }
    }
}

// ------------------------------------------------------------------------------------------- sums over a block of threads

// Combine one value per thread so that every thread gets the result: butterflies inside a warp, then over the warps' results,
// of which each lane takes one. Blocks are 1, 2, 4, … or 32 warps.
template <class V, class F>
__device__ V block_reduce(V v, F combine) {
    __shared__ V warps[32];
    for (int d = 16; d; d /= 2) v = combine(v, v.other(d));
    __syncthreads();  // the last call may still be reading
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
    __syncthreads();
    const int n = blockDim.x / 32;
    v = warps[threadIdx.x % n];
    for (int d = n / 2; d; d /= 2) v = combine(v, v.other(d));
    return v;
}

__device__ T shuffle(T v, int d) { return __shfl_xor_sync(0xffffffff, v, d); }

struct One { T a; __device__ One other(int d) const { return {shuffle(a, d)}; } };
struct Two { T a, b; __device__ Two other(int d) const { return {shuffle(a, d), shuffle(b, d)}; } };

__device__ One add(One x, One y) { return {x.a + y.a}; }
__device__ One larger(One x, One y) { return {x.a > y.a || x.a != x.a ? x.a : y.a}; }  // NaN is the largest
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
    const T n = x.n + y.n, d = y.mean - x.mean, share = n == 0 ? T(0) : y.n / n;
    return {n, x.mean + d * share, x.m2 + y.m2 + d * d * x.n * share};
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

// Whether this block is the last of so many to come here, with `arrived` at 0 before and after. Then all that the others
// wrote is there to be read: what would need a second launch can be done by this block. The barrier collects what the block
// wrote, the first fence publishes it before the count; the second keeps this block from reading before it has counted.
__device__ bool block_is_last(int* arrived, int blocks) {
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicAdd(arrived, 1) == blocks - 1;
        __threadfence();
        if (last) *arrived = 0;
    }
    __syncthreads();
    return last;
}

// ------------------------------------------------------------------------------------------- rows

// softmax (or its logarithm) of each row of x (R, M); a block a row.
KERNEL softmax(const T* x, T* out, long long M, long long logarithm) {
    x += blockIdx.x * M, out += blockIdx.x * M;
    T top = x[0], total = 0;
    MINE(j, M) top = larger(One{x[j]}, One{top}).a;
    top = block_max(top);
    MINE(j, M) total += exp(x[j] - top);
    total = block_sum(total);
    const T rest = log(total), part = 1 / total;
    MINE(j, M) out[j] = logarithm ? x[j] - top - rest : exp(x[j] - top) * part;
}

KERNEL softmax_grad(const T* out, const T* g, T* dx, long long M, long long logarithm) {
    const long long row = blockIdx.x * M;
    out += row, g += row, dx += row;
    T sum = 0;
    MINE(j, M) sum += logarithm ? g[j] : g[j] * out[j];
    sum = block_sum(sum);
    MINE(j, M) dx[j] = logarithm ? g[j] - exp(out[j]) * sum : out[j] * (g[j] - sum);
}

// Softmax p of each row of logits z (N, K) and its loss −ln p_y: 0 for ignored rows, NaN where y is no class. The last
// block to finish adds up: loss[0] = mean over the rows that count, loss[1] = how many those are.
KERNEL cross_entropy(const T* z, const long long* y, T* p, T* losses, T* loss, int* arrived, long long N, long long K,
                     long long ignored) {
    const long long target = y[blockIdx.x];
    z += blockIdx.x * K, p += blockIdx.x * K;
    T top = z[0], total = 0;
    MINE(j, K) top = larger(One{z[j]}, One{top}).a;
    top = block_max(top);
    MINE(j, K) total += exp(z[j] - top);
    total = block_sum(total);
    const T part = 1 / total;
    MINE(j, K) p[j] = exp(z[j] - top) * part;
    if (threadIdx.x == 0) {
        const bool exists = target >= 0 && target < K;
        losses[blockIdx.x] = target == ignored ? T(0) : exists ? log(total) + top - z[target] : T(nan(""));
    }
    if (!block_is_last(arrived, N)) return;
    T sum = 0, count = 0;
    MINE(i, N) sum += losses[i], count += y[i] != ignored;
    const Two both = block_sums(sum, count);
    if (threadIdx.x == 0) loss[0] = both.a / both.b, loss[1] = both.b;
}

KERNEL cross_entropy_grad(const T* p, const long long* y, const T* loss, const T* g, T* dz, long long K, long long ignored) {
    const long long target = y[blockIdx.x], row = blockIdx.x * K;
    const T scale = *g / loss[1];
    MINE(j, K) dz[row + j] = target == ignored ? T(0) : scale * (p[row + j] - (j == target));
}

// out = (x − μ)·scale·weight + bias of each row of x (R, M), scale = 1/√(σ² + eps); weight and bias may be null. Element j
// of row r has weight (r mod groups)·M/per + j/per: one per element (per = 1) for layer_norm, one per channel for group_norm.
struct Weights {
    long long groups, per;
    __device__ int base(long long M) const { return blockIdx.x % groups * M / per; }
    __device__ int at(int base, int j) const { return base + (per == 1 ? j : j / (int)per); }
};
KERNEL norm_rows(const T* x, const T* weight, const T* bias, T* out, T* mean, T* scale, long long M, Weights of, double eps) {
    const long long row = blockIdx.x * M;
    const int base = of.base(M);
    T sum = 0, squares = 0;
    MINE(j, M) sum += x[row + j];
    const T mu = block_sum(sum) / M;
    MINE(j, M) squares += (x[row + j] - mu) * (x[row + j] - mu);
    const T s = 1 / sqrt(block_sum(squares) / M + T(eps));
    MINE(j, M) {
        const int k = of.at(base, j);
        out[row + j] = (x[row + j] - mu) * s * (weight ? weight[k] : T(1)) + (bias ? bias[k] : T(0));
    }
    if (threadIdx.x == 0) mean[blockIdx.x] = mu, scale[blockIdx.x] = s;
}

KERNEL norm_rows_grad(const T* x, const T* weight, const T* mean, const T* scale, const T* g, T* dx, long long M, Weights of) {
    const long long row = blockIdx.x * M;
    const int base = of.base(M);
    const T mu = mean[blockIdx.x], s = scale[blockIdx.x];
    T a = 0, b = 0;
    MINE(j, M) {
        const T u = g[row + j] * (weight ? weight[of.at(base, j)] : T(1));
        a += u, b += u * (x[row + j] - mu) * s;
    }
    const Two sums = block_sums(a, b);
    MINE(j, M) {
        const T u = g[row + j] * (weight ? weight[of.at(base, j)] : T(1));
        dx[row + j] = s * (u - sums.a / M - (x[row + j] - mu) * s * (sums.b / M));
    }
}

// Over all N examples Σ g·x̂ and Σ g of each weight k of K, an example being (K, per): dw and db. Without x only db, which
// is the sum of columns. Rows of M share mean and scale. Blocks are eight warps. With one element per weight a lane is a
// weight and each warp takes other examples, else a block has one weight; blockIdx.y shares out the examples, and
// the last block of each blockIdx.x joins the parts (gridDim.y, 2, K).
KERNEL norm_weights_grad(const T* x, const T* mean, const T* scale, const T* g, T* dw, T* db, T* parts, int* arrived,
                         long long N, long long K, long long M, long long per) {
    __shared__ Two warps[8][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const bool columns = per == 1;
    const int k = columns ? blockIdx.x * 32 + lane : blockIdx.x;
    const int L = larger(per, 1), n = N * per, step = (columns ? 8 : blockDim.x) * gridDim.y;
    const int first = columns ? blockIdx.y * 8 + warp : blockIdx.y * blockDim.x + threadIdx.x;
    const int groups = M ? K * L / M : 0, group = M ? (long long)k * L / M : 0;  // rows per example, and the one of k
    Two sum = {0, 0};
    for (int i = first, e = i / L, r = i % L, de = step / L, dr = step % L; i < n && k < K;
         i += step, e += de, r += dr, r >= L ? (r -= L, e++) : 0) {  // element r of example e
        const long long at = ((long long)e * K + k) * L + r, row = (long long)e * groups + group;
        sum = add(sum, Two{x ? g[at] * (x[at] - mean[row]) * scale[row] : T(0), g[at]});
    }
    if (columns) {
        warps[warp][lane] = sum;
        __syncthreads();
        for (int i = 1; i < 8; i++) sum = add(sum, warps[(warp + i) % 8][lane]);
    } else sum = block_sums(sum.a, sum.b);
    const bool writes = columns ? warp == 0 && k < K : threadIdx.x == 0;
    if (gridDim.y > 1) {
        if (writes) parts[2 * blockIdx.y * K + k] = sum.a, parts[(2 * blockIdx.y + 1) * K + k] = sum.b;
        if (!block_is_last(arrived + blockIdx.x, gridDim.y)) return;
        sum = {0, 0};
        for (int s = 0; writes && s < gridDim.y; s++) sum = add(sum, Two{parts[2 * s * K + k], parts[(2 * s + 1) * K + k]});
    }
    if (writes && dw) dw[k] = sum.a;
    if (writes) db[k] = sum.b;
}

// ------------------------------------------------------------------------------------------- batch normalisation

// Element j of a channel is pixel r of image q, j = q·L + r; channel c of image q begins at q·image + c·channel.
struct Rows {
    long long image, channel, L;
    __device__ long long at(int c, int q, int r) const { return q * image + c * channel + r; }
};
// Through the n elements of a channel, which the blocks of blockIdx.x share, without dividing at each.
#define CHANNEL(q, r, rows, n)                                                                                \
    for (int L_ = (rows).L, j_ = blockIdx.x * blockDim.x + threadIdx.x, step_ = blockDim.x * gridDim.x, q = j_ / L_, \
             r = j_ % L_, dq_ = step_ / L_, dr_ = step_ % L_;                                                   \
         j_ < (n); j_ += step_, q += dq_, r += dr_, r >= L_ ? (r -= L_, q++) : 0)

// What was used, for the way back, and the running statistics (may be null), which move `momentum` of the way.
__device__ void keep_statistics(int c, T mu, T v, T n, T* mean, T* var, T* running_mean, T* running_var, double momentum) {
    mean[c] = mu, var[c] = v;
    if (!running_mean) return;
    running_mean[c] += T(momentum) * (mu - running_mean[c]);
    running_var[c] += T(momentum) * (v * (n / (n - 1)) - running_var[c]);
}

// The first of two launches where a channel c = blockIdx.y is shared out to blocks, because nobody may normalise before all
// have looked: moments of each part into parts (C, S, 3), which the channel's last block joins. (Blocks that wait for each
// other need a launch in which all of them run at once; the second reading is cheaper than so few threads.)
KERNEL channel_moments(const T* x, Rows at, T* parts, T* mean, T* var, T* running_mean, T* running_var, int* arrived,
                       long long n, double momentum) {
    const int c = blockIdx.y, S = gridDim.x;
    Running running = {};
    CHANNEL(q, r, at, n) running.see(x[at.at(c, q, r)]);
    Moments m = block_moments(running.moments());
    T* part = parts + c * S * 3;
    if (threadIdx.x == 0) part[3 * blockIdx.x] = m.n, part[3 * blockIdx.x + 1] = m.mean, part[3 * blockIdx.x + 2] = m.m2;
    if (!block_is_last(arrived + c, S)) return;
    m = {0, 0, 0};
    MINE(s, S) m = join(m, Moments{part[3 * s], part[3 * s + 1], part[3 * s + 2]});
    m = block_moments(m);
    if (threadIdx.x == 0) keep_statistics(c, m.mean, m.m2 / m.n, m.n, mean, var, running_mean, running_var, momentum);
}

// Normalise. S: 0 by the running statistics, 1 if this block has its channel to itself and takes mean and variance first,
// else by those of channel_moments.
KERNEL batch_norm(const T* x, Rows at, T* mean, T* var, T* running_mean, T* running_var, const T* weight, const T* bias,
                  T* out, Rows to, long long n, long long S, double momentum, double eps) {
    const int c = blockIdx.y;
    T mu = S ? T(0) : running_mean[c], v = S ? T(0) : running_var[c];
    if (S > 1) mu = mean[c], v = var[c];
    if (S == 1) {
        T sum = 0, squares = 0;
        CHANNEL(q, r, at, n) sum += x[at.at(c, q, r)];
        mu = block_sum(sum) / n;
        CHANNEL(q, r, at, n) squares += (x[at.at(c, q, r)] - mu) * (x[at.at(c, q, r)] - mu);
        v = block_sum(squares) / n;
    }
    const T slope = (weight ? weight[c] : T(1)) / sqrt(v + T(eps)), shift = bias ? bias[c] : T(0);
    CHANNEL(q, r, at, n) out[to.at(c, q, r)] = (x[at.at(c, q, r)] - mu) * slope + shift;
    if (S < 2 && blockIdx.x == 0 && threadIdx.x == 0)
        keep_statistics(c, mu, v, n, mean, var, S ? running_mean : 0, running_var, momentum);
}

__device__ Two part_sums(const T* x, Rows at, const T* g, Rows up, T mean, int c, long long n) {
    T a = 0, b = 0;
    CHANNEL(q, r, at, n) {
        const T u = g[up.at(c, q, r)];
        a += u, b += u * (x[at.at(c, q, r)] - mean);
    }
    return block_sums(a, b);
}

// Backwards the same: Σg and Σg·(x − μ) of the parts of channel c into parts (C, S, 2), and of all in the first's place …
KERNEL channel_sums(const T* x, Rows at, const T* g, Rows up, const T* mean, T* parts, int* arrived, long long n) {
    const int c = blockIdx.y, S = gridDim.x;
    Two sums = part_sums(x, at, g, up, mean[c], c, n);
    T* part = parts + c * S * 2;
    if (threadIdx.x == 0) part[2 * blockIdx.x] = sums.a, part[2 * blockIdx.x + 1] = sums.b;
    if (!block_is_last(arrived + c, S)) return;
    sums = {0, 0};
    MINE(s, S) sums = add(sums, Two{part[2 * s], part[2 * s + 1]});
    sums = block_sums(sums.a, sums.b);
    if (threadIdx.x == 0) part[0] = sums.a, part[1] = sums.b;
}

// … then (or at once, where S is 1) the gradients of x, weight and bias. Without training the statistics are constants.
KERNEL batch_norm_grad(const T* x, Rows at, const T* g, Rows up, const T* parts, const T* mean, const T* var,
                       const T* weight, T* dx, Rows to, T* dw, T* db, long long n, long long S, double eps, long long training) {
    const int c = blockIdx.y;
    const T mu = mean[c];
    Two sums;
    if (S == 1) sums = part_sums(x, at, g, up, mu, c, n);
    else sums = {parts[c * S * 2], parts[c * S * 2 + 1]};
    const T scale = 1 / sqrt(var[c] + T(eps)), slope = scale * (weight ? weight[c] : T(1));
    const T mean_g = training ? sums.a / n : T(0), along = training ? sums.b * scale * scale / n : T(0);
    CHANNEL(q, r, at, n) {
        dx[to.at(c, q, r)] = slope * (g[up.at(c, q, r)] - mean_g - (x[at.at(c, q, r)] - mu) * along);
    }
    if (blockIdx.x == 0 && threadIdx.x == 0) dw[c] = sums.b * scale, db[c] = sums.a;
}

// ------------------------------------------------------------------------------------------- optimisers

// All parameters of a model in one launch: a table, and `first`, the block at which a parameter's blocks of 2,048 elements
// begin; one more row ends it. No momentum: m is null. `arrived` is for block_is_last.
struct Parameter { T *p, *g, *m, *v, *step; long long n, first; int arrived, unused; };

// The table travels as arguments of launches, 4,000 bytes at a time, which a captured graph repeats and no copy from the
// host would allow; it stays on the device until an array has moved.
struct Words { long long word[500]; };
KERNEL store(Words words, long long* table, long long n) { MINE(i, n) table[i] = words.word[i]; }

// The parameter of this block: the last whose blocks have begun.
__device__ Parameter* mine(Parameter* table, int count) {
    int low = 0;
    for (int high = count, middle; high - low > 1; table[middle].first <= blockIdx.x ? low = middle : high = middle)
        middle = (low + high) / 2;
    return table + low;
}
#define ELEMENTS(i, t) \
    for (long long i = (blockIdx.x - (t).first) * 2048 + threadIdx.x, end_ = i - threadIdx.x + 2048; \
         i < end_ && i < (t).n; i += blockDim.x)

// `first`: m begins as the gradient.
KERNEL sgd(Parameter* table, long long count, double lr, double momentum, double dampening, double decay,
           long long nesterov, long long first) {
    const Parameter t = *mine(table, count);
    ELEMENTS(i, t) {
        T g = t.g[i] + T(decay) * t.p[i];
        if (t.m) {
            const T m = first ? g : T(momentum) * t.m[i] + T(1 - dampening) * g;
            t.m[i] = m;
            g = nesterov ? g + T(momentum) * m : m;
        }
        t.p[i] -= T(lr) * g;
    }
}

// Adam counts its steps on the device, so that a captured graph goes on counting; the last block of a parameter does it.
// One thread raises the powers, which take hundreds of instructions, and in doubles, of which many cards are slow.
KERNEL adam(Parameter* table, long long count, double lr, double beta1, double beta2, double eps, double decay,
            long long decoupled) {
    __shared__ T fast, root;
    Parameter* own = mine(table, count);
    const Parameter t = *own;
    if (threadIdx.x == 0) {
        const double s = *t.step + 1;
        fast = lr / (1 - pow(beta1, s)), root = 1 / sqrt(1 - pow(beta2, s));
    }
    __syncthreads();
    ELEMENTS(i, t) {
        const T p = t.p[i] * (decoupled ? T(1 - lr * decay) : T(1));
        const T g = t.g[i] + (decoupled ? T(0) : T(decay) * p);
        const T m = T(beta1) * t.m[i] + T(1 - beta1) * g, v = T(beta2) * t.v[i] + T(1 - beta2) * g * g;
        t.m[i] = m, t.v[i] = v;
        t.p[i] = p - fast * m / (sqrt(v) * root + T(eps));
    }
    if (block_is_last(&own->arrived, own[1].first - t.first) && threadIdx.x == 0) *t.step += 1;
}
