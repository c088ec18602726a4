// Sixteen lanes of int32 or float, and the product of bytes each adds.
// Included after the instruction set is chosen.

typedef int32_t V __attribute__((vector_size(64), aligned(4)));
typedef uint32_t U __attribute__((vector_size(64), aligned(4)));
typedef float F __attribute__((vector_size(64), aligned(4)));

static inline V load(const void *p) { return *(const V *)p; }

// acc + sum over four bytes of u (unsigned) times s (signed), exactly.
template <bool Wide> static inline V dot(V acc, V u, V s) {
#ifdef IGQ_VNNI
    return (V)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s);
#else
    for (int half = 0; half < 2; ++half) {
        __m256i a = ((__m256i *)&u)[half], b = ((__m256i *)&s)[half];
        __m256i &out = ((__m256i *)&acc)[half];
        if (Wide) {
            // vpmaddubsw saturates at 16 bits: take even and odd bytes apart
            __m256i even = _mm256_and_si256(a, _mm256_set1_epi16(255));
            __m256i odd = _mm256_srli_epi16(a, 8);
            __m256i b_even = _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
            __m256i b_odd = _mm256_srai_epi16(b, 8);
            out = _mm256_add_epi32(out, _mm256_madd_epi16(even, b_even));
            out = _mm256_add_epi32(out, _mm256_madd_epi16(odd, b_odd));
        } else {
            // |s| <= 64: two products of at most 255 * 64 fit 16 bits
            __m256i pairs = _mm256_maddubs_epi16(a, b);
            out = _mm256_add_epi32(
                out, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
    return acc;
#endif
}

static inline V spread(const void *p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    return (V{} + four);
}

// One register of floats: what wider vectors are cut into is spilled.
#ifdef IGQ_VNNI
static constexpr int LANES = 16;
#else
static constexpr int LANES = 8;
#endif
typedef float Lane __attribute__((vector_size(4 * LANES), aligned(4)));

// a * b + c, rounded once.
static inline Lane multiply_add(Lane a, Lane b, Lane c) {
#ifdef IGQ_VNNI
    return (Lane)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return (Lane)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}
