// Sixteen lanes of int32 or float, and the product of bytes each adds.
// Included after the instruction set is chosen.

typedef int32_t V __attribute__((vector_size(64), aligned(4)));
typedef uint32_t U __attribute__((vector_size(64), aligned(4)));
typedef float F __attribute__((vector_size(64), aligned(4)));

static inline V load(const void *p) { return *(const V *)p; }

// What fills a register: compilers spill sums that are wider.
#ifdef IGQ_VNNI
static constexpr int LANES = 16;
#else
static constexpr int LANES = 8;
#endif
typedef int32_t Words __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint32_t Unsigned __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4)));

// acc + sum over four bytes of u (unsigned) times s (signed), exactly.
template <bool Wide> static inline Words dot(Words acc, Words u, Words s) {
#ifdef IGQ_VNNI
    return (Words)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)u, (__m512i)s);
#else
    const __m256i a = (__m256i)u, b = (__m256i)s;
    __m256i sum;
    if (Wide) {
        // vpmaddubsw saturates at 16 bits: take even and odd bytes apart
        const __m256i even = _mm256_and_si256(a, _mm256_set1_epi16(255));
        const __m256i odd = _mm256_srli_epi16(a, 8);
        const __m256i b_even =
            _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
        const __m256i b_odd = _mm256_srai_epi16(b, 8);
        sum = _mm256_add_epi32(_mm256_madd_epi16(even, b_even),
                               _mm256_madd_epi16(odd, b_odd));
    } else {
        // |s| <= 64: two products of at most 255 * 64 fit 16 bits
        const __m256i pairs = _mm256_maddubs_epi16(a, b);
        sum = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
    return (Words)_mm256_add_epi32((__m256i)acc, sum);
#endif
}

#ifndef IGQ_VNNI
template <bool Wide> static inline V dot(V acc, V u, V s) {
    Words *to = (Words *)&acc;
    const Words *a = (const Words *)&u, *b = (const Words *)&s;
    for (int half = 0; half < 2; ++half)
        to[half] = dot<Wide>(to[half], a[half], b[half]);
    return acc;
}
#endif

template <class T = V> static inline T spread(const void *p) {
    int32_t four;
    std::memcpy(&four, p, 4);
    return T{} + four;
}

// a * b + c, rounded once.
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
#ifdef IGQ_VNNI
    return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return (Lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}
