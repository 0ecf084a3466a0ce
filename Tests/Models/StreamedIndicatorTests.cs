using NUnit.Framework;
using VaeFromScratch.Engine;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Tests.Models;

/// <summary>The information estimator on the last hidden layer gives what it gives on stored encodings.</summary>
public sealed class StreamedIndicatorTests
{
    public static IEnumerable<string> Models => ModelCatalogue.All.Select(m => m.Name);

    [TestCaseSource(nameof(Models))]
    public void Indicators_without_stored_encodings_are_those_with(string model)
    {
        var configuration = Small.Configuration(model);
        using var compute = new Compute(new CpuBackend(2));
        var data = Small.Halves(620);
        using var training = new TrainingData(compute, data, "none", 1);
        using var vae = Small.Create(compute, configuration, data);
        using var trainer = new Trainer(vae, training, configuration);
        trainer.TrainEpoch();
        using var evaluator = new Evaluator(vae, data, configuration);
        Indicators streamed = evaluator.Indicators(), stored = Indicators.Compute(compute.Backend, evaluator.Encode());
        Assert.That(streamed.Points, Is.EqualTo(stored.Points));
        foreach (var (a, b) in streamed.Factors.Zip(stored.Factors))
            Assert.Multiple(() =>
            {
                Assert.That(a.Information, Is.EqualTo(b.Information).Within(2e-6));
                Assert.That(a.CentredInformation, Is.EqualTo(b.CentredInformation).Within(2e-6));
                Assert.That(a.AggregateVariance, Is.EqualTo(b.AggregateVariance).Within(2e-6 * b.AggregateVariance));
                Assert.That(a.Kl, Is.EqualTo(b.Kl).Within(2e-6));
            });
    }

    [Test]
    public void Any_number_of_threads_gives_the_same_bits()
    {
        const int Rows = 3001, Inputs = 40, Factors = 70;
        float[] one = Sums(1);
        foreach (int threads in (int[])[2, 3])
            Assert.That(Sums(threads), Is.EqualTo(one));

        static float[] Sums(int threads)
        {
            using IBackend backend = new CpuBackend(threads);
            using var pool = new BufferPool(backend);
            uint seed = 1;
            Slice<float> Draw(int n)
            {
                var x = pool.Rent<float>(n);
                var numbers = new Philox(seed++, 0, 0);
                foreach (ref float v in x.AsSpan())
                    v = numbers.NextUniform() - 0.5f;
                return x;
            }
            var sums = pool.Rent<float>(8 * Factors);
            backend.Fill(sums, 0);
            backend.HeadMoments(Rows, Inputs, Factors, Draw(Rows * Inputs), new(Draw(Inputs * Factors), Draw(Inputs * Factors)), new(Draw(Factors), Draw(Factors)), sums);
            return sums.AsSpan().ToArray();
        }
    }
}
