using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae list devices: the CPU and every device of a CUDA or OpenCL driver, with what it can do; and drivers that are there and do not work.
/// </summary>
internal static class DeviceList
{
    /// <param name="Arithmetic">Where its results differ from the CPU's; null where it does not work.</param>
    /// <param name="Failure">Why it does not work.</param>
    private sealed record Row(string Name, string Description, string Details, long MemoryBytes, int Units, bool IsCpuOpenCl,
        DeviceArithmetic? Arithmetic, string? Failure);

    public static JsonArray Show(Output output)
    {
        Row[] rows = [Cpu(), .. GpuLoader.List().Select(Inspect)];
        output.Table(["device", "memory", "units", "what, and remarks"], rows.Select(r => (IReadOnlyList<string>)
            [r.Name, string.Create(CultureInfo.InvariantCulture, $"{r.MemoryBytes / 1e9:F1} GB"),
            r.Units.ToString(CultureInfo.InvariantCulture),
            string.Join("; ", (string[])[$"{r.Description} ({r.Details})", .. Remarks(r)])]), textColumns: 4);
        output.Line();
        foreach (var driver in GpuLoader.Drivers().Where(d => d.Devices == 0 || d.Failure is not null))
            output.Line($"{Title(driver.Kind)}: {Describe(driver)}");
        return [.. rows.Select(r => new JsonObject
        {
            ["name"] = r.Name,
            ["description"] = r.Description,
            ["details"] = r.Details,
            ["memory_bytes"] = r.MemoryBytes,
            ["units"] = r.Units,
            ["is_cpu_opencl"] = r.IsCpuOpenCl,
            ["rounds_division"] = r.Arithmetic?.RoundsDivision,
            ["rounds_root"] = r.Arithmetic?.RoundsRoot,
            ["keeps_subnormals"] = r.Arithmetic?.KeepsSubnormals,
            ["failure"] = r.Failure,
        })];
    }

    /// <summary>What a driver's library answered, in a clause.</summary>
    public static string Describe(DriverState driver) => driver switch
    {
        { Library: null } => "no driver is installed",
        { Failure: { } failure } => $"{driver.Library} is installed, but {failure}",
        { Devices: 1 } => $"{driver.Library}, 1 device",
        _ => $"{driver.Library}, {driver.Devices} devices",
    };

    public static string Title(string kind) => kind == "cuda" ? "CUDA" : "OpenCL";

    /// <summary>How a device's numbers differ from the CPU's.</summary>
    public static string Describe(DeviceArithmetic arithmetic)
    {
        string[] differences =
        [
            .. arithmetic.RoundsDivision ? [] : (string[])["division is not correctly rounded"],
            .. arithmetic.RoundsRoot ? [] : (string[])["square roots are not correctly rounded"],
            .. arithmetic.KeepsSubnormals ? [] : (string[])["subnormals are 0"],
        ];
        return differences.Length == 0 ? "computes as the CPU" : string.Join(", ", differences);
    }

    private static Row Cpu() =>
        new("cpu", DoctorCommand.ProcessorName(), $"{string.Join(", ", CpuProbe.InstructionSets)}; vectors of {CpuBackend.VectorBits} bits",
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, Environment.ProcessorCount, false, new(true, true, true), null);

    private static Row Inspect(GpuDeviceInfo device)
    {
        DeviceArithmetic? arithmetic = null;
        string? failure = null;
        try
        {
            using var backend = Device.Open(device.Name);
            arithmetic = DeviceArithmetic.Measure(backend);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            failure = e.Message.ReplaceLineEndings(" ");
        }
        return new(device.Name, device.Description, device.Details, device.MemoryBytes, device.Units, device.IsCpu, arithmetic, failure);
    }

    private static string[] Remarks(Row row) =>
    [
        .. row.IsCpuOpenCl ? (string[])["a CPU's OpenCL; taken only when asked for"] : [],
        .. row.Name == "cpu" ? [] : (string[])[row.Failure is { } failure ? $"does not work: {failure}" : Describe(row.Arithmetic!)],
    ];
}
