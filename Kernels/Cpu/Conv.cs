using System.Runtime.InteropServices;
using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Convolutions and max pooling. The work is in Products.</summary>
internal sealed unsafe partial class CpuBackend
{
    private const int MostPlans = 1000;

    private readonly Dictionary<(ConvShape Shape, bool Backward), ConvPlan> plans = [];

    private long PlanBytes => plans.Values.Sum(p => p.Bytes);

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        Require.Conv2dForward(shape, x, w, y, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.OutChannels, shape.InChannels, Accumulate: accumulate), x, w, y,
                bias, activation, reluMask);
        else
            Correlate(shape, backward: false, x.Pointer, w.Pointer, y.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        Require.Conv2dBackwardData(shape, dy, w, dx, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.InChannels, shape.OutChannels, TransposeB: true,
                Accumulate: accumulate), dy, w, dx, bias, activation, reluMask);
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
        Require.Conv2dBackwardWeight(shape, x, dy, dw);
        if (shape.WeightSize == 0)
            return;
        var job = new WeightGradientJob(shape, x.Pointer, dy.Pointer, dw.Pointer, accumulate);
        RunProduct(ref job, shape.Flops);
    }

    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax)
    {
        Require.MaxPool(shape, x, y, argmax);
        var job = new MaxPoolJob(shape, x.Pointer, y.Pointer, argmax.Pointer);
        team.ForEach(shape.Batch, ref job);
    }

    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate)
    {
        Require.MaxPoolGradient(shape, g, argmax, dx);
        var job = new MaxPoolGradientJob(shape, g.Pointer, argmax.Pointer, dx.Pointer, accumulate);
        team.ForEach(shape.Batch, ref job);
    }

    private static bool IsProduct(ConvShape s) => s is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };

    private void Correlate(ConvShape shape, bool backward, float* source, float* w, float* target, float* bias, Activation activation,
        bool accumulate, float* mask)
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
}
