using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>One thing to time. Preparing it also checks it: what gives a wrong answer is never timed.</summary>
public class Workload
{
    internal Workload(string operation, string name, Func<CpuBackend, Ready> prepare) =>
        (Operation, Name, Prepare) = (operation, name, prepare);

    /// <summary>
    /// The method of <see cref="IBackend"/> that it times, with the kernel's name for elementwise ones ("Unary Exp"); otherwise what it is.
    /// </summary>
    public string Operation { get; }

    /// <summary>Unique among all workloads.</summary>
    public string Name { get; }

    /// <summary>Makes inputs, checks the result, and gives what to call.</summary>
    internal Func<CpuBackend, Ready> Prepare { get; }

    /// <summary>A kernel call that is checked by a kernel case.</summary>
    public static KernelWorkload Of(KernelCase kernelCase, string? name = null)
    {
        name ??= $"{kernelCase.Operation} {kernelCase.Label}";
        return new(kernelCase.Operation, name, backend =>
        {
            var context = CaseContext.Evaluate(backend, kernelCase, backend is GpuBackend gpu ? gpu.Precision : Precision.Fp32);
            if (context.Failures.Count > 0)
            {
                context.Dispose();
                throw new WrongResultException($"{name}: {string.Join("; ", context.Failures)}");
            }
            var call = context.Call ?? throw new InvalidOperationException($"{name}: the kernel case runs nothing");
            return new(() => call(backend), CostMeter.Of(backend, call), context);
        });
    }

    public sealed override string ToString() => Name;
}

/// <summary>A workload that is a kernel call, which every device can make.</summary>
public sealed class KernelWorkload : Workload
{
    internal KernelWorkload(string operation, string name, Func<IBackend, Ready> prepareOn) : base(operation, name, prepareOn) =>
        PrepareOn = prepareOn;

    /// <summary>As <see cref="Workload.Prepare"/>, on any device.</summary>
    internal Func<IBackend, Ready> PrepareOn { get; }
}

/// <summary>A benchmark's answer differs from its reference: its time would mean nothing.</summary>
public sealed class WrongResultException(string message) : Exception(message);

/// <summary>A workload whose answer was right.</summary>
/// <param name="run">The call to time.</param>
/// <param name="cost">Least work of one call.</param>
/// <param name="owner">What the call works on.</param>
/// <param name="threads">Threads whose peak it is held against; 0 for all.</param>
internal sealed class Ready(Action run, KernelCost cost, IDisposable? owner = null, int threads = 0) : IDisposable
{
    public Action Run { get; } = run;

    public KernelCost Cost { get; } = cost;

    public int Threads { get; } = threads;

    public void Dispose() => owner?.Dispose();
}
