using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Convolutions as products whose left operand is read where it lies (implicit GEMM): a row of the result is a pixel, its products are (tap
/// row, tap column, channel).
/// </summary>
/// <remarks>
/// Backward-data with stride s is s x s convolutions of stride 1, one for each phase, (position + padding) mod s by rows and columns, with
/// the phase's own taps: no zeros between pixels are multiplied. Backward-weight is the product of the transposed left operand with dy.
/// Taps outside of the image count 0 times the weight.
/// </remarks>
internal sealed partial class GpuBackend
{
    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation,
        bool accumulate, Slice<float> reluMask)
    {
        Require.Conv2dForward(shape, x, w, y, bias, reluMask);
        if (OnTensorCores(t => t.Conv2dForward(shape, AddressOf(x), AddressOf(w), AddressOf(y), AddressOf(bias), activation, accumulate,
            AddressOf(reluMask))))
            return;
        if (IsProduct(shape))
        {
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.OutChannels, shape.InChannels, Accumulate: accumulate), x, w, y,
                bias, activation, reluMask);
            return;
        }
        int m = shape.Batch * shape.OutHeight * shape.OutWidth, n = shape.OutChannels;
        int k = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        var epilogue = EpilogueOf(y, n, bias, activation, accumulate, reluMask);
        Multiply<Forward, Window<Forward>, Across>(
            new(new(View(x), m, 0), new(View(w), n, n), epilogue, m, n, k, Geometry: ConvGeometry.Of(shape)));
    }

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask)
    {
        Require.Conv2dBackwardData(shape, dy, w, dx, bias, reluMask);
        if (OnTensorCores(t => t.Conv2dBackwardData(shape, AddressOf(dy), AddressOf(w), AddressOf(dx), AddressOf(bias), activation,
            accumulate, AddressOf(reluMask))))
            return;
        if (IsProduct(shape))
        {
            MatMul(new(shape.Batch * shape.Height * shape.Width, shape.InChannels, shape.OutChannels, TransposeB: true,
                Accumulate: accumulate), dy, w, dx, bias, activation, reluMask);
            return;
        }
        var epilogue = EpilogueOf(dx, shape.InChannels, bias, activation, accumulate, reluMask);
        if (UsesFewChannels(shape))
        {
            BackwardDataFew(shape, dy, w, epilogue);
            return;
        }
        int stride = shape.Stride, m = shape.Batch * Groups(shape.Height, stride) * Groups(shape.Width, stride), n = shape.InChannels;
        int k = Groups(shape.KernelHeight, stride) * Groups(shape.KernelWidth, stride) * shape.OutChannels;
        Multiply<Backward, Window<Backward>, PhaseWeights>(new(new(View(dy), m, 0), new(View(w), n, shape.OutChannels), epilogue, m, n, k,
            Geometry: ConvGeometry.Of(shape)), stride * stride);
    }

    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate)
    {
        Require.Conv2dBackwardWeight(shape, x, dy, dw);
        if (OnTensorCores(t => t.Conv2dBackwardWeight(shape, AddressOf(x), AddressOf(dy), AddressOf(dw), accumulate)))
            return;
        int m = shape.KernelHeight * shape.KernelWidth * shape.InChannels, n = shape.OutChannels;
        int k = shape.Batch * shape.OutHeight * shape.OutWidth;
        if (shape.WeightSize == 0)
            return;
        var epilogue = EpilogueOf(dw, n, default, Activation.None, accumulate, default);
        if (UsesFewChannels(shape) && FewItems(shape) <= Threads.PerGroup)
            BackwardWeightFew(shape, x, dy, epilogue);
        else
            Multiply<PlainRows, Taps, Across>(
                new(new(View(x), m, 0), new(View(dy), n, n), epilogue, m, n, k, Geometry: ConvGeometry.Of(shape)));
    }

    private static bool IsProduct(ConvShape s) => s is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };
}

/// <summary>A convolution's sizes, as kernels take them.</summary>
internal readonly record struct ConvGeometry(
    int Batch, int Height, int Width, int In, int Out, int OutHeight, int OutWidth, int KernelHeight, int KernelWidth, int Stride,
    int Padding)
{
    public static ConvGeometry Of(ConvShape s) =>
        new(s.Batch, s.Height, s.Width, s.InChannels, s.OutChannels, s.OutHeight, s.OutWidth, s.KernelHeight, s.KernelWidth, s.Stride,
            s.Padding);
}

/// <summary>The direction in which windows lie over a source: where each row's begins, and how many taps it has.</summary>
internal interface IWindow : IRows
{
    /// <summary>Source rows and columns from one tap to the next: 1 or -1.</summary>
    static abstract int Sign { get; }
    static abstract int Height(ProductArguments a);
    static abstract int Width(ProductArguments a);
    static abstract int Channels(ProductArguments a);

    /// <summary>Taps of a window's row, at least 1.</summary>
    static abstract int TapsAcross(ProductArguments a);
}

/// <summary>Windows over x, one for each pixel of y.</summary>
internal readonly struct Forward : IWindow
{
    public static int Sign => 1;
    public static int Height(ProductArguments a) => a.Geometry.Height;
    public static int Width(ProductArguments a) => a.Geometry.Width;
    public static int Channels(ProductArguments a) => a.Geometry.In;
    public static int TapsAcross(ProductArguments a) => a.Geometry.KernelWidth;
    public static int Depth(ProductArguments a) => a.K;

    public static Row Of(ProductArguments a, int row)
    {
        var g = a.Geometry;
        int line = row / g.OutWidth, image = line / g.OutHeight;
        int y = row < a.M ? (line - image * g.OutHeight) * g.Stride - g.Padding : Row.Outside;
        int x = (row - line * g.OutWidth) * g.Stride - g.Padding;
        return new(row < a.M ? row : -1, ((image * g.Height + y) * g.Width + x) * g.In, y, x);
    }
}

/// <summary>Windows over dy, one for each pixel of dx in the group's phase; they are read backwards.</summary>
internal readonly struct Backward : IWindow
{
    public static int Sign => -1;
    public static int Height(ProductArguments a) => a.Geometry.OutHeight;
    public static int Width(ProductArguments a) => a.Geometry.OutWidth;
    public static int Channels(ProductArguments a) => a.Geometry.Out;

    public static int TapsAcross(ProductArguments a) =>
        IntrinsicMath.Max(1, Phase.Count(a.Geometry.KernelWidth, Phase.Column(a), a.Geometry.Stride));

    public static int Depth(ProductArguments a) =>
        Phase.Count(a.Geometry.KernelHeight, Phase.Row(a), a.Geometry.Stride)
            * Phase.Count(a.Geometry.KernelWidth, Phase.Column(a), a.Geometry.Stride) * a.Geometry.Out;

    public static Row Of(ProductArguments a, int row)
    {
        var g = a.Geometry;
        int firstY = Phase.First(Phase.Row(a), g), firstX = Phase.First(Phase.Column(a), g);
        int rows = IntrinsicMath.Max(1, Phase.Count(g.Height, firstY, g.Stride));
        int columns = IntrinsicMath.Max(1, Phase.Count(g.Width, firstX, g.Stride));
        int line = row / columns, image = line / rows;
        int y = firstY + (line - image * rows) * g.Stride, x = firstX + (row - line * columns) * g.Stride;
        bool inside = image < g.Batch && y < g.Height && x < g.Width;
        int fromY = inside ? (y + g.Padding) / g.Stride : Row.Outside, fromX = (x + g.Padding) / g.Stride;
        int to = inside ? (image * g.Height + y) * g.Width + x : -1;
        return new(to, ((image * g.OutHeight + fromY) * g.OutWidth + fromX) * g.Out, fromY, fromX);
    }
}

/// <summary>
/// The phase of backward-data that a group works on: row and column of (position + padding) mod stride, which is also its first tap.
/// </summary>
internal static class Phase
{
    public static int Row(ProductArguments a) => Grid.IdxY % a.Phases / a.Geometry.Stride;
    public static int Column(ProductArguments a) => Grid.IdxY % a.Phases % a.Geometry.Stride;

    /// <summary>The first position of a phase.</summary>
    public static int First(int phase, ConvGeometry g) => (phase + g.Stride - g.Padding % g.Stride) % g.Stride;

    /// <summary>How many of n lie at first, first + stride, ...</summary>
    public static int Count(int n, int first, int stride) => first < n ? (n - first + stride - 1) / stride : 0;
}

/// <summary>Where k stands among (tap row, tap column, channel), Y, X and Z of a walk, and among the entries, At.</summary>
internal static class TapWalk
{
    public static Walk Start(int row, int k, int channels, int tapsAcross)
    {
        int tap = k / channels, y = tap / tapsAcross;
        return new() { Row = row, K = k, Y = y, X = tap - y * tapsAcross, Z = k - tap * channels, Taps = tapsAcross };
    }

    /// <param name="tap">Entries from one tap to the next.</param>
    /// <param name="line">Entries from behind the last tap of a line to the first of the next.</param>
    public static void Next(ref Walk walk, int depth, int channels, int tap, int line)
    {
        walk.K += depth;
        walk.Z += depth;
        walk.At += depth;
        while (walk.Z >= channels)
        {
            walk.X++;
            bool ends = walk.X == walk.Taps;
            walk.Z -= channels;
            walk.Y += ends ? 1 : 0;
            walk.X = ends ? 0 : walk.X;
            walk.At += tap - channels + (ends ? line : 0);
        }
    }
}

/// <summary>The entries under each row's window: neighbouring threads have neighbouring channels.</summary>
internal readonly struct Window<D> : IOperand where D : struct, IWindow
{
    public static bool Along => true;

    public static Walk Start(ProductArguments a, Matrix from, int row, int k)
    {
        var walk = TapWalk.Start(row, k, D.Channels(a), D.TapsAcross(a));
        walk.At = D.Sign * (walk.Y * D.Width(a) + walk.X) * D.Channels(a) + walk.Z;
        return walk;
    }

    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end)
    {
        var r = rows[row + i * step];
        int y = r.Y + D.Sign * walk.Y, x = r.X + D.Sign * walk.X;
        // With Matrix.At all eight addresses would be held at once: more than 128 registers.
        return walk.K < end && (uint)y < (uint)D.Height(a) && (uint)x < (uint)D.Width(a) ? from.Entries[r.From + walk.At] : 0f;
    }

    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth) =>
        TapWalk.Next(ref walk, depth, D.Channels(a), D.Sign * D.Channels(a), D.Sign * (D.Width(a) - walk.Taps) * D.Channels(a));
}

/// <summary>The weights of the group's phase, input and output channels exchanged; k stands where it stands in the left operand.</summary>
internal readonly struct PhaseWeights : IOperand
{
    public static bool Along => true;

    public static Walk Start(ProductArguments a, Matrix from, int row, int k)
    {
        var g = a.Geometry;
        return new() { Row = row, At = ((Phase.Row(a) * g.KernelWidth + Phase.Column(a)) * g.In + row) * g.Out };
    }

    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end)
    {
        var g = a.Geometry;
        int at = walk.At + (left.Y * g.KernelWidth + left.X) * g.Stride * g.In * g.Out + left.Z;
        return from.At(at + i * step * from.Stride, left.K < end & walk.Row + i * step < from.Rows);
    }

    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
    }
}

/// <summary>
/// The left operand of a forward convolution transposed: a row is a (tap row, tap column, channel), its products are pixels of y.
/// </summary>
internal readonly struct Taps : IOperand
{
    public static bool Along => false;

    /// <summary>
    /// Y, X and At: row, column and place of the entry in x. Z, Row: the row and column where the next image and the next line begin.
    /// </summary>
    public static Walk Start(ProductArguments a, Matrix from, int row, int k)
    {
        var g = a.Geometry;
        var walk = TapWalk.Start(row, row, g.In, g.KernelWidth);
        int line = k / g.OutWidth, image = line / g.OutHeight, y = walk.Y - g.Padding, x = walk.X - g.Padding;
        walk.K = k;
        walk.Row = x + g.OutWidth * g.Stride;
        walk.Y = y + (line - image * g.OutHeight) * g.Stride;
        walk.X = x + (k - line * g.OutWidth) * g.Stride;
        walk.At = ((image * g.Height + walk.Y) * g.Width + walk.X) * g.In + walk.Z;
        walk.Z = y + g.OutHeight * g.Stride;
        return walk;
    }

    public static float Entry(ProductArguments a, Matrix from, ref Walk walk, Walk left, int i, ArrayView<Row> rows, int row, int step,
        int end)
    {
        var g = a.Geometry;
        float entry = from.At(walk.At, walk.K + i < end & (uint)walk.Y < (uint)g.Height & (uint)walk.X < (uint)g.Width);
        Advance(ref walk, g);
        return entry;
    }

    public static void Next(ProductArguments a, Matrix from, ref Walk walk, int depth)
    {
        walk.K += depth;
        for (int left = depth - 8; left > 0; left--)
            Advance(ref walk, a.Geometry);
    }

    private static void Advance(ref Walk walk, ConvGeometry g)
    {
        int line = g.OutWidth * g.Stride, image = g.OutHeight * g.Stride;
        walk.X += g.Stride;
        bool newLine = walk.X == walk.Row;
        walk.X -= newLine ? line : 0;
        walk.Y += newLine ? g.Stride : 0;
        bool newImage = walk.Y == walk.Z;
        walk.Y -= newImage ? image : 0;
        walk.At += (g.Stride + (newLine ? g.Stride * g.Width - line : 0) + (newImage ? (g.Height - image) * g.Width : 0)) * g.In;
    }
}
