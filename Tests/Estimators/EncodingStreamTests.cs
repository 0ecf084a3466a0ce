using NUnit.Framework;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>A stream of encodings says what the whole table says, wherever it is cut.</summary>
public sealed class EncodingStreamTests
{
    [TestCase(1)]
    [TestCase(377)]
    [TestCase(2500)]
    public void Blocks_give_what_the_whole_gives(int blockRows)
    {
        var e = Labelled(2500);
        using var stream = Streamed(e, blockRows);
        Assert.Multiple(() =>
        {
            Assert.That(stream.Indicators().Factors, Is.EqualTo(Indicators.Compute(Synthetic.Backend, e).Factors));
            Assert.That(stream.Mixture()!.Information, Is.EqualTo(MixtureInformation.Compute(Synthetic.Backend, e, seed: 4).Information));
            Assert.That(stream.Mixture()!.Joint, Is.EqualTo(MixtureInformation.Compute(Synthetic.Backend, e, seed: 4).Joint));
            var whole = CategoryInformation.Compute(e);
            Assert.That(stream.Category()!.Information.Value, Is.EqualTo(whole.Information.Value).Within(1e-12));
            Assert.That(stream.Category()!.Information.StandardError, Is.EqualTo(whole.Information.StandardError).Within(1e-12));
            int[] most = ContingencyTable.MostProbable(e.Probabilities.Span, e.Categories);
            var table = new ContingencyTable(most, Array.ConvertAll(e.Labels.ToArray(), l => (l + 7) / 1000), e.Categories);
            Assert.That(stream.CategoriesAndLabels()!.MutualInformation().Value, Is.EqualTo(table.MutualInformation().Value).Within(1e-12));
            Assert.That(stream.CategoriesAndLabels()!.Points, Is.EqualTo(2500));
        });
    }

    [Test]
    public void The_error_bar_of_a_category_is_the_spread_of_its_terms()
    {
        var e = Synthetic.NumPyEncodings(900);
        var information = CategoryInformation.Compute(e);
        var p = e.Probabilities.Span;
        var terms = new double[900];
        for (int n = 0; n < 900; n++)
            for (int k = 0; k < 3; k++)
                terms[n] += p[3 * n + k] * Math.Log(p[3 * n + k] / information.MeanProbabilities[k]);
        double mean = terms.Average(), variance = terms.Sum(t => (t - mean) * (t - mean)) / (terms.Length - 1);
        Assert.That(information.Information.Value, Is.EqualTo(mean).Within(1e-6));
        Assert.That(information.Information.StandardError, Is.EqualTo(Math.Sqrt(variance / terms.Length)).Within(1e-6));
    }

    [Test]
    public void What_was_not_asked_for_or_is_not_there_is_null()
    {
        var e = Synthetic.Gaussian(100, 1.0);
        using var stream = new EncodingStream(Synthetic.Backend, e, seed: 1, mixture: false);
        stream.Add(e);
        Assert.That(stream.Mixture(), Is.Null);
        Assert.That(stream.Category(), Is.Null);
        Assert.That(stream.CategoriesAndLabels(), Is.Null);
    }

    [Test]
    public void A_bad_row_is_counted_from_the_start_of_the_stream()
    {
        var e = Synthetic.NumPyEncodings(30);
        using var stream = new EncodingStream(Synthetic.Backend, e, seed: 1);
        stream.Add(e);
        var p = e.Probabilities.ToArray();
        p[3 * 4] = 2;
        Assert.That(() => stream.Add(new(30, 5, e.Mu, e.LogVar, p)),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("in row 34"));
    }

    private static Encodings Labelled(int points)
    {
        var e = Synthetic.NumPyEncodings(points);
        return new(points, e.Factors, e.Mu, e.LogVar, e.Probabilities,
            Enumerable.Range(0, points).Select(i => 1000 * (i % 4) - 7).ToArray());
    }

    private static EncodingStream Streamed(Encodings e, int blockRows)
    {
        var stream = new EncodingStream(Synthetic.Backend, e, seed: 4);
        for (int from = 0; from < e.Points; from += blockRows)
            stream.Add(e.Rows([.. Enumerable.Range(from, Math.Min(blockRows, e.Points - from))]));
        return stream;
    }
}
