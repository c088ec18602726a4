// Channels of an image sorted by group: those of a group are a run.

struct Runs {
    int64_t packs = 0;           // of all runs
    std::vector<int64_t> ends;   // in packs
    std::vector<float> step;     // s_i
    // z_i, and z_i for all of its channels, modulo 2^32
    std::vector<uint32_t> zero, offset;
    std::vector<int32_t> order;  // a channel, or K where a run is filled up

    // Every run is filled up to a multiple of ``pack`` channels.
    Runs(const Codes &how, const int32_t *group, int64_t groups,
         int64_t channels, int64_t pack) {
        std::vector<int64_t> count(groups), next(groups);
        for (int64_t c = 0; c < channels; ++c) ++count[group[c]];
        for (int64_t i = 0; i < groups; ++i) {
            next[i] = pack * packs;
            packs += (count[i] + pack - 1) / pack;
            if (count[i]) ends.push_back(packs);
        }
        order.assign(pack * packs, (int32_t)channels);
        for (int64_t c = 0; c < channels; ++c)
            order[next[group[c]]++] = (int32_t)c;
        for (int64_t i = 0, begin = 0; i < groups; ++i) {
            if (!count[i]) continue;
            const int32_t c = order[pack * begin];
            const uint32_t z = (uint32_t)(int32_t)(-how.low[c]);
            step.push_back(how.scale[c]);
            zero.push_back(z);
            offset.push_back(z * (uint32_t)count[i]);
            begin += (count[i] + pack - 1) / pack;
        }
    }
};
