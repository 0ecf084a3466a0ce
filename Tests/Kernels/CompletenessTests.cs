using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Nothing that computes is without a case: found by reflection, so a new kernel cannot be forgotten.</summary>
public sealed class CompletenessTests
{
    private static readonly string[] NotKernels = ["Upload", "Download", "Synchronise", "Capture"];

    [Test]
    public void Every_operation_of_the_backend_has_a_case()
    {
        var covered = KernelCases.All().Select(c => c.Operation.Split(' ')[0]).ToHashSet();
        var missing = typeof(IBackend).GetMethods().Where(m => !m.IsSpecialName).Select(m => m.Name).Distinct().Except(NotKernels)
            .Where(name => !covered.Contains(name));
        Assert.That(missing, Is.Empty, "operations without a KernelCase");
    }

    [Test]
    public void Every_elementwise_kernel_has_a_forward_and_a_gradient_case()
    {
        var covered = KernelCases.All().Select(c => c.Operation).ToHashSet();
        var structs = typeof(IBackend).Assembly.GetTypes().Where(t => t is { IsValueType: true, IsNested: false }).ToArray();
        var unary = structs.Where(t => t.IsAssignableTo(typeof(IUnaryKernel)))
            .SelectMany(t => new[] { $"Unary {t.Name}", $"UnaryGradient {t.Name}" });
        var binary = structs.Where(t => t.IsAssignableTo(typeof(IBinaryKernel)))
            .SelectMany(t => new[] { $"Binary {t.Name}", $"BinaryGradient {t.Name}" });
        Assert.That(unary.Count() + binary.Count(), Is.GreaterThan(50));
        Assert.That(unary.Concat(binary).Where(name => !covered.Contains(name)), Is.Empty, "elementwise kernels without a case");
    }
}
