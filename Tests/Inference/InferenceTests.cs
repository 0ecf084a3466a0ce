using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Tests.Onnx;

namespace VaeFromScratch.Tests.Inference;

/// <summary>The path without a tape against the one with it.</summary>
public sealed class InferenceTests
{
    /// <summary>One row, rows that fill no tile, a chunk with a rest, several chunks.</summary>
    private static readonly int[] Counts = [1, 2, 3, 61, 100, 130];

    [TestCaseSource(typeof(Networks), nameof(Networks.Cases))]
    public void An_encoder_gives_what_the_model_gives(string name, CodeKind code, string image, string settings)
    {
        using var model = Networks.Create(name, code, image, settings);
        foreach (int threads in (int[])[1, 3])
        {
            using var encoder = new Encoder(model, threads);
            foreach (int count in Counts)
            {
                float[] images = Networks.Images(model.Image, count), mu = new float[count * model.Latents], logVar = new float[mu.Length];
                float[] probabilities = new float[count * encoder.Probabilities];
                encoder.Encode(images, mu, logVar, probabilities);
                float[][] expected = Networks.Encode(model, images);
                Networks.Close(mu, expected[0], $"mu of {count}, {threads} threads");
                Networks.Close(logVar, expected[1], $"logvar of {count}, {threads} threads");
                if (expected.Length > 2)
                    Networks.Close(probabilities, expected[2], $"probabilities of {count}, {threads} threads");
            }
        }
    }

    [TestCaseSource(typeof(Networks), nameof(Networks.Cases))]
    public void A_decoder_gives_what_the_model_gives(string name, CodeKind code, string image, string settings)
    {
        using var model = Networks.Create(name, code, image, settings);
        using var decoder = new Decoder(model, threads: 2);
        foreach (int count in Counts)
        {
            float[] codes = Networks.Codes(model, count), images = new float[count * model.Image.Pixels];
            decoder.Decode(codes, images);
            Networks.Close(images, Networks.Decode(model, codes).Mean, $"images of {count}");
        }
    }

    [Test]
    public void The_number_of_threads_changes_no_bit()
    {
        using var model = Networks.Create("beta-vae", CodeKind.Gaussian, "28x28x1", "network=conv");
        foreach (int count in (int[])[1, 5, 9, 57, 113, 300])
        {
            float[] images = Networks.Images(model.Image, count);
            float[][] mus = [.. ((int[])[1, 2, 3, 5]).Select(threads =>
            {
                using var encoder = new Encoder(model, threads);
                float[] mu = new float[count * model.Latents];
                encoder.Encode(images, mu, new float[mu.Length]);
                return mu;
            })];
            Assert.That(mus[1..], Is.All.EqualTo(mus[0]), $"{count} images");
        }
    }

    [Test]
    public void Nothing_is_allocated([Values(1, 100, 1000)] int count, [Values(1, 2)] int threads)
    {
        using var model = Networks.Create("beta-vae", CodeKind.Gaussian, "28x28x1", "network=conv");
        using var encoder = new Encoder(model, threads);
        using var decoder = new Decoder(model, threads);
        float[] images = Networks.Images(model.Image, count), mu = new float[count * model.Latents], logVar = new float[mu.Length];
        Call();
        // The caller does its share of the parts; what other threads of the process do, the test's own among them, is not counted.
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
            Call();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Call()
        {
            encoder.Encode(images, mu, logVar);
            decoder.Decode(mu, images);
        }
    }

    [Test]
    public void Threads_share_an_encoder()
    {
        using var model = Networks.Create("beta-vae", CodeKind.Joint, "28x28x1", "network=conv");
        using var encoder = new Encoder(model, threads: 2);
        float[] images = Networks.Images(model.Image, 60), expected = new float[60 * model.Latents], logVar = new float[expected.Length];
        encoder.Encode(images, expected, logVar, new float[60 * encoder.Probabilities]);
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 6 }, _ =>
        {
            float[] mu = new float[expected.Length];
            encoder.Encode(images, mu, new float[mu.Length], new float[60 * encoder.Probabilities]);
            Assert.That(mu, Is.EqualTo(expected));
        });
    }

    [Test]
    public void An_encoder_outlives_its_model_and_keeps_its_weights()
    {
        var model = Networks.Create("beta-vae", CodeKind.Gaussian, "8x8x1", "network=mlp:32");
        using var encoder = new Encoder(model);
        float[] images = Networks.Images(model.Image, 3), before = new float[3 * model.Latents], after = new float[before.Length];
        encoder.Encode(images, before, after);
        foreach (var parameter in model.Parameters)
            parameter.FromDisk(new float[parameter.Shape.Length]);
        model.Dispose();
        encoder.Encode(images, after, new float[after.Length]);
        Assert.That(after, Is.EqualTo(before));
    }

    [Test]
    public void Lengths_that_do_not_fit_are_refused_with_what_is_expected()
    {
        using var model = Networks.Create("beta-vae", CodeKind.Gaussian, "8x8x1", "network=mlp:32");
        using var encoder = new Encoder(model);
        Assert.That(() => encoder.Encode(new float[65], new float[5], new float[5]), Throws.ArgumentException.With.Message.Contains("64"));
        Assert.That(() => encoder.Encode(new float[64], new float[4], new float[5]),
            Throws.ArgumentException.With.Message.Contains("expected 5"));
        Assert.That(() => encoder.Encode(new float[64], new float[5], new float[5], new float[1]), Throws.ArgumentException);
    }

    [Test]
    public void A_model_that_encodes_in_a_way_of_its_own_is_refused()
    {
        ModelEntry entry = ModelEntry.Of<OwnSettings>("own-encode", (parts, _) => new OwnEncoder(parts));
        using var model = new RunConfiguration(entry).With(("network", "mlp:8")).CreateModel(new Compute(new CpuBackend(1)), new(4, 4, 1),
            0.1);
        Assert.That(() => new Encoder(model),
            Throws.TypeOf<NotSupportedException>().With.Message.Contains(nameof(VaeModel.DescribeEncoder)));
    }

    private sealed record OwnSettings;

    private sealed class OwnEncoder(VaeParts parts) : VaeModel(parts)
    {
        public override DiagonalGaussian Encode(Tensor x) => base.Encode(x) with { Mu = 2 * base.Encode(x).Mu };

        public override VaeFromScratch.Models.Terms.Objective Objective(Tensor x) =>
            throw new NotSupportedException("nothing is trained here");
    }
}
