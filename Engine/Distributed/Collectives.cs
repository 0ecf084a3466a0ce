using System.Runtime.InteropServices;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Distributed;

/// <summary>
/// What ranks do together, made of exchanges with the partner rank XOR distance, distance 1, 2, 4, ..: log2 P rounds.
/// </summary>
internal static class Collectives
{
    /// <summary>For waits in which a rank works alone, such as rank 0 while it measures: as long as that may take.</summary>
    public static readonly TimeSpan AsLongAsItTakes = TimeSpan.FromDays(7);

    // Floats that the halves of a vector start at a multiple of, as kernels read whole vectors fastest.
    private const int Alignment = 16;

    /// <summary>
    /// x = the sum of all ranks' x, in the same bits on each: neighbours are added first, then neighbouring pairs, as ((x0 + x1) + (x2 +
    /// x3)).
    /// </summary>
    /// <remarks>
    /// Recursive halving, then doubling (Rabenseifner): each rank adds up the part of the vector that it ends up with, so that every
    /// element is summed by the same tree and 2 (1 - 1 / P) |x| numbers travel each way. The sum of two floats does not depend on their
    /// order, so that both partners may add from their own side.
    /// </remarks>
    /// <param name="scratch">Of <see cref="ScratchFor"/>.</param>
    public static void AllReduce(this ICollective ranks, Compute compute, Slice<float> x, Slice<float> scratch)
    {
        var parts = new Stack<(Slice<float> Kept, Slice<float> Given)>();
        var mine = x;
        for (int distance = 1; distance < ranks.Size; distance *= 2)
        {
            int half = mine.Length / 2 / Alignment * Alignment;
            var (low, high) = (mine.Part(0, half), mine.Part(half, mine.Length - half));
            var (kept, given) = (ranks.Rank & distance) == 0 ? (low, high) : (high, low);
            var received = scratch.Part(0, kept.Length);
            ranks.Exchange(compute, ranks.Rank ^ distance, given, received);
            if (kept.Length > 0)
                compute.Backend.Binary<Add>(kept, received, kept);
            parts.Push((kept, given));
            mine = kept;
        }
        for (int distance = ranks.Size / 2; distance > 0; distance /= 2)
        {
            var (kept, given) = parts.Pop();
            ranks.Exchange(compute, ranks.Rank ^ distance, kept, given);
        }
    }

    /// <summary>The numbers of scratch that <see cref="AllReduce"/> of as many as <paramref name="length"/> takes.</summary>
    internal static int ScratchFor(int length) => length / 2 + Alignment;

    /// <summary>Every rank's values in the order of the ranks, [P, values].</summary>
    /// <param name="values">As many on every rank.</param>
    public static double[][] AllGather(this ICollective ranks, double[] values, TimeSpan? patience = null)
    {
        var all = new double[ranks.Size][];
        all[ranks.Rank] = values;
        // Before the round of a distance, a rank has the values of those that differ from it below that bit only.
        for (int distance = 1; distance < ranks.Size; distance *= 2)
        {
            int partner = ranks.Rank ^ distance, own = ranks.Rank & ~(distance - 1), others = partner & ~(distance - 1);
            double[] known = [.. all[own..(own + distance)].SelectMany(v => v)];
            byte[] received = new byte[known.Length * sizeof(double)];
            ranks.Exchange(partner, MemoryMarshal.AsBytes<double>(known).ToArray(), received, patience ?? ranks.Patience);
            var numbers = MemoryMarshal.Cast<byte, double>(received);
            for (int i = 0; i < distance; i++)
                all[others + i] = numbers.Slice(i * values.Length, values.Length).ToArray();
        }
        return all;
    }

    /// <summary>Gives all ranks the bytes that rank 0 has.</summary>
    /// <param name="bytes">As long on every rank; written to on all but rank 0.</param>
    public static void Broadcast(this ICollective ranks, byte[] bytes, TimeSpan? patience = null)
    {
        for (int distance = 1; distance < ranks.Size; distance *= 2)
            if (ranks.Rank < 2 * distance)
            {
                bool gives = ranks.Rank < distance;
                ranks.Exchange(ranks.Rank ^ distance, gives ? bytes : [], gives ? [] : bytes, patience ?? ranks.Patience);
            }
    }

    /// <summary>Whether it is true on any rank.</summary>
    public static bool Any(this ICollective ranks, bool value, TimeSpan? patience = null) =>
        ranks.AllGather([value ? 1 : 0], patience).Any(v => v[0] != 0);

    /// <summary>Waits until all ranks are here.</summary>
    public static void Barrier(this ICollective ranks, TimeSpan? patience = null) => ranks.AllGather([], patience);
}
