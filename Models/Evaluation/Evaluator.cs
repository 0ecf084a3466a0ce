using VaeFromScratch.Data;
using VaeFromScratch.Distributed;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>Means over a set, nats per image (equations.md (V5)).</summary>
/// <param name="Nll">Of one z ~ q(z|x) per image.</param>
/// <param name="SquaredError">Of the decoded mean, summed over pixels, per image.</param>
/// <param name="Variance">sigma^2 of the noise; where the decoder gives one for each pixel, their mean over the set at the decoded
/// means.</param>
/// <param name="Terms">Every term of the model's own objective, "loss" first.</param>
public sealed record Likelihoods(int Images, double Nll, double Kl, double SquaredError, float? Variance,
    IReadOnlyList<(string Name, double Value)> Terms)
{
    /// <summary>-(NLL + KL) with beta 1, whatever beta the model was trained with.</summary>
    public double Evlb => -(Nll + Kl);

    /// <summary>
    /// Share of images whose most probable class is not their label; null for models without classes and sets without labels.
    /// </summary>
    public double? ClassificationError { get; init; }
}

/// <summary>Runs a model over a data set without training it.</summary>
public sealed class Evaluator(VaeModel model, ImageDataset dataset, RunConfiguration configuration) : IDisposable
{
    // Rows that importance sampling decodes at a time: large enough to keep a device busy, small enough for convolutional networks.
    private const int RowsAtATime = 4000;

    // Training counts steps from 0; evaluation draws from the upper half, so that it never repeats training noise and always repeats
    // itself.
    private const uint FirstEvaluationStep = 0x8000_0000;

    private readonly TrainingData data = new(model.Compute, dataset, configuration.Data.Binarise, configuration.Training.Seed);

    /// <summary>
    /// The processes that share the batches of <see cref="Encode"/> and <see cref="Likelihoods"/>, which all of them call. The numbers are
    /// those of one process: batches are the same, and their sums are added in the order of the set.
    /// </summary>
    internal ICollective Ranks { get; init; } = SingleProcess.Instance;

    /// <summary>mu and logVar of every image, in file order, and q(c|x) where the model has a category.</summary>
    public Encodings Encode()
    {
        var mu = new float[dataset.Count * model.Latents];
        var logVar = new float[mu.Length];
        var probabilities = new float[dataset.Count * model.Categories];
        using var encoder = Encoder.For(model);
        var others = new float[encoder is null ? 0 : model.EvaluationBatch * encoder.Probabilities];
        ForOwnBatches((x, start) =>
        {
            int from = start * model.Latents, count = x.Shape[0] * model.Latents;
            if (encoder is not null)
            {
                // What a mixture says of its components is no category.
                int third = x.Shape[0] * encoder.Probabilities;
                encoder.Encode(x.Data.AsSpan(), mu.AsSpan(from, count), logVar.AsSpan(from, count),
                    model.Categories > 0 ? probabilities.AsSpan(start * model.Categories, third) : others.AsSpan(0, third));
                return;
            }
            var (z, c) = model.Infer(x);
            model.Compute.Backend.Download(z.Mu.Data, mu.AsSpan(from, count));
            model.Compute.Backend.Download(z.LogVar.Data, logVar.AsSpan(from, count));
            c?.Probabilities.ToArray().CopyTo(probabilities, start * model.Categories);
        });
        Share(mu, model.EvaluationBatch * model.Latents);
        Share(logVar, model.EvaluationBatch * model.Latents);
        Share(probabilities, model.EvaluationBatch * model.Categories);
        return new(dataset.Count, model.Latents, mu, logVar, probabilities, labels: dataset.Labels is null ? default
            : Array.ConvertAll(dataset.Labels, l => (int)l));
    }

    /// <summary>The indicators of <see cref="Encode"/>, in one pass that stores no encodings: their number does not matter.</summary>
    public Indicators Indicators()
    {
        using var moments = new FactorMoments(model.Compute.Backend, model.Latents);
        ForEachBatch((x, _) => model.AddMoments(x, moments));
        return moments.Result();
    }

    /// <summary>NLL, KL, squared error and the objective's terms, one z per image drawn by the seed.</summary>
    /// <param name="decodeMeans">Whether to decode the means too, for the squared error; it is NaN otherwise.</param>
    public Likelihoods Likelihoods(bool decodeMeans = true)
    {
        const int first = 3;
        double squaredError = decodeMeans ? 0 : double.NaN, variance = 0, loss = 0, wrong = 0;
        bool variancePerPixel = false;
        var learner = dataset.Labels is null ? null : model as ILearnsFromLabels;
        var names = new List<string>();
        // Of each batch: wrong classes, squared error, variance, then each term's sum and its share of the loss.
        double[] ofBatches = [];
        int width = 0;
        ForOwnBatches((x, start) =>
        {
            var objective = model.Objective(x);
            int images = x.Shape[0];
            if (names.Count == 0)
            {
                names.AddRange(objective.Terms.Select(t => t.Term.Name));
                width = first + 2 * names.Count;
                ofBatches = new double[Batches * width];
            }
            var of = ofBatches.AsSpan(start / model.EvaluationBatch * width, width);
            for (int i = 0; i < names.Count; i++)
            {
                var (term, weight, factor) = objective.Terms[i];
                double sum = term.Value.ToArray().Sum(v => (double)v) * images / term.Value.Length;
                of[first + 2 * i] = sum;
                of[first + 2 * i + 1] = weight * (factor?.Item() ?? 1) * sum;
            }
            if (learner is not null)
                of[0] = DesignedLatents.Largest(learner.ClassLogits(x).ToArray(), learner.Classes)
                    .Where((k, i) => k != dataset.Labels![start + i]).Count();
            if (!decodeMeans)
                return;
            var decoded = model.Decode(model.MeanCode(x));
            of[1] = (x - model.Noise.Mean(decoded)).Square().Sum().Item();
            if (model.Noise.PixelVariance(decoded) is { } ofPixels)
            {
                variancePerPixel = true;
                of[2] = ofPixels.Mean().Item() * (double)images / dataset.Count;
            }
        });
        Share(ofBatches, width);
        double[] sums = new double[names.Count];
        for (int at = 0; at < ofBatches.Length; at += width)
        {
            (wrong, squaredError, variance) = (wrong + ofBatches[at], squaredError + ofBatches[at + 1], variance + ofBatches[at + 2]);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += ofBatches[at + first + 2 * i];
                loss += ofBatches[at + first + 2 * i + 1];
            }
        }
        int n = dataset.Count;
        return new(n, Sum("nll") / n, Sum("kl") / n, squaredError / n, variancePerPixel ? (float)variance : model.Noise.Variance,
            [("loss", loss / n), .. names.Select((name, i) => (name, sums[i] / n))])
        {
            ClassificationError = learner is not null ? wrong / n : null,
        };

        double Sum(string name) => names.IndexOf(name) is >= 0 and var i ? sums[i]
            : throw new InvalidOperationException($"the objective of this model has no term '{name}'");
    }

    /// <summary>
    /// NLL by importance sampling, nats per image: -log mean_s p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x), a category part of z (equations.md
    /// (M7)). An upper bound in
    /// expectation that falls towards the NLL as the number of samples grows.
    /// </summary>
    /// <param name="samples">S.</param>
    /// <exception cref="OptionException">The model's noise defines no likelihood.</exception>
    /// <exception cref="EstimatorException">A weight is not a number.</exception>
    public double ImportanceNll(int samples)
    {
        if (samples < 1)
            throw new OptionException($"nll-samples {samples}: expected a positive number");
        if (!model.Noise.IsLikelihood)
            throw new OptionException($"nll-samples: noise {model.Noise.Name} defines no likelihood, so that there is none to estimate");
        double sum = 0;
        ForEachBatch((x, _) =>
        {
            int images = x.Shape[0], repeats = Math.Clamp(RowsAtATime / images, 1, samples);
            var q = model.Infer(x).Repeat(repeats);
            var repeated = x.RepeatRows(repeats).Reshape([-1, .. x.Shape.Sizes[1..]]);
            var likelihood = new ImportanceLikelihood(images);
            for (int done = 0; done < samples; done += repeats)
            {
                using var tape = model.Compute.Tape(gradients: false);
                var z = q.Z.Sample(model.Rng).Z;
                var y = q.C?.LogProbabilities.SampleOneHot(model.Rng);
                var nll = model.Noise.NegativeLogLikelihood(repeated, model.Decode(VaeModel.Code(z, y))).Value;
                float[] logWeights = (-(nll + model.LogRatioToPrior(q, z, y))).ToArray();
                for (int s = 0; s < Math.Min(repeats, samples - done); s++)
                    likelihood.Add(logWeights.AsSpan(s * images, images));
            }
            sum += likelihood.PerImage().Sum();
        });
        return sum / dataset.Count;
    }

    /// <summary>
    /// Squared error per image of the decoded mean when only some factors are kept and the others set to 0 (paper 1, table 2); a category
    /// stays.
    /// </summary>
    /// <param name="kept">The rows of the table.</param>
    public double[] ReducedErrors(Encodings encodings, IReadOnlyList<ReducedReconstruction> kept)
    {
        var errors = new double[kept.Count];
        ForEachBatch((x, start) =>
        {
            int images = x.Shape[0], h = model.Latents, k = model.Categories;
            var mu = Tape.Current.Constant(new(images, h), encodings.Mu.Span.Slice(start * h, images * h));
            var y = k == 0 ? null
                : new Categorical(Tape.Current.Constant(new(images, k),
                encodings.Probabilities.Span.Slice(start * k, images * k))).MostProbable();
            for (int i = 0; i < kept.Count; i++)
            {
                var mask = Tape.Current.Constant(new(h), kept[i].Mask(h));
                errors[i] += (x - model.DecodeMean(VaeModel.Code(mu * mask, y))).Square().Sum().Item();
            }
        });
        return Array.ConvertAll(errors, e => e / dataset.Count);
    }

    /// <summary>
    /// The codes that stand for the first images of a set, from their encodings: the means and the most probable category, [count, <see
    /// cref="VaeModel.CodeLength"/>].
    /// </summary>
    public static float[] MeanCodes(VaeModel model, Encodings encodings, int count)
    {
        int h = model.Latents, k = model.Categories;
        int[] categories = k == 0 ? [] : ContingencyTable.MostProbable(encodings.Probabilities.Span, k);
        var codes = new float[count * (h + k)];
        for (int n = 0; n < count; n++)
        {
            encodings.Mu.Span.Slice(n * h, h).CopyTo(codes.AsSpan(n * (h + k)));
            if (k > 0)
                codes[n * (h + k) + h + categories[n]] = 1;
        }
        return codes;
    }

    /// <summary>1 where a code keeps its number, [<see cref="VaeModel.CodeLength"/>]; a category stays.</summary>
    public static float[] Mask(VaeModel model, ReducedReconstruction kept) =>
        [.. kept.Mask(model.Latents), .. Enumerable.Repeat(1f, model.Categories)];

    /// <summary>Decoded mean images of codes [n, <see cref="VaeModel.CodeLength"/>], as pixels [n, H, W, C] row-major.</summary>
    public static float[] Decode(VaeModel model, float[] codes)
    {
        using var tape = model.Compute.Tape(gradients: false);
        return model.DecodeMean(tape.Constant(new(codes.Length / model.CodeLength, model.CodeLength), codes)).ToArray();
    }

    public void Dispose() => data.Dispose();

    internal void ForEachBatch(Action<Tensor, int> action) => ForBatches(action, first: 0, step: 1);

    private int Batches => (dataset.Count + model.EvaluationBatch - 1) / model.EvaluationBatch;

    /// <summary>This rank's batches. One that there is none left for does the first again, to know what a batch's numbers are.</summary>
    private void ForOwnBatches(Action<Tensor, int> action) => ForBatches(action, Ranks.Rank < Batches ? Ranks.Rank : 0, Ranks.Size);

    private void ForBatches(Action<Tensor, int> action, int first, int step)
    {
        int size = model.EvaluationBatch;
        for (int i = first; i < Batches; i += step)
        {
            int start = i * size, count = Math.Min(size, dataset.Count - start);
            using var tape = model.Compute.Tape(gradients: false);
            model.Rng.BeginStep(FirstEvaluationStep + (uint)i);
            action(data.Range(start, count, model.Rng), start);
        }
    }

    /// <summary>Completes numbers of which each rank has those of its own batches.</summary>
    /// <param name="width">How many a batch has; the last may have fewer.</param>
    private void Share<T>(T[] numbers, int width) where T : unmanaged
    {
        var (rank, size) = (Ranks.Rank, Ranks.Size);
        if (size == 1)
            return;
        var own = new T[(Batches + size - 1) / size * width];
        for (int i = rank; i < Batches; i += size)
            Of(i).CopyTo(own.AsSpan(i / size * width));
        var all = Ranks.AllGather(own, Collectives.AsLongAsItTakes);
        for (int i = 0; i < Batches; i++)
            all[i % size].AsSpan(i / size * width, Of(i).Length).CopyTo(Of(i));

        Span<T> Of(int batch) => numbers.AsSpan(batch * width, Math.Min(width, numbers.Length - batch * width));
    }
}
