// The fused terms of a VAE's objective. Each reads its operands once and writes per-row sums in the same launch.
//   reparameterise           [rows, h]: reads mu, logVar, writes epsilon, z: 16 rows h bytes; about 120 operations an element (Philox, log, sincos, exp)
//   reparameterise_gradient  reads gz, mu, logVar, epsilon, writes two: 24 rows h bytes (32 accumulating), 30 operations
//   gaussian_nll             [rows, d]: 8 rows d bytes, 9 operations;    gaussian_nll_gradient   12 rows d bytes, 3 operations
//   bernoulli_nll            8 rows d bytes, about 60 operations;        bernoulli_nll_gradient  12 rows d bytes, 30 operations
//   encoding_moments         8 rows h bytes, about 50 instructions: 4 000 000 x 128 is 4.1 GB, 0.85 ms at 4.8 TB/s, and 0.77 ms of instructions on 132 multiprocessors
//                            at 1.98 GHz, so bound by memory as long as enough loads are in flight. Ladder: one encoding at a time -> four (this version)
//   update_variance          4 rows bytes
// Ladder: separate exp, noise, product and sum kernels (about 60 bytes an element) -> one launch, noise made in registers (this version).
#include "moments.cuh"
#include "reparameterise.cuh"

#define LOG_TWO_PI 1.83787706640934548f

// n = h, or h / 4 where h is a multiple of 4 and every address is aligned: four elements then share one Philox call.
KERNEL __launch_bounds__(256) reparameterise(unsigned rows, unsigned n, int quads, const float* __restrict__ mu, const float* __restrict__ log_var, const unsigned* __restrict__ state, unsigned draw, float* __restrict__ epsilon, float* __restrict__ z, float* __restrict__ kl)
{
    AFTER_EARLIER_KERNELS();
    reduce<SumState>(rows, n, 1, nullptr, nullptr,
        [=](unsigned row, unsigned k, unsigned) {
            const unsigned i = row * n + k;
            if (!quads) {
                const float e = normal_element(draw_words(state, draw, i / 4), i);
                epsilon[i] = e;
                float zi;
                const float twice_kl = reparameterise_element(mu[i], log_var[i], e, &zi);
                z[i] = zi;
                return twice_kl;
            }
            return reparameterise_four(mu, log_var, state, draw, i, epsilon, z);
        },
        [=](unsigned row, unsigned, float2 sum) { kl[row] = 0.5f * SumState::value(sum); });
}
EXPORT(reparameterise)

KERNEL __launch_bounds__(256) reparameterise_gradient(unsigned count, Divider h, const float* gz, const float* gkl, const float* mu, const float* log_var, const float* epsilon, float* dmu, float* dlog_var, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, count)
        reparameterise_gradient_element(i, gkl ? h.divide(i) : 0, gz, gkl, mu, log_var, epsilon, dmu, dlog_var, accumulate);
}
EXPORT(reparameterise_gradient)

KERNEL __launch_bounds__(256) gaussian_nll(unsigned rows, unsigned d, const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ variance, float* __restrict__ nll, float* __restrict__ squared_error, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<SumState>(rows, d, 1, partial, tickets,
        [=](unsigned row, unsigned k, unsigned) {
            const size_t at = (size_t)row * d + k;
            const float difference = x[at] - mean[at];
            return difference * difference;
        },
        [=](unsigned row, unsigned, float2 sum) {
            const float error = SumState::value(sum), s2 = variance[0];
            squared_error[row] = error;
            nll[row] = 0.5f * (error / s2 + (float)d * (LOG_TWO_PI + log_f(s2)));
        });
}
EXPORT(gaussian_nll)

KERNEL __launch_bounds__(256) gaussian_nll_gradient(unsigned count, Divider d, const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ variance, float* dmean, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    const float s2 = variance[0];
    FOR_EACH(i, count) {
        const float v = g[d.divide(i)] * (mean[i] - x[i]) / s2;
        dmean[i] = accumulate ? dmean[i] + v : v;
    }
}
EXPORT(gaussian_nll_gradient)

KERNEL __launch_bounds__(256) bernoulli_nll(unsigned rows, unsigned d, const float* __restrict__ x, const float* __restrict__ logits, float* __restrict__ nll, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<SumState>(rows, d, 1, partial, tickets,
        [=](unsigned row, unsigned k, unsigned) {
            const size_t at = (size_t)row * d + k;
            const float a = logits[at];
            return softplus_f(a) - x[at] * a;
        },
        [=](unsigned row, unsigned, float2 sum) { nll[row] = SumState::value(sum); });
}
EXPORT(bernoulli_nll)

KERNEL __launch_bounds__(256) bernoulli_nll_gradient(unsigned count, Divider d, const float* __restrict__ g, const float* __restrict__ x, const float* __restrict__ logits, float* dlogits, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, count) {
        const float v = g[d.divide(i)] * (sigmoid_f(logits[i]) - x[i]);
        dlogits[i] = accumulate ? dlogits[i] + v : v;
    }
}
EXPORT(bernoulli_nll_gradient)

// variance moves towards sum * inverse_count by the factor step, by no more than a factor 1 +- maximum_change, and never below floor.
KERNEL __launch_bounds__(256) update_variance(const float* __restrict__ squared_error, unsigned n, float inverse_count, float step, float maximum_change, float floor, float* variance, float2* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<SumState>(1, n, 1, partial, tickets,
        [=](unsigned, unsigned k, unsigned) { return squared_error[k]; },
        [=](unsigned, unsigned, float2 sum) {
            const float old = variance[0], target = SumState::value(sum) * inverse_count;
            float next = fmaf(step, target - old, old);
            next = smaller(larger(next, old * (1.0f - maximum_change)), old * (1.0f + maximum_change));
            variance[0] = larger(next, floor);
        });
}
EXPORT(update_variance)

// One factor of up to four encodings. A thread keeps eight loads in flight this way: with two, 1024 threads of a multiprocessor ask for 8 KB at a time, a third of
// what the memory of a large card needs to be kept busy.
struct Encodings {
    static constexpr unsigned Most = 4;
    float mu[Most], log_variance[Most];
    unsigned count;
};

// The sums of exp(logVar), mu^2, mu and logVar of one factor, each as a pair. Up to four are first added in float: an addition to a pair is seven instructions.
struct MomentState {
    typedef Moments State;
    static DEVICE_MEMBER State identity()
    {
        const float2 zero = make_float2(0.0f, 0.0f);
        return State{zero, zero, zero, zero};
    }
    static DEVICE_MEMBER State add(State s, const Encodings& e)
    {
        float variance = 0.0f, square = 0.0f, mean = 0.0f, log_variance = 0.0f;
#pragma unroll
        for (unsigned j = 0; j < Encodings::Most; j++) {
            // Selected after it is computed: a branch would cost more than what it saves in the last group.
            const bool counts = j == 0 || j < e.count;
            const float mu = counts ? e.mu[j] : 0.0f, exponential = exp_f(e.log_variance[j]);
            variance += counts ? exponential : 0.0f;
            square = fmaf(mu, mu, square);
            mean += mu;
            log_variance += counts ? e.log_variance[j] : 0.0f;
        }
        s.variance = SumState::add(s.variance, variance);
        s.square = SumState::add(s.square, square);
        s.mean = SumState::add(s.mean, mean);
        s.log_variance = SumState::add(s.log_variance, log_variance);
        return s;
    }
    static DEVICE_MEMBER State merge(State a, State b)
    {
        return State{SumState::merge(a.variance, b.variance), SumState::merge(a.square, b.square), SumState::merge(a.mean, b.mean), SumState::merge(a.log_variance, b.log_variance)};
    }
};

// sums [4, h, 2]; indicators [6, h] or null: s*, (I2), (I4), (I5), mean KL, KL of N(0, s*)
KERNEL __launch_bounds__(256) encoding_moments(unsigned rows, unsigned h, const float* __restrict__ mu, const float* __restrict__ log_var, float* sums, float inverse_points, float* indicators, MomentState::State* partial, unsigned* tickets)
{
    AFTER_EARLIER_KERNELS();
    reduce<MomentState>(1, (rows + Encodings::Most - 1) / Encodings::Most, h, partial, tickets,
        [=](unsigned, unsigned k, unsigned i) {
            const unsigned first = k * Encodings::Most;
            Encodings e;
            e.count = rows - first;
            size_t at = (size_t)first * h + i;
#pragma unroll
            for (unsigned j = 0; j < Encodings::Most; j++) {
                e.mu[j] = mu[at];
                e.log_variance[j] = log_var[at];
                at += j + 1 < e.count ? h : 0;  // past the end the last one is read again
            }
            return e;
        },
        [=](unsigned, unsigned i, MomentState::State total) { finish_moments(total, h, i, sums, inverse_points, indicators); });
}
EXPORT(encoding_moments)
