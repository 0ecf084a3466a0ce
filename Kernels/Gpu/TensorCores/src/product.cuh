// Matrix products and convolutions are one computation, C [M, N] = A [M, K] B [K, N] with K cut into steps: only where an element of A or
// B is found differs. This file has those addresses ("operands"), what happens to a finished sum ("epilogue"), the sharing of a long K
// among blocks, and the product of a tile put together from them. tile_tf32.cuh and tile_bf16.cuh multiply a tile; matmul.cuh and
// conv.cuh have the kernels. Every array is float32 in memory and has fewer than 2^31 elements.
#pragma once
#include "prelude.cuh"

// ---- operands
// A row is a row of A or a column of B. Vectors of elements run along k where AlongK, along rows otherwise; a thread keeps the Row (or the
// Column) that it needs in registers, so that a step costs one look-up. at() gives the place of an element, one that may be read even where
// `valid` is false.

// Stored [rows, k].
struct RowMajor {
    static constexpr bool AlongK = true;
    const float* p;
    unsigned rows, k;
    struct Row { unsigned offset; bool valid; };
    struct Column { unsigned offset; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const { return Row{r * k, r < rows}; }
    DEVICE_MEMBER Column column(unsigned c) const { return Column{c, c < k}; }
    DEVICE_MEMBER unsigned at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? r.offset + c.offset : 0;
    }
};

// Stored [k, rows].
struct ColumnMajor {
    static constexpr bool AlongK = false;
    const float* p;
    unsigned rows, k;
    struct Row { unsigned offset; bool valid; };
    struct Column { unsigned offset; bool valid; };
    DEVICE_MEMBER Row row(unsigned r) const { return Row{r, r < rows}; }
    DEVICE_MEMBER Column column(unsigned c) const { return Column{c * rows, c < k}; }
    DEVICE_MEMBER unsigned at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? c.offset + r.offset : 0;
    }
};

// Of C [m, n] = A [m, k] B [k, n].
struct ProductShape { unsigned m, n, k; };

struct ConvGeometry {
    unsigned batch, height, width, in_channels, out_channels, kernel_height, kernel_width, stride, padding, out_height, out_width;
    Divider by_channels;  // of whichever channels k runs over
    Divider by_out_width, by_out_height;
};

// Pixels of an NHWC image seen through a kernel window: row (image, y, x) and column (tap, channel) are at pixel (y + dy, x + dx).
struct Window {
    static constexpr bool AlongK = true;
    static constexpr int Outside = -(1 << 20);
    const float* p;
    unsigned height, width, channels;
    struct Row { int base, y, x; };
    struct Column { int dy, dx; unsigned channel; bool valid; };
    DEVICE_MEMBER unsigned at(Row r, Column c, bool& valid) const
    {
        const int y = r.y + c.dy, x = r.x + c.dx;
        valid = c.valid && (unsigned)y < height && (unsigned)x < width;
        return valid ? (unsigned)(r.base + y * (int)width + x) * channels + c.channel : 0;
    }
};

// x as [batch out_height out_width, kernel_height kernel_width in_channels]: rows are pixels of y.
struct ForwardWindow : Window {
    const ConvGeometry& g;
    DEVICE_MEMBER ForwardWindow(const float* x, const ConvGeometry& geometry)
        : Window{x, geometry.height, geometry.width, geometry.in_channels}, g(geometry) {}
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

// With a stride s only every s-th tap reaches a given pixel of x, and which ones depends on the pixel's remainder: the s x s classes of
// pixels are products of their own, so that nothing is multiplied by the zeros between the pixels of dy. One dimension of a class:
struct ClassAxis {
    unsigned first, count;     // the class's pixels are first, first + stride, ..
    unsigned first_tap, taps;  // its taps are first_tap, first_tap + stride, ..
    int origin;                // pixel i and tap j meet the pixel origin + i - j of dy
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
        : y(index / g.stride, g.height, g.kernel_height, g.stride, g.padding)
        , x(index % g.stride, g.width, g.kernel_width, g.stride, g.padding) {}
    DEVICE_MEMBER unsigned rows(const ConvGeometry& g) const { return g.batch * y.count * x.count; }
};

// dy as [pixels of the class, taps out_channels].
struct BackwardWindow : Window {
    const ConvGeometry& g;
    const PixelClass& c;
    DEVICE_MEMBER BackwardWindow(const float* dy, const ConvGeometry& geometry, const PixelClass& pixels)
        : Window{dy, geometry.out_height, geometry.out_width, geometry.out_channels}, g(geometry), c(pixels) {}
    DEVICE_MEMBER Row row(unsigned r) const
    {
        if (r >= c.rows(g))
            return Row{0, Outside, Outside};
        const unsigned line = r / c.x.count, image = line / c.y.count;
        const int y = (int)(line - image * c.y.count), x = (int)(r - line * c.x.count);
        return Row{(int)(image * g.out_height * g.out_width), c.y.origin + y, c.x.origin + x};
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
    const float* p;
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
    DEVICE_MEMBER unsigned at(Row r, Column c, bool& valid) const
    {
        valid = r.valid && c.valid;
        return valid ? r.offset + c.offset : 0;
    }
};

// x as [kernel_height kernel_width in_channels, batch out_height out_width]: k runs over the pixels of y, vectors along the channels.
struct TransposedWindow {
    static constexpr bool AlongK = false;
    const float* p;
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
        const unsigned y = line - image * g.out_height, x = k - line * g.out_width;
        return Column{(int)(image * g.height * g.width), (int)(y * g.stride), (int)(x * g.stride), image < g.batch};
    }
    DEVICE_MEMBER unsigned at(Row r, Column c, bool& valid) const
    {
        const int y = c.y + r.dy, x = c.x + r.dx;
        valid = r.valid && c.valid && (unsigned)y < g.height && (unsigned)x < g.width;
        return valid ? (unsigned)(c.base + y * (int)g.width + x) * g.in_channels + r.channel : 0;
    }
};

// ---- epilogue

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
};

// The rows of a result [rows, columns] as they lie.
struct PlainRows {
    unsigned rows, columns;
    DEVICE_MEMBER size_t line(unsigned r) const { return (size_t)r * columns; }
};

// The rows of dx that are one class of pixels.
struct PixelRows {
    unsigned rows, columns;
    const ConvGeometry& g;
    const PixelClass& c;
    DEVICE_MEMBER PixelRows(const ConvGeometry& geometry, const PixelClass& pixels)
        : rows(pixels.rows(geometry)), columns(geometry.in_channels), g(geometry), c(pixels) {}
    DEVICE_MEMBER size_t line(unsigned r) const
    {
        const unsigned line = r / c.x.count, image = line / c.y.count;
        const unsigned y = c.y.first + (line - image * c.y.count) * g.stride, x = c.x.first + (r - line * c.x.count) * g.stride;
        return ((size_t)(image * g.height + y) * g.width + x) * columns;
    }
};

template<int N> DEVICE void load(float (&v)[N], const float* p)
{
    if constexpr (N == 4) {
        const float4 four = load4(p);
        v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
    } else {
        v[0] = *p;
    }
}

// Bias, ReLU mask, what was there before, ReLU: in this order, on N neighbours of a row. A ReLU lets NaN through.
template<int N> DEVICE void finish(const Epilogue& e, size_t at, unsigned column, float (&v)[N])
{
    float other[N];
    if (e.bias) {
        load(other, e.bias + column);
#pragma unroll
        for (int i = 0; i < N; i++)
            v[i] += other[i];
    }
    if (e.relu_mask) {
        load(other, e.relu_mask + at);
#pragma unroll
        for (int i = 0; i < N; i++)
            v[i] = other[i] > 0.0f ? v[i] : 0.0f;
    }
    if (e.accumulate) {
        load(other, e.c + at);
#pragma unroll
        for (int i = 0; i < N; i++)
            v[i] += other[i];
    }
    if (e.relu) {
#pragma unroll
        for (int i = 0; i < N; i++)
            v[i] = v[i] < 0.0f ? 0.0f : v[i];
    }
    if constexpr (N == 4)
        store4(e.c + at, make_float4(v[0], v[1], v[2], v[3]));
    else
        e.c[at] = v[0];
}

// ---- blocks that share a tile

// True in the block that comes last of `blocks` at this ticket, which then sees what the others wrote before. The ticket is left at zero
// for the next launch.
DEVICE bool is_last_block(unsigned* ticket, unsigned blocks)
{
    __shared__ unsigned last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = atomicInc(ticket, blocks - 1) == blocks - 1;
    __syncthreads();
    __threadfence();
    return last != 0;
}

// Where gridDim.y blocks share a tile each writes its sums down. The last of each group of neighbours adds the group's up in order, and the
// last group to be done adds the groups up in order: the same bits whoever is last. False in the others. In groups, because one block would
// wait for the memory once for each of the others: 264 times where 33 are enough.
template<int Threads, int Count> DEVICE bool sum_of_sharing_blocks(const Epilogue& e, float (&sums)[Count])
{
    const unsigned blocks = gridDim.y;
    if (blocks == 1)
        return true;
    constexpr unsigned Floats = Threads * Count;
    const unsigned tile = blockIdx.z * gridDim.x + blockIdx.x, groups = (blocks + e.group - 1) / e.group, group = blockIdx.y / e.group;
    float* const partial = e.partial + (size_t)tile * (blocks + groups) * Floats + threadIdx.x;
    unsigned* const tickets = e.tickets + tile * (groups + 1);
    unsigned mine = blockIdx.y, first = group * e.group, members = first + e.group < blocks ? e.group : blocks - first;
    unsigned* ticket = tickets + 1 + group;
    for (;;) {
        float* const share = partial + mine * Floats;
#pragma unroll
        for (int i = 0; i < Count; i++)
            share[i * Threads] = sums[i];
        if (!is_last_block(ticket, members))
            return false;
#pragma unroll
        for (int i = 0; i < Count; i++)
            sums[i] = 0.0f;
        const float* from = partial + first * Floats;
        for (unsigned b = 0; b < members; b++, from += Floats) {
#pragma unroll
            for (int i = 0; i < Count; i++)
                sums[i] += load_shared_by_blocks(from + i * Threads);
        }
        if (groups == 1 || first == blocks)
            return true;
        // Then the groups, whose sums lie behind those of the blocks.
        mine = blocks + group;
        first = blocks;
        members = groups;
        ticket = tickets;
    }
}

// ---- the product

// How the warps of a block share a tile of C, WarpRows x WarpColumns each, and mma.sync leaves a warp's sums to its lanes, in tiles of 16
// x 8: ThreadRows x ThreadColumns of them at row(i) and column(j) of the tile, in sums[index(i, j)]; columns 2 j and 2 j + 1 are
// neighbours.
template<int TileRows, int TileColumns> struct WarpTiles {
    static constexpr int Rows = TileRows, Columns = TileColumns;
    static constexpr int WarpRows = Columns == 128 ? 64 : 32, WarpColumns = 32, WarpsN = Columns / WarpColumns;
    static constexpr int Threads = Rows / WarpRows * WarpsN * 32;
    static constexpr int TilesM = WarpRows / 16, TilesN = WarpColumns / 8, ThreadRows = 2 * TilesM, ThreadColumns = 2 * TilesN;
    static constexpr int Sums = ThreadRows * ThreadColumns;
    static DEVICE_MEMBER int warp_row() { return threadIdx.x / 32 / WarpsN * WarpRows; }
    static DEVICE_MEMBER int warp_column() { return threadIdx.x / 32 % WarpsN * WarpColumns; }
    static DEVICE_MEMBER int row(int i) { return warp_row() + 8 * i + threadIdx.x % 32 / 4; }
    static DEVICE_MEMBER int column(int j) { return warp_column() + j / 2 * 8 + threadIdx.x % 4 * 2 + j % 2; }
    static constexpr int index(int i, int j) { return (i / 2 * TilesN + j / 2) * 4 + i % 2 * 2 + j % 2; }
};

// Where four neighbours of a tile's row lie in shared memory: turned by two places from row to row, so that neither the threads that
// write a tile nor those that read it meet in a bank.
template<int Columns> DEVICE float* four_of_tile(float* shared, int row, int four)
{
    return shared + row * Columns + ((four & ~7) | ((four + 2 * row) & 7)) * 4;
}

// The finished tile: through shared memory, so that neighbouring threads write neighbours, and in a loop, because what is done to a sum is
// long and would stand here once for each of a thread's sums.
template<class T, class Output>
DEVICE void write_tile(
    const Output& output, const Epilogue& e, unsigned row0, unsigned column0, const float (&sums)[T::Sums], float* shared)
{
    constexpr int FoursOfLine = T::Columns / 4;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < T::ThreadRows; i++)
#pragma unroll
        for (int j = 0; j < T::ThreadColumns; j += 2) {
            float* const to = four_of_tile<T::Columns>(shared, T::row(i), T::column(j) / 4) + T::column(j) % 4;
            *reinterpret_cast<float2*>(to) = make_float2(sums[T::index(i, j)], sums[T::index(i, j + 1)]);
        }
    __syncthreads();
#pragma unroll 1
    for (int i = threadIdx.x; i < T::Rows * FoursOfLine; i += T::Threads) {
        const unsigned row = row0 + i / FoursOfLine, column = column0 + i % FoursOfLine * 4;
        if (row >= output.rows || column >= output.columns)
            continue;
        const size_t at = output.line(row) + column;
        float v[4];
        load(v, four_of_tile<T::Columns>(shared, i / FoursOfLine, i % FoursOfLine));
        if (e.vectors) {
            finish(e, at, column, v);
        } else {
#pragma unroll
            for (int c = 0; c < 4; c++) {
                float one[1] = {v[c]};
                if (column + c < output.columns)
                    finish(e, at + c, column + c, one);
            }
        }
    }
}

// Each block computes one tile of C with T, WarpTiles with a Depth of a step and multiply(), which adds the steps from `first` to below
// `last`.
template<class T, class A, class B, class Output>
DEVICE void product(const A& a, const B& b, const Output& output, const Epilogue& e, unsigned k, float* shared)
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
    if (sum_of_sharing_blocks<T::Threads>(e, sums))
        write_tile<T>(output, e, row0, column0, sums, shared);
}

// The name of a kernel: PREFIX_ROWSxCOLUMNS_vWIDTH_PRECISION, width being the floats of one load, 1 where sizes or addresses are no
// multiples of 4.
#define TILE_NAME(prefix, rows, columns, width) TILE_NAME_OF(prefix, rows, columns, width, PRECISION)
#define TILE_NAME_OF(prefix, rows, columns, width, precision) TILE_NAME_PASTED(prefix, rows, columns, width, precision)
#define TILE_NAME_PASTED(prefix, rows, columns, width, precision) prefix##_##rows##x##columns##_v##width##_##precision
