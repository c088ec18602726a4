// What the simulation computes beside its float products, each in one pass
// over the data. Bit for bit what the chains of torch operations in
// quantizers/ and modules/ return.

// Small tensors are not worth waking threads for.
static inline int threads_for(int64_t elements, int threads) {
    return elements < (1 << 14) ? 1 : threads;
}

// clamp(rint(x / scale), low, high) * step; ``out`` may be ``x``.
static inline void values_of_row(const float *x, int64_t columns, float scale,
                                 float low, float high, float step,
                                 float *out) {
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c) {
        float r = __builtin_rintf(x[c] / scale);
        r = r < low ? low : r;
        r = r > high ? high : r;
        out[c] = r * step;
    }
}

static void values_by_column(const float *x, int64_t columns, const Codes &how,
                             float *out) {
    const float *s = how.scale, *l = how.low, *h = how.high,
                *m = how.multiple;
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c) {
        float r = __builtin_rintf(x[c] / s[c]);
        r = r < l[c] ? l[c] : r;
        r = r > h[c] ? h[c] : r;
        out[c] = r * m[c];
    }
}

// One step for every column (kind 1), every row (2) or all (0).
void values(const float *x, int64_t rows, int64_t columns, Codes how,
            int64_t kind, float *out, int threads) {
    threads = threads_for(rows * columns, threads);
    if (kind == 0) {  // as rows of a size that spreads over threads
        const int64_t all = rows * columns, run = 1 << 12;
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < (all + run - 1) / run; ++i)
            values_of_row(x + i * run, all - i * run < run ? all - i * run : run,
                          *how.scale, *how.low, *how.high, *how.multiple,
                          out + i * run);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < rows; ++n) {
        const float *from = x + n * columns;
        float *to = out + n * columns;
        if (kind == 1)
            values_by_column(from, columns, how, to);
        else
            values_of_row(from, columns, how.scale[n], how.low[n],
                          how.high[n], how.multiple[n], to);
    }
}

// (code - zero) of every row, times its scale where there is one.
void weight_values(const uint8_t *codes, int64_t rows, int64_t columns,
                   const float *zero, const float *scale, float *out,
                   int threads) {
    threads = threads_for(rows * columns, threads);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < rows; ++n) {
        const uint8_t *__restrict from = codes + n * columns;
        float *__restrict to = out + n * columns;
        const float z = zero[n];
        if (scale) {
            const float s = scale[n];
            for (int64_t c = 0; c < columns; ++c)
                to[c] = ((float)from[c] - z) * s;
        } else {
            for (int64_t c = 0; c < columns; ++c) to[c] = (float)from[c] - z;
        }
    }
}

// y * scale + bias, one of each a channel; y is (rows, channels, size).
void rescale(float *y, int64_t rows, int64_t channels, int64_t size,
             const float *scale, const float *bias, int threads) {
    threads = threads_for(rows * channels * size, threads);
    if (size == 1) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t n = 0; n < rows; ++n) {
            float *__restrict to = y + n * channels;
            for (int64_t c = 0; c < channels; ++c)
                to[c] = to[c] * scale[c] + bias[c];
        }
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < rows * channels; ++n) {
        float *__restrict to = y + n * size;
        const float s = scale[n % channels], b = bias[n % channels];
        for (int64_t i = 0; i < size; ++i) to[i] = to[i] * s + b;
    }
}

// Scores as integers become codes of their softmax, in place.
void softmax_codes(float *scores, const Rows &s, float *steps, int threads) {
    const int64_t runs = (s.width + 15) / 16;
    const int64_t rows = s.size[0] * s.size[1] * s.size[2] * s.size[3];
    const RowGroups groups = {s.groups, s.edges, s.row_scale, s.top};
    threads = threads_for(rows * s.width, threads);
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> kept(2 * runs * 16);
        float *row = kept.data(), *zeros = row + runs * 16;
#pragma omp for schedule(static)
        for (int64_t n = 0; n < rows; ++n) {
            int64_t left = n, at[2] = {0, 0};
            for (int k = 3; k >= 0; --k) {
                const int64_t i = left % s.size[k];
                left /= s.size[k];
                at[0] += i * s.stride[0][k];
                at[1] += i * s.stride[1][k];
            }
            float *own = scores + n * s.width;
            const float *b = s.term[0] ? s.term[0] + at[0] : zeros;
            const float *m = s.term[1] ? s.term[1] + at[1] : nullptr;
            if (m) {
                for (int64_t i = 0; i < s.width; ++i)
                    row[i] = own[i] * s.factor + b[i] + m[i];
            } else {
                for (int64_t i = 0; i < s.width; ++i)
                    row[i] = own[i] * s.factor + b[i];
            }
            for (int64_t i = s.width; i < runs * 16; ++i)
                row[i] = -__builtin_inff();
            F top = F{} - __builtin_inff();
            for (int64_t j = 0; j < runs; ++j)
                top = larger(top, *(F *)(row + 16 * j));
            steps[n] =
                softmax_row(row, runs, top, groups, [&](int64_t j, F p) {
                    const int64_t rest = s.width - 16 * j;
                    if (rest >= 16)
                        *(F *)(own + 16 * j) = p;
                    else
                        std::memcpy(own + 16 * j, &p, sizeof(float) * rest);
                });
        }
    }
}

// Q, K and V of some windows as integers, (windows, heads, N, depth) each.
void window_values(const float *qkv, const Attention &s, int64_t first,
                   int64_t count, float *query, float *key, float *value,
                   int threads) {
    const int64_t wide = s.heads * s.depth;
    float *const parts[3] = {query, key, value};
    const float *const how[3] = {s.query, s.key, s.value};
    threads = threads_for(count * s.length * wide * 3, threads);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; ++i) {
        const int64_t image = (first + i) / s.windows;
        const int64_t window = (first + i) % s.windows;
        for (int64_t n = 0; n < s.length; ++n) {
            const int64_t t = s.gather[window * s.length + n];
            const float *from = qkv + (image * s.rows + t) * 3 * wide;
            for (int part = 0; part < 3; ++part)
                for (int64_t h = 0; h < s.heads; ++h, from += s.depth)
                    values_of_row(
                        from, s.depth, how[part][0], how[part][1],
                        how[part][2], 1.0f,
                        parts[part] +
                            ((i * s.heads + h) * s.length + n) * s.depth);
        }
    }
}

// Sums of some windows, rescaled, to where their tokens lie in the image.
void window_outputs(const float *sums, const float *steps, const Attention &s,
                    int64_t first, int64_t count, float *out, int threads) {
    const int64_t wide = s.heads * s.depth;
    threads = threads_for(count * s.length * wide, threads);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; ++i) {
        const int64_t image = (first + i) / s.windows;
        const int64_t window = (first + i) % s.windows;
        for (int64_t n = 0; n < s.length; ++n) {
            const int64_t t = s.gather[window * s.length + n];
            if (t >= s.tokens) continue;  // padding goes nowhere
            float *to = out + (image * s.tokens + t) * wide;
            for (int64_t h = 0; h < s.heads; ++h, to += s.depth) {
                const int64_t row = (i * s.heads + h) * s.length + n;
                const float *from = sums + row * s.depth;
                const float step = steps[row] * s.value[0];
                for (int64_t c = 0; c < s.depth; ++c) to[c] = from[c] * step;
            }
        }
    }
}
