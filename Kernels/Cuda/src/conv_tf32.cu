// NHWC convolutions as matrix products whose operands are looked up in the image (implicit GEMM), operands in tf32, sums in float32.
// Shapes, bytes and operations are those of conv_fp32.cu. At 32 to 64 channels a launch has 10 to 60 operations a byte, so the memory's rate is the limit here.
// Ladder: fp32 -> mma.sync, the window's elements copied asynchronously straight from the image, zeros outside it from the copy itself (this version).
// Kernels: conv_DIRECTION_TILE_vWIDTH_tf32.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_tf32.cuh"

#define CONV(direction, rows, columns, width)                                                                                            \
    KERNEL __launch_bounds__(rows / 32 * columns / 32 * 32) conv_##direction##_##rows##x##columns##_v##width##_tf32(                     \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e)                                            \
    {                                                                                                                                    \
        DYNAMIC_SHARED(shared);                                                                                                          \
        direction<rows, columns, width>(a, b, g, e, shared);                                                                             \
    }                                                                                                                                    \
    EXPORT(conv_##direction##_##rows##x##columns##_v##width##_tf32)

#define CONV_TILES(direction)    \
    CONV(direction, 128, 64, 4)  \
    CONV(direction, 128, 32, 4)  \
    CONV(direction, 128, 32, 1)

template<int Rows, int Columns, int Width> DEVICE void forward(const float* x, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.kernel_height * g.kernel_width * g.in_channels;
    multiply_tf32<Rows, Columns, 32, 32, Width>(ForwardWindow(x, g), ColumnMajor{w, g.out_channels, k}, PlainRows{g.batch * g.out_height * g.out_width, g.out_channels}, e, k, shared);
}
CONV_TILES(forward)

template<int Rows, int Columns, int Width> DEVICE void backward_data(const float* dy, const float* w, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const PixelClass pixels(g, blockIdx.z);
    const unsigned k = pixels.y.taps * pixels.x.taps * g.out_channels;
    multiply_tf32<Rows, Columns, 32, 32, Width>(BackwardWindow(dy, g, pixels), BackwardWeights{w, g, pixels}, PixelRows(g, pixels), e, k, shared);
}
CONV_TILES(backward_data)

template<int Rows, int Columns, int Width> DEVICE void backward_weight(const float* x, const float* dy, const ConvGeometry& g, const Epilogue& e, float* shared)
{
    const unsigned k = g.batch * g.out_height * g.out_width;
    multiply_tf32<Rows, Columns, 32, 32, Width>(TransposedWindow{x, g}, ColumnMajor{dy, g.out_channels, k}, PlainRows{g.kernel_height * g.kernel_width * g.in_channels, g.out_channels}, e, k, shared);
}

// The bias gradient may join.
#define CONV_WEIGHT(rows, columns, width)                                                                                                \
    KERNEL __launch_bounds__(rows / 32 * columns / 32 * 32) conv_backward_weight_##rows##x##columns##_v##width##_tf32(                   \
        const float* __restrict__ a, const float* __restrict__ b, ConvGeometry g, Epilogue e, ColumnSums sums)                           \
    {                                                                                                                                    \
        DYNAMIC_SHARED(shared);                                                                                                          \
        if (sum_columns<rows / 32 * columns / 32 * 32>(sums, shared))                                                                    \
            return;                                                                                                                      \
        backward_weight<rows, columns, width>(a, b, g, e, shared);                                                                       \
    }                                                                                                                                    \
    EXPORT(conv_backward_weight_##rows##x##columns##_v##width##_tf32)

CONV_WEIGHT(128, 64, 4)
CONV_WEIGHT(128, 32, 4)
CONV_WEIGHT(128, 32, 1)
#endif
