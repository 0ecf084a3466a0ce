using VaeFromScratch.Data.Own;
using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>
/// Rows of a table: each column of numbers is Gaussian with a variance of its own, each category a softmax of the decoder's logits
/// (equations.md (N7)). The variances move by the closed form of (N2), each by the residuals of its column.
/// </summary>
/// <remarks>Numbers are standardised: the NLL in their own units is that here plus the sum of the logarithms of their scales.</remarks>
internal sealed class TableNoise : NoiseModel
{
    private readonly TableLayout layout;
    private readonly ClosedFormSettings settings;
    private readonly Parameter variances;
    private Tensor? squared;

    /// <param name="layout">How the columns lie in a row.</param>
    /// <param name="settings">Of every variance; in units of the column's variance in the training rows.</param>
    public TableNoise(TableLayout layout, ClosedFormSettings settings)
    {
        (this.layout, this.settings) = (layout, settings);
        variances = new("noise.variances", new(layout.Numbers), [.. Enumerable.Repeat((float)settings.Start, layout.Numbers)],
            trainable: false);
    }

    public override string Name => "table";

    public override IEnumerable<Parameter> Parameters => layout.Numbers > 0 ? [variances] : [];

    /// <summary>sigma^2 of each column of numbers, in units of its variance in the training rows.</summary>
    public float[] ColumnVariances => layout.Numbers > 0 ? variances.Value.ToArray() : [];

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded)
    {
        var (rows, means) = (Rows(x), Rows(decoded));
        var parts = new List<Tensor>();
        if (layout.Numbers > 0)
        {
            squared = (Numbers(rows) - Numbers(means)).Square();
            parts.Add(0.5f * (squared * variances.Value.Reciprocal() + variances.Value.Log() + DiagonalGaussian.LogTwoPi).SumPerRow());
        }
        foreach (var (first, values) in layout.Blocks)
            parts.Add(-(rows.Slice(1, first, values) * means.Slice(1, first, values).LogSoftmax()).SumPerRow());
        return new("nll", parts.Aggregate((a, b) => a + b));
    }

    public override void Weigh(Tensor weights) => squared = squared is null ? null
        : squared * weights.Detach().RepeatEach(layout.Numbers);

    public override void AfterStep()
    {
        if (squared is null)
            return;
        using var tape = variances.Value.Compute.Tape(gradients: false);
        var s2 = variances.Value;
        var moved = (float)settings.Decay * s2 + (float)(1 - settings.Decay) * squared.Detach().Mean(0);
        VarianceSteps.Store(VarianceSteps.Limited(moved, s2, settings.MaximumChange, settings.Floor), s2);
        squared = null;
    }

    /// <summary>The means of numbers, and the probabilities of categories.</summary>
    public override Tensor Mean(Tensor decoded) => Joined(decoded, Numbers, logits => logits.Softmax());

    /// <exception cref="NotSupportedException">There are categories, whose softmax over a part of a row no graph holds.</exception>
    public override GraphNode DescribeMean(GraphNode decoded) => layout.Categories.Count == 0 ? decoded
        : throw new NotSupportedException("the decoder of a table with categories ends in a softmax for each of them, which is not "
            + "exported; export its weights with --format safetensors");

    public override Tensor Sample(Tensor decoded, Rng rng) =>
        Joined(decoded, rows => GaussianSamples.Around(Numbers(rows), variances.Value, rng), logits => Drawn(logits, rng));

    /// <summary>One-hot values, with the gradient of their probabilities.</summary>
    private static Tensor Drawn(Tensor logits, Rng rng)
    {
        var p = logits.Softmax();
        return logits.SampleOneHot(rng) + (p - p.Detach());
    }

    private Tensor Rows(Tensor x) => x.Reshape(-1, layout.Width);

    private Tensor Numbers(Tensor rows) => rows.Slice(1, 0, layout.Numbers);

    private Tensor Joined(Tensor decoded, Func<Tensor, Tensor> ofNumbers, Func<Tensor, Tensor> ofCategory)
    {
        var rows = Rows(decoded);
        List<Tensor> parts = layout.Numbers > 0 ? [ofNumbers(rows)] : [];
        parts.AddRange(layout.Blocks.Select(block => ofCategory(rows.Slice(1, block.First, block.Values))));
        return Ops.Concat(1, [.. parts]).Reshape([.. decoded.Shape.Sizes]);
    }
}
