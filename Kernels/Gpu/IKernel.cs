using ILGPU;
using ILGPU.Runtime;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>A kernel is a struct with one method, which every thread of every group runs; its arguments are one struct.</summary>
/// <remarks>
/// What ILGPU and the devices allow: no <c>throw</c>, no capturing lambdas, no <c>bool</c> in the arguments (flags are ints), no local
/// arrays; floats only through
/// <see cref="Intrinsic"/> and <see cref="Lane"/>; no return before a barrier.
/// </remarks>
internal interface IKernel<A> where A : struct
{
    static abstract void Run(A a);
}

/// <summary>A launch that is ready to be made again and again.</summary>
internal abstract class Launchable
{
    public abstract void Launch(AcceleratorStream stream);
}

/// <inheritdoc/>
internal sealed class Launchable<A>(Action<AcceleratorStream, KernelConfig, A> kernel, KernelConfig config, A arguments) : Launchable
    where A : struct
{
    public override void Launch(AcceleratorStream stream) => kernel(stream, config, arguments);
}
