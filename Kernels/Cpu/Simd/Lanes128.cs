using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Sixteen lanes in four registers of 128 bits: the path of ARM and of old x86 processors.</summary>
internal readonly struct Lanes128(Vector128<float> p, Vector128<float> q, Vector128<float> r, Vector128<float> s) : IVector<Lanes128>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector128<float> p = p;
    private readonly Vector128<float> q = q;
    private readonly Vector128<float> r = r;
    private readonly Vector128<float> s = s;

    [MethodImpl(Inline)]
    public static Lanes128 Broadcast(float value)
    {
        var v = Vector128.Create(value);
        return new(v, v, v, v);
    }

    [MethodImpl(Inline)]
    public static unsafe Lanes128 Load(float* source) =>
        new(Vector128.Load(source), Vector128.Load(source + 4), Vector128.Load(source + 8), Vector128.Load(source + 12));

    [MethodImpl(Inline)]
    public static unsafe void Store(Lanes128 value, float* destination)
    {
        value.p.Store(destination);
        value.q.Store(destination + 4);
        value.r.Store(destination + 8);
        value.s.Store(destination + 12);
    }

    public static unsafe Lanes128 LoadPart(float* source, int count)
    {
        float* whole = stackalloc float[16];
        new Span<float>(whole, 16).Clear();
        new ReadOnlySpan<float>(source, count).CopyTo(new(whole, 16));
        return Load(whole);
    }

    public static unsafe void StorePart(Lanes128 value, float* destination, int count)
    {
        float* whole = stackalloc float[16];
        Store(value, whole);
        new ReadOnlySpan<float>(whole, count).CopyTo(new(destination, count));
    }

    [MethodImpl(Inline)]
    public static unsafe Lanes128 FromBytes(byte* source)
    {
        var (low, high) = Vector128.Widen(Vector128.Load(source));
        var (p, q) = Vector128.Widen(low.AsInt16());
        var (r, s) = Vector128.Widen(high.AsInt16());
        return new(Vector128.ConvertToSingle(p), Vector128.ConvertToSingle(q), Vector128.ConvertToSingle(r), Vector128.ConvertToSingle(s));
    }

    [MethodImpl(Inline)] public static Lanes128 operator +(Lanes128 a, Lanes128 b) => new(a.p + b.p, a.q + b.q, a.r + b.r, a.s + b.s);
    [MethodImpl(Inline)] public static Lanes128 operator -(Lanes128 a, Lanes128 b) => new(a.p - b.p, a.q - b.q, a.r - b.r, a.s - b.s);
    [MethodImpl(Inline)] public static Lanes128 operator *(Lanes128 a, Lanes128 b) => new(a.p * b.p, a.q * b.q, a.r * b.r, a.s * b.s);
    [MethodImpl(Inline)] public static Lanes128 operator /(Lanes128 a, Lanes128 b) => new(a.p / b.p, a.q / b.q, a.r / b.r, a.s / b.s);
    [MethodImpl(Inline)] public static Lanes128 operator -(Lanes128 a) => new(-a.p, -a.q, -a.r, -a.s);

    [MethodImpl(Inline)]
    public static Lanes128 Fma(Lanes128 a, Lanes128 b, Lanes128 c) =>
        new(Vector128.FusedMultiplyAdd(a.p, b.p, c.p), Vector128.FusedMultiplyAdd(a.q, b.q, c.q), Vector128.FusedMultiplyAdd(a.r, b.r, c.r),
            Vector128.FusedMultiplyAdd(a.s, b.s, c.s));

    [MethodImpl(Inline)]
    public static Lanes128 Min(Lanes128 a, Lanes128 b) =>
        new(Vector128.Min(a.p, b.p), Vector128.Min(a.q, b.q), Vector128.Min(a.r, b.r), Vector128.Min(a.s, b.s));

    [MethodImpl(Inline)]
    public static Lanes128 Max(Lanes128 a, Lanes128 b) =>
        new(Vector128.Max(a.p, b.p), Vector128.Max(a.q, b.q), Vector128.Max(a.r, b.r), Vector128.Max(a.s, b.s));

    [MethodImpl(Inline)]
    public static Lanes128 AtLeast(Lanes128 x, Lanes128 bound) =>
        new(Vector128.MaxNative(bound.p, x.p), Vector128.MaxNative(bound.q, x.q), Vector128.MaxNative(bound.r, x.r),
            Vector128.MaxNative(bound.s, x.s));

    [MethodImpl(Inline)]
    public static Lanes128 AtMost(Lanes128 x, Lanes128 bound) =>
        new(Vector128.MinNative(bound.p, x.p), Vector128.MinNative(bound.q, x.q), Vector128.MinNative(bound.r, x.r),
            Vector128.MinNative(bound.s, x.s));

    [MethodImpl(Inline)]
    public static Lanes128 Abs(Lanes128 a) =>
        new(Vector128.Abs(a.p), Vector128.Abs(a.q), Vector128.Abs(a.r), Vector128.Abs(a.s));
    [MethodImpl(Inline)]
    public static Lanes128 Sqrt(Lanes128 a) =>
        new(Vector128.Sqrt(a.p), Vector128.Sqrt(a.q), Vector128.Sqrt(a.r), Vector128.Sqrt(a.s));
    [MethodImpl(Inline)]
    public static Lanes128 Round(Lanes128 a) =>
        new(Vector128.Round(a.p), Vector128.Round(a.q), Vector128.Round(a.r), Vector128.Round(a.s));

    [MethodImpl(Inline)]
    public static Lanes128 SelectLess(Lanes128 a, Lanes128 b, Lanes128 yes, Lanes128 no) =>
        new(Select(a.p, b.p, yes.p, no.p), Select(a.q, b.q, yes.q, no.q), Select(a.r, b.r, yes.r, no.r), Select(a.s, b.s, yes.s, no.s));

    [MethodImpl(Inline)]
    public static Lanes128 ScaleByPowerOfTwo(Lanes128 x, Lanes128 n) =>
        new(Scale(x.p, n.p), Scale(x.q, n.q), Scale(x.r, n.r), Scale(x.s, n.s));

    [MethodImpl(Inline)]
    public static Lanes128 ScaleNormalByPowerOfTwo(Lanes128 x, Lanes128 n) =>
        new(ScaleNormal(x.p, n.p), ScaleNormal(x.q, n.q), ScaleNormal(x.r, n.r), ScaleNormal(x.s, n.s));

    [MethodImpl(Inline)]
    public static Lanes128 SplitExponent(Lanes128 x, out Lanes128 exponent)
    {
        var p = Split(x.p, out var ep);
        var q = Split(x.q, out var eq);
        var r = Split(x.r, out var er);
        var s = Split(x.s, out var es);
        exponent = new(ep, eq, er, es);
        return new(p, q, r, s);
    }

    [MethodImpl(Inline)] public static Lanes128 TopBits(Lanes128 words) => new(Top(words.p), Top(words.q), Top(words.r), Top(words.s));
    [MethodImpl(Inline)]
    public static Lanes128 Evens(Lanes128 a, Lanes128 b) =>
        new(Shuffle128.Evens(a.p, b.p), Shuffle128.Evens(a.q, b.q), Shuffle128.Evens(a.r, b.r), Shuffle128.Evens(a.s, b.s));
    [MethodImpl(Inline)]
    public static Lanes128 Odds(Lanes128 a, Lanes128 b) =>
        new(Shuffle128.Odds(a.p, b.p), Shuffle128.Odds(a.q, b.q), Shuffle128.Odds(a.r, b.r), Shuffle128.Odds(a.s, b.s));
    [MethodImpl(Inline)]
    public static Lanes128 InterleaveLow(Lanes128 a, Lanes128 b) =>
        new(Shuffle128.InterleaveLow(a.p, b.p), Shuffle128.InterleaveLow(a.q, b.q), Shuffle128.InterleaveLow(a.r, b.r),
            Shuffle128.InterleaveLow(a.s, b.s));
    [MethodImpl(Inline)]
    public static Lanes128 InterleaveHigh(Lanes128 a, Lanes128 b) =>
        new(Shuffle128.InterleaveHigh(a.p, b.p), Shuffle128.InterleaveHigh(a.q, b.q), Shuffle128.InterleaveHigh(a.r, b.r),
            Shuffle128.InterleaveHigh(a.s, b.s));

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes128 a)
    {
        var (p0, p1) = Vector128.Widen(a.p);
        var (q0, q1) = Vector128.Widen(a.q);
        var (r0, r1) = Vector128.Widen(a.r);
        var (s0, s1) = Vector128.Widen(a.s);
        return LaneConstants.SumLanes(((p0 + r0) + (q0 + s0)) + ((p1 + r1) + (q1 + s1)));
    }

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes128 a, Lanes128 b)
    {
        var (p0, p1) = Widen(a.p, b.p);
        var (q0, q1) = Widen(a.q, b.q);
        var (r0, r1) = Widen(a.r, b.r);
        var (s0, s1) = Widen(a.s, b.s);
        return LaneConstants.SumLanes(((p0 + r0) + (q0 + s0)) + ((p1 + r1) + (q1 + s1)));
    }

    [MethodImpl(Inline)]
    public static float MaxLanes(Lanes128 a) => LaneConstants.MaxLanes(Vector128.Max(Vector128.Max(a.p, a.r), Vector128.Max(a.q, a.s)));

    [MethodImpl(Inline)]
    private static (Vector128<double>, Vector128<double>) Widen(Vector128<float> a, Vector128<float> b)
    {
        var (a0, a1) = Vector128.Widen(a);
        var (b0, b1) = Vector128.Widen(b);
        return (a0 + b0, a1 + b1);
    }

    [MethodImpl(Inline)]
    private static Vector128<float> Select(Vector128<float> a, Vector128<float> b, Vector128<float> yes, Vector128<float> no) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), yes, no);

    [MethodImpl(Inline)]
    private static Vector128<float> Top(Vector128<float> words) =>
        Vector128.ConvertToSingle(Vector128.ShiftRightLogical(words.AsInt32(), 9));

    [MethodImpl(Inline)]
    private static Vector128<float> ScaleNormal(Vector128<float> x, Vector128<float> n) =>
        (x.AsInt32() + Vector128.ShiftLeft(Vector128.ConvertToInt32Native(n), 23)).AsSingle();

    [MethodImpl(Inline)]
    private static Vector128<float> Scale(Vector128<float> x, Vector128<float> n)
    {
        var k = Vector128.ConvertToInt32Native(n);
        var k1 = Vector128.ShiftRightArithmetic(k, 1);
        var bias = Vector128.Create(127);
        var first = Vector128.ShiftLeft(k1 + bias, 23).AsSingle();
        var second = Vector128.ShiftLeft(k - k1 + bias, 23).AsSingle();
        return x * first * second;
    }

    [MethodImpl(Inline)]
    private static Vector128<float> Split(Vector128<float> x, out Vector128<float> exponent)
    {
        var subnormal = Vector128.LessThan(x, Vector128.Create(LaneConstants.SmallestNormal));
        x = Vector128.ConditionalSelect(subnormal, x * Vector128.Create(LaneConstants.TwoTo23), x);
        var t = x.AsInt32() - Vector128.Create(LaneConstants.SqrtHalfBits);
        exponent = Vector128.ConvertToSingle(Vector128.ShiftRightArithmetic(t, 23)) - (subnormal & Vector128.Create(23f));
        return ((t & Vector128.Create(LaneConstants.MantissaBits)) + Vector128.Create(LaneConstants.SqrtHalfBits)).AsSingle();
    }
}
