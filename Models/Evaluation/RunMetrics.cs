using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>How thoroughly to measure.</summary>
/// <param name="SsimImages">Images whose pairs are compared; the work grows with the square. 0 leaves SSIM out.</param>
/// <param name="ImportanceSamples">S of (M7); 0 leaves it out.</param>
internal sealed record MetricsOptions(int SsimImages = 500, int ImportanceSamples = 0);

/// <summary>
/// (M1)-(M6) of a code, with every known factor and, where some have no order, with the ordered ones alone: published tables differ in
/// this.
/// </summary>
/// <param name="Factors">The known factors' names.</param>
/// <param name="Points">Images behind the codes.</param>
internal sealed record FactorScores(IReadOnlyList<string> Factors, int Points, DisentanglementScores Scores)
{
    /// <summary>The scores with the names of JSON, in the order of the equations; null for one that could not be taken.</summary>
    public IEnumerable<(string Key, Score? Score)> All =>
    [
        ("mig", Scores.Mig), ("mig_sampled", Scores.MigSampled), ("sap", Scores.Sap), ("dci_disentanglement", Scores.DciDisentanglement),
        ("dci_completeness", Scores.DciCompleteness), ("dci_informativeness", Scores.DciInformativeness), ("modularity", Scores.Modularity),
        ("factor_vae", Scores.FactorVae), ("beta_vae", Scores.BetaVae), ("mcc", Scores.Mcc),
        ("dci_trees_disentanglement", Scores.DciTreesDisentanglement), ("dci_trees_completeness", Scores.DciTreesCompleteness),
        ("dci_trees_informativeness", Scores.DciTreesInformativeness), ("dci_explicitness", Scores.DciExplicitness), ("dci_size",
            Scores.DciSize),
        ("info_modularity", Scores.InfoModularity), ("info_explicitness", Scores.InfoExplicitness), ("info_compactness",
            Scores.InfoCompactness),
    ];

    public JsonObject ToJson()
    {
        var json = new JsonObject { ["factors"] = new JsonArray([.. Factors.Select(name => JsonValue.Create(name))]), ["points"] = Points };
        foreach (var (key, score) in All)
            json[key] = score is null ? null : new JsonObject
            {
                ["mean"] = score.Mean,
                ["half_width_95"] = score.HalfWidth,
                ["values"] = new JsonArray([.. score.Values.Select(v => JsonValue.Create(v))])
            };
        return json;
    }
}

/// <summary>What a trained model is judged by beside its likelihood bound and its information.</summary>
/// <param name="Split">The images it was measured on.</param>
/// <param name="SquaredError">Of the decoded mean, summed over pixels, per image.</param>
internal sealed record RunMetrics(string Split, int Images, double SquaredError, int ActiveUnits)
{
    /// <summary>With every known factor; null where the data have none.</summary>
    public FactorScores? Disentanglement { get; init; }

    /// <summary>With the ordered factors alone; null where all have an order or there are none.</summary>
    public FactorScores? OrderedFactors { get; init; }

    /// <summary>Mean SSIM of images and their reconstructions, data range 1; null when it was left out.</summary>
    public double? ReconstructionSsim { get; init; }

    /// <summary>(G7) of images decoded from the prior; null when it was left out.</summary>
    public SsimOfSet? SampleSsim { get; init; }

    /// <summary>Images behind both SSIM values.</summary>
    public int SsimImages { get; init; }

    /// <summary>What the category turned out to mean; null for models without one.</summary>
    public CategoryResult? Category { get; init; }

    /// <summary>NLL by importance sampling, nats per image (M7), and S; null when it was left out.</summary>
    public (double Nll, int Samples)? Importance { get; init; }

    /// <summary>Keeps the draws from the prior apart from other uses of the seed ("ssim" in ASCII).</summary>
    private const uint PriorStream = 0x7373696d;

    private const int DecodedAtOnce = 250;

    /// <exception cref="OptionException">Likelihood samples were asked for and the noise defines no likelihood.</exception>
    /// <param name="train">The training images, from which categories get their labels.</param>
    public static RunMetrics Compute(VaeModel model, ImageDataset dataset, ImageDataset train, RunConfiguration configuration,
        MetricsOptions options)
    {
        using var evaluator = new Evaluator(model, dataset, configuration);
        var encodings = evaluator.Encode();
        var backend = model.Compute.Backend;
        var metrics = new RunMetrics(dataset.Split, dataset.Count, evaluator.Likelihoods().SquaredError,
            Indicators.Compute(backend, encodings).ActiveUnits)
        {
            Category = model.Categories > 0 ? CategoryResult.Compute(encodings, Encode(model, train, configuration)) : null,
            Importance = options.ImportanceSamples > 0 ? (evaluator.ImportanceNll(options.ImportanceSamples), options.ImportanceSamples)
                : null,
        };
        if (options.SsimImages > 1 && dataset.Columns is null)
            metrics = metrics.WithSsim(model, dataset, encodings, configuration.Training.Seed, Math.Min(options.SsimImages, dataset.Count));
        if (dataset.Factors is not { } truth)
            return metrics;
        var codes = new LabelledCodes(dataset.Count, encodings.Mu, truth.Classes, truth.Categorical, encodings.LogVar,
            encodings.Probabilities);
        int[] ordered = [.. Enumerable.Range(0, truth.Factors).Where(f => !truth.Categorical[f])];
        return metrics with
        {
            Disentanglement = new(truth.Names, dataset.Count, DisentanglementScores.Compute(backend, codes, configuration.Training.Seed)),
            OrderedFactors = ordered.Length == truth.Factors || ordered.Length == 0 ? null
                : new([.. ordered.Select(f => truth.Names[f])], dataset.Count,
                    DisentanglementScores.Compute(backend, codes.WithFactors(ordered), configuration.Training.Seed)),
        };
    }

    /// <summary>The contents of metrics.json; null for what the data do not define or what was not asked for.</summary>
    public JsonObject ToJson() => new()
    {
        ["split"] = Split,
        ["images"] = Images,
        ["squared_error"] = SquaredError,
        ["active_units"] = ActiveUnits,
        ["nll_importance_nats"] = Importance?.Nll,
        ["importance_samples"] = Importance?.Samples,
        ["cluster_accuracy"] = Category?.Labels?.ClusterAccuracy,
        ["accuracy"] = Category?.Labels?.Accuracy,
        ["ssim_images"] = SsimImages == 0 ? null : SsimImages,
        ["ssim_reconstruction"] = ReconstructionSsim,
        ["negative_ssim"] = SampleSsim?.Negative,
        ["negative_ssim_without_self"] = SampleSsim?.NegativeWithoutSelf,
        ["disentanglement"] = Disentanglement?.ToJson(),
        ["disentanglement_ordered"] = OrderedFactors?.ToJson(),
    };

    private static Encodings Encode(VaeModel model, ImageDataset dataset, RunConfiguration configuration)
    {
        using var evaluator = new Evaluator(model, dataset, configuration);
        return evaluator.Encode();
    }

    private RunMetrics WithSsim(VaeModel model, ImageDataset dataset, Encodings encodings, ulong seed, int images)
    {
        var ssim = new Ssim(dataset.Height, dataset.Width, dataset.Channels, range: 1);
        var originals = dataset.ToFloats(0, images);
        var reconstructed = Decode(model, Evaluator.MeanCodes(model, encodings, images));
        int pixels = dataset.PixelsPerImage;
        double similarity = Enumerable.Range(0, images)
            .Average(i => ssim.Compare(originals.AsSpan(i * pixels, pixels), reconstructed.AsSpan(i * pixels, pixels)));
        using var rng = new Rng(model.Compute, seed, PriorStream);
        using var tape = model.Compute.Tape(gradients: false);
        var samples = Decode(model, model.PriorCodes(images, rng).ToArray());
        return this with { SsimImages = images, ReconstructionSsim = similarity, SampleSsim = ssim.OfSet(samples) };
    }

    private static float[] Decode(VaeModel model, float[] codes)
    {
        int step = DecodedAtOnce * model.CodeLength;
        var images = new List<float>();
        for (int from = 0; from < codes.Length; from += step)
            images.AddRange(Evaluator.Decode(model, codes[from..Math.Min(codes.Length, from + step)]));
        return [.. images];
    }
}
