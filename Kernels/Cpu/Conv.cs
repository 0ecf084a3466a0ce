using System.Runtime.InteropServices;
using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Convolutions and max pooling. The work is in Products.</summary>
public sealed unsafe partial class CpuBackend
{
    private const int MostPlans = 1000;

    private readonly Dictionary<(ConvShape Shape, bool Backward), ConvPlan> plans = [];

    private long PlanBytes => plans.Values.Sum(p => p.Bytes);

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        RequireConv("conv2d", shape, x.Length, w.Length, y.Length);
        RequireEpilogue("conv2d", shape, shape.OutChannels, shape.OutSize, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.OutChannels, shape.InChannels, Accumulate: accumulate), x, w, y, bias, activation, reluMask);
        else
            Correlate(shape, backward: false, x.Pointer, w.Pointer, y.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        RequireConv("conv2d backward data", shape, dx.Length, w.Length, dy.Length);
        RequireEpilogue("conv2d backward data", shape, shape.InChannels, shape.InSize, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.InChannels, shape.OutChannels, TransposeB: true, Accumulate: accumulate), dy, w, dx, bias, activation, reluMask);
        else if (NarrowJob.Suits(shape))
        {
            var job = new NarrowJob(shape, dy.Pointer, w.Pointer, dx.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
            if (shape.InSize > 0)
                RunProduct(ref job, shape.Flops);
        }
        else
            Correlate(shape, backward: true, dy.Pointer, w.Pointer, dx.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
    }

    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate)
    {
        RequireConv("conv2d backward weight", shape, x.Length, dw.Length, dy.Length);
        if (shape.WeightSize == 0)
            return;
        var job = new WeightGradientJob(shape, x.Pointer, dy.Pointer, dw.Pointer, accumulate);
        RunProduct(ref job, shape.Flops);
    }

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

    private static bool IsProduct(ConvShape s) => s is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };

    private void Correlate(ConvShape shape, bool backward, float* source, float* w, float* target, float* bias, Activation activation, bool accumulate, float* mask)
    {
        if ((backward ? shape.InSize : shape.OutSize) == 0)
            return;
        if (plans.Count >= MostPlans)
            plans.Clear();
        ref ConvPlan? plan = ref CollectionsMarshal.GetValueRefOrAddDefault(plans, (shape, backward), out _);
        plan ??= new(shape, backward, team.Threads);
        var job = new CorrelateJob(shape, backward, plan, source, w, target, bias, activation, accumulate, mask);
        RunProduct(ref job, shape.Flops);
    }

    private static void RequireConv(string operation, ConvShape shape, int x, int w, int y)
    {
        if (shape.Stride < 1 || shape.Padding < 0 || shape.KernelHeight < 1 || shape.KernelWidth < 1)
            throw new ArgumentException($"{operation}: {shape} is not a convolution; stride and kernel must be at least 1, padding at least 0");
        if (shape.Height + 2 * shape.Padding < shape.KernelHeight || shape.Width + 2 * shape.Padding < shape.KernelWidth)
            throw new ArgumentException($"{operation}: {shape} has no output; the padded image must be at least as large as the kernel");
        RequireLength(operation, "x", x, shape.InSize, shape);
        RequireLength(operation, "w", w, shape.WeightSize, shape);
        RequireLength(operation, "y", y, shape.OutSize, shape);
    }

    private static void RequireEpilogue(string operation, ConvShape shape, int channels, int size, Slice<float> bias, Slice<float> reluMask)
    {
        if (!bias.IsAbsent)
            RequireLength(operation, "bias", bias.Length, channels, shape);
        if (!reluMask.IsAbsent)
            RequireLength(operation, "relu mask", reluMask.Length, size, shape);
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
