// A tile of C by wgmma, compute capability 9.0 only: operands rounded to tf32 or bf16, sums in float32, as in gemm_tensor.cuh, whose twin this is. There every warp fetches its
// operands from shared memory into registers, 32 numbers at a time, and at 128 x 128 that traffic is what limits it (docs/cuda-kernels.md); here four warps share one instruction
// that reads both operands itself.
//
// An operand's tile lies in shared memory as the instruction wants it ("K-major, 128-byte swizzle"): a line of 128 bytes for each row, which is one step along k, 32 numbers of tf32 or
// 64 of bf16; and in it eight chunks of 16 bytes, chunk c of row r at place c ^ (r % 8). So the same chunk of eight neighbouring rows falls into eight different groups of banks.
// Every operand, however it lies in memory, passes through registers on its way there: rounded once, and turned where it does not run along k (wgmma reads tf32 along k only).
// The next step's numbers are on their way from memory while this one's are multiplied. Three stages, so that one barrier a step is enough: what is overwritten in step s was read
// in step s - 2, which every warpgroup had seen the end of before the barrier of step s - 1.
#pragma once
#include "gemm.cuh"

#if HAS_WGMMA

constexpr int WarpgroupStages = 3, ChunksOfLine = 8, WordsOfLine = 32;
constexpr int SwizzleBytes = 1024;  // the pattern repeats every 8 lines, and a tile must begin where it does

// Where a tile lies and how: the address, the distance of 8 rows from the next 8, 1 024 bytes (both in units of 16 bytes), and the 128-byte swizzle. The distance between neighbours
// along k says nothing in this layout and is 1 by convention.
DEVICE unsigned long long operand_descriptor(const void* tile)
{
    return (unsigned long long)((shared_address(tile) & 0x3ffff) >> 4) | 1ull << 16 | (unsigned long long)(SwizzleBytes >> 4) << 32 | 1ull << 62;
}

// The first place in dynamic shared memory where a tile may begin; 1 023 bytes more than the tiles are asked for.
DEVICE float* aligned_tile(float* memory) { return memory + (SwizzleBytes - shared_address(memory) % SwizzleBytes) % SwizzleBytes / 4; }

// How numbers are rounded and packed: Chunk of them in 16 bytes.
struct WarpgroupTf32 {
    static constexpr int Chunk = 4;
    static DEVICE_MEMBER uint4 pack(const float (&v)[4]) { return uint4{to_tf32(v[0]), to_tf32(v[1]), to_tf32(v[2]), to_tf32(v[3])}; }
    template<int Sums> static DEVICE_MEMBER void multiply(float (&d)[Sums], unsigned long long a, unsigned long long b) { warpgroup_multiply_tf32(d, a, b); }
};

struct WarpgroupBf16 {
    static constexpr int Chunk = 8;
    static DEVICE_MEMBER uint4 pack(const float (&v)[8])
    {
        return uint4{to_bf16_pair(v[0], v[1]), to_bf16_pair(v[2], v[3]), to_bf16_pair(v[4], v[5]), to_bf16_pair(v[6], v[7])};
    }
    template<int Sums> static DEVICE_MEMBER void multiply(float (&d)[Sums], unsigned long long a, unsigned long long b) { warpgroup_multiply_bf16(d, a, b); }
};

// One operand's way from memory through registers to shared memory. A thread's piece is one chunk of one row where the operand runs along k, and otherwise the same chunk of four
// neighbouring rows, for which it reads vectors across k. Eight neighbouring threads have the eight chunks of a line.
template<class Number, class Operand, int Rows, int Threads> struct ChunkLoader {
    static constexpr int Chunk = Number::Chunk, RowsOfPiece = Operand::AlongK ? 1 : 4;
    static constexpr int Pieces = Rows / RowsOfPiece * ChunksOfLine, Count = (Pieces + Threads - 1) / Threads, Stride = Threads / ChunksOfLine * RowsOfPiece;
    static constexpr int Vectors = Chunk * RowsOfPiece / 4;
    static_assert(Pieces % Threads == 0 || Pieces < Threads, "the tile does not divide among the threads");
    const Operand& operand;
    const int chunk, first_row;
    const bool takes_part;
    typename Operand::Row rows[Count];
    // Read whether inside the operand or not, and dropped when stored: a branch would keep loads from being made together, and anything done to a number at once would wait for it.
    float4 held[Count][Vectors];
    bool inside[Count][Vectors];

    DEVICE_MEMBER ChunkLoader(const Operand& from, unsigned row0, int thread)
        : operand(from), chunk(thread % ChunksOfLine), first_row(thread / ChunksOfLine * RowsOfPiece), takes_part(thread < Pieces)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            rows[i] = operand.row(row0 + first_row + i * Stride);
    }

    DEVICE_MEMBER void fetch(unsigned k0)
    {
        if (!takes_part)
            return;
        // Along k a vector is the next four numbers; across k it is the next k.
        constexpr int Next = Operand::AlongK ? 4 : 1;
#pragma unroll
        for (int v = 0; v < Vectors; v++) {
            const auto column = operand.column(k0 + chunk * Chunk + v * Next);
#pragma unroll
            for (int i = 0; i < Count; i++) {
                bool valid;
                const float* p = operand.at(rows[i], column, valid);
                held[i][v] = load4(p);
                inside[i][v] = valid;
            }
        }
    }

    static DEVICE_MEMBER float part(float4 v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

    DEVICE_MEMBER void store(float* tile) const
    {
        if (!takes_part)
            return;
#pragma unroll
        for (int i = 0; i < Count; i++)
#pragma unroll
            for (int r = 0; r < RowsOfPiece; r++) {
                float numbers[Chunk];
#pragma unroll
                for (int e = 0; e < Chunk; e++) {
                    const int v = Operand::AlongK ? e / 4 : e;
                    numbers[e] = inside[i][v] ? part(held[i][v], Operand::AlongK ? e % 4 : r) : 0.0f;
                }
                const int row = first_row + i * Stride + r;
                store_operand(reinterpret_cast<uint4*>(tile + row * WordsOfLine) + (chunk ^ row % 8), Number::pack(numbers));
            }
    }
};

template<class Number, int TileRows, int TileColumns> struct TileWarpgroup {
    static constexpr int Rows = TileRows, Columns = TileColumns, Depth = ChunksOfLine * Number::Chunk, Run = 2;
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
        ChunkLoader<Number, A, Rows, Threads> from_a(a, row0, thread);
        ChunkLoader<Number, B, Columns, Threads> from_b(b, column0, thread);
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
