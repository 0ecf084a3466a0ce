using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>The options of commands that write one grid of images.</summary>
internal sealed class GridOptions
{
    private const int LargestGrid = 10_000;

    private readonly Option<int> images, columns;
    private readonly Option<string?> file;
    private readonly string defaultName;
    private readonly string[] endings;

    /// <param name="defaultName">The file in the run directory.</param>
    /// <param name="endings">What the name of another file may end in, .png first.</param>
    public GridOptions(Command command, string defaultName, int images, int columns, params string[] endings)
    {
        (this.defaultName, this.endings) = (defaultName, endings);
        this.images = new("--images") { Description = "how many images", DefaultValueFactory = _ => images };
        this.columns = new("--columns") { Description = "images side by side", DefaultValueFactory = _ => columns };
        file = new("--out") { Description = $"the file to write, - for standard output (default: {defaultName} in the run directory)" };
        foreach (var option in (Option[])[this.images, this.columns, file])
            command.Options.Add(option);
    }

    /// <returns>The numbers, and the file that was named; null for the default one.</returns>
    /// <exception cref="OptionException">A number or the file is not usable.</exception>
    public (int Images, int Columns, OutputFile? File) Read(ParseResult parsed, CommandContext context)
    {
        var (i, c) = (parsed.GetValue(images), parsed.GetValue(columns));
        if (i is < 1 or > LargestGrid)
            throw new OptionException($"--images {i}: expected 1 to {LargestGrid}");
        if (c is < 1 or > LargestGrid)
            throw new OptionException($"--columns {c}: expected 1 to {LargestGrid}");
        return (i, c, parsed.GetValue(file) is { } path ? OutputFile.Named("--out", path, endings, context.Output, defaultName) : null);
    }

    /// <summary>Writes to the file that was named, or to the default one in the run directory, and says so.</summary>
    public void Save(CommandContext context, OpenRun run, OutputFile? named, int count, Action<Stream> write)
    {
        string path = named?.Path ?? run.Directory.File(defaultName);
        (named ?? OutputFile.Named("--out", path, endings, ownName: defaultName)).Write(write);
        context.Output.Line($"{path}: {count} images");
        context.Output.Json(new JsonObject { ["file"] = path, ["images"] = count });
    }
}
