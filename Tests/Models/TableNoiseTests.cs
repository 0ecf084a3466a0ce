using NUnit.Framework;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>(N7): columns of numbers with a variance each, and categories under a softmax.</summary>
public sealed class TableNoiseTests : OnCpu
{
    private const int Rows = 3, Width = 7;

    private static readonly TableLayout Layout = new(2, [3, 2]);

    // Two numbers, then a category of three values and one of two.
    private static readonly float[] X =
    [
        0.5f, -1, 1, 0, 0, 0, 1,
        -0.25f, 2, 0, 0, 1, 1, 0,
        1.5f, 0, 0, 1, 0, 0, 1,
    ];

    [Test]
    public void The_nll_is_the_sum_of_the_columns()
    {
        using var noise = Noise(out var model, start: 0.3);
        // First row: residuals 0.5 and -1 around 0, logits 0 everywhere: log 3 + log 2.
        double first = 0.5 * ((0.25 + 1) / 0.3 + 2 * Math.Log(2 * Math.PI * 0.3)) + Math.Log(3) + Math.Log(2);
        Assert.That(Nll(model, new float[Rows * Width])[0], Is.EqualTo(first).Within(1e-5));
        float[] decoded = Values(Rows * Width, 3, -2, 2);
        Assert.That(Nll(model, decoded), Is.EqualTo(Expected(decoded, [0.3, 0.3])).Within(1e-5));
    }

    [Test]
    public void Its_gradient_is_that_of_finite_differences()
    {
        using var noise = Noise(out var model, start: 0.5);
        float[] decoded = Values(Rows * Width, 4, -2, 2);
        var output = new Parameter("decoded", new(Rows, 1, Width, 1), decoded);
        using var arena = new ParameterArena(Compute, [output]);
        using (var tape = Compute.Tape())
            tape.Backward(model.NegativeLogLikelihood(tape.Constant(new(Rows, 1, Width, 1), X), output.Value).Value.Sum());
        float[] gradient = output.Value.GradientToArray();
        const double h = 1e-5;
        for (int i = 0; i < decoded.Length; i++)
        {
            double Sum(double by) => Expected(decoded.Select((v, j) => v + (j == i ? by : 0)).ToArray(), [0.5, 0.5]).Sum();
            Assert.That(gradient[i], Is.EqualTo((Sum(h) - Sum(-h)) / (2 * h)).Within(1e-4), $"element {i}");
        }
    }

    [Test]
    public void Each_variance_becomes_the_mean_square_of_its_own_column()
    {
        using var noise = Noise(out var model, start: 1, change: 0.05);
        for (int i = 0; i < 400; i++)
            Step(model, null);
        Assert.That(model.ColumnVariances, Is.EqualTo(new[] { (0.25 + 0.0625 + 2.25) / 3, 5 / 3.0 }).Within(1).Percent);
    }

    [Test]
    public void A_variance_moves_by_at_most_its_largest_change_and_not_below_the_floor()
    {
        using var noise = Noise(out var model, start: 1, change: 0.1, floor: 0.9);
        Step(model, null);
        // Residuals of mean square 0.85 and 1.67: both are further away than a tenth lets go, but for the decay of 0.9.
        Assert.That(model.ColumnVariances, Is.EqualTo(new[] { 0.9 + 0.1 * 2.5625 / 3, 0.9 + 0.1 * 5 / 3 }).Within(1e-5));
        for (int i = 0; i < 200; i++)
            Step(model, null);
        Assert.That(model.ColumnVariances[0], Is.EqualTo(0.9f), "the floor");
    }

    [Test]
    public void Weights_of_rows_count_in_the_variances()
    {
        using var noise = Noise(out var model, start: 1, change: 0.5);
        Step(model, [3, 0, 0]);
        Assert.That(model.ColumnVariances, Is.EqualTo(new[] { 0.9 + 0.1 * 0.25, 0.9 + 0.1 * 1 }).Within(1e-5));
    }

    [Test]
    public void Samples_have_the_means_variances_and_frequencies_of_what_was_decoded()
    {
        using var noise = Noise(out var model, start: 0.25);
        using var rng = new Rng(Compute, 5);
        using var tape = Compute.Tape(gradients: false);
        const int many = 20_000;
        float[] one = [1, -2, 0, 1, 2, 0, 3];
        var decoded = tape.Constant(new(1, Width), one).Reshape(Width).RepeatRows(many).Reshape(many, 1, Width, 1);
        float[] x = model.Sample(decoded, rng).ToArray(), mean = model.Mean(decoded).ToArray()[..Width];
        double total = 1 + Math.E + Math.E * Math.E;
        Assert.That(mean, Is.EqualTo(new[] { 1, -2, 1 / total, Math.E / total, Math.E * Math.E / total, 1 / (1 + Math.Exp(3)),
            1 / (1 + Math.Exp(-3)) }).Within(1e-5));
        for (int column = 0; column < Width; column++)
        {
            double[] values = [.. Enumerable.Range(0, many).Select(n => (double)x[n * Width + column])];
            Assert.That(values.Average(), Is.EqualTo(mean[column]).Within(0.02), $"mean of {column}");
            if (column < 2)
                Assert.That(values.Average(v => Math.Pow(v - mean[column], 2)), Is.EqualTo(0.25).Within(0.01));
            else
                Assert.That(values, Is.All.EqualTo(0.0).Or.EqualTo(1.0));
        }
    }

    [Test]
    public void It_is_for_tables_and_its_layout_is_kept_with_the_size_of_the_images()
    {
        Assert.That(() => Small.Create(Compute, Small.Configuration().With(("noise", "table")), Small.Halves(10)),
            Throws.TypeOf<OptionException>().With.Message.Contains("noise table"));
        foreach (var layout in (TableLayout[])[Layout, new(4, [])])
        {
            var shape = new VaeFromScratch.Models.Nets.ImageShape(1, layout.Width, 1) { Table = layout };
            var read = VaeFromScratch.Models.Nets.ImageShape.TryParse(shape.ToString());
            Assert.That((read!.Value.Width, read.Value.Table!.Numbers), Is.EqualTo((layout.Width, layout.Numbers)), shape.ToString());
            Assert.That(read.Value.Table.Categories, Is.EqualTo(layout.Categories));
        }
        foreach (string bad in (string[])["1x7x1 table 9", "1x7x1 table 0", "1x7x1 table x", "2x7x1 table 3"])
            Assert.That(VaeFromScratch.Models.Nets.ImageShape.TryParse(bad), Is.Null, bad);
    }

    private ParameterArena Noise(out TableNoise model, double start, double change = 0.005, double floor = 1e-6)
    {
        model = new(Layout, new(start, Decay: 0.9, MaximumChange: change, Floor: floor));
        return new(Compute, model.Parameters);
    }

    private double[] Nll(TableNoise model, float[] decoded)
    {
        using var tape = Compute.Tape(gradients: false);
        return Array.ConvertAll(model.NegativeLogLikelihood(tape.Constant(new(Rows, 1, Width, 1), X),
            tape.Constant(new(Rows, 1, Width, 1), decoded)).Value.ToArray(), v => (double)v);
    }

    /// <summary>The NLL around 0, then the update.</summary>
    private void Step(TableNoise model, float[]? weights)
    {
        using var tape = Compute.Tape();
        model.NegativeLogLikelihood(tape.Constant(new(Rows, 1, Width, 1), X), tape.Full(new(Rows, 1, Width, 1), 0));
        if (weights is not null)
            model.Weigh(tape.Constant(new(Rows), weights));
        model.AfterStep();
    }

    private static double[] Expected(float[] decoded, double[] variances) =>
        Expected(Array.ConvertAll(decoded, v => (double)v), variances);

    /// <summary>From the definition.</summary>
    private static double[] Expected(double[] decoded, double[] variances) => [.. Enumerable.Range(0, Rows).Select(n =>
    {
        double X0(int d) => X[n * Width + d];
        double G(int d) => decoded[n * Width + d];
        double nll = Enumerable.Range(0, 2).Sum(d =>
            0.5 * (Math.Pow(X0(d) - G(d), 2) / variances[d] + Math.Log(2 * Math.PI * variances[d])));
        foreach (var (first, values) in ((int, int)[])[(2, 3), (5, 2)])
        {
            double all = Enumerable.Range(first, values).Sum(d => Math.Exp(G(d)));
            nll -= Enumerable.Range(first, values).Sum(d => X0(d) * Math.Log(Math.Exp(G(d)) / all));
        }
        return nll;
    })];
}
