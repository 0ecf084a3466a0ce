using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>One key of the configuration set on the command line.</summary>
/// <param name="Option">The option as the user wrote it, for errors.</param>
internal readonly record struct Setting(string Option, string Key, string Value);

/// <summary>The options that set keys of a run's configuration, <c>--data</c> and <c>--set</c> among them.</summary>
internal sealed class SettingOptions
{
    private const string DesignOption = "--design";

    private static readonly (string Option, string Key, string Description)[] Names =
    [
        ("--data", "data", "a data set of `vae list datasets` (default: mnist)"),
        ("--epochs", "epochs", "passes over the training images"),
        ("--batch", "batch", "images per step; more than there are means one batch"),
        ("--lr", "learning_rate", "learning rate"),
        ("--beta", "beta", "weight of the KL term"),
        ("--latent", "latents", "number of factors"),
        ("--noise", "noise", "the decoder's noise: learned, fixed:VARIANCE, network, mog:K, bernoulli, weighted or weighted:EPSILON"),
        ("--noise-update", "noise_update", "how a learned variance moves: closed-form or gradient"),
        ("--network", "network", "conv (the papers'), conv:CHANNELS,CHANNELS,... or mlp:WIDTH,WIDTH,..."),
        ("--limit", "limit", "train on the first N images only"),
        ("--binarise", "binarise", "none, threshold, static or dynamic"),
        ("--gamma", "gamma", "weight of the distance to the capacity (capacity-vae), the total correlation (factor-vae) or the marginal KL (beta-tcvae)"),
        ("--lambda", "lambda", "weight of the penalty on the aggregate posterior (info-vae, wae-mmd, wae-gan, aae)"),
        ("--reading", "reading", "which reading of info-vae: mmd or marginal"),
        ("--estimate", "estimate", "minibatch estimate of the aggregate posterior: weighted, stratified or batch (beta-tcvae, info-vae)"),
        ("--capacity", "capacity", "largest capacity in nats (capacity-vae)"),
        ("--samples", "samples", "codes for each image (iwae)"),
        ("--recipe", "recipe", "a named set of defaults of the model, see `vae list models`"),
        ("--latents", "latent_kind", "what a code consists of: gaussian, or joint with a category (beta-vae, info-vae)"),
        ("--categories", "categories", "values of the category"),
        ("--temperature", "temperature", "temperature of the Gumbel-softmax at the start; temperature_end is that at the end"),
        ("--encoder-mi", "encoder_mi", "WEIGHT or WEIGHT:BALANCE of what the category says about the image; beta_y of imae"),
        ("--vat", "vat", "weight of virtual adversarial training of the category"),
        ("--augment", "augment", "weight of the category's invariance to small rotations, shifts, scalings and shears; 1 moves every training image (exon)"),
        ("--mi-factors", "mi_factors", "factors whose information is raised, such as 0,1 (vmi-vae)"),
        ("--labels", "labels", "training images whose labels the model may see, as many of each class; 0 for all (exon)"),
        (DesignOption, "design", "where the classes lie in the latent space: circle, line, or a JSON file with centres and variances (exon)"),
        ("--lambda1", "lambda1", "weight of the labels' cross-entropy beyond 1 (exon)"),
        ("--lambda2", "lambda2", "weight of the penalty on a small learned variance (exon)"),
    ];

    private readonly (Option<string?> Option, string Key)[] options = [.. Names.Select(n => (new Option<string?>(n.Option) { Description = n.Description }, n.Key))];
    private readonly Option<string[]> set = new("--set") { Description = "any other key of the configuration, KEY=VALUE; may be repeated", DefaultValueFactory = _ => [] };

    /// <summary>Adds the options to a command.</summary>
    public SettingOptions(Command command)
    {
        foreach (var (option, _) in options)
            command.Options.Add(option);
        command.Options.Add(set);
    }

    /// <summary>What was written on the command line; defaults are not in it.</summary>
    /// <exception cref="OptionException">A pair of <c>--set</c> has no equals sign.</exception>
    public IReadOnlyList<Setting> Read(ParseResult parsed, CommandContext context)
    {
        var given = new List<Setting>();
        foreach (var (option, key) in options)
            if (parsed.GetValue(option) is { } value)
                given.Add(new(option.Name, key, option.Name == DesignOption ? ReadDesign(value) : value));
        if (context.SeedGiven)
            given.Add(new("--seed", "seed", context.Seed.ToString(CultureInfo.InvariantCulture)));
        if (context.Precision is { } precision)
            given.Add(new("--precision", "precision", precision));
        foreach (string pair in parsed.GetValue(set)!)
        {
            int equals = pair.IndexOf('=');
            if (equals <= 0)
                throw new OptionException($"--set {pair}: expected KEY=VALUE, such as --set kl_warm_up_epochs=2");
            given.Add(new("--set", pair[..equals], pair[(equals + 1)..]));
        }
        return given;
    }

    /// <summary>A new run's configuration: the model's defaults for the data and the recipe that were named, and what else was.</summary>
    /// <exception cref="OptionException">There is no such model, recipe or key, or a value does not fit it.</exception>
    public static RunConfiguration Start(string model, IReadOnlyList<Setting> given)
    {
        return Apply(ModelCatalogue.Defaults(model, Given("data"), Given("recipe"), Given("latent_kind")), given);

        string? Given(string key) => given.LastOrDefault(g => g.Key == key).Value;
    }

    /// <summary>The contents of a design's file, so that the run does not depend on the file; a design's name as it is.</summary>
    /// <exception cref="Engine.IO.DataException">The file cannot be read.</exception>
    private static string ReadDesign(string value)
    {
        if (!value.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return value;
        try
        {
            return JsonNode.Parse(File.ReadAllText(value))!.ToJsonString();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            throw new Engine.IO.DataException($"{DesignOption} {value}: {e.Message.Split('\n')[0].TrimEnd('.')}; expected a JSON file such as {{\"centres\": [[-4, 0], [4, 0]], \"variances\": 4}}", e);
        }
    }

    /// <exception cref="OptionException">There is no such key, or a value does not fit it.</exception>
    public static RunConfiguration Apply(RunConfiguration configuration, IEnumerable<Setting> given)
    {
        foreach (var (option, key, value) in given)
            configuration = configuration.With(key, value, option);
        return configuration;
    }
}
