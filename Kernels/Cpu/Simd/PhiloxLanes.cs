using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>The words of eight consecutive counters at once.</summary>
/// <remarks>
/// A counter word sits in the low half of a 64-bit lane: the widening multiply wants it there, and what the high half holds never matters. Counters are spread over
/// lanes in the order in which unpacking puts them back in sequence.
/// </remarks>
internal readonly unsafe struct PhiloxLanes(Slice<uint> state, uint draw)
{
    /// <summary>Words that <see cref="Eight"/> writes.</summary>
    public const int Words = 32;

    private readonly uint k0 = state.Pointer[0];
    private readonly uint k1 = state.Pointer[1];
    private readonly uint step = state.Pointer[2];
    private readonly uint stream = state.Pointer[3];

    /// <summary>Writes 4 words of each of counters <paramref name="first"/> .. <paramref name="first"/> + 7, in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Eight(uint first, uint* words)
    {
        if (Vector512.IsHardwareAccelerated)
            Eight512(first, words);
        else if (Vector256.IsHardwareAccelerated && Avx2.IsSupported)
        {
            Four256(first, words);
            Four256(first + 4, words + 16);
        }
        else
            for (uint i = 0; i < 8; i++)
                (words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]) = Philox.Words(first + i, step, draw, stream, k0, k1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Eight512(uint first, uint* words)
    {
        var c0 = Vector512.Create((ulong)first) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7);
        var c1 = Vector512.Create((ulong)step);
        var c2 = Vector512.Create((ulong)draw);
        var c3 = Vector512.Create((ulong)stream);
        var m0 = Vector512.Create(Philox.M0);
        var m1 = Vector512.Create(Philox.M1);
        uint key0 = k0, key1 = k1;
        for (int round = 0; round < Philox.Rounds; round++)
        {
            var p0 = Avx512F.Multiply(c0.AsUInt32(), m0);
            var p1 = Avx512F.Multiply(c2.AsUInt32(), m1);
            c0 = Vector512.ShiftRightLogical(p1, 32) ^ c1 ^ Vector512.Create((ulong)key0);
            c2 = Vector512.ShiftRightLogical(p0, 32) ^ c3 ^ Vector512.Create((ulong)key1);
            c1 = p1;
            c3 = p0;
            key0 += Philox.W0;
            key1 += Philox.W1;
        }
        var low = Vector512.Create(0xffffffffUL);
        var xy = (c0 & low) | Vector512.ShiftLeft(c1, 32);
        var zw = (c2 & low) | Vector512.ShiftLeft(c3, 32);
        Avx512F.UnpackLow(xy, zw).AsUInt32().Store(words);
        Avx512F.UnpackHigh(xy, zw).AsUInt32().Store(words + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Four256(uint first, uint* words)
    {
        var c0 = Vector256.Create((ulong)first) + Vector256.Create(0UL, 2, 1, 3);
        var c1 = Vector256.Create((ulong)step);
        var c2 = Vector256.Create((ulong)draw);
        var c3 = Vector256.Create((ulong)stream);
        var m0 = Vector256.Create(Philox.M0);
        var m1 = Vector256.Create(Philox.M1);
        uint key0 = k0, key1 = k1;
        for (int round = 0; round < Philox.Rounds; round++)
        {
            var p0 = Avx2.Multiply(c0.AsUInt32(), m0);
            var p1 = Avx2.Multiply(c2.AsUInt32(), m1);
            c0 = Vector256.ShiftRightLogical(p1, 32) ^ c1 ^ Vector256.Create((ulong)key0);
            c2 = Vector256.ShiftRightLogical(p0, 32) ^ c3 ^ Vector256.Create((ulong)key1);
            c1 = p1;
            c3 = p0;
            key0 += Philox.W0;
            key1 += Philox.W1;
        }
        var low = Vector256.Create(0xffffffffUL);
        var xy = (c0 & low) | Vector256.ShiftLeft(c1, 32);
        var zw = (c2 & low) | Vector256.ShiftLeft(c3, 32);
        Avx2.UnpackLow(xy, zw).AsUInt32().Store(words);
        Avx2.UnpackHigh(xy, zw).AsUInt32().Store(words + 8);
    }
}
