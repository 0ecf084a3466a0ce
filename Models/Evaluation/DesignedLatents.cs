using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Models.Distributions;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>What is measured of a latent space with designed classes (paper 4).</summary>
/// <param name="Activated">Which factors each class uses.</param>
/// <param name="Slack">By how much the bound of Theorem 1 exceeds E KL^u, nats.</param>
/// <param name="Images">Decoded images whose pairs SSIM compares.</param>
/// <param name="Grid">Whether their codes are a grid over the design, as in the paper, or draws of the prior.</param>
/// <param name="Similarity">Null where images are smaller than SSIM's window.</param>
/// <param name="Samples">One z ~ q(z|x) of each image, [images, H].</param>
/// <param name="Classes">The most probable class of each image.</param>
internal sealed record DesignedLatents(ActivatedSubspace Activated, double Slack, int Images, bool Grid, SsimOfSet? Similarity,
    float[] Samples, int[] Classes)
{
    /// <summary>The file in a run directory.</summary>
    public const string FileName = "activated.csv";

    /// <summary>Points on a side of the paper's grid over the plane.</summary>
    public const int GridSide = 13;

    // Apart from every other use of the seed ("desi" in ASCII).
    private const uint Stream = 0x64657369;

    /// <summary>Null for models without a design.</summary>
    public static DesignedLatents? Measure(VaeModel model, Evaluator evaluator, Likelihoods likelihoods, RunConfiguration configuration)
    {
        if (model is not IHasDesign designed)
            return null;
        var design = designed.Design;
        var sums = new ActivatedSubspaceSums(design.Variances);
        var samples = new List<float>();
        var classes = new List<int>();
        evaluator.ForEachBatch((x, _) =>
        {
            var q = designed.Posterior(x);
            float[] probabilities = q.Logits.Softmax().ToArray();
            sums.Add(probabilities, q.Mu.ToArray(), q.LogVar.ToArray());
            samples.AddRange(q.Sample(model.Rng).ToArray());
            classes.AddRange(Largest(probabilities, design.Components));
        });
        var activated = sums.Result();
        double categoryKl = likelihoods.Terms.Single(t => t.Name == "kl_category").Value;
        bool grid = model.Latents == 2;
        float[] codes = grid ? GridCodes(design, GridSide) : PriorCodes(model, configuration.Training.Seed);
        var (h, w, c) = (model.Image.Height, model.Image.Width, model.Image.Channels);
        var similarity = Math.Min(h, w) < Ssim.Window ? null : new Ssim(h, w, c, range: 1).OfSet(Evaluator.Decode(model, codes));
        return new(activated, activated.Slack(design.Weights, likelihoods.Kl, categoryKl), codes.Length / model.Latents, grid, similarity,
            [.. samples], [.. classes]);
    }

    /// <summary>
    /// Codes on a grid of <paramref name="side"/> x <paramref name="side"/> points over a plane, two standard deviations around the
    /// outermost centres; rows from the top, [side side, 2].
    /// </summary>
    public static float[] GridCodes(LatentDesign design, int side)
    {
        var codes = new float[2 * side * side];
        for (int axis = 0; axis < 2; axis++)
        {
            double low = Enumerable.Range(0, design.Components)
                .Min(k => design.Centres[k][axis] - 2 * Math.Sqrt(design.Variances[k][axis]));
            double high = Enumerable.Range(0, design.Components)
                .Max(k => design.Centres[k][axis] + 2 * Math.Sqrt(design.Variances[k][axis]));
            for (int i = 0; i < side * side; i++)
            {
                int step = axis == 0 ? i % side : side - 1 - i / side;
                codes[2 * i + axis] = (float)(low + (high - low) * step / (side - 1));
            }
        }
        return codes;
    }

    /// <summary>
    /// (G9), paper 4's figure 7: how much the images D(mu_k(x_i)) of a class differ, x_i the first <paramref name="most"/> images of class
    /// k in file order; data range 1.
    /// </summary>
    /// <returns>Null for models without a design, and where the images are smaller than SSIM's window or fewer than two.</returns>
    public static SsimOfSet? DiversityOfClass(VaeModel model, ImageDataset images, int k, int most)
    {
        int[] rows = images.Labels is null ? [] : [.. Enumerable.Range(0, images.Count).Where(i => images.Labels[i] == k).Take(most)];
        if (model is not IHasDesign designed || rows.Length < 2 || Math.Min(images.Height, images.Width) < Ssim.Window)
            return null;
        var codes = new float[rows.Length * model.Latents];
        for (int i = 0; i < rows.Length; i++)
        {
            using var tape = model.Compute.Tape(gradients: false);
            var q = designed.Posterior(tape.Constant(new(1, images.Height, images.Width, images.Channels), images.ToFloats(rows[i], 1)));
            q.Mu.ToArray().AsSpan(k * model.Latents, model.Latents).CopyTo(codes.AsSpan(i * model.Latents));
        }
        return new Ssim(images.Height, images.Width, images.Channels, range: 1).OfSet(Evaluator.Decode(model, codes));
    }

    /// <summary>The place of the largest of each row of <paramref name="k"/> scores.</summary>
    public static IEnumerable<int> Largest(float[] scores, int k) =>
        Enumerable.Range(0, scores.Length / k).Select(row => Enumerable.Range(0, k).MaxBy(i => scores[row * k + i]));

    /// <summary>activated.csv: one row a class and factor.</summary>
    public void SaveCsv(string path) => Csv.Save(path, ["class", "factor", "f_statistic", "v_nat", "activated_f", "activated_v_nat"],
        from k in Enumerable.Range(0, Activated.Classes)
        from j in Enumerable.Range(0, Activated.Factors)
        let f = Activated.FStatistic[k, j]
        let v = Activated.VNat[k, j]
        select (object?[])[k, j, f, v, f > ActivatedSubspace.FThreshold, v > ActivatedSubspace.VNatThreshold]);

    public JsonObject ToJson() => new()
    {
        ["negative_ssim"] = Similarity?.Negative,
        ["negative_ssim_without_self"] = Similarity?.NegativeWithoutSelf,
        ["negative_ssim_images"] = Images,
        ["negative_ssim_codes"] = Grid ? "grid" : "prior",
        ["kl_bound_slack_nats"] = Slack,
        ["activated_f_threshold"] = ActivatedSubspace.FThreshold,
        ["activated_f"] = new JsonArray([.. Enumerable.Range(0, Activated.Classes).Select(k => JsonValue.Create(Activated.ByF(k).Length))]),
        ["activated_v_nat_threshold"] = ActivatedSubspace.VNatThreshold,
        ["activated_v_nat"] =
            new JsonArray([.. Enumerable.Range(0, Activated.Classes).Select(k => JsonValue.Create(Activated.ByVNat(k).Length))]),
    };

    private static float[] PriorCodes(VaeModel model, ulong seed)
    {
        using var rng = new Rng(model.Compute, seed, Stream);
        using var tape = model.Compute.Tape(gradients: false);
        return model.PriorCodes(GridSide * GridSide, rng).ToArray();
    }
}
