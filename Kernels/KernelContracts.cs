namespace VaeFromScratch.Kernels;

/// <summary>C = op(A) op(B), row-major and contiguous: op(A) is [M, K], op(B) is [K, N], C is [M, N].</summary>
/// <param name="TransposeA">A is stored as [K, M].</param>
/// <param name="TransposeB">B is stored as [N, K].</param>
/// <param name="Accumulate">Add to C instead of overwriting it.</param>
public readonly record struct MatMulShape(int M, int N, int K, bool TransposeA = false, bool TransposeB = false, bool Accumulate = false)
{
    public double Flops => 2.0 * M * N * K;
}

/// <summary>
/// A convolution from x [Batch, Height, Width, InChannels] to y [Batch, OutHeight, OutWidth, OutChannels], both NHWC,
/// with weights [KernelHeight, KernelWidth, InChannels, OutChannels].
/// </summary>
/// <remarks>
/// A transposed convolution is the same map read backwards: its forward pass is <see cref="IBackend.Conv2dBackwardData"/>, its data
/// gradient
/// <see cref="IBackend.Conv2dForward"/>; its input is y and its output x, and its output padding shows only in <paramref name="Height"/>
/// and <paramref name="Width"/>.
/// </remarks>
public readonly record struct ConvShape(int Batch, int Height, int Width, int InChannels, int OutChannels, int KernelHeight,
    int KernelWidth, int Stride, int Padding)
{
    public int OutHeight => (Height + 2 * Padding - KernelHeight) / Stride + 1;
    public int OutWidth => (Width + 2 * Padding - KernelWidth) / Stride + 1;
    public int InSize => Batch * Height * Width * InChannels;
    public int OutSize => Batch * OutHeight * OutWidth * OutChannels;
    public int WeightSize => KernelHeight * KernelWidth * InChannels * OutChannels;
    public double Flops => 2.0 * OutSize * KernelHeight * KernelWidth * InChannels;
}

/// <summary>y [Columns] (+)= Scale * the sums down the columns of x [Rows, Columns].</summary>
internal readonly record struct ColumnSum(int Rows, int Columns, Slice<float> X, Slice<float> Y, bool Accumulate, float Scale = 1);

/// <summary>A window over NHWC images without weights: max pooling.</summary>
public readonly record struct PoolShape(int Batch, int Height, int Width, int Channels, int Kernel, int Stride)
{
    public int OutHeight => (Height - Kernel) / Stride + 1;
    public int OutWidth => (Width - Kernel) / Stride + 1;
    public int InSize => Batch * Height * Width * Channels;
    public int OutSize => Batch * OutHeight * OutWidth * Channels;
}

/// <summary>NHWC images that are moved, each on its own.</summary>
/// <param name="Reflect">What lies outside of an image: its mirror image without the edge twice, or 0.</param>
internal readonly record struct WarpShape(int Batch, int Height, int Width, int Channels, bool Reflect)
{
    /// <summary>Numbers that say how one image moves.</summary>
    public const int MotionSize = 6;

    public int Size => Batch * Height * Width * Channels;
}

/// <summary>The distribution of <see cref="IBackend.Random"/>.</summary>
internal enum Distribution
{
    /// <summary>Uniform, strictly inside (0, 1), 23 bits.</summary>
    Uniform,
    /// <summary>Normal with mean 0 and variance 1, by Box-Muller.</summary>
    Normal,
    /// <summary>Standard Gumbel, -log(-log u).</summary>
    Gumbel,
}

/// <summary>One stream of draws inside a step: element i of draw d is a pure function of (seed, step, stream, d, i).</summary>
/// <param name="State">Four words in device memory, so that a captured step can be replayed with another step number: seed low, seed high,
/// step, stream.</param>
/// <param name="Draw">Which draw of the step this is.</param>
/// <remarks>
/// Philox4x32-10 with key (seed low, seed high) and counter (i / 4, step, draw, stream); its four words serve elements i .. i + 3
/// (normal: words 0 and 1 give elements 0 and 1, words 2 and 3 give elements 2 and 3).
/// </remarks>
internal readonly record struct RandomDraw(Slice<uint> State, uint Draw);

/// <summary>Row weights of a minibatch estimate of log q(z) (equations.md (X1), (X4)), as logarithms.</summary>
/// <param name="Own">Weight of component i for row i.</param>
/// <param name="Next">Weight of component (i + 1) mod components.</param>
/// <param name="Other">Weight of each other component.</param>
internal readonly record struct PairLogWeights(float Own, float Next, float Other)
{
    /// <summary>(X1): every component counts 1 / <paramref name="components"/>.</summary>
    public static PairLogWeights Uniform(int components)
    {
        float w = -MathF.Log(components);
        return new(w, w, w);
    }

    /// <summary>
    /// Minibatch-weighted (X4): the batch stands for a data set of <paramref name="dataCount"/>, so every component counts 1 / (N B).
    /// </summary>
    public static PairLogWeights Weighted(int components, int dataCount)
    {
        float w = -(float)Math.Log((double)components * dataCount);
        return new(w, w, w);
    }

    /// <summary>
    /// Minibatch-stratified (X4): with M = B - 1 others of N images, row i weighs its own component 1 / N, one other (N - M) / (N M) and
    /// the rest 1 / M; the weights of
    /// a row sum to 1.
    /// </summary>
    public static PairLogWeights Stratified(int components, int dataCount)
    {
        if (components < 2)
            return Uniform(components);
        double m = components - 1, n = Math.Max(dataCount, components);
        return new((float)-Math.Log(n), (float)Math.Log((n - m) / (n * m)), (float)-Math.Log(m));
    }
}

/// <summary>Constants of an Adam step; the step's own numbers are in device memory (see <see cref="IBackend.Adam"/>).</summary>
internal readonly record struct AdamConstants(float Beta1, float Beta2, float Epsilon, float DecoupledWeightDecay);
