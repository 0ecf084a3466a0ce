using VaeFromScratch.Bench.Networks;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>Whole training steps, what a tape costs in them, and the mutual-information estimator.</summary>
internal static class StepWorkloads
{
    private static readonly ImageShape Mnist = new(28, 28, 1), CelebA = new(64, 64, 3), Cifar = new(32, 32, 3);

    private delegate Network Factory(Compute compute, ImageDataset images);

    public static IEnumerable<Workload> TrainingSteps() =>
    [
        Step("training step, MNIST conv, batch 100", Network.ConvolutionalVae, Mnist, 100),
        Step("training step, MNIST conv, batch 512", Network.ConvolutionalVae, Mnist, 512),
        Step("training step, CelebA conv, batch 64", Network.ConvolutionalVae, CelebA, 64),
        Step("training step, IMAE MLP, batch 100", (compute, _) => ImaeMlp.Create(compute), Mnist, 100),
        Step("training step, CIFAR-10 EXoN, batch 128", Network.Exon, Cifar, 128),
    ];

    /// <summary>The same step eagerly and captured; at batch 8 there is little else than overhead.</summary>
    public static IEnumerable<Workload> TapeOverhead() =>
        from batch in new[] { 8, 100 }
        from eager in new[] { true, false }
        select Step($"{(eager ? "eager tape" : "captured replay")}, IMAE MLP, batch {batch}", (compute, _) => ImaeMlp.Create(compute),
            Mnist, batch, eager);

    /// <summary>
    /// The indicators of 10 000 encodings of 128 factors: the kernel's pass with the formulas, and through the public call with all its
    /// checks.
    /// </summary>
    public static IEnumerable<Workload> MutualInformation() =>
    [
        new("MutualInformation", "information from moments 10000x128", backend => Information(backend, throughPublicCall: false)),
        new("MutualInformation", "Indicators.Compute 10000x128", backend => Information(backend, throughPublicCall: true)),
    ];

    private static Workload Step(string name, Factory create, ImageShape shape, int batch, bool eager = false) =>
        new("TrainingStep", name, backend =>
    {
        var images = RandomImages.Make(2 * batch, shape);
        var cost = CostOf(backend.Threads, create, images, batch);
        var compute = new Compute(new CpuBackend(backend.Threads));
        var step = new TrainingStep(compute, create(compute, images), images, batch);
        step.Validate(name);
        int[] indices = step.Batch(epoch: 1);
        return new(eager ? () => step.RunEagerly(indices) : () => step.Run(indices), cost, step);
    });

    private static KernelCost CostOf(int threads, Factory create, ImageDataset images, int batch)
    {
        var meter = new CostMeter(new CpuBackend(threads));
        var compute = new Compute(meter);
        using var step = new TrainingStep(compute, create(compute, images), images, batch);
        var before = meter.Total;
        step.RunEagerly(step.Batch(epoch: 0));
        return new("step", meter.Total.Flops - before.Flops, meter.Total.Bytes - before.Bytes);
    }

    private static Ready Information(CpuBackend backend, bool throughPublicCall)
    {
        const int rows = KernelWorkloads.Rows, factors = KernelWorkloads.Latents;
        var inputs = new CaseContext(backend);
        float[] mu = inputs.Uniform(rows * factors, -2, 2), logVar = inputs.Uniform(rows * factors, -4, 1);
        var pool = new BufferPool(backend);
        Slice<float> m = inputs.Upload(mu), l = inputs.Upload(logVar), sums = pool.Rent<float>(8 * factors);
        var pairs = new float[8 * factors];
        var information = new double[factors];
        var encodings = new Encodings(rows, factors, mu, logVar);
        Action run = throughPublicCall ? Public : Kernel;
        run();
        for (int h = 0; h < factors; h++)
        {
            double variance = 0, mean = 0;
            for (int i = h; i < mu.Length; i += factors)
            {
                variance += (Math.Exp(logVar[i]) + (double)mu[i] * mu[i]) / rows;
                mean += logVar[i] / (double)rows;
            }
            double expected = 0.5 * (Math.Log(variance) - mean);
            if (!(Math.Abs(information[h] - expected) <= 1e-6))
                throw new WrongResultException($"mutual information of factor {h}: {information[h]} nats, reference {expected}");
        }
        return new(run, CostMeter.Of(backend, b => b.EncodingMoments(rows, factors, m, l, sums)), new Both(inputs, pool));

        void Kernel()
        {
            backend.Fill(sums, 0);
            backend.EncodingMoments(rows, factors, m, l, sums, points: 0, indicators: default);
            backend.Download(sums, pairs);
            for (int h = 0; h < factors; h++)
                information[h] = 0.5 * (Math.Log((Sum(0, h) + Sum(1, h)) / rows) - Sum(3, h) / rows);
        }

        double Sum(int which, int h) => (double)pairs[2 * (which * factors + h)] + pairs[2 * (which * factors + h) + 1];

        void Public()
        {
            var result = Indicators.Compute(backend, encodings);
            for (int h = 0; h < factors; h++)
                information[h] = result.Factors[h].Information;
        }
    }

    private sealed class Both(IDisposable a, IDisposable b) : IDisposable
    {
        public void Dispose()
        {
            a.Dispose();
            b.Dispose();
        }
    }
}
