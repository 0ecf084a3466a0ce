namespace VaeFromScratch.Reference;

/// <summary>Every kernel case there is. A list written out, not found by reflection, so that it survives trimming.</summary>
public static class KernelCases
{
    public static IEnumerable<KernelCase> All() =>
    [
        .. MatMulCases.All(),
        .. ConvCases.All(),
        .. ElementwiseCases.All(),
        .. MemoryCases.All(),
        .. ReduceCases.All(),
        .. SoftmaxCases.All(),
        .. NormaliseCases.All(),
        .. RecurrentCases.All(),
        .. WarpCases.All(),
        .. RandomCases.All(),
        .. FusedCases.All(),
        .. MixtureCases.All(),
        .. OptimiseCases.All(),
    ];
}
