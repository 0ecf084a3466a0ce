using System.CommandLine;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Bench;

/// <summary>
/// ptx: the PTX of all kernels, a file for each architecture that it is made for: what NVIDIA's assembler is shown without a GPU.
/// </summary>
internal static class PtxCommand
{
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "where the files go: sm_75.ptx, sm_80.ptx" };
        var command = new Command("ptx", "write the PTX of all kernels, for scripts/assemble-ptx.sh") { folder };
        command.SetAction(parsed => Run(parsed.GetValue(folder)!));
        return command;
    }

    private static void Run(DirectoryInfo folder)
    {
        folder.Create();
        foreach (int architecture in PtxCompiler.Architectures)
        {
            using var compiler = new PtxCompiler(architecture);
            File.WriteAllText(Path.Combine(folder.FullName, $"sm_{architecture}.ptx"), compiler.CompileAll());
        }
        Console.WriteLine(
            $"{KernelCatalogue.Kernels.Count} kernels for compute capabilities "
            + $"{string.Join(" and ", PtxCompiler.Architectures.Select(a => $"{a / 10}.{a % 10}"))}");
    }
}
