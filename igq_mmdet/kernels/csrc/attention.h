// Windowed attention on codes. Both products, the softmax and its codes are
// computed a window and head at a time and never leave the cache.

typedef uint8_t Bytes __attribute__((vector_size(16), aligned(1)));

// Codes of one head of one token; ``shift`` moves them into int8.
static inline void head_codes(const float *__restrict x, int64_t depth,
                              const float how[3], int shift,
                              uint8_t *__restrict out) {
    const float s = how[0], l = how[1], h = how[2];
    for (int64_t i = 0; i < depth; ++i)
        out[i] = (uint8_t)((int32_t)code_of(x[i], s, l, h, 1.0f) - shift);
}

// What one thread keeps of one window and head.
struct Window {
    int64_t length, depth, quads, runs, steps, spans;
    std::vector<uint8_t> query, key_row, key, value_rows, value, weights;
    std::vector<int32_t> key_sums;
    std::vector<float> scores;

    explicit Window(const Attention &s)
        : length(s.length), depth(s.depth), quads((depth + 3) / 4),
          runs((length + 15) / 16), steps((length + 3) / 4),
          spans((depth + 15) / 16), query(length * quads * 4),
          key_row(quads * 4), key(quads * runs * 64),
          value_rows(steps * 4 * spans * 16), value(steps * spans * 64),
          weights(length * runs * 16), key_sums(runs * 16),
          scores(runs * 16) {}

    const float *token(const Attention &s, const float *qkv, int64_t window,
                       int64_t n, int64_t part, int64_t head) const {
        const int64_t wide = s.heads * depth;
        return qkv + s.gather[window * length + n] * 3 * wide + part * wide +
               head * depth;
    }

    void gather(const Attention &s, const float *qkv, int64_t window,
                int64_t head) {
        for (int64_t n = 0; n < length; ++n) {
            head_codes(token(s, qkv, window, n, 0, head), depth, s.query, 0,
                       query.data() + n * quads * 4);
            head_codes(token(s, qkv, window, n, 1, head), depth, s.key,
                       s.shift, key_row.data());
            int32_t sum = 0;
            for (int64_t i = 0; i < depth; ++i)
                sum += (int8_t)key_row[i];
            key_sums[n] = sum;
            for (int64_t k = 0; k < quads; ++k)
                std::memcpy(key.data() + (k * runs * 16 + n) * 4,
                            key_row.data() + 4 * k, 4);
            head_codes(token(s, qkv, window, n, 2, head), depth, s.value,
                       s.shift, value_rows.data() + n * spans * 16);
        }
        for (int64_t m = 0; m < steps; ++m) {
            const uint8_t *__restrict a = value_rows.data() + 4 * m * spans * 16;
            const uint8_t *__restrict b = a + spans * 16,
                          *__restrict c = b + spans * 16,
                          *__restrict d = c + spans * 16;
            uint32_t *__restrict to =
                (uint32_t *)(value.data() + m * spans * 64);
            for (int64_t i = 0; i < spans * 16; ++i)
                to[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 |
                        (uint32_t)d[i] << 24;
        }
    }

    // Scores of one query, and codes of their softmax; the scale of its group.
    template <bool Wide>
    float attend(const Attention &s, int64_t window, int64_t head, int64_t n,
                 int32_t *sum_of_codes) {
        const uint8_t *q = query.data() + n * quads * 4;
        uint32_t q_sum = 0;
        for (int64_t i = 0; i < depth; ++i) q_sum += q[i];
        const uint32_t zq = (uint32_t)(int32_t)(-s.query[1]);
        const uint32_t zk = (uint32_t)((int32_t)(-s.key[1]) - s.shift);
        const uint32_t fixed = zk * (zq * (uint32_t)depth - q_sum);
        const float *bias =
            s.bias + (head * length + n) * runs * 16;
        const float *mask =
            s.mask ? s.mask + (window * length + n) * runs * 16 : nullptr;
        F top = F{} - __builtin_inff();
        for (int64_t j = 0; j < runs; ++j) {
            V acc = {};
            const uint8_t *k = key.data() + j * 64;
            for (int64_t i = 0; i < quads; ++i, k += runs * 64)
                acc = dot<Wide>(acc, spread(q + 4 * i), load(k));
            const U exact =
                (U)acc - (U)load(key_sums.data() + 16 * j) * zq + fixed;
            F y = __builtin_convertvector((V)exact, F) * s.score_scale +
                  *(const F *)(bias + 16 * j);
            if (mask) y += *(const F *)(mask + 16 * j);
            *(F *)(scores.data() + 16 * j) = y;
            top = larger(top, y);
        }
        const RowGroups groups = {s.groups, s.edges, s.row_scale, s.top};
        uint8_t *codes = weights.data() + n * runs * 16;
        V count = {};
        const float step =
            softmax_row(scores.data(), runs, top, groups, [&](int64_t j, F p) {
                const V code = __builtin_convertvector(p, V);
                count += code;
                *(Bytes *)(codes + 16 * j) =
                    __builtin_convertvector(code, Bytes);
            });
        int32_t all = 0;
        for (int i = 0; i < 16; ++i) all += count[i];
        *sum_of_codes = all;
        return step;
    }

    template <bool Wide>
    void average(const Attention &s, int64_t n, float step, int32_t sum,
                 float *out) const {
        const uint8_t *a = weights.data() + n * runs * 16;
        const uint32_t zv = (uint32_t)((int32_t)(-s.value[1]) - s.shift);
        for (int64_t j = 0; j < spans; ++j) {
            V acc = {};
            for (int64_t m = 0; m < steps; ++m)
                acc = dot<Wide>(acc, spread(a + 4 * m),
                                load(value.data() + (m * spans + j) * 64));
            const U exact = (U)acc - zv * (uint32_t)sum;
            const F y = __builtin_convertvector((V)exact, F) *
                        (step * s.value[0]);
            const int64_t left = depth - 16 * j;
            std::memcpy(out + 16 * j, &y,
                        sizeof(float) * (left < 16 ? left : 16));
        }
    }
};

template <bool Wide>
static void windows(const float *qkv, const Attention &s, float *out,
                    int threads) {
    const int64_t wide = s.heads * s.depth;
#pragma omp parallel num_threads(threads)
    {
        Window own(s);
#pragma omp for schedule(dynamic, 8)
        for (int64_t i = 0; i < s.images * s.windows; ++i) {
            const int64_t image = i / s.windows, window = i % s.windows;
            const float *x = qkv + image * s.rows * 3 * wide;
            float *y = out + image * s.tokens * wide;
            for (int64_t head = 0; head < s.heads; ++head) {
                own.gather(s, x, window, head);
                for (int64_t n = 0; n < s.length; ++n) {
                    const int64_t t = s.gather[window * s.length + n];
                    if (t >= s.tokens) continue;  // padding asks nothing
                    int32_t sum;
                    const float step =
                        own.attend<Wide>(s, window, head, n, &sum);
                    own.average<Wide>(s, n, step, sum,
                                      y + t * wide + head * s.depth);
                }
            }
        }
    }
}

void attention(const float *qkv, const Attention &s, float *out,
               int threads) {
#ifndef IGQ_VNNI
    if (s.wide) return windows<true>(qkv, s, out, threads);
#endif
    windows<false>(qkv, s, out, threads);
}
