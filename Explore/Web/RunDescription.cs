using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Explore.Runs;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Explore.Web;

/// <summary>What the page has to know of a run before it draws anything.</summary>
internal static class RunDescription
{
    public static JsonNode Describe(HostedRun run, HttpContext context)
    {
        var (model, configuration, test) = (run.Model, run.Configuration, run.Test);
        var summary = RunSummary.Read(run.Entry);
        return new JsonObject
        {
            ["id"] = run.Entry.Id,
            ["title"] = configuration.Model.Title,
            ["paper"] = configuration.Model.Paper,
            ["equation"] = configuration.Model.Equation,
            ["data"] = configuration.Data.Name,
            ["state"] = summary.State,
            ["epochs"] = configuration.Training.Epochs,
            ["epochsDone"] = summary.EpochsDone,
            ["stamp"] = run.Weights.Written.Ticks.ToString(CultureInfo.InvariantCulture),
            ["height"] = model.Image.Height,
            ["width"] = model.Image.Width,
            ["channels"] = model.Image.Channels,
            ["latents"] = model.Latents,
            ["categories"] = model.Categories,
            ["images"] = test.Count,
            ["classes"] = test.Classes,
            ["labels"] = test.Labels is null ? null : Convert.ToBase64String(test.Labels),
            ["known"] = test.Factors is { } truth ? new JsonArray([.. truth.Names.Select(name => JsonValue.Create(name))]) : null,
            ["noise"] = model.Noise.Name,
            ["variance"] = Answer.Finite(model.Noise.Variance),
            ["beta"] = configuration.Value("beta") is double beta ? beta : null,
            ["design"] = model is IHasDesign design ? new JsonObject
            {
                ["centres"] = new JsonArray([.. design.Design.Centres.Select(centre => Answer.Numbers(centre))]),
                ["variances"] = new JsonArray([.. design.Design.Variances.Select(variance => Answer.Numbers(variance))]),
            } : null,
            ["factors"] = Stored(RunDirectory.Open(run.Entry.Path), model.Latents),
            ["information"] = summary.Measured("mi_nats"),
            ["mixtureInformation"] = summary.Measured("mi_mixture_nats"),
            ["mixturePoints"] = summary.Measured("mixture_points"),
            ["totalCorrelation"] = summary.Measured("total_correlation_nats"),
            ["influential"] = summary.Measured("influential_factors"),
            ["evlb"] = summary.Measured("evlb_nats"),
        };
    }

    /// <summary>influence.csv as the run's evaluation left it; null where there is none, or one of another number of factors.</summary>
    private static JsonArray? Stored(RunDirectory directory, int latents)
    {
        if (!File.Exists(directory.InfluenceFile))
            return null;
        using var text = new StreamReader(directory.InfluenceFile);
        var records = Csv.Read(text, directory.InfluenceFile).ToArray();
        if (records.Length != latents + 1)
            return null;
        string[] names = records[0].Cells;
        return [.. records.Skip(1).Select(record => Row(name => Cell(record.Cells, Array.IndexOf(names, name))))];
    }

    /// <summary>The same from moments, without the mixture estimate, which takes long.</summary>
    public static JsonNode Measured(Indicators indicators) =>
        new JsonArray([.. indicators.Ranked.Select(f => (JsonNode)Row(name => name switch
    {
        "factor" => f.Factor,
        "mi_nats" => f.Information,
        "mi_centred_nats" => f.CentredInformation,
        "aggregate_variance" => f.AggregateVariance,
        "mean_variance" => f.MeanVariance,
        "kl_nats" => f.Kl,
        _ => null,
    }))]);

    /// <summary>
    /// The label of every test image by a factor that the images were made from: its index as a byte for each image, and how
    /// many values it takes.
    /// </summary>
    public static JsonNode Known(HostedRun run, HttpContext context)
    {
        var truth = run.Test.Factors ?? throw Answer.Bad("the factors of these images are not known");
        int factor = Answer.Number(context, "factor", 0, truth.Factors - 1);
        byte[] classes = [.. Enumerable.Range(0, run.Test.Count).Select(i =>
            (byte)Math.Min(255, truth.Classes[i * truth.Factors + factor]))];
        return new JsonObject
        {
            ["name"] = truth.Names[factor],
            ["size"] = truth.Sizes[factor],
            ["labels"] = Convert.ToBase64String(classes)
        };
    }

    private static JsonObject Row(Func<string, double?> value) => new()
    {
        ["factor"] = (int)(value("factor") ?? 0),
        ["information"] = Answer.Finite(value("mi_nats")),
        ["centred"] = Answer.Finite(value("mi_centred_nats")),
        ["mixture"] = Answer.Finite(value("mi_mixture_nats")),
        ["aggregateVariance"] = Answer.Finite(value("aggregate_variance")),
        ["meanVariance"] = Answer.Finite(value("mean_variance")),
        ["kl"] = Answer.Finite(value("kl_nats")),
    };

    private static double? Cell(string[] cells, int column) =>
        column >= 0 && column < cells.Length && double.TryParse(cells[column], NumberStyles.Float, CultureInfo.InvariantCulture,
            out double value) ? value : null;
}
