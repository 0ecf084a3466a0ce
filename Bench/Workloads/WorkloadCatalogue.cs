namespace VaeFromScratch.Bench.Workloads;

/// <summary>All workloads. A test checks that every operation of the backend is among them.</summary>
public static class WorkloadCatalogue
{
    public static IEnumerable<Workload> Microkernels => MicrokernelWorkloads.All();
    public static IEnumerable<Workload> Products => KernelWorkloads.Products();
    public static IEnumerable<Workload> Convolutions => KernelWorkloads.Convolutions();
    public static IEnumerable<Workload> Elementwise => KernelWorkloads.Elementwise();
    public static IEnumerable<Workload> Memory => KernelWorkloads.Memory();
    public static IEnumerable<Workload> Reductions => KernelWorkloads.Reductions();
    public static IEnumerable<Workload> Softmax => KernelWorkloads.Softmax();
    public static IEnumerable<Workload> Draws => KernelWorkloads.Draws();
    public static IEnumerable<Workload> Recurrent => KernelWorkloads.Recurrent();
    public static IEnumerable<Workload> Fused => KernelWorkloads.Fused();
    public static IEnumerable<Workload> Mixture => KernelWorkloads.Mixture();
    public static IEnumerable<Workload> BatchNorm => KernelWorkloads.BatchNorm();
    public static IEnumerable<Workload> Optimisers => KernelWorkloads.Optimisers();
    public static IEnumerable<Workload> MutualInformation => StepWorkloads.MutualInformation();
    public static IEnumerable<Workload> TapeOverhead => StepWorkloads.TapeOverhead();
    public static IEnumerable<Workload> TrainingSteps => StepWorkloads.TrainingSteps();

    /// <summary>Those that are timed on a GPU too: what training and the estimators spend their time in.</summary>
    public static IEnumerable<KernelWorkload> Gpu => GpuWorkloads.All();

    public static IEnumerable<Workload> All =>
    [
        .. Microkernels, .. Products, .. Convolutions, .. Elementwise, .. Memory, .. Reductions, .. Softmax, .. Draws, .. Recurrent,
            .. Fused, .. Mixture, .. BatchNorm, .. Optimisers,
        .. MutualInformation, .. TapeOverhead, .. TrainingSteps,
    ];
}
