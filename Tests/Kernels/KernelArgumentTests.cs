using System.Reflection;
using NUnit.Framework;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Tests.Kernels;

public sealed class KernelArgumentTests
{
    private static IEnumerable<string> Kernels => KernelCatalogue.Kernels.Keys;

    /// <summary>
    /// ILGPU maps structs by the types of their fields, one after the other: where padding inside puts a field elsewhere than these types
    /// say, the kernel that is compiled second reads other arguments than it was given.
    /// </summary>
    [TestCaseSource(nameof(Kernels))]
    public void Fields_lie_where_their_types_alone_put_them(string kernel)
    {
        var arguments = KernelCatalogue.EntryOf(KernelCatalogue.Kernels[kernel]).GetParameters().Single().ParameterType;
        var found = new List<(int Offset, int Size)>();
        Place(arguments, 0, found);
        int end = 0;
        foreach (var (offset, size) in found)
        {
            int alignment = Math.Min(size, sizeof(long));
            Assert.That(offset, Is.EqualTo((end + alignment - 1) / alignment * alignment), $"a field of {arguments}");
            end = offset + size;
        }
    }

    [Test]
    public void A_field_behind_padding_is_found()
    {
        var found = new List<(int Offset, int Size)>();
        Place(typeof((long, (long, int), int)), 0, found);
        Assert.That(found, Is.EqualTo(new[] { (0, 8), (8, 8), (16, 4), (24, 4) }));
    }

    /// <summary>Adds where a struct's numbers and views lie, as .NET places them; returns the struct's size and alignment.</summary>
    private static (int Size, int Alignment) Place(Type type, int start, List<(int Offset, int Size)> found)
    {
        if (type.IsPrimitive || type.Name.StartsWith("ArrayView", StringComparison.Ordinal))
        {
            int size = type.IsPrimitive ? System.Runtime.InteropServices.Marshal.SizeOf(type) : 2 * sizeof(long);
            found.Add((start, size));
            return (size, Math.Min(size, sizeof(long)));
        }
        int end = 0, most = 1;
        foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            int alignment = Place(field.FieldType, 0, []).Alignment, at = (end + alignment - 1) / alignment * alignment;
            end = at + Place(field.FieldType, start + at, found).Size;
            most = Math.Max(most, alignment);
        }
        return ((end + most - 1) / most * most, most);
    }
}
