using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>What Q says about the code behind an image x'.</summary>
/// <param name="LogProbabilities">log Q(c|x'), [B, K]; null where it is not asked for a category.</param>
/// <param name="Mean">[B, F]; null where it is not asked for factors.</param>
/// <param name="LogVar">log variance, [B, F].</param>
internal sealed record AuxiliaryOutput(Tensor? LogProbabilities, Tensor? Mean, Tensor? LogVar)
{
    private static readonly float LogTwoPi = (float)Math.Log(2 * Math.PI);

    /// <summary>log Q(c|x'), nats, [B].</summary>
    /// <param name="y">One-hot, or relaxed, [B, K].</param>
    public Tensor LogCategory(Tensor y) => (y * LogProbabilities!).SumPerRow();

    /// <summary>log Q(z_F|x'), nats, [B].</summary>
    /// <param name="z">The chosen factors, [B, F].</param>
    public Tensor LogFactors(Tensor z) => -0.5f * ((z - Mean!).Square() * (-LogVar!).Exp() + LogVar! + LogTwoPi).SumPerRow();
}

/// <summary>
/// Q of the variational bound on the information between a code and the decoder's output (equations.md (Q1)): fully connected with batch
/// normalisation, a
/// category's probabilities and a Gaussian for each chosen factor.
/// </summary>
internal sealed class AuxiliaryNetwork : Module
{
    // Log variances stay within +- this.
    private const float LargestLogVar = 10;

    private readonly Sequential body;
    private readonly int categories, factors;

    /// <param name="inputs">Pixels of an image.</param>
    /// <param name="widths">Of the hidden layers.</param>
    /// <param name="categories">K; 0 for none.</param>
    /// <param name="factors">F; 0 for none.</param>
    public AuxiliaryNetwork(int inputs, int[] widths, int categories, int factors, Initialise init)
    {
        (this.categories, this.factors) = (categories, factors);
        List<Module> layers = [new Function(x => x.Reshape(-1, inputs))];
        int from = inputs;
        for (int i = 0; i < widths.Length; from = widths[i++])
            layers.AddRange([new Linear($"q.fc{i + 1}", from, widths[i], init), new BatchNorm($"q.bn{i + 1}", widths[i], Activation.Relu)]);
        layers.Add(new Linear("q.head", from, categories + 2 * factors, init));
        body = new([.. layers]);
    }

    /// <param name="x">Images x', [B, ..].</param>
    /// <returns>Logits, means and log variances before their bounds, [B, K + 2 F].</returns>
    public override Tensor Forward(Tensor x) => body.Forward(x);

    /// <param name="x">Images x', [B, ..].</param>
    public AuxiliaryOutput Read(Tensor x)
    {
        var head = Forward(x);
        return new(categories == 0 ? null : head.Slice(-1, 0, categories).LogSoftmax(), factors == 0 ? null
            : head.Slice(-1, categories, factors),
            factors == 0 ? null : (head.Slice(-1, categories + factors, factors) / LargestLogVar).Tanh() * LargestLogVar);
    }
}
