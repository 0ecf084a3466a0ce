using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae metrics: disentanglement, likelihood and likeness of a trained run; disentanglement of anyone's codes.</summary>
internal static class MetricsCommand
{
    public static Command Create()
    {
        var command = new Command("metrics", "disentanglement metrics of a run on data with known factors (such as dsprites), " +
            "active units, SSIM, likelihood; writes metrics.json; or of an npz file with codes and factors");
        var path = new Argument<string>("RUN")
        {
            Description = "a run directory, or a file: npz with mu (or z) [N, H], factors [N, F], " +
            "optional logvar, probs; CSV with columns mu_0.., factors_0.."
        };
        var split = new Option<string>("--split")
        {
            Description = "the images to measure on",
            DefaultValueFactory = _ => "test"
        }.Among(OpenRun.Splits);
        var samples =
            new Option<int>("--nll-samples") { Description = "also estimate the NLL by so many importance samples for each image" };
        var images = new Option<int>("--ssim-images")
        {
            Description = "images whose pairs SSIM compares; 0 to leave it out",
            DefaultValueFactory = _ => new MetricsOptions().SsimImages
        };
        var against = new Option<string[]>("--against")
        {
            Description =
            "further run directories, of other seeds: also UDR, and MCC of the factors between runs, which need no known factors",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => []
        };
        command.Arguments.Add(path);
        command.Options.Add(against);
        foreach (var option in (Option[])[split, samples, images])
            command.Options.Add(option);
        var names = new Option<string?>("--factor-names")
        {
            Description = "of a file: the factors' names, by commas (default: factor 0, " +
            "factor 1, ...)"
        };
        var unordered = new Option<string?>("--categorical")
        {
            Description = "of a file: names or numbers of the factors without an " +
            "order, by commas"
        };
        command.Options.Add(names);
        command.Options.Add(unordered);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            string named = parsed.GetValue(path)!;
            if (File.Exists(named))
            {
                foreach (var option in (Option[])[against, split, samples, images])
                    if (parsed.GetResult(option) is { Implicit: false })
                        throw new OptionException($"{option.Name}: it is for a run, and {named} is a file of codes; leave it out");
                return OfFile(context, named, parsed.GetValue(names), parsed.GetValue(unordered));
            }
            if (Path.GetExtension(named) is ".npz" or ".csv" && !Directory.Exists(named))
                throw DataException.In(named, "there is no such file", "an npz or CSV file of codes and factors", "check the name");
            if (parsed.GetValue(names) is not null || parsed.GetValue(unordered) is not null)
                throw new OptionException($"--{(parsed.GetValue(names) is null ? "categorical" : "factor-names")}: it is for a file of " +
                    $"codes; a run knows its factors, leave it out");
            if (parsed.GetValue(samples) is < 1 and var s && parsed.GetResult(samples) is { Implicit: false })
                throw new OptionException($"--nll-samples {s}: expected a positive number");
            int ssimImages = parsed.GetValue(images);
            if (ssimImages is < 0 or 1)
                throw new OptionException($"--ssim-images {ssimImages}: expected 0 (none) or at least 2");
            using var run = context.OpenRun(named, toWrite: true);
            var dataset = run.Split(parsed.GetValue(split)!);
            if (ssimImages > 0 && Math.Min(dataset.Height, dataset.Width) < Ssim.Window)
            {
                if (dataset.Columns is null)
                    Output.Note($"SSIM needs images of at least {Ssim.Window} x {Ssim.Window}; these have {dataset.Height} x "
                        + $"{dataset.Width}, so it is left out");
                ssimImages = 0;
            }
            var metrics =
                RunMetrics.Compute(run.Model, dataset, run.TrainingImages, run.Configuration, new(ssimImages, parsed.GetValue(samples)));
            var json = metrics.ToJson();
            var compared = Compare(context, run, dataset, parsed.GetValue(against)!);
            json["against"] = compared;
            AtomicFile.WriteText(run.Directory.File("metrics.json"),
                json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
            Print(context.Output, metrics, run.Configuration);
            foreach (var row in compared ?? [])
                context.Output.Line(
                    Text($"{row!["run"]}: UDR {(double)row["udr"]!:F4}, MCC of its factors with those of the first run {(double)row["mcc"]!:F4}"));
            context.Output.Json(json);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>
    /// UDR of this run and of others, and the MCC of the factors of each with this run's, all on this run's images; null without others.
    /// </summary>
    private static JsonArray? Compare(CommandContext context, OpenRun run, ImageDataset images, string[] against)
    {
        if (against.Length == 0)
            return null;
        var all = new List<ComparedCodes> { Codes(run) };
        foreach (string path in against)
        {
            using var other = context.OpenRun(path);
            if (other.Model.Image != run.Model.Image)
                throw new OptionException(
                    $"--against {path}: its images are {other.Model.Image} and those of {run.Directory.Path} {run.Model.Image}; name "
                    + $"runs on the same data");
            all.Add(Codes(other));
        }
        double[] scores = Udr.Scores(all);
        return [.. scores.Select((udr, i) => new JsonObject
        {
            ["run"] = i == 0 ? run.Directory.Path : against[i - 1],
            ["udr"] = udr,
            ["mcc"] = Mcc.OfColumns(all[i].Codes, all[0].Codes),
        })];

        ComparedCodes Codes(OpenRun of)
        {
            using var evaluator = new Evaluator(of.Model, images, of.Configuration);
            var encodings = evaluator.Encode();
            return ComparedCodes.Of(encodings, Indicators.Compute(of.Compute.Backend, encodings));
        }
    }

    /// <summary>Metrics of codes that a file holds with the factors behind them.</summary>
    private static int OfFile(CommandContext context, string file, string? factorNames, string? categorical)
    {
        var there = SampleColumns.NamesIn(file);
        bool Has(string name) => there.Contains(name) || there.Contains($"{name}_0");
        string code = !Has("mu") && Has("z") ? "z" : "mu";
        string[] wanted = [code, "factors", .. new[] { "logvar", "probs" }.Where(Has)];
        var columns = SampleColumns.Read(file, wanted).ToDictionary(c => c.Name);
        foreach (var column in columns.Values)
            if (column.Values is null)
                throw DataException.In(file, $"text in {column.Name}", "numbers", "write class numbers");
        var (mu, factors) = (columns[code], columns["factors"]);
        if (columns.TryGetValue("logvar", out var logVar) && logVar.Columns != mu.Columns)
            throw DataException.In(file, $"{logVar.Columns} columns of logvar", $"{mu.Columns} as of {code}",
                "write both for every factor of the code");
        string[] names = factorNames?.Split(',', StringSplitOptions.TrimEntries) ?? [.. Enumerable.Range(0, factors.Columns).Select(f =>
            $"factor {f}")];
        if (names.Length != factors.Columns)
            throw new OptionException($"--factor-names {factorNames}: {names.Length} names; expected {factors.Columns}, one a column of " +
                $"factors in {file}");
        var unordered = new bool[names.Length];
        foreach (string name in categorical?.Split(',', StringSplitOptions.TrimEntries) ?? [])
        {
            int at = Array.IndexOf(names, name) is >= 0 and int named ? named : int.TryParse(name, NumberStyles.None,
                CultureInfo.InvariantCulture, out int number) ? number : -1;
            if ((uint)at >= (uint)names.Length)
                throw new OptionException($"--categorical {name}: there is no such factor; expected some of {string.Join(", ", names)}, " +
                    $"or numbers from 0");
            unordered[at] = true;
        }
        using var backend = context.OpenBackend();
        var metrics = CodeMetrics.Compute(backend, mu.Rows, mu.Values!, logVar?.Values ?? [], columns.GetValueOrDefault("probs")?.Values
            ?? [], factors.Values!, names, unordered, context.Seed);
        Print(context.Output, metrics.Disentanglement);
        if (metrics.OrderedFactors is { } ordered)
            Print(context.Output, ordered);
        if (metrics.ActiveUnits is { } active)
            context.Output.Line(Text($"active units       {active} (M8)"));
        foreach (var (factor, table) in metrics.Categories)
        {
            var (nats, share) = (table.MutualInformation().Value, table.ClusteringAccuracy());
            context.Output.Line(
                Text($"category           {nats:F4} nats about {factor}; {share:F4} of the points by the best one-to-one map"));
        }
        context.Output.Json(metrics.ToJson());
        return ExitCode.Done;
    }

    private static void Print(Output output, RunMetrics metrics, RunConfiguration configuration)
    {
        string item = configuration.Item;
        if (metrics.Disentanglement is { } all)
        {
            Print(output, all);
            if (metrics.OrderedFactors is { } ordered)
                Print(output, ordered);
        }
        else
            output.Line($"disentanglement    none: the factors behind {configuration.Data.Name} are not known; there are sets "
                + "with known factors, such as dsprites, shapes3d or synthetic-shapes");
        output.Line(Text($"active units       {metrics.ActiveUnits} (M8)"));
        output.Line(Text($"squared error      {metrics.SquaredError:F3} per {item}, {metrics.Images} {metrics.Split} {item}s"));
        if (metrics.Category?.Labels is { } labels)
            output.Line(Text(
                $"clustering         {labels.ClusterAccuracy:F4} of the {item}s by the best one-to-one map of categories to labels (S3), {labels.Accuracy:F4} by the commonest label of each"));
        if (metrics.Importance is { } importance)
            output.Line(Text($"NLL                {importance.Nll:F2} nats per {item} by {importance.Samples} importance samples (M7)"));
        if (metrics.SampleSsim is { } samples)
        {
            output.Line(Text(
                $"SSIM               {metrics.ReconstructionSsim:F4} between {metrics.SsimImages} images and their reconstructions, data range 1"));
            output.Line(Text(
                $"negative SSIM      {samples.Negative:F4} of {metrics.SsimImages} samples from the prior (G7), {samples.NegativeWithoutSelf:F4} without self-pairs"));
        }
    }

    private static void Print(Output output, FactorScores scores)
    {
        output.Line($"factors: {string.Join(", ", scores.Factors)}; {scores.Points} points, {Score.Repeats} seeds");
        output.Table(["metric", "mean", "95 % +-"], scores.All.Where(s => s.Score is not null).Select(s =>
            (IReadOnlyList<string>)[Name(s.Key), Text($"{s.Score!.Mean:F4}"), Text($"{s.Score.HalfWidth:F4}")]), textColumns: 1);
        output.Line();
    }

    private static string Name(string key) => key switch
    {
        "mig" => "MIG, means in 20 bins (M1)",
        "mig_sampled" => "MIG, sampled codes (M1)",
        "sap" => "SAP (M2)",
        "dci_disentanglement" => "DCI disentanglement by the lasso (M3)",
        "dci_completeness" => "DCI completeness by the lasso (M3)",
        "dci_informativeness" => "DCI informativeness by the lasso (M3)",
        "modularity" => "modularity (M4)",
        "factor_vae" => "FactorVAE score (M5)",
        "mcc" => "MCC with the ordered factors",
        "beta_vae" => "beta-VAE score (M6)",
        "dci_trees_disentanglement" => "DCI disentanglement, trees",
        "dci_trees_completeness" => "DCI completeness, trees",
        "dci_trees_informativeness" => "DCI informativeness, trees",
        "dci_explicitness" => "DCI-ES explicitness",
        "dci_size" => "DCI-ES size",
        "info_modularity" => "InfoMEC modularity",
        "info_explicitness" => "InfoMEC explicitness",
        _ => "InfoMEC compactness",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
