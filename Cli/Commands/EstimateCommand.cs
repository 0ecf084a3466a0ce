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
            var table = EncodingsFile.Read(parsed.GetValue(path)!);
            var encodings = new Encodings(table.Points, table.Factors, table.Mu, table.LogVar, table.Probabilities, table.Labels);
            using var backend = context.OpenBackend();
            Estimate(context, backend, encodings, wanted, points);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Estimate(CommandContext context, IBackend backend, Encodings encodings, bool withMixture, int? points)
    {
        var factors = new FactorTable(Indicators.Compute(backend, encodings), withMixture ? MixtureInformation.Compute(backend, encodings, context.Seed, points) : null);
        var json = factors.Totals();
        json["factors"] = factors.Rows(factors.Indicators.Factors);
        ResultTables.Ranking(context.Output, factors);
        ResultTables.Totals(context.Output, factors);
        if (encodings.Categories > 0)
        {
            double category = CategoryInformation.Compute(encodings).Information.Value;
            json["mi_category_nats"] = category;
            context.Output.Line(string.Create(CultureInfo.InvariantCulture, $"category: {category:F4} nats about the image (C3), at most log {encodings.Categories} = {Math.Log(encodings.Categories):F4}"));
            if (!encodings.Labels.IsEmpty)
            {
                int[] most = ContingencyTable.MostProbable(encodings.Probabilities.Span, encodings.Categories);
                double label = new ContingencyTable(most, Renumbered(encodings.Labels.Span), encodings.Categories).MutualInformation().Value;
                json["mi_label_nats"] = label;
                context.Output.Line(string.Create(CultureInfo.InvariantCulture, $"most probable category against label: {label:F4} nats (S3)"));
            }
        }
        context.Output.Json(json);
    }

    /// <summary>Labels as indices 0, 1, ...: a file may number its classes as it likes.</summary>
    private static int[] Renumbered(ReadOnlySpan<int> labels)
    {
        var numbers = new Dictionary<int, int>();
        var indices = new int[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            if (!numbers.TryGetValue(labels[i], out int number))
                numbers.Add(labels[i], number = numbers.Count);
            indices[i] = number;
        }
        return indices;
    }

    private static (bool Wanted, int? Points) ParseMixture(string text) => text switch
    {
        "auto" => (true, null),
        "none" => (false, null),
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0 => (true, n),
        _ => throw new OptionException($"--mixture {text}: expected auto, none or a positive number of points"),
    };
}
