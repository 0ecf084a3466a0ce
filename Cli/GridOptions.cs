using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>The options of commands that write one grid of images.</summary>
internal sealed class GridOptions
{
    private const int LargestGrid = 10_000;

    private readonly Option<int> images, columns;
    private readonly Option<string?> file;
    private readonly string defaultName;

    /// <param name="defaultName">The file in the run directory.</param>
    public GridOptions(Command command, string defaultName, int images, int columns)
    {
        this.defaultName = defaultName;
        this.images = new("--images") { Description = "how many images", DefaultValueFactory = _ => images };
        this.columns = new("--columns") { Description = "images side by side", DefaultValueFactory = _ => columns };
        file = new("--out") { Description = $"the file to write (default: {defaultName} in the run directory)" };
        foreach (var option in (Option[])[this.images, this.columns, file])
            command.Options.Add(option);
    }

    /// <exception cref="OptionException">A number is not usable.</exception>
    public (int Images, int Columns) Read(ParseResult parsed)
    {
        var (i, c) = (parsed.GetValue(images), parsed.GetValue(columns));
        if (i is < 1 or > LargestGrid)
            throw new OptionException($"--images {i}: expected 1 to {LargestGrid}");
        if (c is < 1 or > LargestGrid)
            throw new OptionException($"--columns {c}: expected 1 to {LargestGrid}");
        return (i, c);
    }

    public void Save(ParseResult parsed, CommandContext context, OpenRun run, byte[] png, int count)
    {
        AtomicFile.WriteBytes(Target(parsed, run), png);
        Announce(parsed, context, run, count);
    }

    /// <summary>The file that was asked for, or the default one in the run directory.</summary>
    public string Target(ParseResult parsed, OpenRun run) => parsed.GetValue(file) ?? run.Directory.File(defaultName);

    /// <summary>Says what was written.</summary>
    public void Announce(ParseResult parsed, CommandContext context, OpenRun run, int count)
    {
        string target = Target(parsed, run);
        context.Output.Line($"{target}: {count} images");
        context.Output.Json(new JsonObject { ["file"] = target, ["images"] = count });
    }
}
