// Softmax, log-softmax and Gumbel-softmax over rows of n, one warp a row, eight rows a block.
//   softmax, log_softmax     8 rows n bytes, about 30 operations an element
//   gumbel_softmax           8 rows n bytes, about 150 operations an element: Philox, two logarithms, an exponential
//   gradients                12 rows n bytes, 4 operations an element (log_softmax 30)
//   softmax_cross_entropy    4 rows n bytes, 30 operations an element; its gradient 8 rows n bytes (12 accumulating), 60 operations: the softmax is made again, not stored
// Ladder: a thread a row -> a warp a row, the row read again from the first-level cache in each pass (this version). A row of more than a few thousand entries
// would want a block of its own; a group of four draws shared by four lanes would save three of four Philox calls.
#include "reduce.cuh"

#define ROWS_PER_BLOCK 8

DEVICE float warp_sum(float v)
{
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(ALL_LANES, v, lanes);
    return v;
}

DEVICE float warp_max(float v)
{
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2)
        v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, lanes));
    return v;
}

DEVICE unsigned row_of_warp() { return blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / 32; }

DEVICE float row_max(const float* x, unsigned n)
{
    float largest = -INFINITY_F;
    for (unsigned c = threadIdx.x & 31; c < n; c += 32)
        largest = fmaxf(largest, x[c]);
    return warp_max(largest);
}

// x may be y: a lane reads and writes the same columns in each pass.
DEVICE void softmax_of_row(const float* x, float* y, unsigned n)
{
    const unsigned lane = threadIdx.x & 31;
    const float largest = row_max(x, n);
    float sum = 0.0f;
    for (unsigned c = lane; c < n; c += 32) {
        const float e = exp_f(x[c] - largest);
        y[c] = e;
        sum += e;
    }
    sum = warp_sum(sum);
    for (unsigned c = lane; c < n; c += 32)
        y[c] = y[c] / sum;
}

KERNEL __launch_bounds__(256) softmax(unsigned rows, unsigned n, const float* __restrict__ x, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp();
    if (row < rows)
        softmax_of_row(x + (size_t)row * n, y + (size_t)row * n, n);
}
EXPORT(softmax)

// The sum of exp(x - largest) over a row, in every lane.
DEVICE float exponential_sum(const float* x, unsigned n, float* largest)
{
    *largest = row_max(x, n);
    float sum = 0.0f;
    for (unsigned c = threadIdx.x & 31; c < n; c += 32)
        sum += exp_f(x[c] - *largest);
    return warp_sum(sum);
}

KERNEL __launch_bounds__(256) log_softmax(unsigned rows, unsigned n, const float* __restrict__ x, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp(), lane = threadIdx.x & 31;
    if (row >= rows)
        return;
    x += (size_t)row * n;
    y += (size_t)row * n;
    float largest;
    const float log_sum = log_f(exponential_sum(x, n, &largest));
    for (unsigned c = lane; c < n; c += 32)
        y[c] = (x[c] - largest) - log_sum;
}
EXPORT(log_softmax)

// dx (+)= y (g - sum(g y)) / temperature, the temperature 1 where it is absent.
DEVICE void softmax_gradient_of_row(const float* g, const float* y, float* dx, unsigned n, const float* temperature, int accumulate)
{
    const unsigned lane = threadIdx.x & 31;
    float sum = 0.0f;
    for (unsigned c = lane; c < n; c += 32)
        sum = fmaf(g[c], y[c], sum);
    sum = warp_sum(sum);
    const float inverse = temperature ? 1.0f / temperature[0] : 1.0f;
    for (unsigned c = lane; c < n; c += 32) {
        const float d = y[c] * (g[c] - sum) * inverse;
        dx[c] = accumulate ? dx[c] + d : d;
    }
}

KERNEL __launch_bounds__(256) softmax_gradient(unsigned rows, unsigned n, const float* g, const float* y, const float* temperature, float* dx, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp();
    const size_t at = (size_t)row * n;
    if (row < rows)
        softmax_gradient_of_row(g + at, y + at, dx + at, n, temperature, accumulate);
}
EXPORT(softmax_gradient)

// dx (+)= g - exp(y) sum(g)
KERNEL __launch_bounds__(256) log_softmax_gradient(unsigned rows, unsigned n, const float* g, const float* y, float* dx, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp(), lane = threadIdx.x & 31;
    if (row >= rows)
        return;
    const size_t at = (size_t)row * n;
    float sum = 0.0f;
    for (unsigned c = lane; c < n; c += 32)
        sum += g[at + c];
    sum = warp_sum(sum);
    for (unsigned c = lane; c < n; c += 32) {
        const float d = g[at + c] - exp_f(y[at + c]) * sum;
        dx[at + c] = accumulate ? dx[at + c] + d : d;
    }
}
EXPORT(log_softmax_gradient)

// 1 at the first largest entry of the row, 0 elsewhere.
DEVICE void one_hot_of_row(float* y, unsigned n)
{
    const unsigned lane = threadIdx.x & 31;
    const float largest = row_max(y, n);
    unsigned first = n;
    for (unsigned c = lane; c < n && first == n; c += 32)
        if (y[c] == largest)
            first = c;
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        const unsigned other = __float_as_uint(__shfl_xor_sync(ALL_LANES, __uint_as_float(first), lanes));
        first = other < first ? other : first;
    }
    for (unsigned c = lane; c < n; c += 32)
        y[c] = c == first ? 1.0f : 0.0f;
}

// y = softmax((logits + Gumbel noise) / temperature[0]); subtracting each row's log-sum-exp first, as the equation does, would not move y. At temperature 0 the limit.
KERNEL __launch_bounds__(256) gumbel_softmax(unsigned rows, unsigned n, const float* __restrict__ logits, const float* __restrict__ temperature, const unsigned* __restrict__ state, unsigned draw, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp(), lane = threadIdx.x & 31;
    if (row >= rows)
        return;
    const float inverse = temperature[0] > 0.0f ? 1.0f / temperature[0] : 1.0f;
    logits += (size_t)row * n;
    y += (size_t)row * n;
    for (unsigned c = lane; c < n; c += 32) {
        const unsigned element = row * n + c;
        y[c] = (logits[c] + gumbel_from(word_of(draw_words(state, draw, element / 4), element))) * inverse;
    }
    if (temperature[0] > 0.0f)
        softmax_of_row(y, y, n);
    else
        one_hot_of_row(y, n);
}
EXPORT(gumbel_softmax)

// loss[row] = log sum exp of the row - its class's logit
KERNEL __launch_bounds__(256) softmax_cross_entropy(unsigned rows, unsigned n, const float* __restrict__ logits, const int* __restrict__ classes, float* __restrict__ loss)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp();
    if (row >= rows)
        return;
    logits += (size_t)row * n;
    float largest;
    const float sum = exponential_sum(logits, n, &largest);
    if ((threadIdx.x & 31) == 0)
        loss[row] = log_f(sum) - (logits[classes[row]] - largest);
}
EXPORT(softmax_cross_entropy)

// dlogits (+)= g[row] (softmax - one-hot)
KERNEL __launch_bounds__(256) softmax_cross_entropy_gradient(unsigned rows, unsigned n, const float* __restrict__ g, const float* __restrict__ logits, const int* __restrict__ classes, float* dlogits, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    const unsigned row = row_of_warp();
    if (row >= rows)
        return;
    logits += (size_t)row * n;
    dlogits += (size_t)row * n;
    float largest;
    const float sum = exponential_sum(logits, n, &largest), scale = g[row];
    const unsigned own = (unsigned)classes[row];
    for (unsigned c = threadIdx.x & 31; c < n; c += 32) {
        const float d = scale * (exp_f(logits[c] - largest) / sum - (c == own ? 1.0f : 0.0f));
        dlogits[c] = accumulate ? dlogits[c] + d : d;
    }
}
EXPORT(softmax_cross_entropy_gradient)
