using System.Globalization;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli;

/// <summary>What results look like on a console.</summary>
internal static class ResultTables
{
    private const int FactorsShown = 15;
    private const int WidestBar = 30;
    private const int NarrowestBar = 6;

    /// <summary>What the table of factors needs beside the bars.</summary>
    private const int OtherColumns = 70;

    public static void Print(Output output, EvaluationResult result)
    {
        output.Line();
        Ranking(output, result.Factors);
        Likelihood(output, result);
        Totals(output, result.Factors, result.StandardPrior);
        if (result.Category is { } category)
            Category(output, category, result.Mixture);
        if (result.Collapsed)
            Output.Warn(CollapseAdvice(result.Indicators));
    }

    /// <summary>What to tell the user of a model whose decoder ignores the code.</summary>
    public static string CollapseAdvice(Indicators indicators) => string.Create(CultureInfo.InvariantCulture,
        $"the model has collapsed: its code carries {indicators.Information:F2} nats about the images, so the decoder ignores it. Try a smaller --beta, --set kl_warm_up_epochs=2, or a smaller --set noise_maximum_change");

    /// <summary>Factors by information, with a bar beside each.</summary>
    public static void Ranking(Output output, FactorTable factors)
    {
        var ranked = factors.Indicators.Ranked;
        double largest = Math.Max(ranked[0].Information, 1e-9);
        int barWidth = Math.Clamp(output.Width - OtherColumns, NarrowestBar, WidestBar);
        string[] mixtureColumn = factors.Mixture is null ? [] : ["mixture (I6)"];
        output.Table(["factor", "nats (I2)", .. mixtureColumn, "mean variance", "aggregate", ""], ranked.Take(FactorsShown).Select(f => (IReadOnlyList<string>)
        [
            f.Factor.ToString(CultureInfo.InvariantCulture), Number(f.Information, "F3"), .. factors.Mixture is { } m ? [Number(m.Factors[f.Factor].Information.InRange, "F3")] : (string[])[],
            Number(f.MeanVariance, "F4"), Number(f.AggregateVariance, "F3"), output.Bar(f.Information / largest, barWidth),
        ]));
        if (ranked.Count > FactorsShown)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"and {ranked.Count - FactorsShown} more {(ranked.Count == FactorsShown + 1 ? "factor" : "factors")} with {ranked.Skip(FactorsShown).Sum(f => f.Information):F3} nats in all"));
        output.Line();
    }

    /// <summary>What all factors carry together.</summary>
    /// <param name="standardPrior">Whether the KL's parts (D1) to (D6), which refer to N(0, I), are shown.</param>
    public static void Totals(Output output, FactorTable factors, bool standardPrior = true)
    {
        var i = factors.Indicators;
        output.Line(string.Create(CultureInfo.InvariantCulture, $"information        {i.Information:F3} nats by (I2), an upper bound, from {i.Points} points"));
        if (factors.Mixture is { } m)
        {
            output.Line(string.Create(CultureInfo.InvariantCulture, $"                   {m.Information.Value:F3} nats (standard error {m.Information.StandardError:G2}) by the mixture of {m.Points} encodings (X1), which cannot exceed {m.Ceiling:F3}"));
            output.Line(string.Create(CultureInfo.InvariantCulture, $"total correlation  {m.TotalCorrelation.InRange:F3} nats (standard error {m.TotalCorrelation.StandardError:G2}) (X3)"));
        }
        if (standardPrior)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"mean KL            {i.Dtilde:F3} nats (D1) = {i.D6:F3} about the image (D6) + {i.D5:F3} of the aggregate posterior to the prior (D5)"));
        output.Line($"influential        {i.InfluentialFactors} of {i.Factors.Count} factors have more than {Number(FactorIndicators.InfluentialInformation, "0.#")} nats{(standardPrior ? $"; {i.NormalVarianceFactors} have an aggregate variance near 1" : "")}; {i.ActiveUnits} active units (M8)");
    }

    /// <summary>What the category says about the image, and how it meets the labels.</summary>
    private static void Category(Output output, CategoryResult category, MixtureInformation mixture)
    {
        var information = category.Information.Information;
        output.Line(string.Create(CultureInfo.InvariantCulture, $"category           {information.Value:F3} nats about the image (C3), of at most {information.Ceiling:F3}"));
        if (mixture.Joint is { } joint)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"with the factors   {joint.Information.Value:F3} nats by the mixture of {mixture.Points} encodings (X3); total correlation {joint.TotalCorrelation.InRange:F3} nats"));
        if (category.Labels is { } labels)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"labels found       {labels.ClusterAccuracy:F4} one-to-one (S3), {labels.Accuracy:F4} by the commonest label; the category says {labels.Table.MutualInformation().Value:F3} nats about the label"));
    }

    /// <summary>The table of reduced reconstructions.</summary>
    public static void Print(Output output, ReducedTable reduced, int latents)
    {
        output.Line();
        output.Table(["top %", "factors", "nats (I2)", "squared error"], reduced.Rows.Select(r => (IReadOnlyList<string>)
        [
            Number(r.Kept.Percent, "0.###"), $"{r.Kept.Factors.Count} of {latents}", Number(r.Kept.Information, "F3"), Number(r.SquaredError, "F3"),
        ]));
    }

    /// <summary>The bound on what the decoder's output says about the code, beside what the code says about the data.</summary>
    public static void Print(Output output, CodeBound bound)
    {
        output.Line();
        if (bound.Bound.Category is { } category)
        {
            output.Line(string.Create(CultureInfo.InvariantCulture, $"bound on I(c; x')  {category.Value:F3} nats (standard error {category.StandardError:G2}) for the category and the decoder's output (Q1)"));
            output.Line(string.Create(CultureInfo.InvariantCulture, $"I(x; c)            {bound.CategoryInformation!.Value.Value:F3} nats between the category and the data (C3): another quantity, which the bound may exceed"));
        }
        if (bound.Bound.Factors is { } factors)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"bound on I(z; x')  {factors.Value:F3} nats (standard error {factors.StandardError:G2}) for factor{(bound.Chosen.Count > 1 ? "s" : "")} {string.Join(", ", bound.Chosen)}{(bound.Sampled ? "" : "; x' is the decoder's mean, of which the information of a continuous code has no limit")}"));
        output.Line($"                   x' {(bound.Sampled ? "drawn from p(x|z)" : "the decoder's mean")}; Q fitted on {bound.FittingImages} training images, {bound.Bound.Passes} passes; measured on {bound.Points} test images");
    }

    /// <summary>The table of accuracies.</summary>
    public static void Print(Output output, ClassificationTable table, int latents)
    {
        output.Line();
        output.Table(["top %", "factors", "nats (I2)", "train accuracy", "test accuracy"], table.Rows.Select(r => (IReadOnlyList<string>)
        [
            Number(r.Kept.Percent, "0.###"), $"{r.Kept.Factors.Count} of {latents}", Number(r.Kept.Information, "F3"), Number(r.TrainAccuracy, "F4"), Number(r.TestAccuracy, "F4") + (table.Repeats > 1 ? " +- " + Number(r.TestDeviation, "F4") : ""),
        ]));
        string each = table.Repeats > 1 ? $"mean and standard deviation of {table.Repeats} classifiers a row, " : "";
        output.Line(string.Create(CultureInfo.InvariantCulture, $"{each}trained on {table.TrainSequences}, tested on {table.TestSequences}; the most frequent class is {table.MostFrequent:F4} of the latter"));
    }

    private static void Likelihood(Output output, EvaluationResult result)
    {
        var l = result.Likelihoods;
        output.Line(result.Evlb is { } evlb
            ? string.Create(CultureInfo.InvariantCulture, $"EVLB               {evlb:F2} nats per image = -(NLL {l.Nll:F2} + KL {l.Kl:F2}), {l.Images} {result.Split} images")
            : string.Create(CultureInfo.InvariantCulture, $"EVLB               none: noise {result.Configuration.Noise} is no likelihood; its term {l.Nll:F2}, KL {l.Kl:F2}, {l.Images} {result.Split} images"));
        if (result.Importance is { } importance)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"NLL                {importance.Nll:F2} nats per image by {importance.Samples} importance samples (M7)"));
        output.Line(string.Create(CultureInfo.InvariantCulture, $"squared error      {l.SquaredError:F3} per image{(l.Variance is { } v ? $"; sigma^2 {v:G4}" : "")}{Beta(result.Configuration)}"));
        if (l.ClassificationError is { } error)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"test error         {100 * error:F2} % of {l.Images} {result.Split} images; {(result.Configuration.Labels == 0 ? "all" : result.Configuration.Labels)} training labels"));
        if (result.Designed is { } designed)
            Print(output, designed);
        foreach (var component in result.NoiseComponents)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"noise component    weight {component.Weight:F4}, sigma^2 {component.Variance:G4}"));
    }

    private static void Print(Output output, DesignedLatents designed)
    {
        if (designed.Similarity is { } ssim)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"negative SSIM      {ssim.Negative:F4} of {designed.Images} images decoded from {(designed.Grid ? "a grid over the design" : "codes of the prior")} (G7), {ssim.NegativeWithoutSelf:F4} without self-pairs; data range 1"));
        var activated = designed.Activated;
        string f = string.Join(' ', Enumerable.Range(0, activated.Classes).Select(k => activated.ByF(k).Length)), v = string.Join(' ', Enumerable.Range(0, activated.Classes).Select(k => activated.ByVNat(k).Length));
        output.Line(string.Create(CultureInfo.InvariantCulture, $"activated factors  by class {f} of {activated.Factors} with F above {ActivatedSubspace.FThreshold}; {v} with V-nat above {ActivatedSubspace.VNatThreshold} (G6)"));
        output.Line(string.Create(CultureInfo.InvariantCulture, $"bound of Theorem 1 exceeds the KL by {designed.Slack:F3} nats (it may not: it assumes that each class has the prior's mean and variance)"));
    }

    /// <summary>The weight that the KL had in training, for models that have one: the EVLB is with weight 1 whatever it was.</summary>
    private static string Beta(RunConfiguration c) => ModelCatalogue.Find(c.Model).Options.Contains("beta") ? string.Create(CultureInfo.InvariantCulture, $"; trained with beta {c.Beta:G4}") : "";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
