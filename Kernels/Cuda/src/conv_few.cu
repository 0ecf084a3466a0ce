// The single-channel ends of a VAE: convolutions between images of 1 to 4 channels and feature maps [B OH OW, out], in all three directions. A tile of conv.cuh would use 1 to 4 of 32 columns
// or 16 of 128 rows, load single numbers, and read each pixel of a feature map once for every tap that it has: 16 times at 4 x 4, stride 2.
//   (|images| + |w|) floats and the feature maps once, float32 or bf16; 2 B OH OW out taps in operations; at MNIST's ends: 28 KB (16 KB in bf16) and 0.2 MFLOP an image, so the memory's
//   rate is the limit even in float32, in which all of this is computed whatever the precision
//   forward          a block has some rows of one image's feature map: the encoder's first layer, and the data gradient of the decoder's last
//   backward_data    a block has some rows of one image: the decoder's last layer
//   backward_weight  a block has every gridDim.y-th image; the sums are shared among blocks as in gemm.cuh, and the bias gradient may join
// What few channels there are lies in shared memory with its zeros around it. P [taps in, pixels] = w dy^T of backward_data is computed there too, a warp 128 pixels by 4 of its lines at a
// time; then each number of dx adds up its at most (kernel / stride)^2 places of P.
// Ladder: implicit GEMM (conv.cuh) -> the decoder's last layer by itself -> both ends, all directions (this version).
#include "gemm.cuh"

struct FewChannels {
    unsigned rows;    // of the output in a block
    unsigned pixels;  // backward_data: of dy that a block has room for
};

constexpr unsigned FewThreads = 256, PixelsOfThread = 4, LinesOfWarp = 4;

// Rows [first, first + count) of the padded image, of `line` floats each, zeros outside of the image.
DEVICE void load_padded(const float* image, const ConvGeometry& g, unsigned first, unsigned count, unsigned line, float* padded)
{
    for (unsigned i = threadIdx.x; i < count * line; i += FewThreads) {
        const unsigned row = i / line, within = i - row * line, column = within / g.in_channels;
        const int y = (int)(first + row) - (int)g.padding, x = (int)column - (int)g.padding;
        const bool inside = (unsigned)y < g.height && (unsigned)x < g.width;
        padded[i] = inside ? image[((unsigned)y * g.width + (unsigned)x) * g.in_channels + within - column * g.in_channels] : 0.0f;
    }
}

DEVICE unsigned padded_line(const ConvGeometry& g) { return ((g.out_width - 1) * g.stride + g.kernel_width) * g.in_channels; }

KERNEL __launch_bounds__(256) conv_forward_few(const float* __restrict__ x, const float* __restrict__ w, ConvGeometry g, Epilogue e, FewChannels few)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(shared);
    constexpr unsigned Pixels = 8;
    const unsigned out = g.out_channels, window = g.kernel_width * g.in_channels, taps = g.kernel_height * window, line = padded_line(g);
    float* const weights = shared;              // [taps, out]
    float* const picture = weights + taps * out;  // [rows of the padded image, line]
    const unsigned image = blockIdx.x, first_row = blockIdx.y * few.rows, end_row = first_row + few.rows < g.out_height ? first_row + few.rows : g.out_height;
    for (unsigned i = threadIdx.x; i < taps * out / 4; i += FewThreads)
        store4(weights + 4 * i, load4(w + 4 * i));
    load_padded(x + (size_t)image * g.height * g.width * g.in_channels, g, first_row * g.stride, (end_row - first_row - 1) * g.stride + g.kernel_height, line, picture);
    __syncthreads();

    // A thread has four channels of eight pixels; neighbours have the other channels of the same pixels.
    const unsigned fours = out / 4, pixels = (end_row - first_row) * g.out_width, apart = (pixels + Pixels - 1) / Pixels;
    for (unsigned item = threadIdx.x; item < fours * apart; item += FewThreads) {
        const unsigned channel = item % fours * 4, pixel0 = item / fours;
        unsigned from[Pixels];
        float4 sums[Pixels];
#pragma unroll
        for (unsigned p = 0; p < Pixels; p++) {
            const unsigned pixel = pixel0 + p * apart < pixels ? pixel0 + p * apart : 0, row = pixel / g.out_width;
            from[p] = row * g.stride * line + (pixel - row * g.out_width) * g.stride * g.in_channels;
            sums[p] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        }
        for (unsigned ky = 0; ky < g.kernel_height; ky++)
            for (unsigned i = 0; i < window; i++) {
                const float4 v = load4(weights + (ky * window + i) * out + channel);
#pragma unroll
                for (unsigned p = 0; p < Pixels; p++) {
                    const float a = picture[from[p] + ky * line + i];
                    sums[p] = make_float4(fmaf(a, v.x, sums[p].x), fmaf(a, v.y, sums[p].y), fmaf(a, v.z, sums[p].z), fmaf(a, v.w, sums[p].w));
                }
            }
        const size_t start = ((size_t)image * g.out_height + first_row) * g.out_width;
#pragma unroll
        for (unsigned p = 0; p < Pixels; p++)
            if (pixel0 + p * apart < pixels)
                finish_four<true>(e, (start + pixel0 + p * apart) * out + channel, channel, sums[p]);
    }
}
EXPORT(conv_forward_few)

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
    for (unsigned i = threadIdx.x; i < lines * depth / 4; i += FewThreads)
        store4(weights + 4 * i, load4(w + 4 * i));
    const Numbers from = {dy, (e.halves & HalfA) != 0};
    const size_t start_of_dy = (size_t)(image * g.out_height + first) * g.out_width * depth;
    for (unsigned i = threadIdx.x; i < count * depth / 4; i += FewThreads) {
        const unsigned pixel = 4 * i / depth;
        store4(pixels + pixel * padded + (4 * i - pixel * depth), load_numbers4(from, start_of_dy + 4 * i));
    }
    __syncthreads();

    const unsigned warps = FewThreads / 32, lane = threadIdx.x & 31, groups = (lines + LinesOfWarp - 1) / LinesOfWarp, span = 32 * PixelsOfThread;
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
    for (unsigned i = threadIdx.x; i < (end_row - first_row) * line; i += FewThreads) {
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
        finish_one<true>(e, start + i, channel, sum);
    }
}
EXPORT(conv_backward_data_few)

// A block's weight gradient [taps, out], in shared memory; a thread always has the same numbers of it.
struct SharedShare {
    float* total;
    unsigned n;
    DEVICE_MEMBER unsigned floats() const { return n; }
    DEVICE_MEMBER void write(float* to) const
    {
        for (unsigned i = threadIdx.x; i < n; i += FewThreads)
            to[i] = total[i];
    }
    DEVICE_MEMBER void add_up(const float* from, unsigned count)
    {
        for (unsigned i = threadIdx.x; i < n; i += FewThreads) {
            float sum = 0.0f;
#pragma unroll 4
            for (unsigned b = 0; b < count; b++)
                sum += load_shared_by_blocks(from + (size_t)b * n + i);
            total[i] = sum;
        }
    }
};

KERNEL __launch_bounds__(256) conv_backward_weight_few(const float* __restrict__ x, const float* __restrict__ dy, ConvGeometry g, Epilogue e, ColumnSums columns)
{
    AFTER_EARLIER_KERNELS();
    DYNAMIC_SHARED(shared);
    if (sum_columns<FewThreads, true>(columns, shared))
        return;
    constexpr unsigned Taps = 4;
    const unsigned out = g.out_channels, window = g.kernel_width * g.in_channels, taps = g.kernel_height * window, line = padded_line(g);
    const unsigned picture_rows = (g.out_height - 1) * g.stride + g.kernel_height, pixels = g.out_height * g.out_width;
    // A thread has four channels of four taps, for every slices-th pixel; neighbours have the other channels, so that a pixel of dy is read as a whole.
    const unsigned fours = out / 4, items = fours * ((taps + Taps - 1) / Taps), slices = FewThreads / items;
    const unsigned slice = threadIdx.x / items, item = threadIdx.x - slice * items, channel = item % fours * 4, tap0 = item / fours * Taps;
    float* const parts = shared;                       // [slices, taps, out]
    float* const total = parts + slices * taps * out;  // [taps, out]
    float* const picture = total + taps * out;         // [picture_rows, line]
    unsigned at_tap[Taps];
    float4 sums[Taps];
#pragma unroll
    for (unsigned t = 0; t < Taps; t++) {
        const unsigned tap = tap0 + t < taps ? tap0 + t : 0, ky = tap / window;
        at_tap[t] = ky * line + tap - ky * window;
        sums[t] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    const Numbers from = {dy, (e.halves & HalfB) != 0};
    for (unsigned image = blockIdx.y; image < g.batch; image += gridDim.y) {
        __syncthreads();
        load_padded(x + (size_t)image * g.height * g.width * g.in_channels, g, 0, picture_rows, line, picture);
        __syncthreads();
        if (slice >= slices)
            continue;
#pragma unroll 4
        for (unsigned pixel = slice; pixel < pixels; pixel += slices) {
            const float4 d = load_numbers4(from, ((size_t)image * pixels + pixel) * out + channel);
            const unsigned row = g.by_out_width.divide(pixel), at = row * g.stride * line + (pixel - row * g.out_width) * g.stride * g.in_channels;
#pragma unroll
            for (unsigned t = 0; t < Taps; t++) {
                const float a = picture[at + at_tap[t]];
                sums[t] = make_float4(fmaf(a, d.x, sums[t].x), fmaf(a, d.y, sums[t].y), fmaf(a, d.z, sums[t].z), fmaf(a, d.w, sums[t].w));
            }
        }
    }
    if (slice < slices)
#pragma unroll
        for (unsigned t = 0; t < Taps; t++)
            if (tap0 + t < taps)
                store4(parts + ((size_t)slice * taps + tap0 + t) * out + channel, sums[t]);
    __syncthreads();
    for (unsigned i = threadIdx.x; i < taps * out; i += FewThreads) {
        float sum = 0.0f;
        for (unsigned s = 0; s < slices; s++)
            sum += parts[s * taps * out + i];
        total[i] = sum;
    }
    if (!sum_of_sharing_blocks(e, SharedShare{total, taps * out}))
        return;
    for (unsigned i = threadIdx.x; i < taps * out; i += FewThreads)
        finish_one<false>(e, i, 0, total[i]);
}
EXPORT(conv_backward_weight_few)
