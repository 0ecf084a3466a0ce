using System.Text.RegularExpressions;

namespace VaeFromScratch.Reports;

/// <summary>Numbers as people read them.</summary>
internal static partial class Rounded
{
    /// <summary>The text with "-0.000" and "-0" as "0.000" and "0": what rounds to 0 has no sign.</summary>
    public static string WithoutSignOfZero(string text) => NegativeZero().Replace(text, "");

    [GeneratedRegex(@"(?<![\w.+-])-(?=0(?:\.0*)?(?![\w.]))", RegexOptions.CultureInvariant)]
    private static partial Regex NegativeZero();
}
