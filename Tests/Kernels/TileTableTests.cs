using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Which kernel computes a product: by a table of measurements, by the rule, and how the table is measured.</summary>
[Category("Cuda")]
public sealed class TileTableTests
{
    private const string Header = "compute_capability,operation,precision,rows,columns,k,classes,kernel,blocks_per_multiprocessor,microseconds,rule_microseconds";

    private static readonly TileProblem Problem = new("matmul_nn", "tf32", 64, 128, 96, 1);

    [TearDown]
    public void Heal() => CudaEmulator.FailIn(null);

    [Test]
    public void What_is_written_is_what_is_read()
    {
        var table = new TileTable();
        table.Add(new("9.0", Problem, "128x128 wgmma", 4, 12.5, 20));
        table.Add(new("8.6", Problem with { Operation = "conv_forward", Classes = 4 }, "128x32 mma", 1, 0.125, 0.125));
        Assert.That(TileTable.Parse(table.ToCsv(), "table").Rows, Is.EqualTo(table.Rows));
    }

    [TestCase("", "empty")]
    [TestCase("a,b\n", "line 1")]
    [TestCase(Header + "\n9.0,matmul_nn,tf32,64,128\n", "line 2")]
    [TestCase("# comment\n" + Header + "\n9.0,matmul_nn,tf32,64,128,-96,1,128x128 mma,2,1.0,1.0\n", "line 3")]
    [TestCase(Header + "\n9.0,matmul_nn,tf32,64,128,96,1,128x128 mma,2,NaN,1.0\n", "line 2")]
    public void A_broken_table_is_refused_with_its_line(string text, string place) =>
        Assert.That(() => TileTable.Parse(text, "tiles.csv"), Throws.TypeOf<DeviceException>().With.Message.Contains("tiles.csv").And.Message.Contains(place));

    [Test]
    public void A_file_that_is_not_there_is_named() => Assert.That(() => TileTable.Read("no/such/tiles.csv"), Throws.TypeOf<DeviceException>().With.Message.Contains("no/such/tiles.csv"));

    [Test]
    public void The_nearest_measurement_within_a_factor_of_two_stands_in()
    {
        var table = new TileTable();
        table.Add(new("9.0", Problem, "far", 1, 1, 1));
        table.Add(new("9.0", Problem with { Rows = 80 }, "near", 1, 1, 1));
        Assert.Multiple(() =>
        {
            Assert.That(table.Find("9.0", Problem)?.Kernel, Is.EqualTo("far"), "the problem itself");
            Assert.That(table.Find("9.0", Problem with { Rows = 78 })?.Kernel, Is.EqualTo("near"));
            Assert.That(table.Find("9.0", Problem with { Rows = 32 })?.Kernel, Is.EqualTo("far"), "a factor of two");
            Assert.That(table.Find("9.0", Problem with { Rows = 31 }), Is.Null, "more than that");
            Assert.That(table.Find("9.0", Problem with { Rows = 128, K = 97 }), Is.EqualTo(table.Rows[1]).Or.Null);
            Assert.That(table.Find("8.0", Problem), Is.Null, "another card");
            Assert.That(table.Find("9.0", Problem with { Precision = "bf16" }), Is.Null);
            Assert.That(table.Find("9.0", Problem with { Classes = 4 }), Is.Null);
        });
    }

    [TestCase(1f, 2f, 3f, true)]
    [TestCase(1.002f, 2f, 3f, true)]
    [TestCase(1.004f, 2f, 3f, false)]
    [TestCase(-1f, 2f, 3f, false)]
    [TestCase(float.NaN, 2f, 3f, false)]
    [TestCase(1f, 2f, float.PositiveInfinity, false)]
    public void A_kernel_that_computes_something_else_is_told_apart(float a, float b, float c, bool agrees) =>
        Assert.That(TileTable.Agree([1f, 2f, 3f], [a, b, c]), Is.EqualTo(agrees));

    [TestCase(1.02f, true)]
    [TestCase(1.03f, false)]
    public void Results_in_bf16_may_be_rounded_to_the_next_number(float a, bool agrees) =>
        Assert.That(TileTable.Agree([1f, 2f, 3f], [a, 2f, 3f], Storage.Bf16), Is.EqualTo(agrees));

    [TestCase("128x128 wgmma", "matmul_nn_128x128_v4_tf32_wgmma")]
    [TestCase("128x256 wgmma", "matmul_nn_128x256_v4_tf32_wgmma")]
    [TestCase("64x64 wgmma", "matmul_nn_64x64_v4_tf32_wgmma")]
    [TestCase("128x128 mma", "matmul_nn_128x128_v4_tf32")]
    [TestCase("no such kernel", "matmul_nn_64x64_v4_tf32")]
    [TestCase(null, "matmul_nn_64x64_v4_tf32")]
    public void The_kernel_that_a_row_names_computes_the_product(string? chosen, string kernel)
    {
        var table = new TileTable();
        if (chosen is not null)
            table.Add(new("9.0", Problem, chosen, 2, 1, 1));
        using var cuda = CudaEmulator.Open(Precision.Tf32, tiles: table);
        Multiply(cuda, Problem);
        CudaEmulator.FailIn(kernel);
        Assert.That(() => Multiply(cuda, Problem), Throws.TypeOf<DeviceException>().With.Message.Contains(kernel + ","));
    }

    [TestCase(28, 1, 32, "conv_backward_data_few")]
    [TestCase(64, 3, 32, "conv_backward_data_few")]
    [TestCase(28, 8, 32, "conv_backward_data_128x32_v4_fp32")]
    [TestCase(28, 1, 31, "conv_backward_data_128x32_v1_fp32")]
    [TestCase(512, 3, 32, "conv_backward_data_128x32_v4_fp32")]
    public void The_last_layer_of_a_decoder_has_a_kernel_of_its_own_where_its_rows_fit_shared_memory(int size, int channels, int channelsBefore, string kernel)
    {
        using var cuda = CudaEmulator.Open();
        using var pool = new BufferPool(cuda);
        var shape = new ConvShape(1, size, size, channels, channelsBefore, 4, 4, 2, 1);
        Slice<float> dy = pool.Rent<float>(shape.OutSize), w = pool.Rent<float>(shape.WeightSize), dx = pool.Rent<float>(shape.InSize);
        CudaEmulator.FailIn(kernel);
        Assert.That(() =>
        {
            cuda.Conv2dBackwardData(shape, dy, w, dx, default, Activation.None, false, default);
            cuda.Synchronise();
        }, Throws.TypeOf<DeviceException>().With.Message.Contains(kernel + ","));
    }

    [Test]
    public void Warpgroups_are_for_compute_capability_9_0_only([Values(75, 80, 90, 100)] int capability)
    {
        using var cuda = CudaEmulator.Open(Precision.Tf32, capability, tiles: TileTable.PreferringWarpgroups);
        Assert.That(cuda.HasWarpgroupKernels, Is.EqualTo(capability == 90));
        Assert.That(Multiply(cuda, Problem), Is.EqualTo(96.0 * 0.5 * 0.5).Within(1e-3));
    }

    [Test]
    public void Tuning_measures_each_problem_once_and_leaves_the_result_alone()
    {
        using var cuda = CudaEmulator.Open(Precision.Bf16);
        var table = new TileTable();
        var refused = new List<string>();
        double result = 0;
        cuda.TuneTiles(() =>
        {
            Multiply(cuda, Problem);
            result = Multiply(cuda, Problem);
            Multiply(cuda, Problem with { Columns = 126 });
        }, table, refused.Add, quick: true);
        Assert.Multiple(() =>
        {
            Assert.That(refused, Is.Empty);
            Assert.That(result, Is.EqualTo(96.0 * 0.5 * 0.5).Within(1e-3));
            Assert.That(table.Rows.Select(r => r.Problem), Is.EqualTo(new[] { Problem with { Precision = "bf16" }, Problem with { Precision = "bf16", Columns = 126 } }));
            Assert.That(table.Rows.Select(r => r.Microseconds), Has.All.GreaterThan(0));
            Assert.That(table.Rows.All(r => r.Microseconds <= r.RuleMicroseconds));
        });
    }

    /// <summary>The last element of the product of two matrices full of 0.5.</summary>
    private static double Multiply(CudaBackend cuda, TileProblem p)
    {
        using var pool = new BufferPool(cuda);
        Slice<float> a = pool.Rent<float>(p.Rows * p.K), b = pool.Rent<float>(p.K * p.Columns), c = pool.Rent<float>(p.Rows * p.Columns);
        cuda.Fill(a, 0.5f);
        cuda.Fill(b, 0.5f);
        cuda.MatMul(new(p.Rows, p.Columns, p.K), a, b, c, default, Activation.None, default);
        var result = new float[c.Length];
        cuda.Download<float>(c, result);
        Assert.That(result, Has.All.EqualTo(result[0]));
        return result[^1];
    }
}
