// Deterministic reductions in one launch. x is [outer, n, inner] and n is reduced; a block of (X, Y, Z) threads covers X columns of inner and Z rows of
// outer, Y threads share n, and gridDim.y blocks may share n too: the last of them to finish adds their partial states up in a fixed order.
// Partition and order depend on the sizes alone, so the same launch gives the same bits each time.
#pragma once
#include "cumath.cuh"

// ---- states

// A sum as an unevaluated pair of floats, about 48 bits.
struct SumState {
    typedef float2 State;
    static DEVICE_MEMBER float2 identity() { return make_float2(0.0f, 0.0f); }
    static DEVICE_MEMBER float2 add(float2 s, float x)
    {
        const float t = s.x + x, part = t - s.x;
        return make_float2(t, s.y + ((s.x - (t - part)) + (x - part)));
    }
    static DEVICE_MEMBER float2 merge(float2 a, float2 b)
    {
        const float2 s = add(a, b.x);
        return make_float2(s.x, s.y + b.y);
    }
    // The rounded sum. Where it overflows or is not a number the error term means nothing.
    static DEVICE_MEMBER float value(float2 s) { return fabsf(s.x) < INFINITY_F ? s.x + s.y : s.x; }
};

struct MaxState {
    typedef float2 State;
    static DEVICE_MEMBER float2 identity() { return make_float2(-INFINITY_F, 0.0f); }
    static DEVICE_MEMBER float2 add(float2 s, float x) { return make_float2(x > s.x || x != x ? x : s.x, 0.0f); }
    static DEVICE_MEMBER float2 merge(float2 a, float2 b) { return add(a, b.x); }
    static DEVICE_MEMBER float value(float2 s) { return s.x; }
};

// log sum exp in one pass: the largest entry so far, and the sum relative to it.
struct LogSumExpState {
    typedef float2 State;
    static DEVICE_MEMBER float2 identity() { return make_float2(-INFINITY_F, 0.0f); }
    static DEVICE_MEMBER float2 merge(float2 a, float2 b)
    {
        if (b.x == -INFINITY_F)
            return a;
        if (a.x == -INFINITY_F)
            return b;
        if (a.x == b.x)
            return make_float2(a.x, a.y + b.y);
        const float e = exp_f(-fabsf(a.x - b.x));
        return a.x > b.x ? make_float2(a.x, fmaf(b.y, e, a.y)) : make_float2(b.x, fmaf(a.y, e, b.y));
    }
    static DEVICE_MEMBER float2 add(float2 s, float x) { return merge(s, make_float2(x, 1.0f)); }
    static DEVICE_MEMBER float value(float2 s) { return s.y == 0.0f || s.x == INFINITY_F ? s.x : s.x + log_f(s.y); }
};

// ---- blocks

DEVICE unsigned thread_in_block() { return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }

// True in the block that comes last of `blocks` at this ticket, which then sees what the others wrote before. The ticket is left at zero for the next launch.
DEVICE bool is_last_block(unsigned* ticket, unsigned blocks)
{
    __shared__ unsigned last;
    __threadfence();
    __syncthreads();
    if (thread_in_block() == 0)
        last = atomicInc(ticket, blocks - 1) == blocks - 1;
    __syncthreads();
    __threadfence();
    return last != 0;
}

DEVICE float2 load_state(const float2* p)
{
    const float* f = reinterpret_cast<const float*>(p);
    return make_float2(load_shared_by_blocks(f), load_shared_by_blocks(f + 1));
}

DEVICE float4 load_state(const float4* p)
{
    const float* f = reinterpret_cast<const float*>(p);
    return make_float4(load_shared_by_blocks(f), load_shared_by_blocks(f + 1), load_shared_by_blocks(f + 2), load_shared_by_blocks(f + 3));
}

// The states of the threads that differ in threadIdx.y, merged; right where threadIdx.y == 0.
template<class R> DEVICE typename R::State merge_over_y(typename R::State state, typename R::State* shared)
{
    const unsigned t = thread_in_block();
    shared[t] = state;
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half)
            shared[t] = R::merge(shared[t], shared[t + half * blockDim.x]);
    }
    return shared[t];
}

// value(o, k, i) is called once for each element, finish(o, i, state) once for each result.
template<class R, class Value, class Finish>
DEVICE void reduce(unsigned outer, unsigned n, unsigned inner, typename R::State* partial, unsigned* tickets, Value value, Finish finish)
{
    __shared__ typename R::State shared[256];
    const unsigned tiles = (inner + blockDim.x - 1) / blockDim.x;
    const unsigned o = blockIdx.x / tiles * blockDim.z + threadIdx.z, i = blockIdx.x % tiles * blockDim.x + threadIdx.x;
    const bool inside = o < outer && i < inner;
    const unsigned segments = gridDim.y, length = (n + segments - 1) / segments;
    const unsigned begin = blockIdx.y * length, end = begin + length < n ? begin + length : n;
    typename R::State state = R::identity();
    if (inside)
        for (unsigned k = begin + threadIdx.y; k < end; k += blockDim.y)
            state = R::add(state, value(o, k, i));
    state = merge_over_y<R>(state, shared);
    if (segments > 1) {
        if (inside && threadIdx.y == 0)
            partial[((size_t)blockIdx.y * outer + o) * inner + i] = state;
        if (!is_last_block(tickets + blockIdx.x, segments))
            return;
        state = R::identity();
        if (inside)
            for (unsigned s = threadIdx.y; s < segments; s += blockDim.y)
                state = R::merge(state, load_state(partial + ((size_t)s * outer + o) * inner + i));
        state = merge_over_y<R>(state, shared);
    }
    if (inside && threadIdx.y == 0)
        finish(o, i, state);
}

// Bounds of a grid-stride loop over single elements.
#define FOR_EACH(i, n) for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)
