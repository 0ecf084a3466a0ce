using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Structure;

/// <summary>What the libraries show is what users need, is listed, and is explained; what is inside stays inside.</summary>
public sealed class PublicApiTests
{
    private static readonly string[] Libraries = ["Kernels", "Engine", "Data", "Estimators", "Models", "Reports"];

    /// <summary>
    /// Somewhat more than half of the 343 that the libraries showed when whatever any of them used was public. What is left, a program
    /// of one's own names or is given: a type more is to be one that a user needs.
    /// </summary>
    private const int MostTypes = 190;

    private static Assembly Library(string name) => Assembly.Load($"VaeFromScratch.{name}");

    [Test]
    public void The_libraries_show_few_types()
    {
        int types = Libraries.Sum(name => Library(name).GetExportedTypes().Length);
        TestContext.Out.WriteLine($"{types} public types");
        Assert.That(types, Is.InRange(100, MostTypes));
    }

    /// <summary>The compiler refuses other lists; this is for whoever builds without the analyser.</summary>
    [Test]
    public void Every_public_type_is_in_its_library_s_list([ValueSource(nameof(Libraries))] string library)
    {
        string[] listed = [.. new[] { "Shipped", "Unshipped" }
            .SelectMany(kind => File.ReadLines(Path.Combine(TestFiles.RepositoryRoot, library, $"PublicAPI.{kind}.txt")))
            .Where(line => !line.StartsWith('#') && !line.Contains(" -> ", StringComparison.Ordinal))
            .Select(line => line.Split('<')[0])];
        Assert.That(Library(library).GetExportedTypes().Select(type => type.FullName!.Split('`')[0].Replace('+', '.')),
            Is.EquivalentTo(listed));
    }

    /// <summary>A page of the documentation without a sentence helps nobody.</summary>
    [Test]
    public void Every_public_type_says_what_it_is([ValueSource(nameof(Libraries))] string library)
    {
        var explained = XDocument.Load(Path.Combine(AppContext.BaseDirectory, $"VaeFromScratch.{library}.xml")).Descendants("member")
            .Where(member => member.Elements().Any(e => e.Name.LocalName is "summary" or "inheritdoc"))
            .Select(member => member.Attribute("name")!.Value).ToHashSet();
        Assert.That(Library(library).GetExportedTypes().Select(type => $"T:{type.FullName!.Replace('+', '.')}")
            .Where(name => !explained.Contains(name)), Is.Empty);
    }

    /// <summary>Examples and lessons are programs as a user writes them, and a user's program sees only what is public.</summary>
    [Test]
    public void Only_assemblies_of_this_repository_see_inside([ValueSource(nameof(Libraries))] string library)
    {
        string[] others = ["Explore", "Reference", "Bench", "Tests"];
        string[] own = ["vae", "ILGPURuntime", .. Libraries.Concat(others).Select(name => $"VaeFromScratch.{name}")];
        var friends = Library(library).GetCustomAttributes<InternalsVisibleToAttribute>().Select(a => a.AssemblyName).ToArray();
        Assert.That(friends, Is.SubsetOf(own).And.Contains("VaeFromScratch.Tests"));
    }
}
