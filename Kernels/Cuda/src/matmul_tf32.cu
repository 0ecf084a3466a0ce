// C [M, N] (+)= op(A) op(B), + bias, ReLU, ReLU mask, operands in tf32, sums in float32.
//   4 (M K + K N + M N) bytes at least and 2 M N K operations; the tiles move 4 K (M N / 128 + N M / 128) bytes: 4096^3 is 137 GFLOP over 201 MB at least
// Ladder: fp32 -> mma.sync with three stages of asynchronous copies, 128 x 128 tiles of 64 x 32 a warp -> small products in 64 x 64 tiles with K shared among blocks
// (this version). On compute capability 9.0 mma.sync reaches a part of the tensor cores' rate only; wgmma fed by the copy engine would be the next step there.
// Kernels: matmul_LAYOUT_TILE_vWIDTH_tf32, named as in matmul_fp32.cu.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_tf32.cuh"

#define MATMUL_THREADS(rows, columns, warp_rows, warp_columns) (rows / warp_rows * columns / warp_columns * 32)

#define MATMUL(layout, A, B, rows, columns, warp_rows, warp_columns, width)                                                              \
    KERNEL __launch_bounds__(MATMUL_THREADS(rows, columns, warp_rows, warp_columns)) matmul_##layout##_##rows##x##columns##_v##width##_tf32(     \
        const float* __restrict__ a, const float* __restrict__ b, unsigned m, unsigned n, unsigned k, Epilogue e)                        \
    {                                                                                                                                    \
        DYNAMIC_SHARED(shared);                                                                                                          \
        multiply_tf32<rows, columns, warp_rows, warp_columns, width>(A{a, m, k}, B{b, n, k}, PlainRows{m, n}, e, k, shared);              \
    }                                                                                                                                    \
    EXPORT(matmul_##layout##_##rows##x##columns##_v##width##_tf32)

#define MATMUL_LAYOUT(layout, A, B)             \
    MATMUL(layout, A, B, 128, 128, 64, 32, 4)   \
    MATMUL(layout, A, B, 64, 64, 32, 32, 4)     \
    MATMUL(layout, A, B, 64, 64, 32, 32, 1)

// The layout of a linear layer's weight gradient, which the bias gradient may join.
#define MATMUL_TN(rows, columns, warp_rows, warp_columns, width)                                                                         \
    KERNEL __launch_bounds__(MATMUL_THREADS(rows, columns, warp_rows, warp_columns)) matmul_tn_##rows##x##columns##_v##width##_tf32(     \
        const float* __restrict__ a, const float* __restrict__ b, unsigned m, unsigned n, unsigned k, Epilogue e, ColumnSums sums)       \
    {                                                                                                                                    \
        DYNAMIC_SHARED(shared);                                                                                                          \
        if (sum_columns<MATMUL_THREADS(rows, columns, warp_rows, warp_columns)>(sums, shared))                                           \
            return;                                                                                                                      \
        multiply_tf32<rows, columns, warp_rows, warp_columns, width>(ColumnMajor{a, m, k}, ColumnMajor{b, n, k}, PlainRows{m, n}, e, k, shared); \
    }                                                                                                                                    \
    EXPORT(matmul_tn_##rows##x##columns##_v##width##_tf32)

MATMUL_LAYOUT(nn, RowMajor, ColumnMajor)
MATMUL_LAYOUT(nt, RowMajor, RowMajor)
MATMUL_TN(128, 128, 64, 32, 4)
MATMUL_TN(64, 64, 32, 32, 4)
MATMUL_TN(64, 64, 32, 32, 1)
MATMUL_LAYOUT(tt, ColumnMajor, RowMajor)
#endif
