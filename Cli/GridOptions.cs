using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>The options of commands that write one grid of images.</summary>
internal sealed class GridOptions
{
    private const int LargestGrid = 10_000;
    private const string CsvEnding = ".csv";

    private readonly Option<int> images, columns;
    private readonly Option<string?> file;
    private readonly string defaultName;
    private readonly string[] endings;

    /// <param name="defaultName">The file in the run directory.</param>
    /// <param name="endings">What the name of another file may end in, .png first.</param>
    public GridOptions(Command command, string defaultName, int images, int columns, params string[] endings)
    {
        (this.defaultName, this.endings) = (defaultName, endings);
        this.images = new("--images") { Description = "how many images, or rows of a table", DefaultValueFactory = _ => images };
        this.columns = new("--columns") { Description = "images side by side; not of a table", DefaultValueFactory = _ => columns };
        file = new("--out")
        {
            Description = $"the file to write, - for standard output (default: {defaultName} in the run directory; of a run on a table "
                + $"or on vectors {Path.ChangeExtension(defaultName, CsvEnding)}, rows in the file's own units)",
        };
        foreach (var option in (Option[])[this.images, this.columns, file])
            command.Options.Add(option);
    }

    /// <param name="run">Of a table CSV is written.</param>
    /// <returns>The numbers, and the file that was named; null for the default one.</returns>
    /// <exception cref="OptionException">A number or the file is not usable.</exception>
    public (int Images, int Columns, OutputFile? File) Read(ParseResult parsed, CommandContext context, string run)
    {
        bool table = CommandContext.IsTable(run);
        var (i, c) = (parsed.GetValue(images), parsed.GetValue(columns));
        if (i is < 1 or > LargestGrid)
            throw new OptionException($"--images {i}: expected 1 to {LargestGrid}");
        if (c is < 1 or > LargestGrid)
            throw new OptionException($"--columns {c}: expected 1 to {LargestGrid}");
        if (table && parsed.GetResult(columns) is { Implicit: false })
            throw new OptionException($"--columns {c}: {run} was trained on a table or on vectors, of which no pictures stand side by "
                + $"side; leave it out");
        string? named = parsed.GetValue(file);
        if (table && endings.Contains(Path.GetExtension(named)))
            throw new OptionException($"--out {named}: {run} was trained on a table or on vectors, of which there are no pictures; "
                + $"expected a name that ends in {CsvEnding}");
        return (i, c, named is null ? null : OutputFile.Named("--out", named, table ? [CsvEnding] : endings, run, context.Output,
            table ? Path.ChangeExtension(defaultName, CsvEnding) : defaultName));
    }

    /// <summary>Writes to the file that was named, or to the default one in the run directory, and says so.</summary>
    public void Save(CommandContext context, OpenRun run, OutputFile? named, int count, Action<Stream> write)
    {
        bool table = run.Data.Test.Columns is not null;
        string name = table ? Path.ChangeExtension(defaultName, CsvEnding) : defaultName, path = named?.Path ?? run.Directory.File(name);
        (named ?? OutputFile.Named("--out", path, table ? [CsvEnding] : endings, run.Directory.Path, ownName: name)).Write(write);
        context.Output.Line($"{path}: {count} {(table ? "rows" : "images")}");
        context.Output.Json(new JsonObject { ["file"] = path, ["images"] = count });
    }
}
