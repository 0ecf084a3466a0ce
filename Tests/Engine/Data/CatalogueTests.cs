using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

public sealed class CatalogueTests
{
    [TestCaseSource(typeof(DatasetCatalogue), nameof(DatasetCatalogue.Names))]
    public void Every_set_is_described_in_full(string name)
    {
        var set = DatasetCatalogue.Find(name);
        Assert.That(set.Name, Does.Match("^[a-z0-9-]+$"));
        foreach (string text in (string[])[set.Description, set.Licence, set.Source])
            Assert.That(text, Is.Not.Empty.And.Not.EndsWith(".").And.Not.Contain("://"));
        string empty = TestFiles.Folder("empty");
        bool made = set.Name.StartsWith("synthetic-", StringComparison.Ordinal);
        Assert.That(DatasetCatalogue.IsPresent(name, empty), Is.EqualTo(made), "present in an empty folder");
        if (!made && set.Name != "folder")
            Assert.That(set.Bytes, Is.GreaterThan(0), "size");
        if (!made)
            HostileBytes.AssertOneSentence(Assert.Throws<DataException>(() => set.Load(empty))!.Message);
    }

    [Test]
    public void Names_are_unique() => Assert.That(DatasetCatalogue.All.Select(set => set.Name), Is.Unique);

    [Test]
    public void A_recording_in_the_data_folder_is_loaded_as_images()
    {
        string dataDir = TestFiles.Folder("deap");
        Directory.CreateDirectory(Path.Combine(dataDir, "deap"));
        var recording = SyntheticEeg.Record(1, seed: 1, trials: 10, seconds: 3);
        File.WriteAllBytes(Path.Combine(dataDir, "deap", "s01.dat"), PickleReaderTestsFile(recording));
        Assert.That(DatasetCatalogue.Find("deap").IsPresent(dataDir));
        var (train, test) = DatasetCatalogue.Load("deap", dataDir);
        Assert.That((train.Count, test.Count, train.Channels, train.Classes, train.SequenceLength), Is.EqualTo((24, 3, 3, 4, 3)));
    }

    private static byte[] PickleReaderTestsFile(EegRecording recording)
    {
        double[] data = new double[recording.Trials * 40 * recording.Samples];
        for (int trial = 0; trial < recording.Trials; trial++)
            for (int i = 0; i < 32 * recording.Samples; i++)
                data[trial * 40 * recording.Samples + i] = recording.Signals[trial * 32 * recording.Samples + i];
        return Eeg.PickleReaderTests.Write(("labels", [recording.Trials, 4], Array.ConvertAll(recording.Ratings, r => (double)r)),
            ("data", [recording.Trials, 40, recording.Samples], data));
    }
}
