// Batch normalisation of x [rows, channels] and max pooling of NHWC images.
//   batch_norm_statistics        4 rows channels bytes, 17 operations; writes mean and 1 / deviation, moves the running values
//   batch_norm_apply             8 rows channels bytes, 3 operations
//   batch_norm_gradient_sums     8 rows channels bytes, 18 operations;  batch_norm_gradient  12 rows channels bytes, 6 operations
//   max_pool                     reads x once, writes y and argmax; max_pool_gradient reads g and argmax, writes dx
// The statistics must be complete before the first output is written, so each direction is two launches and x is read twice.
// Ladder: two passes for mean and variance -> one pass about the column's first entry, in pairs of floats (this version).
#include "reduce.cuh"

// Two sums at once, each as a pair: (x, y) and (z, w).
struct TwoSumState {
    typedef float4 State;
    static DEVICE_MEMBER float4 identity() { return make_float4(0.0f, 0.0f, 0.0f, 0.0f); }
    static DEVICE_MEMBER float4 add(float4 s, float2 v)
    {
        const float2 a = SumState::add(make_float2(s.x, s.y), v.x), b = SumState::add(make_float2(s.z, s.w), v.y);
        return make_float4(a.x, a.y, b.x, b.y);
    }
    static DEVICE_MEMBER float4 merge(float4 s, float4 t)
    {
        const float2 a = SumState::merge(make_float2(s.x, s.y), make_float2(t.x, t.y)), b = SumState::merge(make_float2(s.z, s.w), make_float2(t.z, t.w));
        return make_float4(a.x, a.y, b.x, b.y);
    }
    static DEVICE_MEMBER float first(float4 s) { return SumState::value(make_float2(s.x, s.y)); }
    static DEVICE_MEMBER float second(float4 s) { return SumState::value(make_float2(s.z, s.w)); }
};

KERNEL __launch_bounds__(256) batch_norm_statistics(unsigned rows, unsigned channels, const float* __restrict__ x, float* running_mean, float* running_variance, float momentum, float epsilon, float* __restrict__ mean, float* __restrict__ inverse_deviation, float4* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<TwoSumState>(1, rows, channels, partial, tickets,
        [=](unsigned, unsigned k, unsigned i) {
            // About any value of the column the sum of squares does not cancel.
            const float difference = x[(size_t)k * channels + i] - x[i];
            return make_float2(difference, difference * difference);
        },
        [=](unsigned, unsigned i, float4 sums) {
            const float n = (float)rows, offset = TwoSumState::first(sums) / n, m = x[i] + offset;
            const float variance = larger(TwoSumState::second(sums) / n - offset * offset, 0.0f);
            mean[i] = m;
            inverse_deviation[i] = 1.0f / sqrtf(variance + epsilon);
            running_mean[i] = fmaf(momentum, m - running_mean[i], running_mean[i]);
            const float unbiased = rows > 1 ? variance * (n / (n - 1.0f)) : variance;
            running_variance[i] = fmaf(momentum, unbiased - running_variance[i], running_variance[i]);
        });
}
EXPORT(batch_norm_statistics)

// y = gamma (x - mean) * deviation + beta; `deviation` is 1 / sqrt(variance + epsilon), or with epsilon >= 0 the variance itself.
KERNEL __launch_bounds__(256) batch_norm_apply(unsigned count, Divider channels, const float* __restrict__ x, const float* __restrict__ gamma, const float* __restrict__ beta, const float* __restrict__ mean, const float* __restrict__ deviation, float epsilon, float* __restrict__ y, int relu)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, count) {
        const unsigned c = channels.remainder(i);
        const float inverse = epsilon >= 0.0f ? 1.0f / sqrtf(deviation[c] + epsilon) : deviation[c];
        const float v = fmaf(gamma[c], (x[i] - mean[c]) * inverse, beta[c]);
        y[i] = relu && v < 0.0f ? 0.0f : v;
    }
}
EXPORT(batch_norm_apply)

// sums [2, channels]: of g, and of g times the normalised x; added to dbeta and dgamma too.
KERNEL __launch_bounds__(256) batch_norm_gradient_sums(unsigned rows, unsigned channels, const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ inverse_deviation, float* __restrict__ sums, float* dgamma, float* dbeta, int accumulate, float4* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<TwoSumState>(1, rows, channels, partial, tickets,
        [=](unsigned, unsigned k, unsigned i) {
            const size_t at = (size_t)k * channels + i;
            return make_float2(g[at], g[at] * ((x[at] - mean[i]) * inverse_deviation[i]));
        },
        [=](unsigned, unsigned i, float4 total) {
            const float beta = TwoSumState::first(total), gamma = TwoSumState::second(total);
            sums[i] = beta;
            sums[channels + i] = gamma;
            dbeta[i] = accumulate ? dbeta[i] + beta : beta;
            dgamma[i] = accumulate ? dgamma[i] + gamma : gamma;
        });
}
EXPORT(batch_norm_gradient_sums)

KERNEL __launch_bounds__(256) batch_norm_gradient(unsigned count, Divider channels, float inverse_rows, const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ gamma, const float* __restrict__ mean, const float* __restrict__ inverse_deviation, const float* __restrict__ sums, float* dx, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, count) {
        const unsigned c = channels.remainder(i);
        const float normalised = (x[i] - mean[c]) * inverse_deviation[c];
        const float v = gamma[c] * inverse_deviation[c] * (g[i] - (sums[c] + normalised * sums[channels.divisor + c]) * inverse_rows);
        dx[i] = accumulate ? dx[i] + v : v;
    }
}
EXPORT(batch_norm_gradient)

struct PoolGeometry {
    Divider channels, width, height;  // of what the thread index runs over: y in the forward pass, x in the gradient
    unsigned other_height, other_width, kernel, stride;
};

KERNEL __launch_bounds__(256) max_pool(unsigned count, PoolGeometry shape, const float* __restrict__ x, float* __restrict__ y, int* __restrict__ argmax)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(at, count) {
        const unsigned pixel = shape.channels.divide(at), c = at - pixel * shape.channels.divisor;
        const unsigned line = shape.width.divide(pixel), column = pixel - line * shape.width.divisor;
        const unsigned image = shape.height.divide(line), row = line - image * shape.height.divisor;
        float largest = -INFINITY_F;
        unsigned where = 0;
        bool any = false;
        for (unsigned i = 0; i < shape.kernel; i++)
            for (unsigned j = 0; j < shape.kernel; j++) {
                const unsigned from = ((image * shape.other_height + row * shape.stride + i) * shape.other_width + column * shape.stride + j) * shape.channels.divisor + c;
                const float v = x[from];
                if (!any || v > largest || (v != v && largest == largest)) {
                    largest = v;
                    where = from;
                    any = true;
                }
            }
        y[at] = largest;
        argmax[at] = (int)where;
    }
}
EXPORT(max_pool)

// A pixel collects from every window that covers it: no atomic additions, so the sum's order is fixed.
KERNEL __launch_bounds__(256) max_pool_gradient(unsigned count, PoolGeometry shape, const float* __restrict__ g, const int* __restrict__ argmax, float* dx, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(at, count) {
        const unsigned pixel = shape.channels.divide(at), c = at - pixel * shape.channels.divisor;
        const unsigned line = shape.width.divide(pixel), column = pixel - line * shape.width.divisor;
        const unsigned image = shape.height.divide(line), row = line - image * shape.height.divisor;
        const unsigned first_row = row >= shape.kernel ? (row - shape.kernel) / shape.stride + 1 : 0, first_column = column >= shape.kernel ? (column - shape.kernel) / shape.stride + 1 : 0;
        float sum = 0.0f;
        for (unsigned i = first_row; i < shape.other_height && i * shape.stride <= row; i++)
            for (unsigned j = first_column; j < shape.other_width && j * shape.stride <= column; j++) {
                const unsigned window = ((image * shape.other_height + i) * shape.other_width + j) * shape.channels.divisor + c;
                if (argmax[window] == (int)at)
                    sum += g[window];
            }
        dx[at] = accumulate ? dx[at] + sum : sum;
    }
}
EXPORT(max_pool_gradient)
