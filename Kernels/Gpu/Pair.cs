using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>One thread's running sum, as an unevaluated pair of floats: about 48 bits (see <see cref="TwoSum"/>).</summary>
internal partial struct Pair(Lane high, Lane low) : IFold<Pair>
{
    public Lane High = high, Low = low;

    public void Add(Lane x) => TwoSum.Add(ref High, ref Low, x);

    public void Add(Pair other)
    {
        Add(other.High);
        Low += other.Low;
    }

    public static Pair Of(Pair a, Pair b)
    {
        a.Add(b);
        return a;
    }

    /// <summary>The sum, rounded. Infinities and NaN come through: the rounding "error" beside them is NaN and does not count.</summary>
    /// <remarks>No double precision anywhere on a device: many GPUs of OpenCL have none.</remarks>
    public readonly Lane Total => IsFinite(Low) ? High + Low : High;

    /// <summary>factor times the sum; an infinite factor too has a low part that does not count.</summary>
    public readonly Lane Times(Lane factor)
    {
        Lane low = factor * Low;
        return IsFinite(low) ? Lane.Fma(factor, High, low) : factor * High;
    }

    private static bool IsFinite(Lane x) => (x - x).X == 0f;
}

/// <summary>Where a thread stands, and sums over the threads of a group in a fixed order.</summary>
internal static class Threads
{
    /// <summary>Threads of a group, in one or two dimensions (<see cref="Wide"/> by <see cref="Tall"/>).</summary>
    public const int PerGroup = 256, Wide = 32, Tall = 8;

    /// <summary>This thread's number among all, for kernels of one dimension.</summary>
    public static int Number => Grid.IdxX * PerGroup + Group.IdxX;

    /// <summary>Folds what <see cref="Tall"/> threads along y have; right where y = 0.</summary>
    public static T FoldOverY<F, T>(T own) where F : struct, IFold<T> where T : unmanaged =>
        Fold<F, T>(own, Group.IdxY * Wide + Group.IdxX, Group.IdxY, Wide, Tall / 2);

    /// <summary>
    /// A tree over shared memory: <paramref name="rank"/> counts along the axis that is folded, where neighbours are
    /// <paramref name="stride"/> apart.
    /// </summary>
    public static T Fold<F, T>(T own, int slot, int rank, int stride, int half) where F : struct, IFold<T> where T : unmanaged
    {
        var shared = SharedMemory.Allocate<T>(PerGroup);
        shared[slot] = own;
        Intrinsic.Barrier();
        for (int distance = half; distance > 0; distance >>= 1)
        {
            if (rank < distance)
            {
                own = F.Of(own, shared[slot + distance * stride]);
                shared[slot] = own;
            }
            Intrinsic.Barrier();
        }
        return own;
    }

    /// <summary>Gives all threads of a strip what the one with rank 0 has; a group has at most <see cref="Wide"/> strips.</summary>
    public static T ToAll<T>(T own, int rank, int strip) where T : unmanaged
    {
        var shared = SharedMemory.Allocate<T>(Wide);
        if (rank == 0)
            shared[strip] = own;
        Intrinsic.Barrier();
        return shared[strip];
    }
}

/// <summary>How two partial results become one.</summary>
internal interface IFold<T> where T : unmanaged
{
    static abstract T Of(T a, T b);
}

/// <summary>The larger of two; NaN where either is.</summary>
internal readonly struct Larger : IFold<Lane>
{
    public static Lane Of(Lane a, Lane b) => Lane.Max(a, b);
}
