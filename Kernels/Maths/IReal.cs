namespace VaeFromScratch.Kernels.Maths;

/// <summary>
/// What the formula of a function needs of a number: one float on a GPU, sixteen lanes in registers on the CPU. A formula is written once
/// over it.
/// Every operation is correctly rounded, so that all devices and all vector widths give the same bits.
/// </summary>
public interface IReal<V> where V : struct, IReal<V>
{
    static abstract V Broadcast(float value);
    static abstract V operator +(V a, V b);
    static abstract V operator -(V a, V b);
    static abstract V operator *(V a, V b);
    static abstract V operator /(V a, V b);
    static abstract V operator -(V a);
    /// <summary>a * b + c, rounded once.</summary>
    static abstract V Fma(V a, V b, V c);
    /// <summary>The smaller of two; NaN where either is.</summary>
    static abstract V Min(V a, V b);
    /// <summary>The larger of two; NaN where either is.</summary>
    static abstract V Max(V a, V b);
    /// <summary>x, but not below <paramref name="bound"/>; NaN stays. The bound may not be NaN: cheaper than <see cref="Max"/>.</summary>
    static abstract V AtLeast(V x, V bound);
    /// <summary>x, but not above <paramref name="bound"/>; NaN stays. The bound may not be NaN: cheaper than <see cref="Min"/>.</summary>
    static abstract V AtMost(V x, V bound);
    static abstract V Abs(V a);
    static abstract V Sqrt(V a);
    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract V Round(V a);
    /// <summary><paramref name="yes"/> where a &lt; b, <paramref name="no"/> elsewhere (and where either is NaN).</summary>
    static abstract V SelectLess(V a, V b, V yes, V no);
    /// <summary>p * 2^n for an integral n in [-252, 254], rounded once, subnormal and infinite results included.</summary>
    static abstract V ScaleByPowerOfTwo(V p, V n);
    /// <summary>p * 2^n where that is a normal number, as p is; NaN where p is, and anything elsewhere.</summary>
    static virtual V ScaleNormalByPowerOfTwo(V p, V n) => V.ScaleByPowerOfTwo(p, n);
    /// <summary>
    /// Splits x > 0 (subnormals included) into m in [sqrt(1/2), sqrt(2)) and e with x = m * 2^e; other inputs give anything.
    /// </summary>
    static abstract V SplitExponent(V x, out V exponent);
    /// <summary>Reads the bits as an unsigned word w and returns w / 2^9, rounded down: an integer below 2^23.</summary>
    static abstract V TopBits(V words);
}
