using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;

namespace VaeFromScratch.Tests.Onnx;

/// <summary>Every model of the catalogue on small images, and every network with what can change its layers.</summary>
public static class Networks
{
    /// <summary>Numbers of images that graphs are run on.</summary>
    public static readonly int[] Batches = [1, 3, 100];

    private static readonly ImageShape Digit = new(28, 28, 1), Photograph = new(32, 32, 3), Small = new(8, 8, 1);

    /// <summary>A model by name and code, its settings and the images that it is made for.</summary>
    public static IEnumerable<TestCaseData> Cases()
    {
        foreach (var entry in ModelCatalogue.All)
            yield return Case(entry.Name, entry.Code, Small, ("network", "mlp:32"));
        foreach (var image in (ImageShape[])[Digit, Photograph])
        {
            yield return Case("beta-vae", CodeKind.Gaussian, image, ("network", "conv"));
            yield return Case("beta-vae", CodeKind.Joint, image, ("network", "conv"), ("noise", "bernoulli"));
            yield return Case("beta-vae", CodeKind.Gaussian, image, ("network", "conv:8,16"), ("batch_norm", "all"), ("noise", "network"));
            yield return Case("beta-vae", CodeKind.Gaussian, image, ("network", "conv:8,5"), ("batch_norm", "all"), ("leaky_slope", 0.2));
            yield return Case("exon", CodeKind.Gaussian, image, ("network", "conv:8,8"), ("classifier", "conv:8,16"));
            yield return Case("exon", CodeKind.Gaussian, image, ("network", "conv:8,8"), ("classifier", "pool:8,16"));
        }
        yield return Case("beta-vae", CodeKind.Gaussian, new(45, 38, 2), ("network", "conv"));
        yield return Case("beta-vae", CodeKind.Gaussian, new(64, 64, 1), ("network", "burgess"), ("noise", "bernoulli"));
        yield return Case("beta-vae", CodeKind.Gaussian, Digit, ("network", "burgess"), ("batch_norm", "all"));
        yield return Case("exon", CodeKind.Gaussian, Photograph, ("network", "exon"));
        yield return Case("beta-vae", CodeKind.Gaussian, Photograph, ("network", "mlp:40,20/30,50"), ("batch_norm", "encoder"),
            ("noise", "bernoulli"));
        yield return Case("beta-vae", CodeKind.Gaussian, Photograph, ("network", "mlp:40"), ("batch_norm", "all"), ("leaky_slope", 0.1),
            ("noise", "network"));
    }

    /// <summary>The model on the CPU, with statistics of batch normalisation that are not those that it starts with.</summary>
    public static VaeModel Create(string name, CodeKind code, string image, string settings)
    {
        var configuration = ModelCatalogue.Defaults(name, code: code == CodeKind.Joint ? "joint" : "gaussian");
        foreach (string pair in (string[])["latents=5", "discriminator=16,16", "design=circle:3", "lambda2=0", .. settings.Split(' ')])
            if (configuration.Model.Keys.Contains(pair.Split('=')[0]))
                configuration = configuration.With(pair.Split('=')[0], pair.Split('=')[1]);
        var model = configuration.CreateModel(new Compute(new CpuBackend(1)), ImageShape.TryParse(image)!.Value, pixelVariance: 0.1);
        var random = new Random(5);
        foreach (var parameter in model.Parameters)
        {
            bool positive = parameter.Name.EndsWith("running_var", StringComparison.Ordinal);
            if (positive || parameter.Name.EndsWith("running_mean", StringComparison.Ordinal)
                || parameter.Name.Contains("bn", StringComparison.Ordinal))
                parameter.FromDisk([.. Enumerable.Range(0, parameter.Shape.Length).Select(_ =>
                    (float)(positive ? 0.5 + random.NextDouble() : random.NextDouble() - 0.3))]);
        }
        return model;
    }

    /// <summary>Pixels in [0, 1), NHWC.</summary>
    public static float[] Images(ImageShape image, int count)
    {
        var random = new Random(count);
        return [.. Enumerable.Range(0, count * image.Pixels).Select(_ => random.NextSingle())];
    }

    /// <summary>Codes: factors, and a category that is one-hot.</summary>
    public static float[] Codes(VaeModel model, int count)
    {
        var random = new Random(count);
        var codes = new float[count * model.CodeLength];
        for (int n = 0; n < count; n++)
        {
            for (int h = 0; h < model.Latents; h++)
                codes[n * model.CodeLength + h] = 4 * random.NextSingle() - 2;
            if (model.Categories > 0)
                codes[n * model.CodeLength + model.Latents + random.Next(model.Categories)] = 1;
        }
        return codes;
    }

    /// <summary>
    /// What the model itself computes: mu, logvar and, where there are any, the probabilities of a category or a mixture's weights.
    /// </summary>
    public static float[][] Encode(VaeModel model, float[] images)
    {
        using var tape = model.Compute.Tape(gradients: false);
        var x = tape.Constant(new(images.Length / model.Image.Pixels, model.Image.Height, model.Image.Width, model.Image.Channels), images);
        var (z, c) = model.Infer(x);
        var third = model is IHasDesign mixture ? mixture.Posterior(x).Logits.Softmax() : c?.Probabilities;
        return third is null ? [z.Mu.ToArray(), z.LogVar.ToArray()] : [z.Mu.ToArray(), z.LogVar.ToArray(), third.ToArray()];
    }

    /// <summary>The decoder's output for codes, and the mean image.</summary>
    public static (float[] Decoded, float[] Mean) Decode(VaeModel model, float[] codes)
    {
        using var tape = model.Compute.Tape(gradients: false);
        var z = tape.Constant(new(codes.Length / model.CodeLength, model.CodeLength), codes);
        return (model.Decode(z).ToArray(), model.DecodeMean(z).ToArray());
    }

    /// <summary>Asserts equality up to 1e-5 of the largest value.</summary>
    public static void Close(float[] actual, float[] expected, string what)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        double scale = expected.Max(v => Math.Abs((double)v));
        Assert.That(scale, Is.GreaterThan(0), $"{what}: zeros everywhere would agree with anything");
        double worst = actual.Zip(expected).Max(p =>
            double.IsFinite(p.First) ? Math.Abs((double)p.First - p.Second) : double.PositiveInfinity);
        Assert.That(worst, Is.LessThanOrEqualTo(1e-5 * scale), what);
    }

    private static TestCaseData Case(string name, CodeKind code, ImageShape image, params (string Key, object Value)[] settings)
    {
        string text = string.Join(' ', settings.Select(s => FormattableString.Invariant($"{s.Key}={s.Value}")));
        return new TestCaseData(name, code, image.ToString(), text).SetArgDisplayNames(name, code.ToString(), image.ToString(), text);
    }
}
