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
    constexpr int R = GROUPED_MR, VECTORS = PANEL / LANES;
    alignas(64) float total[R][PANEL] = {};
    int64_t k = 0;
    for (size_t i = 0; i < runs.ends.size(); ++i) {
        Lanes sum[R][VECTORS] = {};
        for (const int64_t end = runs.ends[i]; k < end; ++k) {
            Lanes own[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; ++v)
                own[v] = *(const Lanes *)(b + LANES * v);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                const Lanes value = Lanes{} + a[r];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; ++v)
                    sum[r][v] = multiply_add(value, own[v], sum[r][v]);
            }
            a += R;
            b += PANEL;
        }
        const float step = runs.step[i];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; ++v)
                *(Lanes *)(total[r] + LANES * v) += sum[r][v] * step;
    }
    for (int r = 0; r < rows; ++r)
        for (int d = 0; d < columns; ++d)
            out[r * stride + d] = total[r][d] * scale[d] + bias[d];
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
