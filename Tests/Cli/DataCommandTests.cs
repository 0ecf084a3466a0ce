using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.Engine.Data;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae data prepare, and training on what it made.</summary>
[Parallelizable]
public sealed class DataCommandTests
{
    [Test]
    public void A_download_of_mnist_is_checked_and_copied_to_its_place()
    {
        string dataDir = TestFiles.Folder("prepare"), download = Path.Combine(TestFiles.Folder("download"), "deep");
        Directory.CreateDirectory(download);
        foreach (string file in Directory.GetFiles(Path.Combine(TestFiles.Datasets, "mnist")))
            File.Copy(file, Path.Combine(download, Path.GetFileName(file).Replace("-idx", ".idx")));
        string above = Path.GetDirectoryName(download)!;
        var copied = Tool.Run("data", "prepare", "mnist", "--from", above, "--data-dir", dataDir, "--json").Json().GetProperty("copied");
        Assert.That(copied.GetArrayLength(), Is.EqualTo(4));
        Tool.Run("data", "verify", "mnist", "--data-dir", dataDir).Succeeded();
        Assert.That(Tool.Run("data", "prepare", "mnist", "--from", above, "--data-dir", dataDir).Succeeded().Out,
            Does.Contain("was in its place"));

        string damaged = Directory.GetFiles(download)[0], other = TestFiles.Folder("prepare");
        File.WriteAllBytes(damaged, [0x1f, 0x8b, 1, 2, 3]);
        Tool.Fails(Tool.Run("data", "prepare", "mnist", "--from", above, "--data-dir", other), 4, Path.GetFileName(damaged));
        File.Delete(damaged);
        Tool.Fails(Tool.Run("data", "prepare", "mnist", "--from", above, "--data-dir", other), 4, "plain or .gz");
        Assert.That(Directory.Exists(Path.Combine(other, "mnist")), Is.False, "nothing half-copied");
        Tool.Fails(Tool.Run("data", "prepare", "mnist", "--data-dir", other), 2, "--from");
        Tool.Fails(Tool.Run("data", "prepare", "yale-b", "--from", above, "--data-dir", other), 2, "nothing to prepare");
        Tool.Fails(Tool.Run("data", "prepare", "mnist", "--from", Path.Combine(above, "absent"), "--data-dir", other), 4, "no such folder");
    }

    [Test]
    public void What_is_in_its_place_is_checked_too()
    {
        string dataDir = TestFiles.Folder("prepare"), download = TestFiles.Folder("download"), mnist = Path.Combine(dataDir, "mnist");
        Directory.CreateDirectory(mnist);
        foreach (string file in Directory.GetFiles(Path.Combine(TestFiles.Datasets, "mnist")))
            File.Copy(file, Path.Combine(mnist, Path.GetFileName(file)));
        string labels = Directory.GetFiles(mnist, "t10k-labels*").Single();
        byte[] bytes = IdxTests.File([10_000], new byte[10_000]);
        File.WriteAllBytes(labels, labels.EndsWith(".gz", StringComparison.Ordinal) ? IdxTests.Compress(bytes) : bytes);
        Tool.Fails(Tool.Run("data", "prepare", "mnist", "--from", download, "--data-dir", dataDir), 4, labels, "MD5", download);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Files_under_the_names_of_other_archives_are_trained_on(bool compressed)
    {
        string dataDir = TestFiles.Folder("dotted"), run = Path.Combine(TestFiles.Folder("dotted-run"), "run");
        Directory.CreateDirectory(Path.Combine(dataDir, "mnist"));
        foreach (string file in Directory.GetFiles(Path.Combine(Tool.DataDir, "mnist")))
        {
            byte[] bytes = File.ReadAllBytes(file);
            string name = Path.GetFileName(file).Replace("-idx", ".idx", StringComparison.Ordinal);
            File.WriteAllBytes(Path.Combine(dataDir, "mnist", compressed ? name + ".gz" : name), compressed ? IdxTests.Compress(bytes)
                : bytes);
        }
        Tool.Run(["train", "--data-dir", dataDir, "--epochs", "1", .. Tool.Tiny, "--report", "false", "--out", run]).Succeeded();
        Assert.That(Tool.Run("list", "datasets", "--json", "--data-dir", dataDir).Json().GetProperty("datasets").EnumerateArray()
            .Single(s => s.GetProperty("name").GetString() == "mnist").GetProperty("present").GetBoolean());
    }

    [Test]
    public void A_built_tool_finds_the_data_of_its_clone_from_anywhere() =>
        Assert.That(Tool.InShell("cd / && VAE_DATA= \"$0\" \"$1\" data verify mnist"), Is.Zero);

    [Test]
    public void Every_set_has_a_sentence() =>
        Assert.That(Tool.Run("data").Succeeded().Out, Does.Not.Contain("from as").And.Contain("mnist-01").And.Not.Contain("from any"));

    [Test]
    public void Pictures_of_celeba_become_a_cache_that_trains_without_them()
    {
        JpegEncoder.Require();
        string dataDir = TestFiles.Folder("empty"), cacheDir = TestFiles.Folder("cache"), download = TestFiles.Folder("download");
        string pictures = Path.Combine(download, "img_align_celeba");
        Directory.CreateDirectory(pictures);
        for (int n = 1; n <= 20; n++)
        {
            byte[] pixels = new byte[178 * 218 * 3];
            pixels.AsSpan().Fill((byte)(12 * n));
            File.WriteAllBytes(Path.Combine(pictures, $"{n:000000}.jpg"), JpegEncoder.Encode(pixels, 178, 218, 3));
        }
        string[] folders = ["--data-dir", dataDir, "--cache-dir", cacheDir];
        var prepared = Tool.Run(["data", "prepare", "celeba", "--from", download, .. folders]).Succeeded();
        Assert.That(prepared.Out, Does.Contain("16 training, 2 validation and 2 test images"));
        Assert.That(prepared.Error, Does.Contain("note: celeba: 20 of 20 pictures decoded into " + cacheDir));
        Directory.Delete(pictures, recursive: true);
        JsonElement State() => Tool.Run(["data", "--json", .. folders]).Json().GetProperty("datasets").EnumerateArray()
            .Single(s => s.GetProperty("name").GetString() == "celeba").GetProperty("state");
        Assert.That(State().GetString(), Is.EqualTo("prepared"));
        string run = Path.Combine(TestFiles.Folder("celeba-run"), "run");
        var trained = Tool.Run(["train", "--data", "celeba", "--epochs", "1", "--batch", "8", "--network", "mlp:8", "--latents", "2",
            "--report", "false", "--out", run, .. folders]).Succeeded();
        Assert.That(trained.Error, Does.Contain("note: celeba: there is no list_attr_celeba.txt"));
        Tool.Fails(Tool.Run(["classify", run, .. folders]), 2, "no labels");
    }

    [Test]
    public void What_is_missing_is_said_with_its_source()
    {
        var result = Tool.Run("data").Succeeded();
        Assert.That(result.Out, Does.Contain("fashion-mnist is absent (no fashion-mnist/train-images-idx3-ubyte").And.Contain(
            "Zalando Research, folder").And.Contain("1427 MB"));
        var deap = Tool.Run("data", "--json").Json().GetProperty("datasets").EnumerateArray()
            .Single(s => s.GetProperty("name").GetString() == "deap");
        Assert.That((deap.GetProperty("state").GetString(), deap.GetProperty("present").GetBoolean()), Is.EqualTo(("absent", false)));
    }

    [Test]
    public void Classify_writes_its_table()
    {
        string run = Tool.CopyOfRun();
        var rows = Tool.Run("classify", run, "--keep", "100,50,0", "--quick", "--json").Json().GetProperty("rows").EnumerateArray()
            .ToList();
        Assert.That(rows.Select(r => r.GetProperty("factors").GetInt32()), Is.EqualTo(new[] { 8, 4, 0 }));
        string[] lines = File.ReadAllLines(Path.Combine(run, "classification.csv"));
        Assert.That(lines, Has.Length.EqualTo(4));
        Assert.That(lines[0], Is.EqualTo("top_percent,factors,mi_nats,train_accuracy,test_accuracy,test_accuracy_deviation"));
        Assert.That(rows[2].GetProperty("test_accuracy").GetDouble(), Is.LessThan(rows[0].GetProperty("test_accuracy").GetDouble()));
        Assert.That(Tool.Run("classify", run, "--keep", "100,50,0", "--quick").Succeeded().Out,
            Does.Contain("8 of 8").And.Contain("most frequent class"));
        Assert.That(File.ReadAllLines(Path.Combine(run, "classification.csv")), Is.EqualTo(lines), "the seed alone decides");
        Tool.Fails(Tool.Run("classify", run, "--keep", "101"), 2, "101");
    }
}
