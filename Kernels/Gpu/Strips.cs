using System.Numerics;
using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// How groups of 256 threads share strips, the entries of [outer, n, inner] that become one result each. A group has 256 / 2^LogCount
/// strips; 2^LogStride of them, with neighbouring places in inner, are side by side: their threads read neighbours.
/// </summary>
/// <param name="LogCount">The logarithm of a strip's threads.</param>
/// <param name="LogStride">The logarithm of how far a strip's threads are apart.</param>
/// <param name="Parts">Groups that share a strip, along the grid's y.</param>
internal readonly record struct Strips(int Outer, int N, int Inner, int LogCount, int LogStride, int Parts = 1)
{
    private const int LogPerGroup = 8, ShortRow = 1024;

    /// <summary>Rows up to 1 024 long have 32 threads, longer ones a group; columns have eight, 32 neighbours a group.</summary>
    public static Strips Of(int outer, int n, int inner) =>
        inner > 1 ? new(outer, n, inner, 3, 5) : new(outer, n, inner, n <= ShortRow ? 5 : LogPerGroup, 0);

    /// <summary>Columns of [n, inner], up to 32 neighbours a group, fewer where there are fewer: then a column has more threads.</summary>
    public static Strips OfColumns(int n, int inner)
    {
        int log = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(inner, 1, Threads.Wide)));
        return new(1, n, inner, LogPerGroup - log, log);
    }

    /// <summary>Places of inner, with those that are behind the last.</summary>
    private int Padded => (Inner + (1 << LogStride) - 1) >> LogStride << LogStride;

    private int LogBeside => LogPerGroup - LogCount;

    /// <summary>Groups of threads that one part of all strips takes.</summary>
    public int Groups => (Outer * Padded + (1 << LogBeside) - 1) >> LogBeside;

    /// <summary>Threads of a strip.</summary>
    public int Count => 1 << LogCount;

    /// <summary>A thread's number among those of its strip.</summary>
    public int Rank => Group.IdxX >> LogStride & (Count - 1);

    /// <summary>The number of a thread's strip in the group.</summary>
    private int Beside => (Group.IdxX & ((1 << LogStride) - 1)) | (Group.IdxX >> (LogCount + LogStride) << LogStride);

    /// <summary>This thread's share of its strip.</summary>
    public Strip Share(int group, int part)
    {
        int number = (group << LogBeside) + Beside, o = number / Padded, column = number - o * Padded;
        int first = Gpu.Parts.First(N, Parts, part), length = Gpu.Parts.Length(N, Parts, part);
        bool inside = o < Outer && column < Inner;
        int from = inside ? (o * N + first) * Inner + column : 0;
        return new(this, from + Rank * Inner, inside ? from + length * Inner : 0, Inner << LogCount, length,
            inside ? o * Inner + column : Gpu.Parts.Nowhere, column);
    }

    /// <summary>Folds what the threads of a strip have, in an order that never changes; right in the first of them.</summary>
    public T Fold<F, T>(T own) where F : struct, IFold<T> where T : unmanaged =>
        Threads.Fold<F, T>(own, Group.IdxX, Rank, 1 << LogStride, Count >> 1);

    /// <summary>As <see cref="Fold"/>; each of the strip's threads gets the result.</summary>
    public T FoldToAll<F, T>(T own) where F : struct, IFold<T> where T : unmanaged => ToAll(Fold<F, T>(own));

    /// <summary>Gives all threads of a strip what the first of them has.</summary>
    public T ToAll<T>(T own) where T : unmanaged => Threads.ToAll(own, Rank, Beside);

    /// <summary>Folds parts from <paramref name="slot"/> on; right in the first of the strip's threads.</summary>
    public T FoldParts<F, T>(ArrayView<T> partial, int slot, int count) where F : struct, IFold<T> where T : unmanaged
    {
        T own = default;
        for (int p = Rank; p < count; p += Count)
            own = F.Of(own, partial[slot + p]);
        return Fold<F, T>(own);
    }
}

/// <summary>One thread's share of the entries that become one result: From, From + Step, .. below End.</summary>
/// <param name="Length">Entries of all threads of the strip; with several parts, of this group's part.</param>
/// <param name="At">Where in [outer, inner] the result belongs; <see cref="Parts.Nowhere"/>, and no entries, behind the last.</param>
/// <param name="Column">The result's place in inner.</param>
internal readonly record struct Strip(Strips Strips, int From, int End, int Step, int Length, int At, int Column)
{
    public bool Exists => At != Parts.Nowhere;

    /// <summary>Whether this thread stores what its strip becomes.</summary>
    public bool Stores => Strips.Rank == 0 && Exists;
}

/// <summary>What the threads of a strip make of it.</summary>
internal interface IStripwise<A> where A : struct
{
    static abstract void Of(A a, Strip strip);
}

internal readonly record struct StripsArguments<A>(Strips Strips, A Operands) where A : struct;

internal readonly struct EachStrip<R, A> : IKernel<StripsArguments<A>> where R : struct, IStripwise<A> where A : struct
{
    public static void Run(StripsArguments<A> a) => R.Of(a.Operands, a.Strips.Share(Grid.IdxX, 0));
}

/// <summary>
/// Strips that several groups share: each stores its part, and the last to finish folds all parts in an order that never changes.
/// </summary>
internal static class Parts
{
    /// <summary>No place for a result. Not -1: OpenCL's compilers warn of how ILGPU writes a choice between an index and that.</summary>
    public const int Nowhere = int.MaxValue;

    /// <summary>Where part p of n entries begins. Every part but the last few has the same length; they may have none.</summary>
    public static int First(int n, int parts, int p) => IntrinsicMath.Min(n, p * ((n + parts - 1) / parts));

    /// <summary>Entries of part p.</summary>
    public static int Length(int n, int parts, int p) => First(n, parts, p + 1) - First(n, parts, p);

    /// <summary>
    /// Whether all other groups with this ticket have stored their parts. Every thread of the group must ask. One part needs no ticket, and
    /// a group for which there are none is not the last.
    /// </summary>
    public static bool IsLast(ArrayView<int> tickets, int ticket, int parts)
    {
        var last = SharedMemory.Allocate<int>(1);
        Intrinsic.Fence();
        Intrinsic.Barrier();
        if (Group.IdxX == 0 && Group.IdxY == 0)
        {
            int before = parts > 1 ? Intrinsic.Count(ref tickets[ticket], 1) : 0;
            last[0] = before == parts - 1 ? 1 : 0;
            if (parts > 1 && before == parts - 1)
                tickets[ticket] = 0;
            Intrinsic.Fence();
        }
        Intrinsic.Barrier();
        return last[0] != 0;
    }
}

/// <summary>
/// Parts that are added in two steps: the last group of a team to finish adds the team's parts, and the last of these the teams' sums,
/// always in the same order. About as many teams as members of each: either are waited for one after the other.
/// </summary>
/// <param name="Parts">Of each sum, one a group.</param>
/// <param name="Members">Parts of a team; the last team may have fewer.</param>
internal readonly record struct Shares(ArrayView<int> Tickets, int Parts, int Members, int Teams)
{
    /// <summary>Places for what a sum's parts and teams give, parts first.</summary>
    public int Slots => Parts + Teams;

    public static Shares Of(int parts, ArrayView<int> tickets)
    {
        int members = (int)Math.Ceiling(Math.Sqrt(parts));
        return new(tickets, parts, members, (parts + members - 1) / members);
    }

    public int TeamOf(int part) => part / Members;

    public int MembersOf(int team) => IntrinsicMath.Min(Members, Parts - team * Members);

    /// <summary>
    /// Whether all others of a team have stored their parts, or all other teams their sums. Every thread must ask, for its team and then
    /// for all, as team number Teams.
    /// </summary>
    /// <param name="count">Of the parts, or of the teams; 0 in a group that was not the last of its team.</param>
    public bool IsLast(int sum, int team, int count) => Gpu.Parts.IsLast(Tickets, sum * (Teams + 1) + team, count);
}
