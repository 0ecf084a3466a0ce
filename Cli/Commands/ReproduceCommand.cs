using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Cli.Reproduce;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae reproduce: the tables and figures of a paper beside ours.</summary>
internal static class ReproduceCommand
{
    public static Command Create()
    {
        var command =
            new Command("reproduce",
            "make the runs that a paper's tables need, leaving out those that are there already, and print each table beside the "
            + "published one; writes report.html and findings.json");
        var paper = new Argument<string>("PAPER") { Description = string.Join(", ", Paper.All.Select(p => p.Name)) };
        var quick = new Option<bool>("--quick")
        {
            Description =
            "fewer and shorter runs, about 10 minutes or less on 2 cores; what it shortens is said"
        };
        var outDir = new Option<string?>("--out")
        {
            Description =
            "the folder of the runs and reports (default: runs/reproduce, with --quick runs/reproduce-quick)"
        };
        command.Arguments.Add(paper);
        command.Options.Add(quick);
        command.Options.Add(outDir);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            bool isQuick = parsed.GetValue(quick);
            string folder = OutputFile.Folder("--out", parsed.GetValue(outDir))
                ?? Path.Combine("runs", isQuick ? "reproduce-quick" : "reproduce");
            return new ReproduceJob(context, Paper.Find(parsed.GetValue(paper)!), folder, isQuick).Run();
        });
        return command;
    }
}

/// <summary>What one call of vae reproduce does.</summary>
internal sealed class ReproduceJob(CommandContext context, Paper paper, string folder, bool quick)
{
    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(1.5);

    private readonly Dictionary<string, DatasetSplits> data = [];
    private bool diverged;

    /// <summary>Data sets that the paper's runs need and the data folder does not have.</summary>
    private string[] Absent => field ??= [.. paper.Runs(quick, context).Select(p => p.Configuration.Data.Name).Distinct()
        .Where(name => !DatasetCatalogue.Find(name).IsPresent(context.ResolveDataDir()))];

    public int Run()
    {
        var planned = Planned(paper.Runs(quick, context));
        var sweep = NewSweep(planned);
        var left = sweep.Points.Where(p => !sweep.IsFinished(p)).ToList();
        Interruption.GoOn = "continue with the same command";
        foreach (string name in Absent)
            context.Output.Line(LeftOut(name));
        context.Output.Line(
            $"{paper.Title}: {Runs(sweep.Points.Count)} in {folder}, {sweep.Points.Count - left.Count} of them finished already");
        if (quick)
            foreach (string shortened in paper.Shortened)
                context.Output.Line($"  quick: {shortened}");
        else if (left.Count > 0)
            AnnounceDuration(left);
        TrainAll(sweep, left);
        if (Interruption.IsRequested)
            return Interruption.Stopped();
        if (sweep.Results.Count == sweep.Points.Count && Planned(paper.Then(quick, context, sweep)) is { Length: > 0 } further)
        {
            sweep = NewSweep([.. planned, .. further]);
            left = [.. sweep.Points.Where(p => !sweep.IsFinished(p))];
            context.Output.Line(
                $"{Runs(further.Length)} more by what these found, {further.Length - left.Count} of them finished already");
            TrainAll(sweep, left);
            if (Interruption.IsRequested)
                return Interruption.Stopped();
        }
        Report(sweep);
        return diverged ? ExitCode.Failure : ExitCode.Done;
    }

    private static string Runs(int count) => count == 1 ? "1 run" : $"{count} runs";

    private SweepPoint[] Planned(IEnumerable<SweepPoint> runs) => [.. runs.Where(p => !Absent.Contains(p.Configuration.Data.Name))
        .Select(p => p with { Configuration = Ours(p.Configuration) })];

    private Sweep NewSweep(IReadOnlyList<SweepPoint> points) => new([], points, folder) { Note = Output.Note };

    private void TrainAll(Sweep sweep, IEnumerable<SweepPoint> left)
    {
        foreach (var point in left)
        {
            Interruption.EndingByItself(() => Train(sweep, point));
            if (Interruption.IsRequested)
                return;
        }
    }

    private RunEnd Train(Sweep sweep, SweepPoint point)
    {
        context.Output.Line($"training {point.Name}");
        using var compute = context.OpenCompute(point.Configuration.Training.Precision);
        try
        {
            var splits = Data(point.Configuration.Data.Name);
            return new ProgressDisplay(context.Output)
                .Show((progress, epochDone) => sweep.Train(point, compute, splits, () => Interruption.IsRequested, progress, epochDone));
        }
        catch (DivergenceException e)
        {
            diverged = true;
            Output.Warn($"{point.Name} is left unfinished: {e.Message}");
            return RunEnd.Stopped;
        }
    }

    private void Report(Sweep sweep)
    {
        string device;
        using (var compute = context.OpenCompute())
            device = compute.Name;
        var page = new HtmlPage(paper.Title, $"reproduced{(quick ? " in short" : "")} on {device}, seed {context.Seed}");
        if (quick)
            foreach (string shortened in paper.Shortened)
                page.Note($"Shortened: {shortened}.");
        foreach (string name in Absent)
            page.Note(LeftOut(name));
        var findings = new Findings(context, sweep, page, quick);
        paper.Report(findings);
        string path = findings.Save(Path.Combine(folder, paper.Name), paper.Name);
        context.Output.Line();
        context.Output.Line(findings.Tally);
        context.Output.Line($"report             {path}");
        context.Output.Json(findings.ToJson(paper.Name, path));
    }

    /// <summary>Trains a moment of each kind of run and says how long all of them will take.</summary>
    private void AnnounceDuration(List<SweepPoint> left)
    {
        context.Output.Line("measuring how long this will take here");
        double seconds = 0;
        foreach (var kind in left.GroupBy(p => Alike(p.Configuration)))
        {
            var configuration = kind.First().Configuration;
            using var compute = context.OpenCompute(configuration.Training.Precision);
            using var run = new TrainingRun(compute, configuration, Data(configuration.Data.Name),
                RunDirectory.CreateOrReuse(Path.Combine(folder, "unused")));
            double perEpoch = run.SecondsPerEpoch(Sample);
            seconds += kind.Sum(p => perEpoch * p.Configuration.Training.Epochs);
        }
        var total = TimeSpan.FromSeconds(seconds);
        context.Output.Line(string.Create(CultureInfo.InvariantCulture,
            $"{left.Count} runs will take about "
            + $"{(total.TotalHours >= 1 ? $"{total.TotalHours:F1} hours" : $"{Math.Ceiling(total.TotalMinutes):F0} minutes")} of "
            + $"training here; Ctrl-C stops, the same command continues"));
    }

    /// <summary>The same for all runs that differ in weights and seeds only: they take the same time.</summary>
    private static RunConfiguration Alike(RunConfiguration c) =>
        c.With(new[] { "beta", "kl_warm_up_epochs" }.Where(key => c.Value(key) is not null).Select(key => (key, (object)0.0)))
            .With(("seed", 0), ("epochs", 1)) with
        { Noise = c.Noise with { Noise = new(c.Noise.Noise.Name) } };

    private string LeftOut(string name) =>
        $"{name} is not in {context.ResolveDataDir()}: runs and rows that need it are left out; datasets/README.md says how to get it";

    /// <summary>A plan counts its seeds from 1, which is the one that was asked for.</summary>
    private RunConfiguration Ours(RunConfiguration configuration) => configuration
        .With(("seed", context.Seed + configuration.Training.Seed - 1)) with
    { Version = BuildInfo.Version, Commit = BuildInfo.Commit };

    private DatasetSplits Data(string name) => data.TryGetValue(name, out var splits) ? splits : data[name] = context.LoadData(name);
}
