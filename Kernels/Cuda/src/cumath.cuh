// Elementary functions and random numbers from fused multiply-adds, additions, multiplications and correctly rounded division and square root
// only: the same bits on a GPU, on the emulator and in the CPU backend's C#. At most 3 ulp off. NaN in, NaN out.
#pragma once
#include "prelude.cuh"

// The larger or smaller of two; NaN if either is, which the processor's own instructions would hide.
DEVICE float larger(float a, float b) { return a != a ? a : b != b ? b : fmaxf(a, b); }
DEVICE float smaller(float a, float b) { return a != a ? a : b != b ? b : fminf(a, b); }

DEVICE float exp_f(float x)
{
    const float clamped = fminf(fmaxf(x, -104.0f), 89.0f);
    const float n = rintf(clamped * 1.44269504f);
    float r = fmaf(n, -0.693359375f, clamped);
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p, r * r, r);
    p = p + 1.0f;
    // 2^n in two factors: reaches the subnormals and infinity.
    const int k = (int)n, half = k >> 1, rest = k - half;
    const float y = p * __uint_as_float((unsigned)(half + 127) << 23) * __uint_as_float((unsigned)(rest + 127) << 23);
    return x != x ? x : y;
}

// -infinity at 0, NaN below.
DEVICE float log_f(float x)
{
    float shift = 0.0f, scaled = x;
    if (x < 1.17549435e-38f) {
        scaled = x * 8388608.0f;
        shift = -23.0f;
    }
    const unsigned t = __float_as_uint(scaled) - 0x3f3504f3u;  // sqrt(1/2)
    const float e = (float)((int)t >> 23) + shift;
    const float m = __uint_as_float((t & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float z = m * m;
    float p = 7.0376836292e-2f;
    p = fmaf(p, m, -1.1514610310e-1f);
    p = fmaf(p, m, 1.1676998740e-1f);
    p = fmaf(p, m, -1.2420140846e-1f);
    p = fmaf(p, m, 1.4249322787e-1f);
    p = fmaf(p, m, -1.6668057665e-1f);
    p = fmaf(p, m, 2.0000714765e-1f);
    p = fmaf(p, m, -2.4999993993e-1f);
    p = fmaf(p, m, 3.3333331174e-1f);
    float y = p * m * z;
    y = fmaf(e, -2.12194440e-4f, y);
    y = fmaf(z, -0.5f, y);
    float r = m + y;
    r = fmaf(e, 0.693359375f, r);
    if (x == 0.0f)
        return -INFINITY_F;
    if (!(x > 0.0f))
        return NAN_F;
    return x == INFINITY_F ? x : r;
}

DEVICE float log1p_f(float x)
{
    const float u = 1.0f + x;
    if (u == 1.0f)
        return x;
    if (u == INFINITY_F || !(u > 0.0f))
        return log_f(u);
    const float d = u - 1.0f;
    return log_f(u) + (x - d) / u;  // corrects the rounding of 1 + x to first order
}

DEVICE float tanh_f(float x)
{
    const float a = fabsf(x);
    if (a < 0.625f) {
        const float z = x * x;
        float p = -5.70498872745e-3f;
        p = fmaf(p, z, 2.06390887954e-2f);
        p = fmaf(p, z, -5.37397155531e-2f);
        p = fmaf(p, z, 1.33314422036e-1f);
        p = fmaf(p, z, -3.33332819422e-1f);
        return fmaf(p * z, x, x);
    }
    const float e = exp_f(2.0f * (a < 10.0f ? a : x != x ? x : 10.0f));
    const float r = 1.0f - 2.0f / (e + 1.0f);
    return x < 0.0f ? -r : r;
}

DEVICE float softplus_f(float x) { return (x < 0.0f ? 0.0f : x) + log1p_f(exp_f(-fabsf(x))); }

DEVICE float sigmoid_f(float x)
{
    const float e = exp_f(-fabsf(x));
    const float r = 1.0f / (1.0f + e);
    return x < 0.0f ? e * r : r;
}

// sin(2 pi u) and cos(2 pi u), u in [0, 1]; the reduction to |t| <= pi / 4 is exact.
DEVICE void sincos_turns(float u, float* sine, float* cosine)
{
    const float q = rintf(u * 4.0f);
    const float t = fmaf(q, -0.25f, u) * 6.28318531f;
    const int quadrant = (int)q & 3;
    const float z = t * t;
    float a = -1.9515295891e-4f;
    a = fmaf(a, z, 8.3321608736e-3f);
    a = fmaf(a, z, -1.6666654611e-1f);
    a = fmaf(a * z, t, t);
    float b = 2.443315711809948e-5f;
    b = fmaf(b, z, -1.388731625493765e-3f);
    b = fmaf(b, z, 4.166664568298827e-2f);
    b = fmaf(b * z, z, fmaf(z, -0.5f, 1.0f));
    const float s = (quadrant & 1) ? b : a, c = (quadrant & 1) ? a : b;
    *sine = (quadrant & 2) ? -s : s;
    *cosine = (quadrant == 1 || quadrant == 2) ? -c : c;
}

// ---- random numbers

// Philox4x32-10: four words as a pure function of a counter and a key.
DEVICE uint4 philox(uint4 counter, uint2 key)
{
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const unsigned high0 = __umulhi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
        const unsigned high1 = __umulhi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
        counter = uint4{high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0};
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return counter;
}

// The words of elements 4 group .. 4 group + 3. state: seed low, seed high, step, stream.
DEVICE uint4 draw_words(const unsigned* state, unsigned draw, unsigned group)
{
    return philox(uint4{group, state[2], draw, state[3]}, uint2{state[0], state[1]});
}

// Strictly inside (0, 1): 23 bits are exact, 24 would round up to 1 and make a Gumbel draw infinite.
DEVICE float uniform_from(unsigned word) { return fmaf((float)(word >> 9), 1.1920928955078125e-7f, 5.9604644775390625e-8f); }

DEVICE float2 normal_pair(unsigned word0, unsigned word1)
{
    const float radius = sqrtf(-2.0f * log_f(uniform_from(word0)));
    float s, c;
    sincos_turns(uniform_from(word1), &s, &c);
    return make_float2(radius * c, radius * s);
}

DEVICE float gumbel_from(unsigned word) { return -log_f(-log_f(uniform_from(word))); }

DEVICE unsigned word_of(uint4 words, unsigned element)
{
    const unsigned k = element & 3;
    return k == 0 ? words.x : k == 1 ? words.y : k == 2 ? words.z : words.w;
}

// One normal element on its own: half of what normal_pair makes is thrown away.
DEVICE float normal_element(uint4 words, unsigned element)
{
    const bool second = (element & 2) != 0;
    const float2 pair = normal_pair(second ? words.z : words.x, second ? words.w : words.y);
    return (element & 1) != 0 ? pair.y : pair.x;
}

// Division by a number known before the launch: n / divisor for 0 <= n < 2^31 in one multiplication.
struct Divider {
    unsigned divisor, multiplier, shift;
    DEVICE_MEMBER unsigned divide(unsigned n) const { return divisor == 1 ? n : __umulhi(n, multiplier) >> shift; }
    DEVICE_MEMBER unsigned remainder(unsigned n) const { return n - divide(n) * divisor; }
};
