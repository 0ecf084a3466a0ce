using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace VaeFromScratch.Models;

/// <summary>An option has a value that cannot be used; the message names the option, the value and what is possible.</summary>
public sealed class OptionException(string message) : Exception(message);

/// <summary>Everything that determines a run: config.json is this record. Keys are the property names in snake_case.</summary>
public sealed record RunConfiguration
{
    /// <summary>A model of <see cref="ModelCatalogue"/>.</summary>
    public string Model { get; init; } = "beta-vae";

    public string Data { get; init; } = "mnist";

    /// <summary>conv (papers 1 and 2), conv:CHANNELS,CHANNELS,... for other channels in the same design, exon (paper 4, table 1), or mlp:WIDTH,WIDTH,... for fully connected layers; mlp:WIDTHS/WIDTHS where the decoder's, from the code to the image, are not the encoder's backwards.</summary>
    public string Network { get; init; } = "conv";

    /// <summary>Where batch normalisation comes between the hidden layers: none, encoder or all.</summary>
    public string BatchNorm { get; init; } = "none";

    /// <summary>Slope of the hidden layers' activation below 0; 0 is ReLU.</summary>
    public double LeakySlope { get; init; }

    /// <summary>H, the number of factors.</summary>
    public int Latents { get; init; } = 128;

    /// <summary>Weight of the KL term; of the total correlation in beta-tcvae, of the marginal KL in imae and in info-vae with the marginal reading.</summary>
    public double Beta { get; init; } = 10;

    /// <summary>Epochs over which beta grows from 0. Without a warm-up, some seeds with beta 10 collapse for good: Models/README.md has the measurement.</summary>
    public double KlWarmUpEpochs { get; init; } = 1;

    /// <summary>Weight of the distance to the capacity (capacity-vae, joint-vae), of the total correlation (factor-vae, imae), of the marginal KL (beta-tcvae).</summary>
    public double Gamma { get; init; } = 100;

    /// <summary>C_max in nats (capacity-vae), C_z (joint-vae).</summary>
    public double Capacity { get; init; } = 25;

    /// <summary>Epochs until the capacity reaches C_max.</summary>
    public double CapacityEpochs { get; init; } = 5;

    /// <summary>Weight of the distance of the category's KL to its capacity (joint-vae).</summary>
    public double GammaCategory { get; init; } = 30;

    /// <summary>C_c in nats (joint-vae); log K where it is more than that.</summary>
    public double CapacityCategory { get; init; } = 100;

    /// <summary>Which InfoVAE: mmd (Zhao et al.) or marginal (as paper 3 compares it).</summary>
    public string Reading { get; init; } = "mmd";

    /// <summary>alpha of info-vae with the mmd reading: 1 - alpha weighs the KL.</summary>
    public double InfoAlpha { get; init; }

    /// <summary>Weight of the MMD (info-vae, wae-mmd), of the adversarial term (wae-gan, aae) or of the bound on the category's information (vmi-vae).</summary>
    public double Lambda { get; init; } = 10;

    /// <summary>Weight of the information between code and image (beta-tcvae), of the bound on the factors' information (vmi-vae).</summary>
    public double MiWeight { get; init; } = 1;

    /// <summary>How a batch stands for the data in estimates of q(z): batch, weighted or stratified.</summary>
    public string Estimate { get; init; } = "stratified";

    /// <summary>Weight of the off-diagonal covariances (dip-vae).</summary>
    public double LambdaOffDiagonal { get; init; } = 10;

    /// <summary>Weight of the variances' distance to 1 (dip-vae).</summary>
    public double LambdaDiagonal { get; init; } = 10;

    /// <summary>Widths of the discriminator's hidden layers (factor-vae, wae-gan, aae).</summary>
    public string Discriminator { get; init; } = "1000,1000,1000,1000,1000,1000";

    /// <summary>Learning rate of the discriminator's Adam.</summary>
    public double DiscriminatorLearningRate { get; init; } = 1e-4;

    /// <summary>K, codes for each image (iwae).</summary>
    public int Samples { get; init; } = 50;

    /// <summary>What a code consists of: gaussian (factors) or joint (factors and a category).</summary>
    public string LatentKind { get; init; } = "gaussian";

    /// <summary>K, values of the category.</summary>
    public int Categories { get; init; } = 10;

    /// <summary>Temperature of the Gumbel-softmax relaxation at the start.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Temperature at the end of a linear schedule.</summary>
    public double TemperatureEnd { get; init; } = 0.5;

    /// <summary>Epochs until the temperature is at its end; 0 for all of the run.</summary>
    public double TemperatureEpochs { get; init; }

    /// <summary>Whether training decodes exact one-hot samples of the category, with the gradient of the relaxed ones.</summary>
    public bool StraightThrough { get; init; }

    /// <summary>Factor on the initial weights of the category's head.</summary>
    public double CategoryScale { get; init; } = 1;

    /// <summary>Epochs in which the category trains alone, before all else joins.</summary>
    public int CategoryEpochs { get; init; }

    /// <summary>WEIGHT or WEIGHT:BALANCE of the encoder's information about the image in the category; in imae it is beta_y.</summary>
    public string EncoderMi { get; init; } = "0";

    /// <summary>Weight of virtual adversarial training of the category.</summary>
    public double Vat { get; init; }

    /// <summary>eps of virtual adversarial training, in pixel units over the whole image.</summary>
    public double VatRadius { get; init; } = 1.5;

    /// <summary>xi of virtual adversarial training: where its gradient is taken, in the same units.</summary>
    public double VatStep { get; init; } = 10;

    /// <summary>Training images whose labels the model may see, as many of each class; 0 for all (exon).</summary>
    public int Labels { get; init; }

    /// <summary>Labelled images in each step, beside the batch of all images without labels (exon).</summary>
    public int LabelledBatch { get; init; } = 100;

    /// <summary>Where the classes lie in the latent space: circle, circle:K, line, line:K, or JSON with centres, variances and weights (exon).</summary>
    public string Design { get; init; } = "circle";

    /// <summary>Weight of the labels' cross-entropy beyond 1 (exon).</summary>
    public double Lambda1 { get; init; } = 100;

    /// <summary>Weight of the penalty on a small learned variance, squared pixel units; 0 for none (exon).</summary>
    public double Lambda2 { get; init; }

    /// <summary>What says of which class an image is: shared (a head on the encoder), conv:CHANNELS,... (strided convolutions) or pool:CHANNELS,... (with maximum pooling) (exon).</summary>
    public string Classifier { get; init; } = "shared";

    /// <summary>Passes over the labelled images that train the classifier alone before all else (exon).</summary>
    public int PretrainingEpochs { get; init; }

    /// <summary>Learning rate of the classifier's pre-training.</summary>
    public double PretrainingLearningRate { get; init; } = 2e-3;

    /// <summary>Whether the classifier learns from mixtures of images, too; it must be a network of its own (exon).</summary>
    public bool Mixup { get; init; }

    /// <summary>Epochs over which the weight of mixtures of unlabelled images grows to its full size.</summary>
    public double RampEpochs { get; init; } = 10;

    /// <summary>Weight of the cross-entropy between an image's category and that of the image moved at random; in exon 1 moves every training image, 0 none.</summary>
    public double Augment { get; init; }

    /// <summary>Largest rotation of moved images, degrees.</summary>
    public double AugmentRotation { get; init; } = 15;

    /// <summary>Largest relative change of size of moved images.</summary>
    public double AugmentScale { get; init; } = 0.1;

    /// <summary>Largest shear of moved images, columns a row.</summary>
    public double AugmentShear { get; init; } = 0.2;

    /// <summary>Largest shift of moved images, pixels.</summary>
    public double AugmentShift { get; init; } = 2;

    /// <summary>Whether half of the moved images are mirrored left to right.</summary>
    public bool AugmentMirror { get; init; }

    /// <summary>Whether what moves into an image from outside is its mirror image, or 0.</summary>
    public bool AugmentReflect { get; init; }

    /// <summary>Gaussian factors whose information vmi-vae raises, such as 0,1; empty for none.</summary>
    public string MiFactors { get; init; } = "";

    /// <summary>Widths of the hidden layers of the auxiliary network Q (vmi-vae).</summary>
    public string QNetwork { get; init; } = "256,128";

    /// <summary>Learning rate of Q's Adam.</summary>
    public double QLearningRate { get; init; } = 1e-3;

    /// <summary>What Q reads: sample (x' drawn from p(x|z)) or mean (of the decoder).</summary>
    public string QInput { get; init; } = "sample";

    /// <summary>The named set of defaults that the run started from; empty where the model has none.</summary>
    public string Recipe { get; init; } = "";

    /// <summary>The decoder's noise: learned, fixed:VARIANCE, network, network:FLOOR, mog:K, bernoulli, weighted or weighted:EPSILON.</summary>
    public string Noise { get; init; } = "learned";

    /// <summary>How a learned variance moves: closed-form or gradient.</summary>
    public string NoiseUpdate { get; init; } = "closed-form";

    /// <summary>sigma^2 before the first step; 0 for the variance of the training pixels.</summary>
    public double NoiseStart { get; init; }

    /// <summary>Decay of the closed form's running average.</summary>
    public double NoiseDecay { get; init; } = 0.99;

    /// <summary>Largest relative change of sigma^2 in one step of the closed form.</summary>
    public double NoiseMaximumChange { get; init; } = 0.005;

    /// <summary>Below which sigma^2 never falls.</summary>
    public double NoiseFloor { get; init; } = 1e-6;

    /// <summary>none, threshold (pixel &gt; 0.5), static (drawn once by the seed) or dynamic (drawn anew for each batch).</summary>
    public string Binarise { get; init; } = "none";

    public int Epochs { get; init; } = 5;

    public int Batch { get; init; } = 100;

    /// <summary>adam, rmsprop or sgd.</summary>
    public string Optimiser { get; init; } = "adam";

    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Factor on the learning rate after each epoch.</summary>
    public double LearningRateDecay { get; init; } = 1;

    /// <summary>Share of the epochs after which the learning rate falls, by exp(-5 t^2) with t from 0 to 1 over the rest; 1 for never.</summary>
    public double LearningRateHold { get; init; } = 1;

    /// <summary>Decoupled weight decay of adam.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Momentum of sgd.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Only the first N training images in file order; 0 for all.</summary>
    public int Limit { get; init; }

    public ulong Seed { get; init; } = 1;

    /// <summary>fp32, tf32 or bf16 for the operands of matrix products and convolutions on tensor cores.</summary>
    public string Precision { get; init; } = "tf32";

    /// <summary>Where the run was made: informative.</summary>
    public string Device { get; init; } = "";

    public string Version { get; init; } = "";

    public string Commit { get; init; } = "";

    public string Started { get; init; } = "";

    /// <summary>What <c>--resume</c> changed, and after which step: informative.</summary>
    public string Changed { get; init; } = "";

    public string ToJson() => JsonSerializer.Serialize(this, ConfigurationJson.Default.RunConfiguration) + "\n";

    /// <summary>A key that is not there, as in the file of an older version, has its default.</summary>
    /// <exception cref="JsonException">Not the JSON of a configuration.</exception>
    public static RunConfiguration FromJson(string json)
    {
        var all = JsonNode.Parse(new RunConfiguration().ToJson())!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(json) as JsonObject ?? throw new JsonException("the configuration is no JSON object"))
            all[key] = value?.DeepClone() ?? throw new JsonException($"{key} is null");
        return JsonSerializer.Deserialize(all.ToJsonString(), ConfigurationJson.Default.RunConfiguration)!;
    }

    /// <summary>This record with one key of its JSON replaced: how <c>--set KEY=VALUE</c> works.</summary>
    /// <param name="option">The option to name in errors.</param>
    /// <exception cref="OptionException">There is no such key, or the value does not fit it.</exception>
    public RunConfiguration With(string key, string value, string option = "--set")
    {
        var json = JsonNode.Parse(ToJson())!.AsObject();
        if (json[key] is not { } old)
            throw new OptionException($"{option} {key}: there is no such key; keys are {string.Join(", ", json.Select(p => p.Key))}");
        try
        {
            json[key] = old.GetValueKind() switch
            {
                JsonValueKind.String => JsonValue.Create(value),
                _ => JsonNode.Parse(value),
            };
            return FromJson(json.ToJsonString());
        }
        catch (JsonException)
        {
            throw new OptionException($"{option} {value}: the value does not fit {key}, which is a {old.GetValueKind().ToString().ToLowerInvariant()} such as {old.ToJsonString()}");
        }
    }

    /// <exception cref="OptionException">A value is out of range.</exception>
    public void Validate()
    {
        Require(Latents > 0, "latents", Latents, "a positive number");
        Require(Epochs > 0, "epochs", Epochs, "a positive number");
        Require(Batch > 0, "batch", Batch, "a positive number");
        Require(BatchNorm is "none" or "encoder" or "all", "batch_norm", BatchNorm, "none, encoder or all");
        Require(LeakySlope is >= 0 and < 1, "leaky_slope", LeakySlope, "0 (ReLU) or a slope below 1");
        Require(Reading is "mmd" or "marginal", "reading", Reading, "mmd or marginal");
        Require(Estimate is "batch" or "weighted" or "stratified", "estimate", Estimate, "weighted, stratified or batch");
        foreach (var (name, weight) in new[] { ("gamma", Gamma), ("lambda", Lambda), ("mi_weight", MiWeight), ("lambda_off_diagonal", LambdaOffDiagonal), ("lambda_diagonal", LambdaDiagonal) })
            Require(weight >= 0 && double.IsFinite(weight), name, weight, "a number of at least 0");
        Require(double.IsFinite(InfoAlpha), "info_alpha", InfoAlpha, "a finite number");
        Require(DiscriminatorLearningRate > 0 && double.IsFinite(DiscriminatorLearningRate), "discriminator_learning_rate", DiscriminatorLearningRate, "a positive number");
        Require(LatentKind is "gaussian" or "joint", "latents", LatentKind, "gaussian or joint");
        Require(Categories > 1, "categories", Categories, "at least 2");
        foreach (var (name, value) in new[]
        {
            ("vat", Vat), ("augment", Augment), ("gamma_category", GammaCategory), ("capacity_category", CapacityCategory), ("temperature_epochs", TemperatureEpochs), ("augment_rotation", AugmentRotation),
            ("augment_shear", AugmentShear), ("augment_shift", AugmentShift),
        })
            Require(value >= 0 && double.IsFinite(value), name, value, "a number of at least 0");
        foreach (var (name, value) in new[] { ("temperature", Temperature), ("temperature_end", TemperatureEnd), ("category_scale", CategoryScale), ("vat_radius", VatRadius), ("vat_step", VatStep), ("q_learning_rate", QLearningRate) })
            Require(value > 0 && double.IsFinite(value), name, value, "a positive number");
        Require(AugmentScale is >= 0 and < 1, "augment_scale", AugmentScale, "a number from 0 to below 1");
        Require(CategoryEpochs >= 0, "category_epochs", CategoryEpochs, "a number of at least 0");
        Require(QInput is "sample" or "mean", "q_input", QInput, "sample or mean");
        Require(Samples > 0, "samples", Samples, "a positive number");
        Require(Limit >= 0, "limit", Limit, "0 (all images) or a positive number");
        Require(Beta >= 0 && double.IsFinite(Beta), "beta", Beta, "a number of at least 0");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), "lr", LearningRate, "a positive number");
        Require(LearningRateDecay > 0 && LearningRateDecay <= 1, "learning_rate_decay", LearningRateDecay, "a number above 0 and at most 1");
        Require(NoiseUpdate is "closed-form" or "gradient", "noise-update", NoiseUpdate, "closed-form or gradient");
        Require(NoiseDecay is >= 0 and < 1, "noise_decay", NoiseDecay, "a number from 0 to below 1");
        Require(NoiseMaximumChange is > 0 and < 1, "noise_maximum_change", NoiseMaximumChange, "a number between 0 and 1");
        Require(NoiseFloor > 0, "noise_floor", NoiseFloor, "a positive number");
        Require(NoiseStart >= 0, "noise_start", NoiseStart, "0 (the variance of the data) or a positive number");
        Require(Binarise is "none" or "threshold" or "static" or "dynamic", "binarise", Binarise, "none, threshold, static or dynamic");
        Require(Labels >= 0, "labels", Labels, "0 (all) or a positive number");
        Require(LabelledBatch > 0, "labelled_batch", LabelledBatch, "a positive number");
        foreach (var (name, value) in new[] { ("lambda1", Lambda1), ("lambda2", Lambda2), ("ramp_epochs", RampEpochs), ("weight_decay", WeightDecay) })
            Require(value >= 0 && double.IsFinite(value), name, value, "a number of at least 0");
        Require(PretrainingEpochs >= 0, "pretraining_epochs", PretrainingEpochs, "a number of at least 0");
        Require(PretrainingLearningRate > 0 && double.IsFinite(PretrainingLearningRate), "pretraining_learning_rate", PretrainingLearningRate, "a positive number");
        Require(Temperature > 0 && double.IsFinite(Temperature), "temperature", Temperature, "a positive number");
        Require(LearningRateHold is >= 0 and <= 1, "learning_rate_hold", LearningRateHold, "a share from 0 to 1");
        foreach (var (name, value) in new[] { ("augment", Augment), ("augment_rotation", AugmentRotation), ("augment_shear", AugmentShear), ("augment_shift", AugmentShift) })
            Require(value >= 0 && double.IsFinite(value), name, value, "a number of at least 0");
        Require(AugmentScale is >= 0 and < 1, "augment_scale", AugmentScale, "a number from 0 to below 1");
        Require(Optimiser is "adam" or "rmsprop" or "sgd", "optimiser", Optimiser, "adam, rmsprop or sgd");
        Require(Precision is "fp32" or "tf32" or "bf16", "precision", Precision, "fp32, tf32 or bf16");
        ModelCatalogue.Check(this);
    }

    private static void Require<T>(bool holds, string option, T value, string expected)
    {
        if (!holds)
            throw new OptionException(FormattableString.Invariant($"{option} {value}: expected {expected}"));
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(RunConfiguration))]
internal sealed partial class ConfigurationJson : JsonSerializerContext;
