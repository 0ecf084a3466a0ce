using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>
/// The tool on a disk that fails at some operation: one sentence, exit code 1, nothing half-written, and the run goes on.
/// </summary>
[Parallelizable]
public sealed class DiskFailureTests
{
    private static readonly string[] Options = ["--epochs", "2", "--limit", "100", "--network", "mlp:8", "--latents", "2", "--report",
        "false"];

    [TestCase("full", 1, "No space left on device")]
    [TestCase("read-only", 3, "Read-only file system")]
    [TestCase("denied", 9, "access is denied")]
    [TestCase("quota", 20, "Disk quota exceeded")]
    [TestCase("full", 33, "No space left on device")]
    [TestCase("full", 40, "No space left on device")]
    public void A_training_says_which_file_and_goes_on_once_there_is_room(string kind, int operation, string reason)
    {
        string folder = TestFiles.Folder("cli-disk"), whole = Path.Combine(folder, "whole"), run = Path.Combine(folder, "failed");
        Tool.Run(["train", "vae", .. Options, "--out", whole]).Succeeded();
        var failed = Tool.RunWith([("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location),
            (StartupHook.FaultVariable, $"{kind}:{operation}:{run}")],
            ["train", "vae", .. Options, "--out", run]);
        Tool.Fails(failed, 1, run + "/", $"it cannot be written ({reason})");
        Assert.That(!Directory.Exists(run)
            || Directory.GetFiles(run).All(f => !Path.GetFileName(f).StartsWith('.') && !f.EndsWith("run.lock", StringComparison.Ordinal)),
            "nothing half-written, and no lock");
        if (File.Exists(Path.Combine(run, "checkpoint.safetensors")))
            Assert.That(failed.Error, Does.Contain($"continue with: vae train --resume --out {run}"));
        string[] again = File.Exists(Path.Combine(run, "config.json")) ? ["train", "--resume", "--report", "false", "--out", run]
            : ["train", "vae", .. Options, "--out", run];
        Tool.Run(again).Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, "model.safetensors"))));
    }
}
