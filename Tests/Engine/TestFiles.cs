using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

/// <summary>Where tests find data and leave files.</summary>
internal static class TestFiles
{
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The data sets that come with the repository.</summary>
    public static string Datasets => Path.Combine(RepositoryRoot, "datasets");

    /// <summary>
    /// The folder of further data sets ($VAE_SHARED/data, else shared/data beside the repository); the test is skipped when <paramref
    /// name="needed"/> is not in it.
    /// </summary>
    public static string SharedData(string needed)
    {
        string data = Path.Combine(Shared, "data");
        if (!File.Exists(Path.Combine(data, needed)) && !Directory.Exists(Path.Combine(data, needed)))
            Assert.Ignore($"{needed} is not under {data}; set VAE_SHARED to the folder that holds data/{needed}");
        return data;
    }

    /// <summary>
    /// A file or folder of $VAE_SHARED/cases, small inputs that once came out wrong; the test is skipped when it is not there.
    /// </summary>
    public static string SharedCase(string name)
    {
        string path = Path.Combine(Shared, "cases", name);
        if (!File.Exists(path) && !Directory.Exists(path))
            Assert.Ignore($"there is no {path}; set VAE_SHARED to the folder that holds cases/{name}");
        return path;
    }

    /// <summary>A fresh folder of this test.</summary>
    public static string Folder(string name)
    {
        string folder = Path.Combine(TestContext.CurrentContext.WorkDirectory, "test-files", $"{name}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        return folder;
    }

    private static string Shared => Environment.GetEnvironmentVariable("VAE_SHARED") is { Length: > 0 } set ? set
        : Path.Combine(RepositoryRoot, "..", "shared");

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "VaeFromScratch.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException("no VaeFromScratch.sln above the tests; run them inside the repository");
    }
}

/// <summary>
/// Feeds readers with damaged files: whatever the damage, they return a value or throw a <see cref="DataException"/> of one sentence.
/// </summary>
internal static class HostileBytes
{
    private const long AllocationLimit = 64 << 20;

    /// <summary>Runs <paramref name="read"/> on mutations of a valid file, on every kind of truncation and on random bytes.</summary>
    /// <returns>How many of them were refused.</returns>
    public static int Check(byte[] valid, Action<byte[]> read, int rounds = 1500, int seed = 1)
    {
        Assert.That(() => read(valid), Throws.Nothing, "the undamaged file");
        var random = new Random(seed);
        int refused = 0;
        for (int round = 0; round < rounds; round++)
        {
            byte[] damaged = Mutate(valid, random, round);
            refused += Refuses(damaged, read, round) ? 1 : 0;
        }
        Assert.That(refused, Is.GreaterThan(rounds / 10), "mutations that were noticed");
        return refused;
    }

    private static bool Refuses(byte[] bytes, Action<byte[]> read, int round)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            read(bytes);
            return false;
        }
        catch (DataException e)
        {
            AssertOneSentence(e.Message);
            return true;
        }
        catch (Exception e)
        {
            throw new AssertionException($"mutation {round}: {e.GetType().Name} instead of DataException: {e}", e);
        }
        finally
        {
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(AllocationLimit), $"bytes taken by mutation {round}");
        }
    }

    public static void AssertOneSentence(string message)
    {
        Assert.That(message, Does.Not.Contain("\n").And.Not.EndsWith("."), "one sentence");
        Assert.That(message, Does.Contain("expected").And.Match("; [a-z]"), "what was expected and what to do");
    }

    private static byte[] Mutate(byte[] valid, Random random, int round)
    {
        byte[] bytes = [.. valid];
        // Damage falls mostly on the front, where headers are.
        int Anywhere() => random.Next(random.Next(2) == 0 ? Math.Min(valid.Length, 160) : valid.Length);
        switch (round % 8)
        {
            case 0:
                return valid[..random.Next(valid.Length)];
            case 1:
                return [.. valid, .. new byte[1 + random.Next(64)]];
            case 2:
                random.NextBytes(bytes);
                return bytes[..random.Next(bytes.Length)];
            case 3:
                bytes[Anywhere()] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 4:
                for (int i = 0; i < 8; i++)
                    bytes[Anywhere()] = (byte)random.Next(256);
                return bytes;
            case 5:
                int at = Anywhere();
                bytes.AsSpan(at, Math.Min(4, bytes.Length - at)).Fill((byte)(random.Next(3) switch { 0 => 0, 1 => 0x7F, _ => 0xFF }));
                return bytes;
            case 6:
                int start = Anywhere();
                int length = Math.Min(1 + random.Next(32), valid.Length - start);
                return [.. valid[..start], .. valid[(start + length)..]];
            default:
                int from = Anywhere();
                int size = Math.Min(1 + random.Next(16), valid.Length - from);
                return [.. valid[..from], .. valid[from..(from + size)], .. valid[from..]];
        }
    }
}
