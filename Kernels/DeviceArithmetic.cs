using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels;

/// <summary>
/// Where a device's float32 arithmetic differs from the CPU's, measured: OpenCL lets a division be 2.5 units in the last place off, a
/// square root 3, and subnormals be 0.
/// </summary>
/// <param name="RoundsDivision">Whether quotients are correctly rounded.</param>
/// <param name="RoundsRoot">Whether square roots are correctly rounded.</param>
/// <param name="KeepsSubnormals">Whether subnormal operands and results keep their values.</param>
internal sealed record DeviceArithmetic(bool RoundsDivision, bool RoundsRoot, bool KeepsSubnormals)
{
    private const int Samples = 4096;
    private const int SmallestNormalBits = 0x00800000, LargestBits = 0x7f7fffff;

    /// <summary>Whether it computes as the CPU does.</summary>
    public bool IsExact => RoundsDivision && RoundsRoot && KeepsSubnormals;

    /// <summary>
    /// Runs divisions, roots and additions of several thousand values on the device and compares them with the CPU's, bit by bit.
    /// </summary>
    public static DeviceArithmetic Measure(IBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        using var pool = new BufferPool(backend);
        var random = new Random(1);
        // Every binary exponent, but quotients in the normal range.
        float[] dividends = Of(0x20000000, 0x5f000000), divisors = Of(0x30000000, 0x4f000000),
            radicands = Of(SmallestNormalBits, LargestBits);
        float[] subnormals = Of(1, SmallestNormalBits), others = Of(1, SmallestNormalBits);
        Slice<float> a = pool.Rent<float>(Samples), b = pool.Rent<float>(Samples), y = pool.Rent<float>(Samples);
        return new(
            Agrees(dividends, divisors, (x, z) => x / z, () => backend.Binary<Divide>(a, b, y)),
            Agrees(radicands, radicands, (x, _) => MathF.Sqrt(x), () => backend.Unary<Sqrt>(a, y, 0)),
            Agrees(subnormals, others, (x, z) => x - z, () => backend.Binary<Subtract>(a, b, y)));

        float[] Of(int lowBits, int highBits) =>
            [.. Enumerable.Range(0, Samples).Select(_ => BitConverter.Int32BitsToSingle(random.Next(lowBits, highBits)))];

        bool Agrees(float[] first, float[] second, Func<float, float, float> expected, Action run)
        {
            backend.Upload<float>(first, a);
            backend.Upload<float>(second, b);
            run();
            var result = new float[Samples];
            backend.Download(y, result);
            return result.Zip(first.Zip(second, expected)).All(r => r.First.Equals(r.Second));
        }
    }
}
