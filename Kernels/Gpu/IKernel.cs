using ILGPU;
using ILGPU.Runtime;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>A kernel is a struct with one method, which every thread of every group runs; its arguments are one struct.</summary>
/// <remarks>
/// What ILGPU and the devices allow: no <c>throw</c>, no capturing lambdas, no <c>bool</c> in the arguments (flags are ints), no local
/// arrays; floats only through <see cref="Intrinsic"/> and <see cref="Lane"/>; no return before a barrier. ILGPU maps structs by the types
/// of their fields, one after the other: where padding at the end of a struct inside another pushes the next field on, a kernel may read
/// other arguments than it is given. So what holds a struct of any type has it last.
/// </remarks>
internal interface IKernel<A> where A : struct
{
    static abstract void Run(A a);
}

/// <summary>What one thread makes of entry i.</summary>
internal interface IEntry<A> where A : struct
{
    static abstract void Of(A a, int i);
}

internal readonly record struct EntriesArguments<A>(int N, A Operands) where A : struct;

/// <summary>A thread for each of N entries.</summary>
internal readonly struct EachEntry<E, A> : IKernel<EntriesArguments<A>> where E : struct, IEntry<A> where A : struct
{
    public static void Run(EntriesArguments<A> a)
    {
        int i = Threads.Number;
        if (i < a.N)
            E.Of(a.Operands, i);
    }
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
