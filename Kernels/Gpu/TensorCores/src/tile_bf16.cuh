// A tile of C on the tensor cores with operands in bf16 and sums in float32. What lies in memory as float32 passes through registers on
// its way into shared memory: rounded once, and turned where it does not run along k. Two stages: the next step's numbers are on their
// way from memory while this one's are multiplied, and what a step overwrites was read in the step before the last, which every warp had
// left at the barrier in between. Fragments are read by ldmatrix, four 8 x 8 matrices at a time, without bank conflicts.
// In shared memory an operand has a line of 128 bytes for each row, one step along k, 64 numbers; in it eight chunks of 16 bytes, chunk c
// of row r at place c ^ (r % 8), so that the same chunk of eight neighbouring rows falls into eight different groups of banks.
#pragma once
#include "product.cuh"

constexpr int ChunksOfLine = 8, WordsOfLine = 32, Chunk = 8;

DEVICE uint4* chunk_of_line(float* tile, int row, int chunk)
{
    return reinterpret_cast<uint4*>(tile + row * WordsOfLine) + (chunk ^ row % 8);
}

// A thread's share of one operand's way from memory to its tile: fetch() asks for the numbers of a step, store() writes them down. A
// piece is one chunk of one row where the operand runs along k, and otherwise the same chunk of four neighbouring rows, for which it
// reads vectors across k. Eight neighbouring threads have the eight chunks of a line. Width: numbers of one load, 4 or 1.
template<class Operand, int Rows, int Width, int Threads> struct ChunkLoader {
    static constexpr int RowsOfPiece = Operand::AlongK ? 1 : 4, Singles = 4 / Width, Pieces = Rows / RowsOfPiece * ChunksOfLine;
    static constexpr int Count = (Pieces + Threads - 1) / Threads, Stride = Threads / ChunksOfLine * RowsOfPiece;
    static constexpr int Vectors = Chunk * RowsOfPiece / 4, RowsKept = Operand::AlongK ? 1 : Singles;
    static_assert(Pieces % Threads == 0 || Pieces < Threads, "the tile does not divide among the threads");
    const Operand& operand;
    const int chunk, first_row;
    const bool takes_part;
    typename Operand::Row rows[Count * RowsKept];
    // Read whether inside the operand or not, and dropped when stored: a branch would keep loads from being made together, and anything
    // done to a number at once would wait for it.
    float held[Count][Vectors][4];
    bool inside[Count][Vectors][Singles];

    DEVICE_MEMBER ChunkLoader(const Operand& from, unsigned row0, int thread)
        : operand(from), chunk(thread % ChunksOfLine), first_row(thread / ChunksOfLine * RowsOfPiece), takes_part(thread < Pieces)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
#pragma unroll
            for (int r = 0; r < RowsKept; r++)
                rows[i * RowsKept + r] = operand.row(row0 + first_row + i * Stride + r);
    }

    DEVICE_MEMBER void fetch(unsigned k0)
    {
        if (!takes_part)
            return;
        // Along k a vector is the next four numbers; across k it is the next k.
        constexpr int Next = Operand::AlongK ? 4 : 1;
#pragma unroll
        for (int v = 0; v < Vectors; v++) {
            const unsigned k = k0 + chunk * Chunk + v * Next;
            if constexpr (Width == 4) {
                const auto column = operand.column(k);
#pragma unroll
                for (int i = 0; i < Count; i++)
                    load(held[i][v], operand.p + operand.at(rows[i], column, inside[i][v][0]));
            } else {
#pragma unroll
                for (int i = 0; i < Count; i++)
#pragma unroll
                    for (int s = 0; s < 4; s++) {
                        const auto row = rows[i * RowsKept + (Operand::AlongK ? 0 : s)];
                        held[i][v][s] = operand.p[operand.at(row, operand.column(Operand::AlongK ? k + s : k), inside[i][v][s])];
                    }
            }
        }
    }

    // Number `e` of a chunk of row r of piece i.
    DEVICE_MEMBER float number(int i, int r, int e) const
    {
        const int v = Operand::AlongK ? e / 4 : e, of_vector = Operand::AlongK ? e % 4 : r;
        return inside[i][v][Width == 4 ? 0 : of_vector] ? held[i][v][of_vector] : 0.0f;
    }

    DEVICE_MEMBER void store(float* tile) const
    {
        if (!takes_part)
            return;
#pragma unroll
        for (int i = 0; i < Count; i++)
#pragma unroll
            for (int r = 0; r < RowsOfPiece; r++) {
                unsigned words[4];
#pragma unroll
                for (int w = 0; w < 4; w++)
                    words[w] = to_bf16_pair(number(i, r, 2 * w), number(i, r, 2 * w + 1));
                *chunk_of_line(tile, first_row + i * Stride + r, chunk) = uint4{words[0], words[1], words[2], words[3]};
            }
    }
};

template<int TileRows, int TileColumns, int Width> struct TileBf16 : WarpTiles<TileRows, TileColumns> {
    using Warps = WarpTiles<TileRows, TileColumns>;
    using Warps::Rows, Warps::Columns, Warps::Threads, Warps::TilesM, Warps::TilesN, Warps::Sums, Warps::warp_row, Warps::warp_column;
    static constexpr int Depth = ChunksOfLine * Chunk, StageFloats = (Rows + Columns) * WordsOfLine;

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
                for (int j = 0; j < TilesN; j++) {
                    const auto& columns_of_j = reinterpret_cast<const unsigned(&)[2]>(y[j / 2][j % 2 * 2]);
                    mma_bf16(reinterpret_cast<float(&)[4]>(sums[(i * TilesN + j) * 4]), x[i], columns_of_j);
                }
        }
    }

    template<class A, class B> static DEVICE_MEMBER void multiply(
        const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* shared, float (&sums)[Sums])
    {
        const int thread = threadIdx.x;
        ChunkLoader<A, Rows, Width, Threads> from_a(a, row0, thread);
        ChunkLoader<B, Columns, Width, Threads> from_b(b, column0, thread);
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
