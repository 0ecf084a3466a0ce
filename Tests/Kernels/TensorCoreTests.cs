using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The tensor-core products and convolutions, run by the emulator, against the double-precision reference.</summary>
[Category("Cuda")]
[TestFixture(Precision.Tf32)]
[TestFixture(Precision.Bf16)]
public sealed class TensorCoreTests(Precision precision)
{
    private static readonly float[] Planted = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e-40f, -0f, 1e30f];

    private TensorCoreBackend backend = null!;

    [OneTimeSetUp]
    public void Open() => backend = new(precision);

    [OneTimeTearDown]
    public void Close() => backend?.Dispose();

    private static IEnumerable<KernelCase> MatrixWork() => KernelCases.All().Where(c => c.IsMatrixWork);

    /// <summary>Products of two numbers that tf32 or bf16 holds are exact in float32, so that nothing is lost but in the sums.</summary>
    [TestCaseSource(nameof(MatrixWork))]
    public void Kernel_matches_the_reference_on_rounded_operands_to_float32(KernelCase kernelCase)
    {
        using var result = CaseContext.Evaluate(backend, kernelCase, leastTolerance: 0, round: Round);
        Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
    }

    /// <summary>Unrounded operands: some four units in the last place of one, and more than float32 would lose.</summary>
    [Test]
    public void Products_have_the_precision_of_rounded_operands([Values] bool convolution)
    {
        double tolerance = precision == Precision.Tf32 ? 2e-3 : 1.6e-2, worst = 0;
        string operation = convolution ? "Conv" : "MatMul";
        foreach (var kernelCase in MatrixWork().Where(c => c.Operation.StartsWith(operation, StringComparison.Ordinal)).TakeLast(12))
        {
            using var result = CaseContext.Evaluate(backend, kernelCase, leastTolerance: tolerance);
            Assert.That(result.Failures, Is.Empty, kernelCase.ToString());
            worst = Math.Max(worst, result.WorstError);
        }
        Assert.That(worst, Is.GreaterThan(2e-5));
    }

    /// <summary>tf32 keeps 10 bits of mantissa and rounds halves away from zero, bf16 keeps 7 and rounds halves to even.</summary>
    [Test]
    public void Operands_are_rounded_as_the_hardware_rounds()
    {
        (float X, float Rounded)[] roundings = precision == Precision.Bf16
            ? [(1.00390625f, 1), (1.01171875f, 1.015625f), (1.00390637f, 1.0078125f), (-1.00390625f, -1), (3.4e38f, float.PositiveInfinity)]
            : [(1.00048828125f, 1.0009765625f), (1.0004882f, 1), (-1.00048828125f, -1.0009765625f),
                (float.MinValue, float.NegativeInfinity)];
        using var pool = new BufferPool(backend);
        IBackend b = backend;
        foreach (var (x, rounded) in roundings)
        {
            Slice<float> a = Upload(backend, pool, [x]), one = Upload(backend, pool, [1f]), c = Upload(backend, pool, [0f]);
            b.MatMul(new(1, 1, 1), a, one, c);
            Assert.That(Download(backend, c)[0], Is.EqualTo(rounded));
            b.MatMul(new(1, 1, 1), one, a, c);
            Assert.That(Download(backend, c)[0], Is.EqualTo(rounded));
        }
    }

    /// <summary>A NaN whose kept bits are all zero must not become an infinity.</summary>
    [Test]
    public void A_NaN_stays_one_whatever_its_bits()
    {
        using var pool = new BufferPool(backend);
        IBackend b = backend;
        foreach (uint bits in (uint[])[0x7f800001, 0x7fffffff, 0xff800001, 0xffffffff])
        {
            var a = Upload(backend, pool, [BitConverter.UInt32BitsToSingle(bits)]);
            Slice<float> one = Upload(backend, pool, [1f]), c = Upload(backend, pool, [0f]);
            b.MatMul(new(1, 1, 1), a, one, c, activation: Activation.Relu);
            Assert.That(Download(backend, c)[0], Is.NaN, $"{bits:x8}");
        }
    }

    [Test]
    public void NaN_and_infinities_pass_through_products_as_IEEE_754_says(
        [Values] bool transposeA, [Values] bool transposeB, [Values(36, 37)] int n, [Values] bool relu)
    {
        const int M = 70, K = 140;
        using var pool = new BufferPool(backend);
        var random = new Random(5);
        float[] a = Numbers(random, M * K), b = Numbers(random, K * n), bias = Numbers(random, n);
        float[] start = Numbers(random, M * n), mask = Numbers(random, M * n);
        Plant(random, a, 3);
        Plant(random, b, 2);
        Plant(random, bias, 1);
        Plant(random, start, 5);
        Plant(random, mask, 5);
        var shape = new MatMulShape(M, n, K, transposeA, transposeB, Accumulate: true);
        var c = Upload(backend, pool, start);
        ((IBackend)backend).MatMul(shape, Upload(backend, pool, a), Upload(backend, pool, b), c, Upload(backend, pool, bias),
            relu ? Activation.Relu : Activation.None, Upload(backend, pool, mask));
        var found = Download(backend, c);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += (double)a[transposeA ? k * M + i : i * K + k] * b[transposeB ? j * K + k : k * n + j];
                double value = mask[i * n + j] > 0 ? sum + bias[j] : 0;
                value += start[i * n + j];
                AssertSame(found[i * n + j], relu && value < 0 ? 0 : value, $"[{i}, {j}]");
            }
    }

    [Test]
    public void NaN_and_infinities_in_an_image_reach_the_pixels_that_see_them([Values(4, 3)] int channels)
    {
        var s = new ConvShape(2, 9, 10, channels, 8, 4, 4, 2, 1);
        using var pool = new BufferPool(backend);
        var random = new Random(6);
        float[] x = Numbers(random, s.InSize), w = Numbers(random, s.WeightSize), dy = Numbers(random, s.OutSize);
        Plant(random, x, 1);
        Plant(random, dy, 1);
        double[] y = new double[s.OutSize], dx = new double[s.InSize];
        ConvCases.Walk(s, (xi, wi, yi) => { y[yi] += (double)x[xi] * w[wi]; dx[xi] += (double)dy[yi] * w[wi]; });
        Slice<float> foundY = pool.Rent<float>(s.OutSize), foundDx = pool.Rent<float>(s.InSize), weights = Upload(backend, pool, w);
        IBackend b = backend;
        b.Conv2dForward(s, Upload(backend, pool, x), weights, foundY);
        b.Conv2dBackwardData(s, Upload(backend, pool, dy), weights, foundDx);
        AssertSame(Download(backend, foundY), y);
        AssertSame(Download(backend, foundDx), dx);
        Assert.That(y.Count(double.IsNaN), Is.Positive.And.LessThan(y.Length));

        // Without padding every tap sees every pixel of dy that it pairs with.
        var inside = s with { Padding = 0 };
        var dw = new double[inside.WeightSize];
        float[] dyInside = Numbers(random, inside.OutSize);
        ConvCases.Walk(inside, (xi, wi, yi) => dw[wi] += (double)x[xi] * dyInside[yi]);
        var foundDw = pool.Rent<float>(inside.WeightSize);
        b.Conv2dBackwardWeight(inside, Upload(backend, pool, x), Upload(backend, pool, dyInside), foundDw, accumulate: false);
        AssertSame(Download(backend, foundDw), dw);
    }

    /// <summary>
    /// Addresses that are multiples of 4 bytes only: a vector load there would be a fault on a card, and the emulator says so.
    /// </summary>
    [Test]
    public void Slices_may_begin_at_any_float([Values(1, 2, 3, 4)] int offset, [Values(0, 1, 2, 3, 4)] int which)
    {
        const int M = 68, N = 36, K = 40;
        using var pool = new BufferPool(backend);
        var random = new Random(7);
        Slice<float> At(int index, int length) => pool.Rent<float>(length + 4).Part(index == which ? offset : 0, length);
        Slice<float> a = At(0, M * K), b = At(1, K * N), c = At(2, M * N), bias = At(3, N), mask = At(4, M * N);
        float[] valuesA = Numbers(random, M * K), valuesB = Numbers(random, K * N);
        float[] valuesBias = Numbers(random, N), valuesMask = Numbers(random, M * N);
        backend.Upload<float>(valuesA, a);
        backend.Upload<float>(valuesB, b);
        backend.Upload<float>(valuesBias, bias);
        backend.Upload<float>(valuesMask, mask);
        ((IBackend)backend).MatMul(new(M, N, K), a, b, c, bias, Activation.Relu, mask);
        var found = Download(backend, c);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++)
            {
                double sum = valuesBias[j];
                for (int k = 0; k < K; k++)
                    sum += (double)valuesA[i * K + k] * valuesB[k * N + j];
                AssertSame(found[i * N + j], valuesMask[i * N + j] > 0 ? Math.Max(0, sum) : 0, $"[{i}, {j}]");
            }
    }

    /// <summary>Blocks that share a tile come in any order; their sums are added in one.</summary>
    [Test]
    public void Shared_sums_have_the_same_bits_in_every_order_of_threads_and_blocks([Values(1, 2)] int threads)
    {
        var shape = new MatMulShape(60, 44, 5000, TransposeA: true);
        var conv = new ConvShape(40, 14, 14, 8, 12, 4, 4, 2, 1);
        using var pool = new BufferPool(backend);
        var random = new Random(8);
        Slice<float> Input(int n) => Upload(backend, pool, Numbers(random, n));
        Slice<float> a = Input(shape.M * shape.K), b = Input(shape.K * shape.N), x = Input(conv.InSize), dy = Input(conv.OutSize);
        Slice<float> c = pool.Rent<float>(shape.M * shape.N), dw = pool.Rent<float>(conv.WeightSize);
        float[]? first = null;
        try
        {
            foreach (int order in (int[])[CudaEmulator.Forward, CudaEmulator.Reverse, CudaEmulator.Random, CudaEmulator.Forward])
            {
                CudaEmulator.Configure(order, threads);
                ((IBackend)backend).MatMul(shape, a, b, c);
                ((IBackend)backend).Conv2dBackwardWeight(conv, x, dy, dw, accumulate: false);
                float[] bits = [.. Download(backend, c), .. Download(backend, dw)];
                Assert.That(bits, Is.EqualTo(first ??= bits), $"order {order}");
            }
        }
        finally
        {
            CudaEmulator.Configure();
        }
        Assert.That(first, Has.Some.Not.Zero);
    }

    private float Round(float x) => precision == Precision.Bf16 ? ToBf16(x) : ToTf32(x);

    private float[] Numbers(Random random, int n) => [.. Enumerable.Range(0, n).Select(_ => Round(2 * random.NextSingle() - 1))];

    private void Plant(Random random, float[] values, int times)
    {
        for (int i = 0; i < times; i++)
            foreach (float v in Planted.AsSpan(i % 2, Planted.Length - 1))
                values[random.Next(values.Length)] = Round(v);
    }

    private static void AssertSame(float[] found, double[] expected)
    {
        for (int i = 0; i < found.Length; i++)
            AssertSame(found[i], expected[i], $"[{i}]");
    }

    private static void AssertSame(float found, double expected, string where)
    {
        if (Math.Abs(expected) > float.MaxValue)
            expected = Math.CopySign(double.PositiveInfinity, expected);
        if (!double.IsFinite(expected))
            Assert.That((double)found, Is.EqualTo(expected), where);
        else
            Assert.That((double)found, Is.EqualTo(expected).Within(1e-5 + 1e-5 * Math.Abs(expected)), where);
    }
}
