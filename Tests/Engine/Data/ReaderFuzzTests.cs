using System.Diagnostics;
using System.Text;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine.Eeg;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>
/// Mutates valid files of every format, several mutations on top of each other, for a bounded time: each reader returns or throws a
/// <see cref="DataException"/>, quickly and within a bounded memory. VAE_FUZZ_SECONDS sets the time for each format (1 by default),
/// VAE_FUZZ_SEED the start.
/// </summary>
[Parallelizable(ParallelScope.Children)]
public sealed class ReaderFuzzTests
{
    private const long MemoryLimit = 64 << 20;
    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(5);

    public static IEnumerable<TestCaseData> Formats()
    {
        yield return Format("idx", [0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4], bytes => Idx.Read(new MemoryStream(bytes), "f", axes: 1));
        yield return Format("idx gzip", IdxTests.Compress([0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4]),
            bytes => Idx.Read(new MemoryStream(bytes), "f", axes: 1));
        yield return Format("cifar10", [.. new byte[3073], .. new byte[3073]],
            bytes => Cifar10.Read(new MemoryStream(bytes), "f", "train"));
        yield return Format("npy", Stored(s => Npy.Write(s, NpyArray.From([2, 3], (ReadOnlySpan<float>)[1, 2, 3, 4, 5, 6]))),
            bytes => Npy.Read(new MemoryStream(bytes), "f", bytes.Length));
        yield return Format("npz", Stored(s => Npz.Write(s, [("a", NpyArray.From([2], (ReadOnlySpan<int>)[1, 2])),
            ("b", NpyArray.From([1, 2], (ReadOnlySpan<float>)[3, 4]))])), bytes => Npz.Read(new MemoryStream(bytes), "f"));
        yield return Format("safetensors", Stored(s => Safetensors.Write(s,
            [("a", new HostArray([2], [1, 2])), ("b", new HostArray([], [3]))])), bytes => Safetensors.Read(new MemoryStream(bytes), "f"));
        yield return Format("pgm", [.. "P5\n# comment\n4 3\n255\n"u8, .. new byte[12]], bytes => Pgm.Read(new MemoryStream(bytes), "f"));
        yield return Format("png", Png.Encode(new(9, 7, 3, JpegEncoder.Smooth(9, 7, 3, 1))), bytes => Png.Decode(bytes, "f"));
        yield return Format("pickle", PickleReaderTests.Write(("labels", [1, 4], [1, 2, 3, 4]), ("data", [2, 3], [1, 2, 3, 4, 5, 6])),
            bytes => PickleReader.Read(new MemoryStream(bytes), "f"));
        yield return Format("matlab", MatFileTests.File(false, MatFileTests.Matrix("data", [2, 3], [1, 2, 3, 4, 5, 6])),
            bytes => MatFile.Read(new MemoryStream(bytes), "f", ["data"]));
        yield return Format("matlab compressed", MatFileTests.File(true, MatFileTests.Matrix("data", [2, 3], [1, 2, 3, 4, 5, 6])),
            bytes => MatFile.Read(new MemoryStream(bytes), "f", ["data"]));
        yield return Format("attributes", "2\nA B\n1.jpg 1 -1\n2.jpg -1 1\n"u8.ToArray(),
            bytes => CelebAttributes.Read(new MemoryStream(bytes), "f"));
        foreach (string kind in (string[])["png", "png palette", "bmp", "gif", .. TurboJpeg.IsInstalled
            ? ["jpeg", "jpeg progressive", "jpeg cmyk"] : (string[])[]])
            yield return Format($"{kind}, managed", PictureKindTests.Example(kind), Decode(new PictureReader(turboJpeg: false)));
        yield return Format("config.json", Encoding.UTF8.GetBytes(ModelCatalogue.Defaults("vae").ToJson()),
            bytes => Refusing(() => RunConfiguration.FromJson(Encoding.UTF8.GetString(bytes))));
        yield return Format("settings",
            "beta=4\nnetwork=mlp:500,1000;\nnoise=fixed:0.01\nepochs=3\nlearning_rate=1e-3\nbinarise=static"u8.ToArray(),
            bytes => Refusing(() =>
        {
            foreach (string line in Encoding.UTF8.GetString(bytes).Split('\n'))
            {
                var axis = GridAxis.Parse(line);
                axis.Values.Aggregate(ModelCatalogue.Defaults("beta-vae"), (c, value) => c.With(axis.Key, value)).Validate();
            }
        }));
        yield return Format("weights", Stored(s => WeightFile.Save(Network(), s)), bytes => Refusing(() =>
        {
            string file = Path.Combine(Folder.Value, $"{Environment.CurrentManagedThreadId}.safetensors");
            File.WriteAllBytes(file, bytes);
            WeightFile.Load(Network(), file);
        }));
        yield return Format("table", "age,plan,label\n20,none,0\n31.5,\"full, old\",1\n-2e3,none,1\n44,none,0\n"u8.ToArray(),
            OwnFileOf(".csv"));
        yield return Format("arrays", Stored(s => Npz.Write(s, [("x", NpyArray.From([4, 2, 3], new float[24])),
            ("y", NpyArray.From([4], (ReadOnlySpan<int>)[0, 1, 2, 1]))])), OwnFileOf(".npz"));
        if (!TurboJpeg.IsInstalled)
            yield break;
        yield return Format("jpeg", JpegEncoder.Encode(JpegEncoder.Smooth(40, 32, 3, 1), 40, 32, 3), Decode(new PictureReader()));
        yield return Format("jpeg progressive", JpegEncoder.Encode(JpegEncoder.Smooth(40, 32, 3, 1), 40, 32, 3, progressive: true),
            Decode(new PictureReader()));
    }

    [TestCaseSource(nameof(Formats))]
    public void Every_reader_survives_random_damage(byte[] valid, Action<byte[]> read)
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("VAE_FUZZ_SEED"), out int given) ? given : 1;
        double seconds = double.TryParse(Environment.GetEnvironmentVariable("VAE_FUZZ_SECONDS"), out double asked) ? asked : 1;
        read(valid);
        var clock = Stopwatch.StartNew();
        int rounds = 0, refused = 0;
        for (; rounds < 50 || clock.Elapsed.TotalSeconds < seconds; rounds++)
            refused += Survives(Damage(valid, new Random(unchecked(seed * 1_000_003 + rounds))), read, $"seed {seed}, round {rounds}") ? 0
                : 1;
        TestContext.Out.WriteLine($"{rounds} files, {refused} refused");
        Assert.That(refused, Is.GreaterThan(rounds / 20), "damage that was noticed");
    }

    private static bool Survives(byte[] bytes, Action<byte[]> read, string what)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        try
        {
            read(bytes);
            return true;
        }
        catch (DataException e)
        {
            HostileBytes.AssertOneSentence(e.Message);
            return false;
        }
        catch (Exception e) when (e is not AssertionException)
        {
            throw new AssertionException($"{what}: {e.GetType().Name} instead of DataException: {e}", e);
        }
        finally
        {
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(MemoryLimit), $"bytes taken, {what}");
            Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(LongestRead), $"time taken, {what}");
        }
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        byte[] bytes = [.. valid];
        for (int times = 1 + random.Next(4); times > 0 && bytes.Length > 0; times--)
        {
            int at = random.Next(bytes.Length);
            int length = Math.Min(1 + random.Next(8), bytes.Length - at);
            bytes = random.Next(7) switch
            {
                0 => bytes[..at],
                1 => [.. bytes[..at], .. bytes[(at + length)..]],
                2 => [.. bytes[..at], .. bytes[at..(at + length)], .. bytes[at..]],
                3 => Changed(bytes, at, length, _ => (byte)random.Next(256)),
                4 => Changed(bytes, at, 1, b => (byte)(b ^ (1 << random.Next(8)))),
                5 => Changed(bytes, at, length, _ => (byte)(random.Next(2) * 255)),
                _ => Changed(bytes, at, 1, b => (byte)(b + random.Next(-3, 4))),
            };
        }
        return bytes;
    }

    private static byte[] Changed(byte[] bytes, int at, int length, Func<byte, byte> change)
    {
        for (int i = at; i < at + length; i++)
            bytes[i] = change(bytes[i]);
        return bytes;
    }

    private static readonly Lazy<string> Folder = new(() => TestFiles.Folder("fuzz"));

    /// <summary>Reads bytes as the data set that a file of such an ending is.</summary>
    private static Action<byte[]> OwnFileOf(string ending) => bytes =>
    {
        string file = Path.Combine(Folder.Value, $"{Environment.CurrentManagedThreadId}{ending}");
        File.WriteAllBytes(file, bytes);
        OwnFile.KindOf(file);
        OwnFile.Load(file);
    };

    private static Action<byte[]> Decode(PictureReader reader) => bytes => reader.Decode(bytes, "f", 1 << 20);

    /// <summary>A network's weights, on no device.</summary>
    private static Parameter[] Network() =>
        [new("encoder.fc1.weight", new(4, 3), new float[12], DiskLayout.Linear(4, 3)), new("encoder.fc1.bias", new(3), new float[3])];

    /// <summary>What other exceptions of a refusal say, as the readers' own.</summary>
    private static void Refusing(Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (e is OptionException or JsonException or DataException)
        {
            Assert.That(e.Message, Is.Not.Empty);
            throw DataException.In("f", e.Message, "what is valid", "correct it", e);
        }
    }

    private static byte[] Stored(Action<Stream> write)
    {
        using var stream = new MemoryStream();
        write(stream);
        return stream.ToArray();
    }

    private static TestCaseData Format(string name, byte[] valid, Action<byte[]> read) =>
        new TestCaseData(valid, read).SetArgDisplayNames(name);
}
