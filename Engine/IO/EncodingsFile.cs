using VaeFromScratch.Engine.Data;

namespace VaeFromScratch.Engine.IO;

/// <summary>What an encoder says about a set of images: everything that the estimators need, without a model.</summary>
/// <param name="Points">Number of images.</param>
/// <param name="Factors">Number of continuous latents.</param>
/// <param name="Mu">Posterior means, [Points, Factors].</param>
/// <param name="LogVar">Logarithms of the posterior variances, [Points, Factors].</param>
/// <param name="Probabilities">Posterior probabilities of the category, [Points, Categories]; null without a category.</param>
/// <param name="Categories">Number of categories, 0 without.</param>
/// <param name="Labels">[Points]; null when there are none.</param>
public sealed record EncodingTable(int Points, int Factors, float[] Mu, float[] LogVar, float[]? Probabilities, int Categories, int[]? Labels)
{
    /// <exception cref="ArgumentException">An array does not have the size that the table says.</exception>
    public EncodingTable Checked()
    {
        CheckLength(nameof(Mu), Mu.Length, (long)Points * Factors);
        CheckLength(nameof(LogVar), LogVar.Length, (long)Points * Factors);
        CheckLength(nameof(Probabilities), Probabilities?.Length ?? 0, (long)Points * Categories);
        CheckLength(nameof(Labels), Labels?.Length ?? Points, Points);
        return this;
    }

    private static void CheckLength(string name, int found, long expected)
    {
        if (found != expected)
            throw new ArgumentException($"encodings: {name} has {found} values, expected {expected}; pass arrays that fit Points, Factors and Categories");
    }
}

/// <summary>
/// Encodings on disk: CSV with the header mu_0..,logvar_0..[,prob_0..][,label], columns in any order, or npz with arrays mu, logvar[, probs][, labels].
/// </summary>
public static class EncodingsFile
{
    /// <summary>Probabilities of a row may miss the sum of 1 by this much before the file is refused.</summary>
    private const float ProbabilityTolerance = 1e-2f;

    /// <summary>Reads either format, told apart by the first bytes.</summary>
    /// <exception cref="DataException">The file is missing, damaged, or holds a value that is no finite number; the message names line and column.</exception>
    public static EncodingTable Read(string path) => DataFile.Read(path, stream => Read(stream, path));

    /// <param name="stream">A seekable stream.</param>
    /// <param name="file">The name used in errors.</param>
    public static EncodingTable Read(Stream stream, string file)
    {
        int first = stream.ReadByte();
        int second = stream.ReadByte();
        stream.Position = 0;
        bool zip = first == 'P' && second == 'K';
        var table = zip ? ReadNpz(stream, file) : EncodingsCsv.Read(stream, file);
        CheckProbabilities(table, file, firstLine: zip ? null : 2);
        return table;
    }

    /// <summary>Writes the format that the name ends in, .csv or .npz.</summary>
    /// <exception cref="ArgumentException">Any other ending.</exception>
    public static void Write(string path, EncodingTable table)
    {
        table.Checked();
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".csv":
                AtomicFile.Write(path, stream => EncodingsCsv.Write(stream, table));
                break;
            case ".npz":
                Npz.Write(path, Arrays(table));
                break;
            default:
                throw new ArgumentException($"encodings: cannot tell the format of '{path}'; give a name that ends in .csv or .npz");
        }
    }

    private static List<(string, NpyArray)> Arrays(EncodingTable table)
    {
        List<(string, NpyArray)> arrays =
        [
            ("mu", NpyArray.From([table.Points, table.Factors], table.Mu)),
            ("logvar", NpyArray.From([table.Points, table.Factors], table.LogVar)),
        ];
        if (table.Probabilities is not null)
            arrays.Add(("probs", NpyArray.From([table.Points, table.Categories], table.Probabilities)));
        if (table.Labels is not null)
            arrays.Add(("labels", NpyArray.From([table.Points], table.Labels)));
        return arrays;
    }

    private static EncodingTable ReadNpz(Stream stream, string file)
    {
        var arrays = Npz.Read(stream, file, ["mu", "logvar", "probs", "labels"]);
        var (mu, points, factors) = Matrix(arrays, "mu", file) ?? throw Missing("mu", file);
        var (logVar, _, _) = Matrix(arrays, "logvar", file, points, factors) ?? throw Missing("logvar", file);
        var probabilities = Matrix(arrays, "probs", file, points);
        int[]? labels = null;
        if (arrays.TryGetValue("labels", out var labelArray))
        {
            if (labelArray.Shape is not [var count] || count != points)
                throw DataException.In(file, $"labels of shape {HostArray.Describe(labelArray.Shape)}", $"[{points}], one a row of mu", "write one label an image");
            labels = labelArray.ToInts($"{file}/labels");
        }
        return new(points, factors, mu, logVar, probabilities?.Values, probabilities?.Columns ?? 0, labels);
    }

    private static (float[] Values, int Rows, int Columns)? Matrix(IReadOnlyDictionary<string, NpyArray> arrays, string name, string file, int? rows = null, int? columns = null)
    {
        if (!arrays.TryGetValue(name, out var array))
            return null;
        if (array.Shape is not [var r, var c] || r < 1 || c < 1 || r != (rows ?? r) || c != (columns ?? c))
            throw DataException.In(file, $"{name} of shape {HostArray.Describe(array.Shape)}", $"[{rows?.ToString() ?? "points"}, {columns?.ToString() ?? (name == "probs" ? "categories" : "factors")}]", "write one row an image");
        float[] values = array.ToFloats();
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]))
                throw DataException.In(file, $"{values[i]} in row {i / c}, column {i % c} of {name}", "a finite number", "find out why the encoder gave it");
        return (values, r, c);
    }

    private static void CheckProbabilities(EncodingTable table, string file, int? firstLine)
    {
        if (table.Probabilities is not { } probabilities)
            return;
        for (int point = 0; point < table.Points; point++)
        {
            float sum = 0;
            bool negative = false;
            foreach (float p in probabilities.AsSpan(point * table.Categories, table.Categories))
            {
                sum += p;
                negative |= p < 0;
            }
            if (negative || Math.Abs(sum - 1) > ProbabilityTolerance)
                throw DataException.In(file, $"probabilities that {(negative ? "are negative" : $"sum to {sum}")} in {(firstLine is { } line ? $"line {point + line}" : $"row {point} of probs")}", "values from 0 to 1 that sum to 1", "write probabilities, not logits");
        }
    }

    private static DataException Missing(string name, string file) =>
        DataException.In(file, $"no array '{name}'", "mu and logvar, [points, factors] each", "save it with numpy.savez(file, mu=..., logvar=...)");
}
