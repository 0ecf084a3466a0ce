using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench;

/// <summary>
/// load: how long each data set takes from its files to memory, for those that are there. The first of five loads, which compiles the code,
/// is not counted.
/// </summary>
internal static class LoadCommand
{
    private const int Repetitions = 5;

    public static Command Create()
    {
        var dataDir = new Option<DirectoryInfo>("--data-dir")
        {
            Description = "the folder of the data sets",
            DefaultValueFactory = _ => new("datasets")
        };
        var command = new Command("load", "time the loading of data sets") { dataDir };
        command.SetAction(parsed => Run(parsed.GetValue(dataDir)!.FullName));
        return command;
    }

    private static void Run(string dataDir)
    {
        var watch = new Interference();
        Time("mnist, 70 000 images from .gz", () => Mnist.Load(dataDir, "mnist").Train.Count);
        Time("fashion-mnist, 70 000 images", () => Mnist.Load(dataDir, "fashion-mnist").Train.Count);
        foreach (string file in (string[])["test_batch.bin", "test_batch.bin.gz"])
            Time($"cifar10, {file} of 10 000 images", () =>
            {
                string path = Path.Combine(dataDir, "cifar10", file);
                using var stream = File.OpenRead(path);
                return Cifar10.Read(stream, path, "test").Count;
            });
        Time("celeba, decode, crop and resize", () =>
        {
            string cache = Directory.CreateTempSubdirectory("vae-load").FullName;
            try
            {
                using var made = CelebA.Prepare(Path.Combine(dataDir, "celeba"), cache);
                return made.Header.Count;
            }
            finally
            {
                Directory.Delete(cache, recursive: true);
            }
        });
        string eeg = Path.Combine(dataDir, "synthetic-eeg");
        Time("EEG, one participant from .dat to 2 520 frames", () =>
            Deap.Find(eeg) is [var file, ..] ? Frames(EegDataset.From([Deap.Read(file)], "synthetic-eeg"))
                : throw new DataException("no recordings; write them with vae data prepare synthetic-eeg"));
        if (watch.Tell().Remark is { } remark)
            Console.WriteLine(remark);
    }

    /// <summary>All frames of all trials as images.</summary>
    private static int Frames(EegDataset set) => set.ToImages("all", [.. Enumerable.Range(0, set.Trials)]).Count;

    /// <param name="load">Gives the number of images.</param>
    private static void Time(string what, Func<int> load)
    {
        double[] seconds = new double[Repetitions];
        int images = 0;
        try
        {
            for (int i = 0; i < Repetitions; i++)
            {
                long start = Stopwatch.GetTimestamp();
                images = load();
                seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        }
        catch (Exception e) when (e is DataException or IOException)
        {
            Console.WriteLine($"{what}: not measured, {e.Message}");
            return;
        }
        double[] counted = [.. seconds.Skip(1).Order()];
        double median = (counted[1] + counted[2]) / 2;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}: {median:F3} s ({counted[0]:F3} to {counted[^1]:F3}; the first {seconds[0]:F3}), {images / median:F0} images/s"));
    }
}
