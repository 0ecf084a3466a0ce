using NUnit.Framework;
using VaeFromScratch.Engine;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;

namespace VaeFromScratch.Tests.Structure;

/// <summary>Layers depend in one direction only: Kernels, Engine, Estimators, Models, Cli.</summary>
public sealed class LayerTests
{
    private static readonly string[] Order = ["VaeFromScratch.Kernels", "VaeFromScratch.Engine", "VaeFromScratch.Estimators", "VaeFromScratch.Models", "vae"];

    [TestCase(typeof(IBackend))]
    [TestCase(typeof(Tensor))]
    [TestCase(typeof(Indicators))]
    [TestCase(typeof(VaeModel))]
    public void A_layer_references_lower_layers_only(Type inLayer)
    {
        int level = Array.IndexOf(Order, inLayer.Assembly.GetName().Name);
        Assert.That(level, Is.GreaterThanOrEqualTo(0), $"{inLayer.Assembly.GetName().Name} is not a layer");
        var higher = inLayer.Assembly.GetReferencedAssemblies().Where(a => Array.IndexOf(Order, a.Name) >= level);
        Assert.That(higher.Select(a => a.Name), Is.Empty);
    }
}
