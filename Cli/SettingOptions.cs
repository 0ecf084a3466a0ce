using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Runtime.CompilerServices;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Cli;

/// <summary>One key of the configuration set on the command line.</summary>
/// <param name="Option">The option as the user wrote it, for errors.</param>
/// <param name="Note">What to say about the spelling, when the value is accepted.</param>
/// <param name="IsStored">Whether it comes from a file that may hold all the settings of a run.</param>
internal readonly record struct GivenSetting(string Option, string Key, string Value, string? Note = null, bool IsStored = false);

/// <summary>
/// The options that set keys of a run's configuration: one for each setting of any model, and <c>--set</c>. The parser knows them all; the
/// help shows those that the model has, and one that it has not is refused when the configuration is made.
/// </summary>
internal sealed class SettingOptions
{
    private const string CodeKey = "code", RecipeKey = "recipe", LatentsKey = "latents", DesignKey = "design", SetOption = "--set";

    /// <summary>Keys that every computing command has options for anyway.</summary>
    private static readonly string[] Common = ["seed", "precision"];

    /// <summary>Older spellings, which are still understood.</summary>
    private static readonly Dictionary<string, string> Older = new() { ["--latent"] = "--latents", ["latent_kind"] = CodeKey };

    /// <summary>The settings of all models, each key once; made when the first command asks, after plugins have been loaded.</summary>
    private static readonly Lazy<Setting[]> OfModels = new(() =>
        [.. ModelCatalogue.All.SelectMany(m => new RunConfiguration(m).Groups).SelectMany(g => g.Settings).DistinctBy(s => s.Key)
            .Where(s => !Common.Contains(s.Key))]);

    private static readonly ConditionalWeakTable<Command, SettingOptions> OfCommand = [];

    private readonly (Option<string?> Option, string Key)[] options;
    private readonly Option<string[]> set = new(SetOption)
    {
        Description = "any setting by its key, KEY=VALUE; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Func<ParseResult, string?> modelOf;

    /// <summary>Adds the options to a command.</summary>
    /// <param name="modelOf">The model that was named on the command line.</param>
    public SettingOptions(Command command, Func<ParseResult, string?> modelOf)
    {
        this.modelOf = modelOf;
        var recipe = new Option<string?>("--" + RecipeKey)
        {
            Description = "a named set of settings of the model, see `vae list models --json`"
        };
        var code = new Option<string?>("--" + CodeKey)
        {
            Description = "what a code consists of: gaussian (factors) or joint (factors and a category)",
        };
        options =
        [
            (recipe, RecipeKey), (code, CodeKey),
            .. OfModels.Value.Select(s =>
                (new Option<string?>(s.Options[^1],
                [.. s.Options.SkipLast(1), .. Older.Where(o => o.Value == s.Options[^1]).Select(o => o.Key)])
            {
                Description = s.Help,
                Hidden = true,
            }, s.Key)),
        ];
        recipe.CompletionSources.Add(context => Words(context, m => m.Recipes.Select(r => r.Name)));
        code.CompletionSources.Add(context => Words(context, m => [Setting.ToText(m.Code)]));
        foreach (var (option, key) in options)
        {
            if (OfModels.Value.FirstOrDefault(s => s.Key == key) is { Examples: { Count: > 0 } examples })
                option.CompletionSources.Add([.. examples]);
            command.Options.Add(option);
        }
        command.Options.Add(set);
        OfCommand.Add(command, this);
    }

    /// <summary>What was written on the command line; defaults are not in it.</summary>
    /// <exception cref="OptionException">A pair of <c>--set</c> has no equals sign.</exception>
    public IReadOnlyList<GivenSetting> Read(ParseResult parsed, CommandContext context)
    {
        var given = new List<GivenSetting>();
        foreach (var (option, key) in options)
            if (parsed.GetValue(option) is { } value)
                given.Add(Understood(parsed.GetResult(option)!.IdentifierToken!.Value, key, value));
        if (context.SeedGiven)
            given.Add(new("--seed", "seed", context.Seed.ToString(CultureInfo.InvariantCulture)));
        if (context.Precision is { } precision)
            given.Add(new("--precision", "precision", precision));
        foreach (string pair in parsed.GetValue(set)!)
        {
            int equals = pair.IndexOf('=');
            if (equals <= 0)
                throw new OptionException($"{SetOption} {pair}: expected KEY=VALUE, such as --set kl_warm_up_epochs=2");
            given.Add(Understood(SetOption, pair[..equals], pair[(equals + 1)..]));
        }
        return given;
    }

    /// <summary>A new run's configuration: the model's defaults for the data and the recipe that were named, and what else was.</summary>
    /// <exception cref="OptionException">There is no such model, recipe or key, or a value does not fit it.</exception>
    public static RunConfiguration Start(string model, IReadOnlyList<GivenSetting> given)
    {
        // An empty recipe is what a configuration without one says: the settings beside it are all there are.
        var start = ModelCatalogue.Defaults(model, Given("data"), Given(RecipeKey) is { Length: > 0 } recipe ? recipe : null,
            Given(CodeKey) ?? "");
        if (Given(RecipeKey) == "")
            start = start with { Recipe = "" };
        var configuration = given.Where(g => g.Key is not (RecipeKey or CodeKey))
            .Aggregate(start, (c, g) => c.With(g.Key, g.Value, g.Option));
        foreach (var setting in given)
            configuration.CheckGiven(setting.Key, setting.Option, alone: !setting.IsStored);
        foreach (string note in given.Select(g => g.Note).OfType<string>())
            Output.Note(note);
        return configuration;

        string? Given(string key) => given.LastOrDefault(g => g.Key == key).Value;
    }

    /// <summary>The model on the command line; null where it must be named and is not yet.</summary>
    private string? ModelOn(ParseResult parsed)
    {
        try
        {
            return modelOf(parsed);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>What the entries of the model on the command line have, for completion.</summary>
    private IEnumerable<CompletionItem> Words(CompletionContext context, Func<ModelEntry, IEnumerable<string>> of)
    {
        string model = ModelOn(context.ParseResult) is { Length: > 0 } named ? named : "beta-vae";
        return ModelCatalogue.All.Where(m => m.Name == model).SelectMany(of).Distinct().Select(word => new CompletionItem(word));
    }

    /// <summary>Writes the settings that the model on the command line has, by group, if the command has any.</summary>
    public static void WriteHelp(ParseResult parsed, TextWriter output)
    {
        if (!OfCommand.TryGetValue(parsed.CommandResult.Command, out var own))
            return;
        string model = own.ModelOn(parsed) is { Length: > 0 } named ? named : "beta-vae";
        bool takesModel = parsed.CommandResult.Command.Arguments.Any(a => a.Name == "MODEL");
        string? code = parsed.GetValue(own.options.Single(o => o.Key == CodeKey).Option);
        var configuration = ModelCatalogue.Defaults(model, code: code ?? "");
        output.WriteLine(
            $"Settings of {configuration.Model.Title}, with their defaults (those of another model: vae "
            + $"{parsed.CommandResult.Command.Name} {(takesModel ? "" : "--model ")}MODEL --help):");
        foreach (var group in configuration.Groups)
        {
            output.WriteLine();
            output.WriteLine($"  {group.Name}");
            foreach (var setting in group.Settings.Where(s => !Common.Contains(s.Key)))
            {
                string text = Setting.ToText(setting.Get(group.Record));
                output.WriteLine(
                    $"    {string.Join(", ", setting.Options),-28} {Describe(setting)} (default: {(text == "" ? "none" : text)})");
            }
        }
    }

    /// <summary>Whether an option of a command sets a key of the configuration.</summary>
    public static bool IsSetting(Command command, Option option) =>
        OfCommand.TryGetValue(command, out var own) && own.options.Any(o => o.Option == option);

    /// <summary>
    /// The options that set keys which the model on the command line has; none where the command sets no keys or there is no such model.
    /// </summary>
    public static IEnumerable<string> NamesOf(ParseResult parsed)
    {
        if (!OfCommand.TryGetValue(parsed.CommandResult.Command, out var own))
            return [];
        string model = own.ModelOn(parsed) is { Length: > 0 } named && ModelCatalogue.Names.Contains(named) ? named : "beta-vae";
        string[] keys = [RecipeKey, CodeKey, .. ModelCatalogue.Defaults(model).Groups.SelectMany(g => g.Settings).Select(s => s.Key)];
        return own.options.Where(o => keys.Contains(o.Key)).Select(o => o.Option.Name);
    }

    /// <summary>Help and range; the latter only where the former does not say it.</summary>
    private static string Describe(Setting setting) =>
        setting.Expected is "a number" or "a whole number" || setting.Help.Contains(setting.Expected, StringComparison.Ordinal)
            ? setting.Help : $"{setting.Help} ({setting.Expected})";

    /// <summary>What was meant, with a note where it has another name now.</summary>
    private static GivenSetting Understood(string option, string key, string value)
    {
        if (key == LatentsKey && value is "gaussian" or "joint")
            return Renamed($"{option} {value}", "--" + CodeKey, CodeKey);
        if (Older.TryGetValue(option, out string? now))
            return Renamed(option, now, key);
        if (Older.TryGetValue(key, out now))
            return Renamed($"{option} {key}", option, now);
        return new(option, key, key == DesignKey ? ReadDesign(option, value) : value);

        GivenSetting Renamed(string was, string option, string key) =>
            new(option, key, value, $"{was}: now called {(option == SetOption ? $"{option} {key}" : option)}; the old spelling will go");
    }

    /// <summary>The contents of a design's file, so that the run does not depend on the file; a design's name as it is.</summary>
    /// <exception cref="DataException">The file cannot be read.</exception>
    private static string ReadDesign(string option, string value)
    {
        if (!value.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return value;
        return JsonFile.Read(option, value, "a JSON object such as {\"centres\": [[-4, 0], [4, 0]], \"variances\": 4}",
            json => json.ToJsonString());
    }
}
