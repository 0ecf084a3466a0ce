using NUnit.Framework;
using VaeFromScratch.Cli;
using VaeFromScratch.Models;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Which part of a sweep a task does, by its option or by what Slurm and Kubernetes say.</summary>
public sealed class ShardTests
{
    [TestCase("2/8", "", 2, 8)]
    [TestCase("1/1", "JOB_COMPLETION_INDEX=5", 1, 1)]
    [TestCase("3/4", "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2", 3, 4)]
    [TestCase("auto/8", "JOB_COMPLETION_INDEX=0", 1, 8)]
    [TestCase("auto/8", "JOB_COMPLETION_INDEX=7", 8, 8)]
    [TestCase("auto/9", "SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_COUNT=4", 3, 9)]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=4", 1, 4)]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=1", 4, 4)]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=20 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_STEP=5", 3, 3)]
    public void A_share_is_read(string? given, string environment, int number, int count) =>
        Assert.That(Shard.Read(given, Variables(environment)), Is.EqualTo(new Shard(number, count)));

    [TestCase("")]
    [TestCase("SLURM_ARRAY_TASK_ID=")]
    [TestCase("SLURM_ARRAY_TASK_COUNT=4")]
    public void Without_a_share_all_runs_are_done(string environment) => Assert.That(Shard.Read(null, Variables(environment)), Is.Null);

    [TestCase("", "", "--shard: it is empty; expected I/N")]
    [TestCase("3", "", "I/N")]
    [TestCase("3/", "", "I/N")]
    [TestCase("/3", "", "''")]
    [TestCase("1/2/3", "", "I/N")]
    [TestCase("0/3", "", "number 0")]
    [TestCase("4/3", "", "number 4")]
    [TestCase("-1/3", "", "'-1'")]
    [TestCase("1/0", "", "at least one task")]
    [TestCase("1/-3", "", "I/N")]
    [TestCase("1.5/3", "", "'1.5'")]
    [TestCase("one/3", "", "'one'")]
    [TestCase("1/99999999999", "", "I/N")]
    [TestCase("auto/3", "", "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set")]
    [TestCase("auto/3", "JOB_COMPLETION_INDEX=3", "number 4")]
    [TestCase("auto/3", "JOB_COMPLETION_INDEX=x", "JOB_COMPLETION_INDEX is 'x'")]
    [TestCase(null, "JOB_COMPLETION_INDEX=3", "auto/N")]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=3", "tasks: unknown")]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=4", "'x'")]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=3", "without gaps")]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=3", "without gaps")]
    [TestCase(null, "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_STEP=4", "step: 4")]
    public void What_is_no_share_is_a_sentence(string? given, string environment, string says) =>
        Assert.That(() => Shard.Read(given, Variables(environment)),
            Throws.TypeOf<OptionException>().With.Message.StartsWith("--shard").And.Message.Contains(says).And.Message.Not.Contains("\n"));

    [Test]
    public void The_shares_are_the_whole_and_no_run_is_in_two([Values(1, 2, 3, 5, 24, 30)] int count)
    {
        int[] all = [.. Enumerable.Range(0, 24)];
        var shares = Enumerable.Range(1, count).Select(i => new Shard(i, count).Of(all)).ToArray();
        Assert.That(shares.SelectMany(s => s), Is.EquivalentTo(all));
        Assert.That(shares.Max(s => s.Count) - shares.Min(s => s.Count), Is.LessThanOrEqualTo(1));
    }

    private static Func<string, string?> Variables(string text)
    {
        var variables = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1]);
        return name => variables.GetValueOrDefault(name);
    }
}
