using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Reductions over one axis of [outer, n, inner], in an order that the sizes alone fix; sums in pairs of floats.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Entries of a long row that one group takes, and rows of a column: fewer would not pay for folding the parts.</summary>
    private const int EntriesPerPart = 8192, RowsPerPart = 256;

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
            new(View(y), View(x), n, inner, scale, accumulate ? 1 : 0));

    /// <summary>y[o, i] (+)= scale * the sum over r of source[o, r, i].</summary>
    private void Sum<S, A>(A source, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate)
        where S : struct, ISource<A> where A : struct =>
        Reduce<Sum<S, A>, SumArguments<A>, Pair>(new(source, View(y), scale, accumulate ? 1 : 0), outer, n, inner);

    /// <summary>One launch for any reduction.</summary>
    private void Reduce<O, A, T>(in A operation, int outer, int n, int inner)
        where O : struct, IReduction<A, T> where A : struct where T : unmanaged =>
        Reduce<O, A, T>(operation, Strips.Of(outer, n, inner), inner == 1 ? EntriesPerPart : RowsPerPart);

    private void Reduce<O, A, T>(in A operation, Strips strips, int entriesPerPart)
        where O : struct, IReduction<A, T> where A : struct where T : unmanaged
    {
        strips = strips with { Parts = PartsOf(strips.N, entriesPerPart, strips.Groups) };
        if (strips.Parts == 1)
            EachStrip<Reduce<O, A, T>, A>(strips, operation);
        else
            Launch<ReduceParts<O, A, T>, ReductionArguments<A, T>>(strips.Groups, strips.Parts, Threads.PerGroup, 1,
                new(strips, workspace.Room<T>(strips.Parts * strips.Outer * strips.Inner), workspace.Tickets, operation));
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
    /// <summary>What the strip's entries give; right in the first of its threads.</summary>
    static abstract T Of(A a, Strip strip);

    /// <summary>What parts give that are stored from <paramref name="slot"/> on; right in the first of the strip's threads.</summary>
    /// <param name="count">All parts, or 0 where the result does not count.</param>
    static abstract T OfParts(Strips strips, ArrayView<T> partial, int slot, int count);

    static abstract void Store(A a, Strip strip, T result);
}

/// <summary>A strip by one group.</summary>
internal readonly struct Reduce<O, A, T> : IStripwise<A> where O : struct, IReduction<A, T> where A : struct where T : unmanaged
{
    public static void Of(A a, Strip strip)
    {
        var result = O.Of(a, strip);
        if (strip.Stores)
            O.Store(a, strip, result);
    }
}

internal readonly record struct ReductionArguments<A, T>(Strips Strips, ArrayView<T> Partial, ArrayView<int> Tickets, A Operation)
    where A : struct where T : unmanaged;

/// <summary>Strips in parts, one a group; the last part of a strip to finish folds all of them.</summary>
internal readonly struct ReduceParts<O, A, T> : IKernel<ReductionArguments<A, T>>
    where O : struct, IReduction<A, T> where A : struct where T : unmanaged
{
    public static void Run(ReductionArguments<A, T> a) => Of(a, Grid.IdxX, Grid.IdxY, 0, 0);

    /// <param name="firstSlot">Where the strips' parts are, and behind <paramref name="firstTicket"/> their tickets.</param>
    public static void Of(ReductionArguments<A, T> a, int group, int part, int firstSlot, int firstTicket)
    {
        var strip = a.Strips.Share(group, part);
        var own = O.Of(a.Operation, strip);
        int slot = firstSlot + strip.At * a.Strips.Parts;
        if (strip.Stores)
            a.Partial[slot + part] = own;
        // Groups that are not the last fold nothing, but fold: a barrier may not stand under a condition.
        int count = Parts.IsLast(a.Tickets, firstTicket + group, a.Strips.Parts) && strip.Exists ? a.Strips.Parts : 0;
        var result = O.OfParts(a.Strips, a.Partial, slot, count);
        if (strip.Stores && count > 0)
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
    public static Pair Of(A source, Strip strip)
    {
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add(S.At(source, i, strip.Column));
        return strip.Strips.Fold<Pair, Pair>(sum);
    }

    public static Pair Of(SumArguments<A> a, Strip strip) => Of(a.Source, strip);

    public static Pair OfParts(Strips strips, ArrayView<Pair> partial, int slot, int count) =>
        strips.FoldParts<Pair, Pair>(partial, slot, count);

    public static void Store(SumArguments<A> a, Strip strip, Pair result) =>
        Gpu.Store.To(a.Y, strip.At, result.Times(a.Scale), a.Accumulate);
}

internal readonly record struct MapArguments(ArrayView<float> X, ArrayView<float> Y);

internal readonly struct Max : IReduction<MapArguments, Lane>
{
    public static Lane Of(MapArguments a, Strip strip) => Exponentials.Largest(a.X, strip);

    public static Lane OfParts(Strips strips, ArrayView<Lane> partial, int slot, int count)
    {
        Lane largest = float.NegativeInfinity;
        for (int p = strips.Rank; p < count; p += strips.Count)
            largest = Lane.Max(largest, partial[slot + p]);
        return strips.Fold<Larger, Lane>(largest);
    }

    public static void Store(MapArguments a, Strip strip, Lane result) => a.Y[strip.At] = result;
}

/// <summary>The largest entry, and the sum of exp(x - shift) with the shift that belongs to it.</summary>
internal readonly record struct Exponentials(Lane Most, Pair Sum)
{
    /// <summary>A strip's largest entry, NaN where any is; in each of its threads.</summary>
    public static Lane Largest(ArrayView<float> x, Strip strip)
    {
        Lane largest = float.NegativeInfinity;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            largest = Lane.Max(largest, x[i]);
        return strip.Strips.FoldToAll<Larger, Lane>(largest);
    }

    /// <summary>The sum of exp(x - shift) over a strip; in each of its threads.</summary>
    public static Pair SumOf(ArrayView<float> x, Strip strip, Lane shift)
    {
        Pair sum = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
            sum.Add(Softmaxes.Exponential<Lane>(x[i], shift));
        return strip.Strips.FoldToAll<Pair, Pair>(sum);
    }

    public static Exponentials Of(ArrayView<float> x, Strip strip)
    {
        Lane most = Largest(x, strip);
        return new(most, SumOf(x, strip, Softmaxes.Shift(most)));
    }
}

internal readonly struct LogSumExp : IReduction<MapArguments, Exponentials>
{
    public static Exponentials Of(MapArguments a, Strip strip) => Exponentials.Of(a.X, strip);

    /// <summary>A part counts as an entry that is its largest, as often as its own sum says.</summary>
    public static Exponentials OfParts(Strips strips, ArrayView<Exponentials> partial, int slot, int count)
    {
        Lane largest = float.NegativeInfinity;
        for (int p = strips.Rank; p < count; p += strips.Count)
            largest = Lane.Max(largest, partial[slot + p].Most);
        largest = strips.FoldToAll<Larger, Lane>(largest);
        Lane shift = Softmaxes.Shift(largest);
        Pair sum = default;
        for (int p = strips.Rank; p < count; p += strips.Count)
            sum.Add(partial[slot + p].Sum.Times(Softmaxes.Exponential(partial[slot + p].Most, shift)));
        return new(largest, strips.Fold<Pair, Pair>(sum));
    }

    public static void Store(MapArguments a, Strip strip, Exponentials result) =>
        a.Y[strip.At] = (Pair.Of(Softmaxes.Shift(result.Most)) + Pair.Log(result.Sum)).High;
}

internal readonly record struct SpreadArguments(ArrayView<float> Y, ArrayView<float> X, int N, int Inner, float Scale, int Accumulate);

internal readonly struct Spread : IEntry<SpreadArguments>
{
    public static void Of(SpreadArguments a, int i)
    {
        int row = i / a.Inner, o = row / a.N;
        Store.To(a.X, i, (Lane)a.Scale * a.Y[o * a.Inner + (i - row * a.Inner)], a.Accumulate);
    }
}
