namespace VaeFromScratch.Kernels;

/// <summary>How a number lies in a device's memory.</summary>
public enum Storage
{
    /// <summary>As a float32, 4 bytes.</summary>
    Float32,
    /// <summary>As the upper half of a float32: 7 bits of mantissa (8 with the leading one) and the same exponents, 2 bytes.</summary>
    Bf16,
}

/// <summary>A run of numbers in a device's memory that a product or convolution reads or writes: float32 or, on a device that can (<see cref="IBackend.CompactStorage"/>), bf16.</summary>
/// <param name="address">Of the first number.</param>
/// <param name="length">Numbers.</param>
/// <param name="storage">How they lie there.</param>
public readonly struct Operand(nint address, int length, Storage storage)
{
    public readonly nint Address = address;
    public readonly int Length = length;
    public readonly Storage Storage = storage;

    public bool IsAbsent => Address == 0;

    /// <summary>Of one number.</summary>
    public int Size => SizeOf(Storage);

    public long Bytes => (long)Length * Size;

    /// <summary>The same numbers for a kernel that knows float32 only.</summary>
    /// <exception cref="InvalidOperationException">They are bf16.</exception>
    public Slice<float> Floats => Storage == Storage.Float32
        ? new(Address, Length)
        : throw new InvalidOperationException($"{Length} numbers are stored in {Storage}, where this kernel takes float32; convert them first");

    public static int SizeOf(Storage storage) => storage == Storage.Float32 ? sizeof(float) : sizeof(ushort);

    public static implicit operator Operand(Slice<float> floats) => new(floats.Address, floats.Length, Storage.Float32);

    public static implicit operator Operand(Slice<ushort> halves) => new(halves.Address, halves.Length, Storage.Bf16);
}
