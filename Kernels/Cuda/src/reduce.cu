// Sums, maxima and log-sum-exp over one axis of x [outer, n, inner], and the gradient of the sum. See reduce.cuh for how a launch is divided.
//   sum, max, log_sum_exp   4 (outer n inner + outer inner) bytes; 7, 1 and about 30 operations an element
//   spread                  4 (outer n inner + outer inner) bytes, 8 an element when accumulating
// Ladder: one thread a result -> a block a result with a second launch for the rest -> blocks shaped to the sizes, the last block finishes (this version).
#include "numbers.cuh"
#include "reduce.cuh"

// y (+)= scale * sum; x is bf16 where x_is_half
KERNEL __launch_bounds__(256) sum(const float* __restrict__ x, int x_is_half, unsigned outer, unsigned n, unsigned inner, float scale, float* __restrict__ y, int accumulate, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<SumState>(outer, n, inner, partial, tickets,
        [=](unsigned o, unsigned k, unsigned i) { return load_number(Numbers{x, x_is_half != 0}, ((size_t)o * n + k) * inner + i); },
        [=](unsigned o, unsigned i, float2 total) {
            float* const target = y + (size_t)o * inner + i;
            const float v = scale * SumState::value(total);
            *target = accumulate ? *target + v : v;
        });
}
EXPORT(sum)

KERNEL __launch_bounds__(256) max_over(const float* __restrict__ x, unsigned outer, unsigned n, unsigned inner, float* __restrict__ y, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<MaxState>(outer, n, inner, partial, tickets,
        [=](unsigned o, unsigned k, unsigned i) { return x[((size_t)o * n + k) * inner + i]; },
        [=](unsigned o, unsigned i, float2 state) { y[(size_t)o * inner + i] = MaxState::value(state); });
}
EXPORT(max_over)

KERNEL __launch_bounds__(256) log_sum_exp(const float* __restrict__ x, unsigned outer, unsigned n, unsigned inner, float* __restrict__ y, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<LogSumExpState>(outer, n, inner, partial, tickets,
        [=](unsigned o, unsigned k, unsigned i) { return x[((size_t)o * n + k) * inner + i]; },
        [=](unsigned o, unsigned i, float2 state) { y[(size_t)o * inner + i] = LogSumExpState::value(state); });
}
EXPORT(log_sum_exp)

// x[o, k, i] (+)= scale * y[o, i]; count = outer n inner, slab = n inner.
KERNEL __launch_bounds__(256) spread(const float* __restrict__ y, unsigned count, Divider slab, Divider inner, float scale, float* __restrict__ x, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(at, count) {
        const float v = scale * y[slab.divide(at) * inner.divisor + inner.remainder(at)];
        x[at] = accumulate ? x[at] + v : v;
    }
}
EXPORT(spread)

// g *= (y > 0)
KERNEL __launch_bounds__(256) relu_mask(const float* __restrict__ y, float* __restrict__ g, unsigned n)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, n)
        g[i] = y[i] > 0.0f ? g[i] : 0.0f;
}
EXPORT(relu_mask)
