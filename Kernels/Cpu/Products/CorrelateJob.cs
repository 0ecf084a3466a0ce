using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// A convolution, or its data gradient, as matrix products over a <see cref="ConvPlan"/>: pixels are the rows of A, read straight from the (padded) image;
/// a run of k is taps across x channels, which NHWC keeps contiguous; the weights are B.
/// </summary>
internal unsafe struct CorrelateJob : IProductJob
{
    private ThreadTeam? team;
    private readonly ConvPlan plan;
    private readonly ConvShape shape;
    private readonly bool backward, relu, accumulate, packWeights;
    private readonly float* source, weights, target, bias, mask;
    private readonly int panels, packItems;
    private float* initial, packed, threadScratch;
    private int nextPack, nextTask;

    public CorrelateJob(ConvShape shape, bool backward, ConvPlan plan, float* source, float* weights, float* target, float* bias, Activation activation, bool accumulate, float* mask)
    {
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

    public void Place(float* sharedBlock, float* threadBlock, ThreadTeam? team)
    {
        this.team = team;
        int floats = panels * Microkernels.Panel, given = bias == null ? 0 : plan.TargetChannels;
        initial = sharedBlock;
        packed = sharedBlock + (floats + 63) / 64 * 64;
        threadScratch = threadBlock;
        Packing.CopyRow(bias, initial, given);
        Packing.Clear(initial + given, floats - given);
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
            team?.Barrier();
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
                Packing.CopyPadded(source + (image + i) * plan.SourceImage, plan.SourceHeight, plan.SourceWidth, plan.SourceChannels, part.SourceRow, part.SourceRows, plan.SourceColumn, plan.BufferWidth, buffer + i * plan.BufferImage);
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
