using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Small helpers over any <see cref="IVector{V}"/>.</summary>
internal static unsafe class Lanes
{
    private static readonly nint LaneNumbers = MakeLaneNumbers();

    /// <summary>The first <paramref name="count"/> lanes from memory, the others from <paramref name="rest"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadPartOr<V>(float* source, int count, V rest) where V : struct, IVector<V> =>
        V.SelectLess(V.Load((float*)LaneNumbers), V.Broadcast(count), V.LoadPart(source, count), rest);

    /// <summary>
    /// A whole vector where <paramref name="count"/> is 16, else its first lanes: masked accesses are slow on some processors.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadUpTo<V>(float* source, int count) where V : struct, IVector<V> =>
        count == IVector<V>.Lanes ? V.Load(source) : V.LoadPart(source, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreUpTo<V>(V value, float* destination, int count) where V : struct, IVector<V>
    {
        if (count == IVector<V>.Lanes)
            V.Store(value, destination);
        else
            V.StorePart(value, destination, count);
    }

    /// <summary>Lanes 0 .. <paramref name="count"/> - 1 of x, and 0 behind them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Keep<V>(V x, int count) where V : struct, IVector<V> =>
        V.SelectLess(V.Load((float*)LaneNumbers), V.Broadcast(count), x, V.Broadcast(0f));

    private static nint MakeLaneNumbers()
    {
        float* numbers = (float*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(64, 64);
        for (int i = 0; i < 16; i++)
            numbers[i] = i;
        return (nint)numbers;
    }
}
