using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;
using static VaeFromScratch.Tests.Kernels.DeviceArrays;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Products of operands that lie in memory as bf16 and are brought by the copy engine: the bits of those whose operands pass through registers, and the reference.</summary>
[Category("Cuda")]
public sealed class CudaCopyTests
{
    private static readonly string[] Tiles = ["64x64", "128x128", "128x256"];

    [TearDown]
    public void Heal()
    {
        CudaEmulator.FailIn(null);
        CudaEmulator.Configure();
    }

    /// <summary>op(A) op(B) [rows, columns] with A, and where it is transposed B too, stored in bf16.</summary>
    private sealed record Product(bool TransposeA, bool TransposeB, int Rows, int Columns, int K)
    {
        public MatMulShape Shape => new(Rows, Columns, K, TransposeA, TransposeB);

        public string Operation => $"matmul_{(TransposeA ? 't' : 'n')}{(TransposeB ? 't' : 'n')}";

        public override string ToString() => $"{Operation} {Rows}x{Columns}x{K}";
    }

    /// <summary>One box; ends inside of boxes in each direction; several tiles; less than a box; and blocks that share a long k.</summary>
    private static IEnumerable<Product> Products()
    {
        foreach (var (rows, columns, k) in ((int, int, int)[])[(64, 64, 64), (72, 68, 200), (136, 260, 136), (3, 4, 8), (64, 72, 1544)])
            foreach (bool transposeB in (bool[])[false, true])
                yield return new(false, transposeB, rows, columns, k);
        foreach (var (rows, columns, k) in ((int, int, int)[])[(64, 64, 64), (72, 88, 200), (136, 264, 131), (8, 8, 3), (64, 72, 1541)])
            yield return new(true, false, rows, columns, k);
    }

    [TestCaseSource(nameof(Products))]
    public void Copied_operands_give_the_bits_of_those_through_registers_and_the_reference(object productObject)
    {
        var product = (Product)productObject;
        double[] expected = Reference(product);
        foreach (string tile in Tiles)
            for (int order = 0; order < 3; order++)
            {
                float[] throughRegisters = Multiply(product, $"{tile} wgmma", order), copied = Multiply(product, $"{tile} tma", order);
                Assert.That(copied, Is.EqualTo(throughRegisters), $"{tile}, order {order}");
                for (int i = 0; i < expected.Length; i++)
                    Assert.That(copied[i], Is.EqualTo(expected[i]).Within(1e-5 * product.K), $"{tile}, element {i}");
            }
    }

    [Test]
    public void The_copying_kernel_that_a_row_names_computes_the_product([Values(false, true)] bool transposeA, [Values("64x64", "128x128", "128x256")] string tile)
    {
        var product = new Product(transposeA, false, 64, 64, 64);
        string kernel = $"{product.Operation}_{tile}_v4_bf16_tma";
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: Naming($"{tile} tma", product));
        CudaEmulator.FailIn(kernel);
        Assert.That(() => Multiply(cuda, product), Throws.TypeOf<DeviceException>().With.Message.Contains(kernel + ","));
    }

    [Test]
    public void Without_a_row_nothing_is_copied()
    {
        var product = new Product(false, false, 64, 64, 64);
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: new TileTable());
        CudaEmulator.FailIn("matmul_nn_64x64_v4_bf16");
        Assert.That(() => Multiply(cuda, product), Throws.TypeOf<DeviceException>().With.Message.Contains("matmul_nn_64x64_v4_bf16,"));
    }

    [Test]
    public void A_preference_for_warpgroups_copies_where_it_can()
    {
        var product = new Product(false, true, 64, 64, 64);
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: TileTable.PreferringWarpgroups);
        CudaEmulator.FailIn("matmul_nt_128x256_v4_bf16_tma");
        Assert.That(Multiply(cuda, product with { Rows = 60 }), Is.Not.Empty);
        Assert.That(() => Multiply(cuda, product with { Columns = 256 }), Throws.TypeOf<DeviceException>().With.Message.Contains("matmul_nt_128x256_v4_bf16_tma,"));
    }

    /// <summary>Lines of 16 bytes and addresses of 16 bytes are what the copy engine takes; anything else goes by another kernel and gives the same.</summary>
    [TestCase(64, 0, Storage.Float32)]
    [TestCase(68, 0, Storage.Bf16)]
    [TestCase(64, 4, Storage.Bf16)]
    public void What_the_copy_engine_cannot_bring_goes_through_registers(int k, int offset, Storage storage)
    {
        var product = new Product(false, false, 64, 64, k);
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: Naming("64x64 tma", product));
        CudaEmulator.FailIn("matmul_nn_64x64_v4_bf16_tma");
        float[] found = Multiply(cuda, product, offset, storage);
        double[] expected = Reference(product);
        for (int i = 0; i < expected.Length; i++)
            Assert.That(found[i], Is.EqualTo(expected[i]).Within(1e-5 * k));
    }

    [Test]
    public void The_same_product_is_copied_or_not_as_its_operand_is_stored()
    {
        var product = new Product(false, false, 64, 64, 64);
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: Naming("64x64 tma", product));
        float[] copied = Multiply(cuda, product);
        Assert.That(Multiply(cuda, product, storage: Storage.Float32), Is.EqualTo(copied).Within(1e-4));
        Assert.That(Multiply(cuda, product), Is.EqualTo(copied));
    }

    [Test]
    public void A_captured_product_copies_what_is_there_when_it_is_replayed()
    {
        var product = new Product(false, false, 72, 64, 136);
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: Naming("64x64 tma", product));
        using var pool = new BufferPool(cuda);
        Slice<float> floats = Upload(cuda, pool, new float[product.Rows * product.K]), b = Upload(cuda, pool, Numbers(product.K * product.Columns, 2)), c = pool.Rent<float>(product.Rows * product.Columns);
        var a = pool.Rent(floats.Length, Storage.Bf16);
        using var step = cuda.Capture(k =>
        {
            k.Convert(floats, a);
            k.MatMul(product.Shape, a, b, c);
        });
        step.Replay();
        Assert.That(Download(cuda, c), Has.All.Zero);
        cuda.Upload<float>(Numbers(floats.Length, 1), floats);
        step.Replay();
        Assert.That(Download(cuda, c), Is.EqualTo(Multiply(cuda, product)));
    }

    [Test]
    public void Tuning_tries_the_copying_kernels_and_refuses_none([Values(false, true)] bool transposeA)
    {
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: new TileTable());
        var table = new TileTable();
        var refused = new List<string>();
        cuda.TuneTiles(() => Multiply(cuda, new(transposeA, false, 136, 264, 136)), table, refused.Add, quick: true);
        Assert.That(refused, Is.Empty);
        Assert.That(table.Rows, Has.Count.EqualTo(1));
    }

    private static TileTable Naming(string kernel, Product product)
    {
        var table = new TileTable();
        table.Add(new("9.0", new(product.Operation, product.TransposeA ? "bf16:ab" : "bf16:a", product.Rows, product.Columns, product.K, 1), kernel, 2, 1, 1));
        return table;
    }

    private static float[] Multiply(Product product, string kernel, int order)
    {
        using var cuda = CudaEmulator.Open(Precision.Bf16, tiles: Naming(kernel, product));
        CudaEmulator.Configure(order);
        return Multiply(cuda, product);
    }

    /// <summary>The product and, of a weight gradient, the column sums of B that join its launch.</summary>
    private static float[] Multiply(CudaBackend cuda, Product product, int offset = 0, Storage storage = Storage.Bf16)
    {
        using var pool = new BufferPool(cuda);
        Slice<float> b = Upload(cuda, pool, Numbers(product.K * product.Columns, 2)), c = pool.Rent<float>(product.Rows * product.Columns);
        var a = Stored(cuda, pool, Numbers(product.Rows * product.K, 1), storage, offset);
        if (!product.TransposeA)
        {
            cuda.MatMul(product.Shape, a, b, c, default, Activation.None, default);
            return Download(cuda, c);
        }
        var halves = Stored(cuda, pool, Numbers(b.Length, 2), storage, offset);
        var sums = pool.Rent<float>(product.Columns);
        cuda.MatMul(product.Shape, a, halves, c, default, Activation.None, default);
        cuda.BiasGradient(product.K, product.Columns, halves, sums, accumulate: false);
        return [.. Download(cuda, c), .. Download(cuda, sums)];
    }

    private static Operand Stored(CudaBackend cuda, BufferPool pool, float[] values, Storage storage, int offset)
    {
        var whole = pool.Rent(values.Length + offset, storage);
        var part = new Operand(whole.Address + (nint)offset * whole.Size, values.Length, storage);
        cuda.Convert(Upload(cuda, pool, values), part);
        return part;
    }

    /// <summary>Sums of products of the numbers as bf16 holds them, and the column sums of B.</summary>
    private static double[] Reference(Product p)
    {
        float[] a = Array.ConvertAll(Numbers(p.Rows * p.K, 1), ToBf16), b = Array.ConvertAll(Numbers(p.K * p.Columns, 2), ToBf16);
        var result = new double[p.Rows * p.Columns + (p.TransposeA ? p.Columns : 0)];
        for (int i = 0; i < p.Rows; i++)
            for (int j = 0; j < p.Columns; j++)
                for (int k = 0; k < p.K; k++)
                    result[i * p.Columns + j] += (double)a[p.TransposeA ? k * p.Rows + i : i * p.K + k] * b[p.TransposeB ? j * p.K + k : k * p.Columns + j];
        for (int i = 0; p.TransposeA && i < b.Length; i++)
            result[p.Rows * p.Columns + i % p.Columns] += b[i];
        return result;
    }

    private static float[] Numbers(int n, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, n).Select(_ => random.NextSingle() - 0.5f)];
    }
}
