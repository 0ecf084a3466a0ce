using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// Each objective against a value worked out here in double precision from the model's own encodings and reconstructions.
/// </summary>
public sealed class ObjectiveTests : OnCpu
{
    private const int Images = 3;

    [TestCase("vae", 1.0)]
    [TestCase("beta-vae", 10.0)]
    public void Beta_vae_is_reconstruction_plus_beta_times_kl(string name, double beta)
    {
        var terms = Evaluate(Small.Configuration(name).WithOwn(("beta", beta), ("noise", "fixed:0.05")), out double nll, out double[] kl);
        Assert.That(terms["nll"], Is.EqualTo(nll).Within(1e-5 * Math.Abs(nll)));
        Assert.That(terms["kl"], Is.EqualTo(kl.Average()).Within(1e-5));
        Assert.That(terms["loss"], Is.EqualTo(nll + beta * kl.Average()).Within(1e-4));
    }

    [Test]
    public void Capacity_vae_charges_the_distance_of_the_mean_kl_to_the_capacity()
    {
        var configuration = Small.Configuration("capacity-vae")
            .With(("gamma", 30), ("capacity", 7), ("capacity_epochs", 2), ("noise", "fixed:0.05"));
        var terms = Evaluate(configuration, out double nll, out double[] kl, epoch: 1);
        double gap = Math.Abs(kl.Average() - 7 * 0.5);
        Assert.That(terms["capacity_gap"], Is.EqualTo(gap).Within(1e-5));
        Assert.That(terms["loss"], Is.EqualTo(nll + 30 * gap).Within(1e-3));
    }

    [Test]
    public void A_kl_warm_up_scales_beta_with_the_epoch()
    {
        var configuration = Small.Configuration().With(("beta", 4), ("kl_warm_up_epochs", 2), ("noise", "fixed:0.05"));
        var terms = Evaluate(configuration, out double nll, out double[] kl, epoch: 0.5);
        Assert.That(terms["loss"], Is.EqualTo(nll + 1 * kl.Average()).Within(1e-4));
    }

    /// <summary>
    /// The terms of the objective on three images, with NLL and KL computed here from what encoder and decoder give for the same noise.
    /// </summary>
    private Dictionary<string, double> Evaluate(RunConfiguration configuration, out double nll, out double[] kl, double epoch = 0)
    {
        var data = Small.Halves(Images);
        using var model = Small.Create(Compute, configuration, data);
        foreach (var scalar in model.ScheduledScalars)
            scalar.Set(epoch);
        using var tape = Compute.Tape(gradients: false);
        var x = tape.Constant(new(Images, 8, 8, 1), data.ToFloats(0, Images));
        model.Rng.BeginStep(1);
        var objective = model.Objective(x);
        var terms = objective.Terms.ToDictionary(t => t.Term.Name, t => (double)t.Term.Value.ToArray().Average());
        terms["loss"] = objective.Terms.Sum(t => t.Weight * (t.Factor?.Item() ?? 1) * t.Term.Value.ToArray().Average());

        model.Rng.BeginStep(1);
        var q = model.Encode(x);
        float[] mu = q.Mu.ToArray(), logVar = q.LogVar.ToArray();
        float[] decoded = model.Decode(q.Sample(model.Rng).Z).ToArray(), pixels = x.ToArray();
        double s2 = model.Noise.Variance!.Value;
        nll = pixels.Zip(decoded, (a, g) => 0.5 * ((a - g) * (double)(a - g) / s2 + Math.Log(2 * Math.PI * s2))).Sum() / Images;
        kl = new double[Images];
        for (int i = 0; i < mu.Length; i++)
            kl[i / model.Latents] += 0.5 * (Math.Exp(logVar[i]) + mu[i] * (double)mu[i] - 1 - logVar[i]);
        return terms;
    }
}
