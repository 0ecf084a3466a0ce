using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>Sixteen lanes in one AVX-512 register.</summary>
internal readonly struct Lanes512(Vector512<float> value) : IVector<Lanes512>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private readonly Vector512<float> v = value;

    [MethodImpl(Inline)] public static Lanes512 Broadcast(float value) => new(Vector512.Create(value));
    [MethodImpl(Inline)] public static unsafe Lanes512 Load(float* source) => new(Vector512.Load(source));
    [MethodImpl(Inline)] public static unsafe void Store(Lanes512 value, float* destination) => value.v.Store(destination);
    [MethodImpl(Inline)]
    public static unsafe Lanes512 LoadPart(float* source, int count) =>
        new(Avx512F.MaskLoad(source, First(count), Vector512<float>.Zero));
    [MethodImpl(Inline)]
    public static unsafe void StorePart(Lanes512 value, float* destination, int count) =>
        Avx512F.MaskStore(destination, First(count), value.v);
    [MethodImpl(Inline)]
    public static unsafe Lanes512 FromBytes(byte* source) =>
        new(Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(source))));
    [MethodImpl(Inline)] public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a.v + b.v);
    [MethodImpl(Inline)] public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a.v - b.v);
    [MethodImpl(Inline)] public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a.v * b.v);
    [MethodImpl(Inline)] public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a.v / b.v);
    [MethodImpl(Inline)] public static Lanes512 operator -(Lanes512 a) => new(-a.v);
    [MethodImpl(Inline)] public static Lanes512 Fma(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a.v, b.v, c.v));
    [MethodImpl(Inline)] public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Vector512.Min(a.v, b.v));
    [MethodImpl(Inline)] public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Vector512.Max(a.v, b.v));
    [MethodImpl(Inline)] public static Lanes512 AtLeast(Lanes512 x, Lanes512 bound) => new(Vector512.MaxNative(bound.v, x.v));
    [MethodImpl(Inline)] public static Lanes512 AtMost(Lanes512 x, Lanes512 bound) => new(Vector512.MinNative(bound.v, x.v));
    [MethodImpl(Inline)] public static Lanes512 Abs(Lanes512 a) => new(Vector512.Abs(a.v));
    [MethodImpl(Inline)] public static Lanes512 Sqrt(Lanes512 a) => new(Vector512.Sqrt(a.v));
    [MethodImpl(Inline)] public static Lanes512 Round(Lanes512 a) => new(Vector512.Round(a.v));

    [MethodImpl(Inline)]
    public static Lanes512 SelectLess(Lanes512 a, Lanes512 b, Lanes512 yes, Lanes512 no) =>
        new(Vector512.ConditionalSelect(Vector512.LessThan(a.v, b.v), yes.v, no.v));

    [MethodImpl(Inline)] public static Lanes512 ScaleByPowerOfTwo(Lanes512 p, Lanes512 n) => new(Avx512F.Scale(p.v, n.v));

    [MethodImpl(Inline)]
    public static Lanes512 SplitExponent(Lanes512 x, out Lanes512 exponent)
    {
        // Mantissas in [1, 2) above sqrt(2) are halved. The second comparison differs from the first so that each select keeps its own mask
        // register.
        var one = Vector512.Create(1f);
        var m = Avx512F.GetMantissa(x.v, 0);
        var e = Avx512F.GetExponent(x.v);
        m = Vector512.ConditionalSelect(Vector512.LessThan(m, Vector512.Create(LaneConstants.SqrtTwo)), m, m * Vector512.Create(0.5f));
        exponent = new(Vector512.ConditionalSelect(Vector512.LessThan(m, one), e + one, e));
        return new(m);
    }

    [MethodImpl(Inline)]
    public static Lanes512 TopBits(Lanes512 words) =>
        new(Vector512.ConvertToSingle(Vector512.ShiftRightLogical(words.v.AsInt32(), 9)));
    [MethodImpl(Inline)] public static Lanes512 Evens(Lanes512 a, Lanes512 b) => new(Avx512F.Shuffle(a.v, b.v, 0x88));
    [MethodImpl(Inline)] public static Lanes512 Odds(Lanes512 a, Lanes512 b) => new(Avx512F.Shuffle(a.v, b.v, 0xdd));
    [MethodImpl(Inline)] public static Lanes512 InterleaveLow(Lanes512 a, Lanes512 b) => new(Avx512F.UnpackLow(a.v, b.v));
    [MethodImpl(Inline)] public static Lanes512 InterleaveHigh(Lanes512 a, Lanes512 b) => new(Avx512F.UnpackHigh(a.v, b.v));

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes512 a)
    {
        var (low, high) = Vector512.Widen(a.v);
        return LaneConstants.SumLanes(low + high);
    }

    [MethodImpl(Inline)]
    public static double SumLanes(Lanes512 a, Lanes512 b)
    {
        var (aLow, aHigh) = Vector512.Widen(a.v);
        var (bLow, bHigh) = Vector512.Widen(b.v);
        return LaneConstants.SumLanes((aLow + bLow) + (aHigh + bHigh));
    }

    [MethodImpl(Inline)] public static float MaxLanes(Lanes512 a) => LaneConstants.MaxLanes(Vector256.Max(a.v.GetLower(), a.v.GetUpper()));

    [MethodImpl(Inline)]
    private static Vector512<float> First(int count) => Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}
