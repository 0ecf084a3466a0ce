// An operand's tile in shared memory for tensor cores: a line of 128 bytes for each row, which is one step along k, 32 numbers of tf32 or 64 of bf16; in it eight chunks of 16 bytes,
// chunk c of row r at place c ^ (r % 8). So the same chunk of eight neighbouring rows falls into eight different groups of banks, and wgmma reads it as it is ("K-major, 128-byte
// swizzle"). Every operand passes through registers on its way here: rounded once, and turned where it does not run along k in memory.
#pragma once
#include "gemm.cuh"

#if HAS_TENSOR_CORES

constexpr int ChunksOfLine = 8, WordsOfLine = 32;

DEVICE uint4* chunk_of_line(float* tile, int row, int chunk) { return reinterpret_cast<uint4*>(tile + row * WordsOfLine) + (chunk ^ row % 8); }

// How numbers are rounded and packed: Chunk of them in 16 bytes, Chunk / 4 in a word.
struct LinesOfTf32 {
    static constexpr int Chunk = 4;
    static constexpr bool Halves = false;
    static DEVICE_MEMBER unsigned pack(const float (&v)[1]) { return to_tf32(v[0]); }
};

struct LinesOfBf16 {
    static constexpr int Chunk = 8;
    static constexpr bool Halves = true;
    static DEVICE_MEMBER unsigned pack(const float (&v)[2]) { return to_bf16_pair(v[0], v[1]); }
    static DEVICE_MEMBER void put(uint4* to, uint4 v) { *to = v; }
};

// A thread's share of one operand's way from memory to its tile: fetch() asks for the numbers of a step, store() writes them down. A piece is one chunk of one row where the operand runs
// along k, and otherwise the same chunk of four neighbouring rows, for which it reads vectors across k. Eight neighbouring threads have the eight chunks of a line.
// Width: numbers of one load, 4 or 1.
template<class Number, class Operand, int Rows, int Width, int Threads> struct ChunkLoader {
    static constexpr int Chunk = Number::Chunk, RowsOfPiece = Operand::AlongK ? 1 : 4, Singles = 4 / Width;
    static constexpr int Pieces = Rows / RowsOfPiece * ChunksOfLine, Count = (Pieces + Threads - 1) / Threads, Stride = Threads / ChunksOfLine * RowsOfPiece;
    static constexpr int Vectors = Chunk * RowsOfPiece / 4, RowsKept = Operand::AlongK ? 1 : Singles;
    static_assert(Pieces % Threads == 0 || Pieces < Threads, "the tile does not divide among the threads");
    const Operand& operand;
    const int chunk, first_row;
    const bool takes_part;
    typename Operand::Row rows[Count * RowsKept];
    // Four float32, or four bf16 in the first two words. Read whether inside the operand or not, and dropped when stored: a branch would keep loads from being made together, and anything
    // done to a number at once would wait for it.
    uint4 held[Count][Vectors];
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

    // Whether bf16 lies in memory; decided as the kernel runs, without a branch.
    DEVICE_MEMBER bool half() const { return Number::Halves && operand.numbers.half; }

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
                    held[i][v] = load_raw4(Numbers{operand.numbers.p, half()}, operand.at(rows[i], column, inside[i][v][0]));
            } else {
#pragma unroll
                for (int i = 0; i < Count; i++) {
                    unsigned words[4];
#pragma unroll
                    for (int s = 0; s < 4; s++)
                        words[s] = load_raw(Numbers{operand.numbers.p, half()}, operand.at(rows[i * RowsKept + (Operand::AlongK ? 0 : s)], operand.column(Operand::AlongK ? k + s : k), inside[i][v][s]));
                    held[i][v] = uint4{words[0], words[1], words[2], words[3]};
                }
            }
        }
    }

    static DEVICE_MEMBER unsigned part(uint4 v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

    // Number `e` of a chunk of row r of piece i, from float32; single numbers of bf16 are one in a word.
    DEVICE_MEMBER float number(int i, int r, int e) const
    {
        const int v = Operand::AlongK ? e / 4 : e, of_vector = Operand::AlongK ? e % 4 : r;
        const unsigned bits = part(held[i][v], of_vector);
        return inside[i][v][Width == 4 ? 0 : of_vector] ? __uint_as_float(Width == 1 && half() ? bits << 16 : bits) : 0.0f;
    }

    // Numbers 2 w and 2 w + 1, both of which are bf16 already: two neighbours of a vector, or half a word of each of two.
    DEVICE_MEMBER unsigned halves_of_word(int i, int r, int w) const
    {
        if constexpr (Operand::AlongK)
            return inside[i][w / 2][0] ? part(held[i][w / 2], w % 2) : 0;
        const unsigned low = inside[i][2 * w][0] ? part(held[i][2 * w], r / 2) : 0, high = inside[i][2 * w + 1][0] ? part(held[i][2 * w + 1], r / 2) : 0;
        return r % 2 ? low >> 16 | (high & 0xffff0000u) : (low & 0xffffu) | high << 16;
    }

    DEVICE_MEMBER void store(float* tile) const
    {
        if (!takes_part)
            return;
        constexpr int NumbersOfWord = Chunk / 4;
#pragma unroll
        for (int i = 0; i < Count; i++)
#pragma unroll
            for (int r = 0; r < RowsOfPiece; r++) {
                unsigned words[4];
#pragma unroll
                for (int w = 0; w < 4; w++) {
                    float numbers[NumbersOfWord];
#pragma unroll
                    for (int e = 0; e < NumbersOfWord; e++)
                        numbers[e] = number(i, r, w * NumbersOfWord + e);
                    words[w] = Number::pack(numbers);
                    if constexpr (Number::Halves && Width == 4)
                        words[w] = half() ? halves_of_word(i, r, w) : words[w];
                }
                Number::put(chunk_of_line(tile, first_row + i * Stride + r, chunk), uint4{words[0], words[1], words[2], words[3]});
            }
    }
};
#endif
