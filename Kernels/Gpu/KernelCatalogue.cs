using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Emit;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Every kernel that the backend can launch, without a device: read off the backend's own calls, so that none can be forgotten and none is
/// listed in vain.
/// </summary>
/// <remarks>
/// From each operation of <see cref="IBackend"/>, its generic parameters closed over every type of this assembly that they admit, the
/// methods that it calls are followed
/// to the launches; the type arguments that arrive there are the kernels.
/// </remarks>
internal static class KernelCatalogue
{
    private static readonly Lazy<SortedDictionary<string, Type>> Found = new(Find);
    private static readonly Dictionary<int, OpCode> Codes =
        typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (OpCode)f.GetValue(null)!)
        .ToDictionary(code => (int)(ushort)code.Value);

    /// <summary>Kernel types by name, in alphabetical order.</summary>
    public static IReadOnlyDictionary<string, Type> Kernels => Found.Value;

    /// <summary>A kernel's type for people, Unary&lt;Tanh&gt;; arguments that follow from the others are left out.</summary>
    public static string NameOf(Type type)
    {
        if (!type.IsGenericType)
            return type.Name;
        if (type.GetGenericTypeDefinition() is var of && (of == typeof(EachEntry<,>) || of == typeof(EachStrip<,>)))
            return NameOf(type.GetGenericArguments()[0]);
        var arguments = type.GetGenericArguments().Where(t => t.IsAssignableTo(typeof(ValueType)) && !IsArguments(t)).Select(NameOf);
        return $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", arguments)}>";
    }

    /// <summary>What every thread runs.</summary>
    public static MethodInfo EntryOf(Type kernel) => kernel.GetMethod(nameof(IKernel<int>.Run), BindingFlags.Public | BindingFlags.Static)!;

    /// <summary>Kernels' arguments hold data; every other type argument is a function, without a field.</summary>
    private static bool IsArguments(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance).Length > 0;

    private static SortedDictionary<string, Type> Find()
    {
        var found = new SortedDictionary<string, Type>(StringComparer.Ordinal);
        var seen = new HashSet<MethodBase>();
        var operations = typeof(GpuBackend).GetInterfaceMap(typeof(IBackend)).TargetMethods.SelectMany(Close);
        var open = new Stack<MethodBase>([.. operations, .. GpuBackend.Probes]);
        while (open.TryPop(out var method))
        {
            if (!seen.Add(method))
                continue;
            if (method.DeclaringType == typeof(GpuBackend) && method.Name == GpuBackend.LaunchName)
                found[NameOf(method.GetGenericArguments()[0])] = method.GetGenericArguments()[0];
            foreach (var called in Calls(method))
                if (called.DeclaringType is { } type && type.Namespace == typeof(GpuBackend).Namespace && !type.IsInterface)
                    open.Push(called);
        }
        return found;
    }

    /// <summary>
    /// A method with its type parameters closed over all that the assembly has for them; over float where nothing but "unmanaged" is asked
    /// for.
    /// </summary>
    private static IEnumerable<MethodInfo> Close(MethodInfo method)
    {
        if (!method.IsGenericMethodDefinition)
            return [method];
        IEnumerable<Type[]> choices = [[]];
        foreach (var parameter in method.GetGenericArguments())
        {
            var asked = parameter.GetGenericParameterConstraints().Where(t => t.IsInterface).ToArray();
            var fitting = asked.Length == 0 ? [typeof(float)]
                : typeof(KernelCatalogue).Assembly.GetTypes()
                .Where(t => t.IsValueType && !t.ContainsGenericParameters && asked.All(t.IsAssignableTo)).ToArray();
            choices = [.. choices.SelectMany(chosen => fitting.Select(t => chosen.Append(t).ToArray()))];
        }
        return choices.Select(chosen => method.MakeGenericMethod(chosen));
    }

    /// <summary>The methods that a method names.</summary>
    private static IEnumerable<MethodBase> Calls(MethodBase method)
    {
        byte[] il = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        var ofType = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        var ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (int at = 0; at < il.Length;)
        {
            // Codes of two bytes begin with 0xfe.
            int number = il[at++];
            var code = Codes[number == 0xfe ? number << 8 | il[at++] : number];
            if (code.OperandType == OperandType.InlineMethod)
                yield return method.Module.ResolveMethod(BinaryPrimitives.ReadInt32LittleEndian(il.AsSpan(at)), ofType, ofMethod)!;
            at += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => sizeof(byte),
                OperandType.InlineVar => sizeof(short),
                OperandType.InlineI8 or OperandType.InlineR => sizeof(long),
                OperandType.InlineSwitch => sizeof(int) * (1 + BinaryPrimitives.ReadInt32LittleEndian(il.AsSpan(at))),
                _ => sizeof(int),
            };
        }
    }
}
