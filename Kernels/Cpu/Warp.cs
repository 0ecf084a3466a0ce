using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Moving images, one image a part.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y)
    {
        Require.AffineWarp(shape, x, motion, y);
        ForEach(shape.Batch, new WarpJob(shape, x.Pointer, motion.Pointer, y.Pointer));
    }

    private readonly struct WarpJob(WarpShape shape, float* x, float* motion, float* y) : ILaneJob
    {
        private const int Corners = 4;

        [SkipLocalsInit]
        public void Run<V>(int image) where V : struct, IVector<V>
        {
            float* m = motion + image * WarpShape.MotionSize;
            var (sine, cosine) = MathF.SinCos(2 * MathF.PI * m[0]);
            float inverse = 1 / (1 + m[1]), centreX = 0.5f * (shape.Width - 1), centreY = 0.5f * (shape.Height - 1), mirrored = m[5] > 0
                ? -inverse : inverse;
            nint size = (nint)shape.Height * shape.Width * shape.Channels;
            float* from = x + image * size, to = y + image * size;
            float* across = stackalloc float[IVector<V>.Lanes * (3 + Corners)];
            float* left = across + IVector<V>.Lanes, top = left + IVector<V>.Lanes, shares = top + IVector<V>.Lanes;
            for (int row = 0; row < shape.Height; row++)
                for (int column = 0; column < shape.Width; column += IVector<V>.Lanes)
                {
                    for (int i = 0; i < IVector<V>.Lanes; i++)
                        across[i] = column + i - centreX - m[3];
                    var source = new WarpSource<V>(V.Load(across), V.Broadcast(row - centreY - m[4]), V.Broadcast(sine),
                        V.Broadcast(cosine), V.Broadcast(m[2]),
                        V.Broadcast(inverse), V.Broadcast(mirrored), V.Broadcast(centreX), V.Broadcast(centreY));
                    V.Store(source.Left, left);
                    V.Store(source.Top, top);
                    for (int corner = 0; corner < Corners; corner++)
                        V.Store(source.Share(corner), shares + corner * IVector<V>.Lanes);
                    int count = Math.Min(IVector<V>.Lanes, shape.Width - column);
                    for (int i = 0; i < count; i++, to += shape.Channels)
                        Sample(from, (int)left[i], (int)top[i], shares + i, IVector<V>.Lanes, to);
                }
        }

        /// <summary>All channels at a place between four pixels.</summary>
        /// <param name="stride">From one corner's share to the next.</param>
        private void Sample(float* image, int left, int top, float* shares, int stride, float* to)
        {
            for (int c = 0; c < shape.Channels; c++)
                to[c] = 0;
            for (int corner = 0; corner < Corners; corner++, shares += stride)
            {
                int i = WarpBorder.Inside(top + (corner >> 1), shape.Height, shape.Reflect),
                    j = WarpBorder.Inside(left + (corner & 1), shape.Width, shape.Reflect);
                if (i < 0 || j < 0)
                    continue;
                float* pixel = image + ((nint)i * shape.Width + j) * shape.Channels;
                for (int c = 0; c < shape.Channels; c++)
                    to[c] += *shares * pixel[c];
            }
        }
    }
}
