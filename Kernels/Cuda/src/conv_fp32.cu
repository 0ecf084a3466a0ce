// NHWC convolutions as matrix products whose operands are looked up in the image (implicit GEMM), in float32; weights [kernel_height, kernel_width, in, out].
//   forward          C = y [B OH OW, out], K = taps in:          2 B OH OW out taps in operations, 4 (|x| + |w| + |y|) bytes at least
//   backward_data    C = dx [pixels of a class, in], K = taps of the class x out, blockIdx.z the class: the same operations, none with inserted zeros
//   backward_weight  C = dw [taps in, out], K = B OH OW, shared among blocks: the same operations; the sums are added in a fixed order
// At the VAE's sizes (32 to 64 channels, 4 x 4, stride 2) that is 10 to 60 operations a byte: bound by FMA in fp32, near the memory's rate in tf32.
// Ladder: im2col and a product (9 to 16 times the bytes of x written and read) -> implicit, tiles of 128 pixels x 32 or 64 channels (this version).
// Kernels: conv_DIRECTION_TILE_vWIDTH_fp32.
#include "gemm_fp32.cuh"

#define CONV(direction, rows, columns, width)                                                                                             \
    KERNEL __launch_bounds__(rows / 8 * columns / 4) conv_##direction##_##rows##x##columns##_v##width##_fp32(                            \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e)                                            \
    {                                                                                                                                    \
        __shared__ __align__(16) float shared[shared_fp32(rows, columns, 16)];                                                           \
        direction<rows, columns, width>(a, b, g, e, shared);                                                                             \
    }                                                                                                                                    \
    EXPORT(conv_##direction##_##rows##x##columns##_v##width##_fp32)

#define CONV_TILES(direction)    \
    CONV(direction, 128, 64, 4)  \
    CONV(direction, 128, 32, 4)  \
    CONV(direction, 128, 32, 1)

template<int Rows, int Columns, int Width> DEVICE void forward(const float* x, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.kernel_height * g.kernel_width * g.in_channels;
    multiply_fp32<Rows, Columns, 16, 4, Width>(ForwardWindow(x, g), ColumnMajor{w, g.out_channels, k}, PlainRows{g.batch * g.out_height * g.out_width, g.out_channels}, e, k, shared);
}
CONV_TILES(forward)

template<int Rows, int Columns, int Width> DEVICE void backward_data(const float* dy, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const PixelClass pixels(g, blockIdx.z);
    const unsigned k = pixels.y.taps * pixels.x.taps * g.out_channels;
    multiply_fp32<Rows, Columns, 16, 4, Width>(BackwardWindow(dy, g, pixels), BackwardWeights{w, g, pixels}, PixelRows(g, pixels), e, k, shared);
}
CONV_TILES(backward_data)

template<int Rows, int Columns, int Width> DEVICE void backward_weight(const float* x, const float* dy, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.batch * g.out_height * g.out_width;
    multiply_fp32<Rows, Columns, 16, 4, Width>(TransposedWindow{x, g}, ColumnMajor{dy, g.out_channels, k}, PlainRows{g.kernel_height * g.kernel_width * g.in_channels, g.out_channels}, e, k, shared);
}

// The bias gradient may join.
#define CONV_WEIGHT(rows, columns, width)                                                                                                \
    KERNEL __launch_bounds__(rows / 8 * columns / 4) conv_backward_weight_##rows##x##columns##_v##width##_fp32(                          \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e, ColumnSums sums)                           \
    {                                                                                                                                    \
        __shared__ __align__(16) float shared[shared_fp32(rows, columns, 16)];                                                           \
        if (sum_columns<rows / 8 * columns / 4>(sums, shared))                                                                           \
            return;                                                                                                                      \
        backward_weight<rows, columns, width>(a, b, g, e, shared);                                                                       \
    }                                                                                                                                    \
    EXPORT(conv_backward_weight_##rows##x##columns##_v##width##_fp32)

CONV_WEIGHT(128, 64, 4)
CONV_WEIGHT(128, 32, 4)
CONV_WEIGHT(128, 32, 1)
