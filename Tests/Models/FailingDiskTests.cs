using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>
/// Every single operation on files that a short training makes is let fail, in every way that disks fail: nothing is half-written, and the
/// run goes on.
/// </summary>
public sealed class FailingDiskTests : OnCpu
{
    private static readonly DatasetSplits Data = new(Small.Halves(40), Small.Halves(20, split: "test"));

    [Test]
    public void A_run_goes_on_from_whatever_operation_failed([Values("full", "read-only", "quota", "denied")] string kind)
    {
        byte[] expected = Whole(out int operations);
        TestContext.Out.WriteLine($"{operations} operations");
        Assert.That(operations, Is.GreaterThan(30), "folders, files, writes, flushes and renames");
        for (int from = 1; from <= operations; from++)
        {
            string folder = TestFiles.Folder("failing-disk");
            var disk = new FailingDisk(kind, from, folder);
            var error = Assert.Throws<IOException>(() => disk.During(() => Train(folder)), $"operation {from}")!;
            string failed = $"operation {from}: {disk.Failed}";
            Assert.That(error.Message, Does.StartWith(disk.Failed!.Split(' ', 2)[1] + ": it cannot be written (").And.Contain("); make "
                + "room there or name another place").And.Not.Contain("temporary").And.Not.Contain("\n"), failed);
            AssertWhole(folder, failed);
            Train(folder);
            Assert.That(File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), Is.EqualTo(expected), failed);
        }
    }

    [Test]
    public void A_run_whose_folder_vanishes_stops_or_ends_in_a_sentence_and_can_be_made_again()
    {
        byte[] expected = Whole(out int operations);
        for (int from = 1; from <= operations; from++)
        {
            string folder = TestFiles.Folder("failing-disk");
            var disk = new FailingDisk("gone", from, folder);
            try
            {
                disk.During(() => Train(folder));
            }
            catch (IOException e)
            {
                Assert.That(e.Message,
                    Does.Match(@"it cannot be written \(its folder is not there any more\)|has vanished").And.Not.Contain("\n"),
                    $"operation {from}: {disk.Failed}");
            }
            if (Directory.Exists(folder))
                AssertWhole(folder, $"operation {from}: {disk.Failed}");
            string again = TestFiles.Folder("failing-disk");
            Train(again);
            Assert.That(File.ReadAllBytes(Path.Combine(again, "model.safetensors")), Is.EqualTo(expected));
        }
    }

    private byte[] Whole(out int operations)
    {
        string folder = TestFiles.Folder("failing-disk");
        var disk = new FailingDisk("full", 0, folder);
        disk.During(() => Train(folder));
        operations = disk.Operations;
        return File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
    }

    /// <summary>Trains and measures, from the last checkpoint where there is one.</summary>
    private void Train(string folder)
    {
        using var run = TrainingRun.Open(Compute, Small.Configuration().With(("network", "mlp:4"), ("latents", 2)), Data, folder);
        Assert.That(run.Train());
        run.Evaluate();
    }

    private static void AssertWhole(string folder, string what)
    {
        foreach (string file in Directory.GetFiles(folder))
        {
            Assert.That(Path.GetFileName(file), Does.Not.StartWith("."), $"{what}: a temporary file is left");
            Assert.That(new FileInfo(file).Length, Is.GreaterThan(0), $"{what}: {file} is empty");
            if (file.EndsWith(".safetensors", StringComparison.Ordinal))
                Assert.That(() => Safetensors.Read(file), Throws.Nothing, what);
            if (file.EndsWith(".json", StringComparison.Ordinal))
                Assert.That(() => System.Text.Json.JsonDocument.Parse(File.ReadAllText(file)), Throws.Nothing, what);
        }
        if (RunDirectory.IsRun(folder) && RunDirectory.Open(folder).HasCheckpoint)
            Assert.That(() => RunDirectory.Open(folder).LoadCheckpoint(), Throws.Nothing, what);
    }
}
