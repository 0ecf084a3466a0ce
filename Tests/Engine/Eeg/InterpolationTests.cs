using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Data.Eeg;

namespace VaeFromScratch.Tests.Engine.Eeg;

public sealed class InterpolationTests
{
    private const int Side = 32;

    private static readonly (double X, double Y)[] Points = [.. Electrodes.All.Select(e => e.Projected)];

    [Test]
    public void The_projection_is_that_of_the_fixture()
    {
        string[][] rows = Rows("electrodes.csv");
        for (int i = 0; i < Points.Length; i++)
        {
            Assert.That(Electrodes.All[i].Name, Is.EqualTo(rows[i + 1][0]));
            Assert.That(Points[i].X, Is.EqualTo(Number(rows[i + 1][1])).Within(1e-12));
            Assert.That(Points[i].Y, Is.EqualTo(Number(rows[i + 1][2])).Within(1e-12));
        }
        Assert.That(Electrodes.IndexOf("Cz"), Is.EqualTo(23));
        Assert.That(() => Electrodes.IndexOf("cz"), Throws.ArgumentException.With.Message.Contains("Fp1, AF3"));
    }

    [Test]
    public void The_triangulation_is_qhulls()
    {
        var expected = Rows("delaunay_qhull_simplices.csv").Select(row => string.Join(' ', row.Select(int.Parse).Order()));
        var found = Delaunay.Triangulate(Points).Select(t => string.Join(' ', new[] { t.A, t.B, t.C }.Order()));
        Assert.That(found, Is.EquivalentTo(expected));
    }

    [TestCase("linear", 3)]
    [TestCase("quadratic", 4)]
    [TestCase("lcg", 5)]
    public void Both_interpolants_are_scipys(string function, int column)
    {
        double[] values = [.. Rows("electrodes.csv").Skip(1).Select(row => Number(row[column]))];
        var surface = new CloughTocher(Points);
        Compare(Rows($"{function}_cubic_32x32.csv"), surface.WeightsAt, values);
        Compare(Rows($"{function}_linear_32x32.csv"), surface.LinearWeightsAt, values);
    }

    [Test]
    public void The_surface_is_smooth_across_edges()
    {
        var surface = new CloughTocher(Points);
        var (a, b) = (Points[Electrodes.IndexOf("Cz")], Points[Electrodes.IndexOf("FC1")]);
        var (middleX, middleY, acrossX, acrossY) = (0.6 * a.X + 0.4 * b.X, 0.6 * a.Y + 0.4 * b.Y, a.Y - b.Y, b.X - a.X);
        double At(double step) =>
            surface.WeightsAt(middleX + step * acrossX, middleY + step * acrossY)!.Select((w, i) => w * Math.Sin(3 * i)).Sum();
        const double h = 1e-4;
        double left = (At(0) - At(-h)) / h, right = (At(h) - At(0)) / h;
        Assert.That(left, Is.EqualTo(right).Within(1e-2 * Math.Abs(left)));
    }

    [Test]
    public void Weights_sum_to_one_and_points_keep_their_values()
    {
        var surface = new CloughTocher(Points);
        Assert.That(surface.WeightsAt(0.3, -0.2)!.Sum(), Is.EqualTo(1).Within(1e-12));
        double[] atPoint = surface.WeightsAt(Points[5].X, Points[5].Y)!;
        Assert.That(atPoint.Select((w, i) => Math.Abs(w - (i == 5 ? 1 : 0))).Max(), Is.LessThan(1e-8));
        Assert.That(surface.WeightsAt(1.6, 1.6), Is.Null);
    }

    [Test]
    public void Points_without_a_unique_triangulation_are_refused()
    {
        Assert.That(() => Delaunay.Triangulate([(0, 0), (1, 0), (1, 1), (0, 1)]), Throws.ArgumentException.With.Message.Contains("circle"));
        Assert.That(() => Delaunay.Triangulate([(0, 0), (1, 1), (2, 2)]), Throws.ArgumentException.With.Message.Contains("line"));
        Assert.That(() => Delaunay.Triangulate([(0, 0), (1, 1)]), Throws.ArgumentException.With.Message.Contains("3 to"));
    }

    private static void Compare(string[][] expected, Func<double, double, double[]?> weightsAt, double[] values)
    {
        double minX = Points.Min(p => p.X), maxX = Points.Max(p => p.X), minY = Points.Min(p => p.Y), maxY = Points.Max(p => p.Y);
        for (int i = 0; i < Side; i++)
            for (int j = 0; j < Side; j++)
            {
                // Ten pixels lie on the edge of the hull, where rounding decides.
                if (j == Side - 1 && i is >= 11 and <= 20)
                    continue;
                double[]? weights = weightsAt(minX + i * (maxX - minX) / (Side - 1), minY + j * (maxY - minY) / (Side - 1));
                double reference = Number(expected[i][j]);
                if (double.IsNaN(reference))
                    Assert.That(weights, Is.Null, $"pixel {i}, {j}");
                else
                    Assert.That(weights!.Zip(values, (w, v) => w * v).Sum(), Is.EqualTo(reference).Within(1e-5), $"pixel {i}, {j}");
            }
    }

    private static double Number(string text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string[][] Rows(string file) =>
        [.. File.ReadLines(Path.Combine(TestFiles.SharedData("eeg-fixture"), "eeg-fixture", file)).Where(line => line.Length > 0)
            .Select(line => line.Split(','))];
}
