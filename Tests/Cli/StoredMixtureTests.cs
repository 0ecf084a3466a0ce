using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>The mixture estimate of a run: computed once, and again whenever something that it depends on has changed.</summary>
[Parallelizable]
public sealed class StoredMixtureTests
{
    private const string Reused = "the mixture estimate is the stored one of ", Anew = "the mixture estimate is computed anew";

    private static readonly Lazy<string> Other = new(() =>
    {
        string run = Path.Combine(TestFiles.Folder("cli-other"), "run");
        Tool.Run(["train", "--epochs", "1", "--seed", "2", "--report", "false", .. Tool.Tiny, "--out", run]).Succeeded();
        return run;
    });

    private static IEnumerable<string[]> Commands()
    {
        yield return ["evaluate"];
        yield return ["influence"];
        yield return ["estimate"];
    }

    [TestCaseSource(nameof(Commands))]
    public void What_training_stored_is_reused_and_is_what_would_be_computed(string[] command)
    {
        string run = Tool.CopyOfRun();
        var reused = Tool.Run([.. command, run, "--json"]);
        Assert.That(reused.Succeeded().Error, Does.Contain(Reused + Stored(run)).And.Contain($"{Tool.TestImages} encodings"));
        File.Delete(Stored(run));
        var computed = Tool.Run([.. command, run, "--json"]);
        Assert.That(computed.Succeeded().Error, Does.Not.Contain(Reused));
        Assert.That(computed.Out, Is.EqualTo(reused.Out).And.Contain("mi_mixture_nats"));
    }

    [TestCase("codes.npz")]
    [TestCase("codes.csv")]
    public void The_runs_own_codes_have_the_runs_estimate(string name)
    {
        string run = Tool.CopyOfRun(), codes = Path.Combine(run, name);
        Tool.Run("encode", run, "--out", codes).Succeeded();
        var reused = Tool.Run("estimate", codes, "--json");
        Assert.That(reused.Succeeded().Error, Does.Contain(Reused + Stored(run)));
        string elsewhere = Path.Combine(TestFiles.Folder("cli-codes"), name);
        File.Copy(codes, elsewhere);
        var computed = Tool.Run("estimate", elsewhere, "--json");
        Assert.That(computed.Succeeded().Error, Does.Not.Contain(Reused));
        Assert.That(computed.Out, Is.EqualTo(reused.Out));
    }

    [Test]
    public void Other_weights_are_measured_anew()
    {
        string run = Tool.CopyOfRun(), before = Tool.Run("influence", run, "--json").Succeeded().Out;
        File.Copy(Path.Combine(Other.Value, "model.safetensors"), Path.Combine(run, "model.safetensors"), overwrite: true);
        var changed = Tool.Run("influence", run, "--json").Succeeded();
        Assert.That(changed.Error, Does.Not.Contain(Reused).And.Not.Contain(Anew), "another run's estimate is no damage");
        Assert.That(changed.Out, Is.Not.EqualTo(before));
        Assert.That(Tool.Run("influence", run, "--json").Error, Does.Contain(Reused), "it replaces what was stored");
    }

    [TestCase("influence RUN --points 60")]
    [TestCase("influence RUN --seed 5 --points 60")]
    [TestCase("estimate RUN --mixture 60")]
    [TestCase("estimate RUN --seed 5")]
    [TestCase("estimate CODES --mixture 60")]
    [TestCase("estimate CODES --seed 5")]
    [TestCase("estimate TRAIN")]
    public void Other_points_seeds_and_splits_are_computed_and_leave_what_is_stored(string line)
    {
        string run = Tool.CopyOfRun(), codes = Path.Combine(run, "codes.npz"), train = Path.Combine(run, "train.npz");
        Tool.Run("encode", run, "--out", codes).Succeeded();
        Tool.Run("encode", run, "--split", "train", "--out", train).Succeeded();
        byte[] stored = File.ReadAllBytes(Stored(run));
        var result = Tool.Run([.. line.Split(' ').Select(w => w switch { "RUN" => run, "CODES" => codes, "TRAIN" => train, _ => w })]);
        Assert.That(result.Succeeded().Error, Does.Not.Contain(Reused));
        Assert.That(File.ReadAllBytes(Stored(run)), Is.EqualTo(stored));
    }

    [TestCase("", "")]
    [TestCase("half", "half")]
    [TestCase("{}", "{}")]
    [TestCase("digit", "its numbers are not as they were written")]
    [TestCase("twice", "twice")]
    public void A_damaged_file_is_not_believed(string damage, string says)
    {
        string run = Tool.CopyOfRun(), whole = File.ReadAllText(Stored(run));
        string fresh = Tool.Run("influence", run, "--json").Succeeded().Out;
        File.WriteAllText(Stored(run), damage switch
        {
            "half" => whole[..(whole.Length / 2)],
            "digit" => OtherDigit(whole),
            "twice" => whole.Replace("\"information\":", "\"information\":[9,0],\"information\":", StringComparison.Ordinal),
            _ => damage,
        });
        var result = Tool.Run("influence", run, "--json").Succeeded();
        Assert.That(result.Out, Is.EqualTo(fresh));
        // An object that tells of no encodings is of others, not damaged.
        Assert.That(result.Error, damage == "{}" ? Does.Not.Contain(Reused) : Does.Contain(Stored(run)).And.Contain(Anew));
        if (says is not ("" or "half" or "{}"))
            Assert.That(result.Error, Does.Contain(says));
        Assert.That(File.ReadAllText(Stored(run)), Is.EqualTo(whole), "it is whole again");
    }

    /// <summary>Another last digit of the total information.</summary>
    private static string OtherDigit(string json)
    {
        int at = json.IndexOf(',', json.IndexOf("\"information\":[", StringComparison.Ordinal)) - 1;
        return json[..at] + (json[at] == '1' ? '2' : '1') + json[(at + 1)..];
    }

    private static string Stored(string run) => Path.Combine(run, "mixture.json");
}
