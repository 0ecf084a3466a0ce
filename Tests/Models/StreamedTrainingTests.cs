using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Training on a set that stays in its cache file.</summary>
public sealed class StreamedTrainingTests : OnCpu
{
    private const int Images = 105;

    private readonly ImageDataset whole = Small.Halves(Images + 20);

    [Test]
    public void A_set_is_streamed_only_above_the_limit_of_memory()
    {
        using var cache = Cache();
        long bytes = cache.Train.Bytes;
        Assert.That(bytes, Is.EqualTo(Images * 64));
        Assert.That(cache.Train.Open(bytes).Stored, Is.Null);
        var streamed = cache.Train.Open(bytes - 1);
        Assert.That((streamed.Stored is not null, streamed.Pixels.Length, streamed.Count), Is.EqualTo((true, 0, Images)));
        Assert.That(streamed.Image(7).ToArray(), Is.EqualTo(whole.Image(7).ToArray()));
        Assert.That(streamed.ToFloats(3, 2), Is.EqualTo(whole.ToFloats(3, 2)));
        var some = streamed.Take(10);
        Assert.That((some.Stored, some.Pixels.Length, some.Split), Is.EqualTo(((CachedImages?)null, 640, "train")),
            "a few images are read into memory");
        Assert.That(streamed.Select([9, 2], "test").Image(0).ToArray(), Is.EqualTo(whole.Image(9).ToArray()));
        Assert.That(streamed.CheckConsistency("file"), Is.SameAs(streamed));
    }

    [Test]
    public void A_streamed_run_learns_and_continues_bit_for_bit([Values("beta-vae", "factor-vae")] string model,
        [Values("none", "dynamic")] string binarise)
    {
        var configuration = Small.Configuration(model).WithOwn(("epochs", 3), ("binarise", binarise));
        float[] once = Run(interruptAfter: null);
        Assert.That(Run(interruptAfter: 8), Is.EqualTo(once));
        Assert.That(once[^1], Is.LessThan(once[^2]), "the loss falls");

        float[] Run(int? interruptAfter)
        {
            using var cache = Cache();
            var data = cache.Train.Open(mostBytes: 0);
            using var training = new TrainingData(Compute, data, configuration.Data.Binarise, 1);
            TrainingState? state = null;
            float firstLoss = 0;
            if (interruptAfter is { } steps)
            {
                using var interrupted = Small.Create(Compute, configuration, data);
                using var trainer = new Trainer(interrupted, training, configuration);
                while (trainer.Step < steps)
                    firstLoss = (float?)trainer.TrainEpoch(() => trainer.Step >= steps)?.Terms[0].Value ?? firstLoss;
                Assert.That(trainer.StepInEpoch, Is.Not.Zero, "the test should interrupt inside an epoch");
                state = trainer.Save();
            }
            using var continued = Small.Create(Compute, configuration, data);
            using var rest = new Trainer(continued, training, configuration);
            if (state is not null)
                rest.Restore(state);
            float last = 0;
            while (!rest.IsFinished)
            {
                last = (float)rest.TrainEpoch()!.Terms[0].Value;
                firstLoss = rest.Epoch == 1 ? last : firstLoss;
            }
            return [.. continued.Arena.Parameters.SelectMany(p => p.Value.ToArray()), firstLoss, last];
        }
    }

    [Test]
    public void A_streamed_set_is_evaluated_as_one_in_memory()
    {
        using var cache = Cache();
        var configuration = Small.Configuration();
        var (inMemory, streamed) = (cache.Train.Open(), cache.Train.Open(mostBytes: 0));
        using var model = Small.Create(Compute, configuration, inMemory);
        using var first = new Evaluator(model, inMemory, configuration);
        using var second = new Evaluator(model, streamed, configuration);
        Assert.That(second.Encode().Mu.ToArray(), Is.EqualTo(first.Encode().Mu.ToArray()));
        Assert.That(second.Likelihoods().Nll, Is.EqualTo(first.Likelihoods().Nll));
        using var data = new TrainingData(Compute, inMemory, Binarise.None, 1);
        using var stream = new TrainingData(Compute, streamed, Binarise.None, 1);
        Assert.That(stream.Variance, Is.EqualTo(data.Variance));
        Assert.That(() => new TrainingData(Compute, streamed, Binarise.Static, 1),
            Throws.TypeOf<OptionException>().With.Message.Contains("streamed"));
    }

    private ImageCache Cache() => Small.Cache(whole, Images);
}
