namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>
/// (M3) with trees in place of the lasso, as Locatello et al. (2019) do, and the explicitness of DCI-ES (Eastwood et al. 2023). All between
/// 0 and 1, 1 is best.
/// </summary>
/// <param name="Disentanglement">1 - the entropy of each code's importances over factors, weighted by the code's share of all
/// importance.</param>
/// <param name="Completeness">1 - the entropy of each factor's importances over codes, averaged over factors.</param>
/// <param name="Informativeness">Accuracy of the predicted classes on the second half of the points, averaged over factors.</param>
/// <param name="Explicitness"> 1 - the area under the loss of trees of growing depth, over that of a loss that falls in a straight line: 1
/// where trees of one split lose nothing against deeper ones. </param>
internal sealed record DciTrees(double Disentanglement, double Completeness, double Informativeness, double Explicitness)
{
    /// <summary>Points drawn, half of them to fit on.</summary>
    public const int Points = 4000;

    /// <summary>An error this close to the lowest one is the lowest.</summary>
    private const double AsGood = 0.005;

    /// <summary>On at most 4 000 points, drawn and ordered by the seed. Factors with one value only are left out.</summary>
    /// <exception cref="EstimatorException">Every factor has one value only.</exception>
    public static DciTrees Compute(LabelledCodes data, ulong seed)
    {
        var drawn = data.Draw(Points, seed);
        int half = drawn.Points / 2;
        byte[][] columns = [.. Enumerable.Range(0, drawn.CodeSize).Select(h => BaggedTrees.Bin(drawn.Code(h)))];
        var importances = new List<double[]>();
        double informativeness = 0, explicitness = 0;
        for (int f = 0; f < drawn.FactorCount; f++)
        {
            var (classes, count) = Samples.SampleInformation.Renumber(drawn.Factor(f));
            if (count < 2)
                continue;
            var trees = new BaggedTrees(columns, classes, count, half, seed);
            // Per point, so that factors weigh the same whatever their classes' impurity.
            importances.Add(trees.Importances);
            double[] errors = [.. Enumerable.Range(0, BaggedTrees.MostDepth + 1).Select(depth => 1 - trees.Accuracy(half, depth))];
            informativeness += 1 - errors[^1];
            explicitness += ExplicitnessOf(errors);
        }
        if (importances.Count == 0)
            throw new EstimatorException("dci by trees: every factor has one value only; give data whose factors vary");
        return new(Dci.DisentanglementOf(importances), importances.Average(Dci.OneMinusEntropy), informativeness / importances.Count,
            explicitness / importances.Count);
    }

    /// <param name="errors">At depth 0, which is guessing, 1, 2, ...</param>
    internal static double ExplicitnessOf(double[] errors)
    {
        double lowest = errors.Min();
        int least = Array.FindIndex(errors, 1, error => error <= lowest + AsGood);
        if (errors[0] - lowest <= AsGood)
            return 0;
        double area = 0;
        for (int depth = 1; depth < least; depth++)
            area += (errors[depth] + errors[depth + 1]) / 2 - lowest;
        return least <= 1 ? 1 : Math.Max(0, 1 - area / (0.5 * (least - 1) * (errors[0] - lowest)));
    }
}
