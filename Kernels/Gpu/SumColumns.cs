using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Sums down the columns of up to five arrays in one launch: one after the other, they would leave most of a GPU idle.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Entries of a column that a thread has, where there are so many: fewer would not pay for folding the parts.</summary>
    private const int RowsOfThread = 32;

    public int ColumnSumsAtOnce => SumColumnsArguments.Jobs;

    public void SumColumns(ReadOnlySpan<ColumnSum> sums)
    {
        for (; sums.Length > SumColumnsArguments.Jobs; sums = sums[SumColumnsArguments.Jobs..])
            SumColumns(sums[..SumColumnsArguments.Jobs]);
        var jobs = new ColumnJob[SumColumnsArguments.Jobs];
        int groups = 0, slots = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            var s = sums[i];
            Require.Reduction("sum", s.X, 1, s.Rows, s.Columns, s.Y);
            var strips = Strips.OfColumns(s.Rows, s.Columns);
            int parts = PartsOf(s.Rows, RowsOfThread * strips.Count, strips.Groups);
            jobs[i] = new(new(View(s.X), View(s.Y), s.Scale, s.Accumulate ? 1 : 0), strips with { Parts = parts }, groups, slots,
                i * EnoughGroups);
            groups += strips.Groups * parts;
            slots += s.Columns * parts;
        }
        if (groups == 0)
            return;
        for (int i = sums.Length; i < jobs.Length; i++)
            jobs[i] = jobs[0] with { FirstGroup = int.MaxValue };
        Launch<SumColumns, SumColumnsArguments>(groups, 1, Threads.PerGroup, 1,
            new(jobs[0], jobs[1], jobs[2], jobs[3], jobs[4], workspace.Room<Pair>(slots), workspace.Tickets));
    }
}

/// <param name="FirstSlot">Where the job's parts are, and behind <paramref name="FirstTicket"/> its tickets.</param>
internal readonly record struct ColumnJob(SumArguments<ArrayView<float>> Sum, Strips Strips, int FirstGroup, int FirstSlot,
    int FirstTicket);

internal readonly record struct SumColumnsArguments(ColumnJob First, ColumnJob Second, ColumnJob Third, ColumnJob Fourth,
    ColumnJob Fifth, ArrayView<Pair> Partial, ArrayView<int> Tickets)
{
    /// <summary>A launch's jobs; each has tickets of its own, as many as <see cref="Workspace.MostTickets"/> has room for.</summary>
    public const int Jobs = 5;
}

/// <summary>A strip of columns a group, or a part of its rows; the last group of a strip to finish adds the parts in order.</summary>
internal readonly struct SumColumns : IKernel<SumColumnsArguments>
{
    public static void Run(SumColumnsArguments a)
    {
        var job = Grid.IdxX >= a.Fifth.FirstGroup ? a.Fifth : Grid.IdxX >= a.Fourth.FirstGroup ? a.Fourth
            : Grid.IdxX >= a.Third.FirstGroup ? a.Third : Grid.IdxX >= a.Second.FirstGroup ? a.Second : a.First;
        int group = Grid.IdxX - job.FirstGroup, strips = group / job.Strips.Parts;
        ReduceParts<Sum<Entries, ArrayView<float>>, SumArguments<ArrayView<float>>, Pair>.Of(
            new(job.Strips, a.Partial, a.Tickets, job.Sum), strips, group - strips * job.Strips.Parts, job.FirstSlot, job.FirstTicket);
    }
}
