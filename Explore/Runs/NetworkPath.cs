using System.Text.Json.Nodes;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Models;

namespace VaeFromScratch.Explore.Runs;

/// <summary>What each layer of a model makes of one image, from the image to the decoded mean.</summary>
internal static class NetworkPath
{
    /// <summary>Numbers of one layer that are shown; more would be smaller than a pixel.</summary>
    private const int MostValues = 64 * 1024;

    /// <param name="pixels">[H, W, C] in [0, 1].</param>
    /// <param name="rng">What z is sampled with.</param>
    public static JsonObject Follow(VaeModel model, float[] pixels, Rng rng, uint draw)
    {
        using var tape = model.Compute.Tape(gradients: false);
        rng.BeginStep(draw);
        var x = tape.Constant(new(1, model.Image.Height, model.Image.Width, model.Image.Channels), pixels);
        JsonArray encoder = [], decoder = [];
        Models.Distributions.Posterior q;
        using (new ForwardHook((layer, output) => encoder.Add(Layer(layer, output))))
            q = model.Infer(x);
        var z = q.Z.Sample(rng).Z;
        var y = q.C?.LogProbabilities.SampleOneHot(rng);
        Tensor decoded;
        using (new ForwardHook((layer, output) => decoder.Add(Layer(layer, output))))
            decoded = model.Decode(VaeModel.Code(z, y));
        return new()
        {
            ["encoder"] = encoder,
            ["mu"] = Answer.Numbers(q.Z.Mu.ToArray()),
            ["logVar"] = Answer.Numbers(q.Z.LogVar.ToArray()),
            ["probabilities"] = q.C is { } c ? Answer.Numbers(c.Probabilities.ToArray()) : null,
            ["z"] = Answer.Numbers(z.ToArray()),
            ["category"] = y is null ? null : Array.IndexOf(y.ToArray(), 1f),
            ["decoder"] = decoder,
            ["mean"] = Convert.ToBase64String(HostedRun.ToBytes(model.Noise.Mean(decoded).ToArray())),
            ["nll"] = Answer.Finite(model.Noise.NegativeLogLikelihood(x, decoded).Value.ToArray()[0]),
            ["noise"] = model.Noise.Name,
            ["variance"] = Answer.Finite(model.Noise.Variance),
        };
    }

    /// <summary>A layer's output as bytes from its smallest to its largest value.</summary>
    private static JsonObject Layer(Module layer, Tensor output)
    {
        float[] values = output.ToArray();
        float low = values.Min(), high = values.Max(), scale = high > low ? 255 / (high - low) : 0;
        string? parameter = layer.Parameters.FirstOrDefault()?.Name;
        return new()
        {
            ["name"] = parameter is null ? "" : parameter[..Math.Max(0, parameter.LastIndexOf('.'))],
            ["kind"] = layer.GetType().Name,
            ["shape"] = new JsonArray([.. output.Shape.Sizes[1..].ToArray().Select(size => JsonValue.Create(size))]),
            ["low"] = Answer.Finite(low),
            ["high"] = Answer.Finite(high),
            ["zero"] = values.Count(v => v == 0) / (double)values.Length,
            ["values"] = Convert.ToBase64String(Array.ConvertAll(values[..Math.Min(values.Length, MostValues)], v =>
                (byte)(scale * (v - low) + 0.5f))),
        };
    }
}
