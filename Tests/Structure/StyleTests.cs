using System.Text.RegularExpressions;
using System.Xml.Linq;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Structure;

/// <summary>What a reader of the code and a user of its tooltips may count on.</summary>
public sealed partial class StyleTests
{
    private const int LongestLine = 140, FewestWords = 3;

    /// <summary>Lines that are one literal have no place to break, and raw literals are what they say.</summary>
    [Test]
    public void No_line_of_code_is_longer_than_140_columns()
    {
        var found = new List<string>();
        foreach (string file in Files(TestFiles.RepositoryRoot, "*.cs").Where(file => !file.EndsWith(".g.cs", StringComparison.Ordinal)))
        {
            bool raw = false;
            foreach (var (number, line) in File.ReadLines(file).Index())
            {
                bool inRaw = raw;
                raw ^= RawQuotes().Count(line) % 2 == 1;
                if (line.Length > LongestLine && !inRaw && !raw && !OneLiteral().IsMatch(line))
                    found.Add($"{Path.GetRelativePath(TestFiles.RepositoryRoot, file)}:{number + 1} has {line.Length} columns");
            }
        }
        Assert.That(found, Is.Empty);
    }

    /// <summary>Tables included: a reader at a terminal has no other way to see them.</summary>
    [Test]
    public void No_line_of_Markdown_is_longer_than_140_columns() =>
        Assert.That(Files(TestFiles.RepositoryRoot, "*.md").SelectMany(file => File.ReadLines(file).Index()
            .Where(line => line.Item.Length > LongestLine).Select(line =>
                $"{Path.GetRelativePath(TestFiles.RepositoryRoot, file)}:{line.Index + 1} has {line.Item.Length} columns")), Is.Empty);

    /// <summary>"(M8)." in a tooltip says nothing to whoever does not know the tag.</summary>
    [TestCase("Kernels")]
    [TestCase("Engine")]
    [TestCase("Data")]
    [TestCase("Estimators")]
    [TestCase("Models")]
    [TestCase("Reports")]
    public void Summaries_have_at_least_three_words(string library)
    {
        var documentation = XDocument.Load(Path.Combine(AppContext.BaseDirectory, $"VaeFromScratch.{library}.xml"));
        var members = documentation.Descendants("member").Where(m => m.Element("summary") is not null).ToArray();
        Assert.That(members, Has.Length.GreaterThan(10));
        var few = members.Where(m => Words(m.Element("summary")!) < FewestWords)
            .Select(m => $"{m.Attribute("name")!.Value}: {m.Element("summary")!.Value.Trim()}");
        Assert.That(few, Is.Empty);
    }

    /// <summary>A reference counts as a word.</summary>
    private static int Words(XElement summary) => Word().Count(summary.Value) + summary.Elements().Count(e => e.IsEmpty);

    /// <summary>All files of a kind under a folder, without what building and running leave there, links among it.</summary>
    private static IEnumerable<string> Files(string folder, string kind) =>
    [
        .. Directory.EnumerateFiles(folder, kind),
        .. Directory.EnumerateDirectories(folder)
            .Where(inner => Path.GetFileName(inner)
                is not ("bin" or "obj" or "runs" or "artifacts" or "BenchmarkDotNet.Artifacts" or ['.', ..]))
            .SelectMany(inner => Files(inner, kind)),
    ];

    [GeneratedRegex("\"\"\"")]
    private static partial Regex RawQuotes();

    [GeneratedRegex("""^\s*(\+ |: |\? |Text\(|Say\(|page\.Append\()?[$@]*".*$""")]
    private static partial Regex OneLiteral();

    [GeneratedRegex(@"[\w'/^-]+")]
    private static partial Regex Word();
}
