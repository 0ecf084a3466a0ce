namespace VaeFromScratch.Kernels.Cuda;

/// <summary>Names one kernel and gives it a place in every backend's table of functions.</summary>
internal sealed class KernelSlot(string file, string name)
{
    private static int count;

    public readonly int Index = Interlocked.Increment(ref count) - 1;
    public readonly string File = file;
    public readonly string Name = name;
}

/// <summary>The kernels of an elementwise function, found by its type.</summary>
internal static class UnarySlots<K> where K : struct, IUnaryKernel
{
    public static readonly KernelSlot Forward = new("elementwise", K.Name + "_forward");
    public static readonly KernelSlot Gradient = new("elementwise", K.Name + "_gradient");
}

/// <inheritdoc cref="UnarySlots{K}"/>
internal static class BinarySlots<K> where K : struct, IBinaryKernel
{
    public static readonly KernelSlot Forward = new("elementwise", K.Name + "_forward");
    public static readonly KernelSlot Gradient = new("elementwise", K.Name + "_gradient");
    public static readonly KernelSlot GradientSum = new("elementwise", K.Name + "_gradient_sum");
}

/// <summary>Blocks of a grid, or threads of a block.</summary>
internal readonly record struct Dim(int X, int Y = 1, int Z = 1)
{
    public static implicit operator Dim(int x) => new(x);

    public override string ToString() => $"({X}, {Y}, {Z})";
}

/// <summary>One argument of a launch: up to 16 bytes by value, or a pointer to a larger structure that lives until the launch returns.</summary>
internal readonly unsafe struct KernelArgument
{
    private readonly ulong low, high;
    private readonly void* structure;

    private KernelArgument(ulong low, ulong high = 0) => (this.low, this.high) = (low, high);

    private KernelArgument(void* structure) => this.structure = structure;

    public static KernelArgument Structure<T>(T* value) where T : unmanaged => new((void*)value);

    public static void* Address(KernelArgument* argument) => argument->structure != null ? argument->structure : &argument->low;

    public static implicit operator KernelArgument(Slice<float> slice) => new((ulong)slice.Address);

    public static implicit operator KernelArgument(Operand operand) => new((ulong)operand.Address);

    public static implicit operator KernelArgument(Slice<int> slice) => new((ulong)slice.Address);

    public static implicit operator KernelArgument(Slice<uint> slice) => new((ulong)slice.Address);

    public static implicit operator KernelArgument(Slice<byte> slice) => new((ulong)slice.Address);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(bool value) => new(value ? 1u : 0u);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(Divider value) => new(value.Divisor | (ulong)value.Multiplier << 32, value.Shift);
}

/// <summary>Division by a number known before the launch, as one multiplication on the device: right for dividends below 2^31.</summary>
internal readonly struct Divider
{
    public readonly uint Divisor, Multiplier, Shift;

    public Divider(int divisor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(divisor, 1);
        Divisor = (uint)divisor;
        if (divisor == 1)
            return;
        int bits = 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)divisor - 1);
        Multiplier = (uint)((1ul << (31 + bits)) / (uint)divisor + 1);
        Shift = (uint)bits - 1;
    }

    public static implicit operator Divider(int divisor) => new(divisor);
}
