using System.Globalization;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Cli.Report;

/// <summary>metrics.csv: one row an epoch.</summary>
/// <param name="Columns">Values by the column's name; NaN where a cell is empty.</param>
internal sealed record MetricsTable(IReadOnlyList<string> Names, IReadOnlyDictionary<string, double[]> Columns)
{
    private static readonly MetricsTable Empty = new([], new Dictionary<string, double[]>());

    public int Epochs => Names.Count == 0 ? 0 : Columns[Names[0]].Length;

    /// <summary>The objective's terms, "loss" first.</summary>
    public IEnumerable<string> Terms => Names.Where(n => n.StartsWith("train_", StringComparison.Ordinal)).Select(n => n["train_".Length..]);

    /// <summary>An imported run has no metrics: the table is then empty.</summary>
    /// <exception cref="DataException">A cell is no number.</exception>
    public static MetricsTable Read(string path)
    {
        if (!File.Exists(path))
            return Empty;
        string[] lines = File.ReadAllLines(path);
        string[] names = lines.Length == 0 ? [] : lines[0].Split(',');
        var rows = lines.Skip(1).Select((line, i) =>
        {
            string[] cells = line.Split(',');
            if (cells.Length != names.Length)
                throw DataException.In(path, $"{cells.Length} cells in line {i + 2}", $"{names.Length} as in the header", "restore the file");
            return Array.ConvertAll(cells, cell => cell == "" ? double.NaN : double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                ? value
                : throw DataException.In(path, $"'{cell}' in line {i + 2}", "a number", "restore the file"));
        }).ToArray();
        return new(names, names.Select((name, column) => (name, column)).ToDictionary(n => n.name, n => Array.ConvertAll(rows, row => row[n.column])));
    }
}
