using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Reports;

/// <summary>A latent space with designed classes in pictures (paper 4, figures 1, 3, 6 and 10).</summary>
internal sealed class DesignPictures(VaeModel model, IHasDesign design, ImageDataset test, EvaluationResult result,
    DesignedLatents designed, Pictures pictures)
{
    private const int ScatterPoints = 4000, RegionSide = 40, Steps = 11, NoiseDraws = 10, MostRows = 10, BatchSize = 250;
    private const double NoiseRange = 1.5, CircleDeviations = 2;

    // Apart from every other use of the seed ("nois" in ASCII).
    private const uint NoiseStream = 0x6e6f6973;

    /// <summary>Pictures of a trained model.</summary>
    /// <exception cref="InvalidOperationException">It has no design.</exception>
    public static DesignPictures Of(VaeModel model, ImageDataset test, RunConfiguration configuration)
    {
        var result = EvaluationResult.Compute(model, test, configuration);
        return model is IHasDesign design && result.Designed is { } designed
            ? new(model, design, test, result, designed, new(model, configuration))
            : throw new InvalidOperationException($"{configuration.Model.Name} has no designed latent space");
    }

    private int Latents => model.Latents;

    private int Components => design.Classes;

    /// <summary>
    /// z ~ q(z|x) of test images in the plane of two factors, coloured by label, with circles at two standard deviations of each component
    /// of the prior.
    /// </summary>
    public ScatterChart Scatter()
    {
        var (a, b) = Plane();
        int points = Math.Min(ScatterPoints, test.Count);
        var where = design.Design;
        return new([.. Axis(a)], [.. Axis(b)], test.Labels is null ? null : Array.ConvertAll(test.Labels[..points], l => (int)l))
        {
            Title = "Codes of the test images in the designed space",
            XLabel = $"factor {a}",
            YLabel = $"factor {b}",
            Circles = [.. Enumerable.Range(0, Components).Select(k =>
                new ScatterCircle(where.Centres[k][a], where.Centres[k][b], CircleDeviations * Math.Sqrt(where.Variances[k][a]), k))],
            Width = 760,
            Height = 640,
        };

        IEnumerable<double> Axis(int factor) => Enumerable.Range(0, points).Select(i => (double)designed.Samples[i * Latents + factor]);
    }

    /// <summary>Images decoded from a grid over the plane.</summary>
    public byte[] Grid() => pictures.Decoded(DesignedLatents.GridCodes(design.Design, DesignedLatents.GridSide), DesignedLatents.GridSide);

    /// <summary>The class that the classifier gives the image decoded from each point of a dense grid over the plane.</summary>
    public ScatterChart Regions()
    {
        float[] codes = DesignedLatents.GridCodes(design.Design, RegionSide);
        return new([.. Enumerable.Range(0, codes.Length / 2).Select(i => (double)codes[2 * i])],
            [.. Enumerable.Range(0, codes.Length / 2).Select(i => (double)codes[2 * i + 1])], Classes(codes))
        {
            Title = "Class of the image decoded at each point",
            XLabel = "factor 0",
            YLabel = "factor 1",
            Width = 760,
            Height = 640,
        };
    }

    /// <summary>From an image of each class to another one: of the next class, or of the same.</summary>
    public IEnumerable<(string Label, byte[] Png)> Interpolations(bool within)
    {
        for (int k = 0; k < Math.Min(MostRows, Components); k++)
        {
            int next = within ? k : (k + 1) % Components;
            if (Example(k, 0) is { } from && Example(next, within ? 1 : 0) is { } to)
                yield return (within ? $"class {k}" : $"{k} to {next}",
                    pictures.Decoded([.. Enumerable.Range(0, Steps).SelectMany(i => Between(from, to, i / (Steps - 1.0)))], Steps));
        }
    }

    /// <summary>
    /// An image of each class with uniform noise on the factors that its class activates, or on the others; the first of a row is without
    /// noise. Classes that use all factors or none are left out.
    /// </summary>
    public IEnumerable<(string Label, byte[] Png)> Noise(bool onActivated)
    {
        for (int k = 0; k < Math.Min(MostRows, Components); k++)
        {
            int[] activated = designed.Activated.ByF(k);
            if (activated.Length == 0 || activated.Length == Latents || Example(k, 0) is not { } image)
                continue;
            var random = new Philox(result.Configuration.Training.Seed, (uint)k, NoiseStream);
            var codes = new List<float>(Code(image));
            for (int draw = 0; draw < NoiseDraws; draw++)
                for (int j = 0; j < Latents; j++)
                {
                    float noise = (float)(NoiseRange * (2 * random.NextUniform() - 1));
                    codes.Add(Code(image)[j] + (activated.Contains(j) == onActivated ? noise : 0));
                }
            yield return (
                $"class {k}\n{(onActivated ? activated.Length : Latents - activated.Length).ToString(CultureInfo.InvariantCulture)} "
                + $"factors", pictures.Decoded([.. codes], NoiseDraws + 1));
        }
    }

    /// <summary>
    /// An image of each of these classes with one factor after the other from -range to range, the factors that the class uses most (paper
    /// 4, figure 13).
    /// </summary>
    /// <param name="most">Factors of each class.</param>
    public IEnumerable<(string Label, byte[] Png)> Axes(IEnumerable<int> classes, int most, double range)
    {
        foreach (int k in classes)
            if (Example(k, 0) is { } image)
                foreach (int j in FStatistics(k).Select((f, j) => (f, j)).OrderByDescending(p => p.f).Take(most).Select(p => p.j))
                    yield return ($"class {k}\nfactor {j.ToString(CultureInfo.InvariantCulture)}", pictures.Traversal(Code(image), j,
                        range, Steps));
    }

    /// <summary>Var[mu] / E[v] of each factor in a class (G6).</summary>
    public double[] FStatistics(int k) => [.. Enumerable.Range(0, Latents).Select(j => designed.Activated.FStatistic[k, j])];

    /// <summary>
    /// A test image of each of these classes, decoded from the mean of its most probable component; null when the classifier finds none of
    /// them.
    /// </summary>
    public byte[]? Reconstructed(IEnumerable<int> classes)
    {
        float[] codes = [.. classes.Select(k => Example(k, 0)).OfType<int>().SelectMany(Code)];
        return codes.Length == 0 ? null : pictures.Decoded(codes, codes.Length / Latents);
    }

    /// <summary>
    /// The two factors in which the centres lie furthest apart; the most informative ones of those that do not differ in this.
    /// </summary>
    private (int, int) Plane()
    {
        var where = design.Design;
        int[] order = [.. result.Indicators.Ranked.Select(f => f.Factor).OrderByDescending(j =>
            where.Centres.Max(c => c[j]) - where.Centres.Min(c => c[j]))];
        return (Math.Min(order[0], order[1]), Math.Max(order[0], order[1]));
    }

    /// <summary>A test image of a class that the classifier finds, in file order; null when there are not so many.</summary>
    private int? Example(int k, int which)
    {
        int[] found = [.. Enumerable.Range(0, test.Count)
            .Where(i => designed.Classes[i] == k && (test.Labels is null || test.Labels[i] == k)).Take(which + 1)];
        return found.Length > which ? found[which] : null;
    }

    private float[] Code(int image) => result.Encodings.Mu.Slice(image * Latents, Latents).ToArray();

    private IEnumerable<float> Between(int from, int to, double t) => Code(from).Zip(Code(to), (a, b) => (float)((1 - t) * a + t * b));

    private int[] Classes(float[] codes)
    {
        int count = codes.Length / Latents;
        var classes = new List<int>(count);
        for (int start = 0; start < count; start += BatchSize)
        {
            using var tape = model.Compute.Tape(gradients: false);
            int n = Math.Min(BatchSize, count - start);
            var images = model.DecodeMean(tape.Constant(new(n, Latents), codes.AsSpan(start * Latents, n * Latents)));
            classes.AddRange(DesignedLatents.Largest(design.ClassLogits(images).ToArray(), Components));
        }
        return [.. classes];
    }
}
