using NUnit.Framework;
using VaeFromScratch.Estimators;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>(C3), (X3) with a category, (S3).</summary>
public sealed class CategoryTests
{
    [Test]
    public void A_code_that_decides_carries_the_entropy_of_its_classes()
    {
        var p = new float[10 * 1000];
        for (int n = 0; n < 1000; n++)
            p[n * 10 + n % 10] = 1;
        var information = CategoryInformation.Compute(p, 10);
        Assert.That(information.Information.Value, Is.EqualTo(Math.Log(10)).Within(1e-9));
        Assert.That(information.Information.Ceiling, Is.EqualTo(Math.Log(10)));
        Assert.That(information.ConditionalEntropy, Is.Zero);
    }

    [Test]
    public void A_code_that_ignores_its_input_carries_nothing()
    {
        float[] row = [0.1f, 0.2f, 0.7f];
        float[] p = [.. Enumerable.Repeat(row, 50).SelectMany(r => r)];
        var information = CategoryInformation.Compute(p, 3);
        Assert.That(information.Information.Value, Is.EqualTo(0).Within(1e-7));
        Assert.That(information.CodeEntropy, Is.EqualTo(information.ConditionalEntropy).Within(1e-7));
    }

    [Test]
    public void Logits_are_refused()
    {
        Assert.That(() => CategoryInformation.Compute(new float[] { 0.5f, 0.5f, 2, -1 }, 2),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("category 0 in row 1 is 2"));
        Assert.That(() => CategoryInformation.Compute(new float[] { 0.5f, 0.4f }, 2),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("sum to 0.9"));
    }

    [Test]
    public void Joint_information_adds_up_when_category_and_factors_are_independent()
    {
        // A decided category of 4 (log 4 nats) beside an independent Gaussian factor of 1 nat.
        const int Points = 4000;
        var gaussian = Synthetic.Gaussian(Points, 1.0);
        var p = new float[4 * Points];
        for (int n = 0; n < Points; n++)
            p[4 * n + n % 4] = 1;
        var e = new Encodings(Points, 1, gaussian.Mu, gaussian.LogVar, p);
        var mixture = MixtureInformation.Compute(Synthetic.Backend, e, seed: 1);
        var joint = mixture.Joint!;
        Assert.That(joint.Information.Value, Is.EqualTo(1 + Math.Log(4)).Within(4 * joint.Information.StandardError + 0.01));
        Assert.That(joint.TotalCorrelation.Value, Is.EqualTo(0).Within(4 * joint.TotalCorrelation.StandardError + 0.01));
    }

    [Test]
    public void A_category_that_repeats_a_factor_shows_as_total_correlation()
    {
        // Two far-apart clusters, and the category says which: I(x; y, z) = log 2 + what z adds within, TC = log 2.
        const int Points = 2000;
        var (mu, logVar, p) = (new float[Points], new float[Points], new float[2 * Points]);
        for (int n = 0; n < Points; n++)
        {
            mu[n] = n % 2 == 0 ? 50 : -50;
            p[2 * n + n % 2] = 1;
        }
        var mixture = MixtureInformation.Compute(Synthetic.Backend, new(Points, 1, mu, logVar, p), seed: 1);
        Assert.That(mixture.Joint!.Information.Value, Is.EqualTo(Math.Log(2)).Within(1e-4));
        Assert.That(mixture.Joint.TotalCorrelation.Value, Is.EqualTo(Math.Log(2)).Within(1e-4));
    }

    [Test]
    public void The_hungarian_algorithm_agrees_with_trying_everything()
    {
        var random = new Random(5);
        for (int trial = 0; trial < 200; trial++)
        {
            int n = 1 + trial % 7;
            var cost = new double[n, n];
            for (int i = 0; i < n * n; i++)
                cost[i / n, i % n] = trial % 2 == 0 ? random.Next(-4, 5) : random.NextDouble() - 0.5;
            var columns = Assignment.Minimise(cost);
            Assert.That(columns, Is.Unique);
            Assert.That(columns.Select((c, r) => cost[r, c]).Sum(), Is.EqualTo(Cheapest(cost, 0, 0)).Within(1e-9), $"trial {trial}");
        }
    }

    [Test]
    public void Clustering_accuracy_maps_one_to_one_and_majority_does_not()
    {
        // Categories 0 and 1 both hold label 0; category 2 is split; label 3 occurs in no category's majority.
        int[] categories = [0, 0, 0, 1, 1, 2, 2, 2, 2, 4];
        int[] labels = [0, 0, 1, 0, 0, 2, 2, 2, 3, 3];
        var table = new ContingencyTable(categories, labels);
        Assert.That(table.Categories, Is.EqualTo(5));
        Assert.That(table.ClusteringAccuracy(), Is.EqualTo(0.7).Within(1e-12), "1 -> 0, 0 -> 1, 2 -> 2, 4 -> 3");
        Assert.That(table.ClusteringMap(), Is.EqualTo([1, 0, 2, -1, 3]));
        var majority = table.MajorityTable();
        Assert.That(majority, Is.EqualTo([0, 0, 2, 0, 3]), "the unseen category 3 takes the commonest label");
        Assert.That(table.Accuracy(majority), Is.EqualTo(0.8).Within(1e-12));
        Assert.That(new ContingencyTable([0, 1, 3], [1, 0, 0], 5, 4).Accuracy(majority), Is.EqualTo(2.0 / 3).Within(1e-12),
            "fitted on other points");
    }

    [Test]
    public void More_labels_than_categories_leave_labels_over()
    {
        var table = new ContingencyTable([0, 0, 1, 1], [2, 2, 0, 1]);
        Assert.That(table.ClusteringAccuracy(), Is.EqualTo(0.75));
    }

    [Test]
    public void Information_of_category_and_label_has_its_closed_forms()
    {
        int[] categories = [.. Enumerable.Range(0, 600).Select(i => i % 6)];
        Assert.That(new ContingencyTable(categories, categories).MutualInformation().Value, Is.EqualTo(Math.Log(6)).Within(1e-12));
        int[] halves = [.. categories.Select(c => c / 3)];
        Assert.That(new ContingencyTable(categories, halves).MutualInformation().Value, Is.EqualTo(Math.Log(2)).Within(1e-12));
        int[] independent = [.. Enumerable.Range(0, 600).Select(i => i / 6 % 2)];
        Assert.That(new ContingencyTable(categories, independent).MutualInformation().Value, Is.EqualTo(0).Within(1e-12));
        Assert.That(() => new ContingencyTable([0, -1], [0, 0]),
            Throws.TypeOf<EstimatorException>().With.Message.Contains("category -1 of point 1"));
    }

    [Test]
    public void The_most_probable_category_is_the_first_of_equals() =>
        Assert.That(ContingencyTable.MostProbable([0.2f, 0.8f, 0.5f, 0.5f], 2), Is.EqualTo([1, 0]));

    private static double Cheapest(double[,] cost, int row, int used)
    {
        int n = cost.GetLength(0);
        if (row == n)
            return 0;
        double best = double.PositiveInfinity;
        for (int c = 0; c < n; c++)
            if ((used >> c & 1) == 0)
                best = Math.Min(best, cost[row, c] + Cheapest(cost, row + 1, used | 1 << c));
        return best;
    }
}
