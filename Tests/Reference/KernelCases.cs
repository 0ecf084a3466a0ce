namespace VaeFromScratch.Reference;

/// <summary>Every kernel case there is. A list written out, not found by reflection, so that it survives trimming.</summary>
public static class KernelCases
{
    public static IEnumerable<KernelCase> All() =>
    [
        .. MatMulCases.All(),
        .. ConvCases.All(),
    ];
}
