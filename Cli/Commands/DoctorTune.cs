using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae doctor --tune: products in every kernel that can make them, by the device's own clock, beside the kernel that the rules choose. It
/// measures the rules; it
/// stores nothing and changes none of them.
/// </summary>
/// <param name="open">Opens the device with its clock; again after an error that leaves it useless.</param>
internal sealed class DoctorTune(Func<GpuBackend> open, Output output)
{
    /// <summary>Of the largest entry: what the order of a sum's additions can change, and no more.</summary>
    private const double Tolerance = 1e-4;

    private static readonly string[] Header = ["product", "shape", "kernel", "ms", "GFLOP/s", "by rule", "fastest"];

    /// <summary>A product in a kernel.</summary>
    /// <param name="Result">What it computed, absent where it failed.</param>
    private sealed record Trial(ProductKernel Kernel, string Name, double Seconds, float[]? Result, string? Error);

    /// <summary>The products of paper 1's and paper 5's networks for MNIST, those with <paramref name="part"/> in their names.</summary>
    /// <param name="isSmall">Whether only batches of 100 are for this device; a GPU gets 4 096 of paper 1's too.</param>
    public static IReadOnlyList<NetworkProduct> Products(bool isSmall, string? part)
    {
        StepWorkload[] small = [StepWorkload.Mnist(100), StepWorkload.MnistImae(100)];
        var all = NetworkProduct.Of(isSmall ? small : [.. small, StepWorkload.Mnist(4096)]);
        NetworkProduct[] found = [.. all.Where(p => part is null || p.ToString().Contains(part, StringComparison.OrdinalIgnoreCase))];
        return found.Length > 0 ? found
            : throw new OptionException($"--tune {part}: no product has that in its name; there are {string.Join(", ", all)}");
    }

    /// <summary>
    /// Writes each row when it is measured. A kernel that fails does not keep the others from running; only a device that is lost does.
    /// </summary>
    public JsonObject Run(IReadOnlyList<NetworkProduct> products)
    {
        int[] widths =
            [products.Max(p => p.Operation.Length), products.Max(p => p.Shape.Length), 36, 9, 9, Header[5].Length, Header[6].Length];
        output.Line();
        output.Row(Header, widths, textColumns: 3);
        var rows = new JsonArray();
        using var device = new DeviceOnTrial<GpuBackend>(open);
        string? lost = null;
        int slower = 0, failed = 0;
        foreach (var product in products)
        {
            List<(Trial Trial, JsonObject Json)> tried = [];
            foreach (var trial in Trials(device, product, reason => lost = reason))
            {
                var json = new JsonObject
                {
                    ["operation"] = product.Operation,
                    ["shape"] = product.Shape,
                    ["kernel"] = trial.Name,
                    ["chosen_by_rule"] = tried.Count == 0,
                };
                if (trial.Error is null)
                    (json["milliseconds"], json["flops_per_second"]) = (1e3 * trial.Seconds, product.Flops / trial.Seconds);
                json["error"] = trial.Error;
                rows.Add(json);
                tried.Add((trial, json));
                failed += trial.Error is null ? 0 : 1;
                string byRule = tried.Count == 1 ? "yes" : "";
                // The first of a product's rows is the rules' choice, and the fastest is known with the last.
                output.Row([product.Operation, product.Shape, trial.Name, .. trial.Error is null
                    ? (string[])[Number(1e3 * trial.Seconds, "F4"), Number(1e-9 * product.Flops / trial.Seconds, "F1"), byRule, ""]
                    : ["FAILED", "", byRule, trial.Error]], widths, textColumns: 3);
            }
            var fastest = tried.Where(t => t.Trial.Error is null).MinBy(t => t.Trial.Seconds);
            foreach (var (trial, json) in tried)
                json["fastest"] = trial == fastest.Trial;
            if (fastest.Trial is { } best)
            {
                slower += best == tried[0].Trial ? 0 : 1;
                output.Row(["", "", "", "", "", "", best.Name], widths, textColumns: 3);
            }
            if (lost is not null)
                break;
        }
        output.Line();
        output.Line($"{products.Count} products, of which {slower} have a kernel that was faster than the rules' choice here; "
            + "nothing is stored or changed");
        if (failed > 0)
            Console.Error.WriteLine($"vae: {failed} rows failed on {device.Backend.Name}; the rows say why");
        if (lost is not null)
            Console.Error.WriteLine($"vae: the other products were not tried, as the device does not open again: {lost}");
        return new() { ["rows"] = rows, ["faster_than_rule"] = slower, ["failed"] = failed };
    }

    /// <summary>The rules' choice first, then each other kernel that fits.</summary>
    private static IEnumerable<Trial> Trials(DeviceOnTrial<GpuBackend> device, NetworkProduct product, Action<string> lose)
    {
        var ruled = Try(device, product, preferred: null, expected: null, lose, out bool isLost)!;
        yield return ruled;
        foreach (var kernel in Enum.GetValues<ProductKernel>().Where(k => k != ruled.Kernel))
            if (!isLost && Try(device, product, kernel, ruled.Result, lose, out isLost) is { } trial)
                yield return trial;
    }

    /// <param name="preferred">Null for the rules' choice.</param>
    /// <param name="expected">What the rules' choice computed.</param>
    /// <returns>Null where the kernel does not fit the product.</returns>
    private static Trial? Try(DeviceOnTrial<GpuBackend> device, NetworkProduct product, ProductKernel? preferred, float[]? expected,
        Action<string> lose, out bool isLost)
    {
        isLost = false;
        var backend = device.Backend;
        try
        {
            using var pool = new BufferPool(backend);
            Slice<float> left = Random(pool, product.Lengths.Left, 1), right = Random(pool, product.Lengths.Right, 2),
                result = pool.Rent<float>(product.Lengths.Result);
            backend.Preferred = preferred;
            product.Call(backend, left, right, result);
            var (kernel, name) = backend.LastProduct;
            if (preferred is { } wanted && kernel != wanted)
                return null;
            var values = new float[result.Length];
            backend.Download(result, values);
            if (expected is not null && Difference(expected, values) is var difference && !(difference <= Tolerance))
                return new(kernel, name, 0, null, string.Create(CultureInfo.InvariantCulture,
                    $"its result differs by {difference:E1} of the largest entry from the rules' kernel's"));
            return new(kernel, name, backend.DeviceSeconds(b => product.Call(b, left, right, result)), values, null);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var (kernel, name) = backend.LastProduct;
            if (device.Recover(e) is { } reason)
            {
                isLost = true;
                lose(reason);
            }
            return new(preferred ?? kernel, name ?? $"{preferred}", 0, null, DeviceOnTrial<GpuBackend>.Describe(e));
        }
        finally
        {
            backend.Preferred = null;
        }

        Slice<float> Random(BufferPool pool, int length, int seed)
        {
            var random = new Random(seed);
            var values = new float[length];
            foreach (ref float value in values.AsSpan())
                value = random.NextSingle() - 0.5f;
            var slice = pool.Rent<float>(length);
            backend.Upload<float>(values, slice);
            return slice;
        }
    }

    /// <summary>The largest difference, of the largest expected entry; NaN where either is not a number.</summary>
    private static double Difference(float[] expected, float[] actual)
    {
        double worst = 0, largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs((double)actual[i] - expected[i]));
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }
        return worst == 0 ? 0 : worst / largest;
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
