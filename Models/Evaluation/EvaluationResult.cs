using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Distributed;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>Everything that is measured of a trained model on one split.</summary>
/// <param name="Mixture">The estimates that do not assume a Gaussian aggregate posterior.</param>
public sealed record EvaluationResult(RunConfiguration Configuration, string Split, Likelihoods Likelihoods, Encodings Encodings,
    Indicators Indicators, MixtureInformation Mixture)
{
    /// <summary>Below this total information (nats) a run has collapsed: the decoder ignores the code.</summary>
    public const double CollapsedBelow = 0.5;

    public FactorTable Factors => new(Indicators, Mixture);

    public bool Collapsed => Indicators.Information < CollapsedBelow;

    /// <summary>What to try where it has.</summary>
    public string CollapseAdvice
    {
        get
        {
            string[] tries =
            [
                .. Configuration.Value("beta") is null ? [] : (string[])["a smaller --beta"],
                .. Configuration.Value("kl_warm_up_epochs") is null ? [] : (string[])["--kl-warm-up-epochs 2"],
                .. Configuration.Noise is { Noise.IsLearned: true, NoiseUpdate: NoiseUpdate.ClosedForm }
                    && ImageShape.TryParse(Configuration.Image)?.Table is not { Numbers: 0 }
                    ? (string[])["a smaller --noise-maximum-change"] : [],
                "more --epochs",
            ];
            return string.Create(CultureInfo.InvariantCulture,
                $"the model has collapsed: its code carries {Indicators.Information:F2} nats about the {Configuration.Item}s, so the ")
                + $"decoder ignores it; try {string.Join(" or ", tries)}";
        }
    }

    /// <summary>What the category turned out to mean; null where the model has none.</summary>
    public CategoryResult? Category { get; init; }

    /// <summary>The components of a mixture of noise; none elsewhere.</summary>
    public IReadOnlyList<NoiseComponent> NoiseComponents { get; init; } = [];

    /// <summary>Whether the noise model defines a likelihood: without one there is no EVLB.</summary>
    public bool HasLikelihood { get; init; } = true;

    /// <summary>-(NLL + KL), nats per image (V5); null without a likelihood.</summary>
    public double? Evlb => HasLikelihood ? Likelihoods.Evlb : null;

    /// <summary>
    /// NLL by importance sampling, nats per image (M7), and the samples S it was made with; null when it was not asked for.
    /// </summary>
    public (double Nll, int Samples)? Importance { get; init; }

    /// <summary>What a latent space with designed classes looks like; null for other models.</summary>
    internal DesignedLatents? Designed { get; init; }

    /// <summary>Whether p(z) is N(0, I), to which the parts (D1) to (D5) of the KL refer.</summary>
    public bool StandardPrior { get; init; } = true;

    /// <param name="train">The training images, from which categories get their labels; null to do without.</param>
    /// <param name="importanceSamples">S of (M7); 0 to leave it out.</param>
    public static EvaluationResult Compute(VaeModel model, ImageDataset dataset, RunConfiguration configuration, ImageDataset? train = null,
        int importanceSamples = 0) => Compute(model, dataset, configuration, train, importanceSamples, stored: null);

    /// <param name="stored">Where the mixture estimate is kept; null to compute it in any case.</param>
    /// <param name="ranks">The processes that share the passes over the sets; the others call <see cref="Help"/>.</param>
    /// <inheritdoc cref="Compute(VaeModel, ImageDataset, RunConfiguration, ImageDataset?, int)"/>
    internal static EvaluationResult Compute(VaeModel model, ImageDataset dataset, RunConfiguration configuration, ImageDataset? train,
        int importanceSamples, StoredMixture? stored, ICollective? ranks = null)
    {
        using var evaluator = new Evaluator(model, dataset, configuration) { Ranks = ranks ?? SingleProcess.Instance };
        var (likelihoods, encodings, ofTrain) = Shared(evaluator, model, configuration, train);
        var backend = model.Compute.Backend;
        return new(configuration, dataset.Split, likelihoods, encodings, Indicators.Compute(backend, encodings),
            stored?.Compute(backend, encodings, configuration.Training.Seed)
                ?? MixtureInformation.Compute(backend, encodings, configuration.Training.Seed))
        {
            Category = CategoryResult.Compute(encodings, ofTrain),
            NoiseComponents = model.Noise.Components,
            HasLikelihood = model.Noise.IsLikelihood,
            StandardPrior = model.HasStandardPrior,
            Designed = DesignedLatents.Measure(model, evaluator, likelihoods, configuration),
            Importance = importanceSamples > 0 ? (evaluator.ImportanceNll(importanceSamples), importanceSamples) : null,
        };
    }

    /// <summary>
    /// The contents of evaluation.json. Information in nats, squared error per image; null where the model does not define a value.
    /// </summary>
    /// <exception cref="EstimatorException">A value is not finite.</exception>
    public JsonObject ToJson()
    {
        bool bernoulli = Configuration.Noise.Noise.Name == "bernoulli";
        var json = new JsonObject
        {
            ["model"] = Configuration.Model.Name,
            ["data"] = Configuration.Data.Name,
            ["split"] = Split,
            ["images"] = Likelihoods.Images,
            ["nll_nats"] = Likelihoods.Nll,
            ["kl_nats"] = Likelihoods.Kl,
            ["evlb_nats"] = Evlb,
            ["nll_importance_nats"] = Importance?.Nll,
            ["importance_samples"] = Importance?.Samples,
            ["bce_nats"] = bernoulli ? Likelihoods.Nll : null,
            ["noise"] = Configuration.Noise.Noise.ToString(),
            ["sigma2"] = Likelihoods.Variance,
            ["noise_components"] = NoiseComponents.Count == 0 ? null
                : new JsonArray([.. NoiseComponents.Select(c => new JsonObject { ["weight"] = c.Weight, ["sigma2"] = c.Variance })]),
            ["squared_error"] = Likelihoods.SquaredError,
            ["mi_nats"] = Indicators.Information,
            ["mi_points"] = Indicators.Points,
            ["mi_mixture_nats"] = Mixture.Information.Value,
            ["mi_mixture_standard_error"] = Mixture.Information.StandardError,
            ["mixture_points"] = Mixture.Points,
            ["total_correlation_nats"] = Mixture.TotalCorrelation.Value,
            ["total_correlation_standard_error"] = Mixture.TotalCorrelation.StandardError,
            ["prior_kl_mixture_nats"] = Mixture.DimensionWiseKl,
            ["mi_centred_nats"] = Indicators.Factors.Sum(f => f.CentredInformation),
            ["mi_variance_ratio_nats"] = Indicators.Factors.Sum(f => f.VarianceRatioInformation),
            ["mi_factors_mixture_nats"] = Mixture.Factors.Sum(f => f.Information.Value),
            ["influential_factors"] = Indicators.InfluentialFactors,
            ["normal_variance_factors"] = StandardPrior ? Indicators.NormalVarianceFactors : null,
            ["active_units"] = Indicators.ActiveUnits,
            ["dtilde_nats"] = StandardPrior ? Indicators.Dtilde : null,
            ["d4_nats"] = StandardPrior ? Indicators.D4 : null,
            ["d5_nats"] = StandardPrior ? Indicators.D5 : null,
            ["mi_category_nats"] = Category?.Information.Information.Value,
            ["mi_joint_nats"] = Mixture.Joint?.Information.Value,
            ["total_correlation_joint_nats"] = Mixture.Joint?.TotalCorrelation.Value,
            ["accuracy"] = Category?.Labels?.Accuracy,
            ["cluster_accuracy"] = Category?.Labels?.ClusterAccuracy,
            ["mi_label_nats"] = Category?.Labels?.Table.MutualInformation().Value,
            ["test_error"] = Likelihoods.ClassificationError,
        };
        foreach (var (key, value) in Designed?.ToJson() ?? [])
            json[key] = value?.DeepClone();
        foreach (var (key, value) in json)
            if (value is JsonValue number && number.TryGetValue(out double d) && !double.IsFinite(d))
                throw new EstimatorException($"evaluation: {key} is {d}; the model's weights or the data are damaged");
        return json;
    }

    /// <summary>This rank's share of what rank 0 computes.</summary>
    internal static void Help(VaeModel model, ImageDataset dataset, RunConfiguration configuration, ImageDataset train, ICollective ranks)
    {
        using var evaluator = new Evaluator(model, dataset, configuration) { Ranks = ranks };
        Shared(evaluator, model, configuration, train);
    }

    /// <summary>What ranks share, in one order: the set's likelihoods and encodings, and with a category the training images'.</summary>
    private static (Likelihoods Likelihoods, Encodings Encodings, Encodings? OfTrain) Shared(Evaluator evaluator, VaeModel model,
        RunConfiguration configuration, ImageDataset? train)
    {
        var (likelihoods, encodings) = (evaluator.Likelihoods(), evaluator.Encode());
        if (model.Categories == 0 || train is null)
            return (likelihoods, encodings, null);
        using var ofTrain = new Evaluator(model, train, configuration) { Ranks = evaluator.Ranks };
        return (likelihoods, encodings, ofTrain.Encode());
    }

    public void Save(RunDirectory run)
    {
        AtomicFile.WriteText(run.EvaluationFile, ToJson().ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
        Factors.SaveCsv(run.InfluenceFile);
        Designed?.SaveCsv(run.File(DesignedLatents.FileName));
    }
}
