using System.Globalization;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.Report;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>Paper 1: mutual information tells the factors that matter from those that do not.</summary>
internal sealed class InfluentialFactors : Paper
{
    private const double PublishedTotal = 24.3;
    private const string Eeg = "eeg-beta-6";
    private const int ImagesShown = 10;

    private static readonly (double Percent, double Information, double Error)[] Table2 =
    [
        (100, 24.3, 5.6), (20, 24.3, 5.6), (10, 24.3, 5.6), (7, 19.6, 13.4), (5, 16.5, 15.0), (4, 14.7, 18.9), (3, 10.6, 27.6), (2, 8.4, 31.3), (1, 5.8, 44.4), (0, 0, 71.7),
    ];

    private static readonly (double Percent, double Information, double Accuracy)[] Table3 =
    [
        (100, 53.8, 0.53), (50, 53.5, 0.52), (10, 38.3, 0.46), (7, 28.0, 0.32), (5, 22.5, 0.34), (4, 19.6, 0.36), (3, 13.5, 0.29), (2, 10.2, 0.29), (1, 7.0, 0.30), (0, 0, 0.23),
    ];

    public override string Name => "influential-factors";

    public override string Title => "Discovering influential factors in variational autoencoders (paper 1)";

    public override IReadOnlyList<string> Shortened =>
    [
        "MNIST with beta 10 for 15 epochs instead of 200",
        "five values of beta instead of twelve; those other than 10 for 3 epochs on 20 000 images instead of 200 epochs on 42 000",
        "EEG for 5 epochs instead of 30 (DEAP: 300), its classifiers for a quarter of the epochs and four shares of factors instead of ten",
    ];

    public override IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context) =>
    [
        .. MnistRuns.Betas(quick).Select(beta => MnistRuns.Learned(beta, quick)),
        Run(Eeg, EegRun(quick, HasDeap(context))),
    ];

    public override void Report(Findings findings)
    {
        var grid = findings.Results.Where(r => r.Point.Name.StartsWith("mnist-beta-", StringComparison.Ordinal)).ToArray();
        // The paper's table is of the beta whose total is 24.3 nats; ours is of the beta that comes nearest, of those trained long enough.
        var longest = grid.Where(r => r.Point.Configuration.Epochs == grid.Max(g => g.Point.Configuration.Epochs));
        if (longest.MinBy(r => Math.Abs(r["mi_nats"] - PublishedTotal)) is { } nearest)
            Mnist(findings, nearest);
        BetaGrid(findings, grid);
        if (findings.Result(Eeg) is { } eeg)
            EegTable(findings, eeg);
        else
            findings.Section("Table 3: emotions from EEG").Note($"The run {Eeg} is not finished.");
    }

    private static void Mnist(Findings findings, SweepResult result)
    {
        using var run = findings.Open(result);
        var figures = new RunFigures(run);
        string which = string.Create(CultureInfo.InvariantCulture, $"beta {result.Beta:0.##}, {result.Point.Configuration.Epochs} epochs, {figures.Indicators.Information:F2} nats in all");
        findings.Section($"Figure 1: information and variance of every factor ({which})")
            .Figure(figures.Spectrum, "Information of each factor (I2), an upper bound, and the mean variance of its posteriors.")
            .Figure(figures.AggregateVariances, "The aggregate variance does not tell used from unused factors: the prior's 1 is met by both.")
            .Strips(figures.Traversals(3), "A, B, C: the most informative factors from -3 to 3 on three test images. D: the least informative one, which changes nothing.");

        var table = figures.Reduced(Table2.Select(row => row.Percent));
        double all = figures.Indicators.Information, error = table.Rows[0].SquaredError;
        findings.Section("Table 2 and figure 4: what the most informative factors reconstruct")
            .Table($"Information kept, nats (I2); {which}", [.. Table2.Select((row, i) => new Finding(Percent(row.Percent), row.Information, table.Rows[i].Kept.Information, Target.Within(0.10)))])
            .Table($"Squared error per image; {which}", [.. Table2.Select((row, i) => new Finding(Percent(row.Percent), row.Error, table.Rows[i].SquaredError, Target.Within(0.15)))])
            .Table("Sparsity of information",
            [
                new("share of the information in the top 10 % of the factors", 1, table.Rows[2].Kept.Information / all, Target.Within(0.02)),
                new("squared error with the top 10 % over the error with all", 1, table.Rows[2].SquaredError / error, Target.Within(0.05)),
                new("influential factors (more than 0.5 nats)", null, figures.Indicators.InfluentialFactors, Target.Shown),
                new("factors with less than 0.01 nats", null, figures.Indicators.Factors.Count(f => f.Information < 0.01), Target.Shown),
            ])
            .Strips(figures.ReducedImages(table, ImagesShown), "Test images, decoded from the mean of the code with all but the most informative factors set to 0.");
        var missed = Table2.Select((row, i) => (row, Ours: table.Rows[i])).Where(p => Math.Abs(p.Ours.SquaredError - p.row.Error) > 0.15 * p.row.Error).ToArray();
        if (missed.Length > 0)
            findings.Note(string.Create(CultureInfo.InvariantCulture, $"Errors miss the published ones where {string.Join(", ", missed.Select(m => $"{m.row.Percent:0.#} %"))} of the factors are kept. This run has {figures.Indicators.InfluentialFactors} influential factors, the published one at most 13, as its top 10 % hold everything. The code of beta {result.Beta:0.##} decides how much is known about an image, the decoder what is made of it: with all factors the error here is {error:F1} where the paper has {Table2[0].Error}, and {table.Rows[^1].SquaredError:F1} with none where it has {Table2[^1].Error}. Which errors a share of the factors leaves depends on what the run's factors mean, which the seed decides. The paper does not say which images of its own split the table is of, nor the normalisation of its error."));
    }

    private static void BetaGrid(Findings findings, SweepResult[] grid)
    {
        var ordered = grid.OrderBy(r => r.Beta).ToArray();
        findings.Section("Information against beta");
        if (ordered.Length == 0)
        {
            findings.Note("No run is finished.");
            return;
        }
        findings.Figure(new LineChart([new("total information (I3)", [.. ordered.Select(r => r.Beta)], [.. ordered.Select(r => r["mi_nats"])]), new("by the mixture (X1)", [.. ordered.Select(r => r.Beta)], [.. ordered.Select(r => r["mi_mixture_nats"])])])
        { Title = "Information of the whole code", XLabel = "beta", YLabel = "nats", LogX = true }, "The upper bound and the mixture estimate, which cannot exceed log 10 000 = 9.21 nats.")
            .Table("Runs with learned noise", ["beta", "epochs", "information (I3)", "influential", "active", "sigma^2", "beta sigma^2", "EVLB", "squared error"], [.. ordered.Select(r => (IReadOnlyList<string>)
            [
                Number(r.Beta), Number(r.Point.Configuration.Epochs), Number(r["mi_nats"]), Number(r["influential_factors"]), Number(r["active_units"]), Number(r["sigma2"]), Number(r.NormalisedVariance), Number(r["evlb_nats"]), Number(r["squared_error"]),
            ])]);
    }

    private static void EegTable(Findings findings, SweepResult result)
    {
        bool deap = result.Point.Configuration.Data == "deap";
        using var run = findings.Open(result);
        var figures = new RunFigures(run);
        var percents = findings.Quick ? [100, 50, 10, 0] : Table3.Select(row => row.Percent).ToArray();
        var settings = ClassifierSettings.For(run.Data.Train);
        var table = ClassificationTable.Compute(run.Model, run.Data, run.Configuration, findings.Quick ? settings.Quick : settings, percents);
        table.SaveCsv(run.Directory.File("classification.csv"));
        var published = percents.Select(p => Table3.Single(row => row.Percent == p)).ToArray();
        var accuracy = deap ? Target.Within(0.15) : Target.Incomparable("synthetic EEG");
        findings.Section($"Table 3 and figure 5: emotions from EEG ({(deap ? "DEAP" : "synthetic EEG: DEAP is not at hand")})")
            .Table("Information kept, nats (I2)", [.. published.Select((row, i) => new Finding(Percent(row.Percent), row.Information, table.Rows[i].Kept.Information, deap ? Target.Within(0.10) : accuracy))])
            .Table("Accuracy of the LSTM on test trials, four classes", [.. published.Select((row, i) => new Finding(Percent(row.Percent), row.Accuracy, table.Rows[i].TestAccuracy, accuracy))])
            .Table("What holds whatever the recordings",
            [
                new("accuracy with all factors over that with half", Table3[0].Accuracy / Table3[1].Accuracy, table.Rows[0].TestAccuracy / Math.Max(1e-9, table.Rows[1].TestAccuracy), Target.Within(0.15)),
                new("accuracy without factors over the share of the largest class: at most 1", 1, table.Rows[^1].TestAccuracy / table.MostFrequent, Target.AtMost),
            ])
            .Strips(figures.Traversals(3), "The three most informative factors as head maps of alpha, beta and gamma power (red, green, blue), from -3 to 3 on three frames; last, the least informative one.");
    }

    private static RunConfiguration EegRun(bool quick, bool deap) => ModelCatalogue.Find("beta-vae").Defaults with
    {
        Data = deap ? "deap" : "synthetic-eeg",
        Beta = 6,
        LearningRate = deap ? 1e-4 : 1e-3,
        KlWarmUpEpochs = 2,
        Epochs = quick ? 5 : deap ? 300 : 30,
    };

    private static bool HasDeap(CommandContext context) => DatasetCatalogue.Find("deap").IsPresent(context.ResolveDataDir());

    private static string Percent(double percent) => string.Create(CultureInfo.InvariantCulture, $"top {percent:0.#} % of the factors");

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
