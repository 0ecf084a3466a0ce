using System.Diagnostics;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>What --out names is never destroyed: links, pipes, devices, files of runs, names of other formats.</summary>
[Parallelizable]
public sealed class OutputFileTests
{
    private static readonly byte[] PngStart = [0x89, (byte)'P', (byte)'N', (byte)'G'];

    [Test]
    [Platform("Linux")]
    public void A_link_stays_and_its_target_is_replaced()
    {
        string folder = TestFiles.Folder("cli-link"), target = Path.Combine(folder, "there", "picture.png"),
            link = Path.Combine(folder, "link.png");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.WriteAllText(target, "earlier");
        File.CreateSymbolicLink(link, Path.Combine("there", "picture.png"));
        Tool.Run("sample", Tool.TrainedRun, "--images", "4", "--out", link).Succeeded();
        Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo(Path.Combine("there", "picture.png")));
        Assert.That(File.ReadAllBytes(target)[..4], Is.EqualTo(PngStart));
        Assert.That(Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories), Has.Length.EqualTo(3),
            "no temporary file is left");

        string nowhere = Path.Combine(folder, "dangling.png");
        File.CreateSymbolicLink(nowhere, Path.Combine(folder, "new.png"));
        Tool.Run("sample", Tool.TrainedRun, "--images", "4", "--out", nowhere).Succeeded();
        Assert.That(new FileInfo(nowhere).LinkTarget, Is.Not.Null);
        Assert.That(File.ReadAllBytes(Path.Combine(folder, "new.png"))[..4], Is.EqualTo(PngStart));
    }

    [TestCase("sample RUN --images 4 --out", "89504E47")]
    [TestCase("reconstruct RUN --images 4 --out", "89504E47")]
    [TestCase("export RUN --out", "")]
    [TestCase("encode RUN --out", "6D755F30")]
    [Platform("Linux")]
    public void A_pipe_gets_the_bytes_and_stays(string line, string start)
    {
        string folder = TestFiles.Folder("cli-pipe"), pipe = Path.Combine(folder, "pipe"), plain = Path.Combine(folder, "plain");
        Shell("mkfifo", pipe);
        var reading = Task.Run(() => File.ReadAllBytes(pipe));
        Tool.Run([.. Arguments(line), pipe]).Succeeded();
        Assert.That(reading.Wait(TimeSpan.FromSeconds(30)), Is.True, "what was written went through the pipe");
        plain += line.Split(' ')[0] switch { "export" => ".safetensors", "encode" => ".csv", _ => ".png" };
        Tool.Run([.. Arguments(line), plain]).Succeeded();
        Assert.That(reading.Result, Is.EqualTo(File.ReadAllBytes(plain)));
        Assert.That(Convert.ToHexString(reading.Result), Does.StartWith(start));
        Assert.That(Shell("stat", "-c", "%F", pipe), Is.EqualTo("fifo"));
    }

    [TestCase("3", 0, "")]
    [TestCase("7", 1, "No space left")]
    [Platform("Linux")]
    public void A_device_is_written_to_and_stays(string minor, int exitCode, string says)
    {
        string device = Path.Combine(TestFiles.Folder("cli-device"), "device");
        using (var mknod = Process.Start(new ProcessStartInfo("mknod", [device, "c", "1", minor]) { RedirectStandardError = true })!)
        {
            mknod.WaitForExit();
            if (mknod.ExitCode != 0)
                Assert.Ignore("mknod is not permitted here, so that there is no device to write to");
        }
        Assume.That(() => File.OpenHandle(device, FileMode.Open, FileAccess.Write).Dispose(), Throws.Nothing,
            "devices can be opened on this file system");
        foreach (string[] command in (string[][])[["sample", Tool.TrainedRun, "--images", "4"], ["encode", Tool.TrainedRun],
            ["export", Tool.TrainedRun]])
        {
            var result = Tool.Run([.. command, "--out", device]);
            Assert.That(result.ExitCode, Is.EqualTo(exitCode), result.Error);
            Assert.That(result.Error, Does.Contain(says).And.Not.Contain("unexpected"));
            Assert.That(Shell("stat", "-c", "%F", device), Is.EqualTo("character special file"));
        }
    }

    [TestCase("sample RUN --out RUN/config.json", "config.json")]
    [TestCase("sample RUN --out RUN/reconstructions.png", "reconstructions.png")]
    [TestCase("sample RUN --out RUN/traverse-3.png", "traverse-3.png")]
    [TestCase("reconstruct RUN --out RUN/samples.png", "samples.png")]
    [TestCase("encode RUN --out RUN/metrics.csv", "metrics.csv")]
    [TestCase("encode RUN --out LINK/influence.csv", "influence.csv")]
    [TestCase("export RUN --out RUN/model.safetensors", "model.safetensors")]
    [TestCase("export RUN --out RUN/checkpoint.safetensors", "checkpoint.safetensors")]
    public void A_file_of_a_run_is_not_replaced(string line, string file)
    {
        string run = Tool.CopyOfRun(), link = Path.Combine(TestFiles.Folder("cli-link"), "run");
        Directory.CreateSymbolicLink(link, run);
        var before = Directory.GetFiles(run).ToDictionary(f => f, File.ReadAllBytes);
        Tool.Fails(Tool.Run(Array.ConvertAll(line.Split(' '), a => a.Replace("RUN", run).Replace("LINK", link))), 2, file,
            "a file of the run", "name another file");
        Assert.That(Directory.GetFiles(run), Is.EquivalentTo(before.Keys));
        foreach (var (path, bytes) in before)
            Assert.That(File.ReadAllBytes(path), Is.EqualTo(bytes), path);
    }

    [Test]
    public void A_link_to_a_file_of_a_run_is_not_followed()
    {
        string run = Tool.CopyOfRun(), link = Path.Combine(TestFiles.Folder("cli-link"), "picture.png");
        File.CreateSymbolicLink(link, Path.Combine(run, "config.json"));
        Tool.Fails(Tool.Run("sample", run, "--out", link), 2, "picture.png", "a file of the run", run);
        Tool.Run("sample", run, "--images", "4", "--out", Path.Combine(run, "samples.png")).Succeeded();
        Tool.Run("sample", run, "--images", "4", "--out", Path.Combine(run, "mine.png")).Succeeded();
    }

    [TestCase("sample RUN --out s.jpg", "s.jpg", ".png")]
    [TestCase("reconstruct RUN --out r.jpg", "r.jpg", ".png or .npz")]
    [TestCase("encode RUN --out e.parquet", "e.parquet", ".csv or .npz")]
    [TestCase("export RUN --out w.pt", "w.pt", ".safetensors")]
    [TestCase("sample RUN --out EMPTY", "--out", "empty")]
    [TestCase("reconstruct RUN --out EMPTY", "--out", "empty")]
    [TestCase("encode RUN --out EMPTY", "--out", "empty")]
    [TestCase("export RUN --out EMPTY", "--out", "empty")]
    [TestCase("traverse RUN --out EMPTY", "--out", "empty")]
    [TestCase("train --out EMPTY", "--out", "empty")]
    [TestCase("train --resume --out EMPTY", "--out", "empty")]
    [TestCase("sweep vae --grid beta=1 --out EMPTY", "--out", "empty")]
    [TestCase("reproduce exon --out EMPTY", "--out", "empty")]
    [TestCase("import x --model vae --data mnist --out EMPTY", "--out", "empty")]
    [TestCase("traverse RUN --out -", "--out -", "name a folder")]
    [TestCase("train --out -", "--out -", "name a folder")]
    [TestCase("sweep vae --grid beta=1 --out -", "--out -", "name a folder")]
    [TestCase("reproduce exon --out -", "--out -", "name a folder")]
    [TestCase("import x --model vae --data mnist --out -", "--out -", "name a folder")]
    [TestCase("encode RUN --out - --json", "--out -", "--json")]
    [TestCase("sample RUN --out RUN", "--out", "it is a folder")]
    [TestCase("traverse RUN --out RUN/config.json", "--out", "it is a file")]
    [TestCase("train --out RUN/config.json", "--out", "it is a file")]
    public void What_cannot_be_written_is_a_usage_error(string line, params string[] says)
    {
        Tool.Fails(Tool.Run(Arguments(line)), 2, says);
        Assert.That(Directory.EnumerateFileSystemEntries(Tool.WorkDir), Is.Empty, "nothing is written");
    }

    [Test]
    public void Encodings_go_to_standard_output()
    {
        string file = Path.Combine(TestFiles.Folder("cli-stdout"), "encodings.csv");
        Tool.Run("encode", Tool.TrainedRun, "--out", file).Succeeded();
        Assert.That(Tool.Run("encode", Tool.TrainedRun, "--out", "-").Succeeded().Out, Is.EqualTo(File.ReadAllText(file)));
    }

    private static string[] Arguments(string line) =>
        Array.ConvertAll(line.Split(' '), a => a == "EMPTY" ? "" : a.Replace("RUN", Tool.TrainedRun));

    private static string Shell(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, command);
        return output.Trim();
    }
}
