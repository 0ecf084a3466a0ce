namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// The geometry of one convolution read as matrix products without im2col: which floats of an image each row of a tile starts from, and
/// where its results go.
/// </summary>
/// <remarks>
/// Forward: y[p] = sum over taps t of x[stride p + t - padding] w[t].
/// Backward-data with stride s: the pixels of dx fall into s x s phases by (position + padding) mod s, and each phase is a convolution of
/// stride 1 over dy with its own
/// part of the taps: position p, with p + padding = s q + r, gets dy[q - j] w[r + s j] for j = 0, 1, ... No multiplication by a zero
/// between pixels is done.
/// In both, pixels whose window leaves the image have fewer taps. Pixels of the same phase and the same taps form a class, and tiles are
/// cut from a class, over several
/// images where one gives too few. So nothing is padded, copied or multiplied by zero. A plan depends only on shapes: it is made once and
/// kept.
/// </remarks>
internal sealed class ConvPlan
{
    /// <summary>Pixels that a task should have, so that border classes fill tiles too.</summary>
    private const int TaskPixels = 512;

    private const int TasksPerThread = 4;

    /// <summary>
    /// Output pixels of one phase that use the same taps: Rows x Columns of them, from tap (FirstRow, FirstColumn) of the phase's.
    /// </summary>
    internal readonly record struct PixelClass(Phase Phase, int FirstRow, int Rows, int FirstColumn, int Columns);

    /// <summary>Taps of a phase (all there are in the forward direction), and the row of the packed weights at which they start.</summary>
    internal readonly record struct Phase(int Rows, int Columns, long Weights);

    /// <summary>Up to <see cref="Microkernels.MaxRows"/> pixels of one class; their offsets start at First.</summary>
    internal readonly record struct PixelTile(int Class, int Rows, int First);

    /// <summary>The tiles of a task: a band of rows of one image, or several whole images.</summary>
    internal readonly record struct Part(int FirstTile, int EndTile);

    /// <summary>The pixels of one axis that use the same taps.</summary>
    private readonly record struct AxisClass(int Phase, int First, int Count, List<(int Target, int Source)> Positions);

    public readonly PixelClass[] Classes;
    public readonly Phase[] Phases;
    public readonly PixelTile[] Tiles;
    public readonly Part[] Parts;

    /// <summary>
    /// Where each pixel's window starts in the source, and where its result goes; pinned, because kernels read them through pointers.
    /// </summary>
    public readonly nint[] SourceOffsets, TargetOffsets;
    public readonly int SourceWidth, SourceChannels, TargetChannels, Tasks;
    public readonly nint SourceImage, TargetImage;
    private readonly int batch, bands;

    /// <param name="threads">That share the tasks; 0 for a caller who does them all, one after the other.</param>
    public ConvPlan(ConvShape shape, bool backward, int threads)
    {
        batch = shape.Batch;
        int phases = backward ? shape.Stride : 1;
        SourceWidth = backward ? shape.OutWidth : shape.Width;
        SourceChannels = backward ? shape.OutChannels : shape.InChannels;
        TargetChannels = backward ? shape.InChannels : shape.OutChannels;
        int sourceHeight = backward ? shape.OutHeight : shape.Height;
        int targetHeight = backward ? shape.Height : shape.OutHeight, targetWidth = backward ? shape.Width : shape.OutWidth;
        SourceImage = (nint)sourceHeight * SourceWidth * SourceChannels;
        TargetImage = (nint)targetHeight * targetWidth * TargetChannels;

        Phases = new Phase[phases * phases];
        for (int i = 0; i < Phases.Length; i++)
        {
            Phases[i] = new(Taps(shape.KernelHeight, i / phases, phases), Taps(shape.KernelWidth, i % phases, phases), WeightRows);
            WeightRows += (long)Phases[i].Rows * Phases[i].Columns * SourceChannels;
        }

        int pixels = targetHeight * targetWidth / (phases * phases);
        int least = Math.Min(TasksPerThread * threads, batch * targetHeight);
        bands = batch >= least ? 1 : (least + batch - 1) / batch;
        Tasks = bands > 1 ? batch * bands : Math.Max(Math.Max(least, 1), (int)Math.Min(batch, (long)batch * pixels / TaskPixels));

        List<PixelClass> classes = [];
        List<PixelTile> tiles = [];
        List<nint> from = [], to = [];
        Part AddPart(int firstRow, int endRow, int images)
        {
            int firstTile = tiles.Count;
            var columns = Axis(backward, shape.KernelWidth, SourceWidth, shape, 0, targetWidth);
            foreach (var row in Axis(backward, shape.KernelHeight, sourceHeight, shape, firstRow, endRow))
                foreach (var column in columns)
                {
                    int first = from.Count;
                    for (int image = 0; image < images; image++)
                        foreach (var (h, sourceH) in row.Positions)
                            foreach (var (w, sourceW) in column.Positions)
                            {
                                from.Add(image * SourceImage + ((nint)sourceH * SourceWidth + sourceW) * SourceChannels);
                                to.Add(image * TargetImage + ((nint)h * targetWidth + w) * TargetChannels);
                            }
                    int count = from.Count - first, cuts = (count + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
                    for (int t = 0; t < cuts; t++)
                    {
                        int start = (int)((long)count * t / cuts), end = (int)((long)count * (t + 1) / cuts);
                        tiles.Add(new(classes.Count, end - start, first + start));
                    }
                    classes.Add(new(Phases[row.Phase * phases + column.Phase], row.First, row.Count, column.First, column.Count));
                }
            return new(firstTile, tiles.Count);
        }
        if (bands > 1)
            Parts = [.. Enumerable.Range(0, bands)
                .Select(band => AddPart(targetHeight * band / bands, targetHeight * (band + 1) / bands, 1))];
        else
            Parts = [AddPart(0, targetHeight, batch / Tasks), .. batch % Tasks == 0 ? []
                : (Part[])[AddPart(0, targetHeight, batch / Tasks + 1)]];
        Classes = [.. classes];
        Tiles = [.. tiles];
        SourceOffsets = Pinned(from);
        TargetOffsets = Pinned(to);
    }

    /// <summary>Rows of all phases' weights together: taps x source channels.</summary>
    public long WeightRows { get; }

    /// <summary>Bytes that the plan keeps.</summary>
    public long Bytes => (SourceOffsets.Length + TargetOffsets.Length) * (long)sizeof(long) + Tiles.Length * 12L;

    /// <summary>The first image of a task, and its tiles.</summary>
    public (int Image, Part Part) Task(int task)
    {
        if (bands > 1)
            return (task / bands, Parts[task % bands]);
        int image = (int)((long)batch * task / Tasks), end = (int)((long)batch * (task + 1) / Tasks);
        return (image, Parts[end - image - batch / Tasks]);
    }

    /// <summary>Taps of a kernel that a phase uses.</summary>
    private static int Taps(int kernel, int phase, int phases) => Math.Max(0, (kernel - phase + phases - 1) / phases);

    /// <summary>The positions of one axis by phase and by the taps that lie inside the source.</summary>
    private static List<AxisClass> Axis(bool backward, int kernel, int size, ConvShape shape, int from, int end)
    {
        List<AxisClass> classes = [];
        for (int p = from; p < end; p++)
        {
            int phase = backward ? (p + shape.Padding) % shape.Stride : 0, taps = backward ? Taps(kernel, phase, shape.Stride) : kernel;
            int window = backward ? (p + shape.Padding) / shape.Stride - taps + 1 : p * shape.Stride - shape.Padding;
            int first = Math.Max(0, -window), count = Math.Min(taps, size - window) - first;
            if (count <= 0)
                (first, count, window) = (0, 0, 0);
            int index = classes.FindIndex(c => c.Phase == phase && c.First == first && c.Count == count);
            if (index < 0)
            {
                index = classes.Count;
                classes.Add(new(phase, first, count, []));
            }
            classes[index].Positions.Add((p, window + first));
        }
        return classes;
    }

    private static nint[] Pinned(List<nint> values)
    {
        nint[] array = GC.AllocateUninitializedArray<nint>(Math.Max(1, values.Count), pinned: true);
        values.CopyTo(array);
        return array;
    }
}
