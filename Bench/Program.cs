using System.CommandLine;
using BenchmarkDotNet.Running;
using VaeFromScratch.Bench;
using VaeFromScratch.Bench.Compare;

if (args is not ["check" or "compare" or "load" or "ptx" or "table", ..])
{
    BenchmarkSwitcher.FromAssembly(typeof(BenchConfig).Assembly).Run(args, new BenchConfig());
    return 0;
}
var root = new RootCommand("benchmarks; without a command, BenchmarkDotNet with its own options (--filter, --list flat)");
root.Subcommands.Add(CheckCommand.Create());
root.Subcommands.Add(CompareCommand.Create());
root.Subcommands.Add(LoadCommand.Create());
root.Subcommands.Add(PtxCommand.Create());
root.Subcommands.Add(TableCommand.Create());
return root.Parse(args).Invoke();
