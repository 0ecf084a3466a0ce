using System.CommandLine;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae evaluate: measures a trained run on its test images.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var command =
            new Command("evaluate",
            "measure a trained run on held-out images: NLL, KL, EVLB, sigma^2, squared error, information; writes evaluation.json, "
            + "influence.csv and report.html");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var samples =
            new Option<int>("--nll-samples") { Description = "also estimate the NLL by so many importance samples for each image" };
        command.Arguments.Add(path);
        command.Options.Add(samples);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            int importanceSamples = parsed.GetValue(samples);
            if (importanceSamples < 1 && parsed.GetResult(samples) is { Implicit: false })
                throw new OptionException($"--nll-samples {importanceSamples}: expected a positive number");
            using var run = context.OpenRun(parsed.GetValue(path)!, toWrite: true);
            var result = EvaluationResult.Compute(run.Model, run.Data.Test, run.Configuration, run.TrainingImages, importanceSamples,
                run.Mixture);
            result.Save(run.Directory);
            MembershipMaps.Save(run.Model, run.Data.Test, run.Directory.File(MembershipMaps.FileName));
            RunReport.Write(run.Directory, run.Model, run.Data.Test, result);
            ResultTables.Print(context.Output, result);
            context.Output.Line();
            context.Output.Line($"report: {run.Directory.ReportFile}");
            context.Output.Json(result.ToJson());
            return ExitCode.Done;
        });
        return command;
    }
}
