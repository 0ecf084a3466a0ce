using System.Text.Json;
using System.Text.RegularExpressions;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Exit codes and sentences: 2 for usage, 3 for devices, 4 for data.</summary>
[Parallelizable]
public sealed partial class ErrorTests
{
    [TestCase("frobnicate", "frobnicate", "no such command")]
    [TestCase("train --frobnicate", "--frobnicate", "no such option")]
    [TestCase("train no-such-model", "no-such-model", "beta-vae")]
    [TestCase("train --data no-such-data", "no-such-data", "mnist")]
    [TestCase("train --epochs many", "--epochs many", "number")]
    [TestCase("train --epochs 0", "epochs 0", "positive")]
    [TestCase("train --threads many", "--threads many", "whole number")]
    [TestCase("train --threads -1", "--threads -1", "positive")]
    [TestCase("train --precision fp16", "--precision fp16", "fp32, tf32 or bf16")]
    [TestCase("train --network tree", "tree", "mlp:")]
    [TestCase("train --noise loud", "loud", "learned")]
    [TestCase("train --set latents", "--set latents", "KEY=VALUE")]
    [TestCase("train --set colour=red", "colour", "no such key")]
    [TestCase("train --report maybe", "--report maybe", "true or false")]
    [TestCase("train --resume", "--resume", "--out")]
    [TestCase("train --device abacus", "--device abacus", "expected auto, cpu, cuda, cuda:N, opencl, opencl:N or simulator")]
    [TestCase("train --device cuda:first", "--device cuda:first", "cuda:N")]
    [TestCase("train --device cpu:1", "--device cpu:1", "cpu")]
    [TestCase("doctor --ptx Unary<Relu> --arch 60", "--ptx Unary<Relu>", "architecture 60", "80 (8.0 and newer)")]
    [TestCase("doctor --ptx Relu", "--ptx Relu", "Unary<Relu>")]
    [TestCase("doctor --selftest telepathy", "--selftest telepathy", "MatMul")]
    [TestCase("train --beta", "--beta", "needs a value")]
    [TestCase("train dip-vae-i --code joint", "code joint", "gaussian")]
    [TestCase("train dip-vae-i --latents joint", "code joint", "gaussian")]
    [TestCase("train beta-vae --gamma 3", "--gamma: beta-vae has no such setting", "capacity-vae")]
    [TestCase("train --set changed=x", "--set changed", "no such key")]
    [TestCase("train imae --recipe full", "recipe full", "tuned, paper")]
    [TestCase("train imae --encoder-mi much", "encoder-mi much", "WEIGHT:BALANCE")]
    [TestCase("train imae --categories 1", "categories 1", "at least 2")]
    [TestCase("train imae --temperature 0", "temperature 0", "positive")]
    [TestCase("train imae --network mlp:5/x", "mlp:5/x", "mlp:500,1000/500,500")]
    [TestCase("train vmi-vae --mi-factors 16", "mi-factors 16", "0 to 15")]
    [TestCase("train --momentum 0.5", "--momentum", "optimiser sgd only", "optimiser is adam")]
    [TestCase("train --optimiser rmsprop --set weight_decay=0.1", "--set weight_decay", "optimiser adam or sgd only")]
    [TestCase("train --noise bernoulli --noise-floor 0.1", "--noise-floor", "noise learned or mog or table only", "noise is bernoulli")]
    [TestCase("train --set epochs=0", "--set epochs 0", "positive whole number")]
    [TestCase("train --set device=gpu", "--set device", "no such key")]
    [TestCase("train --set commit=x", "--set commit", "no such key")]
    [TestCase("train --seed -1", "--seed -1", "a whole number of at least 0")]
    [TestCase("evaluate RUN --nll-samples 0", "--nll-samples 0", "positive")]
    [TestCase("metrics RUN --nll-samples 0", "--nll-samples 0", "positive")]
    [TestCase("influence RUN --mi-factors 1", "--mi-factors", "--bound q")]
    [TestCase("doctor --arch 75", "--arch", "--ptx")]
    [TestCase("sweep vae --grid beta=1,,4", "--grid beta=1,,4", "value 2 is empty")]
    [TestCase("influence RUN --bound z", "--bound z", "expected q")]
    [TestCase("influence RUN --bound q --mi-factors 8", "--mi-factors 8", "0 to 7")]
    [TestCase("evaluate", "RUN", "must be given")]
    [TestCase("influence RUN --keep 101", "--keep 101", "percentage")]
    [TestCase("influence RUN --points 0", "--points 0", "positive")]
    [TestCase("traverse RUN --factors 8", "--factors 8", "0 to 7")]
    [TestCase("traverse RUN --factors top:x", "--factors top:x", "top:N")]
    [TestCase("traverse RUN --range 0", "--range 0", "positive")]
    [TestCase("traverse RUN --steps 1", "--steps 1", "2 to")]
    [TestCase("sample RUN --images 0", "--images 0", "1 to")]
    [TestCase("reconstruct RUN --split all", "--split all", "test or train")]
    [TestCase("encode RUN", "--out", "must be given")]
    [TestCase("encode RUN --out encodings.txt", "encodings.txt", ".csv or .npz")]
    [TestCase("export RUN --format keras --out x", "--format keras", "safetensors")]
    [TestCase("import x --data mnist --out y", "--model", "must be given")]
    [TestCase("list colours", "colours", "models")]
    [TestCase("trian --epochs 1", "trian", "did you mean train?")]
    [TestCase("train beta-vea", "beta-vea", "did you mean beta-vae?")]
    [TestCase("train --epoch 1", "--epoch", "did you mean --epochs?")]
    [TestCase("train --data mnits", "mnits", "did you mean mnist?")]
    [TestCase("data verify no-such-data", "no-such-data", "mnist")]
    [TestCase("train exon --labels 3", "labels 3", "10 classes", "at least 10")]
    [TestCase("sample RUN --sampler gmm:100000", "--sampler gmm:100000", "codes of training images")]
    [TestCase("estimate e.csv --with ksg", "--with", "--x and --y")]
    [TestCase("estimate e.csv --transform rank", "--transform", "--x and --y")]
    [TestCase("estimate e.csv --x a --y b --mixture 30", "--mixture", "file of encodings")]
    [TestCase("estimate --benchmark --mixture 30", "--mixture", "file of encodings")]
    public void Usage_errors_exit_with_2(string line, params string[] says)
    {
        Tool.Fails(Tool.Run(Arguments(line)), 2, says);
        Assert.That(Directory.EnumerateFileSystemEntries(Tool.WorkDir), Is.Empty, "nothing half-written");
    }

    /// <summary>What must be given need not be known by somebody who asks for help.</summary>
    [TestCase("influence", "Device:")]
    [TestCase("sweep", "--grid")]
    [TestCase("import", "--model")]
    [TestCase("data prepare", "Data and models:")]
    public void Every_command_has_help(string command, string says) =>
        Assert.That(Tool.Run([.. Arguments(command), "--help"]).Succeeded().Out, Does.Contain("Usage:").And.Contain(says));

    /// <summary>The first level, all commands, and what stands below them.</summary>
    [Test]
    public void Help_has_lines_of_120_columns_and_one_manner_of_defaults()
    {
        string root = Tool.Run("--help").Succeeded().Out;
        string[] commands = ["", .. CommandLine().Matches(root).Select(m => m.Groups[1].Value), "data prepare", "data verify"];
        Assert.That(commands, Has.Length.GreaterThan(18).And.Member("train").And.Member("completions"));
        foreach (string command in commands)
        {
            string help = Tool.Run([.. Arguments(command), "--help"]).Succeeded().Out;
            Assert.That(help.Split('\n').Where(line => line.Length > 120), Is.Empty, command);
            Assert.That(help, Does.Not.Contain("[default").And.Not.Contain("the default,").And.Not.Contain("by default"), command);
        }
    }

    [GeneratedRegex(@"^  ([a-z]+) {2,}", RegexOptions.Multiline)]
    private static partial Regex CommandLine();

    [Test]
    public void An_option_has_one_default([Values("train", "sweep", "reproduce", "evaluate", "influence", "traverse", "sample", "classify",
        "metrics", "explore", "encode", "estimate", "export", "import", "list", "doctor")] string command) =>
        Assert.That(Tool.Run(command, "--help").Succeeded().Out.Split('\n').Where(line => line.Split("default").Length > 2), Is.Empty);

    [Test]
    public void An_existing_out_is_a_usage_error()
    {
        string folder = TestFiles.Folder("cli-existing");
        File.WriteAllText(Path.Combine(folder, "precious"), "data");
        var result = Tool.Run("train", "--out", folder);
        Tool.Fails(result, 2, "--out", folder, "is no run");
        Assert.That(result.Error, Does.Not.Contain("--resume"));
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
        Tool.Fails(Tool.Run("train", "--out", Tool.TrainedRun), 2, "--out", "--resume to continue the run in it");
    }

    [Test]
    public void Resuming_what_is_no_run_starts_nothing()
    {
        string folder = TestFiles.Folder("cli-typo"), typo = Path.Combine(folder, "typo");
        Tool.Fails(Tool.Run("train", "--resume", "--out", typo), 2, "--resume", typo, "no run");
        Tool.Fails(Tool.Run("train", "--resume", "--out", folder), 2, "--resume", folder, "no run");
        Assert.That(Directory.EnumerateFileSystemEntries(folder), Is.Empty);
    }

    [TestCase("evaluate no-such-run", "no-such-run", "no such run directory")]
    [TestCase("estimate no-such-file.csv", "no-such-file.csv", "no such file")]
    [TestCase("import no-such-file --model vae --data mnist --out x", "no-such-file")]
    [TestCase("train --data-dir no-such-folder", "no-such-folder", "--data-dir")]
    [TestCase("train --data fashion-mnist", "fashion-mnist", "no such file")]
    [TestCase("data verify fashion-mnist", "fashion-mnist", "no such file")]
    [TestCase("metrics no-such-file.npz", "no-such-file.npz", "no such file", "npz or CSV")]
    [TestCase("data prepare cifar10 --from no-such-folder", "no-such-folder", "--from")]
    [TestCase("data prepare shapes3d --from no-such-folder", "--from no-such-folder", "no such folder", "shapes3d")]
    [TestCase("train --config no-such-file.json", "no-such-file.json", "no such file", "JSON object")]
    [TestCase("train exon --design no-such-file.json", "no-such-file.json", "no such file", "centres")]
    public void Missing_data_exits_with_4(string line, params string[] says) =>
        Tool.Fails(Tool.Run(Arguments(line)), 4, says);

    [TestCase("", "it is empty")]
    [TestCase("{\n\"beta\": 1,\n", "it is no JSON at line 3")]
    [TestCase("{\"beta\": 1, \"beta\": 2}", "it has the key beta twice")]
    public void A_damaged_file_of_settings_says_where(string text, string says)
    {
        string file = Path.Combine(TestFiles.Folder("cli-config"), "settings.json");
        File.WriteAllText(file, text);
        var result = Tool.Run("train", "--config", file);
        Tool.Fails(result, 4, "--config", file, says);
        Assert.That(result.Error, Does.Not.Contain("BytePosition").And.Not.Contain("System."));
    }

    [TestCase("--against other")]
    [TestCase("--split train")]
    [TestCase("--nll-samples 3")]
    [TestCase("--ssim-images 3")]
    public void What_a_file_of_codes_has_not_is_refused(string option)
    {
        string file = Path.Combine(TestFiles.Folder("cli-codes"), "codes.csv");
        File.WriteAllText(file, "mu_0,factors_0\n1,0\n2,1\n");
        Tool.Fails(Tool.Run(["metrics", file, .. Arguments(option)]), 2, option.Split(' ')[0], file);
    }

    [Test]
    public void A_folder_that_is_no_run_is_said_to_be_none()
    {
        string folder = TestFiles.Folder("cli-folder");
        Tool.Fails(Tool.Run("estimate", folder), 4, folder, "it is not a run directory");
    }

    [TestCase("evaluate")]
    [TestCase("influence")]
    [TestCase("sample")]
    public void Truncated_weights_exit_with_4(string command)
    {
        string run = Tool.CopyOfRun(), model = Path.Combine(run, "model.safetensors");
        File.WriteAllBytes(model, File.ReadAllBytes(model)[..1000]);
        Tool.Fails(Tool.Run(command, run), 4, "model.safetensors");
    }

    [Test]
    public void Missing_weights_say_how_to_go_on()
    {
        string run = Tool.CopyOfRun();
        File.Delete(Path.Combine(run, "model.safetensors"));
        Tool.Fails(Tool.Run("evaluate", run), 4, "model.safetensors", "--resume");
    }

    [TestCase("garbage")]
    [TestCase("{\"model\": 3}")]
    [TestCase("{\"colour\": \"red\"}")]
    [TestCase("{\"model\": \"no-such-model\"}")]
    [TestCase("{\"epochs\": -1}")]
    [TestCase("{\"beta\": 1, \"beta\": 2}")]
    public void Damaged_configurations_exit_with_4(string text)
    {
        string run = Tool.CopyOfRun();
        File.WriteAllText(Path.Combine(run, "config.json"), text);
        Tool.Fails(Tool.Run("evaluate", run), 4, "config.json");
    }

    [Test]
    public void Labels_that_do_not_fit_the_images_exit_with_4()
    {
        string data = TestFiles.Folder("cli-labels"), mnist = Path.Combine(data, "mnist");
        Directory.CreateDirectory(mnist);
        foreach (string file in Directory.GetFiles(Path.Combine(Tool.DataDir, "mnist")))
            File.Copy(file, Path.Combine(mnist, Path.GetFileName(file)));
        File.Copy(Path.Combine(mnist, "t10k-labels-idx1-ubyte"), Path.Combine(mnist, "train-labels-idx1-ubyte"), overwrite: true);
        Tool.Fails(Tool.Run("train", "--data-dir", data, "--out", Path.Combine(data, "run")), 4, "train-labels-idx1-ubyte",
            "120 labels for 300 images");
        Assert.That(Directory.Exists(Path.Combine(data, "run")), Is.False, "nothing half-written");
    }

    [Test]
    public void Verbose_adds_the_stack_trace()
    {
        var result = Tool.Run("evaluate", "no-such-run", "--verbose");
        Assert.That(result.ExitCode, Is.EqualTo(4));
        Assert.That(result.Error, Does.Contain("   at ").And.Contain("vae: no-such-run"));
    }

    [Test]
    public void Without_arguments_there_are_three_examples()
    {
        string help = Tool.Run().Succeeded().Out;
        Assert.That(help, Does.Contain("vae train ").And.Contain("vae influence ").And.Contain("vae estimate "));
    }

    [Test]
    public void Data_that_is_not_the_published_one_is_reported()
    {
        var result = Tool.Run("data", "verify", "mnist", "--json");
        Assert.That(result.ExitCode, Is.EqualTo(4), "the tests' data are a part of MNIST");
        Assert.That(result.Error, Does.Contain("MD5"));
        Assert.That(JsonDocument.Parse(result.Out).RootElement.GetProperty("ok").GetBoolean(), Is.False);
        Tool.Run("data", "verify", "mnist", "--data-dir", TestFiles.Datasets).Succeeded();
    }

    private static string[] Arguments(string line) =>
        Array.ConvertAll(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), a => a == "RUN" ? Tool.TrainedRun : a);
}
