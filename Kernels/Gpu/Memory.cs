using System.Runtime.InteropServices;
using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Filling, copying and gathering.</summary>
internal sealed partial class GpuBackend
{
    public void Fill(Slice<float> y, float value) => Each<Fill, FillArguments>(y.Length, new(View(y), value));

    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate) =>
        Each<CopyBlock, CopyBlockArguments>(Require.CopyBlock(rows, columns, from, fromStride, to, toStride),
            new(View(from), View(to), columns, fromStride, toStride, accumulate ? 1 : 0));

    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        Require.Permute(x, sizes, order, y);
        // Five axes always; the missing ones come first and have size 1.
        Span<int> strides = stackalloc int[Axes.Most], size = stackalloc int[Axes.Most], stride = stackalloc int[Axes.Most];
        for (int d = sizes.Length - 1, s = 1; d >= 0; s *= sizes[d--])
            strides[d] = s;
        size.Fill(1);
        for (int d = 0, to = Axes.Most - sizes.Length; d < sizes.Length; d++, to++)
            (size[to], stride[to]) = (sizes[order[d]], strides[order[d]]);
        Each<Permute, PermuteArguments>(x.Length,
            new(View(x), View(y), new(size[0], size[1], size[2], size[3], size[4]),
                new(stride[0], stride[1], stride[2], stride[3], stride[4])));
    }

    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first) =>
        Each<Gather, GatherArguments>(Require.GatherFrom("gather_bytes", indices.Length, width, y, first),
            new(View(table), View(default(Slice<float>)), View(indices), View(first), View(y), width, scale, 1, first.IsAbsent ? 0 : 1));

    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y, Slice<int> first) =>
        Each<Gather, GatherArguments>(Require.GatherFrom("gather_rows", indices.Length, width, y, first),
            new(View(default(Slice<byte>)), View(table), View(indices), View(first), View(y), width, 1f, 0, first.IsAbsent ? 0 : 1));

    /// <summary>
    /// A small upload travels as arguments of a launch: it neither waits nor allocates, and keeps its place among the other calls.
    /// </summary>
    private void Poke(ReadOnlySpan<byte> bytes, nint address)
    {
        Sixteen words = default;
        bytes.CopyTo(MemoryMarshal.AsBytes(new Span<Sixteen>(ref words)));
        int n = bytes.Length / sizeof(uint);
        Launch<Poke, PokeArguments>(1, 1, 1, 1, new(View(new Slice<uint>(address, n)), words, n));
    }
}

internal readonly record struct FillArguments(ArrayView<float> Y, float Value);

internal readonly struct Fill : IEntry<FillArguments>
{
    public static void Of(FillArguments a, int i) => a.Y[i] = a.Value;
}

/// <summary>Sixteen words, which travel as a launch's argument.</summary>
internal struct Sixteen
{
    public uint A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P;
}

internal readonly record struct PokeArguments(ArrayView<uint> Y, Sixteen Words, int N);

internal readonly struct Poke : IKernel<PokeArguments>
{
    public static void Run(PokeArguments a)
    {
        One(a, 0, a.Words.A);
        One(a, 1, a.Words.B);
        One(a, 2, a.Words.C);
        One(a, 3, a.Words.D);
        One(a, 4, a.Words.E);
        One(a, 5, a.Words.F);
        One(a, 6, a.Words.G);
        One(a, 7, a.Words.H);
        One(a, 8, a.Words.I);
        One(a, 9, a.Words.J);
        One(a, 10, a.Words.K);
        One(a, 11, a.Words.L);
        One(a, 12, a.Words.M);
        One(a, 13, a.Words.N);
        One(a, 14, a.Words.O);
        One(a, 15, a.Words.P);
    }

    private static void One(PokeArguments a, int i, uint word)
    {
        if (i < a.N)
            a.Y[i] = word;
    }
}

internal readonly record struct CopyBlockArguments(ArrayView<float> From, ArrayView<float> To, int Columns, int FromStride, int ToStride,
    int Accumulate);

internal readonly struct CopyBlock : IEntry<CopyBlockArguments>
{
    public static void Of(CopyBlockArguments a, int i)
    {
        int row = i / a.Columns, column = i - row * a.Columns;
        Store.To(a.To, row * a.ToStride + column, a.From[row * a.FromStride + column], a.Accumulate);
    }
}

/// <summary>Five numbers, one an axis.</summary>
internal readonly record struct Axes(int A, int B, int C, int D, int E)
{
    public const int Most = Require.MostAxes;
}

internal readonly record struct PermuteArguments(ArrayView<float> X, ArrayView<float> Y, Axes Sizes, Axes Strides);

internal readonly struct Permute : IEntry<PermuteArguments>
{
    public static void Of(PermuteArguments a, int i)
    {
        int e = i / a.Sizes.E, d = e / a.Sizes.D, c = d / a.Sizes.C, b = c / a.Sizes.B;
        a.Y[i] = a.X[(i - e * a.Sizes.E) * a.Strides.E + (e - d * a.Sizes.D) * a.Strides.D + (d - c * a.Sizes.C) * a.Strides.C
            + (c - b * a.Sizes.B) * a.Strides.B + b * a.Strides.A];
    }
}

/// <summary>Rows of a table of floats, or of bytes times a scale.</summary>
internal readonly record struct GatherArguments(ArrayView<byte> Bytes, ArrayView<float> Floats, ArrayView<int> Indices,
    ArrayView<int> First, ArrayView<float> Y, int Width, float Scale, int OfBytes, int HasFirst);

internal readonly struct Gather : IEntry<GatherArguments>
{
    public static void Of(GatherArguments a, int i)
    {
        int row = i / a.Width, from = a.HasFirst != 0 ? a.First[0] : 0;
        long at = (long)a.Indices[row + from] * a.Width + (i - row * a.Width);
        a.Y[i] = a.OfBytes != 0 ? ((Lane)a.Scale * a.Bytes[at]).X : a.Floats[at];
    }
}
