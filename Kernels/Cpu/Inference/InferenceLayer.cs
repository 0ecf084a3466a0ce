using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Products;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Cpu.Inference;

/// <summary>One step of an <see cref="InferenceProgram"/>: from rows of one value to rows of another.</summary>
/// <param name="x">Number of the value that is read.</param>
/// <param name="y">Number of the value that is written.</param>
internal abstract unsafe class InferenceLayer(int x, int y)
{
    public int X => x;

    public int Y => y;

    /// <summary>A second value that is read; -1 for none.</summary>
    public virtual int Second => -1;

    /// <summary>Whether rows are images: few of them fill the second-level cache, so they go through such layers a few at a time.</summary>
    public virtual bool OfImages => false;

    /// <summary>Floats of working memory for so many rows.</summary>
    public virtual long ScratchFloats(int rows) => 0;

    /// <summary>Makes what depends on the number of rows, the first time that there are so many.</summary>
    public virtual void Prepare(int rows)
    {
    }

    public abstract void Run(float* x, float* second, float* y, int rows, float* scratch);
}

/// <summary>A convolution, or its transpose, with weights packed once.</summary>
internal sealed unsafe class ConvolutionLayer : InferenceLayer
{
    private readonly ConvShape shape;
    private readonly bool backward;
    private readonly Activation activation;
    private readonly AlignedFloats weights, shared;
    private readonly ConvPlan?[] plans;

    /// <param name="shape">Of one image.</param>
    /// <param name="mostRows">Images at a time.</param>
    public ConvolutionLayer(int x, int y, ConvShape shape, bool backward, float[] weights, float[] bias, Activation activation,
        int mostRows) : base(x, y)
    {
        (this.shape, this.backward, this.activation, this.weights) = (shape, backward, activation, new(weights));
        plans = new ConvPlan?[mostRows + 1];
        Prepare(1);
        var job = Job(null, null, 1);
        shared = new(job.SharedFloats);
        job.Place(shared.Pointer, null, team: null);
        bias.CopyTo(new Span<float>(shared.Pointer, bias.Length));
        job.Pack();
    }

    public override bool OfImages => true;

    public override void Prepare(int rows) => plans[rows] ??= new(shape with { Batch = rows }, backward, threads: 0);

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        var job = Job(x, y, rows);
        job.PlacePacked(shared.Pointer);
        job.Run(0);
    }

    private CorrelateJob Job(float* x, float* y, int rows) =>
        new(shape with { Batch = rows }, backward, plans[rows]!, x, weights.Pointer, y, bias: null, activation, accumulate: false,
            mask: null);
}

/// <summary>A transposed convolution towards few channels.</summary>
internal sealed unsafe class NarrowLayer(int x, int y, ConvShape shape, float[] weights, float[] bias, Activation activation)
    : InferenceLayer(x, y)
{
    private readonly AlignedFloats weights = new(weights), bias = new(bias);

    public override bool OfImages => true;

    public override long ScratchFloats(int rows)
    {
        var job = Job(null, null, 1);
        return Shared(job) + job.ThreadFloats;
    }

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        var job = Job(x, y, rows);
        job.Place(scratch, scratch + Shared(job), team: null);
        job.Run(0);
    }

    private static long Shared(in NarrowJob job) => (job.SharedFloats + 15) / 16 * 16;

    private NarrowJob Job(float* x, float* y, int rows) =>
        new(shape with { Batch = rows }, x, weights.Pointer, y, bias.Pointer, activation, accumulate: false, mask: null);
}

/// <summary>The largest entry of each window.</summary>
internal sealed unsafe class PoolLayer(int x, int y, PoolShape shape) : InferenceLayer(x, y)
{
    public override bool OfImages => true;

    /// <summary>Where each largest entry was, which nobody asks here.</summary>
    public override long ScratchFloats(int rows) => (long)shape.OutSize * rows;

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        var job = new MaxPoolJob(shape with { Batch = rows }, x, y, (int*)scratch);
        for (int image = 0; image < rows; image++)
            job.Run(image);
    }
}

/// <summary>max(x scale + shift, floor), channel by channel.</summary>
internal sealed unsafe class AffineLayer : InferenceLayer
{
    /// <summary>Channels are written out until a row is long enough for vector loops.</summary>
    private const int LongEnough = 512;

    private readonly int floats, period;
    private readonly float floor;
    private readonly AlignedFloats scale, shift;

    /// <param name="floats">Of a row.</param>
    public AffineLayer(int x, int y, int floats, bool ofImages, float[] scale, float[] shift, Activation activation) : base(x, y)
    {
        int channels = scale.Length;
        (this.floats, OfImages, floor) = (floats, ofImages, activation == Activation.Relu ? 0 : float.NegativeInfinity);
        period = channels * ((LongEnough + channels - 1) / channels);
        (this.scale, this.shift) = (Repeated(scale), Repeated(shift));
    }

    public override bool OfImages { get; }

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        var job = new WidestJob<Job>(new(x, y, rows * floats, scale.Pointer, shift.Pointer, period, floor));
        job.Run(0);
    }

    private AlignedFloats Repeated(float[] values)
    {
        var repeated = new float[period];
        for (int i = 0; i < period; i++)
            repeated[i] = values[i % values.Length];
        return new(repeated);
    }

    private readonly struct Job(float* x, float* y, int length, float* scale, float* shift, int period, float floor) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            V least = V.Broadcast(floor);
            for (int from = 0; from < length; from += period)
                for (int i = 0, n = Math.Min(period, length - from); i < n; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(n - i, IVector<V>.Lanes);
                    V value = V.Fma(Lanes.LoadUpTo<V>(x + from + i, count), Lanes.LoadUpTo<V>(scale + i, count),
                        Lanes.LoadUpTo<V>(shift + i, count));
                    Lanes.StoreUpTo(V.AtLeast(value, least), y + from + i, count);
                }
        }
    }
}

/// <summary>A function of single numbers.</summary>
internal sealed unsafe class FunctionLayer<K>(int x, int y, int floats, bool ofImages, float parameter) : InferenceLayer(x, y)
    where K : struct, IUnaryKernel
{
    public override bool OfImages => ofImages;

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        int length = rows * floats;
        var job = new WidestJob<CpuBackend.UnaryJob<K>>(new(x, y, length, parameter));
        for (int part = 0; part < CpuBackend.Parts(length); part++)
            job.Run(part);
    }
}

/// <summary>The softmax of each row.</summary>
internal sealed unsafe class SoftmaxLayer(int x, int y, int floats) : InferenceLayer(x, y)
{
    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        var job = new WidestJob<CpuBackend.SoftmaxJob>(new(rows, floats, x, y));
        for (int part = 0; part < CpuBackend.RowParts(rows, floats); part++)
            job.Run(part);
    }
}

/// <summary>Some of the channels.</summary>
internal sealed unsafe class ChannelsLayer(int x, int y, int pixels, int channels, int first, int count) : InferenceLayer(x, y)
{
    public override bool OfImages => pixels > 1;

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        for (nint i = 0; i < (nint)rows * pixels; i++)
            Packing.CopyRow(x + i * channels + first, y + i * count, count);
    }
}

/// <summary>sum_k w_k x_k of K vectors.</summary>
internal sealed unsafe class MixLayer(int x, int weights, int y, int parts, int length) : InferenceLayer(x, y)
{
    public override int Second => weights;

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        for (int row = 0; row < rows; row++, x += parts * length, second += parts, y += length)
            for (int h = 0; h < length; h++)
            {
                float sum = 0;
                for (int k = 0; k < parts; k++)
                    sum += second[k] * x[k * length + h];
                y[h] = sum;
            }
    }
}
