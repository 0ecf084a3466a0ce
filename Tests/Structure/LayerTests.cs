using NUnit.Framework;
using VaeFromScratch.Cli;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Explore;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Reference;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Tests.Structure;

/// <summary>
/// Layers depend in one direction only: Kernels, Engine, Data and Estimators, Models, Reports, Explore, Cli; Reference knows kernels only.
/// </summary>
public sealed class LayerTests
{
    private static readonly string[] Order =
    [
        "VaeFromScratch.Kernels", "VaeFromScratch.Reference", "VaeFromScratch.Engine", "VaeFromScratch.Data", "VaeFromScratch.Estimators",
            "VaeFromScratch.Models",
        "VaeFromScratch.Reports", "VaeFromScratch.Explore", "vae",
    ];

    [TestCase(typeof(IBackend))]
    [TestCase(typeof(KernelCase))]
    [TestCase(typeof(Tensor))]
    [TestCase(typeof(ImageDataset))]
    [TestCase(typeof(Indicators))]
    [TestCase(typeof(VaeModel))]
    [TestCase(typeof(RunReport))]
    [TestCase(typeof(ExploreOptions))]
    public void A_layer_references_lower_layers_only(Type inLayer)
    {
        int level = Array.IndexOf(Order, inLayer.Assembly.GetName().Name);
        Assert.That(level, Is.GreaterThanOrEqualTo(0), $"{inLayer.Assembly.GetName().Name} is not a layer");
        var higher = inLayer.Assembly.GetReferencedAssemblies().Where(a => Array.IndexOf(Order, a.Name) >= level);
        Assert.That(higher.Select(a => a.Name), Is.Empty);
    }

    /// <summary>Only the page's assembly may need ASP.NET Core, and it is loaded by `vae explore` alone.</summary>
    [TestCase(typeof(VaeModel))]
    [TestCase(typeof(RunReport))]
    [TestCase(typeof(ExitCode))]
    public void No_other_layer_references_the_web_server(Type inLayer) =>
        Assert.That(inLayer.Assembly.GetReferencedAssemblies()
            .Where(a => a.Name!.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal)).Select(a => a.Name), Is.Empty);
}
