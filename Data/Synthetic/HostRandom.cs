using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Data.Synthetic;

/// <summary>
/// A quick sequential generator for making data on the host (SplitMix64); where it starts is a pure function of seed, stream and item, so
/// items can be made in any order.
/// </summary>
internal struct HostRandom
{
    private ulong state;

    public HostRandom(ulong seed, uint stream, uint item = 0, uint part = 0)
    {
        var (a, b, _, _) = Philox.Words(item, part, 0, stream, (uint)seed, (uint)(seed >> 32));
        state = ((ulong)a << 32) | b;
    }

    public ulong NextBits()
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => (NextBits() >> 11) * (1.0 / (1L << 53));

    public double Uniform(double low, double high) => low + (high - low) * Uniform();

    /// <summary>0 to <paramref name="count"/> - 1.</summary>
    public int Below(int count) => (int)Math.BigMul(NextBits(), (ulong)count, out _);

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    /// <summary>Mean 0 and variance 1, the sum of four uniform draws: bell-shaped noise for the price of one draw.</summary>
    public float RoughNormal()
    {
        ulong bits = NextBits();
        long sum = (long)(bits & 0xFFFF) + (long)((bits >> 16) & 0xFFFF) + (long)((bits >> 32) & 0xFFFF) + (long)(bits >> 48);
        return (sum - 131070) * (1f / 37837.2f);
    }

    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
