// Filling, copying, permuting, gathering. All of it is bound by memory: each launch moves each operand once, in lines of 128 bytes, and computes nothing to speak of.
//   fill           4 n bytes written
//   copy_block     8 rows columns bytes (12 when accumulating)
//   convert        4 n bytes on one side, 2 n on the other where it is bf16
//   permute        8 n bytes; writes are contiguous, reads are as scattered as the permutation is
//   gather_bytes   5 rows width bytes: a byte read, a float written
//   gather_rows    8 rows width bytes
// Ladder: 1 element a thread, grid-stride (permute, copy_block) -> 16 bytes a thread where the address allows it (fill, gathers: this version).
#include "numbers.cuh"
#include "reduce.cuh"

KERNEL __launch_bounds__(256) fill(float* __restrict__ y, unsigned n, float value)
{
    AFTER_EARLIER_KERNELS();
    const unsigned quads = is_aligned16(y) ? n / 4 : 0;
    FOR_EACH(i, quads)
        store4(y + 4 * (size_t)i, make_float4(value, value, value, value));
    FOR_EACH(i, n - 4 * quads)
        y[4 * quads + i] = value;
}
EXPORT(fill)

// from, to: [rows, columns] inside arrays of row strides fromStride, toStride.
KERNEL __launch_bounds__(256) copy_block(const float* from, float* to, unsigned n, Divider columns, unsigned fromStride, unsigned toStride, int accumulate)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, n) {
        const unsigned row = columns.divide(i), column = i - row * columns.divisor;
        const float v = from[(size_t)row * fromStride + column];
        float* const target = to + (size_t)row * toStride + column;
        *target = accumulate ? *target + v : v;
    }
}
EXPORT(copy_block)

// y = x; either may be bf16.
KERNEL __launch_bounds__(256) convert(const float* __restrict__ x, int x_is_half, float* __restrict__ y, int y_is_half, unsigned n)
{
    AFTER_EARLIER_KERNELS();
    const Numbers from = {x, x_is_half != 0}, to = {y, y_is_half != 0};
    const unsigned quads = is_aligned16(x) && is_aligned16(y) ? n / 4 : 0;
    FOR_EACH(i, quads)
        store_numbers4(to, 4 * (size_t)i, load_numbers4(from, 4 * (size_t)i));
    FOR_EACH(i, n - 4 * quads)
        store_number(to, 4 * quads + i, load_number(from, 4 * quads + i));
}
EXPORT(convert)

// For each axis of y, from the last: its size, and the stride of the same axis in x.
struct Permutation {
    Divider size[5];
    unsigned stride[5];
};

KERNEL __launch_bounds__(256) permute(const float* __restrict__ x, float* __restrict__ y, unsigned n, Permutation axes)
{
    AFTER_EARLIER_KERNELS();
    FOR_EACH(i, n) {
        unsigned rest = i, from = 0;
#pragma unroll
        for (int axis = 0; axis < 5; axis++) {
            const unsigned next = axes.size[axis].divide(rest);
            from += (rest - next * axes.size[axis].divisor) * axes.stride[axis];
            rest = next;
        }
        y[i] = x[from];
    }
}
EXPORT(permute)

// table: rows of `width` bytes; indices: [gridDim.x] from first[0] (0 where absent) on; y: [gridDim.x, width].
KERNEL __launch_bounds__(256) gather_bytes(const unsigned char* __restrict__ table, const int* __restrict__ indices, const int* __restrict__ first, unsigned width, float scale, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const unsigned char* const from = table + (size_t)indices[(first ? first[0] : 0) + blockIdx.x] * width;
    float* const to = y + (size_t)blockIdx.x * width;
    const unsigned quads = (reinterpret_cast<size_t>(from) & 3) == 0 && is_aligned16(to) ? width / 4 : 0;
    for (unsigned i = threadIdx.x; i < quads; i += blockDim.x) {
        const unsigned four = reinterpret_cast<const unsigned*>(from)[i];
        store4(to + 4 * i, make_float4((float)(four & 255) * scale, (float)(four >> 8 & 255) * scale, (float)(four >> 16 & 255) * scale, (float)(four >> 24) * scale));
    }
    for (unsigned i = 4 * quads + threadIdx.x; i < width; i += blockDim.x)
        to[i] = (float)from[i] * scale;
}
EXPORT(gather_bytes)

KERNEL __launch_bounds__(256) gather_rows(const float* __restrict__ table, const int* __restrict__ indices, unsigned width, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const float* const from = table + (size_t)indices[blockIdx.x] * width;
    float* const to = y + (size_t)blockIdx.x * width;
    const unsigned quads = is_aligned16(from) && is_aligned16(to) ? width / 4 : 0;
    for (unsigned i = threadIdx.x; i < quads; i += blockDim.x)
        store4(to + 4 * i, load4(from + 4 * i));
    for (unsigned i = 4 * quads + threadIdx.x; i < width; i += blockDim.x)
        to[i] = from[i];
}
EXPORT(gather_rows)
