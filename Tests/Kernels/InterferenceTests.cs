using System.Diagnostics;
using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>A table of times says below it when others were busy meanwhile; the work of this process is no other's.</summary>
public sealed class InterferenceTests
{
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    [Test]
    public void Another_process_that_computes_is_told()
    {
        var watch = new Interference();
        using var busy = Process.Start("bash", ["-c", "while :; do :; done"]);
        try
        {
            Thread.Sleep(Moment);
        }
        finally
        {
            busy.Kill();
        }
        var (others, remark) = watch.Tell();
        Assert.That(others, Is.GreaterThan(Interference.QuietCores));
        Assert.That(remark, Does.StartWith("the machine was busy: others used ").And.Contain($"{Environment.ProcessorCount} processors"));
    }

    /// <summary>Whatever runs beside the tests, a thread of this process takes from it.</summary>
    [Test]
    public void What_this_process_computes_is_not_told()
    {
        var watch = new Interference();
        var own = Process.GetCurrentProcess().TotalProcessorTime;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < Moment;)
            _ = Math.Sqrt(clock.ElapsedTicks);
        double ownCores = (Process.GetCurrentProcess().TotalProcessorTime - own) / Moment;
        var (others, remark) = watch.Tell();
        Assert.That(others, Is.LessThan(Environment.ProcessorCount - ownCores + 0.3));
        Assert.That(remark is null, Is.EqualTo(others <= Interference.QuietCores));
    }
}
