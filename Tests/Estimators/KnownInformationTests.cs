using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Pairs;
using VaeFromScratch.Estimators.Samples;
using VaeFromScratch.Estimators.Samples.Neighbours;
using VaeFromScratch.Estimators.Tasks;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Estimators of samples on data whose information, or whose estimate, can be worked out by hand.</summary>
public sealed class KnownInformationTests
{
    private static readonly float[] TenX = [0, 1, 2.5f, 4.2f, 5, 7.3f, 8.1f, 9.7f, 11.2f, 13], TenY = [1, 0.2f, 3.1f, 2.4f, 6, 5.1f, 9.3f,
        8.8f, 10.1f, 12.5f];
    private static readonly int[] TenLabels = [0, 0, 0, 1, 0, 1, 1, 0, 1, 1];
    private static readonly float[] Grid = [.. Enumerable.Range(0, 1000).Select(i => (float)i)];

    [Test]
    public void Ten_points_by_hand()
    {
        // By the papers' formulas, with the digamma function of whole numbers as a sum, k = 2.
        Assert.That(SampleInformation.Kraskov(TenX, 1, TenY, 1, 2).Value, Is.EqualTo(0.7039682539682541).Within(1e-6));
        Assert.That(SampleInformation.Ross(TenLabels, TenY, 1, 2).Value, Is.EqualTo(0.010634920634920797).Within(1e-6));
    }

    [Test]
    public void Counts_by_hand()
    {
        int[] x = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1], y = [7, 7, 7, 7, 9, 9, 9, 9, 9, 7];
        double plugIn = 0.8 * Math.Log(1.6) + 0.2 * Math.Log(0.4);
        Assert.That(new ContingencyTable(x, [.. y.Select(v => v == 7 ? 0 : 1)]).MutualInformation().Value,
            Is.EqualTo(plugIn).Within(1e-12));
        Assert.That(SampleInformation.Counts(x, y).Value, Is.EqualTo(plugIn - 1.0 / 20).Within(1e-12),
            "four pairs, two and two values: Miller's correction is 1 / 2N");
        Assert.That(SampleInformation.ConditionalCounts(x, y, x).Value, Is.EqualTo(0).Within(1e-12),
            "nothing is left to say when x is known");
        int[] same = [.. Enumerable.Range(0, 30).Select(i => i % 3)];
        Assert.That(SampleInformation.Counts(same, same).Value, Is.EqualTo(Math.Log(3)).Within(1e-12),
            "no class says more than its entropy");
        int[] a = Labels(4000, 3, 71), b = Labels(4000, 4, 72);
        var independent = SampleInformation.Counts(a, b);
        Assert.That(independent.Value, Is.EqualTo(0).Within(3 * Math.Sqrt(2 * 6) / (2 * 4000)),
            "2N times the plug-in value is chi-squared with 6 degrees of freedom");
    }

    [Test]
    public void A_constant_says_nothing_to_any_estimator()
    {
        var (x, y) = (new float[1_000_000], new float[1_000_000]);
        for (int i = 0; i < y.Length; i++)
            y[i] = i % 2;
        Assert.That(SampleInformation.Binned(x, y).Value, Is.Zero, "equal values share a bin");
        var (_, numbers) = SampleInformationTests.Pairs(1000, 1, 0);
        float[] constant = new float[1000];
        Assert.That(SampleInformation.Kraskov(constant, 1, numbers, 1).Value, Is.EqualTo(0).Within(1e-12));
        Assert.That(SampleInformation.Cca(constant, 1, numbers, 1).Value, Is.Zero);
        Assert.That(SampleInformation.Copula(constant, 1, numbers, 1).Value, Is.Zero);
        Assert.That(SampleInformation.Ross(new int[1000], numbers, 1).Value, Is.EqualTo(0).Within(1e-12));
    }

    [TestCase(2)]
    [TestCase(3)]
    [TestCase(5)]
    public void A_copy_is_at_the_ceiling_and_never_above(int k)
    {
        var grid = SampleInformation.Kraskov(Grid, 1, Grid, 1, k);
        Assert.That(grid.Value, Is.LessThanOrEqualTo(grid.Ceiling + 1e-12).And.GreaterThan(grid.Ceiling - 0.7), "distances of a grid tie");
        var (x, _) = SampleInformationTests.Pairs(1000, 1, 0);
        var copy = SampleInformation.Kraskov(x, 1, x, 1, k);
        Assert.That(copy.Value, Is.EqualTo(copy.Ceiling).Within(0.05));
        foreach (var estimate in new[] { SampleInformation.Cca(x, 1, x, 1), SampleInformation.Copula(x, 1, x, 1) })
            Assert.That(estimate.Value, Is.LessThanOrEqualTo(estimate.Ceiling).And.GreaterThan(5));
    }

    [Test]
    public void Repeated_values_have_the_information_of_their_counts()
    {
        var (x, y) = (new float[4000], new float[4000]);
        double[] u = Synthetic.Uniform(4000, 80), v = Synthetic.Uniform(4000, 81);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = (int)(4 * u[i]);
            y[i] = v[i] < 0.8 ? x[i] : (int)(4 * (v[i] - 0.8) / 0.2);
        }
        double counted = SampleInformation.Counts(Array.ConvertAll(x, a => (int)a), Array.ConvertAll(y, a => (int)a)).Value;
        Assert.That(SampleInformation.Kraskov(x, 1, y, 1).Value, Is.EqualTo(counted).Within(0.01));
        Assert.That(SampleInformation.Kraskov(Array.ConvertAll(x, a => a / 3), 1, Array.ConvertAll(y, a => 10 * a), 1).Value,
            Is.EqualTo(SampleInformation.Kraskov(x, 1, y, 1).Value).Within(1e-12), "whole numbers or not");
    }

    [Test]
    public void Separated_classes_give_the_logarithm_of_their_number()
    {
        int[] labels = [.. Enumerable.Range(0, 3000).Select(i => i % 6)];
        double[] noise = Synthetic.Normal(3000, 82);
        float[] y = [.. labels.Select((l, i) => (float)(100 * l + noise[i]))];
        Assert.That(SampleInformation.Ross(labels, y, 1).Value, Is.EqualTo(Math.Log(6)).Within(0.01));
        Assert.That(SampleInformation.Ross(labels, [.. noise.Select(v => (float)v)], 1) is var none ? none.Value : 0,
            Is.EqualTo(0).Within(0.03));
    }

    [Test]
    public void Order_scale_and_monotone_maps_do_not_matter_where_that_is_promised()
    {
        var (x, y) = SampleInformationTests.Pairs(800, 2, 0.7);
        float[] mapped = Array.ConvertAll(x, v => MathF.Exp(v));
        foreach (var of in (Func<float[], float[], double>[])
            [(a, b) => SampleInformation.Kraskov(a, 2, b, 2).Value, (a, b) => SampleInformation.Cca(a, 2, b, 2).Value, (a, b) =>
                SampleInformation.Copula(a, 2, b, 2).Value])
        {
            Assert.That(of(y, x), Is.EqualTo(of(x, y)).Within(1e-6), "symmetric");
            Assert.That(of(Array.ConvertAll(x, v => 8 * v), y), Is.EqualTo(of(x, y)).Within(1e-6), "scale");
        }
        Assert.That(SampleInformation.Copula(mapped, 2, y, 2).Value, Is.EqualTo(SampleInformation.Copula(x, 2, y, 2).Value).Within(1e-4),
            "ranks are all it sees");
        float[] mixed = new float[x.Length];
        for (int i = 0; i < x.Length; i += 2)
            (mixed[i], mixed[i + 1]) = (3 * x[i] + x[i + 1], x[i] - 5 * x[i + 1]);
        Assert.That(SampleInformation.Cca(mixed, 2, y, 2).Value, Is.EqualTo(SampleInformation.Cca(x, 2, y, 2).Value).Within(1e-5),
            "linear maps");
    }

    [Test]
    public void What_is_known_is_not_told_again()
    {
        double[] z = Synthetic.Normal(3000, 90), a = Synthetic.Normal(3000, 91), b = Synthetic.Normal(3000, 92);
        float[] x = [.. z.Select((v, i) => (float)(v + a[i]))], y = [.. z.Select((v, i) => (float)(v + b[i]))], c = [.. z.Select(v =>
            (float)v)];
        Assert.That(SampleInformation.Kraskov(x, 1, y, 1).Value, Is.EqualTo(Gaussian.Information(0.5)).Within(0.04));
        Assert.That(SampleInformation.ConditionalKraskov(x, 1, y, 1, c, 1).Value, Is.EqualTo(0).Within(0.03), "x and y share z alone");
        Assert.That(SampleInformation.ConditionalCca(x, 1, y, 1, c, 1).Value, Is.EqualTo(0).Within(0.003));
        float[] sum = [.. a.Select((v, i) => (float)(v + z[i]))];
        float[] noise = [.. a.Select(v => (float)v)];
        // Given z, x is a shifted: the information of a sum with its summand is that of a copy, which only the ceiling limits.
        var all = SampleInformation.ConditionalKraskov(sum, 1, noise, 1, c, 1);
        Assert.That(all.Value, Is.GreaterThan(2), "a sum and a summand, the other summand known");
    }

    [Test]
    public void The_bias_of_many_columns_is_taken_off()
    {
        var (x, y) = SampleInformationTests.Pairs(500, 20, 0);
        var cca = SampleInformation.Cca(x, 20, y, 20);
        Assert.That(cca.Value, Is.EqualTo(0).Within(0.1), "400 correlations of 500 points would add about 0.4");
    }

    [Test]
    public void Sorted_columns_trees_and_brute_force_agree()
    {
        double[][] columns = [.. Enumerable.Range(0, 3).Select(c => Synthetic.Uniform(700, 400 + (ulong)c).Select(u =>
            Math.Round(30 * u) / 7).ToArray())];
        int[] block = [.. Enumerable.Range(300, NeighbourIndex.Block)];
        foreach (double[][][] parts in (double[][][][])[[[columns[0]]], [[columns[0], columns[1]]], [[columns[0], columns[1]],
            [columns[2]]]])
        {
            List<NeighbourIndex> indices = [new KdTree(parts), new BruteForce(parts)];
            if (parts.Length == 1 && parts[0].Length == 1)
                indices.Add(new SortedColumn(parts[0][0]));
            var (nearest, counts) = (new double[block.Length * 4], new int[block.Length]);
            foreach (var index in indices)
            {
                index.Nearest(block, nearest);
                index.Count(block, [.. Enumerable.Repeat(1.0, block.Length)], counts);
                for (int p = 0; p < block.Length; p++)
                {
                    double[] all = [.. Enumerable.Range(0, 700).Where(j => j != block[p]).Select(j => parts.Max(part => part.Sum(c =>
                        Math.Pow(c[j] - c[block[p]], 2)))).Order()];
                    Assert.That(nearest.AsSpan(p * 4, 4).ToArray(), Is.EqualTo(all.Take(4)).Within(1e-12), index.GetType().Name);
                    Assert.That(counts[p], Is.EqualTo(all.Count(d => d <= 1)), index.GetType().Name);
                }
            }
        }
    }

    [Test]
    public void Threads_do_not_change_a_bit()
    {
        var (x, y) = SampleInformationTests.Pairs(3000, 4, 0.5);
        Assert.That(SampleInformation.Kraskov(x, 4, y, 4, threads: 3), Is.EqualTo(SampleInformation.Kraskov(x, 4, y, 4, threads: 1)));
        Assert.That(SampleInformation.Kraskov(x, 2, y, 2, threads: 3), Is.EqualTo(SampleInformation.Kraskov(x, 2, y, 2, threads: 1)));
    }

    [Test]
    public void The_forty_tasks_have_the_published_information()
    {
        Assert.That(InformationTasks.All, Has.Count.EqualTo(40));
        Assert.That(InformationTasks.All.Select(task => task.Name), Is.Unique);
        foreach (var (name, truth) in ((string, double)[])
            [("Normal 1 x 1", 0.4133), ("Uniform 1 x 1 (additive noise=0.1)", 1.7094), ("Uniform 1 x 1 (additive noise=0.75)", 0.3333),
                ("Student-t 1 x 1 (dof=1)", 0.2242),
             ("Multinormal 3 x 3 (2-pair)", 1.0217), ("Multinormal 5 x 5 (dense)", 0.5928), ("Multinormal 25 x 25 (2-pair)", 1.0217),
                 ("Spiral @ Normal CDF @ Multinormal 25 x 25 (2-pair)", 1.0217)])
            Assert.That(InformationTasks.All.Single(task => task.Name == name).Truth, Is.EqualTo(truth).Within(1e-4), name);
    }

    [TestCase("Normal 1 x 1", 0.419)]
    [TestCase("Uniform 1 x 1 (additive noise=0.1)", 1.690)]
    [TestCase("Uniform 1 x 1 (additive noise=0.75)", 0.325)]
    [TestCase("Multinormal 3 x 3 (2-pair)", 0.981)]
    [TestCase("Multinormal 5 x 5 (dense)", 0.581)]
    [TestCase("Student-t 1 x 1 (dof=1)", 0.188)]
    public void Neighbours_give_the_published_estimate(string name, double published)
    {
        var task = InformationTasks.All.Single(t => t.Name == name);
        var (x, y) = task.Sample(10_000, 1);
        var estimate = SampleInformation.Kraskov(x, task.XColumns, y, task.YColumns, 5, NeighbourNorm.Euclidean);
        Assert.That(estimate.Value, Is.EqualTo(published).Within(3 * estimate.StandardError));
    }

    [TestCase("Student-t 3 x 3 (dof=2)")]
    [TestCase("Half-cube @ Multinormal 5 x 5 (2-pair)")]
    [TestCase("Multinormal 50 x 50 (dense)")]
    [TestCase("Asinh @ Student-t 2 x 2 (dof=1)")]
    public void The_t_copula_finds_what_lies_behind_monotone_maps(string name)
    {
        var task = InformationTasks.All.Single(t => t.Name == name);
        var (x, y) = task.Sample(10_000, 2);
        Assert.That(SampleInformation.Copula(x, task.XColumns, y, task.YColumns).Value, Is.EqualTo(task.Truth).Within(Math.Max(0.03,
            0.05 * task.Truth)));
    }

    [Test]
    public void Critics_that_learn_nothing_stop_early()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var sparse = InformationTasks.All.Single(t => t.Name == "Multinormal 25 x 25 (2-pair)");
        var (x, y) = sparse.Sample(10_000, 1);
        foreach (var critic in (CriticEstimator[])[new InfoNce(), new Nwj(), new Mine()])
            Assert.That(critic.Fit(compute, x, 25, y, 25, seed: 1).Value, Is.InRange(0.85, 1.0217 + 0.06));
    }

    [Test]
    public void Heavy_tails_leave_critics_finite()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var student = InformationTasks.All.Single(t => t.Name == "Student-t 1 x 1 (dof=1)");
        var (x, y) = student.Sample(3000, 1);
        var few = new CriticOptions(Steps: 200, Batch: 64);
        foreach (var critic in (CriticEstimator[])[new InfoNce(few), new Nwj(few), new Mine(few), new Smile(few)])
            Assert.That(critic.Fit(compute, x, 1, y, 1, seed: 1).Value, Is.EqualTo(student.Truth).Within(0.12));
    }

    [Test]
    public void A_joint_critic_sees_edges()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var noise = InformationTasks.All.Single(t => t.Name == "Uniform 1 x 1 (additive noise=0.1)");
        var (x, y) = noise.Sample(6000, 1);
        var fit = new InfoNce(new(Steps: 600)).FitBeyondCopula(compute, x, 1, y, 1, seed: 1);
        Assert.That(fit.Gain.Value, Is.GreaterThan(0.2).And.GreaterThan(5 * fit.Gain.StandardError), "the edges are no Gaussian copula's");
        Assert.That(fit.Estimate.Value, Is.EqualTo(fit.Copula.Value + fit.Gain.Value).Within(1e-9).And.LessThan(noise.Truth));
    }

    [Test]
    public void The_advice_knows_when_neighbours_fail()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        var (sparseX, sparseY) = InformationTasks.All.Single(t => t.Name == "Multinormal 25 x 25 (2-pair)").Sample(3000, 1);
        var (rollX, rollY) = InformationTasks.All.Single(t => t.Name == "Swiss roll 2 x 1").Sample(3000, 1);
        Assert.That(Advice(sparseX, 25, sparseY, 25), Is.EqualTo("copula"));
        Assert.That(Advice(rollX, 2, rollY, 1), Does.StartWith("ksg"), "rolled up it is far from Gaussian");

        string Advice(float[] x, int xColumns, float[] y, int yColumns)
        {
            var (a, b) = (SampleVariable.Of("x", x, xColumns), SampleVariable.Of("y", y, yColumns));
            var estimators = new PairEstimators(a, b, null, new(Critic: new(Steps: 300)), () => compute);
            return Advisor.Advise(a, b, null, [.. estimators.Default.Select(name => estimators.Run(name))]).Estimator;
        }
    }

    [Test]
    public void Numbers_and_classes_in_every_combination()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        double[] z = Synthetic.Normal(2000, 95), e = Synthetic.Normal(2000, 96);
        var numbers = SampleVariable.Of("numbers", [.. z.Select(v => (float)v)], 1);
        var noisy = SampleVariable.Of("noisy", [.. z.Select((v, i) => (float)(v + e[i]))], 1);
        var classes = SampleVariable.Of("classes", [.. z.Select(v => v > 0 ? 1f : 0f)], 1);
        var coarse = SampleVariable.OfClasses("coarse", [.. z.Select(v => v > 1 ? 8 : v > 0 ? 5 : 2)]);
        Assert.That((classes.Classes, coarse.Classes, numbers.Classes), Is.EqualTo((2, 3, 0)));
        Assert.Multiple(() =>
        {
            Assert.That(Of(classes, coarse, null, "counts"), Is.EqualTo(Math.Log(2)).Within(0.01), "the finer classes tell the coarser");
            Assert.That(Of(classes, numbers, null, "ross"), Is.EqualTo(Math.Log(2)).Within(0.02), "the sign of a number");
            Assert.That(Of(numbers, classes, null, "gao"), Is.EqualTo(Math.Log(2)).Within(0.05));
            Assert.That(Of(numbers, noisy, numbers, "ksg"), Is.EqualTo(0).Within(0.05), "what is known says nothing new");
            Assert.That(Of(classes, noisy, numbers, "ross"), Is.EqualTo(0).Within(0.05));
            Assert.That(Of(noisy, numbers, classes, "ksg"), Is.LessThan(Of(noisy, numbers, null, "ksg")).And.Positive,
                "the sign is part of what x tells");
            Assert.That(Of(classes, coarse, numbers, "ross"), Is.EqualTo(0).Within(0.05));
            Assert.That(Of(classes, coarse, coarse, "counts"), Is.EqualTo(0).Within(0.01));
            Assert.That(() => Of(classes, coarse, null, "ksg"), Throws.TypeOf<EstimatorException>()
                .With.Message.Contains("counts, plug-in"));
        });

        double Of(SampleVariable a, SampleVariable b, SampleVariable? c, string name) => new PairEstimators(a, b, c, new(), () =>
            compute).Run(name).Value.Value;
    }

    /// <summary>log K is the most that K classes can say, less where some are rare; neighbours of numbers have a higher ceiling.</summary>
    [TestCase("gao")]
    [TestCase("ross")]
    public void A_class_says_at_most_its_entropy(string name)
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        int[] labels = [.. Enumerable.Range(0, 900).Select(i => i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2)];
        var classes = SampleVariable.OfClasses("classes", labels);
        var apart = SampleVariable.Of("apart", [.. Synthetic.Uniform(900, 97).Select((u, i) => (float)(10 * labels[i] + u))], 1);
        double entropy = Math.Log(2) / 2 + Math.Log(3) / 3 + Math.Log(6) / 6;
        foreach (var (x, y) in ((SampleVariable, SampleVariable)[])[(classes, apart), (apart, classes)])
        {
            var estimate = new PairEstimators(x, y, null, new(), () => compute).Run(name);
            Assert.That(estimate.Value.Ceiling, Is.EqualTo(entropy).Within(1e-12).And.LessThan(Math.Log(3)));
            Assert.That(estimate.Value.Value, Is.EqualTo(entropy).Within(0.03).And.AtMost(entropy));
            Assert.That(estimate.Warnings, Has.None.Contains("ceiling"), "it is the information's own");
        }
    }

    /// <summary>Heavy tails, one column or fifty: a number comes out, though after a short fit of few samples no good one.</summary>
    [Test]
    public void Critics_are_finite_on_every_task()
    {
        using var compute = new Compute(new CpuBackend(threads: 1));
        foreach (var task in InformationTasks.All.Concat(InformationTasks.Variants))
        {
            var (x, y) = task.Sample(400, seed: 2);
            var estimators = new PairEstimators(SampleVariable.Of("x", x, task.XColumns), SampleVariable.Of("y", y, task.YColumns), null,
                new(Critic: new(Steps: 4, CheckEvery: 2, Hidden: 8, Embedding: 4)), () => compute);
            foreach (string name in (string[])["infonce", "nwj", "mine", "smile", "club"])
            {
                var value = estimators.Run(name).Value;
                Assert.That(double.IsFinite(value.Value) && double.IsFinite(value.StandardError), $"{task.Name}, {name}: {value}");
            }
        }
    }

    private static int[] Labels(int n, int classes, ulong salt) => [.. Synthetic.Uniform(n, salt).Select(u => (int)(classes * u))];
}
