using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Images;

/// <summary>The 0/1 attributes of CelebA's pictures.</summary>
internal sealed class CelebAttributes
{
    private const int MostAttributes = 1000, MostPictures = 1_000_000;
    private const long LargestFile = 1 << 28;

    private readonly Dictionary<string, byte[]> rows = [];
    private readonly string file;

    private CelebAttributes(string file, string[] names) => (this.file, Names) = (file, names);

    public string[] Names { get; }

    /// <summary>
    /// Reads list_attr_celeba.txt (the number of pictures, the names of the attributes, then a line a picture with 1 or -1 for each) or
    /// .csv (a header, then
    /// the same with commas). It may name pictures that are not there.
    /// </summary>
    /// <exception cref="DataException">The file is missing or damaged.</exception>
    public static CelebAttributes Read(string path) => DataFile.Read(path, stream => Read(stream, path));

    /// <param name="stream">Its contents, as UTF-8.</param>
    /// <param name="file">The name used in errors.</param>
    public static CelebAttributes Read(Stream stream, string file)
    {
        if (stream.Length > LargestFile)
            throw DataException.In(file, $"{stream.Length} bytes", $"at most {LargestFile}");
        using var reader = new StreamReader(stream, leaveOpen: true);
        string first = reader.ReadLine() ?? "";
        bool commas = first.Contains(',', StringComparison.Ordinal);
        string[] names = commas ? Cells(first, commas)[1..] : Cells(reader.ReadLine() ?? "", commas);
        if (names.Length is 0 or > MostAttributes || (!commas && !int.TryParse(first, out _)))
            throw DataException.In(file, $"{names.Length} attributes after the line '{first}'",
                "the number of pictures and the names of the attributes, or a comma-separated header");
        var table = new CelebAttributes(file, names);
        for (int line = commas ? 2 : 3; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string[] cells = Cells(text, commas);
            if (cells.Length != names.Length + 1 || table.rows.Count == MostPictures
                || !table.rows.TryAdd(cells[0], table.Values(cells, line)))
                throw DataException.In(file, $"line {line} with {cells.Length - 1} values for '{cells[0]}'",
                    $"a new picture's name and {names.Length} values");
        }
        return table;
    }

    /// <summary>A picture's attributes, 0 or 1.</summary>
    /// <exception cref="DataException">The file does not name the picture.</exception>
    public ReadOnlySpan<byte> Of(string picture) =>
        rows.TryGetValue(picture, out byte[]? values) ? values : throw DataException.In(file, $"no line for {picture}",
            "one line a picture", "take the list and the pictures from the same archive");

    private byte[] Values(string[] cells, int line)
    {
        byte[] values = new byte[Names.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = cells[i + 1] switch
            {
                "1" => 1,
                "-1" or "0" => 0,
                var other => throw DataException.In(file, $"'{other}' for {Names[i]} in line {line}", "1 or -1"),
            };
        return values;
    }

    private static string[] Cells(string line, bool commas) =>
        commas ? line.Split(',', StringSplitOptions.TrimEntries)
            : line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
