using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Explore.Runs;

/// <summary>A run with its model in memory. One thread at a time uses it.</summary>
internal sealed class HostedRun : IDisposable
{
    /// <summary>Test images that the page knows: the first of a larger set.</summary>
    public const int MostImages = 10_000;

    private const int BatchSize = 500;

    // Apart from the draws of training and evaluation ("expl" in ASCII).
    private const uint Stream = 0x6578706c;

    private readonly Compute compute;
    private readonly TrainingData data;
    private readonly Rng rng;
    private readonly float[] mu, logVar;

    private HostedRun(RunEntry entry, RunConfiguration configuration, ImageDataset test, Compute compute, VaeModel model,
        (string, DateTime) weights)
    {
        (Entry, Configuration, Test, this.compute, Model, Weights) = (entry, configuration, test, compute, model, weights);
        data = new(compute, test, configuration.Data.Binarise, configuration.Training.Seed);
        rng = new(compute, configuration.Training.Seed, Stream);
        (mu, logVar) = (new float[test.Count * model.Latents], new float[test.Count * model.Latents]);
    }

    public RunEntry Entry { get; }

    public RunConfiguration Configuration { get; }

    public ImageDataset Test { get; }

    public VaeModel Model { get; }

    /// <summary>The file that the weights are from, and when it was written.</summary>
    public (string File, DateTime Written) Weights { get; }

    /// <summary>How many of the test images have been encoded.</summary>
    public int Encoded { get; private set; }

    /// <summary>Means of q(z|x), [images, H]; the first <see cref="Encoded"/> rows are there.</summary>
    public ReadOnlySpan<float> Mu => mu;

    /// <exception cref="DataException">A file of the run or of its data cannot be used.</exception>
    public static HostedRun Open(RunEntry entry, ExploreOptions options, Func<string, ImageDataset> testImages)
    {
        var directory = RunDirectory.Open(entry.Path);
        var configuration = directory.LoadConfiguration();
        if (RunSummary.IsTable(configuration))
            throw new DataException($"{entry.Id}: {RunSummary.NoPictures}");
        string weights = RunSummary.WeightsOf(directory) ?? throw new DataException($"{entry.Id}: {RunSummary.NoWeights}");
        var written = File.GetLastWriteTimeUtc(weights);
        ImageDataset test;
        try
        {
            configuration.Validate();
            test = testImages(configuration.Data.Name);
        }
        catch (OptionException e)
        {
            throw new DataException($"{directory.ConfigurationFile}: {e.Message}; correct the file or train the model again", e);
        }
        var compute = options.OpenCompute(configuration);
        try
        {
            var model = configuration.CreateModel(compute, ImageShape.Of(test), pixelVariance: 1);
            if (weights == directory.ModelFile)
                directory.LoadModel(model);
            else
                directory.LoadCheckpoint(model);
            return new(entry, configuration, test, compute, model, (weights, written));
        }
        catch
        {
            compute.Dispose();
            throw;
        }
    }

    /// <summary>Encodes the next test images, so many that others need not wait long.</summary>
    /// <returns>Whether there are more.</returns>
    public bool EncodeNext()
    {
        int start = Encoded, count = Math.Min(BatchSize, Test.Count - start);
        if (count == 0)
            return false;
        using var tape = compute.Tape(gradients: false);
        rng.BeginStep((uint)start);
        var q = Model.Infer(data.Range(start, count, rng)).Z;
        compute.Backend.Download(q.Mu.Data, mu.AsSpan(start * Model.Latents, count * Model.Latents));
        compute.Backend.Download(q.LogVar.Data, logVar.AsSpan(start * Model.Latents, count * Model.Latents));
        Encoded += count;
        return Encoded < Test.Count;
    }

    /// <summary>(I1) to (I5) of every factor, from all test images.</summary>
    public Indicators Indicators() => Estimators.Indicators.Compute(compute.Backend,
        new(Encoded, Model.Latents, mu.AsMemory(0, Encoded * Model.Latents), logVar.AsMemory(0, Encoded * Model.Latents)));

    /// <summary>Decoded mean images of codes, as bytes, [n, H, W, C].</summary>
    public byte[] Decode(float[] codes)
    {
        var pixels = new List<byte>();
        int step = BatchSize / 2 * Model.CodeLength;
        for (int from = 0; from < codes.Length; from += step)
            pixels.AddRange(ToBytes(Evaluator.Decode(Model, codes[from..Math.Min(codes.Length, from + step)])));
        return [.. pixels];
    }

    /// <summary>Test images as they are stored, as bytes, [indices, H, W, C].</summary>
    public byte[] StoredImages(IReadOnlyList<int> indices) => [.. indices.SelectMany(index => ToBytes(Test.ToFloats(index, 1)))];

    /// <summary>The mean of test images, as bytes, [H, W, C].</summary>
    public byte[] MeanImage(IReadOnlyList<int> indices)
    {
        var sum = new double[Model.Image.Pixels];
        foreach (int index in indices)
        {
            float[] image = Test.ToFloats(index, 1);
            for (int i = 0; i < sum.Length; i++)
                sum[i] += image[i];
        }
        return ToBytes(Array.ConvertAll(sum, s => (float)(s / indices.Count)));
    }

    /// <summary>A test image as the model sees it, [H, W, C] in [0, 1].</summary>
    public float[] Pixels(int index)
    {
        using var tape = compute.Tape(gradients: false);
        rng.BeginStep((uint)index);
        return data.Range(index, 1, rng).ToArray();
    }

    /// <summary>
    /// A picture of the user's, its middle scaled to the model's images as `vae train --data FOLDER` scales one, [H, W, C] in
    /// [0, 1].
    /// </summary>
    /// <exception cref="DataException">It is damaged, too large or of another kind.</exception>
    public float[] Pixels(byte[] picture)
    {
        const long MostPixels = 40_000_000;
        using var reader = new PictureReader();
        byte[] scaled = new byte[Model.Image.Pixels];
        new CropResize(Model.Image.Height, Model.Image.Width).Centre(reader.Decode(picture, "the picture", MostPixels),
            Model.Image.Channels, scaled);
        bool grey = Test.Values is not null || Test.PixelScale < 1;
        float threshold = Configuration.Data.Binarise == Binarise.None && grey ? -1 : 0.5f;
        return Array.ConvertAll(scaled, b => threshold < 0 ? b * ImageDataset.ByteScale : b * ImageDataset.ByteScale > threshold ? 1f : 0f);
    }

    /// <summary>What the model makes of one image: its posterior, each term of its EVLB, its reconstruction.</summary>
    /// <param name="pixels">[H, W, C] in [0, 1].</param>
    public JsonObject Describe(float[] pixels)
    {
        using var tape = compute.Tape(gradients: false);
        var x = tape.Constant(new(1, Model.Image.Height, Model.Image.Width, Model.Image.Channels), pixels);
        var q = Model.Infer(x);
        Model.Rng.BeginStep(0x8000_0000);
        // Terms of the aggregate posterior mean nothing for one image.
        (string Name, double Value)[] terms = [.. Model.Objective(x).Terms.Select(t => t.Term).Where(t =>
            t.Name is "nll" or "kl" or "kl_category")
            .Select(t => (t.Name, t.Value.ToArray().Average(v => (double)v)))];
        var decoded = Model.DecodeMean(Model.MeanCode(x));
        float[] means = q.Z.Mu.ToArray(), logVars = q.Z.LogVar.ToArray();
        var json = new JsonObject
        {
            ["mu"] = Answer.Numbers(means),
            ["logVar"] = Answer.Numbers(logVars),
            ["probabilities"] = q.C is { } c ? Answer.Numbers(c.Probabilities.ToArray()) : null,
            ["classes"] = Model is IHasDesign design ? Answer.Numbers(design.Posterior(x).Logits.Softmax().ToArray()) : null,
            // The parts of a KL to any other prior are not these.
            ["kl"] = Model.HasStandardPrior ? Answer.Numbers(means.Zip(logVars, (m, l) => 0.5 * (m * (double)m + Math.Exp(l) - 1 - l)))
                : null,
            ["squaredError"] = Answer.Finite((x - decoded).Square().Sum().Item()),
            ["pixels"] = Convert.ToBase64String(ToBytes(pixels)),
            ["reconstruction"] = Convert.ToBase64String(ToBytes(decoded.ToArray())),
            ["hasLikelihood"] = Model.Noise.IsLikelihood,
        };
        foreach (var (name, value) in terms)
            json[name switch { "nll" => "nllTerm", "kl" => "klTerm", _ => "klCategory" }] = Answer.Finite(value);
        return json;
    }

    /// <summary>A code of the prior.</summary>
    public float[] Sample(uint draw)
    {
        using var tape = compute.Tape(gradients: false);
        rng.BeginStep(draw);
        return Model.PriorCodes(1, rng).ToArray();
    }

    /// <summary>The first test images above what the model makes of them now, as bytes, [2 count, H, W, C].</summary>
    public byte[] Reconstructions(int count)
    {
        using var tape = compute.Tape(gradients: false);
        rng.BeginStep(0);
        var x = data.Range(0, Math.Min(count, Test.Count), rng);
        return [.. ToBytes(x.ToArray()), .. ToBytes(Model.DecodeMean(Model.MeanCode(x)).ToArray())];
    }

    /// <summary>The way of one image through the network.</summary>
    /// <param name="pixels">[H, W, C] in [0, 1].</param>
    /// <param name="draw">Which noise the sample of z is drawn with.</param>
    public JsonObject Inside(float[] pixels, uint draw) => NetworkPath.Follow(Model, pixels, rng, draw);

    public void Dispose()
    {
        data.Dispose();
        rng.Dispose();
        Model.Dispose();
        compute.Dispose();
    }

    public static byte[] ToBytes(float[] pixels) => Array.ConvertAll(pixels, p => (byte)(255 * Math.Clamp(p, 0, 1) + 0.5f));
}
