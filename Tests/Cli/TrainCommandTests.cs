using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

[Parallelizable]
public sealed class TrainCommandTests
{
    [Test]
    public void A_run_has_all_its_files()
    {
        string run = Tool.TrainedRun;
        string[] expected = ["checkpoint.safetensors", "config.json", "evaluation.json", "influence.csv", "influence.svg", "metrics.csv",
            "mixture.json", "model.safetensors", "reduced.csv", "report.html"];
        Assert.That(Directory.GetFiles(run).Select(Path.GetFileName), Is.EquivalentTo(expected));
    }

    [Test]
    public void Configuration_records_what_the_run_was_made_with()
    {
        var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(Tool.TrainedRun, "config.json"))).RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(config.GetProperty("model").GetString(), Is.EqualTo("beta-vae"));
            Assert.That(config.GetProperty("latents").GetInt32(), Is.EqualTo(8));
            Assert.That(config.GetProperty("network").GetString(), Is.EqualTo("mlp:32"));
            Assert.That(config.GetProperty("beta").GetDouble(), Is.EqualTo(1));
            Assert.That(config.GetProperty("limit").GetInt32(), Is.EqualTo(200));
            Assert.That(config.GetProperty("seed").GetInt32(), Is.EqualTo(1));
            Assert.That(config.GetProperty("device").GetString(), Is.EqualTo("cpu"));
            Assert.That(config.GetProperty("precision").GetString(), Is.EqualTo("fp32"), "as the CPU multiplies");
            Assert.That(config.GetProperty("version").GetString(), Is.Not.Empty);
        });
    }

    [Test]
    public void Metrics_have_one_row_an_epoch()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Tool.TrainedRun, "metrics.csv"));
        Assert.That(lines[0],
            Is.EqualTo("epoch,step,seconds,images_per_second,train_loss,train_nll,train_kl,test_loss,test_nll,test_kl,sigma2"));
        Assert.That(lines.Skip(1).Select(l => l.Split(',')[..2]), Is.EqualTo(new[] { ["1", "4"], ["2", "8"], new[] { "3", "12" } }));
        foreach (string cell in lines.Skip(1).SelectMany(l => l.Split(',')))
            Assert.That(double.IsFinite(double.Parse(cell, CultureInfo.InvariantCulture)));
    }

    [Test]
    public void Report_loads_nothing_and_runs_nothing()
    {
        string html = File.ReadAllText(Path.Combine(Tool.TrainedRun, "report.html"));
        Assert.That(html, Does.StartWith("<!DOCTYPE html>").And.Contain("data:image/png;base64,").And.Contain(
            "Information spectrum").And.Contain("Traversals").And.Contain("Samples"));
        Assert.That(html.Replace("http://www.w3.org/2000/svg", ""), Does.Not.Contain("://").And.Not.Contain("<script"));
    }

    /// <summary>The first line and the headline have the sum of all factors by the bound that is said.</summary>
    [Test]
    public void Report_says_one_number_for_the_information()
    {
        string html = File.ReadAllText(Path.Combine(Tool.TrainedRun, "report.html"));
        var headline = Regex.Match(html, @"information, nats, an upper bound \((I[24])\)</dt><dd>([\d.]+)</dd>");
        string[] rows = File.ReadAllLines(Path.Combine(Tool.TrainedRun, "influence.csv"));
        int column = Array.IndexOf(rows[0].Split(','), headline.Groups[1].Value == "I2" ? "mi_nats" : "mi_centred_nats");
        double sum = rows.Skip(1).Sum(row => double.Parse(row.Split(',')[column], CultureInfo.InvariantCulture));
        Assert.That(headline.Groups[2].Value, Is.EqualTo(sum.ToString("F2", CultureInfo.InvariantCulture)));
        Assert.That(html, Does.Contain($"The code carries {headline.Groups[2].Value} nats about the image: "));
    }

    /// <summary>Older versions wrote the precision that was asked for, tf32, whatever the device made of it.</summary>
    [Test]
    public void A_run_whose_configuration_names_another_precision_than_the_device_has_goes_on()
    {
        string run = Path.Combine(TestFiles.Folder("cli-precision"), "run"), file = Path.Combine(run, "config.json");
        Tool.Run(["train", "--epochs", "1", .. Tool.Tiny, "--report", "false", "--out", run]).Succeeded();
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"fp32\"", "\"tf32\""));
        Tool.Run("train", "--resume", "--epochs", "2", "--report", "false", "--out", run).Succeeded();
        Tool.Run("train", "--resume", "--epochs", "3", "--report", "false", "--out", run).Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"))), "the bits of three epochs without a break");
    }

    [Test]
    public void Same_seed_same_bytes_and_another_seed_others()
    {
        byte[] first = File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"));
        string folder = TestFiles.Folder("cli-seeds");
        Tool.Run(["train", "--epochs", "3", .. Tool.Tiny, "--threads", "1", "--report", "false", "--out", Path.Combine(folder, "a")])
            .Succeeded();
        Tool.Run(["train", "--epochs", "3", .. Tool.Tiny, "--seed", "2", "--report", "false", "--out", Path.Combine(folder, "b")])
            .Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "a", "model.safetensors")), Is.EqualTo(first), "same seed on one thread");
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "b", "model.safetensors")), Is.Not.EqualTo(first), "another seed");
        Assert.That(File.Exists(Path.Combine(folder, "a", "report.html")), Is.False, "--report false");
    }

    [Test]
    public void Json_is_the_evaluation_and_nothing_else()
    {
        string run = Path.Combine(TestFiles.Folder("cli-json"), "run");
        var json = Tool.Run(["train", "--epochs", "1", .. Tool.Tiny, "--json", "--out", run]).Json();
        Assert.That(json.GetProperty("images").GetInt32(), Is.EqualTo(Tool.TestImages));
        Assert.That(json.GetProperty("evlb_nats").GetDouble(),
            Is.EqualTo(-json.GetProperty("nll_nats").GetDouble() - json.GetProperty("kl_nats").GetDouble()).Within(1e-9));
    }

    [Test]
    public void Without_out_a_run_gets_a_name_of_its_own()
    {
        string[] options = ["train", "capacity-vae", "--epochs", "1", "--limit", "50", "--latents", "2", "--network", "mlp:8", "--report",
            "false"];
        string folder = TestFiles.Folder("cli-own-name");
        for (int i = 0; i < 2; i++)
            using (var process = Tool.StartIn(folder, options))
                Tool.Finish(process).Succeeded();
        Assert.That(Directory.GetDirectories(Path.Combine(folder, "runs")).Select(Path.GetFileName).ToArray(),
            Has.Length.EqualTo(2).And.All.Match(@"^\d{8}-\d{6}-capacity-vae-mnist(-2)?$"));
    }

    [Test]
    public void A_batch_larger_than_the_data_is_one_batch()
    {
        string run = Path.Combine(TestFiles.Folder("cli-batch"), "run");
        Tool.Run("train", "--epochs", "2", "--limit", "30", "--batch", "1000", "--latents", "2", "--network", "mlp:8", "--report", "false",
            "--out", run).Succeeded();
        Assert.That(File.ReadAllLines(Path.Combine(run, "metrics.csv"))[^1], Does.StartWith("2,2,"));
    }

    [Test]
    public void A_finished_run_resumed_does_nothing()
    {
        string run = Tool.CopyOfRun();
        var before = Snapshot(run);
        var result = Tool.Run("train", "--resume", "--out", run).Succeeded();
        Assert.That(result.Out, Does.Contain("finished").And.Contain("nothing to do"));
        Assert.That(Snapshot(run), Is.EqualTo(before));
    }

    [Test]
    public void More_epochs_continue_a_finished_run()
    {
        string run = Tool.CopyOfRun();
        string metrics = File.ReadAllText(Path.Combine(run, "metrics.csv"));
        var result = Tool.Run("train", "--resume", "--epochs", "4", "--out", run).Succeeded();
        Assert.That(result.Out, Does.Contain("resumed at epoch 4, step 12"));
        Assert.That(File.ReadAllText(Path.Combine(run, "metrics.csv")), Does.StartWith(metrics).And.Contain("\n4,16,"));
    }

    [Test]
    public void Killed_and_resumed_gives_the_bytes_of_an_uninterrupted_run()
    {
        string folder = TestFiles.Folder("cli-kill");
        string whole = Path.Combine(folder, "whole"), killed = Path.Combine(folder, "killed");
        string[] options = ["train", "--epochs", "40", .. Tool.Tiny, "--report", "false"];
        Tool.Run([.. options, "--out", whole]).Succeeded();

        using (var process = Tool.Start([.. options, "--out", killed]))
        {
            Tool.WaitForFile(process, Path.Combine(killed, "checkpoint.safetensors"));
            Thread.Sleep(Random.Shared.Next(150));
            process.Kill();
            process.WaitForExit();
        }
        string metricsFile = Path.Combine(killed, "metrics.csv");
        string rowsBefore = File.Exists(metricsFile) ? File.ReadAllText(metricsFile) : "";
        Tool.Run("train", "--resume", "--report", "false", "--out", killed).Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(killed, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, "model.safetensors"))));
        Assert.That(File.ReadAllText(metricsFile), Does.StartWith(rowsBefore));
        Assert.That(File.ReadAllLines(metricsFile), Has.Length.EqualTo(41));
        Assert.That(Directory.GetFiles(killed, "*safetensors*").Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "model.safetensors", "checkpoint.safetensors" }), "no temporary file is left");
    }

    [Test]
    [Platform("Linux")]
    public void Interrupt_writes_a_checkpoint_and_says_how_to_go_on()
    {
        string folder = TestFiles.Folder("cli-interrupt");
        string whole = Path.Combine(folder, "whole"), stopped = Path.Combine(folder, "stopped");
        string[] options = ["train", "--epochs", "60", .. Tool.Tiny, "--report", "false"];
        Tool.Run([.. options, "--out", whole]).Succeeded();
        using (var process = Tool.StartInterruptible([.. options, "--out", stopped]))
        {
            Tool.WaitForFile(process, Path.Combine(stopped, "checkpoint.safetensors"));
            Tool.Signal(process, "INT");
            var result = Tool.Finish(process);
            Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
            Assert.That(result.Error, Does.Contain($"vae train --resume --out {stopped}"));
        }
        Assert.That(File.Exists(Path.Combine(stopped, "model.safetensors")), Is.False);
        var resumed = Tool.Run("train", "--resume", "--report", "false", "--out", stopped).Succeeded();
        Assert.That(resumed.Out, Does.Match(@"resumed at epoch \d+, step \d+"));
        Assert.That(File.ReadAllBytes(Path.Combine(stopped, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, "model.safetensors"))));
    }

    [Test]
    public void A_diverging_run_is_stopped_in_a_sentence_and_goes_on_with_a_lower_learning_rate()
    {
        string run = Path.Combine(TestFiles.Folder("cli-diverged"), "run");
        var stopped = Tool.Run(["train", "--epochs", "3", "--lr", "100", .. Tool.Tiny, "--report", "false", "--out", run]);
        Tool.Fails(stopped, 1, "training diverged", "NaN", "between steps 1 and 4", "--lr (now 100)",
            $"vae train --resume --lr 10 --out {run}");
        Assert.That(stopped.Out, Does.Not.Contain("NaN"));
        Assert.That(Directory.GetFiles(run).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "checkpoint.safetensors" }));
        Tool.Fails(Tool.Run("train", "--resume", "--report", "false", "--out", run), 1, "training diverged");
        Tool.Fails(Tool.Run("train", "--resume", "--lr", "0", "--report", "false", "--out", run), 2, "lr 0", "positive");

        var resumed = Tool.Run("train", "--resume", "--lr", "0.001", "--report", "false", "--out", run).Succeeded();
        Assert.That(resumed.Out, Does.Contain("resumed at epoch 1, step 0"));
        // Nothing was trained with the old learning rate, so that this is the run that never had it.
        byte[] without = File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"));
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")), Is.EqualTo(without));
        var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "config.json"))).RootElement;
        Assert.That((config.GetProperty("learning_rate").GetDouble(), config.GetProperty("changed").GetString()), Is.EqualTo((0.001, "")));
    }

    [Test]
    public void A_learning_rate_that_was_changed_on_the_way_is_recorded()
    {
        string run = Tool.CopyOfRun();
        Tool.Fails(Tool.Run("train", "--resume", "--lr", "0.01", "--out", run), 2, "--lr 0.01", "--epochs");
        Tool.Run("train", "--resume", "--lr", "0.01", "--epochs", "4", "--report", "false", "--out", run).Succeeded();
        var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "config.json"))).RootElement;
        Assert.That((config.GetProperty("learning_rate").GetDouble(), config.GetProperty("changed").GetString()),
            Is.EqualTo((0.01, "learning_rate 0.001 until epoch 4, step 0")));
    }

    [Test]
    public void A_divergence_below_0_is_said_to_be_impossible()
    {
        string[] options = ["train", "beta-tcvae", "--epochs", "1", .. Tool.Tiny, "--report", "false"];
        string folder = TestFiles.Folder("cli-impossible");
        var weighted = Tool.Run([.. options, "--estimate", "weighted", "--out", Path.Combine(folder, "weighted")]).Succeeded();
        var batch = Tool.Run([.. options, "--estimate", "batch", "--out", Path.Combine(folder, "batch")]).Succeeded();
        Assert.That(weighted.Error, Does.Match("note: kl_marginal was -[0-9.]+ nats .*--estimate stratified"));
        Assert.That(batch.Error, Does.Not.Contain("note:"));
    }

    [Test]
    public void Resume_refuses_other_settings_and_imported_weights()
    {
        string run = Tool.CopyOfRun();
        Tool.Fails(Tool.Run("train", "--resume", "--beta", "3", "--out", run), 2, "--beta 3", "another beta");
        Tool.Fails(Tool.Run("train", "--resume", "--lr", "0.01", "--epochs", "5", "--limit", "100", "--out", run), 2, "--limit 100",
            "another limit");
        Tool.Fails(Tool.Run("train", "--resume", "--epochs", "2", "--out", run), 2, "--epochs 2", "larger --epochs");
        Tool.Fails(Tool.Run("train", "vae", "--resume", "--out", run), 2, "MODEL vae", "beta-vae");
        File.Delete(Path.Combine(run, "checkpoint.safetensors"));
        Tool.Fails(Tool.Run("train", "--resume", "--out", run), 2, "--resume", "without a checkpoint");
    }

    [Test]
    public void Resume_refuses_a_damaged_checkpoint()
    {
        string run = Tool.CopyOfRun(), checkpoint = Path.Combine(run, "checkpoint.safetensors");
        File.WriteAllBytes(checkpoint, File.ReadAllBytes(checkpoint)[..5000]);
        Tool.Fails(Tool.Run("train", "--resume", "--epochs", "9", "--out", run), 4, "checkpoint.safetensors");
    }

    private static Dictionary<string, string> Snapshot(string run) =>
        Directory.GetFiles(run).ToDictionary(f => Path.GetFileName(f),
            f => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f))));
}
