using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Reports;

/// <summary>
/// A file of events as TensorBoard reads it: records of TFRecord (a length, its checksum, the bytes, their checksum), each an Event
/// message. It grows while it is read, so that it is the one file that is
/// not written at once.
/// </summary>
internal sealed class EventFile : IDisposable
{
    // Numbers of the fields that we write, from TensorFlow's event.proto and summary.proto, by message.
    private const int EventWallTime = 1, EventStep = 2, EventFileVersion = 3, EventSummary = 5, SummaryValue = 1;
    private const int ValueTag = 1, ValueSimple = 2, ValueImage = 4, ValueHistogram = 5;
    private const int ImageHeight = 1, ImageWidth = 2, ImageColours = 3, ImageBytes = 4;
    private const int HistogramMin = 1, HistogramMax = 2, HistogramCount = 3, HistogramSum = 4, HistogramSquares = 5, HistogramLimits = 6,
        HistogramBuckets = 7;

    private const string Version = "brain.Event:2";
    private const int Buckets = 30;

    private static int created;

    private readonly FileStream stream;

    private EventFile(FileStream stream) => this.stream = stream;

    /// <summary>
    /// A new file in a folder, which is made if need be; TensorBoard shows all files of a folder as one run. Its name has the second, the
    /// process and how many this process made before.
    /// </summary>
    public static EventFile Create(string folder)
    {
        Directory.CreateDirectory(folder);
        string name = string.Create(CultureInfo.InvariantCulture,
            $"events.out.tfevents.{DateTimeOffset.UtcNow.ToUnixTimeSeconds():D10}.vae.{Environment.ProcessId}"
                + $".{Interlocked.Increment(ref created) - 1}");
        var file = new EventFile(new(Path.Combine(folder, name), FileMode.Create, FileAccess.Write, FileShare.Read));
        file.Write(file.Event(0).Text(EventFileVersion, Version));
        return file;
    }

    public void Scalar(long step, string tag, double value) =>
        Add(step, new ProtoWriter().Text(ValueTag, tag).Single(ValueSimple, (float)value));

    /// <param name="png">A picture of one or three channels.</param>
    public void Image(long step, string tag, byte[] png)
    {
        var picture = Png.Decode(png, tag);
        Add(step, new ProtoWriter().Text(ValueTag, tag).Message(ValueImage,
            new ProtoWriter().Integer(ImageHeight, picture.Height).Integer(ImageWidth, picture.Width)
            .Integer(ImageColours, picture.Channels).Bytes(ImageBytes, png)));
    }

    /// <summary>How values are distributed, in buckets of the same width.</summary>
    public void Histogram(long step, string tag, ReadOnlySpan<float> values)
    {
        double least = double.PositiveInfinity, most = double.NegativeInfinity, sum = 0, squares = 0;
        foreach (float value in values)
            (least, most, sum, squares) = (Math.Min(least, value), Math.Max(most, value), sum + value, squares + (double)value * value);
        double width = Math.Max(most - least, 1e-12) / Buckets;
        double[] limits = [.. Enumerable.Range(1, Buckets).Select(i => least + i * width)], counts = new double[Buckets];
        limits[^1] = Math.Max(limits[^1], most);
        foreach (float value in values)
            counts[Math.Clamp((int)((value - least) / width), 0, Buckets - 1)]++;
        Add(step, new ProtoWriter().Text(ValueTag, tag).Message(ValueHistogram,
            new ProtoWriter().Double(HistogramMin, least).Double(HistogramMax, most)
            .Double(HistogramCount, values.Length).Double(HistogramSum, sum).Double(HistogramSquares, squares).Doubles(HistogramLimits,
                limits).Doubles(HistogramBuckets, counts)));
    }

    public void Flush() => stream.Flush();

    public void Dispose() => stream.Dispose();

    private void Add(long step, ProtoWriter value) =>
        Write(Event(step).Message(EventSummary, new ProtoWriter().Message(SummaryValue, value)));

    private ProtoWriter Event(long step) => new ProtoWriter().Double(EventWallTime,
        DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0).Integer(EventStep, step);

    private void Write(ProtoWriter message)
    {
        Span<byte> head = stackalloc byte[sizeof(ulong) + sizeof(uint)], tail = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)message.Written.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[sizeof(ulong)..], MaskedChecksum(head[..sizeof(ulong)]));
        BinaryPrimitives.WriteUInt32LittleEndian(tail, MaskedChecksum(message.Written));
        stream.Write(head);
        stream.Write(message.Written);
        stream.Write(tail);
    }

    /// <summary>CRC-32C, turned and moved, so that a checksum over a text with checksums in it stays a good one.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
            crc = BitOperations.Crc32C(crc, b);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
