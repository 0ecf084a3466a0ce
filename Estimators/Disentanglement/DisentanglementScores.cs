using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>(M1)-(M6), DCI by trees with DCI-ES, and InfoMEC of one set of codes, each over five seeds.</summary>
public sealed record DisentanglementScores
{
    /// <summary>The mutual information gap, from a histogram of the means (M1).</summary>
    public required Score Mig { get; init; }

    /// <summary>The mutual information gap of sampled codes; null without log variances (M1).</summary>
    public required Score? MigSampled { get; init; }

    /// <summary>The separated attribute predictability: how far the best factor predicts ahead of the next one (M2).</summary>
    public required Score Sap { get; init; }

    /// <summary>DCI: how far each factor of the code is about one true factor only (M3).</summary>
    public required Score DciDisentanglement { get; init; }

    /// <summary>DCI: how far each true factor is told by one factor of the code only (M3).</summary>
    public required Score DciCompleteness { get; init; }

    /// <summary>DCI: how well the true factors are predicted from the code (M3).</summary>
    public required Score DciInformativeness { get; init; }

    /// <summary>DCI by trees: as <see cref="DciDisentanglement"/>.</summary>
    public required Score DciTreesDisentanglement { get; init; }

    /// <summary>DCI by trees: as <see cref="DciCompleteness"/>.</summary>
    public required Score DciTreesCompleteness { get; init; }

    /// <summary>DCI by trees: accuracy of the predicted classes.</summary>
    public required Score DciTreesInformativeness { get; init; }

    /// <summary>The explicitness of DCI-ES: how little depth of trees the factors take to read.</summary>
    public required Score DciExplicitness { get; init; }

    /// <summary>The size of DCI-ES: true factors over factors of the code, at most 1.</summary>
    public required Score DciSize { get; init; }

    /// <summary>InfoMEC: how far each active factor of the code tells about one true factor only.</summary>
    public required Score InfoModularity { get; init; }

    /// <summary>InfoMEC: the share of the true factors' entropy that a linear classifier takes away.</summary>
    public required Score InfoExplicitness { get; init; }

    /// <summary>InfoMEC: how far each true factor is told by one factor of the code only.</summary>
    public required Score InfoCompactness { get; init; }

    /// <summary>Modularity: how far each factor of the code has information about one true factor only (M4).</summary>
    public required Score Modularity { get; init; }

    /// <summary>The score of the FactorVAE paper: how often the factor of least variance tells which true factor was held (M5).</summary>
    public required Score FactorVae { get; init; }

    /// <summary>The beta-VAE score (M6), from 0 to 1.</summary>
    public required Score BetaVae { get; init; }

    /// <summary>The mean correlation coefficient with the ordered factors; null where none has an order.</summary>
    public required Score? Mcc { get; init; }

    public static DisentanglementScores Compute(IBackend backend, LabelledCodes data, ulong seed)
    {
        var dci = Enumerable.Range(0, Score.Repeats).Select(i => Dci.Compute(data, seed + (ulong)i)).ToArray();
        var trees = Enumerable.Range(0, Score.Repeats).Select(i => DciTrees.Compute(data, seed + (ulong)i)).ToArray();
        var mec = Enumerable.Range(0, Score.Repeats).Select(i => InfoMec.Compute(data, seed + (ulong)i)).ToArray();
        return new()
        {
            Mig = Score.Over(seed, s => InformationMetrics.Mig(data, s)),
            MigSampled = data.LogVar.Length == 0 ? null : Score.Over(seed, s => InformationMetrics.MigSampled(backend, data, s)),
            Sap = Score.Over(seed, s => Disentanglement.Sap.Compute(data, s)),
            DciDisentanglement = Score.Over(seed, s => dci[(int)(s - seed)].Disentanglement),
            DciCompleteness = Score.Over(seed, s => dci[(int)(s - seed)].Completeness),
            DciInformativeness = Score.Over(seed, s => dci[(int)(s - seed)].Informativeness),
            DciTreesDisentanglement = Score.Over(seed, s => trees[(int)(s - seed)].Disentanglement),
            DciTreesCompleteness = Score.Over(seed, s => trees[(int)(s - seed)].Completeness),
            DciTreesInformativeness = Score.Over(seed, s => trees[(int)(s - seed)].Informativeness),
            DciExplicitness = Score.Over(seed, s => trees[(int)(s - seed)].Explicitness),
            DciSize = Score.Over(seed, _ => Math.Min(1, (double)data.FactorCount / data.CodeSize)),
            InfoModularity = Score.Over(seed, s => mec[(int)(s - seed)].Modularity),
            InfoExplicitness = Score.Over(seed, s => mec[(int)(s - seed)].Explicitness),
            InfoCompactness = Score.Over(seed, s => mec[(int)(s - seed)].Compactness),
            Modularity = Score.Over(seed, s => InformationMetrics.Modularity(data, s)),
            FactorVae = Score.Over(seed, s => FactorVaeScore.Compute(data, s)),
            BetaVae = Score.Over(seed, s => BetaVaeScore.Compute(data, s)),
            Mcc = Enumerable.Range(0, data.FactorCount).All(f => data.Categorical[f] || data.Factor(f).Distinct().Count() < 2) ? null
                : Score.Over(seed, s => Disentanglement.Mcc.Compute(data, s)),
        };
    }
}
