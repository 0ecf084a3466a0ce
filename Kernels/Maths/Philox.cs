namespace VaeFromScratch.Kernels.Maths;

/// <summary>Philox4x32-10 (Salmon et al., 2011): random words as a pure function of a counter and a key.</summary>
/// <remarks>
/// The static part is the function itself; an instance reads one stream word by word on the host, for shuffling and for choosing examples.
/// Word i of an instance is the word that element i of the <see cref="RandomDraw"/> with the same seed, step, stream and draw is made from.
/// </remarks>
internal struct Philox(ulong seed, uint step, uint stream, uint draw = 0)
{
    internal const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;
    internal const int Rounds = 10;

    private (uint, uint, uint, uint) words;
    private uint next;

    /// <summary>The four words of a counter and a key.</summary>
    public static (uint, uint, uint, uint) Words(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += W0;
            k1 += W1;
        }
        return (c0, c1, c2, c3);
    }

    public uint NextWord()
    {
        uint which = next & 3;
        if (which == 0)
            words = Words(next >> 2, step, draw, stream, (uint)seed, (uint)(seed >> 32));
        next++;
        return which switch { 0 => words.Item1, 1 => words.Item2, 2 => words.Item3, _ => words.Item4 };
    }

    /// <summary>Uniform in [0, <paramref name="bound"/>), without bias (Lemire's method).</summary>
    public int NextBelow(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        uint n = (uint)bound, reject = (0u - n) % n;
        ulong product;
        do
            product = (ulong)NextWord() * n;
        while ((uint)product < reject);
        return (int)(product >> 32);
    }

    /// <summary>Uniform strictly inside (0, 1), as <see cref="Distribution.Uniform"/>.</summary>
    public float NextUniform() => MathF.FusedMultiplyAdd(NextWord() >> 9, 1.1920928955078125e-7f, 5.9604644775390625e-8f);

    /// <summary>A uniformly random order of the items, in place.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = NextBelow(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
