using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Of several starts of the category's stage, the one with the lowest own loss is trained on.</summary>
public sealed class CategoryStartsTests : OnCpu
{
    private const int Starts = 4;

    private static readonly DatasetSplits Data = new(Small.Halves(60), Small.Halves(30, split: "test", seed: 5));

    private static RunConfiguration Configuration(ulong seed, int starts = 1, int epochs = 3) => Small.Configuration("imae").With(
        ("epochs", epochs), ("categories", 2), ("category_epochs", 2), ("category_starts", starts), ("seed", seed));

    [Test]
    public void The_start_whose_own_loss_ends_lowest_is_trained_on()
    {
        var chosen = new List<int>();
        for (ulong seed = 1; seed <= 4; seed++)
        {
            double[] losses = [.. Enumerable.Range(0, Starts).Select(start => LossOfStage(seed, start))];
            Assert.That(losses, Is.Unique, "the starts differ");
            chosen.Add(Array.IndexOf(losses, losses.Min()));
            Assert.That(Train(Configuration(seed, Starts)).Losses[1], Is.EqualTo(losses.Min()), $"seed {seed}");
        }
        Assert.That(chosen.Distinct().Count(), Is.GreaterThan(1), "it is not always the first, or the last");
    }

    [Test]
    public void One_start_is_a_run_without_the_setting()
    {
        var plain = Small.Configuration("imae").With(("epochs", 3), ("categories", 2), ("category_epochs", 2));
        Assert.That(plain.Value("category_starts"), Is.EqualTo(1));
        double loss = LossOfStage(1, 0);
        Assert.That(Train(plain).Losses[1], Is.EqualTo(loss));
    }

    [Test]
    public void A_run_that_is_stopped_among_its_starts_begins_them_again()
    {
        var (whole, _) = Train(Configuration(2, Starts));
        string folder = TestFiles.Folder("starts");
        int asked = 0;
        using (var first = TrainingRun.Open(Compute, Configuration(2, Starts), Data, folder))
            Assert.That(first.Train(() => ++asked == 8), Is.False, "in the second start");
        using (var again = TrainingRun.Open(Compute, Configuration(2, Starts), Data, folder))
            Assert.That(again.Train(), Is.True);
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), Is.EqualTo(whole));
    }

    [TestCase("imae")]
    [TestCase("vmi-vae")]
    public void Starts_of_a_stage_that_there_is_not_are_refused(string model) => Assert.That(
        () => Small.Configuration(model).With(("category_epochs", 0), ("category_starts", 2)).Validate(),
        Throws.TypeOf<OptionException>().With.Message.Contains("--category-starts 2").And.Message.Contains("category_epochs is 0"));

    /// <summary>The mean loss of the stage's last epoch, all of it the category's, of a run that begins with a start's weights.</summary>
    private double LossOfStage(ulong seed, int start)
    {
        var configuration = Configuration(seed);
        using var data = new TrainingData(Compute, Data.Train, configuration.Data.Binarise, seed);
        using var model = configuration.CreateModel(Compute, new(8, 8, 1), data.Variance, Data.Train.Count,
            CategoryStarts.Of(seed, start));
        using var trainer = new Trainer(model, data, configuration);
        trainer.TrainEpoch();
        return trainer.TrainEpoch()!.Terms[0].Value;
    }

    private (byte[] Model, double[] Losses) Train(RunConfiguration configuration)
    {
        string folder = TestFiles.Folder("starts");
        var losses = new List<double>();
        using (var run = TrainingRun.Open(Compute, configuration, Data, folder))
            run.Train(epochDone: (epoch, _) => losses.Add(epoch.Terms[0].Value));
        return (File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), [.. losses]);
    }
}
