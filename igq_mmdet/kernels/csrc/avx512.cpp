// AVX-512 with VNNI: twelve tokens by two vectors fill 24 registers.

#if defined(__x86_64__)
#include <immintrin.h>
#include <omp.h>

#include <cstring>
#include <memory>
#include <vector>

#include "api.h"

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")

#define IGQ_VNNI
namespace avx512 {
static constexpr int MR = 12;
static constexpr int GROUPED_MR = 6;
#include "vectors.h"

#include "quantize.h"

#include "linear.h"

#include "runs.h"

#include "grouped.h"

#include "conv.h"

#include "softmax.h"

#include "attention.h"

#include "simulate.h"

#include "grouped_values.h"
}
#endif
