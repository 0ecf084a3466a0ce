using System.Diagnostics;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Bench.Compare;

/// <summary>Seconds of one call: the median and the least of several blocks.</summary>
public readonly record struct Timing(double Median, double Best)
{
    public JsonObject ToJson() => new() { ["us"] = Median * 1e6, ["us_best"] = Best * 1e6 };

    public JsonObject ToJson(double flops)
    {
        var json = ToJson();
        json["gflops"] = flops / Median * 1e-9;
        return json;
    }
}

/// <summary>Times as peers/torch_cpu.py does: a warm-up, then blocks of at least so long.</summary>
public sealed record Stopclock(int Repeats, double MinimumSeconds)
{
    /// <summary>Long enough for the JIT to have replaced the code of its first tier.</summary>
    private const double WarmUpSeconds = 0.1;

    public Timing Time(Action run)
    {
        int calls = 0;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed.TotalSeconds < Math.Max(WarmUpSeconds, MinimumSeconds))
        {
            run();
            calls++;
        }
        int perBlock = Math.Max(1, (int)(MinimumSeconds * calls / clock.Elapsed.TotalSeconds));
        return Blocks(() =>
        {
            for (int i = 0; i < perBlock; i++)
                run();
        }, perBlock);
    }

    /// <summary>Seconds per unit of a block that is long enough by itself; the caller has warmed it up.</summary>
    public Timing Blocks(Action block, int units)
    {
        var seconds = new double[Repeats];
        for (int r = 0; r < Repeats; r++)
        {
            long start = Stopwatch.GetTimestamp();
            block();
            seconds[r] = Stopwatch.GetElapsedTime(start).TotalSeconds / units;
        }
        return new(Median(seconds), seconds.Min());
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int half = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half]);
    }
}
