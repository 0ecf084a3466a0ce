using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Models;

namespace VaeFromScratch.Tests.Distributed;

/// <summary>Training in shards: the same bits on any number of ranks, and the mean gradient of the batch.</summary>
public sealed class DataParallelTests
{
    // Two batches of 20 and one of 10, the shards of which have two images or three; of eight shards three have none.
    private const int Images = 50;

    public static IEnumerable<string> Models => WholeModelTests.Models;

    [TestCaseSource(nameof(Models))]
    public void Every_model_trains_and_measures_the_same_bits_on_one_to_four_ranks(string name)
    {
        var configuration = Configuration(name).With(("reproducible", 4));
        var alone = Train(1, configuration);
        Assert.That(alone[0].Values, Has.All.Matches<float>(float.IsFinite));
        Assert.That(alone[0].Values, Is.Not.EqualTo(alone[0].Start), "it has been trained");
        foreach (int size in (int[])[2, 3, 4])
            foreach (var rank in Train(size, configuration))
            {
                Assert.That(rank.Values, Is.EqualTo(alone[0].Values), $"{size} ranks");
                Assert.That(rank.Terms, Is.EqualTo(alone[0].Terms), $"the epoch's means on {size} ranks");
                Assert.That(rank.Measured, Is.EqualTo(alone[0].Measured), $"what is measured on {size} ranks");
            }
    }

    [TestCase("batch_norm", "all")]
    [TestCase("clip_norm", 0.5)]
    [TestCase("binarise", "dynamic")]
    [TestCase("noise", "mog:2")]
    [TestCase("optimiser", "sgd")]
    [TestCase("kl_warm_up_epochs", 2)]
    public void A_setting_trains_the_same_bits_on_one_and_eight_ranks(string key, object value)
    {
        var configuration = Configuration("beta-vae").With(("reproducible", 8), (key, value));
        float[] alone = Train(1, configuration)[0].Values;
        foreach (int size in (int[])[5, 8])
            Assert.That(Train(size, configuration).Select(r => r.Values), Has.All.EqualTo(alone));
        Assert.That(Train(1, Configuration("beta-vae").With(("reproducible", 8)))[0].Values, Is.Not.EqualTo(alone), "the setting counts");
    }

    [Test]
    public void A_streamed_set_trains_the_same_bits([Values("beta-vae", "factor-vae")] string model)
    {
        var whole = Small.Halves(Images + 1);
        using var cache = Small.Cache(whole, Images);
        var configuration = Configuration(model).With(("reproducible", 2));
        float[] alone = Train(1, configuration, cache.Train.Open(mostBytes: 0))[0].Values;
        Assert.That(Train(2, configuration, cache.Train.Open(mostBytes: 0)).Select(r => r.Values), Has.All.EqualTo(alone));
    }

    [Test]
    public void A_classifier_that_is_trained_first_trains_the_same_bits()
    {
        var configuration = Configuration("exon").With(("reproducible", 4), ("pretraining_epochs", 2), ("mixup", true),
            ("classifier", "conv:4"), ("augment", 1));
        float[] alone = Train(1, configuration)[0].Values;
        Assert.That(Train(4, configuration).Select(r => r.Values), Has.All.EqualTo(alone));
    }

    [Test]
    public void A_run_goes_on_with_the_same_bits_on_another_number_of_ranks([Values("beta-vae", "factor-vae")] string model)
    {
        var configuration = Configuration(model).With(("reproducible", 4));
        float[] whole = Train(1, configuration)[0].Values;
        var stopped = ThreadRanks.Run(2, (ranks, compute) =>
        {
            using var run = new Run(compute, configuration, Small.Halves(Images), ranks);
            // Rank 1 alone asks, and both stop behind step 2.
            Assert.That(run.Trainer.TrainEpoch(() => ranks.Rank == 1 && run.Trainer.Step == 1), Is.Null);
            Assert.That(run.Trainer.Step, Is.EqualTo(2));
            return run.Trainer.Save();
        });
        foreach (int size in (int[])[1, 4])
            Assert.That(ThreadRanks.Run(size, (ranks, compute) =>
            {
                using var run = new Run(compute, configuration, Small.Halves(Images), ranks);
                // The others learn the state from rank 0, whatever they begin with.
                if (ranks.Rank == 0)
                    run.Trainer.Restore(stopped[0]);
                run.Trainer.Share();
                while (!run.Trainer.IsFinished)
                    run.Trainer.TrainEpoch();
                return run.Values;
            }), Has.All.EqualTo(whole), $"{size} ranks");
    }

    [Test]
    public void Without_reproducible_each_rank_has_a_shard()
    {
        float[] two = Train(2, Configuration("beta-vae"))[0].Values;
        Assert.That(two, Is.EqualTo(Train(1, Configuration("beta-vae").With(("reproducible", 2)))[0].Values));
        Assert.That(two, Is.Not.EqualTo(Train(4, Configuration("beta-vae"))[0].Values));
    }

    [Test]
    public void Shards_of_unequal_size_add_up_to_the_mean_over_the_batch([Values(2, 4, 8)] int shards, [Values(19, 16, 3)] int images)
    {
        const int width = 3;
        const float state = 10;
        var random = new Random(images);
        float[] x = [.. Enumerable.Range(0, images * width).Select(_ => (float)random.NextDouble())];
        var (gradient, moved, sum, stop) = ThreadRanks.Run(1, (ranks, compute) =>
        {
            Parameter weight = new("weight", new(width), new float[width]), running = new("state", Shape.Scalar, [state], trainable: false);
            using var arena = new ParameterArena(compute, [weight, running]);
            using var parallel = new DataParallel(compute, ranks, shards, [arena], sums: 1);
            using var total = compute.Tape(gradients: false);
            var into = total.Full(new(1), 100);
            parallel.Begin(arena);
            foreach (int shard in parallel.Own)
            {
                var (start, count) = parallel.Part(shard, images);
                if (count == 0)
                    parallel.LeaveOut(arena);
                else
                {
                    parallel.BeginShard();
                    using var tape = compute.Tape();
                    var part = tape.Constant(new(count, width), x.AsSpan(start * width, count * width));
                    Objective objective = new Term("term", (part * weight.Value).SumPerRow());
                    tape.Backward(objective.Seeds((double)count / images));
                    compute.Backend.Unary<AddScalar>(running.Value.Data, running.Value.Data, shard + 1);
                    compute.Backend.Fill(parallel.Sums, count);
                    parallel.EndShard(arena, (double)count / images);
                }
                parallel.Add(asksToStop: shard == shards - 1);
            }
            bool stops = parallel.End(arena, into.Data);
            return (arena.Gradients.AsSpan()[..width].ToArray(), running.Value.Item(), into.Item(), stops);
        })[0];
        // Two images a shard at least, so that three of them are one.
        int parts = Math.Min(shards, images / 2);
        var shares = Enumerable.Range(0, parts).Select(s => (double)((s + 1) * images / parts - s * images / parts) / images).ToArray();
        for (int i = 0; i < width; i++)
            Assert.That(gradient[i], Is.EqualTo(Enumerable.Range(0, images).Average(n => (double)x[n * width + i])).Within(1e-6));
        Assert.That(moved, Is.EqualTo(state + shares.Select((share, s) => share * (s + 1)).Sum()).Within(1e-5), "each changed it from 10");
        Assert.That(sum, Is.EqualTo(100 + images), "sums are added to what is there");
        Assert.That(stop, Is.True);
    }

    [Test]
    public void A_state_that_nothing_changes_keeps_its_bits()
    {
        const float variance = 0.1f;
        var result = ThreadRanks.Run(1, (ranks, compute) =>
        {
            using var run = new Run(compute, Configuration("beta-vae").With(("reproducible", 8), ("noise", "fixed:0.1")),
                Small.Halves(Images), ranks);
            run.Trainer.TrainEpoch();
            return run.Model.Noise.Variance;
        });
        Assert.That(result[0], Is.EqualTo(variance));
    }

    [TestCase(16, 20, "reproducible 16", "batch 10")]
    [TestCase(6, 20, "reproducible 6", "power of two")]
    public void What_cannot_be_cut_is_refused(int shards, int batch, string first, string second)
    {
        var error = Assert.Throws<OptionException>(() =>
            Trainer.Shards(Configuration("beta-vae").With(("reproducible", shards), ("batch", batch)), ranks: 1, count: 10))!;
        Assert.That(error.Message, Does.Contain(first).Or.Contain(second));
    }

    [Test]
    public void Labelled_images_are_cut_into_equal_shards() => ThreadRanks.Run(1, (ranks, compute) =>
    {
        var configuration = Configuration("exon").With(("reproducible", 4), ("labelled_batch", 6));
        var data = Small.Halves(Images);
        using var training = new TrainingData(compute, data, Binarise.None, 1);
        using var model = Small.Create(compute, configuration, data);
        var error = Assert.Throws<OptionException>(() => new Trainer(model, training, configuration, ranks).Dispose())!;
        Assert.That(error.Message, Does.Contain("labelled_batch 6").And.Contain("multiple of 4"));
        return true;
    });

    private static RunConfiguration Configuration(string name) =>
        Small.Configuration(name.Split(' ')[0], name.EndsWith("joint") ? "joint" : name.EndsWith("gaussian") ? "gaussian" : "")
            .With(("network", "mlp:8"), ("latents", 2))
            .WithOwn(("reading", name.EndsWith("marginal") ? "marginal" : "mmd"),
                ("classifier", name.EndsWith("conv") ? "conv:4" : "shared"),
                ("mi_factors", "1"), ("q_network", "4"), ("discriminator", "8"), ("labelled_batch", 8), ("categories", 2));

    private static (float[] Start, float[] Values, double[] Terms, double[] Measured)[] Train(int size, RunConfiguration configuration,
        ImageDataset? data = null) =>
        ThreadRanks.Run(size, (ranks, compute) =>
        {
            using var run = new Run(compute, configuration, data ?? Small.Halves(Images), ranks);
            float[] start = run.Values;
            double[] terms = [];
            while (!run.Trainer.IsFinished)
                terms = [.. terms, .. run.Trainer.TrainEpoch()!.Terms.Select(t => t.Value)];
            return (start, run.Values, terms, run.Measure());
        });

    /// <summary>A model in training on one rank.</summary>
    private sealed class Run : IDisposable
    {
        // Three batches of the evaluation, the last of which is smaller; of four ranks one has none.
        private const int Measured = 1100;

        private readonly TrainingData training;
        private readonly RunConfiguration configuration;
        private readonly ICollective ranks;

        public Run(Compute compute, RunConfiguration configuration, ImageDataset data, ICollective ranks)
        {
            (this.configuration, this.ranks) = (configuration, ranks);
            training = new(compute, data, configuration.Data.Binarise, configuration.Training.Seed);
            Model = Small.Create(compute, configuration, data);
            Trainer = new(Model, training, configuration, ranks);
        }

        public VaeModel Model { get; }

        public Trainer Trainer { get; }

        /// <summary>Every number that a checkpoint has: weights, state, moments.</summary>
        public float[] Values => [.. Trainer.Save().Arrays.SelectMany(a => a.Values)];

        /// <summary>What is measured of other images, shared among the ranks.</summary>
        public double[] Measure()
        {
            using var evaluator = new Evaluator(Model, Small.Halves(Measured), configuration) { Ranks = ranks };
            var (likelihoods, e) = (evaluator.Likelihoods(), evaluator.Encode());
            return [likelihoods.Nll, likelihoods.Kl, likelihoods.SquaredError, likelihoods.ClassificationError ?? 0,
                .. likelihoods.Terms.Select(t => t.Value), .. Array.ConvertAll(e.Mu.ToArray(), v => (double)v),
                .. Array.ConvertAll(e.LogVar.ToArray(), v => (double)v), .. Array.ConvertAll(e.Probabilities.ToArray(), v => (double)v)];
        }

        public void Dispose()
        {
            Trainer.Dispose();
            Model.Dispose();
            training.Dispose();
        }
    }
}
