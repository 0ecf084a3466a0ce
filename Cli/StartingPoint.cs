using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli;

/// <summary>Where a new run's settings come from before the options: a configuration in a file, or that of another run.</summary>
internal sealed class StartingPoint
{
    private const string ConfigOption = "--config", LikeOption = "--like", ModelKey = "model";

    /// <summary>What config.json says of where and when a run was made.</summary>
    private static readonly string[] Facts = ["device", "version", "commit", "started", "image", "data_sha256", "changed"];

    private readonly Option<string?> config = new(ConfigOption)
    {
        Description =
        "a JSON file of settings by their keys, such as a run's config.json or a part of it; options override it"
    };
    private readonly Option<string?> like =
        new(LikeOption) { Description = "a run directory whose settings are taken; options override them" };

    public StartingPoint(Command command)
    {
        command.Options.Add(config);
        command.Options.Add(like);
    }

    /// <summary>The model that is named there, if any, and the settings.</summary>
    /// <exception cref="OptionException">Both options are given.</exception>
    /// <exception cref="DataException">The file or the run cannot be read.</exception>
    public (string? Model, IReadOnlyList<GivenSetting> Settings) Read(ParseResult parsed)
    {
        string? file = parsed.GetValue(config), run = parsed.GetValue(like);
        if (file is not null && run is not null)
            throw new OptionException($"{LikeOption} {run}: {ConfigOption} {file} is given as well; leave one of them out");
        return file is not null ? Of(file, Parse(file))
            : run is not null ? Of(Path.Combine(run, "config.json"), RunDirectory.Open(run).LoadConfiguration().ToJsonObject())
            : (null, []);
    }

    private static (string?, IReadOnlyList<GivenSetting>) Of(string file, JsonObject json) => (json[ModelKey]?.ToString(),
        [.. json.Where(p => p.Key != ModelKey && !Facts.Contains(p.Key)).Select(p =>
            new GivenSetting($"{file}: {p.Key}", p.Key, p.Value is JsonValue value ? value.ToString()
            : throw new DataException(
                $"{file}: {p.Key} is no single value; expected settings by their keys, as in a run's config.json"), IsStored: true))]);

    private static JsonObject Parse(string file) =>
        JsonFile.Read(ConfigOption, file, "a JSON object such as {\"model\": \"beta-vae\", \"beta\": 4}", json => json);
}
