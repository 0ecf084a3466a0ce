using System.Globalization;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Models.Zoo;

namespace VaeFromScratch.Models;

/// <summary>One model of the papers: where it comes from, what it is by default, how it is made.</summary>
/// <param name="Defaults">The configuration that this model starts from.</param>
/// <param name="Options">The keys of the configuration that matter to this model beyond those that matter to all.</param>
public sealed record ModelDescription(string Name, string Paper, string Equation, RunConfiguration Defaults, string[] Options, Func<VaeParts, RunConfiguration, VaeModel> Create)
{
    /// <summary>Named sets of defaults; none where the model has one set only.</summary>
    public IReadOnlyList<Recipe> Recipes { get; init; } = [];

    /// <summary>What the model's codes can consist of.</summary>
    public IEnumerable<string> LatentKinds => Recipes.Select(r => r.Defaults.LatentKind).Prepend(Defaults.LatentKind).Distinct();

    /// <summary>K, how many Gaussians the encoder gives for each image.</summary>
    public Func<RunConfiguration, int> Components { get; init; } = _ => 1;
}

/// <summary>A named set of defaults of a model.</summary>
/// <param name="Name">paper: the text's; tuned, full: settings that reach its figures.</param>
/// <param name="Data">The data set that it is for.</param>
public sealed record Recipe(string Name, string Data, RunConfiguration Defaults);

/// <summary>The models there are, by name, and how one is put together from a configuration.</summary>
public static class ModelCatalogue
{
    /// <summary>The keys that matter to every model with a category.</summary>
    private static readonly string[] CategoryOptions =
    [
        "categories", "temperature", "temperature_end", "temperature_epochs", "straight_through", "category_scale", "category_epochs", "encoder_mi", "vat", "vat_radius", "vat_step", "augment",
    ];

    public static IReadOnlyList<ModelDescription> All { get; } =
    [
        new("vae", "papers 1, 2; Kingma and Welling 2014", "(V3) with beta 1", new() { Model = "vae", Beta = 1 }, ["beta", "kl_warm_up_epochs"],
            (parts, c) => new BetaVae(parts, c.Beta, c.KlWarmUpEpochs)),
        new("beta-vae", "papers 1, 2, 3; Higgins et al. 2017", "(V3)", new() { Model = "beta-vae" }, ["beta", "kl_warm_up_epochs", "latent_kind"],
            (parts, c) => c.LatentKind == "joint" ? new JointBetaVae(parts, JointOf(c), c.Beta, c.KlWarmUpEpochs) : new BetaVae(parts, c.Beta, c.KlWarmUpEpochs))
        {
            Recipes = JointRecipes.OfBetaVae,
        },
        new("capacity-vae", "paper 5; Burgess et al. 2018", "(V4)", new() { Model = "capacity-vae" }, ["gamma", "capacity", "capacity_epochs"],
            (parts, c) => new CapacityVae(parts, c.Gamma, c.Capacity, c.CapacityEpochs)),
        new("info-vae", "papers 3, 5; Zhao et al. 2017", "(X8) with the mmd reading, (C5) with the marginal one",
            new() { Model = "info-vae", Lambda = 1000, Beta = 5, Estimate = "batch" }, ["reading", "info_alpha", "lambda", "beta", "estimate", "latent_kind"],
            (parts, c) => c.LatentKind == "joint" ? new JointInfoVae(parts, JointOf(c), c.Beta, EstimateOf(c))
                : c.Reading == "mmd" ? new InfoVae(parts, c.InfoAlpha, c.Lambda) : new MarginalInfoVae(parts, c.Beta, EstimateOf(c)))
        {
            Recipes = JointRecipes.OfInfoVae,
        },
        new("factor-vae", "paper 5; Kim and Mnih 2018", "(X6)", new() { Model = "factor-vae", Gamma = 35, Latents = 10, LearningRate = 1e-4 },
            ["gamma", "discriminator", "discriminator_learning_rate"],
            (parts, c) => new FactorVae(parts, c.Gamma, DiscriminatorOf(c), c.Batch)),
        new("beta-tcvae", "paper 5; Chen et al. 2018", "(X5), (X4)", new() { Model = "beta-tcvae", Beta = 6, Gamma = 1, Latents = 10 }, ["mi_weight", "beta", "gamma", "estimate"],
            (parts, c) => new BetaTcVae(parts, c.MiWeight, c.Beta, c.Gamma, EstimateOf(c))),
        new("dip-vae-i", "paper 5; Kumar et al. 2018", "(X7)", new() { Model = "dip-vae-i", Latents = 10, LambdaDiagonal = 100 }, ["lambda_off_diagonal", "lambda_diagonal"],
            (parts, c) => new DipVae(parts, c.LambdaOffDiagonal, c.LambdaDiagonal, ofSamples: false)),
        new("dip-vae-ii", "paper 5; Kumar et al. 2018", "(X7)", new() { Model = "dip-vae-ii", Latents = 10 }, ["lambda_off_diagonal", "lambda_diagonal"],
            (parts, c) => new DipVae(parts, c.LambdaOffDiagonal, c.LambdaDiagonal, ofSamples: true)),
        new("wae-mmd", "paper 5; Tolstikhin et al. 2018", "(X8)", new() { Model = "wae-mmd", Noise = "fixed:0.5", Latents = 8 }, ["lambda"],
            (parts, c) => new WaeMmd(parts, c.Lambda)),
        new("wae-gan", "paper 5; Tolstikhin et al. 2018", "(X9)",
            new() { Model = "wae-gan", Noise = "fixed:0.5", Latents = 8, Discriminator = "512,512,512,512", DiscriminatorLearningRate = 5e-4 },
            ["lambda", "discriminator", "discriminator_learning_rate"],
            (parts, c) => new AdversarialVae(parts, c.Lambda, DiscriminatorOf(c))),
        new("aae", "paper 5; Makhzani et al. 2016", "(X9)",
            new() { Model = "aae", Noise = "fixed:0.5", Lambda = 1, Latents = 8, Discriminator = "1000,1000", DiscriminatorLearningRate = 1e-3 },
            ["lambda", "discriminator", "discriminator_learning_rate"],
            (parts, c) => new AdversarialVae(parts, c.Lambda, DiscriminatorOf(c))),
        new("iwae", "Burda et al. 2016", "the bound of (M7) with K samples", new() { Model = "iwae" }, ["samples"],
            (parts, c) => new Iwae(parts, c.Samples)),
        new("joint-vae", "papers 3, 5; Dupont 2018", "(C4)", JointRecipes.JointVae, ["gamma", "gamma_category", "capacity", "capacity_category", "capacity_epochs", .. CategoryOptions],
            (parts, c) => new JointVae(parts, JointOf(c), c.Gamma, c.GammaCategory, new(c.Capacity, c.CapacityCategory, c.CapacityEpochs)))
        {
            Recipes = JointRecipes.OfJointVae,
        },
        new("imae", "paper 3", "(S1)-(S3)", JointRecipes.Imae, ["beta", "gamma", "estimate", .. CategoryOptions],
            (parts, c) => new Imae(parts, JointOf(c), c.Beta, c.Gamma, EstimateOf(c)))
        {
            Recipes = JointRecipes.OfImae,
        },
        new("vmi-vae", "paper 5", "(Q1), (Q2)", JointRecipes.VmiVae, ["beta", "lambda", "mi_weight", "mi_factors", "q_input", "q_network", "q_learning_rate", .. CategoryOptions],
            (parts, c) => new VmiVae(parts, JointOf(c), c.Beta, VmiOf(c)))
        {
            Recipes = JointRecipes.OfVmiVae,
        },
        new("exon", "paper 4; An et al. 2021", "(G3), with mixup (G8)", ExonRecipes.Tuned,
            ["labels", "labelled_batch", "design", "lambda1", "lambda2", "classifier", "pretraining_epochs", "pretraining_learning_rate", "mixup", "ramp_epochs", "temperature", "augment"], CreateExon)
        {
            Recipes = ExonRecipes.All,
            Components = c => LatentDesign.Parse(c.Design, c.Latents).Components,
        },
    ];

    /// <exception cref="OptionException">There is no such model.</exception>
    public static ModelDescription Find(string name) => All.FirstOrDefault(m => m.Name == name)
        ?? throw new OptionException($"model '{name}' does not exist; models are {string.Join(", ", All.Select(m => m.Name))}");

    /// <summary>What a run of a model on a data set starts from.</summary>
    /// <param name="data">Null for that of the model's defaults, whose recipes also hold for data without recipes of their own.</param>
    /// <param name="recipe">Null for the first one, where the model has any.</param>
    /// <param name="latentKind">gaussian or joint; null for what the model has by default.</param>
    /// <exception cref="OptionException">There is no such model, or no such recipe of it for these data.</exception>
    public static RunConfiguration Defaults(string model, string? data, string? recipe, string? latentKind = null)
    {
        var description = Find(model);
        data ??= description.Defaults.Data;
        latentKind ??= description.Defaults.LatentKind;
        var ofKind = description.Recipes.Where(r => r.Defaults.LatentKind == latentKind).ToArray();
        var recipes = ofKind.Where(r => r.Data == data).ToArray();
        if (recipes.Length == 0)
            recipes = [.. ofKind.Where(r => r.Data == description.Defaults.Data)];
        var defaults = recipe is null ? recipes.FirstOrDefault()?.Defaults ?? description.Defaults : recipes.FirstOrDefault(r => r.Name == recipe)?.Defaults;
        return (defaults ?? throw new OptionException($"recipe {recipe}: {model} has {(recipes.Length == 0 ? "no recipes" : $"{string.Join(", ", recipes.Select(r => r.Name))} for {data}")}")) with { Data = data };
    }

    /// <summary>Checks what a configuration says in words of its own: model, network, noise, discriminator.</summary>
    /// <exception cref="OptionException">One of them cannot be understood.</exception>
    internal static void Check(RunConfiguration c)
    {
        var description = Find(c.Model);
        if (!description.LatentKinds.Contains(c.LatentKind))
            throw new OptionException($"latents {c.LatentKind}: the codes of {c.Model} are {string.Join(" or ", description.LatentKinds)}");
        ParseNetwork(c);
        CreateNoise(c, pixelVariance: 1);
        DiscriminatorOf(c);
        ParseInformation(c);
        VmiOf(c);
        ParseClassifier(c);
        description.Components(c);
    }

    /// <param name="pixelVariance">Variance of the training pixels, where a learned sigma^2 starts.</param>
    /// <param name="trainingImages">N, for estimates that take a batch for a part of the data; at least the size of a batch counts.</param>
    /// <exception cref="OptionException">The configuration cannot be built for these images.</exception>
    public static VaeModel Create(Compute compute, RunConfiguration configuration, ImageShape image, double pixelVariance, int trainingImages = 1)
    {
        configuration.Validate();
        var description = Find(configuration.Model);
        var init = new Initialise(configuration.Seed);
        try
        {
            var noise = CreateNoise(configuration, pixelVariance);
            int categories = configuration.LatentKind == "joint" ? configuration.Categories : 0;
            var (encoder, decoder) = CreateNetworks(configuration, image, description.Components(configuration) * configuration.Latents, configuration.Latents + categories, noise.DecoderChannels(image.Channels), init);
            var parts = new VaeParts(compute, image, configuration.Latents, encoder, decoder, noise, new Rng(compute, configuration.Seed), trainingImages) { Categories = categories };
            if (categories > 0)
                parts = parts with { Further = new Linear("encoder.category", encoder.FeatureCount, categories, init, scale: configuration.CategoryScale) };
            return description.Create(parts, configuration);
        }
        catch (ArgumentException e)
        {
            throw new OptionException(e.Message);
        }
    }

    /// <param name="heads">Numbers that each of the encoder's heads puts out.</param>
    /// <param name="codeLength">Numbers that the decoder reads.</param>
    private static (GaussianEncoder, Module) CreateNetworks(RunConfiguration c, ImageShape image, int heads, int codeLength, int outputChannels, Initialise init)
    {
        var hidden = new HiddenLayers(c.BatchNorm != "none", c.LeakySlope);
        var hiddenOfDecoder = hidden with { BatchNorm = c.BatchNorm == "all" };
        return ParseNetwork(c) switch
        {
            ("mlp", { } widths, var back) => (MlpNets.Encoder(image, heads, widths, hidden, init), MlpNets.Decoder(image, codeLength, outputChannels, back ?? widths, hiddenOfDecoder, init)),
            ("exon", _, _) => (ExonNets.Encoder(image, heads, init), ExonNets.Decoder(image, codeLength, outputChannels, init)),
            var (_, channels, _) => (ConvolutionalNets.Encoder(image, heads, channels, hidden, init), ConvolutionalNets.Decoder(image, codeLength, outputChannels, channels, hiddenOfDecoder, init)),
        };
    }

    /// <summary>The kind of network, and its widths or channels, those of the papers where they are null; the decoder's from the image to the code, where they are not the encoder's.</summary>
    private static (string Kind, int[]? Widths, int[]? Decoder) ParseNetwork(RunConfiguration c)
    {
        string[] parts = c.Network.Split(':', 2), sides = parts.Length > 1 ? parts[1].Split('/', 2) : [];
        var widths = sides.Length > 0 ? Widths(sides[0]) : null;
        int[]? decoder = sides.Length > 1 ? Widths(sides[1]) : null;
        return (parts[0], sides.Length) switch
        {
            ("conv" or "exon", 0) => (parts[0], null, null),
            ("conv" or "mlp", 1) when widths is not null => (parts[0], widths, null),
            ("mlp", 2) when widths is not null && decoder is not null => ("mlp", widths, [.. decoder.Reverse()]),
            _ => throw new OptionException($"network '{c.Network}': expected conv, conv: and channels such as conv:8,8, exon, mlp: and widths such as mlp:500,500, or mlp: with the decoder's behind a slash such as mlp:500,1000/500,500"),
        };
    }

    private static Exon CreateExon(VaeParts parts, RunConfiguration c)
    {
        var design = LatentDesign.Parse(c.Design, c.Latents);
        // Draws of its own, so that the classifier does not change the initial weights of encoder and decoder ("clas" in ASCII).
        var init = new Initialise(c.Seed, stream: 0x636c6173);
        var (kind, channels) = ParseClassifier(c);
        var classifier = kind switch
        {
            "conv" => Classifiers.Strided(parts.Image, design.Components, channels, init),
            "pool" => Classifiers.Pooled(parts.Image, design.Components, channels, init),
            _ => new Linear("encoder.classifier", parts.Encoder.FeatureCount, design.Components, init),
        };
        var pretraining = c.PretrainingEpochs > 0 ? new Pretraining(c.PretrainingEpochs, c.PretrainingLearningRate) : null;
        return new(parts with { Further = classifier }, new(parts.Encoder, classifier, ownClassifier: kind != "shared"), design,
            new(c.Lambda1, c.Temperature, c.Mixup, c.RampEpochs, pretraining, c.Batch, c.LabelledBatch, c.Augment > 0 ? MotionOf(c) : null));
    }

    /// <summary>The kind of classifier and its channels.</summary>
    private static (string Kind, int[] Channels) ParseClassifier(RunConfiguration c)
    {
        string[] parts = c.Classifier.Split(':', 2);
        var channels = parts.Length > 1 ? Widths(parts[1]) : [32, 64, 128];
        return (parts[0], parts.Length) switch
        {
            ("shared", 1) when c.Mixup => throw new OptionException("mixup true: it mixes images for a classifier of its own; add --set classifier=conv"),
            ("shared", 1) => ("shared", []),
            ("conv" or "pool", _) when channels is not null => (parts[0], channels),
            _ => throw new OptionException($"classifier '{c.Classifier}': expected shared, conv, pool, or conv: or pool: with channels such as conv:32,64,128"),
        };
    }

    private static JointSettings JointOf(RunConfiguration c) => new(Engine.Optim.Schedules.Linear(c.Temperature, c.TemperatureEnd, c.TemperatureEpochs > 0 ? c.TemperatureEpochs : c.Epochs))
    {
        StraightThrough = c.StraightThrough,
        Information = ParseInformation(c),
        Vat = c.Vat,
        Adversary = new(c.VatRadius, c.VatStep),
        Augment = c.Augment,
        Motion = MotionOf(c),
        CategoryEpochs = c.CategoryEpochs,
    };

    private static VmiSettings VmiOf(RunConfiguration c) => new(c.Lambda, c.MiWeight, FactorList(c.MiFactors, c.Latents, "mi-factors"), c.QInput == "sample", QWidths(c), c.QLearningRate, c.Seed);

    /// <summary>Widths of the hidden layers of the auxiliary network Q.</summary>
    /// <exception cref="OptionException">They are no widths.</exception>
    public static int[] QWidths(RunConfiguration c) => Widths(c.QNetwork) ?? throw new OptionException($"q_network '{c.QNetwork}': expected widths such as 256,128");

    /// <summary>Indices of factors as the user writes them; none where the text is empty.</summary>
    /// <param name="option">The option to name in errors.</param>
    /// <exception cref="OptionException">One is no factor, or is there twice.</exception>
    public static int[] FactorList(string text, int latents, string option)
    {
        int[] factors = text == "" ? [] : [.. text.Split(',').Select(t => int.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out int h) && h < latents ? h : -1)];
        return factors.Contains(-1) || factors.Distinct().Count() < factors.Length
            ? throw new OptionException($"{option} {text}: expected different factors from 0 to {latents - 1} with commas between")
            : factors;
    }

    private static Motion MotionOf(RunConfiguration c) => new(c.AugmentRotation, c.AugmentScale, c.AugmentShear, c.AugmentShift, c.AugmentMirror, c.AugmentReflect);

    private static EncoderInformation ParseInformation(RunConfiguration c)
    {
        double[] numbers = [.. c.EncoderMi.Split(':').Select(t => double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) && v >= 0 && double.IsFinite(v) ? v : double.NaN)];
        return numbers.Length is 1 or 2 && !numbers.Any(double.IsNaN)
            ? new(numbers[0], numbers.Length == 2 ? numbers[1] : 1)
            : throw new OptionException($"encoder-mi {c.EncoderMi}: expected WEIGHT or WEIGHT:BALANCE, such as 5:4");
    }

    private static NoiseModel CreateNoise(RunConfiguration c, double pixelVariance)
    {
        // Images that are all the same have no variance to start from.
        double start = c.NoiseStart > 0 ? c.NoiseStart : Math.Max(c.NoiseFloor, pixelVariance);
        string[] parts = c.Noise.Split(':', 2);
        string? argument = parts.Length > 1 ? parts[1] : null;
        double number = double.TryParse(argument, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : 0;
        return (parts[0], argument) switch
        {
            ("learned", null) when c.Lambda2 > 0 => new PenalisedNoise(new(start, c.NoiseDecay, c.NoiseMaximumChange, c.NoiseFloor), c.Lambda2),
            (_, _) when c.Lambda2 > 0 => throw new OptionException(FormattableString.Invariant($"lambda2 {c.Lambda2}: it penalises a learned variance; noise is {c.Noise}, so set lambda2 to 0 or noise to learned")),
            ("learned", null) when c.NoiseUpdate == "gradient" => new GradientNoise(c.NoiseStart > 0 ? c.NoiseStart : 1),
            ("learned", null) => new ClosedFormNoise(new(start, c.NoiseDecay, c.NoiseMaximumChange, c.NoiseFloor)),
            ("fixed", _) when number > 0 => new FixedNoise(number),
            ("network", null) => new NetworkNoise(),
            ("network", _) when number > 0 => new NetworkNoise(number),
            ("mog", _) when number is >= 1 and <= 64 && number == Math.Floor(number) => new MixtureNoise(new((int)number, start, c.NoiseDecay, c.NoiseMaximumChange, c.NoiseFloor)),
            ("bernoulli", null) => new BernoulliNoise(),
            ("weighted", null) => new WeightedNoise(),
            ("weighted", _) when number > 0 => new WeightedNoise(number),
            _ => throw new OptionException($"noise '{c.Noise}': expected learned, fixed:VARIANCE such as fixed:0.01, network, network:FLOOR, mog:K such as mog:2, bernoulli, weighted or weighted:EPSILON"),
        };
    }

    private static MinibatchEstimate EstimateOf(RunConfiguration c) => c.Estimate switch
    {
        "weighted" => MinibatchEstimate.Weighted,
        "stratified" => MinibatchEstimate.Stratified,
        _ => MinibatchEstimate.Batch,
    };

    private static DiscriminatorSettings DiscriminatorOf(RunConfiguration c) => Widths(c.Discriminator) is { } widths
        ? new(widths, c.DiscriminatorLearningRate, c.Seed)
        : throw new OptionException($"discriminator '{c.Discriminator}': expected widths such as 1000,1000");

    /// <summary>Widths of layers as the user writes them; null where they are none.</summary>
    private static int[]? Widths(string text)
    {
        var widths = text.Split(',').Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0).ToArray();
        return widths.Contains(0) ? null : widths;
    }
}
