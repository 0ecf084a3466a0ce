using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Bench.Compare;

/// <summary>
/// compare-onnx: encoding and decoding of MNIST's convolutional network, ours beside ONNX Runtime's in this process, taking turns.
/// </summary>
internal static partial class OnnxComparison
{
    /// <summary>Threads of the side that ran before spin for a while, on the core that this side's second thread needs.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMilliseconds(50);

    private static readonly int[] Batches = [1, 100, 1000];

    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "the folder that holds mnist/", DefaultValueFactory = _ => "datasets" };
        var threads = new Option<int>("--threads")
        {
            Description = "of both; with one, time is the process's own",
            DefaultValueFactory = _ => 1,
        };
        var pairs = new Option<int>("--pairs") { Description = "turns whose median counts", DefaultValueFactory = _ => 15 };
        var calls = new Option<int>("--latency-calls")
        {
            Description = "single images whose latency is measured; 0 for none",
            DefaultValueFactory = _ => 10_000
        };
        var command = new Command("compare-onnx", "encode and decode beside ONNX Runtime, taking turns, and print a table")
        {
            data, threads, pairs, calls,
        };
        command.SetAction(parsed =>
        {
            var watch = new Interference();
            int count = parsed.GetValue(threads);
            var images = Mnist.Load(parsed.GetValue(data)!).Test;
            using var model = Model(images);
            using var sides = new Sides(model, count);
            Console.WriteLine(
                $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}, {CpuBackend.VectorBits}-bit vectors here, {count} "
                + $"thread{(count == 1 ? ", CPU time of the process" : "s, wall time")}");
            sides.Verify(images.ToFloats(0, 1000));
            Console.WriteLine("| what | batch | ours, images/s | ONNX Runtime, images/s | ours over it, median (least to most) |");
            Console.WriteLine("| --- | --- | --- | --- | --- |");
            foreach (bool decode in (bool[])[false, true])
                foreach (int batch in Batches)
                    Compare(sides, decode, batch, images.ToFloats(0, batch), parsed.GetValue(pairs), count == 1 ? Clock.Process
                        : Clock.Wall);
            if (parsed.GetValue(calls) is > 0 and var latencies)
                Latency(sides, images.ToFloats(0, 1), latencies, count);
            if (watch.Tell().Remark is { } remark)
                Console.WriteLine($"\n{remark}");
            return 0;
        });
        return command;
    }

    private static VaeModel Model(ImageDataset images) => ModelCatalogue.Defaults("beta-vae").With(("network", "conv"), ("latents", 128))
        .CreateModel(new Compute(new CpuBackend(1)), new ImageShape(images.Height, images.Width, images.Channels), pixelVariance: 0.1);

    private static void Compare(Sides sides, bool decode, int batch, float[] images, int pairs, Clock clock)
    {
        var (ours, theirs) = sides.Calls(decode, batch, images);
        int calls = Math.Max(3, 6000 / (batch + 15));
        const int warmUps = 3;
        var rates = new List<(double Ours, double Theirs)>();
        for (int pair = 0; pair < pairs + warmUps; pair++)
        {
            // Who goes first changes from pair to pair.
            bool first = pair % 2 == 0;
            double a = first ? Rate(ours) : 0, b = Rate(theirs);
            a = first ? a : Rate(ours);
            if (pair >= warmUps)
                rates.Add((a, b));
        }
        double[] ratios = [.. rates.Select(r => r.Ours / r.Theirs).Order()];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {(decode ? "decode" : "encode")} | {batch} | {Stopclock.Median(rates.Select(r => r.Ours)):F0} | "
                + $"{Stopclock.Median(rates.Select(r => r.Theirs)):F0} | {Stopclock.Median(ratios):F2} ({ratios[0]:F2} to "
                + $"{ratios[^1]:F2}) |"));

        double Rate(Action call)
        {
            Thread.Sleep(Settled);
            call();
            double start = clock.Seconds();
            for (int i = 0; i < calls; i++)
                call();
            return batch * calls / (clock.Seconds() - start);
        }
    }

    /// <summary>Microseconds of one image, by the clock, each call by itself; the two take turns.</summary>
    private static void Latency(Sides sides, float[] image, int calls, int threads)
    {
        var (ours, theirs) = sides.Calls(decode: false, 1, image);
        double[] a = new double[calls], b = new double[calls];
        for (int i = -1000; i < calls; i++)
        {
            double own = Time(ours), other = Time(theirs);
            if (i >= 0)
                (a[i], b[i]) = (own, other);
        }
        long before = GC.GetTotalAllocatedBytes(precise: true);
        ours();
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        double weights = sizeof(float) * (double)sides.EncoderWeights, bandwidth = CpuProbe.CopyBandwidth(new ThreadTeam(threads));
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"one image, {calls} calls each, taking turns, us: ours p50 {At(a, 0.5):F1}, p99 {At(a, 0.99):F1}; ONNX Runtime p50 "
                + $"{At(b, 0.5):F1}, p99 {At(b, 0.99):F1}; ours allocates {allocated} bytes a call"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"the floor: {weights / 1e6:F2} MB of weights at the {bandwidth / 1e9:F1} GB/s that a copy which misses all caches reads and "
                + $"writes take {weights / bandwidth * 1e6:F1} us; less where caches keep them"));

        static double Time(Action call)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            call();
            return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }

        static double At(double[] values, double share) => values.Order().ElementAt((int)(share * (values.Length - 1)));
    }

    /// <summary>The same network twice.</summary>
    private sealed class Sides : IDisposable
    {
        private readonly VaeModel model;
        private readonly Encoder encoder;
        private readonly Decoder decoder;
        private readonly InferenceSession onnxEncoder, onnxDecoder;
        private readonly RunOptions options = new();
        private readonly List<IDisposable> held = [];

        public Sides(VaeModel model, int threads)
        {
            var configuration = ModelCatalogue.Defaults("beta-vae");
            var none = new Dictionary<string, string>();
            this.model = model;
            (encoder, decoder) = (new(model, threads), new(model, threads));
            onnxEncoder = Session(OnnxFiles.Encoder(model, configuration, none), threads);
            onnxDecoder = Session(OnnxFiles.Decoder(model, configuration, none, activation: true), threads);
        }

        /// <summary>Numbers that the encoder reads for each image.</summary>
        public int EncoderWeights => model.Parameters.Where(p => p.Name.StartsWith("encoder.", StringComparison.Ordinal))
            .Sum(p => p.Shape.Length);

        /// <summary>One call of each side, on buffers that are there already.</summary>
        public (Action Ours, Action Theirs) Calls(bool decode, int batch, float[] images)
        {
            var (height, width, channels) = model.Image;
            float[] mu = new float[batch * model.Latents], logVar = new float[mu.Length], decoded = new float[images.Length];
            encoder.Encode(images, mu, logVar);
            long[] pixels = [batch, channels, height, width], codes = [batch, model.Latents];
            if (decode)
            {
                float[] z = [.. mu];
                OrtValue[] from = [Hold(OrtValue.CreateTensorValueFromMemory(z, codes))],
                    to = [Hold(OrtValue.CreateTensorValueFromMemory(new float[images.Length], pixels))];
                return (() => decoder.Decode(z, decoded), () => onnxDecoder.Run(options, ["z"], from, ["image"], to));
            }
            OrtValue[] input = [Hold(OrtValue.CreateTensorValueFromMemory(images, pixels))];
            OrtValue[] outputs = [Hold(OrtValue.CreateTensorValueFromMemory(new float[mu.Length], codes)),
                Hold(OrtValue.CreateTensorValueFromMemory(new float[mu.Length], codes))];
            return (() => encoder.Encode(images, mu, logVar), () => onnxEncoder.Run(options, ["x"], input, ["mu", "logvar"], outputs));
        }

        /// <summary>Compares before anything is timed.</summary>
        public void Verify(float[] images)
        {
            int count = images.Length / model.Image.Pixels;
            float[] mu = new float[count * model.Latents], theirs = new float[mu.Length];
            encoder.Encode(images, mu, new float[mu.Length]);
            using var x = OrtValue.CreateTensorValueFromMemory(images,
                [count, model.Image.Channels, model.Image.Height, model.Image.Width]);
            using var results = onnxEncoder.Run(options, ["x"], [x], ["mu"]);
            results[0].GetTensorDataAsSpan<float>().CopyTo(theirs);
            double scale = theirs.Max(v => Math.Abs((double)v)), worst = mu.Zip(theirs).Max(p => Math.Abs((double)p.First - p.Second));
            if (!(worst <= 1e-5 * scale))
                throw new InvalidOperationException($"compare-onnx: mu differs by {worst}, of {scale} at most; nothing is timed");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"mu of {count} images: largest difference {worst:E1}, of {scale:F2} at most"));
        }

        public void Dispose()
        {
            held.ForEach(h => h.Dispose());
            foreach (var part in (IDisposable[])[options, onnxEncoder, onnxDecoder, encoder, decoder])
                part.Dispose();
        }

        private static InferenceSession Session(byte[] bytes, int threads) => new(bytes, new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        });

        private OrtValue Hold(OrtValue value)
        {
            held.Add(value);
            return value;
        }
    }

    /// <summary>A clock of Linux: the wall's, or the processor's time of this process.</summary>
    private sealed partial class Clock(int id)
    {
        public static readonly Clock Wall = new(1), Process = new(2);

        public double Seconds() => Read(id, out var time) == 0 ? time.Seconds + 1e-9 * time.Nanoseconds
            : throw new PlatformNotSupportedException("compare-onnx needs Linux");

        [LibraryImport("libc", EntryPoint = "clock_gettime")]
        private static partial int Read(int id, out Time time);

        [StructLayout(LayoutKind.Sequential)]
        private readonly struct Time
        {
            public readonly long Seconds, Nanoseconds;
        }
    }
}
