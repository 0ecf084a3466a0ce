// Log densities of z [rows, h] under a mixture of diagonal Gaussians mu, logVar [components, h], without a rows x components x h tensor.
//   mixture_joint      4 (rows + 2 components) h bytes at least; 10 operations an (i, j, h) of which 7 keep the sum's rounding error, one exponential an (i, j)
//   mixture_marginal   the same bytes; about 35 operations an (i, j, h), nearly all of them the exponential
//   gradients          the same bytes twice, plus rows x components coefficients; about 70 operations an (i, j, h) with marginals, 8 without
// So joint densities are bound by FMA from h = 8 on, marginals by the exponential always: 10 000 x 10 000 x 128 marginals are 450 GFLOP.
// Ladder: two passes (maximum, then sum) -> one pass with a running maximum, four rows a thread so that a component's numbers are loaded once for four rows (this version).
#include "reduce.cuh"

#define ROWS 4
#define LANES_H 32
#define SLICES 8
#define TILE_H 16
#define COMPONENTS 128
#define LOG_TWO_PI 1.83787706640934548f

struct PairWeights { float own, next, other; };

// The logarithm of component j's weight for a row whose own component is `own`.
DEVICE float log_weight(PairWeights w, unsigned own, unsigned components, unsigned j)
{
    // A row's own component may lie beyond the last: then no component is its own.
    const unsigned next = own + 1 < components ? own + 1 : (own + 1) % components;
    return j == own ? w.own : j == next ? w.next : w.other;
}

// The sums over h of (z - mu)^2 / s2 + log s2 + log 2 pi for ROWS rows against component j0 + threadIdx.x, as pairs: what matters is their difference from the
// joint density, and both can be in the thousands. 128 threads.
DEVICE void joint_distances(unsigned rows, unsigned components, unsigned h, const float* z, const float* mu, const float* log_var, unsigned row0, unsigned j0, float2 (&sum)[ROWS])
{
    __shared__ float zs[ROWS][TILE_H];
    __shared__ float mus[TILE_H][COMPONENTS + 1], inverses[TILE_H][COMPONENTS + 1], logs[TILE_H][COMPONENTS + 1];
    const unsigned lane = threadIdx.x % TILE_H, slot = threadIdx.x / TILE_H;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        sum[r] = SumState::identity();
    float2 constant = SumState::identity();
    for (unsigned h0 = 0; h0 < h; h0 += TILE_H) {
        const unsigned column = h0 + lane;
        const bool inside = column < h;
        __syncthreads();
        if (slot < ROWS)
            zs[slot][lane] = inside && row0 + slot < rows ? z[(size_t)(row0 + slot) * h + column] : 0.0f;
        for (unsigned k = slot; k < COMPONENTS; k += COMPONENTS / TILE_H) {
            const bool valid = inside && j0 + k < components;
            const size_t at = (size_t)(j0 + k) * h + column;
            const float l = valid ? log_var[at] : 0.0f;
            mus[lane][k] = valid ? mu[at] : 0.0f;
            inverses[lane][k] = valid ? exp_f(-l) : 0.0f;
            logs[lane][k] = valid ? l + LOG_TWO_PI : 0.0f;
        }
        __syncthreads();
        const unsigned columns = h - h0 < TILE_H ? h - h0 : TILE_H;
        for (unsigned c = 0; c < columns; c++) {
            const float m = mus[c][threadIdx.x], inverse = inverses[c][threadIdx.x];
            constant = SumState::add(constant, logs[c][threadIdx.x]);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float difference = zs[r][c] - m;
                sum[r] = SumState::add(sum[r], difference * difference * inverse);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        sum[r] = SumState::merge(sum[r], constant);
}

// log (weight times density), less `subtracted`.
DEVICE float pair_log_density(float2 distance, PairWeights weights, unsigned own, unsigned components, unsigned j, const float* pair_bias, unsigned row, float subtracted)
{
    const float bias = pair_bias ? pair_bias[(size_t)row * components + j] : 0.0f;
    return fmaf(-0.5f, distance.y, (-0.5f * distance.x - subtracted) + (log_weight(weights, own, components, j) + bias));
}

// joint [rows]; grid: rows / 4, block: 128
KERNEL __launch_bounds__(128) mixture_joint(unsigned rows, unsigned components, unsigned h, const float* __restrict__ z, const float* __restrict__ mu, const float* __restrict__ log_var, float own, float next, float other, unsigned own_offset, const float* __restrict__ pair_bias, float* __restrict__ joint)
{
    AFTER_EARLIER_KERNELS();
    __shared__ float2 states[ROWS][COMPONENTS];
    const PairWeights weights = {own, next, other};
    const unsigned row0 = blockIdx.x * ROWS;
    float2 state[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        state[r] = LogSumExpState::identity();
    for (unsigned j0 = 0; j0 < components; j0 += COMPONENTS) {
        float2 distance[ROWS];
        joint_distances(rows, components, h, z, mu, log_var, row0, j0, distance);
        const unsigned j = j0 + threadIdx.x;
        if (j < components) {
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                if (row0 + r < rows)
                    state[r] = LogSumExpState::add(state[r], pair_log_density(distance[r], weights, row0 + r + own_offset, components, j, pair_bias, row0 + r, 0.0f));
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        states[r][threadIdx.x] = state[r];
    for (unsigned half = COMPONENTS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                states[r][threadIdx.x] = LogSumExpState::merge(states[r][threadIdx.x], states[r][threadIdx.x + half]);
        }
    }
    if (threadIdx.x == 0) {
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (row0 + r < rows)
                joint[row0 + r] = LogSumExpState::value(states[r][0]);
    }
}
EXPORT(mixture_joint)

// marginal [rows, h]; grid: (h / 32, rows / 4), block: (32, 8)
KERNEL __launch_bounds__(256) mixture_marginal(unsigned rows, unsigned components, unsigned h, const float* __restrict__ z, const float* __restrict__ mu, const float* __restrict__ log_var, float own, float next, float other, unsigned own_offset, float* __restrict__ marginal)
{
    AFTER_EARLIER_KERNELS();
    __shared__ float2 states[SLICES][ROWS][LANES_H];
    const PairWeights weights = {own, next, other};
    const unsigned tiles = (h + LANES_H - 1) / LANES_H;
    const unsigned column = blockIdx.x % tiles * LANES_H + threadIdx.x, row0 = blockIdx.x / tiles * ROWS;
    float zs[ROWS];
    float2 state[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        zs[r] = column < h && row0 + r < rows ? z[(size_t)(row0 + r) * h + column] : 0.0f;
        state[r] = LogSumExpState::identity();
    }
    if (column < h)
        for (unsigned j = threadIdx.y; j < components; j += SLICES) {
            const size_t at = (size_t)j * h + column;
            const float m = mu[at], l = log_var[at], inverse = exp_f(-l);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float difference = zs[r] - m;
                const float distance = fmaf(difference * difference, inverse, l + LOG_TWO_PI);
                state[r] = LogSumExpState::add(state[r], fmaf(-0.5f, distance, log_weight(weights, row0 + r + own_offset, components, j)));
            }
        }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        states[threadIdx.y][r][threadIdx.x] = state[r];
    __syncthreads();
    // The first ROWS slices finish one row each.
    const unsigned r = threadIdx.y;
    if (r >= ROWS || column >= h || row0 + r >= rows)
        return;
    float2 total = states[0][r][threadIdx.x];
    for (int s = 1; s < SLICES; s++)
        total = LogSumExpState::merge(total, states[s][r][threadIdx.x]);
    marginal[(size_t)(row0 + r) * h + column] = LogSumExpState::value(total);
}
EXPORT(mixture_marginal)

// coefficients [rows, components]: gJoint[i] times the share of component j in row i's density; added to dpairBias where that is present.
KERNEL __launch_bounds__(128) mixture_joint_shares(unsigned rows, unsigned components, unsigned h, const float* __restrict__ z, const float* __restrict__ mu, const float* __restrict__ log_var, float own, float next, float other, unsigned own_offset, const float* __restrict__ pair_bias, const float* __restrict__ joint, const float* __restrict__ g_joint, float* __restrict__ coefficients, float* __restrict__ dpair_bias)
{
    AFTER_EARLIER_KERNELS();
    const PairWeights weights = {own, next, other};
    const unsigned row0 = blockIdx.x * ROWS, j0 = blockIdx.y * COMPONENTS, j = j0 + threadIdx.x;
    float2 distance[ROWS];
    joint_distances(rows, components, h, z, mu, log_var, row0, j0, distance);
    if (j >= components)
        return;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const unsigned row = row0 + r;
        if (row >= rows)
            continue;
        const float c = g_joint[row] * exp_f(pair_log_density(distance[r], weights, row + own_offset, components, j, pair_bias, row, joint[row]));
        coefficients[(size_t)row * components + j] = c;
        if (dpair_bias)
            dpair_bias[(size_t)row * components + j] += c;
    }
}
EXPORT(mixture_joint_shares)

// What (i, j, h) contributes to every gradient: the joint coefficient plus the marginal's share. square = (z - mu)^2 / s2, which with the marginal can be in the
// thousands: those two are subtracted first, so that their difference is exact.
DEVICE float pair_coefficient(float coefficient, bool has_marginal, float g_marginal, float marginal, float square, float log_var, float log_w)
{
    const float rest = fmaf(-0.5f, log_var + LOG_TWO_PI, log_w);
    return has_marginal ? fmaf(g_marginal, exp_f((-0.5f * square - marginal) + rest), coefficient) : coefficient;
}

// dz[i, h] += sum over j; a thread an (i, h) and a slice of the components; grid: h / 32 x rows, block: (32, 8)
KERNEL __launch_bounds__(256) mixture_gradient_z(unsigned rows, unsigned components, unsigned h, const float* __restrict__ z, const float* __restrict__ mu, const float* __restrict__ log_var, float own, float next, float other, unsigned own_offset, const float* __restrict__ coefficients, const float* __restrict__ marginal, const float* __restrict__ g_marginal, float* __restrict__ dz)
{
    AFTER_EARLIER_KERNELS();
    const PairWeights weights = {own, next, other};
    reduce<SumState>(rows, components, h, nullptr, nullptr,
        [=](unsigned i, unsigned j, unsigned column) {
            const size_t row = (size_t)i * h + column, at = (size_t)j * h + column;
            const float l = log_var[at], inverse = exp_f(-l), difference = z[row] - mu[at], square = difference * difference * inverse;
            const float c = pair_coefficient(coefficients ? coefficients[(size_t)i * components + j] : 0.0f, g_marginal != nullptr, g_marginal ? g_marginal[row] : 0.0f, g_marginal ? marginal[row] : 0.0f, square, l, log_weight(weights, i + own_offset, components, j));
            return -(c * difference * inverse);
        },
        [=](unsigned i, unsigned column, float2 sum) { dz[(size_t)i * h + column] += SumState::value(sum); });
}
EXPORT(mixture_gradient_z)

// Two sums at once, each as a pair.
struct GradientState {
    typedef float4 State;
    static DEVICE_MEMBER float4 identity() { return make_float4(0.0f, 0.0f, 0.0f, 0.0f); }
    static DEVICE_MEMBER float4 add(float4 s, float2 v) { return merge(s, make_float4(v.x, 0.0f, v.y, 0.0f)); }
    static DEVICE_MEMBER float4 merge(float4 s, float4 t)
    {
        const float2 a = SumState::merge(make_float2(s.x, s.y), make_float2(t.x, t.y)), b = SumState::merge(make_float2(s.z, s.w), make_float2(t.z, t.w));
        return make_float4(a.x, a.y, b.x, b.y);
    }
};

// dmu[j, h], dlogVar[j, h] += sums over i.
KERNEL __launch_bounds__(256) mixture_gradient_components(unsigned rows, unsigned components, unsigned h, const float* __restrict__ z, const float* __restrict__ mu, const float* __restrict__ log_var, float own, float next, float other, unsigned own_offset, const float* __restrict__ coefficients, const float* __restrict__ marginal, const float* __restrict__ g_marginal, float* __restrict__ dmu, float* __restrict__ dlog_var)
{
    AFTER_EARLIER_KERNELS();
    const PairWeights weights = {own, next, other};
    reduce<GradientState>(components, rows, h, nullptr, nullptr,
        [=](unsigned j, unsigned i, unsigned column) {
            const size_t row = (size_t)i * h + column, at = (size_t)j * h + column;
            const float l = log_var[at], inverse = exp_f(-l), difference = z[row] - mu[at], square = difference * difference * inverse;
            const float c = pair_coefficient(coefficients ? coefficients[(size_t)i * components + j] : 0.0f, g_marginal != nullptr, g_marginal ? g_marginal[row] : 0.0f, g_marginal ? marginal[row] : 0.0f, square, l, log_weight(weights, i + own_offset, components, j));
            return make_float2(c * difference * inverse, 0.5f * c * (square - 1.0f));
        },
        [=](unsigned j, unsigned column, float4 sums) {
            const size_t at = (size_t)j * h + column;
            dmu[at] += SumState::value(make_float2(sums.x, sums.y));
            dlog_var[at] += SumState::value(make_float2(sums.z, sums.w));
        });
}
EXPORT(mixture_gradient_components)
