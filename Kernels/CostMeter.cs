namespace VaeFromScratch.Kernels;

/// <summary>Does each kernel call and adds up the least work that it stands for.</summary>
internal sealed class CostMeter(IBackend inner) : BackendDecorator(inner)
{
    private double flops;
    private double bytes;

    /// <summary>The work of all calls so far.</summary>
    public KernelCost Total => new("total", flops, bytes);

    /// <summary>The work of the calls that <paramref name="call"/> makes.</summary>
    public static KernelCost Of(IBackend backend, Action<IBackend> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        var meter = new CostMeter(backend);
        call(meter);
        return meter.Total;
    }

    protected override void Invoke(KernelCost cost, Action<IBackend> call)
    {
        flops += cost.Flops;
        bytes += cost.Bytes;
        call(Inner);
    }

    public override ICapturedStep Capture(Action<IBackend> step) => RecordingBackend.Record(this, step);

    public override void Dispose() => Inner.Dispose();
}
