using MathNet.Numerics.Distributions;
using MathNet.Numerics.LinearAlgebra;

namespace VaeFromScratch.Estimators.Tasks;

/// <summary>A distribution of pairs whose information is known exactly.</summary>
/// <param name="Name">As in the tables of Czyz et al. (2023).</param>
/// <param name="Truth">I(x; y), nats.</param>
/// <param name="XColumns">Columns of x.</param>
/// <param name="YColumns">Columns of y.</param>
internal sealed record InformationTask(string Name, double Truth, int XColumns, int YColumns)
{
    /// <summary>Draws one pair: fills a row of x, [<see cref="XColumns"/>], and a row of y, [<see cref="YColumns"/>].</summary>
    public required Action<Random, double[], double[]> Draw { get; init; }

    /// <summary>A sample by the seed: x [N, <see cref="XColumns"/>] and y [N, <see cref="YColumns"/>].</summary>
    public (float[] X, float[] Y) Sample(int points, ulong seed)
    {
        // Apart from other uses of the seed ("task" in ASCII).
        var random = SeededRandom.Create(seed, 0x74_61_73_6b);
        var (x, y) = (new float[points * XColumns], new float[points * YColumns]);
        var (rowX, rowY) = (new double[XColumns], new double[YColumns]);
        for (int i = 0; i < points; i++)
        {
            Draw(random, rowX, rowY);
            for (int c = 0; c < XColumns; c++)
                x[i * XColumns + c] = (float)rowX[c];
            for (int c = 0; c < YColumns; c++)
                y[i * YColumns + c] = (float)rowY[c];
        }
        return (x, y);
    }

    /// <summary>
    /// The same pairs, every value of x and of y mapped by itself: a strictly monotone map leaves the information as it is.
    /// </summary>
    /// <param name="prefix">Put before the name.</param>
    internal InformationTask Mapped(string prefix, Func<double, double> ofX, Func<double, double> ofY) => this with
    {
        Name = $"{prefix} @ {Name}",
        Draw = (random, x, y) =>
        {
            Draw(random, x, y);
            Apply(x, ofX);
            Apply(y, ofY);
        },
    };

    /// <summary>
    /// The same pairs with x turned in the plane of its first two columns and y in that of its second and third, by an angle of their
    /// squared length times <paramref name="speed"/> over their columns: a map that keeps volume and can be undone.
    /// </summary>
    internal InformationTask Spiral(double speed = 1) => this with
    {
        Name = $"Spiral @ {Name}",
        Draw = (random, x, y) =>
        {
            Draw(random, x, y);
            Turn(x, 0, speed);
            Turn(y, 1, speed);
        },
    };

    /// <summary>x and y jointly Gaussian with unit variances.</summary>
    /// <param name="correlations">Of the columns of x followed by those of y, [D, D].</param>
    internal static InformationTask Normal(string name, Matrix<double> correlations, int xColumns) => Student(name, correlations, xColumns,
        double.PositiveInfinity);

    /// <summary>x and y jointly t distributed.</summary>
    /// <param name="dispersion">Of the columns of x followed by those of y, [D, D].</param>
    /// <param name="freedom">Degrees of freedom; infinite for the Gaussian.</param>
    internal static InformationTask Student(string name, Matrix<double> dispersion, int xColumns, double freedom)
    {
        int all = dispersion.RowCount, yColumns = all - xColumns;
        double information = 0.5 * (LogDeterminant(0, xColumns) + LogDeterminant(xColumns, yColumns) - LogDeterminant(0,
            all)) + Samples.Student.TailInformation(freedom, xColumns, yColumns);
        var root = dispersion.Cholesky().Factor;
        return new(name, information, xColumns, yColumns)
        {
            Draw = (random, x, y) =>
            {
                var z = new double[all];
                for (int i = 0; i < all; i++)
                    z[i] = MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1);
                double scale = double.IsInfinity(freedom) ? 1 : Math.Sqrt(freedom / ChiSquared.Sample(random, freedom));
                for (int i = 0; i < all; i++)
                {
                    double value = 0;
                    for (int j = 0; j <= i; j++)
                        value += root[i, j] * z[j];
                    (i < xColumns ? x : y)[i < xColumns ? i : i - xColumns] = value * scale;
                }
            },
        };

        double LogDeterminant(int from, int columns) => dispersion.SubMatrix(from, columns, from, columns).Cholesky().DeterminantLn;
    }

    private static void Apply(double[] values, Func<double, double> map)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = map(values[i]);
    }

    private static void Turn(double[] values, int plane, double speed)
    {
        double square = 0;
        foreach (double value in values)
            square += value * value;
        var (sin, cos) = Math.SinCos(square * speed / values.Length);
        var (a, b) = (values[plane], values[plane + 1]);
        (values[plane], values[plane + 1]) = (cos * a + sin * b, cos * b - sin * a);
    }
}
