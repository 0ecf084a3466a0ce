using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae train: trains, evaluates, ranks the factors, writes the report.</summary>
internal static class TrainCommand
{
    /// <summary>Options of the command line that set one key of the configuration.</summary>
    private static readonly (string Option, string Key, string Description)[] Settings =
    [
        ("--epochs", "epochs", "passes over the training images"),
        ("--batch", "batch", "images per step; more than there are means one batch"),
        ("--lr", "learning_rate", "learning rate"),
        ("--beta", "beta", "weight of the KL term"),
        ("--latent", "latents", "number of factors"),
        ("--noise", "noise", "the decoder's noise: learned or fixed:VARIANCE"),
        ("--noise-update", "noise_update", "how a learned variance moves: closed-form or gradient"),
        ("--network", "network", "conv, or mlp:WIDTH,WIDTH,..."),
        ("--limit", "limit", "train on the first N images only"),
        ("--binarise", "binarise", "none, threshold, static or dynamic"),
        ("--gamma", "gamma", "weight of the distance to the capacity (capacity-vae)"),
        ("--capacity", "capacity", "largest capacity in nats (capacity-vae)"),
    ];

    public static Command Create()
    {
        var command = new Command("train", "train a model, evaluate it, rank its factors by information and write a report");
        var model = new Argument<string>("MODEL") { Description = "a model of `vae list models`", DefaultValueFactory = _ => "beta-vae" };
        var dataset = new Option<string?>("--data") { Description = "a data set of `vae list datasets` (default: mnist)" };
        var settings = Settings.Select(s => (Option: new Option<string?>(s.Option) { Description = s.Description }, s.Key)).ToArray();
        var set = new Option<string[]>("--set") { Description = "any other key of the configuration, KEY=VALUE; may be repeated", DefaultValueFactory = _ => [] };
        var outDir = new Option<string?>("--out") { Description = "the run directory (default: runs/TIME-MODEL-DATA)" };
        var resume = new Option<bool>("--resume") { Description = "continue the run in --out from its last checkpoint" };
        var report = new Option<bool>("--report") { Description = "write report.html (default: true)", DefaultValueFactory = _ => true };
        command.Arguments.Add(model);
        foreach (var option in (Option[])[dataset, .. settings.Select(s => s.Option), set, outDir, resume, report])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var given = new List<(string Option, string Key, string Value)>();
            if (parsed.GetValue(dataset) is { } data)
                given.Add(("--data", "data", data));
            foreach (var (option, key) in settings)
                if (parsed.GetValue(option) is { } value)
                    given.Add((option.Name, key, value));
            if (context.SeedGiven)
                given.Add(("--seed", "seed", context.Seed.ToString(CultureInfo.InvariantCulture)));
            if (context.PrecisionGiven)
                given.Add(("--precision", "precision", context.Precision));
            foreach (string pair in parsed.GetValue(set)!)
            {
                int equals = pair.IndexOf('=');
                if (equals <= 0)
                    throw new OptionException($"--set {pair}: expected KEY=VALUE");
                given.Add(("--set", pair[..equals], pair[(equals + 1)..]));
            }
            bool modelGiven = parsed.GetResult(model) is { Implicit: false };
            var job = new TrainJob(context, modelGiven ? parsed.GetValue(model) : null, given, parsed.GetValue(outDir), parsed.GetValue(resume), parsed.GetValue(report));
            return job.Run();
        });
        return command;
    }
}

/// <summary>What one call of vae train does.</summary>
/// <param name="model">The model that was named, or null.</param>
/// <param name="given">Settings from the command line: the option as written, the key, the value.</param>
internal sealed class TrainJob(CommandContext context, string? model, IReadOnlyList<(string Option, string Key, string Value)> given, string? outDir, bool resume, bool writeReport)
{
    private volatile bool stopRequested;

    public int Run()
    {
        if (resume && outDir is null)
            throw new OptionException("--resume: it needs --out and the folder of the run to continue");
        bool continues = resume && File.Exists(Path.Combine(outDir!, "config.json"));
        return continues ? Continue(RunDirectory.Open(outDir!)) : Start();
    }

    private int Start()
    {
        var configuration = Apply(ModelCatalogue.Find(model ?? "beta-vae").Defaults);
        configuration.Validate();
        var data = context.LoadData(configuration.Data);
        using var compute = context.OpenCompute();
        configuration = configuration with { Device = compute.Name, Version = VersionText(), Commit = CommitText(), Started = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) };
        string path = outDir ?? Path.Combine("runs", $"{DateTime.UtcNow.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{configuration.Model}-{configuration.Data}");
        var directory = resume ? RunDirectory.CreateOrReuse(path) : RunDirectory.Create(path);
        directory.SaveConfiguration(configuration);
        using var run = new TrainingRun(compute, configuration, data, directory);
        return Train(run, directory, data);
    }

    private int Continue(RunDirectory directory)
    {
        var stored = directory.LoadConfiguration();
        var configuration = Apply(stored);
        if (model is not null && model != stored.Model)
            throw new OptionException($"MODEL {model}: the run in {directory.Path} is of {stored.Model}; leave the model out to resume it");
        if (configuration.Epochs < stored.Epochs || configuration with { Epochs = stored.Epochs } != stored)
        {
            var (option, key, value) = given.First(g => configuration.Epochs < stored.Epochs || g.Key != "epochs");
            throw new OptionException($"{option} {value}: the run in {directory.Path} was started with another {key}; only a larger --epochs can be given with --resume");
        }
        bool finished = directory.HasCheckpoint && File.Exists(directory.EvaluationFile) && configuration == stored && (!writeReport || File.Exists(directory.ReportFile));
        if (finished && directory.LoadCheckpoint().State.Epoch >= stored.Epochs)
        {
            context.Output.Line($"{directory.Path} is finished: {stored.Epochs} epochs; nothing to do");
            return ExitCode.Done;
        }
        var data = context.LoadData(configuration.Data);
        using var compute = context.OpenCompute();
        using var run = new TrainingRun(compute, configuration, data, directory);
        if (directory.HasCheckpoint)
            run.Resume();
        if (configuration != stored)
            directory.SaveConfiguration(configuration);
        var (epoch, step) = run.Position;
        context.Output.Line($"resumed at epoch {epoch}, step {step}");
        return Train(run, directory, data);
    }

    private int Train(TrainingRun run, RunDirectory directory, Engine.Data.DatasetSplits data)
    {
        var c = run.Configuration;
        context.Output.Line($"training {c.Model} on {c.Data} ({(c.Limit > 0 ? Math.Min(c.Limit, data.Train.Count) : data.Train.Count)} images) on {run.Model.Compute.Name}, into {directory.Path}");
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        bool reachedEnd = new ProgressDisplay(context.Output).Show((progress, epochDone) => run.Train(() => stopRequested, progress, epochDone));
        if (!reachedEnd)
        {
            var (epoch, step) = run.Position;
            Output.Warn($"stopped in epoch {epoch} at step {step}; continue with: vae train --resume --out {directory.Path}");
            return ExitCode.Interrupted;
        }
        var result = run.Evaluate();
        ResultTables.Print(context.Output, result);
        context.Output.Json(result.ToJson());
        return ExitCode.Done;
    }

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        stopRequested = true;
    }

    private RunConfiguration Apply(RunConfiguration configuration)
    {
        foreach (var (option, key, value) in given)
            configuration = configuration.With(key, value, option);
        return configuration;
    }

    private static string VersionText() => typeof(TrainJob).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    private static string CommitText() => typeof(TrainJob).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit] ? commit : "";
}
