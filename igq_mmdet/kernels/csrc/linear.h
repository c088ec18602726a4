// A fully connected layer on codes: quantize, multiply, rescale, in blocks
// of tokens whose codes stay in the cache.

static constexpr int PANEL = 32;  // outputs a tile has: two vectors

// Weights of panel p: [K / 4][PANEL][4] bytes.
static inline const int8_t *panel_of(const Weights &w, int64_t quads,
                                     int64_t p) {
    return w.codes + p * quads * PANEL * 4;
}

static inline void store(const F y[2], float *to, int columns) {
    if (columns == PANEL) {
        *(F *)to = y[0];
        *(F *)(to + 16) = y[1];
    } else {
        std::memcpy(to, y, sizeof(float) * columns);
    }
}

// Tokens whose codes fill a good part of the second-level cache, in tiles.
static inline int64_t block_of(int64_t rows, int64_t quads, int threads,
                               int tile) {
    int64_t block = (384 << 10) / (4 * quads);
    const int64_t share = (rows + threads - 1) / threads;
    if (block > 192) block = 192;
    if (block > share) block = share;
    return (block + tile - 1) / tile * tile;
}

// acc + the products of ROWS tokens, [quads][ROWS][4] codes, and a panel.
template <int ROWS, bool Wide>
static inline void multiply(const uint8_t *&a, const int8_t *&b, int64_t quads,
                            Words acc[ROWS][PANEL / LANES]) {
    for (int64_t k = 0; k < quads; ++k, a += 4 * ROWS, b += 4 * PANEL)
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; ++r) {
            const Words four = spread<Words>(a + 4 * r);
#pragma GCC unroll 4
            for (int v = 0; v < PANEL / LANES; ++v)
                acc[r][v] = dot<Wide>(acc[r][v], four,
                                      ((const Words *)b)[v]);
        }
}

// ROWS tokens times PANEL outputs. ``a`` holds [K / 4][MR][4] codes.
template <int ROWS, bool Wide>
static void tile(const uint8_t *a, const int8_t *b, int64_t quads,
                 const int32_t *start, const int32_t *zero,
                 const int32_t *sums, const float *scale, const float *bias,
                 float *out, int64_t stride, int rows, int columns) {
    Words acc[ROWS][PANEL / LANES];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < PANEL / LANES; ++v)
            acc[r][v] = ((const Words *)start)[v];
    multiply<ROWS, Wide>(a, b, quads, acc);
    const V z[2] = {load(zero), load(zero + 16)};
    const F s[2] = {*(const F *)scale, *(const F *)(scale + 16)};
    const F c[2] = {*(const F *)bias, *(const F *)(bias + 16)};
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) {
        if (r >= rows) break;
        F y[2];
        for (int v = 0; v < 2; ++v) {
            // unsigned: intermediate overflow is meant to wrap around
            U exact = (U)load(&acc[r][v * 16 / LANES]) - (U)z[v] * (uint32_t)sums[r];
            y[v] = __builtin_convertvector((V)exact, F) * s[v] + c[v];
        }
        store(y, out + r * stride, columns);
    }
}

// -sum_c m z w and sum_c m z, modulo 2^32.
static uint32_t corrections(const Codes &how, const Weights &w,
                            int64_t quads, int32_t *start) {
    std::vector<int32_t> mz(quads * 4, 0);
    uint32_t total = 0;
    for (int64_t c = 0; c < w.inputs; ++c) {
        // low is -z
        mz[c] = (int32_t)(int64_t)(-how.low[c] * (double)how.multiple[c]);
        total += (uint32_t)mz[c];
    }
    const int64_t panels = (w.outputs + PANEL - 1) / PANEL;
    for (int64_t p = 0; p < panels; ++p) {
        const int8_t *b = panel_of(w, quads, p);
        U sum[2] = {};
        for (int64_t k = 0; k < quads; ++k, b += 4 * PANEL)
            for (int v = 0; v < 2; ++v) {
                const V four = load(b + 64 * v);
                sum[v] += (U)((four << 24) >> 24) * (uint32_t)mz[4 * k];
                sum[v] += (U)((four << 16) >> 24) * (uint32_t)mz[4 * k + 1];
                sum[v] += (U)((four << 8) >> 24) * (uint32_t)mz[4 * k + 2];
                sum[v] += (U)(four >> 24) * (uint32_t)mz[4 * k + 3];
            }
        for (int v = 0; v < 2; ++v)
            *(V *)(start + p * PANEL + 16 * v) = (V)(-sum[v]);
    }
    return total;
}

template <bool Wide>
static void linear_blocks(const float *x, int64_t rows, const Codes &how,
                          const Weights &w, float *out, int threads) {
    const int64_t quads = (w.inputs + 3) / 4;
    const int64_t panels = (w.outputs + PANEL - 1) / PANEL;
    std::vector<int32_t> start(panels * PANEL);
    const uint32_t total = corrections(how, w, quads, start.data());
    const int64_t block = block_of(rows, quads, threads, MR);
    const int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel num_threads(threads)
    {
        std::vector<uint8_t> codes(block * quads * 4);
        std::vector<uint8_t> row(quads * 4, 0);
        std::vector<int32_t> sums(block);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < blocks; ++i) {
            const int64_t first = i * block;
            const int64_t count = rows - first < block ? rows - first : block;
            for (int64_t n = 0; n < count; ++n) {
                codes_of_row(x + (first + n) * w.inputs, w.inputs, how,
                             row.data());
                uint32_t sum = 0;
                for (int64_t c = 0; c < w.inputs; ++c) sum += row[c];
                sums[n] = (int32_t)(sum - total);
                uint8_t *to = codes.data() + n / MR * MR * quads * 4;
                to += n % MR * 4;
                for (int64_t k = 0; k < quads; ++k, to += 4 * MR)
                    std::memcpy(to, row.data() + 4 * k, 4);
            }
            for (int64_t p = 0; p < panels; ++p) {
                const int64_t d = p * PANEL;
                const int64_t left = w.outputs - d;
                const int columns = left < PANEL ? (int)left : PANEL;
                for (int64_t n = 0; n < count; n += MR) {
                    const int64_t more = count - n;
                    tile<MR, Wide>(codes.data() + n * quads * 4,
                                   panel_of(w, quads, p), quads,
                                   start.data() + d, w.zero + d,
                                   sums.data() + n, w.scale + d, w.bias + d,
                                   out + (first + n) * w.outputs + d,
                                   w.outputs, more < MR ? (int)more : MR,
                                   columns);
                }
            }
        }
    }
}

void linear(const float *x, int64_t rows, Codes how, const Weights &w,
            float *out, int threads) {
    if (rows == 0) return;
#ifndef IGQ_VNNI
    if (w.wide) return linear_blocks<true>(x, rows, how, w, out, threads);
#endif
    linear_blocks<false>(x, rows, how, w, out, threads);
}
