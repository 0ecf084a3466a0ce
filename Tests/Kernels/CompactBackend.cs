using VaeFromScratch.Kernels;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// Makes every product and convolution on operands stored in bf16: float32 operands are converted before the call, results after it. So cases written for float32 try the kernels that
/// read and write bf16.
/// </summary>
/// <param name="narrowed">Which operands: bits of <see cref="A"/> to <see cref="Mask"/>.</param>
internal sealed class CompactBackend(IBackend inner, int narrowed) : BackendDecorator(inner)
{
    /// <summary>The left operand, the right one where it is data and no weight, the result where it is no weight, the ReLU mask.</summary>
    public const int A = 1, B = 2, C = 4, Mask = 8;

    private const int Guard = 16;
    private const ushort Canary = 0x7ea5;

    /// <summary>Products that read or wrote an operand in bf16.</summary>
    public int Narrowed { get; private set; }

    protected override void Invoke(KernelCost cost, Action<IBackend> call) => call(Inner);

    public override void MatMul(MatMulShape shape, Operand a, Operand b, Operand c, Slice<float> bias, Activation activation, Operand reluMask)
    {
        // Of a weight gradient, the result is a weight; of anything else, the right operand.
        bool isWeightGradient = shape is { TransposeA: true, TransposeB: false };
        With([(a, A), (b, isWeightGradient ? B : 0), (c, isWeightGradient ? 0 : C), (reluMask, Mask)], o => Inner.MatMul(shape, o[0], o[1], o[2], bias, activation, o[3]));
    }

    public override void LinearPair(int rows, int inputs, int outputs, Operand x, SlicePair weights, SlicePair biases, SlicePair y) =>
        With([(x, A)], o => Inner.LinearPair(rows, inputs, outputs, o[0], weights, biases, y));

    public override void LinearPairBackwardData(int rows, int inputs, int outputs, SlicePair g, SlicePair weights, Operand dx, bool accumulate, Operand reluMask) =>
        With([(dx, C), (reluMask, Mask)], o => Inner.LinearPairBackwardData(rows, inputs, outputs, g, weights, o[0], accumulate, o[1]));

    public override void LinearPairBackwardWeight(int rows, int inputs, int outputs, Operand x, SlicePair g, SlicePair dweights, SlicePair dbiases, bool accumulate) =>
        With([(x, A)], o => Inner.LinearPairBackwardWeight(rows, inputs, outputs, o[0], g, dweights, dbiases, accumulate));

    public override void Conv2dForward(ConvShape shape, Operand x, Slice<float> w, Operand y, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask) =>
        With([(x, A), (y, C), (reluMask, Mask)], o => Inner.Conv2dForward(shape, o[0], w, o[1], bias, activation, accumulate, o[2]));

    public override void Conv2dBackwardData(ConvShape shape, Operand dy, Slice<float> w, Operand dx, Slice<float> bias, Activation activation, bool accumulate, Operand reluMask) =>
        With([(dy, A), (dx, C), (reluMask, Mask)], o => Inner.Conv2dBackwardData(shape, o[0], w, o[1], bias, activation, accumulate, o[2]));

    public override void Conv2dBackwardWeight(ConvShape shape, Operand x, Operand dy, Slice<float> dw, bool accumulate) =>
        With([(x, A), (dy, B)], o => Inner.Conv2dBackwardWeight(shape, o[0], o[1], dw, accumulate));

    public override void BiasGradient(int rows, int columns, Operand g, Slice<float> dbias, bool accumulate) =>
        With([(g, A)], o => Inner.BiasGradient(rows, columns, o[0], dbias, accumulate));

    public override void HeadMoments(int rows, int inputs, int h, Operand x, SlicePair weights, SlicePair biases, Slice<float> sums, long points, Slice<float> indicators) =>
        With([(x, A)], o => Inner.HeadMoments(rows, inputs, h, o[0], weights, biases, sums, points, indicators));

    public override ICapturedStep Capture(Action<IBackend> step) => Inner.Capture(step);

    public override void Dispose() => Inner.Dispose();

    private void With((Operand Operand, int Bit)[] operands, Action<Operand[]> call)
    {
        using var pool = new BufferPool(Inner);
        var passed = Array.ConvertAll(operands, o => o.Operand.Length == 0 || o.Operand.Storage == Storage.Bf16 || (o.Bit & narrowed) == 0 ? o.Operand : Narrow(pool, o.Operand));
        call(passed);
        for (int i = 0; i < passed.Length; i++)
            if (passed[i].Storage != operands[i].Operand.Storage)
            {
                Narrowed++;
                Inner.Convert(passed[i], operands[i].Operand);
                var tail = new ushort[Guard];
                Inner.Download<ushort>(new(passed[i].Address + (nint)passed[i].Bytes, Guard), tail);
                if (Array.Exists(tail, t => t != Canary))
                    throw new InvalidOperationException($"a kernel wrote behind {passed[i].Length} numbers in bf16");
            }
    }

    private Operand Narrow(BufferPool pool, Operand floats)
    {
        var whole = pool.Rent<ushort>(floats.Length + Guard);
        var narrow = whole.Part(0, floats.Length);
        Inner.Convert(floats, narrow);
        Inner.Upload<ushort>(Enumerable.Repeat(Canary, Guard).ToArray(), whole.Part(floats.Length, Guard));
        return narrow;
    }
}
