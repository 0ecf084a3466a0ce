using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Zoo;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>
/// What the decoder's output says about the code of a trained model: the bound of paper 5 (equations.md (Q1), (Q3)), Q fitted on training
/// images, the value taken on test images.
/// </summary>
/// <param name="Bound">On I(code; x').</param>
/// <param name="Chosen">The factors it is of; none where only the category is.</param>
/// <param name="Sampled">Whether x' is drawn from p(x|z), or is the decoder's mean.</param>
/// <param name="CategoryInformation">I(x; c) (C3) of the same test images: another quantity, between code and data, to be read beside the
/// bound; null without a category.</param>
/// <param name="FittingImages">Training images that Q was fitted on.</param>
internal sealed record CodeBound(QBoundResult Bound, IReadOnlyList<int> Chosen, bool Sampled, Estimate? CategoryInformation,
    int FittingImages)
{
    /// <summary>Training images that Q is fitted on at the most: their outputs are in memory as floats.</summary>
    private const int MostFitting = 20_000;

    // Apart from the draws of training, evaluation and pictures ("code" in ASCII).
    private const uint Stream = 0x636f6465;

    /// <summary>Test images that the bound was taken on.</summary>
    public int Points => (Bound.Category ?? Bound.Factors)!.Value.Points;

    /// <summary>Of the category where there is one, and of the chosen factors.</summary>
    /// <param name="chosen">Indices of factors; none is possible only with a category.</param>
    /// <param name="sampled">Whether x' is drawn from p(x|z); a deterministic x' of a continuous code has unbounded information.</param>
    /// <exception cref="OptionException">There is nothing to bound, or the noise cannot be drawn from.</exception>
    public static CodeBound Compute(VaeModel model, ImageDataset train, ImageDataset test, RunConfiguration configuration, int[] chosen,
        bool sampled)
    {
        if (model.Categories == 0 && chosen.Length == 0)
            throw new OptionException(
                $"mi-factors: {configuration.Model.Name} has no category, so name the factors whose information to bound, such as 0,1");
        if (sampled && !model.Noise.IsLikelihood)
            throw new OptionException(
                $"q-input sample: noise {model.Noise.Name} is no likelihood and cannot be drawn from; use --q-input mean");
        int[] widths = (configuration.Settings switch
        {
            VmiVaeSettings joint => joint.Q,
            GaussianVmiVaeSettings gaussian => gaussian.Q,
            _ => new QSettings(),
        }).QNetwork.Values;
        train = train.Take(Math.Min(MostFitting, train.Count));
        using var rng = new Rng(model.Compute, configuration.Training.Seed, Stream);
        Encodings fitting = Encode(model, train, configuration), encodings = Encode(model, test, configuration);
        var measured = Draw(model, encodings, chosen, sampled, rng, pass: 0);
        var category = model.Categories == 0 ? null : Estimators.CategoryInformation.Compute(encodings);
        double factorEntropy = chosen.Length == 0 ? 0 : FactorEntropy(model, encodings, chosen, configuration.Training.Seed);
        var bound = new QBound(new(widths)).Fit(model.Compute, pass => Draw(model, fitting, chosen, sampled, rng, pass), measured,
            model.Categories, chosen.Length, category?.CodeEntropy ?? 0, factorEntropy, configuration.Training.Seed);
        return new(bound, chosen, sampled, category?.Information, train.Count);
    }

    public JsonObject ToJson() => new()
    {
        ["category_nats"] = Bound.Category?.Value,
        ["category_standard_error"] = Bound.Category?.StandardError,
        ["mi_category_nats"] = CategoryInformation?.Value,
        ["factors"] = new JsonArray([.. Chosen.Select(h => JsonValue.Create(h))]),
        ["factors_nats"] = Bound.Factors?.Value,
        ["factors_standard_error"] = Bound.Factors?.StandardError,
        ["q_input"] = Sampled ? "sample" : "mean",
        ["fitting_images"] = FittingImages,
        ["points"] = Points,
        ["passes"] = Bound.Passes,
    };

    private static Encodings Encode(VaeModel model, ImageDataset dataset, RunConfiguration configuration)
    {
        using var evaluator = new Evaluator(model, dataset, configuration);
        return evaluator.Encode();
    }

    /// <summary>One code of each image, and what the decoder makes of it.</summary>
    /// <param name="pass">Every pass has draws of its own.</param>
    private static CodedImages Draw(VaeModel model, Encodings encodings, int[] chosen, bool sampled, Rng rng, int pass)
    {
        int h = model.Latents, k = model.Categories, pixels = model.Image.Pixels, size = model.EvaluationBatch;
        var (images, categories, factors) =
            (new float[encodings.Points * pixels], new float[encodings.Points * k], new float[encodings.Points * chosen.Length]);
        for (int start = 0; start < encodings.Points; start += size)
        {
            int count = Math.Min(size, encodings.Points - start);
            rng.BeginStep(((uint)pass << 16) + (uint)(start / size));
            using var tape = model.Compute.Tape(gradients: false);
            Tensor mu = tape.Constant(new(count, h), encodings.Mu.Span.Slice(start * h, count * h)),
                logVar = tape.Constant(new(count, h), encodings.LogVar.Span.Slice(start * h, count * h));
            var z = Ops.Reparameterise(mu, logVar, rng).Z;
            var y = k == 0 ? null : tape.Constant(new(count, k), encodings.Probabilities.Span.Slice(start * k, count * k)).ClampMin(1e-20f)
                .Log().SampleOneHot(rng);
            var decoded = model.Decode(VaeModel.Code(z, y));
            (sampled ? model.Noise.Sample(decoded, rng) : model.Noise.Mean(decoded)).ToArray().CopyTo(images, start * pixels);
            y?.ToArray().CopyTo(categories, start * k);
            float[] codes = z.ToArray();
            for (int i = 0; i < count; i++)
                for (int f = 0; f < chosen.Length; f++)
                    factors[(start + i) * chosen.Length + f] = codes[i * h + chosen[f]];
        }
        return new(images, pixels, categories, factors);
    }

    /// <summary>H(q(z_F)) = I(x; z_F) by the mixture of all posteriors + the mean entropy of one, nats.</summary>
    private static double FactorEntropy(VaeModel model, Encodings e, int[] chosen, ulong seed)
    {
        float[] Columns(ReadOnlySpan<float> table)
        {
            var columns = new float[e.Points * chosen.Length];
            for (int i = 0; i < columns.Length; i++)
                columns[i] = table[i / chosen.Length * e.Factors + chosen[i % chosen.Length]];
            return columns;
        }
        var part = new Encodings(e.Points, chosen.Length, Columns(e.Mu.Span), Columns(e.LogVar.Span));
        double conditional = 0;
        foreach (float logVar in part.LogVar.Span)
            conditional += 0.5 * (Math.Log(2 * Math.PI * Math.E) + logVar) / e.Points;
        return MixtureInformation.Compute(model.Compute.Backend, part, seed).Information.Value + conditional;
    }
}
