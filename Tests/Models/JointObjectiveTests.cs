using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// The objective of each model with a category on three images, four factors and three categories, against a value worked out in double
/// precision from the encodings and
/// codes of the same step.
/// </summary>
public sealed class JointObjectiveTests : OnCpu
{
    private const int Images = 3, Latents = 4, Categories = 3;
    private const double S2 = 0.05;

    [Test]
    public void Joint_vae_charges_the_distances_to_both_capacities()
    {
        var e = Evaluate(Configuration("joint-vae").With(("gamma", 7), ("gamma_category", 3), ("capacity", 6), ("capacity_category", 100),
            ("capacity_epochs", 2), ("category_epochs", 1)), epoch: 2);
        double gapZ = Math.Abs(e.KlZ - 6 * 0.5), gapC = Math.Abs(e.KlC - Math.Log(Categories) * 0.5);
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 7 * gapZ + 3 * gapC).Within(1e-3));
    }

    [Test]
    public void Joint_vaes_capacities_may_grow_at_different_rates()
    {
        var e = Evaluate(Configuration("joint-vae").With(("gamma", 7), ("gamma_category", 3), ("capacity", 6), ("capacity_epochs", 4),
            ("capacity_category_epochs", 2)), epoch: 1);
        Assert.That(e["loss"],
            Is.EqualTo(e.Nll + 7 * Math.Abs(e.KlZ - 6 * 0.25) + 3 * Math.Abs(e.KlC - Math.Log(Categories) * 0.5)).Within(1e-3));
    }

    [Test]
    public void While_the_category_trains_alone_nothing_else_counts()
    {
        var configuration = Configuration("joint-vae").With(("gamma", 7), ("encoder_mi", "5:4"), ("category_epochs", 2),
            ("epochs", 3));
        var e = Evaluate(configuration, epoch: 1.9);
        Assert.That(e["loss"], Is.EqualTo(-5 * (4 * e.CategoryEntropy - e.ConditionalEntropy)).Within(1e-4));
        Assert.That(e["nll"], Is.EqualTo(e.Nll).Within(1e-3), "logged all the same");
        Assert.That(Evaluate(configuration, epoch: 2)["loss"], Is.GreaterThan(e["loss"] + 10));
    }

    [Test]
    public void Beta_vae_weighs_both_kls()
    {
        var e = Evaluate(Configuration("beta-vae").With(("beta", 5)));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 5 * (e.KlZ + e.KlC)).Within(1e-3));
    }

    [Test]
    public void Info_vae_charges_the_aggregate_posteriors()
    {
        var e = Evaluate(Configuration("info-vae").With(("beta", 5), ("estimate", "batch")));
        // (C5): KL(q(y) || r) + KL(q(z) || r) of the vector z.
        double kl = Math.Log(Categories) - e.CategoryEntropy + e.AggregateKl((_, _) => 1.0 / Images);
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 5 * kl).Within(1e-3));
        Assert.That(e["kl_marginal"], Is.EqualTo(e.MarginalKl((_, _) => 1.0 / Images)).Within(1e-4), "the sum of marginals is logged");
        Assert.That(e["kl_aggregate"], Is.Not.EqualTo(e["kl_marginal"]).Within(0.01), "and is not what is charged");
    }

    [TestCase("batch")]
    [TestCase("stratified")]
    public void Imae_trades_the_marginals_the_categorys_information_and_the_total_correlation(string estimate)
    {
        var e = Evaluate(Configuration("imae").With(("beta", 5), ("gamma", 4), ("encoder_mi", "3:2"), ("estimate", estimate)));
        Func<int, int, double> weight = estimate == "batch" ? (_, _) => 1.0 / Images
            : (i, j) => j == i ? 1.0 / e.DataCount : j == (i + 1) % Images ? (e.DataCount - 2.0) / (e.DataCount * 2.0) : 1.0 / 2;
        Assert.That(e["tc"], Is.EqualTo(e.TotalCorrelation(weight)).Within(1e-4));
        Assert.That(e["mi"], Is.EqualTo(e.JointInformation(weight)).Within(1e-4));
        Assert.That(e["mi_category"], Is.EqualTo(e.CategoryEntropy - e.ConditionalEntropy).Within(1e-5));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 5 * e.MarginalKl(weight) + 4 * e.TotalCorrelation(weight)
            - 3 * (2 * e.CategoryEntropy - e.ConditionalEntropy)).Within(1e-3));
    }

    [Test]
    public void Vmi_vae_rewards_what_q_reads_from_the_output()
    {
        var e = Evaluate(Configuration("vmi-vae").With(("beta", 2), ("lambda", 3), ("mi_weight", 0.5), ("mi_factors", "1,2"),
            ("q_input", "mean"), ("q_network", "5")));
        double category = 0, factors = 0;
        for (int m = 0; m < Images; m++)
        {
            double[] head = e.Q(m), logits = head[..Categories];
            double logSum = Math.Log(logits.Sum(Math.Exp));
            category += Enumerable.Range(0, Categories).Sum(k => e.Y[m, k] * (logits[k] - logSum)) / Images;
            int[] chosen = [1, 2];
            for (int f = 0; f < 2; f++)
                factors += LogNormal(e.Z[m, chosen[f]], head[Categories + f], 10 * Math.Tanh(head[Categories + 2 + f] / 10)) / Images;
            factors -= Math.Log(Enumerable.Range(0, Images)
                .Average(j => Math.Exp(chosen.Sum(h => LogNormal(e.Z[m, h], e.Mu[j, h], e.LogVar[j, h]))))) / Images;
        }
        category += e.CategoryEntropy;
        Assert.That(e["mi_bound_category"], Is.EqualTo(category).Within(1e-4));
        Assert.That(e["mi_bound_factors"], Is.EqualTo(factors).Within(1e-4));
        Assert.That(e["loss"], Is.EqualTo(e.Nll + 2 * (e.KlZ + e.KlC) - 3 * category - 0.5 * factors).Within(1e-3));
    }

    private static RunConfiguration Configuration(string name) => Small.Configuration(name, "joint")
        .With(("categories", Categories), ("latents", Latents), ("noise", $"fixed:{S2}"), ("vat", 0), ("augment", 0), ("encoder_mi", "0"),
        ("category_epochs", 0), ("category_scale", 4));

    /// <summary>One step of a model: what it says, and what its parts say for the same draws.</summary>
    private sealed record Evaluation(Dictionary<string, double> Terms, double Nll, double[,] Z, double[,] Y, double[,] Mu, double[,] LogVar,
        double[,] P, int DataCount, Func<int, double[]> Q)
    {
        public double this[string term] => Terms[term];

        public double KlZ => Rows(i => Factors(h => 0.5 * (Math.Exp(LogVar[i, h]) + Mu[i, h] * Mu[i, h] - 1 - LogVar[i, h])));

        public double ConditionalEntropy => Rows(i => -Classes(k => P[i, k] * Math.Log(P[i, k])));

        public double KlC => Math.Log(Categories) - ConditionalEntropy;

        public double CategoryEntropy => -Classes(k => MeanP(k) * Math.Log(MeanP(k)));

        public double MarginalKl(Func<int, int, double> weight) =>
            Rows(i => Factors(h => LogMarginal(i, h, weight) - LogNormal(Z[i, h], 0, 0)));

        /// <summary>(X1) - log r(z): the vector's density, without the category.</summary>
        public double AggregateKl(Func<int, int, double> weight) => Rows(i =>
            Math.Log(Enumerable.Range(0, Images).Sum(j => weight(i, j) * Math.Exp(Factors(h => LogNormal(Z[i, h], Mu[j, h], LogVar[j,
                h])))))
            - Factors(h => LogNormal(Z[i, h], 0, 0)));

        /// <summary>(X3) with the row weights of (X4) in every density, the category's too.</summary>
        public double TotalCorrelation(Func<int, int, double> weight) => Rows(i => LogJoint(i, weight) - Factors(h => LogMarginal(i, h,
            weight))
            - Math.Log(Enumerable.Range(0, Images).Sum(j => weight(i, j) * Classes(k => Y[i, k] * P[j, k]))));

        public double JointInformation(Func<int, int, double> weight) =>
            Rows(i => Factors(h => LogNormal(Z[i, h], Mu[i, h], LogVar[i, h])) + Math.Log(Classes(k => Y[i, k] * P[i, k]))
                - LogJoint(i, weight));

        private double MeanP(int k) => Rows(i => P[i, k]);

        private double LogJoint(int i, Func<int, int, double> weight) =>
            Math.Log(Enumerable.Range(0, Images).Sum(j => weight(i, j) * Classes(k => Y[i, k] * P[j, k])
                * Math.Exp(Factors(h => LogNormal(Z[i, h], Mu[j, h], LogVar[j, h])))));

        private double LogMarginal(int i, int h, Func<int, int, double> weight) =>
            Math.Log(Enumerable.Range(0, Images).Sum(j => weight(i, j) * Math.Exp(LogNormal(Z[i, h], Mu[j, h], LogVar[j, h]))));

        private static double Rows(Func<int, double> f) => Enumerable.Range(0, Images).Average(f);

        private static double Factors(Func<int, double> f) => Enumerable.Range(0, Latents).Sum(f);

        private static double Classes(Func<int, double> f) => Enumerable.Range(0, Categories).Sum(f);
    }

    private Evaluation Evaluate(RunConfiguration configuration, double epoch = 0)
    {
        var data = Small.Halves(10);
        using var model = (JointModel)Small.Create(Compute, configuration, data);
        foreach (var scalar in model.ScheduledScalars)
            scalar.Set(epoch);
        using var tape = Compute.Tape(gradients: false, training: true);
        var x = tape.Constant(new(Images, 8, 8, 1), data.ToFloats(0, Images));
        model.Rng.BeginStep(1);
        var objective = model.Objective(x);
        var terms = objective.Terms.ToDictionary(t => t.Term.Name, t => (double)t.Term.Value.ToArray().Average());
        terms["loss"] = objective.Terms.Sum(t => t.Weight * (t.Factor?.Item() ?? 1) * t.Term.Value.ToArray().Average());

        model.Rng.BeginStep(1);
        var (q, c) = model.Infer(x);
        var z = q.Sample(model.Rng).Z;
        var category = ((JointSettings)configuration.Settings).Category;
        var temperature = tape.Full(Shape.Scalar, (float)(category.Temperature
            + (category.TemperatureEnd - category.Temperature) * epoch / configuration.Training.Epochs));
        var y = c!.LogProbabilities.GumbelSoftmax(temperature, model.Rng);
        var decoded = model.Decode(VaeModel.Code(z, y));
        double nll = x.ToArray().Zip(decoded.ToArray(), (a, g) => 0.5 * ((a - g) * (double)(a - g) / S2 + Math.Log(2 * Math.PI * S2)))
            .Sum() / Images;
        return new(terms, nll, Matrix(z), Matrix(y), Matrix(q.Mu), Matrix(q.LogVar), Matrix(c.Probabilities), data.Count,
            Q(model, Matrix(decoded.Reshape(Images, -1))));
    }

    /// <summary>Q's head of one row, from its weights: pixels - 5 - outputs, batch normalisation and ReLU between.</summary>
    private static Func<int, double[]> Q(VaeModel model, double[,] images)
    {
        var weights = model.Parameters.Where(p => p.Name.StartsWith("q.")).ToDictionary(p => p.Name, p => p.Value.ToArray());
        return row =>
        {
            const int width = 5;
            var hidden = new double[width];
            for (int o = 0; o < width; o++)
            {
                double[] column = [.. Enumerable.Range(0, Images).Select(m => weights["q.fc1.bias"][o] + Enumerable.Range(0, 64)
                    .Sum(i => images[m, i] * weights["q.fc1.weight"][i * width + o]))];
                double mean = column.Average(), variance = column.Average(v => (v - mean) * (v - mean));
                hidden[o] = Math.Max(0, (column[row] - mean) / Math.Sqrt(variance + 1e-5));
            }
            float[] head = weights["q.head.weight"], bias = weights["q.head.bias"];
            return [.. bias.Select((b, o) => b + Enumerable.Range(0, width).Sum(i => hidden[i] * head[i * bias.Length + o]))];
        };
    }

    private static double LogNormal(double z, double mu, double logVar) =>
        -0.5 * ((z - mu) * (z - mu) / Math.Exp(logVar) + logVar + Math.Log(2 * Math.PI));

    private static double[,] Matrix(Tensor t)
    {
        float[] values = t.ToArray();
        var matrix = new double[t.Shape[0], t.Shape[1]];
        for (int i = 0; i < values.Length; i++)
            matrix[i / t.Shape[1], i % t.Shape[1]] = values[i];
        return matrix;
    }
}
