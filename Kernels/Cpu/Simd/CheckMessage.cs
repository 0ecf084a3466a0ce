using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>An error message that is put together only where a check fails, so that checks cost no allocation.</summary>
[InterpolatedStringHandler]
internal ref struct CheckMessage
{
    private DefaultInterpolatedStringHandler text;

    public CheckMessage(int literalLength, int formattedCount, bool holds, out bool wanted)
    {
        wanted = !holds;
        text = holds ? default : new(literalLength, formattedCount);
    }

    public void AppendLiteral(string literal) => text.AppendLiteral(literal);

    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

    /// <summary>The message; may be taken once.</summary>
    public string Take() => text.ToStringAndClear();
}
