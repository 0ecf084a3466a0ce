// A tile of C on the tensor cores with operands in bf16 and sums in float32. What lies in memory as float32 is rounded on its way into the tile, once for each number (gemm_lines.cuh); what
// lies there as bf16 goes in as it is. Two stages: the next step's numbers are on their way from memory while this one's are multiplied, and what a step overwrites was read in the step before
// the last, which every warp had left at the barrier in between. Fragments are read by ldmatrix, four 8 x 8 matrices at a time, without bank conflicts.
// Ladder: float32 tiles by cp.async, rounded in every warp that reads a number (32 shared loads and 16 conversions for 16 mma.sync of a 64 x 32 warp tile) -> tiles in bf16 (6 loads, no conversion;
// this version).
#pragma once
#include "gemm_lines.cuh"

#if HAS_TENSOR_CORES
template<int TileRows, int TileColumns, int Width> struct TileBf16 : WarpTiles<TileRows, TileColumns> {
    using Warps = WarpTiles<TileRows, TileColumns>;
    using Warps::Rows, Warps::Columns, Warps::Threads, Warps::TilesM, Warps::TilesN, Warps::Sums, Warps::warp_row, Warps::warp_column;
    static constexpr int Depth = ChunksOfLine * LinesOfBf16::Chunk;
    static constexpr bool Halves = true;
    static constexpr int StageFloats = (Rows + Columns) * WordsOfLine;

    static DEVICE_MEMBER void multiply_step(float* tile, float (&sums)[Sums])
    {
        constexpr int InstructionDepth = 16;
        float* const columns = tile + Rows * WordsOfLine;
        // Lane l has the address of row l % 8 of matrix l / 8.
        const int matrix = threadIdx.x % 32 / 8, line = threadIdx.x % 8;
#pragma unroll
        for (int s = 0; s < Depth / InstructionDepth; s++) {
            unsigned x[TilesM][4], y[TilesN / 2][4];
#pragma unroll
            for (int i = 0; i < TilesM; i++)
                load_matrices(x[i], chunk_of_line(tile, warp_row() + i * 16 + matrix % 2 * 8 + line, 2 * s + matrix / 2));
#pragma unroll
            for (int j = 0; j < TilesN / 2; j++)
                load_matrices(y[j], chunk_of_line(columns, warp_column() + j * 16 + matrix / 2 * 8 + line, 2 * s + matrix % 2));
#pragma unroll
            for (int i = 0; i < TilesM; i++)
#pragma unroll
                for (int j = 0; j < TilesN; j++)
                    mma_bf16(reinterpret_cast<float(&)[4]>(sums[(i * TilesN + j) * 4]), x[i], reinterpret_cast<const unsigned(&)[2]>(y[j / 2][j % 2 * 2]));
        }
    }

    template<class A, class B> static DEVICE_MEMBER void multiply(const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* shared, float (&sums)[Sums])
    {
        const int thread = threadIdx.x;
        ChunkLoader<LinesOfBf16, A, Rows, Width, Threads> from_a(a, row0, thread);
        ChunkLoader<LinesOfBf16, B, Columns, Width, Threads> from_b(b, column0, thread);
        float *tile = shared, *other = shared + StageFloats;
        for (unsigned step = first;; step++) {
            if (step < last) {
                from_a.fetch(step * Depth);
                from_b.fetch(step * Depth);
            }
            if (step > first)
                multiply_step(other, sums);
            if (step == last)
                break;
            from_a.store(tile);
            from_b.store(tile + Rows * WordsOfLine);
            __syncthreads();
            float* const swap = tile;
            tile = other;
            other = swap;
        }
    }
};
#endif
