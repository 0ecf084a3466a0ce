using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae influence: ranks the factors of a trained run by information, and shows what the best of them can reconstruct.</summary>
internal static class InfluenceCommand
{
    public static Command Create()
    {
        var command = new Command("influence",
            "rank the factors of a run by information; writes influence.csv and influence.svg, with --keep also reduced.csv");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var points = new Option<int?>("--points")
        {
            Description = "test images to measure on, a subset chosen by the seed when there are more (default: all; of the mixture "
                + "estimate all up to 20 000, else 10 000)"
        };
        command.Arguments.Add(path);
        command.Options.Add(points);
        var keep = new KeepOption(command, "reconstruct with the most informative factors only: percentages such as 100,50,20,10,0");
        var bound = new Option<string?>("--bound")
        {
            Description =
            "q: also the bound of paper 5 on what the decoder's output says about the category and the factors of --mi-factors"
        }.Among("q");
        var chosen = new Option<string>("--mi-factors")
        {
            Description =
            "factors of the bound, such as 0,1 (default: none beside a category, else the most informative one)",
            DefaultValueFactory = _ =>
            ""
        };
        var input = new Option<string>("--q-input")
        {
            Description = "what Q reads: sample (x' drawn from p(x|z)) or mean (of the decoder)",
            DefaultValueFactory = _ => "sample"
        }.Among("sample", "mean");
        var attributes = new Option<bool>("--attributes")
        {
            Description =
            "also what each factor says about the known factors, attributes or labels of the images; writes attributes.csv"
        };
        foreach (var option in (Option[])[bound, chosen, input, attributes])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            double[] percents = keep.Read(parsed);
            int? wanted = parsed.GetValue(points);
            if (wanted < 1)
                throw new OptionException($"--points {wanted}: expected a positive number");
            var (kind, given, reads) = (parsed.GetValue(bound), parsed.GetValue(chosen)!, parsed.GetValue(input)!);
            if (kind is null && new[] { chosen, input }.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } unused)
                throw new OptionException($"{unused.Name}: it is an option of --bound q; add that, or leave it out");
            using var run = context.OpenRun(parsed.GetValue(path)!, toWrite: true);
            Measure(context, run, wanted, percents, kind is null ? null : (Factors(given, run.Model.Latents), reads == "sample"),
                parsed.GetValue(attributes));
            return ExitCode.Done;
        });
        return command;
    }

    private static int[] Factors(string given, int latents) => FactorList.TryParse(given, null, out var list)
        ? list.Of(latents, "--mi-factors")
        : throw new OptionException($"--mi-factors {given}: expected different factors from 0 to {latents - 1} with commas between");

    /// <param name="points">Test images to measure on; null for as many as training does.</param>
    /// <param name="bound">Factors and input of the bound by Q; null to leave it out.</param>
    private static void Measure(CommandContext context, OpenRun run, int? points, double[] percents, (int[] Factors, bool Sampled)? bound,
        bool attributes)
    {
        if (attributes)
            AttributeInformation.ThrowIfNothingIsKnown(run.Data.Test);
        using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
        var all = evaluator.Encode();
        var (backend, seed) = (run.Compute.Backend, run.Configuration.Training.Seed);
        var measured = points is null ? all : MixtureInformation.PointsOf(all, seed, points);
        var factors = new FactorTable(Indicators.Compute(backend, measured), run.Mixture.Compute(backend, all, seed, points));
        factors.SaveCsv(run.Directory.InfluenceFile);
        AtomicFile.WriteText(run.Directory.File("influence.svg"), Charts.Spectrum(factors).ToSvg());
        ResultTables.Ranking(context.Output, factors);
        ResultTables.Totals(context.Output, factors, item: run.Configuration.Item);
        var json = factors.Totals();
        json["factors"] = factors.Rows(factors.Indicators.Ranked);
        json["reduced"] = null;
        if (percents.Length > 0)
        {
            var reduced = ReducedTable.Compute(evaluator, all, factors.Indicators, percents);
            reduced.SaveCsv(run.Directory.ReducedFile);
            ResultTables.Print(context.Output, reduced, run.Model.Latents);
            json["reduced"] = reduced.ToJson();
        }
        json["attributes"] = null;
        if (attributes)
        {
            var known = AttributeInformation.Compute(all, run.Data.Test);
            ResultTables.Print(context.Output, known);
            Csv.Save(run.Directory.File("attributes.csv"), ["attribute", "entropy_nats", "factor", "mi_nats"],
                known.SelectMany(a => a.Ranked.Select(f => (object?[])[a.Name, a.Entropy, f.Factor, f.Nats])));
            json["attributes"] = new JsonArray([.. known.Select(a => a.ToJson())]);
        }
        json["bound"] = null;
        if (bound is var (chosen, sampled))
        {
            if (chosen.Length == 0 && run.Model.Categories == 0)
                chosen = [factors.Indicators.Ranked[0].Factor];
            var result = CodeBound.Compute(run.Model, run.TrainingImages, run.Data.Test, run.Configuration, chosen, sampled);
            ResultTables.Print(context.Output, result, run.Configuration.Item);
            json["bound"] = result.ToJson();
        }
        context.Output.Json(json);
    }
}
