using NUnit.Framework;
using VaeFromScratch.Cli;
using VaeFromScratch.Cli.Commands;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Cli;

/// <summary>What vae doctor --selftest does on a device on which something fails: e^x here.</summary>
public sealed class DoctorSelfTestTests
{
    private const string Fails = "exp";

    private static readonly KernelCase Good = Case("Negate", (b, x, y) => b.Unary<Negate>(x, y, 0)),
        Bad = Case("Exp", (b, x, y) => b.Unary<Exp>(x, y, 0));

    private int opened;

    [SetUp]
    public void SetUp() => opened = 0;

    [Test]
    public void An_error_does_not_end_it()
    {
        var json = Run(isSticky: false, opensAgain: true, Bad, Good, Bad, Good);
        Assert.That(json, Is.EqualTo((Ran: 4, Failed: 2, NotRun: 0)));
        Assert.That(opened, Is.EqualTo(1), "the device still works");
    }

    [Test]
    public void A_device_that_an_error_leaves_useless_is_opened_again()
    {
        var json = Run(isSticky: true, opensAgain: true, Good, Bad, Good, Bad, Good);
        Assert.That(json, Is.EqualTo((Ran: 5, Failed: 2, NotRun: 0)));
        Assert.That(opened, Is.EqualTo(3));
    }

    [Test]
    public void A_device_that_does_not_open_again_ends_it()
    {
        var json = Run(isSticky: true, opensAgain: false, Good, Bad, Good, Good);
        Assert.That(json, Is.EqualTo((Ran: 2, Failed: 1, NotRun: 2)));
    }

    [Test]
    public void It_passes_where_nothing_fails() =>
        Assert.That(Run(isSticky: true, opensAgain: false, Good, Good), Is.EqualTo((Ran: 2, Failed: 0, NotRun: 0)));

    private (int Ran, int Failed, int NotRun) Run(bool isSticky, bool opensAgain, params KernelCase[] cases)
    {
        var json = new DoctorSelfTest(Open, Precision.Fp32, new(1e9, 1e9, 1e9), new Output(json: true, plain: true))
            .Run(cases, out bool passed);
        int failed = json["failed"]!.GetValue<int>();
        Assert.That(passed, Is.EqualTo(failed == 0));
        Assert.That(json["cases"]!.AsArray().Count(c => c!["failure"] is not null), Is.EqualTo(failed));
        return (json["cases"]!.AsArray().Count, failed, json["not_run"]!.GetValue<int>());

        IBackend Open() => ++opened == 1 || opensAgain ? new FailingBackend(isSticky) : throw new DeviceException("it is gone");
    }

    private static KernelCase Case(string name, Action<IBackend, Slice<float>, Slice<float>> call) => new($"Unary {name}", "3", c =>
    {
        Slice<float> x = c.Upload([0f, 0f, 0f]), y = c.Output(3);
        c.Run(b => call(b, x, y));
        double value = name == "Exp" ? 1 : 0;
        c.Expect(y, [value, value, value]);
    });

    /// <summary>A device with one kernel that fails and, when that is sticky, takes all others with it.</summary>
    private sealed class FailingBackend(bool isSticky) : BackendDecorator(new CpuBackend(threads: 1))
    {
        private bool isDead;

        protected override void Invoke(KernelCost cost, Action<IBackend> call)
        {
            if (isDead || cost.Name == Fails)
            {
                isDead |= isSticky;
                throw new InvalidOperationException("an illegal address was read");
            }
            call(Inner);
        }

        public override ICapturedStep Capture(Action<IBackend> step) => Inner.Capture(step);

        public override void Dispose() => Inner.Dispose();
    }
}
