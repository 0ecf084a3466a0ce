using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Cli.Report;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae train: trains, evaluates, ranks the factors, writes the report.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var command = new Command("train", "train a model, evaluate it, rank its factors by information and write a report");
        var model = new Argument<string>("MODEL") { Description = "a model of `vae list models`", DefaultValueFactory = _ => "beta-vae" };
        var outDir = new Option<string?>("--out") { Description = "the run directory (default: runs/TIME-MODEL-DATA)" };
        var resume = new Option<bool>("--resume") { Description = "continue the run in --out from its last checkpoint" };
        var report = new Option<string>("--report") { Description = "write report.html: true or false", DefaultValueFactory = _ => "true" };
        command.Arguments.Add(model);
        var settings = new SettingOptions(command);
        foreach (var option in (Option[])[outDir, resume, report])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            if (!bool.TryParse(parsed.GetValue(report), out bool writeReport))
                throw new OptionException($"--report {parsed.GetValue(report)}: expected true or false");
            bool modelGiven = parsed.GetResult(model) is { Implicit: false };
            var job = new TrainJob(context, modelGiven ? parsed.GetValue(model) : null, settings.Read(parsed, context), OutputFile.Folder("--out", parsed.GetValue(outDir)), parsed.GetValue(resume), writeReport);
            return job.Run();
        });
        return command;
    }
}

/// <summary>What one call of vae train does.</summary>
/// <param name="model">The model that was named, or null.</param>
/// <param name="given">Settings from the command line: the option as written, the key, the value.</param>
internal sealed class TrainJob(CommandContext context, string? model, IReadOnlyList<Setting> given, string? outDir, bool resume, bool writeReport)
{
    /// <summary>Keys that say no more than how the next steps are made; another value of any other would make another run of it.</summary>
    private static readonly string[] Changeable =
        ["epochs", "learning_rate", "discriminator_learning_rate", "q_learning_rate", "pretraining_learning_rate", "kl_warm_up_epochs", "noise_floor"];

    public int Run()
    {
        if (resume && outDir is null)
            throw new OptionException("--resume: it needs --out and the folder of the run to continue");
        bool continues = resume && File.Exists(Path.Combine(outDir!, "config.json"));
        return continues ? Continue(RunDirectory.Open(outDir!)) : Start();
    }

    private int Start()
    {
        var configuration = SettingOptions.Start(model ?? "beta-vae", given);
        configuration.Validate();
        var data = context.LoadData(configuration.Data);
        using var compute = context.OpenCompute(configuration.Precision);
        configuration = configuration with { Device = compute.Name, Version = BuildInfo.Version, Commit = BuildInfo.Commit, Started = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) };
        var directory = outDir is null ? RunDirectory.CreateUnique(DefaultPath(configuration)) : resume ? RunDirectory.CreateOrReuse(outDir) : RunDirectory.Create(outDir);
        using var held = Lock(directory);
        using var run = new TrainingRun(compute, configuration, data, directory);
        directory.SaveConfiguration(configuration);
        Interruption.GoOn = HowToContinue(directory);
        return Train(run, directory, data);
    }

    private static string HowToContinue(RunDirectory directory) => $"continue with: vae train --resume --out {directory.Path}";

    private static string DefaultPath(RunConfiguration configuration) =>
        Path.Combine("runs", $"{DateTime.UtcNow.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{configuration.Model}-{configuration.Data}");

    private int Continue(RunDirectory directory)
    {
        var stored = directory.LoadConfiguration();
        if (model is not null && model != stored.Model)
            throw new OptionException($"MODEL {model}: the run in {directory.Path} is of {stored.Model}; leave the model out to resume it");
        var configuration = Change(directory, stored);
        bool finished = directory.HasCheckpoint && File.Exists(directory.EvaluationFile) && configuration == stored && (!writeReport || File.Exists(directory.ReportFile));
        if (finished && directory.LoadCheckpoint().State.Epoch >= stored.Epochs)
        {
            context.Output.Line($"{directory.Path} is finished: {stored.Epochs} epochs; nothing to do");
            context.Output.Json(JsonNode.Parse(File.ReadAllText(directory.EvaluationFile))!);
            return ExitCode.Done;
        }
        Interruption.GoOn = HowToContinue(directory);
        using var held = Lock(directory);
        var data = context.LoadData(configuration.Data);
        using var compute = context.OpenCompute(configuration.Precision);
        using var run = new TrainingRun(compute, configuration, data, directory);
        if (directory.HasCheckpoint)
            run.Resume();
        else if (File.Exists(directory.ModelFile))
            throw new OptionException($"--resume: {directory.Path} holds imported weights without a checkpoint, so there is nothing to continue; train into another --out");
        if (configuration != stored)
            directory.SaveConfiguration(configuration);
        directory.RemoveLeftovers();
        var (epoch, step) = run.Position;
        context.Output.Line($"resumed at epoch {epoch}, step {step}");
        return Train(run, directory, data);
    }

    /// <summary>What a stored run goes on with, which also tells what it had before; what was given has to leave it the same run.</summary>
    private RunConfiguration Change(RunDirectory directory, RunConfiguration stored)
    {
        var configuration = stored;
        var changed = new List<(Setting Given, string Before)>();
        foreach (var setting in given)
        {
            var (option, key, value) = setting;
            var next = configuration.With(key, value, option);
            if (next == configuration)
                continue;
            // A weight without a warm-up has one sum fewer in the checkpoint.
            if (!Changeable.Contains(key) || next.Epochs < stored.Epochs || (next.KlWarmUpEpochs > 0) != (stored.KlWarmUpEpochs > 0))
                throw new OptionException($"{option} {value}: the run in {directory.Path} was started with another {key}; "
                    + $"with --resume only a larger --epochs, and another {string.Join(", ", Changeable[1..])} can be given");
            if (key != "epochs")
                changed.Add((setting, JsonNode.Parse(stored.ToJson())![key]!.ToJsonString()));
            configuration = next;
        }
        configuration.Validate();
        if (changed.Count == 0 || !directory.HasCheckpoint)
            return configuration;
        var state = directory.LoadCheckpoint().State;
        if (state.Epoch >= configuration.Epochs)
        {
            var (option, _, value) = changed[0].Given;
            throw new OptionException($"{option} {value}: all {state.Epoch} epochs of the run in {directory.Path} are done; give a larger --epochs as well");
        }
        string[] before = [.. changed.Select(c => $"{c.Given.Key} {c.Before} until epoch {state.Epoch + 1}, step {state.StepInEpoch}")];
        // Nothing has been trained with the old values before the first step.
        return (state.Epoch, state.StepInEpoch) == (0, 0) ? configuration
            : configuration with { Changed = string.Join("; ", stored.Changed == "" ? before : [stored.Changed, .. before]) };
    }

    private static RunLock Lock(RunDirectory directory)
    {
        var held = directory.Lock();
        if (held.Notice is { } notice)
            Output.Note(notice);
        return held;
    }

    private int Train(TrainingRun run, RunDirectory directory, Engine.Data.DatasetSplits data)
    {
        var c = run.Configuration;
        foreach (string note in data.Notes)
            Output.Note(note);
        context.Output.Line($"training {c.Model} on {c.Data} ({(c.Limit > 0 ? Math.Min(c.Limit, data.Train.Count) : data.Train.Count)} images) on {run.Model.Compute.Name}, into {directory.Path}");
        if (CategoryTraining(c) is { } category)
            context.Output.Line(category);
        EpochSummary? last = null;
        bool reachedEnd;
        try
        {
            reachedEnd = Interruption.EndingByItself(() => new ProgressDisplay(context.Output).Show((progress, epochDone) =>
                run.Train(() => Interruption.IsRequested, progress, (train, test) => epochDone(last = train, test))));
        }
        catch (DivergenceException e)
        {
            throw new DivergenceException(string.Create(CultureInfo.InvariantCulture,
                $"{e.Message}: continue from it with vae train --resume --lr {c.LearningRate / 10:G3} --out {directory.Path}"), e);
        }
        foreach (string note in last?.ImpossibleTerms(c) ?? [])
            Output.Note(note);
        if (Interruption.IsRequested)
        {
            var (epoch, step) = run.Position;
            return Interruption.Stopped(reachedEnd ? " before measuring" : $" in epoch {epoch} at step {step}");
        }
        context.Output.Line($"measuring on the {data.Test.Count} test images");
        var result = run.Evaluate();
        ResultTables.Print(context.Output, result);
        if (writeReport)
        {
            var reduced = RunReport.Write(directory, run.Model, data.Test, result);
            ResultTables.Print(context.Output, reduced, run.Model.Latents);
            context.Output.Line();
            context.Output.Line($"report             {directory.ReportFile}");
        }
        context.Output.Json(result.ToJson());
        return ExitCode.Done;
    }

    /// <summary>How the category is trained, in words; null where there is none.</summary>
    private static string? CategoryTraining(RunConfiguration c)
    {
        if (c.LatentKind != "joint")
            return null;
        string[] on =
        [
            .. c.Recipe == "" ? [] : (string[])[$"recipe {c.Recipe}"],
            string.Create(CultureInfo.InvariantCulture, $"{c.Categories} categories at temperature {c.Temperature} to {c.TemperatureEnd}{(c.StraightThrough ? ", straight-through" : "")}"),
            string.Create(CultureInfo.InvariantCulture, $"encoder-mi {c.EncoderMi}"),
            c.Vat > 0 ? string.Create(CultureInfo.InvariantCulture, $"vat {c.Vat} (radius {c.VatRadius}, step {c.VatStep})") : "no vat",
            c.Augment > 0 ? string.Create(CultureInfo.InvariantCulture, $"augment {c.Augment}") : "no augment",
            string.Create(CultureInfo.InvariantCulture, $"head scaled by {c.CategoryScale}"),
            c.CategoryEpochs > 0 ? $"the category alone for {c.CategoryEpochs} epochs" : "one stage",
        ];
        return $"category: {string.Join("; ", on)}";
    }
}
