using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Models.Classification;

/// <summary>
/// One row of paper 1's table 3: shares of sequences told apart from the factors of <paramref name="Kept"/> alone, means over the
/// classifiers trained.
/// </summary>
/// <param name="TestDeviation">Standard deviation of the test accuracy over the classifiers; 0 for one.</param>
internal sealed record ClassificationRow(ReducedReconstruction Kept, double TrainAccuracy, double TestAccuracy, double TestDeviation);

/// <summary>How well classes are told apart from the most informative factors alone.</summary>
/// <param name="TrainSequences">Trials or images that every classifier was trained on.</param>
/// <param name="TestSequences">Those that the test accuracy is of.</param>
/// <param name="Repeats">Classifiers a row, which differ in their initial weights and the order of their batches.</param>
/// <param name="MostFrequent">Share of the most frequent class among the test sequences: what knowing nothing can reach.</param>
internal sealed record ClassificationTable(IReadOnlyList<ClassificationRow> Rows, int TrainSequences, int TestSequences, int Repeats,
    double MostFrequent)
{
    /// <summary>H(Y) of the test sequences' classes, nats.</summary>
    public required double LabelEntropy { get; init; }

    /// <summary>The first classifier of the row that keeps most factors, as a safetensors file.</summary>
    private byte[] Classifier { get; init; } = [];

    /// <summary>
    /// Ranks the factors by (I2) on the training encodings and trains the classifiers of each row, the rows from the same initial weights.
    /// </summary>
    /// <param name="percents">How many factors to keep, in percent; the others are set to 0.</param>
    /// <param name="repeats">Classifiers a row, of which the accuracies are averaged.</param>
    /// <exception cref="OptionException">The images have no labels.</exception>
    public static ClassificationTable Compute(VaeModel model, DatasetSplits data, RunConfiguration configuration,
        ClassifierSettings settings, IReadOnlyList<double> percents, int repeats = 1)
    {
        var trainEncodings = Encode(model, data.Train, configuration);
        var indicators = Indicators.Compute(model.Compute.Backend, trainEncodings);
        var train = FactorSequences.From(trainEncodings, data.Train);
        var test = FactorSequences.From(Encode(model, data.Test, configuration), data.Test);
        using var classifier = new MemoryStream();
        var rows = percents.Select(p => Row(model.Compute, train, test, data.Train.Classes, ReducedReconstruction.Keep(indicators, p),
            settings, configuration.Training.Seed, repeats, p == percents.Max() ? classifier : null)).ToList();
        double[] shares = [.. test.Classes.CountBy(c => c).Select(c => c.Value / (double)test.Count)];
        return new(rows, train.Count, test.Count, repeats, shares.Max())
        {
            LabelEntropy = -shares.Sum(p => p * Math.Log(p)),
            Classifier = classifier.ToArray(),
        };
    }

    /// <summary>Writes the first classifier of the row that keeps most factors, which <see cref="FactorClassifier.Load"/> reads.</summary>
    public void SaveClassifier(string path) => AtomicFile.Write(path, stream => stream.Write(Classifier));

    /// <summary>Writes classification.csv.</summary>
    public void SaveCsv(string path) =>
        Csv.Save(path, ["top_percent", "factors", "mi_nats", "train_accuracy", "test_accuracy", "test_accuracy_deviation"],
        Rows.Select(r =>
            (object?[])[r.Kept.Percent, r.Kept.Factors.Count, r.Kept.Information, r.TrainAccuracy, r.TestAccuracy, r.TestDeviation]));

    public JsonObject ToJson() => new()
    {
        ["train_sequences"] = TrainSequences,
        ["test_sequences"] = TestSequences,
        ["repeats"] = Repeats,
        ["most_frequent_class"] = MostFrequent,
        ["rows"] = new JsonArray([.. Rows.Select(r => new JsonObject
        {
            ["top_percent"] = r.Kept.Percent,
            ["factors"] = r.Kept.Factors.Count,
            ["mi_nats"] = r.Kept.Information,
            ["train_accuracy"] = r.TrainAccuracy,
            ["test_accuracy"] = r.TestAccuracy,
            ["test_accuracy_deviation"] = r.TestDeviation,
        })]),
    };

    private static ClassificationRow Row(Compute compute, FactorSequences train, FactorSequences test, int classes,
        ReducedReconstruction kept, ClassifierSettings settings, ulong seed, int repeats, Stream? first)
    {
        float[] mask = kept.Mask(train.Factors);
        var (maskedTrain, maskedTest) = (train.Masked(mask), test.Masked(mask));
        double[] onTrain = new double[repeats], onTest = new double[repeats];
        for (int i = 0; i < repeats; i++)
        {
            using var classifier = new FactorClassifier(compute, train.Steps, train.Factors, classes, settings, seed + (ulong)i);
            classifier.Train(maskedTrain);
            if (i == 0 && first is not null)
                classifier.Save(first, mask);
            (onTrain[i], onTest[i]) = (classifier.Accuracy(maskedTrain), classifier.Accuracy(maskedTest));
        }
        double mean = onTest.Average(), squares = onTest.Sum(a => (a - mean) * (a - mean));
        return new(kept, onTrain.Average(), mean, repeats > 1 ? Math.Sqrt(squares / (repeats - 1)) : 0);
    }

    private static Encodings Encode(VaeModel model, ImageDataset dataset, RunConfiguration configuration)
    {
        using var evaluator = new Evaluator(model, dataset, configuration);
        return evaluator.Encode();
    }
}
