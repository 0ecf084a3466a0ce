using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Checkpoints carry a checksum for each tensor.</summary>
public sealed class CheckpointTests : OnCpu
{
    [Test]
    public void A_flipped_bit_is_seen_and_named()
    {
        var directory = Trained();
        byte[] bytes = File.ReadAllBytes(directory.CheckpointFile);
        int data = 8 + (int)BitConverter.ToInt64(bytes);
        for (int at = data; at < bytes.Length; at += 1 + (bytes.Length - data) / 40)
        {
            byte[] flipped = [.. bytes];
            flipped[at] ^= 1;
            File.WriteAllBytes(directory.CheckpointFile, flipped);
            Assert.That(directory.LoadCheckpoint, Throws.TypeOf<DataException>().With.Message.Match(
                @"checkpoint\.safetensors: (vae\.\S+|device_sums) is not as it was written \(its checksum differs\)")
                .And.Message.Not.Contains("fetch"), $"byte {at}");
        }
        File.WriteAllBytes(directory.CheckpointFile, bytes);
        Assert.That(directory.LoadCheckpoint, Throws.Nothing);
    }

    [Test]
    public void A_checkpoint_of_an_earlier_version_opens_without_checksums()
    {
        var directory = Trained();
        var file = Safetensors.Read(directory.CheckpointFile);
        var metadata = file.Metadata.Where(m => m.Key != "checksums").ToDictionary();
        Assert.That(metadata, Has.Count.EqualTo(file.Metadata.Count - 1));
        Safetensors.Write(directory.CheckpointFile, [.. file.Arrays.Select(a => (a.Key, a.Value))], metadata);
        Assert.That(directory.LoadCheckpoint().State.Epoch, Is.EqualTo(2));
    }

    private RunDirectory Trained()
    {
        var directory = RunDirectory.CreateOrReuse(TestFiles.Folder("checkpoint"));
        using var run = new TrainingRun(Compute, Small.Configuration(),
            new DatasetSplits(Small.Halves(40), Small.Halves(20, split: "test")), directory);
        run.Train();
        return directory;
    }
}
