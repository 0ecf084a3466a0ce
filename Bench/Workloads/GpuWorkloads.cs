namespace VaeFromScratch.Bench.Workloads;

/// <summary>The kernel calls that are timed on a GPU beside the CPU: a handful of the others' rows.</summary>
internal static class GpuWorkloads
{
    private static readonly string[] Names =
    [
        "EncodingMoments 10000x128",
        "mnist1 forward", "mnist1 backward data", "mnist1 backward weight",
        "mnist2 forward", "mnist2 backward data", "mnist2 backward weight",
        "MatMul NN 100x1568x256", "MatMul NN 1024x1024x1024",
        "Reparameterise 10000x128", "GumbelSoftmax 2000x10", "BernoulliNll 100x784", "SoftmaxCrossEntropy 2000x10",
        "MixtureLogDensity 100x10000x10, weights 0, joint, marginal",
        $"Adam {KernelWorkloads.ConvVaeParameters}, decay 0",
    ];

    public static IEnumerable<KernelWorkload> All()
    {
        var known = WorkloadCatalogue.All.OfType<KernelWorkload>().ToDictionary(w => w.Name);
        return Names.Select(name => known[name]);
    }
}
