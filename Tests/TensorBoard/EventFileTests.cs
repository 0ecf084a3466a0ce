using System.Buffers.Binary;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Reports;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.TensorBoard;

/// <summary>Event files, read by classes that protoc makes of the messages' definitions.</summary>
public sealed class EventFileTests
{
    /// <summary>The events of a file, each record checked against its checksums.</summary>
    internal static IReadOnlyList<Event> Read(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        var events = new List<Event>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)), Is.EqualTo(Masked(bytes.AsSpan(at, 8))),
                "checksum of a length");
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)),
                Is.EqualTo(Masked(bytes.AsSpan(at + 12, length))), "checksum of an event");
            events.Add(Event.Parser.ParseFrom(bytes, at + 12, length));
            at += 16 + length;
        }
        return events;
    }

    [Test]
    public void The_checksum_is_crc32c()
    {
        // RFC 3720, appendix B.4: 32 bytes of 0 have 0x8a9136aa, of 0xff 0x62a8ab43.
        Assert.That(Checksum(new byte[32]), Is.EqualTo(0x8a9136aa));
        byte[] ones = new byte[32];
        ones.AsSpan().Fill(0xff);
        Assert.That(Checksum(ones), Is.EqualTo(0x62a8ab43));
        Assert.That(EventFile.MaskedChecksum(ones), Is.EqualTo(Masked(ones)));
    }

    [Test]
    public void Two_files_of_one_second_and_process_are_two()
    {
        string folder = TestFiles.Folder("event-files");
        for (int step = 0; step < 3; step++)
            using (var file = EventFile.Create(folder))
                file.Scalar(step, "loss", step);
        var steps = Directory.GetFiles(folder).Select(path => Read(path).Skip(1).Single().Step);
        Assert.That(steps, Is.EquivalentTo([0, 1, 2]));
    }

    [Test]
    public void Scalars_images_and_histograms_come_back()
    {
        string folder = TestFiles.Folder("event-file");
        float[] values = [-1, 0, 0.5f, 0.5f, 2];
        byte[] png = Png.Encode(new(3, 2, 1, [0, 50, 100, 150, 200, 250]));
        using (var file = EventFile.Create(folder))
        {
            file.Scalar(7, "test/nll", 12.5);
            file.Image(7, "picture", png);
            file.Histogram(1L << 40, "codes/mu", values);
            file.Histogram(8, "constant", [3, 3]);
        }
        string path = Directory.GetFiles(folder).Single();
        Assert.That(Path.GetFileName(path), Does.Contain("tfevents"));
        var events = Read(path);
        Assert.That(events[0].FileVersion, Is.EqualTo("brain.Event:2"));
        Assert.That(events.Select(e => e.WallTime), Is.All.EqualTo(DateTimeOffset.UtcNow.ToUnixTimeSeconds()).Within(3600));
        var read = events.Skip(1).Select(e => (e.Step, Value: e.Summary.Value.Single())).ToArray();
        Assert.That(read[0].Step, Is.EqualTo(7));
        Assert.That((read[0].Value.Tag, read[0].Value.SimpleValue), Is.EqualTo(("test/nll", 12.5f)));
        var image = read[1].Value.Image;
        Assert.That((image.Height, image.Width, image.Colorspace), Is.EqualTo((2, 3, 1)));
        Assert.That(image.EncodedImageString.ToByteArray(), Is.EqualTo(png));
        Assert.That(read[2].Step, Is.EqualTo(1L << 40));
        var histogram = read[2].Value.Histo;
        Assert.That((histogram.Min, histogram.Max, histogram.Num, histogram.Sum, histogram.SumSquares),
            Is.EqualTo((-1.0, 2.0, 5.0, 2.0, 5.5)));
        Assert.That(histogram.BucketLimit, Is.Ordered.And.Count.EqualTo(histogram.Bucket.Count));
        Assert.That(histogram.Bucket.Sum(), Is.EqualTo(5));
        double below = 0;
        for (int i = 0; i < histogram.Bucket.Count; i++)
        {
            below += histogram.Bucket[i];
            Assert.That(below, Is.EqualTo(values.Count(v => v < histogram.BucketLimit[i] || i == histogram.Bucket.Count - 1)),
                $"values below {histogram.BucketLimit[i]}");
        }
        Assert.That(read[3].Value.Histo.Bucket.Sum(), Is.EqualTo(2));
    }

    private static uint Masked(ReadOnlySpan<byte> bytes)
    {
        uint crc = Checksum(bytes);
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    /// <summary>CRC-32C bit by bit.</summary>
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++)
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0x82f63b78;
        }
        return ~crc;
    }
}
