using System.Globalization;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Lessons;

/// <summary>What every lesson does: numbers beside what theory says of them, a page with its pictures, and an exit code.</summary>
public sealed class Lesson
{
    private const int NameWidth = 62;
    private const int NumberWidth = 12;

    private readonly string folder, file;
    private readonly List<IReadOnlyList<string>> rows = [];
    private int failures;

    /// <param name="question">What the lesson answers.</param>
    /// <param name="file">The page's name without its ending.</param>
    /// <param name="arguments">Of the program: a folder for the page; runs/lessons when there is none.</param>
    public Lesson(string question, string file, string[] arguments)
    {
        (this.file, folder) = (file, arguments.Length > 0 ? arguments[0] : Path.Combine("runs", "lessons"));
        Page = new(question, $"Lesson {file.Split('-')[0].TrimStart('0')} of VaeFromScratch; lessons/{file}.cs made this page.");
        Console.WriteLine(question);
        Console.WriteLine();
    }

    /// <summary>The page; tables of the numbers are added at the end.</summary>
    public HtmlPage Page { get; }

    /// <summary>A sentence, on the terminal and on the page.</summary>
    public void Say(string sentence)
    {
        Console.WriteLine(sentence);
        Page.Paragraph(sentence);
    }

    /// <summary>A number that has to lie within <paramref name="tolerance"/> of what theory says.</summary>
    public void Check(string what, double value, double theory, double tolerance) =>
        Row(what, value, Number(theory), Math.Abs(value - theory) <= tolerance, $"within {Number(tolerance)}");

    /// <summary>A number that theory bounds from above.</summary>
    public void CheckAtMost(string what, double value, double bound) => Row(what, value, $"<= {Number(bound)}", value <= bound, "bound");

    /// <summary>A number that theory bounds from below.</summary>
    public void CheckAtLeast(string what, double value, double bound) => Row(what, value, $">= {Number(bound)}", value >= bound, "bound");

    /// <summary>A number that depends on the machine, such as a rate: printed, never checked.</summary>
    public void Print(string what, double value, string unit) => Row(what, value, unit, holds: null, "");

    /// <summary>Writes the page.</summary>
    /// <returns>The exit code: 1 where a number is not what theory says.</returns>
    public int End()
    {
        Page.Section("Numbers").Table(["number", "here", "theory", ""], rows);
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, file + ".html");
        Page.Save(path);
        Console.WriteLine();
        Console.WriteLine($"page: {path}");
        if (failures > 0)
            Console.Error.WriteLine($"{failures} of {rows.Count} numbers are not what theory says");
        return failures > 0 ? 1 : 0;
    }

    private void Row(string what, double value, string theory, bool? holds, string how)
    {
        // A comparison with NaN is false, which is a failure too.
        failures += holds == false ? 1 : 0;
        string verdict = holds switch { true => how, false => $"WRONG ({how})", null => "" };
        rows.Add([what, Number(value), theory, verdict]);
        Console.WriteLine($"{what.PadRight(NameWidth)} {Number(value),NumberWidth}  {theory,-NumberWidth}  {verdict}".TrimEnd());
    }

    private static string Number(double value) =>
        value.ToString(Math.Abs(value) is >= 1e-3 and < 1e6 or 0 ? "0.#####" : "0.##e0", CultureInfo.InvariantCulture);
}
