using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae list: the models, data sets and devices there are.</summary>
internal static class ListCommand
{
    private static readonly string[] Kinds = ["models", "datasets", "devices"];

    public static Command Create()
    {
        var command = new Command("list", "the models, data sets and devices there are");
        var kind = new Argument<string>("WHAT")
        {
            Description = "models, datasets or devices; all three when left out",
            DefaultValueFactory = _ => ""
        };
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
                json[w] = w switch
                {
                    "models" => Models(context.Output),
                    "datasets" => Datasets(context),
                    _ => DeviceList.Show(context.Output)
                };
            context.Output.Json(json);
            return ExitCode.Done;
        });
        return command;
    }

    private static JsonArray Models(Output output)
    {
        output.Table(["model", "paper, equation: settings of its own"], ModelCatalogue.All
            .Select(m => (IReadOnlyList<string>)[m.Title, $"{m.Paper}, {m.Equation}: {string.Join(", ", Own(m))}"]), textColumns: 2);
        output.Line();
        return !output.IsJson ? [] : [.. ModelCatalogue.Names.Select(name => Json([.. ModelCatalogue.All.Where(m => m.Name == name)]))];
    }

    /// <summary>A model with all codes that it may have; its defaults are those of the first one.</summary>
    private static JsonObject Json(ModelEntry[] codes) => new()
    {
        ["name"] = codes[0].Name,
        ["paper"] = codes[0].Paper,
        ["equation"] = codes[0].Equation,
        ["codes"] = new JsonArray([.. codes.Select(m => JsonValue.Create(Setting.ToText(m.Code)))]),
        ["options"] = new JsonArray([.. codes.SelectMany(Own).Distinct().Select(key => JsonValue.Create(key))]),
        ["defaults"] = ModelCatalogue.Defaults(codes[0].Name).ToJsonObject(),
        ["recipes"] = new JsonArray([.. codes.SelectMany(m => m.Recipes, (m, r) => new JsonObject
        {
            ["name"] = r.Name,
            ["data"] = r.Data,
            ["code"] = Setting.ToText(m.Code),
            ["defaults"] = ModelCatalogue.Defaults(m.Name, r.Data, r.Name, Setting.ToText(m.Code)).ToJsonObject(),
        })]),
    };

    private static IEnumerable<string> Own(ModelEntry model) => Setting.Of(model.SettingsType).Select(s => s.Key);

    /// <summary>Prints the data sets, whether their files are there, and where to get those that are not.</summary>
    public static JsonArray Datasets(CommandContext context)
    {
        string cache = context.ResolveCacheDir();
        var sets = DatasetCatalogue.All.Select(set => (Info: set, Folder: context.ResolveDataDir(set)))
            .Select(set => (set.Info, set.Folder, State: State(set.Info, set.Folder, cache))).ToArray();
        context.Output.Table(["data set", "state", "size", "what, and its licence"], sets.Select(s => (IReadOnlyList<string>)
            [s.Info.Name, s.State, Size(s.Info.Bytes), $"{s.Info.Description}. Licence: {s.Info.Licence}"]), textColumns: 4);
        context.Output.Line();
        foreach (var (info, folder, state) in sets.Where(s => s.State is "absent" or "incomplete"))
        {
            string[] missing = MissingFiles(info, folder);
            context.Output.Line(
                $"{info.Name} is {state}{(missing.Length > 0 ? $" (no {string.Join(", ", missing)})" : "")}: get it from {info.Source}");
        }
        context.Output.Line("files of your own are data sets as well: --data FILE.npz (arrays) or --data FILE.csv (a table)");
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
            ["missing"] = new JsonArray([.. MissingFiles(s.Info, s.Folder).Select(file => JsonValue.Create(file))]),
        })];
    }

    private static string State(DatasetInfo set, string folder, string cache) =>
        set.IsPresent(folder) ? "present"
        : set.IsPrepared?.Invoke(cache) == true ? "prepared"
        : set.Files.Any(file => IsThere(file, folder)) ? "incomplete"
        : "absent";

    private static string[] MissingFiles(DatasetInfo set, string folder) =>
        [.. set.Files.Where(file => !file.Optional && !IsThere(file, folder)).Select(file => file.Path)];

    private static bool IsThere(DatasetFile file, string folder) =>
        File.Exists(Path.Combine(folder, file.Path)) || File.Exists(Path.Combine(folder, file.Path + ".gz"));

    private static string Size(long bytes) =>
        bytes == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, bytes / 1e6):F0} MB");
}
