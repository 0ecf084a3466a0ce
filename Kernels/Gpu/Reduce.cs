using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Reductions over one axis of [outer, n, inner], in an order that the sizes alone fix; sums in pairs of floats.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Entries of a long row that one group takes, and rows of a column: fewer would not pay for folding the parts.</summary>
    private const int EntriesPerPart = 8192, RowsPerPart = 256;

    /// <summary>Rows up to this long have 32 threads, longer ones a group.</summary>
    private const int ShortRow = 1024;

    /// <summary>Groups that fill any GPU: with so many, nothing is cut into parts.</summary>
    private const int EnoughGroups = 1024;

    public void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate) =>
        Sum<Entries, ArrayView<float>>(View(x), Require.Reduction("sum", x, outer, n, inner, y), n, inner, scale, y, accumulate);

    public void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y) =>
        Reduce<Max, MapArguments, Lane>(new(View(x), View(y)), Require.Reduction("max", x, outer, n, inner, y), n, inner);

    public void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y) =>
        Reduce<LogSumExp, MapArguments, Exponentials>(new(View(x), View(y)), Require.Reduction("log_sum_exp", x, outer, n, inner, y), n,
            inner);

    public void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate) =>
        Each<Spread, SpreadArguments>(n * inner * Require.Reduction("spread", x, outer, n, inner, y),
            new(View(y), View(x), n, inner, x.Length, scale, accumulate ? 1 : 0));

    /// <summary>y[o, i] (+)= scale * the sum over r of source[o, r, i].</summary>
    private void Sum<S, A>(A source, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate)
        where S : struct, ISource<A> where A : struct =>
        Reduce<Sum<S, A>, SumArguments<A>, Pair>(new(source, View(y), scale, accumulate ? 1 : 0), outer, n, inner);

    /// <summary>One launch for any reduction: threads and parts after the sizes.</summary>
    private void Reduce<O, A, T>(in A operation, int outer, int n, int inner)
        where O : struct, IReduction<A, T> where A : struct where T : unmanaged
    {
        bool rows = inner == 1;
        int groups = rows ? outer : outer * Groups(inner, Threads.Wide), parts = PartsOf(n, rows ? EntriesPerPart : RowsPerPart, groups);
        var partial = workspace.Room<T>(parts * outer * inner);
        var arguments = new ReductionArguments<A, T>(operation, partial, workspace.Tickets, outer, n, inner, parts);
        if (rows && n <= ShortRow)
            EachRow<Reduce<O, A, T, ShortRows>, ReductionArguments<A, T>>(outer, arguments);
        else if (rows && parts == 1)
            Launch<Reduce<O, A, T, LongRows>, ReductionArguments<A, T>>(groups, 1, Threads.PerGroup, 1, arguments);
        else if (rows)
            Launch<ReduceParts<O, A, T, LongRows>, ReductionArguments<A, T>>(groups, parts, Threads.PerGroup, 1, arguments);
        else if (parts == 1)
            Launch<Reduce<O, A, T, ColumnStrips>, ReductionArguments<A, T>>(groups, 1, Threads.Wide, Threads.Tall, arguments);
        else
            Launch<ReduceParts<O, A, T, ColumnStrips>, ReductionArguments<A, T>>(groups, parts, Threads.Wide, Threads.Tall, arguments);
    }

    /// <summary>Into how many parts each of <paramref name="groups"/> strips is cut.</summary>
    private static int PartsOf(int n, int perPart, int groups) =>
        groups >= EnoughGroups ? 1 : Math.Clamp(Groups(n, perPart), 1, EnoughGroups / Math.Max(1, groups));
}

/// <summary>What a strip becomes.</summary>
/// <typeparam name="A">The operation's operands and results.</typeparam>
/// <typeparam name="T">What is known of a strip, or of a part of it.</typeparam>
internal interface IReduction<A, T> where A : struct where T : unmanaged
{
    /// <summary>What the strip's entries give; in each of its threads.</summary>
    static abstract T Of<L>(A a, Strip strip) where L : struct, IStrips;

    /// <summary>What parts give that are stored from <paramref name="slot"/> on; in each of the strip's threads.</summary>
    /// <param name="count">All parts, or 0 where the result does not count.</param>
    static abstract T OfParts<L>(ReductionArguments<A, T> a, int slot, int count) where L : struct, IStrips;

    static abstract void Store(A a, Strip strip, T result);
}

internal readonly record struct ReductionArguments<A, T>(A Operation, ArrayView<T> Partial, ArrayView<int> Tickets, int Outer, int N,
    int Inner, int Parts) where A : struct where T : unmanaged;

internal readonly struct Reduce<O, A, T, L> : IKernel<ReductionArguments<A, T>>
    where O : struct, IReduction<A, T> where A : struct where T : unmanaged where L : struct, IStrips
{
    public static void Run(ReductionArguments<A, T> a)
    {
        var strip = L.Of(a.Outer, a.N, a.Inner, 1);
        var result = O.Of<L>(a.Operation, strip);
        if (L.Rank == 0 && strip.At != Parts.Nowhere)
            O.Store(a.Operation, strip, result);
    }
}

/// <summary>
/// As <see cref="Reduce{O, A, T, L}"/>, strips in parts, one a group; the last part of a strip to finish folds all of them.
/// </summary>
internal readonly struct ReduceParts<O, A, T, L> : IKernel<ReductionArguments<A, T>>
    where O : struct, IReduction<A, T> where A : struct where T : unmanaged where L : struct, IStrips
{
    public static void Run(ReductionArguments<A, T> a)
    {
        var strip = L.Of(a.Outer, a.N, a.Inner, a.Parts);
        var part = O.Of<L>(a.Operation, strip);
        int slot = strip.At * a.Parts;
        if (L.Rank == 0 && strip.At != Parts.Nowhere)
            a.Partial[slot + Grid.IdxY] = part;
        // Groups that are not the last fold nothing, but fold: a barrier may not stand under a condition.
        int count = Parts.IsLast(a.Tickets, Grid.IdxX, a.Parts) && strip.At != Parts.Nowhere ? a.Parts : 0;
        var result = O.OfParts<L>(a, slot, count);
        if (L.Rank == 0 && count > 0)
            O.Store(a.Operation, strip, result);
    }
}

/// <summary>What is summed: entry i of a computed [outer, n, inner], in the given column of inner.</summary>
internal interface ISource<A> where A : struct
{
    static abstract Lane At(A a, int i, int column);
}

internal readonly struct Entries : ISource<ArrayView<float>>
{
    public static Lane At(ArrayView<float> x, int i, int column) => x[i];
}

internal readonly record struct SumArguments<A>(A Source, ArrayView<float> Y, float Scale, int Accumulate) where A : struct;

internal readonly struct Sum<S, A> : IReduction<SumArguments<A>, Pair> where S : struct, ISource<A> where A : struct
{
    public static Pair Of<L>(A source, Strip strip) where L : struct, IStrips
    {
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add(S.At(source, i, strip.Column));
        return L.Fold<Added, Pair>(sum);
    }

    public static Pair Of<L>(SumArguments<A> a, Strip strip) where L : struct, IStrips => Of<L>(a.Source, strip);

    public static Pair OfParts<L>(ReductionArguments<SumArguments<A>, Pair> a, int slot, int count) where L : struct, IStrips =>
        Parts.Fold<L, Added, Pair>(a.Partial, slot, count, default);

    public static void Store(SumArguments<A> a, Strip strip, Pair result) =>
        Gpu.Store.To(a.Y, strip.At, result.Times(a.Scale), a.Accumulate);
}

internal readonly record struct MapArguments(ArrayView<float> X, ArrayView<float> Y);

internal readonly struct Max : IReduction<MapArguments, Lane>
{
    public static Lane Of<L>(MapArguments a, Strip strip) where L : struct, IStrips => Exponentials.Largest<L>(a.X, strip);

    public static Lane OfParts<L>(ReductionArguments<MapArguments, Lane> a, int slot, int count) where L : struct, IStrips =>
        Parts.Fold<L, Larger, Lane>(a.Partial, slot, count, float.NegativeInfinity);

    public static void Store(MapArguments a, Strip strip, Lane result) => a.Y[strip.At] = result;
}

/// <summary>The largest entry, and the sum of exp(x - shift) with the shift that belongs to it.</summary>
internal struct Exponentials
{
    public Lane Most;
    public Pair Sum;

    /// <summary>A strip's largest entry, NaN where any is; in each of its threads.</summary>
    public static Lane Largest<L>(ArrayView<float> x, Strip strip) where L : struct, IStrips
    {
        Lane largest = float.NegativeInfinity;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            largest = Lane.Max(largest, x[i]);
        return L.Fold<Larger, Lane>(largest);
    }

    /// <summary>The sum of exp(x - shift) over a strip; in each of its threads.</summary>
    public static Pair SumOf<L>(ArrayView<float> x, Strip strip, Lane shift) where L : struct, IStrips
    {
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add(Softmaxes.Exponential<Lane>(x[i], shift));
        return L.Fold<Added, Pair>(sum);
    }

    public static Exponentials Of<L>(ArrayView<float> x, Strip strip) where L : struct, IStrips
    {
        Exponentials exponentials = default;
        exponentials.Most = Largest<L>(x, strip);
        exponentials.Sum = SumOf<L>(x, strip, Softmaxes.Shift(exponentials.Most));
        return exponentials;
    }
}

internal readonly struct LogSumExp : IReduction<MapArguments, Exponentials>
{
    public static Exponentials Of<L>(MapArguments a, Strip strip) where L : struct, IStrips => Exponentials.Of<L>(a.X, strip);

    /// <summary>A part counts as an entry that is its largest, as often as its own sum says.</summary>
    public static Exponentials OfParts<L>(ReductionArguments<MapArguments, Exponentials> a, int slot, int count) where L : struct, IStrips
    {
        Exponentials all = default;
        Lane largest = float.NegativeInfinity;
        for (int p = L.Rank; p < count; p += L.Count)
            largest = Lane.Max(largest, a.Partial[slot + p].Most);
        all.Most = L.Fold<Larger, Lane>(largest);
        Lane shift = Softmaxes.Shift(all.Most);
        Pair sum = default;
        for (int p = L.Rank; p < count; p += L.Count)
            sum.Add(a.Partial[slot + p].Sum.Times(Softmaxes.Exponential(a.Partial[slot + p].Most, shift)));
        all.Sum = L.Fold<Added, Pair>(sum);
        return all;
    }

    public static void Store(MapArguments a, Strip strip, Exponentials result) =>
        a.Y[strip.At] = (Pair.Of(Softmaxes.Shift(result.Most)) + Pair.Log(result.Sum)).High;
}

internal readonly record struct SpreadArguments(ArrayView<float> Y, ArrayView<float> X, int N, int Inner, int Length, float Scale,
    int Accumulate);

internal readonly struct Spread : IKernel<SpreadArguments>
{
    public static void Run(SpreadArguments a)
    {
        int i = Threads.Number;
        if (i >= a.Length)
            return;
        int row = i / a.Inner, o = row / a.N;
        Store.To(a.X, i, (Lane)a.Scale * a.Y[o * a.Inner + (i - row * a.Inner)], a.Accumulate);
    }
}
