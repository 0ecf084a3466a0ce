using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Matrix products of operands that lie in memory as the device stores a hidden layer's output (<see cref="IBackend.CompactStorage"/>), of sizes that Hopper's copy engine can bring.</summary>
public static class StoredCases
{
    public static IEnumerable<KernelCase> All()
    {
        // One step of k; ends inside of tiles; several tiles; a long k that blocks share.
        foreach (var (m, n, k) in ((int, int, int)[])[(8, 8, 8), (64, 64, 64), (72, 136, 200), (136, 264, 136), (24, 40, 2056)])
        {
            yield return Product(new(m, n, k));
            yield return Product(new(m, n, k, TransposeB: true));
            yield return Product(new(m, n, k, TransposeA: true));
        }
    }

    /// <summary>A is the hidden layer's output, or its gradient; where it is transposed, B is the other of the two, else weights in float32.</summary>
    private static KernelCase Product(MatMulShape s) => new("MatMul", $"{s.M}x{s.N}x{s.K} {(s.TransposeA ? 'T' : 'N')}{(s.TransposeB ? 'T' : 'N')} stored compactly", context =>
    {
        float[] a = context.Uniform(s.M * s.K), b = context.Uniform(s.K * s.N);
        Operand storedA = context.Stored(a), storedB = s.TransposeA ? context.Stored(b) : context.Upload(b);
        var c = context.Output(s.M * s.N);
        context.Run(k => k.MatMul(s, storedA, storedB, c));
        context.Expect(c, MatMulCases.Multiply(s, a, b, [], null, false, null), absolute: 2e-6);
    });
}
