// Matrix products by wgmma whose A, and in a weight gradient B too, lies in memory as bf16 and is brought by the copy engine (TMA); for compute capability 9.0. Tiles and sums as in
// matmul_bf16_wgmma.cu, with the same bits. The bytes that a tile moves are 2 a number of a copied operand and 4 of the other.
// Ladder: wgmma on tiles that pass through registers (matmul_bf16_wgmma.cu) -> copied (this version). Which one is used is measured (tiles.csv); counted in docs/cuda-kernels.md, section 3.
// Kernels: matmul_LAYOUT_TILE_v4_bf16_tma; nn and nt copy A [M, K], tn both A [K, M] and B [K, N]. Lines of what is copied are multiples of 8 numbers, addresses of 16 bytes.
#include "prelude.cuh"

#if HAS_WGMMA
#include "gemm_copies.cuh"

#define PRECISION bf16_tma

#define MATMUL(layout, B, rows, columns) MATMUL_KERNEL(TILE_NAME(matmul_##layout, rows, columns, 4), B, rows, columns)
#define MATMUL_KERNEL(name, B, rows, columns)                                                                                            \
    KERNEL __launch_bounds__(TileCopied<rows, columns>::Threads) name(TensorMap a, const float* __restrict__ b, ProductShape s, Epilogue e) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        TENSOR_MAP(map, name, 0, a);                                                                                                     \
        typedef TileCopied<rows, columns> T;                                                                                             \
        product<T>(Copied<true>{map}, B{numbers_of<T>(b, e, HalfB), s.n, s.k, s.b}, PlainRows{s.m, s.n, s.c, s.bias}, e, s.k, shared);    \
    }                                                                                                                                    \
    EXPORT(name)

#define MATMUL_TN(rows, columns) MATMUL_TN_KERNEL(TILE_NAME(matmul_tn, rows, columns, 4), rows, columns)
#define MATMUL_TN_KERNEL(name, rows, columns)                                                                                            \
    KERNEL __launch_bounds__(TileCopied<rows, columns>::Threads) name(TensorMap a, TensorMap b, ProductShape s, Epilogue e, ColumnSums sums) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        typedef TileCopied<rows, columns> T;                                                                                             \
        if (sum_columns<T::Threads, T::Halves>(sums, shared))                                                                            \
            return;                                                                                                                      \
        TENSOR_MAP(map_a, name, 0, a);                                                                                                   \
        TENSOR_MAP(map_b, name, 1, b);                                                                                                   \
        product<T>(Copied<false>{map_a}, Copied<false>{map_b}, PlainRows{s.m, s.n, s.c, s.bias}, e, s.k, shared);                        \
    }                                                                                                                                    \
    EXPORT(name)

#define EACH_LAYOUT(rows, columns)         \
    MATMUL(nn, ColumnMajor, rows, columns) \
    MATMUL(nt, RowMajor, rows, columns)    \
    MATMUL_TN(rows, columns)

EACH_LAYOUT(64, 64)
EACH_LAYOUT(128, 128)
EACH_LAYOUT(128, 256)
#endif
