namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>
/// A broadcast operand, written out often enough (in the caller's <c>room</c>) that loops over it are long even where it is short.
/// </summary>
internal readonly unsafe struct Repeated
{
    private const int LongEnough = 1024;

    /// <summary>Floats that the caller provides.</summary>
    public const int Room = 2 * LongEnough;

    /// <summary>One period of values.</summary>
    public readonly float* Values;

    /// <summary>Its length, a multiple of the operand's.</summary>
    public readonly int Period;

    /// <param name="operand">What repeats.</param>
    /// <param name="needed">How many elements will be read at most: no more are written out.</param>
    /// <param name="room">Space for <see cref="Room"/> floats.</param>
    public Repeated(Slice<float> operand, int needed, float* room)
    {
        int m = operand.Length, copies = (Math.Min(LongEnough, needed) + m - 1) / m;
        if (copies <= 1)
        {
            Values = operand.Pointer;
            Period = m;
            return;
        }
        Values = room;
        Period = copies * m;
        if (m == 1)
            new Span<float>(room, copies).Fill(operand.Pointer[0]);
        else
            for (int c = 0; c < copies; c++)
                operand.AsSpan().CopyTo(new(room + c * m, m));
    }

    public int Position(int index) => index % Period;
}
