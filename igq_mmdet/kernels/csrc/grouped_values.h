// What ``grouped`` computes on bytes, simulated in float: the integers and
// their sums within a run are the same while float holds them, and runs are
// added in the same order.

// A panel of w - z_w in the order of runs, [K][PANEL].
static void arrange_values(const uint8_t *codes, const float *zero,
                           const Runs &runs, int64_t inputs, int columns,
                           float *to) {
    if (columns < PANEL) std::memset(to, 0, sizeof(float) * inputs * PANEL);
    for (int d = 0; d < columns; ++d) {
        const uint8_t *from = codes + d * inputs;
        const float z = zero[d];
        for (int64_t k = 0; k < inputs; ++k)
            to[k * PANEL + d] = (float)from[runs.order[k]] - z;
    }
}

// GROUPED_MR tokens times PANEL outputs. ``a`` holds [K][GROUPED_MR].
static void values_tile(const float *a, const float *b, const Runs &runs,
                        const float *scale, const float *bias, float *out,
                        int64_t stride, int rows, int columns) {
    constexpr int R = GROUPED_MR;
    F total[R][2] = {};
    int64_t k = 0;
    for (size_t i = 0; i < runs.ends.size(); ++i) {
        F sum[R][2] = {};
        for (const int64_t end = runs.ends[i]; k < end; ++k) {
            const F b0 = *(const F *)b, b1 = *(const F *)(b + 16);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                const F value = F{} + a[r];
                sum[r][0] = multiply_add(value, b0, sum[r][0]);
                sum[r][1] = multiply_add(value, b1, sum[r][1]);
            }
            a += R;
            b += PANEL;
        }
        const float step = runs.step[i];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < 2; ++v) total[r][v] += sum[r][v] * step;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        if (r >= rows) break;
        alignas(64) float y[PANEL];
        for (int v = 0; v < 2; ++v) *(F *)(y + 16 * v) = total[r][v];
        for (int d = 0; d < columns; ++d)
            out[r * stride + d] = y[d] * scale[d] + bias[d];
    }
}

void grouped_values(const float *x, int64_t rows, Codes how,
                    const int32_t *group, int64_t groups, const uint8_t *codes,
                    const float *zero, const float *scale, const float *bias,
                    int64_t inputs, int64_t outputs, float *out, int threads) {
    constexpr int R = GROUPED_MR;
    if (rows == 0) return;
    const Runs runs(how, group, groups, inputs, 1);
    const int64_t panels = (outputs + PANEL - 1) / PANEL;
    std::unique_ptr<float[]> weights(new float[panels * PANEL * inputs]);
    int64_t block = block_of(rows, inputs, threads, R);
    // with fewer tokens wide weights come from memory too often
    int64_t least = (rows + threads - 1) / threads;
    least = ((least < 96 ? least : 96) + R - 1) / R * R;
    if (block < least) block = least;
    const int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t p = 0; p < panels; ++p) {
            const int64_t d = p * PANEL, left = outputs - d;
            arrange_values(codes + d * inputs, zero + d, runs, inputs,
                           left < PANEL ? (int)left : PANEL,
                           weights.get() + d * inputs);
        }
        std::vector<float> values(block * inputs, 0.f), row(inputs);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < blocks; ++i) {
            const int64_t first = i * block;
            const int64_t many = rows - first < block ? rows - first : block;
            for (int64_t n = 0; n < many; ++n) {
                values_by_column(x + (first + n) * inputs, inputs, how,
                                 row.data());
                float *to = values.data() + n / R * R * inputs + n % R;
                for (int64_t k = 0; k < inputs; ++k)
                    to[k * R] = row[runs.order[k]];
            }
            for (int64_t p = 0; p < panels; ++p) {
                const int64_t d = p * PANEL, left = outputs - d;
                for (int64_t n = 0; n < many; n += R)
                    values_tile(values.data() + n * inputs,
                                weights.get() + d * inputs, runs, scale + d,
                                bias + d, out + (first + n) * outputs + d,
                                outputs, many - n < R ? (int)(many - n) : R,
                                left < PANEL ? (int)left : PANEL);
            }
        }
    }
}
