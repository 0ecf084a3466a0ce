using System.Text.Json.Nodes;
using NUnit.Framework;
using VaeFromScratch.Bench.Compare;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Tests.Structure;

/// <summary>
/// Nothing that computes is without a benchmark, no benchmark times a wrong answer, and the comparison's arithmetic is right.
/// </summary>
public sealed class BenchmarkTests
{
    private static readonly string[] NotKernels = ["Upload", "Download", "Synchronise", "Capture"];

    [Test]
    public void Every_operation_of_the_backend_has_a_benchmark()
    {
        var covered = WorkloadCatalogue.All.Select(w => w.Operation.Split(' ')[0]).ToHashSet();
        var operations = typeof(IBackend).GetMethods().Where(m => !m.IsSpecialName).Select(m => m.Name).Distinct().Except(NotKernels);
        Assert.That(operations.Where(name => !covered.Contains(name)), Is.Empty, "operations without a benchmark");
    }

    [Test]
    public void Every_elementwise_kernel_has_a_benchmark()
    {
        var covered = WorkloadCatalogue.Elementwise.Select(w => w.Operation).ToHashSet();
        var structs = typeof(IBackend).Assembly.GetTypes().Where(t => t is { IsValueType: true, IsNested: false }).ToArray();
        var unary = structs.Where(t => t.IsAssignableTo(typeof(IUnaryKernel)))
            .SelectMany(t => new[] { $"Unary {t.Name}", $"UnaryGradient {t.Name}" });
        var binary = structs.Where(t => t.IsAssignableTo(typeof(IBinaryKernel)))
            .SelectMany(t => new[] { $"Binary {t.Name}", $"BinaryGradient {t.Name}" });
        Assert.That(unary.Count() + binary.Count(), Is.GreaterThan(50));
        Assert.That(unary.Concat(binary).Where(name => !covered.Contains(name)), Is.Empty, "elementwise kernels without a benchmark");
    }

    /// <summary>The information estimator, all three directions of a convolution, products, draws, likelihoods, the optimiser.</summary>
    [Test]
    public void What_training_spends_its_time_in_is_timed_on_a_GPU_too()
    {
        var operations = WorkloadCatalogue.Gpu.Select(w => w.Operation).ToHashSet();
        Assert.That(operations, Is.SupersetOf(new[]
        {
            nameof(IBackend.EncodingMoments), nameof(IBackend.Conv2dForward), nameof(IBackend.Conv2dBackwardData),
                nameof(IBackend.Conv2dBackwardWeight), nameof(IBackend.MatMul),
            nameof(IBackend.Reparameterise), nameof(IBackend.GumbelSoftmax), nameof(IBackend.BernoulliNll), nameof(IBackend.Adam),
                nameof(IBackend.MixtureLogDensity), nameof(IBackend.SoftmaxCrossEntropy),
        }));
    }

    [Test]
    public void Names_are_unique() =>
        Assert.That(WorkloadCatalogue.All.GroupBy(w => w.Name).Where(g => g.Count() > 1).Select(g => g.Key), Is.Empty);

    /// <summary>One of each way of checking: a tile, sampled products, a kernel case, the estimator, a whole step.</summary>
    private static IEnumerable<string> Checked() =>
    [
        WorkloadCatalogue.Microkernels.First().Name, "mnist1 forward", "mnist2 backward data", "mnist2 backward weight",
            "celeba4 transposed forward", "MatMul NT 100x784x500", "Softmax 2000x10",
        "information from moments 10000x128", "captured replay, IMAE MLP, batch 8",
    ];

    [TestCaseSource(nameof(Checked))]
    public void A_right_kernel_is_ready_to_be_timed(string name)
    {
        using var backend = new CpuBackend(threads: 2);
        using var ready = WorkloadCatalogue.All.Single(w => w.Name == name).Prepare(backend);
        ready.Run();
        Assert.That(ready.Cost.Flops, Is.Positive);
    }

    [Test]
    public void A_wrong_answer_is_not_timed()
    {
        var wrong = Workload.Of(new("Fill", "wrong", context =>
        {
            var y = context.Output(3);
            context.Run(b => b.Fill(y, 1));
            context.Expect(y, [1, 2, 1]);
        }));
        using var backend = new CpuBackend(threads: 1);
        Assert.That(() => wrong.Prepare(backend),
            Throws.TypeOf<WrongResultException>().With.Message.Contains("output[1] = 1, reference 2"));
    }

    [Test]
    public void The_table_takes_medians_of_quiet_pairs_only()
    {
        string directory = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            foreach (var (pair, ours, foreign) in new[] { ("a", 10.0, 0.0), ("b", 20.0, 0.05), ("c", 40.0, 0.0), ("d", 1000.0, 0.5) })
            {
                Directory.CreateDirectory(Path.Combine(directory, pair));
                Write(pair, "ours", "moments_10000x128", ours, foreign);
                Write(pair, "torch", "eager_10000x128", 200, 0);
            }
            var results = PairResults.Load(directory);
            Assert.That((results.MeasuredPairs("mi"), results.QuietPairs("mi")), Is.EqualTo((4, 3)));
            string table = ComparisonTable.Write(results);
            Assert.That(table, Does.Contain("mi: 1 of 4 pairs discarded"));
            Assert.That(table, Does.Contain("| 20.0 us | 200.0 us | 10.00 | 5.00 | 20.00 | >= 6.0 | yes |"));
            Assert.That(table, Does.Contain("1 of 1 rows with a target reach it."));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        void Write(string pair, string side, string row, double us, double foreign) =>
            File.WriteAllText(Path.Combine(directory, pair, $"mi.{side}.json"), new JsonObject
            {
                ["mi"] = new JsonObject { [row] = new JsonObject { ["us"] = us } },
                ["interference"] = new JsonObject { ["mi"] = new JsonObject { ["foreign_cores"] = foreign, ["steal_cores"] = 0 } },
            }.ToJsonString());
    }

    [TestCase(0.95, true)]
    [TestCase(1.11, false)]
    public void A_target_within_a_share_has_two_ends(double ratio, bool holds) =>
        Assert.That(Target.Within(0.1).Holds(ratio), Is.EqualTo(holds));
}
