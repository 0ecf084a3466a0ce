using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Shuffling on the device: the very permutation that <see cref="Philox.Shuffle"/> makes one swap after the other.</summary>
internal sealed partial class GpuBackend
{
    public void Shuffle(RandomDraw draw, Slice<int> order)
    {
        int n = Require.Draw("shuffle", draw, order.Length);
        if (n == 0)
            return;
        var room = workspace.Room<int>(3 * n);
        Launch<Shuffle, ShuffleArguments>(1, 1, Threads.PerGroup, 1,
            new(View(draw.State), draw.Draw, View(order), room.SubView(0, n), room.SubView(n, n), room.SubView(2 * n, n), n));
    }
}

/// <param name="Left">The swaps that are left, of each thread by itself: entry q of thread t at 256 q + t.</param>
internal readonly record struct ShuffleArguments(ArrayView<uint> State, uint Draw, ArrayView<int> Order, ArrayView<int> Partner,
    ArrayView<int> Claim, ArrayView<int> Left, int N);

/// <summary>
/// Fisher and Yates' swaps of order[i] with order[partner[i]], i = n - 1 .. 1, in one group by deterministic reservations (Shun, Gu,
/// Blelloch, Fineman and Gibbons, "Sequential random permutation, list contraction and tree contraction are highly parallel", 2015): each
/// swap that is left claims its two cells, the one that comes first in the sequence holds a cell, and a swap that holds both is done. Some
/// log n rounds are enough.
/// </summary>
internal readonly struct Shuffle : IKernel<ShuffleArguments>
{
    public static void Run(ShuffleArguments a)
    {
        ChoosePartners(a);
        int count = 0;
        for (int i = Group.IdxX; i < a.N; i += Threads.PerGroup)
        {
            a.Order[i] = i;
            a.Claim[i] = 0;
            if (i > 0)
                a.Left[Threads.PerGroup * count++ + Group.IdxX] = i;
        }
        Intrinsic.Barrier();
        var open = SharedMemory.Allocate<int>(1);
        int again = 1;
        while (again != 0)
        {
            for (int q = 0; q < count; q++)
            {
                int i = a.Left[Threads.PerGroup * q + Group.IdxX];
                Intrinsic.Raise(ref a.Claim[i], i);
                Intrinsic.Raise(ref a.Claim[a.Partner[i]], i);
            }
            Intrinsic.Barrier();
            if (Group.IdxX == 0)
                open[0] = 0;
            int rest = Swap(a, count);
            Intrinsic.Barrier();
            for (; count > rest; count--)
            {
                int i = a.Left[Threads.PerGroup * (count - 1) + Group.IdxX];
                a.Claim[i] = 0;
                a.Claim[a.Partner[i]] = 0;
            }
            if (count > 0)
                open[0] = 1;
            Intrinsic.Barrier();
            again = open[0];
        }
    }

    /// <summary>Does this thread's swaps that hold both cells and moves them behind those that are left; returns how many are.</summary>
    private static int Swap(ShuffleArguments a, int count)
    {
        int q = 0;
        while (q < count)
        {
            int slot = Threads.PerGroup * q + Group.IdxX, i = a.Left[slot], j = a.Partner[i];
            if (a.Claim[i] == i && a.Claim[j] == i)
            {
                int moved = a.Order[i], end = Threads.PerGroup * --count + Group.IdxX;
                a.Order[i] = a.Order[j];
                a.Order[j] = moved;
                a.Left[slot] = a.Left[end];
                a.Left[end] = i;
            }
            else
                q++;
        }
        return count;
    }

    /// <summary>
    /// Swap k, k = 0 .. n - 2, draws below n - k. A word that Lemire's method rejects moves all later draws one word on, so they are made
    /// again from there.
    /// </summary>
    private static void ChoosePartners(ShuffleArguments a)
    {
        int from = 0, rejected = 0;
        while (from < a.N)
        {
            int first = a.N;
            for (int k = from + Group.IdxX; k < a.N - 1 && first == a.N; k += Threads.PerGroup)
            {
                uint bound = (uint)(a.N - k), word = WordAt(a, (uint)(k + rejected));
                ulong product = (ulong)word * bound;
                a.Partner[(int)bound - 1] = (int)(product >> 32);
                if ((uint)product < (0u - bound) % bound)
                    first = k;
            }
            from = Threads.ToAll(Threads.Fold<Earlier, int>(first, Group.IdxX, Group.IdxX, 1, Threads.PerGroup / 2), Group.IdxX, 0);
            rejected++;
        }
    }

    private static uint WordAt(ShuffleArguments a, uint i)
    {
        var (x, y, z, w) = Philox.Words(i >> 2, a.State[2], a.Draw, a.State[3], a.State[0], a.State[1]);
        uint which = i & 3;
        return which == 0 ? x : which == 1 ? y : which == 2 ? z : w;
    }
}

internal readonly struct Earlier : IFold<int>
{
    public static int Of(int a, int b) => IntrinsicMath.Min(a, b);
}
