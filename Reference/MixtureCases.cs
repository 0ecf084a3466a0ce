using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Log densities under the mixture of encodings, and their gradients by responsibilities.</summary>
public static class MixtureCases
{
    private static readonly (int Rows, int Components, int H)[] Shapes = [(1, 1, 1), (3, 5, 2), (16, 16, 10), (9, 65, 15), (17, 17, 16),
        (20, 64, 17), (5, 130, 33), (70, 70, 31), (40, 200, 128), (300, 40, 3)];

    /// <summary>Uniform; stratified (equations.md (X4)) with N = 1000; one where only the own component counts for little.</summary>
    private static PairLogWeights[] Weights(int components)
    {
        double n = 1000, m = Math.Max(1, components - 1);
        return [PairLogWeights.Uniform(components), new((float)Math.Log(1 / n), (float)Math.Log((n - m) / (n * m)), (float)Math.Log(1 / m)),
            new(-9, -1, -2)];
    }

    public static IEnumerable<KernelCase> All() =>
        Shapes.SelectMany(s => Of(s.Rows, s.Components, s.H)).Append(FarApart()).Append(NearerAndNearer());

    public static IEnumerable<KernelCase> Of(int rows, int components, int h)
    {
        for (int w = 0; w < 3; w++)
        {
            var weights = Weights(components)[w];
            // Weights 1 come with a bias per pair, weights 2 with rows that are a later part of the batch and only one output each.
            bool biased = w == 1;
            int offset = w == 2 ? Math.Max(0, components - rows) : 0;
            foreach (bool joint in w == 2 ? [true, false] : new[] { true })
            {
                bool marginal = w != 2 || !joint;
                string label =
                    $"{rows}x{components}x{h}, weights "
                    + $"{w}{(biased ? ", pair bias" : "")}{(joint ? ", joint" : "")}{(marginal ? ", marginal" : "")}";
                yield return new("MixtureLogDensity", label, c =>
                {
                    var p = new Problem(c, rows, components, h, weights, offset, biased);
                    Slice<float> toJoint = joint ? c.Output(rows) : default, toMarginal = marginal ? c.Output(rows * h) : default;
                    c.Run(b => b.MixtureLogDensity(
                        new(rows, components, h, p.Zs, p.Mus, p.LogVars, weights, toJoint, toMarginal, offset, p.Biases)));
                    if (joint)
                        c.Expect(toJoint, p.Joint(), 5e-7, 5e-7, "joint");
                    if (marginal)
                        c.Expect(toMarginal, p.Marginal(), 1e-6, 5e-7, "marginal");
                });
                yield return new("MixtureLogDensityGradient", label, c =>
                {
                    var p = new Problem(c, rows, components, h, weights, offset, biased);
                    float[] gJoint = joint ? c.Uniform(rows) : [], gMarginal = marginal ? c.Uniform(rows * h) : [];
                    double[] logJoint = p.Joint(), logMarginal = p.Marginal();
                    Slice<float> js = c.Upload(Array.ConvertAll(logJoint, v => (float)v)),
                        ms = c.Upload(Array.ConvertAll(logMarginal, v => (float)v));
                    Slice<float> gj = joint ? c.Upload(gJoint) : default, gm = marginal ? c.Upload(gMarginal) : default;
                    float[] oldZ = c.Uniform(rows * h), oldMu = c.Uniform(components * h), oldLogVar = c.Uniform(components * h),
                        oldBias = c.Uniform(rows * components);
                    Slice<float> dz = c.Output(oldZ), dmu = c.Output(oldMu), dlogVar = c.Output(oldLogVar), dbias = biased
                        ? c.Output(oldBias) : default;
                    c.Run(b => b.MixtureLogDensityGradient(
                        new(rows, components, h, p.Zs, p.Mus, p.LogVars, weights, js, ms, offset, p.Biases), gj, gm, dz, dmu, dlogVar,
                            dbias));
                    double[] z = Array.ConvertAll(oldZ, v => (double)v), mu = Array.ConvertAll(oldMu, v => (double)v),
                        logVar = Array.ConvertAll(oldLogVar, v => (double)v), bias = Array.ConvertAll(oldBias, v => (double)v);
                    double[] magnitude = [1, 1];
                    for (int i = 0; i < rows; i++)
                        for (int j = 0; j < components; j++)
                        {
                            double share = joint ? gJoint[i] * Math.Exp(p.LogJointTerm(i, j) - logJoint[i]) : 0;
                            bias[i * components + j] += share;
                            for (int k = 0; k < h; k++)
                            {
                                double own = marginal ? gMarginal[i * h + k]
                                    * Math.Exp(p.LogWeight(i, j) + p.LogNormal(i, j, k) - logMarginal[i * h + k]) : 0, weight = share + own;
                                double variance = Math.Exp(p.LogVar[j * h + k]), u = (double)p.Z[i * h + k] - p.Mu[j * h + k];
                                z[i * h + k] -= weight * u / variance;
                                mu[j * h + k] += weight * u / variance;
                                logVar[j * h + k] += weight * 0.5 * (u * u / variance - 1);
                                magnitude[0] = Math.Max(magnitude[0], (Math.Abs(share) + Math.Abs(own)) * Math.Abs(u) / variance);
                                magnitude[1] = Math.Max(magnitude[1], (Math.Abs(share) + Math.Abs(own)) * (u * u / variance + 1));
                            }
                        }
                    // A responsibility is e to the difference of two floats of the joint's size: its error is that size's rounding. Terms
                    // of both signs cancel.
                    double size = 1 + logJoint.Max(Math.Abs) / 10;
                    c.Expect(dz, z, 1e-5, 3e-6 * size * magnitude[0] / z.Max(Math.Abs), "dz");
                    c.Expect(dmu, mu, 1e-5, 3e-6 * size * magnitude[0] / mu.Max(Math.Abs), "dmu");
                    c.Expect(dlogVar, logVar, 1e-5, 3e-6 * size * magnitude[1] / logVar.Max(Math.Abs), "dlogVar");
                    if (biased)
                        c.Expect(dbias, bias, 1e-5, 3e-6 * size, "dpairBias");
                });
            }
        }
    }

    /// <summary>
    /// Far-apart posteriors with stratified weights: only a row's own component counts, so joint - own log density is log 1/N. A 1/N down a
    /// column instead of the
    /// diagonal gives another value.
    /// </summary>
    private static KernelCase FarApart() => new("MixtureLogDensity", "far apart, stratified, N = 60000, B = 64", c =>
    {
        const int b = 64, h = 3;
        double n = 60_000, m = b - 1;
        float[] mu = new float[b * h];
        for (int i = 0; i < b * h; i++)
            mu[i] = 100 * (i / h);
        Slice<float> z = c.Upload(mu), mean = c.Upload(mu), logVar = c.Upload(new float[b * h]), joint = c.Output(b);
        var weights = new PairLogWeights((float)Math.Log(1 / n), (float)Math.Log((n - m) / (n * m)), (float)Math.Log(1 / m));
        c.Run(k => k.MixtureLogDensity(new(b, b, h, z, mean, logVar, weights, joint, default)));
        double own = -0.5 * h * Math.Log(2 * Math.PI);
        c.Expect(joint, Enumerable.Repeat(own - Math.Log(n), b).ToArray(), 1e-6, 0);
    });

    /// <summary>
    /// Each component is nearer than the one before it, at first by so much that what was added up before is nothing beside it.
    /// </summary>
    private static KernelCase NearerAndNearer() => new("MixtureLogDensity", "nearer and nearer, 2x640x2", c =>
    {
        const int rows = 2, components = 640, h = 2;
        float[] mu = new float[components * h], z = [0, 1, -1, 0.5f];
        for (int i = 0; i < components * h; i++)
            mu[i] = (components - i / h) / 10f;
        Slice<float> draws = c.Upload(z), mean = c.Upload(mu), logVar = c.Upload(new float[components * h]), joint = c.Output(rows),
            marginal = c.Output(rows * h);
        c.Run(b => b.MixtureLogDensity(new(rows, components, h, draws, mean, logVar, PairLogWeights.Uniform(components), joint, marginal)));
        double LogNormal(int row, int j, int k) => -0.5 * (Math.Log(2 * Math.PI) + Math.Pow((double)z[row * h + k] - mu[j * h + k], 2));
        double LogMean(Func<int, double> term)
        {
            double[] terms = [.. Enumerable.Range(0, components).Select(term)];
            return terms.Max() + Math.Log(terms.Average(t => Math.Exp(t - terms.Max())));
        }
        c.Expect(marginal, [.. Enumerable.Range(0, rows * h).Select(i => LogMean(j => LogNormal(i / h, j, i % h)))], 1e-6, 5e-7,
            "marginal");
        c.Expect(joint, [.. Enumerable.Range(0, rows).Select(r => LogMean(j => LogNormal(r, j, 0) + LogNormal(r, j, 1)))], 1e-6, 5e-7,
            "joint");
    });

    private sealed class Problem
    {
        private readonly int rows, components, h, offset;
        private readonly PairLogWeights weights;
        private readonly float[]? bias;

        public Problem(CaseContext c, int rows, int components, int h, PairLogWeights weights, int offset, bool biased)
        {
            (this.rows, this.components, this.h, this.weights, this.offset) = (rows, components, h, weights, offset);
            Z = c.Uniform(rows * h, -2, 2);
            Mu = c.Uniform(components * h, -2, 2);
            LogVar = c.Uniform(components * h, -3, 1);
            // One draw far outside every component: its terms underflow unless the maximum is taken out.
            Z[0] = 60;
            bias = biased ? c.Uniform(rows * components) : null;
            (Zs, Mus, LogVars, Biases) = (c.Upload(Z), c.Upload(Mu), c.Upload(LogVar), biased ? c.Upload(bias!) : default);
        }

        public float[] Z { get; }
        public float[] Mu { get; }
        public float[] LogVar { get; }
        public Slice<float> Zs { get; }
        public Slice<float> Mus { get; }
        public Slice<float> LogVars { get; }
        public Slice<float> Biases { get; }

        public double LogWeight(int i, int j) =>
            j == i + offset ? weights.Own : j == (i + offset + 1) % components ? weights.Next : weights.Other;

        public double LogNormal(int i, int j, int k)
        {
            double u = (double)Z[i * h + k] - Mu[j * h + k], log = LogVar[j * h + k];
            return -0.5 * (Math.Log(2 * Math.PI) + log + u * u * Math.Exp(-log));
        }

        public double LogJointTerm(int i, int j)
        {
            double sum = LogWeight(i, j) + (bias?[i * components + j] ?? 0);
            for (int k = 0; k < h; k++)
                sum += LogNormal(i, j, k);
            return sum;
        }

        public double[] Joint() => Enumerable.Range(0, rows).Select(i => LogSumExp(j => LogJointTerm(i, j))).ToArray();

        public double[] Marginal() =>
            Enumerable.Range(0, rows * h).Select(i => LogSumExp(j => LogWeight(i / h, j) + LogNormal(i / h, j, i % h))).ToArray();

        private double LogSumExp(Func<int, double> term)
        {
            var terms = Enumerable.Range(0, components).Select(term).ToArray();
            double max = terms.Max();
            return max + Math.Log(terms.Sum(t => Math.Exp(t - max)));
        }
    }
}
