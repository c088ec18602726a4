// The C functions that igq_mmdet/kernels/library.py calls.

#include "api.h"

#if defined(__x86_64__)
static int best() {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni"))
        return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#define CALL(isa, call) ((isa) == 2 ? avx512::call : avx2::call)

extern "C" {
// Hash of the sources, see igq_mmdet/kernels/sources.py.
const char *igq_sources() { return IGQ_SOURCES; }

// 2: AVX-512 VNNI, 1: AVX2, 0: none that the kernels know.
int igq_instruction_set() { return best(); }

// Outputs of a panel of a convolution's weights.
int64_t igq_conv_panel(int isa) { return CALL(isa, conv_panel()); }

void igq_column_bounds(int isa, const float *x, int64_t rows, int64_t columns,
                       float *low, float *high, int threads) {
    CALL(isa, column_bounds(x, rows, columns, low, high, threads));
}

void igq_codes(int isa, const float *x, int64_t rows, int64_t columns,
               const Codes *how, uint8_t *out) {
    CALL(isa, codes(x, rows, columns, *how, out));
}

void igq_linear(int isa, const float *x, int64_t rows, const Codes *how,
                const Weights *weights, float *out, int threads) {
    CALL(isa, linear(x, rows, *how, *weights, out, threads));
}

// ``group`` names one of ``groups`` for every channel; ``weights`` are laid
// out as [D / PANEL][K + 1][PANEL].
void igq_grouped(int isa, const float *x, int64_t rows, const Codes *how,
                 const int32_t *group, int64_t groups, const Weights *weights,
                 float *out, int threads) {
    CALL(isa,
         grouped(x, rows, *how, group, groups, *weights, out, threads));
}

void igq_conv(int isa, const float *x, const Conv *shape, const Codes *how,
              const Weights *weights, float *out, int threads) {
    CALL(isa, conv(x, *shape, *how, *weights, out, threads));
}

void igq_attention(int isa, const float *qkv, const Attention *shape,
                   float *out, int threads) {
    CALL(isa, attention(qkv, *shape, out, threads));
}

void igq_values(int isa, const float *x, int64_t rows, int64_t columns,
                const Codes *how, int64_t kind, float *out, int threads) {
    CALL(isa, values(x, rows, columns, *how, kind, out, threads));
}

void igq_weight_values(int isa, const uint8_t *codes, int64_t rows,
                       int64_t columns, const float *zero, const float *scale,
                       float *out, int threads) {
    CALL(isa, weight_values(codes, rows, columns, zero, scale, out, threads));
}

// As igq_grouped, in float on codes (D, K).
void igq_grouped_values(int isa, const float *x, int64_t rows,
                        const Codes *how, const int32_t *group,
                        int64_t groups, const uint8_t *codes,
                        const float *zero, const float *scale,
                        const float *bias, int64_t inputs, int64_t outputs,
                        float *out, int threads) {
    CALL(isa, grouped_values(x, rows, *how, group, groups, codes, zero, scale,
                             bias, inputs, outputs, out, threads));
}

void igq_rescale(int isa, float *y, int64_t rows, int64_t channels,
                 int64_t size, const float *scale, const float *bias,
                 int threads) {
    CALL(isa, rescale(y, rows, channels, size, scale, bias, threads));
}

void igq_softmax_codes(int isa, float *scores, const Rows *shape,
                       float *steps, int threads) {
    CALL(isa, softmax_codes(scores, *shape, steps, threads));
}

void igq_window_values(int isa, const float *qkv, const Attention *shape,
                       int64_t first, int64_t count, float *query, float *key,
                       float *value, int threads) {
    CALL(isa, window_values(qkv, *shape, first, count, query, key, value,
                            threads));
}

void igq_window_outputs(int isa, const float *sums, const float *steps,
                        const Attention *shape, int64_t first, int64_t count,
                        float *out, int threads) {
    CALL(isa,
         window_outputs(sums, steps, *shape, first, count, out, threads));
}
}
#else
extern "C" int igq_instruction_set() { return 0; }
#endif
