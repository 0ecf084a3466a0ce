using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

public sealed class ClassificationTests : OnCpu
{
    /// <summary>
    /// A few seconds of made-up EEG through the VAE and the LSTM; its truth is that valence and arousal set the strength of four sources.
    /// </summary>
    [Test]
    public void Emotions_are_told_apart_from_all_factors_by_a_few_of_them_less_well_and_from_none_by_chance()
    {
        var recordings = Enumerable.Range(1, 10).Select(participant => SyntheticEeg.Record(participant, seed: 1, trials: 40, seconds: 6));
        var data = EegDataset.From(recordings, "synthetic-eeg", new() { TrainShare = 0.6 }).ToSplits();
        var configuration = Small.Configuration().With(("network", "mlp:64"), ("latents", 16), ("batch", 50), ("epochs", 10),
            ("kl_warm_up_epochs", 2), ("learning_rate", 2e-3));
        using var model = Train(data, configuration);
        var settings = ClassifierSettings.Sequence with { Hidden = 32, Epochs = 25 };
        var table = ClassificationTable.Compute(model, data, configuration, settings, [100, 12.5, 0]);
        Assert.That((table.TrainSequences, table.TestSequences), Is.EqualTo((240, 80)));
        double all = table.Rows[0].TestAccuracy, some = table.Rows[1].TestAccuracy, none = table.Rows[2].TestAccuracy;
        Assert.That(all, Is.GreaterThanOrEqualTo(0.8), $"{some:F3} with two factors, {none:F3} with none");
        Assert.That(some, Is.LessThan(all).And.GreaterThan(none));
        Assert.That(none, Is.InRange(0.1, 0.4), "four classes: about a quarter");
    }

    [Test]
    public void Halves_are_told_apart_by_a_linear_classifier_the_same_every_time()
    {
        var data = new DatasetSplits(Small.Halves(200), Small.Halves(80, split: "test", seed: 4));
        var configuration = Small.Configuration().With(("epochs", 10));
        using var model = Train(data, configuration);
        var table = ClassificationTable.Compute(model, data, configuration, ClassifierSettings.Linear, [100, 0]);
        Assert.That(table.Rows[0].TestAccuracy, Is.EqualTo(1));
        Assert.That(table.Rows[1].TestAccuracy, Is.EqualTo(table.MostFrequent).Or.EqualTo(1 - table.MostFrequent),
            "without factors, one class for all");
        Assert.That(table.Rows[1].Kept.Information, Is.Zero);
        string folder = TestFiles.Folder("classify"), file = Path.Combine(folder, "classification.csv");
        table.SaveCsv(file);
        string[] lines = File.ReadAllLines(file);
        Assert.That(lines[0], Is.EqualTo("top_percent,factors,mi_nats,train_accuracy,test_accuracy,test_accuracy_deviation"));
        Assert.That(lines[1], Does.StartWith("100,4,").And.EndsWith(",1,1,0"));
        ClassificationTable.Compute(model, data, configuration, ClassifierSettings.Linear, [100, 0]).SaveCsv(file);
        Assert.That(File.ReadAllLines(file), Is.EqualTo(lines));
    }

    [Test]
    public void Accuracies_are_means_over_classifiers_from_other_weights()
    {
        var data = new DatasetSplits(Small.Halves(40), Small.Halves(30, split: "test", seed: 4));
        var configuration = Small.Configuration().With(("epochs", 1));
        using var model = Train(data, configuration);
        var settings = ClassifierSettings.Linear with { Epochs = 1 };
        double[] each = [.. Enumerable.Range(0, 3).Select(i =>
            ClassificationTable.Compute(model, data, configuration.With(("seed", configuration.Training.Seed + (ulong)i)), settings,
            [100]).Rows[0].TestAccuracy)];
        var table = ClassificationTable.Compute(model, data, configuration, settings, [100], repeats: 3);
        double mean = each.Average();
        Assert.That(table.Rows[0].TestAccuracy, Is.EqualTo(mean).Within(1e-12));
        Assert.That(table.Rows[0].TestDeviation, Is.EqualTo(Math.Sqrt(each.Sum(a => (a - mean) * (a - mean)) / 2)).Within(1e-12));
    }

    [Test]
    public void Images_without_labels_cannot_be_classified()
    {
        var unlabelled = Small.Halves(20) with { Labels = null };
        var configuration = Small.Configuration();
        using var model = Small.Create(Compute, configuration, unlabelled);
        Assert.That(() => ClassificationTable.Compute(model, new(unlabelled, unlabelled), configuration, ClassifierSettings.Linear, [100]),
            Throws.TypeOf<OptionException>().With.Message.Contains("no labels"));
    }

    private VaeModel Train(DatasetSplits data, RunConfiguration configuration)
    {
        using var training = new TrainingData(Compute, data.Train, Binarise.None, configuration.Training.Seed);
        var model = Small.Create(Compute, configuration, data.Train, training.Variance);
        using var trainer = new Trainer(model, training, configuration);
        while (!trainer.IsFinished)
            trainer.TrainEpoch();
        return model;
    }
}
