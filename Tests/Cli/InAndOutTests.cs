using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.TensorBoard;

namespace VaeFromScratch.Tests.Cli;

/// <summary>ONNX, weights of other programs, configurations, TensorBoard.</summary>
[Parallelizable]
public sealed class InAndOutTests
{
    [Test]
    public void A_run_is_exported_as_onnx_without_its_data()
    {
        string folder = Path.Combine(TestFiles.Folder("cli-onnx"), "models"), nothing = TestFiles.Folder("cli-no-data");
        var json = Tool.Run("export", Tool.TrainedRun, "--format", "onnx", "--out", folder, "--data-dir", nothing, "--json").Json();
        Assert.That(json.GetProperty("files").EnumerateArray().Select(f => Path.GetFileName(f.GetString())),
            Is.EqualTo(new[] { "encoder.onnx", "decoder.onnx" }));
        using var session = new InferenceSession(Path.Combine(folder, "encoder.onnx"));
        var metadata = session.ModelMetadata.CustomMetadataMap;
        Assert.That((metadata["model"], metadata["data"], metadata["network"]), Is.EqualTo(("beta-vae", "mnist", "mlp:32")));
        Assert.That(metadata["equations"], Does.Contain("(V3)"));
        var factors = JsonDocument.Parse(metadata["factors"]).RootElement;
        Assert.That(factors.GetArrayLength(), Is.EqualTo(8));
        Assert.That(factors.EnumerateArray().Select(f => f.GetProperty("nats").GetDouble()), Is.Ordered.Descending);
        string weights = Path.Combine(nothing, "w.safetensors");
        Tool.Run("export", Tool.TrainedRun, "--out", weights, "--data-dir", nothing).Succeeded();
        Assert.That(File.ReadAllBytes(weights), Is.EqualTo(File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"))));
        Tool.Fails(Tool.Run("export", Tool.TrainedRun, "--format", "onnx", "--out", "-"), 2, "--out -", "folder");
        Tool.Fails(Tool.Run("export", Tool.TrainedRun, "--format", "h5", "--out", folder), 2, "--format h5", "onnx");
        Tool.Fails(Tool.Run("export", Tool.TrainedRun, "--out", weights, "--activation"), 2, "--activation", "--format onnx");
    }

    [Test]
    public void A_run_directory_is_opened_as_an_encoder_and_gives_what_encode_writes()
    {
        string file = Path.Combine(TestFiles.Folder("cli-encoder"), "codes.npz");
        Tool.Run("encode", Tool.TrainedRun, "--out", file).Succeeded();
        var table = VaeFromScratch.Data.EncodingsFile.Read(file);
        using var encoder = Encoder.Open(Tool.TrainedRun);
        float[] images = VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Test.ToFloats(0, Tool.TestImages);
        float[] mu = new float[Tool.TestImages * encoder.Latents];
        encoder.Encode(images, mu, new float[mu.Length]);
        Assert.That(mu, Is.EqualTo(table.Mu));
    }

    [Test]
    public void The_classifier_is_stored_and_exported()
    {
        string run = Tool.CopyOfRun(), folder = Path.Combine(TestFiles.Folder("cli-classifier"), "models");
        Tool.Run("classify", run, "--quick", "--keep", "50,100,0").Succeeded();
        Assert.That(Safetensors.Read(Path.Combine(run, "classifier.safetensors")).Arrays["head.weight"].Shape, Is.EqualTo(new[] { 10, 8 }));
        Tool.Run("export", run, "--format", "onnx", "--out", folder).Succeeded();
        using var session = new InferenceSession(Path.Combine(folder, "classifier.onnx"));
        Assert.That(session.InputMetadata["factors"].Dimensions, Is.EqualTo(new[] { -1, 8 }));
        Assert.That(session.OutputMetadata["probs"].Dimensions, Is.EqualTo(new[] { -1, 10 }));
    }

    [Test]
    public void Weights_under_pythaes_names_are_recognised()
    {
        string folder = TestFiles.Folder("cli-pythae"), file = Path.Combine(folder, "pythae.safetensors"),
            run = Path.Combine(folder, "run");
        var ours = Safetensors.Read(Path.Combine(Tool.TrainedRun, "model.safetensors")).Arrays;
        (string Ours, string Theirs)[] layers = [("encoder.fc1", "encoder.layers.0.0"), ("encoder.mu", "encoder.embedding"),
            ("encoder.logvar", "encoder.log_var"),
            ("decoder.fc1", "decoder.layers.0.0"), ("decoder.fc2", "decoder.layers.1.0")];
        (string, HostArray)[] foreign = [.. layers.SelectMany(l =>
            new[] { (l.Theirs + ".weight", ours[l.Ours + ".weight"]), (l.Theirs + ".bias", ours[l.Ours + ".bias"]) })];
        Safetensors.Write(file, foreign);
        var result = Tool.Run("import", file, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--out", run, "--data-dir",
            folder).Succeeded();
        Assert.That(result.Error,
            Does.Contain("guessed by pythae").And.Contain("encoder.embedding -> encoder.mu").And.Contain("noise.log_sigma"));
        var imported = Safetensors.Read(Path.Combine(run, "model.safetensors")).Arrays;
        foreach (var (name, _) in layers)
            Assert.That(imported[name + ".weight"].Data, Is.EqualTo(ours[name + ".weight"].Data), name);
        Tool.Run("import", file, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--names", "pythae", "--out",
            Path.Combine(folder, "named")).Succeeded();
    }

    [Test]
    public void A_map_renames_leaves_out_and_divides()
    {
        string folder = TestFiles.Folder("cli-map"), file = Path.Combine(folder, "w.safetensors"), map = Path.Combine(folder, "map.json"),
            run = Path.Combine(folder, "run");
        var ours = Safetensors.Read(Path.Combine(Tool.TrainedRun, "model.safetensors")).Arrays;
        HostArray Head(string part) => new([16, .. ours["encoder.mu." + part].Shape[1..]],
            [.. Enumerable.Range(0, 16).SelectMany(i =>
                ours[(i % 2 == 0 ? "encoder.mu." : "encoder.logvar.") + part].Data.Chunk(ours["encoder.mu." + part].Data.Length / 8)
                    .ElementAt(i / 2))]);
        List<(string, HostArray)> foreign = [("head.weight", Head("weight")), ("head.bias", Head("bias")), ("counter", new([1], [5])),
            ("net.1.weight", ours["encoder.fc1.weight"])];
        foreign.AddRange(ours.Where(a => !a.Key.StartsWith("encoder.mu", StringComparison.Ordinal)
            && !a.Key.StartsWith("encoder.logvar", StringComparison.Ordinal) && a.Key != "encoder.fc1.weight").Select(a =>
            (a.Key, a.Value)));
        Safetensors.Write(file, foreign);
        File.WriteAllText(map,
            """{"head": {"interleaved": ["encoder.mu", "encoder.logvar"]}, "counter": null, "net.1.weight": "encoder.fc1.weight"}""");
        Tool.Run("import", file, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--names", map, "--out", run).Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"))));

        string[] import = ["import", file, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--latents", "8", "--out",
            Path.Combine(folder, "failed")];
        Tool.Fails(Tool.Run(import), 4, "missing encoder.fc1.weight (nearest: ", "encoder.mu.weight", "not known head.weight (nearest: ",
            "counter", "--names");
        File.WriteAllText(map, """{"head": 3}""");
        Tool.Fails(Tool.Run([.. import, "--names", map]), 4, map, "head is 3");
        Tool.Fails(Tool.Run([.. import, "--names", Path.Combine(folder, "none.json")]), 4, "none.json", "pythae");
        File.WriteAllText(map, """{"heads": null}""");
        Tool.Fails(Tool.Run([.. import, "--names", map]), 4, file, map, "no tensor or layer heads", "nearest: head.bias");
        Tool.Fails(Tool.Run([.. import, "--names", "pythae"]), 4, file, "pythae", "encoder.layers.0.0");
        Assert.That(Directory.Exists(Path.Combine(folder, "failed")), Is.False);
    }

    [Test]
    public void Layers_in_the_same_order_and_of_the_same_shapes_are_guessed()
    {
        string folder = TestFiles.Folder("cli-guess"), file = Path.Combine(folder, "w.safetensors"), run = Path.Combine(folder, "run");
        var ours = Safetensors.Read(Path.Combine(Tool.TrainedRun, "model.safetensors")).Arrays;
        Safetensors.Write(file, [.. ours.Where(a => !a.Key.StartsWith("noise", StringComparison.Ordinal)).Select((a, i) =>
            ($"net.{i:D2}", a.Value))]);
        var result = Tool.Run("import", file, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--latents", "8", "--out",
            run).Succeeded();
        Assert.That(result.Error, Does.Contain("order and the shapes").And.Contain("net.00 -> encoder.fc1.weight"));
        Assert.That(Safetensors.Read(Path.Combine(run, "model.safetensors")).Arrays["decoder.fc2.weight"].Data,
            Is.EqualTo(ours["decoder.fc2.weight"].Data));
    }

    [Test]
    public void Disentangling_vaes_names_fit_the_network_of_burgess([Values("--names", "guess")] string how)
    {
        string folder = TestFiles.Folder("cli-burgess"), file = Path.Combine(folder, "w.safetensors"), run = Path.Combine(folder, "run");
        var random = new Random(1);
        (string, HostArray) Tensor(string name, params int[] shape) =>
            (name, new(shape, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]));
        (string, HostArray)[] Layer(string name, int outputs, params int[] weight) =>
            [Tensor(name + ".weight", weight), Tensor(name + ".bias", outputs)];
        (string Name, HostArray Array)[] tensors =
        [
            .. Layer("encoder.conv1", 32, 32, 3, 4, 4), .. Layer("encoder.conv2", 32, 32, 32, 4, 4),
                .. Layer("encoder.conv3", 32, 32, 32, 4, 4),
            .. Layer("encoder.lin1", 256, 256, 512), .. Layer("encoder.lin2", 256, 256, 256),
                .. Layer("encoder.mu_logvar_gen", 20, 20, 256),
            .. Layer("decoder.lin1", 256, 256, 10), .. Layer("decoder.lin2", 256, 256, 256), .. Layer("decoder.lin3", 512, 512, 256),
            .. Layer("decoder.convT1", 32, 32, 32, 4, 4), .. Layer("decoder.convT2", 32, 32, 32, 4, 4),
                .. Layer("decoder.convT3", 3, 32, 3, 4, 4),
        ];
        Safetensors.Write(file, tensors);
        string[] names = how == "guess" ? [] : ["--names", "disentangling-vae"];
        Tool.Run(["import", file, "--model", "beta-vae", "--data", "cifar10", "--network", "burgess", "--noise", "bernoulli", "--out", run,
            .. names]).Succeeded();
        var imported = Safetensors.Read(Path.Combine(run, "model.safetensors")).Arrays;
        float[] head = tensors.Single(t => t.Name == "encoder.mu_logvar_gen.bias").Array.Data;
        Assert.That(imported["encoder.mu.bias"].Data, Is.EqualTo(head.Where((_, i) => i % 2 == 0)));
        Assert.That(imported["encoder.logvar.bias"].Data, Is.EqualTo(head.Where((_, i) => i % 2 == 1)));
    }

    [TestCase(new byte[] { 0x50, 0x4b, 3, 4, 0, 0 })]
    [TestCase(new byte[] { 0x80, 2, 0x8a, 0x0a })]
    public void Files_of_torch_save_are_recognised(byte[] start)
    {
        string file = Path.Combine(TestFiles.Folder("cli-pt"), "pytorch_model.bin");
        File.WriteAllBytes(file, start);
        Tool.Fails(Tool.Run("import", file, "--model", "beta-vae", "--out", file + "-run"), 4, file, "torch.save", "safetensors.torch",
            "weights_only=True");
    }

    [Test]
    public void A_run_like_another_gives_the_same_bytes_and_options_override()
    {
        string folder = TestFiles.Folder("cli-like"), config = Path.Combine(Tool.TrainedRun, "config.json");
        byte[] weights = File.ReadAllBytes(Path.Combine(Tool.TrainedRun, "model.safetensors"));
        foreach (var (name, start) in ((string, string[])[])[("like", ["--like", Tool.TrainedRun]), ("config", ["--config", config])])
        {
            string run = Path.Combine(folder, name);
            Tool.Run(["train", .. start, "--report", "false", "--out", run]).Succeeded();
            Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")), Is.EqualTo(weights), name);
        }
        string part = Path.Combine(folder, "part.json"), other = Path.Combine(folder, "other");
        File.WriteAllText(part, """{"model": "capacity-vae", "network": "mlp:16", "latents": 3, "limit": 60, "epochs": 1, "gamma": 7}""");
        Tool.Run("train", "--config", part, "--latents", "2", "--report", "false", "--out", other).Succeeded();
        var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(other, "config.json"))).RootElement;
        Assert.That((json.GetProperty("model").GetString(), json.GetProperty("latents").GetInt32(), json.GetProperty("gamma").GetDouble()),
            Is.EqualTo(("capacity-vae", 2, 7.0)));

        string failed = Path.Combine(folder, "failed");
        Tool.Fails(Tool.Run("train", "--config", part, "--like", other, "--out", failed), 2, "--like", "--config");
        File.WriteAllText(part, """{"model": "beta-vae", "gamma": 7}""");
        Tool.Fails(Tool.Run("train", "--config", part, "--out", failed), 2, part, "gamma", "beta-vae");
        File.WriteAllText(part, "[1]");
        Tool.Fails(Tool.Run("train", "--config", part, "--out", failed), 4, part, "JSON object");
        Assert.That(Directory.Exists(failed), Is.False);
    }

    [Test]
    public void Tensorboard_gets_scalars_pictures_histograms_and_the_projector()
    {
        string run = Path.Combine(TestFiles.Folder("cli-tensorboard"), "run"), folder = Path.Combine(run, "tensorboard");
        Tool.Run(["train", "--epochs", "2", .. Tool.Tiny, "--log", "tensorboard", "--report", "false", "--out", run]).Succeeded();
        // The name of a file of events has the second and the process.
        Tool.RunAlone("train", "--resume", "--epochs", "3", "--log", "tensorboard", "--report", "false", "--out", run).Succeeded();
        var events = Directory.GetFiles(folder, "events.out.tfevents.*").Order(StringComparer.Ordinal).SelectMany(EventFileTests.Read)
            .ToList();
        var values = events.Where(e => e.Summary is not null).SelectMany(e => e.Summary.Value.Select(v => (e.Step, Value: v))).ToList();
        string[][] metrics = [.. File.ReadLines(Path.Combine(run, "metrics.csv")).Select(l => l.Split(','))];
        foreach (string column in (string[])["train_loss", "test_nll", "test_kl"])
        {
            int index = Array.IndexOf(metrics[0], column);
            string tag = column.Replace('_', '/');
            var logged = values.Where(v => v.Value.Tag == tag).OrderBy(v => v.Step).ToArray();
            Assert.That(logged.Select(v => v.Step), Is.EqualTo(metrics.Skip(1).Select(row => long.Parse(row[1]))), column);
            Assert.That(logged.Select(v => v.Value.SimpleValue),
                Is.EqualTo(metrics.Skip(1).Select(row => double.Parse(row[index],
                System.Globalization.CultureInfo.InvariantCulture))).Within(1e-4).Percent, column);
        }
        var picture = values.First(v => v.Value.Tag == "reconstructions").Value.Image;
        Assert.That(Png.Decode(picture.EncodedImageString.ToByteArray(), "picture").Width, Is.EqualTo(picture.Width));
        Assert.That(values.Count(v => v.Value.Tag is "codes/mu" or "codes/logvar"), Is.EqualTo(6));
        Assert.That(values.First(v => v.Value.Tag == "codes/mu").Value.Histo.Num, Is.EqualTo(Tool.TestImages * 8));

        string[] codes = File.ReadAllLines(Path.Combine(folder, "tensors.tsv"));
        Assert.That(codes, Has.Length.EqualTo(Tool.TestImages));
        Assert.That(codes[0].Split('\t'), Has.Length.EqualTo(8));
        Assert.That(File.ReadAllLines(Path.Combine(folder, "metadata.tsv")), Has.Length.EqualTo(Tool.TestImages));
        string projector = File.ReadAllText(Path.Combine(folder, "projector_config.pbtxt"));
        Assert.That(projector, Does.Contain("tensor_path: \"tensors.tsv\"").And.Contain("metadata_path: \"metadata.tsv\"").And.Contain(
            "single_image_dim: 28"));
        Assert.That(Png.Decode(File.ReadAllBytes(Path.Combine(folder, "sprite.png")), "sprite").Width, Is.EqualTo(11 * 28));
        Tool.Fails(Tool.Run(["train", .. Tool.Tiny, "--log", "wandb", "--out", run + "-2"]), 2, "--log wandb", "tensorboard");
    }
}
