using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>
/// Encodings on disk: CSV with the header mu_0..,logvar_0..[,prob_0..][,label], columns in any order, or npz with arrays mu, logvar[,
/// probs][, labels].
/// </summary>
public static class EncodingsFile
{
    /// <summary>Probabilities of a row may miss the sum of 1 by this much before the file is refused.</summary>
    private const float ProbabilityTolerance = 1e-2f;

    /// <summary>What names of files of encodings end in.</summary>
    public static IReadOnlyList<string> Endings { get; } = [".csv", ".npz"];

    /// <summary>Reads a whole file of either format, told apart by the first bytes.</summary>
    /// <exception cref="DataException">The file is missing, damaged, or holds a value that is no finite number; the message names line and
    /// column.</exception>
    public static EncodingTable Read(string path) => EncodingTable.Join([.. ReadBlocks(path)]);

    /// <summary>Reads a file of either format a few megabytes at a time, in order: it may be larger than memory.</summary>
    /// <exception cref="DataException">As <see cref="Read"/>, when the block that it is about is asked for; a damaged file may show with
    /// the last block only.</exception>
    public static IEnumerable<EncodingTable> ReadBlocks(string path) => ReadBlocks(() => DataFile.Open(path), path);

    /// <param name="open">Opens the file, seekable; called more than once for npz.</param>
    /// <param name="file">The name used in errors.</param>
    public static IEnumerable<EncodingTable> ReadBlocks(Func<Stream> open, string file) =>
        DataFile.GuardEach(file, () => Blocks(open, file));

    private static IEnumerable<EncodingTable> Blocks(Func<Stream> open, string file)
    {
        using var stream = open();
        bool zip = stream.ReadByte() == 'P' && stream.ReadByte() == 'K';
        stream.Position = 0;
        long row = 0;
        foreach (var block in zip ? EncodingsNpz.Read(open, file) : EncodingsCsv.Read(stream, file))
        {
            CheckProbabilities(block, file, point => zip ? $"row {row + point} of probs" : $"line {row + point + 2}");
            yield return block;
            row += block.Points;
        }
    }

    /// <summary>Writes the format that the name ends in, .csv or .npz.</summary>
    /// <exception cref="ArgumentException">Any other ending.</exception>
    public static void Write(string path, EncodingTable table)
    {
        string ending = Path.GetExtension(path).ToLowerInvariant();
        if (!Endings.Contains(ending))
            throw new ArgumentException($"encodings: cannot tell the format of '{path}'; give a name that ends in .csv or .npz");
        AtomicFile.Write(path, stream => Write(stream, ending, table));
    }

    /// <param name="ending">One of <see cref="Endings"/>.</param>
    public static void Write(Stream stream, string ending, EncodingTable table)
    {
        table.Checked();
        if (ending == ".npz")
            Npz.Write(stream, Arrays(table));
        else
            EncodingsCsv.Write(stream, table);
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

    private static void CheckProbabilities(EncodingTable table, string file, Func<int, string> place)
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
                throw DataException.In(file, $"probabilities that {(negative ? "are negative" : $"sum to {sum}")} in {place(point)}",
                    "values from 0 to 1 that sum to 1", "write probabilities, not logits");
        }
    }
}
