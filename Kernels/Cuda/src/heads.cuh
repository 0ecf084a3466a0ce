// The information estimator on the last hidden layer: the sums of encoding_moments (moments.cuh) of mu = x w + bias and of log variance likewise, neither of which is stored.
// The kernels, for the file that includes this one and says how a tile is multiplied, as in matmul.cuh.
//   x [rows, inputs]: 4 rows inputs bytes at least, 4 rows inputs h operations and about 50 rows h of the estimator; the plain way moves 16 rows h bytes more, in three launches
// A tile has the mu of some factors in its left half and their log variance in the right one. A block goes down the rows a tile at a time: the product, then each thread's sums
// over its rows, which it keeps as pairs; at the end they are added over the block's threads, and over the blocks in a fixed order.
// Ladder: heads stored, then summed -> the product ends in the sums (this version).
// Kernels: head_moments_TILE_vWIDTH_PRECISION.
#pragma once
#include "gemm.cuh"
#include "moments.cuh"

// The weights of both heads, each stored [k, h]: the columns of a tile of `Columns`.
template<int Columns> struct BothHeads {
    static constexpr bool AlongK = false;
    Numbers numbers;
    unsigned h, k;
    long long jump;  // from the first head's weights to the second's, floats
    struct Row { long long offset; bool valid; };
    struct Column { unsigned offset; bool valid; };
    static DEVICE_MEMBER unsigned factor(unsigned column) { return column / Columns * (Columns / 2) + column % (Columns / 2); }
    static DEVICE_MEMBER bool is_second(unsigned column) { return column % Columns >= Columns / 2; }
    DEVICE_MEMBER Row row(unsigned r) const { return Row{factor(r) + (is_second(r) ? jump : 0), factor(r) < h}; }
    DEVICE_MEMBER Column column(unsigned c) const { return Column{c * h, c < k}; }
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? c.offset + r.offset : 0;
    }
};

struct HeadMoments {
    unsigned rows, inputs, h;
    long long jump;           // of the weights
    const float* mu_bias;     // [h]
    const float* log_var_bias;
    float* sums;              // [4, h, 2]
    float* indicators;        // [6, h] or null
    float4* partial;          // [gridDim.x, gridDim.y, columns of a tile]
    unsigned* tickets;        // one a tile
    float inverse_points;
    int x_is_half;            // bf16 in memory; float32 but in kernels that take both
};

// Of one column: the sum that is not linear, of mu^2 or exp(logVar), and the plain one.
struct ColumnState {
    float2 power, plain;
};

// The states of the threads that hold parts of a column, in order; right in the thread whose number is the column's.
template<class T> DEVICE ColumnState merge_sharers(const ColumnState (&states)[T::ThreadColumns], float* memory)
{
    float2* const shared = reinterpret_cast<float2*>(memory);
    ColumnState total = {SumState::identity(), SumState::identity()};
#pragma unroll
    for (int part = 0; part < 2; part++) {
        __syncthreads();
#pragma unroll
        for (int j = 0; j < T::ThreadColumns; j++)
            shared[T::column(j) * T::Sharing + T::sharer()] = part ? states[j].plain : states[j].power;
        __syncthreads();
        if (threadIdx.x < T::Columns)
            for (int s = 0; s < T::Sharing; s++) {
                const float2 one = shared[threadIdx.x * T::Sharing + s];
                if (part)
                    total.plain = SumState::merge(total.plain, one);
                else
                    total.power = SumState::merge(total.power, one);
            }
    }
    return total;
}

template<class T> DEVICE void head_moments(const float* x, const float* w, const HeadMoments& m, float* shared)
{
    typedef BothHeads<T::Columns> Heads;
    const unsigned column0 = blockIdx.x * T::Columns, steps = (m.inputs + T::Depth - 1) / T::Depth;
    const unsigned tiles = (m.rows + T::Rows - 1) / T::Rows, each = (tiles + gridDim.y - 1) / gridDim.y;
    const unsigned begin = blockIdx.y * each, end = begin + each < tiles ? begin + each : tiles;
    const RowMajor a = {Numbers{x, T::Halves && m.x_is_half}, m.rows, m.inputs, Columns::of_one(m.inputs)};
    const Heads b = {Numbers{w, false}, m.h, m.inputs, m.jump};
    ColumnState states[T::ThreadColumns];
    float bias[T::ThreadColumns];
#pragma unroll
    for (int j = 0; j < T::ThreadColumns; j++) {
        const unsigned column = column0 + T::column(j), factor = Heads::factor(column);
        states[j] = ColumnState{SumState::identity(), SumState::identity()};
        bias[j] = factor < m.h ? (Heads::is_second(column) ? m.log_var_bias : m.mu_bias)[factor] : 0.0f;
    }
    for (unsigned tile = begin; tile < end; tile++) {
        const unsigned row0 = tile * T::Rows;
        float sums[T::Sums];
#pragma unroll
        for (int i = 0; i < T::Sums; i++)
            sums[i] = 0.0f;
        // What was read last from shared memory is overwritten now.
        __syncthreads();
        if (steps > 0)
            T::multiply(a, b, row0, column0, 0, steps, shared, sums);
#pragma unroll
        for (int j = 0; j < T::ThreadColumns; j++) {
            const bool is_log_var = Heads::is_second(T::column(j));
            float power = 0.0f, plain = 0.0f;
#pragma unroll
            for (int i = 0; i < T::ThreadRows; i++) {
                const float v = sums[T::index(i, j)] + bias[j], p = is_log_var ? exp_f(v) : v * v;
                const bool counts = row0 + T::row(i) < m.rows;
                power += counts ? p : 0.0f;
                plain += counts ? v : 0.0f;
            }
            states[j].power = SumState::add(states[j].power, power);
            states[j].plain = SumState::add(states[j].plain, plain);
        }
    }
    ColumnState total = merge_sharers<T>(states, shared);
    if (gridDim.y > 1) {
        float4* const partial = m.partial + (size_t)blockIdx.x * gridDim.y * T::Columns;
        if (threadIdx.x < T::Columns)
            partial[blockIdx.y * T::Columns + threadIdx.x] = make_float4(total.power.x, total.power.y, total.plain.x, total.plain.y);
        if (!is_last_block(m.tickets + blockIdx.x, gridDim.y))
            return;
        total = ColumnState{SumState::identity(), SumState::identity()};
        if (threadIdx.x < T::Columns)
#pragma unroll 4
            for (unsigned block = 0; block < gridDim.y; block++) {
                const float4 one = load_state(partial + block * T::Columns + threadIdx.x);
                total.power = SumState::merge(total.power, make_float2(one.x, one.y));
                total.plain = SumState::merge(total.plain, make_float2(one.z, one.w));
            }
    }
    ColumnState* const columns = reinterpret_cast<ColumnState*>(shared);
    __syncthreads();
    if (threadIdx.x < T::Columns)
        columns[threadIdx.x] = total;
    __syncthreads();
    const unsigned factor = Heads::factor(column0 + threadIdx.x);
    if (threadIdx.x < T::Columns / 2 && factor < m.h) {
        const ColumnState mu = columns[threadIdx.x], log_var = columns[threadIdx.x + T::Columns / 2];
        finish_moments(Moments{log_var.power, mu.power, mu.plain, log_var.plain}, m.h, factor, m.sums, m.inverse_points, m.indicators);
    }
}

#define HEADS(rows, columns, width) HEADS_KERNEL(TILE_NAME(head_moments, rows, columns, width), rows, columns, width)
#define HEADS_KERNEL(name, rows, columns, width)                                                                                         \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(const float* __restrict__ x, const float* __restrict__ w, HeadMoments m) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        head_moments<Tile<rows, columns, width>>(x, w, m, shared);                                                                       \
    }                                                                                                                                    \
    EXPORT(name)

HEADS(128, 128, 4)
HEADS(64, 64, 4)
HEADS(64, 64, 1)
