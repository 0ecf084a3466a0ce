using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Onnx;

namespace VaeFromScratch.Models.Runs;

/// <summary>A run as ONNX models, each deterministic: nothing is sampled.</summary>
public static class OnnxFiles
{
    public const string EncoderName = "encoder.onnx", DecoderName = "decoder.onnx", ClassifierName = "classifier.onnx";

    /// <summary>
    /// x [batch, channels, height, width] in [0, 1] to mu and logvar [batch, H], and to probs (of a category) or weights (of a mixture's
    /// components) [batch, K] where the model has them.
    /// </summary>
    /// <exception cref="NotSupportedException">The model does not say what its encoder computes.</exception>
    public static byte[] Encoder(VaeModel model, RunConfiguration configuration, IReadOnlyDictionary<string, string> metadata)
    {
        // It compares the graph with the model.
        new Inference.Encoder(model).Dispose();
        var graph = model.DescribeEncoder();
        return OnnxExport.Write("encoder", [("mu", graph.Mu), ("logvar", graph.LogVar), .. graph.Probabilities is { } p
            ? [(graph.ProbabilitiesName, p)] : ((string, Graphs.GraphNode)[])[]],
            configuration.Version, metadata);
    }

    /// <summary>z [batch, H + K] (the factors, then the category one-hot) to the mean image [batch, channels, height, width].</summary>
    /// <param name="activation">Whether logits of a Bernoulli noise model go through the sigmoid.</param>
    /// <exception cref="NotSupportedException">The model does not say what its decoder computes.</exception>
    public static byte[] Decoder(VaeModel model, RunConfiguration configuration, IReadOnlyDictionary<string, string> metadata,
        bool activation)
    {
        var graph = model.DescribeDecoder();
        var logits = activation ? null : graph.Logits;
        return OnnxExport.Write("decoder", [("image", logits ?? graph.Mean)], configuration.Version,
            new Dictionary<string, string>(metadata) { ["image"] = logits is null ? "mean" : "logits" });
    }

    /// <summary>factors [batch, H], or [batch, T, H] of sequences, to probs [batch, K].</summary>
    internal static byte[] Classifier(FactorClassifier classifier, RunConfiguration configuration, IReadOnlyDictionary<string,
        string> metadata)
    {
        var (_, probabilities) = classifier.Describe();
        return OnnxExport.Write("classifier", [("probs", probabilities)], configuration.Version, metadata);
    }

    /// <summary>
    /// What travels with each model: model, data, network, noise, equation tags, version, and the factors with their nats where they were
    /// ranked.
    /// </summary>
    /// <exception cref="DataException">influence.csv is damaged.</exception>
    public static IReadOnlyDictionary<string, string> Metadata(RunDirectory run, RunConfiguration configuration)
    {
        var metadata = new Dictionary<string, string>
        {
            ["model"] = configuration.Model.Name,
            ["data"] = configuration.Data.Name,
            ["network"] = configuration.Network.Network.ToString(),
            ["noise"] = Settings.Setting.ToText(configuration.Noise.Noise),
            ["equations"] = configuration.Model.Equation,
            ["version"] = configuration.Version,
        };
        if (File.Exists(run.InfluenceFile))
            metadata["factors"] = Factors(run.InfluenceFile).ToJsonString();
        return metadata;
    }

    private static JsonArray Factors(string file)
    {
        string[] lines = File.ReadAllLines(file), header = lines[0].Split(',');
        int factor = Array.IndexOf(header, "factor"), nats = Array.IndexOf(header, "mi_nats");
        if (factor < 0 || nats < 0)
            throw new DataException(
                $"{file}: its first line is '{lines[0]}'; expected columns factor and mi_nats; `vae influence` writes it anew");
        return [.. lines.Skip(1).Select(line => line.Split(',')).Select(cells => (JsonNode)new JsonObject
        {
            ["factor"] = int.Parse(cells[factor], CultureInfo.InvariantCulture),
            ["nats"] = double.Parse(cells[nats], CultureInfo.InvariantCulture),
        })];
    }
}
