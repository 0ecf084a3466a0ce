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

    /// <summary>Writes tables and figures from the runs that are finished.</summary>
    public abstract void Report(Findings findings);

    /// <summary>The papers there are.</summary>
    public static IReadOnlyList<Paper> All { get; } = [new InfluentialFactors(), new Troubleshooting(), new InformationMaximising(), new VariationalInformation(), new SemiSupervised()];

    /// <exception cref="OptionException">There is no such paper.</exception>
    public static Paper Find(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new OptionException($"PAPER {name}: expected {string.Join(", ", All.Select(p => p.Name))}");

    /// <summary>A run with a name and the values that tell it from its neighbours.</summary>
    protected static SweepPoint Run(string name, RunConfiguration configuration, params (string Key, string Value)[] values) => new(values, configuration) { Label = name };
}
