// A tile of C by fused multiply-adds in float32. Each block computes Rows x Columns sums, each thread 8 x 4 or 8 x 8 of them in registers; the tiles of A and B for
// one step of Depth pass through shared memory, and the next step's are on their way while this one's are used.
#pragma once
#include "gemm.cuh"

template<int Width> struct Vector { float v[Width]; };

template<int Width> DEVICE Vector<Width> load_vector(const float* p, bool valid)
{
    Vector<Width> r;
    if constexpr (Width == 4) {
        const float4 f = valid ? load4(p) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        r.v[0] = f.x, r.v[1] = f.y, r.v[2] = f.z, r.v[3] = f.w;
    } else {
        r.v[0] = valid ? *p : 0.0f;
    }
    return r;
}

// One operand's way from memory through registers to shared memory, as tile [Depth][Rows + Pad].
template<class Operand, int Rows, int Depth, int Width, int Threads> struct Loader {
    typedef Share<Operand, Rows, Depth, Width, Threads> Lies;
    static constexpr int Pad = Operand::AlongK ? 4 : 0;
    static constexpr int Line = Rows + Pad;
    const Operand& operand;
    typename Operand::Row rows[Operand::AlongK ? Lies::Count : 1];
    Vector<Width> held[Lies::Count];

    DEVICE_MEMBER Loader(const Operand& from, unsigned row0, int thread) : operand(from)
    {
        if constexpr (Operand::AlongK) {
#pragma unroll
            for (int i = 0; i < Lies::Count; i++)
                rows[i] = operand.row(row0 + Lies::across(thread) + i * Lies::Stride);
        } else {
            rows[0] = operand.row(row0 + Lies::along(thread));
        }
    }

    DEVICE_MEMBER void fetch(unsigned k0, int thread)
    {
        bool valid;
        if constexpr (Operand::AlongK) {
            const auto column = operand.column(k0 + Lies::along(thread));
#pragma unroll
            for (int i = 0; i < Lies::Count; i++) {
                const float* const p = operand.numbers.p + operand.at(rows[i], column, valid);
                held[i] = load_vector<Width>(p, valid);
            }
        } else {
#pragma unroll
            for (int i = 0; i < Lies::Count; i++) {
                const float* const p = operand.numbers.p + operand.at(rows[0], operand.column(k0 + Lies::across(thread) + i * Lies::Stride), valid);
                held[i] = load_vector<Width>(p, valid);
            }
        }
    }

    DEVICE_MEMBER void store(float* tile, int thread) const
    {
#pragma unroll
        for (int i = 0; i < Lies::Count; i++) {
            const int across = Lies::across(thread) + i * Lies::Stride, along = Lies::along(thread);
            if constexpr (Operand::AlongK) {
#pragma unroll
                for (int e = 0; e < Width; e++)
                    tile[(along + e) * Line + across] = held[i].v[e];
            } else if constexpr (Width == 4) {
                store4(tile + across * Line + along, make_float4(held[i].v[0], held[i].v[1], held[i].v[2], held[i].v[3]));
            } else {
                tile[across * Line + along] = held[i].v[0];
            }
        }
    }
};

template<int TileRows, int TileColumns, int Width> struct TileFp32 {
    static constexpr int Rows = TileRows, Columns = TileColumns, Depth = Columns == 128 ? 8 : 16, Run = 4;
    static constexpr int ThreadRows = 8, ThreadColumns = Columns == 128 ? 8 : 4, AcrossN = Columns / ThreadColumns, Sharing = Rows / ThreadRows, Threads = Sharing * AcrossN, Sums = ThreadRows * ThreadColumns;
    static constexpr bool Halves = false;
    // A thread's rows and columns are groups of four, this far apart.
    static constexpr int RowStep = Rows / (ThreadRows / 4), ColumnStep = Columns / (ThreadColumns / 4);
    static DEVICE_MEMBER int across() { return threadIdx.x % AcrossN * 4; }
    static DEVICE_MEMBER int down() { return threadIdx.x / AcrossN * 4; }
    static DEVICE_MEMBER int row(int i) { return i / 4 * RowStep + down() + i % 4; }
    static DEVICE_MEMBER int column(int j) { return j / 4 * ColumnStep + across() + j % 4; }
    static DEVICE_MEMBER int sharer() { return threadIdx.x / AcrossN; }
    static constexpr int index(int i, int j) { return i * ThreadColumns + j; }

    template<class A, class B> static DEVICE_MEMBER void multiply(const A& a, const B& b, unsigned row0, unsigned column0, unsigned first, unsigned last, float* shared, float (&sums)[Sums])
    {
        typedef Loader<A, Rows, Depth, Width, Threads> LoaderA;
        typedef Loader<B, Columns, Depth, Width, Threads> LoaderB;
        constexpr int FloatsA = Depth * LoaderA::Line, FloatsB = Depth * LoaderB::Line;
        const int thread = threadIdx.x;
        LoaderA from_a(a, row0, thread);
        LoaderB from_b(b, column0, thread);
        float* now = shared;
        float* next = shared + FloatsA + FloatsB;
        from_a.fetch(first * Depth, thread);
        from_b.fetch(first * Depth, thread);
        from_a.store(now, thread);
        from_b.store(now + FloatsA, thread);
        __syncthreads();
        for (unsigned step = first;; step++) {
            const bool more = step + 1 < last;
            if (more) {
                from_a.fetch((step + 1) * Depth, thread);
                from_b.fetch((step + 1) * Depth, thread);
            }
#pragma unroll 4
            for (int d = 0; d < Depth; d++) {
                float x[ThreadRows], y[ThreadColumns];
#pragma unroll
                for (int g = 0; g < ThreadRows / 4; g++) {
                    const float4 v = load4(now + d * LoaderA::Line + g * RowStep + down());
                    x[4 * g] = v.x, x[4 * g + 1] = v.y, x[4 * g + 2] = v.z, x[4 * g + 3] = v.w;
                }
#pragma unroll
                for (int g = 0; g < ThreadColumns / 4; g++) {
                    const float4 v = load4(now + FloatsA + d * LoaderB::Line + g * ColumnStep + across());
                    y[4 * g] = v.x, y[4 * g + 1] = v.y, y[4 * g + 2] = v.z, y[4 * g + 3] = v.w;
                }
#pragma unroll
                for (int i = 0; i < ThreadRows; i++)
#pragma unroll
                    for (int j = 0; j < ThreadColumns; j++)
                        sums[i * ThreadColumns + j] = fmaf(x[i], y[j], sums[i * ThreadColumns + j]);
            }
            if (!more)
                break;
            from_a.store(next, thread);
            from_b.store(next + FloatsA, thread);
            __syncthreads();
            float* const swap = now;
            now = next;
            next = swap;
        }
    }
};
