using System.Text;
using System.Text.RegularExpressions;

namespace VaeFromScratch.Cli;

/// <summary>How all help is set, at a terminal, in a pipe or in a file.</summary>
internal static partial class HelpText
{
    /// <summary>No line is longer, unless a word is.</summary>
    public const int Width = 120;

    /// <summary>How far a description is indented that does not fit beside its option.</summary>
    private const int Below = 8;

    /// <summary>
    /// Breaks long lines between words; a description goes on below its beginning. Defaults, which the parser writes in square brackets,
    /// are in round ones, as in the descriptions.
    /// </summary>
    public static string Set(string text)
    {
        var set = new StringBuilder();
        foreach (string line in EmptyLines().Replace(text.TrimEnd().ReplaceLineEndings("\n"), "\n\n").Split('\n'))
            Append(set, ParsersDefault().Replace(line.TrimEnd(), "(default: $1)"));
        return set.ToString();
    }

    private static void Append(StringBuilder set, string line)
    {
        string first = FirstColumn().Match(line).Value;
        string indent = new(' ', first.Length <= Width / 2 ? first.Length : Below);
        while (line.Length > Width)
        {
            int end = line.LastIndexOf(' ', Width, Width - indent.Length);
            if (end <= 0)
                break;
            set.AppendLine(line[..end].TrimEnd());
            line = indent + line[end..].TrimStart();
        }
        set.AppendLine(line);
    }

    [GeneratedRegex(@"\n{3,}")]
    private static partial Regex EmptyLines();

    [GeneratedRegex(@"\[default: (.*)\]$")]
    private static partial Regex ParsersDefault();

    /// <summary>An option with the gap behind it; of running text its indentation.</summary>
    [GeneratedRegex(@"^ *(\S+( \S+)* {2,})?")]
    private static partial Regex FirstColumn();
}
