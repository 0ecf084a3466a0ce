// Kernels that break a rule each: the emulator must say so. Linked into the native checks only.
#include "cumath.cuh"

KERNEL divergent_barriers(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 1.0f;
}
EXPORT(divergent_barriers)

KERNEL returns_before_barrier(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (threadIdx.x == 5)
        return;
    __syncthreads();
    out[threadIdx.x] = 1.0f;
}
EXPORT(returns_before_barrier)

KERNEL mask_names_absent_lanes(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (threadIdx.x & 1)
        return;
    out[threadIdx.x] = __shfl_xor_sync(ALL_LANES, 1.0f, 2);
}
EXPORT(mask_names_absent_lanes)

KERNEL waits_for_ever(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (threadIdx.x < 16)
        out[0] = __shfl_xor_sync(ALL_LANES, 1.0f, 1);
    else
        __syncthreads();
}
EXPORT(waits_for_ever)

KERNEL forgets_to_wait(float* out, const float* in)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(shared);
    copy_async<4>(shared + 4 * threadIdx.x, in + 4 * threadIdx.x, true);
    copy_async_commit();
    __syncthreads();
    out[threadIdx.x] = shared[threadIdx.x];
}
EXPORT(forgets_to_wait)

KERNEL starts_too_early(float* out)
{
    if (threadIdx.x != 40)
        AFTER_EARLIER_KERNELS();
    out[threadIdx.x] = 1.0f;
}
EXPORT(starts_too_early)
