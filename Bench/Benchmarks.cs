using BenchmarkDotNet.Attributes;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench;

/// <summary>Times the workloads that a subclass lists. A workload that gives a wrong answer stops its benchmark in set-up.</summary>
public abstract class WorkloadBenchmark(IEnumerable<Workload> rows)
{
    private CpuBackend? backend;
    private Ready? ready;
    private Action run = () => { };

    [ParamsSource(nameof(Rows))]
    public Workload Row { get; set; } = null!;

    public IEnumerable<Workload> Rows => rows;

    [GlobalSetup]
    public void Prepare()
    {
        backend = new CpuBackend();
        ready = Row.Prepare(backend);
        run = ready.Run;
        BenchConfig.Prepared[Row.Name] = new(ready.Cost, Machine.PeakOf(ready.Threads == 0 ? backend.Threads : ready.Threads));
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

public class MicrokernelBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Microkernels);

public class ProductBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Products);

public class ConvolutionBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Convolutions);

public class ElementwiseBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Elementwise);

public class MemoryBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Memory);

public class ReductionBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Reductions);

public class SoftmaxBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Softmax);

public class DrawBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Draws);

public class RecurrentBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Recurrent);

public class FusedBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Fused);

public class MixtureBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Mixture);

public class BatchNormBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.BatchNorm);

public class OptimiserBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.Optimisers);

public class MutualInformationBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.MutualInformation);

public class TapeOverheadBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.TapeOverhead);

public class TrainingStepBenchmarks() : WorkloadBenchmark(WorkloadCatalogue.TrainingSteps);
