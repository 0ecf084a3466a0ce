using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Models.Zoo;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Weak supervision by pairs of images (Locatello et al. 2020): which pairs there are, and what a pair shares.</summary>
public sealed class PairTests : OnCpu
{
    [Test]
    public void A_partner_differs_in_exactly_one_factor_and_every_factor_has_its_turn()
    {
        using var data = new TrainingData(Compute, Grid(), Binarise.None, 1);
        using var feed = new PairedFeed(Compute, data, new(24, 5, seed: 3));
        int[] classes = Grid().Factors!.Classes;
        var random = new Random(1);
        var seen = new HashSet<int>();
        for (int i = 0; i < 24 * 20; i++)
        {
            int image = i % 24, partner = feed.Partner(image, random);
            int[] changed = [.. Enumerable.Range(0, 3).Where(f => classes[image * 3 + f] != classes[partner * 3 + f])];
            Assert.That(changed, Has.Length.EqualTo(1), $"{image} and {partner}");
            seen.Add(changed[0]);
        }
        Assert.That(seen, Has.Count.EqualTo(3));
    }

    [Test]
    public void Pairs_are_those_of_the_first_images_and_the_same_when_an_epoch_is_resumed()
    {
        using var data = new TrainingData(Compute, Grid(), Binarise.None, 1);
        var order = new BatchOrder(24, 5, seed: 3);
        using var feed = new PairedFeed(Compute, data, order);
        float[] whole = [.. Pixels(feed, 0)], resumed = [.. Pixels(feed, 2)];
        Assert.That(whole[10..], Is.EqualTo(resumed));
        int[] permutation = order.Permutation(4), classes = Grid().Factors!.Classes;
        for (int i = 0; i < 24; i++)
            // A pixel is its image's number.
            Assert.That(Enumerable.Range(0,
                3).Count(f => classes[permutation[i] * 3 + f] != classes[(int)Math.Round(whole[i] * 255) * 3 + f]), Is.EqualTo(1));

        IEnumerable<float> Pixels(PairedFeed feed, int from)
        {
            using var rng = new Rng(Compute, 1);
            foreach (int count in feed.Batches(4, from))
            {
                using var tape = Compute.Tape(gradients: false);
                foreach (float pixel in feed.Images(count, rng).ToArray())
                    yield return pixel;
            }
        }
    }

    [Test]
    public void Sets_without_pairs_are_refused()
    {
        using var unknown = new TrainingData(Compute, Grid() with { Factors = null }, Binarise.None, 1);
        Assert.That(() => new PairedFeed(Compute, unknown, new(24, 5, 1)),
            Throws.TypeOf<OptionException>().With.Message.Contains("not known"));
        // Two images that differ in every factor.
        var apart = Grid().Select([0, 23], "train");
        using var data = new TrainingData(Compute, apart, Binarise.None, 1);
        Assert.That(() => new PairedFeed(Compute, data, new(2, 2, 1)),
            Throws.TypeOf<OptionException>().With.Message.Contains("no two of its 2 images"));
    }

    [Test]
    public void Factors_that_hardly_differ_share_the_mean_of_both_posteriors()
    {
        // Symmetric divergences (variances 1): 0.01, 4 and 9, so that the threshold is 4.5 and the first two are shared.
        using var tape = Compute.Tape(gradients: false);
        var a = new DiagonalGaussian(tape.Constant(new(1, 3), [0, 0, 0]), tape.Constant(new(1, 3), [0, 0, 0]));
        var b = new DiagonalGaussian(tape.Constant(new(1, 3), [0.1f, 2, 3]), tape.Constant(new(1, 3), [0, 0, 0]));
        var (first, second) = AdaGvae.Share(a, b);
        Assert.That(first.Mu.ToArray(), Is.EqualTo(new[] { 0.05f, 1, 0 }).Within(1e-4f));
        Assert.That(second.Mu.ToArray(), Is.EqualTo(new[] { 0.05f, 1, 3 }).Within(1e-4f));
        // The mean is of variances: 1 and 4 are 2.5.
        var wide = new DiagonalGaussian(a.Mu, tape.Constant(new(1, 3), [MathF.Log(4), 0, 0]));
        var far = new DiagonalGaussian(b.Mu, tape.Constant(new(1, 3), [0, 0, 5]));
        Assert.That(AdaGvae.Share(wide, far).First.LogVar.ToArray()[0], Is.EqualTo(MathF.Log(2.5f)).Within(1e-3f));
    }

    /// <summary>A complete grid of 2 x 3 x 4; every image is its own number.</summary>
    private static ImageDataset Grid()
    {
        int[] classes = [.. Enumerable.Range(0, 24).SelectMany(i => (int[])[i / 12, i / 4 % 3, i % 4])];
        return new("grid", "train", 24, 1, 1, 1, [.. Enumerable.Range(0, 24).Select(i => (byte)i)], null, 0,
            1f / 255)
        { Factors = new(["a", "b", "c"], [2, 3, 4], classes, Array.ConvertAll(classes, c => (float)c)) };
    }
}
