using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly Dictionary<(ConvShape Shape, bool Backward), ConvPlan> plans = [];

    private long PlanBytes => plans.Values.Sum(p => p.Bytes);

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        RequireConv("conv2d", shape, x.Length, w.Length, y.Length);
        RequireEpilogue("conv2d", shape, shape.OutChannels, shape.OutSize, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.OutChannels, shape.InChannels, Accumulate: accumulate), x, w, y, bias, activation, reluMask);
        else
            Correlate(shape, backward: false, x.Pointer, w.Pointer, y.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask)
    {
        RequireConv("conv2d backward data", shape, dx.Length, w.Length, dy.Length);
        RequireEpilogue("conv2d backward data", shape, shape.InChannels, shape.InSize, bias, reluMask);
        if (IsProduct(shape))
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.InChannels, shape.OutChannels, TransposeB: true, Accumulate: accumulate), dy, w, dx, bias, activation, reluMask);
        else if (NarrowJob.Suits(shape))
            Scatter(shape, dy.Pointer, w.Pointer, dx.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
        else
            Correlate(shape, backward: true, dy.Pointer, w.Pointer, dx.Pointer, bias.Pointer, activation, accumulate, reluMask.Pointer);
    }

    private static bool IsProduct(ConvShape s) => s is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };

    private void Correlate(ConvShape shape, bool backward, float* source, float* w, float* target, float* bias, Activation activation, bool accumulate, float* mask)
    {
        if ((backward ? shape.InSize : shape.OutSize) == 0)
            return;
        ref ConvPlan? plan = ref CollectionsMarshal.GetValueRefOrAddDefault(plans, (shape, backward), out _);
        plan ??= new(shape, backward, team.Threads);
        var job = new CorrelateJob(shape, backward, plan, source, w, target, bias, activation, accumulate, mask, team);
        job.Place(sharedScratch.Reserve(job.SharedFloats), threadScratch.Reserve(job.ThreadFloats * team.Threads));
        if (shape.Flops < SerialFlops)
            job.RunAlone();
        else
            team.OnEveryThread(ref job);
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
}

/// <summary>
/// A convolution, or its data gradient, as matrix products over a <see cref="ConvPlan"/>: pixels are the rows of A, read straight from the (padded) image;
/// a run of k is taps across x channels, which NHWC keeps contiguous; the weights are B.
/// </summary>
internal unsafe struct CorrelateJob : IJob
{
    private readonly ThreadTeam team;
    private readonly ConvPlan plan;
    private readonly ConvShape shape;
    private readonly bool backward, relu, accumulate, packWeights;
    private readonly float* source, weights, target, bias, mask;
    private readonly int panels, packItems;
    private float* initial, packed, threadScratch;
    private bool alone;
    private int nextPack, nextTask;

    public CorrelateJob(ConvShape shape, bool backward, ConvPlan plan, float* source, float* weights, float* target, float* bias, Activation activation, bool accumulate, float* mask, ThreadTeam team)
    {
        this.team = team;
        this.plan = plan;
        this.shape = shape;
        this.backward = backward;
        this.source = source;
        this.weights = weights;
        this.target = target;
        this.bias = bias;
        this.mask = mask;
        this.accumulate = accumulate;
        relu = activation == Activation.Relu;
        panels = (plan.TargetChannels + Microkernels.Panel - 1) / Microkernels.Panel;
        // [taps, C, O] is already k-major: with a panel's columns side by side it is read where it is.
        packWeights = backward || plan.TargetChannels % Microkernels.Lanes != 0 || plan.TargetChannels % 512 == 0;
        packItems = !packWeights ? 0 : backward ? shape.KernelHeight * shape.KernelWidth * panels : panels;
    }

    public readonly long SharedFloats => (long)panels * Microkernels.Panel + 64 + (packWeights ? plan.WeightRows * panels * Microkernels.Panel : 0);

    public readonly long ThreadFloats => plan.InPlace ? 0 : (plan.BufferImage * plan.ImagesPerTask + 2047) / 1024 * 1024;

    public void Place(float* sharedBlock, float* threadBlock)
    {
        int floats = panels * Microkernels.Panel, given = bias == null ? 0 : plan.TargetChannels;
        initial = sharedBlock;
        packed = sharedBlock + (floats + 63) / 64 * 64;
        threadScratch = threadBlock;
        Packing.CopyRow(bias, initial, given);
        Packing.Clear(initial + given, floats - given);
    }

    public void RunAlone()
    {
        alone = true;
        Run(0);
    }

    public void Run(int thread)
    {
        if (packItems > 0)
        {
            for (int i; (i = Interlocked.Increment(ref nextPack) - 1) < packItems;)
                if (backward)
                    PackTap(i / panels, i % panels);
                else
                    Packing.Copy(weights + (nint)i * Microkernels.Panel, plan.TargetChannels, Columns(i), (int)plan.WeightRows, Panel(0, i), Microkernels.Panel);
            if (!alone)
                team.Barrier();
        }
        float* buffer = threadScratch + thread * ThreadFloats;
        for (int i; (i = Interlocked.Increment(ref nextTask) - 1) < plan.Tasks;)
        {
            var (image, part) = plan.Task(i);
            Compute(image, plan.Parts[part], buffer);
        }
    }

    private readonly void Compute(int image, ConvPlan.Part part, float* buffer)
    {
        if (!plan.InPlace)
            for (int i = 0; i < part.Images; i++)
                CopyPadded(source + (image + i) * plan.SourceImage, part, buffer + i * plan.BufferImage);
        float* from = plan.InPlace ? source + image * plan.SourceImage + (nint)part.SourceRow * plan.SourceWidth * plan.SourceChannels + plan.SourceColumn * plan.SourceChannels : buffer;
        nint* sources = (nint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(plan.SourceOffsets));
        nint* targets = (nint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(plan.TargetOffsets));
        nint first = image * plan.TargetImage;
        Tile tile = default;
        tile.AStep = 1;
        tile.BStep = packWeights ? Microkernels.Panel : plan.TargetChannels;
        tile.Groups = 1;
        tile.A = from;
        tile.Add = accumulate;
        tile.Relu = relu;
        for (int panel = 0; panel < panels; panel++)
        {
            nint column = (nint)panel * Microkernels.Panel;
            int valid = Columns(panel), width = Microkernels.WidthFor(valid), current = -1;
            tile.Initial = initial + column;
            tile.C = target + first + column;
            tile.Mask = mask == null ? null : mask + first + column;
            for (int t = part.FirstTile; t < part.EndTile; t++)
            {
                var pixels = plan.Tiles[t];
                if (pixels.Class != current)
                {
                    current = pixels.Class;
                    ref readonly var taps = ref plan.Classes[current];
                    tile.Depth = (nint)taps.Columns * plan.SourceChannels;
                    tile.Runs = taps.Rows;
                    tile.ARunSkip = (nint)(plan.BufferWidth - taps.Columns) * plan.SourceChannels;
                    tile.B = packWeights ? Panel(current, panel) : weights + column;
                    tile.Prefetch = tile.Depth * tile.Runs >= 96;
                }
                tile.ARows = sources + pixels.First;
                tile.CRows = targets + pixels.First;
                Microkernels.Run(Microkernels.Rows(pixels.Rows, width), &tile, pixels.Rows, width, valid);
            }
        }
    }

    /// <summary>A band of an image with its border of zeros.</summary>
    private readonly void CopyPadded(float* image, ConvPlan.Part part, float* to)
    {
        int width = plan.BufferWidth, channels = plan.SourceChannels;
        int left = Math.Clamp(-plan.SourceColumn, 0, width), skip = Math.Max(0, plan.SourceColumn);
        int copied = Math.Clamp(plan.SourceWidth - skip, 0, width - left), right = width - left - copied;
        for (int row = part.SourceRow; row < part.SourceRow + part.SourceRows; row++, to += (nint)width * channels)
        {
            if (row < 0 || row >= plan.SourceHeight)
            {
                Packing.Clear(to, width * channels);
                continue;
            }
            Packing.Clear(to, left * channels);
            Packing.CopyRow(image + ((nint)row * plan.SourceWidth + skip) * channels, to + left * channels, copied * channels);
            Packing.Clear(to + (left + copied) * channels, right * channels);
        }
    }

    /// <summary>Data gradient: the tap's [C, O] block as rows of O, columns of C, at its place in its class's panel.</summary>
    private readonly void PackTap(int tap, int panel)
    {
        int kh = tap / shape.KernelWidth, kw = tap % shape.KernelWidth, stride = shape.Stride;
        int index = kh % stride * stride + kw % stride;
        ref readonly var taps = ref plan.Classes[index];
        int row = taps.Rows - 1 - kh / stride, column = taps.Columns - 1 - kw / stride;
        float* block = weights + ((nint)tap * shape.InChannels + (nint)panel * Microkernels.Panel) * shape.OutChannels;
        Packing.Transpose(block, shape.OutChannels, Columns(panel), shape.OutChannels, Panel(index, panel) + ((nint)row * taps.Columns + column) * shape.OutChannels * Microkernels.Panel, Microkernels.Panel);
    }

    private readonly int Columns(int panel) => Math.Min(Microkernels.Panel, plan.TargetChannels - panel * Microkernels.Panel);

    private readonly float* Panel(int index, int panel)
    {
        ref readonly var taps = ref plan.Classes[index];
        return packed + ((nint)taps.Weights * panels + panel * ((nint)taps.Rows * taps.Columns * plan.SourceChannels)) * Microkernels.Panel;
    }
}
