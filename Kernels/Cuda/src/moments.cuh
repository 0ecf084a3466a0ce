// What the information estimator sums of each factor, and the indicators that follow from the sums.
#pragma once
#include "reduce.cuh"

// Sums over encodings of exp(logVar), mu^2, mu and logVar, each as a pair.
struct Moments {
    float2 variance, square, mean, log_variance;
};

DEVICE Moments load_state(const Moments* p) { return Moments{load_state(&p->variance), load_state(&p->square), load_state(&p->mean), load_state(&p->log_variance)}; }

DEVICE void add_pair(float* target, float2 sum)
{
    const float2 total = SumState::merge(make_float2(target[0], target[1]), sum);
    target[0] = total.x;
    target[1] = total.y;
}

// The mean of a sum kept as a pair.
DEVICE float mean_of(const float* pair, float inverse_points) { return SumState::value(make_float2(pair[0], pair[1])) * inverse_points; }

// Adds one factor's sums to sums [4, h, 2] and, unless absent, writes its indicators [6, h]: s*, (I2), (I4), (I5), mean KL, KL of N(0, s*).
DEVICE void finish_moments(Moments total, unsigned h, unsigned i, float* sums, float inverse_points, float* indicators)
{
    add_pair(sums + 2 * (size_t)i, total.variance);
    add_pair(sums + 2 * ((size_t)h + i), total.square);
    add_pair(sums + 2 * (2 * (size_t)h + i), total.mean);
    add_pair(sums + 2 * (3 * (size_t)h + i), total.log_variance);
    if (!indicators)
        return;
    const float mean_variance = mean_of(sums + 2 * (size_t)i, inverse_points), mean_square = mean_of(sums + 2 * ((size_t)h + i), inverse_points);
    const float mean = mean_of(sums + 2 * (2 * (size_t)h + i), inverse_points), mean_log_var = mean_of(sums + 2 * (3 * (size_t)h + i), inverse_points);
    const float aggregate = mean_variance + mean_square, variance_of_mean = larger(0.0f, fmaf(-mean, mean, mean_square));
    indicators[i] = aggregate;
    indicators[(size_t)h + i] = 0.5f * (log_f(aggregate) - mean_log_var);
    indicators[2 * (size_t)h + i] = 0.5f * (log_f(mean_variance + variance_of_mean) - mean_log_var);
    indicators[3 * (size_t)h + i] = 0.5f * log1p_f(variance_of_mean / mean_variance);
    indicators[4 * (size_t)h + i] = 0.5f * (aggregate - 1.0f - mean_log_var);
    indicators[5 * (size_t)h + i] = 0.5f * (aggregate - 1.0f - log_f(aggregate));
}
