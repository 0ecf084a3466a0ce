using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Cli;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// Whole trainings on the device that VAE_TEST_DEVICE names, OpenCL by default: same batches and draws as on the CPU, so the same losses
/// but for rounding.
/// </summary>
[TestFixture, Category("Gpu")]
public sealed class GpuTrainingTests
{
    private const int Images = 70;

    /// <summary>
    /// For batch norm of few images, and for sgd: at 1e-3, weights that differ by 1e-7 at the start lead to losses that differ by 1e-3
    /// after 100 steps, on the CPU alone.
    /// </summary>
    private const double SmallRate = 1e-4;

    /// <summary>One training of 100 steps: epochs of three full batches and half a one.</summary>
    /// <param name="Steps">For how many of them the losses are compared.</param>
    /// <param name="Size">Of the images.</param>
    public sealed record Training(string Name, RunConfiguration Configuration, int Steps = 100, int Size = 8, bool Streamed = false)
    {
        public override string ToString() => Name;
    }

    /// <summary>
    /// Networks that play against each other make much of small differences, and so does ada-gvae, where a threshold on KL divergences
    /// decides which factors a pair shares: of these only the first steps are compared.
    /// </summary>
    private static readonly string[] Sensitive = ["ada-gvae", "factor-vae", "wae-gan", "aae"];

    private static readonly string[] Figures =
    [
        "nll_nats", "kl_nats", "evlb_nats", "squared_error", "mi_nats", "mi_mixture_nats", "total_correlation_nats",
        "influential_factors", "active_units",
    ];

    public static IEnumerable<Training> Trainings
    {
        get
        {
            foreach (string model in ModelCatalogue.Names)
                yield return new(model, Short(model), Sensitive.Contains(model) ? 20 : 100);
            yield return new("info-vae, marginal", Short("info-vae").With(("reading", "marginal")));
            foreach (string model in new[] { "beta-vae", "info-vae" })
                yield return new($"{model}, joint", Short(model, "joint"));
            yield return new("convolutions", Short().With(("network", "conv:8,8")), Size: 12);
            yield return new("convolutions, batch norm",
                Short().With(("network", "conv:8,8"), ("batch_norm", "all"), ("leaky_slope", 0.1), ("learning_rate", SmallRate)), Size: 12);
            yield return new("streamed", Short().With(("binarise", "dynamic"), ("noise", "bernoulli")), Streamed: true);
            yield return new("sgd, noise of a network",
                Short().With(("optimiser", "sgd"), ("learning_rate", SmallRate), ("noise", "network:0.01")));
            yield return new("rmsprop, mixture of noises", Short().With(("optimiser", "rmsprop"), ("noise", "mog:2")));
            yield return new("weight decay, noise by gradient", Short().With(("weight_decay", 0.01), ("noise_update", "gradient")));
            yield return new("clipped gradients", Short().With(("clip_norm", 0.1)));
            yield return new("weighted noise", Short().With(("noise", "weighted")));
            yield return new("exact categories, category moved and attacked",
                Short("imae").With(("straight_through", true), ("vat", 1), ("augment", 1), ("encoder_mi", "5:4"), ("category_epochs", 2)));
            yield return new("exon, mixup and pooling",
                Short("exon").With(("mixup", true), ("classifier", "pool:8"), ("pretraining_epochs", 2), ("ramp_epochs", 10)));
        }
    }

    [TestCaseSource(nameof(Trainings))]
    public void A_training_has_the_losses_of_the_CPUs(Training training)
    {
        double[] cpu = Losses(new CpuBackend(threads: 2), training), device = Losses(OnGpu.Open(), training);
        Assert.That(cpu, Has.Length.EqualTo(training.Steps / 4));
        double worst = cpu.Zip(device).Max(pair => Math.Abs(pair.Second - pair.First) / Math.Abs(pair.First));
        TestContext.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{training}: {worst:E1}; loss {cpu[0]:F3} to {cpu[^1]:F3}"));
        for (int i = 0; i < cpu.Length; i++)
            Assert.That(device[i], Is.EqualTo(cpu[i]).Within(1e-4 * Math.Abs(cpu[i])), $"epoch {i + 1}");
    }

    [TestCase("beta-vae conv:8,8")]
    [TestCase("imae mlp:32")]
    public void A_captured_step_trains_to_the_bits_of_the_step_itself(string modelAndNetwork)
    {
        string[] words = modelAndNetwork.Split(' ');
        var data = Small.Halves(20, size: 12);
        Assert.That(Train(captured: true), Is.EqualTo(Train(captured: false)));

        float[] Train(bool captured)
        {
            using var compute = new Compute(OnGpu.Open());
            using var model = Small.Create(compute, Short(words[0]).With(("network", words[1])), data);
            using var adam = new Adam(compute, model.Arena);
            var x = compute.Allocate(new(20, 12, 12, 1), data.ToFloats(0, 20));
            CapturedStep? step = null;
            for (uint t = 0; t < 10; t++)
            {
                model.Rng.BeginStep(t);
                model.BeforeStep(t, 20);
                adam.BeginStep(t + 1, 1e-3);
                if (captured)
                    (step ??= compute.Capture(() => Small.Step(model, x, adam))).Replay();
                else
                    Small.Step(model, x, adam);
            }
            step?.Dispose();
            compute.Free(x);
            return [.. model.Parameters.SelectMany(p => p.Value.ToArray())];
        }
    }

    [TestCase("beta-vae", false)]
    [TestCase("exon", false)]
    [TestCase("factor-vae", true)]
    public void An_interrupted_and_resumed_run_has_the_bytes_of_an_uninterrupted_one(string model, bool streamed)
    {
        var training = new Training(model, Short(model).With(("epochs", 4)), Streamed: streamed);
        var run = RunDirectory.CreateOrReuse(TestFiles.Folder("gpu-resumed"));
        byte[] whole = Run(trainer =>
        {
        });
        Run(trainer =>
        {
            trainer.TrainEpoch();
            Assert.That(trainer.TrainEpoch(() => trainer.StepInEpoch == 2), Is.Null, "the test should interrupt inside an epoch");
            run.SaveCheckpoint(trainer.Save(), [], []);
        });
        Assert.That(Run(trainer => trainer.Restore(run.LoadCheckpoint().State)), Is.EqualTo(whole));

        byte[] Run(Action<Trainer> start) => With(OnGpu.Open(), training, (model, trainer) =>
        {
            start(trainer);
            while (!trainer.IsFinished)
                trainer.TrainEpoch();
            run.SaveModel(model);
            return File.ReadAllBytes(run.ModelFile);
        });
    }

    [Test]
    public void A_run_of_the_CPU_has_the_same_figures_on_a_device()
    {
        string run = Tool.CopyOfRun();
        JsonElement[] cpu = Measure("cpu"), device = Measure(OnGpu.Backend.Name);
        foreach (string key in Figures)
            Close(cpu[0].GetProperty(key), device[0].GetProperty(key), key);
        foreach (var (expected, actual) in Factors(cpu).Zip(Factors(device)))
            foreach (var figure in expected.EnumerateObject())
                Close(figure.Value, actual.GetProperty(figure.Name), $"factor {expected.GetProperty("factor")}: {figure.Name}");

        JsonElement[] Measure(string device) =>
            [.. new[] { "evaluate", "influence" }.Select(command => Tool.Run(command, run, "--device", device, "--json").Json())];

        static JsonElement.ArrayEnumerator Factors(JsonElement[] measured) => measured[1].GetProperty("factors").EnumerateArray();

        static void Close(JsonElement expected, JsonElement actual, string what)
        {
            double number = expected.ValueKind == JsonValueKind.Number ? expected.GetDouble() : double.NaN;
            if (double.IsFinite(number))
                Assert.That(actual.GetDouble(), Is.EqualTo(number).Within(1e-5 * Math.Max(1, Math.Abs(number))), what);
            else
                Assert.That(actual.ToString(), Is.EqualTo(expected.ToString()), what);
        }
    }

    private static RunConfiguration Short(string model = "beta-vae", string code = "")
    {
        var configuration = Small.Configuration(model, code).WithOwn(("batch", 20), ("epochs", 25));
        return configuration.Network.BatchNorm == BatchNormPlaces.None ? configuration : configuration.With(("learning_rate", SmallRate));
    }

    /// <summary>The mean loss of each epoch, nats per image.</summary>
    private static double[] Losses(IBackend backend, Training training) => With(backend, training, (_, trainer) =>
    {
        var epochs = Enumerable.Range(0, training.Steps / trainer.StepsPerEpoch).Select(_ => trainer.TrainEpoch()!);
        return epochs.Select(epoch => epoch.Terms.First(t => t.Name == "loss").Value).ToArray();
    });

    private static T With<T>(IBackend backend, Training training, Func<VaeModel, Trainer, T> use)
    {
        using var compute = new Compute(backend);
        var configuration = training.Configuration;
        var data = Small.Halves(Images, training.Size);
        using ImageCache? cache = training.Streamed ? Small.Cache(data, Images - 1) : null;
        using var images = new TrainingData(compute, cache?.Train.Open(mostBytes: 0) ?? data, configuration.Data.Binarise,
            configuration.Training.Seed);
        using var model = Small.Create(compute, configuration, data);
        using var trainer = new Trainer(model, images, configuration);
        return use(model, trainer);
    }
}
