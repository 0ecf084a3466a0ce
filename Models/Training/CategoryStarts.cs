using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Several starts of the stage in which a category trains alone. It can end with one value for two digits, which nothing later undoes, and
/// its own loss, which needs no labels, tells so: the initial weights whose stage ends lowest are those that the run begins with.
/// </summary>
/// <remarks>
/// The first start is that of a run without others. All have the run's own draws and order of images, so that the run repeats the stage
/// that was chosen, and its metrics, checkpoints and continuation are those of any run.
/// </remarks>
internal static class CategoryStarts
{
    // Apart from the draws of the first start's weights ("STRT" in ASCII, counted from).
    private const uint Stream = 0x53545254;

    /// <summary>The initial weights of a start; null, the model's own, for the first.</summary>
    public static Initialise? Of(ulong seed, int start) => start == 0 ? null : new(seed, Stream + (uint)start);

    /// <summary>Gives a model that is about to take its first step the initial weights of the best start, if there are several.</summary>
    /// <param name="data">What the model will be trained on.</param>
    /// <param name="stop">Whether to give up, asked after each step; nothing is chosen then, and the same call begins again.</param>
    /// <param name="ranks">The processes that train the model together, all of which call this; this one alone where null.</param>
    /// <returns>Whether it was not stopped.</returns>
    /// <exception cref="DivergenceException">A stage left the finite numbers.</exception>
    public static bool Choose(VaeModel model, RunConfiguration configuration, TrainingData data, Func<bool> stop,
        ICollective? ranks = null)
    {
        if (configuration.Settings is not JointSettings { Category: { CategoryStarts: > 1 } category })
            return true;
        int epochs = category.AloneFor(configuration.Training.Epochs);
        var (best, weights) = (double.PositiveInfinity, Array.Empty<float>());
        for (int start = 0; start < category.CategoryStarts && epochs > 0; start++)
        {
            using var attempt = configuration.CreateModel(model.Compute, model.Image, data.Variance, data.Count,
                Of(configuration.Training.Seed, start));
            float[] initial = new float[attempt.Arena.Values.Length];
            model.Compute.Backend.Download(attempt.Arena.Values, initial);
            using var trainer = new Trainer(attempt, data, configuration, ranks);
            double loss = double.NaN;
            while (trainer.Epoch < epochs)
            {
                if (trainer.TrainEpoch(stop) is not { } summary)
                    return false;
                loss = summary.Terms[0].Value;
            }
            if (loss < best)
                (best, weights) = (loss, initial);
        }
        if (weights.Length > 0)
            model.Compute.Backend.Upload<float>(weights, model.Arena.Values);
        return true;
    }
}
