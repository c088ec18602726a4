// The C functions that igq_mmdet/runtime/library.py calls.

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

void igq_conv(int isa, const float *x, const Conv *shape, const Codes *how,
              const Weights *weights, float *out, int threads) {
    CALL(isa, conv(x, *shape, *how, *weights, out, threads));
}

void igq_attention(int isa, const float *qkv, const Attention *shape,
                   float *out, int threads) {
    CALL(isa, attention(qkv, *shape, out, threads));
}
}
#else
extern "C" int igq_instruction_set() { return 0; }
#endif
