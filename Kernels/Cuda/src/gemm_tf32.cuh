// A tile of C on the tensor cores: operands rounded to tf32 in registers, sums in float32. The tiles of A and B come through a ring of three stages in shared memory
// by asynchronous copies, two steps ahead of the multiplication; each warp computes WarpRows x WarpColumns sums with mma.sync 16 x 8 x 8.
#pragma once
#include "gemm.cuh"

constexpr int DepthTf32 = 16, StagesTf32 = 3;

// Floats of one operand's tile in one stage. Lines are padded so that the 32 addresses of a fragment fall into 32 banks.
constexpr int tile_tf32(bool along_k, int rows) { return along_k ? rows * (DepthTf32 + 4) : DepthTf32 * (rows + 8); }

// Bytes of dynamic shared memory; the host has the same formula.
constexpr int shared_tf32(bool a_along_k, bool b_along_k, int rows, int columns) { return 4 * StagesTf32 * (tile_tf32(a_along_k, rows) + tile_tf32(b_along_k, columns)); }

template<class Operand, int Rows, int Width, int Threads> struct AsyncLoader {
    typedef Share<Operand, Rows, DepthTf32, Width, Threads> Lies;
    static constexpr int Line = Operand::AlongK ? DepthTf32 + 4 : Rows + 8;
    const Operand& operand;
    typename Operand::Row rows[Operand::AlongK ? Lies::Count : 1];

    DEVICE_MEMBER AsyncLoader(const Operand& from, unsigned row0, int thread) : operand(from)
    {
        if constexpr (Operand::AlongK) {
#pragma unroll
            for (int i = 0; i < Lies::Count; i++)
                rows[i] = operand.row(row0 + Lies::across(thread) + i * Lies::Stride);
        } else {
            rows[0] = operand.row(row0 + Lies::along(thread));
        }
    }

    DEVICE_MEMBER void copy(float* tile, unsigned k0, int thread) const
    {
        const int along = Lies::along(thread), across = Lies::across(thread);
        bool valid;
        if constexpr (Operand::AlongK) {
            const auto column = operand.column(k0 + along);
#pragma unroll
            for (int i = 0; i < Lies::Count; i++) {
                const float* p = operand.at(rows[i], column, valid);
                copy_async<Width>(tile + (across + i * Lies::Stride) * Line + along, p, valid);
            }
        } else {
#pragma unroll
            for (int i = 0; i < Lies::Count; i++) {
                const float* p = operand.at(rows[0], operand.column(k0 + across + i * Lies::Stride), valid);
                copy_async<Width>(tile + (across + i * Lies::Stride) * Line + along, p, valid);
            }
        }
    }

    static DEVICE_MEMBER unsigned element(const float* tile, int row, int k) { return to_tf32(Operand::AlongK ? tile[row * Line + k] : tile[k * Line + row]); }
};

template<int Rows, int Columns, int WarpRows, int WarpColumns, int Width, class A, class B, class Output>
DEVICE void multiply_tf32(const A& a, const B& b, const Output& output, const Epilogue& e, unsigned k, float* shared)
{
    constexpr int WarpsN = Columns / WarpColumns, Threads = Rows / WarpRows * WarpsN * 32;
    constexpr int TilesM = WarpRows / 16, TilesN = WarpColumns / 8, Sums = TilesM * TilesN * 4;
    constexpr bool MayWriteSingly = Sums <= 32;
    typedef AsyncLoader<A, Rows, Width, Threads> LoaderA;
    typedef AsyncLoader<B, Columns, Width, Threads> LoaderB;
    constexpr int FloatsA = tile_tf32(A::AlongK, Rows), Stage = FloatsA + tile_tf32(B::AlongK, Columns);
    const int thread = threadIdx.x, lane = thread & 31, warp = thread / 32, g = lane / 4, t = lane % 4;
    const int warp_row = warp / WarpsN * WarpRows, warp_column = warp % WarpsN * WarpColumns;
    const unsigned tiles_n = (output.columns + Columns - 1) / Columns;
    const unsigned row0 = blockIdx.x / tiles_n * Rows, column0 = blockIdx.x % tiles_n * Columns;
    if (row0 >= output.rows)
        return;
    const unsigned all = (k + DepthTf32 - 1) / DepthTf32, first = blockIdx.y * e.steps, last = first + e.steps < all ? first + e.steps : all;

    float sums[Sums];
#pragma unroll
    for (int i = 0; i < Sums; i++)
        sums[i] = 0.0f;
    if (first < last) {
        const LoaderA from_a(a, row0, thread);
        const LoaderB from_b(b, column0, thread);
#pragma unroll
        for (int s = 0; s < StagesTf32 - 1; s++) {
            if (first + s < last) {
                from_a.copy(shared + s * Stage, (first + s) * DepthTf32, thread);
                from_b.copy(shared + s * Stage + FloatsA, (first + s) * DepthTf32, thread);
            }
            copy_async_commit();
        }
        int stage = 0;
        for (unsigned step = first; step < last; step++) {
            copy_async_wait<StagesTf32 - 2>();
            __syncthreads();
            // The stage that was used up in the step before, which every thread has left now.
            const unsigned ahead = step + StagesTf32 - 1;
            if (ahead < last) {
                float* const free_stage = shared + (stage == 0 ? StagesTf32 - 1 : stage - 1) * Stage;
                from_a.copy(free_stage, ahead * DepthTf32, thread);
                from_b.copy(free_stage + FloatsA, ahead * DepthTf32, thread);
            }
            copy_async_commit();
            const float* const tile_a = shared + stage * Stage;
            const float* const tile_b = tile_a + FloatsA;
#pragma unroll
            for (int d = 0; d < DepthTf32; d += 8) {
                unsigned x[TilesM][4], y[TilesN][2];
#pragma unroll
                for (int i = 0; i < TilesM; i++) {
                    const int row = warp_row + i * 16 + g;
                    x[i][0] = LoaderA::element(tile_a, row, d + t);
                    x[i][1] = LoaderA::element(tile_a, row + 8, d + t);
                    x[i][2] = LoaderA::element(tile_a, row, d + t + 4);
                    x[i][3] = LoaderA::element(tile_a, row + 8, d + t + 4);
                }
#pragma unroll
                for (int j = 0; j < TilesN; j++) {
                    const int column = warp_column + j * 8 + g;
                    y[j][0] = LoaderB::element(tile_b, column, d + t);
                    y[j][1] = LoaderB::element(tile_b, column, d + t + 4);
                }
#pragma unroll
                for (int i = 0; i < TilesM; i++)
#pragma unroll
                    for (int j = 0; j < TilesN; j++)
                        mma_tf32(reinterpret_cast<float(&)[4]>(sums[(i * TilesN + j) * 4]), x[i], y[j]);
            }
            stage = stage == StagesTf32 - 1 ? 0 : stage + 1;
        }
    }
    if (!sum_of_sharing_blocks<Threads>(e, sums))
        return;
#pragma unroll
    for (int i = 0; i < TilesM; i++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const unsigned row = row0 + warp_row + i * 16 + 8 * half + g;
            if (row >= output.rows)
                continue;
            const size_t offset = output.offset(row);
#pragma unroll
            for (int j = 0; j < TilesN; j++) {
                const unsigned column = column0 + warp_column + j * 8 + 2 * t;
                const float* const two = sums + (i * TilesN + j) * 4 + 2 * half;
                if (!MayWriteSingly || e.vectors) {
                    if (column < output.columns)
                        finish_two(e, offset + column, column, make_float2(two[0], two[1]));
                } else if constexpr (MayWriteSingly) {
                    if (column < output.columns)
                        finish_one(e, offset + column, column, two[0]);
                    if (column + 1 < output.columns)
                        finish_one(e, offset + column + 1, column + 1, two[1]);
                }
            }
        }
}
