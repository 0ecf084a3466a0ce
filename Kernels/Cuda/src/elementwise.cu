// Elementwise functions and their gradients: one line a function. The name is IUnaryKernel.Name or IBinaryKernel.Name; the host finds NAME_forward,
// NAME_gradient and, for binary functions, NAME_gradient_sum through the type.
//   unary   8 n bytes forward, 12 n gradient (16 n when accumulating), 1 to 25 operations an element
//   binary  12 n bytes forward, 12 to 20 n gradient; an operand that is repeated is read from the cache
// Ladder: 1 element a thread -> 16 bytes a thread where every address allows it (this version; binary functions only when no operand is repeated).
#include "reduce.cuh"

template<class F> DEVICE void unary_forward(const float* x, float* y, unsigned n, float p)
{
    const unsigned quads = is_aligned16(x) && is_aligned16(y) ? n / 4 : 0;
    FOR_EACH(i, quads) {
        const float4 v = load4(x + 4 * (size_t)i);
        store4(y + 4 * (size_t)i, make_float4(F::forward(v.x, p), F::forward(v.y, p), F::forward(v.z, p), F::forward(v.w, p)));
    }
    FOR_EACH(i, n - 4 * quads)
        y[4 * quads + i] = F::forward(x[4 * quads + i], p);
}

template<class F> DEVICE void unary_gradient(const float* g, const float* x, const float* y, float* dx, unsigned n, float p, int accumulate)
{
    const unsigned quads = is_aligned16(g) && is_aligned16(x) && is_aligned16(y) && is_aligned16(dx) ? n / 4 : 0;
    FOR_EACH(i, quads) {
        const size_t at = 4 * (size_t)i;
        const float4 gv = load4(g + at), xv = load4(x + at), yv = load4(y + at);
        float4 d = make_float4(F::gradient(gv.x, xv.x, yv.x, p), F::gradient(gv.y, xv.y, yv.y, p), F::gradient(gv.z, xv.z, yv.z, p), F::gradient(gv.w, xv.w, yv.w, p));
        if (accumulate) {
            const float4 old = load4(dx + at);
            d = make_float4(old.x + d.x, old.y + d.y, old.z + d.z, old.w + d.w);
        }
        store4(dx + at, d);
    }
    FOR_EACH(i, n - 4 * quads) {
        const unsigned at = 4 * quads + i;
        const float d = F::gradient(g[at], x[at], y[at], p);
        dx[at] = accumulate ? dx[at] + d : d;
    }
}

// a and b are repeated as often as n needs.
template<class F> DEVICE void binary_forward(const float* a, Divider lengthA, const float* b, Divider lengthB, float* y, unsigned n)
{
    const bool same = lengthA.divisor == n && lengthB.divisor == n;
    const unsigned quads = same && is_aligned16(a) && is_aligned16(b) && is_aligned16(y) ? n / 4 : 0;
    FOR_EACH(i, quads) {
        const size_t at = 4 * (size_t)i;
        const float4 av = load4(a + at), bv = load4(b + at);
        store4(y + at, make_float4(F::forward(av.x, bv.x), F::forward(av.y, bv.y), F::forward(av.z, bv.z), F::forward(av.w, bv.w)));
    }
    FOR_EACH(i, n - 4 * quads) {
        const unsigned at = 4 * quads + i;
        y[at] = F::forward(a[lengthA.remainder(at)], b[lengthB.remainder(at)]);
    }
}

template<class F> DEVICE float binary_slope(int ofA, const float* g, const float* a, Divider lengthA, const float* b, Divider lengthB, const float* y, unsigned at)
{
    const float av = a[lengthA.remainder(at)], bv = b[lengthB.remainder(at)];
    return ofA ? F::gradient_a(g[at], av, bv, y[at]) : F::gradient_b(g[at], av, bv, y[at]);
}

template<class F>
DEVICE void binary_gradient(int ofA, const float* g, const float* a, Divider lengthA, const float* b, Divider lengthB, const float* y, float* d, unsigned n, int accumulate)
{
    FOR_EACH(i, n) {
        const float v = binary_slope<F>(ofA, g, a, lengthA, b, lengthB, y, i);
        d[i] = accumulate ? d[i] + v : v;
    }
}

// The gradient of an operand of `length` elements that was repeated `repeats` times: the sum over its repeats.
template<class F>
DEVICE void binary_gradient_sum(int ofA, const float* g, const float* a, Divider lengthA, const float* b, Divider lengthB, const float* y, float* d, unsigned repeats, unsigned length, int accumulate, float2* partial, unsigned* tickets)
{
    reduce<SumState>(1, repeats, length, partial, tickets,
        [=](unsigned, unsigned k, unsigned i) { return binary_slope<F>(ofA, g, a, lengthA, b, lengthB, y, k * length + i); },
        [=](unsigned, unsigned i, float2 sum) { d[i] = accumulate ? d[i] + SumState::value(sum) : SumState::value(sum); });
}

#define UNARY(name, value, slope)                                                                                                        \
    struct name##_function {                                                                                                             \
        static DEVICE_MEMBER float forward(float x, float p) { return value; }                                                           \
        static DEVICE_MEMBER float gradient(float g, float x, float y, float p) { return slope; }                                        \
    };                                                                                                                                   \
    KERNEL __launch_bounds__(256) name##_forward(const float* x, float* y, unsigned n, float p)                                          \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        unary_forward<name##_function>(x, y, n, p);                                                                                      \
    }                                                                                                                                    \
    EXPORT(name##_forward)                                                                                                               \
    KERNEL __launch_bounds__(256) name##_gradient(const float* g, const float* x, const float* y, float* dx, unsigned n, float p, int accumulate) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        unary_gradient<name##_function>(g, x, y, dx, n, p, accumulate);                                                                  \
    }                                                                                                                                    \
    EXPORT(name##_gradient)

#define BINARY(name, value, slopeA, slopeB)                                                                                              \
    struct name##_function {                                                                                                             \
        static DEVICE_MEMBER float forward(float a, float b) { return value; }                                                           \
        static DEVICE_MEMBER float gradient_a(float g, float a, float b, float y) { return slopeA; }                                     \
        static DEVICE_MEMBER float gradient_b(float g, float a, float b, float y) { return slopeB; }                                     \
    };                                                                                                                                   \
    KERNEL __launch_bounds__(256) name##_forward(const float* a, Divider lengthA, const float* b, Divider lengthB, float* y, unsigned n) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        binary_forward<name##_function>(a, lengthA, b, lengthB, y, n);                                                                   \
    }                                                                                                                                    \
    EXPORT(name##_forward)                                                                                                               \
    KERNEL __launch_bounds__(256) name##_gradient(int ofA, const float* g, const float* a, Divider lengthA, const float* b, Divider lengthB, \
        const float* y, float* d, unsigned n, int accumulate)                                                                            \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        binary_gradient<name##_function>(ofA, g, a, lengthA, b, lengthB, y, d, n, accumulate);                                           \
    }                                                                                                                                    \
    EXPORT(name##_gradient)                                                                                                              \
    KERNEL __launch_bounds__(256) name##_gradient_sum(int ofA, const float* g, const float* a, Divider lengthA, const float* b, Divider lengthB, \
        const float* y, float* d, unsigned repeats, unsigned length, int accumulate, float2* partial, unsigned* tickets)                 \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        binary_gradient_sum<name##_function>(ofA, g, a, lengthA, b, lengthB, y, d, repeats, length, accumulate, partial, tickets);        \
    }                                                                                                                                    \
    EXPORT(name##_gradient_sum)

//    name        y                               dx
UNARY(negate,     -x,                             -g)
UNARY(exp,        exp_f(x),                       g * y)
UNARY(log,        log_f(x),                       g / x)
UNARY(log1p,      log1p_f(x),                     g / (1.0f + x))
UNARY(tanh,       tanh_f(x),                      g * (1.0f - y * y))
UNARY(sigmoid,    sigmoid_f(x),                   g * y * (1.0f - y))
UNARY(softplus,   softplus_f(x),                  g * sigmoid_f(x))
UNARY(relu,       x < 0.0f ? 0.0f : x,            0.0f < y ? g : 0.0f)
UNARY(leaky_relu, 0.0f < x ? x : p * x,           0.0f < x ? g : p * g)
UNARY(square,     x * x,                          g * (x + x))
UNARY(sqrt,       sqrtf(x),                       g * 0.5f / y)
UNARY(reciprocal, 1.0f / x,                       -(g * y * y))
UNARY(abs,        fabsf(x),                       0.0f < x ? g : x < 0.0f ? -g : 0.0f)
UNARY(scale,      p * x,                          p * g)
UNARY(add_scalar, x + p,                          g)
UNARY(clamp_min,  x < p ? p : x,                  p < x ? g : 0.0f)
UNARY(clamp_max,  p < x ? p : x,                  p < x ? 0.0f : g)
UNARY(dropout_mask, x < p ? 0.0f : 1.0f / (1.0f - p), 0.0f)

//     name       y                               da                         db
BINARY(add,       a + b,                          g,                         g)
BINARY(subtract,  a - b,                          g,                         -g)
BINARY(multiply,  a * b,                          g * b,                     g * a)
BINARY(divide,    a / b,                          g / b,                     -(g / b * y))
BINARY(maximum,   larger(a, b),                   b < a ? g : 0.0f,          b < a ? 0.0f : g)
BINARY(minimum,   smaller(a, b),                  a < b ? g : 0.0f,          a < b ? 0.0f : g)
BINARY(less_than, a < b ? 1.0f : 0.0f,            0.0f,                      0.0f)
