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
    /// (M1), histogram of means: the mean over factors of (largest - second largest I(code; factor)) / H(factor), codes cut into 20 bins of equal width.
    /// Factors with one value only are left out. 1 for a perfect code, 0 for one that says nothing.
    /// </summary>
    public static double Mig(LabelledCodes data, ulong seed) => Mig(data, seed, BinnedInformation);

    /// <summary>
    /// (M1), sampled codes: as above with I(z; factor) of z ~ q(z|x) by mixtures, mean of log q(z_h|factor) - log q(z_h), as its authors do.
    /// </summary>
    /// <exception cref="EstimatorException">The data have no log variances.</exception>
    public static double MigSampled(IBackend backend, LabelledCodes data, ulong seed) => Mig(data, seed, drawn => SampledInformation(backend, drawn, seed));

    /// <summary>
    /// (M4), Ridgeway and Mozer (2018): the mean over codes of 1 - sum of squared information with all but the best factor / ((F - 1) best^2). A code without
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

    /// <summary>I(code h cut into 20 bins; factor f), nats, [H, F].</summary>
    public static double[,] BinnedInformation(LabelledCodes data)
    {
        var result = new double[data.CodeSize, data.FactorCount];
        var factors = new int[data.FactorCount][];
        for (int f = 0; f < factors.Length; f++)
            factors[f] = data.Factor(f);
        for (int h = 0; h < data.CodeSize; h++)
        {
            var bins = Binning.EqualWidth(data.Code(h), Bins);
            for (int f = 0; f < factors.Length; f++)
                result[h, f] = new ContingencyTable(bins, factors[f], Bins, data.Sizes[f]).MutualInformation().Value;
        }
        return result;
    }

    /// <summary>I(z_h; factor f) of sampled codes, nats, [H, F].</summary>
    public static double[,] SampledInformation(IBackend backend, LabelledCodes data, ulong seed)
    {
        if (data.LogVar.Length == 0)
            throw new EstimatorException("mig of sampled codes: the codes have no log variances; give them or use the histogram of means");
        var encodings = new Encodings(data.Points, data.CodeSize, data.Codes, data.LogVar);
        using var densities = new MixtureDensities(backend, encodings, seed);
        var draws = new float[data.Points * data.CodeSize];
        var all = new double[data.CodeSize];
        foreach (var block in densities.Blocks())
        {
            block.Z.AsSpan(0, block.Rows * data.CodeSize).CopyTo(draws.AsSpan(block.First * data.CodeSize));
            for (int i = 0; i < block.Rows * data.CodeSize; i++)
                all[i % data.CodeSize] += block.Marginal[i] / (double)data.Points;
        }
        var result = new double[data.CodeSize, data.FactorCount];
        for (int f = 0; f < data.FactorCount; f++)
        {
            var classes = data.Factor(f);
            var within = new double[data.CodeSize];
            for (int value = 0; value < data.Sizes[f]; value++)
            {
                int[] rows = [.. Enumerable.Range(0, data.Points).Where(m => classes[m] == value)];
                if (rows.Length > 0)
                    densities.AddMarginalsWithin(rows, draws, within);
            }
            for (int h = 0; h < data.CodeSize; h++)
                result[h, f] = within[h] / data.Points - all[h];
        }
        return result;
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
        return gaps.Count == 0 ? throw new EstimatorException("mig: every factor has one value only; give data whose factors vary") : gaps.Average();
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
