using VaeFromScratch.Kernels.Cpu.Products;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Cpu.Inference;

/// <summary>
/// The layers of a network on this processor, for inference only: weights packed once, working memory kept, nothing recorded. Values are
/// numbered; 0 is the input.
/// </summary>
/// <remarks>
/// Rows go through the layers in chunks that the second-level cache holds: images a few at a time from layer to layer, then features, many
/// rows at a time, so that each panel of weights
/// is read once for all of them. Any number of threads may call <see cref="Run"/> at the same time; it allocates nothing once it has seen a
/// number of rows before.
/// </remarks>
internal sealed unsafe class InferenceProgram : IDisposable
{
    /// <summary>Rows of a chunk: four tiles of the tallest microkernel.</summary>
    private const int ChunkRows = 4 * Microkernels.RowLimit;

    /// <summary>Bytes of one value of images that go from layer to layer together.</summary>
    private const int ImageBytes = 256 << 10;

    /// <summary>Rows for each thread below which more threads do not pay.</summary>
    private const int LeastRows = 4;

    private readonly List<int> floats = [];
    private readonly List<InferenceLayer> layers = [];
    private readonly ThreadTeam? team;
    private readonly Lock teamInUse = new();
    private readonly AlignedFloats?[] free;
    private int[] outputs = [];
    private Group[] groups = [];
    private long[] offsets = [];
    private bool[] isLocal = [];
    private long scratchOffset, workingFloats;

    /// <param name="inputFloats">Of one row.</param>
    /// <param name="threads">Threads that share the rows of a call, the caller's included.</param>
    public InferenceProgram(int inputFloats, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        floats.Add(inputFloats);
        team = threads > 1 ? new(threads) : null;
        free = new AlignedFloats?[2 * Math.Max(threads, Environment.ProcessorCount)];
    }

    /// <summary>Layers that share their rows.</summary>
    /// <param name="Rows">At a time.</param>
    private sealed record Group(InferenceLayer[] Layers, int Rows);

    /// <summary>act(x w + b).</summary>
    /// <param name="pixels">Rows of the product for each row of the value.</param>
    /// <param name="weights">[in, out].</param>
    /// <returns>The number of the result, as of every method here that adds a layer.</returns>
    public int Linear(int x, int pixels, int inputs, int outputs, float[] weights, float[] bias, Activation activation) =>
        Add(pixels * outputs, y => new LinearLayer(x, y, pixels, inputs, outputs, weights, bias, activation));

    /// <summary>A convolution; see <see cref="IBackend.Conv2dForward"/>.</summary>
    /// <param name="shape">Of one image.</param>
    public int Convolution(int x, ConvShape shape, float[] weights, float[] bias, Activation activation) =>
        Add(shape.OutSize, y => new ConvolutionLayer(x, y, shape, backward: false, weights, bias, activation, ChunkRows));

    /// <summary>A transposed convolution; see <see cref="IBackend.Conv2dBackwardData"/>.</summary>
    /// <param name="shape">Of one image, of the convolution that this is the transpose of.</param>
    public int TransposedConvolution(int x, ConvShape shape, float[] weights, float[] bias, Activation activation) => Add(shape.InSize, y =>
        NarrowJob.Suits(shape) ? new NarrowLayer(x, y, shape, weights, bias, activation)
            : new ConvolutionLayer(x, y, shape, backward: true, weights, bias, activation, ChunkRows));

    /// <summary>act(x scale + shift), channel by channel.</summary>
    public int Affine(int x, bool ofImages, float[] scale, float[] shift, Activation activation) =>
        Add(floats[x], y => new AffineLayer(x, y, floats[x], ofImages, scale, shift, activation));

    /// <summary>A function of single numbers.</summary>
    public int Function<K>(int x, bool ofImages, float parameter) where K : struct, IUnaryKernel =>
        Add(floats[x], y => new FunctionLayer<K>(x, y, floats[x], ofImages, parameter));

    public int Softmax(int x) => Add(floats[x], y => new SoftmaxLayer(x, y, floats[x]));

    /// <summary>Channels from <paramref name="first"/> on.</summary>
    public int Channels(int x, int pixels, int first, int count) =>
        Add(pixels * count, y => new ChannelsLayer(x, y, pixels, floats[x] / pixels, first, count));

    /// <summary>sum_k weights_k x_k of K vectors.</summary>
    public int Mix(int x, int weights) => Add(floats[x] / floats[weights], y => new MixLayer(x, weights, y, floats[weights], floats[y]));

    /// <param name="shape">Of one image.</param>
    public int MaxPool(int x, PoolShape shape) => Add(shape.OutSize, y => new PoolLayer(x, y, shape));

    /// <summary>Names the results, at most three, which ends the making of the program.</summary>
    public void SetOutputs(params int[] values)
    {
        outputs = values;
        var cut = new List<Group>();
        for (int from = 0, end; from < layers.Count; from = end)
        {
            bool ofImages = layers[from].OfImages;
            for (end = from + 1; end < layers.Count && layers[end].OfImages == ofImages;)
                end++;
            InferenceLayer[] own = [.. layers[from..end]];
            int rows = ofImages ? Math.Clamp(ImageBytes / sizeof(float) / own.Max(l => Math.Max(floats[l.X], floats[l.Y])), 1, ChunkRows)
                : ChunkRows;
            cut.Add(new(own, rows));
        }
        groups = [.. cut];
        // A value that no other group reads needs room for one group's rows only.
        offsets = new long[floats.Count];
        isLocal = new bool[floats.Count];
        for (int value = 1; value < floats.Count; value++)
        {
            var writer = groups.Single(g => g.Layers.Any(l => l.Y == value));
            bool local = groups.All(g => g == writer || g.Layers.All(l => l.X != value && l.Second != value)) && !outputs.Contains(value);
            offsets[value] = outputs.Contains(value) ? 0 : workingFloats;
            workingFloats += outputs.Contains(value) ? 0 : Aligned((long)floats[value] * (local ? writer.Rows : ChunkRows));
            isLocal[value] = local;
        }
        scratchOffset = workingFloats;
        workingFloats += Aligned(groups.Max(g => g.Layers.Max(l => l.ScratchFloats(g.Rows))));
        for (int i = 0; i < (team?.Threads ?? 1); i++)
            free[i] = new(workingFloats);
    }

    /// <summary>Computes the outputs of rows that lie one behind the other.</summary>
    /// <param name="a">The first output; <paramref name="b"/> and <paramref name="c"/> the others, empty where there are none.</param>
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    public void Run(ReadOnlySpan<float> input, Span<float> a, Span<float> b, Span<float> c)
    {
        int rows = input.Length / floats[0];
        if (rows * floats[0] != input.Length)
            throw new ArgumentException(
                $"inference: the input has {input.Length} floats, which is no multiple of the {floats[0]} of a row");
        Check(0, a.Length, rows);
        Check(1, b.Length, rows);
        Check(2, c.Length, rows);
        if (rows == 0)
            return;
        fixed (float* x = input, ya = a, yb = b, yc = c)
        {
            int threads = team?.Threads ?? 1, parts = (rows + ChunkRows - 1) / ChunkRows;
            var job = new PartJob(this, x, ya, yb, yc, rows);
            if (team is null || rows < threads * LeastRows || !teamInUse.TryEnter())
            {
                job.Parts = parts;
                for (int part = 0; part < parts; part++)
                    job.Run(part);
                return;
            }
            try
            {
                job.Parts = Math.Min((parts + threads - 1) / threads * threads, rows / 2);
                team.ForEach(job.Parts, ref job);
            }
            finally
            {
                teamInUse.Exit();
            }
        }
    }

    public void Dispose() => team?.Dispose();

    private struct PartJob(InferenceProgram program, float* x, float* a, float* b, float* c, int rows) : IJob
    {
        public int Parts;

        public readonly void Run(int index)
        {
            int from = (int)((long)rows * index / Parts);
            program.RunChunk(x, a, b, c, from, (int)((long)rows * (index + 1) / Parts) - from);
        }
    }

    private void RunChunk(float* x, float* a, float* b, float* c, int first, int rows)
    {
        var memory = Rent();
        float** at = stackalloc float*[floats.Count];
        for (int value = 1; value < floats.Count; value++)
            at[value] = memory.Pointer + offsets[value];
        at[0] = x + (nint)first * floats[0];
        float** targets = stackalloc float*[] { a, b, c };
        for (int i = 0; i < outputs.Length; i++)
            at[outputs[i]] = targets[i] + (nint)first * floats[outputs[i]];
        foreach (var group in groups)
        {
            int cuts = (rows + group.Rows - 1) / group.Rows;
            for (int cut = 0; cut < cuts; cut++)
            {
                int from = rows * cut / cuts, count = rows * (cut + 1) / cuts - from;
                foreach (var layer in group.Layers)
                {
                    layer.Prepare(count);
                    layer.Run(At(at, layer.X, from), layer.Second < 0 ? null : At(at, layer.Second, from), At(at, layer.Y, from), count,
                        memory.Pointer + scratchOffset);
                }
            }
        }
        Return(memory);
    }

    /// <summary>Where a value's row is.</summary>
    private float* At(float** at, int value, int row) => at[value] + (isLocal[value] ? 0 : (nint)row * floats[value]);

    private int Add(int rowFloats, Func<int, InferenceLayer> make)
    {
        floats.Add(rowFloats);
        layers.Add(make(floats.Count - 1));
        return floats.Count - 1;
    }

    private void Check(int output, int given, int rows)
    {
        long expected = output < outputs.Length ? (long)floats[outputs[output]] * rows : 0;
        if (given != expected)
            throw new ArgumentException($"inference: output {output + 1} has room for {given} floats; expected {expected} for {rows} rows");
    }

    private static long Aligned(long count) => (count + 15) / 16 * 16;

    private AlignedFloats Rent()
    {
        for (int i = 0; i < free.Length; i++)
            if (Volatile.Read(ref free[i]) is not null && Interlocked.Exchange(ref free[i], null) is { } memory)
                return memory;
        return new(workingFloats);
    }

    private void Return(AlignedFloats memory)
    {
        for (int i = 0; i < free.Length; i++)
            if (Interlocked.CompareExchange(ref free[i], memory, null) is null)
                return;
    }
}
