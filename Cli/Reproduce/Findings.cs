using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>What a reproduction found: tables on the console, tables and figures on a page, numbers in JSON.</summary>
internal sealed class Findings(CommandContext context, Sweep runs, HtmlPage page, bool quick)
{
    private readonly JsonArray tables = [];
    private int met, missed, undecided, notRun;

    public bool Quick { get; } = quick;

    public CommandContext Context { get; } = context;

    /// <summary>The finished runs in the order of the plan.</summary>
    public IReadOnlyList<SweepResult> Results { get; } = runs.Results;

    /// <summary>The finished run of that name; null when it is not finished.</summary>
    public SweepResult? Result(string name) => Results.FirstOrDefault(r => r.Point.Name == name);

    /// <summary>A finished run, ready to compute with; dispose of it.</summary>
    public OpenRun Open(SweepResult result) => Context.OpenRun(runs.DirectoryOf(result.Point).Path);

    /// <summary>The median over the finished ones of a run's seeds; null when none is finished.</summary>
    /// <param name="names">Of the runs.</param>
    public double? Median(IEnumerable<string> names, Func<SweepResult, double?> value)
    {
        double[] values = [.. names.Select(Result).OfType<SweepResult>().Select(value).OfType<double>().Where(double.IsFinite).Order()];
        return values.Length == 0 ? null : 0.5 * (values[(values.Length - 1) / 2] + values[values.Length / 2]);
    }

    /// <summary>What a finished run wrote in each epoch.</summary>
    public MetricsTable Metrics(SweepResult result) => MetricsTable.Read(runs.DirectoryOf(result.Point).MetricsFile);

    /// <summary>
    /// The histograms of category probabilities that a finished run wrote in each epoch; null for one without a category.
    /// </summary>
    public MetricsTable? Probabilities(SweepResult result) =>
        MetricsTable.Read(runs.DirectoryOf(result.Point).ProbabilitiesFile) is { Epochs: > 0 } table ? table : null;

    /// <summary>The summary and the charts of some of the finished runs.</summary>
    public SweepSummary Summary(IReadOnlyList<string> keys, Func<SweepResult, bool> of) => new(keys, [.. Results.Where(of)]);

    public Findings Section(string heading)
    {
        page.Section(heading);
        Context.Output.Line();
        Context.Output.Line(heading);
        return this;
    }

    public Findings Paragraph(string text)
    {
        page.Paragraph(text);
        return this;
    }

    /// <summary>Something the reader must know to judge the numbers; on the console too.</summary>
    public Findings Note(string text)
    {
        page.Note(text);
        Context.Output.Line($"  {text}");
        return this;
    }

    /// <summary>A table of a paper beside ours.</summary>
    public Findings Table(string source, IReadOnlyList<Finding> rows)
    {
        page.Table(Finding.Header, [.. rows.Select(r => r.Cells)], source);
        Context.Output.Line(source);
        Context.Output.Table(Finding.Header, rows.Select(r => r.Cells), textColumns: 1);
        tables.Add(new JsonObject { ["source"] = source, ["rows"] = new JsonArray([.. rows.Select(r => r.ToJson())]) });
        missed += rows.Count(r => r.Missed == true);
        met += rows.Count(r => r.Missed == false);
        notRun += rows.Count(r => r.Measured is null);
        undecided += rows.Count(r => r.Missed is null && r.Measured is not null);
        return this;
    }

    /// <summary>A table that the paper has no counterpart of.</summary>
    public Findings Table(string caption, IReadOnlyList<string> header, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        page.Table(header, rows, caption);
        Context.Output.Line(caption);
        Context.Output.Table(header, rows, textColumns: 1);
        return this;
    }

    public Findings Figure(Chart chart, string caption)
    {
        page.Figure(chart, caption);
        return this;
    }

    public Findings Figure(byte[] png, string caption)
    {
        page.Figure(png, caption);
        return this;
    }

    public Findings Charts(IEnumerable<Chart> charts)
    {
        page.Charts(charts);
        return this;
    }

    public Findings Strips(IEnumerable<(string Label, byte[] Png)> rows, string caption)
    {
        page.Strips(rows, caption);
        return this;
    }

    /// <summary>How many rows met their target.</summary>
    public string Tally => string.Create(CultureInfo.InvariantCulture,
        $"{met} rows met, {missed} missed, {undecided} shown without a verdict, {notRun} not run");

    /// <summary>Writes report.html and findings.json.</summary>
    /// <returns>The page's path.</returns>
    public string Save(string folder, string paper)
    {
        string path = Path.Combine(folder, "report.html");
        page.Save(path);
        var json = ToJson(paper, path);
        AtomicFile.WriteText(Path.Combine(folder, "findings.json"),
            json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
        return path;
    }

    public JsonObject ToJson(string paper, string report) => new()
    {
        ["paper"] = paper,
        ["quick"] = Quick,
        ["report"] = report,
        ["met"] = met,
        ["missed"] = missed,
        ["shown"] = undecided,
        ["not_run"] = notRun,
        ["tables"] = tables.DeepClone(),
    };
}
