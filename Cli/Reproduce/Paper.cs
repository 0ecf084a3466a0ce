using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>A paper as a list of runs and what is read off them. Runs with the same name and settings are shared between papers.</summary>
internal abstract class Paper
{
    /// <summary>What the command takes.</summary>
    public abstract string Name { get; }

    public abstract string Title { get; }

    /// <summary>What --quick leaves out or makes smaller, one sentence each.</summary>
    public abstract IReadOnlyList<string> Shortened { get; }

    /// <summary>The training runs that the tables need.</summary>
    public abstract IReadOnlyList<SweepPoint> Runs(bool quick, CommandContext context);

    /// <summary>Runs whose settings follow from what the first ones found; called when those are finished.</summary>
    /// <param name="finished">The first runs.</param>
    public virtual IReadOnlyList<SweepPoint> Then(bool quick, CommandContext context, Sweep finished) => [];

    /// <summary>Writes tables and figures from the runs that are finished.</summary>
    public abstract void Report(Findings findings);

    /// <summary>The papers there are.</summary>
    public static IReadOnlyList<Paper> All { get; } =
        [new InfluentialFactors(), new Troubleshooting(), new InformationMaximising(), new VariationalInformation(), new SemiSupervised()];

    /// <exception cref="OptionException">There is no such paper.</exception>
    public static Paper Find(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new OptionException($"PAPER {name}: expected {string.Join(", ", All.Select(p => p.Name))}");

    /// <summary>The same run with the next seeds, <paramref name="count"/> in all, under its name and the number of the seed.</summary>
    protected static IEnumerable<SweepPoint> MoreSeeds(SweepPoint point, int count) =>
        Enumerable.Range(2, Math.Max(0, count - 1)).Select(seed =>
        point with { Label = SeedName(point.Name, seed), Configuration = point.Configuration.With(("seed", seed)) });

    /// <summary>The name of a run's repetition with seed 2, 3, ...; of seed 1 its own.</summary>
    protected static string SeedName(string name, int seed) => seed == 1 ? name : $"{name}-seed-{seed}";

    /// <summary>A run with a name and the values that tell it from its neighbours.</summary>
    protected static SweepPoint Run(string name, RunConfiguration configuration, params (string Key, string Value)[] values) =>
        new(values, configuration) { Label = name };
}
