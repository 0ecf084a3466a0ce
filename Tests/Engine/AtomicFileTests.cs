using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

public sealed class AtomicFileTests
{
    [Test]
    public void A_file_appears_whole_and_replaces_the_earlier_one()
    {
        string path = Path.Combine(TestFiles.Folder("atomic"), "deep", "file.txt");
        AtomicFile.WriteText(path, "first");
        AtomicFile.WriteText(path, writer => writer.WriteLine("second ψ"));
        Assert.That(File.ReadAllBytes(path), Is.EqualTo("second ψ\n"u8.ToArray()));
        Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!), Is.EqualTo(new[] { path }));
    }

    [Test]
    public void A_failure_keeps_the_earlier_bytes_and_leaves_no_temporary()
    {
        string path = Path.Combine(TestFiles.Folder("atomic"), "file.bin");
        AtomicFile.WriteBytes(path, new byte[] { 1, 2, 3 });
        Assert.That(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(9);
            throw new InvalidOperationException("the disk is on fire");
        }), Throws.InvalidOperationException);
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!), Is.EqualTo(new[] { path }));
    }
}
