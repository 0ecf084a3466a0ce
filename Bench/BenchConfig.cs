using System.Collections.Concurrent;
using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Bench;

/// <summary>
/// Everything about BenchmarkDotNet that is not the benchmarks themselves. All runs are in this process, so that a time and the peak that
/// it is held against come from the same one.
/// BenchmarkDotNet's disassembler takes a process of its own: in this one it crashes.
/// </summary>
public sealed class BenchConfig : ManualConfig
{
    public BenchConfig()
    {
        AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(9)
            .WithIterationTime(TimeInterval.FromMilliseconds(150)));
        AddDiagnoser(MemoryDiagnoser.Default, ThreadingDiagnoser.Default);
        AddColumn(TargetMethodColumn.Type, StatisticColumn.Median, StatisticColumn.Min, StatisticColumn.Max);
        AddColumnProvider(DefaultColumnProviders.Params, DefaultColumnProviders.Metrics);
        AddColumn(new DeviceColumn());
        AddColumn(new WorkColumn("GFLOP/s", "least floating-point operations over the median time, on a GPU over the device's own",
            (r, s) => r.Cost.Flops / s * 1e-9));
        AddColumn(new WorkColumn("GB/s", "least bytes moved over the median time; inside the caches it can exceed the copy peak",
            (r, s) => r.Cost.Bytes / s * 1e-9));
        AddColumn(new WorkColumn("% peak", "least time at the measured peak (multiply-adds or copy, whichever binds) over the median time",
            (r, s) => 100 * r.Peak.LeastSeconds(r.Cost) / s));
        AddColumn(new BoundColumn());
        AddLogger(ConsoleLogger.Default);
        AddExporter(MarkdownExporter.GitHub);
        WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(60));
        WithUnionRule(ConfigUnionRule.AlwaysUseGlobal);
    }

    /// <summary>What the columns know of the workloads that were set up, by name.</summary>
    internal static ConcurrentDictionary<string, Known> Prepared { get; } = new();

    /// <param name="DeviceSeconds">Of one call by the device's own clock, where it has one.</param>
    internal sealed record Known(KernelCost Cost, Peak Peak, double? DeviceSeconds = null);

    private static Known? Find(BenchmarkCase benchmark) => benchmark.Parameters[nameof(WorkloadBenchmark.Row)] is not Workload workload
        ? null
        : Prepared.GetValueOrDefault(benchmark.Parameters[nameof(GpuBenchmarks.On)] is string device
            ? GpuBenchmarks.NameOf(workload, device) : workload.Name);

    private abstract class Column(string name, string legend) : IColumn
    {
        public string Id => name;
        public string ColumnName => name;
        public string Legend => legend;
        public bool AlwaysShow => true;
        public ColumnCategory Category => ColumnCategory.Custom;
        public int PriorityInCategory => 0;
        public bool IsNumeric => true;
        public UnitType UnitType => UnitType.Dimensionless;
        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
        public virtual bool IsAvailable(Summary summary) => true;
        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
        public abstract string GetValue(Summary summary, BenchmarkCase benchmarkCase);
    }

    private sealed class WorkColumn(string name, string legend, Func<Known, double, double> value) : Column(name, legend)
    {
        public override string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
            Find(benchmarkCase) is { } row && summary[benchmarkCase]?.ResultStatistics is { } statistics
                ? value(row, row.DeviceSeconds ?? statistics.Median * 1e-9).ToString("F1", CultureInfo.InvariantCulture)
                : "-";
    }

    private sealed class DeviceColumn() : Column("device, us",
        "one call by the GPU's own clock, without the host; the other columns' rates are over it")
    {
        public override bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(b => b.Descriptor.Type == typeof(GpuBenchmarks));

        public override string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
            Find(benchmarkCase) is { DeviceSeconds: { } seconds } ? (seconds * 1e6).ToString("F1", CultureInfo.InvariantCulture) : "";
    }

    private sealed class BoundColumn() : Column("peak of", "which peak binds: fma or copy")
    {
        public override string GetValue(Summary summary, BenchmarkCase benchmarkCase) => Find(benchmarkCase) is not { } row ? "-"
            : row.Peak.IsComputeBound(row.Cost) ? "fma" : "copy";
    }
}
