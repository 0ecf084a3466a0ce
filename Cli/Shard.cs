using System.Globalization;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>The share of a sweep that one task of a job array does: every <c>Count</c>-th run, from run <c>Number</c> on.</summary>
/// <param name="Number">From 1 to <c>Count</c>.</param>
/// <param name="Count">How many tasks there are.</param>
internal sealed record Shard(int Number, int Count)
{
    private const string Option = "--shard", Automatic = "auto", SlurmTask = "SLURM_ARRAY_TASK_ID", KubernetesTask = "JOB_COMPLETION_INDEX";

    private const string Expected = "expected I/N, such as 2/8 for the second of eight tasks, or auto/8 in a job array";

    /// <param name="given">The option's value; null where it was not given.</param>
    /// <param name="environment">The environment's variables by name, in which Slurm and Kubernetes say which task this is.</param>
    /// <returns>Null for all runs: no share was given, and this is no task of an array.</returns>
    /// <exception cref="OptionException">The share, or what the environment says of it, cannot be used.</exception>
    public static Shard? Read(string? given, Func<string, string?> environment)
    {
        if (given is null)
            return Set(SlurmTask, environment) is { } task ? Slurm(task, environment)
                : Set(KubernetesTask, environment) is not { } index ? null
                : throw new OptionException($"{Option}: {KubernetesTask} is {index}, but nothing says of how many tasks; give {Option} "
                    + $"auto/N with the completions of the Job for N, or {Option} 1/1 for all runs");
        if (given == "")
            throw new OptionException($"{Option}: it is empty; {Expected}");
        if (given.Split('/') is not [var number, var count] || Whole(count) is not { } of)
            throw new OptionException($"{Option} {given}: {Expected}");
        if (of < 1)
            throw new OptionException($"{Option} {given}: there is at least one task; {Expected}");
        int own = number == Automatic ? Place(given, environment)
            : Whole(number) ?? throw new OptionException($"{Option} {given}: '{number}' is no whole number of at least 1; {Expected}");
        return own >= 1 && own <= of ? new(own, of)
            : throw new OptionException($"{Option} {given}: of {of} tasks this would be number {own}; {Expected}");
    }

    /// <summary>This task's part; the parts of all tasks are the whole, and none is in two.</summary>
    public IReadOnlyList<T> Of<T>(IReadOnlyList<T> all) => [.. all.Where((_, i) => i % Count == Number - 1)];

    /// <summary>As the option is written, such as 2/8.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number}/{Count}");

    private static int Place(string given, Func<string, string?> environment) =>
        Set(SlurmTask, environment) is { } task ? Slurm(task, environment).Number
        : Set(KubernetesTask, environment) is not { } index
            ? throw new OptionException($"{Option} {given}: neither {SlurmTask} nor {KubernetesTask} is set; name the task's number, as in "
                + $"2/8")
        : Whole(index) + 1 ?? throw new OptionException($"{Option} {given}: {KubernetesTask} is '{index}', expected a whole number; name "
            + $"the task's number, as in 2/8");

    /// <summary>The task's place among those of its array, which may begin anywhere and go in steps.</summary>
    private static Shard Slurm(string task, Func<string, string?> environment)
    {
        var (id, first, count) = (Whole(task), Whole(Set("SLURM_ARRAY_TASK_MIN", environment)),
            Whole(Set("SLURM_ARRAY_TASK_COUNT", environment)));
        int step = Whole(Set("SLURM_ARRAY_TASK_STEP", environment)) is { } given and > 0 ? given : 1;
        return id - first is { } beyond and >= 0 && count is { } all && beyond % step == 0 && beyond / step < all
            ? new(beyond / step + 1, all)
            : throw new OptionException($"{Option}: {SlurmTask} is '{task}', which is no place in its array (tasks: {Said(count)}, first: "
                + $"{Said(first)}, step: {step}); give {Option} I/N, or number the array without gaps");

        static string Said(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
    }

    private static string? Set(string name, Func<string, string?> environment) => environment(name) is { Length: > 0 } value ? value : null;

    private static int? Whole(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
