namespace VaeFromScratch.Kernels.Cuda;

/// <summary>A captured step as one CUDA graph: replaying it is a single call to the driver, whatever the number of kernels.</summary>
internal sealed unsafe class CudaGraph : ICapturedStep
{
    private readonly CudaBackend backend;
    private readonly CudaDriver driver;
    private readonly nint stream;
    private nint instance;

    public CudaGraph(CudaBackend backend, CudaDriver driver, nint stream, nint graph, int calls, int longestChain)
    {
        this.backend = backend;
        this.driver = driver;
        this.stream = stream;
        Calls = calls;
        LongestChain = longestChain;
        nint handle;
        int result = driver.GraphInstantiate(&handle, graph, 0);
        driver.GraphDestroy(graph);
        driver.Check(result, $"making a CUDA graph of {calls} kernel calls");
        instance = handle;
    }

    public int Calls { get; }

    public int LongestChain { get; }

    public void Replay()
    {
        ObjectDisposedException.ThrowIf(instance == 0, this);
        backend.Enter();
        backend.Check(driver.GraphLaunch(instance, stream), "replaying a captured step");
    }

    public void Dispose()
    {
        if (instance == 0)
            return;
        driver.GraphExecDestroy(instance);
        instance = 0;
    }
}
