using System.Globalization;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu.TensorCores;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>What the host thinks of the tensor-core kernels against what their PTX says, and the scratch memory of every launch.</summary>
public sealed class TilingTests
{
    private static readonly Dictionary<string, string> Entries = ReadEntries();

    private static IEnumerable<TileKernel> Kernels() =>
        from precision in (Precision[])[Precision.Tf32, Precision.Bf16]
        from operation in Enum.GetValues<TileOperation>()
        from kernel in TileKernel.Of(operation, precision)
        select kernel;

    [Test]
    public void Every_kernel_of_the_PTX_is_one_the_host_knows_and_the_other_way_round() =>
        Assert.That(Kernels().Select(k => k.Name), Is.EquivalentTo(Entries.Keys));

    [Test]
    public void Arguments_have_the_sizes_that_the_PTX_declares()
    {
        foreach (var kernel in Kernels())
        {
            bool convolution = kernel.Name.StartsWith("conv", StringComparison.Ordinal);
            int shape = convolution ? Unsafe.SizeOf<ConvGeometry>() : Unsafe.SizeOf<ProductShape>();
            var declared = Regex.Matches(Entries[kernel.Name], @"_param_\d+(\[(\d+)\])?")
                .Where(m => m.Index < Entries[kernel.Name].IndexOf(')', StringComparison.Ordinal))
                .Select(m => m.Groups[2].Success ? int.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture) : 8);
            Assert.That(declared, Is.EqualTo(new[] { 8, 8, shape, Unsafe.SizeOf<Epilogue>() }), kernel.Name);
        }
    }

    [Test]
    public void Blocks_have_the_threads_that_the_PTX_allows()
    {
        foreach (var kernel in Kernels())
            Assert.That(Entries[kernel.Name], Does.Match($@"\.maxntid\s+{kernel.Threads}\b"), kernel.Name);
    }

    /// <summary>Every launch has room for its shared sums, every step of K belongs to one block, and no block is without.</summary>
    [Test]
    public void Every_division_fits_the_scratch_memory_and_covers_k([Values(1, 4, 30, 108, 132)] int multiprocessors)
    {
        var random = new Random(multiprocessors);
        int shared = 0;
        for (int i = 0; i < 20_000; i++)
        {
            int Size() => (int)Math.Pow(2, random.NextDouble() * 12);
            int k = (int)Math.Pow(2, random.NextDouble() * 17) - 1, classes = random.Next(3) == 0 ? random.Next(1, 10) : 1;
            var sizes = new ProductSizes(Size(), Size(), k, classes);
            bool convolution = sizes.Classes > 1 || random.Next(2) == 0;
            var tile = Tiling.SizeOf(convolution, Tiling.Choose(convolution, sizes, vectors: random.Next(4) > 0, multiprocessors));
            int depth = random.Next(2) == 0 ? 16 : 64, steps = (sizes.K + depth - 1) / depth;
            var d = Tiling.Divide(tile, depth, sizes, multiprocessors);
            Assert.That(d.Tiles * tile.Rows * tile.Columns, Is.AtLeast(sizes.M * sizes.N));
            Assert.That(d.Sharing, Is.AtLeast(1).And.LessThanOrEqualTo(65535));
            Assert.That(d.StepsEach * d.Sharing, Is.AtLeast(steps));
            Assert.That(d.StepsEach * (d.Sharing - 1), Is.LessThan(Math.Max(1, steps)));
            if (d.Sharing == 1)
                continue;
            shared++;
            int tiles = d.Tiles * classes, shares = tiles * (d.Sharing + d.Groups);
            Assert.That(shares * tile.Rows * tile.Columns, Is.LessThanOrEqualTo(Tiling.ScratchFloats(multiprocessors)));
            Assert.That(tiles * (d.Groups + 1), Is.LessThanOrEqualTo(Tiling.Tickets(multiprocessors)));
        }
        Assert.That(shared, multiprocessors == 1 ? Is.Zero : Is.Positive);
    }

    [Test]
    public void Large_tiles_are_for_products_with_enough_of_them_and_for_wide_convolutions()
    {
        Assert.That(Tiling.Choose(false, new(4096, 4096, 64), vectors: true, 132), Is.EqualTo(TileSize.Large));
        Assert.That(Tiling.Choose(false, new(100, 784, 512), vectors: true, 132), Is.EqualTo(TileSize.Small));
        Assert.That(Tiling.Choose(false, new(4096, 4096, 64), vectors: false, 132), Is.EqualTo(TileSize.Single));
        Assert.That(Tiling.Choose(true, new(100, 64, 512), vectors: true, 132), Is.EqualTo(TileSize.Large));
        Assert.That(Tiling.Choose(true, new(100_000, 32, 512), vectors: true, 132), Is.EqualTo(TileSize.Small));
    }

    private static Dictionary<string, string> ReadEntries()
    {
        var entries = new Dictionary<string, string>();
        var assembly = typeof(TileKernel).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".ptx.gz", StringComparison.Ordinal)))
        {
            using var text = new StreamReader(new GZipStream(assembly.GetManifestResourceStream(name)!, CompressionMode.Decompress));
            foreach (string entry in text.ReadToEnd().Split(".entry ").Skip(1))
                entries.Add(entry[..entry.IndexOf('(', StringComparison.Ordinal)], entry);
        }
        return entries;
    }
}
