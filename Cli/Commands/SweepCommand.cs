using System.CommandLine;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae sweep: a grid of runs, resumable, with one summary.</summary>
internal static class SweepCommand
{
    public static Command Create()
    {
        var command = new Command("sweep", "train and evaluate a grid of runs, several at a time; run it again to continue it. Writes summary.csv and the charts of paper 2");
        var model = new Argument<string>("MODEL") { Description = "a model of `vae list models`" };
        var grid = new Option<string[]>("--grid") { Description = "KEY=V1,V2,... of the configuration; may be repeated for all combinations. sigma2=... stands for noise=fixed:...; beta=paper and sigma2=paper for the values of paper 2", Required = true };
        var jobs = new Option<int>("--jobs") { Description = "runs at a time; they share the processor's threads", DefaultValueFactory = _ => 1 };
        var outDir = new Option<string?>("--out") { Description = "the folder of the sweep (default: runs/sweep-MODEL-DATA)" };
        command.Arguments.Add(model);
        foreach (var option in (Option[])[grid, jobs, outDir])
            command.Options.Add(option);
        var settings = new SettingOptions(command);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var start = SettingOptions.Start(parsed.GetValue(model)!, settings.Read(parsed, context)) with { Version = BuildInfo.Version, Commit = BuildInfo.Commit };
            string path = OutputFile.Folder("--out", parsed.GetValue(outDir)) ?? Path.Combine("runs", $"sweep-{start.Model}-{start.Data}");
            int atATime = parsed.GetValue(jobs);
            if (atATime < 1)
                throw new OptionException($"--jobs {atATime}: expected a positive number");
            return new SweepJob(context, new(start, [.. parsed.GetValue(grid)!.Select(GridAxis.Parse)], path) { Note = Output.Note }, atATime).Run();
        });
        return command;
    }
}

/// <summary>What one call of vae sweep does.</summary>
internal sealed class SweepJob(CommandContext context, Sweep sweep, int jobs)
{
    private volatile Exception? failure;
    private volatile bool diverged;

    public int Run()
    {
        if (RunDirectory.IsRun(sweep.Path))
            throw new OptionException($"--out {sweep.Path}: it is a run directory; name another folder, in which the sweep makes a folder for each of its runs");
        Interruption.GoOn = "continue with the same command";
        Directory.CreateDirectory(sweep.Path);
        var left = new Queue<SweepPoint>(sweep.Points.Where(p => !sweep.IsFinished(p)));
        context.Output.Line($"{sweep.Points.Count} runs in {sweep.Path}, {sweep.Points.Count - left.Count} of them finished already");
        int workers = Math.Min(jobs, left.Count);
        // Each job has a device and threads of its own; whoever asked for a number of threads asked for all jobs together.
        int threads = Math.Max(1, (context.Threads > 0 ? context.Threads : Environment.ProcessorCount) / Math.Max(1, workers));
        var running = Enumerable.Range(0, workers).Select(_ => new Thread(() => Work(left, context with { Threads = threads }))).ToArray();
        Interruption.EndingByItself(() =>
        {
            foreach (var thread in running)
                thread.Start();
            foreach (var thread in running)
                thread.Join();
            sweep.WriteSummary();
            return running.Length;
        });
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        if (Interruption.IsRequested)
            return Interruption.Stopped();
        var summary = sweep.Summary();
        Print(summary);
        context.Output.Json(new JsonObject { ["sweep"] = sweep.Path, ["runs"] = new JsonArray([.. summary.Results.Select(r => Json(r))]) });
        return diverged ? ExitCode.Failure : ExitCode.Done;
    }

    private void Work(Queue<SweepPoint> left, CommandContext own)
    {
        try
        {
            while (!Interruption.IsRequested && failure is null && Next(left) is { } point)
            {
                var data = own.LoadData(point.Configuration.Data);
                using var compute = own.OpenCompute();
                try
                {
                    if (!sweep.Train(point, compute, data, () => Interruption.IsRequested || failure is not null))
                        return;
                }
                catch (DivergenceException e)
                {
                    diverged = true;
                    Output.Warn($"{point.Name} is left unfinished: {e.Message}");
                    continue;
                }
                sweep.WriteSummary();
                own.Output.Line($"{point.Name} is finished");
            }
        }
        catch (Exception e)
        {
            failure ??= e;
        }
    }

    private static SweepPoint? Next(Queue<SweepPoint> left)
    {
        lock (left)
            return left.TryDequeue(out var point) ? point : null;
    }

    private void Print(SweepSummary summary)
    {
        context.Output.Table([.. summary.Keys, "EVLB", "sigma^2", "beta sigma^2", "nats (I3)", "influential", "normal"], summary.Results.Select(r => (IReadOnlyList<string>)
        [
            .. r.Point.Values.Select(v => v.Value), Number(r["evlb_nats"], "F2"), Number(r["sigma2"], "G4"), Number(r.NormalisedVariance, "G4"), Number(r["mi_nats"], "F2"),
            Number(r["influential_factors"], "F0"), Number(r["normal_variance_factors"], "F0"),
        ]));
        context.Output.Line();
        context.Output.Line($"summary            {Path.Combine(sweep.Path, "summary.csv")}");
    }

    private static JsonObject Json(SweepResult result)
    {
        var json = new JsonObject { ["run"] = result.Point.Name };
        foreach (var (key, value) in result.Point.Values)
            json[key] = value;
        json["beta_sigma2"] = double.IsNaN(result.NormalisedVariance) ? null : result.NormalisedVariance;
        json["evaluation"] = result.Evaluation.DeepClone();
        return json;
    }

    private static string Number(double value, string format) => double.IsNaN(value) ? "-" : value.ToString(format, CultureInfo.InvariantCulture);
}
