using System.Numerics;

namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int RowsPerSoftmaxBlock = 8;

    private static readonly KernelSlot SumKernel = new("reduce", "sum"), MaxKernel = new("reduce", "max_over"), LogSumExpKernel = new("reduce", "log_sum_exp"),
        SpreadKernel = new("reduce", "spread"), ReluMaskKernel = new("reduce", "relu_mask"),
        SoftmaxKernel = new("softmax", "softmax"), LogSoftmaxKernel = new("softmax", "log_softmax"), SoftmaxGradientKernel = new("softmax", "softmax_gradient"),
        LogSoftmaxGradientKernel = new("softmax", "log_softmax_gradient"), GumbelSoftmaxKernel = new("softmax", "gumbel_softmax"),
        CrossEntropyKernel = new("softmax", "softmax_cross_entropy"), CrossEntropyGradientKernel = new("softmax", "softmax_cross_entropy_gradient");

    /// <summary>How a reduction is divided: see src/reduce.cuh. It depends on the sizes and the GPU alone, so the order of summation does too.</summary>
    private readonly record struct ReductionPlan(Dim Grid, Dim Block, ScratchFloats Partial);

    /// <param name="floatsOfState">Size of a partial result; 0 where the kernel cannot share one result among blocks.</param>
    private ReductionPlan PlanReduction(int outer, int n, int inner, int floatsOfState)
    {
        const int Threads = 256, MaxBlockZ = 64, ElementsPerThread = 4;
        int x = Math.Min(32, PowerOfTwo(inner));
        int y = Math.Min(Threads / x, PowerOfTwo((n + ElementsPerThread - 1) / ElementsPerThread));
        int z = Math.Min(Math.Min(Threads / (x * y), MaxBlockZ), PowerOfTwo(outer));
        int results = (outer + z - 1) / z * ((inner + x - 1) / x);
        int wanted = 4 * context.Multiprocessors / results, possible = n / (2 * ElementsPerThread * y);
        int segments = floatsOfState == 0 || results > Workspace.TicketCount ? 1 : Math.Max(1, Math.Min(wanted, possible));
        return new(new(results, segments), new(x, y, z), new(segments > 1 ? (long)segments * outer * inner * floatsOfState : 0));
    }

    private static int PowerOfTwo(int n) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, n));

    public void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate) => SumOf(x, outer, n, inner, scale, y, accumulate);

    private void SumOf(Operand x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate)
    {
        if (outer == 0 || inner == 0)
            return;
        var plan = PlanReduction(outer, n, inner, floatsOfState: 2);
        Launch(SumKernel, plan.Grid, plan.Block, KernelArgument.Read(x), x.Storage == Storage.Bf16, outer, n, inner, scale, y, accumulate, plan.Partial, KernelArgument.Tickets);
    }

    public void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate)
    {
        int count = outer * n * inner;
        if (count > 0)
            Launch(SpreadKernel, Blocks(count), 256, Read(y), count, (Divider)(n * inner), (Divider)inner, scale, x, accumulate);
    }

    public void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y) => Extreme(MaxKernel, x, outer, n, inner, y);

    public void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y) => Extreme(LogSumExpKernel, x, outer, n, inner, y);

    private void Extreme(KernelSlot kernel, Slice<float> x, int outer, int n, int inner, Slice<float> y)
    {
        if (outer == 0 || inner == 0)
            return;
        var plan = PlanReduction(outer, n, inner, floatsOfState: 2);
        Launch(kernel, plan.Grid, plan.Block, Read(x), outer, n, inner, y, plan.Partial, KernelArgument.Tickets);
    }

    // ---- softmax

    private static Dim SoftmaxGrid(int rows) => (rows + RowsPerSoftmaxBlock - 1) / RowsPerSoftmaxBlock;

    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y)
    {
        if (rows > 0)
            Launch(SoftmaxKernel, SoftmaxGrid(rows), 256, rows, n, Read(x), y);
    }

    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y)
    {
        if (rows > 0)
            Launch(LogSoftmaxKernel, SoftmaxGrid(rows), 256, rows, n, Read(x), y);
    }

    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        GumbelSoftmaxGradient(rows, n, g, y, default, dx, accumulate);

    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate)
    {
        if (rows > 0)
            Launch(LogSoftmaxGradientKernel, SoftmaxGrid(rows), 256, rows, n, Read(g), Read(y), dx, accumulate);
    }

    public void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss)
    {
        if (rows > 0)
            Launch(CrossEntropyKernel, SoftmaxGrid(rows), 256, rows, n, Read(logits), Read(classes), loss);
    }

    public void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits, bool accumulate)
    {
        if (rows > 0)
            Launch(CrossEntropyGradientKernel, SoftmaxGrid(rows), 256, rows, n, Read(g), Read(logits), Read(classes), dlogits, accumulate);
    }

    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y)
    {
        if (rows > 0)
            Launch(GumbelSoftmaxKernel, SoftmaxGrid(rows), 256, rows, n, Read(logits), Read(temperature), Read(draw.State), draw.Draw, y);
    }

    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits, bool accumulate)
    {
        if (rows > 0)
            Launch(SoftmaxGradientKernel, SoftmaxGrid(rows), 256, rows, n, Read(g), Read(y), Read(temperature), dlogits, accumulate);
    }
}
