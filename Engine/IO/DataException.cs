namespace VaeFromScratch.Engine.IO;

/// <summary>
/// A file is missing or is not what it should be; the message is one sentence that names the file, what was found, what was expected and
/// what to do.
/// </summary>
public sealed class DataException(string message, Exception? inner = null) : Exception(message, inner)
{
    internal const string Replace = "replace it by an undamaged copy";
    private const int LongestQuote = 300;

    /// <remarks>File and finding may quote foreign text, so they are shortened and freed of line breaks.</remarks>
    /// <param name="file">The file, as the user named it.</param>
    /// <param name="found">What is there.</param>
    /// <param name="expected">What should be there, without the word expected.</param>
    /// <param name="advice">What to do.</param>
    /// <param name="inner">What the system said.</param>
    public static DataException In(string file, string found, string expected, string advice = Replace, Exception? inner = null) =>
        new($"{OneLine(file)}: {OneLine(found)}; expected {expected}; {advice}", inner);

    private static string OneLine(string text)
    {
        string line = string.Create(text.Length, text, static (to, from) =>
        {
            for (int i = 0; i < to.Length; i++)
                to[i] = char.IsControl(from[i]) || from[i] is '\u2028' or '\u2029' ? '?' : from[i];
        });
        return line.Length <= LongestQuote ? line : string.Concat(line.AsSpan(0, LongestQuote), "...");
    }
}
