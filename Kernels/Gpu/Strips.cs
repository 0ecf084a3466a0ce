using ILGPU;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>One thread's share of the entries of [outer, n, inner] that become one result.</summary>
internal struct Strip
{
    /// <summary>The thread's entries are From, From + Step, .. below End.</summary>
    public int From, End, Step;

    /// <summary>Entries of all threads of the strip; with several parts, of this group's part.</summary>
    public int Length;

    /// <summary>
    /// Where in [outer, inner] the result belongs, and its place in inner; <see cref="Parts.Nowhere"/>, and no entries, behind the last.
    /// </summary>
    public int At, Column;
}

/// <summary>How the threads of a group share strips.</summary>
internal interface IStrips
{
    /// <summary>This thread's number among the <see cref="Count"/> threads of its strip.</summary>
    static abstract int Rank { get; }

    static abstract int Count { get; }

    /// <param name="parts">Groups that share a strip, along the grid's y.</param>
    static abstract Strip Of(int outer, int n, int inner, int parts);

    /// <summary>Folds what the threads of a strip have, in an order that never changes; each of them gets the result.</summary>
    static abstract T Fold<F, T>(T own) where F : struct, IFold<T> where T : unmanaged;
}

/// <summary>Rows [outer, n], inner = 1, undivided: eight a group, 32 threads a row.</summary>
internal readonly struct ShortRows : IStrips
{
    public static int Rank => Group.IdxX;

    public static int Count => Threads.Wide;

    public static Strip Of(int outer, int n, int inner, int parts)
    {
        Strip strip = default;
        int row = Grid.IdxX * Threads.Tall + Group.IdxY;
        strip.Step = Threads.Wide;
        strip.Length = n;
        strip.At = row < outer ? row : Parts.Nowhere;
        strip.From = row < outer ? row * n + Group.IdxX : 0;
        strip.End = row < outer ? (row + 1) * n : 0;
        return strip;
    }

    public static T Fold<F, T>(T own) where F : struct, IFold<T> where T : unmanaged =>
        Threads.ToAll(Threads.FoldOverX<F, T>(own), Group.IdxX, Group.IdxY);
}

/// <summary>Rows [outer, n], inner = 1: a group of 256 threads for each part of a row.</summary>
internal readonly struct LongRows : IStrips
{
    public static int Rank => Group.IdxX;

    public static int Count => Threads.PerGroup;

    public static Strip Of(int outer, int n, int inner, int parts)
    {
        Strip strip = default;
        int first = Parts.First(n, parts, Grid.IdxY);
        strip.Step = Threads.PerGroup;
        strip.Length = Parts.Length(n, parts, Grid.IdxY);
        strip.At = Grid.IdxX;
        strip.From = Grid.IdxX * n + first + Group.IdxX;
        strip.End = Grid.IdxX * n + first + strip.Length;
        return strip;
    }

    public static T Fold<F, T>(T own) where F : struct, IFold<T> where T : unmanaged =>
        Threads.ToAll(Threads.FoldAll<F, T>(own), Group.IdxX, 0);
}

/// <summary>Columns: 32 neighbours a group, eight threads for each part of a column.</summary>
internal readonly struct ColumnStrips : IStrips
{
    public static int Rank => Group.IdxY;

    public static int Count => Threads.Tall;

    public static Strip Of(int outer, int n, int inner, int parts)
    {
        Strip strip = default;
        int blocks = (inner + Threads.Wide - 1) / Threads.Wide, o = Grid.IdxX / blocks;
        int column = (Grid.IdxX - o * blocks) * Threads.Wide + Group.IdxX;
        int first = Parts.First(n, parts, Grid.IdxY);
        strip.Step = Threads.Tall * inner;
        strip.Length = Parts.Length(n, parts, Grid.IdxY);
        strip.Column = column;
        strip.At = column < inner ? o * inner + column : Parts.Nowhere;
        strip.From = column < inner ? (o * n + first + Group.IdxY) * inner + column : 0;
        strip.End = column < inner ? (o * n + first + strip.Length) * inner : 0;
        return strip;
    }

    public static T Fold<F, T>(T own) where F : struct, IFold<T> where T : unmanaged =>
        Threads.ToAll(Threads.FoldOverY<F, T>(own), Group.IdxY, Group.IdxX);
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

    /// <summary>Folds parts from <paramref name="slot"/> on into what is known without them; in each of the strip's threads.</summary>
    public static T Fold<L, F, T>(ArrayView<T> partial, int slot, int count, T own)
        where L : struct, IStrips where F : struct, IFold<T> where T : unmanaged
    {
        for (int p = L.Rank; p < count; p += L.Count)
            own = F.Of(own, partial[slot + p]);
        return L.Fold<F, T>(own);
    }

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
            int before = parts > 1 ? Intrinsic.Increment(ref tickets[ticket]) : 0;
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

    /// <summary>Whether all others of this group's team have stored their parts. Every thread must ask this, and the next.</summary>
    public bool IsLastOfTeam(int sum, int team) => Gpu.Parts.IsLast(Tickets, sum * (Teams + 1) + team, MembersOf(team));

    /// <summary>Whether all other teams have stored their sums, of the group that has stored its team's.</summary>
    public bool IsLastOfAll(int sum, bool lastOfTeam) => Gpu.Parts.IsLast(Tickets, sum * (Teams + 1) + Teams, lastOfTeam ? Teams : 0);
}
