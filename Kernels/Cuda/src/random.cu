// Draws: y[i] is a pure function of (seed, step, stream, draw, i), see cumath.cuh; state [4] is seed low, seed high, step, stream, in device memory.
//   4 n bytes written; about 25 (uniform), 60 (normal) and 75 (Gumbel) operations an element: bound by arithmetic below about 2 TB/s
// Ladder: an element a thread, Philox four times over -> four elements a thread, one Philox call (this version).
#include "cumath.cuh"

enum { Uniform, Normal, Gumbel };

KERNEL __launch_bounds__(256) random_draw(int distribution, const unsigned* __restrict__ state, unsigned draw, float* __restrict__ y, unsigned n)
{
    const bool aligned = is_aligned16(y);
    for (unsigned group = blockIdx.x * blockDim.x + threadIdx.x; group < (n + 3) / 4; group += gridDim.x * blockDim.x) {
        const uint4 words = draw_words(state, draw, group);
        float4 v;
        if (distribution == Normal) {
            const float2 p = normal_pair(words.x, words.y), q = normal_pair(words.z, words.w);
            v = make_float4(p.x, p.y, q.x, q.y);
        } else if (distribution == Uniform) {
            v = make_float4(uniform_from(words.x), uniform_from(words.y), uniform_from(words.z), uniform_from(words.w));
        } else {
            v = make_float4(gumbel_from(words.x), gumbel_from(words.y), gumbel_from(words.z), gumbel_from(words.w));
        }
        const unsigned at = 4 * group;
        if (aligned && at + 4 <= n) {
            store4(y + at, v);
        } else {
            y[at] = v.x;
            if (at + 1 < n)
                y[at + 1] = v.y;
            if (at + 2 < n)
                y[at + 2] = v.z;
            if (at + 3 < n)
                y[at + 3] = v.w;
        }
    }
}
EXPORT(random_draw)
