using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// A matrix product or a convolution of a network's training step, without what happens to its sums: bias, mask, activation.
/// </summary>
/// <param name="Operation">The method of <see cref="IBackend"/>.</param>
/// <param name="Shape">For people: N and T for what is transposed, then M x K x N; or batch, image, channels, kernel and stride.</param>
/// <param name="Lengths">Of its arrays in floats: two operands and the result.</param>
/// <param name="Call">On those arrays.</param>
internal sealed record NetworkProduct(
    string Operation, string Shape, double Flops, (int Left, int Right, int Result) Lengths, NetworkProduct.Caller Call)
{
    public delegate void Caller(IBackend backend, Slice<float> left, Slice<float> right, Slice<float> result);

    public static NetworkProduct Of(MatMulShape s)
    {
        s = s with { Accumulate = false };
        string shape = $"{(s.TransposeA ? 'T' : 'N')}{(s.TransposeB ? 'T' : 'N')} {s.M}x{s.K}x{s.N}";
        return new(nameof(IBackend.MatMul), shape, s.Flops, (s.M * s.K, s.K * s.N, s.M * s.N),
            (b, left, right, to) => b.MatMul(s, left, right, to));
    }

    public static NetworkProduct Forward(ConvShape s) =>
        new(nameof(IBackend.Conv2dForward), Label(s), s.Flops, (s.InSize, s.WeightSize, s.OutSize),
            (b, x, w, y) => b.Conv2dForward(s, x, w, y));

    public static NetworkProduct BackwardData(ConvShape s) =>
        new(nameof(IBackend.Conv2dBackwardData), Label(s), s.Flops, (s.OutSize, s.WeightSize, s.InSize),
            (b, dy, w, dx) => b.Conv2dBackwardData(s, dy, w, dx));

    public static NetworkProduct BackwardWeight(ConvShape s) =>
        new(nameof(IBackend.Conv2dBackwardWeight), Label(s), s.Flops, (s.InSize, s.OutSize, s.WeightSize),
            (b, x, dy, dw) => b.Conv2dBackwardWeight(s, x, dy, dw, accumulate: false));

    /// <summary>Those of some steps, each once, in the order in which they are met; the steps are done on the CPU.</summary>
    public static IReadOnlyList<NetworkProduct> Of(IEnumerable<StepWorkload> steps)
    {
        using var recorder = new Recorder();
        foreach (var step in steps)
            step.With(recorder, (_, run) => run());
        return [.. recorder.Met.DistinctBy(p => (p.Operation, p.Shape))];
    }

    public override string ToString() => $"{Operation} {Shape}";

    private static string Label(ConvShape s) =>
        $"{s.Batch}x{s.Height}x{s.Width} {s.InChannels}->{s.OutChannels} {s.KernelHeight}x{s.KernelWidth}/{s.Stride}";

    /// <summary>Computes on the CPU and writes down the shapes of products.</summary>
    private sealed class Recorder() : BackendDecorator(new CpuBackend()), IBackend
    {
        public List<NetworkProduct> Met { get; } = [];

        void IBackend.MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias,
            Activation activation, Slice<float> reluMask)
        {
            Met.Add(Of(shape));
            Inner.MatMul(shape, a, b, c, bias, activation, reluMask);
        }

        void IBackend.Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias,
            Activation activation, bool accumulate, Slice<float> reluMask)
        {
            Met.Add(Forward(shape));
            Inner.Conv2dForward(shape, x, w, y, bias, activation, accumulate, reluMask);
        }

        void IBackend.Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
            Activation activation, bool accumulate, Slice<float> reluMask)
        {
            Met.Add(BackwardData(shape));
            Inner.Conv2dBackwardData(shape, dy, w, dx, bias, activation, accumulate, reluMask);
        }

        void IBackend.Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate)
        {
            Met.Add(BackwardWeight(shape));
            Inner.Conv2dBackwardWeight(shape, x, dy, dw, accumulate);
        }

        protected override void Invoke(KernelCost cost, Action<IBackend> call) => call(Inner);

        public override ICapturedStep Capture(Action<IBackend> step) => Inner.Capture(step);

        public override void Dispose() => Inner.Dispose();
    }
}
