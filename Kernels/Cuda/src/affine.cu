// Moving images: rotation, scale, shear, shift and mirror about the centre, bilinear between pixels.
//   affine_warp   8 n bytes, about 40 operations an element; the four reads of an element are neighbours of those of the next, so the first-level cache serves them
// Ladder: a thread an element (this version). With more than one channel the map could be computed once a pixel.
#include "cumath.cuh"
#include "reduce.cuh"

struct WarpGeometry {
    Divider channels, width, height;
    int reflect;
};

// The place inside an image of `size` that coordinate i stands for; -1 for none.
DEVICE int inside(int i, int size, int reflect)
{
    if (i >= 0 && i < size)
        return i;
    if (!reflect || size < 2)
        return -1;
    const int period = 2 * size - 2;
    int at = i % period;
    at = at < 0 ? at + period : at;
    return at < size ? at : period - at;
}

// x, y: NHWC; motion: [images, 6]: rotation in turns, scale - 1, shear, shift right, shift down, mirror when positive.
KERNEL __launch_bounds__(256) affine_warp(unsigned count, WarpGeometry shape, const float* __restrict__ x, const float* __restrict__ motion, float* __restrict__ y)
{
    AFTER_EARLIER_KERNELS();
    const int height = (int)shape.height.divisor, width = (int)shape.width.divisor;
    FOR_EACH(at, count) {
        const unsigned pixel = shape.channels.divide(at), c = at - pixel * shape.channels.divisor;
        const unsigned line = shape.width.divide(pixel), column = pixel - line * shape.width.divisor;
        const unsigned image = shape.height.divide(line), row = line - image * shape.height.divisor;
        const float* const m = motion + 6 * (size_t)image;
        float sine, cosine;
        sincos_turns(m[0] < 0.0f ? m[0] + 1.0f : m[0], &sine, &cosine);
        const float across = (float)column - 0.5f * (float)(width - 1) - m[3], down = (float)row - 0.5f * (float)(height - 1) - m[4], inverse = 1.0f / (1.0f + m[1]);
        const float turned = fmaf(cosine, down, -(sine * across));
        const float u = fmaf(-m[2], turned, fmaf(cosine, across, sine * down)) * inverse, v = turned * inverse;
        const float from_x = (m[5] > 0.0f ? -u : u) + 0.5f * (float)(width - 1), from_y = v + 0.5f * (float)(height - 1);
        const float left = floorf(from_x), top = floorf(from_y), right_share = from_x - left, bottom_share = from_y - top;
        float sum = 0.0f;
#pragma unroll
        for (int corner = 0; corner < 4; corner++) {
            const int i = inside((int)top + (corner >> 1), height, shape.reflect), j = inside((int)left + (corner & 1), width, shape.reflect);
            const float share = ((corner >> 1) ? bottom_share : 1.0f - bottom_share) * ((corner & 1) ? right_share : 1.0f - right_share);
            if (i >= 0 && j >= 0)
                sum = fmaf(share, x[(((size_t)image * height + i) * width + j) * shape.channels.divisor + c], sum);
        }
        y[at] = sum;
    }
}
EXPORT(affine_warp)
