using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>--keep: which shares of the most informative factors to work with.</summary>
internal sealed class KeepOption
{
    private readonly Option<string?> keep;

    public KeepOption(Command command, string description, string? defaultValue = null)
    {
        keep = new("--keep") { Description = description, DefaultValueFactory = _ => defaultValue };
        command.Options.Add(keep);
    }

    /// <summary>The percentages in the order given; none when the option was left out and has no default.</summary>
    /// <exception cref="OptionException">One is no percentage.</exception>
    public double[] Read(ParseResult parsed) =>
        parsed.GetValue(keep) is { } text ? Array.ConvertAll(text.Split(','), part => Percent(text, part)) : [];

    private static double Percent(string text, string part) =>
        double.TryParse(part, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out double percent) && percent is >= 0 and <= 100
            ? percent
            : throw new OptionException(
                $"--keep {text}: '{part}' is not a percentage; expected numbers from 0 to 100 with commas between, such as 100,20,10");
}
