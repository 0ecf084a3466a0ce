using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>The words of sixteen consecutive counters at once.</summary>
/// <remarks>
/// A counter word sits in the low half of a 64-bit lane: the widening multiply wants it there, and what the high half holds never matters.
/// Counters are spread over
/// lanes in the order in which unpacking puts them back in sequence. Two groups of counters go side by side, since the rounds of one wait
/// for each other.
/// </remarks>
internal readonly unsafe struct PhiloxLanes(Slice<uint> state, uint draw)
{
    /// <summary>Words that <see cref="Sixteen"/> writes.</summary>
    public const int Words = 64;

    /// <summary>Round keys that <see cref="Expand"/> writes.</summary>
    public const int Keys = 2 * Philox.Rounds;

    private readonly uint key0 = state.Pointer[0];
    private readonly uint key1 = state.Pointer[1];
    private readonly uint step = state.Pointer[2];
    private readonly uint stream = state.Pointer[3];

    /// <summary>Writes the two keys of each round.</summary>
    public void Expand(ulong* keys)
    {
        for (uint round = 0; round < Philox.Rounds; round++)
        {
            keys[2 * round] = key0 + round * Philox.W0;
            keys[2 * round + 1] = key1 + round * Philox.W1;
        }
    }

    /// <summary>Writes 4 words of each of counters <paramref name="first"/> .. <paramref name="first"/> + 15, in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Sixteen(uint first, ulong* keys, uint* words)
    {
        if (Vector512.IsHardwareAccelerated)
            Sixteen512(first, keys, words);
        else if (Vector256.IsHardwareAccelerated && Avx2.IsSupported)
        {
            Eight256(first, keys, words);
            Eight256(first + 8, keys, words + 32);
        }
        else
            for (uint i = 0; i < 16; i++)
                (words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]) =
                    Philox.Words(first + i, step, draw, stream, key0, key1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Sixteen512(uint first, ulong* keys, uint* words)
    {
        var c0 = Vector512.Create((ulong)first) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7);
        var d0 = c0 + Vector512.Create(8UL);
        Vector512<ulong> c1 = Vector512.Create((ulong)step), c2 = Vector512.Create((ulong)draw), c3 = Vector512.Create((ulong)stream),
            d1 = c1, d2 = c2, d3 = c3;
        var m0 = Vector512.Create(Philox.M0);
        var m1 = Vector512.Create(Philox.M1);
        for (ulong* key = keys; key < keys + Keys; key += 2)
        {
            Vector512<ulong> k0 = Vector512.Create(key[0]), k1 = Vector512.Create(key[1]);
            Vector512<ulong> p0 = Avx512F.Multiply(c0.AsUInt32(), m0), p1 = Avx512F.Multiply(c2.AsUInt32(), m1);
            Vector512<ulong> q0 = Avx512F.Multiply(d0.AsUInt32(), m0), q1 = Avx512F.Multiply(d2.AsUInt32(), m1);
            c0 = Vector512.ShiftRightLogical(p1, 32) ^ c1 ^ k0;
            c2 = Vector512.ShiftRightLogical(p0, 32) ^ c3 ^ k1;
            d0 = Vector512.ShiftRightLogical(q1, 32) ^ d1 ^ k0;
            d2 = Vector512.ShiftRightLogical(q0, 32) ^ d3 ^ k1;
            (c1, c3, d1, d3) = (p1, p0, q1, q0);
        }
        Store512(c0, c1, c2, c3, words);
        Store512(d0, d1, d2, d3, words + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store512(Vector512<ulong> c0, Vector512<ulong> c1, Vector512<ulong> c2, Vector512<ulong> c3, uint* words)
    {
        var low = Vector512.Create(0xffffffffUL);
        var xy = (c0 & low) | Vector512.ShiftLeft(c1, 32);
        var zw = (c2 & low) | Vector512.ShiftLeft(c3, 32);
        Avx512F.UnpackLow(xy, zw).AsUInt32().Store(words);
        Avx512F.UnpackHigh(xy, zw).AsUInt32().Store(words + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Eight256(uint first, ulong* keys, uint* words)
    {
        var c0 = Vector256.Create((ulong)first) + Vector256.Create(0UL, 2, 1, 3);
        var d0 = c0 + Vector256.Create(4UL);
        Vector256<ulong> c1 = Vector256.Create((ulong)step), c2 = Vector256.Create((ulong)draw), c3 = Vector256.Create((ulong)stream),
            d1 = c1, d2 = c2, d3 = c3;
        var m0 = Vector256.Create(Philox.M0);
        var m1 = Vector256.Create(Philox.M1);
        for (ulong* key = keys; key < keys + Keys; key += 2)
        {
            Vector256<ulong> k0 = Vector256.Create(key[0]), k1 = Vector256.Create(key[1]);
            Vector256<ulong> p0 = Avx2.Multiply(c0.AsUInt32(), m0), p1 = Avx2.Multiply(c2.AsUInt32(), m1);
            Vector256<ulong> q0 = Avx2.Multiply(d0.AsUInt32(), m0), q1 = Avx2.Multiply(d2.AsUInt32(), m1);
            c0 = Vector256.ShiftRightLogical(p1, 32) ^ c1 ^ k0;
            c2 = Vector256.ShiftRightLogical(p0, 32) ^ c3 ^ k1;
            d0 = Vector256.ShiftRightLogical(q1, 32) ^ d1 ^ k0;
            d2 = Vector256.ShiftRightLogical(q0, 32) ^ d3 ^ k1;
            (c1, c3, d1, d3) = (p1, p0, q1, q0);
        }
        Store256(c0, c1, c2, c3, words);
        Store256(d0, d1, d2, d3, words + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store256(Vector256<ulong> c0, Vector256<ulong> c1, Vector256<ulong> c2, Vector256<ulong> c3, uint* words)
    {
        var low = Vector256.Create(0xffffffffUL);
        var xy = (c0 & low) | Vector256.ShiftLeft(c1, 32);
        var zw = (c2 & low) | Vector256.ShiftLeft(c3, 32);
        Avx2.UnpackLow(xy, zw).AsUInt32().Store(words);
        Avx2.UnpackHigh(xy, zw).AsUInt32().Store(words + 8);
    }
}
