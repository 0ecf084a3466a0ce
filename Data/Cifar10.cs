using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>
/// CIFAR-10 in its binary form: 32 x 32 colour images of ten classes; a record is a label and then all red, all green and all blue values
/// of an image.
/// </summary>
internal static class Cifar10
{
    private const int Side = 32;
    private const int Plane = Side * Side;
    private const int Channels = 3;
    private const int RecordBytes = 1 + Channels * Plane;
    private const int LargestBatch = 10_000;
    private const int Classes = 10;

    /// <summary>
    /// Reads DATA-DIR/cifar10/data_batch_1.bin to data_batch_5.bin, those that are there, and test_batch.bin, each plain or as .gz.
    /// </summary>
    /// <exception cref="DataException">The test batch or every training batch is missing, or a file is wrong.</exception>
    public static DatasetSplits Load(string dataDir)
    {
        string folder = Path.Combine(dataDir, "cifar10");
        string[] training =
            [.. Enumerable.Range(1, 5).Select(i => Gzip.Find(Path.Combine(folder, $"data_batch_{i}.bin"))).OfType<string>()];
        if (training.Length == 0)
            throw DataException.In(folder, "no data_batch_1.bin to data_batch_5.bin, plain or .gz", "at least one of them",
                "check the data folder");
        string testing = Gzip.Find(Path.Combine(folder, "test_batch.bin"))
            ?? throw DataException.In(folder, "no test_batch.bin, plain or .gz", "the test batch", "check the data folder");

        var test = Task.Run(() => DataFile.Read(testing, stream => Read(stream, testing, "test")));
        var batches = Array.ConvertAll(training, path => Task.Run(() => DataFile.Read(path, stream => ReadRecords(stream, path))));
        byte[][] records = [.. batches.Select(batch => batch.GetAwaiter().GetResult())];
        return new(Assemble(records, "train", folder), test.GetAwaiter().GetResult());
    }

    /// <summary>One batch file as a data set.</summary>
    /// <param name="stream">A stream that knows its length, plain or gzip.</param>
    /// <param name="file">The name used in errors.</param>
    /// <param name="split">The split's name.</param>
    public static ImageDataset Read(Stream stream, string file, string split) => Assemble([ReadRecords(stream, file)], split, file);

    private static byte[] ReadRecords(Stream stream, string file) => DataFile.Guard(file, () =>
    {
        bool compressed = Gzip.IsCompressed(stream);
        using var inflated = compressed ? Gzip.Open(stream, file) : null;
        Stream contents = inflated ?? stream;
        long most = compressed ? DataFile.MostInflated(stream.Length) : stream.Length;
        byte[] records = GC.AllocateUninitializedArray<byte>((int)Math.Min(LargestBatch * RecordBytes, most));
        int length = contents.ReadAtLeast(records, records.Length, throwOnEndOfStream: false);
        if (length == LargestBatch * RecordBytes && contents.ReadByte() >= 0)
            throw DataException.In(file, $"more than {length} bytes", $"at most {LargestBatch} records of {RecordBytes} bytes");
        if (length == 0 || length % RecordBytes != 0)
            throw DataException.In(file, $"{length} bytes", $"a whole number of records of {RecordBytes} bytes");
        return length == records.Length ? records : records[..length];
    });

    private static ImageDataset Assemble(byte[][] batches, string split, string file)
    {
        int count = batches.Sum(batch => batch.Length / RecordBytes);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(count * Channels * Plane);
        byte[] labels = new byte[count];
        int image = 0;
        foreach (byte[] batch in batches)
            for (int start = 0; start < batch.Length; start += RecordBytes, image++)
            {
                labels[image] = batch[start];
                Interleave(batch.AsSpan(start + 1, Channels * Plane), pixels.AsSpan(image * Channels * Plane, Channels * Plane));
            }
        return new ImageDataset("cifar10", split, count, Side, Side, Channels, pixels, labels, Classes, ImageDataset.ByteScale)
            .CheckConsistency(file);
    }

    /// <summary>From one plane a colour to the three colours of each pixel side by side.</summary>
    private static void Interleave(ReadOnlySpan<byte> planes, Span<byte> pixels)
    {
        var red = planes[..Plane];
        var green = planes.Slice(Plane, Plane);
        var blue = planes.Slice(2 * Plane, Plane);
        for (int i = 0; i < Plane; i++)
        {
            var pixel = pixels.Slice(3 * i, 3);
            pixel[2] = blue[i];
            pixel[1] = green[i];
            pixel[0] = red[i];
        }
    }
}
