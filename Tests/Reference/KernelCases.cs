using System.Reflection;

namespace VaeFromScratch.Reference;

/// <summary>Every kernel case there is: the public static <c>IEnumerable&lt;KernelCase&gt; All()</c> of each class in this namespace that has one.</summary>
public static class KernelCases
{
    public static IEnumerable<KernelCase> All() =>
        from type in typeof(KernelCases).Assembly.GetTypes()
        where type.Namespace == typeof(KernelCases).Namespace && type != typeof(KernelCases)
        let all = type.GetMethod("All", BindingFlags.Public | BindingFlags.Static, [])
        where all?.ReturnType == typeof(IEnumerable<KernelCase>)
        orderby type.Name
        from kernelCase in (IEnumerable<KernelCase>)all.Invoke(null, null)!
        select kernelCase;
}
