// AVX2: three tokens by two vectors (four halves) fill 12 registers.

#if defined(__x86_64__)
#include <immintrin.h>
#include <omp.h>

#include <cstring>
#include <memory>
#include <vector>

#include "api.h"

#pragma GCC target("avx2,fma")

namespace avx2 {
static constexpr int MR = 3;
static constexpr int GROUPED_MR = 2;
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
