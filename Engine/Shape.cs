using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>The sizes of a tensor's axes, outermost first. A scalar has none.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int[] sizes;

    public Shape(params ReadOnlySpan<int> sizes)
    {
        long length = 1;
        foreach (int size in sizes)
        {
            if (size < 0)
                throw new ShapeException("shape", $"size {size}", "sizes of at least 0");
            length *= size;
        }
        if (length > int.MaxValue)
            throw new DeviceMemoryException(
                FormattableString.Invariant($"{length:N0} elements in one tensor, {sizeof(float) * length:N0} bytes")
                + $": at most {int.MaxValue} elements fit into one; use a smaller batch, fewer samples or a smaller network");
        this.sizes = sizes.ToArray();
        Length = (int)length;
    }

    private Shape(int[] sizes, int length) => (this.sizes, Length) = (sizes, length);

    public static Shape Scalar { get; } = new([], 1);

    public int Rank => sizes?.Length ?? 0;

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>The size of an axis; negative axes count from the end.</summary>
    public int this[int axis] => sizes[Axis(axis)];

    public ReadOnlySpan<int> Sizes => sizes;

    /// <summary>A non-negative axis for one that may count from the end.</summary>
    public int Axis(int axis)
    {
        int a = axis < 0 ? axis + Rank : axis;
        return (uint)a < (uint)Rank ? a : throw new ShapeException("axis", $"{axis} in a tensor of shape {this}",
            Rank == 0 ? "none, it is a scalar" : $"{-Rank} to {Rank - 1}");
    }

    /// <summary>Product of the sizes of axes <paramref name="from"/> .. <paramref name="to"/> - 1.</summary>
    public int Product(int from, int to)
    {
        int product = 1;
        for (int axis = from; axis < to; axis++)
            product *= sizes[axis];
        return product;
    }

    public Shape Without(int axis)
    {
        axis = Axis(axis);
        return new([.. sizes[..axis], .. sizes[(axis + 1)..]]);
    }

    public Shape With(int axis, int size)
    {
        var copy = (int[])sizes.Clone();
        copy[Axis(axis)] = size;
        return new(copy);
    }

    public Shape Append(int size) => new([.. Sizes, size]);

    /// <summary>Whether this shape is the tail of <paramref name="other"/>, so that it broadcasts over it. A scalar always is.</summary>
    public bool IsSuffixOf(Shape other) => Rank <= other.Rank && Sizes.SequenceEqual(other.Sizes[(other.Rank - Rank)..]);

    public bool Equals(Shape other) => Sizes.SequenceEqual(other.Sizes);

    public override bool Equals(object? other) => other is Shape shape && Equals(shape);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int size in Sizes)
            hash.Add(size);
        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(", ", Sizes.ToArray())}]";

    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);
}
