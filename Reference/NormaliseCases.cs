using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Batch normalisation, trained and at rest.</summary>
public static class NormaliseCases
{
    private const float Momentum = 0.1f, Epsilon = 1e-5f;

    public static IEnumerable<KernelCase> All() =>
        new[] { (2, 1), (50, 1), (9, 3), (100, 16), (33, 17), (1000, 32), (640, 64), (7, 130), (4900, 10), (5, 2000), (20_000, 3),
            (5000, 1), (20_000, 1) }.SelectMany(s => Of(s.Item1, s.Item2));

    public static IEnumerable<KernelCase> Of(int rows, int channels)
    {
        foreach (var activation in Enum.GetValues<Activation>())
        {
            yield return new("BatchNormForward", $"{rows}x{channels}, {activation}", c =>
            {
                var (x, gamma, beta) = Inputs(c, rows, channels);
                float[] oldMean = c.Uniform(channels), oldVariance = c.Uniform(channels, 0.5, 2);
                Slice<float> xs = c.Upload(x), gs = c.Upload(gamma), bs = c.Upload(beta), runningMean = c.Output(oldMean),
                    runningVariance = c.Output(oldVariance);
                Slice<float> mean = c.Output(channels), inverse = c.Output(channels), y = c.Output(rows * channels);
                c.Run(b => b.BatchNormForward(rows, channels, xs, new(gs, bs, runningMean, runningVariance, Momentum, Epsilon),
                    new(mean, inverse), y,
                    activation));
                var (m, v) = Statistics(rows, channels, x);
                c.Expect(mean, m, 1e-6, 1e-6, "mean");
                c.Expect(inverse, Array.ConvertAll(v, s => 1 / Math.Sqrt(s + Epsilon)), 1e-6, 0, "inverse deviation");
                c.Expect(runningMean, Channels(channels, k => (1 - Momentum) * oldMean[k] + Momentum * m[k]), 1e-6, 1e-6, "running mean");
                c.Expect(runningVariance, Channels(channels, k => (1 - Momentum) * oldVariance[k] + Momentum * v[k] * rows / (rows - 1.0)),
                    1e-6, 1e-6, "running variance");
                c.Expect(y, Normalise(rows, channels, x, m, v, gamma, beta, activation), 1e-6, 2e-6, "y");
            });
            yield return new("BatchNormInference", $"{rows}x{channels}, {activation}", c =>
            {
                var (x, gamma, beta) = Inputs(c, rows, channels);
                float[] m = c.Uniform(channels, 2, 4), v = c.Uniform(channels, 0.1, 2);
                Slice<float> xs = c.Upload(x), gs = c.Upload(gamma), bs = c.Upload(beta), mean = c.Upload(m), variance = c.Upload(v),
                    y = c.Output(rows * channels);
                c.Run(b => b.BatchNormInference(rows, channels, xs, new(gs, bs, mean, variance, Momentum, Epsilon), y, activation));
                c.Expect(y, Normalise(rows, channels, x, Array.ConvertAll(m, k => (double)k), Array.ConvertAll(v, k => (double)k), gamma,
                    beta, activation), 1e-6, 1e-6);
            });
            bool accumulate = activation == Activation.Relu;
            yield return new("BatchNormGradient", $"{rows}x{channels}{(accumulate ? ", accumulate" : "")}",
                c => Gradient(c, rows, channels, accumulate));
        }
    }

    private static void Gradient(CaseContext c, int rows, int channels, bool accumulate)
    {
        int n = rows * channels;
        var (x, gamma, _) = Inputs(c, rows, channels);
        float[] g = c.Uniform(n), oldX = c.Uniform(n), oldGamma = c.Uniform(channels), oldBeta = c.Uniform(channels);
        var (m, v) = Statistics(rows, channels, x);
        float[] mean = Array.ConvertAll(m, k => (float)k), inverse = Array.ConvertAll(v, k => (float)(1 / Math.Sqrt(k + Epsilon)));
        Slice<float> gs = c.Upload(g), xs = c.Upload(x), gammas = c.Upload(gamma), means = c.Upload(mean), inverses = c.Upload(inverse);
        Slice<float> dx = accumulate ? c.Output(oldX) : c.Output(n), dgamma = accumulate ? c.Output(oldGamma) : c.Output(channels),
            dbeta = accumulate ? c.Output(oldBeta) : c.Output(channels);
        c.Run(b => b.BatchNormGradient(rows, channels, gs, xs, gammas, new(means, inverses),
            new(dx, accumulate, dgamma, dbeta, accumulate)));
        double[] toGamma = new double[channels], toBeta = new double[channels], toX = new double[n];
        for (int i = 0; i < n; i++)
        {
            int k = i % channels;
            toBeta[k] += g[i];
            toGamma[k] += g[i] * ((double)x[i] - mean[k]) * inverse[k];
        }
        for (int i = 0; i < n; i++)
        {
            int k = i % channels;
            double xhat = ((double)x[i] - mean[k]) * inverse[k];
            toX[i] = gamma[k] * (double)inverse[k] * (g[i] - toBeta[k] / rows - xhat * toGamma[k] / rows) + (accumulate ? oldX[i] : 0);
        }
        c.Expect(dx, toX, 2e-6, 2e-6 * Math.Max(1, inverse.Max() / Math.Max(1e-30, toX.Max(Math.Abs))), "dx");
        c.Expect(dgamma, Channels(channels, k => toGamma[k] + (accumulate ? oldGamma[k] : 0)), 2e-6, 2e-6, "dgamma");
        c.Expect(dbeta, Channels(channels, k => toBeta[k] + (accumulate ? oldBeta[k] : 0)), 2e-6, 2e-6, "dbeta");
    }

    /// <summary>Channels far from 0 beside their spread, so that a one-pass variance would lose its digits.</summary>
    private static (float[] X, float[] Gamma, float[] Beta) Inputs(CaseContext c, int rows, int channels) =>
        (c.Uniform(rows * channels, 2, 4), c.Uniform(channels, 0.5, 2), c.Uniform(channels));

    private static (double[] Mean, double[] Variance) Statistics(int rows, int channels, float[] x)
    {
        double[] mean = new double[channels], variance = new double[channels];
        for (int i = 0; i < x.Length; i++)
            mean[i % channels] += x[i] / (double)rows;
        for (int i = 0; i < x.Length; i++)
            variance[i % channels] += (x[i] - mean[i % channels]) * (x[i] - mean[i % channels]) / rows;
        return (mean, variance);
    }

    private static double[] Normalise(int rows, int channels, float[] x, double[] mean, double[] variance, float[] gamma, float[] beta,
        Activation activation)
    {
        var y = new double[rows * channels];
        for (int i = 0; i < y.Length; i++)
        {
            int k = i % channels;
            y[i] = (x[i] - mean[k]) / Math.Sqrt(variance[k] + Epsilon) * gamma[k] + beta[k];
            if (activation == Activation.Relu)
                y[i] = Math.Max(0, y[i]);
        }
        return y;
    }

    private static double[] Channels(int n, Func<int, double> f) => Enumerable.Range(0, n).Select(f).ToArray();
}
