// A tile of C by wgmma, compute capability 9.0 only: operands rounded to tf32 or bf16, sums in float32, as in gemm_tf32.cuh and gemm_bf16.cuh, whose twin this is. There every warp fetches
// its operands from shared memory into registers, and at 128 x 128 that traffic is what limits it (docs/cuda-kernels.md); here four warps share one instruction that reads both operands
// itself, from tiles as gemm_lines.cuh lays them out.
// The next step's numbers are on their way from memory while this one's are multiplied. Three stages, so that one barrier a step is enough: what is overwritten in step s was read
// in step s - 2, which every warpgroup had seen the end of before the barrier of step s - 1.
#pragma once
#include "gemm_lines.cuh"

#if HAS_WGMMA

constexpr int WarpgroupStages = 3;
constexpr int SwizzleBytes = 1024;  // the pattern repeats every 8 lines, and a tile must begin where it does

// Where a tile lies and how: the address, the distance of 8 rows from the next 8, 1 024 bytes (both in units of 16 bytes), and the 128-byte swizzle. The distance between neighbours
// along k says nothing in this layout and is 1 by convention.
DEVICE unsigned long long operand_descriptor(const void* tile)
{
    return (unsigned long long)((shared_address(tile) & 0x3ffff) >> 4) | 1ull << 16 | (unsigned long long)(SwizzleBytes >> 4) << 32 | 1ull << 62;
}

// The first place in dynamic shared memory where a tile may begin; 1 023 bytes more than the tiles are asked for.
DEVICE float* aligned_tile(float* memory) { return memory + (SwizzleBytes - shared_address(memory) % SwizzleBytes) % SwizzleBytes / 4; }

struct WarpgroupTf32 : LinesOfTf32 {
    static DEVICE_MEMBER void put(uint4* to, uint4 v) { store_operand(to, v); }
    template<int Sums> static DEVICE_MEMBER void multiply(float (&d)[Sums], unsigned long long a, unsigned long long b) { warpgroup_multiply_tf32(d, a, b); }
};

struct WarpgroupBf16 : LinesOfBf16 {
    static DEVICE_MEMBER void put(uint4* to, uint4 v) { store_operand(to, v); }
    template<int Sums> static DEVICE_MEMBER void multiply(float (&d)[Sums], unsigned long long a, unsigned long long b) { warpgroup_multiply_bf16(d, a, b); }
};

template<class Number, int TileRows, int TileColumns> struct TileWarpgroup {
    static constexpr int Rows = TileRows, Columns = TileColumns, Depth = ChunksOfLine * Number::Chunk, Run = 2;
    static constexpr bool Halves = Number::Halves;
    static constexpr int Threads = Rows / 64 * 128, ThreadRows = 2, ThreadColumns = Columns / 4, Sums = ThreadRows * ThreadColumns;
    static constexpr int StageFloats = (Rows + Columns) * WordsOfLine;
    static DEVICE_MEMBER int row(int i) { return threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + 8 * i; }
    static DEVICE_MEMBER int column(int j) { return j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
    static constexpr int index(int i, int j) { return j / 2 * 4 + i * 2 + j % 2; }

    // Starts the multiplication of one stage: four instructions along its lines, each of which reads 32 bytes.
    static DEVICE_MEMBER void multiply_step(const float* tile, float (&sums)[Sums])
    {
        constexpr int Instructions = 4, BytesOfInstruction = 32;
        const unsigned long long rows = operand_descriptor(tile + threadIdx.x / 128 * 64 * WordsOfLine), columns = operand_descriptor(tile + Rows * WordsOfLine);
        warpgroup_begin();
#pragma unroll
        for (int i = 0; i < Instructions; i++)
            Number::multiply(sums, rows + i * BytesOfInstruction / 16, columns + i * BytesOfInstruction / 16);
        warpgroup_commit();
    }

    template<class A, class B> static DEVICE_MEMBER void multiply(const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* memory, float (&sums)[Sums])
    {
        float* const shared = aligned_tile(memory);
        const int thread = threadIdx.x;
        ChunkLoader<Number, A, Rows, 4, Threads> from_a(a, row0, thread);
        ChunkLoader<Number, B, Columns, 4, Threads> from_b(b, column0, thread);
        int stage = 0;
        from_a.fetch(first * Depth);
        from_b.fetch(first * Depth);
        for (unsigned step = first;; step++) {
            float* const tile = shared + stage * StageFloats;
            from_a.store(tile);
            from_b.store(tile + Rows * WordsOfLine);
            fence_operands();
            __syncthreads();
            const bool more = step + 1 < last;
            if (more) {
                from_a.fetch((step + 1) * Depth);
                from_b.fetch((step + 1) * Depth);
            }
            multiply_step(tile, sums);
            if (!more)
                break;
            warpgroup_wait<1>();
            stage = stage == WarpgroupStages - 1 ? 0 : stage + 1;
        }
        warpgroup_wait<0>();
    }
};
#endif
