using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// Backward-data towards few channels (a decoder's last layer): with 1 channel a vector of output channels would hold 15 zeros, so the
/// columns are the taps instead.
/// Each pixel of dy times w gives its whole [KH, KW, C] patch of dx in registers; the patches are then added where they overlap.
/// </summary>
internal unsafe struct NarrowJob : IProductJob
{
    private ThreadTeam? team;
    private readonly ConvShape shape;
    private readonly float* dy, w, dx, bias, mask;
    private readonly bool relu, accumulate;
    private readonly int taps, panels, sumRows, sumWidth;
    private float* packed, border, zeros, threadScratch;
    private int nextPack, nextImage;

    public NarrowJob(ConvShape shape, float* dy, float* w, float* dx, float* bias, Activation activation, bool accumulate, float* mask)
    {
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

    /// <summary>The sums of one image, then a row of patches with an empty one at either end.</summary>
    public readonly long ThreadFloats => SumFloats + ((shape.OutWidth + 2L) * PatchStride + 1023) / 1024 * 1024;

    private readonly long SumFloats => ((long)sumRows * sumWidth + 1023) / 1024 * 1024;

    public void Place(float* sharedBlock, float* threadBlock, ThreadTeam? team)
    {
        this.team = team;
        zeros = sharedBlock;
        Packing.Clear(zeros, Microkernels.PanelLimit);
        border = sharedBlock + 64;
        for (int i = 0; i < sumWidth; i++)
            border[i] = bias == null ? 0 : bias[i % shape.InChannels];
        packed = border + (sumWidth + 63) / 64 * 64;
        threadScratch = threadBlock;
    }

    public void Run(int thread)
    {
        for (int i; (i = Interlocked.Increment(ref nextPack) - 1) < panels;)
            Packing.Transpose(w + (nint)i * Microkernels.Panel * shape.OutChannels, shape.OutChannels,
                Math.Min(Microkernels.Panel, taps - i * Microkernels.Panel), shape.OutChannels,
                packed + (nint)i * Microkernels.Panel * shape.OutChannels, Microkernels.Panel);
        team?.Barrier();
        float* sums = threadScratch + thread * ThreadFloats;
        float* patches = sums + SumFloats + PatchStride;
        Packing.Clear(patches - PatchStride, PatchStride);
        Packing.Clear(patches + (nint)shape.OutWidth * PatchStride, PatchStride);
        for (int i; (i = ThreadTeam.Take(team, thread, shape.Batch, ref nextImage)) >= 0;)
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
            for (int kh = 0; kh < shape.KernelHeight; kh++)
                AddPatchRow(patches + (nint)kh * shape.KernelWidth * shape.InChannels, sums + (nint)(oh * shape.Stride + kh) * sumWidth);
        }
        int row0 = shape.Width * shape.InChannels;
        for (int h = 0; h < shape.Height; h++)
        {
            nint to = ((nint)image * shape.Height + h) * row0;
            Microkernels.StoreRow(sums + (nint)(h + shape.Padding) * sumWidth + shape.Padding * shape.InChannels, dx + to, mask == null
                ? null : mask + to, row0, accumulate, relu);
        }
    }

    /// <summary>Adds one row of every patch to a row of the image, so that no load meets a store that is still on its way.</summary>
    private readonly void AddPatchRow(float* patch, float* row)
    {
        int run = shape.KernelWidth * shape.InChannels, step = shape.Stride * shape.InChannels;
        if (run == 4 && step == 2)
            AddPairs(patch, PatchStride, shape.OutWidth, row);
        else if (run == 2 * step)
            AddHalves(patch, PatchStride, shape.OutWidth, step, row);
        else
            AddRuns(patch, PatchStride, shape.OutWidth, run, step, row);
    }

    /// <summary>4 taps, stride 2, 1 channel: two pixels of dy complete 4 neighbours of dx.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPairs(float* patch, nint patchStride, int count, float* row)
    {
        var before = Vector128<float>.Zero;
        int j = 0;
        for (; j < count; j += 2, patch += 2 * patchStride, row += 4)
        {
            // Past an odd end the empty patch is read.
            Vector128<float> even = Vector128.Load(patch), odd = Vector128.Load(patch + patchStride);
            Vector128.Store(Vector128.Load(row) + Shuffle128.LowPairs(even, odd) + Shuffle128.HighPairs(before, even), row);
            before = odd;
        }
        if (j == count)
        {
            row[0] += before[2];
            row[1] += before[3];
        }
    }

    /// <summary>
    /// The kernel is twice the stride: each step of dx is the first half of one patch and the second half of the patch before.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddHalves(float* patch, nint patchStride, int count, int step, float* row)
    {
        for (int j = 0; j <= count; j++, patch += patchStride, row += step)
        {
            float* before = patch - patchStride + step;
            int i = 0;
            for (; i <= step - 4; i += 4)
                Vector128.Store(Vector128.Load(row + i) + (Vector128.Load(patch + i) + Vector128.Load(before + i)), row + i);
            for (; i < step; i++)
                row[i] += patch[i] + before[i];
        }
    }

    /// <summary>Any kernel and stride: patches that do not overlap first, then their neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRuns(float* patch, nint patchStride, int count, int run, int step, float* row)
    {
        int overlap = (run + step - 1) / step;
        for (int first = 0; first < overlap; first++)
            for (int j = first; j < count; j += overlap)
            {
                float* from = patch + j * patchStride, to = row + (nint)j * step;
                int i = 0;
                for (; i <= run - 4; i += 4)
                    Vector128.Store(Vector128.Load(to + i) + Vector128.Load(from + i), to + i);
                for (; i < run; i++)
                    to[i] += from[i];
            }
    }
}
