using System.CommandLine;
using BenchmarkDotNet.Running;
using VaeFromScratch.Bench;
using VaeFromScratch.Bench.Compare;
using VaeFromScratch.Kernels.Cpu;

if (args is not ["check" or "compare" or "compare-onnx" or "load" or "ptx" or "soak" or "table", ..])
{
    args = GpuBenchmarks.TakeDevice(args);
    var watch = new Interference();
    BenchmarkSwitcher.FromAssembly(typeof(BenchConfig).Assembly).Run(args, new BenchConfig());
    if (watch.Tell().Remark is { } remark)
        Console.WriteLine(remark);
    return 0;
}
var root = new RootCommand(
    "benchmarks; without a command, BenchmarkDotNet with its own options (--filter, --list flat) and --device, the GPU of *Gpu*");
root.Subcommands.Add(CheckCommand.Create());
root.Subcommands.Add(CompareCommand.Create());
root.Subcommands.Add(OnnxComparison.Create());
root.Subcommands.Add(LoadCommand.Create());
root.Subcommands.Add(PtxCommand.Create());
root.Subcommands.Add(SoakCommand.Create());
root.Subcommands.Add(TableCommand.Create());
return root.Parse(args).Invoke();
