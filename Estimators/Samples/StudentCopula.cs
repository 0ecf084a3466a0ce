using System.Runtime.InteropServices;
using MathNet.Numerics.LinearAlgebra;
using Lanes = System.Numerics.Vector<double>;

namespace VaeFromScratch.Estimators.Samples;

/// <summary>
/// The t copula (Demarta and McNeil 2005): columns of any shape whose normal scores, mapped to the quantiles of a t distribution, are
/// jointly t. The Gaussian copula is its limit. Fitted by maximum likelihood: the scatter matrix by expectation maximisation, the degrees
/// of freedom by a search.
/// </summary>
internal sealed class StudentCopula
{
    /// <summary>Added to the correlations' diagonal, relatively: a copy of a column has finite information.</summary>
    private const double Ridge = 1e-6;
    private const double FewestFreedom = 0.4, MostFreedom = 200;
    private const int SearchSteps = 12, MostSweeps = 30;

    /// <summary>Values among which the degrees of freedom are searched; all take part in the rest.</summary>
    private const int SearchValues = 200_000;

    private readonly int xColumns, yColumns;
    private readonly double[] joint, ofX, ofY;
    private readonly Func<double, double> quantile;
    private readonly double gaussian;

    private StudentCopula(double freedom, Matrix<double> correlation, int xColumns)
    {
        (Freedom, this.xColumns, yColumns) = (freedom, xColumns, correlation.RowCount - xColumns);
        quantile = Student.QuantileOfScore(freedom);
        var (xx, yy) = (correlation.SubMatrix(0, xColumns, 0, xColumns), correlation.SubMatrix(xColumns, yColumns, xColumns, yColumns));
        gaussian = 0.5 * (LogDeterminant(xx) + LogDeterminant(yy) - LogDeterminant(correlation));
        (joint, ofX, ofY) = (correlation.Inverse().ToRowMajorArray(), xx.Inverse().ToRowMajorArray(), yy.Inverse().ToRowMajorArray());
    }

    /// <summary>Degrees of freedom; infinite for the Gaussian copula.</summary>
    public double Freedom { get; }

    /// <summary>The largest information there can be, nats.</summary>
    public static double Ceiling(int xColumns, int yColumns) =>
        Math.Min(xColumns, yColumns) * Gaussian.Information(1 - Ridge) + Student.TailInformation(FewestFreedom, xColumns, yColumns);

    /// <summary>I(x; y) of the fitted copula, less the bias of the Gaussian part, nats.</summary>
    public double Information(int points) => gaussian - SampleInformation.GaussianBias(xColumns, yColumns,
        points - 1) + Student.TailInformation(Freedom, xColumns, yColumns);

    /// <param name="scores">Normal scores, [N, D], the columns of x before those of y.</param>
    /// <param name="columns">D.</param>
    /// <param name="xColumns">Of them.</param>
    public static StudentCopula Fit(double[] scores, int columns, int xColumns)
    {
        int points = scores.Length / columns, searched = Math.Min(points, Math.Max(20 * columns, SearchValues / columns));
        var scatter = Matrix<double>.Build.DenseIdentity(columns);
        var some = scores.AsSpan(0, searched * columns).ToArray();
        // Golden section over the logarithm of the degrees of freedom.
        double low = Math.Log(FewestFreedom), high = Math.Log(MostFreedom), golden = (Math.Sqrt(5) - 1) / 2;
        double left = high - golden * (high - low), right = low + golden * (high - low), ofLeft = Likelihood(left),
            ofRight = Likelihood(right);
        for (int step = 0; step < SearchSteps; step++)
            if (ofLeft > ofRight)
            {
                (high, right, ofRight) = (right, left, ofLeft);
                ofLeft = Likelihood(left = high - golden * (high - low));
            }
            else
            {
                (low, left, ofLeft) = (left, right, ofRight);
                ofRight = Likelihood(right = low + golden * (high - low));
            }
        double freedom = Math.Exp(ofLeft > ofRight ? left : right);
        if (Likelihood(double.PositiveInfinity) >= Math.Max(ofLeft, ofRight))
            freedom = double.PositiveInfinity;
        scatter = Scatter(Map(scores, freedom), columns, freedom, scatter);
        return new(freedom, Correlation(scatter), xColumns);

        double Likelihood(double log)
        {
            double nu = double.IsInfinity(log) ? log : Math.Exp(log);
            var z = Map(some, nu);
            scatter = Scatter(z, columns, nu, scatter);
            var correlation = Correlation(scatter);
            double[] inverse = correlation.Inverse().ToRowMajorArray();
            double sum = -0.5 * searched * LogDeterminant(correlation);
            for (int i = 0; i < searched; i++)
            {
                var row = z.AsSpan(i * columns, columns);
                sum += Student.LogDensity(Square(inverse, row), nu, columns);
                foreach (double value in row)
                    sum -= Student.LogDensity(value * value, nu, 1);
            }
            return sum;
        }
    }

    /// <summary>The parts of the log ratio p(x, y) / (p(x) p(y)) that rows of x and rows of y have by themselves.</summary>
    public Side Rows(double[] xScores, double[] yScores)
    {
        double[] zx = Array.ConvertAll(xScores, s => quantile(s)), zy = Array.ConvertAll(yScores, s => quantile(s));
        int rowsX = zx.Length / xColumns, rowsY = zy.Length / yColumns, columns = xColumns + yColumns;
        double[] ownX = new double[rowsX], ownY = new double[rowsY], logX = new double[rowsX], logY = new double[rowsY],
            cross = new double[rowsX * yColumns];
        for (int i = 0; i < rowsX; i++)
        {
            var row = zx.AsSpan(i * xColumns, xColumns);
            for (int a = 0; a < xColumns; a++)
            {
                ownX[i] += row[a] * Dot(joint.AsSpan(a * columns, xColumns), row);
                for (int b = 0; b < yColumns; b++)
                    cross[i * yColumns + b] += 2 * row[a] * joint[a * columns + xColumns + b];
            }
            logX[i] = Student.LogDensity(Square(ofX, row), Freedom, xColumns);
        }
        for (int i = 0; i < rowsY; i++)
        {
            var row = zy.AsSpan(i * yColumns, yColumns);
            for (int a = 0; a < yColumns; a++)
                ownY[i] += row[a] * Dot(joint.AsSpan((xColumns + a) * columns + xColumns, yColumns), row);
            logY[i] = Student.LogDensity(Square(ofY, row), Freedom, yColumns);
        }
        return new(this, ownX, ownY, logX, logY, cross, zy);
    }

    /// <summary>Rows of x against rows of y.</summary>
    internal sealed class Side(StudentCopula copula, double[] ownX, double[] ownY, double[] logX, double[] logY, double[] cross,
        double[] zy)
    {
        /// <summary>log p(x_i, y_j) / (p(x_i) p(y_j)) of the copula, nats.</summary>
        public double LogRatio(int i, int j)
        {
            int columns = copula.yColumns;
            double square = ownX[i] + ownY[j] + Dot(cross.AsSpan(i * columns, columns), zy.AsSpan(j * columns, columns));
            return copula.gaussian + Student.LogDensity(Math.Max(0, square), copula.Freedom, copula.xColumns + columns) - logX[i] - logY[j];
        }
    }

    private static double[] Map(double[] scores, double freedom) => Array.ConvertAll(scores, new Converter<double,
        double>(Student.QuantileOfScore(freedom)));

    /// <summary>The scatter matrix of t distributed rows (Kent, Tyler and Vardi 1994), from a first guess.</summary>
    private static Matrix<double> Scatter(double[] z, int columns, double freedom, Matrix<double> guess)
    {
        int points = z.Length / columns;
        var scatter = guess;
        var sum = new double[columns * columns];
        for (int sweep = 0; sweep < (double.IsInfinity(freedom) ? 1 : MostSweeps); sweep++)
        {
            double[] inverse = Regular(scatter).Inverse().ToRowMajorArray();
            Array.Clear(sum);
            double weights = 0;
            for (int i = 0; i < points; i++)
            {
                var row = z.AsSpan(i * columns, columns);
                double weight = double.IsInfinity(freedom) ? 1 : (freedom + columns) / (freedom + Square(inverse, row));
                weights += weight;
                for (int a = 0; a < columns; a++)
                    AddScaled(row[..(a + 1)], weight * row[a], sum.AsSpan(a * columns, a + 1));
            }
            var next = Matrix<double>.Build.Dense(columns, columns, (a, b) => sum[Math.Max(a, b) * columns + Math.Min(a, b)] / weights);
            double change = (next - scatter).PointwiseAbs().Enumerate().Max() / next.Diagonal().Maximum();
            scatter = next;
            if (change < 1e-5)
                break;
        }
        return scatter;
    }

    private static Matrix<double> Regular(Matrix<double> scatter) => scatter + Matrix<double>.Build.DenseDiagonal(scatter.RowCount,
        Ridge * scatter.Diagonal().Maximum());

    private static Matrix<double> Correlation(Matrix<double> scatter)
    {
        var scale = scatter.Diagonal().Map(v => v > 0 ? 1 / Math.Sqrt(v) : 0);
        return Matrix<double>.Build.Dense(scatter.RowCount, scatter.RowCount, (a, b) => a == b ? 1 : (1 - Ridge) * scatter[a,
            b] * scale[a] * scale[b]);
    }

    private static double LogDeterminant(Matrix<double> matrix) => matrix.Cholesky().DeterminantLn;

    /// <summary>z' A z of a symmetric matrix.</summary>
    private static double Square(double[] matrix, ReadOnlySpan<double> z)
    {
        double sum = 0;
        for (int a = 0; a < z.Length; a++)
            sum += z[a] * Dot(matrix.AsSpan(a * z.Length, z.Length), z);
        return sum;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var va = MemoryMarshal.Cast<double, Lanes>(a);
        var vb = MemoryMarshal.Cast<double, Lanes>(b);
        var sums = Lanes.Zero;
        for (int i = 0; i < va.Length; i++)
            sums += va[i] * vb[i];
        double sum = System.Numerics.Vector.Sum(sums);
        for (int i = va.Length * Lanes.Count; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private static void AddScaled(ReadOnlySpan<double> values, double scale, Span<double> sum)
    {
        var v = MemoryMarshal.Cast<double, Lanes>(values);
        var s = MemoryMarshal.Cast<double, Lanes>(sum);
        for (int i = 0; i < v.Length; i++)
            s[i] += v[i] * scale;
        for (int i = v.Length * Lanes.Count; i < values.Length; i++)
            sum[i] += values[i] * scale;
    }
}

public static partial class SampleInformation
{
    /// <summary>
    /// The information of the t copula that fits best, nats: of columns that are, each through a monotone map of its own, jointly Gaussian
    /// or jointly t. The columns' shapes and tails do not matter to it; dependence of another kind it misjudges, both ways.
    /// </summary>
    /// <param name="x">[N, <paramref name="xColumns"/>]; constant columns add nothing.</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <exception cref="EstimatorException">As <see cref="Cca"/>.</exception>
    public static Estimate Copula(ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns)
    {
        int points = CheckPairs("copula", x.Length, xColumns, y.Length, yColumns);
        double[][] xs = Scores("copula x", x, xColumns), ys = Scores("copula y", y, yColumns);
        if (points - 1 <= xs.Length + ys.Length)
            throw new EstimatorException($"copula: {points} points of {xs.Length} + {ys.Length} columns; expected clearly more points " +
                $"than columns");
        if (xs.Length == 0 || ys.Length == 0)
            return new(0, 0, BoundKind.Neither, 0, points);
        var copula = StudentCopula.Fit(RowMajor([.. xs, .. ys]), xs.Length + ys.Length, xs.Length);
        var rows = copula.Rows(RowMajor(xs), RowMajor(ys));
        var spread = new RunningMean();
        for (int i = 0; i < points; i++)
            spread.Add(rows.LogRatio(i, i));
        double ceiling = StudentCopula.Ceiling(xs.Length, ys.Length);
        return new(Math.Min(ceiling, copula.Information(points)), spread.StandardError, BoundKind.Neither, ceiling, points);
    }

    /// <summary>Normal scores of the columns that are not constant.</summary>
    private static double[][] Scores(string operation, ReadOnlySpan<float> values, int columns)
    {
        EncodingChecks.Finite(operation, "the value", values, columns, 0);
        float[] scores = SampleTransforms.Apply(SampleTransform.Rank, values, columns);
        return [.. Enumerable.Range(0, columns).Select(c => Enumerable.Range(0, scores.Length / columns).Select(i =>
            (double)scores[i * columns + c]).ToArray())
            .Where(column => column.Min() < column.Max())];
    }

    private static double[] RowMajor(double[][] columns)
    {
        var rows = new double[columns.Length * columns[0].Length];
        for (int c = 0; c < columns.Length; c++)
            for (int i = 0; i < columns[c].Length; i++)
                rows[i * columns.Length + c] = columns[c][i];
        return rows;
    }
}
