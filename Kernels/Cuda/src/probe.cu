// What a card can do at most: the yardsticks that kernels are held against.
//   probe_copy    8 n bytes, nothing computed: the memory's rate
//   probe_fma     2 * 16 * iterations operations a thread, in registers: the rate of fused multiply-adds
//   probe_tf32, probe_bf16   2048 or 4096 * 8 * iterations operations a warp, in registers: the rate of mma.sync
//   probe_tf32_wgmma, probe_bf16_wgmma   64 x 256 x 32 or 64 multiply-adds an iteration and warpgroup, from shared memory: the rate of wgmma
#include "cumath.cuh"
#include "gemm_warpgroup.cuh"

KERNEL __launch_bounds__(256) probe_copy(const float* __restrict__ x, float* __restrict__ y, unsigned quads)
{
    AFTER_EARLIER_KERNELS();
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < quads; i += gridDim.x * blockDim.x)
        store4(y + 4 * (size_t)i, load4(x + 4 * (size_t)i));
}
EXPORT(probe_copy)

KERNEL __launch_bounds__(256) probe_fma(float* y, unsigned iterations, float a, float b)
{
    AFTER_EARLIER_KERNELS();
    float sums[16];
#pragma unroll
    for (int i = 0; i < 16; i++)
        sums[i] = (float)(threadIdx.x + i);
    for (unsigned k = 0; k < iterations; k++) {
#pragma unroll
        for (int i = 0; i < 16; i++)
            sums[i] = fmaf(sums[i], a, b);
    }
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < 16; i++)
        total += sums[i];
    y[blockIdx.x * blockDim.x + threadIdx.x] = total;
}
EXPORT(probe_fma)

#if HAS_TENSOR_CORES
template<class Multiply> DEVICE void probe_tensor(float* y, unsigned iterations, unsigned word, Multiply multiply)
{
    float sums[8][4] = {};
    const unsigned x[4] = {word, word, word, word}, z[2] = {word, word};
    for (unsigned k = 0; k < iterations; k++) {
#pragma unroll
        for (int i = 0; i < 8; i++)
            multiply(sums[i], x, z);
    }
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; i++)
        total += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
    y[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

KERNEL __launch_bounds__(256) probe_tf32(float* y, unsigned iterations, float a)
{
    AFTER_EARLIER_KERNELS();
    probe_tensor(y, iterations, to_tf32(a), [](float (&d)[4], const unsigned (&x)[4], const unsigned (&z)[2]) { mma_tf32(d, x, z); });
}
EXPORT(probe_tf32)

KERNEL __launch_bounds__(256) probe_bf16(float* y, unsigned iterations, float a)
{
    AFTER_EARLIER_KERNELS();
    probe_tensor(y, iterations, to_bf16_pair(a, a), [](float (&d)[4], const unsigned (&x)[4], const unsigned (&z)[2]) { mma_bf16(d, x, z); });
}
EXPORT(probe_bf16)
#endif

#if HAS_WGMMA
// One step of a tile of 64 x 256, over and over on the same operands.
template<class Number> DEVICE void probe_warpgroup(float* y, unsigned iterations, float a, float* memory)
{
    typedef TileWarpgroup<Number, 64, 256> Tile;
    float* const tile = aligned_tile(memory);
    const float numbers[2] = {a, a};
    const unsigned word = Number::pack(reinterpret_cast<const float(&)[Number::Chunk / 4]>(numbers));
    for (int i = threadIdx.x; i < Tile::StageFloats / 4; i += Tile::Threads)
        store_operand(reinterpret_cast<uint4*>(tile) + i, uint4{word, word, word, word});
    fence_operands();
    __syncthreads();
    float sums[Tile::Sums] = {};
    for (unsigned k = 0; k < iterations; k++) {
        Tile::multiply_step(tile, sums);
        warpgroup_wait<0>();
    }
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < Tile::Sums; i++)
        total += sums[i];
    y[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

KERNEL __launch_bounds__(128) probe_tf32_wgmma(float* y, unsigned iterations, float a)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(memory);
    probe_warpgroup<WarpgroupTf32>(y, iterations, a, memory);
}
EXPORT(probe_tf32_wgmma)

KERNEL __launch_bounds__(128) probe_bf16_wgmma(float* y, unsigned iterations, float a)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(memory);
    probe_warpgroup<WarpgroupBf16>(y, iterations, a, memory);
}
EXPORT(probe_bf16_wgmma)
#endif
