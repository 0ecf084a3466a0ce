using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae estimate: the estimators on a file of encodings, whoever wrote it.</summary>
internal static class EstimateCommand
{
    public static Command Create()
    {
        var command = new Command("estimate", "mutual information of any encodings: CSV with columns mu_0..,logvar_0..[,prob_0..][,label], or npz with mu, logvar[, probs][, labels]");
        var path = new Argument<string>("FILE") { Description = "the encodings" };
        var mixture = new Option<string>("--mixture") { Description = "points of the mixture estimates: auto (all up to 20 000, else 10 000), none, or a number", DefaultValueFactory = _ => "auto" };
        command.Arguments.Add(path);
        command.Options.Add(mixture);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (wanted, points) = ParseMixture(parsed.GetValue(mixture)!);
            using var backend = context.OpenBackend();
            using var stream = Read(parsed.GetValue(path)!, backend, context.Seed, wanted, points);
            Print(context.Output, stream);
            return ExitCode.Done;
        });
        return command;
    }

    private static EncodingStream Read(string path, IBackend backend, ulong seed, bool mixture, int? points)
    {
        EncodingStream? stream = null;
        foreach (var table in EncodingsFile.ReadBlocks(path))
        {
            var block = Encodings.From(table);
            stream ??= new(backend, block, seed, mixture, points);
            stream.Add(block);
        }
        return stream!;
    }

    private static void Print(Output output, EncodingStream stream)
    {
        var factors = new FactorTable(stream.Indicators(), stream.Mixture());
        var json = factors.Totals();
        json["factors"] = factors.Rows(factors.Indicators.Factors);
        ResultTables.Ranking(output, factors);
        ResultTables.Totals(output, factors);
        if (stream.Category() is { } category)
        {
            json["mi_category_nats"] = category.Information.Value;
            output.Line(string.Create(CultureInfo.InvariantCulture, $"category: {category.Information.Value:F4} nats about the image (C3), at most log {category.MeanProbabilities.Count} = {category.Information.Ceiling:F4}"));
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
