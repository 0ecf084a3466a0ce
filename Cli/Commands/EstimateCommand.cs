using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae estimate: the estimators on a file of encodings, on pairs of samples, or on tasks whose information is known.</summary>
internal static class EstimateCommand
{
    public static Command Create()
    {
        var command = new Command("estimate", "mutual information of any encodings: CSV with columns " +
            "mu_0..,logvar_0..[,prob_0..][,label], or npz with mu, logvar[, probs][, labels]; with --x and --y of any pairs of samples");
        var path = new Argument<string?>("FILE")
        {
            Description = "the encodings, or the samples; or a run directory, for its test images",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var mixture = new Option<string>("--mixture")
        {
            Description =
            "points of the mixture estimates: auto (all up to 20 000, else 10 000), none, or a number",
            HelpName = "POINTS",
            DefaultValueFactory = _ => "auto"
        };
        command.Arguments.Add(path);
        mixture.CompletionSources.Add("auto", "none");
        command.Options.Add(mixture);
        var pairs = new EstimatePairs(command);
        var benchmark = new EstimateBenchmark(command);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            if (parsed.GetResult(mixture) is { Implicit: false } && (benchmark.IsAsked(parsed) || pairs.IsAsked(parsed)))
                throw new OptionException("--mixture: it is for a file of encodings; leave it out with --x, --y, --given or --benchmark");
            if (benchmark.IsAsked(parsed))
                return parsed.GetValue(path) is not null || pairs.IsAsked(parsed)
                    ? throw new OptionException("--benchmark: it makes its own samples; leave out the file, --x, --y and --given")
                        : benchmark.Run(parsed, context, pairs.Wanted(parsed));
            benchmark.CheckUnused(parsed);
            if (parsed.GetValue(path) is not { } file)
                throw new OptionException("FILE: it must be given, unless --benchmark is; name a CSV or npz file of encodings or of " +
                    "samples");
            if (pairs.IsAsked(parsed))
                return pairs.Run(parsed, context, file);
            pairs.CheckUnused(parsed);
            var (wanted, points) = ParseMixture(parsed.GetValue(mixture)!);
            if (Directory.Exists(file))
                EstimateRun(context, file, wanted, points);
            else
                EstimateFile(context, file, wanted, points);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Of the test images of a run, as its encoder says now.</summary>
    private static void EstimateRun(CommandContext context, string path, bool mixture, int? points)
    {
        using var run = context.OpenRun(path);
        using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
        Estimate(context.Output, run.Compute.Backend, [evaluator.Encode()], run.Configuration.Training.Seed, mixture, points, run.Mixture);
    }

    /// <summary>Of a file; where that lies in a run directory, the seed and the stored estimate are the run's.</summary>
    private static void EstimateFile(CommandContext context, string path, bool mixture, int? points)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        bool ofRun = RunDirectory.IsRun(folder);
        ulong seed = ofRun && !context.SeedGiven ? SeedOf(RunDirectory.Open(folder)) ?? context.Seed : context.Seed;
        using var backend = context.OpenBackend();
        try
        {
            Estimate(context.Output, backend, EncodingsFile.ReadBlocks(path).Select(Encodings.From), seed, mixture, points,
                ofRun ? new(Path.GetDirectoryName(path)!, Output.Note) : null);
        }
        catch (EstimatorException e)
        {
            throw new DataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Null where the configuration cannot be read, as without the plugin of its model: a file needs no more of the run.</summary>
    private static ulong? SeedOf(RunDirectory run)
    {
        try
        {
            return run.LoadConfiguration().Training.Seed;
        }
        catch (DataException)
        {
            return null;
        }
    }

    /// <param name="mixture">Whether to give the mixture estimate.</param>
    /// <param name="points">Of the mixture estimate; null for the default number.</param>
    /// <param name="stored">Where a mixture estimate may be found.</param>
    private static void Estimate(Output output, IBackend backend, IEnumerable<Encodings> blocks, ulong seed, bool mixture, int? points,
        StoredMixture? stored)
    {
        EncodingStream? stream = null;
        try
        {
            foreach (var block in blocks)
            {
                stream ??= new(backend, block, seed, mixture, points);
                stream.Add(block);
            }
            Print(output, stream!, new(stream!.Indicators(), stream.Mixture(kept => stored?.Find(backend, kept, seed))));
        }
        finally
        {
            stream?.Dispose();
        }
    }

    private static void Print(Output output, EncodingStream stream, FactorTable factors)
    {
        var json = factors.Totals();
        json["factors"] = factors.Rows(factors.Indicators.Factors);
        ResultTables.Ranking(output, factors);
        ResultTables.Totals(output, factors);
        if (stream.Category() is { } category)
        {
            json["mi_category_nats"] = category.Information.Value;
            output.Line(string.Create(CultureInfo.InvariantCulture,
                $"category: {category.Information.Value:F4} nats about the image (C3), at most log {category.MeanProbabilities.Count} = "
                + $"{category.Information.Ceiling:F4}"));
        }
        if (stream.CategoriesAndLabels() is { } table)
        {
            double label = table.MutualInformation().Value;
            json["mi_label_nats"] = label;
            output.Line(string.Create(CultureInfo.InvariantCulture, $"most probable category against label: {label:F4} nats (S3)"));
        }
        output.Json(json);
    }

    private static (bool Wanted, int? Points) ParseMixture(string text) => text switch
    {
        "auto" => (true, null),
        "none" => (false, null),
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0 => (true, n),
        _ => throw new OptionException($"--mixture {text}: expected auto, none or a positive number of points"),
    };
}
