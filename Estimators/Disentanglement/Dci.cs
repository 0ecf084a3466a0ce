using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Double;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// (M3), Eastwood and Williams (2018), by one lasso per factor on standardised codes. All between 0 and 1, 1 is best. The predictor is
/// linear: a code that holds a factor
/// in scrambled order is perfect and yet scores low, and numbers of other predictors, such as boosted trees, are not comparable.
/// </summary>
/// <param name="Disentanglement">1 - the entropy of each code's importances over factors, weighted by the code's share of all
/// importance.</param>
/// <param name="Completeness">1 - the entropy of each factor's importances over codes, averaged over factors.</param>
/// <param name="Informativeness">R^2 of the predictions on the second half of the points, averaged over factors and at least 0.</param>
public sealed record Dci(double Disentanglement, double Completeness, double Informativeness)
{
    /// <summary>The lasso's penalty on standardised data.</summary>
    public const double Penalty = 0.02;

    /// <summary>On at most 10 000 points, drawn and ordered by the seed.</summary>
    public static Dci Compute(LabelledCodes data, ulong seed, double penalty = Penalty) =>
        Fit(data.Draw(InformationMetrics.Points, seed), penalty);

    /// <summary>Fits on the first half of the points and predicts the second. Factors with one value only are left out.</summary>
    public static Dci Fit(LabelledCodes data, double penalty = Penalty)
    {
        int half = data.Points / 2;
        var (train, test) = Standardise(data, half);
        var importances = new List<double[]>();
        double informativeness = 0;
        for (int f = 0; f < data.FactorCount; f++)
        {
            var target = data.Factor(f);
            var moments = new RunningMean();
            for (int i = 0; i < half; i++)
                moments.Add(target[i]);
            if (moments.Variance <= 0)
                continue;
            double scale = Math.Sqrt(moments.Variance);
            var y = Vector<double>.Build.Dense(target.Length, i => (target[i] - moments.Mean) / scale);
            var weights = Lasso.Fit(train, y.SubVector(0, half), penalty);
            importances.Add(OfCodes(data, weights));
            var unseen = y.SubVector(half, target.Length - half);
            double variance = (unseen - unseen.Average()).PointwisePower(2).Sum();
            double error = (unseen - test * Vector<double>.Build.Dense(weights)).PointwisePower(2).Sum();
            informativeness += variance > 0 ? Math.Max(0, 1 - error / variance) : 0;
        }
        if (importances.Count == 0)
            throw new EstimatorException("dci: every factor has one value only; give data whose factors vary");
        return new(DisentanglementOf(importances), importances.Average(OneMinusEntropy), informativeness / importances.Count);
    }

    internal static double DisentanglementOf(List<double[]> importances)
    {
        double all = importances.Sum(factor => factor.Sum()), score = 0;
        for (int h = 0; h < importances[0].Length; h++)
        {
            double[] ofCode = [.. importances.Select(factor => factor[h])];
            if (all > 0)
                score += ofCode.Sum() / all * OneMinusEntropy(ofCode);
        }
        return score;
    }

    /// <summary>1 - entropy / log n of weights made to sum to 1; 0 where all are 0.</summary>
    internal static double OneMinusEntropy(double[] weights)
    {
        double sum = weights.Sum();
        if (sum <= 0)
            return 0;
        return weights.Length == 1 ? 1 : 1 - CategoryInformation.Entropy([.. weights.Select(w => w / sum)]) / Math.Log(weights.Length);
    }

    /// <summary>|weight| of each code; a category's is the sum over its values.</summary>
    private static double[] OfCodes(LabelledCodes data, double[] weights) =>
        [.. weights.Take(data.Gaussians).Select(Math.Abs), .. data.Categories > 0 ? (double[])[weights.Skip(data.Gaussians).Sum(Math.Abs)]
            : []];

    /// <summary>The codes as numbers; a category as one column a value, 1 where it is.</summary>
    private static IEnumerable<float[]> Columns(LabelledCodes data)
    {
        for (int h = 0; h < data.Gaussians; h++)
            yield return data.Code(h);
        int[] category = data.Category();
        for (int k = 0; k < data.Categories; k++)
            yield return Array.ConvertAll(category, c => c == k ? 1f : 0);
    }

    /// <summary>Codes scaled by the first half's means and deviations; a constant code becomes 0.</summary>
    private static (Matrix<double> Train, Matrix<double> Test) Standardise(LabelledCodes data, int half)
    {
        float[][] columns = [.. Columns(data)];
        var all = new DenseMatrix(data.Points, columns.Length);
        for (int h = 0; h < columns.Length; h++)
        {
            var code = columns[h];
            var moments = new RunningMean();
            for (int i = 0; i < half; i++)
                moments.Add(code[i]);
            double scale = moments.Variance > 0 ? 1 / Math.Sqrt(moments.Variance) : 0;
            for (int i = 0; i < code.Length; i++)
                all[i, h] = (code[i] - moments.Mean) * scale;
        }
        return (all.SubMatrix(0, half, 0, columns.Length), all.SubMatrix(half, data.Points - half, 0, columns.Length));
    }
}

/// <summary>Least squares with an absolute-value penalty, by coordinate descent on the Gram matrix.</summary>
internal static class Lasso
{
    private const int MostSweeps = 10_000;
    private const double Tolerance = 1e-10;

    /// <summary>Minimises |y - X w|^2 / 2n + penalty |w|_1.</summary>
    /// <param name="x">[n, p], columns centred.</param>
    /// <param name="y">[n], centred.</param>
    /// <returns>w, [p].</returns>
    public static double[] Fit(Matrix<double> x, Vector<double> y, double penalty)
    {
        int n = x.RowCount, p = x.ColumnCount;
        var gram = x.TransposeThisAndMultiply(x) / n;
        // What is left to explain by each column: X'(y - X w) / n, kept up to date.
        var residual = (x.TransposeThisAndMultiply(y) / n).ToArray();
        var w = new double[p];
        for (int sweep = 0; sweep < MostSweeps; sweep++)
        {
            double largest = 0;
            for (int j = 0; j < p; j++)
            {
                if (gram[j, j] <= 0)
                    continue;
                double target = residual[j] + gram[j, j] * w[j];
                double next = Math.Sign(target) * Math.Max(0, Math.Abs(target) - penalty) / gram[j, j];
                double step = next - w[j];
                if (step == 0)
                    continue;
                w[j] = next;
                for (int k = 0; k < p; k++)
                    residual[k] -= gram[k, j] * step;
                largest = Math.Max(largest, Math.Abs(step));
            }
            if (largest < Tolerance)
                break;
        }
        return w;
    }
}
