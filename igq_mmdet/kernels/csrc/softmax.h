// Softmax of one row and its codes: one sequence of float operations for
// the integer and the simulated attention and for every instruction set, so
// that all of them meet the same codes. quantizers/softmax.py has the same
// in torch.

static inline F larger(F a, F b) { return a > b ? a : b; }

template <class T> static inline float across(F v, T combine) {
    float lanes[16];
    std::memcpy(lanes, &v, sizeof lanes);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; ++i)
            lanes[i] = combine(lanes[i], lanes[i + half]);
    return lanes[0];
}

// e^x for x <= 0, to 2 units in the last place; 0 below -87.
static inline F exponential(F x) {
    const F magic = F{} + 12582912.0f;  // adding it rounds to an integer
    const V tiny = x < -87.0f;
    const F whole = (x * 1.44269504f + magic) - magic;
    const F r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    F p = F{} + 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const V power = (__builtin_convertvector(whole, V) + 127) << 23;
    return (F)((V)(p * (F)power) & ~tiny);
}

// Groups of softmax rows, sorted by their upper bounds.
struct RowGroups {
    int64_t count;
    const float *edges, *step;
    float top;  // 2^b - 1
};

// ``scores`` holds ``runs`` vectors, of which what only fills a vector is
// low enough to vanish. Hands ``store(run, codes)`` floats with integers and
// returns the step of the row's group.
template <class Store>
static inline float softmax_row(float *scores, int64_t runs, F top,
                                const RowGroups &groups, Store store) {
    const float most =
        across(top, [](float a, float b) { return a > b ? a : b; });
    F total = {};
    for (int64_t j = 0; j < runs; ++j) {
        F *y = (F *)(scores + 16 * j);
        *y = exponential(*y - most);
        total += *y;
    }
    const float sum = across(total, [](float a, float b) { return a + b; });
    // the largest of the row is e^0 / sum
    const float largest = 1.0f / sum;
    int64_t group = 0;
    while (group + 1 < groups.count && groups.edges[group] < largest) ++group;
    const float step = groups.step[group];
    const F magic = F{} + 12582912.0f;
    for (int64_t j = 0; j < runs; ++j) {
        F p = *(F *)(scores + 16 * j) / sum / step;
        p = (p > groups.top ? F{} + groups.top : p);
        store(j, (p + magic) - magic);
    }
    return step;
}
