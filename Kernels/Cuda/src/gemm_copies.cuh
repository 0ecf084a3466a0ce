// A tile of C by wgmma as in gemm_warpgroup.cuh, of operands that lie in memory as bf16 already: the copy engine (TMA) brings them into the layout of gemm_lines.cuh, or its twin across k,
// by itself. No registers, no addresses and no rounding; what lies outside the matrix arrives as zeros. The other operand, if it is float32, goes through registers as ever.
// Three stages and an mbarrier for each. While step s is multiplied the copies of s + 1 are on their way or there; those of s + 2 start at the barrier in the middle of step s, into what
// was read in step s - 1, which every warpgroup has seen the end of before that barrier. One thread starts them.
#pragma once
#include "gemm_warpgroup.cuh"

#if HAS_WGMMA

// An operand stored in bf16, along k as [rows, k] or across it as [k, rows]. A box of its map is 64 numbers wide, a line of 128 bytes; along k it has the rows of a tile, across it 64 steps
// of k.
template<bool Along> struct Copied {
    static constexpr bool AlongK = Along;
    const TensorMap* map;
};

// How an operand gets into its tile; here through registers.
template<class Operand, int Rows, int Threads> struct Feed : ChunkLoader<WarpgroupBf16, Operand, Rows, 4, Threads> {
    typedef ChunkLoader<WarpgroupBf16, Operand, Rows, 4, Threads> Loader;
    static constexpr int CopiedBytes = 0;
    DEVICE_MEMBER Feed(const Operand& from, unsigned row0, int thread) : Loader(from, row0, thread) {}
    DEVICE_MEMBER void store(float* tile) const
    {
        Loader::store(tile);
        fence_operands();
    }
    DEVICE_MEMBER void copy(float*, unsigned, Mbarrier*) const {}
};

constexpr int PanelRows = 64;  // of an operand across k: a line of its tile is 64 rows at one k, a panel 64 such lines

template<bool AlongK, int Rows, int Threads> struct Feed<Copied<AlongK>, Rows, Threads> {
    static constexpr int CopiedBytes = Rows * WordsOfLine * 4;
    const TensorMap* const map;
    const unsigned row0;
    DEVICE_MEMBER Feed(const Copied<AlongK>& from, unsigned first_row, int) : map(from.map), row0(first_row) {}
    DEVICE_MEMBER void fetch(unsigned) {}
    DEVICE_MEMBER void store(float*) const {}
    DEVICE_MEMBER void copy(float* tile, unsigned k0, Mbarrier* landed) const
    {
        if constexpr (AlongK) {
            copy_tile_async(tile, map, (int)k0, (int)row0, landed);
        } else {
#pragma unroll
            for (int r = 0; r < Rows; r += PanelRows)
                copy_tile_async(tile + r * WordsOfLine, map, (int)row0 + r, (int)k0, landed);
        }
    }
};

template<int TileRows, int TileColumns> struct TileCopied : TileWarpgroup<WarpgroupBf16, TileRows, TileColumns> {
    typedef TileWarpgroup<WarpgroupBf16, TileRows, TileColumns> Base;
    using Base::Rows, Base::Columns, Base::Depth, Base::Threads, Base::Sums, Base::StageFloats;

    // Both operands across k: panels of 64 rows, each a tile's 8 KB from the next; in a panel lines of 128 bytes, one for each k, in groups of 8. An instruction takes 16 k.
    static DEVICE_MEMBER void multiply_step_across(const float* tile, float (&sums)[Sums])
    {
        constexpr int PanelBytes = PanelRows * WordsOfLine * 4, Instructions = Depth / 16, BytesOfInstruction = 16 * WordsOfLine * 4;
        constexpr unsigned long long NextPanel = (unsigned long long)(PanelBytes >> 4) << 16, Neighbour = 1ull << 16;
        const unsigned long long rows = operand_descriptor(tile + threadIdx.x / 128 * PanelRows * WordsOfLine) - Neighbour + NextPanel;
        const unsigned long long columns = operand_descriptor(tile + Rows * WordsOfLine) - Neighbour + NextPanel;
        warpgroup_begin();
#pragma unroll
        for (int i = 0; i < Instructions; i++)
            warpgroup_multiply_bf16_across(sums, rows + i * BytesOfInstruction / 16, columns + i * BytesOfInstruction / 16);
        warpgroup_commit();
    }

    template<class FromA, class FromB> static DEVICE_MEMBER void start_copies(const FromA& from_a, const FromB& from_b, float* tile, unsigned step, Mbarrier* landed)
    {
        mbarrier_arrive_expecting(landed, FromA::CopiedBytes + FromB::CopiedBytes);
        from_a.copy(tile, step * Depth, landed);
        from_b.copy(tile + Rows * WordsOfLine, step * Depth, landed);
    }

    template<class A, class B> static DEVICE_MEMBER void multiply(const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* memory, float (&sums)[Sums])
    {
        float* const tiles = aligned_tile(memory);
        Mbarrier* const landed = reinterpret_cast<Mbarrier*>(tiles + WarpgroupStages * StageFloats);
        const int thread = threadIdx.x;
        Feed<A, Rows, Threads> from_a(a, row0, thread);
        Feed<B, Columns, Threads> from_b(b, column0, thread);
        if (thread == 0) {
#pragma unroll
            for (int i = 0; i < WarpgroupStages; i++)
                mbarrier_init(landed + i, 1);
            fence_operands();
            start_copies(from_a, from_b, tiles, first, landed);
            if (first + 1 < last)
                start_copies(from_a, from_b, tiles + StageFloats, first + 1, landed + 1);
        }
        from_b.fetch(first * Depth);
        from_b.store(tiles + Rows * WordsOfLine);
        if (first + 1 < last)
            from_b.fetch((first + 1) * Depth);
        __syncthreads();
        int stage = 0;
        unsigned parity = 0;
        for (unsigned step = first;; step++) {
            mbarrier_wait(landed + stage, parity);
            float* const tile = tiles + stage * StageFloats;
            if constexpr (A::AlongK)
                Base::multiply_step(tile, sums);
            else
                multiply_step_across(tile, sums);
            if (step + 1 == last)
                break;
            const int next = stage == WarpgroupStages - 1 ? 0 : stage + 1, free_stage = stage == 0 ? WarpgroupStages - 1 : stage - 1;
            from_b.store(tiles + next * StageFloats + Rows * WordsOfLine);
            if (step + 2 < last)
                from_b.fetch((step + 2) * Depth);
            warpgroup_wait<1>();
            __syncthreads();
            if (thread == 0 && step + 2 < last)
                start_copies(from_a, from_b, tiles + free_stage * StageFloats, step + 2, landed + free_stage);
            parity ^= next == 0 ? 1 : 0;
            stage = next;
        }
        warpgroup_wait<0>();
    }
};
#endif
