using System.Runtime.CompilerServices;

namespace VaeFromScratch.Kernels;

/// <summary>An interpolated message that is formatted only when the check it explains does not hold.</summary>
[InterpolatedStringHandler]
internal ref struct Complaint
{
    private DefaultInterpolatedStringHandler text;

    public Complaint(int literalLength, int formattedCount, bool holds, out bool isNeeded)
    {
        isNeeded = !holds;
        if (isNeeded)
            text = new(literalLength, formattedCount);
    }

    public void AppendLiteral(string literal) => text.AppendLiteral(literal);

    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string format) => text.AppendFormatted(value, format);

    public override string ToString() => text.ToStringAndClear();
}
