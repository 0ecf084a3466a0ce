using System.Collections.Concurrent;
using System.CommandLine;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae sweep: a grid of runs, resumable, by one process or by many, with one summary.</summary>
internal static class SweepCommand
{
    public static Command Create()
    {
        var command =
            new Command("sweep",
            "train and evaluate a grid of runs, several at a time, on one machine or as a job array; run it again to continue it. Writes "
            + "summary.csv and the charts of paper 2");
        var model = new Argument<string?>("MODEL")
        {
            Description = "a model of `vae list models`; with --merge also the folder of a sweep",
            Arity = ArgumentArity.ZeroOrOne
        };
        var grid = new Option<string[]>("--grid")
        {
            Description =
            "KEY=V1,V2,... of the configuration; may be repeated for all combinations. sigma2=... stands for noise=fixed:...; beta=paper "
            + "and sigma2=paper for the values of paper 2",
            DefaultValueFactory = _ => []
        };
        var seeds = new Option<string?>("--seeds")
        {
            Description = "every combination with these seeds, 1..5 or 1,2,3; seeds.csv has means and 95 % confidence intervals"
        };
        var jobs = new Option<int>("--jobs")
        {
            Description = "runs at a time; they share the processor's threads",
            DefaultValueFactory = _ => 1
        };
        var shard = new Option<string?>("--shard")
        {
            Description =
            "I/N: only every N-th run from the I-th on, for one of N tasks; auto/N takes I from Slurm or Kubernetes (default: this task of "
            + "Slurm's array where there is one, else all runs). Writes no summary: --merge does"
        };
        var merge = new Option<bool>("--merge") { Description = "train nothing, and write the summary and the charts of what is finished" };
        var outDir = new Option<string?>("--out") { Description = "the folder of the sweep (default: runs/sweep-MODEL-DATA)" };
        command.Arguments.Add(model);
        foreach (var option in (Option[])[grid, seeds, jobs, shard, merge, outDir])
            command.Options.Add(option);
        var settings = new SettingOptions(command, parsed => parsed.GetValue(model));
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            string? folder = OutputFile.Folder("--out", parsed.GetValue(outDir)), name = parsed.GetValue(model);
            var given = settings.Read(parsed, context);
            GridAxis[] axes = [.. parsed.GetValue(grid)!.Select(GridAxis.Parse),
                .. parsed.GetValue(seeds) is { } text ? [GridAxis.Seeds(text)] : (GridAxis[])[]];
            bool merges = parsed.GetValue(merge);
            if (merges && parsed.GetValue(shard) is { } part)
                throw new OptionException($"--shard {part}: --merge is about all runs; leave one of them out");
            if (merges && (axes.Length == 0 || IsFolder(name)))
            {
                if (axes.Length > 0)
                    throw new OptionException($"{GivenAxis(parsed, grid, seeds)}: --merge of a folder takes grid and seeds from its "
                        + $"{Sweep.PlanName}; leave it out");
                return new SweepJob(context, Sweep.Open(FolderToMerge(name, folder, given)), 1, null).Merge();
            }
            if (string.IsNullOrEmpty(name))
                throw new OptionException($"MODEL: it must be given ({model.Description}); `vae sweep --help` shows what is possible");
            if (axes.Length == 0)
                throw new OptionException($"--grid: it must be given, or --seeds ({grid.Description}); `vae sweep --help` shows what is "
                    + $"possible");
            if (context.SeedGiven && axes.Any(a => a.Key == GridAxis.SeedKey))
                throw new OptionException($"--seed {context.Seed}: the grid has its own seeds; leave one of them out");
            var start = SettingOptions.Start(name, given) with { Version = BuildInfo.Version, Commit = BuildInfo.Commit };
            int atATime = parsed.GetValue(jobs);
            if (atATime < 1)
                throw new OptionException($"--jobs {atATime}: expected a positive number");
            var sweep = new Sweep(start, axes, folder ?? DefaultFolder(start.Model.Name, start.Data.Name)) { Note = Output.Note };
            return merges ? new SweepJob(context, sweep, atATime, null).Merge()
                : new SweepJob(context, sweep, atATime, Shard.Read(parsed.GetValue(shard), Environment.GetEnvironmentVariable)).Run();
        });
        return command;
    }

    /// <summary>Whether what stands in MODEL's place is the folder of a sweep.</summary>
    private static bool IsFolder(string? name) => name is { Length: > 0 } && !ModelCatalogue.Names.Contains(name) && Directory.Exists(name);

    /// <summary>The option that a grid came from, as it was written.</summary>
    private static string GivenAxis(ParseResult parsed, Option<string[]> grid, Option<string?> seeds) =>
        parsed.GetValue(grid) is [var first, ..] ? $"{grid.Name} {first}" : $"{seeds.Name} {parsed.GetValue(seeds)}";

    /// <summary>The folder whose sweep.json is merged: that of --out, the one named in MODEL's place, or the model's own.</summary>
    private static string FolderToMerge(string? name, string? folder, IReadOnlyList<GivenSetting> given)
    {
        bool isModel = name is not null && ModelCatalogue.Names.Contains(name);
        if (given.FirstOrDefault(g => !(isModel && g.Key == "data")) is { Option: { } option })
            throw new OptionException($"{option}: --merge takes the settings of the sweep from its folder; leave it out, or repeat the "
                + $"whole command with its --grid");
        if (name is null or "")
            return folder ?? throw new OptionException("--merge: it needs the folder of the sweep, as in vae sweep DIR --merge");
        if (isModel)
            return folder ?? DefaultFolder(name, given.LastOrDefault().Value ?? "mnist");
        if (folder is null && !Directory.Exists(name))
            throw new OptionException($"{name}: it is neither the folder of a sweep nor a model"
                + $"{Spelling.Suggest(name, ModelCatalogue.Names)}");
        return folder is null ? name
            : throw new OptionException($"--out {folder}: {name} is named as the folder of the sweep already; leave one of them out");
    }

    private static string DefaultFolder(string model, string data) => Path.Combine("runs", $"sweep-{model}-{OwnFile.ShortName(data)}");
}

/// <summary>What one call of vae sweep does.</summary>
/// <param name="shard">The part of the runs that is done here; null for all.</param>
internal sealed class SweepJob(CommandContext context, Sweep sweep, int jobs, Shard? shard)
{
    private const int MostNamed = 10;

    /// <summary>The columns of the printed tables behind the keys.</summary>
    private static readonly (Func<SweepResult, double> Value, string Format)[] Shown =
    [
        (r => r["evlb_nats"], "F2"), (r => r["sigma2"], "G4"), (r => r.NormalisedVariance, "G4"), (r => r["mi_nats"], "F2"),
        (r => r["influential_factors"], "F0"), (r => r["normal_variance_factors"], "F0"),
    ];

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, string> failed = new();
    private readonly ConcurrentDictionary<SweepPoint, RunClaim> held = new();
    private volatile Exception? failure;

    private bool Ends => Interruption.IsRequested || failure is not null;

    /// <summary>Trains the runs that are not finished, in this process's share, and that no other process holds.</summary>
    public int Run()
    {
        if (RunDirectory.IsRun(sweep.Path))
            throw new OptionException(
                $"--out {sweep.Path}: it is a run directory; name another folder, in which the sweep makes a folder for each of its runs");
        sweep.ThrowIfNarrower();
        Interruption.GoOn = "continue with the same command";
        Directory.CreateDirectory(sweep.Path);
        var share = shard?.Of(sweep.Points) ?? sweep.Points;
        SweepPoint[] left = [.. share.Where(p => !sweep.IsFinished(p))];
        sweep.SavePlan();
        context.Output.Line($"{(shard is null ? "" : $"shard {shard}: {share.Count} of ")}{Runs(sweep.Points.Count)} in {sweep.Path}, "
            + $"{share.Count - left.Length} of them finished already");
        foreach (var point in left)
            if (sweep.FailureOf(point) is { } before)
                context.Output.Line($"{point.Name} is tried again; before: {before}");
        Interruption.EndingByItself(() =>
        {
            for (bool worthIt = left.Length > 0; worthIt && !Ends;)
            {
                int before = left.Length;
                held.Clear();
                TrainAll(left);
                left = [.. held.Keys];
                worthIt = left.Length > 0 && (left.Length < before || OneIsGivenUp());
            }
            if (shard is null)
                SweepSummary.Write(sweep);
            return left.Length;
        });
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        if (Interruption.IsRequested)
            return Interruption.Stopped();
        foreach (var (point, claim) in held.OrderBy(h => h.Key.Name, StringComparer.Ordinal))
            Output.Note($"{point.Name} is left to {claim.Holder}, which is at work on it");
        if (shard is null)
            return Report();
        context.Output.Line($"shard {shard} is done; `vae sweep {sweep.Path} --merge` writes the summary when all are");
        context.Output.Json(ToJson(new(sweep.Keys, [.. share.Where(sweep.IsFinished).Select(sweep.ResultOf)]), share));
        return failed.IsEmpty ? ExitCode.Done : ExitCode.Failure;
    }

    /// <summary>Writes the summary of what is finished, and says what is not.</summary>
    public int Merge()
    {
        sweep.ThrowIfNarrower();
        foreach (var point in sweep.Points)
            if (sweep.FailureOf(point) is { } sentence)
            {
                failed[point.Name] = sentence;
                Output.Warn($"{point.Name} is left unfinished: {sentence}");
            }
        string[] missing = [.. sweep.Points.Where(p => !sweep.IsFinished(p) && !failed.ContainsKey(p.Name)).Select(p => p.Name)];
        if (missing.Length > 0)
            Output.Note($"{missing.Length} of {Runs(sweep.Points.Count)} {(missing.Length == 1 ? "is" : "are")} not finished: "
                + string.Join(", ", missing.Take(MostNamed))
                + (missing.Length > MostNamed ? ", ..." : ""));
        SweepSummary.Write(sweep);
        return Report();
    }

    private int Report()
    {
        var summary = SweepSummary.Of(sweep);
        if (summary.Results.Count > 0)
            Print(summary);
        else
            Output.Note("no run is finished, so that there is no summary");
        context.Output.Json(ToJson(summary, sweep.Points));
        return failed.IsEmpty ? ExitCode.Done : ExitCode.Failure;
    }

    private void TrainAll(SweepPoint[] left)
    {
        var queue = new Queue<SweepPoint>(left);
        int workers = Math.Min(jobs, left.Length);
        // Each job has a device and threads of its own; whoever asked for a number of threads asked for all jobs together.
        int threads = Math.Max(1, (context.Threads > 0 ? context.Threads : Environment.ProcessorCount) / workers);
        var running = Enumerable.Range(0, workers).Select(_ => new Thread(() => Work(queue, context with { Threads = threads }))).ToArray();
        foreach (var thread in running)
            thread.Start();
        foreach (var thread in running)
            thread.Join();
    }

    private void Work(Queue<SweepPoint> left, CommandContext own)
    {
        try
        {
            while (!Ends && Next(left) is { } point)
            {
                if (sweep.IsFinished(point))
                    continue;
                var data = own.LoadData(point.Configuration.Data.Name);
                using var compute = own.OpenCompute();
                RunEnd end;
                try
                {
                    end = sweep.Train(point, compute, data, () => Ends);
                }
                catch (RunHeldException e)
                {
                    held[point] = e.Claim;
                    continue;
                }
                catch (Exception e) when (CommandLineTool.IsExplained(e))
                {
                    Fail(point, e.Message);
                    continue;
                }
                if (end == RunEnd.Stopped)
                    return;
                if (shard is null)
                    SweepSummary.Write(sweep);
                if (end == RunEnd.Finished)
                    own.Output.Line($"{point.Name} is finished");
            }
        }
        catch (Exception e)
        {
            failure ??= e;
        }
    }

    /// <summary>Leaves a run as it is, with why; the others go on, and the next call tries it again.</summary>
    private void Fail(SweepPoint point, string sentence)
    {
        failed[point.Name] = sentence;
        Output.Warn($"{point.Name} is left unfinished: {sentence}");
        try
        {
            sweep.SaveFailure(point, sentence);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk, perhaps the very reason: what was said above is all that can be done.
        }
    }

    /// <summary>
    /// Waits until it is known of every run that another machine claims whether that is still at work on it: its claim is written anew, or
    /// is given up.
    /// </summary>
    /// <returns>Whether one of the runs can be taken up now.</returns>
    private bool OneIsGivenUp()
    {
        var silent = held.Where(h => !h.Value.IsLocal).ToDictionary();
        if (silent.Count > 0)
            context.Output.Line($"waiting for a sign of {string.Join(", ", silent.Values.Select(c => c.Holder).Distinct())}, "
                + $"{RunClaim.Expiry.TotalMinutes} minutes at most");
        while (silent.Count > 0 && !Ends)
        {
            Thread.Sleep(BetweenLooks);
            foreach (var (point, before) in silent.ToArray())
            {
                if (RunLock.ClaimOn(sweep.DirectoryOf(point).Path) is not { } now || now.IsGivenUp(DateTime.UtcNow))
                    return true;
                if (now != before)
                    silent.Remove(point);
            }
        }
        return false;
    }

    private static SweepPoint? Next(Queue<SweepPoint> left)
    {
        lock (left)
            return left.TryDequeue(out var point) ? point : null;
    }

    private void Print(SweepSummary summary)
    {
        context.Output.Table([.. summary.Keys, "EVLB", "sigma^2", "beta sigma^2", "nats (I3)", "influential", "normal"],
            summary.Results.Select(r => (IReadOnlyList<string>)
                [.. r.Point.Values.Select(v => v.Value), .. Shown.Select(c => Number(c.Value(r), c.Format))]));
        if (summary.OverSeeds is { Count: > 0 } groups)
        {
            context.Output.Line();
            context.Output.Line("means over the seeds, +- half the 95 % confidence interval (Student's t)");
            context.Output.Table(
                [.. summary.Keys.Where(k => k != GridAxis.SeedKey), "seeds", "EVLB", "sigma^2", "beta sigma^2", "nats (I3)", "influential",
                    "normal"],
                groups.Select(g => (IReadOnlyList<string>)[.. g.Values.Select(v => v.Value), Number(g.Results.Count, "F0"),
                    .. Shown.Select(c => Interval(g.Over(c.Value), c.Format == "F0" ? "F1" : c.Format))]));
        }
        context.Output.Line();
        context.Output.Line($"summary            {Path.Combine(sweep.Path, "summary.csv")}");
        if (summary.OverSeeds.Count > 0)
            context.Output.Line($"means              {Path.Combine(sweep.Path, "seeds.csv")}");
    }

    private static string Interval((double Mean, double HalfWidth) m, string format) =>
        double.IsNaN(m.HalfWidth) ? Number(m.Mean, format) : $"{Number(m.Mean, format)} +- {Number(m.HalfWidth, format)}";

    private JsonObject ToJson(SweepSummary summary, IReadOnlyList<SweepPoint> share) => new()
    {
        ["sweep"] = sweep.Path,
        ["runs"] = new JsonArray([.. summary.Results.Select(Json)]),
        ["seeds"] = new JsonArray([.. summary.OverSeeds.Select(Json)]),
        ["failed"] = new JsonArray([.. share.Where(p => failed.ContainsKey(p.Name))
            .Select(p => new JsonObject { ["run"] = p.Name, ["sentence"] = failed[p.Name] })]),
        ["unfinished"] = new JsonArray([.. share.Where(p => !failed.ContainsKey(p.Name) && !sweep.IsFinished(p))
            .Select(p => JsonValue.Create(p.Name))]),
    };

    private static JsonObject Json(SweepResult result)
    {
        var json = new JsonObject { ["run"] = result.Point.Name };
        foreach (var (key, value) in result.Point.Values)
            json[key] = value;
        json["beta_sigma2"] = Finite(result.NormalisedVariance);
        json["evaluation"] = result.Evaluation.DeepClone();
        return json;
    }

    private static JsonObject Json(SeedGroup group)
    {
        var json = new JsonObject();
        foreach (var (key, value) in group.Values)
            json[key] = value;
        json["seeds"] = group.Results.Count;
        foreach (var (name, value) in SweepSummary.Measured)
        {
            var (mean, halfWidth) = group.Over(value);
            json[name] = new JsonObject { ["mean"] = Finite(mean), ["ci95"] = Finite(halfWidth) };
        }
        return json;
    }

    private static string Runs(int count) => count == 1 ? "1 run" : $"{count} runs";

    private static JsonNode? Finite(double value) => double.IsFinite(value) ? value : null;

    private static string Number(double value, string format) =>
        double.IsNaN(value) ? "-" : value.ToString(format, CultureInfo.InvariantCulture);
}
