using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// A convolution, or its data gradient, as matrix products over a <see cref="ConvPlan"/>: pixels are the rows of A, read straight from the
/// image;
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
    private float* initial, packed;
    private int nextPack, nextTask;

    public CorrelateJob(ConvShape shape, bool backward, ConvPlan plan, float* source, float* weights, float* target, float* bias,
        Activation activation, bool accumulate, float* mask)
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

    public readonly long SharedFloats =>
        (long)panels * Microkernels.Panel + 64 + (packWeights ? plan.WeightRows * panels * Microkernels.Panel : 0);

    public readonly long ThreadFloats => 0;

    public void Place(float* shared, float* threads, ThreadTeam? team)
    {
        this.team = team;
        int floats = panels * Microkernels.Panel, given = bias == null ? 0 : plan.TargetChannels;
        initial = shared;
        packed = shared + (floats + 63) / 64 * 64;
        Packing.CopyRow(bias, initial, given);
        Packing.Clear(initial + given, floats - given);
    }

    /// <summary>Takes the weights and the bias as another job of the same convolution has packed them into its shared memory.</summary>
    public void PlacePacked(float* shared)
    {
        initial = shared;
        packed = shared + (panels * Microkernels.Panel + 63) / 64 * 64;
        nextPack = packItems;
    }

    /// <summary>Packs the weights: a part of <see cref="Run"/>, for those that keep them.</summary>
    public void Pack()
    {
        for (int i; (i = Interlocked.Increment(ref nextPack) - 1) < packItems;)
            if (backward)
                PackTap(i / panels, i % panels);
            else
                Packing.Copy(weights + (nint)i * Microkernels.Panel, plan.TargetChannels, Columns(i), (int)plan.WeightRows,
                    Panel(plan.Phases[0], i), Microkernels.Panel);
    }

    public void Run(int thread)
    {
        if (packItems > 0)
        {
            Pack();
            team?.Barrier();
        }
        for (int i; (i = ThreadTeam.Take(team, thread, plan.Tasks, ref nextTask)) >= 0;)
        {
            var (image, part) = plan.Task(i);
            Compute(image, part);
        }
    }

    private readonly void Compute(int image, ConvPlan.Part part)
    {
        nint* sources = (nint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(plan.SourceOffsets));
        nint* targets = (nint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(plan.TargetOffsets));
        nint first = image * plan.TargetImage;
        Tile tile = default;
        tile.A = source + image * plan.SourceImage;
        tile.AStep = 1;
        tile.BStep = packWeights ? Microkernels.Panel : plan.TargetChannels;
        tile.Groups = 1;
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
                    SetClass(&tile, plan.Classes[current], panel);
                }
                tile.ARows = sources + pixels.First;
                tile.CRows = targets + pixels.First;
                Microkernels.Run(Microkernels.Rows(pixels.Rows, width), &tile, pixels.Rows, width, valid);
            }
        }
    }

    private readonly void SetClass(Tile* tile, in ConvPlan.PixelClass pixels, int panel)
    {
        nint channels = plan.SourceChannels;
        tile->Depth = pixels.Columns * channels;
        tile->Runs = pixels.Rows;
        tile->ARunSkip = (plan.SourceWidth - pixels.Columns) * channels;
        tile->BRunSkip = (pixels.Phase.Columns - pixels.Columns) * channels * tile->BStep;
        tile->B = (packWeights ? Panel(pixels.Phase, panel) : weights + (nint)panel * Microkernels.Panel)
            + (pixels.FirstRow * pixels.Phase.Columns + pixels.FirstColumn) * channels * tile->BStep;
        tile->Prefetch = tile->Depth * tile->Runs >= 96;
    }

    /// <summary>Data gradient: the tap's [C, O] block as rows of O, columns of C, at its place in its phase's panel.</summary>
    private readonly void PackTap(int tap, int panel)
    {
        int kh = tap / shape.KernelWidth, kw = tap % shape.KernelWidth, stride = shape.Stride;
        ref readonly var phase = ref plan.Phases[kh % stride * stride + kw % stride];
        int row = phase.Rows - 1 - kh / stride, column = phase.Columns - 1 - kw / stride;
        float* block = weights + ((nint)tap * shape.InChannels + (nint)panel * Microkernels.Panel) * shape.OutChannels;
        float* to = Panel(phase, panel) + ((nint)row * phase.Columns + column) * shape.OutChannels * Microkernels.Panel;
        Packing.Transpose(block, shape.OutChannels, Columns(panel), shape.OutChannels, to, Microkernels.Panel);
    }

    private readonly int Columns(int panel) => Math.Min(Microkernels.Panel, plan.TargetChannels - panel * Microkernels.Panel);

    private readonly float* Panel(in ConvPlan.Phase phase, int panel) =>
        packed + ((nint)phase.Weights * panels + panel * ((nint)phase.Rows * phase.Columns * plan.SourceChannels)) * Microkernels.Panel;
}
