// Draws and shuffles.
//
// Draws: y[i] is a pure function of (seed, step, stream, draw, i), see cumath.cuh; state [4] is seed low, seed high, step, stream, in device memory.
//   4 n bytes written; about 25 (uniform), 60 (normal) and 75 (Gumbel) operations an element: bound by arithmetic below about 2 TB/s
// Ladder: an element a thread, Philox four times over -> four elements a thread, one Philox call (this version).
#include "cumath.cuh"

enum { Uniform, Normal, Gumbel };

KERNEL __launch_bounds__(256) random_draw(int distribution, const unsigned* __restrict__ state, unsigned draw, float* __restrict__ y, unsigned n)
{
    AFTER_EARLIER_KERNELS();
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

// Shuffles: order = 0 .. n - 1 put through the swaps of Fisher and Yates' method, order[i] with order[partner[i]] for i = n - 1 .. 1, partner[i] uniform in [0, i] by
// Lemire's method: the very permutation that Philox.Shuffle makes one swap after the other on the host.
//   4 n bytes written at least; about 100 operations an entry for its word, and 40 bytes an entry of scratch memory read and written in each of about log n rounds
// Ladder: the host's permutation, 4 n bytes over the bus in each epoch -> deterministic reservations (Shun, Gu, Blelloch, Fineman and Gibbons, "Sequential random permutation,
// list contraction and tree contraction are highly parallel", 2015) in one block: each swap that is left claims its two cells, the one that comes first in the sequence
// holds a cell, and a swap that holds both is done (this version). Several blocks would pay from some million entries on.
// scratch: 3 n words.
KERNEL __launch_bounds__(1024) shuffle(const unsigned* __restrict__ state, unsigned draw, unsigned n, int* order, unsigned* scratch)
{
    AFTER_EARLIER_KERNELS();
    unsigned* const partner = scratch;
    unsigned* const claim = scratch + n;
    unsigned* const left = scratch + 2 * (size_t)n;  // the swaps that are left, of each thread by itself: entry q of thread t at q threads + t
    __shared__ unsigned first_rejected, any_left;
    const unsigned t = threadIdx.x, threads = blockDim.x;

    // Swap k, k = 0 .. n - 2, draws below n - k. A word that Lemire's method rejects moves all later draws one word on, so they are made again from there.
    unsigned from = 0, rejected = 0;
    for (;;) {
        if (t == 0)
            first_rejected = n;
        __syncthreads();
        for (unsigned k = from + t; k + 1 < n; k += threads) {
            const unsigned bound = n - k, word = word_of(draw_words(state, draw, (k + rejected) / 4), k + rejected), low = word * bound;
            partner[bound - 1] = __umulhi(word, bound);
            if (low < bound && low < (0u - bound) % bound)
                atomicMin(&first_rejected, k);
        }
        __syncthreads();
        from = first_rejected;
        __syncthreads();
        if (from == n)
            break;
        rejected++;
    }

    unsigned count = 0;
    for (unsigned i = t; i < n; i += threads) {
        order[i] = (int)i;
        claim[i] = 0;
        if (i > 0)
            left[threads * count++ + t] = i;
    }
    __syncthreads();
    for (bool again = true; again;) {
        for (unsigned q = 0; q < count; q++) {
            const unsigned i = left[threads * q + t];
            atomicMax(claim + i, i);
            atomicMax(claim + partner[i], i);
        }
        __syncthreads();
        if (t == 0)
            any_left = 0;
        unsigned q = 0, end = count;
        while (q < end) {
            unsigned* const entry = left + threads * q + t;
            const unsigned i = *entry, j = partner[i];
            if (claim[i] != i || claim[j] != i) {
                q++;
                continue;
            }
            const int moved = order[i];
            order[i] = order[j];
            order[j] = moved;
            end--;
            *entry = left[threads * end + t];
            left[threads * end + t] = i;
        }
        __syncthreads();
        for (; count > end; count--) {
            const unsigned i = left[threads * (count - 1) + t];
            claim[i] = 0;
            claim[partner[i]] = 0;
        }
        if (count > 0)
            atomicMax(&any_left, 1u);
        __syncthreads();
        again = any_left != 0;
    }
}
EXPORT(shuffle)
