using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>Everything that is measured of a trained model on one split.</summary>
/// <param name="Mixture">The estimates that do not assume a Gaussian aggregate posterior.</param>
public sealed record EvaluationResult(RunConfiguration Configuration, string Split, Likelihoods Likelihoods, Encodings Encodings, Indicators Indicators, MixtureInformation Mixture)
{
    /// <summary>Below this total information (nats) a run has collapsed: the decoder ignores the code.</summary>
    public const double CollapsedBelow = 0.5;

    public bool Collapsed => Indicators.Information < CollapsedBelow;

    public static EvaluationResult Compute(VaeModel model, ImageDataset dataset, RunConfiguration configuration)
    {
        using var evaluator = new Evaluator(model, dataset, configuration);
        var likelihoods = evaluator.Likelihoods();
        var encodings = evaluator.Encode();
        var backend = model.Compute.Backend;
        return new(configuration, dataset.Split, likelihoods, encodings, Indicators.Compute(backend, encodings), MixtureInformation.Compute(backend, encodings, configuration.Seed));
    }

    /// <summary>The contents of evaluation.json. Information in nats, squared error per image; null where the model does not define a value.</summary>
    /// <exception cref="EstimatorException">A value is not finite.</exception>
    public JsonObject ToJson()
    {
        bool bernoulli = Configuration.Noise == "bernoulli";
        var json = new JsonObject
        {
            ["model"] = Configuration.Model,
            ["data"] = Configuration.Data,
            ["split"] = Split,
            ["images"] = Likelihoods.Images,
            ["nll_nats"] = Likelihoods.Nll,
            ["kl_nats"] = Likelihoods.Kl,
            ["evlb_nats"] = Likelihoods.Evlb,
            ["bce_nats"] = bernoulli ? Likelihoods.Nll : null,
            ["sigma2"] = Likelihoods.Variance,
            ["squared_error"] = Likelihoods.SquaredError,
            ["mi_nats"] = Indicators.Information,
            ["mi_points"] = Indicators.Points,
            ["mi_mixture_nats"] = Mixture.Information.Value,
            ["mi_mixture_standard_error"] = Mixture.Information.StandardError,
            ["mixture_points"] = Mixture.Points,
            ["total_correlation_nats"] = Mixture.TotalCorrelation.Value,
            ["influential_factors"] = Indicators.InfluentialFactors,
            ["normal_variance_factors"] = Indicators.NormalVarianceFactors,
            ["active_units"] = Indicators.ActiveUnits,
            ["dtilde_nats"] = Indicators.Dtilde,
            ["d4_nats"] = Indicators.D4,
            ["d5_nats"] = Indicators.D5,
            ["mi_category_nats"] = null,
            ["mi_joint_nats"] = null,
            ["total_correlation_joint_nats"] = null,
            ["accuracy"] = null,
            ["cluster_accuracy"] = null,
            ["mi_label_nats"] = null,
            ["test_error"] = null,
        };
        foreach (var (key, value) in json)
            if (value is JsonValue number && number.TryGetValue(out double d) && !double.IsFinite(d))
                throw new EstimatorException($"evaluation: {key} is {d}; the model's weights or the data are damaged");
        return json;
    }

    public void Save(RunDirectory run)
    {
        AtomicFile.WriteText(run.EvaluationFile, ToJson().ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
        AtomicFile.WriteText(run.File("influence.csv"), WriteInfluence);
    }

    /// <summary>The table of factors, most informative first.</summary>
    private void WriteInfluence(TextWriter to)
    {
        to.Write("factor,mi_nats,mi_centred_nats,mi_mixture_nats,aggregate_variance,kl_nats,mean_variance,influential\n");
        foreach (var f in Indicators.Ranked)
            to.Write(string.Create(CultureInfo.InvariantCulture,
                $"{f.Factor},{f.Information:G9},{f.CentredInformation:G9},{Mixture.Factors[f.Factor].Information.Value:G9},{f.AggregateVariance:G9},{f.Kl:G9},{f.MeanVariance:G9},{(f.Influential ? "true" : "false")}\n"));
    }
}
