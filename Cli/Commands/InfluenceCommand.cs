using System.CommandLine;
using VaeFromScratch.Cli.Report;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae influence: ranks the factors of a trained run by information, and shows what the best of them can reconstruct.</summary>
internal static class InfluenceCommand
{
    public static Command Create()
    {
        var command = new Command("influence", "rank the factors of a run by information; writes influence.csv and influence.svg, with --keep also reduced.csv");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var points = new Option<int>("--points") { Description = "test images to measure on, a subset chosen by the seed when there are more", DefaultValueFactory = _ => 10_000 };
        command.Arguments.Add(path);
        command.Options.Add(points);
        var keep = new KeepOption(command, "reconstruct with the most informative factors only: percentages such as 100,50,20,10,0");
        var bound = new Option<string?>("--bound") { Description = "q: also the bound of paper 5 on what the decoder's output says about the category and the factors of --mi-factors" };
        var chosen = new Option<string>("--mi-factors") { Description = "factors of the bound, such as 0,1 (default: none beside a category, else the most informative one)", DefaultValueFactory = _ => "" };
        var input = new Option<string>("--q-input") { Description = "what Q reads: sample (x' drawn from p(x|z)) or mean (of the decoder)", DefaultValueFactory = _ => "sample" };
        foreach (var option in (Option[])[bound, chosen, input])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            double[] percents = keep.Read(parsed);
            int wanted = parsed.GetValue(points);
            if (wanted < 1)
                throw new OptionException($"--points {wanted}: expected a positive number");
            var (kind, given, reads) = (parsed.GetValue(bound), parsed.GetValue(chosen)!, parsed.GetValue(input)!);
            if (kind is not (null or "q"))
                throw new OptionException($"--bound {kind}: expected q");
            if (reads is not ("sample" or "mean"))
                throw new OptionException($"--q-input {reads}: expected sample or mean");
            using var run = context.OpenRun(parsed.GetValue(path)!);
            Measure(context, run, wanted, percents, kind is null ? null : (ModelCatalogue.FactorList(given, run.Model.Latents, "--mi-factors"), reads == "sample"));
            return ExitCode.Done;
        });
        return command;
    }

    /// <param name="bound">Factors and input of the bound by Q; null to leave it out.</param>
    private static void Measure(CommandContext context, OpenRun run, int points, double[] percents, (int[] Factors, bool Sampled)? bound)
    {
        using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
        var all = evaluator.Encode();
        var encodings = points < all.Points ? all.Rows(PointSubset.Choose(all.Points, points, run.Configuration.Seed)) : all;
        var backend = run.Compute.Backend;
        var factors = new FactorTable(Indicators.Compute(backend, encodings), MixtureInformation.Compute(backend, encodings, run.Configuration.Seed));
        factors.SaveCsv(run.Directory.InfluenceFile);
        AtomicFile.WriteText(run.Directory.File("influence.svg"), Charts.Spectrum(factors).ToSvg());
        ResultTables.Ranking(context.Output, factors);
        ResultTables.Totals(context.Output, factors);
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
        json["bound"] = null;
        if (bound is var (chosen, sampled))
        {
            if (chosen.Length == 0 && run.Model.Categories == 0)
                chosen = [factors.Indicators.Ranked[0].Factor];
            var result = CodeBound.Compute(run.Model, run.TrainingImages, run.Data.Test, run.Configuration, chosen, sampled, ModelCatalogue.QWidths(run.Configuration));
            ResultTables.Print(context.Output, result);
            json["bound"] = result.ToJson();
        }
        context.Output.Json(json);
    }
}
