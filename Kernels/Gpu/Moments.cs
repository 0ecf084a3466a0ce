using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The sums behind the Gaussian indicators, and the indicators, in one launch that reads the encodings once.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Encodings that a group sums at least.</summary>
    private const int EncodingsPerPart = 64;

    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points,
        Slice<float> indicators)
    {
        Require.EncodingMoments(rows, h, mu, logVar, sums, points, indicators);
        int groups = Groups(h, Threads.Wide), parts = PartsOf(rows, EncodingsPerPart, groups);
        int rowsPerPart = Groups(Groups(rows, parts), EncodingMomentsArguments.RowsAtOnce) * EncodingMomentsArguments.RowsAtOnce;
        var partial = workspace.Room<FourPairs>(parts * h);
        Launch<EncodingMoments, EncodingMomentsArguments>(groups, parts, Threads.Wide, Threads.Tall, new(View(mu), View(logVar), View(sums),
            View(indicators), partial, workspace.Tickets, rows, h, parts, rowsPerPart, Pair.OfHost(points), indicators.IsAbsent ? 0 : 1));
    }
}

internal readonly record struct EncodingMomentsArguments(ArrayView<float> Mu, ArrayView<float> LogVar, ArrayView<float> Sums,
    ArrayView<float> Indicators, ArrayView<FourPairs> Partial, ArrayView<int> Tickets, int Rows, int H, int Parts, int RowsPerPart,
    Pair Points, int HasIndicators)
{
    public const int RowsOfThread = 4;

    /// <summary>Rows that a group reads at once.</summary>
    public const int RowsAtOnce = RowsOfThread * Threads.Tall;
}

/// <summary>
/// 32 factors a group, rows over 8 threads and over groups. A thread asks for four rows, eight numbers, before it uses the first: a large
/// card's memory is kept busy by what is in flight. Four rows are added in float, fours in pairs; the last group of some factors to finish
/// adds the groups' sums in order and writes the results.
/// </summary>
internal readonly struct EncodingMoments : IKernel<EncodingMomentsArguments>
{
    public static void Run(EncodingMomentsArguments a)
    {
        int column = Grid.IdxX * Threads.Wide + Group.IdxX, first = Grid.IdxY * a.RowsPerPart;
        int last = column < a.H ? IntrinsicMath.Min(a.Rows, first + a.RowsPerPart) : first;
        FourPairs own = default;
        int r = first + EncodingMomentsArguments.RowsOfThread * Group.IdxY;
        for (; r + EncodingMomentsArguments.RowsOfThread <= last; r += EncodingMomentsArguments.RowsAtOnce)
            AddFour(a, r * a.H + column, ref own);
        Lane variance = 0f, square = 0f, mean = 0f, log = 0f;
        for (; r < last; r++)
            EncodingSums.Add(ref variance, ref square, ref mean, ref log, a.Mu[r * a.H + column], a.LogVar[r * a.H + column]);
        own.Add(variance, square, mean, log);
        own.SumOverY();
        if (Group.IdxY == 0 && column < a.H)
            a.Partial[Grid.IdxY * a.H + column] = own;
        // All groups walk through what follows, for its barriers; only the last has parts to add.
        int parts = Parts.IsLast(a.Tickets, Grid.IdxX, a.Parts) ? a.Parts : 0;
        FourPairs total = default;
        if (column < a.H)
            for (int p = Group.IdxY; p < parts; p += Threads.Tall)
                total.Add(a.Partial[p * a.H + column]);
        total.SumOverY();
        if (Group.IdxY == 0 && column < a.H && parts > 0)
            Finish(a, column, total);
    }

    private static void AddFour(EncodingMomentsArguments a, int at, ref FourPairs sums)
    {
        int at1 = at + a.H, at2 = at1 + a.H, at3 = at2 + a.H;
        Lane m0 = a.Mu[at], l0 = a.LogVar[at], m1 = a.Mu[at1], l1 = a.LogVar[at1];
        Lane m2 = a.Mu[at2], l2 = a.LogVar[at2], m3 = a.Mu[at3], l3 = a.LogVar[at3];
        Lane variance = 0f, square = 0f, mean = 0f, log = 0f;
        EncodingSums.Add(ref variance, ref square, ref mean, ref log, m0, l0);
        EncodingSums.Add(ref variance, ref square, ref mean, ref log, m1, l1);
        EncodingSums.Add(ref variance, ref square, ref mean, ref log, m2, l2);
        EncodingSums.Add(ref variance, ref square, ref mean, ref log, m3, l3);
        sums.Add(variance, square, mean, log);
    }

    private static void Finish(EncodingMomentsArguments a, int i, FourPairs total)
    {
        var sums = a.Sums.Cast<Pair>();
        Pair variance = AddTo(sums, i, total.A), square = AddTo(sums, a.H + i, total.B);
        Pair mean = AddTo(sums, 2 * a.H + i, total.C), log = AddTo(sums, 3 * a.H + i, total.D);
        if (a.HasIndicators == 0)
            return;
        var indicators = new EncodingIndicators<Pair>(variance, square, mean, log, a.Points);
        a.Indicators[i] = indicators.Aggregate.Total;
        a.Indicators[a.H + i] = indicators.Information.Total;
        a.Indicators[2 * a.H + i] = indicators.Centred.Total;
        a.Indicators[3 * a.H + i] = indicators.Ratio.Total;
        a.Indicators[4 * a.H + i] = indicators.Kl.Total;
        a.Indicators[5 * a.H + i] = indicators.AggregateKl.Total;
    }

    private static Pair AddTo(ArrayView<Pair> sums, int slot, Pair sum) => sums[slot] += sum;
}
