using System.Text.Json;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Models.Settings;

/// <summary>config.json: every setting under its key, and what is known of where and when the run was made; older files too.</summary>
internal static class ConfigurationJson
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Keys by which older versions wrote what has another name now.</summary>
    private static readonly Dictionary<string, string> Renamed = new() { ["latent_kind"] = RunConfiguration.CodeKey };

    /// <summary>What is no setting; of those that older versions did not write, only what is known is written.</summary>
    private static readonly Fact[] Facts =
    [
        new("device", c => c.Device, (c, value) => c with { Device = value }),
        new("version", c => c.Version, (c, value) => c with { Version = value }),
        new("commit", c => c.Commit, (c, value) => c with { Commit = value }),
        new("started", c => c.Started, (c, value) => c with { Started = value }),
        new("changed", c => c.Changed, (c, value) => c with { Changed = value }),
        new("image", c => c.Image, (c, value) => c with { Image = value }, MayBeAbsent: true),
        new("data_sha256", c => c.DataChecksum, (c, value) => c with { DataChecksum = value }, MayBeAbsent: true),
    ];

    public static JsonObject Write(RunConfiguration configuration)
    {
        var json = new JsonObject
        {
            [RunConfiguration.ModelKey] = configuration.Model.Name,
            [RunConfiguration.CodeKey] = Setting.ToText(configuration.Model.Code),
            [RunConfiguration.RecipeKey] = configuration.Recipe,
        };
        foreach (var group in configuration.Groups)
            foreach (var setting in group.Settings)
                json[setting.Key] = setting.ToJson(group.Record);
        foreach (var fact in Facts)
            if (fact.Get(configuration) is var value && !(fact.MayBeAbsent && value == ""))
                json[fact.Key] = value;
        return json;
    }

    public static string Text(JsonObject json) => json.ToJsonString(Indented) + "\n";

    /// <inheritdoc cref="RunConfiguration.FromJson"/>
    public static RunConfiguration Read(string json)
    {
        var all = (JsonNode.Parse(json, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject
            ?? throw new JsonException("the configuration is no JSON object"))
            .ToDictionary(p => Renamed.GetValueOrDefault(p.Key, p.Key), p => p.Value is JsonValue value ? value.ToString()
                : throw new JsonException($"{p.Key} is no single value"));
        string Take(string key, string otherwise) => all.Remove(key, out string? value) ? value : otherwise;
        var model = ModelCatalogue.Find(Take(RunConfiguration.ModelKey, "beta-vae"), Take(RunConfiguration.CodeKey, ""));
        var configuration = Facts.Aggregate(new RunConfiguration(model), (c, fact) => fact.With(c, Take(fact.Key, "")));
        try
        {
            foreach (var (key, value) in all)
                if (model.Keys.Contains(key) || !ModelCatalogue.All.Any(m => m.Keys.Contains(key)))
                    configuration = configuration.With(key, value, key);
        }
        catch (OptionException e)
        {
            throw new JsonException(e.Message, e);
        }
        return configuration;
    }

    private sealed record Fact(string Key, Func<RunConfiguration, string> Get, Func<RunConfiguration, string, RunConfiguration> With,
        bool MayBeAbsent = false);
}
