// A transposed convolution to few channels: the last layer of a decoder, [B OH OW, out] to images of 1 to 4 channels. As a tile of conv.cuh it would use 1 to 4 of 32 columns, and read
// each pixel of dy once for every tap that it has: 16 times at 4 x 4, stride 2, 128 floats for one number of a MNIST picture.
//   4 (|dy| + |w| + |dx|) bytes at least; 2 B OH OW out taps in operations; MNIST's last layer: 28 KB and 0.2 MFLOP an image, so the memory's rate is the limit even in float32
// A block has some rows of one image. The pixels of dy that reach them are read once into shared memory; P [taps in, pixels] = w dy^T is computed there, a warp 128 pixels by 4 of its lines at
// a time; then each number of dx adds up its at most (kernel / stride)^2 places of P. In float32 whatever the precision: the sums do not depend on the cut into blocks.
// Ladder: implicit GEMM (conv.cuh) -> this version.
#include "gemm.cuh"

struct FewChannels {
    unsigned rows;    // of dx in a block
    unsigned pixels;  // of dy that a block has room for
};

constexpr unsigned PixelsOfThread = 4, LinesOfWarp = 4;

KERNEL __launch_bounds__(256) conv_backward_data_few(const float* __restrict__ dy, const float* __restrict__ w, ConvGeometry g, Epilogue e, FewChannels few)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(shared);
    const unsigned lines = g.kernel_height * g.kernel_width * g.in_channels, depth = g.out_channels, padded = depth + 4;
    float* const weights = shared;                           // [lines, depth]
    float* const pixels = weights + lines * depth;           // [few.pixels, padded]
    float* const products = pixels + few.pixels * padded;    // [lines, few.pixels]
    const unsigned image = blockIdx.x, first_row = blockIdx.y * few.rows, end_row = first_row + few.rows < g.height ? first_row + few.rows : g.height;

    // Row i of dy and tap k meet row i stride - padding + k of dx.
    const int reach = (int)(first_row + g.padding) - (int)(g.kernel_height - 1), stride = (int)g.stride;
    const unsigned first = reach <= 0 ? 0 : (unsigned)((reach + stride - 1) / stride), last = (end_row - 1 + g.padding) / g.stride;
    const unsigned end = last + 1 < g.out_height ? last + 1 : g.out_height, count = end > first ? (end - first) * g.out_width : 0;
    for (unsigned i = threadIdx.x; i < lines * depth / 4; i += blockDim.x)
        store4(weights + 4 * i, load4(w + 4 * i));
    const float* const from = dy + (size_t)(image * g.out_height + first) * g.out_width * depth;
    for (unsigned i = threadIdx.x; i < count * depth / 4; i += blockDim.x) {
        const unsigned pixel = 4 * i / depth;
        store4(pixels + pixel * padded + (4 * i - pixel * depth), load4(from + 4 * i));
    }
    __syncthreads();

    const unsigned warps = blockDim.x / 32, lane = threadIdx.x & 31, groups = (lines + LinesOfWarp - 1) / LinesOfWarp, span = 32 * PixelsOfThread;
    for (unsigned item = threadIdx.x / 32; item < groups * ((count + span - 1) / span); item += warps) {
        const unsigned line0 = item % groups * LinesOfWarp, pixel0 = item / groups * span + lane;
        float sums[LinesOfWarp][PixelsOfThread];
#pragma unroll
        for (unsigned l = 0; l < LinesOfWarp; l++)
#pragma unroll
            for (unsigned p = 0; p < PixelsOfThread; p++)
                sums[l][p] = 0.0f;
        for (unsigned k = 0; k < depth; k += 4) {
            float4 x[PixelsOfThread];
#pragma unroll
            for (unsigned p = 0; p < PixelsOfThread; p++) {
                const unsigned pixel = pixel0 + 32 * p;
                x[p] = load4(pixels + (pixel < count ? pixel : 0) * padded + k);
            }
#pragma unroll
            for (unsigned l = 0; l < LinesOfWarp; l++) {
                const unsigned line = line0 + l;
                const float4 v = load4(weights + (line < lines ? line : 0) * depth + k);
#pragma unroll
                for (unsigned p = 0; p < PixelsOfThread; p++)
                    sums[l][p] = fmaf(x[p].w, v.w, fmaf(x[p].z, v.z, fmaf(x[p].y, v.y, fmaf(x[p].x, v.x, sums[l][p]))));
            }
        }
#pragma unroll
        for (unsigned l = 0; l < LinesOfWarp; l++)
#pragma unroll
            for (unsigned p = 0; p < PixelsOfThread; p++)
                if (line0 + l < lines && pixel0 + 32 * p < count)
                    products[(line0 + l) * few.pixels + pixel0 + 32 * p] = sums[l][p];
    }
    __syncthreads();

    const unsigned line = g.width * g.in_channels;
    const size_t start = ((size_t)image * g.height + first_row) * line;
    for (unsigned i = threadIdx.x; i < (end_row - first_row) * line; i += blockDim.x) {
        const unsigned row = i / line, column = (i - row * line) / g.in_channels, channel = i - row * line - column * g.in_channels;
        const unsigned y = first_row + row + g.padding, x = column + g.padding;
        float sum = 0.0f;
        for (unsigned ky = y % g.stride; ky < g.kernel_height && ky <= y; ky += g.stride) {
            const unsigned from_row = (y - ky) / g.stride;
            if (from_row >= g.out_height)
                continue;
            for (unsigned kx = x % g.stride; kx < g.kernel_width && kx <= x; kx += g.stride) {
                const unsigned from_column = (x - kx) / g.stride;
                if (from_column < g.out_width)
                    sum += products[((ky * g.kernel_width + kx) * g.in_channels + channel) * few.pixels + (from_row - first) * g.out_width + from_column];
            }
        }
        finish_one(e, start + i, channel, sum);
    }
}
EXPORT(conv_backward_data_few)
