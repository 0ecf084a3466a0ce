using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    private void Scatter(ConvShape shape, float* dy, float* w, float* dx, float* bias, Activation activation, bool accumulate, float* mask)
    {
        if (shape.InSize == 0)
            return;
        var job = new NarrowJob(shape, dy, w, dx, bias, activation, accumulate, mask, team);
        job.Place(sharedScratch.Reserve(job.SharedFloats), threadScratch.Reserve(job.ThreadFloats * team.Threads));
        if (shape.Flops < SerialFlops)
            job.RunAlone();
        else
            team.OnEveryThread(ref job);
    }
}

/// <summary>
/// Backward-data towards few channels (a decoder's last layer): with 1 channel a vector of output channels would hold 15 zeros, so the columns are the taps instead.
/// Each pixel of dy times w gives its whole [KH, KW, C] patch of dx in registers; the patches are then added where they overlap.
/// </summary>
internal unsafe struct NarrowJob : IJob
{
    private readonly ThreadTeam team;
    private readonly ConvShape shape;
    private readonly float* dy, w, dx, bias, mask;
    private readonly bool relu, accumulate;
    private readonly int taps, panels, sumRows, sumWidth;
    private float* packed, border, zeros, threadScratch;
    private bool alone;
    private int nextPack, nextImage;

    public NarrowJob(ConvShape shape, float* dy, float* w, float* dx, float* bias, Activation activation, bool accumulate, float* mask, ThreadTeam team)
    {
        this.team = team;
        this.shape = shape;
        this.dy = dy;
        this.w = w;
        this.dx = dx;
        this.bias = bias;
        this.mask = mask;
        this.accumulate = accumulate;
        relu = activation == Activation.Relu;
        taps = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        panels = (taps + Microkernels.Panel - 1) / Microkernels.Panel;
        sumRows = Math.Max((shape.OutHeight - 1) * shape.Stride + shape.KernelHeight, shape.Height + shape.Padding);
        sumWidth = Math.Max((shape.OutWidth - 1) * shape.Stride + shape.KernelWidth, shape.Width + shape.Padding) * shape.InChannels;
    }

    public static bool Suits(ConvShape shape) => shape.InChannels <= Microkernels.Lanes / 2 && shape.KernelHeight * shape.KernelWidth > 1;

    private readonly int PatchStride => panels * Microkernels.Panel;

    public readonly long SharedFloats => 64 + sumWidth + 64 + (long)PatchStride * shape.OutChannels;

    public readonly long ThreadFloats => ((long)sumRows * sumWidth + (long)shape.OutWidth * PatchStride + 2047) / 1024 * 1024;

    public void Place(float* sharedBlock, float* threadBlock)
    {
        zeros = sharedBlock;
        Packing.Clear(zeros, Microkernels.PanelLimit);
        border = sharedBlock + 64;
        for (int i = 0; i < sumWidth; i++)
            border[i] = bias == null ? 0 : bias[i % shape.InChannels];
        packed = border + (sumWidth + 63) / 64 * 64;
        threadScratch = threadBlock;
    }

    public void RunAlone()
    {
        alone = true;
        Run(0);
    }

    public void Run(int thread)
    {
        for (int i; (i = Interlocked.Increment(ref nextPack) - 1) < panels;)
            Packing.Transpose(w + (nint)i * Microkernels.Panel * shape.OutChannels, shape.OutChannels, Math.Min(Microkernels.Panel, taps - i * Microkernels.Panel), shape.OutChannels,
                packed + (nint)i * Microkernels.Panel * shape.OutChannels, Microkernels.Panel);
        if (!alone)
            team.Barrier();
        float* sums = threadScratch + thread * ThreadFloats;
        float* patches = sums + (nint)sumRows * sumWidth;
        for (int i; (i = Interlocked.Increment(ref nextImage) - 1) < shape.Batch;)
            Compute(i, sums, patches);
    }

    private readonly void Compute(int image, float* sums, float* patches)
    {
        nint* rowsOfA = stackalloc nint[Microkernels.RowLimit];
        nint* rowsOfC = stackalloc nint[Microkernels.RowLimit];
        for (int i = 0; i < Microkernels.RowLimit; i++)
        {
            rowsOfA[i] = (nint)i * shape.OutChannels;
            rowsOfC[i] = (nint)i * PatchStride;
        }
        Tile tile = default;
        tile.ARows = rowsOfA;
        tile.CRows = rowsOfC;
        tile.AStep = 1;
        tile.BStep = Microkernels.Panel;
        tile.Depth = shape.OutChannels;
        tile.Runs = tile.Groups = 1;
        tile.Initial = zeros;
        for (int row = 0; row < sumRows; row++)
            Packing.CopyRow(border, sums + (nint)row * sumWidth, sumWidth);
        int count = (shape.OutWidth + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
        for (int oh = 0; oh < shape.OutHeight; oh++)
        {
            float* source = dy + ((nint)image * shape.OutHeight + oh) * shape.OutWidth * shape.OutChannels;
            for (int panel = 0; panel < panels; panel++)
            {
                int width = Microkernels.WidthFor(taps - panel * Microkernels.Panel);
                tile.B = packed + (nint)panel * Microkernels.Panel * shape.OutChannels;
                for (int t = 0; t < count; t++)
                {
                    int from = shape.OutWidth * t / count, rows = shape.OutWidth * (t + 1) / count - from;
                    tile.A = source + (nint)from * shape.OutChannels;
                    tile.C = patches + (nint)from * PatchStride + (nint)panel * Microkernels.Panel;
                    Microkernels.Rows(rows, width)(&tile);
                }
            }
            AddPatches(patches, PatchStride, shape.OutWidth, shape.KernelHeight, shape.KernelWidth * shape.InChannels,
                sums + (nint)oh * shape.Stride * sumWidth, sumWidth, shape.Stride * shape.InChannels);
        }
        int row0 = shape.Width * shape.InChannels;
        for (int h = 0; h < shape.Height; h++)
        {
            nint to = ((nint)image * shape.Height + h) * row0;
            Microkernels.StoreRow(sums + (nint)(h + shape.Padding) * sumWidth + shape.Padding * shape.InChannels, dx + to, mask == null ? null : mask + to, row0, accumulate, relu);
        }
    }

    /// <summary>Adds each patch's rows to the image's, one pixel after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPatches(float* patches, nint patchStride, int count, int rows, int run, float* to, nint toStride, nint step)
    {
        for (int j = 0; j < count; j++, patches += patchStride, to += step)
        {
            float* patch = patches, row = to;
            for (int r = 0; r < rows; r++, row += toStride, patch += run)
            {
                int i = 0;
                for (; i <= run - 4; i += 4)
                    Vector128.Store(Vector128.Load(row + i) + Vector128.Load(patch + i), row + i);
                for (; i < run; i++)
                    row[i] += patch[i];
            }
        }
    }
}
