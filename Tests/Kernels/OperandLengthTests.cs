using System.Reflection;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>An operand of a wrong length is the same exception on every device, before anything is computed.</summary>
[TestFixture, Category("Gpu")]
public sealed class OperandLengthTests
{
    private const BindingFlags Fields = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance;
    private static readonly CpuBackend Cpu = new(threads: 1);

    private static IEnumerable<string> Operations => OnGpu.Operations;

    /// <summary>
    /// Each operand that the call of an operation's first case has captured, one element short. Sums of columns capture a list.
    /// </summary>
    [TestCaseSource(nameof(Operations))]
    public void One_element_short_is_the_same_exception_on_every_device(string operation)
    {
        var kernelCase = OnGpu.CasesOf(operation).First();
        FieldInfo[][] operands;
        using (var context = CaseContext.Prepare(Cpu, kernelCase))
            operands = [.. Slices(context.Call!.Target!, [])];
        int refused = 0;
        foreach (var operand in operands)
        {
            string? expected = Refusal(Cpu, kernelCase, operand), actual = Refusal(OnGpu.Backend, kernelCase, operand);
            Assert.That(actual, Is.EqualTo(expected), $"{kernelCase}, {string.Join('.', operand.Select(f => f.Name))}");
            refused += expected is null ? 0 : 1;
        }
        // An array of any length can be filled.
        if (operation is not ("Fill" or "SumColumns"))
            Assert.That(refused, Is.Positive, $"{kernelCase}: no operand's length is checked");
    }

    /// <summary>What the call says with one of its operands an element short; null where it takes that.</summary>
    private static string? Refusal(IBackend backend, KernelCase kernelCase, FieldInfo[] operand)
    {
        using var context = CaseContext.Prepare(backend, kernelCase);
        Shorten(context.Call!.Target!, operand);
        try
        {
            context.Call(backend);
            backend.Synchronise();
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    /// <summary>The ways to all slices in what a call has captured that are not absent.</summary>
    private static IEnumerable<FieldInfo[]> Slices(object holder, FieldInfo[] way)
    {
        foreach (var field in holder.GetType().GetFields(Fields))
        {
            if (field.GetValue(holder) is not { } value)
                continue;
            if (field.FieldType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(Slice<>))
            {
                if (LengthOf(value) > 0)
                    yield return [.. way, field];
            }
            else if (field.Name.Contains("locals", StringComparison.Ordinal)
                || (field.FieldType.IsValueType && field.FieldType.Namespace == typeof(IBackend).Namespace))
                foreach (var deeper in Slices(value, [.. way, field]))
                    yield return deeper;
        }
    }

    private static void Shorten(object holder, ReadOnlySpan<FieldInfo> way)
    {
        object value = way[0].GetValue(holder)!;
        if (way.Length > 1)
            Shorten(value, way[1..]);
        else
            value = value.GetType().GetMethod(nameof(Slice<int>.Part))!.Invoke(value, [0, LengthOf(value) - 1])!;
        way[0].SetValue(holder, value);
    }

    private static int LengthOf(object slice) => (int)slice.GetType().GetField(nameof(Slice<int>.Length))!.GetValue(slice)!;
}
