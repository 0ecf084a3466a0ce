using MathNet.Numerics.LinearAlgebra;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Zoo;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Importance-weighted bounds of a linear model, whose likelihood is a Gaussian's and known exactly.</summary>
public sealed class ImportanceTests : OnCpu
{
    private const int Images = 40, Pixels = 6, Factors = 2;
    private const double S2 = 0.3;

    private static readonly ImageDataset Data =
        new("lines", "test", Images, 1, 1, Pixels, [.. Values(Images * Pixels, 8, 0, 256).Select(v => (byte)v)], null, 0, 1f / 255);

    private static readonly RunConfiguration Configuration = ModelCatalogue.Defaults("vae");

    [Test]
    public void Iwae_is_the_elbo_with_one_sample_and_tightens_towards_the_nll_as_samples_grow()
    {
        double exact = ExactNll();
        double elbo = Bound(parts => new BetaVae(parts, new() { Beta = 1, KlWarmUpEpochs = 0 }), "nll", "kl"),
            one = Bound(parts => new Iwae(parts, 1), "iwae"), few = Bound(parts => new Iwae(parts, 5), "iwae"),
            many = Bound(parts => new Iwae(parts, 100), "iwae");
        Assert.That(one, Is.EqualTo(elbo).Within(0.05));
        Assert.That(few, Is.LessThan(one - 0.05));
        Assert.That(many, Is.LessThan(few - 0.02));
        Assert.That(many, Is.GreaterThan(exact - 0.02));
    }

    [Test]
    public void Importance_sampling_falls_to_the_exact_nll()
    {
        using var model = Linear(parts => new BetaVae(parts, new() { Beta = 1, KlWarmUpEpochs = 0 }));
        using var evaluator = new Evaluator(model, Data, Configuration);
        double exact = ExactNll(), few = evaluator.ImportanceNll(3), many = evaluator.ImportanceNll(3000);
        Assert.That(many, Is.EqualTo(exact).Within(0.02));
        Assert.That(few, Is.GreaterThan(many + 0.05));
        Assert.That(evaluator.ImportanceNll(3), Is.EqualTo(few), "the same seed draws the same samples");
        Assert.That(() => evaluator.ImportanceNll(0), Throws.TypeOf<OptionException>());
    }

    [Test]
    public void An_evaluation_reports_the_importance_sampled_nll_when_it_is_asked_for()
    {
        using var model = Linear(parts => new BetaVae(parts, new() { Beta = 1, KlWarmUpEpochs = 0 }));
        Assert.That(EvaluationResult.Compute(model, Data, Configuration).ToJson()["nll_importance_nats"], Is.Null);
        var json = EvaluationResult.Compute(model, Data, Configuration, importanceSamples: 500).ToJson();
        Assert.That(json["nll_importance_nats"]!.GetValue<double>(), Is.EqualTo(ExactNll()).Within(0.1));
        Assert.That(json["importance_samples"]!.GetValue<int>(), Is.EqualTo(500));
    }

    /// <summary>
    /// The gradient of the bound with respect to sigma^2 is 0 where sigma^2 = sum_k w_k |x - g(z_k)|^2 / D, w_k = p(x, z_k) / q(z_k|x) over
    /// its sum: without decay the
    /// closed form goes there in one step.
    /// </summary>
    [TestCase("learned")]
    [TestCase("mog:1")]
    public void The_closed_form_of_iwaes_variance_weighs_samples_by_importance(string noise)
    {
        const int samples = 7;
        NoiseModel learned = noise == "learned" ? new ClosedFormNoise(new(S2, Decay: 0, MaximumChange: 1e6))
            : new MixtureNoise(new(1, S2, Decay: 0, MaximumChange: 1e6));
        using var model = Linear(parts => new Iwae(parts, samples), learned);
        model.Rng.BeginStep(3);
        using (var tape = Compute.Tape())
        {
            tape.Backward(model.Objective(tape.Constant(new(Images, 1, 1, Pixels), Data.ToFloats(0, Images))).Seeds());
            model.Noise.AfterStep();
        }
        double weighted = 0, plain = 0;
        model.Rng.BeginStep(3);
        using var again = Compute.Tape(gradients: false);
        float[] x = Data.ToFloats(0, Images);
        var q = model.Encode(again.Constant(new(Images, 1, 1, Pixels), x)).Repeat(samples);
        var z = q.Sample(model.Rng).Z;
        float[] decoded = model.Decode(z).ToArray(), ratio = q.LogRatioToPrior(z).ToArray();
        for (int m = 0; m < Images; m++)
        {
            var (errors, logs) = (new double[samples], new double[samples]);
            for (int k = 0; k < samples; k++)
            {
                int row = k * Images + m;
                errors[k] = Enumerable.Range(0, Pixels).Sum(d => Math.Pow(x[m * Pixels + d] - decoded[row * Pixels + d], 2));
                logs[k] = -errors[k] / (2 * S2) - ratio[row];
            }
            double sum = logs.Sum(l => Math.Exp(l - logs.Max()));
            weighted += Enumerable.Range(0, samples).Sum(k => Math.Exp(logs[k] - logs.Max()) / sum * errors[k]) / (Images * Pixels);
            plain += errors.Average() / (Images * Pixels);
        }
        Assert.That(model.Noise.Variance, Is.EqualTo(weighted).Within(1e-4 * weighted));
        Assert.That(weighted, Is.LessThan(0.98 * plain), "the two readings can be told apart");
    }

    /// <summary>The sum of terms, averaged over images and many draws.</summary>
    private double Bound(Func<VaeParts, VaeModel> create, params string[] terms)
    {
        const int draws = 300;
        using var model = Linear(create);
        double sum = 0;
        for (uint draw = 0; draw < draws; draw++)
        {
            model.Rng.BeginStep(draw);
            using var tape = Compute.Tape(gradients: false);
            var objective = model.Objective(tape.Constant(new(Images, 1, 1, Pixels), Data.ToFloats(0, Images)));
            sum += objective.Terms.Where(t => terms.Contains(t.Term.Name)).Sum(t => t.Term.Value.ToArray().Average(v => (double)v)) / draws;
        }
        return sum;
    }

    private VaeModel Linear(Func<VaeParts, VaeModel> create, NoiseModel? noise = null)
    {
        var init = new Initialise(3);
        var encoder = new GaussianEncoder(new Function(t => t.Reshape(-1, Pixels)), Pixels, new Linear("encoder.mu", Pixels, Factors, init),
            new Linear("encoder.logvar", Pixels, Factors, init));
        var decoder = new Sequential(new Linear("decoder.fc1", Factors, Pixels, init), new Function(t => t.Reshape(-1, 1, 1, Pixels)));
        return create(new(Compute, new ImageShape(1, 1, Pixels), Factors, encoder, decoder, noise ?? new FixedNoise(S2), new Rng(Compute,
            1)));
    }

    /// <summary>x ~ N(b, W^T W + s2 I), with the decoder's weights W [factors, pixels] and bias b.</summary>
    private double ExactNll()
    {
        using var model = Linear(parts => new BetaVae(parts, new() { Beta = 1, KlWarmUpEpochs = 0 }));
        var values = model.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray());
        var w = Matrix<double>.Build.Dense(Factors, Pixels, (k, d) => values["decoder.fc1.weight"][k * Pixels + d]);
        var b = Vector<double>.Build.Dense(Pixels, d => values["decoder.fc1.bias"][d]);
        var covariance = w.TransposeThisAndMultiply(w) + S2 * Matrix<double>.Build.DenseIdentity(Pixels);
        var factor = covariance.Cholesky();
        float[] pixels = Data.ToFloats(0, Images);
        return Enumerable.Range(0, Images).Average(m =>
        {
            var e = Vector<double>.Build.Dense(Pixels, d => pixels[m * Pixels + d]) - b;
            return 0.5 * (e * factor.Solve(e) + factor.DeterminantLn + Pixels * Math.Log(2 * Math.PI));
        });
    }
}
