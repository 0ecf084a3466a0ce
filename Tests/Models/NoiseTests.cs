using NUnit.Framework;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

public sealed class NoiseTests : OnCpu
{
    private const int Rows = 50, Pixels = 40;

    [Test]
    public void With_the_network_frozen_both_updates_find_the_residual_variance()
    {
        var x = Values(Rows * Pixels, 1, -1, 1);
        double residual = x.Sum(v => v * (double)v) / x.Length;
        Assert.That(ClosedForm(x), Is.EqualTo(residual).Within(0.02 * residual));
        Assert.That(Gradient(x), Is.EqualTo(residual).Within(0.02 * residual));
    }

    [Test]
    public void The_closed_form_moves_by_at_most_its_maximum_change_and_never_below_the_floor()
    {
        var noise = new ClosedFormNoise(new(Start: 1, Decay: 0, MaximumChange: 0.1, Floor: 0.5));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        Step(noise, new float[Rows * Pixels]);
        Assert.That(noise.Variance, Is.EqualTo(0.9f).Within(1e-6));
        for (int i = 0; i < 20; i++)
            Step(noise, new float[Rows * Pixels]);
        Assert.That(noise.Variance, Is.EqualTo(0.5f));
    }

    [Test]
    public void Sigma_is_saved_as_its_logarithm()
    {
        var noise = new ClosedFormNoise(new(Start: 0.09));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        var parameter = noise.Parameters.Single();
        Assert.That(parameter.Name, Is.EqualTo("noise.log_sigma"));
        Assert.That(parameter.ToDisk(), Is.EqualTo(new[] { MathF.Log(0.3f) }).Within(1e-6));
        parameter.FromDisk([MathF.Log(0.2f)]);
        Assert.That(noise.Variance, Is.EqualTo(0.04f).Within(1e-6));
    }

    private double ClosedForm(float[] x)
    {
        var noise = new ClosedFormNoise(new(Start: 1, Decay: 0.9, MaximumChange: 0.05));
        using var arena = new ParameterArena(Compute, noise.Parameters);
        for (int i = 0; i < 300; i++)
            Step(noise, x);
        return noise.Variance!.Value;
    }

    private double Gradient(float[] x)
    {
        var noise = new GradientNoise(1);
        using var arena = new ParameterArena(Compute, noise.Parameters);
        using var optimiser = new Adam(Compute, arena);
        for (int i = 1; i <= 300; i++)
        {
            using var tape = Compute.Tape();
            tape.Backward(noise.NegativeLogLikelihood(tape.Constant(new(Rows, Pixels), x), tape.Full(new(Rows, Pixels), 0)).Value.Mean());
            optimiser.BeginStep(i, 0.02);
            optimiser.Update();
        }
        return noise.Variance!.Value;
    }

    private void Step(NoiseModel noise, float[] x)
    {
        using var tape = Compute.Tape();
        noise.NegativeLogLikelihood(tape.Constant(new(Rows, Pixels), x), tape.Full(new(Rows, Pixels), 0));
        noise.AfterStep();
    }
}
