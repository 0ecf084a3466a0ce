using MathNet.Numerics.LinearAlgebra;
using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Zoo;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// A VAE with linear networks has a known optimum, probabilistic PCA: NLL, sigma^2 and each factor's information at once (equations.md
/// (M9)).
/// </summary>
public sealed class LinearVaeTests : OnCpu
{
    private const int Points = 2000, Dimensions = 6, Factors = 2;

    [Test]
    public void Linear_vae_reaches_the_optimum_of_probabilistic_pca()
    {
        var x = PlantedData(out double pcaNll, out double pcaVariance, out double[] pcaInformation);
        var image = new ImageShape(1, 1, Dimensions);
        var init = new Initialise(3);
        var encoder = new GaussianEncoder(new Function(t => t.Reshape(-1, Dimensions)), Dimensions,
            new Linear("encoder.mu", Dimensions, Factors, init), new Linear("encoder.logvar", Dimensions, Factors, init));
        var decoder =
            new Sequential(new Linear("decoder.fc1", Factors, Dimensions, init), new Function(t => t.Reshape(-1, 1, 1, Dimensions)));
        using var model = new BetaVae(new(Compute, image, Factors, encoder, decoder, new GradientNoise(1), new Rng(Compute, 1)),
            new() { Beta = 1, KlWarmUpEpochs = 0 });
        using var optimiser = new Adam(Compute, model.Arena);
        var data = Compute.Allocate(new(Points, 1, 1, Dimensions), x);
        const int steps = 4000;
        using (var step = Compute.Capture(() =>
        {
            model.Rng.RestartDraws();
            using var tape = Compute.Tape();
            tape.Backward(model.Objective(data).Seeds());
            optimiser.Update();
        }))
            for (int t = 1; t <= steps; t++)
            {
                model.Rng.BeginStep((uint)t);
                optimiser.BeginStep(t, t < steps / 2 ? 0.02 : 0.02 * Math.Pow(0.01, 2.0 * t / steps - 1));
                step.Replay();
            }

        double bound = 0;
        const int draws = 50;
        float[] mu, logVar;
        using (var tape = Compute.Tape(gradients: false))
        {
            for (uint draw = 0; draw < draws; draw++)
            {
                model.Rng.BeginStep(0x8000_0000 + draw);
                bound += model.Objective(data).Terms.Sum(t => t.Term.Value.ToArray().Average()) / draws;
            }
            var q = model.Encode(data);
            (mu, logVar) = (q.Mu.ToArray(), q.LogVar.ToArray());
        }
        var information = Indicators.Compute(Compute.Backend, new Encodings(Points, Factors, mu, logVar)).Ranked.Select(f => f.Information)
            .ToArray();
        Compute.Free(data);
        Assert.That(model.Noise.Variance, Is.EqualTo(pcaVariance).Within(0.02 * pcaVariance));
        Assert.That(bound, Is.EqualTo(pcaNll).Within(0.02));
        // The optimum is unique up to a rotation of factors with equal weight; distinct eigenvalues and the diagonal posterior fix the
        // axes.
        Assert.That(information, Is.EqualTo(pcaInformation).Within(0.03));
    }

    /// <summary>
    /// Gaussian data with two strong directions, and the optimum in closed form from the sample covariance's eigenvalues.
    /// </summary>
    private static float[] PlantedData(out double nll, out double variance, out double[] information)
    {
        var random = new Random(11);
        double[] scale = [2.0, 1.0, 0.3, 0.3, 0.3, 0.3];
        var rotation =
            Matrix<double>.Build.Dense(Dimensions, Dimensions, (_, _) => MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1)).QR().Q;
        var z = Matrix<double>.Build.Dense(Points, Dimensions,
            (_, j) => scale[j] * MathNet.Numerics.Distributions.Normal.Sample(random, 0, 1));
        var x = z * rotation.Transpose();
        for (int j = 0; j < Dimensions; j++)
            x.SetColumn(j, x.Column(j) - x.Column(j).Average());
        var eigenvalues = (x.TransposeThisAndMultiply(x) / Points).Evd(Symmetricity.Symmetric).EigenValues.Select(v => v.Real)
            .OrderDescending().ToArray();
        double s2 = variance = eigenvalues.Skip(Factors).Average();
        information = [.. eigenvalues.Take(Factors).Select(l => 0.5 * Math.Log(l / s2))];
        nll = 0.5 * (Dimensions * Math.Log(2 * Math.PI) + eigenvalues.Take(Factors).Sum(Math.Log) + (Dimensions - Factors) * Math.Log(s2)
            + Dimensions);
        return [.. x.EnumerateRows().SelectMany(row => row.Select(v => (float)v))];
    }
}
