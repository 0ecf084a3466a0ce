using BenchmarkDotNet.Attributes;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench;

/// <summary>Times the workloads that a subclass lists. A workload that gives a wrong answer stops its benchmark in set-up.</summary>
public abstract class WorkloadBenchmark
{
    private CpuBackend? backend;
    private Ready? ready;
    private Action run = () => { };

    [ParamsSource(nameof(Rows))]
    public Workload Row { get; set; } = null!;

    public abstract IEnumerable<Workload> Rows { get; }

    [GlobalSetup]
    public void Prepare()
    {
        backend = new CpuBackend();
        ready = Row.Prepare(backend);
        run = ready.Run;
        BenchConfig.Prepared[Row.Name] = (ready.Cost, Machine.PeakOf(ready.Threads == 0 ? backend.Threads : ready.Threads));
    }

    [Benchmark]
    public void Run() => run();

    [GlobalCleanup]
    public void Release()
    {
        ready?.Dispose();
        backend?.Dispose();
    }
}

public class MicrokernelBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Microkernels;
}

public class ProductBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Products;
}

public class ConvolutionBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Convolutions;
}

public class ElementwiseBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Elementwise;
}

public class MemoryBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Memory;
}

public class ReductionBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Reductions;
}

public class SoftmaxBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Softmax;
}

public class DrawBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Draws;
}

public class FusedBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Fused;
}

public class MixtureBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Mixture;
}

public class BatchNormBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.BatchNorm;
}

public class OptimiserBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.Optimisers;
}

public class MutualInformationBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.MutualInformation;
}

public class TapeOverheadBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.TapeOverhead;
}

public class TrainingStepBenchmarks : WorkloadBenchmark
{
    public override IEnumerable<Workload> Rows => WorkloadCatalogue.TrainingSteps;
}
