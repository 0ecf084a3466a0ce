namespace VaeFromScratch.Data.Eeg;

/// <summary>A triangle of three points, counter-clockwise, by index.</summary>
internal readonly record struct Triangle(int A, int B, int C)
{
    public int this[int corner] => corner switch { 0 => A, 1 => B, _ => C };

    public bool Has(int point) => A == point || B == point || C == point;
}

/// <summary>Delaunay's triangulation of a few points in the plane: the triangles whose circumcircle has no other point inside.</summary>
internal static class Delaunay
{
    private const int MostPoints = 256;

    /// <summary>
    /// Tests every triple of points against the definition, which for the electrodes of a cap is quick and has no special cases.
    /// </summary>
    /// <exception cref="ArgumentException">Fewer than 3 or more than 256 points, all on one line, or four on one circle, so that the
    /// triangulation is not unique.</exception>
    public static IReadOnlyList<Triangle> Triangulate(IReadOnlyList<(double X, double Y)> points)
    {
        if (points.Count is < 3 or > MostPoints)
            throw new ArgumentException($"delaunay: {points.Count} points; give 3 to {MostPoints}");
        double width = points.Max(p => p.X) - points.Min(p => p.X), height = points.Max(p => p.Y) - points.Min(p => p.Y);
        double tiny = 1e-12 * (width * width + height * height);
        var triangles = new List<Triangle>();
        for (int a = 0; a < points.Count; a++)
            for (int b = a + 1; b < points.Count; b++)
                for (int c = b + 1; c < points.Count; c++)
                {
                    double area = Cross(points[a], points[b], points[c]);
                    if (Math.Abs(area) <= tiny)
                        continue;
                    var triangle = area > 0 ? new Triangle(a, b, c) : new Triangle(a, c, b);
                    if (IsEmpty(triangle, points))
                        triangles.Add(triangle);
                }
        CheckEdges(triangles, points.Count);
        return triangles;
    }

    /// <summary>Twice the area of the triangle, positive when its corners are counter-clockwise.</summary>
    internal static double Cross((double X, double Y) a, (double X, double Y) b, (double X, double Y) c) =>
        (b.X - a.X) * (c.Y - a.Y) - (b.Y - a.Y) * (c.X - a.X);

    private static bool IsEmpty(Triangle triangle, IReadOnlyList<(double X, double Y)> points)
    {
        for (int p = 0; p < points.Count; p++)
            if (!triangle.Has(p) && InCircle(points[triangle.A], points[triangle.B], points[triangle.C], points[p]))
                return false;
        return true;
    }

    /// <summary>Whether d lies inside the circle through a, b and c: the sign of the determinant of their lifts to a paraboloid.</summary>
    private static bool InCircle((double X, double Y) a, (double X, double Y) b, (double X, double Y) c, (double X, double Y) d)
    {
        var (ax, ay, bx, by, cx, cy) = (a.X - d.X, a.Y - d.Y, b.X - d.X, b.Y - d.Y, c.X - d.X, c.Y - d.Y);
        return (ax * ax + ay * ay) * (bx * cy - cx * by) - (bx * bx + by * by) * (ax * cy - cx * ay)
            + (cx * cx + cy * cy) * (ax * by - bx * ay) > 0;
    }

    /// <summary>
    /// Every point is a corner, and every directed edge belongs to one triangle only; with four points on a circle triangles overlap or
    /// leave a hole.
    /// </summary>
    private static void CheckEdges(List<Triangle> triangles, int points)
    {
        var edges = new HashSet<(int, int)>();
        bool valid = triangles.Count > 0;
        foreach (var t in triangles)
            valid &= edges.Add((t.A, t.B)) && edges.Add((t.B, t.C)) && edges.Add((t.C, t.A));
        int hull = edges.Count(edge => !edges.Contains((edge.Item2, edge.Item1)));
        if (!valid || triangles.Count != 2 * points - 2 - hull)
            throw new ArgumentException(
                $"delaunay: {triangles.Count} triangles over {points} points are no triangulation; move points that coincide, lie on one "
                + $"line, or lie four on a circle");
    }
}
