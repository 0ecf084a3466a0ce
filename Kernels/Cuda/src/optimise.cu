// Optimiser steps over one contiguous run of parameters; the step's own numbers are in device memory, so that a captured step can be replayed.
//   adam     reads p, g, m, v, writes p, m, v: 28 n bytes, 14 operations
//   rmsprop  20 n bytes, 9 operations;   sgd  20 n bytes, 5 operations
// Ladder: a launch a tensor -> one launch for all parameters (this version).
#include "cumath.cuh"

#define STRIDE(i, n) for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

// hyper [3]: learning rate, 1 - beta1^t, 1 - beta2^t
KERNEL __launch_bounds__(256) adam(float* __restrict__ p, const float* __restrict__ g, float* __restrict__ m, float* __restrict__ v, unsigned n, float beta1, float beta2, float epsilon, float weight_decay, const float* __restrict__ hyper)
{
    AFTER_EARLIER_KERNELS();
    const float rate = hyper[0], step = rate / hyper[1], root = sqrtf(hyper[2]), keep = 1.0f - rate * weight_decay;
    STRIDE(i, n) {
        const float gi = g[i];
        const float mi = fmaf(1.0f - beta1, gi - m[i], m[i]), vi = fmaf(beta2, v[i], (1.0f - beta2) * (gi * gi));
        m[i] = mi;
        v[i] = vi;
        p[i] = p[i] * keep - step * (mi / (sqrtf(vi) / root + epsilon));
    }
}
EXPORT(adam)

KERNEL __launch_bounds__(256) rmsprop(float* __restrict__ p, const float* __restrict__ g, float* __restrict__ v, unsigned n, float alpha, float epsilon, const float* __restrict__ hyper)
{
    AFTER_EARLIER_KERNELS();
    const float rate = hyper[0];
    STRIDE(i, n) {
        const float vi = fmaf(alpha, v[i], (1.0f - alpha) * (g[i] * g[i]));
        v[i] = vi;
        p[i] -= rate * (g[i] / (sqrtf(vi) + epsilon));
    }
}
EXPORT(rmsprop)

KERNEL __launch_bounds__(256) sgd(float* __restrict__ p, const float* __restrict__ g, float* __restrict__ velocity, unsigned n, float momentum, float weight_decay, const float* __restrict__ hyper)
{
    AFTER_EARLIER_KERNELS();
    const float rate = hyper[0];
    STRIDE(i, n) {
        const float u = fmaf(momentum, velocity[i], fmaf(weight_decay, p[i], g[i]));
        velocity[i] = u;
        p[i] = fmaf(-rate, u, p[i]);
    }
}
EXPORT(sgd)
