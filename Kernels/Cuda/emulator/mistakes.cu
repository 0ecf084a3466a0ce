// Kernels that break a rule each: the emulator must say so. Linked into the native checks only.
#include "cumath.cuh"
#include "gemm_warpgroup.cuh"

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

KERNEL divergent_cluster_barriers(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (cluster_rank() == 0)
        cluster_arrive();
    else
        cluster_arrive();
    cluster_wait();
    out[32 * blockIdx.x + threadIdx.x] = 1.0f;
}
EXPORT(divergent_cluster_barriers)

KERNEL returns_before_cluster_barrier(float* out)
{
    AFTER_EARLIER_KERNELS();
    if (cluster_rank() == 1)
        return;
    cluster_arrive();
    cluster_wait();
    out[threadIdx.x] = 1.0f;
}
EXPORT(returns_before_cluster_barrier)

KERNEL waits_at_another_barrier(float* out)
{
    AFTER_EARLIER_KERNELS();
    cluster_arrive();
    if (threadIdx.x < 16)
        __syncthreads();
    else
        cluster_wait();
    out[threadIdx.x] = 1.0f;
}
EXPORT(waits_at_another_barrier)

KERNEL arrives_without_waiting(float* out)
{
    AFTER_EARLIER_KERNELS();
    cluster_arrive();
    out[threadIdx.x] = 1.0f;
}
EXPORT(arrives_without_waiting)

// Every block writes when it has arrived, which the others need not see when they have waited.
KERNEL writes_after_arriving(float* out)
{
    AFTER_EARLIER_KERNELS();
    cluster_arrive();
    out[32 * blockIdx.x + threadIdx.x] = 1.0f;
    cluster_wait();
    out[64 + 32 * blockIdx.x + threadIdx.x] = out[32 * (1 - blockIdx.x) + threadIdx.x];
}
EXPORT(writes_after_arriving)

// A product of 64 x 64 tiles of ones by wgmma, with one mistake.
enum class Mistake { NoFenceOfOperands, NoFenceOfSums, NoWait, Misaligned, TooFar };

template<Mistake Made> DEVICE void product_of_ones(float* out, float* memory)
{
    float* const tile = aligned_tile(memory);
    if (threadIdx.x < 64)
        for (int chunk = 0; chunk < ChunksOfLine; chunk++)
            store_operand(reinterpret_cast<uint4*>(tile + threadIdx.x * WordsOfLine) + chunk, WarpgroupTf32::pack({1.0f, 1.0f, 1.0f, 1.0f}));
    if constexpr (Made != Mistake::NoFenceOfOperands)
        fence_operands();
    __syncthreads();
    float sums[32] = {};
    const unsigned long long lies = operand_descriptor(Made == Mistake::Misaligned ? tile + WordsOfLine : Made == Mistake::TooFar ? tile + 32 * WordsOfLine : tile);
    if constexpr (Made != Mistake::NoFenceOfSums)
        warpgroup_begin();
    warpgroup_multiply_tf32(sums, lies, lies);
    warpgroup_commit();
    if constexpr (Made != Mistake::NoWait)
        warpgroup_wait<0>();
    out[threadIdx.x] = sums[0];
}

#define PRODUCT_WITH_MISTAKE(name, mistake)                \
    KERNEL name(float* out)                                \
    {                                                      \
        AFTER_EARLIER_KERNELS();                           \
        DYNAMIC_SHARED(memory);                            \
        product_of_ones<Mistake::mistake>(out, memory);    \
    }                                                      \
    EXPORT(name)

PRODUCT_WITH_MISTAKE(forgets_to_fence_operands, NoFenceOfOperands)
PRODUCT_WITH_MISTAKE(forgets_wgmma_fence, NoFenceOfSums)
PRODUCT_WITH_MISTAKE(forgets_to_wait_for_wgmma, NoWait)
PRODUCT_WITH_MISTAKE(misaligned_operand, Misaligned)
PRODUCT_WITH_MISTAKE(operand_beyond_shared_memory, TooFar)
