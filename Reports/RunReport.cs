using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Zoo;

namespace VaeFromScratch.Reports;

/// <summary>report.html: one self-contained page about a trained run.</summary>
public sealed class RunReport(RunDirectory directory, VaeModel model, ImageDataset test, EvaluationResult result, ReducedTable reduced)
{
    private const int MostInformative = 8;
    private const int LeastInformative = 3;
    private const int FactorRows = 15;
    private const int StripImages = 11;
    private const double TraversalRange = 3;
    private const int StyleImages = 8;
    private const int CategoryTraversals = 3;
    private const double CategoryRange = 2;
    private const int MostColumns = 40, TableTraversals = 3;

    /// <summary>Rows of the reduced reconstruction that every report has, percent of the factors kept.</summary>
    public static double[] DefaultPercents { get; } = [100, 20, 10, 5, 0];

    private readonly RunConfiguration configuration = result.Configuration;
    private readonly Indicators indicators = result.Indicators;

    /// <summary>What an item is called, and what the terms of its likelihood are summed over.</summary>
    private readonly string item = result.Configuration.Item, parts = test.Columns is null ? "pixels" : "columns";

    private readonly Pictures pictures = new(model, result.Configuration);
    private readonly TableRows? rows = test.Columns is { } columns ? new(model, result.Configuration, columns) : null;

    /// <summary>Measures what the report needs beyond an evaluation, writes influence.svg, reduced.csv and report.html.</summary>
    public static ReducedTable Write(RunDirectory directory, VaeModel model, ImageDataset test, EvaluationResult result)
    {
        using var evaluator = new Evaluator(model, test, result.Configuration);
        var reduced = ReducedTable.Compute(evaluator, result.Encodings, result.Indicators, DefaultPercents);
        reduced.SaveCsv(directory.ReducedFile);
        Engine.IO.AtomicFile.WriteText(directory.File("influence.svg"), Charts.Spectrum(result.Factors).ToSvg());
        new RunReport(directory, model, test, result, reduced).Save();
        return reduced;
    }

    private void Save()
    {
        var metrics = MetricsTable.Read(directory.MetricsFile);
        string made = configuration.Started.Length >= 10 ? $"{configuration.Started[..10]}, " : "";
        var page = new HtmlPage($"{configuration.Model.Name} on {OwnFile.ShortName(configuration.Data.Name)}",
            $"{made}{configuration.Training.Epochs} {(configuration.Training.Epochs == 1 ? "epoch" : "epochs")}, "
                + $"{configuration.Network.Latents} factors, seed {configuration.Training.Seed}, on {configuration.Device}");
        Headline(page, metrics);
        if (metrics.Epochs > 0)
            page.Section("Training").Charts(Charts.Training(metrics, item));
        Information(page);
        Categories(page);
        Design(page);
        if (rows is not null)
            Columns(page, rows);
        else
            Traversals(page);
        Reduced(page);
        if (rows is null)
        {
            page.Section("Reconstructions").Figure(pictures.Reconstructions(test, 2 * StripImages, StripImages),
                "The first test images in file order; each row of originals stands above the row of their reconstructions, decoded from "
                + "the mean of q(z|x).");
            page.Section("Samples").Figure(pictures.Samples(4 * StripImages, StripImages),
                $"Decoded from codes drawn from the prior{(result.StandardPrior ? " N(0, I)" : "")} by the run's seed.");
        }
        NoiseComponents(page);
        Sources(page);
        page.Section("Configuration").Definitions(configuration.ToJsonObject()
            .Select(p => (p.Key, p.Value!.ToString() is "" ? "-" : p.Value.ToString())));
        page.Save(directory.ReportFile);
    }

    private void Headline(HtmlPage page, MetricsTable metrics)
    {
        var l = result.Likelihoods;
        page.Paragraph(Learned());
        page.Headline(
        [
            ($"EVLB, nats per {item}", result.Evlb is { } evlb ? Number(evlb, "F1") : "no likelihood"),
            ("reconstruction NLL", Number(l.Nll, "F1")),
            ("KL to the prior", Number(l.Kl, "F2")),
            ($"squared error per {item}", Number(l.SquaredError, "F2")),
            .. l.Variance is { } v ? [("noise variance \u03c3\u00b2", Number(v, "G3"))] : ((string, string)[])[],
            ($"information, nats, an upper bound {indicators.Leading.Equation}", Number(indicators.Leading.Nats, "F2")),
            ($"by the mixture, nats, at most {Number(result.Mixture.Ceiling, "F2")} (X1)", Number(result.Mixture.Information.Value, "F2")),
            .. l.ClassificationError is { } error ? [("test error", $"{Number(100 * error, "F2")} %")] : ((string, string)[])[],
            ("influential factors", $"{indicators.InfluentialFactors} of {indicators.Factors.Count}"),
            .. metrics.Epochs > 0 ? [("training time, s", Number(metrics.Columns["seconds"][^1], "F1")),
                ($"training {item}s/s", Number(metrics.Columns["images_per_second"][^1], "F0"))]
                : ((string, string)[])[],
        ]);
        page.Paragraph($"Measured on the {l.Images} {result.Split} {item}s.");
        if (result.Collapsed)
            page.Note(result.CollapseAdvice);
    }

    /// <summary>What was learned, in one line; the sum is the headline's and leads the table of factors.</summary>
    private string Learned()
    {
        int influential = indicators.InfluentialFactors, left = indicators.Factors.Count - influential;
        double others = indicators.Factors.Where(f => !f.Influential)
            .Sum(f => indicators.IsOffCentre ? f.CentredInformation : f.Information);
        string rest = left == 0 ? "" : others < FactorIndicators.InfluentialInformation
            ? $"; the other{(left == 1 ? " is" : "s are")} switched off"
            : $"; the other{(left == 1 ? " carries" : "s carry")} {Number(others, "F2")} nats together";
        return $"The code carries {Number(indicators.Leading.Nats, "F2")} nats about the {item}: {influential} of "
            + $"{indicators.Factors.Count} factors {(influential == 1 ? "is" : "are")} influential{rest}.";
    }

    private void Information(HtmlPage page)
    {
        page.Section("Information of the factors")
            .Figure(Charts.Spectrum(result.Factors),
            $"Factors sorted by their information about the {item}. A factor that the model does not use has no information and keeps the "
            + "prior's variance of 1.")
            .Table(["factor", "information (I2)", "centred (I4)", $"mixture, at most {Number(result.Mixture.Ceiling, "F2")} (I6)",
                "mean variance", "aggregate variance", "KL"], [.. indicators.Ranked.Take(FactorRows).Select(f => (IReadOnlyList<string>)
            [
                Whole(f.Factor), Number(f.Information, "F3"), Number(f.CentredInformation, "F3"),
                    Number(result.Mixture.Factors[f.Factor].Information.InRange, "F3"),
                Number(f.MeanVariance, "F4"), Number(f.AggregateVariance, "F3"), Number(f.Kl, "F3"),
            ])], $"The {Math.Min(FactorRows, indicators.Factors.Count)} most informative of {indicators.Factors.Count} factors; nats. "
                + $"All of them are in influence.csv.");
    }

    private void Categories(HtmlPage page)
    {
        if (result.Category is not { } category)
            return;
        page.Section("The category").Paragraph(FormattableString.Invariant(
            $"It says {category.Information.Information.Value:F3} nats about the {item} (C3), of at most {category.Information.Information.Ceiling:F3}; with the factors {result.Mixture.Joint!.Information.Value:F3} nats by the mixture of {result.Mixture.Points} encodings, which cannot exceed {result.Mixture.Ceiling:F2}, total correlation {result.Mixture.Joint.TotalCorrelation.InRange:F3} (X3)."));
        if (category.Labels is { } labels)
            page.Figure(Charts.Confusion(labels), FormattableString.Invariant(
                $"Percent of the {result.Split} {item}s of each label in each category. With the labels that the training {item}s give the categories, {100 * labels.ClusterAccuracy:F1} % of the {result.Split} {item}s are found one-to-one (S3), {100 * labels.Accuracy:F1} % by the commonest label of each category."));
        if (rows is null)
            page.Figure(pictures.Categories(test, StyleImages),
            "The first test images, each followed by its code with every category in turn: the factors hold the style (paper 5, figures 4.5 and 4.6).")
            .Strips(indicators.Ranked.Take(CategoryTraversals).Select(f => ($"factor {f.Factor}\n{Number(f.Information, "F2")} nats",
                pictures.CategoryTraversal(result.Encodings, f.Factor, CategoryRange, StripImages))),
                $"A row for each category: the mean code of its test images, with one of the most informative factors set to "
                    + $"{StripImages} values from -{CategoryRange} to {CategoryRange} (paper 3, figure 4).");
        if (File.Exists(directory.ProbabilitiesFile))
            page.Figure(Charts.Certainty(MetricsTable.Read(directory.ProbabilitiesFile)),
                $"How sure the category was of the test {item}s after each epoch (paper 5, figure 4.7): a category that has decided has "
                + "all of its probabilities near 0 and 1.");
    }

    private void Design(HtmlPage page)
    {
        if (result.Designed is not { } designed || model is not IHasDesign place)
            return;
        var design = new DesignPictures(model, place, test, result, designed, pictures);
        var scatter = design.Scatter();
        Engine.IO.AtomicFile.WriteText(directory.File("latent.svg"), scatter.ToSvg());
        page.Section("The designed latent space")
            .Figure(scatter,
            $"z ~ q(z|x) of test {item}s, coloured by label; circles at two standard deviations of the prior's components (paper 4, figure "
            + "3).");
        if (designed.Grid && rows is null)
            page.Figure(design.Grid(), "Images decoded from a grid over the plane.")
                .Figure(design.Regions(), "The class that the classifier gives the image decoded at each point of a denser grid.");
        if (rows is null)
            page.Strips(design.Interpolations(within: false),
                "From an image of each class to one of the next class, along the straight line between the means of their most probable "
                + "components; decoded means.")
                .Strips(design.Interpolations(within: true), "From one image of a class to another one of it.");
        var activated = designed.Activated;
        page.Table(["class", $"F above {Number(ActivatedSubspace.FThreshold, "0.#")}",
            $"V-nat above {Number(ActivatedSubspace.VNatThreshold, "0.#")}"],
            [.. Enumerable.Range(0, activated.Classes)
                .Select(k => (IReadOnlyList<string>)[Whole(k), Whole(activated.ByF(k).Length), Whole(activated.ByVNat(k).Length)])],
            $"Factors of {activated.Factors} that each class activates, by two statistics (G6); all values are in "
                + $"{DesignedLatents.FileName}. The bound of Theorem 1 exceeds the KL by {Number(designed.Slack, "F3")} nats: it assumes "
                + $"that each class has the prior's mean and variance.");
        if (rows is not null)
            return;
        page.Strips(design.Noise(onActivated: true),
            "An image of each class, then with uniform noise from -1.5 to 1.5 on the factors that its class activates.")
            .Strips(design.Noise(onActivated: false),
                "The same with noise on all other factors (paper 4, figure 6): where nothing changes, the decoder ignores them.");
    }

    private void Traversals(HtmlPage page)
    {
        float[] code = pictures.First(test, 1).Codes;
        var ranked = indicators.Ranked;
        int most = Math.Min(MostInformative, ranked.Count), least = Math.Min(LeastInformative, ranked.Count - most);
        (string, byte[]) Strip(FactorIndicators f) =>
            ($"factor {f.Factor}\n{Number(f.Information, "F2")} nats", pictures.Traversal(code, f.Factor, TraversalRange, StripImages));
        page.Section("Traversals").Strips(ranked.Take(most).Select(Strip),
            $"The code of the first test image with one factor set to {StripImages} values from -{TraversalRange} to {TraversalRange}: "
                + $"the {most} most informative factors.");
        if (least > 0)
            page.Strips(ranked.TakeLast(least).Select(Strip),
                $"The same for the {least} least informative factors: where nothing changes, the decoder ignores the factor.");
    }

    /// <summary>What a table shows in the place of pictures: each column's error, what moves with a factor, rows of the prior.</summary>
    private void Columns(HtmlPage page, TableRows table)
    {
        float[] variances = (model.Noise as TableNoise)?.ColumnVariances ?? [];
        int number = 0;
        page.Section("Columns").Table(["column", "kind", "without the code", "reconstructed", "noise sigma"],
            [.. table.Errors(test).Take(MostColumns).Select(e => (IReadOnlyList<string>)
            [
                e.Column.Name, e.Column.IsCategory ? $"{e.Column.Values.Count} values" : "number", TableRows.Error(e.Spread, e.Column),
                    TableRows.Error(e.Error, e.Column),
                e.Column.IsCategory || number >= variances.Length ? "-"
                    : TableRows.Error(e.Column.Scale * Math.Sqrt(variances[number++]), e.Column),
            ])],
            $"Errors over all {result.Split} rows, decoded from the mean of q(z|x), in each column's own unit: of numbers the root mean "
                + "square beside their standard deviation, of a category the share that is taken for another value beside the share that "
                + "has not the commonest one. Sigma is the learned standard deviation of the noise (N7).");
        float[] code = table.First(test, 1).Codes;
        double[] values = [.. Enumerable.Range(-2, 5).Select(i => i * TraversalRange / 2)];
        foreach (var factor in indicators.Ranked.Take(TableTraversals))
        {
            object[][] moved = table.Traversal(code, factor.Factor, values);
            page.Table(["column", .. values.Select(v => $"z = {Number(v, "0.#")}")], [.. table.Header.Take(MostColumns)
                .Select((name, i) => (IReadOnlyList<string>)[name, .. moved.Select(row => table.Shown(row)[i])])],
                $"The first test row decoded with factor {factor.Factor} ({Number(factor.Information, "F2")} nats) set to {values.Length} "
                    + "values.");
        }
        page.Section("Rows").Table([.. table.Header.Take(MostColumns)], [.. table.Samples(StripImages)
            .Select(row => (IReadOnlyList<string>)[.. table.Shown(row).Take(MostColumns)])],
            $"Drawn from the prior{(result.StandardPrior ? " N(0, I)" : "")} and the noise by the run's seed"
                + $"{(test.Columns!.All.Count > MostColumns ? $"; the first {MostColumns} columns" : "")}.");
    }

    private void Reduced(HtmlPage page)
    {
        var (originals, codes) = pictures.First(test, StripImages);
        byte[] Masked(ReducedReconstruction kept)
        {
            float[] mask = Evaluator.Mask(model, kept);
            return pictures.Row([.. codes.Select((z, i) => z * mask[i % mask.Length])]);
        }
        page.Section("What the most informative factors can reconstruct")
            .Table(["factors kept", "of all, %", "information (I2), nats", $"squared error per {item}"],
            [.. reduced.Rows.Select(r => (IReadOnlyList<string>)
                [Whole(r.Kept.Factors.Count), Number(r.Kept.Percent, "0.###"), Number(r.Kept.Information, "F2"),
                Number(r.SquaredError, "F2")])],
                $"The other factors are set to 0 before the mean is decoded; all test {item}s (paper 1, table 2).");
        if (rows is null)
            page.Strips([("original", pictures.Grid(StripImages, originals)),
                .. reduced.Rows.Select(r => ($"{r.Kept.Factors.Count} factors\n{Number(r.Kept.Information, "F1")} nats", Masked(r.Kept)))]);
    }

    private void NoiseComponents(HtmlPage page)
    {
        if (MembershipMaps.Draw(model, test) is not { } maps)
            return;
        page.Section("Components of the noise")
            .Table(["component", "weight", "sigma^2"], [.. result.NoiseComponents.Select((c, k) => (IReadOnlyList<string>)[Whole(k),
            Number(c.Weight, "F4"), Number(c.Variance, "G4")])], "The mixture around the decoded mean (paper 2, appendix A).")
            .Figure(maps,
                "Test images, their decoded means, and for each component a map of the probability that a pixel's residual belongs to "
                + "it: white is 1.");
    }

    private void Sources(HtmlPage page)
    {
        var l = result.Likelihoods;
        string items = $"{l.Images} {result.Split} {item}s", mixture = $"{result.Mixture.Points} {result.Split} {item}s";
        page.Section("Where the numbers come from").Table(["number", "how it is measured", "from", "equation"],
        [
            ["EVLB", $"-(NLL + KL) with weight 1 on the KL, whatever the training used; one z ~ q(z|x) per {item}, drawn by the seed",
                items, "(V5)"],
            ["NLL", $"-log p(x|z) of that z, summed over {parts}", items, NoiseEquation()],
            result.StandardPrior ? ["KL", "KL(q(z|x) || N(0, I)) in closed form", items, "(V2)"]
                : ["KL", "an upper bound of the KL of the mixture posterior to the mixture prior", items, "(G2)"],
            ["squared error", $"of the {item} decoded from the mean of q(z|x), summed over {parts}", items, "(V5)"],
            ["information",
                "1/2 (log s* - mean log sigma^2), summed over factors: an upper bound of I(x; z), exact for a Gaussian aggregate posterior",
                items, "(I2), (I3)"],
            ["centred information", "the same around the mean of mu: an upper bound, never above (I2)", items, "(I4)"],
            ["mixture information",
                $"z ~ q(z|x) against the mixture of all posteriors; cannot exceed log {result.Mixture.Points} = "
                + $"{Number(result.Mixture.Ceiling, "F2")} nats; standard error {Number(result.Mixture.Information.StandardError, "G2")}",
                mixture, "(I6), (X1)"],
            ["influential factor",
                $"a factor with more than {Number(FactorIndicators.InfluentialInformation, "0.#")} nats by (I4), which is (I2) where the "
                + "mean of mu is 0", items, "(D8)"],
            ["reduced reconstruction", "the most informative factors by (I2) are kept, the others set to 0", items, "paper 1, table 2"],
            ["training curves", $"means over the epoch while the weights move; test: after the epoch, one z per {item}", "metrics.csv",
                configuration.Model.Equation],
        ], "The tags are those of docs/equations.md.");
    }

    private string NoiseEquation() => model.Noise switch
    {
        FixedNoise => "(N1)",
        NetworkNoise => "(N3)",
        MixtureNoise => "(N4)",
        BernoulliNoise => "(N5)",
        WeightedNoise => "(N6)",
        TableNoise => "(N7)",
        PenalisedNoise => "(G4)",
        _ => "(N2)",
    };

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);
}
