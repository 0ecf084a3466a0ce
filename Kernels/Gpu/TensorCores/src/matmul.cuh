// C [M, N] (+)= op(A) op(B), + bias, ReLU, ReLU mask: the kernels, for the file that includes this one and says how a tile is multiplied:
//   PRECISION                   the end of the kernels' names
//   Tile<rows, columns, width>  a way of multiplying, see product() in product.cuh
// 4 (M K + K N + M N) bytes at least and 2 M N K operations; the tiles move 4 K (M N / 128 + N M / 128) bytes: 4096^3 is 137 GFLOP over
// 201 MB at least. Kernels: matmul_LAYOUT_TILE_vWIDTH_PRECISION; layout: n as it is, t transposed.
#pragma once
#include "product.cuh"

#define MATMUL(layout, A, B, rows, columns, width) \
    MATMUL_KERNEL(TILE_NAME(matmul_##layout, rows, columns, width), A, B, rows, columns, width)
#define MATMUL_KERNEL(name, A, B, rows, columns, width)                                                                   \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(                                                   \
        const float* __restrict__ a, const float* __restrict__ b, ProductShape s, Epilogue e)                             \
    {                                                                                                                     \
        DYNAMIC_SHARED(shared);                                                                                           \
        product<Tile<rows, columns, width>>(A{a, s.m, s.k}, B{b, s.n, s.k}, PlainRows{s.m, s.n}, e, s.k, shared);         \
    }                                                                                                                     \
    EXPORT(name)

#define MATMUL_LAYOUT(layout, A, B)   \
    MATMUL(layout, A, B, 128, 128, 4) \
    MATMUL(layout, A, B, 64, 64, 4)   \
    MATMUL(layout, A, B, 64, 64, 1)

MATMUL_LAYOUT(nn, RowMajor, ColumnMajor)
MATMUL_LAYOUT(nt, RowMajor, RowMajor)
MATMUL_LAYOUT(tn, ColumnMajor, ColumnMajor)
// Nothing trains through this one: the kernel that takes every size is enough.
MATMUL(tt, ColumnMajor, RowMajor, 64, 64, 1)
