using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models;

/// <summary>An option has a value that cannot be used; the message names the option, the value and what is possible.</summary>
public class OptionException(string message) : Exception(message);

/// <summary>Everything that determines a run: config.json is this record, with every setting under its key.</summary>
/// <param name="Model">What is trained.</param>
public sealed record RunConfiguration(ModelEntry Model)
{
    internal const string ModelKey = "model", CodeKey = "code", RecipeKey = "recipe";

    /// <summary>The model's own settings, a record of <see cref="ModelEntry.SettingsType"/>.</summary>
    public object Settings { get; init; } = Model.NewSettings();

    public NoiseSettings Noise { get; init; } = new();

    public NetworkSettings Network { get; init; } = new();

    public TrainingSettings Training { get; init; } = new();

    public OptimiserSettings Optimiser { get; init; } = new();

    public DataSettings Data { get; init; } = new();

    /// <summary>The named settings that the run started from; empty where there are none.</summary>
    public string Recipe { get; init; } = "";

    /// <summary>Where the run was made: informative, as are version, commit and start.</summary>
    public string Device { get; init; } = "";

    public string Version { get; init; } = "";

    public string Commit { get; init; } = "";

    public string Started { get; init; } = "";

    /// <summary>Size of the images, as 28x28x1, to build the networks without the data: informative; empty in older files.</summary>
    public string Image { get; init; } = "";

    /// <summary>What an item of the data is called: an image; a row of a table or of vectors.</summary>
    internal string Item => ImageShape.TryParse(Image)?.Table is null ? "image" : "row";

    /// <summary>SHA-256 of the file that the run was trained on, where that is one of the user's own; empty for sets with a name.</summary>
    public string DataChecksum { get; init; } = "";

    /// <summary>What <c>--resume</c> changed, and after which step: informative.</summary>
    public string Changed { get; init; } = "";

    /// <summary>All settings by what they belong to.</summary>
    internal IReadOnlyList<SettingGroup> Groups =>
    [
        new("model", Settings, record => this with { Settings = record }),
        new("noise", Noise, record => this with { Noise = (NoiseSettings)record }),
        new("network", Network, record => this with { Network = (NetworkSettings)record }),
        new("training", Training, record => this with { Training = (TrainingSettings)record }),
        new("optimiser", Optimiser, record => this with { Optimiser = (OptimiserSettings)record }),
        new("data", Data, record => this with { Data = (DataSettings)record }),
    ];

    /// <summary>This configuration as it is computed on a device: with its name and the precision of its products.</summary>
    internal RunConfiguration On(Compute compute) => In(compute.Precision) with { Device = compute.Name };

    /// <summary>Whether a run of this is one of the other: the same, but perhaps of a device that multiplies in fp32 only.</summary>
    internal bool IsRunOf(RunConfiguration other) => WithoutFacts == other.WithoutFacts
        || (other.Training.Precision == Precision.Tf32 && IsRunOf(other.In(Precision.Fp32)));

    private RunConfiguration In(Precision precision) => this with { Training = Training with { Precision = precision } };

    /// <summary>What determines the results, without where and when they were made.</summary>
    private RunConfiguration WithoutFacts =>
        this with { Device = "", Version = "", Commit = "", Started = "", Image = "", DataChecksum = "" };

    /// <summary>The value of a setting; null where this model has none of that key.</summary>
    public object? Value(string key) => Find(key) is var (group, setting) ? setting.Get(group.Record) : null;

    /// <summary>This configuration with other values of some settings, by their keys.</summary>
    /// <exception cref="OptionException">There is no such key, or a value does not fit it.</exception>
    public RunConfiguration With(params IEnumerable<(string Key, object Value)> values) =>
        values.Aggregate(this, (c, v) => c.With(v.Key, Setting.ToText(v.Value)));

    /// <summary>This configuration with another value of one setting, as a user writes it.</summary>
    /// <param name="option">The option to name in errors.</param>
    /// <exception cref="OptionException">There is no such key, or the value does not fit it.</exception>
    public RunConfiguration With(string key, string value, string option = "--set")
    {
        if (key == RecipeKey)
            return this with { Recipe = value };
        if (key == CodeKey)
            return value == Setting.ToText(Model.Code) ? this
                : throw new OptionException($"{option} {value}: the code of this configuration is {Setting.ToText(Model.Code)}");
        if (Find(key) is var (group, setting))
            return group.Replace(setting.With(group.Record, value, option));
        string[] others = [.. ModelCatalogue.All.Where(m => m.Keys.Contains(key)).Select(m => m.Title)];
        throw new OptionException($"{Setting.Named(option, key)}: " + (others.Length > 0
            ? $"{Model.Title} has no such setting; models that have it: {string.Join(", ", others)}"
            : $"there is no such key; keys of {Model.Title} are "
                + string.Join(", ", Groups.SelectMany(g => g.Settings).Select(s => s.Key))));
    }

    /// <summary>Refuses a value that a user gave and that is out of its range, or that nothing reads beside the other settings.</summary>
    /// <param name="option">The option as it was written.</param>
    /// <param name="alone">Whether it was given for its own sake, and not as one of all the settings of a run.</param>
    /// <exception cref="OptionException">It is one of these.</exception>
    public void CheckGiven(string key, string option, bool alone = true)
    {
        if (Find(key) is not var (group, setting))
            return;
        setting.Validate(group.Record, option);
        if (alone)
            setting.CheckUsed(Value, option);
    }

    /// <exception cref="OptionException">A value is out of range, or does not go with another.</exception>
    public void Validate()
    {
        foreach (var group in Groups)
            foreach (var setting in group.Settings)
                setting.Validate(group.Record);
        (Settings as IModelSettings)?.Check(this);
        Optimiser.Check();
        // Whether the data have columns, building the model tells.
        Noise.Create(pixelVariance: 1, NoisePenalty, new(1, []));
    }

    /// <summary>This configuration with the checksum of the data, which has to be that of the data it was made with.</summary>
    /// <exception cref="DataException">The file has changed since.</exception>
    public RunConfiguration OnData(DatasetSplits data)
    {
        string now = data.Checksum ?? "";
        return DataChecksum == "" || DataChecksum == now ? this with { DataChecksum = now } : throw DataException.In(Data.Name,
            $"SHA-256 {now}", $"{DataChecksum}, as the file had when the run began",
            "put that file back, or train a new run on this one");
    }

    /// <summary>The model with initial weights.</summary>
    /// <param name="init">Of the networks' weights; drawn by the seed where null.</param>
    /// <param name="pixelVariance">Variance of the training pixels, where a learned sigma^2 starts.</param>
    /// <param name="trainingImages">N, for estimates that take a batch for a part of the data.</param>
    /// <exception cref="OptionException">It cannot be built for these images.</exception>
    /// <exception cref="DeviceMemoryException">It is larger than can be; the message names the settings.</exception>
    public VaeModel CreateModel(Compute compute, ImageShape image, double pixelVariance, int trainingImages = 1,
        Initialise? init = null) => Model.Create(compute, this, image, pixelVariance, trainingImages, init);

    /// <summary>lambda_2 where the model penalises a small learned variance; 0 elsewhere.</summary>
    internal double NoisePenalty => (Settings as IModelSettings)?.NoisePenalty ?? 0;

    /// <summary>What config.json holds.</summary>
    public JsonObject ToJsonObject() => ConfigurationJson.Write(this);

    public string ToJson() => ConfigurationJson.Text(ToJsonObject());

    /// <summary>
    /// A key that is not there, as in the file of an older version, has its default; one that only other models have, as older versions
    /// wrote, counts nothing.
    /// </summary>
    /// <exception cref="JsonException">Not the JSON of a configuration.</exception>
    /// <exception cref="OptionException">There is no such model.</exception>
    public static RunConfiguration FromJson(string json) => ConfigurationJson.Read(json);

    private (SettingGroup Group, Setting Setting)? Find(string key)
    {
        foreach (var group in Groups)
            if (group.Settings.FirstOrDefault(s => s.Key == key) is { } setting)
                return (group, setting);
        return null;
    }
}
