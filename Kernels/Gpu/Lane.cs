using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>One float of one GPU thread: the formulas of Maths and Functions compile for GPUs over this.</summary>
internal readonly struct Lane : IReal<Lane>
{
    private const uint SqrtHalfBits = 0x3f3504f3, MantissaBits = 0x007fffff;
    private const float SmallestNormal = 1.17549435e-38f, TwoTo23 = 8388608f;

    public readonly float X;

    public Lane(float x) => X = x;

    public static implicit operator Lane(float x) => new(x);
    public static implicit operator float(Lane lane) => lane.X;
    public static Lane Broadcast(float value) => new(value);
    public static Lane operator +(Lane a, Lane b) => new(Intrinsic.Add(a.X, b.X));
    public static Lane operator -(Lane a, Lane b) => new(Intrinsic.Sub(a.X, b.X));
    public static Lane operator *(Lane a, Lane b) => new(Intrinsic.Mul(a.X, b.X));
    public static Lane operator /(Lane a, Lane b) => new(Intrinsic.Div(a.X, b.X));
    public static Lane operator -(Lane a) => new(-a.X);
    public static Lane Fma(Lane a, Lane b, Lane c) => new(Intrinsic.Fma(a.X, b.X, c.X));

    // Equal numbers differ at most in the sign of zero, which "or" makes negative and "and" positive.
    public static Lane Min(Lane a, Lane b) =>
        new(float.IsNaN(a.X) ? a.X : float.IsNaN(b.X) ? b.X : a.X == b.X
            ? Interop.IntAsFloat(Interop.FloatAsInt(a.X) | Interop.FloatAsInt(b.X)) : Intrinsic.Less(a.X, b.X) ? a.X : b.X);

    public static Lane Max(Lane a, Lane b) =>
        new(float.IsNaN(a.X) ? a.X : float.IsNaN(b.X) ? b.X : a.X == b.X
            ? Interop.IntAsFloat(Interop.FloatAsInt(a.X) & Interop.FloatAsInt(b.X)) : Intrinsic.Less(b.X, a.X) ? a.X : b.X);

    public static Lane AtLeast(Lane x, Lane bound) => new(Intrinsic.Less(x.X, bound.X) ? bound.X : x.X);
    public static Lane AtMost(Lane x, Lane bound) => new(Intrinsic.Less(bound.X, x.X) ? bound.X : x.X);
    public static Lane Abs(Lane a) => new(Interop.IntAsFloat(Interop.FloatAsInt(a.X) & 0x7fffffff));
    public static Lane Sqrt(Lane a) => new(Intrinsic.Sqrt(a.X));
    public static Lane Round(Lane a) => new(Intrinsic.Round(a.X));
    public static Lane SelectLess(Lane a, Lane b, Lane yes, Lane no) => Intrinsic.Less(a.X, b.X) ? yes : no;

    public static Lane ScaleByPowerOfTwo(Lane p, Lane n)
    {
        // Two factors reach subnormal and infinite results; the first product is exact, so the whole is rounded once. A NaN has no n: any
        // factor will do.
        int k = (int)AtMost(AtLeast(n, new(-252f)), new(254f)).X, half = k >> 1, rest = k - half;
        return p * new Lane(Interop.IntAsFloat((uint)(half + 127) << 23)) * new Lane(Interop.IntAsFloat((uint)(rest + 127) << 23));
    }

    public static Lane SplitExponent(Lane x, out Lane exponent)
    {
        bool subnormal = Intrinsic.Less(x.X, SmallestNormal);
        float scaled = subnormal ? Intrinsic.Mul(x.X, TwoTo23) : x.X, shift = subnormal ? 23f : 0f;
        uint bits = Interop.FloatAsInt(scaled) - SqrtHalfBits;
        exponent = new Lane((int)bits >> 23) - new Lane(shift);
        return new(Interop.IntAsFloat((bits & MantissaBits) + SqrtHalfBits));
    }

    // By way of int: from uint ILGPU goes through double precision.
    public static Lane TopBits(Lane words) => new((int)(Interop.FloatAsInt(words.X) >> 9));

    /// <summary>A word of random bits, to be read by <see cref="TopBits"/>.</summary>
    public static Lane FromBits(uint word) => new(Interop.IntAsFloat(word));
}
