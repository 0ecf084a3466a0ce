using static VaeFromScratch.Kernels.Gpu.Cuda.CudaDriver;

namespace VaeFromScratch.Kernels.Gpu.Cuda;

/// <summary>
/// The launches and copies that a step made on one stream, as a graph: replaying them is one call to the driver, whatever their number.
/// </summary>
/// <remarks>
/// Whoever holds it also holds every kernel, buffer and stream that the step used. Inside the step the capturing thread may not load a
/// kernel, allocate, free, wait, or copy in a way that waits: the driver refuses that, and the capture with it.
/// </remarks>
internal sealed unsafe class CudaGraph : IDisposable
{
    private readonly Action bind;
    private readonly nint stream;
    private nint instance;

    private CudaGraph(Action bind, nint stream, nint instance, int nodes)
    {
        this.bind = bind;
        this.stream = stream;
        this.instance = instance;
        Nodes = nodes;
    }

    /// <summary>Launches, copies and fills of one replay.</summary>
    public int Nodes { get; }

    /// <summary>Runs <paramref name="step"/> with the stream writing down what it is given instead of doing it.</summary>
    /// <param name="bind">Makes the device's context current on the calling thread.</param>
    /// <param name="stream">Not the default stream, which cannot be captured.</param>
    /// <exception cref="DeviceException">The step did what a capture forbids. What the step itself throws goes before.</exception>
    public static CudaGraph Capture(Action bind, nint stream, Action step)
    {
        bind();
        Check(cuStreamBeginCapture_v2(stream, ThreadLocalCapture));
        nint graph;
        try
        {
            step();
        }
        catch
        {
            bind();
            // Nothing is left of a step that did not end; the stream works on.
            if (cuStreamEndCapture(stream, &graph) == 0)
                _ = cuGraphDestroy(graph);
            throw;
        }
        bind();
        Check(cuStreamEndCapture(stream, &graph));
        try
        {
            nuint nodes;
            Check(cuGraphGetNodes(graph, null, &nodes));
            nint instance;
            Check(cuGraphInstantiateWithFlags(&instance, graph, 0));
            return new(bind, stream, instance, (int)nodes);
        }
        finally
        {
            _ = cuGraphDestroy(graph);
        }
    }

    /// <summary>Does the step's launches again, with what the memory holds then.</summary>
    public void Launch()
    {
        ObjectDisposedException.ThrowIf(instance == 0, this);
        bind();
        Check(cuGraphLaunch(instance, stream));
    }

    public void Dispose()
    {
        if (instance == 0)
            return;
        bind();
        _ = cuGraphExecDestroy(instance);
        instance = 0;
    }
}
