using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax)
    {
        RequirePool("max pool", shape, x.Length, y.Length, argmax.Length);
        var job = new MaxPoolJob(shape, x.Pointer, y.Pointer, argmax.Pointer);
        team.ForEach(shape.Batch, ref job);
    }

    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate)
    {
        RequirePool("max pool gradient", shape, dx.Length, g.Length, argmax.Length);
        var job = new MaxPoolGradientJob(shape, g.Pointer, argmax.Pointer, dx.Pointer, accumulate);
        team.ForEach(shape.Batch, ref job);
    }

    private static void RequirePool(string operation, PoolShape shape, int x, int y, int argmax)
    {
        if (shape.Kernel < 1 || shape.Stride < 1 || shape.Height < shape.Kernel || shape.Width < shape.Kernel)
            throw new ArgumentException($"{operation}: {shape} has no window; kernel and stride must be at least 1, the image at least as large as the kernel");
        RequireLength(operation, "x", x, shape.InSize, shape);
        RequireLength(operation, "y", y, shape.OutSize, shape);
        RequireLength(operation, "argmax", argmax, shape.OutSize, shape);
    }
}

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
