using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Moving images, one image a part.</summary>
public sealed unsafe partial class CpuBackend
{
    public void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y)
    {
        Check(x.Length == shape.Size && y.Length == shape.Size && motion.Length == shape.Batch * WarpShape.MotionSize, "affine_warp",
            $"{shape} needs images of {shape.Size} and a motion of {shape.Batch * WarpShape.MotionSize} numbers, got {x.Length}, {y.Length} and {motion.Length}");
        var job = new WarpJob(shape, x.Pointer, motion.Pointer, y.Pointer);
        team.ForEach(shape.Batch, ref job);
    }

    private readonly struct WarpJob(WarpShape shape, float* x, float* motion, float* y) : IJob
    {
        public void Run(int image)
        {
            float* m = motion + image * WarpShape.MotionSize;
            var (sine, cosine) = MathF.SinCos(2 * MathF.PI * m[0]);
            float inverse = 1 / (1 + m[1]), centreX = 0.5f * (shape.Width - 1), centreY = 0.5f * (shape.Height - 1), mirror = m[5] > 0 ? -1 : 1;
            nint size = (nint)shape.Height * shape.Width * shape.Channels;
            float* from = x + image * size, to = y + image * size;
            for (int row = 0; row < shape.Height; row++)
                for (int column = 0; column < shape.Width; column++, to += shape.Channels)
                {
                    // The inverse motion: shift, rotation, shear, scale, mirror undone in this order.
                    float across = column - centreX - m[3], down = row - centreY - m[4], turned = cosine * down - sine * across;
                    Sample(from, mirror * inverse * (cosine * across + sine * down - m[2] * turned) + centreX, inverse * turned + centreY, to);
                }
        }

        /// <summary>All channels at a place between four pixels.</summary>
        private void Sample(float* image, float atX, float atY, float* to)
        {
            float left = MathF.Floor(atX), top = MathF.Floor(atY), rightShare = atX - left, bottomShare = atY - top;
            for (int c = 0; c < shape.Channels; c++)
                to[c] = 0;
            for (int corner = 0; corner < 4; corner++)
            {
                int i = Inside((int)top + (corner >> 1), shape.Height), j = Inside((int)left + (corner & 1), shape.Width);
                if (i < 0 || j < 0)
                    continue;
                float share = (corner >> 1 == 1 ? bottomShare : 1 - bottomShare) * ((corner & 1) == 1 ? rightShare : 1 - rightShare);
                float* pixel = image + ((nint)i * shape.Width + j) * shape.Channels;
                for (int c = 0; c < shape.Channels; c++)
                    to[c] += share * pixel[c];
            }
        }

        /// <summary>The place inside an image that coordinate <paramref name="i"/> stands for; -1 for none.</summary>
        private int Inside(int i, int size)
        {
            if ((uint)i < (uint)size)
                return i;
            if (!shape.Reflect || size < 2)
                return -1;
            int period = 2 * size - 2, at = (i % period + period) % period;
            return at < size ? at : period - at;
        }
    }
}
