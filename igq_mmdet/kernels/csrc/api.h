// What the library offers, once for every instruction set.
//
// Plain C on purpose: no header of torch or Python is needed, so that one
// build serves every version of both, and takes seconds.
#pragma once

#include <cstdint>

// A layer's weights, laid out by igq_mmdet/runtime/weights.py.
struct Weights {
    const int8_t *codes;      // w - 2^(b-1), in panels of the kernel
    const int32_t *zero;      // z_w - 2^(b-1), one an output, modulo 2^32
    const float *scale;       // s_w * s_0, one an output
    const float *bias;        // one an output
    int64_t inputs, outputs;  // K of one tap, D
    int32_t wide;             // codes may exceed 7 bits
};

// How one channel is quantized: code = (clamp(rint(x / s), low, high) - low)
// times m, an unsigned byte.
struct Codes {
    const float *scale, *low, *high, *multiple;
};

struct Conv {
    int64_t images, height, width;  // of the input
    int64_t out_height, out_width;
    int64_t kernel_h, kernel_w, stride_h, stride_w;
    int64_t pad_h, pad_w, dilation_h, dilation_w;
};

// Attention inside windows of an image's tokens.
struct Attention {
    int64_t images, rows, tokens;      // rows of qkv an image has, L of them
    int64_t windows, length;           // N tokens a window
    int64_t heads, depth, groups;
    const int64_t *gather;             // row of each window position
    const float *bias;                 // (heads, N, N padded to 16), -1e30
    const float *mask;                 // (windows, N, same) or null
    const float *query, *key, *value;  // scale, -z, 2^b - 1 - z
    const float *edges, *row_scale;    // of the groups of softmax rows
    float score_scale, top;            // top: 2^b - 1
    int32_t shift, wide;               // of codes into int8; over 7 bits
};

// Rows of attention maps: score * factor + term 0 + term 1, then softmax.
struct Rows {
    int64_t size[4], width;      // rows lie in four dimensions
    int64_t stride[2][4];        // of the terms in these; widths are dense
    const float *term[2];        // or null
    const float *edges, *row_scale;
    int64_t groups;
    float factor, top;
};

#define IGQ_KERNELS(ISA)                                                      \
    namespace ISA {                                                           \
    int64_t conv_panel();                                                     \
    void column_bounds(const float *, int64_t, int64_t, float *, float *,     \
                       int);                                                  \
    void codes(const float *, int64_t, int64_t, Codes, uint8_t *);            \
    void linear(const float *, int64_t, Codes, const Weights &, float *,      \
                int);                                                         \
    void grouped(const float *, int64_t, Codes, const int32_t *, int64_t,     \
                 const Weights &, float *, int);                              \
    void conv(const float *, const Conv &, Codes, const Weights &, float *,   \
              int);                                                           \
    void attention(const float *, const Attention &, float *, int);           \
    void values(const float *, int64_t, int64_t, Codes, int64_t, float *,     \
                int);                                                         \
    void weight_values(const uint8_t *, int64_t, int64_t, const float *,      \
                       const float *, float *, int);                          \
    void grouped_values(const float *, int64_t, Codes, const int32_t *,       \
                        int64_t, const uint8_t *, const float *,              \
                        const float *, const float *, int64_t, int64_t,       \
                        float *, int);                                        \
    void rescale(float *, int64_t, int64_t, int64_t, const float *,           \
                 const float *, int);                                         \
    void softmax_codes(float *, const Rows &, float *, int);                  \
    void window_values(const float *, const Attention &, int64_t, int64_t,    \
                       float *, float *, float *, int);                       \
    void window_outputs(const float *, const float *, const Attention &,      \
                        int64_t, int64_t, float *, int);                      \
    }
IGQ_KERNELS(avx2)
IGQ_KERNELS(avx512)
#undef IGQ_KERNELS
