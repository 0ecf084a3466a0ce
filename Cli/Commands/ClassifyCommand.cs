using System.CommandLine;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae classify: how well classes are told apart from the most informative factors alone.</summary>
internal static class ClassifyCommand
{
    public static Command Create()
    {
        var command =
            new Command("classify",
            "train a classifier on the most informative factors of a run only (EEG: an LSTM over each trial; images: a linear one); "
            + "writes classification.csv and the weights of the classifier on the most factors");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var quick = new Option<bool>("--quick") { Description = "a quarter of the epochs" };
        var repeats = new Option<int>("--repeats")
        {
            Description =
            "classifiers trained for each row, from other initial weights; their accuracies are averaged",
            DefaultValueFactory = _ => 1
        };
        command.Arguments.Add(path);
        var keep = new KeepOption(command, "percentages of the factors to keep; the others are set to 0", defaultValue: "100,50,20,10,5,0");
        command.Options.Add(quick);
        command.Options.Add(repeats);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            double[] percents = keep.Read(parsed);
            int classifiers = parsed.GetValue(repeats);
            if (classifiers is < 1 or > 1000)
                throw new OptionException($"--repeats {classifiers}: expected 1 to 1000");
            using var run = context.OpenRun(parsed.GetValue(path)!, toWrite: true);
            var configuration = run.Configuration;
            var data = configuration.Data.Limit > 0 ? run.Data with { Train = run.Data.Train.Take(configuration.Data.Limit) } : run.Data;
            var settings = ClassifierSettings.For(data.Train);
            var table = ClassificationTable.Compute(run.Model, data, configuration, parsed.GetValue(quick) ? settings.Quick : settings,
                percents, classifiers);
            table.SaveClassifier(run.Directory.ClassifierFile);
            table.SaveCsv(run.Directory.File("classification.csv"));
            ResultTables.Print(context.Output, table, run.Model.Latents);
            context.Output.Json(table.ToJson());
            return ExitCode.Done;
        });
        return command;
    }
}
