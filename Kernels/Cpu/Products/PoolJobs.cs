using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Products;

internal readonly unsafe struct MaxPoolJob(PoolShape shape, float* x, float* y, int* argmax) : IJob
{
    public void Run(int image)
    {
        int channels = shape.Channels;
        for (int oh = 0; oh < shape.OutHeight; oh++)
            for (int ow = 0; ow < shape.OutWidth; ow++)
            {
                int corner = ((image * shape.Height + oh * shape.Stride) * shape.Width + ow * shape.Stride) * channels;
                int to = ((image * shape.OutHeight + oh) * shape.OutWidth + ow) * channels;
                int c = 0;
                for (; c <= channels - 8; c += 8)
                    EightChannels(corner + c, to + c);
                for (; c < channels; c++)
                    OneChannel(corner + c, to + c);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void EightChannels(int corner, int to)
    {
        var lanes = Vector256<int>.Indices;
        var best = Vector256.Load(x + corner);
        var where = Vector256.Create(corner) + lanes;
        for (int kh = 0; kh < shape.Kernel; kh++)
            for (int kw = 0; kw < shape.Kernel; kw++)
            {
                int from = corner + (kh * shape.Width + kw) * shape.Channels;
                var v = Vector256.Load(x + from);
                // NaN counts as larger than anything, so that it is not hidden.
                var larger = Vector256.GreaterThan(v, best) | Vector256.AndNot(~Vector256.Equals(v, v), ~Vector256.Equals(best, best));
                best = Vector256.ConditionalSelect(larger, v, best);
                where = Vector256.ConditionalSelect(larger.AsInt32(), Vector256.Create(from) + lanes, where);
            }
        Vector256.Store(best, y + to);
        Vector256.Store(where, argmax + to);
    }

    private void OneChannel(int corner, int to)
    {
        int where = corner;
        for (int kh = 0; kh < shape.Kernel; kh++)
            for (int kw = 0; kw < shape.Kernel; kw++)
            {
                int from = corner + (kh * shape.Width + kw) * shape.Channels;
                if (x[from] > x[where] || (float.IsNaN(x[from]) && !float.IsNaN(x[where])))
                    where = from;
            }
        y[to] = x[where];
        argmax[to] = where;
    }
}

internal readonly unsafe struct MaxPoolGradientJob(PoolShape shape, float* g, int* argmax, float* dx, bool accumulate) : IJob
{
    public void Run(int image)
    {
        int inSize = shape.Height * shape.Width * shape.Channels, outSize = shape.OutHeight * shape.OutWidth * shape.Channels;
        if (!accumulate)
            Packing.Clear(dx + (nint)image * inSize, inSize);
        for (nint i = (nint)image * outSize, end = i + outSize; i < end; i++)
            dx[argmax[i]] += g[i];
    }
}

/// <summary>g = 0 where y is not positive.</summary>
internal readonly unsafe struct ReluMaskJob(float* y, float* g, int length) : IJob
{
    private const int Chunk = 32 * 1024;

    public int Parts => (length + Chunk - 1) / Chunk;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int index)
    {
        int i = index * Chunk, end = Math.Min(length, i + Chunk);
        for (; i <= end - 8; i += 8)
            Vector256.Store(Vector256.ConditionalSelect(Vector256.GreaterThan(Vector256.Load(y + i), Vector256<float>.Zero),
                Vector256.Load(g + i), Vector256<float>.Zero), g + i);
        for (; i < end; i++)
            g[i] = y[i] > 0 ? g[i] : 0;
    }
}
