
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>Encodings as npz, a block of rows of all arrays at a time.</summary>
internal static class EncodingsNpz
{
    /// <summary>Values of mu in a block: 4 MB.</summary>
    private const int BlockValues = 1 << 20;

    /// <param name="open">Opens the file anew: each array has a stream of its own, as their rows are read side by side.</param>
    /// <param name="file">The name used in errors.</param>
    public static IEnumerable<EncodingTable> Read(Func<Stream> open, string file)
    {
        using var mu = Matrix(open, file, "mu") ?? throw Missing("mu", file);
        int points = mu.Rows, factors = mu.Shape[1];
        using var logVar = Matrix(open, file, "logvar", points, factors) ?? throw Missing("logvar", file);
        using var probabilities = Matrix(open, file, "probs", points);
        using var labels = Npz.OpenRows(open, file, "labels");
        if (labels is { Shape: var shape } && (shape.Length != 1 || shape[0] != points))
            throw DataException.In(file, $"labels of shape {HostArray.Describe(shape)}", $"[{points}], one a row of mu",
                "write one label an image");
        int rows = Math.Max(1, BlockValues / Math.Max(factors, probabilities?.Shape[1] ?? 0));
        for (int row = 0; row < points; row += rows)
        {
            int count = Math.Min(rows, points - row);
            yield return new(count, factors, Values(mu, count, "mu", row, file), Values(logVar, count, "logvar", row, file),
                probabilities is null ? null : Values(probabilities, count, "probs", row, file), probabilities?.Shape[1] ?? 0,
                    labels?.Next(count).ToInts($"{file}/labels"));
        }
    }

    private static NpyRows? Matrix(Func<Stream> open, string file, string name, int? rows = null, int? columns = null)
    {
        var array = Npz.OpenRows(open, file, name);
        if (array is null || (array.Shape is [var r, var c] && r > 0 && c > 0 && r == (rows ?? r) && c == (columns ?? c)))
            return array;
        array.Dispose();
        throw DataException.In(file, $"{name} of shape {HostArray.Describe(array.Shape)}",
            $"[{rows?.ToString() ?? "points"}, {columns?.ToString() ?? (name == "probs" ? "categories" : "factors")}]",
            "write one row an image");
    }

    private static float[] Values(NpyRows array, int rows, string name, int firstRow, string file)
    {
        float[] values = array.Next(rows).ToFloats();
        int columns = array.Shape[1];
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw DataException.In(file, $"{values[i]} in row {firstRow + i / columns}, column {i % columns} of {name}",
                    "a finite number", "find out why the encoder gave it");
        return values;
    }

    private static DataException Missing(string name, string file) =>
        DataException.In(file, $"no array '{name}'", "mu and logvar, [points, factors] each",
            "save it with numpy.savez(file, mu=..., logvar=...)");
}
