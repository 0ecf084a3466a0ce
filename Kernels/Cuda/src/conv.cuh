// NHWC convolutions as matrix products whose operands are looked up in the image (implicit GEMM); weights [kernel_height, kernel_width, in, out]. The kernels, for the file
// that includes this one and says how a tile is multiplied, as in matmul.cuh.
//   forward          C = y [B OH OW, out], K = taps in:          2 B OH OW out taps in operations, 4 (|x| + |w| + |y|) bytes at least
//   backward_data    C = dx [pixels of a class, in], K = taps of the class x out, blockIdx.z the class: the same operations, none with inserted zeros
//   backward_weight  C = dw [taps in, out], K = B OH OW, shared among blocks: the same operations; the sums are added in a fixed order
// At the VAE's sizes (32 to 64 channels, 4 x 4, stride 2) that is 10 to 60 operations a byte: bound by FMA in fp32, near the memory's rate on tensor cores.
// Kernels: conv_DIRECTION_TILE_vWIDTH_PRECISION.
#pragma once
#include "gemm.cuh"

template<class T> DEVICE void forward(const float* x, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.kernel_height * g.kernel_width * g.in_channels;
    product<T>(ForwardWindow(numbers_of<T>(x, e, HalfA), g), ColumnMajor{numbers_of<T>(w, e, HalfB), g.out_channels, k, Columns::of_one(g.out_channels)},
        PlainRows{g.batch * g.out_height * g.out_width, g.out_channels, Columns::of_one(g.out_channels), Columns::of_one(0)}, e, k, shared);
}

template<class T> DEVICE void backward_data(const float* dy, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const PixelClass pixels(g, blockIdx.z);
    const unsigned k = pixels.y.taps * pixels.x.taps * g.out_channels;
    product<T>(BackwardWindow(numbers_of<T>(dy, e, HalfA), g, pixels), BackwardWeights{numbers_of<T>(w, e, HalfB), g, pixels}, PixelRows(g, pixels), e, k, shared);
}

template<class T> DEVICE void backward_weight(const float* x, const float* dy, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.batch * g.out_height * g.out_width;
    product<T>(TransposedWindow{numbers_of<T>(x, e, HalfA), g}, ColumnMajor{numbers_of<T>(dy, e, HalfB), g.out_channels, k, Columns::of_one(g.out_channels)},
        PlainRows{g.kernel_height * g.kernel_width * g.in_channels, g.out_channels, Columns::of_one(g.out_channels), Columns::of_one(0)}, e, k, shared);
}

#define CONV(direction, rows, columns, width) CONV_KERNEL(TILE_NAME(conv_##direction, rows, columns, width), direction, rows, columns, width)
#define CONV_KERNEL(name, direction, rows, columns, width)                                                                               \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e) \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        direction<Tile<rows, columns, width>>(a, b, g, e, shared);                                                                       \
    }                                                                                                                                    \
    EXPORT(name)

// The bias gradient may join.
#define CONV_WEIGHT(rows, columns, width) CONV_WEIGHT_KERNEL(TILE_NAME(conv_backward_weight, rows, columns, width), rows, columns, width)
#define CONV_WEIGHT_KERNEL(name, rows, columns, width)                                                                                   \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(                                                                  \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e, ColumnSums sums)                           \
    {                                                                                                                                    \
        AFTER_EARLIER_KERNELS();                                                                                                         \
        DYNAMIC_SHARED(shared);                                                                                                          \
        typedef Tile<rows, columns, width> T;                                                                                            \
        if (sum_columns<T::Threads, T::Halves>(sums, shared))                                                                            \
            return;                                                                                                                      \
        backward_weight<T>(a, b, g, e, shared);                                                                                          \
    }                                                                                                                                    \
    EXPORT(name)

CONV(forward, 128, 64, 4)
CONV(forward, 128, 32, 4)
CONV(backward_data, 128, 64, 4)
CONV(backward_data, 128, 32, 4)
CONV_WEIGHT(128, 64, 4)
CONV_WEIGHT(128, 32, 4)

#if !defined(VECTORS_ONLY)
CONV(forward, 128, 32, 1)
CONV(backward_data, 128, 32, 1)
CONV_WEIGHT(128, 32, 1)
#endif
