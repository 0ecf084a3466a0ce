using System.Numerics;
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
            int log = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(s.Columns, 1, Threads.Wide)));
            int strips = Groups(s.Columns, 1 << log), parts = PartsOf(s.Rows, RowsOfThread * (Threads.PerGroup >> log), strips);
            jobs[i] = new(View(s.X), View(s.Y), s.Rows, s.Columns, s.Scale, s.Accumulate ? 1 : 0, log, parts, groups, slots,
                i * EnoughGroups);
            groups += strips * parts;
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

/// <param name="LogWidth">The logarithm of the columns side by side in a group, up to a line of 32.</param>
/// <param name="Parts">Groups that share the rows of a strip of columns.</param>
/// <param name="FirstSlot">Where the job's parts are, and behind <paramref name="FirstTicket"/> its tickets.</param>
internal readonly record struct ColumnJob(ArrayView<float> X, ArrayView<float> Y, int Rows, int Columns, float Scale, int Accumulate,
    int LogWidth, int Parts, int FirstGroup, int FirstSlot, int FirstTicket);

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
        var job = a.First;
        if (Grid.IdxX >= a.Second.FirstGroup)
            job = a.Second;
        if (Grid.IdxX >= a.Third.FirstGroup)
            job = a.Third;
        if (Grid.IdxX >= a.Fourth.FirstGroup)
            job = a.Fourth;
        if (Grid.IdxX >= a.Fifth.FirstGroup)
            job = a.Fifth;
        int group = Grid.IdxX - job.FirstGroup, strip = group / job.Parts, part = group - strip * job.Parts, width = 1 << job.LogWidth;
        int column = strip * width + (Group.IdxX & (width - 1)), rank = Group.IdxX >> job.LogWidth, step = Threads.PerGroup >> job.LogWidth;
        int first = Parts.First(job.Rows, job.Parts, part), end = first + Parts.Length(job.Rows, job.Parts, part);
        end = column < job.Columns ? end : 0;
        Pair sum = default;
        for (int row = first + rank; row < end; row += step)
            sum.Add(job.X[row * job.Columns + column]);
        sum = Threads.FoldStrided<Added, Pair>(sum, rank, width);
        int slot = job.FirstSlot + column * job.Parts;
        bool stores = rank == 0 && column < job.Columns;
        if (stores)
            a.Partial[slot + part] = sum;
        bool last = Parts.IsLast(a.Tickets, job.FirstTicket + strip, job.Parts);
        Pair total = default;
        int parts = last && column < job.Columns ? job.Parts : 0;
        for (int p = rank; p < parts; p += step)
            total.Add(a.Partial[slot + p]);
        total = Threads.FoldStrided<Added, Pair>(total, rank, width);
        if (stores && last)
            Store.To(job.Y, column, total.Times(job.Scale), job.Accumulate);
    }
}
