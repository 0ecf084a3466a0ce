namespace VaeFromScratch.Kernels.Cpu;

/// <summary>
/// The geometry of one convolution read as matrix products without im2col: which floats of a padded image each row of a tile starts from, and where its results go.
/// </summary>
/// <remarks>
/// Forward: y[q] = sum over taps t of x[stride q + t - padding] w[t]: one class of output pixels.
/// Backward-data with stride s: the pixels of dx fall into s x s classes by (position + padding) mod s, and each class is a convolution of stride 1 over dy with its own
/// part of the taps: position h, with h + padding = s q + r, gets dy[q - j] w[r + s j] for j = 0, 1, ... No multiplication by a zero between pixels is done.
/// A plan depends only on shapes, so it is made once and kept.
/// </remarks>
internal sealed class ConvPlan
{
    private const int SourceBufferFloats = 64 * 1024;

    /// <summary>Output pixels that use the same taps.</summary>
    /// <param name="Rows">Taps down, across.</param>
    /// <param name="Weights">Where the class's packed panels start, in units of one panel row.</param>
    internal readonly record struct PixelClass(int RowPhase, int ColumnPhase, int Rows, int Columns, long Weights);

    /// <summary>Up to <see cref="Microkernels.MaxRows"/> pixels of one class; their offsets start at First in <see cref="SourceOffsets"/>.</summary>
    internal readonly record struct PixelTile(int Class, int Rows, int First);

    /// <summary>A task's share of an image (a band of rows), or of several whole images.</summary>
    internal readonly record struct Part(int FirstTile, int EndTile, int Images, int SourceRow, int SourceRows);

    public readonly PixelClass[] Classes;
    public readonly PixelTile[] Tiles;
    public readonly Part[] Parts;
    /// <summary>Pinned, because kernels read them through pointers.</summary>
    public readonly nint[] SourceOffsets, TargetOffsets;
    public readonly int SourceHeight, SourceWidth, SourceChannels, TargetChannels, SourceColumn, BufferWidth;
    public readonly nint SourceImage, TargetImage, BufferImage;
    /// <summary>No pixel reads outside the image: it is read where it is.</summary>
    public readonly bool InPlace;
    public readonly int Tasks;
    public readonly int ImagesPerTask;
    private readonly int batch;

    public ConvPlan(ConvShape shape, bool backward, int threads)
    {
        batch = shape.Batch;
        int stride = shape.Stride, step = backward ? 1 : stride, phases = backward ? stride : 1;
        SourceHeight = backward ? shape.OutHeight : shape.Height;
        SourceWidth = backward ? shape.OutWidth : shape.Width;
        SourceChannels = backward ? shape.OutChannels : shape.InChannels;
        TargetChannels = backward ? shape.InChannels : shape.OutChannels;
        int targetHeight = backward ? shape.Height : shape.OutHeight, targetWidth = backward ? shape.Width : shape.OutWidth;
        SourceImage = (nint)SourceHeight * SourceWidth * SourceChannels;
        TargetImage = (nint)targetHeight * targetWidth * TargetChannels;

        // The window that all taps of all classes of one q lie in, and the range of q.
        int extentH = (shape.KernelHeight + phases - 1) / phases, extentW = (shape.KernelWidth + phases - 1) / phases;
        int shiftH = backward ? 1 - extentH : -shape.Padding, shiftW = backward ? 1 - extentW : -shape.Padding;
        int firstQ = backward ? shape.Padding / stride : 0;
        int endQH = backward ? (shape.Height - 1 + shape.Padding) / stride + 1 : shape.OutHeight;
        int endQW = backward ? (shape.Width - 1 + shape.Padding) / stride + 1 : shape.OutWidth;
        int rowsQ = endQH - firstQ, columnsQ = endQW - firstQ;
        int firstRow = firstQ * step + shiftH;
        SourceColumn = firstQ * step + shiftW;
        InPlace = firstRow >= 0 && SourceColumn >= 0 && (endQH - 1) * step + shiftH + extentH <= SourceHeight && (endQW - 1) * step + shiftW + extentW <= SourceWidth;
        BufferWidth = InPlace ? SourceWidth : (columnsQ - 1) * step + extentW;

        Classes = new PixelClass[phases * phases];
        long weights = 0;
        for (int i = 0; i < Classes.Length; i++)
        {
            int rowPhase = i / phases, columnPhase = i % phases;
            int rows = (shape.KernelHeight - rowPhase + phases - 1) / phases, columns = (shape.KernelWidth - columnPhase + phases - 1) / phases;
            Classes[i] = backward ? new(rowPhase, columnPhase, Math.Max(0, rows), Math.Max(0, columns), weights) : new(0, 0, shape.KernelHeight, shape.KernelWidth, 0);
            weights += (long)Classes[i].Rows * Classes[i].Columns * SourceChannels;
        }

        long wholeImage = (long)((rowsQ - 1) * step + extentH) * BufferWidth * SourceChannels;
        int bands = (int)Math.Max(wholeImage / SourceBufferFloats, (4L * threads + batch - 1) / batch);
        bands = Math.Clamp(bands, 1, Math.Max(1, Math.Min(rowsQ, rowsQ * columnsQ / Microkernels.MaxRows)));
        ImagesPerTask = 1;
        if (bands == 1)
            while (ImagesPerTask * rowsQ * columnsQ < 4 * Microkernels.MaxRows && (ImagesPerTask + 1) * wholeImage <= SourceBufferFloats && batch / (ImagesPerTask + 1) >= 4 * threads)
                ImagesPerTask++;
        int bandRows = (rowsQ + bands - 1) / bands;
        bands = (rowsQ + bandRows - 1) / bandRows;
        BufferImage = InPlace ? SourceImage : (nint)((bandRows - 1) * step + extentH) * BufferWidth * SourceChannels;
        Tasks = bands > 1 ? batch * bands : (batch + ImagesPerTask - 1) / ImagesPerTask;

        List<PixelTile> tiles = [];
        List<Part> parts = [];
        List<nint> from = [], to = [];
        void AddPart(int bandFrom, int bandEnd, int images)
        {
            int firstTile = tiles.Count;
            for (int c = 0; c < Classes.Length; c++)
            {
                var taps = Classes[c];
                int first = from.Count;
                for (int image = 0; image < images; image++)
                    for (int qh = bandFrom; qh < bandEnd; qh++)
                        for (int qw = firstQ; qw < endQW; qw++)
                        {
                            int h = backward ? stride * qh + taps.RowPhase - shape.Padding : qh, w = backward ? stride * qw + taps.ColumnPhase - shape.Padding : qw;
                            if (h < 0 || h >= targetHeight || w < 0 || w >= targetWidth)
                                continue;
                            int row = (qh - bandFrom) * step + extentH - taps.Rows;
                            int column = (qw - firstQ) * step + extentW - taps.Columns;
                            from.Add(image * BufferImage + ((nint)row * BufferWidth + column) * SourceChannels);
                            to.Add(image * TargetImage + ((nint)h * targetWidth + w) * TargetChannels);
                        }
                int pixels = from.Count - first, count = (pixels + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
                for (int t = 0; t < count; t++)
                {
                    int start = (int)((long)pixels * t / count), end = (int)((long)pixels * (t + 1) / count);
                    tiles.Add(new(c, end - start, first + start));
                }
            }
            parts.Add(new(firstTile, tiles.Count, images, bandFrom * step + shiftH, (bandEnd - bandFrom - 1) * step + extentH));
        }
        if (bands > 1)
            for (int band = 0; band < bands; band++)
                AddPart(firstQ + band * bandRows, Math.Min(endQH, firstQ + (band + 1) * bandRows), 1);
        else
        {
            AddPart(firstQ, endQH, ImagesPerTask);
            if (batch % ImagesPerTask != 0)
                AddPart(firstQ, endQH, batch % ImagesPerTask);
        }
        Tiles = [.. tiles];
        Parts = [.. parts];
        SourceOffsets = Pinned(from);
        TargetOffsets = Pinned(to);
        WeightRows = weights;
        Banded = bands > 1;
    }

    /// <summary>Rows of all classes' weight panels together: taps x source channels.</summary>
    public long WeightRows { get; }

    public bool Banded { get; }

    /// <summary>Bytes that the plan keeps.</summary>
    public long Bytes => (SourceOffsets.Length + TargetOffsets.Length) * (long)sizeof(long) + Tiles.Length * 12L;

    /// <summary>The first image of a task, and which part of it.</summary>
    public (int Image, int Part) Task(int task) =>
        Banded ? (task / Parts.Length, task % Parts.Length) : (task * ImagesPerTask, (task + 1) * ImagesPerTask > batch ? 1 : 0);

    private static nint[] Pinned(List<nint> values)
    {
        nint[] array = GC.AllocateUninitializedArray<nint>(Math.Max(1, values.Count), pinned: true);
        values.CopyTo(array);
        return array;
    }
}
