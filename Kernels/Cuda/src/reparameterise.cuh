// z ~ N(mu, exp(log variance)) with its KL to N(0, 1), and the gradient of both. Here because two kernels do it (vae.cu, chain.cuh), whose draws must have the same bits.
#pragma once
#include "cumath.cuh"

// One element: z, and the KL of its factor in nats, doubled.
DEVICE float reparameterise_element(float mu, float log_var, float epsilon, float* z)
{
    const float sigma = exp_f(0.5f * log_var);
    *z = fmaf(sigma, epsilon, mu);
    return exp_f(log_var) - 1.0f - log_var + mu * mu;
}

// Elements 4 i to 4 i + 3, which share one Philox call; every address is aligned. Returns their KL, doubled.
DEVICE float reparameterise_four(const float* mu, const float* log_var, const unsigned* state, unsigned draw, unsigned i, float* epsilon, float* z)
{
    const uint4 words = draw_words(state, draw, i);
    const float2 p = normal_pair(words.x, words.y), q = normal_pair(words.z, words.w);
    const float4 m = load4(mu + 4 * (size_t)i), l = load4(log_var + 4 * (size_t)i);
    float4 out;
    const float a = reparameterise_element(m.x, l.x, p.x, &out.x), b = reparameterise_element(m.y, l.y, p.y, &out.y);
    const float c = reparameterise_element(m.z, l.z, q.x, &out.z), d = reparameterise_element(m.w, l.w, q.y, &out.w);
    store4(epsilon + 4 * (size_t)i, make_float4(p.x, p.y, q.x, q.y));
    store4(z + 4 * (size_t)i, out);
    return (a + b) + (c + d);
}

// Element i, which is one of this row. gz or gkl may be absent.
DEVICE void reparameterise_gradient_element(unsigned i, unsigned row, const float* gz, const float* gkl, const float* mu, const float* log_var, const float* epsilon, float* dmu, float* dlog_var, int accumulate)
{
    float m = 0.0f, l = 0.0f;
    if (gz) {
        m = gz[i];
        l = gz[i] * epsilon[i] * exp_f(0.5f * log_var[i]) * 0.5f;
    }
    if (gkl) {
        const float g = gkl[row];
        m = fmaf(g, mu[i], m);
        l = fmaf(g, 0.5f * (exp_f(log_var[i]) - 1.0f), l);
    }
    dmu[i] = accumulate ? dmu[i] + m : m;
    dlog_var[i] = accumulate ? dlog_var[i] + l : l;
}
