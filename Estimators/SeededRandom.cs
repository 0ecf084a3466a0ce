using MathNet.Numerics.Random;

namespace VaeFromScratch.Estimators;

/// <summary>Host-side random numbers: a generator for each seed and purpose, the same on every machine.</summary>
internal static class SeededRandom
{
    /// <param name="stream">Which purpose, so that two uses of one seed do not share numbers.</param>
    public static Random Create(ulong seed, ulong stream) => new Xoshiro256StarStar((int)(Mix(seed ^ Mix(stream + 1)) >> 33));

    /// <summary>The finaliser of SplitMix64: a bijection that spreads every input bit.</summary>
    public static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>The first <paramref name="count"/> of a random permutation of 0 .. n - 1.</summary>
    public static int[] Draw(this Random random, int n, int count)
    {
        var all = new int[n];
        for (int i = 0; i < n; i++)
            all[i] = i;
        for (int i = 0; i < count; i++)
        {
            int j = random.Next(i, n);
            (all[i], all[j]) = (all[j], all[i]);
        }
        return all[..count];
    }
}
