using System.Runtime.CompilerServices;

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

/// <summary>A structure of sizes, passed to a kernel: none of its fields leads to device memory.</summary>
internal interface ISizes;

/// <summary>Floats of scratch memory that a launch asks for; absent where there are none.</summary>
internal readonly record struct ScratchFloats(long Count);

/// <summary>
/// One argument of a launch: up to 16 bytes by value, or a pointer to a larger structure that lives until the launch returns. It says which device memory it leads to.
/// </summary>
/// <remarks>An array counts as read and written; <see cref="Read"/> marks those that are only read. Forgetting it costs a launch its place beside another one, not its result.</remarks>
internal readonly unsafe struct KernelArgument
{
    private enum Kind
    {
        Value,
        HoldsAddresses,
        Scratch,
        Tickets,
    }

    private readonly ulong low, high;
    private readonly void* structure;
    private readonly Kind kind;

    private KernelArgument(ulong low, ulong high = 0, Kind kind = Kind.Value) => (this.low, this.high, this.kind) = (low, high, kind);

    private KernelArgument(MemoryUse use) => (low, Use) = ((ulong)use.Address, use);

    private KernelArgument(void* structure, Kind kind)
    {
        this.structure = structure;
        this.kind = kind;
    }

    private KernelArgument(Kind kind, long scratch = 0) => (this.kind, ScratchFloats) = (kind, scratch);

    /// <summary>The memory that it leads to; no bytes where none.</summary>
    public MemoryUse Use { get; }

    /// <summary>It leads to memory of which it says nothing itself: the launch must, or counts as touching everything.</summary>
    public bool HoldsAddresses => kind == Kind.HoldsAddresses;

    /// <summary>How much scratch memory it asks for.</summary>
    public long ScratchFloats { get; }

    /// <summary>The counters by which blocks find out who is last. They are touched only by a launch that has scratch memory.</summary>
    public static KernelArgument Tickets => new(Kind.Tickets);

    /// <summary>An array that the launch only reads.</summary>
    public static KernelArgument Read<T>(Slice<T> slice) where T : unmanaged => new(UseOf(slice, writes: false));

    /// <inheritdoc cref="Read{T}(Slice{T})"/>
    public static KernelArgument Read(Operand operand) => new(new MemoryUse(operand.Address, operand.Bytes, Writes: false));

    /// <summary>A structure without addresses.</summary>
    public static KernelArgument Sizes<T>(T* value) where T : unmanaged, ISizes => new(value, Kind.Value);

    /// <summary>A structure with addresses, whose memory the launch declares in a <see cref="LaunchMemory"/>.</summary>
    public static KernelArgument Structure<T>(T* value) where T : unmanaged => new(value, Kind.HoldsAddresses);

    /// <summary>An address whose memory the launch declares in a <see cref="LaunchMemory"/>.</summary>
    public static KernelArgument Declared(nint address) => new((ulong)address, kind: Kind.HoldsAddresses);

    /// <summary>Where the kernel's parameter is found.</summary>
    public static void* Address(KernelArgument* argument, Scratch* scratch)
    {
        if (argument->kind == Kind.Scratch)
            return &scratch->Partial;
        if (argument->kind == Kind.Tickets)
            return &scratch->Tickets;
        return argument->structure != null ? argument->structure : &argument->low;
    }

    public static implicit operator KernelArgument(Slice<float> slice) => new(UseOf(slice, writes: true));

    public static implicit operator KernelArgument(Operand operand) => new(new MemoryUse(operand.Address, operand.Bytes, Writes: true));

    public static implicit operator KernelArgument(Slice<int> slice) => new(UseOf(slice, writes: true));

    public static implicit operator KernelArgument(ScratchFloats scratch) => new(Kind.Scratch, scratch.Count);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(bool value) => new(value ? 1u : 0u);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(Divider value) => new(value.Divisor | (ulong)value.Multiplier << 32, value.Shift);

    private static MemoryUse UseOf<T>(Slice<T> slice, bool writes) where T : unmanaged => new(slice.Address, (long)slice.Length * Unsafe.SizeOf<T>(), writes);
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
