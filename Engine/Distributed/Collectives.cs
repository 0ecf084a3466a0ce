using System.Numerics;
using System.Runtime.InteropServices;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Distributed;

/// <summary>What ranks do together, made of exchanges of two at a time.</summary>
internal static class Collectives
{
    /// <summary>For waits in which a rank works alone, such as rank 0 while it measures: as long as that may take.</summary>
    public static readonly TimeSpan AsLongAsItTakes = TimeSpan.FromDays(7);

    // Floats that the halves of a vector start at a multiple of, as kernels read whole vectors fastest.
    private const int Alignment = 16;

    /// <summary>The largest power of two that is no larger than the number of ranks.</summary>
    public static int Core(int ranks) => (int)(BitOperations.RoundUpToPowerOf2((uint)ranks + 1) / 2);

    /// <summary>
    /// x = the sum of all ranks' x, in the same bits on each: neighbours are added first, then neighbouring pairs, as ((x0 + x1) + (x2 +
    /// x3)). Of ranks that are no power of two, as many of the first are paired as leave one: (x0 + x1) + x2.
    /// </summary>
    /// <remarks>
    /// The second of such a pair gives its vector to the first and gets the sum from it. Among the others, recursive halving, then
    /// doubling (Rabenseifner): each rank adds up the part of the vector that it ends up with, so that every element is summed by the
    /// same tree and 2 (1 - 1 / P) |x| numbers travel each way. The sum of two floats does not depend on their order, so that both
    /// partners may add from their own side.
    /// </remarks>
    /// <param name="scratch">Of <see cref="ScratchFor"/>.</param>
    public static void AllReduce(this ICollective ranks, Compute compute, Slice<float> x, Slice<float> scratch)
    {
        int core = Core(ranks.Size), pairs = ranks.Size - core, mate = ranks.Rank ^ 1;
        bool paired = ranks.Rank < 2 * pairs;
        if (paired && ranks.Rank > mate)
        {
            ranks.Exchange(compute, mate, x, default);
            ranks.Exchange(compute, mate, default, x);
            return;
        }
        if (paired)
            Receive(mate, given: default, kept: x);
        int number = paired ? ranks.Rank / 2 : ranks.Rank - pairs;
        var parts = new Stack<(Slice<float> Kept, Slice<float> Given)>();
        var mine = x;
        for (int distance = 1; distance < core; distance *= 2)
        {
            int half = mine.Length / 2 / Alignment * Alignment;
            var (low, high) = (mine.Part(0, half), mine.Part(half, mine.Length - half));
            var (kept, given) = (number & distance) == 0 ? (low, high) : (high, low);
            Receive(RankOf(number ^ distance), given, kept);
            parts.Push((kept, given));
            mine = kept;
        }
        for (int distance = core / 2; distance > 0; distance /= 2)
        {
            var (kept, given) = parts.Pop();
            ranks.Exchange(compute, RankOf(number ^ distance), kept, given);
        }
        if (paired)
            ranks.Exchange(compute, mate, x, default);

        int RankOf(int number) => number < pairs ? 2 * number : number + pairs;

        void Receive(int partner, Slice<float> given, Slice<float> kept)
        {
            var received = scratch.Part(0, kept.Length);
            ranks.Exchange(compute, partner, given, received);
            if (kept.Length > 0)
                compute.Backend.Binary<Add>(kept, received, kept);
        }
    }

    /// <summary>The numbers of scratch that <see cref="AllReduce"/> of as many as <paramref name="length"/> takes.</summary>
    internal static int ScratchFor(int length, int ranks) => BitOperations.IsPow2(ranks) ? length / 2 + Alignment : length;

    /// <summary>Every rank's values in the order of the ranks, [P, values].</summary>
    /// <param name="values">As many on every rank.</param>
    public static T[][] AllGather<T>(this ICollective ranks, T[] values, TimeSpan? patience = null) where T : unmanaged
    {
        var all = new T[ranks.Size][];
        byte[] own = MemoryMarshal.AsBytes<T>(values).ToArray(), received = new byte[own.Length];
        // In round i those meet whose numbers add up to i, modulo P.
        for (int i = 0; i < ranks.Size; i++)
        {
            int partner = (i - ranks.Rank + ranks.Size) % ranks.Size;
            if (partner != ranks.Rank)
                ranks.Exchange(partner, own, received, patience ?? ranks.Patience);
            all[partner] = partner == ranks.Rank ? values : MemoryMarshal.Cast<byte, T>(received).ToArray();
        }
        return all;
    }

    /// <summary>Gives all ranks the bytes that rank 0 has.</summary>
    /// <param name="bytes">As long on every rank; written to on all but rank 0.</param>
    public static void Broadcast(this ICollective ranks, byte[] bytes, TimeSpan? patience = null)
    {
        for (int distance = 1; distance < ranks.Size; distance *= 2)
            if (ranks.Rank < 2 * distance && (ranks.Rank ^ distance) < ranks.Size)
            {
                bool gives = ranks.Rank < distance;
                ranks.Exchange(ranks.Rank ^ distance, gives ? bytes : [], gives ? [] : bytes, patience ?? ranks.Patience);
            }
    }

    /// <summary>Whether it is true on any rank.</summary>
    public static bool Any(this ICollective ranks, bool value, TimeSpan? patience = null) =>
        ranks.AllGather([value], patience).Any(v => v[0]);

    /// <summary>Waits until all ranks are here.</summary>
    public static void Barrier(this ICollective ranks, TimeSpan? patience = null) => ranks.AllGather<byte>([], patience);
}
