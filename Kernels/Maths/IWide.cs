namespace VaeFromScratch.Kernels.Maths;

/// <summary>
/// What the formula of a final result needs of a number that keeps more digits than a float, so that differences of nearly equal values
/// stay right: a double on the CPU, a pair of floats on a GPU.
/// </summary>
internal interface IWide<W> where W : struct, IWide<W>
{
    static abstract W Of(float value);
    static abstract W operator +(W a, W b);
    static abstract W operator -(W a, W b);
    static abstract W operator *(W a, W b);
    static abstract W operator /(W a, W b);
    /// <summary>Natural logarithm; -infinity at 0, NaN below.</summary>
    static abstract W Log(W a);
    /// <summary>x, but not below <paramref name="bound"/>; NaN stays.</summary>
    static abstract W AtLeast(W x, W bound);
    /// <summary>x, but not above <paramref name="bound"/>; NaN stays.</summary>
    static abstract W AtMost(W x, W bound);
}
