// Matrix products and convolutions are one computation, C [M, N] = A [M, K] B [K, N] with K cut into steps: only where an element of A or B is found differs.
// This file has those addresses ("operands"), what happens to a finished sum ("output"), the sharing of a long K among blocks, and the product of a tile put together from
// them. gemm_fp32.cuh, gemm_tf32.cuh, gemm_bf16.cuh, gemm_warpgroup.cuh and gemm_copies.cuh have the ways of multiplying a tile; matmul.cuh and conv.cuh the kernels, for each.
#pragma once
#include "numbers.cuh"
#include "reduce.cuh"

// Which arrays of a product lie in memory as bf16: bits of Epilogue::halves.
constexpr int HalfA = 1, HalfB = 2, HalfC = 4, HalfMask = 8;

// ---- operands
// A row is a row of A or a column of B. Vectors of elements run along k where AlongK, along rows otherwise; a thread keeps the Row (or the Column) that it needs in
// registers, so that a step costs one look-up. at() gives the place of an element among the operand's numbers, one that may be read even where `valid` is false.

// The columns of a row-major matrix. They may lie in two matrices of the same shape, as those of two heads on one layer do: columns from `first` on are then found
// `jump` floats further than they would be in one.
struct Columns {
    unsigned line;  // floats from row to row
    unsigned first;
    long long jump;
    static DEVICE_MEMBER Columns of_one(unsigned line) { return Columns{line, 0xffffffffu, 0}; }
    DEVICE_MEMBER long long at(unsigned column) const { return column + (column < first ? 0 : jump); }
};

// Stored [rows, k].
struct RowMajor {
    static constexpr bool AlongK = true;
    Numbers numbers;
    unsigned rows, k;
    Columns lies;
    struct Row { unsigned offset; bool valid; };
    struct Column { long long offset; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const { return Row{r * lies.line, r < rows}; }
    DEVICE_MEMBER Column column(unsigned c) const { return Column{lies.at(c), c < k}; }
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? r.offset + c.offset : 0;
    }
};

// Stored [k, rows].
struct ColumnMajor {
    static constexpr bool AlongK = false;
    Numbers numbers;
    unsigned rows, k;
    Columns lies;
    struct Row { long long offset; bool valid; };
    struct Column { unsigned offset; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const { return Row{lies.at(r), r < rows}; }
    DEVICE_MEMBER Column column(unsigned c) const { return Column{c * lies.line, c < k}; }
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? c.offset + r.offset : 0;
    }
};

// Of C [m, n] = A [m, k] B [k, n], and where the columns of each lie.
struct ProductShape {
    unsigned m, n, k;
    Columns a, b, c, bias;
};

struct ConvGeometry {
    unsigned batch, height, width, in_channels, out_channels, kernel_height, kernel_width, stride, padding, out_height, out_width;
    Divider by_channels;  // of whichever channels k runs over
    Divider by_out_width, by_out_height;
};

// Pixels of an NHWC image seen through a kernel window: row (image, y, x) and column (tap, channel) are at pixel (y + dy, x + dx).
struct Window {
    static constexpr bool AlongK = true;
    static constexpr int Outside = -(1 << 20);
    Numbers numbers;
    unsigned height, width, channels;
    struct Row { int base, y, x; };
    struct Column { int dy, dx; unsigned channel; bool valid; };
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        const int y = r.y + c.dy, x = r.x + c.dx;
        valid = c.valid && (unsigned)y < height && (unsigned)x < width;
        return valid ? (unsigned)(r.base + y * (int)width + x) * channels + c.channel : 0;
    }
};

// x as [batch out_height out_width, kernel_height kernel_width in_channels]: rows are pixels of y.
struct ForwardWindow : Window {
    const ConvGeometry& g;
    DEVICE_MEMBER ForwardWindow(Numbers x, const ConvGeometry& geometry) : Window{x, geometry.height, geometry.width, geometry.in_channels}, g(geometry) {}
    DEVICE_MEMBER Row row(unsigned r) const
    {
        const unsigned line = g.by_out_width.divide(r), image = g.by_out_height.divide(line);
        if (image >= g.batch)
            return Row{0, Outside, Outside};
        const unsigned column = r - line * g.out_width, row = line - image * g.out_height;
        return Row{(int)(image * g.height * g.width), (int)(row * g.stride) - (int)g.padding, (int)(column * g.stride) - (int)g.padding};
    }
    DEVICE_MEMBER Column column(unsigned k) const
    {
        const unsigned tap = g.by_channels.divide(k), dy = tap / g.kernel_width;
        return Column{(int)dy, (int)(tap - dy * g.kernel_width), k - tap * g.in_channels, dy < g.kernel_height};
    }
};

// With a stride s only every s-th tap reaches a given pixel of x, and which ones depends on the pixel's remainder: the s x s classes of pixels are products of their
// own, so that nothing is multiplied by the zeros between the pixels of dy. One dimension of a class:
struct ClassAxis {
    unsigned first, count;          // the class's pixels are first, first + stride, ..
    unsigned first_tap, taps;       // its taps are first_tap, first_tap + stride, ..
    int origin;                     // pixel i and tap j meet the pixel origin + i - j of dy
    DEVICE_MEMBER ClassAxis(unsigned remainder, unsigned size, unsigned kernel, unsigned stride, unsigned padding)
    {
        first = (remainder + stride - padding % stride) % stride;
        count = first < size ? (size - first + stride - 1) / stride : 0;
        first_tap = remainder;
        taps = remainder < kernel ? (kernel - remainder + stride - 1) / stride : 0;
        origin = (int)((first + padding - remainder) / stride);
    }
};

struct PixelClass {
    ClassAxis y, x;
    DEVICE_MEMBER PixelClass(const ConvGeometry& g, unsigned index)
        : y(index / g.stride, g.height, g.kernel_height, g.stride, g.padding), x(index % g.stride, g.width, g.kernel_width, g.stride, g.padding) {}
    DEVICE_MEMBER unsigned rows(const ConvGeometry& g) const { return g.batch * y.count * x.count; }
};

// dy as [pixels of the class, taps out_channels].
struct BackwardWindow : Window {
    const ConvGeometry& g;
    const PixelClass& c;
    DEVICE_MEMBER BackwardWindow(Numbers dy, const ConvGeometry& geometry, const PixelClass& pixels)
        : Window{dy, geometry.out_height, geometry.out_width, geometry.out_channels}, g(geometry), c(pixels) {}
    DEVICE_MEMBER Row row(unsigned r) const
    {
        if (r >= c.rows(g))
            return Row{0, Outside, Outside};
        const unsigned line = r / c.x.count, image = line / c.y.count;
        return Row{(int)(image * g.out_height * g.out_width), c.y.origin + (int)(line - image * c.y.count), c.x.origin + (int)(r - line * c.x.count)};
    }
    DEVICE_MEMBER Column column(unsigned k) const
    {
        const unsigned tap = g.by_channels.divide(k);
        if (tap >= c.y.taps * c.x.taps)
            return Column{0, 0, 0, false};
        const unsigned j = tap / c.x.taps;
        return Column{-(int)j, -(int)(tap - j * c.x.taps), k - tap * g.out_channels, true};
    }
};

// w as [in_channels, taps of the class x out_channels].
struct BackwardWeights {
    static constexpr bool AlongK = true;
    Numbers numbers;
    const ConvGeometry& g;
    const PixelClass& c;
    struct Row { unsigned offset; bool valid; };
    struct Column { unsigned offset; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const { return Row{r * g.out_channels, r < g.in_channels}; }
    DEVICE_MEMBER Column column(unsigned k) const
    {
        const unsigned tap = g.by_channels.divide(k);
        if (tap >= c.y.taps * c.x.taps)
            return Column{0, false};
        const unsigned j = tap / c.x.taps, i = tap - j * c.x.taps;
        const unsigned place = (c.y.first_tap + j * g.stride) * g.kernel_width + c.x.first_tap + i * g.stride;
        return Column{place * g.in_channels * g.out_channels + k - tap * g.out_channels, true};
    }
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? r.offset + c.offset : 0;
    }
};

// x as [kernel_height kernel_width in_channels, batch out_height out_width]: k runs over the pixels of y, vectors along the channels.
struct TransposedWindow {
    static constexpr bool AlongK = false;
    Numbers numbers;
    const ConvGeometry& g;
    struct Row { int dy, dx; unsigned channel; bool valid; };
    struct Column { int base, y, x; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const
    {
        const unsigned tap = g.by_channels.divide(r), i = tap / g.kernel_width;
        return Row{(int)i - (int)g.padding, (int)(tap - i * g.kernel_width) - (int)g.padding, r - tap * g.in_channels, i < g.kernel_height};
    }
    DEVICE_MEMBER Column column(unsigned k) const
    {
        const unsigned line = g.by_out_width.divide(k), image = g.by_out_height.divide(line);
        return Column{(int)(image * g.height * g.width), (int)((line - image * g.out_height) * g.stride), (int)((k - line * g.out_width) * g.stride), image < g.batch};
    }
    DEVICE_MEMBER long long at(Row r, Column c, bool& valid) const
    {
        const int y = c.y + r.dy, x = c.x + r.dx;
        valid = r.valid && c.valid && (unsigned)y < g.height && (unsigned)x < g.width;
        return valid ? (unsigned)(c.base + y * (int)g.width + x) * g.in_channels + r.channel : 0;
    }
};

// ---- output

// What the host decides beside the sizes. Absent addresses are null.
struct Epilogue {
    float* c;
    const float* bias;       // [N]
    const float* relu_mask;  // like c
    float* partial;          // sums of blocks that share a tile
    unsigned* tickets;       // for each tile one for all its groups, and one for each group
    unsigned steps;          // of K, for each block that shares a tile
    unsigned group;          // blocks that share a tile and are added up together first
    int relu, accumulate;
    int vectors;             // rows of c may be written in vectors: N is a multiple of 4 and every address is aligned
    int halves;              // which of A, B, c and relu_mask are bf16; 0 but in kernels that take both
};

struct PlainRows {
    unsigned rows, columns;
    Columns lies, bias;
    DEVICE_MEMBER size_t line(unsigned r) const { return (size_t)r * lies.line; }
    DEVICE_MEMBER size_t at(size_t line, unsigned column) const { return line + lies.at(column); }
    DEVICE_MEMBER long long bias_at(unsigned column) const { return bias.at(column); }
};

struct PixelRows {
    unsigned rows, columns;
    const ConvGeometry& g;
    const PixelClass& c;
    DEVICE_MEMBER PixelRows(const ConvGeometry& geometry, const PixelClass& pixels) : rows(pixels.rows(geometry)), columns(geometry.in_channels), g(geometry), c(pixels) {}
    DEVICE_MEMBER size_t line(unsigned r) const
    {
        const unsigned line = r / c.x.count, image = line / c.y.count;
        const unsigned y = c.y.first + (line - image * c.y.count) * g.stride, x = c.x.first + (r - line * c.x.count) * g.stride;
        return ((size_t)(image * g.height + y) * g.width + x) * columns;
    }
    DEVICE_MEMBER size_t at(size_t line, unsigned column) const { return line + column; }
    DEVICE_MEMBER long long bias_at(unsigned column) const { return column; }
};

// Bias, ReLU mask, what was there before, ReLU: in this order. Where Halves is false nothing is bf16, and no code for it is made.
template<bool Halves> DEVICE void finish_one(const Epilogue& e, size_t at, long long bias, float v)
{
    const Numbers c = {e.c, Halves && (e.halves & HalfC)}, mask = {e.relu_mask, Halves && (e.halves & HalfMask)};
    if (e.bias)
        v += e.bias[bias];
    if (e.relu_mask && !(load_number(mask, at) > 0.0f))
        v = 0.0f;
    if (e.accumulate)
        v += load_number(c, at);
    store_number(c, at, e.relu && v < 0.0f ? 0.0f : v);
}

template<bool Halves> DEVICE void finish_four(const Epilogue& e, size_t at, long long bias, float4 v)
{
    const Numbers c = {e.c, Halves && (e.halves & HalfC)}, mask = {e.relu_mask, Halves && (e.halves & HalfMask)};
    if (e.bias) {
        const float4 b = load4(e.bias + bias);
        v = make_float4(v.x + b.x, v.y + b.y, v.z + b.z, v.w + b.w);
    }
    if (e.relu_mask) {
        const float4 m = load_numbers4(mask, at);
        v = make_float4(m.x > 0.0f ? v.x : 0.0f, m.y > 0.0f ? v.y : 0.0f, m.z > 0.0f ? v.z : 0.0f, m.w > 0.0f ? v.w : 0.0f);
    }
    if (e.accumulate) {
        const float4 old = load_numbers4(c, at);
        v = make_float4(old.x + v.x, old.y + v.y, old.z + v.z, old.w + v.w);
    }
    if (e.relu)
        v = make_float4(v.x < 0.0f ? 0.0f : v.x, v.y < 0.0f ? 0.0f : v.y, v.z < 0.0f ? 0.0f : v.z, v.w < 0.0f ? 0.0f : v.w);
    store_numbers4(c, at, v);
}

// A block's share of a result that gridDim.y blocks add up: in the registers of its threads.
template<int Threads, int Count> struct RegisterShare {
    static constexpr unsigned Floats = Threads * Count;
    float (&sums)[Count];
    DEVICE_MEMBER unsigned floats() const { return Floats; }
    DEVICE_MEMBER void write(float* to) const
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            to[i * Threads + threadIdx.x] = sums[i];
    }
    // The sums of `count` shares, in order.
    DEVICE_MEMBER void add_up(const float* from, unsigned count)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            sums[i] = 0.0f;
        from += threadIdx.x;
        for (unsigned b = 0; b < count; b++, from += Floats) {
#pragma unroll
            for (int i = 0; i < Count; i++)
                sums[i] += load_shared_by_blocks(from + i * Threads);
        }
    }
};

// Where gridDim.y blocks share a tile each writes its share down. The last of each group of neighbours adds the group's up in order, and the last group to be done adds the groups up in
// order: the same bits whoever is last. False in the others. In groups, because one block would wait for the memory once for each of the others: 264 times where 33 are enough.
template<class Share> DEVICE bool sum_of_sharing_blocks(const Epilogue& e, Share share)
{
    const unsigned blocks = gridDim.y;
    if (blocks == 1)
        return true;
    const unsigned tile = blockIdx.z * gridDim.x + blockIdx.x, groups = (blocks + e.group - 1) / e.group, group = blockIdx.y / e.group, first = group * e.group;
    const size_t floats = share.floats();
    float* const partial = e.partial + tile * (blocks + groups) * floats;
    float* const of_groups = partial + blocks * floats;
    unsigned* const tickets = e.tickets + tile * (groups + 1);
    share.write(partial + blockIdx.y * floats);
    const unsigned members = first + e.group < blocks ? e.group : blocks - first;
    if (!is_last_block(tickets + 1 + group, members))
        return false;
    share.add_up(partial + first * floats, members);
    if (groups == 1)
        return true;
    share.write(of_groups + group * floats);
    if (!is_last_block(tickets, groups))
        return false;
    share.add_up(of_groups, groups);
    return true;
}

// ---- column sums beside a product

// The gradient of a bias needs one more pass over what the weight gradient reads: blocks from first_block on add up the columns of g [rows, columns] in the same launch.
struct ColumnSums {
    const float* g;   // bf16 where g_is_half
    float* out;       // [columns]
    float2* partial;  // [gridDim.y, columns]
    unsigned* tickets;
    unsigned rows, columns;
    unsigned width;   // threads side by side, a power of two up to 32
    unsigned first_block;
    int accumulate, g_is_half;
    Columns of_g, of_out;
};

template<int Threads> DEVICE float2 merge_columns(float2 state, float2* shared, unsigned width)
{
    const unsigned t = threadIdx.x;
    shared[t] = state;
    for (unsigned half = Threads / 2; half >= width; half /= 2) {
        __syncthreads();
        if (t < half)
            shared[t] = SumState::merge(shared[t], shared[t + half]);
    }
    return shared[t];
}

// True in the blocks that sum columns; they have done so.
template<int Threads, bool Halves> DEVICE bool sum_columns(const ColumnSums& s, float* memory)
{
    if (blockIdx.x < s.first_block)
        return false;
    float2* const shared = reinterpret_cast<float2*>(memory);
    const unsigned x = threadIdx.x & (s.width - 1), y = threadIdx.x / s.width, down = Threads / s.width;
    const unsigned tile = blockIdx.x - s.first_block, column = tile * s.width + x;
    const unsigned segments = gridDim.y, length = (s.rows + segments - 1) / segments;
    const unsigned begin = blockIdx.y * length, end = begin + length < s.rows ? begin + length : s.rows;
    const bool inside = column < s.columns;
    const Numbers g = {s.g, Halves && s.g_is_half};
    float2 state = SumState::identity();
    if (inside)
        for (unsigned row = begin + y; row < end; row += down)
            state = SumState::add(state, load_number(g, (size_t)row * s.of_g.line + s.of_g.at(column)));
    state = merge_columns<Threads>(state, shared, s.width);
    if (segments > 1) {
        if (inside && y == 0)
            s.partial[(size_t)blockIdx.y * s.columns + column] = state;
        if (!is_last_block(s.tickets + tile, segments))
            return true;
        state = SumState::identity();
        if (inside)
            for (unsigned segment = y; segment < segments; segment += down)
                state = SumState::merge(state, load_state(s.partial + (size_t)segment * s.columns + column));
        state = merge_columns<Threads>(state, shared, s.width);
    }
    if (inside && y == 0) {
        float* const out = s.out + s.of_out.at(column);
        *out = s.accumulate ? *out + SumState::value(state) : SumState::value(state);
    }
    return true;
}

// How a thread's share of an operand's tile lies: Vectors of Width elements, Count of them, in steps of Stride rows (AlongK) or Stride columns.
template<class Operand, int Rows, int Depth, int Width, int Threads> struct Share {
    static constexpr int PerLine = (Operand::AlongK ? Depth : Rows) / Width;
    static constexpr int Stride = Threads / PerLine;
    static constexpr int Count = (Operand::AlongK ? Rows : Depth) / Stride;
    static_assert(Threads % PerLine == 0 && Stride * Count == (Operand::AlongK ? Rows : Depth), "the tile does not divide among the threads");
    static DEVICE_MEMBER int along(int thread) { return thread % PerLine * Width; }
    static DEVICE_MEMBER int across(int thread) { return thread / PerLine; }
};

// How the warps of a block share a tile of C, WarpRows x WarpColumns each, and mma.sync leaves a warp's sums to its lanes, in tiles of 16 x 8.
template<int TileRows, int TileColumns> struct WarpTiles {
    static constexpr int Rows = TileRows, Columns = TileColumns, Run = 2;
    static constexpr int WarpRows = Columns == 128 ? 64 : 32, WarpColumns = 32, WarpsN = Columns / WarpColumns, Threads = Rows / WarpRows * WarpsN * 32;
    static constexpr int TilesM = WarpRows / 16, TilesN = WarpColumns / 8, ThreadRows = 2 * TilesM, ThreadColumns = 2 * TilesN, Sums = ThreadRows * ThreadColumns, Sharing = Rows / ThreadRows;
    static DEVICE_MEMBER int warp_row() { return threadIdx.x / 32 / WarpsN * WarpRows; }
    static DEVICE_MEMBER int warp_column() { return threadIdx.x / 32 % WarpsN * WarpColumns; }
    static DEVICE_MEMBER int group() { return threadIdx.x % 32 / 4; }
    static DEVICE_MEMBER int row(int i) { return warp_row() + 8 * i + group(); }
    static DEVICE_MEMBER int column(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
    static DEVICE_MEMBER int sharer() { return threadIdx.x / 32 / WarpsN * 8 + group(); }
    static constexpr int index(int i, int j) { return (i / 2 * TilesN + j / 2) * 4 + i % 2 * 2 + j % 2; }
};

// ---- the product

// The name of a kernel: PREFIX_ROWSxCOLUMNS_vWIDTH_PRECISION.
#define TILE_NAME(prefix, rows, columns, width) TILE_NAME_OF(prefix, rows, columns, width, PRECISION)
#define TILE_NAME_OF(prefix, rows, columns, width, precision) TILE_NAME_PASTED(prefix, rows, columns, width, precision)
#define TILE_NAME_PASTED(prefix, rows, columns, width, precision) prefix##_##rows##x##columns##_v##width##_##precision

// Where four neighbours of a tile's row lie in shared memory: turned by two places from row to row, so that neither the threads that write a tile nor those that read it meet in a bank.
template<int Columns> DEVICE float* four_of_tile(float* shared, int row, int four) { return shared + row * Columns + ((four & ~7) | ((four + 2 * row) & 7)) * 4; }

// The finished tile: through shared memory, so that neighbouring threads write neighbours, and in a loop, because what is done to a sum is long and would stand here once for each of a
// thread's sums.
template<class T, class Output> DEVICE void write_tile(const Output& output, const Epilogue& e, unsigned row0, unsigned column0, const float (&sums)[T::Sums], float* shared)
{
    constexpr int FoursOfLine = T::Columns / 4;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < T::ThreadRows; i++)
#pragma unroll
        for (int j = 0; j < T::ThreadColumns; j += T::Run) {
            const float* const run = sums + T::index(i, j);
            float* const to = four_of_tile<T::Columns>(shared, T::row(i), T::column(j) / 4) + T::column(j) % 4;
            if constexpr (T::Run == 4)
                store4(to, make_float4(run[0], run[1], run[2], run[3]));
            else
                *reinterpret_cast<float2*>(to) = make_float2(run[0], run[1]);
        }
    __syncthreads();
#pragma unroll 1
    for (int i = threadIdx.x; i < T::Rows * FoursOfLine; i += T::Threads) {
        const unsigned row = row0 + i / FoursOfLine, column = column0 + i % FoursOfLine * 4;
        if (row >= output.rows || column >= output.columns)
            continue;
        const size_t line = output.line(row);
        const float4 v = load4(four_of_tile<T::Columns>(shared, i / FoursOfLine, i % FoursOfLine));
        if (e.vectors) {
            finish_four<T::Halves>(e, output.at(line, column), output.bias_at(column), v);
        } else {
            const float each[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int c = 0; c < 4; c++)
                if (column + c < output.columns)
                    finish_one<T::Halves>(e, output.at(line, column + c), output.bias_at(column + c), each[c]);
        }
    }
}

template<class T> DEVICE Numbers numbers_of(const float* p, const Epilogue& e, int bit) { return Numbers{p, T::Halves && (e.halves & bit)}; }

// Each block computes one tile of C with T, a way of multiplying:
//   Rows, Columns, Depth   of a tile and of a step along k;   Threads of a block
//   Sums                   that each of them holds: ThreadRows x ThreadColumns, at row(i) and column(j) of the tile, in sums[index(i, j)]; Run neighbours of a row lie side by side
//   Sharing, sharer()      (for heads.cuh alone) threads that hold parts of the same column, and the number of this one among them
//   Halves                 whether operands and results may lie in memory as bf16
//   multiply               adds the steps from `first` to below `last` to the sums
template<class T, class A, class B, class Output> DEVICE void product(const A& a, const B& b, const Output& output, const Epilogue& e, unsigned k, float* shared)
{
    const unsigned tiles_n = (output.columns + T::Columns - 1) / T::Columns;
    const unsigned row0 = blockIdx.x / tiles_n * T::Rows, column0 = blockIdx.x % tiles_n * T::Columns;
    if (row0 >= output.rows)
        return;
    const unsigned all = (k + T::Depth - 1) / T::Depth, first = blockIdx.y * e.steps, last = first + e.steps < all ? first + e.steps : all;
    float sums[T::Sums];
#pragma unroll
    for (int i = 0; i < T::Sums; i++)
        sums[i] = 0.0f;
    if (first < last)
        T::multiply(a, b, row0, column0, first, last, shared, sums);
    if (!sum_of_sharing_blocks(e, RegisterShare<T::Threads, T::Sums>{sums}))
        return;
    write_tile<T>(output, e, row0, column0, sums, shared);
}
