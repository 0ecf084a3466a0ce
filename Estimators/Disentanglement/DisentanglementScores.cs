using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Disentanglement;

/// <summary>(M1)-(M6) of one set of codes, each over five seeds.</summary>
public sealed record DisentanglementScores
{
    /// <summary>(M1), histogram of means.</summary>
    public required Score Mig { get; init; }

    /// <summary>(M1), sampled codes; null without log variances.</summary>
    public required Score? MigSampled { get; init; }

    /// <summary>(M2).</summary>
    public required Score Sap { get; init; }

    /// <summary>(M3).</summary>
    public required Score DciDisentanglement { get; init; }

    /// <summary>(M3).</summary>
    public required Score DciCompleteness { get; init; }

    /// <summary>(M3).</summary>
    public required Score DciInformativeness { get; init; }

    /// <summary>(M4).</summary>
    public required Score Modularity { get; init; }

    /// <summary>(M5).</summary>
    public required Score FactorVae { get; init; }

    /// <summary>(M6).</summary>
    public required Score BetaVae { get; init; }

    public static DisentanglementScores Compute(IBackend backend, LabelledCodes data, ulong seed)
    {
        var dci = Enumerable.Range(0, Score.Repeats).Select(i => Dci.Compute(data, seed + (ulong)i)).ToArray();
        return new()
        {
            Mig = Score.Over(seed, s => InformationMetrics.Mig(data, s)),
            MigSampled = data.LogVar.Length == 0 ? null : Score.Over(seed, s => InformationMetrics.MigSampled(backend, data, s)),
            Sap = Score.Over(seed, s => Disentanglement.Sap.Compute(data, s)),
            DciDisentanglement = Score.Over(seed, s => dci[(int)(s - seed)].Disentanglement),
            DciCompleteness = Score.Over(seed, s => dci[(int)(s - seed)].Completeness),
            DciInformativeness = Score.Over(seed, s => dci[(int)(s - seed)].Informativeness),
            Modularity = Score.Over(seed, s => InformationMetrics.Modularity(data, s)),
            FactorVae = Score.Over(seed, s => FactorVaeScore.Compute(data, s)),
            BetaVae = Score.Over(seed, s => BetaVaeScore.Compute(data, s)),
        };
    }
}
