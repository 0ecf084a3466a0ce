using MathNet.Numerics.LinearAlgebra;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// (M6), Higgins et al. (2017): with one factor fixed, can a linear classifier tell which from the mean |z1 - z2| of pairs?
/// </summary>
public static class BetaVaeScore
{
    /// <summary>The classifier's accuracy on fresh statistics. 1 for a perfect code, 1 / F by guessing.</summary>
    /// <param name="train">Statistics to fit with.</param>
    /// <param name="test">Statistics to test with.</param>
    /// <param name="pairs">Pairs behind a statistic.</param>
    public static double Compute(LabelledCodes data, ulong seed, int train = 2000, int test = 1000, int pairs = 64)
    {
        if (train < 1 || test < 1 || pairs < 1)
            throw new EstimatorException(
                $"beta-vae score: {train} training and {test} test statistics of {pairs} pairs; expected at least 1 of each");
        var sampler = new FixedFactorSampler("beta-vae score", data, seed);
        var (x, y) = Statistics(train);
        var classifier = LogisticRegression.Fit(x, y, data.FactorCount);
        var (unseen, truth) = Statistics(test);
        var predicted = classifier.Predict(unseen);
        return predicted.Zip(truth).Count(pair => pair.First == pair.Second) / (double)test;

        (Matrix<double> X, int[] Y) Statistics(int count)
        {
            var statistics = Matrix<double>.Build.Dense(count, data.CodeSize);
            var factors = new int[count];
            for (int i = 0; i < count; i++)
            {
                factors[i] = sampler.NextFactor();
                var mean = MeanDifference(data, sampler, factors[i], pairs);
                for (int h = 0; h < mean.Length; h++)
                    statistics[i, h] = mean[h];
            }
            return (statistics, factors);
        }
    }

    /// <summary>
    /// (R2): E |z1 - z2| per code when factor y is fixed and z = Q y + ... with unit variances: 2 / sqrt(pi) sqrt(1 - q_h^2), q_h the
    /// weight of y in code h.
    /// </summary>
    public static double ExpectedDifference(double q) => 2 / Math.Sqrt(Math.PI) * Math.Sqrt(1 - q * q);

    private static double[] MeanDifference(LabelledCodes data, FixedFactorSampler sampler, int factor, int pairs)
    {
        var mean = new double[data.CodeSize];
        var codes = data.Codes.Span;
        for (int i = 0; i < pairs; i++)
        {
            var group = sampler.NextGroup(factor);
            int first = sampler.NextRow(group) * data.CodeSize, second = sampler.NextRow(group) * data.CodeSize;
            for (int h = 0; h < mean.Length; h++)
            {
                double difference = Math.Abs(codes[first + h] - codes[second + h]);
                mean[h] += (data.IsCategory(h) ? Math.Sign(difference) : difference) / pairs;
            }
        }
        return mean;
    }
}

/// <summary>Multinomial logistic regression on standardised inputs with a small ridge, by accelerated gradient descent.</summary>
internal sealed class LogisticRegression
{
    private const int Steps = 300;
    private const double Ridge = 1e-4;

    private readonly Vector<double> centre;
    private readonly Vector<double> scale;
    private readonly Matrix<double> weights;

    private LogisticRegression(Vector<double> centre, Vector<double> scale, Matrix<double> weights) =>
        (this.centre, this.scale, this.weights) = (centre, scale, weights);

    /// <param name="x">[n, p].</param>
    /// <param name="y">Classes 0 .. <paramref name="classes"/> - 1, [n].</param>
    public static LogisticRegression Fit(Matrix<double> x, int[] y, int classes)
    {
        var centre = x.ColumnSums() / x.RowCount;
        var variance = Vector<double>.Build.Dense(x.ColumnCount, j => (x.Column(j) - centre[j]).PointwisePower(2).Sum() / x.RowCount);
        var scale = variance.Map(v => v > 1e-24 ? 1 / Math.Sqrt(v) : 0);
        var inputs = Inputs(x, centre, scale);
        var targets = Matrix<double>.Build.Dense(y.Length, classes, (i, c) => y[i] == c ? 1 : 0);
        // The softmax's curvature is at most 1/2; the largest eigenvalue of X'X / n, at most its trace, bounds the rest.
        double curvature = 0.5 * LargestEigenvalue(inputs.TransposeThisAndMultiply(inputs) / y.Length) + Ridge;
        var weights = Matrix<double>.Build.Dense(inputs.ColumnCount, classes);
        var ahead = weights;
        for (int step = 0; step < Steps; step++)
        {
            var gradient = inputs.TransposeThisAndMultiply(Softmax(inputs * ahead) - targets) / y.Length + ahead * Ridge;
            var next = ahead - gradient / curvature;
            ahead = next + (next - weights) * (step / (step + 3.0));
            weights = next;
        }
        return new(centre, scale, weights);
    }

    /// <summary>The most probable class of each row of x [n, p].</summary>
    public int[] Predict(Matrix<double> x) => [.. (Inputs(x, centre, scale) * weights).EnumerateRows().Select(row => row.MaximumIndex())];

    /// <summary>The mean of -log p(class) of points x [n, p], nats.</summary>
    public double CrossEntropy(Matrix<double> x, int[] y)
    {
        var probabilities = Softmax(Inputs(x, centre, scale) * weights);
        return -Enumerable.Range(0, y.Length).Average(i => Math.Log(Math.Max(probabilities[i, y[i]], 1e-30)));
    }

    private static Matrix<double> Inputs(Matrix<double> x, Vector<double> centre, Vector<double> scale) =>
        Matrix<double>.Build.Dense(x.RowCount, x.ColumnCount + 1, (i, j) => j == x.ColumnCount ? 1 : (x[i, j] - centre[j]) * scale[j]);

    private static Matrix<double> Softmax(Matrix<double> logits)
    {
        for (int i = 0; i < logits.RowCount; i++)
        {
            var row = logits.Row(i);
            var exp = (row - row.Maximum()).PointwiseExp();
            logits.SetRow(i, exp / exp.Sum());
        }
        return logits;
    }

    private static double LargestEigenvalue(Matrix<double> symmetric) =>
        symmetric.Evd(Symmetricity.Symmetric).EigenValues.Select(e => e.Real).Max();
}
