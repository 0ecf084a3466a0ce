using VaeFromScratch.Data.Own;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models;

/// <summary>What a code consists of.</summary>
public enum CodeKind
{
    /// <summary>Gaussian factors and nothing else.</summary>
    Gaussian,
    /// <summary>Gaussian factors and a category.</summary>
    Joint,
}

/// <summary>A model class that brings its entries of the catalogue along.</summary>
public interface ICatalogued
{
    static abstract IReadOnlyList<ModelEntry> Entries { get; }
}

/// <summary>
/// What a model's settings may say about the parts that it is put together from; settings that say none of it need not implement it.
/// </summary>
public interface IModelSettings
{
    /// <summary>K, values of the category in a code; 0 for none.</summary>
    int Categories => 0;

    /// <summary>Factor on the initial weights of the category's head.</summary>
    double CategoryScale => 1;

    /// <summary>Weight of the penalty on a small learned variance, squared pixel units; 0 for none.</summary>
    double NoisePenalty => 0;

    /// <summary>How many Gaussians the encoder gives for each image.</summary>
    /// <param name="latents">H.</param>
    int Components(int latents) => 1;

    /// <summary>Refuses values that do not go together.</summary>
    /// <exception cref="OptionException">They do not.</exception>
    void Check(RunConfiguration configuration)
    {
    }
}

/// <summary>A named set of settings of a model for a data set.</summary>
/// <param name="Name">paper: the text's; tuned, full: settings that reach its figures.</param>
/// <param name="Settings">Keys and values that differ from the defaults; of a key that is there twice the last one counts.</param>
public sealed record Recipe(string Name, string Data, IReadOnlyList<(string Key, object Value)> Settings)
{
    /// <summary>Whether it holds only where it is named, and never as the default of its data set.</summary>
    public bool OnRequest { get; init; }
}

/// <summary>
/// One model by name: where it comes from, what it starts from, how it is made. Users' own models have entries like ours.
/// </summary>
public sealed record ModelEntry
{
    private readonly Func<VaeParts, object, VaeModel> create;
    private readonly Func<object> newSettings;
    private IReadOnlySet<string>? keys;

    private ModelEntry(string name, Type settingsType, Func<object> newSettings, Func<VaeParts, object, VaeModel> create) =>
        (Name, SettingsType, this.newSettings, this.create) = (name, settingsType, newSettings, create);

    /// <summary>An entry for a model with settings of its own.</summary>
    /// <typeparam name="TSettings">A record whose properties are marked with <see cref="SettingAttribute"/>.</typeparam>
    /// <param name="name">As it is written after `vae train`.</param>
    /// <param name="paper">Where the model comes from.</param>
    /// <param name="equation">Tags of docs/equations.md, or the formula.</param>
    /// <param name="differences">Keys and values of settings, of whichever group, that differ from the records' own defaults.</param>
    public static ModelEntry Of<TSettings>(string name, Func<VaeParts, TSettings, VaeModel> create, string paper = "", string equation = "",
        IReadOnlyList<(string Key, object Value)>? differences = null)
        where TSettings : class, new() =>
        new(name, typeof(TSettings), () => new TSettings(), (parts, settings) => create(parts, (TSettings)settings))
        {
            Paper = paper,
            Equation = equation,
            Differences = differences ?? [],
        };

    public string Name { get; }

    public string Paper { get; private init; } = "";

    public string Equation { get; private init; } = "";

    public IReadOnlyList<(string Key, object Value)> Differences { get; private init; } = [];

    public CodeKind Code { get; init; }

    /// <summary>
    /// Whether this is the model that the name alone means, where it stands for two kinds of code; otherwise the Gaussian one is.
    /// </summary>
    public bool IsFirst { get; init; }

    /// <summary>
    /// Named settings; the first of a data set that is not <see cref="Recipe.OnRequest"/> is its default. None where the model has one set
    /// of settings only.
    /// </summary>
    public IReadOnlyList<Recipe> Recipes { get; init; } = [];

    public Type SettingsType { get; }

    /// <summary>The name, with the code where other codes go by the same name.</summary>
    public string Title => ModelCatalogue.All.FirstOrDefault(m => m.Name == Name) is { } first && first.Code != Code
        ? $"{Name} --code {Setting.ToText(Code)}" : Name;

    /// <summary>What a run starts from without a recipe.</summary>
    public RunConfiguration Defaults => new RunConfiguration(this).With(Differences);

    /// <summary>The keys of all settings that a run of this model has.</summary>
    public IReadOnlySet<string> Keys => keys ??= new RunConfiguration(this).Groups.SelectMany(g => g.Settings)
        .Select(s => s.Key).ToHashSet();

    /// <inheritdoc cref="ModelCatalogue.Defaults"/>
    internal RunConfiguration DefaultsFor(string? data, string? recipe)
    {
        string own = Recipes.Count > 0 ? Recipes[0].Data : Defaults.Data.Name;
        data ??= own;
        Recipe[] recipes = [.. Recipes.Where(r => r.Data == data)];
        if (recipes.Length == 0)
            recipes = [.. Recipes.Where(r => r.Data == own)];
        var chosen = recipe is null ? recipes.FirstOrDefault(r => !r.OnRequest)
            : recipes.FirstOrDefault(r => r.Name == recipe) ?? throw new OptionException($"recipe {recipe}: {Title} has "
                + (recipes.Length == 0 ? "no recipes" : $"{string.Join(", ", recipes.Select(r => r.Name))} for {data}"));
        var start = Defaults.With(("data", data));
        if (chosen is not null)
            start = start.With(chosen.Settings) with { Recipe = chosen.Name };
        return start.With(OfColumns(OwnFile.KindOf(data)).Where(s => Keys.Contains(s.Key)));
    }

    /// <summary>
    /// What differs where the items are no pictures: nothing to convolve or to move about; a table has few columns, so little to say, and
    /// few rows, so short epochs.
    /// </summary>
    private static (string Key, object Value)[] OfColumns(OwnKind? kind) => kind switch
    {
        OwnKind.Vectors => [("network", "mlp:500,500"), ("augment", 0)],
        OwnKind.Table => [("network", "mlp:128,128"), ("augment", 0), ("noise", "table"), ("lambda2", 0), ("latents", 8), ("beta", 1),
            ("epochs", 50)],
        _ => [],
    };

    internal object NewSettings() => newSettings();

    internal VaeModel Create(Compute compute, RunConfiguration configuration, ImageShape image, double pixelVariance, int trainingImages,
        Initialise? init)
    {
        configuration.Validate();
        var (network, seed, own) = (configuration.Network, configuration.Training.Seed, configuration.Settings as IModelSettings);
        init ??= new Initialise(seed);
        try
        {
            var noise = configuration.Noise.Create(pixelVariance, configuration.NoisePenalty, image.Table);
            int categories = own?.Categories ?? 0, heads = (own?.Components(network.Latents) ?? 1) * network.Latents;
            var (encoder, decoder) = network.Create(image, heads, network.Latents + categories, noise.DecoderChannels(image.Channels),
                init);
            return create(new(compute, image, network.Latents, encoder, decoder, noise, new Rng(compute, seed), trainingImages)
            {
                Categories = categories,
                Further = categories > 0 ? new Linear("encoder.category", encoder.FeatureCount, categories, init,
                    scale: own!.CategoryScale) : null,
                Batch = configuration.Training.Batch,
                Epochs = configuration.Training.Epochs,
            }, configuration.Settings);
        }
        catch (ArgumentException e)
        {
            throw new OptionException(e.Message);
        }
        catch (DeviceMemoryException e)
        {
            throw new DeviceMemoryException($"--network {network.Network}, --latents {network.Latents}: {e.Message}");
        }
    }
}
