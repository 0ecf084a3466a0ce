using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Gradients whose norm, of all together, is above a limit are scaled down to it.</summary>
public sealed class ClipNormTests : OnCpu
{
    [TestCase(0.5)]
    [TestCase(1e-6)]
    [TestCase(1e6)]
    public void A_step_of_sgd_is_the_gradient_scaled_to_the_limit(double limit)
    {
        const double Rate = 0.5;
        float[] first = Values(3, seed: 1), second = Values(5000, seed: 2), start = Values(5003, seed: 3);
        var (a, b) = (new Parameter("a", new(3), start[..3]), new Parameter("b", new(5000), start[3..]));
        using var arena = new ParameterArena(Compute, [a, b]);
        using var sgd = new Sgd(Compute, arena, momentum: 0) { ClipNorm = limit };
        var norm = Compute.Pool.Rent<float>(1);
        Compute.Backend.Fill(norm, 0);
        Backward();
        sgd.BeginStep(1, Rate);
        sgd.Update(norm);

        double[] gradient = [.. first, .. second];
        double length = Math.Sqrt(gradient.Sum(g => g * g)), scale = Math.Min(1, limit / length);
        float[] moved = [.. a.Value.ToArray(), .. b.Value.ToArray()];
        for (int i = 0; i < moved.Length; i++)
            Assert.That(moved[i], Is.EqualTo(start[i] - Rate * scale * gradient[i]).Within(1e-6 * (Math.Abs(start[i]) + Rate * scale)),
                $"parameter {i}");
        float[] sum = new float[1];
        Compute.Backend.Download(norm, sum);
        Compute.Pool.Return(norm);
        Assert.That(Math.Sqrt(sum[0]), Is.EqualTo(scale * length).Within(1e-5 * scale * length),
            "the norm that is watched is of what moves the parameters");

        void Backward()
        {
            using var tape = Compute.Tape();
            tape.Backward(new Seed((a.Value * tape.Constant(new(3), first)).Sum() + (b.Value * tape.Constant(new(5000), second)).Sum(), 1));
        }
    }

    [Test]
    public void A_limit_that_is_never_reached_moves_the_same_bits([Values("adam", "rmsprop", "sgd")] string optimiser)
    {
        var configuration = Small.Configuration().With(("optimiser", optimiser), ("learning_rate", 1e-3));
        Assert.That(Trained(configuration.With(("clip_norm", 1e9))), Is.EqualTo(Trained(configuration)));
        Assert.That(Trained(configuration.With(("clip_norm", 1e-3))), Is.Not.EqualTo(Trained(configuration)),
            "and one that is reached does not");
    }

    [TestCase(-1.0)]
    [TestCase(double.NaN)]
    public void A_limit_is_a_number_from_0(double limit) =>
        Assert.That(() => Small.Configuration().With(("clip_norm", limit)).Validate(),
            Throws.TypeOf<OptionException>().With.Message.Contains("--clip-norm"));

    [Test]
    public void A_run_that_a_rate_of_100_blew_up_goes_on_with_clipped_gradients()
    {
        var data = new DatasetSplits(Small.Halves(105), Small.Halves(20, split: "test"));
        var configuration = Small.Configuration().With(("optimiser", "sgd"), ("learning_rate", 100), ("epochs", 6));
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("clipped"));
        using (var run = new TrainingRun(Compute, configuration, data, directory))
            Assert.That(() => run.Train(), Throws.TypeOf<DivergenceException>().With.Message.Contains("--clip-norm"));

        using var clipped = new TrainingRun(Compute, configuration.With(("clip_norm", 1e-5)), data, directory);
        clipped.Resume();
        Assert.That(clipped.Train(epochDone: (train, test) =>
            Assert.That(train.Terms.Concat(test.Terms).All(t => double.IsFinite(t.Value)))));
    }

    [Test]
    public void Adam_at_a_rate_of_100_is_stopped_and_told_of_clipping()
    {
        var data = new DatasetSplits(Small.Halves(105), Small.Halves(20, split: "test"));
        using var run = new TrainingRun(Compute, Small.Configuration().With(("learning_rate", 100), ("epochs", 20)), data,
            RunDirectory.CreateOrReuse(TestFiles.Folder("clipped")));
        Assert.That(() => run.Train(), Throws.TypeOf<DivergenceException>().With.Message.Match(@"--lr \(now 100\) or --clip-norm 1"));
    }

    private float[] Trained(RunConfiguration configuration)
    {
        var data = Small.Halves(60);
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        trainer.TrainEpoch();
        return [.. model.Parameters.SelectMany(p => p.ToDisk())];
    }
}
