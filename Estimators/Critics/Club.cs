namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// CLUB (Cheng et al. 2020): mean log q(y_i|x_i) - mean_ij log q(y_j|x_i), q a Gaussian network fitted by maximum likelihood on three
/// fifths of the samples and stopped early on the rest, which also give the value. An upper bound as far as q is the true conditional; a
/// poor q can put it below the information.
/// </summary>
/// <remarks>q is of the normal scores of the columns, whose information is that of the columns.</remarks>
public sealed class Club(CriticOptions? options = null)
{
    // Log variances of standardised columns stay within +- this.
    private const float LargestLogVar = 10;

    private readonly CriticOptions options = options ?? new();

    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="seed">Decides the split, the batches and the initial weights.</param>
    /// <param name="progress">Told the steps done and the most there can be; may throw to end the fit.</param>
    /// <exception cref="EstimatorException">Too few samples, a value that is not finite, or a network that diverged.</exception>
    public Estimate Fit(Compute compute, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, ulong seed, Action<int,
        int>? progress = null)
    {
        var samples = new PairedSamples("club", x, xColumns, y, yColumns, options.Batch, seed);
        var init = new Initialise(seed);
        var mean = CriticNetwork.Perceptron("club.mean", xColumns, options.Hidden, yColumns, init);
        var logVar = CriticNetwork.Perceptron("club.logvar", xColumns, options.Hidden, yColumns, init);
        using var arena = new ParameterArena(compute, mean.Concat(logVar).SelectMany(layer => layer.Parameters));
        using var adam = new Adam(compute, arena);
        var choice = new HeldOutChoice(options.Patience);
        for (int step = 1; step <= options.Steps && !choice.IsOver; step++)
        {
            using (var tape = compute.Tape())
            {
                var batch = samples.NextBatch(options.Batch);
                var (mu, lv) = Conditional(tape, batch.X);
                var error = tape.Constant(mu.Shape, batch.Y) - mu;
                tape.Backward((error.Square() * (-lv).Exp() + lv).Mean());
                adam.Update(step, options.LearningRate);
            }
            progress?.Invoke(step, options.Steps);
            if (step % options.CheckEvery == 0 || step == options.Steps)
                choice.Look(step, Half(0), Half(1));
        }
        var value = CriticEstimator.Mean(choice.Terms, BoundKind.Upper, double.PositiveInfinity);
        if (!double.IsFinite(value.Value) || value.Points == 0)
            throw new EstimatorException($"club: the value is {value.Value}; the network diverged, lower the learning rate or give more " +
                $"samples");
        return value;

        (Tensor Mean, Tensor LogVar) Conditional(Tape tape, float[] rows)
        {
            var input = tape.Constant(new(samples.Batch, xColumns), rows);
            return (CriticNetwork.Apply(mean, input), CriticNetwork.Apply(logVar, input).Tanh() * LargestLogVar);
        }

        // The likelihood of every other held-out batch, and what each of its rows adds to the bound.
        HeldOutHalf Half(int first)
        {
            var likelihood = new RunningMean();
            var terms = new List<double>();
            for (int b = first; b < samples.TestBatches; b += 2)
            {
                using var tape = compute.Tape(gradients: false);
                var batch = samples.TestBatch(b);
                var (mu, lv) = Conditional(tape, batch.X);
                AddRows(mu.ToArray(), lv.ToArray(), batch.Y, yColumns, ref likelihood, terms);
            }
            return new(likelihood.Mean, [.. terms]);
        }
    }

    private static void AddRows(float[] mu, float[] logVar, float[] y, int columns, ref RunningMean likelihood, List<double> terms)
    {
        int rows = mu.Length / columns;
        // log q is quadratic in y: the mean over j needs the first two moments of y only.
        var (first, second) = (new double[columns], new double[columns]);
        for (int i = 0; i < y.Length; i++)
        {
            first[i % columns] += y[i] / (double)rows;
            second[i % columns] += (double)y[i] * y[i] / rows;
        }
        for (int i = 0; i < rows; i++)
        {
            double own = 0, all = 0;
            for (int c = 0; c < columns; c++)
            {
                double m = mu[i * columns + c], lv = logVar[i * columns + c];
                own += Gaussian.LogDensity(y[i * columns + c], m, lv);
                double spread = second[c] - first[c] * first[c];
                all += Gaussian.LogDensity(first[c], m, lv) - 0.5 * spread * Math.Exp(-lv);
            }
            likelihood.Add(own);
            terms.Add(own - all);
        }
    }
}
