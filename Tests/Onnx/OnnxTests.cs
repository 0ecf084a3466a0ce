using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Graphs;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Onnx;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Onnx;

/// <summary>Exported graphs, run by ONNX Runtime, against our own forward pass.</summary>
public sealed class OnnxTests
{
    private static readonly Dictionary<string, string> NoMetadata = [];

    [TestCaseSource(typeof(Networks), nameof(Networks.Cases))]
    public void An_exported_encoder_computes_what_the_model_does(string name, CodeKind code, string image, string settings)
    {
        using var model = Networks.Create(name, code, image, settings);
        using var session = new InferenceSession(OnnxFiles.Encoder(model, Configuration(model, name, code), NoMetadata));
        string[] outputs = [.. session.OutputMetadata.Keys];
        Assert.That(outputs[..2], Is.EqualTo(new[] { "mu", "logvar" }));
        Assert.That(outputs[2..], Is.EqualTo(name == "exon" ? new[] { "weights" } : code == CodeKind.Joint ? ["probs"] : []));
        Assert.That(session.InputMetadata["x"].Dimensions,
            Is.EqualTo(new[] { -1, model.Image.Channels, model.Image.Height, model.Image.Width }));
        foreach (int batch in Networks.Batches)
        {
            float[] images = Networks.Images(model.Image, batch);
            float[][] expected = Networks.Encode(model, images);
            float[][] actual = Run(session, "x", ChannelsFirst(images, model.Image), model.Image.Channels, model.Image.Height,
                model.Image.Width);
            for (int i = 0; i < expected.Length; i++)
                Networks.Close(actual[i], expected[i], $"{outputs[i]} of {batch}");
        }
    }

    [TestCaseSource(typeof(Networks), nameof(Networks.Cases))]
    public void An_exported_decoder_computes_what_the_model_does(string name, CodeKind code, string image, string settings)
    {
        using var model = Networks.Create(name, code, image, settings);
        foreach (bool activation in (bool[])[false, true])
        {
            using var session = new InferenceSession(OnnxFiles.Decoder(model, Configuration(model, name, code), NoMetadata, activation));
            Assert.That(session.OutputMetadata.Keys, Is.EqualTo(new[] { "image" }));
            bool logits = !activation && model.Noise.Name == "bernoulli";
            Assert.That(session.ModelMetadata.CustomMetadataMap["image"], Is.EqualTo(logits ? "logits" : "mean"));
            foreach (int batch in Networks.Batches)
            {
                float[] codes = Networks.Codes(model, batch);
                var (decoded, mean) = Networks.Decode(model, codes);
                Networks.Close(Run(session, "z", codes, model.CodeLength)[0], ChannelsFirst(logits ? decoded : mean, model.Image),
                    $"image of {batch}");
            }
        }
    }

    [TestCase(1, 0)]
    [TestCase(7, 0)]
    [TestCase(7, 12)]
    public void An_exported_classifier_computes_what_the_stored_one_does(int steps, int hidden)
    {
        const int factors = 5, classes = 3;
        using var compute = new Compute(new CpuBackend(1));
        string file = Path.Combine(TestFiles.Folder("onnx-classifier"), "classifier.safetensors");
        float[] mask = [1, 0, 1, 1, 0];
        using (var fresh = new FactorClassifier(compute, steps, factors, classes, ClassifierSettings.Linear with { Hidden = hidden },
            seed: 3))
            AtomicFile.Write(file, stream => fresh.Save(stream, mask));
        using var classifier = FactorClassifier.Load(compute, file);
        using var original = new FactorClassifier(compute, steps, factors, classes, ClassifierSettings.Linear with { Hidden = hidden },
            seed: 3);
        using var session = new InferenceSession(OnnxFiles.Classifier(classifier, ModelCatalogue.Defaults("beta-vae"), NoMetadata));
        foreach (int batch in Networks.Batches)
        {
            float[] x = Networks.Images(new(steps, factors, 1), batch);
            using var tape = compute.Tape(gradients: false);
            float[] expected = original.Probabilities(tape.Constant(new(batch, steps, factors),
                [.. x.Select((v, i) => v * mask[i % factors])])).ToArray();
            Networks.Close(classifier.Probabilities(tape.Constant(new(batch, steps, factors), x)).ToArray(), expected,
                "factors that were masked count nothing");
            Networks.Close(Run(session, "factors", x, steps == 1 ? [factors] : [steps, factors])[0], expected, $"probs of {batch}");
        }
    }

    [Test]
    public void A_flattened_image_may_be_read_by_a_layer_that_was_not_made_for_one()
    {
        using var compute = new Compute(new CpuBackend(1));
        var init = new Initialise(1);
        var network = new Sequential(new Conv2d(2, 3, 3, 1, 1, init), new ReshapeLayer(4 * 5 * 3), new Linear(4 * 5 * 3, 4 * 5 * 2, init),
            new ReshapeLayer(4, 5, 2));
        using var arena = ParameterArena.Of(compute, network);
        var image = new ImageShape(4, 5, 2);
        var graph = network.Describe(new InputNode("x", new(4, 5, 2)));
        using var session = new InferenceSession(OnnxExport.Write("network", [("y", graph)]));
        float[] x = Networks.Images(image, 3);
        using var tape = compute.Tape(gradients: false);
        float[] expected = network.Forward(tape.Constant(new(3, 4, 5, 2), x)).ToArray();
        Networks.Close(Run(session, "x", ChannelsFirst(x, image), 2, 4, 5)[0], ChannelsFirst(expected, image), "y");
    }

    [Test]
    public void Texts_travel_with_the_model()
    {
        using var model = Networks.Create("beta-vae", CodeKind.Gaussian, "28x28x1", "network=conv");
        using var session = new InferenceSession(OnnxFiles.Encoder(model, Configuration(model, "beta-vae", CodeKind.Gaussian),
            new Dictionary<string, string> { ["model"] = "beta-vae" }));
        Assert.That(session.ModelMetadata.ProducerName, Is.EqualTo("vae"));
        Assert.That(session.ModelMetadata.CustomMetadataMap["model"], Is.EqualTo("beta-vae"));
    }

    [Test]
    public void A_function_of_ones_own_is_refused_with_what_to_do()
    {
        var error = Assert.Throws<NotSupportedException>(() => new Function(x => x).Describe(new InputNode("x", new(3))));
        Assert.That(error!.Message, Does.Contain("Function").And.Contain("Describe"));
    }

    /// <summary>ONNX's own checker, where Debian's python3-onnx is installed.</summary>
    [TestCase("beta-vae", CodeKind.Joint, "28x28x1", "network=conv noise=bernoulli")]
    [TestCase("exon", CodeKind.Gaussian, "32x32x3", "network=exon")]
    public void The_checker_accepts_the_models(string name, CodeKind code, string image, string settings)
    {
        if (!HasChecker())
            Assert.Ignore("python3-onnx is not installed (apt-get install python3-onnx)");
        using var model = Networks.Create(name, code, image, settings);
        string folder = TestFiles.Folder("onnx-checker"), encoder = Path.Combine(folder, "encoder.onnx"),
            decoder = Path.Combine(folder, "decoder.onnx");
        File.WriteAllBytes(encoder, OnnxFiles.Encoder(model, Configuration(model, name, code), NoMetadata));
        File.WriteAllBytes(decoder, OnnxFiles.Decoder(model, Configuration(model, name, code), NoMetadata, activation: true));
        const string check =
            "import sys, onnx\nfor f in sys.argv[1:]:\n    onnx.checker.check_model(onnx.load(f), full_check=True)\n    assert "
            + "onnx.load(f).opset_import[0].version == 17";
        var (exit, error) = Python("-c", check, encoder, decoder);
        Assert.That(exit, Is.Zero, error);
    }

    private static bool HasChecker()
    {
        try
        {
            return Python("-c", "import onnx").Exit == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static (int Exit, string Error) Python(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/python3", arguments) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error);
    }

    private static RunConfiguration Configuration(VaeModel model, string name, CodeKind code) =>
        ModelCatalogue.Defaults(name, code: code == CodeKind.Joint ? "joint" : "gaussian").With(("latents", model.Latents));

    /// <summary>The outputs in their order, of rows that lie one behind the other.</summary>
    private static float[][] Run(InferenceSession session, string input, float[] values, params int[] row)
    {
        int batch = values.Length / row.Aggregate(1, (a, b) => a * b);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(input, new DenseTensor<float>(values, (int[])[batch, .. row]))]);
        return [.. results.Select(r => r.AsTensor<float>().ToArray())];
    }

    /// <summary>NHWC to NCHW.</summary>
    private static float[] ChannelsFirst(float[] images, ImageShape image)
    {
        var moved = new float[images.Length];
        int area = image.Height * image.Width, channels = images.Length % image.Pixels == 0 ? image.Channels
            : throw new ArgumentException("not whole images");
        for (int i = 0; i < images.Length; i++)
        {
            int n = i / image.Pixels, pixel = i % image.Pixels / channels, c = i % channels;
            moved[n * image.Pixels + c * area + pixel] = images[i];
        }
        return moved;
    }
}
