using System.CommandLine;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae evaluate: measures a trained run on its test images.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var command = new Command("evaluate", "measure a trained run on held-out images: NLL, KL, EVLB, sigma^2, squared error, information; writes evaluation.json and influence.csv");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        command.Arguments.Add(path);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            using var run = context.OpenRun(parsed.GetValue(path)!);
            var result = EvaluationResult.Compute(run.Model, run.Data.Test, run.Configuration);
            result.Save(run.Directory);
            ResultTables.Print(context.Output, result);
            context.Output.Json(result.ToJson());
            return ExitCode.Done;
        });
        return command;
    }
}
