using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// dw[kh, kw, c, o] = sum over images and pixels of x[stride oh + kh - padding, stride ow + kw - padding, c] dy[oh, ow, o]: for each tap a
/// matrix product whose k are
/// pixels, read in place. Pixels whose tap falls outside the image are left out of the loops, so nothing is padded and no zero is
/// multiplied.
/// </summary>
/// <remarks>
/// With few channels a tap has too few rows for a tile; then images are padded and the rows of a tile are (kh, kw, c) together.
/// Images are cut into chunks by the shape alone. Each chunk sums blocks of about 400 pixels into its own copy of dw; the copies are added
/// in order.
/// </remarks>
internal unsafe struct WeightGradientJob : IProductJob
{
    private const int MergedChannels = 8;
    private const int BlockPixels = 400;
    private const int PixelsPerChunk = 512;
    private const int TaskGoal = 16;
    private const int BufferLimit = 64 * 1024;

    private ThreadTeam? team;
    private readonly ConvShape shape;
    private readonly float* x, dy, dw;
    private readonly bool accumulate, merged;
    private readonly int panels, parts, chunks, blockImages, tasks, paddedRows, paddedWidth, reduceItems;
    private readonly nint paddedImage, imageX, imageY;
    private float* zeros, partial, threadScratch;
    private nint* mergedRows;
    private int nextTask, nextReduce;

    public WeightGradientJob(ConvShape shape, float* x, float* dy, float* dw, bool accumulate)
    {
        this.shape = shape;
        this.x = x;
        this.dy = dy;
        this.dw = dw;
        this.accumulate = accumulate;
        int pixels = shape.OutHeight * shape.OutWidth;
        imageX = (nint)shape.Height * shape.Width * shape.InChannels;
        imageY = (nint)pixels * shape.OutChannels;
        merged = shape.InChannels < MergedChannels;
        paddedWidth = (shape.OutWidth - 1) * shape.Stride + shape.KernelWidth;
        paddedRows = (shape.OutHeight - 1) * shape.Stride + shape.KernelHeight;
        paddedImage = (nint)paddedRows * paddedWidth * shape.InChannels;
        panels = (shape.OutChannels + Microkernels.Panel - 1) / Microkernels.Panel;
        blockImages = Math.Clamp(BlockPixels / pixels, 1, Math.Max(1, shape.Batch));
        if (merged)
            blockImages = (int)Math.Clamp(BufferLimit / paddedImage, 1, blockImages);
        int most = Math.Max(1, Math.Min((shape.Batch + blockImages - 1) / blockImages, (int)((long)shape.Batch * pixels / PixelsPerChunk)));
        // One task for all of a chunk's taps reads every image once, as long as the copies of dw are less to move than what that saves.
        chunks = most >= TaskGoal ? TaskGoal : TaskGoal / 2;
        if (chunks <= most && 2L * chunks * shape.WeightSize <= (long)shape.InSize + shape.OutSize)
            parts = 1;
        else
        {
            parts = merged ? panels : panels * shape.KernelHeight;
            chunks = Math.Min(most, (TaskGoal + parts - 1) / parts);
        }
        tasks = parts * chunks;
        reduceItems = chunks == 1 ? 0 : (shape.WeightSize + 4095) / 4096;
    }

    private readonly int TailColumns => shape.OutChannels % Microkernels.Lanes == 0 ? 0 : shape.OutChannels % Microkernels.Panel;

    public readonly long SharedFloats => Microkernels.PanelLimit + (merged
        ? 2L * shape.KernelHeight * shape.KernelWidth * shape.InChannels + 64 : 0) + (chunks > 1 ? (long)chunks * shape.WeightSize : 0);

    public readonly long ThreadFloats =>
        MergedFloats + (TailColumns > 0 ? (long)blockImages * shape.OutHeight * shape.OutWidth * Microkernels.Panel + 1024 : 0);

    private readonly long MergedFloats => merged ? (blockImages * paddedImage + 2047) / 1024 * 1024 : 0;

    public void Place(float* sharedBlock, float* threadBlock, ThreadTeam? team)
    {
        this.team = team;
        zeros = sharedBlock;
        Packing.Clear(zeros, Microkernels.PanelLimit);
        mergedRows = (nint*)(sharedBlock + Microkernels.PanelLimit);
        int rows = merged ? shape.KernelHeight * shape.KernelWidth * shape.InChannels : 0, run = shape.KernelWidth * shape.InChannels;
        for (int i = 0; i < rows; i++)
            mergedRows[i] = (nint)(i / run) * paddedWidth * shape.InChannels + i % run;
        partial = sharedBlock + Microkernels.PanelLimit + (2 * rows + 63) / 64 * 64;
        threadScratch = threadBlock;
    }

    public void Run(int thread)
    {
        float* own = threadScratch + thread * ThreadFloats;
        nint* rowsOfC = stackalloc nint[Microkernels.RowLimit];
        for (int i = 0; i < Microkernels.RowLimit; i++)
            rowsOfC[i] = (nint)i * shape.OutChannels;
        Tile tile = default;
        tile.CRows = rowsOfC;
        tile.Initial = zeros;
        for (int i; (i = ThreadTeam.Take(team, thread, tasks, ref nextTask)) >= 0;)
            Compute(i, &tile, own);
        if (reduceItems == 0)
            return;
        team?.Barrier();
        for (int i; (i = Interlocked.Increment(ref nextReduce) - 1) < reduceItems;)
            Reduce(i * 4096, Math.Min(shape.WeightSize, (i + 1) * 4096));
    }

    private readonly void Compute(int task, Tile* tile, float* own)
    {
        int chunk = task % chunks, part = task / chunks, heights = merged ? 1 : shape.KernelHeight;
        int first = (int)((long)shape.Batch * chunk / chunks), end = (int)((long)shape.Batch * (chunk + 1) / chunks);
        int firstPart = panels * heights * part / parts, endPart = panels * heights * (part + 1) / parts;
        tile->Add = chunks == 1 && accumulate;
        int image = first;
        do
        {
            int images = Math.Min(blockImages, end - image);
            tile->Groups = images;
            if (merged)
                PadImages(image, images, own);
            for (int i = firstPart; i < endPart; i++)
                ComputePart(image, images, i % panels, i / panels, chunk, tile, own);
            tile->Add = true;
            image += images;
        }
        while (image < end);
    }

    /// <summary>Adds a block of images to one panel of columns of dw: of one row of taps, or of all taps where they are merged.</summary>
    private readonly void ComputePart(int image, int images, int panel, int kh, int chunk, Tile* tile, float* own)
    {
        int valid = Math.Min(Microkernels.Panel, shape.OutChannels - panel * Microkernels.Panel), width = Microkernels.WidthFor(valid);
        float* to = (chunks == 1 ? dw : partial + (nint)chunk * shape.WeightSize) + (nint)panel * Microkernels.Panel;
        float* b = dy + image * imageY + (nint)panel * Microkernels.Panel;
        tile->BStep = shape.OutChannels;
        if (valid < width)
        {
            float* packed = own + MergedFloats;
            Packing.Copy(b, tile->BStep, valid, images * shape.OutHeight * shape.OutWidth, packed, Microkernels.Panel);
            b = packed;
            tile->BStep = Microkernels.Panel;
        }
        if (merged)
            ComputeMerged(tile, own, b, to, width, valid);
        else
            for (int kw = 0; kw < shape.KernelWidth; kw++)
                ComputeTap(image, kh, kw, tile, b, to, width, valid);
    }

    private readonly void PadImages(int image, int images, float* to)
    {
        for (int i = 0; i < images; i++)
            Packing.CopyPadded(x + (image + i) * imageX, shape.Height, shape.Width, shape.InChannels, -shape.Padding, paddedRows,
                -shape.Padding, paddedWidth, to + i * paddedImage);
    }

    private readonly void ComputeTap(int image, int kh, int kw, Tile* tile, float* b, float* to, int width, int valid)
    {
        int stride = shape.Stride, channels = shape.InChannels;
        var (row0, row1) = Inside(kh, shape.Height, shape.OutHeight);
        var (column0, column1) = Inside(kw, shape.Width, shape.OutWidth);
        tile->Depth = column1 - column0;
        tile->Runs = row1 - row0;
        tile->AStep = (nint)stride * channels;
        tile->ARunSkip = (nint)stride * (shape.Width - (column1 - column0)) * channels;
        tile->AGroupSkip = imageX - (nint)(row1 - row0) * stride * shape.Width * channels;
        tile->BRunSkip = (shape.OutWidth - (column1 - column0)) * tile->BStep;
        tile->BGroupSkip = (nint)(shape.OutHeight - (row1 - row0)) * shape.OutWidth * tile->BStep;
        float* a = x + image * imageX
            + ((nint)(row0 * stride + kh - shape.Padding) * shape.Width + column0 * stride + kw - shape.Padding) * channels;
        tile->B = b + ((nint)row0 * shape.OutWidth + column0) * tile->BStep;
        to += ((nint)kh * shape.KernelWidth + kw) * channels * shape.OutChannels;
        int count = (channels + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
        for (int t = 0; t < count; t++)
        {
            int from = channels * t / count, rows = channels * (t + 1) / count - from;
            tile->A = a + from;
            tile->C = to + (nint)from * shape.OutChannels;
            Microkernels.Run(Microkernels.Columns(rows, width), tile, rows, width, valid);
        }
    }

    private readonly void ComputeMerged(Tile* tile, float* own, float* b, float* to, int width, int valid)
    {
        int stride = shape.Stride, channels = shape.InChannels;
        tile->Depth = shape.OutWidth;
        tile->Runs = shape.OutHeight;
        tile->AStep = (nint)stride * channels;
        tile->ARunSkip = (nint)stride * (paddedWidth - shape.OutWidth) * channels;
        tile->AGroupSkip = paddedImage - (nint)shape.OutHeight * stride * paddedWidth * channels;
        tile->BRunSkip = tile->BGroupSkip = 0;
        tile->A = own;
        tile->B = b;
        int all = shape.KernelHeight * shape.KernelWidth * channels, count = (all + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
        for (int t = 0; t < count; t++)
        {
            int from = all * t / count, rows = all * (t + 1) / count - from;
            tile->ARows = mergedRows + from;
            tile->C = to + (nint)from * shape.OutChannels;
            Microkernels.Run(Microkernels.Rows(rows, width), tile, rows, width, valid);
        }
    }

    /// <summary>The output positions whose tap lies inside an image of the given size.</summary>
    private readonly (int From, int End) Inside(int tap, int size, int outSize)
    {
        int shift = tap - shape.Padding, stride = shape.Stride;
        int from = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
        int end = size - 1 - shift < 0 ? 0 : Math.Min(outSize, (size - 1 - shift) / stride + 1);
        return end > from ? (from, end) : (0, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Reduce(int from, int end)
    {
        int i = from;
        for (; i <= end - 8; i += 8)
        {
            var sum = Vector256.Load(partial + i);
            for (int chunk = 1; chunk < chunks; chunk++)
                sum += Vector256.Load(partial + (nint)chunk * shape.WeightSize + i);
            Vector256.Store(accumulate ? sum + Vector256.Load(dw + i) : sum, dw + i);
        }
        for (; i < end; i++)
        {
            float sum = partial[i];
            for (int chunk = 1; chunk < chunks; chunk++)
                sum += partial[(nint)chunk * shape.WeightSize + i];
            dw[i] = accumulate ? sum + dw[i] : sum;
        }
    }
}
