using ILGPU.Runtime;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>How long the device itself takes, by its own clock, where it was opened by <see cref="Kernels.Device.OpenTimed"/>.</summary>
internal sealed partial class GpuBackend
{
    private const int TimedRuns = 11, MostCallsOfRun = 256;
    private const double SecondsOfRun = 1e-3;

    /// <summary>
    /// Seconds of one call between two marks in the stream: the median of eleven runs, each of as many calls as take a millisecond, up to
    /// 256.
    /// </summary>
    /// <remarks>
    /// A run is one captured step, on CUDA devices a graph, so that the host's launches do not count. OpenCL has no graphs, and ILGPU waits
    /// for the first mark before anything is launched: there, calls shorter than their launch take as long as that.
    /// </remarks>
    /// <exception cref="NotSupportedException">The device was opened without its clock.</exception>
    public double DeviceSeconds(Action<IBackend> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        // Compiles, and takes the workspace that it needs.
        call(this);
        Synchronise();
        int calls = 1;
        while (true)
        {
            using var run = Capture(backend =>
            {
                for (int i = 0; i < calls; i++)
                    call(backend);
            });
            Elapsed(run);
            double seconds = Elapsed(run);
            if (seconds >= SecondsOfRun || calls == MostCallsOfRun)
            {
                double[] all = [.. Enumerable.Range(0, TimedRuns).Select(_ => Elapsed(run)).Order()];
                return all[TimedRuns / 2] / calls;
            }
            // The aim is a little beyond, so that the next run is the last.
            calls = (int)Math.Clamp(1.25 * calls * SecondsOfRun / Math.Max(seconds, 1e-9), calls + 1, MostCallsOfRun);
        }
    }

    private double Elapsed(ICapturedStep run)
    {
        using var begin = stream.AddProfilingMarker();
        run.Replay();
        using var end = stream.AddProfilingMarker();
        return end.MeasureFrom(begin).TotalSeconds;
    }
}
