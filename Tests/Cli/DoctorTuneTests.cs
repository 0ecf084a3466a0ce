using System.Text.Json.Nodes;
using NUnit.Framework;
using VaeFromScratch.Cli;
using VaeFromScratch.Cli.Commands;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Tests.Kernels;

namespace VaeFromScratch.Tests.Cli;

/// <summary>
/// What vae doctor --tune writes where there is one kernel for each product, where there are several, and where one fails.
/// </summary>
public sealed class DoctorTuneTests
{
    [Test]
    public void A_CPU_has_nothing_to_choose()
    {
        Assert.That(Tool.Run("doctor", "--device", "cpu", "--tune").Succeeded().Out, Does.Contain("cpu has one kernel for each product"));
        var json = Tool.Run("doctor", "--device", "cpu", "--tune", "--json").Json();
        Assert.That(json.GetProperty("tune").GetProperty("rows").GetArrayLength(), Is.Zero);
    }

    [Test]
    public void Its_products_are_those_of_the_training_step()
    {
        string[] names = [.. DoctorTune.Products(isSmall: true, part: null).Select(p => p.ToString())];
        Assert.That(names, Is.Unique);
        Assert.That(names, Is.SupersetOf(new[]
        {
            "Conv2dForward 100x28x28 1->32 4x4/2",
            "Conv2dBackwardData 100x14x14 32->32 4x4/2", "Conv2dBackwardWeight 100x28x28 1->32 4x4/2",
            "MatMul NN 100x1568x256", "MatMul TN 1568x100x256",
        }));
        Assert.That(() => DoctorTune.Products(isSmall: true, "nothing"),
            Throws.Exception.With.Message.Contains("--tune nothing: no product has that in its name; there are"));
    }

    [Test, Category("Gpu")]
    public void On_OpenCL_a_product_runs_in_each_tile()
    {
        if (Environment.GetEnvironmentVariable("VAE_TEST_DEVICE") is not null)
            Assert.Ignore("for OpenCL");
        var json = Tool.Run("doctor", "--device", OnGpu.Backend.Name, "--tune", "Forward 100x28x28", "--json").Json();
        var rows = json.GetProperty("tune").GetProperty("rows").EnumerateArray().ToArray();
        Assert.That(rows.Select(r => r.GetProperty("kernel").GetString()), Is.EqualTo(new[] { "64x64", "128x128" }));
        Assert.That(rows.Select(r => r.GetProperty("chosen_by_rule").GetBoolean()), Is.EqualTo(new[] { true, false }));
        Assert.That(rows.Count(r => r.GetProperty("fastest").GetBoolean()), Is.EqualTo(1));
        Assert.That(rows.Select(r => r.GetProperty("milliseconds").GetDouble()), Is.All.Positive);
        Assert.That(rows.Select(r => r.GetProperty("flops_per_second").GetDouble()), Is.All.Positive);
    }

    [Test, Category("Cuda")]
    public void On_tensor_cores_a_product_runs_in_each_tile_that_fits()
    {
        var rows = OnEmulator(Precision.Tf32, null, NetworkProduct.Of(new MatMulShape(128, 128, 64)),
            NetworkProduct.Of(new MatMulShape(64, 66, 64)));
        Assert.That(rows.Select(r => (string?)r["kernel"]), Is.EqualTo(new[]
            { "matmul_nn_64x64_v4_tf32", "matmul_nn_128x128_v4_tf32", "matmul_nn_64x64_v1_tf32", "matmul_nn_64x64_v1_tf32" }));
        Assert.That(rows.Select(r => (bool)r["chosen_by_rule"]!), Is.EqualTo(new[] { true, false, false, true }));
        Assert.That(rows.Select(r => (string?)r["error"]), Is.All.Null);
    }

    [Test, Category("Cuda")]
    public void A_wrong_result_has_a_row_that_says_so_and_the_others_are_measured()
    {
        // ILGPU's kernels do nothing on the stand-in: every result is what the memory held.
        var rows = OnEmulator(Precision.Fp32, null, NetworkProduct.Of(new MatMulShape(128, 128, 64)),
            NetworkProduct.Of(new MatMulShape(64, 66, 64)));
        Assert.That(rows.Select(r => r["error"] is null), Is.EqualTo(new[] { true, false, true, false }));
        Assert.That((string?)rows[1]["error"], Does.Contain("differs by"));
        Assert.That(rows.Select(r => (bool)r["fastest"]!), Is.EqualTo(new[] { true, false, true, false }));
    }

    [Test, Category("Cuda")]
    public void A_kernel_that_fails_has_a_row_with_its_error()
    {
        var rows = OnEmulator(Precision.Tf32, "matmul_nn_128x128_v4_tf32", NetworkProduct.Of(new MatMulShape(128, 128, 64)));
        Assert.That(rows.Select(r => r["error"] is null), Is.EqualTo(new[] { true, false }),
            "and the stand-in, like a card, does nothing more");
        Assert.That((string?)rows[1]["kernel"], Is.EqualTo("matmul_nn_128x128_v4_tf32"));
    }

    private static JsonObject[] OnEmulator(Precision precision, string? fails, params NetworkProduct[] products)
    {
        CudaEmulator.Open(computeCapability: 90);
        CudaEmulator.FailIn(fails);
        try
        {
            var output = new Output(json: true, plain: true);
            var tune = new DoctorTune(() => new(GpuDevice.Open("cuda", 0, profiling: true), precision), output);
            return [.. tune.Run(products)["rows"]!.AsArray().Select(row => row!.AsObject())];
        }
        finally
        {
            CudaEmulator.FailIn(null);
        }
    }
}
