using System.Text;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>PTX of kernels for an architecture, on a machine that need not have a GPU: what the backend's CUDA devices load.</summary>
internal sealed class PtxCompiler : IDisposable
{
    private readonly Context context = Context.Create(builder => builder.EnableIntrinsics().Optimize(OptimizationLevel.O2));
    private readonly PTXBackend backend;

    /// <summary>Compute capabilities times ten. ILGPU knows none beyond, and newer devices take what is made for 8.0.</summary>
    public static IReadOnlyList<int> Architectures { get; } = [75, 80];

    /// <param name="architecture">One of <see cref="Architectures"/>.</param>
    /// <exception cref="ArgumentException">Any other architecture.</exception>
    public PtxCompiler(int architecture)
    {
        var (target, language) = architecture switch
        {
            75 => (CudaArchitecture.SM_75, CudaInstructionSet.ISA_63),
            80 => (CudaArchitecture.SM_80, CudaInstructionSet.ISA_71),
            _ => throw new ArgumentException(
                $"no PTX for architecture {architecture}; there is 75 (compute capability 7.5) and 80 (8.0 and newer)"),
        };
        // Without a device the compiler knows no library for elementary functions, of which kernels use none.
        backend = new(context, target, language, null!);
    }

    /// <summary>The PTX of one kernel of <see cref="KernelCatalogue"/>.</summary>
    /// <exception cref="ArgumentException">There is no such kernel; the message names those with similar names.</exception>
    public string Compile(string kernel)
    {
        if (!KernelCatalogue.Kernels.TryGetValue(kernel, out var type))
            throw new ArgumentException(Unknown(kernel));
        var compiled =
            (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(KernelCatalogue.EntryOf(type)), default);
        KernelText.Correct(compiled, type);
        return Readable(compiled.PTXAssembly);
    }

    /// <summary>All kernels in one text, which can be loaded as it is.</summary>
    public string CompileAll()
    {
        var all = new StringBuilder();
        foreach (string kernel in KernelCatalogue.Kernels.Keys)
        {
            string ptx = Compile(kernel);
            all.Append(ptx.AsSpan(all.Length == 0 ? 0 : ptx.IndexOf(".visible", StringComparison.Ordinal)));
        }
        return all.ToString();
    }

    /// <summary>Without the empty functions that ILGPU writes for intrinsics and never calls.</summary>
    private static string Readable(string ptx)
    {
        int functions = ptx.IndexOf(".visible .func", StringComparison.Ordinal),
            entry = ptx.IndexOf(".visible .entry", StringComparison.Ordinal);
        if (functions >= 0 && functions < entry && !ptx.AsSpan(entry).Contains("call", StringComparison.Ordinal))
            ptx = ptx.Remove(functions, entry - functions);
        return ptx;
    }

    private static string Unknown(string kernel)
    {
        // What a user has typed of a name, its case and what surrounds it aside.
        string stem = kernel.Split('<')[0];
        var close = KernelCatalogue.Kernels.Keys.Where(name => name.Contains(stem, StringComparison.OrdinalIgnoreCase)).ToArray();
        return close.Length > 0
            ? $"no kernel '{kernel}'; similar names: {string.Join(", ", close)}"
            : $"no kernel '{kernel}'; there are "
                + $"{string.Join(", ", KernelCatalogue.Kernels.Keys.Select(name => name.Split('<')[0]).Distinct())}";
    }

    public void Dispose()
    {
        backend.Dispose();
        context.Dispose();
    }
}
