using System.Numerics;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Data.Eeg;

/// <summary>
/// Turns one value an electrode into a square picture of the head, nose up, by <see cref="CloughTocher"/> over the projected electrodes.
/// </summary>
internal sealed class TopographicMap
{
    public const int Side = 32;

    private static readonly Lazy<TopographicMap> Shared = new(() => new([.. Electrodes.All.Select(e => e.Projected)]));

    private readonly float[][] weights;

    /// <summary>The map of DEAP's 32 electrodes; its 32 x 32 grid spans their bounding box, edges included.</summary>
    public static TopographicMap Deap => Shared.Value;

    public TopographicMap(IReadOnlyList<(double X, double Y)> points)
    {
        var surface = new CloughTocher(points);
        double left = points.Min(p => p.X), right = points.Max(p => p.X), back = points.Min(p => p.Y), front = points.Max(p => p.Y);
        Channels = points.Count;
        Inside = new bool[Side * Side];
        weights = [.. Enumerable.Range(0, Channels).Select(_ => new float[Side * Side])];
        for (int row = 0; row < Side; row++)
            for (int column = 0; column < Side; column++)
            {
                double[]? from = surface.WeightsAt(left + column * (right - left) / (Side - 1), front - row * (front - back) / (Side - 1));
                int pixel = row * Side + column;
                Inside[pixel] = from is not null;
                for (int channel = 0; from is not null && channel < Channels; channel++)
                    weights[channel][pixel] = (float)from[channel];
            }
    }

    public int Channels { get; }

    /// <summary>Which pixels, [Side, Side], lie inside the convex hull of the electrodes; the others are 0 in every map.</summary>
    public bool[] Inside { get; }

    /// <summary>Draws the picture.</summary>
    /// <param name="values">[Channels].</param>
    /// <param name="map">[Side, Side], the front of the head in row 0, the left ear in column 0.</param>
    public void Draw(ReadOnlySpan<float> values, Span<float> map)
    {
        map.Clear();
        var sum = MemoryMarshal.Cast<float, Vector<float>>(map);
        for (int channel = 0; channel < Channels; channel++)
        {
            var weight = MemoryMarshal.Cast<float, Vector<float>>(weights[channel]);
            var value = new Vector<float>(values[channel]);
            for (int i = 0; i < sum.Length; i++)
                sum[i] += value * weight[i];
        }
    }

    /// <summary>The sum over the pixels inside of a map, as weights of the channels, [Channels].</summary>
    internal double[] PixelSum() => [.. weights.Select(w => w.Sum(x => (double)x))];

    /// <summary>The sum over the pixels inside of a map's square, as a quadratic form of the channels, [Channels, Channels].</summary>
    internal double[,] PixelSquares()
    {
        double[,] squares = new double[Channels, Channels];
        for (int a = 0; a < Channels; a++)
            for (int b = 0; b < Channels; b++)
                for (int pixel = 0; pixel < Side * Side; pixel++)
                    squares[a, b] += (double)weights[a][pixel] * weights[b][pixel];
        return squares;
    }
}
