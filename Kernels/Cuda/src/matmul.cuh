// C [M, N] (+)= op(A) op(B), + bias, ReLU, ReLU mask: the kernels, for the file that includes this one and says how a tile is multiplied:
//   PRECISION                         the end of the kernels' names
//   Tile<rows, columns, width>        a way of multiplying, see product() in gemm.cuh
//   VECTORS_ONLY                      where it cannot load single floats but can multiply 128 x 256 tiles: wgmma
//   4 (M K + K N + M N) bytes at least and 2 M N K operations; the tiles move 4 K (M N / 128 + N M / 128) bytes: 4096^3 is 137 GFLOP over 201 MB at least
// Kernels: matmul_LAYOUT_TILE_vWIDTH_PRECISION; layout: n as it is, t transposed; width: floats a load, 1 where sizes or addresses are no multiples of 4.
// Two heads on one layer are one product here: forward and in the weight gradient the columns of B and C lie in two matrices each, in the data gradient K runs over both.
#pragma once
#include "gemm.cuh"

#define MATMUL(layout, A, B, rows, columns, width) MATMUL_KERNEL(TILE_NAME(matmul_##layout, rows, columns, width), A, B, rows, columns, width)
#define MATMUL_KERNEL(name, A, B, rows, columns, width)                                                                                  \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(                                                                  \
        const float* __restrict__ a, const float* __restrict__ b, ProductShape s, Epilogue e)                                            \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        typedef Tile<rows, columns, width> T;                                                                                            \
        product<T>(A{numbers_of<T>(a, e, HalfA), s.m, s.k, s.a}, B{numbers_of<T>(b, e, HalfB), s.n, s.k, s.b}, PlainRows{s.m, s.n, s.c, s.bias}, e, s.k, shared); \
    }                                                                                                                                    \
    EXPORT(name)

// The layout of a linear layer's weight gradient, which the bias gradient may join.
#define MATMUL_TN(rows, columns, width) MATMUL_TN_KERNEL(TILE_NAME(matmul_tn, rows, columns, width), rows, columns, width)
#define MATMUL_TN_KERNEL(name, rows, columns, width)                                                                                     \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(                                                                  \
        const float* __restrict__ a, const float* __restrict__ b, ProductShape s, Epilogue e, ColumnSums sums)                           \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        typedef Tile<rows, columns, width> T;                                                                                            \
        if (sum_columns<T::Threads, T::Halves>(sums, shared))                                                                            \
            return;                                                                                                                      \
        product<T>(ColumnMajor{numbers_of<T>(a, e, HalfA), s.m, s.k, s.a}, ColumnMajor{numbers_of<T>(b, e, HalfB), s.n, s.k, s.b},       \
            PlainRows{s.m, s.n, s.c, s.bias}, e, s.k, shared);                                                                           \
    }                                                                                                                                    \
    EXPORT(name)

#define MATMUL_LAYOUT(layout, A, B)      \
    MATMUL(layout, A, B, 128, 128, 4)    \
    MATMUL(layout, A, B, 64, 64, 4)

MATMUL_LAYOUT(nn, RowMajor, ColumnMajor)
MATMUL_LAYOUT(nt, RowMajor, RowMajor)
MATMUL_TN(128, 128, 4)
MATMUL_TN(64, 64, 4)
MATMUL_LAYOUT(tt, ColumnMajor, RowMajor)

#if defined(VECTORS_ONLY)
MATMUL(nn, RowMajor, ColumnMajor, 128, 256, 4)
MATMUL(nt, RowMajor, RowMajor, 128, 256, 4)
MATMUL_TN(128, 256, 4)
MATMUL(tt, ColumnMajor, RowMajor, 128, 256, 4)
#else
MATMUL(nn, RowMajor, ColumnMajor, 64, 64, 1)
MATMUL(nt, RowMajor, RowMajor, 64, 64, 1)
MATMUL_TN(64, 64, 1)
MATMUL(tt, ColumnMajor, RowMajor, 64, 64, 1)
#endif
