// Float values to codes, exactly as quantizers/uniform.py does it.

static inline float code_of(float x, float scale, float low, float high,
                            float multiple) {
    float r = __builtin_rintf(x / scale);
    r = r < low ? low : r;
    r = r > high ? high : r;
    return (r - low) * multiple;
}

static void codes_of_row(const float *__restrict x, int64_t columns,
                         const Codes &how, uint8_t *__restrict out) {
    const float *__restrict s = how.scale, *__restrict l = how.low,
                *__restrict h = how.high, *__restrict m = how.multiple;
    for (int64_t c = 0; c < columns; ++c)
        out[c] = (uint8_t)(int32_t)code_of(x[c], s[c], l[c], h[c], m[c]);
}

void codes(const float *x, int64_t rows, int64_t columns, Codes how,
           uint8_t *out) {
    for (int64_t n = 0; n < rows; ++n)
        codes_of_row(x + n * columns, columns, how, out + n * columns);
}

// Minimum and maximum of each column, NaN where a column has one; every
// thread takes a run of rows.
void column_bounds(const float *x, int64_t rows, int64_t columns, float *low,
                   float *high, int threads) {
    const int64_t most = rows / 64 + 1;
    if (threads > most) threads = (int)most;
    std::vector<float> every(2 * columns * threads);
    std::vector<int32_t> not_numbers(columns * threads);
#pragma omp parallel num_threads(threads)
    {
        const int t = omp_get_thread_num(), all = omp_get_num_threads();
        const int64_t begin = rows * t / all, end = rows * (t + 1) / all;
        float *__restrict lo = every.data() + 2 * columns * t;
        float *__restrict hi = lo + columns;
        int32_t *__restrict bad = not_numbers.data() + columns * t;
        for (int64_t c = 0; c < columns; ++c) {
            lo[c] = __builtin_inff();
            hi[c] = -__builtin_inff();
        }
        int64_t n = begin;
        for (; n + 4 <= end; n += 4) {
            const float *__restrict a = x + n * columns;
            const float *__restrict b = a + columns, *__restrict d = b + columns,
                        *__restrict e = d + columns;
            for (int64_t c = 0; c < columns; ++c) {
                float l1 = a[c] < b[c] ? a[c] : b[c];
                float h1 = a[c] > b[c] ? a[c] : b[c];
                float l2 = d[c] < e[c] ? d[c] : e[c];
                float h2 = d[c] > e[c] ? d[c] : e[c];
                l1 = l1 < l2 ? l1 : l2;
                h1 = h1 > h2 ? h1 : h2;
                lo[c] = l1 < lo[c] ? l1 : lo[c];
                hi[c] = h1 > hi[c] ? h1 : hi[c];
                bad[c] |= (a[c] != a[c]) | (b[c] != b[c]) | (d[c] != d[c]) |
                          (e[c] != e[c]);
            }
        }
        for (; n < end; ++n) {
            const float *__restrict a = x + n * columns;
            for (int64_t c = 0; c < columns; ++c) {
                lo[c] = a[c] < lo[c] ? a[c] : lo[c];
                hi[c] = a[c] > hi[c] ? a[c] : hi[c];
                bad[c] |= a[c] != a[c];
            }
        }
    }
    for (int64_t c = 0; c < columns; ++c) {
        low[c] = every[c];
        high[c] = every[columns + c];
        for (int t = 1; t < threads; ++t) {
            const float *own = every.data() + 2 * columns * t;
            if (own[c] < low[c]) low[c] = own[c];
            if (own[columns + c] > high[c]) high[c] = own[columns + c];
        }
        for (int t = 0; t < threads; ++t)
            if (not_numbers[columns * t + c])
                low[c] = high[c] = __builtin_nanf("");
    }
}
