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

    /// <summary>conv (papers 1 and 2), conv:CHANNELS,CHANNELS,... for other channels in the same design, or mlp:WIDTH,WIDTH,... for fully connected layers.</summary>
    public string Network { get; init; } = "conv";

    /// <summary>Where batch normalisation comes between the hidden layers: none, encoder or all.</summary>
    public string BatchNorm { get; init; } = "none";

    /// <summary>Slope of the hidden layers' activation below 0; 0 is ReLU.</summary>
    public double LeakySlope { get; init; }

    /// <summary>H, the number of factors.</summary>
    public int Latents { get; init; } = 128;

    /// <summary>Weight of the KL term; of the total correlation in beta-tcvae, of the marginal KL in info-vae with the marginal reading.</summary>
    public double Beta { get; init; } = 10;

    /// <summary>Epochs over which beta grows from 0. Without a warm-up, some seeds with beta 10 collapse for good: Models/README.md has the measurement.</summary>
    public double KlWarmUpEpochs { get; init; } = 1;

    /// <summary>Weight of the distance to the capacity (capacity-vae), of the total correlation (factor-vae), of the marginal KL (beta-tcvae).</summary>
    public double Gamma { get; init; } = 100;

    /// <summary>C_max in nats (capacity-vae).</summary>
    public double Capacity { get; init; } = 25;

    /// <summary>Epochs until the capacity reaches C_max.</summary>
    public double CapacityEpochs { get; init; } = 5;

    /// <summary>Which InfoVAE: mmd (Zhao et al.) or marginal (as paper 3 compares it).</summary>
    public string Reading { get; init; } = "mmd";

    /// <summary>alpha of info-vae with the mmd reading: 1 - alpha weighs the KL.</summary>
    public double InfoAlpha { get; init; }

    /// <summary>Weight of the MMD (info-vae, wae-mmd) or of the adversarial term (wae-gan, aae).</summary>
    public double Lambda { get; init; } = 10;

    /// <summary>Weight of the information between code and image (beta-tcvae).</summary>
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

    /// <summary>The decoder's noise: learned, fixed:VARIANCE, network, network:FLOOR, mog:K, bernoulli or weighted.</summary>
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

    /// <summary>Momentum of sgd.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Only the first N training images in file order; 0 for all.</summary>
    public int Limit { get; init; }

    public ulong Seed { get; init; } = 1;

    /// <summary>fp32 or tf32 for matrix products on CUDA.</summary>
    public string Precision { get; init; } = "tf32";

    /// <summary>Where the run was made: informative.</summary>
    public string Device { get; init; } = "";

    public string Version { get; init; } = "";

    public string Commit { get; init; } = "";

    public string Started { get; init; } = "";

    public string ToJson() => JsonSerializer.Serialize(this, ConfigurationJson.Default.RunConfiguration) + "\n";

    /// <exception cref="JsonException">Not the JSON of a configuration.</exception>
    public static RunConfiguration FromJson(string json) =>
        JsonSerializer.Deserialize(json, ConfigurationJson.Default.RunConfiguration) ?? throw new JsonException("the configuration is null");

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
        Require(Optimiser is "adam" or "rmsprop" or "sgd", "optimiser", Optimiser, "adam, rmsprop or sgd");
        Require(Precision is "fp32" or "tf32", "precision", Precision, "fp32 or tf32");
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
