// A tile of C on the tensor cores: operands rounded to tf32 in registers, sums in float32. The tiles of A and B come through a ring of
// three stages in shared memory by asynchronous copies, two steps ahead of the multiplication; zeros outside an operand come from the
// copy itself. Each warp computes WarpRows x WarpColumns sums with mma.sync 16 x 8 x 8.
#pragma once
#include "product.cuh"

constexpr int StepDepth = 16, Stages = 3;

// Floats of one operand's tile in one stage. Lines are padded so that the 32 addresses of a fragment fall into 32 banks.
constexpr int tile_floats(bool along_k, int rows) { return along_k ? rows * (StepDepth + 4) : StepDepth * (rows + 8); }

// A thread's share of an operand's tile: vectors of Width floats along a line, Count of them, Stride lines apart.
template<class Operand, int Rows, int Width, int Threads> struct AsyncLoader {
    static constexpr int Line = Operand::AlongK ? StepDepth + 4 : Rows + 8, PerLine = (Operand::AlongK ? StepDepth : Rows) / Width;
    static constexpr int Lines = Operand::AlongK ? Rows : StepDepth, Stride = Threads / PerLine, Count = Lines / Stride;
    static_assert(Threads % PerLine == 0 && Stride * Count == Lines, "the tile does not divide among the threads");
    const Operand& operand;
    const int along, across;
    typename Operand::Row rows[Operand::AlongK ? Count : 1];

    DEVICE_MEMBER AsyncLoader(const Operand& from, unsigned row0, int thread)
        : operand(from), along(thread % PerLine * Width), across(thread / PerLine)
    {
        if constexpr (Operand::AlongK) {
#pragma unroll
            for (int i = 0; i < Count; i++)
                rows[i] = operand.row(row0 + across + i * Stride);
        } else {
            rows[0] = operand.row(row0 + along);
        }
    }

    DEVICE_MEMBER void copy(float* tile, unsigned k0) const
    {
        if constexpr (Operand::AlongK) {
            const auto column = operand.column(k0 + along);
#pragma unroll
            for (int i = 0; i < Count; i++)
                copy_one(tile, i, rows[i], column);
        } else {
#pragma unroll
            for (int i = 0; i < Count; i++)
                copy_one(tile, i, rows[0], operand.column(k0 + across + i * Stride));
        }
    }

    DEVICE_MEMBER void copy_one(float* tile, int i, typename Operand::Row row, typename Operand::Column column) const
    {
        bool valid;
        const float* const from = operand.p + operand.at(row, column, valid);
        copy_async<Width>(tile + (across + i * Stride) * Line + along, from, valid);
    }

    static DEVICE_MEMBER float element(const float* tile, int row, int k)
    {
        return Operand::AlongK ? tile[row * Line + k] : tile[k * Line + row];
    }
};

template<int TileRows, int TileColumns, int Width> struct TileTf32 : WarpTiles<TileRows, TileColumns> {
    using Warps = WarpTiles<TileRows, TileColumns>;
    using Warps::Rows, Warps::Columns, Warps::Threads, Warps::TilesM, Warps::TilesN, Warps::Sums, Warps::warp_row, Warps::warp_column;
    static constexpr int Depth = StepDepth, InstructionDepth = 8;

    template<class A, class B> static DEVICE_MEMBER void multiply(
        const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* shared, float (&sums)[Sums])
    {
        typedef AsyncLoader<A, Rows, Width, Threads> LoaderA;
        typedef AsyncLoader<B, Columns, Width, Threads> LoaderB;
        constexpr int FloatsA = tile_floats(A::AlongK, Rows), Stage = FloatsA + tile_floats(B::AlongK, Columns);
        const int thread = threadIdx.x, lane = thread & 31, g = lane / 4, t = lane % 4;
        const LoaderA from_a(a, row0, thread);
        const LoaderB from_b(b, column0, thread);
#pragma unroll
        for (int s = 0; s < Stages - 1; s++) {
            if (first + s < last) {
                from_a.copy(shared + s * Stage, (first + s) * Depth);
                from_b.copy(shared + s * Stage + FloatsA, (first + s) * Depth);
            }
            copy_async_commit();
        }
        int stage = 0;
        for (unsigned step = first; step < last; step++) {
            copy_async_wait<Stages - 2>();
            __syncthreads();
            // The stage that was used up in the step before, which every thread has left now.
            const unsigned ahead = step + Stages - 1;
            if (ahead < last) {
                float* const free_stage = shared + (stage == 0 ? Stages - 1 : stage - 1) * Stage;
                from_a.copy(free_stage, ahead * Depth);
                from_b.copy(free_stage + FloatsA, ahead * Depth);
            }
            copy_async_commit();
            const float* const tile_a = shared + stage * Stage;
            const float* const tile_b = tile_a + FloatsA;
#pragma unroll
            for (int d = 0; d < Depth; d += InstructionDepth) {
                unsigned x[TilesM][4], y[TilesN][2];
#pragma unroll
                for (int i = 0; i < TilesM; i++) {
                    const int row = warp_row() + i * 16 + g;
#pragma unroll
                    for (int w = 0; w < 4; w++)
                        x[i][w] = to_tf32(LoaderA::element(tile_a, row + w % 2 * 8, d + t + w / 2 * 4));
                }
#pragma unroll
                for (int j = 0; j < TilesN; j++) {
                    const int column = warp_column() + j * 8 + g;
#pragma unroll
                    for (int w = 0; w < 2; w++)
                        y[j][w] = to_tf32(LoaderB::element(tile_b, column, d + t + w * 4));
                }
#pragma unroll
                for (int i = 0; i < TilesM; i++)
#pragma unroll
                    for (int j = 0; j < TilesN; j++)
                        mma_tf32(reinterpret_cast<float(&)[4]>(sums[(i * TilesN + j) * 4]), x[i], y[j]);
            }
            stage = stage == Stages - 1 ? 0 : stage + 1;
        }
    }
};
