using MathNet.Numerics.LinearAlgebra;
using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// InfoMEC of Hsu, Dorrell, Whittington, Wu and Finn (2023): modularity, explicitness and compactness in shares of the factors' entropies.
/// 1 is best.
/// </summary>
/// <param name="Modularity">How far each active code tells about one factor only: (largest share of its information - 1/F) / (1 - 1/F),
/// averaged over active codes.</param>
/// <param name="Explicitness">The share of each factor's entropy that a linear classifier of the codes takes away on unseen points,
/// averaged over factors.</param>
/// <param name="Compactness">How far each factor is told by one code only, as modularity, averaged over factors.</param>
/// <remarks>
/// I(code; factor) is Ross' estimate (2014) over H(factor). A code is active when its range is at least an eighth of the widest and it
/// takes away at least a hundredth of a factor's entropy; without an active code modularity and compactness are 0.
/// </remarks>
public sealed record InfoMec(double Modularity, double Explicitness, double Compactness)
{
    private const int Points = 4000;
    private const double ActiveRange = 1.0 / 8, ActiveShare = 0.01;

    /// <summary>On at most 4 000 points, drawn and ordered by the seed. Factors with one value only are left out.</summary>
    /// <exception cref="EstimatorException">Every factor has one value only.</exception>
    public static InfoMec Compute(LabelledCodes data, ulong seed)
    {
        var drawn = data.Draw(Points, seed);
        int[][] factors = [.. Enumerable.Range(0, drawn.FactorCount).Select(f => SampleInformation.Renumber(drawn.Factor(f)).Classes)
            .Where(c => c.Max() > 0)];
        if (factors.Length == 0)
            throw new EstimatorException("infomec: every factor has one value only; give data whose factors vary");
        double[] entropies = [.. factors.Select(EntropyOf)];
        float[][] codes = [.. Enumerable.Range(0, drawn.CodeSize).Select(drawn.Code)];
        double widest = codes.Max(code => code.Max() - code.Min());
        var shares = codes.Where(code => code.Max() - code.Min() is var range && range > 0 && range >= ActiveRange * widest)
            .Select(code => factors.Select((factor, f) => Math.Max(0, SampleInformation.Ross(factor, code, 1,
                threads: 1).Value) / entropies[f]).ToArray())
            .Where(share => share.Max() >= ActiveShare).ToArray();
        double modularity = 0, compactness = 0;
        if (shares.Length > 0)
        {
            modularity = shares.Average(share => Concentration(share));
            compactness = Enumerable.Range(0, factors.Length).Average(f => Concentration([.. shares.Select(share => share[f])]));
        }
        return new(modularity, Enumerable.Range(0, factors.Length).Average(f => ExplicitnessOf(drawn, factors[f], entropies[f])),
            compactness);
    }

    /// <summary>The largest share of a sum, from 0 where all are equal to 1 where there is one only.</summary>
    private static double Concentration(double[] values)
    {
        double sum = values.Sum(), even = 1.0 / values.Length;
        return sum <= 0 ? 0 : values.Length == 1 ? 1 : (values.Max() / sum - even) / (1 - even);
    }

    private static double ExplicitnessOf(LabelledCodes data, int[] classes, double entropy)
    {
        int half = data.Points / 2;
        var codes = Matrix<double>.Build.Dense(data.Points, data.CodeSize, (i, h) => data.Codes.Span[i * data.CodeSize + h]);
        var classifier = LogisticRegression.Fit(codes.SubMatrix(0, half, 0, data.CodeSize), classes[..half], classes.Max() + 1);
        double loss = classifier.CrossEntropy(codes.SubMatrix(half, data.Points - half, 0, data.CodeSize), classes[half..]);
        return Math.Max(0, 1 - loss / entropy);
    }

    private static double EntropyOf(int[] classes) =>
        CategoryInformation.Entropy([.. classes.GroupBy(c => c).OrderBy(g => g.Key).Select(g => (double)g.Count() / classes.Length)]);
}
