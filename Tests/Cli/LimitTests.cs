using System.IO.Compression;
using System.Text;
using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Sizes are refused before anything is allocated, in a sentence that says what is needed and what there is.</summary>
[Parallelizable]
public sealed class LimitTests
{
    private static readonly (string, string)[] HalfAGigabyte = [("DOTNET_GCHeapHardLimit", "0x20000000")];

    [Test]
    public void Threads_are_held_against_the_machine() =>
        Tool.Fails(Tool.Run("train", "--threads", "100000"), 2, "--threads 100000", $"at most {CpuBackend.MostThreads}");

    [Test]
    public void A_network_that_does_not_fit_is_refused_with_its_size()
    {
        string run = Path.Combine(TestFiles.Folder("cli-limits"), "run");
        var result = Tool.RunWith(HalfAGigabyte, "train", "--latents", "100000", "--network", "mlp:2000", "--device", "cpu", "--out", run);
        // 784 x 2000, two heads of 2000 x 100 000, and the way back, with biases; and the noise.
        Tool.Fails(result, 3, "603,340,785", "bytes to train", "are free", "--network, --latents");
        Assert.That(Directory.Exists(run), Is.False, "nothing half-written");
    }

    [Test]
    public void A_tensor_that_cannot_be_is_refused_by_the_options_that_make_it() =>
        Tool.Fails(Tool.Run("train", "--latents", "1000000000"), 3, "--latents 1000000000", "--network conv", "256,000,000,000 elements");

    [TestCase("100")]
    [TestCase("1")]
    public void Samples_that_do_not_fit_are_refused_with_their_size(string batch)
    {
        string run = Path.Combine(TestFiles.Folder("cli-limits"), "run");
        Tool.Fails(Tool.RunWith(HalfAGigabyte, "train", "iwae", "--samples", "1000000", "--batch", batch, "--limit", "200", "--network",
            "mlp:8", "--latents", "2", "--device", "cpu", "--out", run),
            3, "no room for a block of", "are free", "fewer samples");
        Assert.That(Directory.Exists(run), Is.False, "nothing half-written");
    }

    // Rows of 70 MB, and an array that is held whole because its columns come first.
    [TestCase("False", "(4, 17500000)")]
    [TestCase("True", "(70000000, 1)")]
    public void A_small_file_that_expands_too_far_is_refused_in_little_memory(string fortran, string shape)
    {
        string file = Path.Combine(TestFiles.Folder("cli-limits"), "bomb.npz");
        using (var zip = ZipFile.Open(file, ZipArchiveMode.Create))
            foreach (string name in (string[])["mu", "logvar"])
            {
                byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': {shape}, }}".PadRight(117)
                    + "\n");
                using var entry = zip.CreateEntry(name + ".npy", CompressionLevel.Optimal).Open();
                entry.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header]);
                for (int i = 0; i < 280; i++)
                    entry.Write(new byte[1_000_000]);
            }
        Assert.That(new FileInfo(file).Length, Is.LessThan(2_000_000));
        Tool.Fails(Tool.RunWith([("DOTNET_GCHeapHardLimit", "0x0C000000")], "estimate", file, "--device", "cpu"), 4, "mu.npy",
            "to be read at once", "100 times what they are compressed to");
    }

    [TestCase(24)]
    [TestCase(32)]
    [TestCase(64)]
    public void Too_few_open_files_have_a_sentence(int files)
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("there is no such limit");
        string error = Path.Combine(TestFiles.Folder("cli-limits"), "error");
        Assert.That(Tool.InShell($"ulimit -n {files}; \"$0\" \"$1\" list models 2>'{error}'"), Is.EqualTo(1));
        string[] lines = File.ReadAllLines(error);
        Assert.That(lines, Has.Length.EqualTo(1));
        Assert.That(lines[0], Does.StartWith("vae: ").And.Contain("ulimit -n").And.Contain("128"));
    }
}
