namespace VaeFromScratch.Kernels;

/// <summary>Writes kernel calls down instead of doing them: how a step is captured on a device that has no graphs of its own.</summary>
internal sealed class RecordingBackend : BackendDecorator
{
    private readonly List<Action<IBackend>> calls = [];

    private RecordingBackend(IBackend inner) : base(inner)
    {
    }

    public static ICapturedStep Record(IBackend inner, Action<IBackend> step)
    {
        var recorder = new RecordingBackend(inner);
        step(recorder);
        return new RecordedStep(inner, [.. recorder.calls]);
    }

    protected override void Invoke(KernelCost cost, Action<IBackend> call) => calls.Add(call);

    public override void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) => throw Forbidden("upload");

    public override void Download<T>(Slice<T> from, Span<T> to) => throw Forbidden("download");

    public override void Synchronise() => throw Forbidden("synchronise");

    public override ICapturedStep Capture(Action<IBackend> step) => throw Forbidden("capture");

    public override void Dispose() => throw Forbidden("dispose");

    private static InvalidOperationException Forbidden(string what) =>
        new($"{what}: not possible while a step is being captured; a captured step may only call kernels, so move this before or after it");

    private sealed class RecordedStep(IBackend backend, Action<IBackend>[] calls) : ICapturedStep
    {
        public int Calls => calls.Length;

        public void Replay()
        {
            foreach (var call in calls)
                call(backend);
        }

        public void Dispose()
        {
        }
    }
}
