// A fully connected layer whose channels have one of several steps: a run is
// summed in integers, runs in float, in the order of groups. The weights are
// laid out anew for the runs of every image.

// A panel of weights, [K + 1][PANEL] with zeros last, in the order of runs,
// [quads][PANEL][4]; and -z_i sum_c w of every run i and output.
static void arrange(const uint8_t *from, const Runs &runs, uint8_t *to,
                    int32_t *start, int64_t outputs) {
    const V ones = V{} + 0x01010101;
    int64_t k = 0;
    for (size_t i = 0; i < runs.ends.size(); ++i, start += outputs) {
        V sum[2] = {};
        for (; k < runs.ends[i]; ++k) {
            const int32_t *c = runs.order.data() + 4 * k;
            const uint8_t *__restrict w0 = from + (int64_t)c[0] * PANEL,
                          *__restrict w1 = from + (int64_t)c[1] * PANEL,
                          *__restrict w2 = from + (int64_t)c[2] * PANEL,
                          *__restrict w3 = from + (int64_t)c[3] * PANEL;
            uint32_t *__restrict four = (uint32_t *)to;
            for (int d = 0; d < PANEL; ++d)
                four[d] = w0[d] | (uint32_t)w1[d] << 8 |
                          (uint32_t)w2[d] << 16 | (uint32_t)w3[d] << 24;
            for (int v = 0; v < 2; ++v)
                sum[v] = dot<false>(sum[v], ones, load(to + 64 * v));
            to += 4 * PANEL;
        }
        for (int v = 0; v < 2; ++v)
            *(V *)(start + 16 * v) = (V)(-((U)sum[v] * runs.zero[i]));
    }
}

// GROUPED_MR tokens times PANEL outputs. ``a`` holds [quads][GROUPED_MR][4]
// codes; ``sums`` (of q - z, one a token and run) is null where z_w is 0.
template <bool Wide>
static void runs_tile(const uint8_t *a, const int8_t *b, const Runs &runs,
                      const int32_t *start, int64_t outputs,
                      const int32_t *zero, const uint32_t *sums,
                      const float *scale, const float *bias, float *out,
                      int64_t stride, int rows, int columns) {
    constexpr int R = GROUPED_MR;
    const size_t count = runs.ends.size();
    F total[R][2] = {};
    int64_t k = 0;
    for (size_t i = 0; i < count; ++i, start += outputs) {
        Words acc[R][PANEL / LANES];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < PANEL / LANES; ++v)
                acc[r][v] = ((const Words *)start)[v];
        multiply<R, Wide>(a, b, runs.ends[i] - k, acc);
        k = runs.ends[i];
        const float step = runs.step[i];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const uint32_t q = sums ? sums[r * count + i] : 0;
#pragma GCC unroll 4
            for (int v = 0; v < PANEL / LANES; ++v) {
                Words exact = acc[r][v];
                // unsigned: intermediate overflow is meant to wrap around
                if (sums)
                    exact = (Words)((Unsigned)exact -
                                    ((const Unsigned *)zero)[v] * q);
                ((Lanes *)total[r])[v] +=
                    __builtin_convertvector(exact, Lanes) * step;
            }
        }
    }
    const F s[2] = {*(const F *)scale, *(const F *)(scale + 16)};
    const F c[2] = {*(const F *)bias, *(const F *)(bias + 16)};
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        if (r >= rows) break;
        const F y[2] = {total[r][0] * s[0] + c[0], total[r][1] * s[1] + c[1]};
        store(y, out + r * stride, columns);
    }
}

// Codes of one token in the order of runs, a quad every GROUPED_MR quads.
static void in_order(const uint8_t *row, const Runs &runs, uint8_t *to,
                     uint32_t *sums) {
    const int32_t *c = runs.order.data();
    int64_t k = 0;
    for (size_t i = 0; i < runs.ends.size(); ++i) {
        uint32_t sum = 0;
        for (; k < runs.ends[i]; ++k, c += 4, to += 4 * GROUPED_MR) {
            const uint32_t four = row[c[0]] | (uint32_t)row[c[1]] << 8 |
                                  (uint32_t)row[c[2]] << 16 |
                                  (uint32_t)row[c[3]] << 24;
            std::memcpy(to, &four, 4);
            if (sums)
                sum += row[c[0]] + row[c[1]] + row[c[2]] + row[c[3]];
        }
        if (sums) sums[i] = sum - runs.offset[i];
    }
}

template <bool Wide>
static void grouped_blocks(const float *x, int64_t rows, const Codes &how,
                           const Runs &runs, const Weights &w, float *out,
                           int threads) {
    constexpr int R = GROUPED_MR;
    const int64_t quads = runs.packs, count = (int64_t)runs.ends.size();
    const int64_t panels = (w.outputs + PANEL - 1) / PANEL;
    const int64_t outputs = panels * PANEL;
    std::unique_ptr<uint8_t[]> weights(new uint8_t[quads * 4 * outputs]);
    std::vector<int32_t> start(count * outputs);
    const int64_t block = block_of(rows, quads, threads, R);
    const int64_t blocks = (rows + block - 1) / block;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t p = 0; p < panels; ++p)
            arrange((const uint8_t *)w.codes + p * (w.inputs + 1) * PANEL,
                    runs, weights.get() + p * quads * 4 * PANEL,
                    start.data() + p * PANEL, outputs);
        std::vector<uint8_t> codes(block * quads * 4);
        std::vector<uint8_t> row(w.inputs + 1, 0);
        std::vector<uint32_t> sums(w.zero ? block * count : 0);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < blocks; ++i) {
            const int64_t first = i * block;
            const int64_t many = rows - first < block ? rows - first : block;
            for (int64_t n = 0; n < many; ++n) {
                codes_of_row(x + (first + n) * w.inputs, w.inputs, how,
                             row.data());
                in_order(row.data(), runs,
                         codes.data() + n / R * R * quads * 4 + n % R * 4,
                         w.zero ? sums.data() + n * count : nullptr);
            }
            for (int64_t p = 0; p < panels; ++p) {
                const int64_t d = p * PANEL, left = w.outputs - d;
                for (int64_t n = 0; n < many; n += R)
                    runs_tile<Wide>(
                        codes.data() + n * quads * 4,
                        (const int8_t *)weights.get() + d * quads * 4, runs,
                        start.data() + d, outputs, w.zero ? w.zero + d : 0,
                        w.zero ? sums.data() + n * count : nullptr,
                        w.scale + d, w.bias + d,
                        out + (first + n) * w.outputs + d, w.outputs,
                        many - n < R ? (int)(many - n) : R,
                        left < PANEL ? (int)left : PANEL);
            }
        }
    }
}

void grouped(const float *x, int64_t rows, Codes how, const int32_t *group,
             int64_t groups, const Weights &w, float *out, int threads) {
    if (rows == 0) return;
    const Runs runs(how, group, groups, w.inputs, 4);
#ifndef IGQ_VNNI
    if (w.wide) return grouped_blocks<true>(x, rows, how, runs, w, out, threads);
#endif
    grouped_blocks<false>(x, rows, how, runs, w, out, threads);
}
