using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>What a shell offers where the cursor is, and that the scripts ask for it.</summary>
[Parallelizable]
public sealed class CompletionTests
{
    private static string[] After(string line) =>
        Tool.Run("complete", line).Succeeded().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    [Test]
    public void Commands() => Assert.That(After("vae tra"), Is.EqualTo(new[] { "train", "traverse" }));

    [Test]
    public void Models() => Assert.That(After("vae train "), Is.EquivalentTo(ModelCatalogue.Names));

    [Test]
    public void Data_sets() =>
        Assert.That(After("vae train beta-vae --data "), Is.EquivalentTo(DatasetCatalogue.All.Select(set => set.Name)));

    [Test]
    public void Options_are_those_of_the_model()
    {
        Assert.That(After("vae train beta-tcvae --gam"), Is.EqualTo(new[] { "--gamma" }));
        Assert.That(After("vae train vae --gam"), Is.Empty);
        Assert.That(After("vae train --dev"), Is.EqualTo(new[] { "--device" }));
    }

    [TestCase("vae export RUN --format ", "onnx safetensors")]
    [TestCase("vae export RUN --format s", "safetensors")]
    [TestCase("vae encode RUN --split ", "test train")]
    [TestCase("vae train --report ", "false true")]
    [TestCase("vae train --log ", "csv tensorboard")]
    [TestCase("vae train --precision ", "bf16 fp32 tf32")]
    [TestCase("vae train --device ", "auto cpu cuda opencl simulator")]
    [TestCase("vae train --network ", "burgess conv conv:8,8 exon mlp:500,1000/500,500 mlp:500,500")]
    [TestCase("vae train --network mlp:", "mlp:500,1000/500,500 mlp:500,500")]
    [TestCase("vae train --noise ", "bernoulli fixed:0.01 learned mog:2 network table weighted")]
    [TestCase("vae train --binarise ", "dynamic none static threshold")]
    [TestCase("vae train --optimiser ", "adam rmsprop sgd")]
    [TestCase("vae train info-vae --code ", "gaussian joint")]
    [TestCase("vae train beta-tcvae --code ", "gaussian")]
    [TestCase("vae train imae --recipe ", "paper tuned")]
    [TestCase("vae train exon --recipe ", "full paper tuned")]
    [TestCase("vae train vae --recipe ", "")]
    [TestCase("vae influence RUN --q-input ", "mean sample")]
    [TestCase("vae estimate F --transform ", "asinh none rank")]
    [TestCase("vae estimate F --mixture ", "auto none")]
    [TestCase("vae estimate F --with ks", "ksg ksg-rank")]
    [TestCase("vae estimate F --with ksg,cc", "ksg,cca")]
    [TestCase("vae estimate F --with ksg,ksg", "ksg,ksg-rank")]
    [TestCase("vae import F --names ", "disentangling-vae pythae")]
    public void Values_of_options(string line, string words) => Assert.That(string.Join(' ', After(line)), Is.EqualTo(words));

    /// <summary>What is offered is what is accepted: every word goes through the parser of its option.</summary>
    [TestCase("export", "--format")]
    [TestCase("train", "--network")]
    [TestCase("train", "--noise")]
    [TestCase("train", "--precision")]
    [TestCase("train", "--binarise")]
    [TestCase("train", "--batch-norm")]
    public void What_is_offered_is_accepted(string command, string option)
    {
        string[] words = After($"vae {command} {(command == "export" ? "RUN" : "beta-vae")} {option} ");
        Assert.That(words, Is.Not.Empty);
        foreach (string word in words)
        {
            string[] rest = command == "export" ? ["no-such-run", "--out", "x"] : ["--data-dir", "no-such-folder"];
            Tool.Fails(Tool.Run([command, .. rest, option, word]), 4, "no-such-");
        }
    }

    [Test]
    public void Run_directories()
    {
        string folder = Path.GetDirectoryName(Tool.TrainedRun)!;
        using var process = Tool.StartIn(folder, "complete", "vae influence ");
        Assert.That(Tool.Finish(process).Out.Trim(), Is.EqualTo(Path.GetFileName(Tool.TrainedRun)));
    }

    [Test]
    public void Subcommands() => Assert.That(After("vae data "), Is.EqualTo(new[] { "list", "prepare", "verify" }));

    [Test]
    public void The_script_of_bash_completes_in_bash()
    {
        string script = Path.Combine(TestFiles.Folder("completions"), "vae.bash");
        File.WriteAllText(script, Tool.Run("completions", "bash").Succeeded().Out);
        string line = $"tool=$1; vae() {{ \"$0\" \"$tool\" \"$@\"; }}; source {script}; "
            + "COMP_LINE='vae trai' COMP_POINT=8 COMP_WORDS=(vae trai) COMP_CWORD=1; _vae; [ \"${COMPREPLY[*]}\" = train ]";
        Assert.That(Tool.InShell(line), Is.Zero);
        // The words as bash splits them: at the colon.
        string behindColon = $"tool=$1; vae() {{ \"$0\" \"$tool\" \"$@\"; }}; source {script}; "
            + "COMP_LINE='vae train --noise fixed:0' COMP_POINT=25 COMP_WORDS=(vae train --noise fixed : 0) COMP_CWORD=5; _vae; "
            + "[ \"${COMPREPLY[*]}\" = 0.01 ]";
        Assert.That(Tool.InShell(behindColon), Is.Zero);
    }

    [TestCase("zsh", "compdef _vae vae")]
    [TestCase("pwsh", "Register-ArgumentCompleter -Native -CommandName vae")]
    public void The_others_are_registered(string shell, string how) =>
        Assert.That(Tool.Run("completions", shell).Succeeded().Out, Does.Contain(how).And.Contain("vae complete"));

    [Test]
    public void Another_shell_is_refused() => Tool.Fails(Tool.Run("completions", "fish"), 2, "fish", "bash, zsh or pwsh");
}
