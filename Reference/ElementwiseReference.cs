using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Reference;

/// <summary>A unary kernel's function and derivative in double precision, and the range it is tried on.</summary>
/// <param name="F">f(x, p)</param>
/// <param name="Slope">df/dx(x, p)</param>
/// <param name="Kinks">Points where the derivative jumps or is infinite.</param>
public sealed record UnaryReference(string Name, Func<double, double, double> F, Func<double, double, double> Slope, double Low,
    double High, float P,
    double[] Kinks, Func<IUnaryCalls> Calls);

/// <summary>A binary kernel's function and partial derivatives in double precision.</summary>
public sealed record BinaryReference(string Name, Func<double, double, double> F, Func<double, double, double> SlopeA,
    Func<double, double, double> SlopeB,
    double LowB, double HighB, Func<IBinaryCalls> Calls);

/// <summary>Calls one unary kernel on a backend: the generic argument, made a value.</summary>
public interface IUnaryCalls
{
    void Forward(IBackend backend, Slice<float> x, Slice<float> y, float p);
    void Gradient(IBackend backend, Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float p);
}

/// <summary>Calls one binary kernel on a backend.</summary>
public interface IBinaryCalls
{
    void Forward(IBackend backend, Slice<float> a, Slice<float> b, Slice<float> y);
    void Gradient(IBackend backend, bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d,
        bool accumulate);
}

/// <summary>The reference of each elementwise kernel.</summary>
public static class ElementwiseReference
{
    public static IReadOnlyList<UnaryReference> Unary { get; } =
    [
        Of<Negate>((x, _) => -x, (_, _) => -1, -3, 3),
        Of<Exp>((x, _) => Math.Exp(x), (x, _) => Math.Exp(x), -3, 3),
        Of<Log>((x, _) => Math.Log(x), (x, _) => 1 / x, 0.01, 9),
        Of<Log1p>((x, _) => Log1p(x), (x, _) => 1 / (1 + x), -0.9, 9),
        Of<Tanh>((x, _) => Math.Tanh(x), (x, _) => 1 - Math.Tanh(x) * Math.Tanh(x), -4, 4),
        Of<Sigmoid>((x, _) => Sigmoid(x), (x, _) => Sigmoid(x) * Sigmoid(-x), -6, 6),
        Of<Softplus>((x, _) => Softplus(x), (x, _) => Sigmoid(x), -6, 6),
        Of<Relu>((x, _) => Math.Max(x, 0), (x, _) => x > 0 ? 1 : 0, -2, 2, kinks: [0]),
        Of<LeakyRelu>((x, p) => x > 0 ? x : p * x, (x, p) => x > 0 ? 1 : p, -2, 2, p: 0.2f, kinks: [0]),
        Of<Silu>((x, _) => TimesSigmoid(x, x), (x, _) => Sigmoid(x) + x * Sigmoid(x) * Sigmoid(-x), -6, 6),
        Of<GeluTanh>((x, _) => TimesSigmoid(x, GeluArgument(x)),
            (x, _) => Sigmoid(GeluArgument(x)) + x * Sigmoid(GeluArgument(x)) * Sigmoid(-GeluArgument(x)) * GeluSlope(x), -4, 4),
        Of<Square>((x, _) => x * x, (x, _) => 2 * x, -3, 3),
        Of<Sqrt>((x, _) => Math.Sqrt(x), (x, _) => 0.5 / Math.Sqrt(x), 0.01, 9),
        Of<Reciprocal>((x, _) => 1 / x, (x, _) => -1 / (x * x), 0.1, 9),
        Of<Abs>((x, _) => Math.Abs(x), (x, _) => x > 0 ? 1 : x < 0 ? -1 : 0, -2, 2, kinks: [0]),
        Of<Scale>((x, p) => p * x, (_, p) => p, -2, 2, p: -1.75f),
        Of<AddScalar>((x, p) => x + p, (_, _) => 1, -2, 2, p: 0.625f),
        Of<ClampMin>((x, p) => Math.Max(x, p), (x, p) => x > p ? 1 : 0, -2, 2, p: -0.5f, kinks: [-0.5]),
        Of<ClampMax>((x, p) => Math.Min(x, p), (x, p) => x > p ? 0 : 1, -2, 2, p: 0.5f, kinks: [0.5]),
        Of<DropoutMask>((x, p) => x < p ? 0 : 1 / (1 - p), (_, _) => 0, 0, 1, p: 0.3f, kinks: [0.3]),
    ];

    public static IReadOnlyList<BinaryReference> Binary { get; } =
    [
        Of2<Add>((a, b) => a + b, (_, _) => 1, (_, _) => 1, -2, 2),
        Of2<Subtract>((a, b) => a - b, (_, _) => 1, (_, _) => -1, -2, 2),
        Of2<Multiply>((a, b) => a * b, (_, b) => b, (a, _) => a, -2, 2),
        Of2<Divide>((a, b) => a / b, (_, b) => 1 / b, (a, b) => -a / (b * b), 0.5, 3),
        Of2<Maximum>(Math.Max, (a, b) => a > b ? 1 : 0, (a, b) => a > b ? 0 : 1, -2, 2),
        Of2<Minimum>(Math.Min, (a, b) => a < b ? 1 : 0, (a, b) => a < b ? 0 : 1, -2, 2),
        Of2<LessThan>((a, b) => a < b ? 1 : 0, (_, _) => 0, (_, _) => 0, -2, 2),
    ];

    /// <summary>log(1 + x) without the rounding of 1 + x.</summary>
    public static double Log1p(double x)
    {
        double u = 1 + x;
        return u == 1 ? x : double.IsFinite(u) && u > 0 ? Math.Log(u) * (x / (u - 1)) : Math.Log(u);
    }

    public static double Softplus(double x) => double.IsNaN(x) ? x : Math.Max(x, 0) + Log1p(Math.Exp(-Math.Abs(x)));

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>x sigmoid(v); 0 where both are -infinity, its limit.</summary>
    private static double TimesSigmoid(double x, double v) => double.IsNegativeInfinity(x) ? -0.0 : x * Sigmoid(v);

    /// <summary>2 sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh(v / 2)) / 2 is sigmoid(v).</summary>
    private static double GeluArgument(double x) => Math.Sqrt(8 / Math.PI) * (x + 0.044715 * x * x * x);

    private static double GeluSlope(double x) => Math.Sqrt(8 / Math.PI) * (1 + 3 * 0.044715 * x * x);

    private static UnaryReference Of<K>(Func<double, double, double> f, Func<double, double, double> slope, double low, double high,
        float p = 0, double[]? kinks = null)
        where K : struct, IUnaryKernel => new(typeof(K).Name, f, slope, low, high, p, kinks ?? [], () => default(UnaryCalls<K>));

    private static BinaryReference Of2<K>(Func<double, double, double> f, Func<double, double, double> slopeA,
        Func<double, double, double> slopeB, double lowB, double highB)
        where K : struct, IBinaryKernel => new(typeof(K).Name, f, slopeA, slopeB, lowB, highB, () => default(BinaryCalls<K>));

    private readonly struct UnaryCalls<K> : IUnaryCalls where K : struct, IUnaryKernel
    {
        public void Forward(IBackend backend, Slice<float> x, Slice<float> y, float p) => backend.Unary<K>(x, y, p);
        public void Gradient(IBackend backend, Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float p) =>
            backend.UnaryGradient<K>(g, x, y, dx, accumulate, p);
    }

    private readonly struct BinaryCalls<K> : IBinaryCalls where K : struct, IBinaryKernel
    {
        public void Forward(IBackend backend, Slice<float> a, Slice<float> b, Slice<float> y) => backend.Binary<K>(a, b, y);
        public void Gradient(IBackend backend, bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d,
            bool accumulate) =>
            backend.BinaryGradient<K>(ofA, g, a, b, y, d, accumulate);
    }
}
