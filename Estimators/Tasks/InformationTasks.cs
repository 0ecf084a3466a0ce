using MathNet.Numerics.Distributions;
using MathNet.Numerics.LinearAlgebra;

namespace VaeFromScratch.Estimators.Tasks;

/// <summary>
/// The forty tasks of Czyz, Grabowski, Vogt, Beerenwinkel and Marx, "Beyond Normal: On the Evaluation of Mutual Information Estimators"
/// (NeurIPS 2023), and variants of them with other maps, dimensions and correlations.
/// </summary>
internal static class InformationTasks
{
    private const double Correlation = 0.75;

    /// <summary>The forty tasks, in the order of the paper's appendix.</summary>
    public static IReadOnlyList<InformationTask> All { get; } =
    [
        Bivariate(Correlation),
        Uniform(Bivariate(Correlation)),
        AdditiveNoise(0.1),
        AdditiveNoise(0.75),
        Bivariate(Correlation).Mapped("Bimodal", BimodalQuantile(0.3, 0, 5), BimodalQuantile(0.5, -1, 3)),
        Bivariate(Correlation).Mapped("Wiggly", WigglyX, WigglyY),
        HalfCube(Bivariate(Correlation)),
        Student(1, 1, 1),
        Asinh(Student(1, 1, 1)),
        SwissRoll(Correlation),
        Dense(2, 2), Dense(3, 3), Dense(5, 5), Dense(25, 25), Dense(50, 50),
        TwoPairs(2, 2), TwoPairs(3, 3), TwoPairs(5, 5), TwoPairs(25, 25),
        Student(2, 2, 1), Student(2, 2, 2), Student(3, 3, 2), Student(3, 3, 3), Student(5, 5, 2), Student(5, 5, 3),
        .. Sparse(Uniform), .. Sparse(HalfCube), .. Sparse(task => task.Spiral()), .. Sparse(task => Uniform(task).Spiral()),
        Asinh(Student(2, 2, 1)), Asinh(Student(3, 3, 2)), Asinh(Student(5, 5, 2)),
    ];

    /// <summary>Ten tasks of the same kinds that the advice was not developed on.</summary>
    public static IReadOnlyList<InformationTask> Variants { get; } =
    [
        Bivariate(0.6).Mapped("Cubic", z => z * z * z, z => Math.Exp(z / 2)),
        AdditiveNoise(0.5),
        Bivariate(0.8).Mapped("Bimodal", BimodalQuantile(0.4, -3, 1), BimodalQuantile(0.7, 0, 4)),
        SwissRoll(0.6),
        Dense(8, 8, 0.4),
        TwoPairs(6, 6, 1),
        Student(3, 3, 1),
        Student(2, 2, 4),
        TwoPairs(3, 3, 1.5).Spiral(0.7),
        HalfCube(TwoPairs(8, 8)),
    ];

    private static IEnumerable<InformationTask> Sparse(Func<InformationTask, InformationTask> map) => new[] { 3, 5, 25 }.Select(n =>
        map(TwoPairs(n, n)));

    private static InformationTask Bivariate(double correlation) => InformationTask.Normal("Normal 1 x 1", Correlations(2, (0, 1,
        correlation)), 1);

    /// <summary>Every pair of columns correlated alike.</summary>
    private static InformationTask Dense(int x, int y, double correlation = 0.5) =>
        InformationTask.Normal($"Multinormal {x} x {y} (dense)", Matrix<double>.Build.Dense(x + y, x + y, (i, j) => i == j ? 1
            : correlation), x);

    /// <summary>
    /// Two columns of x share a source with two of y, <paramref name="strength"/> times as strong as the noise of its own that each column
    /// has.
    /// </summary>
    private static InformationTask TwoPairs(int x, int y, double strength = 2)
    {
        double correlation = strength * strength / (1 + strength * strength);
        return InformationTask.Normal($"Multinormal {x} x {y} (2-pair)", Correlations(x + y, (0, x, correlation), (1, x + 1, correlation)),
            x);
    }

    private static InformationTask Student(int x, int y, int freedom) =>
        InformationTask.Student($"Student-t {x} x {y} (dof={freedom})", Matrix<double>.Build.DenseIdentity(x + y), x, freedom);

    /// <summary>
    /// x uniform in [0, 1], y = x + noise uniform in [-width, width]: I = width - log 2 width for a width of at most 1/2, else 1 / 4 width.
    /// </summary>
    private static InformationTask AdditiveNoise(double width) => new($"Uniform 1 x 1 (additive " +
        $"noise={width.ToString(System.Globalization.CultureInfo.InvariantCulture)})",
        width <= 0.5 ? width - Math.Log(2 * width) : 0.25 / width, 1, 1)
    {
        Draw = (random, x, y) =>
        {
            x[0] = random.NextDouble();
            y[0] = x[0] + width * (2 * random.NextDouble() - 1);
        },
    };

    /// <summary>Uniform margins, x rolled up in a plane.</summary>
    private static InformationTask SwissRoll(double correlation)
    {
        var uniform = Uniform(Bivariate(correlation));
        return uniform with
        {
            Name = "Swiss roll 2 x 1",
            XColumns = 2,
            Draw = (random, x, y) =>
            {
                var share = new double[1];
                uniform.Draw(random, share, y);
                double angle = 1.5 * Math.PI * (1 + 2 * share[0]);
                (x[0], x[1]) = (angle * Math.Cos(angle) / 21, angle * Math.Sin(angle) / 21);
            },
        };
    }

    private static InformationTask Uniform(InformationTask task) => task.Mapped("Normal CDF", Phi, Phi);

    private static InformationTask HalfCube(InformationTask task) => task.Mapped("Half-cube", Root, Root);

    private static InformationTask Asinh(InformationTask task) => task.Mapped("Asinh", Math.Asinh, Math.Asinh);

    private static double Phi(double z) => Normal.CDF(0, 1, z);

    private static double Root(double z) => z * Math.Sqrt(Math.Abs(z));

    private static double WigglyX(double z) => z + 0.4 * Math.Sin(z) + 0.2 * Math.Sin(1.7 * z + 1) + 0.03 * Math.Sin(3.3 * z - 2.5);

    private static double WigglyY(double z) =>
        z - 0.4 * Math.Sin(0.4 * z) + 0.17 * Math.Sin(1.3 * z + 3.5) + 0.02 * Math.Sin(4.3 * z - 2.5);

    /// <summary>From a standard normal number to the same quantile of two Gaussians of unit variance.</summary>
    private static Func<double, double> BimodalQuantile(double weight, double first, double second) => z =>
    {
        double share = Phi(z), low = Math.Min(first, second) - 12, high = Math.Max(first, second) + 12;
        for (int halving = 0; halving < 60; halving++)
        {
            double middle = (low + high) / 2;
            (low, high) = weight * Phi(middle - first) + (1 - weight) * Phi(middle - second) < share ? (middle, high) : (low, middle);
        }
        return (low + high) / 2;
    };

    private static Matrix<double> Correlations(int columns, params ReadOnlySpan<(int A, int B, double Value)> pairs)
    {
        var matrix = Matrix<double>.Build.DenseIdentity(columns);
        foreach (var (a, b, value) in pairs)
            (matrix[a, b], matrix[b, a]) = (value, value);
        return matrix;
    }
}
