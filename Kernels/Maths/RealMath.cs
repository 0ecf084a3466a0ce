using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Maths;

/// <summary>
/// Elementary functions from fused multiply-add, addition, multiplication and division only, in a fixed order: the same bits at every
/// vector width and on CUDA.
/// </summary>
/// <remarks>NaN propagates; infinities and zeros give the limits of the mathematical function. The polynomials are Cephes'.</remarks>
internal static class RealMath
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>e^x within 1 ulp, subnormal results included; 0 below -104, infinity above 88.73.</summary>
    [MethodImpl(Inline)]
    public static V Exp<V>(V x) where V : struct, IReal<V>
    {
        x = V.AtMost(V.AtLeast(x, V.Broadcast(-104f)), V.Broadcast(89f));
        V n = V.Round(x * V.Broadcast(1.44269504f));
        V r = V.Fma(n, V.Broadcast(-0.693359375f), x);
        r = V.Fma(n, V.Broadcast(2.12194440e-4f), r);
        V p = V.Broadcast(1.9875691500e-4f);
        p = V.Fma(p, r, V.Broadcast(1.3981999507e-3f));
        p = V.Fma(p, r, V.Broadcast(8.3334519073e-3f));
        p = V.Fma(p, r, V.Broadcast(4.1665795894e-2f));
        p = V.Fma(p, r, V.Broadcast(1.6666665459e-1f));
        p = V.Fma(p, r, V.Broadcast(5.0000001201e-1f));
        p = V.Fma(p, r * r, r) + V.Broadcast(1f);
        return V.ScaleByPowerOfTwo(p, n);
    }

    /// <summary>
    /// 2^x within 1 ulp in [-126, 127]; 2^-126 below, and anything above. For sums of 1 or more, which take no notice of 2^-126; the
    /// polynomial is the one of degree 6 with the smallest relative error, 3e-9, of those with p(0) = 1.
    /// </summary>
    [MethodImpl(Inline)]
    public static V Exp2OfNormal<V>(V x) where V : struct, IReal<V>
    {
        x = V.AtLeast(x, V.Broadcast(-126f));
        V n = V.Round(x), r = x - n;
        V p = V.Broadcast(1.53264613e-4f);
        p = V.Fma(p, r, V.Broadcast(1.33908063e-3f));
        p = V.Fma(p, r, V.Broadcast(9.61850584e-3f));
        p = V.Fma(p, r, V.Broadcast(5.55035993e-2f));
        p = V.Fma(p, r, V.Broadcast(0.240226477f));
        p = V.Fma(p, r, V.Broadcast(0.693147182f));
        return V.ScaleNormalByPowerOfTwo(V.Fma(p, r, V.Broadcast(1f)), n);
    }

    /// <summary>Natural logarithm within 1 ulp; -infinity at 0, NaN below.</summary>
    [MethodImpl(Inline)]
    public static V Log<V>(V x) where V : struct, IReal<V>
    {
        V y = LogOfPositive(x);
        y = V.SelectLess(x, V.Broadcast(float.PositiveInfinity), y, x);
        y = V.SelectLess(x, V.Broadcast(float.Epsilon), V.Broadcast(float.NegativeInfinity), y);
        return V.SelectLess(x, V.Broadcast(0f), V.Broadcast(float.NaN), y);
    }

    /// <summary>Natural logarithm of a finite x > 0.</summary>
    [MethodImpl(Inline)]
    public static V LogOfPositive<V>(V x) where V : struct, IReal<V>
    {
        V m = V.SplitExponent(x, out V e) - V.Broadcast(1f);
        V z = m * m;
        V p = V.Broadcast(7.0376836292e-2f);
        p = V.Fma(p, m, V.Broadcast(-1.1514610310e-1f));
        p = V.Fma(p, m, V.Broadcast(1.1676998740e-1f));
        p = V.Fma(p, m, V.Broadcast(-1.2420140846e-1f));
        p = V.Fma(p, m, V.Broadcast(1.4249322787e-1f));
        p = V.Fma(p, m, V.Broadcast(-1.6668057665e-1f));
        p = V.Fma(p, m, V.Broadcast(2.0000714765e-1f));
        p = V.Fma(p, m, V.Broadcast(-2.4999993993e-1f));
        p = V.Fma(p, m, V.Broadcast(3.3333331174e-1f));
        V y = p * m * z;
        y = V.Fma(e, V.Broadcast(-2.12194440e-4f), y);
        y = V.Fma(z, V.Broadcast(-0.5f), y);
        return V.Fma(e, V.Broadcast(0.693359375f), m + y);
    }

    /// <summary>log(1 + x) within 1.5 ulp; -infinity at -1, NaN below.</summary>
    [MethodImpl(Inline)]
    public static V Log1p<V>(V x) where V : struct, IReal<V>
    {
        V u = V.Broadcast(1f) + x;
        V d = u - V.Broadcast(1f);
        V log = Log(u);
        V corrected = log + (x - d) / u;
        corrected = V.SelectLess(V.Broadcast(0f), u, corrected, log);
        corrected = V.SelectLess(u, V.Broadcast(float.PositiveInfinity), corrected, log);
        return V.SelectLess(V.Broadcast(0f), V.Abs(d), corrected, x);
    }

    /// <summary>Hyperbolic tangent within 1.5 ulp.</summary>
    [MethodImpl(Inline)]
    public static V Tanh<V>(V x) where V : struct, IReal<V>
    {
        V one = V.Broadcast(1f), a = V.Abs(x), z = x * x;
        V p = V.Broadcast(-5.70498872745e-3f);
        p = V.Fma(p, z, V.Broadcast(2.06390887954e-2f));
        p = V.Fma(p, z, V.Broadcast(-5.37397155531e-2f));
        p = V.Fma(p, z, V.Broadcast(1.33314422036e-1f));
        p = V.Fma(p, z, V.Broadcast(-3.33332819422e-1f));
        V small = V.Fma(p * z, x, x);
        V e = Exp(V.Broadcast(2f) * V.AtMost(a, V.Broadcast(10f)));
        V large = one - V.Broadcast(2f) / (e + one);
        large = V.SelectLess(x, V.Broadcast(0f), -large, large);
        return V.SelectLess(a, V.Broadcast(0.625f), small, large);
    }

    /// <summary>log(1 + e^x) within 2 ulp, without overflow.</summary>
    [MethodImpl(Inline)]
    public static V Softplus<V>(V x) where V : struct, IReal<V>
    {
        // log1p of e in [0, 1]: no special case of Log1p can occur except 1 + e = 1.
        V e = Exp(-V.Abs(x));
        V u = V.Broadcast(1f) + e;
        V d = u - V.Broadcast(1f);
        V log1p = V.SelectLess(V.Broadcast(0f), d, LogOfPositive(u) + (e - d) / u, e);
        return V.AtLeast(x, V.Broadcast(0f)) + log1p;
    }

    /// <summary>1 / (1 + e^-x) within 2.6 ulp, without overflow.</summary>
    [MethodImpl(Inline)]
    public static V Sigmoid<V>(V x) where V : struct, IReal<V>
    {
        V e = Exp(-V.Abs(x));
        V r = V.Broadcast(1f) / (V.Broadcast(1f) + e);
        return V.SelectLess(x, V.Broadcast(0f), e * r, r);
    }

    /// <summary>sin(2 pi u) and cos(2 pi u) for u in [0, 1], within 1e-7.</summary>
    [MethodImpl(Inline)]
    public static V SinCosTwoPi<V>(V u, out V cosine) where V : struct, IReal<V>
    {
        V q = V.Round(u * V.Broadcast(4f));
        V t = V.Fma(q, V.Broadcast(-0.25f), u) * V.Broadcast(6.28318531f);
        V z = t * t;
        V a = V.Broadcast(-1.9515295891e-4f);
        a = V.Fma(a, z, V.Broadcast(8.3321608736e-3f));
        a = V.Fma(a, z, V.Broadcast(-1.6666654611e-1f));
        a = V.Fma(a * z, t, t);
        V b = V.Broadcast(2.443315711809948e-5f);
        b = V.Fma(b, z, V.Broadcast(-1.388731625493765e-3f));
        b = V.Fma(b, z, V.Broadcast(4.166664568298827e-2f));
        b = V.Fma(b * z, z, V.Fma(z, V.Broadcast(-0.5f), V.Broadcast(1f)));
        // Quadrants 0 .. 4 (4 is 0 again): 1 and 3 swap sine and cosine; |q - 2| tells them apart without integer arithmetic.
        V fromTwo = V.Abs(q - V.Broadcast(2f));
        V oddness = V.Abs(fromTwo - V.Broadcast(1f));
        V half = V.Broadcast(0.5f);
        V s = V.SelectLess(oddness, half, b, a);
        V c = V.SelectLess(oddness, half, a, b);
        cosine = V.SelectLess(fromTwo, V.Broadcast(1.5f), V.SelectLess(q, V.Broadcast(2.5f), -c, c), c);
        V upper = V.SelectLess(q, V.Broadcast(3.5f), -s, s);
        return V.SelectLess(q, V.Broadcast(1.5f), s, upper);
    }
}
