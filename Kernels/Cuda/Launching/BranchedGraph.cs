namespace VaeFromScratch.Kernels.Cuda;

/// <summary>A step that is being captured with branches: a CUDA graph put together launch by launch, in which each waits only for those whose memory it shares.</summary>
internal sealed unsafe class BranchedGraph
{
    private readonly CudaDriver driver;
    private readonly LaunchOrder order = new();
    private readonly List<nint> nodes = [];

    public BranchedGraph(CudaDriver driver)
    {
        this.driver = driver;
        nint graph;
        driver.Check(driver.GraphCreate(&graph, 0), "beginning to capture a step");
        Handle = graph;
    }

    public nint Handle { get; }

    /// <inheritdoc cref="LaunchOrder.LongestChain"/>
    public int LongestChain => order.LongestChain;

    /// <inheritdoc cref="LaunchOrder.ChooseLane"/>
    public int ChooseLane(in LaunchMemory memory) => order.ChooseLane(memory);

    /// <summary>Adds a launch and returns the driver's result. Arguments are copied.</summary>
    public int Add(in KernelNode launch, in LaunchMemory memory)
    {
        var waitsFor = order.Add(memory);
        var dependencies = stackalloc nint[waitsFor.Count];
        for (int i = 0; i < waitsFor.Count; i++)
            dependencies[i] = nodes[waitsFor[i]];
        nint node;
        fixed (KernelNode* parameters = &launch)
        {
            int result = driver.GraphAddKernelNode(&node, Handle, dependencies, (nuint)waitsFor.Count, parameters);
            nodes.Add(node);
            return result;
        }
    }
}
