namespace VaeFromScratch.Estimators.Quality;

/// <summary>A negative log-likelihood by importance sampling, nats per image.</summary>
/// <param name="Nll">Mean over images; its standard error is the images' spread. An upper bound that falls as the samples grow.</param>
/// <param name="SamplingError">Standard error of the mean from the importance weights alone, to first order.</param>
/// <param name="SmallestEffectiveSamples">1 / sum of squared normalised weights of the worst image: near 1, one sample decides and the
/// bound is loose.</param>
internal sealed record LikelihoodEstimate(Estimate Nll, double SamplingError, double SmallestEffectiveSamples);

/// <summary>(M7): -log mean_s p(x|z_s) p(z_s) / q(z_s|x), collected sample by sample in O(images) memory.</summary>
internal sealed class ImportanceLikelihood(int images)
{
    private readonly double[] largest = Filled(images, double.NegativeInfinity);
    private readonly double[] sum = new double[images];
    private readonly double[] sumOfSquares = new double[images];

    /// <summary>Importance samples of an image, S.</summary>
    public int Samples { get; private set; }

    /// <summary>Adds one sample's log weights log p(x|z) + log p(z) - log q(z|x), [images].</summary>
    /// <exception cref="EstimatorException">Wrong length, or a weight is NaN or +infinity.</exception>
    public void Add(ReadOnlySpan<float> logWeights)
    {
        if (logWeights.Length != images)
            throw new EstimatorException($"importance likelihood: {logWeights.Length} log weights for {images} images; give one per image");
        for (int i = 0; i < images; i++)
        {
            double w = logWeights[i];
            if (double.IsNaN(w) || double.IsPositiveInfinity(w))
                throw new EstimatorException(
                    $"importance likelihood: the log weight of image {i} is {w}; check the decoder's output and the posterior's variances");
            if (double.IsNegativeInfinity(w))
                continue;
            if (w > largest[i])
            {
                double shrink = Math.Exp(largest[i] - w);
                sum[i] *= shrink;
                sumOfSquares[i] *= shrink * shrink;
                largest[i] = w;
            }
            double scaled = Math.Exp(w - largest[i]);
            sum[i] += scaled;
            sumOfSquares[i] += scaled * scaled;
        }
        Samples++;
    }

    /// <summary>-log p(x) of each image, nats, [images].</summary>
    /// <exception cref="EstimatorException">No sample was added, or an image has weight 0 under every sample.</exception>
    public double[] PerImage()
    {
        var nll = new double[images];
        for (int i = 0; i < images; i++)
        {
            if (sum[i] <= 0)
                throw new EstimatorException(
                    $"importance likelihood: image {i} has no weight after {Samples} samples; add samples, or check that the decoder "
                    + $"gives every pixel a positive probability");
            nll[i] = -(largest[i] + Math.Log(sum[i] / Samples));
        }
        return nll;
    }

    /// <exception cref="EstimatorException">No sample was added, or an image has weight 0 under every sample.</exception>
    public LikelihoodEstimate Result()
    {
        var mean = new RunningMean();
        foreach (double nll in PerImage())
            mean.Add(nll);
        double error = 0, effective = double.PositiveInfinity;
        for (int i = 0; i < images; i++)
        {
            double share = sumOfSquares[i] / (sum[i] * sum[i]);
            // Var log(mean w) = Var w / (S mean(w)^2) to first order.
            error += Math.Max(0, share - 1.0 / Samples);
            effective = Math.Min(effective, 1 / share);
        }
        return new(mean.ToEstimate(BoundKind.Upper, double.PositiveInfinity), Math.Sqrt(error) / images, effective);
    }

    private static double[] Filled(int n, double value)
    {
        var array = new double[n];
        Array.Fill(array, value);
        return array;
    }
}
