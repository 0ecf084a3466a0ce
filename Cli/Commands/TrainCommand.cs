using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Distributed;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae train: trains, evaluates, ranks the factors, writes the report.</summary>
internal static class TrainCommand
{
    private const string CsvLog = "csv", TensorBoardLog = "tensorboard";

    public static Command Create()
    {
        var command = new Command("train", "train a model, evaluate it, rank its factors by information and write a report");
        var model = new Argument<string>("MODEL") { Description = "a model of `vae list models`", DefaultValueFactory = _ => "beta-vae" };
        var outDir = new Option<string?>("--out") { Description = "the run directory (default: runs/TIME-MODEL-DATA)" };
        var resume = new Option<bool>("--resume") { Description = "continue the run in --out from its last checkpoint" };
        var report = new Option<string>("--report") { Description = "write report.html", DefaultValueFactory = _ => "true" }
            .Among("true", "false");
        var log = new Option<string>("--log")
        {
            Description =
            "csv (metrics.csv alone) or tensorboard (event files beside it, in tensorboard/ of the run)",
            DefaultValueFactory = _ =>
            CsvLog
        }.Among(CsvLog, TensorBoardLog);
        var distributed = new Option<string>("--distributed")
        {
            Description = "none, or mpi: the processes that mpirun or srun started train one run together, each a part of every batch; "
                + "nccl: the same, with gradients that travel between NVIDIA's GPUs",
            DefaultValueFactory = _ => Ranks.None,
        };
        command.Arguments.Add(model);
        var settings = new SettingOptions(command, parsed => parsed.GetValue(model));
        var start = new StartingPoint(command);
        foreach (var option in (Option[])[outDir, resume, report, log, distributed])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (startModel, startSettings) = start.Read(parsed);
            bool modelGiven = parsed.GetResult(model) is { Implicit: false };
            string? named = modelGiven ? parsed.GetValue(model) : startModel;
            GivenSetting[] given = [.. startSettings, .. settings.Read(parsed, context)];
            string? folder = OutputFile.Folder("--out", parsed.GetValue(outDir));
            return Ranks.Run(parsed.GetValue(distributed)!, ranks => new TrainJob(ranks, context, named, given, folder,
                parsed.GetValue(resume), parsed.GetValue(report) == "true", parsed.GetValue(log) == TensorBoardLog).Run());
        });
        return command;
    }
}

/// <summary>What one call of vae train does.</summary>
/// <param name="model">The model that was named, or null.</param>
/// <param name="given">Settings from the command line: the option as written, the key, the value.</param>
/// <param name="ranks">The processes that do it together.</param>
internal sealed class TrainJob(Ranks ranks, CommandContext context, string? model, IReadOnlyList<GivenSetting> given, string? outDir,
    bool resume, bool writeReport, bool logTensorBoard)
{
    public int Run()
    {
        if (!ranks.IsFirst)
            return Follow();
        if (resume && outDir is null)
            throw new OptionException("--resume: it needs --out and the folder of the run to continue");
        if (resume && !RunDirectory.IsRun(outDir!))
            throw new OptionException($"--resume: there is no run in {outDir} to continue; name the folder of a run, or leave --resume out "
                + $"to begin one");
        return resume ? Continue(RunDirectory.Open(outDir!)) : Start();
    }

    private int Start()
    {
        var configuration = SettingOptions.Start(model ?? "beta-vae", given);
        configuration.Validate();
        var data = context.LoadData(configuration.Data.Name);
        using var compute = OpenCompute(configuration);
        configuration = configuration.On(compute) with
        {
            Version = BuildInfo.Version,
            Commit = BuildInfo.Commit,
            Started = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)
        };
        var directory = outDir is null ? RunDirectory.CreateUnique(DefaultPath(configuration)) : RunDirectory.Create(outDir);
        using var held = CommandContext.Lock(directory);
        using var run = new TrainingRun(compute, configuration, data, directory, ranks.Collective);
        run.Prepare();
        directory.SaveConfiguration(run.Configuration);
        Interruption.GoOn = HowToContinue(directory);
        return Train(run, directory, data);
    }

    /// <summary>What a rank other than the first does: it trains what that announces, and writes nothing.</summary>
    private int Follow()
    {
        if (ranks.Announced(out int exitCode) is not { } configuration)
            return exitCode;
        var data = context.LoadData(configuration.Data.Name);
        using var compute = OpenCompute(configuration);
        using var run = new TrainingRun(compute, configuration, data, RunDirectory.CreateOrReuse(outDir ?? ""), ranks.Collective);
        run.Prepare();
        run.Share();
        bool reachedEnd = Interruption.EndingByItself(() => run.Train(() => Interruption.IsRequested));
        if (ranks.Stop(!reachedEnd))
            return ExitCode.Interrupted;
        run.HelpToEvaluate();
        return ExitCode.Done;
    }

    private Compute OpenCompute(RunConfiguration configuration) =>
        (context with { DeviceName = ranks.DeviceFor(context.DeviceName) }).OpenCompute(configuration.Training.Precision);

    private static string HowToContinue(RunDirectory directory) => $"continue with: vae train --resume --out {directory.Path}";

    private static string DefaultPath(RunConfiguration configuration) =>
        Path.Combine("runs",
            $"{DateTime.UtcNow.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{configuration.Model.Name}-"
            + OwnFile.ShortName(configuration.Data.Name));

    private int Continue(RunDirectory directory)
    {
        var stored = directory.LoadConfiguration();
        if (model is not null && model != stored.Model.Name)
            throw new OptionException(
                $"MODEL {model}: the run in {directory.Path} is of {stored.Model.Name}; leave the model out to resume it");
        var configuration = Change(directory, stored);
        bool finished = directory.HasCheckpoint && File.Exists(directory.EvaluationFile) && configuration == stored
            && (!writeReport || File.Exists(directory.ReportFile));
        if (finished && directory.LoadCheckpoint().State.Epoch >= stored.Training.Epochs)
        {
            context.Output.Line($"{directory.Path} is finished: {stored.Training.Epochs} epochs; nothing to do");
            context.Output.Json(JsonNode.Parse(File.ReadAllText(directory.EvaluationFile))!);
            return ExitCode.Done;
        }
        Interruption.GoOn = HowToContinue(directory);
        using var held = CommandContext.Lock(directory);
        var data = context.LoadData(configuration.Data.Name);
        using var compute = OpenCompute(configuration);
        using var run = new TrainingRun(compute, configuration, data, directory, ranks.Collective);
        if (directory.HasCheckpoint)
            run.Resume();
        else if (File.Exists(directory.ModelFile))
            throw new OptionException(
                $"--resume: {directory.Path} holds imported weights without a checkpoint, so there is nothing to continue; train into "
                + $"another --out");
        if (configuration != stored)
            directory.SaveConfiguration(configuration);
        var (epoch, step) = run.Position;
        context.Output.Line($"resumed at epoch {epoch}, step {step}");
        return Train(run, directory, data);
    }

    /// <summary>What a stored run goes on with, which also tells what it had before; what was given has to leave it the same run.</summary>
    private RunConfiguration Change(RunDirectory directory, RunConfiguration stored)
    {
        var configuration = stored;
        string[] changeable = [.. stored.Groups.SelectMany(g => g.Settings).Where(s => s.MayChange).Select(s => s.Key)];
        var changed = new List<(GivenSetting Given, string Before)>();
        foreach (var setting in given)
        {
            var (option, key, value, note, _) = setting;
            if (note is not null)
                Output.Note(note);
            var next = configuration.With(key, value, option);
            next.CheckGiven(key, option);
            if (next == configuration)
                continue;
            // A weight without a warm-up has one sum fewer in the checkpoint.
            if (!changeable.Contains(key) || next.Training.Epochs < stored.Training.Epochs || WarmsUp(next) != WarmsUp(stored))
                throw new OptionException($"{option} {value}: the run in {directory.Path} was started with another {key}; "
                    + $"with --resume only a larger --epochs, and another {string.Join(", ", changeable.Where(k => k != "epochs"))} can "
                    + $"be given");
            if (key != "epochs")
                changed.Add((setting, stored.ToJsonObject()[key]!.ToJsonString()));
            configuration = next;
        }
        configuration.Validate();
        if (changed.Count == 0 || !directory.HasCheckpoint)
            return configuration;
        var state = directory.LoadCheckpoint().State;
        if (state.Epoch >= configuration.Training.Epochs)
        {
            var (option, _, value, _, _) = changed[0].Given;
            throw new OptionException(
                $"{option} {value}: all {state.Epoch} epochs of the run in {directory.Path} are done; give a larger --epochs as well");
        }
        string[] before = [.. changed.Select(c => $"{c.Given.Key} {c.Before} until epoch {state.Epoch + 1}, step {state.StepInEpoch}")];
        // Nothing has been trained with the old values before the first step.
        return (state.Epoch, state.StepInEpoch) == (0, 0) ? configuration
            : configuration with { Changed = string.Join("; ", stored.Changed == "" ? before : [stored.Changed, .. before]) };
    }

    private static bool WarmsUp(RunConfiguration c) => c.Value("kl_warm_up_epochs") is > 0.0;

    private int Train(TrainingRun run, RunDirectory directory, Data.DatasetSplits data)
    {
        ranks.Announce(run.Configuration);
        if (ranks.AreMany)
            run.Share();
        try
        {
            return TrainAndMeasure(run, directory, data);
        }
        catch (IOException e) when (directory.HasCheckpoint)
        {
            throw new IOException($"{e.Message}; the last checkpoint is whole: {HowToContinue(directory)}", e);
        }
        catch (CollectiveException e) when (directory.HasCheckpoint)
        {
            throw new CollectiveException($"{e.Message}; the last checkpoint is whole: {HowToContinue(directory)}");
        }
    }

    private int TrainAndMeasure(TrainingRun run, RunDirectory directory, Data.DatasetSplits data)
    {
        var c = run.Configuration;
        foreach (string note in data.Notes)
            Output.Note(note);
        string items = data.Train.Columns is null ? "images" : "rows";
        context.Output.Line(
            $"training {c.Model.Name} on {c.Data.Name} "
            + $"({(c.Data.Limit > 0 ? Math.Min(c.Data.Limit, data.Train.Count) : data.Train.Count)} {items}) on {run.Model.Compute.Name}, "
            + $"into {directory.Path}");
        if (CategoryTraining(c) is { } category)
            context.Output.Line(category);
        if (run.ShardCount > 1)
            context.Output.Line($"{run.ShardCount} shards of each batch on {ranks.Collective.Size} rank{(ranks.AreMany ? "s" : "")}; batch "
                + $"normalisation, total correlation, MMD and all else that is no sum over images is taken of a shard alone");
        using var log = logTensorBoard ? new TensorBoardLog(directory) : null;
        EpochSummary? last = null;
        bool reachedEnd;
        try
        {
            var display = new ProgressDisplay(context.Output, run.Configuration.Item);
            reachedEnd = Interruption.EndingByItself(() => display.Show((progress, epochDone) =>
                run.Train(() => Interruption.IsRequested, progress, (train, test) =>
                {
                    epochDone(last = train, test);
                    log?.Add(train, test, run.Model, data.Test, c);
                })));
        }
        catch (DivergenceException e)
        {
            throw new DivergenceException(string.Create(CultureInfo.InvariantCulture,
                $"{e.Message}: continue from it with vae train --resume --lr {c.Optimiser.LearningRate / 10:G3} --out {directory.Path}"),
                    e);
        }
        foreach (string note in last?.ImpossibleTerms(c) ?? [])
            Output.Note(note);
        if (ranks.AreMany && Environment.GetEnvironmentVariable("VAE_PROFILE") == "1" && run.SecondsSpent is { Training: > 0 } spent)
            Output.Note(string.Create(CultureInfo.InvariantCulture,
                $"all-reduce, waiting for other ranks included: {100 * spent.Adding / spent.Training:F1} % of the time of a step"));
        if (ranks.Stop(!reachedEnd))
        {
            var (epoch, step) = run.Position;
            int code = Interruption.Stopped(reachedEnd ? " before measuring" : $" in epoch {epoch} at step {step}");
            return ranks.AreMany ? ExitCode.Interrupted : code;
        }
        context.Output.Line($"measuring on the {data.Test.Count} test {items}");
        var result = run.Evaluate();
        ResultTables.Print(context.Output, result);
        log?.WriteProjector(run.Model, data.Test, c);
        if (writeReport)
        {
            var reduced = RunReport.Write(directory, run.Model, data.Test, result);
            ResultTables.Print(context.Output, reduced, run.Model.Latents);
            context.Output.Line();
            context.Output.Line($"report: {directory.ReportFile}");
        }
        context.Output.Json(result.ToJson());
        return ExitCode.Done;
    }

    /// <summary>How the category is trained, in words; null where there is none.</summary>
    private static string? CategoryTraining(RunConfiguration c)
    {
        if (c.Settings is not JointSettings { Category: var category })
            return null;
        int alone = category.AloneFor(c.Training.Epochs);
        string[] on =
        [
            .. c.Recipe == "" ? [] : (string[])[$"recipe {c.Recipe}"],
            string.Create(CultureInfo.InvariantCulture,
                $"{category.Categories} categories at temperature {category.Temperature} to "
                    + $"{category.TemperatureEnd}{(category.StraightThrough ? ", straight-through" : "")}"),
            $"encoder-mi {category.EncoderMi}",
            category.Vat > 0 ? string.Create(CultureInfo.InvariantCulture,
                $"vat {category.Vat} (radius {category.Adversary.Radius}, step {category.Adversary.Step})") : "no vat",
            category.Augment > 0 ? string.Create(CultureInfo.InvariantCulture, $"augment {category.Augment}") : "no augment",
            string.Create(CultureInfo.InvariantCulture, $"head scaled by {category.CategoryScale}"),
            alone > 0 ? $"the category alone for {alone} epochs"
                + (category.CategoryStarts > 1 ? $", the best of {category.CategoryStarts} starts, which are tried first" : "")
                : "one stage",
            .. alone < category.CategoryEpochs
                ? (string[])[$"category_epochs {category.CategoryEpochs} is shortened, because the run has {c.Training.Epochs} epochs"]
                : [],
        ];
        return $"category: {string.Join("; ", on)}";
    }
}
