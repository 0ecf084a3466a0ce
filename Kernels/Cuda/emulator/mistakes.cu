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
            store_operand(reinterpret_cast<uint4*>(tile + threadIdx.x * WordsOfLine) + chunk, uint4{to_tf32(1.0f), to_tf32(1.0f), to_tf32(1.0f), to_tf32(1.0f)});
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

// The square T T' of 64 rows of a matrix in bf16, from row `first` on, by the copy engine and wgmma: right, or with one mistake.
enum class CopyMistake { None, ExpectsNothing, ExpectsTooFew, ExpectsTooMany, ArrivesTwice, NoFenceOfBarrier, NoBarrier, NoWait, WrongParity, ReusesTooEarly, Misaligned };

template<CopyMistake Made> struct SquareByCopies {
    static constexpr int Rows = 64, Depth = 64, Stages = 2, TileBytes = Rows * Depth * 2;
    const TensorMap* map;
    unsigned first, steps;
    float* tiles;
    Mbarrier* landed;  // one for each stage

    DEVICE_MEMBER float* tile(unsigned step) const { return tiles + step % Stages * Rows * WordsOfLine; }

    DEVICE_MEMBER void start(unsigned step) const
    {
        Mbarrier* const barrier = landed + step % Stages;
        if constexpr (Made != CopyMistake::ExpectsNothing)
            mbarrier_arrive_expecting(barrier, Made == CopyMistake::ExpectsTooFew ? TileBytes - 16 : Made == CopyMistake::ExpectsTooMany ? TileBytes + 16 : TileBytes);
        if constexpr (Made == CopyMistake::ArrivesTwice)
            mbarrier_arrive_expecting(barrier, 0);
        copy_tile_async(tile(step) + (Made == CopyMistake::Misaligned ? WordsOfLine : 0), map, (int)(step * Depth), (int)first, barrier);
    }

    DEVICE_MEMBER void multiply(float (&sums)[32]) const
    {
        if (threadIdx.x == 0) {
            for (int i = 0; i < Stages; i++)
                if constexpr (Made != CopyMistake::NoBarrier)
                    mbarrier_init(landed + i, 1);
            if constexpr (Made != CopyMistake::NoFenceOfBarrier)
                fence_operands();
            start(0);
        }
        __syncthreads();
        for (unsigned step = 0; step < steps; step++) {
            if constexpr (Made != CopyMistake::ReusesTooEarly)
                if (threadIdx.x == 0 && step + 1 < steps)
                    start(step + 1);
            if constexpr (Made != CopyMistake::NoWait)
                mbarrier_wait(landed + step % Stages, (step / Stages + (Made == CopyMistake::WrongParity)) % 2);
            const unsigned long long lies = operand_descriptor(tile(step));
            warpgroup_begin();
            for (int i = 0; i < 4; i++)
                warpgroup_multiply_bf16(sums, lies + 2 * i, lies + 2 * i);
            warpgroup_commit();
            // Into the stage that is being multiplied.
            if constexpr (Made == CopyMistake::ReusesTooEarly)
                if (threadIdx.x == 0)
                    copy_tile_async(tile(step), map, 0, 0, landed + (step + 1) % Stages);
            warpgroup_wait<0>();
            __syncthreads();
        }
    }
};

#define SQUARE_BY_COPIES(name, mistake)                                                                                              \
    KERNEL name(TensorMap t, unsigned first, unsigned k, float* out)                                                                 \
    {                                                                                                                                \
        AFTER_EARLIER_KERNELS();                                                                                                     \
        DYNAMIC_SHARED(memory);                                                                                                      \
        TENSOR_MAP(map, name, 0, t);                                                                                                 \
        typedef SquareByCopies<CopyMistake::mistake> Square;                                                                         \
        float* const tiles = aligned_tile(memory);                                                                                   \
        float sums[32] = {};                                                                                                         \
        const Square square = {map, first, (k + Square::Depth - 1) / Square::Depth, tiles,                                           \
            reinterpret_cast<Mbarrier*>(tiles + Square::Stages * Square::Rows * WordsOfLine)};                                       \
        square.multiply(sums);                                                                                                       \
        for (int i = 0; i < 32; i++)                                                                                                 \
            out[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 64 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = sums[i]; \
    }                                                                                                                                \
    EXPORT(name)

SQUARE_BY_COPIES(square_by_copies, None)
SQUARE_BY_COPIES(expects_no_bytes, ExpectsNothing)
SQUARE_BY_COPIES(expects_too_few_bytes, ExpectsTooFew)
SQUARE_BY_COPIES(expects_too_many_bytes, ExpectsTooMany)
SQUARE_BY_COPIES(arrives_twice, ArrivesTwice)
SQUARE_BY_COPIES(forgets_to_fence_mbarrier, NoFenceOfBarrier)
SQUARE_BY_COPIES(forgets_to_set_up_mbarrier, NoBarrier)
SQUARE_BY_COPIES(multiplies_without_waiting, NoWait)
SQUARE_BY_COPIES(waits_for_the_wrong_phase, WrongParity)
SQUARE_BY_COPIES(fills_what_is_being_multiplied, ReusesTooEarly)
SQUARE_BY_COPIES(copies_to_a_misaligned_tile, Misaligned)

// Reads with ordinary loads what a copy fills, after a barrier of threads in place of the copy's own.
KERNEL loads_before_it_has_landed(TensorMap t, float* out)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(memory);
    TENSOR_MAP(map, loads_before_it_has_landed, 0, t);
    float* const tile = aligned_tile(memory);
    Mbarrier* const landed = reinterpret_cast<Mbarrier*>(tile + 64 * WordsOfLine);
    if (threadIdx.x == 0) {
        mbarrier_init(landed, 1);
        fence_operands();
        mbarrier_arrive_expecting(landed, 64 * 128);
        copy_tile_async(tile, map, 0, 0, landed);
    }
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x];
    mbarrier_wait(landed, 0);
}
EXPORT(loads_before_it_has_landed)

KERNEL returns_before_it_has_landed(TensorMap t, float* out)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(memory);
    TENSOR_MAP(map, returns_before_it_has_landed, 0, t);
    float* const tile = aligned_tile(memory);
    Mbarrier* const landed = reinterpret_cast<Mbarrier*>(tile + 64 * WordsOfLine);
    out[threadIdx.x] = 1.0f;
    if (threadIdx.x == 0) {
        mbarrier_init(landed, 1);
        fence_operands();
        mbarrier_arrive_expecting(landed, 64 * 128);
        copy_tile_async(tile, map, 0, 0, landed);
    }
}
EXPORT(returns_before_it_has_landed)
