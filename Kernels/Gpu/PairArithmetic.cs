using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Arithmetic on pairs, for what is computed once from long sums. Results are normalised: High is the rounded value; beside an infinity or
/// NaN Low is 0.
/// </summary>
internal partial struct Pair : IWide<Pair>
{

    public static Pair Of(float value) => new(value, 0f);

    /// <summary>A double of the host's, to 48 bits.</summary>
    public static Pair OfHost(double value) => new((float)value, (float)(value - (float)value));

    public static Pair operator +(Pair a, Pair b)
    {
        Lane high = a.High, low = 0f;
        TwoSum.Add(ref high, ref low, b.High);
        return Normalised(high, low + (a.Low + b.Low));
    }

    public static Pair operator -(Pair a, Pair b) => a + new Pair(-b.High, -b.Low);

    public static Pair operator *(Pair a, Pair b)
    {
        Lane high = a.High * b.High;
        return Normalised(high, Lane.Fma(a.High, b.High, -high) + (a.High * b.Low + a.Low * b.High));
    }

    public static Pair operator /(Pair a, Pair b)
    {
        Lane high = a.High / b.High, rest = Lane.Fma(-high, b.High, a.High) + (a.Low - high * b.Low);
        return Normalised(high, rest / b.High);
    }

    /// <summary>
    /// Natural logarithm to some 1e-10, and relative to the result where a is near 1: with a = 2^e m, log m = 2 artanh((m - 1) / (m + 1)),
    /// the series' first term as a pair.
    /// </summary>
    public static Pair Log(Pair a)
    {
        Lane high = Lane.SplitExponent(a.High, out Lane e);
        Pair m = Normalised(high, Lane.ScaleByPowerOfTwo(a.Low, -e)), s = (m - Of(1f)) / (m + Of(1f));
        Lane z = s.High * s.High, tail = Lane.Fma(2f / 11, z, 2f / 9);
        tail = Lane.Fma(tail, z, 2f / 7);
        tail = Lane.Fma(tail, z, 2f / 5);
        tail = Lane.Fma(tail, z, 2f / 3);
        // log 2 in two pieces, the first of so few bits that its product with e is exact.
        Pair log = Of(e * 0.693359375f) + (s + s) + Of(e * -2.12194440e-4f) + Of(tail * z * s.High);
        bool regular = Intrinsic.Less(0f, a.High) && Intrinsic.Less(a.High, float.PositiveInfinity);
        return regular ? log : Of(RealMath.Log(a.High));
    }

    public static Pair AtLeast(Pair x, Pair bound) => Intrinsic.Less((x - bound).High, 0f) ? bound : x;
    public static Pair AtMost(Pair x, Pair bound) => Intrinsic.Less((bound - x).High, 0f) ? bound : x;

    private static Pair Normalised(Lane high, Lane low)
    {
        Lane sum = new Pair(high, low).Total;
        return new(sum, IsFinite(low) ? low - (sum - high) : 0f);
    }
}

/// <summary>Four sums of one thread.</summary>
internal struct FourPairs : IFold<FourPairs>
{
    public Pair A, B, C, D;

    public void Add(Lane a, Lane b, Lane c, Lane d)
    {
        A.Add(a);
        B.Add(b);
        C.Add(c);
        D.Add(d);
    }

    public void Add(FourPairs other)
    {
        A.Add(other.A);
        B.Add(other.B);
        C.Add(other.C);
        D.Add(other.D);
    }

    public static FourPairs Of(FourPairs a, FourPairs b)
    {
        a.Add(b);
        return a;
    }

    /// <summary>Adds those of <see cref="Threads.Tall"/> threads along y; the sums are right where y = 0.</summary>
    public void SumOverY() => this = Threads.FoldOverY<FourPairs, FourPairs>(this);
}
