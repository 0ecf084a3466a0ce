using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Estimators on CUDA, run by the emulator: the CPU's values, and the same bits each time.</summary>
[Category("Cuda")]
public sealed class CudaEstimatorTests
{
    [Test]
    public void A_stream_gives_the_indicators_of_the_cpu_and_the_same_bits_each_time()
    {
        var e = Synthetic.NumPyEncodings(3001);
        var cpu = Indicators.Compute(Synthetic.Backend, e);
        using var cuda = CudaEmulator.Open();
        var first = Streamed();
        Assert.Multiple(() =>
        {
            Assert.That(Streamed().Factors, Is.EqualTo(first.Factors));
            foreach (var f in first.Factors)
            {
                Assert.That(f.Information, Is.EqualTo(cpu.Factors[f.Factor].Information).Within(1e-6), $"(I2) {f.Factor}");
                Assert.That(f.CentredInformation, Is.EqualTo(cpu.Factors[f.Factor].CentredInformation).Within(1e-6), $"(I4) {f.Factor}");
                Assert.That(f.Kl, Is.EqualTo(cpu.Factors[f.Factor].Kl).Within(1e-5), $"(D1) {f.Factor}");
            }
        });

        Indicators Streamed()
        {
            using var stream = new EncodingStream(cuda, e, seed: 1, mixture: false);
            for (int from = 0; from < e.Points; from += 700)
                stream.Add(e.Rows([.. Enumerable.Range(from, Math.Min(700, e.Points - from))]));
            return stream.Indicators();
        }
    }

    [Test]
    public void The_mixture_draws_the_same_z_as_on_the_cpu()
    {
        var e = Synthetic.NumPyEncodings(300);
        var cpu = MixtureInformation.Compute(Synthetic.Backend, e, seed: 5);
        using var cuda = CudaEmulator.Open();
        var first = MixtureInformation.Compute(cuda, e, seed: 5);
        var again = MixtureInformation.Compute(cuda, e, seed: 5);
        Assert.Multiple(() =>
        {
            Assert.That(again.Information, Is.EqualTo(first.Information));
            Assert.That(again.Factors, Is.EqualTo(first.Factors));
            Assert.That(again.Joint, Is.EqualTo(first.Joint));
            Assert.That(first.Information.Value, Is.EqualTo(cpu.Information.Value).Within(1e-4));
            Assert.That(first.TotalCorrelation.Value, Is.EqualTo(cpu.TotalCorrelation.Value).Within(1e-4));
            Assert.That(first.Joint!.Information.Value, Is.EqualTo(cpu.Joint!.Information.Value).Within(1e-4));
        });
    }
}
