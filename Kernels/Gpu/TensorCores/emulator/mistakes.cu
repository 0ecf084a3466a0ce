// Kernels that break a rule each: the emulator must say so. Linked into the native checks only.
#include "prelude.cuh"

KERNEL divergent_barriers(float* out)
{
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 1.0f;
}
EXPORT(divergent_barriers)

KERNEL returns_before_barrier(float* out)
{
    if (threadIdx.x == 5)
        return;
    __syncthreads();
    out[threadIdx.x] = 1.0f;
}
EXPORT(returns_before_barrier)

KERNEL multiplies_without_some_lanes(float* out)
{
    if (threadIdx.x & 1)
        return;
    float d[4] = {};
    const unsigned a[4] = {}, b[2] = {};
    mma_tf32(d, a, b);
    out[threadIdx.x] = d[0];
}
EXPORT(multiplies_without_some_lanes)

KERNEL waits_for_ever(float* out)
{
    if (threadIdx.x < 16) {
        float d[4] = {};
        const unsigned a[4] = {}, b[2] = {};
        mma_tf32(d, a, b);
        out[0] = d[0];
    } else {
        __syncthreads();
    }
}
EXPORT(waits_for_ever)

KERNEL copies_from_a_misaligned_address(float* out)
{
    DYNAMIC_SHARED(shared);
    copy_async<4>(shared + 4 * threadIdx.x, out + 1, true);
    copy_async_commit();
    copy_async_wait<0>();
}
EXPORT(copies_from_a_misaligned_address)

KERNEL stores_to_a_misaligned_address(float* out)
{
    store4(out + 1, make_float4(1.0f, 2.0f, 3.0f, 4.0f));
}
EXPORT(stores_to_a_misaligned_address)

KERNEL forgets_to_wait(float* out)
{
    DYNAMIC_SHARED(shared);
    copy_async<1>(shared + threadIdx.x, out, true);
    copy_async_commit();
    __syncthreads();
    out[threadIdx.x] = shared[threadIdx.x];
}
EXPORT(forgets_to_wait)
