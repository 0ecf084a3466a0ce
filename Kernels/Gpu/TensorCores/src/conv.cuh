// NHWC convolutions as matrix products whose operands are looked up in the image (implicit GEMM); weights [kernel_height, kernel_width, in,
// out]. The kernels, for the file that includes this one and says how a tile is multiplied, as in matmul.cuh.
//   forward          C = y [B OH OW, out], K = taps in:  2 B OH OW out taps in operations, 4 (|x| + |w| + |y|) bytes at least
//   backward_data    C = dx [pixels of a class, in], K = taps of the class x out, blockIdx.z the class: the same operations, none with
//                    inserted zeros
//   backward_weight  C = dw [taps in, out], K = B OH OW, shared among blocks: the same operations; the sums are added in a fixed order
// At the VAE's sizes (32 to 64 channels, 4 x 4, stride 2) that is 10 to 60 operations a byte: near the memory's rate on tensor cores.
// Kernels: conv_DIRECTION_TILE_vWIDTH_PRECISION.
#pragma once
#include "product.cuh"

template<class T> DEVICE void forward(const float* x, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.kernel_height * g.kernel_width * g.in_channels;
    const PlainRows y = {g.batch * g.out_height * g.out_width, g.out_channels};
    product<T>(ForwardWindow(x, g), ColumnMajor{w, g.out_channels, k}, y, e, k, shared);
}

template<class T> DEVICE void backward_data(const float* dy, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const PixelClass pixels(g, blockIdx.z);
    const unsigned k = pixels.y.taps * pixels.x.taps * g.out_channels;
    product<T>(BackwardWindow(dy, g, pixels), BackwardWeights{w, g, pixels}, PixelRows(g, pixels), e, k, shared);
}

template<class T> DEVICE void backward_weight(const float* x, const float* dy, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.batch * g.out_height * g.out_width;
    const PlainRows dw = {g.kernel_height * g.kernel_width * g.in_channels, g.out_channels};
    product<T>(TransposedWindow{x, g}, ColumnMajor{dy, g.out_channels, k}, dw, e, k, shared);
}

#define CONV(direction, rows, columns, width) \
    CONV_KERNEL(TILE_NAME(conv_##direction, rows, columns, width), direction, rows, columns, width)
#define CONV_KERNEL(name, direction, rows, columns, width)                                                                \
    KERNEL __launch_bounds__(Tile<rows, columns, width>::Threads) name(                                                   \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e)                             \
    {                                                                                                                     \
        DYNAMIC_SHARED(shared);                                                                                           \
        direction<Tile<rows, columns, width>>(a, b, g, e, shared);                                                        \
    }                                                                                                                     \
    EXPORT(name)

#define CONV_TILES(direction)   \
    CONV(direction, 128, 64, 4) \
    CONV(direction, 128, 32, 4) \
    CONV(direction, 128, 32, 1)

CONV_TILES(forward)
CONV_TILES(backward_data)
CONV_TILES(backward_weight)
