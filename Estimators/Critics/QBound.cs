namespace VaeFromScratch.Estimators.Critics;

/// <summary>Codes, and the images x' that a decoder made of them.</summary>
/// <param name="Images">x', [N, D].</param>
/// <param name="Pixels">Pixels of an image, D.</param>
/// <param name="Category">One-hot samples of q(c|x), [N, K]; empty without a category.</param>
/// <param name="Factors">Samples of the chosen factors, [N, F]; empty for none.</param>
internal sealed record CodedImages(float[] Images, int Pixels, float[] Category, float[] Factors)
{
    /// <summary>The number of images, N.</summary>
    public int Count => Images.Length / Pixels;
}

/// <summary>How Q is fitted.</summary>
/// <param name="Widths">Of its hidden layers.</param>
/// <param name="Patience">Passes without a better value on the images held out that end the fit.</param>
/// <param name="MaximumPasses">Passes that end it at the latest.</param>
internal sealed record QBoundOptions(int[] Widths, double LearningRate = 1e-3, int Batch = 125, int Patience = 3, int MaximumPasses = 40);

/// <summary>The bound on I(code; x') of a fixed model.</summary>
/// <param name="Category">Nats; null without a category.</param>
/// <param name="Factors">Of all chosen factors together, nats; null for none.</param>
/// <param name="Passes">Over the fitting images until Q was at its best.</param>
internal sealed record QBoundResult(Estimate? Category, Estimate? Factors, int Passes);

/// <summary>
/// The variational bound of paper 5 for a model that is not trained any more: E log Q(code|x') + H(q(code)), Q fitted to convergence
/// (equations.md (Q1), (Q3)). A lower bound on the
/// information between the code and the decoder's output x', not on that between the code and the data.
/// </summary>
/// <remarks>
/// Q is fitted on nine tenths of the fitting images, drawn anew for each pass, stops when the last tenth of the first draw gets no better,
/// and is kept at its best; the value is
/// taken on other images. The entropies are the caller's, because they belong to the model: with the prior's in their place a collapsed
/// category would score log K.
/// </remarks>
internal sealed class QBound(QBoundOptions options)
{
    // Apart from other uses of the seed ("qbnd" in ASCII).
    private const uint Stream = 0x71626e64;
    private const int EvaluationBatch = 500;

    /// <param name="fitting">What Q learns from in each pass, from 1: codes and images drawn anew, the same number each time.</param>
    /// <param name="measured">What the bound is taken on.</param>
    /// <param name="categories">K; 0 for none.</param>
    /// <param name="factors">F; 0 for none.</param>
    /// <param name="categoryEntropy">H(q(c)) = H(mean_x q(c|x)), nats.</param>
    /// <param name="factorEntropy">H(q(z_F)) of the mixture of posteriors, nats.</param>
    /// <param name="seed">Decides the batches and Q's initial weights.</param>
    /// <exception cref="EstimatorException">There is too little to fit on, or Q diverged.</exception>
    public QBoundResult Fit(Compute compute, Func<int, CodedImages> fitting, CodedImages measured, int categories, int factors,
        double categoryEntropy, double factorEntropy, ulong seed)
    {
        var first = fitting(1);
        int held = first.Count / 10, fitted = first.Count - held;
        if (held < 1 || fitted < options.Batch || measured.Count < 2)
            throw new EstimatorException(
                $"q bound: {first.Count} images to fit on and {measured.Count} to measure; at least {options.Batch * 10 / 9 + 10} and 2 "
                + $"are needed");
        var network = new AuxiliaryNetwork(first.Pixels, options.Widths, categories, factors, new Initialise(seed, Stream));
        using var arena = new ParameterArena(compute, network.Parameters);
        using var adam = new Adam(compute, arena);
        var random = SeededRandom.Create(seed, Stream);
        double best = double.NegativeInfinity;
        int bestPass = 0;
        float[] values = [], state = [];
        long step = 0;
        for (int pass = 1; pass <= options.MaximumPasses && pass - bestPass <= options.Patience; pass++)
        {
            var fit = pass == 1 ? first : fitting(pass);
            var order = random.Draw(fitted, fitted);
            for (int from = 0; from + options.Batch <= fitted; from += options.Batch)
            {
                using var tape = compute.Tape();
                var (category, factor) = LogQ(tape, network, fit, order.AsSpan(from, options.Batch), categories, factors);
                tape.Backward([.. ((Tensor?[])[category, factor]).OfType<Tensor>().Select(log => new Seed(log, -1f / options.Batch))]);
                adam.BeginStep(++step, options.LearningRate);
                adam.Update();
            }
            var (c, z) = Means(compute, network, first, Enumerable.Range(fitted, held).ToArray(), categories, factors);
            double value = c.Mean + z.Mean;
            if (!double.IsFinite(value))
                throw new EstimatorException(
                    $"q bound: log Q is {value} after {pass} passes; it diverged, lower the learning rate or check the images");
            if (value <= best)
                continue;
            (best, bestPass) = (value, pass);
            (values, state) = (Download(compute, arena.Values), Download(compute, arena.State));
        }
        compute.Backend.Upload<float>(values, arena.Values);
        compute.Backend.Upload<float>(state, arena.State);
        var (ofCategory, ofFactors) = Means(compute, network, measured, Enumerable.Range(0, measured.Count).ToArray(), categories, factors);
        return new(categories == 0 ? null : Bound(ofCategory, categoryEntropy, Math.Log(categories)), factors == 0 ? null
            : Bound(ofFactors, factorEntropy, double.PositiveInfinity), bestPass);
    }

    private static Estimate Bound(RunningMean logQ, double entropy, double ceiling)
    {
        var estimate = logQ.ToEstimate(BoundKind.Lower, ceiling);
        return estimate with { Value = estimate.Value + entropy };
    }

    /// <summary>log Q of the categories and of the factors of some rows, [rows].</summary>
    private static (Tensor? Category, Tensor? Factors) LogQ(Tape tape, AuxiliaryNetwork network, CodedImages set, ReadOnlySpan<int> rows,
        int categories, int factors)
    {
        var q = network.Read(tape.Constant(new(rows.Length, set.Pixels), Gather(set.Images, set.Pixels, rows)));
        return (categories == 0 ? null : q.LogCategory(tape.Constant(new(rows.Length, categories), Gather(set.Category, categories, rows))),
            factors == 0 ? null : q.LogFactors(tape.Constant(new(rows.Length, factors), Gather(set.Factors, factors, rows))));
    }

    private static (RunningMean Category, RunningMean Factors) Means(Compute compute, AuxiliaryNetwork network, CodedImages set, int[] rows,
        int categories, int factors)
    {
        RunningMean ofCategory = new(), ofFactors = new();
        for (int from = 0; from < rows.Length; from += EvaluationBatch)
        {
            using var tape = compute.Tape(gradients: false);
            var (category, factor) =
                LogQ(tape, network, set, rows.AsSpan(from, Math.Min(EvaluationBatch, rows.Length - from)), categories, factors);
            foreach (float log in category?.ToArray() ?? [])
                ofCategory.Add(log);
            foreach (float log in factor?.ToArray() ?? [])
                ofFactors.Add(log);
        }
        return (ofCategory, ofFactors);
    }

    private static float[] Gather(float[] table, int width, ReadOnlySpan<int> rows)
    {
        var values = new float[rows.Length * width];
        for (int i = 0; i < rows.Length; i++)
            table.AsSpan(rows[i] * width, width).CopyTo(values.AsSpan(i * width));
        return values;
    }

    private static float[] Download(Compute compute, Kernels.Slice<float> slice)
    {
        var values = new float[slice.Length];
        compute.Backend.Download(slice, values);
        return values;
    }
}
