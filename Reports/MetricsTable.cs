using System.Globalization;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Reports;

/// <summary>metrics.csv: one row an epoch.</summary>
/// <param name="Columns">Values by the column's name; NaN where a cell is empty.</param>
internal sealed record MetricsTable(IReadOnlyList<string> Names, IReadOnlyDictionary<string, double[]> Columns)
{
    private static readonly MetricsTable Empty = new([], new Dictionary<string, double[]>());

    public int Epochs => Names.Count == 0 ? 0 : Columns[Names[0]].Length;

    /// <summary>The objective's terms, "loss" first.</summary>
    public IEnumerable<string> Terms =>
        Names.Where(n => n.StartsWith("train_", StringComparison.Ordinal)).Select(n => n["train_".Length..]);

    /// <summary>An imported run has no metrics: the table is then empty.</summary>
    /// <exception cref="DataException">A cell is no number.</exception>
    public static MetricsTable Read(string path)
    {
        if (!File.Exists(path))
            return Empty;
        using var text = new StreamReader(path);
        var records = Csv.Read(text, path).ToArray();
        string[] names = records.Length == 0 ? [] : records[0].Cells;
        double[][] rows = [.. records.Skip(1).Select(record =>
        {
            if (record.Cells.Length != names.Length)
                throw DataException.In(path, $"{record.Cells.Length} cells in line {record.Line}", $"{names.Length} as in the header",
                    "restore the file");
            return Array.ConvertAll(record.Cells, cell => cell == "" ? double.NaN
                : double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                ? value
                : throw DataException.In(path, $"'{cell}' in line {record.Line}", "a number", "restore the file"));
        })];
        return new(names,
            names.Select((name, column) => (name, column)).ToDictionary(n => n.name, n => Array.ConvertAll(rows, row => row[n.column])));
    }
}
