using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Exit codes and sentences: 2 for usage, 3 for devices, 4 for data.</summary>
public sealed class ErrorTests
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
    [TestCase("train dip-vae-i --latents joint", "latents joint", "gaussian")]
    [TestCase("train imae --recipe full", "recipe full", "tuned, paper")]
    [TestCase("train imae --encoder-mi much", "encoder-mi much", "WEIGHT:BALANCE")]
    [TestCase("train imae --categories 1", "categories 1", "at least 2")]
    [TestCase("train imae --temperature 0", "temperature 0", "positive")]
    [TestCase("train imae --network mlp:5/x", "mlp:5/x", "mlp:500,1000/500,500")]
    [TestCase("train vmi-vae --mi-factors 16", "mi-factors 16", "0 to 15")]
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
    [TestCase("export RUN --format onnx --out x", "--format onnx", "safetensors")]
    [TestCase("import x --data mnist --out y", "--model", "must be given")]
    [TestCase("list colours", "colours", "models")]
    [TestCase("data verify no-such-data", "no-such-data", "mnist")]
    public void Usage_errors_exit_with_2(string line, params string[] says)
    {
        Tool.Fails(Tool.Run(Arguments(line)), 2, says);
        Assert.That(Directory.EnumerateFileSystemEntries(Tool.WorkDir), Is.Empty, "nothing half-written");
    }

    [Test]
    public void An_existing_out_is_a_usage_error()
    {
        string folder = TestFiles.Folder("cli-existing");
        File.WriteAllText(Path.Combine(folder, "precious"), "data");
        Tool.Fails(Tool.Run("train", "--out", folder), 2, "--out", folder, "--resume");
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
    }

    [TestCase("evaluate no-such-run", "no-such-run", "no such run directory")]
    [TestCase("estimate no-such-file.csv", "no-such-file.csv", "no such file")]
    [TestCase("import no-such-file --model vae --data mnist --out x", "no-such-file")]
    [TestCase("train --data-dir no-such-folder", "no-such-folder", "--data-dir")]
    [TestCase("train --data fashion-mnist", "fashion-mnist", "no such file")]
    [TestCase("data verify fashion-mnist", "fashion-mnist", "no such file")]
    public void Missing_data_exits_with_4(string line, params string[] says) =>
        Tool.Fails(Tool.Run(Arguments(line)), 4, says);

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
        Tool.Fails(Tool.Run("train", "--data-dir", data, "--out", Path.Combine(data, "run")), 4, "train-labels-idx1-ubyte", "120 labels for 300 images");
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
        Array.ConvertAll(line.Split(' '), a => a == "RUN" ? Tool.TrainedRun : a);
}
