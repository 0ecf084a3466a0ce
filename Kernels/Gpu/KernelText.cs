using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>What is changed in the text of a kernel before a driver compiles it: its name, and what ILGPU gets wrong.</summary>
internal static partial class KernelText
{
    /// <summary>
    /// ILGPU writes -1 as 4294967295, of which every OpenCL compiler, all made of clang, would warn on the user's screen.
    /// </summary>
    private const string Quiet = "#pragma clang diagnostic ignored \"-Wconstant-conversion\"\n";

    /// <summary>The name in profilers and in PTX, Kernel_Unary_Tanh: after the method ILGPU calls all of them Kernel_Run.</summary>
    public static string EntryOf(Type kernel) =>
        string.Join('_', ["Kernel", .. KernelCatalogue.NameOf(kernel).Split(['<', '>', ',', ' '], StringSplitOptions.RemoveEmptyEntries)]);

    public static void Correct(CompiledKernel compiled, Type kernel)
    {
        string entry = EntryOf(kernel);
        if (compiled is PTXCompiledKernel ptx)
            // ILGPU takes what a call returns, our intrinsics included, to be the same in all threads of a group, and tells the driver so
            // of every branch on it. It is not, and the driver finds out for itself where threads part: no branch says anything.
            Assembly(ptx) = ptx.PTXAssembly.Replace("bra.uni", "bra", StringComparison.Ordinal)
                .Replace(compiled.Name, entry, StringComparison.Ordinal);
        else if (compiled is CLCompiledKernel cl)
            Source(cl) = Quiet + Renumbered(cl.Source.Replace(compiled.Name, entry, StringComparison.Ordinal));
        else
            return;
        // Whoever loads the text asks it for the name of the method; ILGPU puts "Kernel_" before that.
        Method(ref Description(EntryPoint(compiled))) = new DynamicMethod(entry["Kernel_".Length..], null, null);
    }

    /// <summary>
    /// Types and labels numbered as they occur. ILGPU counts them through a process, and a driver, which keeps what it has compiled by its
    /// text, would find nothing again after kernels were compiled in another order.
    /// </summary>
    public static string Renumbered(string source)
    {
        var numbers = new Dictionary<string, int>();
        return Numbered().Replace(source, name =>
        {
            if (!numbers.TryGetValue(name.Value, out int number))
                numbers.Add(name.Value, number = numbers.Count);
            return $"{name.Groups[1].Value}_{number}";
        });
    }

    [GeneratedRegex(@"\b(type|L)_\d+")]
    private static partial Regex Numbered();

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Assembly(PTXCompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<Source>k__BackingField")]
    private static extern ref string Source(CLCompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<EntryPoint>k__BackingField")]
    private static extern ref EntryPoint EntryPoint(CompiledKernel kernel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<Description>k__BackingField")]
    private static extern ref EntryPointDescription Description(EntryPoint entry);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<MethodSource>k__BackingField")]
    private static extern ref MethodInfo Method(ref EntryPointDescription description);
}
