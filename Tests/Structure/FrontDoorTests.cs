using System.Text.RegularExpressions;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Structure;

/// <summary>The README is short, its C# is that of the first example, and lessons and examples are as short as they say.</summary>
public sealed partial class FrontDoorTests
{
    private const int WidestLine = 140;

    private static string[] Lines(params string[] path) => File.ReadAllLines(Path.Combine([TestFiles.RepositoryRoot, .. path]));

    [Test]
    public void The_readme_has_at_most_90_lines_of_at_most_140_columns()
    {
        string[] lines = Lines("README.md");
        Assert.That(lines, Has.Length.LessThanOrEqualTo(90));
        Assert.That(lines.Where(line => line.Length > WidestLine), Is.Empty);
    }

    [Test]
    public void The_readme_shows_the_first_example_with_the_package_in_place_of_the_project()
    {
        string version = Version().Match(string.Join('\n', Lines("Directory.Build.props"))).Groups[1].Value;
        string[] example = Lines("examples", "first-vae.cs");
        Assert.That(example[0], Does.StartWith("#:project "));
        string shown = string.Join('\n', [$"#:package VaeFromScratch@{version}", .. example[1..]]);
        Assert.That(string.Join('\n', Lines("README.md")), Does.Contain($"```csharp\n{shown}\n```"));
    }

    /// <summary>No tag such as (I2) without the page that explains it.</summary>
    [Test]
    public void The_readme_needs_no_tags() => Assert.That(Lines("README.md").Where(line => Tag().IsMatch(line)), Is.Empty);

    [Test]
    public void Every_lesson_and_example_is_in_the_list_of_its_folder([Values("lessons", "examples")] string folder)
    {
        string list = string.Join('\n', Lines(folder, "README.md"));
        string[] files = [.. Directory.EnumerateFiles(Path.Combine(TestFiles.RepositoryRoot, folder), "*.cs")
            .Select(file => Path.GetFileName(file))];
        Assert.That(files, Has.Length.GreaterThanOrEqualTo(9));
        Assert.That(files.Where(file => !list.Contains($"]({file})", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void A_lesson_begins_with_its_question_and_has_at_most_150_lines()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(TestFiles.RepositoryRoot, "lessons"), "*.cs"))
        {
            string[] lines = File.ReadAllLines(file);
            Assert.That(lines[0], Does.Match(@"^// .*\?"), file);
            Assert.That(lines, Has.Length.LessThanOrEqualTo(150), file);
            Assert.That(string.Join('\n', lines), Does.Contain("lesson.Check(").And.Contain("return lesson.End();"), file);
            Assert.That(string.Join('\n', Lines("lessons", "README.md")), Does.Contain(lines[0][3..]), file);
        }
    }

    [Test]
    public void An_example_has_less_than_80_lines_and_no_long_ones()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(TestFiles.RepositoryRoot, "examples"), "*.cs"))
            Assert.That(File.ReadAllLines(file), Has.Length.LessThan(80).And.All.Length.LessThanOrEqualTo(WidestLine), file);
    }

    [GeneratedRegex("<Version>(.*)</Version>")]
    private static partial Regex Version();

    [GeneratedRegex(@"\([A-Z]\d+\)")]
    private static partial Regex Tag();
}
