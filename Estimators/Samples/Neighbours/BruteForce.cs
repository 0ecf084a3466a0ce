using System.Numerics;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Estimators.Samples.Neighbours;

/// <summary>
/// All distances, by vectors, for a block of points at a time over chunks of the others that stay in the cache: the best there is in many
/// dimensions.
/// </summary>
internal sealed class BruteForce(double[][][] parts) : NeighbourIndex
{
    private const int Chunk = 256;

    private readonly int count = parts.First(part => part.Length > 0)[0].Length;

    public override void Nearest(ReadOnlySpan<int> points, Span<double> distances)
    {
        int k = distances.Length / points.Length;
        distances.Fill(double.PositiveInfinity);
        Span<double> chunk = stackalloc double[Chunk], part = stackalloc double[Chunk];
        for (int from = 0; from < count; from += Chunk)
        {
            int length = Math.Min(Chunk, count - from);
            for (int p = 0; p < points.Length; p++)
            {
                Distances(points[p], from, chunk[..length], part[..length]);
                if ((uint)(points[p] - from) < (uint)length)
                    chunk[points[p] - from] = double.PositiveInfinity;
                var nearest = distances.Slice(p * k, k);
                foreach (double distance in chunk[..length])
                    if (distance < nearest[^1])
                        Insert(nearest, distance);
            }
        }
    }

    public override void Count(ReadOnlySpan<int> points, ReadOnlySpan<double> radii, Span<int> counts)
    {
        // Each point counts itself.
        counts.Fill(-1);
        Span<double> chunk = stackalloc double[Chunk], part = stackalloc double[Chunk];
        for (int from = 0; from < count; from += Chunk)
        {
            int length = Math.Min(Chunk, count - from);
            for (int p = 0; p < points.Length; p++)
            {
                Distances(points[p], from, chunk[..length], part[..length]);
                int within = 0;
                foreach (double distance in chunk[..length])
                    within += distance <= radii[p] ? 1 : 0;
                counts[p] += within;
            }
        }
    }

    /// <summary>The squared distances of a point to as many others as there is room for.</summary>
    private void Distances(int point, int from, Span<double> distances, Span<double> part)
    {
        for (int i = 0; i < parts.Length; i++)
        {
            var sum = i == 0 ? distances : part;
            sum.Clear();
            foreach (var column in parts[i])
                AddSquares(column.AsSpan(from, sum.Length), column[point], sum);
            if (i > 0)
                for (int j = 0; j < sum.Length; j++)
                    distances[j] = Math.Max(distances[j], sum[j]);
        }
    }

    private static void AddSquares(ReadOnlySpan<double> values, double centre, Span<double> sum)
    {
        var vectors = MemoryMarshal.Cast<double, Vector<double>>(values);
        var sums = MemoryMarshal.Cast<double, Vector<double>>(sum);
        Vector<double> centres = new(centre);
        for (int v = 0; v < vectors.Length; v++)
        {
            var d = vectors[v] - centres;
            sums[v] += d * d;
        }
        for (int j = vectors.Length * Vector<double>.Count; j < values.Length; j++)
            sum[j] += (values[j] - centre) * (values[j] - centre);
    }
}
