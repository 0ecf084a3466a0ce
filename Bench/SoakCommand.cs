using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Bench;

/// <summary>
/// soak: trains and evaluates in one process for a long time, and opens and closes devices many times; memory and threads must not grow.
/// </summary>
internal static class SoakCommand
{
    /// <summary>What the end may have more than the first fifth.</summary>
    private const double MostGrowth = 0.02;
    private const int Images = 1000, Side = 28, EvaluationEvery = 10;

    public static Command Create()
    {
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 3600, Description = "train for so long at least" };
        var steps = new Option<int>("--steps") { DefaultValueFactory = _ => 100_000, Description = "and for so many steps" };
        var backends = new Option<int>("--backends") { DefaultValueFactory = _ => 10_000, Description = "devices to open and close" };
        var slack = new Option<int>("--slack")
        {
            DefaultValueFactory = _ => 0,
            Description = "megabytes by which resident memory may grow besides, for times too short to compile all that is used",
        };
        var command = new Command("soak", "train, evaluate, open and close for a long time: memory stays within 2 %")
        {
            seconds, steps, backends, slack,
        };
        command.SetAction(parsed =>
        {
            int more = parsed.GetValue(slack);
            return Train(parsed.GetValue(seconds), parsed.GetValue(steps), more) & Open(parsed.GetValue(backends), more) ? 0 : 1;
        });
        return command;
    }

    private static bool Train(int seconds, int steps, int slack)
    {
        using var compute = new Compute(new CpuBackend());
        var random = new Random(1);
        var splits = new DatasetSplits(Pictures(Images, "train"), Pictures(Images / 5, "test"));
        var configuration = ModelCatalogue.Defaults("beta-vae").With(("network", "mlp:64"), ("latents", 8), ("epochs", int.MaxValue));
        using var data = new TrainingData(compute, splits.Train, Binarise.None, seed: 1);
        using var model = configuration.CreateModel(compute, new(Side, Side, 1), data.Variance, Images);
        using var trainer = new Trainer(model, data, configuration);
        var clock = Stopwatch.StartNew();
        var watch = new Watch("training and evaluating", slack);
        while (trainer.Step < steps || clock.Elapsed.TotalSeconds < seconds)
        {
            trainer.TrainEpoch();
            if (trainer.Epoch % EvaluationEvery == 0)
            {
                trainer.Save();
                EvaluationResult.Compute(model, splits.Test, configuration, splits.Train);
            }
            watch.Look(Math.Min(trainer.Step / (double)steps, clock.Elapsed.TotalSeconds / Math.Max(1, seconds)));
        }
        return watch.Judge($"{trainer.Step} steps in {clock.Elapsed.TotalSeconds:F0} s");

        ImageDataset Pictures(int count, string split)
        {
            byte[] pixels = new byte[count * Side * Side];
            random.NextBytes(pixels);
            return ImageDataset.Of("soak", pixels, Side, Side, split: split);
        }
    }

    private static bool Open(int count, int slack)
    {
        var watch = new Watch("opening and closing devices", slack);
        for (int i = 0; i < count; i++)
        {
            using var compute = new Compute(new CpuBackend(threads: 1 + i % 8));
            var slice = compute.Pool.Rent<float>(100_000);
            compute.Backend.Fill(slice, i);
            compute.Pool.Return(slice);
            watch.Look(i / (double)count);
        }
        return watch.Judge($"{count} times");
    }

    /// <summary>Resident memory, managed memory and threads, of the first fifth and at the end.</summary>
    private sealed class Watch(string what, int slack)
    {
        private const double WarmUp = 0.2;
        private const int Megabyte = 1 << 20;
        private (long Resident, long Managed, int Threads)? first;

        public void Look(double done)
        {
            if (first is null && done >= WarmUp)
                first = Now();
        }

        public bool Judge(string did)
        {
            var (before, now) = (first ?? Now(), Now());
            // Two threads of the runtime may come and go.
            bool flat = now.Resident <= before.Resident * (1 + MostGrowth) + slack * Megabyte
                && now.Managed <= before.Managed * (1 + MostGrowth) + Megabyte
                && now.Threads <= before.Threads + 2;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{(flat ? "ok  " : "FAIL")}  {what}, {did}: resident {before.Resident / (double)Megabyte:F1} to "
                    + $"{now.Resident / (double)Megabyte:F1} MB ({100.0 * now.Resident / before.Resident - 100:+0.0;-0.0} %), managed "
                    + $"{before.Managed / (double)Megabyte:F2} to {now.Managed / (double)Megabyte:F2} MB, threads {before.Threads} to "
                    + $"{now.Threads}"));
            return flat;
        }

        private static (long Resident, long Managed, int Threads) Now()
        {
            long managed = GC.GetTotalMemory(forceFullCollection: true);
            using var process = Process.GetCurrentProcess();
            return (process.WorkingSet64, managed, process.Threads.Count);
        }
    }
}
