using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae list: the models, data sets and devices there are.</summary>
internal static class ListCommand
{
    private static readonly string[] Kinds = ["models", "datasets", "devices"];

    public static Command Create()
    {
        var command = new Command("list", "the models, data sets and devices there are");
        var kind = new Argument<string>("WHAT") { Description = "models, datasets or devices; all three when left out", DefaultValueFactory = _ => "" };
        command.Arguments.Add(kind);
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            string what = parsed.GetValue(kind)!;
            string[] wanted = what == "" ? Kinds : what.Split(',');
            if (wanted.FirstOrDefault(w => !Kinds.Contains(w)) is { } unknown)
                throw new OptionException($"list {unknown}: expected models, datasets or devices");
            var json = new JsonObject();
            foreach (string w in wanted.Distinct())
                json[w] = w switch { "models" => Models(context.Output), "datasets" => Datasets(context), _ => DeviceList.Show(context.Output) };
            context.Output.Json(json);
            return ExitCode.Done;
        });
        return command;
    }

    private static JsonArray Models(Output output)
    {
        output.Table(["model", "paper", "equation", "options"], ModelCatalogue.All.Select(m => (IReadOnlyList<string>)[m.Name, m.Paper, m.Equation, string.Join(", ", m.Options)]), textColumns: 4);
        output.Line();
        return [.. ModelCatalogue.All.Select(m => new JsonObject
        {
            ["name"] = m.Name,
            ["paper"] = m.Paper,
            ["equation"] = m.Equation,
            ["options"] = new JsonArray([.. m.Options.Select(o => JsonValue.Create(o))]),
            ["defaults"] = JsonNode.Parse(m.Defaults.ToJson()),
            ["recipes"] = new JsonArray([.. m.Recipes.Select(r => new JsonObject { ["name"] = r.Name, ["data"] = r.Data, ["defaults"] = JsonNode.Parse(r.Defaults.ToJson()) })]),
        })];
    }

    /// <summary>Prints the data sets, whether their files are there, and where to get those that are not.</summary>
    public static JsonArray Datasets(CommandContext context)
    {
        string folder = context.ResolveDataDir(), cache = context.ResolveCacheDir();
        var sets = DatasetCatalogue.All.Select(set => (Info: set, State: State(set, folder, cache))).ToArray();
        context.Output.Table(["data set", "state", "size", "what", "licence"], sets.Select(s => (IReadOnlyList<string>)
            [s.Info.Name, s.State, Size(s.Info.Bytes), s.Info.Description, s.Info.Licence]), textColumns: 5);
        context.Output.Line();
        foreach (var (info, state) in sets.Where(s => s.State is "absent" or "incomplete"))
        {
            string[] missing = MissingFiles(info, folder);
            context.Output.Line($"{info.Name} is {state}{(missing.Length > 0 ? $" (no {string.Join(", ", missing)})" : "")}: get it from {info.Source}");
        }
        context.Output.Line();
        return [.. sets.Select(s => new JsonObject
        {
            ["name"] = s.Info.Name,
            ["description"] = s.Info.Description,
            ["licence"] = s.Info.Licence,
            ["source"] = s.Info.Source,
            ["bytes"] = s.Info.Bytes,
            ["state"] = s.State,
            ["present"] = s.State is "present" or "prepared",
            ["missing"] = new JsonArray([.. MissingFiles(s.Info, folder).Select(file => JsonValue.Create(file))]),
        })];
    }

    private static string State(DatasetInfo set, string folder, string cache) =>
        set.IsPresent(folder) ? "present"
        : set.IsPrepared?.Invoke(cache) == true ? "prepared"
        : set.Files.Any(file => IsThere(file, folder)) ? "incomplete"
        : "absent";

    private static string[] MissingFiles(DatasetInfo set, string folder) => [.. set.Files.Where(file => !file.Optional && !IsThere(file, folder)).Select(file => file.Path)];

    private static bool IsThere(DatasetFile file, string folder) => File.Exists(Path.Combine(folder, file.Path)) || File.Exists(Path.Combine(folder, file.Path + ".gz"));

    private static string Size(long bytes) => bytes == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, bytes / 1e6):F0} MB");
}
