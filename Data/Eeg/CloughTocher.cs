namespace VaeFromScratch.Data.Eeg;

/// <summary>
/// Smooth interpolation of scattered values by Clough and Tocher's method: each Delaunay triangle is split at its centroid into three cubic
/// pieces that
/// meet with continuous slopes. The gradients at the points are those that bend the edges of the triangulation least (Nielson, 1983; Renka
/// and Cline, 1984).
/// </summary>
/// <remarks>The result is linear in the values, so what a place takes from each point is computed once.</remarks>
internal sealed class CloughTocher
{
    private readonly (double X, double Y)[] points;
    private readonly IReadOnlyList<Triangle> triangles;
    private readonly double[,] gradients;

    public CloughTocher(IReadOnlyList<(double X, double Y)> points)
    {
        this.points = [.. points];
        triangles = Delaunay.Triangulate(points);
        gradients = Gradients();
    }

    public IReadOnlyList<Triangle> Triangles => triangles;

    /// <summary>What the interpolated value at a place takes from each point; null outside the convex hull.</summary>
    public double[]? WeightsAt(double x, double y)
    {
        const double slack = 1e-9;
        foreach (var triangle in triangles)
        {
            var (a, b, c) = Barycentric(triangle, (x, y));
            if (a >= -slack && b >= -slack && c >= -slack)
                return Weights(triangle, a, b, c);
        }
        return null;
    }

    /// <summary>As <see cref="WeightsAt"/>, linear inside each triangle.</summary>
    public double[]? LinearWeightsAt(double x, double y)
    {
        const double slack = 1e-9;
        foreach (var triangle in triangles)
        {
            var (a, b, c) = Barycentric(triangle, (x, y));
            if (a < -slack || b < -slack || c < -slack)
                continue;
            double[] weights = new double[points.Length];
            (weights[triangle.A], weights[triangle.B], weights[triangle.C]) = (a, b, c);
            return weights;
        }
        return null;
    }

    private double[] Weights(Triangle triangle, double a, double b, double c)
    {
        var tilts = (Tilt(triangle, 0), Tilt(triangle, 1), Tilt(triangle, 2));
        double[] weights = new double[points.Length];
        for (int p = 0; p < weights.Length; p++)
            weights[p] = Evaluate(triangle, p, tilts, a, b, c);
        return weights;
    }

    /// <summary>
    /// The interpolant of the value 1 at <paramref name="unit"/> and 0 at all other points, by its Bernstein coefficients on the split
    /// triangle.
    /// </summary>
    private double Evaluate(Triangle t, int unit, (double A, double B, double C) tilt, double a, double b, double c)
    {
        // f[i] in the corners, s[i, j] the slope in corner i along the edge to corner j.
        double Value(int corner) => t[corner] == unit ? 1 : 0;
        double Slope(int from, int to) =>
            gradients[2 * t[from], unit] * (points[t[to]].X - points[t[from]].X)
                + gradients[2 * t[from] + 1, unit] * (points[t[to]].Y - points[t[from]].Y);

        // Indices count the corners A, B, C and the centroid; they sum to 3.
        double c3000 = Value(0), c0300 = Value(1), c0030 = Value(2);
        double c2100 = c3000 + Slope(0, 1) / 3, c2010 = c3000 + Slope(0, 2) / 3;
        double c1200 = c0300 + Slope(1, 0) / 3, c0210 = c0300 + Slope(1, 2) / 3;
        double c1020 = c0030 + Slope(2, 0) / 3, c0120 = c0030 + Slope(2, 1) / 3;
        double c2001 = (c2100 + c2010 + c3000) / 3, c0201 = (c1200 + c0300 + c0210) / 3, c0021 = (c1020 + c0120 + c0030) / 3;
        // The slope across an edge is linear along it, in a direction that both neighbours agree on.
        double c0111 = (tilt.A * (-c0300 + 3 * c0210 - 3 * c0120 + c0030) + (-c0300 + 2 * c0210 - c0120 + c0021 + c0201)) / 2;
        double c1011 = (tilt.B * (-c0030 + 3 * c1020 - 3 * c2010 + c3000) + (-c0030 + 2 * c1020 - c2010 + c2001 + c0021)) / 2;
        double c1101 = (tilt.C * (-c3000 + 3 * c2100 - 3 * c1200 + c0300) + (-c3000 + 2 * c2100 - c1200 + c2001 + c0201)) / 2;
        double c1002 = (c1101 + c1011 + c2001) / 3, c0102 = (c1101 + c0111 + c0201) / 3, c0012 = (c1011 + c0111 + c0021) / 3;
        double c0003 = (c1002 + c0102 + c0012) / 3;

        double least = Math.Min(a, Math.Min(b, c));
        double d = 3 * least;
        (a, b, c) = (a - least, b - least, c - least);
        return a * a * a * c3000 + b * b * b * c0300 + c * c * c * c0030 + d * d * d * c0003
            + 3 * (a * a * (b * c2100 + c * c2010 + d * c2001) + b * b * (a * c1200 + c * c0210 + d * c0201)
                + c * c * (a * c1020 + b * c0120 + d * c0021) + d * d * (a * c1002 + b * c0102 + c * c0012))
            + 6 * d * (a * b * c1101 + a * c * c1011 + b * c * c0111);
    }

    /// <summary>
    /// The direction across the edge opposite a corner, from the centroid to the neighbour's centroid, so that it survives affine maps; a
    /// half, towards
    /// the middle of the edge, where there is no neighbour.
    /// </summary>
    private double Tilt(Triangle t, int corner)
    {
        int from = t[(corner + 1) % 3], to = t[(corner + 2) % 3];
        foreach (var other in triangles)
            if (other != t && other.Has(from) && other.Has(to))
            {
                var centre = ((points[other.A].X + points[other.B].X + points[other.C].X) / 3,
                    (points[other.A].Y + points[other.B].Y + points[other.C].Y) / 3);
                var (a, b, c) = Barycentric(t, centre);
                var (near, far) = corner switch { 0 => (b, c), 1 => (c, a), _ => (a, b) };
                return (2 * far + near - 1) / (2 - 3 * far - 3 * near);
            }
        return -0.5;
    }

    private (double A, double B, double C) Barycentric(Triangle t, (double X, double Y) p)
    {
        double area = Delaunay.Cross(points[t.A], points[t.B], points[t.C]);
        double a = Delaunay.Cross(p, points[t.B], points[t.C]) / area, b = Delaunay.Cross(points[t.A], p, points[t.C]) / area;
        return (a, b, 1 - a - b);
    }

    /// <summary>
    /// The gradient in each point as a linear function of all values, [2 points, points]. On an edge e of length L between i and j the
    /// cubic through values and
    /// slopes has bending energy with derivative (4 e.g_i + 2 e.g_j - 6 (f_j - f_i)) e / L^3 with respect to g_i; all of these sum to zero.
    /// </summary>
    private double[,] Gradients()
    {
        int n = points.Length;
        double[,] system = new double[2 * n, 3 * n];
        var edges = triangles.SelectMany(t => ((int, int)[])[(t.A, t.B), (t.B, t.C), (t.C, t.A), (t.B, t.A), (t.C, t.B), (t.A, t.C)])
            .Distinct();
        foreach (var (i, j) in edges)
        {
            double ex = points[j].X - points[i].X, ey = points[j].Y - points[i].Y;
            double length = Math.Sqrt(ex * ex + ey * ey);
            double weight = 1 / (length * length * length);
            ReadOnlySpan<double> e = [ex, ey];
            for (int row = 0; row < 2; row++)
            {
                for (int column = 0; column < 2; column++)
                {
                    system[2 * i + row, 2 * i + column] += 4 * weight * e[row] * e[column];
                    system[2 * i + row, 2 * j + column] += 2 * weight * e[row] * e[column];
                }
                system[2 * i + row, 2 * n + j] += 6 * weight * e[row];
                system[2 * i + row, 2 * n + i] -= 6 * weight * e[row];
            }
        }
        return Solve(system, 2 * n, n);
    }

    /// <summary>Gauss and Jordan's elimination of [unknowns, unknowns + right-hand sides], with row exchanges.</summary>
    private static double[,] Solve(double[,] system, int unknowns, int sides)
    {
        int width = unknowns + sides;
        for (int k = 0; k < unknowns; k++)
        {
            int pivot = k;
            for (int row = k + 1; row < unknowns; row++)
                if (Math.Abs(system[row, k]) > Math.Abs(system[pivot, k]))
                    pivot = row;
            for (int column = k; column < width; column++)
                (system[k, column], system[pivot, column]) = (system[pivot, column], system[k, column]);
            for (int row = 0; row < unknowns; row++)
            {
                double factor = row == k ? 0 : system[row, k] / system[k, k];
                for (int column = k; factor != 0 && column < width; column++)
                    system[row, column] -= factor * system[k, column];
            }
        }
        double[,] solution = new double[unknowns, sides];
        for (int row = 0; row < unknowns; row++)
            for (int side = 0; side < sides; side++)
                solution[row, side] = system[row, unknowns + side] / system[row, row];
        return solution;
    }
}
