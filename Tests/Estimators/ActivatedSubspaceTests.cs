using NUnit.Framework;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>The subspace of the code that an image activates, equations.md (G6).</summary>
public sealed class ActivatedSubspaceTests
{
    [Test]
    public void Statistics_of_two_classes_by_hand()
    {
        // Three images, two classes, two factors; the second image belongs to class 0 by 1/4, the third to class 1 alone.
        float[] w = [1, 0, 0.25f, 0.75f, 0, 1];
        float[] mu = [1, 5, 9, 9, 3, 5, 0, 2, 9, 9, 4, 2];
        float[] v = [0.5f, 2, 1, 1, 1, 2, 0.25f, 4, 1, 1, 0.5f, 4];
        var sums = new ActivatedSubspaceSums([[4, 2], [1, 4]]);
        float[] logVar = Array.ConvertAll(v, MathF.Log);
        sums.Add(w.AsSpan(0, 2), mu.AsSpan(0, 4), logVar.AsSpan(0, 4));
        sums.Add(w.AsSpan(2), mu.AsSpan(4), logVar.AsSpan(4));
        var result = sums.Result();
        Assert.That(result.Points, Is.EqualTo(3));
        // Class 0: weights 0.8 and 0.2 on mu 1 and 3 (variance 4 * 0.16), v 0.5 and 1 (mean 0.6).
        Assert.That(result.FStatistic[0, 0], Is.EqualTo(0.64 / 0.6).Within(1e-5));
        Assert.That(result.VNat[0, 0], Is.EqualTo(Math.Log(0.8 * 8 + 0.2 * 4)).Within(1e-5));
        Assert.That((result.FStatistic[0, 1], result.VNat[0, 1]), Is.EqualTo((0.0, 0.0)).Within(1e-5),
            "the prior's own width and a constant mean");
        // Class 1: weights 3/7 and 4/7 on mu 0 and 4, v 0.25 and 0.5.
        Assert.That(result.FStatistic[1, 0], Is.EqualTo(16 * 12 / 49.0 / ((3 * 0.25 + 4 * 0.5) / 7)).Within(1e-5));
        Assert.That(result.VNat[1, 0], Is.EqualTo(Math.Log((3 * 4 + 4 * 2) / 7.0)).Within(1e-5));
        Assert.That(result.ByF(0), Is.EqualTo(new[] { 0 }));
        Assert.That(result.ByVNat(1), Is.EqualTo(new[] { 0 }));
        Assert.That(result.Slack([0.5, 0.5], klUpperBound: 1, categoryKl: 0.3),
            Is.EqualTo(0.3 + 0.25 * (result.VNat[0, 0] + result.VNat[1, 0]) - 1).Within(1e-6));
    }

    [Test]
    public void A_class_without_images_and_sizes_that_do_not_fit_are_errors()
    {
        var sums = new ActivatedSubspaceSums([[1], [1]]);
        sums.Add([1, 0], [0, 0], [0, 0]);
        Assert.That(() => sums.Result(), Throws.TypeOf<EstimatorException>().With.Message.Contains("class 1"));
        Assert.That(() => sums.Add([1, 0], [0], [0]), Throws.TypeOf<EstimatorException>().With.Message.Contains("1 means"));
    }
}
