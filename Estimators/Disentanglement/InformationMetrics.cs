using VaeFromScratch.Estimators.Samples;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>Metrics on the information between each code and each factor: MIG (M1) and modularity (M4).</summary>
public static class InformationMetrics
{
    /// <summary>Bins of the histogram of a code.</summary>
    public const int Bins = 20;

    /// <summary>Points a metric draws.</summary>
    public const int Points = 10_000;

    /// <summary>
    /// (M1), histogram of means: the mean over factors of (largest - second largest I(code; factor)) / H(factor), codes cut into 20 bins of
    /// equal width.
    /// Factors with one value only are left out. 1 for a perfect code, 0 for one that says nothing.
    /// </summary>
    public static double Mig(LabelledCodes data, ulong seed) => Mig(data, seed, BinnedInformation);

    /// <summary>
    /// (M1), sampled codes: as above with I(z; factor) of z ~ q(z|x) by mixtures, mean of log q(z_h|factor) - log q(z_h), as its authors
    /// do.
    /// </summary>
    /// <exception cref="EstimatorException">The data have no log variances.</exception>
    public static double MigSampled(IBackend backend, LabelledCodes data, ulong seed) =>
        Mig(data, seed, drawn => SampledInformation(backend, drawn, seed));

    /// <summary>
    /// (M4), Ridgeway and Mozer (2018): the mean over codes of 1 - sum of squared information with all but the best factor / ((F - 1)
    /// best^2). A code without
    /// information counts 0.
    /// </summary>
    public static double Modularity(LabelledCodes data, ulong seed)
    {
        var information = BinnedInformation(data.Draw(Points, seed));
        int codes = information.GetLength(0), factors = information.GetLength(1);
        double total = 0;
        for (int h = 0; h < codes; h++)
        {
            double best = 0, squares = 0;
            for (int f = 0; f < factors; f++)
            {
                best = Math.Max(best, information[h, f]);
                squares += information[h, f] * information[h, f];
            }
            if (best > 0)
                total += factors == 1 ? 1 : 1 - (squares - best * best) / (best * best * (factors - 1));
        }
        return total / codes;
    }

    /// <summary>I(code h cut into 20 bins; factor f), nats, [codes, F]; a category is its own bins.</summary>
    public static double[,] BinnedInformation(LabelledCodes data)
    {
        var result = new double[data.CodeSize, data.FactorCount];
        var factors = new int[data.FactorCount][];
        for (int f = 0; f < factors.Length; f++)
            factors[f] = data.Factor(f);
        for (int h = 0; h < data.CodeSize; h++)
        {
            var (bins, count) = data.IsCategory(h) ? (data.Category(), data.Categories) : (Binning.EqualWidth(data.Code(h), Bins), Bins);
            for (int f = 0; f < factors.Length; f++)
                result[h, f] = new ContingencyTable(bins, factors[f], count, data.Sizes[f]).MutualInformation().Value;
        }
        return result;
    }

    /// <summary>I(z_h; factor f) of sampled codes, and of a category c ~ q(c|x), nats, [codes, F].</summary>
    public static double[,] SampledInformation(IBackend backend, LabelledCodes data, ulong seed)
    {
        if (data.LogVar.Length == 0)
            throw new EstimatorException("mig of sampled codes: the codes have no log variances; give them or use the histogram of means");
        int gaussians = data.Gaussians;
        var encodings = new Encodings(data.Points, gaussians, data.Means, data.LogVar);
        using var densities = new MixtureDensities(backend, encodings, seed);
        var draws = new float[data.Points * gaussians];
        var all = new double[gaussians];
        foreach (var block in densities.Blocks())
        {
            block.Z.AsSpan(0, block.Rows * gaussians).CopyTo(draws.AsSpan(block.First * gaussians));
            for (int i = 0; i < block.Rows * gaussians; i++)
                all[i % gaussians] += block.Marginal[i] / (double)data.Points;
        }
        var result = new double[data.CodeSize, data.FactorCount];
        for (int f = 0; f < data.FactorCount; f++)
        {
            var classes = data.Factor(f);
            var within = new double[gaussians];
            for (int value = 0; value < data.Sizes[f]; value++)
            {
                int[] rows = [.. Enumerable.Range(0, data.Points).Where(m => classes[m] == value)];
                if (rows.Length > 0)
                    densities.AddMarginalsWithin(rows, draws, within);
            }
            for (int h = 0; h < gaussians; h++)
                result[h, f] = within[h] / data.Points - all[h];
            if (data.Categories > 0)
                result[gaussians, f] = CategoryWith(data, classes, data.Sizes[f]);
        }
        return result;
    }

    /// <summary>I(c; factor) of c ~ q(c|x): H(mean_m q(c|x_m)) less the mean over the factor's values of the entropy within each.</summary>
    private static double CategoryWith(LabelledCodes data, int[] classes, int size)
    {
        var sums = new double[size, data.Categories];
        var (counts, overall) = (new int[size], new double[data.Categories]);
        for (int m = 0; m < data.Points; m++)
        {
            counts[classes[m]]++;
            for (int k = 0; k < data.Categories; k++)
                sums[classes[m], k] += data.Probabilities.Span[m * data.Categories + k];
        }
        double within = 0;
        for (int v = 0; v < size; v++)
        {
            var row = new double[data.Categories];
            for (int k = 0; k < row.Length && counts[v] > 0; k++)
            {
                row[k] = sums[v, k] / counts[v];
                overall[k] += sums[v, k] / data.Points;
            }
            within += counts[v] / (double)data.Points * CategoryInformation.Entropy(row);
        }
        return CategoryInformation.Entropy(overall) - within;
    }

    private static double Mig(LabelledCodes data, ulong seed, Func<LabelledCodes, double[,]> informationOf)
    {
        var drawn = data.Draw(Points, seed);
        var information = informationOf(drawn);
        var gaps = new List<double>();
        for (int f = 0; f < drawn.FactorCount; f++)
        {
            double entropy = Entropy(drawn.Factor(f), drawn.Sizes[f]);
            if (entropy <= 0)
                continue;
            var (first, second) = TopTwo(information, f);
            gaps.Add((first - second) / entropy);
        }
        return gaps.Count == 0 ? throw new EstimatorException("mig: every factor has one value only; give data whose factors vary")
            : gaps.Average();
    }

    /// <summary>The two largest entries of a column of [H, F]; the second of one is 0.</summary>
    internal static (double First, double Second) TopTwo(double[,] scores, int f)
    {
        double first = double.NegativeInfinity, second = double.NegativeInfinity;
        for (int h = 0; h < scores.GetLength(0); h++)
            if (scores[h, f] > first)
                (first, second) = (scores[h, f], first);
            else
                second = Math.Max(second, scores[h, f]);
        return (first, double.IsFinite(second) ? second : 0);
    }

    private static double Entropy(int[] classes, int size)
    {
        var counts = new int[size];
        foreach (int c in classes)
            counts[c]++;
        return CategoryInformation.Entropy([.. counts.Select(count => (double)count / classes.Length)]);
    }
}
