using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// Each objective of the family on three images and four factors, against a value worked out in double precision from the encodings, codes
/// and prior draws of the
/// same step.
/// </summary>
public sealed class ZooObjectiveTests : OnCpu
{
    private const int Images = 3, Latents = 4;
    private const double S2 = 0.05;

    [Test]
    public void Info_vae_with_the_mmd_reading()
    {
        var e = Evaluate(Small.Configuration("info-vae").With(("info_alpha", 0.25), ("lambda", 40)));
        Assert.That(e["mmd"], Is.EqualTo(Mmd(e.Z, e.Prior)).Within(1e-5));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 0.75 * e.Kl + 39.25 * Mmd(e.Z, e.Prior)).Within(1e-3));
    }

    [Test]
    public void Info_vae_with_the_marginal_reading()
    {
        var e = Evaluate(Small.Configuration("info-vae").With(("reading", "marginal"), ("beta", 5)));
        double marginal = e.MarginalKl(MixtureWeight(e, "batch"));
        Assert.That(e["kl_marginal"], Is.EqualTo(marginal).Within(1e-4));
        // (C5): KL(q(z) || r) of the vector, that is TC(z) + the sum of marginals.
        double whole = e.TotalCorrelation(MixtureWeight(e, "batch")) + marginal;
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 5 * whole).Within(1e-3));
        Assert.That(whole, Is.Not.EqualTo(marginal).Within(1e-3));
    }

    [TestCase("batch")]
    [TestCase("weighted")]
    [TestCase("stratified")]
    public void Beta_tcvae_weighs_the_three_parts_of_the_kl(string estimate)
    {
        var e = Evaluate(Small.Configuration("beta-tcvae").With(("mi_weight", 2), ("beta", 6), ("gamma", 0.5), ("estimate", estimate)));
        var weight = MixtureWeight(e, estimate);
        double mi = e.MutualInformation(weight), tc = e.TotalCorrelation(weight), marginal = e.MarginalKl(weight);
        Assert.That(e["mi"], Is.EqualTo(mi).Within(1e-4));
        Assert.That(e["tc"], Is.EqualTo(tc).Within(1e-4));
        Assert.That(e["kl_marginal"], Is.EqualTo(marginal).Within(1e-4));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 2 * mi + 6 * tc + 0.5 * marginal).Within(1e-3));
        Assert.That(e["mi"] + e["tc"] + e["kl_marginal"], Is.EqualTo(e.SampledKl).Within(1e-4), "the parts are the Monte-Carlo KL");
    }

    [TestCase("dip-vae-i", false)]
    [TestCase("dip-vae-ii", true)]
    public void Dip_vae_charges_the_covariance(string model, bool ofSamples)
    {
        var e = Evaluate(Small.Configuration(model).WithOwn(("lambda_off_diagonal", 7), ("lambda_diagonal", 3)));
        double off = 0, on = 0;
        for (int i = 0; i < Latents; i++)
            for (int j = 0; j < Latents; j++)
            {
                double covariance = Enumerable.Range(0, Images).Average(m => (e.Mu[m, i] - Mean(e.Mu, i)) * (e.Mu[m, j] - Mean(e.Mu, j)));
                if (i != j)
                    off += covariance * covariance;
                else
                    on += Math.Pow(covariance + (ofSamples ? Enumerable.Range(0, Images).Average(m => Math.Exp(e.LogVar[m, i])) : 0) - 1,
                        2);
            }
        Assert.That(e["dip_off_diagonal"], Is.EqualTo(off).Within(1e-5));
        Assert.That(e["dip_diagonal"], Is.EqualTo(on).Within(1e-4));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + e.Kl + 7 * off + 3 * on).Within(1e-3));
    }

    [Test]
    public void Wae_mmd_charges_no_kl()
    {
        var e = Evaluate(Small.Configuration("wae-mmd").With(("lambda", 10)));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 10 * Mmd(e.Z, e.Prior)).Within(1e-3));
    }

    [TestCase("wae-gan", 10)]
    [TestCase("aae", 1)]
    public void Adversarial_models_ask_the_discriminator_for_the_prior(string model, double lambda)
    {
        var e = Evaluate(Small.Configuration(model).WithOwn(("lambda", lambda)));
        double adversarial = Enumerable.Range(0, Images).Average(m => Softplus(-e.Discriminate(e.Z, m)));
        Assert.That(e["adversarial"], Is.EqualTo(adversarial).Within(1e-5));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + lambda * adversarial).Within(1e-3));
        double discriminator = Enumerable.Range(0, Images)
            .Average(m => 0.5 * (Softplus(-e.Discriminate(e.Prior, m)) + Softplus(e.Discriminate(e.Z, m))));
        Assert.That(e["discriminator"], Is.EqualTo(discriminator).Within(1e-5));
    }

    [Test]
    public void Factor_vae_charges_the_discriminators_log_odds()
    {
        var e = Evaluate(Small.Configuration("factor-vae").With(("gamma", 35)));
        double tc = Enumerable.Range(0, Images).Average(m => e.Discriminate(e.Z, m));
        Assert.That(e["tc"], Is.EqualTo(tc).Within(1e-5));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + e.Kl + 35 * tc).Within(1e-3));
    }

    [Test]
    public void Iwae_is_the_log_of_the_mean_importance_weight()
    {
        const int samples = 4;
        var configuration = Small.Configuration("iwae").With(("samples", samples), ("noise", $"fixed:{S2}"));
        var data = Small.Halves(Images);
        using var model = Small.Create(Compute, configuration, data);
        using var tape = Compute.Tape(gradients: false);
        var x = tape.Constant(new(Images, 8, 8, 1), data.ToFloats(0, Images));
        model.Rng.BeginStep(1);
        double bound = model.Objective(x).Terms.Single(t => t.Term.Name == "iwae").Term.Value.ToArray().Average();
        model.Rng.BeginStep(1);
        var q = model.Encode(x).Repeat(samples);
        var z = q.Sample(model.Rng).Z;
        float[] decoded = model.Decode(z).ToArray(), pixels = x.ToArray();
        double[,] codes = Matrix(z), mu = Matrix(q.Mu), logVar = Matrix(q.LogVar);
        double expected = Enumerable.Range(0, Images).Average(m => -Math.Log(Enumerable.Range(0, samples).Average(k =>
        {
            int row = k * Images + m;
            double log = 0;
            for (int d = 0; d < 64; d++)
                log -= 0.5 * (Math.Pow(pixels[m * 64 + d] - decoded[row * 64 + d], 2) / S2 + Math.Log(2 * Math.PI * S2));
            for (int h = 0; h < Latents; h++)
                log += LogNormal(codes[row, h], 0, 0) - LogNormal(codes[row, h], mu[row, h], logVar[row, h]);
            // The weights of one image are within a few powers of e of each other; the shift keeps exp in range.
            return Math.Exp(log + 500);
        })) + 500);
        Assert.That(bound, Is.EqualTo(expected).Within(1e-3));
    }

    private static Func<int, int, double> MixtureWeight(Evaluation e, string estimate) => estimate switch
    {
        "weighted" => (_, _) => 1.0 / (Images * e.DataCount),
        // N images, M = B - 1: own 1 / N, one other (N - M) / (N M), the rest 1 / M.
        "stratified" => (i, j) => j == i ? 1.0 / e.DataCount : j == (i + 1) % Images ? (e.DataCount - 2.0) / (e.DataCount * 2.0) : 1.0 / 2,
        _ => (_, _) => 1.0 / Images,
    };

    /// <summary>One step of a model: what it says, and what its parts say for the same draws.</summary>
    private sealed record Evaluation(Dictionary<string, double> Terms, double Nll, double Kl, double[,] Z, double[,] Prior, double[,] Mu,
        double[,] LogVar, int DataCount, Func<double[,], int, double> Discriminate)
    {
        public double this[string term] => Terms[term];

        public double SampledKl => Rows(i => Factors(h => LogNormal(Z[i, h], Mu[i, h], LogVar[i, h]) - LogNormal(Z[i, h], 0, 0)));

        public double MutualInformation(Func<int, int, double> weight) =>
            Rows(i => Factors(h => LogNormal(Z[i, h], Mu[i, h], LogVar[i, h])) - Joint(i, weight));

        public double TotalCorrelation(Func<int, int, double> weight) => Rows(i => Joint(i, weight) - Factors(h => Marginal(i, h, weight)));

        public double MarginalKl(Func<int, int, double> weight) =>
            Rows(i => Factors(h => Marginal(i, h, weight) - LogNormal(Z[i, h], 0, 0)));

        private double Joint(int i, Func<int, int, double> weight) =>
            Math.Log(Enumerable.Range(0, Images)
                .Sum(j => weight(i, j) * Math.Exp(Factors(h => LogNormal(Z[i, h], Mu[j, h], LogVar[j, h])))));

        private double Marginal(int i, int h, Func<int, int, double> weight) =>
            Math.Log(Enumerable.Range(0, Images).Sum(j => weight(i, j) * Math.Exp(LogNormal(Z[i, h], Mu[j, h], LogVar[j, h]))));

        private static double Rows(Func<int, double> f) => Enumerable.Range(0, Images).Average(f);

        private static double Factors(Func<int, double> f) => Enumerable.Range(0, Latents).Sum(f);
    }

    private Evaluation Evaluate(RunConfiguration configuration)
    {
        configuration = configuration.With(("noise", $"fixed:{S2}"));
        var data = Small.Halves(10);
        using var model = Small.Create(Compute, configuration, data);
        using var tape = Compute.Tape(gradients: false);
        var x = tape.Constant(new(Images, 8, 8, 1), data.ToFloats(0, Images));
        model.Rng.BeginStep(1);
        model.BeforeStep(1, Images);
        var objective = model.Objective(x);
        var terms = objective.Terms.ToDictionary(t => t.Term.Name, t => (double)t.Term.Value.ToArray().Average());
        terms["loss"] = objective.Terms.Sum(t => t.Weight * t.Term.Value.ToArray().Average());
        foreach (var phase in model.Phases.Skip(1))
            foreach (var t in phase.Objective(new(x, x)).Terms)
                terms[t.Term.Name] = t.Term.Value.ToArray().Average();

        model.Rng.BeginStep(1);
        var q = model.Encode(x);
        var z = q.Sample(model.Rng).Z;
        double[,] mu = Matrix(q.Mu), logVar = Matrix(q.LogVar), codes = Matrix(z), prior = Matrix(model.Rng.Normal(z.Shape));
        float[] decoded = model.Decode(z).ToArray(), pixels = x.ToArray();
        double nll = pixels.Zip(decoded, (a, g) => 0.5 * ((a - g) * (double)(a - g) / S2 + Math.Log(2 * Math.PI * S2))).Sum() / Images;
        double kl = 0;
        for (int m = 0; m < Images; m++)
            for (int h = 0; h < Latents; h++)
                kl += 0.5 * (Math.Exp(logVar[m, h]) + mu[m, h] * mu[m, h] - 1 - logVar[m, h]) / Images;
        return new(terms, nll, kl, codes, prior, mu, logVar, data.Count, Discriminator(
            model.Parameters.Where(p => p.Name.StartsWith("discriminator.")).ToDictionary(p => p.Name, p => p.Value.ToArray())));
    }

    /// <summary>The discriminator's log-odds of one row of codes, from its weights: 4 - 32 - 32 - 1, leaky ReLU of slope 0.2.</summary>
    private static Func<double[,], int, double> Discriminator(Dictionary<string, float[]> weights) => (codes, row) =>
    {
        double[] values = [.. Enumerable.Range(0, Latents).Select(h => codes[row, h])];
        for (int layer = 1; layer <= 3; layer++)
        {
            float[] w = weights[$"discriminator.fc{layer}.weight"], b = weights[$"discriminator.fc{layer}.bias"];
            var next = new double[b.Length];
            for (int o = 0; o < next.Length; o++)
            {
                next[o] = b[o] + values.Select((v, i) => v * w[i * next.Length + o]).Sum();
                if (layer < 3 && next[o] < 0)
                    next[o] *= 0.2;
            }
            values = next;
        }
        return values[0];
    };

    /// <summary>(X8) on two sets of rows.</summary>
    private static double Mmd(double[,] a, double[,] b)
    {
        double within = 0, between = 0;
        for (int i = 0; i < Images; i++)
            for (int j = 0; j < Images; j++)
            {
                between += Kernel(a, i, b, j) / (Images * Images);
                if (i != j)
                    within += (Kernel(a, i, a, j) + Kernel(b, i, b, j)) / (Images * (Images - 1));
            }
        return within - 2 * between;

        static double Kernel(double[,] a, int i, double[,] b, int j)
        {
            double distance = Enumerable.Range(0, Latents).Sum(h => Math.Pow(a[i, h] - b[j, h], 2));
            return new[] { 0.1, 0.2, 0.5, 1, 2, 5, 10 }.Sum(s => 2 * Latents * s / (2 * Latents * s + distance));
        }
    }

    private static double LogNormal(double z, double mu, double logVar) =>
        -0.5 * ((z - mu) * (z - mu) / Math.Exp(logVar) + logVar + Math.Log(2 * Math.PI));

    private static double Softplus(double x) => Math.Log(1 + Math.Exp(x));

    private static double Mean(double[,] mu, int h) => Enumerable.Range(0, Images).Average(m => mu[m, h]);

    private static double[,] Matrix(Tensor t)
    {
        float[] values = t.ToArray();
        var matrix = new double[t.Shape[0], t.Shape[1]];
        for (int i = 0; i < values.Length; i++)
            matrix[i / t.Shape[1], i % t.Shape[1]] = values[i];
        return matrix;
    }
}
