namespace VaeFromScratch.Engine.IO;

/// <summary>An array of floats in ordinary memory: what weight files hold.</summary>
internal sealed record HostArray
{
    /// <summary>Sizes of the axes, outermost first; empty for a scalar.</summary>
    public int[] Shape { get; }

    /// <summary>The values, row-major, as many as the product of the sizes.</summary>
    public float[] Data { get; }

    /// <exception cref="ArgumentException">The values are not as many as the product of the sizes.</exception>
    public HostArray(int[] shape, float[] data)
    {
        if (Array.Exists(shape, size => size < 0))
            throw new ArgumentException($"host array: shape {Describe(shape)} has a negative size; sizes are 0 or more");
        if (ElementCount(shape) is var count && count != data.Length)
            throw new ArgumentException(
                $"host array: shape {Describe(shape)} needs {count} values, got {data.Length}; pass as many values as the product of the "
                + $"sizes");
        (Shape, Data) = (shape, data);
    }

    public static string Describe(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>The product of the sizes, 1 for a scalar, or -1 when it exceeds what an array can hold.</summary>
    internal static long ElementCount(ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int size in shape)
        {
            if (size == 0)
                return 0;
            count = count < 0 || count * size > Array.MaxLength ? -1 : count * size;
        }
        return count;
    }
}
