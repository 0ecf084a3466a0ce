using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Engine.Optim;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// CLUB (Cheng et al. 2020): mean log q(y_i|x_i) - mean_ij log q(y_j|x_i), q a Gaussian network fitted by maximum likelihood on half of the samples. An upper bound
/// as far as q is the true conditional; a poor q can put it below the information.
/// </summary>
public sealed class Club(CriticOptions? options = null)
{
    // Log variances of standardised columns stay within +- this.
    private const float LargestLogVar = 10;

    private readonly CriticOptions options = options ?? new();

    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="seed">Decides the split, the batches and the initial weights.</param>
    /// <exception cref="EstimatorException">Too few samples, a value that is not finite, or a network that diverged.</exception>
    public Estimate Fit(Compute compute, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, ulong seed)
    {
        var samples = new PairedSamples("club", x, xColumns, y, yColumns, options.Batch, seed);
        var init = new Initialise(seed);
        var mean = CriticEstimator.Perceptron("club.mean", xColumns, options.Hidden, yColumns, init);
        var logVar = CriticEstimator.Perceptron("club.logvar", xColumns, options.Hidden, yColumns, init);
        using var arena = new ParameterArena(compute, mean.Concat(logVar).SelectMany(layer => layer.Parameters));
        using var adam = new Adam(compute, arena);
        for (int step = 1; step <= options.Steps; step++)
        {
            using var tape = new Tape(compute);
            var batch = samples.NextBatch();
            var (mu, lv) = Conditional(tape, batch.X);
            var error = tape.Constant(mu.Shape, batch.Y) - mu;
            tape.Backward((error.Square() * (-lv).Exp() + lv).Mean());
            adam.BeginStep(step, options.LearningRate);
            adam.Update();
        }
        var value = new RunningMean();
        for (int b = 0; b < samples.TestBatches; b++)
        {
            using var tape = new Tape(compute, gradients: false);
            var batch = samples.TestBatch(b);
            var (mu, lv) = Conditional(tape, batch.X);
            AddRows(mu.ToArray(), lv.ToArray(), batch.Y, yColumns, ref value);
        }
        if (!double.IsFinite(value.Mean))
            throw new EstimatorException($"club: the value is {value.Mean}; the network diverged, lower the learning rate or give more samples");
        return value.ToEstimate(BoundKind.Upper, double.PositiveInfinity);

        (Tensor Mean, Tensor LogVar) Conditional(Tape tape, float[] rows)
        {
            var input = tape.Constant(new(samples.Batch, xColumns), rows);
            return (CriticEstimator.Apply(mean, input), CriticEstimator.Apply(logVar, input).Tanh() * LargestLogVar);
        }
    }

    private static void AddRows(float[] mu, float[] logVar, float[] y, int columns, ref RunningMean value)
    {
        int rows = mu.Length / columns;
        for (int i = 0; i < rows; i++)
        {
            double own = 0, all = 0;
            for (int j = 0; j < rows; j++)
            {
                double log = 0;
                for (int c = 0; c < columns; c++)
                    log += Gaussian.LogDensity(y[j * columns + c], mu[i * columns + c], logVar[i * columns + c]);
                all += log / rows;
                own += i == j ? log : 0;
            }
            value.Add(own - all);
        }
    }
}
