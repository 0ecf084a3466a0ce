// C [M, N] (+)= op(A) op(B), + bias, ReLU, ReLU mask, in float32.
//   4 (M K + K N + M N) bytes at least and 2 M N K operations; the tiles move 4 K (M N / 128 + N M / 128) bytes: 4096^3 is 137 GFLOP over 201 MB at least
// Ladder: one sum a thread -> 128 x 128 tiles through shared memory, 8 x 8 sums a thread, the next step loaded while this one is used ->
// small products in 64 x 64 tiles with K shared among blocks, so that 100 x 256 x 1568 fills the card (this version).
// Kernels: matmul_LAYOUT_TILE_vWIDTH_fp32; layout: n as it is, t transposed; width: floats a load, 1 where sizes or addresses are no multiples of 4.
#include "gemm_fp32.cuh"

#define MATMUL_THREADS(rows, columns, thread_columns) (rows / 8 * columns / thread_columns)

#define MATMUL(layout, A, B, rows, columns, depth, thread_columns, width)                                                                \
    KERNEL __launch_bounds__(MATMUL_THREADS(rows, columns, thread_columns)) matmul_##layout##_##rows##x##columns##_v##width##_fp32(                \
        const float* __restrict__ a, const float* __restrict__ b, unsigned m, unsigned n, unsigned k, Epilogue e)                        \
    {                                                                                                                                    \
        __shared__ __align__(16) float shared[shared_fp32(rows, columns, depth)];                                                        \
        multiply_fp32<rows, columns, depth, thread_columns, width>(A{a, m, k}, B{b, n, k}, PlainRows{m, n}, e, k, shared);                \
    }                                                                                                                                    \
    EXPORT(matmul_##layout##_##rows##x##columns##_v##width##_fp32)

#define MATMUL_LAYOUT(layout, A, B)           \
    MATMUL(layout, A, B, 128, 128, 8, 8, 4)   \
    MATMUL(layout, A, B, 64, 64, 16, 4, 4)    \
    MATMUL(layout, A, B, 64, 64, 16, 4, 1)

// The layout of a linear layer's weight gradient, which the bias gradient may join.
#define MATMUL_TN(rows, columns, depth, thread_columns, width)                                                                           \
    KERNEL __launch_bounds__(MATMUL_THREADS(rows, columns, thread_columns)) matmul_tn_##rows##x##columns##_v##width##_fp32(              \
        const float* __restrict__ a, const float* __restrict__ b, unsigned m, unsigned n, unsigned k, Epilogue e, ColumnSums sums)       \
    {                                                                                                                                    \
        __shared__ __align__(16) float shared[shared_fp32(rows, columns, depth)];                                                        \
        if (sum_columns<MATMUL_THREADS(rows, columns, thread_columns)>(sums, shared))                                                    \
            return;                                                                                                                      \
        multiply_fp32<rows, columns, depth, thread_columns, width>(ColumnMajor{a, m, k}, ColumnMajor{b, n, k}, PlainRows{m, n}, e, k, shared); \
    }                                                                                                                                    \
    EXPORT(matmul_tn_##rows##x##columns##_v##width##_fp32)

MATMUL_LAYOUT(nn, RowMajor, ColumnMajor)
MATMUL_LAYOUT(nt, RowMajor, RowMajor)
MATMUL_TN(128, 128, 8, 8, 4)
MATMUL_TN(64, 64, 16, 4, 4)
MATMUL_TN(64, 64, 16, 4, 1)
MATMUL_LAYOUT(tt, ColumnMajor, RowMajor)
