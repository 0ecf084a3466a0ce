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
        Totals(output, result.Factors, result.StandardPrior, result.Configuration.Item);
        if (result.Category is { } category)
            Category(output, category, result.Mixture, result.Configuration.Item);
        if (result.Collapsed)
            Output.Warn(result.CollapseAdvice);
    }

    /// <summary>Factors by information, with a bar beside each.</summary>
    public static void Ranking(Output output, FactorTable factors)
    {
        var ranked = factors.Indicators.Ranked;
        bool offCentre = factors.Indicators.IsOffCentre;
        double largest = Math.Max(ranked[0].Information, 1e-9);
        int barWidth = Math.Clamp(output.Width - OtherColumns, NarrowestBar, WidestBar);
        string[] mixtureColumn = factors.Mixture is { } of ? [Text($"mixture, at most {of.Ceiling:F2} (I6)")] : [],
            centredColumn = offCentre ? ["nats (I4)"] : [];
        output.Table(["factor", "nats (I2)", .. centredColumn, .. mixtureColumn, "mean variance", "aggregate", ""],
            ranked.Take(FactorsShown).Select(f => (IReadOnlyList<string>)
        [
            f.Factor.ToString(CultureInfo.InvariantCulture), Number(f.Information, "F3"), .. offCentre
                ? [Number(f.CentredInformation, "F3")] : (string[])[],
            .. factors.Mixture is { } m ? [Number(m.Factors[f.Factor].Information.InRange, "F3")] : (string[])[],
            Number(f.MeanVariance, "F4"), Number(f.AggregateVariance, "F3"), output.Bar(f.Information / largest, barWidth),
        ]));
        if (ranked.Count > FactorsShown)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"and {ranked.Count - FactorsShown} more {(ranked.Count == FactorsShown + 1 ? "factor" : "factors")} with "
                + $"{ranked.Skip(FactorsShown).Sum(f => f.Information):F3} nats in all"));
        output.Line();
    }

    /// <summary>For each attribute the factors that say most about it.</summary>
    public static void Print(Output output, IReadOnlyList<AttributeInformation> attributes)
    {
        output.Line("I(z_h; attribute), means in 20 bins, nats; the factors that say most");
        output.Table(["attribute", "entropy", "first", "second", "third"], attributes.Select(Row), textColumns: 1);
        output.Line();
    }

    /// <summary>An attribute, its entropy and the three factors that say most about it.</summary>
    public static IReadOnlyList<string> Row(AttributeInformation attribute) =>
    [
        attribute.Name, Number(attribute.Entropy, "F3"),
        .. attribute.Ranked.Take(3).Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Factor}: {f.Nats:F3}")).Concat(["",
            ""]).Take(3),
    ];

    /// <summary>What all factors carry together.</summary>
    /// <param name="standardPrior">Whether the KL's parts (D1) to (D6), which refer to N(0, I), are shown.</param>
    /// <param name="item">What is encoded, an image or a row.</param>
    public static void Totals(Output output, FactorTable factors, bool standardPrior = true, string item = "image")
    {
        var i = factors.Indicators;
        output.Line(Text($"information about the {item}, an upper bound: {i.Leading.Nats:F3} nats ")
            + Text($"from {i.Points} point{(i.Points == 1 ? "" : "s")} {(i.IsOffCentre ? "(I4)" : "(I2), (I3)")}"));
        if (i.IsOffCentre)
            output.Line(Text($"{i.Information:F3} nats where a mean other than 0 is counted as well (I2)"));
        if (i.Points == 1)
            Output.Note("one record has no information (ceiling ln 1 = 0): there is nothing to tell it from");
        if (factors.Mixture is { } m)
        {
            output.Line(Text(
                $"by the mixture of {Encodings(m)}: {m.Information.Value:F3} nats, standard error {m.Information.StandardError:G2}; {Ceiling(m)} (X1)"));
            output.Line(Text(
                $"total correlation of the factors: {m.TotalCorrelation.InRange:F3} nats, standard error {m.TotalCorrelation.StandardError:G2} (X3)"));
        }
        if (standardPrior)
            output.Line(Text(
                $"mean KL: {i.Dtilde:F3} nats = {i.D6:F3} about the {item} + {i.D5:F3} of the aggregate posterior to the prior (D1), (D6), (D5)"));
        output.Line(Text(
            $"{i.InfluentialFactors} of {i.Factors.Count} factors carry more than {FactorIndicators.InfluentialInformation:0.#} nats")
            + (standardPrior ? Text($"; {i.NormalVarianceFactors} have an aggregate variance near 1") : "")
                + Text($" (D8); {i.ActiveUnits} active units (M8)"));
    }

    private static string Encodings(MixtureInformation mixture) => Text($"{mixture.Points} encoding{(mixture.Points == 1 ? "" : "s")}");

    /// <summary>What no mixture of M encodings can exceed.</summary>
    private static string Ceiling(MixtureInformation mixture) => Text($"it cannot exceed log {mixture.Points} = {mixture.Ceiling:F3}");

    /// <summary>What the category says about the image, and how it meets the labels.</summary>
    private static void Category(Output output, CategoryResult category, MixtureInformation mixture, string item)
    {
        var information = category.Information.Information;
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"the category about the {item}: {information.Value:F3} nats; it cannot exceed {information.Ceiling:F3} (C3)"));
        if (mixture.Joint is { } joint)
            output.Line(Text(
                $"category and factors, by the mixture of {Encodings(mixture)}: {joint.Information.Value:F3} nats; {Ceiling(mixture)}; total correlation {joint.TotalCorrelation.InRange:F3} nats (X3)"));
        if (category.Labels is { } labels)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"labels found by the category: {labels.ClusterAccuracy:F4} of them one-to-one, {labels.Accuracy:F4} by the commonest label; {labels.Table.MutualInformation().Value:F3} nats about the label (S3)"));
    }

    /// <summary>The table of reduced reconstructions.</summary>
    public static void Print(Output output, ReducedTable reduced, int latents)
    {
        output.Line();
        output.Table(["top %", "factors", "nats (I2)", "squared error"], reduced.Rows.Select(r => (IReadOnlyList<string>)
        [
            Number(r.Kept.Percent, "0.###"), $"{r.Kept.Factors.Count} of {latents}", Number(r.Kept.Information, "F3"),
                Number(r.SquaredError, "F3"),
        ]));
    }

    /// <summary>The bound on what the decoder's output says about the code, beside what the code says about the data.</summary>
    public static void Print(Output output, CodeBound bound, string item)
    {
        output.Line();
        if (bound.Bound.Category is { } category)
        {
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"the category and the decoder's output, a lower bound: {category.Value:F3} nats, standard error "
                + $"{category.StandardError:G2} (Q1)"));
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"the category and the data: {bound.CategoryInformation!.Value.Value:F3} nats, another quantity, which the bound may "
                + $"exceed (C3)"));
        }
        if (bound.Bound.Factors is { } factors)
            output.Line(Text(
                $"the decoder's output and factor{(bound.Chosen.Count > 1 ? "s" : "")} {string.Join(", ", bound.Chosen)}, a lower bound: ")
                + Text($"{factors.Value:F3} nats, standard error {factors.StandardError:G2}")
                + (bound.Sampled ? "" : "; x' is the decoder's mean, of which the information of a continuous code has no limit")
                    + " (Q1)");
        output.Line($"there x' is {(bound.Sampled ? "drawn from p(x|z)" : "the decoder's mean")}; Q fitted on {bound.FittingImages} "
            + $"training {item}s, {bound.Bound.Passes} passes; measured on {bound.Points} test {item}s");
    }

    /// <summary>The table of accuracies.</summary>
    public static void Print(Output output, ClassificationTable table, int latents)
    {
        output.Line();
        output.Table(["top %", "factors", "nats (I2)", "train accuracy", "test accuracy"], table.Rows.Select(r => (IReadOnlyList<string>)
        [
            Number(r.Kept.Percent, "0.###"), $"{r.Kept.Factors.Count} of {latents}", Number(r.Kept.Information, "F3"), Number(
                r.TrainAccuracy, "F4"), Number(r.TestAccuracy, "F4") + (table.Repeats > 1 ? " +- " + Number(r.TestDeviation, "F4") : ""),
        ]));
        string each = table.Repeats > 1 ? $"mean and standard deviation of {table.Repeats} classifiers a row, " : "";
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"{each}trained on {table.TrainSequences}, tested on {table.TestSequences}; the most frequent class is "
            + $"{table.MostFrequent:F4} of the latter"));
    }

    private static void Likelihood(Output output, EvaluationResult result)
    {
        var (l, item) = (result.Likelihoods, result.Configuration.Item);
        output.Line(result.Evlb is { } evlb
            ? string.Create(CultureInfo.InvariantCulture,
            $"EVLB: {evlb:F2} nats per {item} = -(NLL {l.Nll:F2} + KL {l.Kl:F2}), from {l.Images} {result.Split} {item}s (V5)")
            : string.Create(CultureInfo.InvariantCulture,
                $"EVLB: none, noise {result.Configuration.Noise.Noise} is no likelihood; its term {l.Nll:F2}, KL {l.Kl:F2}, from "
                    + $"{l.Images} {result.Split} {item}s"));
        if (result.Importance is { } importance)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"NLL: {importance.Nll:F2} nats per {item} by {importance.Samples} importance samples (M7)"));
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"squared error: {l.SquaredError:F3} per {item}{(l.Variance is { } v ? $"; sigma^2 {v:G4}" : "")}"
                + $"{Beta(result.Configuration)}"));
        if (l.ClassificationError is { } error)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"test error: {100 * error:F2} % of {l.Images} {result.Split} {item}s; "
                    + $"{(result.Configuration.Value("labels") is int and > 0 and var labels ? labels : "all")} training labels"));
        if (result.Designed is { } designed)
            Print(output, designed);
        foreach (var component in result.NoiseComponents)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"noise component: weight {component.Weight:F4}, sigma^2 {component.Variance:G4}"));
    }

    private static void Print(Output output, DesignedLatents designed)
    {
        if (designed.Similarity is { } ssim)
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"negative SSIM: {ssim.Negative:F4} of {designed.Images} images decoded from "
                    + $"{(designed.Grid ? "a grid over the design" : "codes of the prior")}, {ssim.NegativeWithoutSelf:F4} without "
                    + $"self-pairs; data range 1 (G7)"));
        var activated = designed.Activated;
        string f = string.Join(' ', Enumerable.Range(0, activated.Classes).Select(k => activated.ByF(k).Length)),
            v = string.Join(' ', Enumerable.Range(0, activated.Classes).Select(k => activated.ByVNat(k).Length));
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"activated factors by class: {f} of {activated.Factors} with F above {ActivatedSubspace.FThreshold}; {v} with V-nat above "
            + $"{ActivatedSubspace.VNatThreshold} (G6)"));
        output.Line(string.Create(CultureInfo.InvariantCulture,
            $"bound of Theorem 1 exceeds the KL by {designed.Slack:F3} nats (it may not: it assumes that each class has the prior's mean "
            + $"and variance)"));
    }

    /// <summary>The weight that the KL had in training, for models that have one: the EVLB is with weight 1 whatever it was.</summary>
    private static string Beta(RunConfiguration c) => c.Value("beta") is double beta
        ? string.Create(CultureInfo.InvariantCulture, $"; trained with beta {beta:G4}") : "";

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
