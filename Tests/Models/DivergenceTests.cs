using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Runs that leave the finite numbers are stopped and keep what was finite; others are let alone.</summary>
public sealed class DivergenceTests : OnCpu
{
    private const int Images = 105, Batch = 20;

    // Of the models that gradients of any size move, each with its second network where it has one.
    private static readonly string[] Models =
        ["vae", "beta-vae", "capacity-vae", "info-vae", "factor-vae", "beta-tcvae", "dip-vae-i", "wae-gan", "iwae", "exon"];

    [TestCaseSource(nameof(Models))]
    public void A_diverging_run_stops_at_the_next_report_and_goes_on_from_its_last_finite_checkpoint(string model)
    {
        var data = Splits(Small.Halves(Images));
        var configuration = Small.Configuration(model).WithOwn(("batch", Batch), ("epochs", 6), ("learning_rate", 1000),
            ("category_epochs", 0));
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("diverged"));
        string message = Diverges(configuration, data, directory);
        Assert.That(message, Does.Contain("--lr (now 1000)").And.Contain(directory.CheckpointFile).And.Not.Contain("\n"));
        Assert.That(File.Exists(directory.ModelFile), Is.False);
        AssertFinite(directory.LoadCheckpoint().State);

        using var run = new TrainingRun(Compute, configuration.With(("learning_rate", 1e-3)), data, directory);
        run.Resume();
        Assert.That(run.Train(() => false, _ => { }, (train, test) =>
            Assert.That(train.Terms.Concat(test.Terms).All(t => double.IsFinite(t.Value)))));
    }

    [Test]
    public void A_diverging_run_on_streamed_images_stops_as_well()
    {
        var whole = Small.Halves(Images + 20);
        string path = Path.Combine(TestFiles.Folder("streamed"), "halves.images");
        var header = new ImageCacheHeader("halves", "source", 8, 8, 1, Train: Images, Validation: 0, Test: 20, [], []);
        ImageCache.Write(path, header, stream => stream.Write(whole.Pixels), ReadOnlyMemory<byte>.Empty);
        using var cache = ImageCache.Open(path);
        var data = Splits(cache.Train.Open(mostBytes: 0));
        Assert.That(data.Train.Stored, Is.Not.Null);
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("diverged"));
        Assert.That(Diverges(Small.Configuration().With(("epochs", 6), ("learning_rate", 1000)), data, directory), Does.Contain("nll"));
    }

    [Test]
    public void The_steps_that_are_named_are_those_since_the_last_report()
    {
        // 60 steps an epoch, reports after 25 and 50 of them; the weights leave all bounds after step 30.
        var data = Small.Halves(60);
        var configuration = Small.Configuration().With(("batch", 1), ("epochs", 2));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        long reported = 0;
        Assert.That(() => trainer.TrainEpoch(Spoil, p => reported = p.Step),
            Throws.TypeOf<DivergenceException>().With.Message.Match(@"nll.* NaN between steps 26 and 50 \(epoch 1\)"));
        Assert.That(reported, Is.EqualTo(25), "nothing was reported of the steps that were not finite");
        Assert.That(trainer.Save, Throws.TypeOf<DivergenceException>());

        bool Spoil()
        {
            if (trainer.Step == 30)
                Compute.Backend.Fill(model.Arena.Values, float.NaN);
            return false;
        }
    }

    [Test]
    public void A_checkpoint_between_two_reports_is_refused_when_a_step_since_the_first_was_not_finite()
    {
        var data = Small.Halves(60);
        var configuration = Small.Configuration().With(("batch", 1));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        trainer.TrainEpoch(() => trainer.Step == 26);
        var values = model.Arena.Parameters.Select(p => p.ToDisk()).ToArray();
        Compute.Backend.Fill(model.Arena.Values, float.NaN);
        trainer.TrainEpoch(() => true);
        foreach (var (parameter, before) in model.Arena.Parameters.Zip(values))
            parameter.FromDisk(before);
        Assert.That(trainer.Save, Throws.TypeOf<DivergenceException>().With.Message.Contains("between steps 26 and 27"));
    }

    [Test]
    public void Parameters_that_leave_the_finite_numbers_in_the_last_step_are_not_saved()
    {
        var data = Splits(Small.Halves(10));
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("diverged"));
        // One step an epoch. Its terms and gradients are finite, and it takes a weight past the largest number.
        string message = Diverges(Small.Configuration().With(("optimiser", "sgd"), ("learning_rate", 1e38), ("batch", 10)), data,
            directory);
        Assert.That(message, Does.Match(@"(encoder|decoder)\.\S+ is (NaN|infinite) after step 1;"));
        AssertFinite(directory.LoadCheckpoint().State);
    }

    [Test]
    public void Pre_training_that_diverges_is_said_before_the_first_step()
    {
        var data = Small.Halves(Images);
        var configuration = Small.Configuration("exon").With(("pretraining_epochs", 3), ("pretraining_learning_rate", 1e38));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        Assert.That(() => trainer.TrainEpoch(),
            Throws.TypeOf<DivergenceException>().With.Message.Match(
                @"\S+ is \w+ after pre-training; try .*--pretraining-learning-rate \(now 1E\+38\)"));
        Assert.That(trainer.Step, Is.Zero);
    }

    [Test]
    public void A_gradient_that_is_not_finite_is_seen_where_all_terms_are()
    {
        var data = Small.Halves(10);
        var configuration = Small.Configuration("vae").With(("batch", 10));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        var init = new Initialise(3);
        var (mu, logVar) = (new Linear("mu", 64, 2, init), new Linear("logvar", 64, 2, init));
        var encoder = new GaussianEncoder(new Function(t => t.Reshape(-1, 64)), 64, mu, logVar);
        var decoder = new Sequential(new Linear("out", 2, 64, init), new Function(t => t.Reshape(-1, 8, 8, 1)));
        using var model = new RootVae(new(Compute, new(8, 8, 1), 2, encoder, decoder, new FixedNoise(0.1), new Rng(Compute, 1)));
        using var trainer = new Trainer(model, training, configuration);
        Assert.That(() => trainer.TrainEpoch(),
            Throws.TypeOf<DivergenceException>().With.Message.Contains("diverged: the squared gradient norm of vae is NaN in step 1 "));
    }

    [Test]
    public void The_norm_is_of_all_gradients_and_moves_nothing()
    {
        var (first, second) = (Values(3, seed: 1), Values(5000, seed: 2));
        Assert.That(Steps(watched: true), Is.EqualTo(Steps(watched: false)));

        float[] Steps(bool watched)
        {
            var (a, b) = (new Parameter("a", new(3), Values(3)), new Parameter("b", new(5000), Values(5000)));
            using var arena = new ParameterArena(Compute, [a, b]);
            using var adam = new Adam(Compute, arena);
            var norm = Compute.Pool.Rent<float>(1);
            Compute.Backend.Fill(norm, 0);
            for (int t = 1; t <= 2; t++)
            {
                using var tape = Compute.Tape();
                var objective = (a.Value * tape.Constant(new(3), first)).Sum() + (b.Value * tape.Constant(new(5000), second)).Sum();
                tape.Backward(new Seed(objective, 1));
                adam.BeginStep(t, 0.1);
                adam.Update(watched ? norm : default);
            }
            var sum = new float[1];
            Compute.Backend.Download(norm, sum);
            Compute.Pool.Return(norm);
            double expected = first.Concat(second).Sum(g => (double)g * g);
            Assert.That(sum[0], watched ? Is.EqualTo(2 * expected).Within(1e-6 * expected) : Is.Zero);
            return [.. a.ToDisk(), .. b.ToDisk()];
        }
    }

    [Test]
    public void A_run_that_only_oscillates_is_not_stopped()
    {
        var data = Splits(Small.Halves(Images));
        var losses = new List<double>();
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("oscillates"));
        using var run = new TrainingRun(Compute, Small.Configuration().With(("epochs", 60), ("learning_rate", 0.2)), data, directory);
        Assert.That(run.Train(() => false, _ => { }, (train, _) => losses.Add(train.Terms[0].Value)));
        Assert.That(losses.Zip(losses.Skip(1)).Count(l => l.Second > l.First + 1), Is.GreaterThan(5), "the loss goes up and down");
    }

    [TestCase("constant")]
    [TestCase("0..300")]
    [TestCase("beta 0")]
    public void What_strains_the_numbers_trains_or_with_pixels_beyond_1_stops_with_a_finite_checkpoint(string strain)
    {
        var halves = Small.Halves(Images);
        var (train, beta) = strain switch
        {
            "constant" => (halves with { Pixels = [.. Enumerable.Repeat((byte)77, halves.Pixels.Length)] }, 1.0),
            "0..300" => (halves with { PixelScale = 300f / 255 }, 1.0),
            _ => (halves, 0.0),
        };
        foreach (string noise in (string[])["learned", "fixed:0.01", "network", "bernoulli"])
        {
            var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("strained"));
            var configuration = Small.Configuration().With(("epochs", 30), ("noise", noise), ("beta", beta));
            using var run = new TrainingRun(Compute, configuration, Splits(train), directory);
            try
            {
                run.Train(() => false, _ => { }, (summary, _) => Assert.That(summary.Terms.All(t => double.IsFinite(t.Value))));
                Assert.That(File.Exists(directory.ModelFile));
            }
            catch (DivergenceException e) when (strain == "0..300")
            {
                Assert.That(e.Message, Does.Contain("training diverged: ").And.Contain("; try "));
            }
            AssertFinite(directory.LoadCheckpoint().State);
        }
    }

    [Test]
    public void A_checkpoint_that_is_not_finite_says_so_when_it_is_read()
    {
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("diverged"));
        using var run = new TrainingRun(Compute, Small.Configuration(), Splits(Small.Halves(Images)), directory);
        run.Train(() => true, _ => { }, (_, _) => { });
        var file = Safetensors.Read(directory.CheckpointFile);
        var arrays = file.Arrays.Select(array => (array.Key, array.Value)).ToArray();
        arrays[^1].Value.Data[^1] = float.NaN;
        // As an earlier version wrote it: without checksums.
        Safetensors.Write(directory.CheckpointFile, arrays, file.Metadata.Where(m => m.Key != "checksums").ToDictionary());
        Assert.That(directory.LoadCheckpoint,
            Throws.TypeOf<DataException>().With.Message.Match(@"checkpoint\.safetensors: vae\.\S+ holds NaN at element \d+, .*lower --lr"));
    }

    private static DatasetSplits Splits(ImageDataset train) => new(train, Small.Halves(20, split: "test"));

    /// <summary>The message of a run that has to diverge, and within one report of its first step that is not finite.</summary>
    private string Diverges(RunConfiguration configuration, DatasetSplits data, RunDirectory directory)
    {
        using var run = new TrainingRun(Compute, configuration, data, directory);
        var error = Assert.Throws<DivergenceException>(() => run.Train(() => false,
            p => Assert.That(p.Terms.All(t => double.IsFinite(t.Value)), "a report of terms that are not finite"), (train, test) => { }));
        return error!.Message;
    }

    private static void AssertFinite(TrainingState state)
    {
        foreach (var (name, values) in state.Arrays)
            Assert.That(values.All(float.IsFinite), name);
        Assert.That(state.DeviceSums.All(float.IsFinite) && state.EpochSums.All(double.IsFinite));
    }

    /// <summary>Its second term is 0 whatever the code, and has the gradient 0 / 0.</summary>
    private sealed class RootVae(VaeParts parts) : VaeModel(parts)
    {
        public override Objective Objective(Tensor x)
        {
            var sample = Encode(x).Sample(Rng);
            return Reconstruction(x, Decode(sample.Z)) + new Term("root", (0 * sample.Z).Sqrt().SumPerRow());
        }
    }
}
