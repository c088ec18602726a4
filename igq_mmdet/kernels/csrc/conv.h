// A convolution on codes, lanes being neighbours in a row of outputs: no patch
// is ever copied. Codes lie as [row][phase][C / 4][column][4] with the code of
// zero around the picture, a phase being the columns of one remainder modulo
// the stride; weights as [D / MR][tap][C / 4][MR][4].

int64_t conv_panel() { return MR; }

struct Plane {
    int64_t stride, phases, quads;  // quads: C / 4
    int64_t columns, rows;          // of a phase; padded height

    int64_t row() const { return phases * quads * columns * 4; }
    int64_t size() const { return rows * row(); }
    // where a tap finds the first of its columns, in a row
    int64_t column(int64_t x) const {
        return (x % stride * quads * columns + x / stride) * 4;
    }
};

// One padded row of one image, all channels.
static void codes_of_plane_row(const float *x, const Conv &s, const Plane &p,
                               int64_t channels, int64_t y, const Codes &how,
                               uint32_t *out) {
    const float scale = *how.scale, low = *how.low, high = *how.high;
    const uint32_t zero = (uint32_t)(int32_t)(-low);
    const bool inside = y >= 0 && y < s.height;
    for (int64_t phase = 0; phase < p.phases; ++phase) {
        // the first column that lies in the picture, and how many do
        const int64_t skip =
            s.pad_w > phase ? (s.pad_w - phase + p.stride - 1) / p.stride : 0;
        const int64_t first = skip * p.stride + phase - s.pad_w;
        int64_t count = (s.width - first + p.stride - 1) / p.stride;
        if (count > p.columns - skip) count = p.columns - skip;
        for (int64_t q = 0; q < p.quads; ++q, out += p.columns) {
            for (int64_t c = 0; c < p.columns; ++c) out[c] = zero * 0x01010101u;
            if (!inside) continue;
            uint32_t *__restrict to = out + skip;
            for (int64_t i = 0; i < count; ++i) to[i] = 0;
            for (int64_t j = 0; j < 4 && 4 * q + j < channels; ++j) {
                const float *__restrict from =
                    x + ((4 * q + j) * s.height + y) * s.width + first;
                const int shift = (int)(8 * j);
                for (int64_t i = 0; i < count; ++i) {
                    const float code =
                        code_of(from[i * p.stride], scale, low, high, 1.0f);
                    to[i] |= (uint32_t)(int32_t)code << shift;
                }
            }
        }
    }
}

// Sums of the codes each of the sixteen outputs sees.
static V sums_of(const uint8_t *a, const Conv &s, const Plane &p,
                 int64_t channels) {
    V sum = {};
    const V ones = V{} + 0x01010101;
    const int tail = (int)(4 * p.quads - channels);
    const V last = V{} + (int32_t)(0x01010101u >> (8 * tail));
    for (int64_t ky = 0; ky < s.kernel_h; ++ky)
        for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
            const uint8_t *tap = a + ky * s.dilation_h * p.row() +
                                 p.column(kx * s.dilation_w);
            for (int64_t q = 0; q < p.quads; ++q, tap += p.columns * 4)
                sum = dot<false>(sum, load(tap),
                                 q + 1 < p.quads ? ones : last);
        }
    return sum;
}

// MR outputs of two runs of sixteen pixels.
template <bool Wide>
static void conv_tile(const uint8_t *const a[2], const int8_t *b,
                      const Conv &s, const Plane &p, V acc[MR][2]) {
    Words sum[MR][2][16 / LANES] = {};
    const int64_t step = p.columns * 4;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky)
        for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
            const int64_t tap =
                ky * s.dilation_h * p.row() + p.column(kx * s.dilation_w);
            const uint8_t *a0 = a[0] + tap, *a1 = a[1] + tap;
            for (int64_t q = 0; q < p.quads; ++q) {
#pragma GCC unroll 16
                for (int r = 0; r < MR; ++r) {
                    const Words w = spread<Words>(b + 4 * r);
#pragma GCC unroll 2
                    for (int v = 0; v < 16 / LANES; ++v) {
                        sum[r][0][v] = dot<Wide>(sum[r][0][v],
                                                 ((const Words *)a0)[v], w);
                        sum[r][1][v] = dot<Wide>(sum[r][1][v],
                                                 ((const Words *)a1)[v], w);
                    }
                }
                a0 += step;
                a1 += step;
                b += 4 * MR;
            }
        }
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r)
        for (int v = 0; v < 2; ++v) acc[r][v] = load(&sum[r][v]);
}

template <bool Wide>
static void conv_images(const float *x, const Conv &s, const Codes &how,
                        const Weights &w, float *out, int threads) {
    const int64_t channels = w.inputs, taps = s.kernel_h * s.kernel_w;
    const int64_t blocks = (s.out_width + 15) / 16;
    const int64_t reach = (s.kernel_w - 1) * s.dilation_w;
    const Plane p = {s.stride_w,
                     s.stride_w < reach + 1 ? s.stride_w : reach + 1,
                     (channels + 3) / 4, 16 * blocks + reach / s.stride_w,
                     (s.out_height - 1) * s.stride_h +
                         (s.kernel_h - 1) * s.dilation_h + 1};
    const int64_t plane = s.out_height * s.out_width;
    const int64_t panels = (w.outputs + MR - 1) / MR;
    const int64_t panel = taps * p.quads * 4 * MR;
    const uint32_t z = (uint32_t)(int32_t)(-*how.low);
    // sum_c z w, and what the sum of codes is over
    std::vector<int32_t> start(panels * MR);
    for (int64_t d = 0; d < panels * MR; ++d) {
        const int8_t *b = w.codes + d / MR * panel + d % MR * 4;
        int32_t sum = 0;
        for (int64_t k = 0; k < taps * p.quads; ++k, b += 4 * MR)
            sum += b[0] + b[1] + b[2] + b[3];
        start[d] = (int32_t)((uint32_t)sum * z);
    }
    const uint32_t total = z * (uint32_t)(channels * taps);
    std::unique_ptr<uint8_t[]> codes(new uint8_t[s.images * p.size()]);
    const int64_t runs = s.images * s.out_height * blocks;
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s.images * p.rows; ++i) {
            const int64_t image = i / p.rows, y = i % p.rows;
            codes_of_plane_row(
                x + image * channels * s.height * s.width, s, p, channels,
                y - s.pad_h, how,
                (uint32_t *)(codes.get() + image * p.size() + y * p.row()));
        }
#pragma omp for schedule(dynamic, 4)
        for (int64_t i = 0; i < (runs + 1) / 2; ++i) {
            const uint8_t *a[2];
            int64_t at[2], count[2];
            U sums[2];
            for (int v = 0; v < 2; ++v) {
                // an odd run at the end is computed twice, stored once
                const int64_t run = 2 * i + v < runs ? 2 * i + v : 2 * i;
                const int64_t line = run / blocks, x0 = run % blocks * 16;
                const int64_t image = line / s.out_height;
                const int64_t y = line % s.out_height;
                a[v] = codes.get() + image * p.size() +
                       y * s.stride_h * p.row() + x0 * 4;
                at[v] = image * w.outputs * plane + y * s.out_width + x0;
                count[v] = s.out_width - x0 < 16 ? s.out_width - x0 : 16;
                sums[v] = (U)sums_of(a[v], s, p, channels) - total;
            }
            const int stored = 2 * i + 1 < runs ? 2 : 1;
            for (int64_t n = 0; n < panels; ++n) {
                V acc[MR][2];
                conv_tile<Wide>(a, w.codes + n * panel, s, p, acc);
                for (int r = 0; r < MR && n * MR + r < w.outputs; ++r) {
                    const int64_t d = n * MR + r;
                    for (int v = 0; v < stored; ++v) {
                        U exact = (U)acc[r][v] - (uint32_t)start[d] -
                                  sums[v] * (uint32_t)w.zero[d];
                        F y = __builtin_convertvector((V)exact, F) *
                                  w.scale[d] +
                              w.bias[d];
                        float *to = out + at[v] + d * plane;
                        if (count[v] == 16)
                            *(F *)to = y;
                        else
                            std::memcpy(to, &y, sizeof(float) * count[v]);
                    }
                }
            }
        }
    }
}

void conv(const float *x, const Conv &shape, Codes how, const Weights &w,
          float *out, int threads) {
    if (shape.images * shape.out_height * shape.out_width == 0) return;
#ifndef IGQ_VNNI
    if (w.wide) return conv_images<true>(x, shape, how, w, out, threads);
#endif
    conv_images<false>(x, shape, how, w, out, threads);
}
