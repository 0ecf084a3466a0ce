using System.Diagnostics;
using System.Text.Json.Nodes;
using VaeFromScratch.Bench.Networks;
using VaeFromScratch.Data;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Bench.Compare;

/// <summary>Training loops as a user runs them, encoding, growth with data, batch and threads, and peak memory.</summary>
internal static class TrainingSections
{
    public static JsonObject Mnist(Session session)
    {
        var images = LoadMnist(session);
        JsonObject rows = [];
        foreach (int batch in new[] { 100, 512 })
        {
            using var training = new Training(session.Backend.Threads, images.Take(images.Count / batch * batch), batch);
            int steps = session.ImagesPerBlock / batch;
            training.Run(steps);
            rows[$"train_b{batch}"] = Rate(session.Clock.Blocks(() => training.Run(steps), steps * batch));
            if (batch == 100)
                foreach (int count in new[] { 1, 100, 1000 })
                    rows[$"encode_b{count}"] = Encode(session, training.Model, images, count);
        }
        return rows;
    }

    public static JsonObject CelebA(Session session)
    {
        var images = RandomImages.Make(2048, new(64, 64, 3));
        using var training = new Training(session.Backend.Threads, images, batch: 64);
        int steps = session.ImagesPerBlock / 640;
        training.Run(steps);
        return new()
        {
            ["train_b64"] = Rate(session.Clock.Blocks(() => training.Run(steps), steps * 64)),
            ["encode_b64"] = Encode(session, training.Model, images, 64),
        };
    }

    public static JsonObject Imae(Session session)
    {
        const int batch = 100;
        int steps = session.ImagesPerBlock / batch;
        var images = LoadMnist(session);
        var compute = new Compute(new CpuBackend(session.Backend.Threads));
        using var step = new TrainingStep(compute, ImaeMlp.Create(compute), images, batch);
        step.Validate("IMAE MLP");
        int epoch = 0;
        step.RunBlock(epoch++, steps);
        return new() { ["train_b100"] = Rate(session.Clock.Blocks(() => step.RunBlock(epoch++, steps), steps * batch)) };
    }

    /// <summary>
    /// Microseconds per image: medians of rounds, in which what is compared takes turns, so that the machine's drift meets all of it.
    /// </summary>
    public static JsonObject Growth(Session session)
    {
        const int rounds = 5;
        var images = LoadMnist(session);
        var few = images.Take(session.ImagesPerBlock);
        int threads = session.Backend.Threads;
        var rows = new (string Name, Training Training, double Epochs)[]
        {
            ("images_few", new(threads, few, 100), 2),
            ("images_10_times", new(threads, images.Take(10 * few.Count), 100), 0.2),
            ("batch_100", new(threads, few, 100), 1),
            ("batch_200", new(threads, few, 200), 1),
            ("batch_500", new(threads, few, 500), 1),
            ("batch_1000", new(threads, few, 1000), 1),
            ("threads_1", new(1, few, 100), 1),
            ("threads_2", new(2, few, 100), 1),
        };
        foreach (var (_, training, epochs) in rows)
            training.Run((int)(epochs * training.StepsPerEpoch));
        var seconds = rows.Select(_ => new List<double>()).ToList();
        for (int round = 0; round < rounds; round++)
            foreach (var ((_, training, epochs), times) in rows.Zip(seconds))
            {
                int steps = (int)(epochs * training.StepsPerEpoch);
                long start = Stopwatch.GetTimestamp();
                training.Run(steps);
                times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / (steps * training.Batch));
            }
        JsonObject result = [];
        foreach (var ((name, training, _), times) in rows.Zip(seconds))
        {
            result[name] = new JsonObject { ["us"] = Stopclock.Median(times) * 1e6 };
            training.Dispose();
        }
        return result;
    }

    /// <summary>Nothing but the training loop, one epoch of it, in a process of its own.</summary>
    public static JsonObject Memory(Session session)
    {
        using var training = new Training(session.Backend.Threads, LoadMnist(session), batch: 100);
        training.Run(training.StepsPerEpoch);
        return new() { ["train_b100"] = new JsonObject { ["peak_rss_mib"] = CompareCommand.PeakMemoryMib() } };
    }

    private static ImageDataset LoadMnist(Session session) => Data.Mnist.Load(session.DataDir).Train;

    private static JsonObject Rate(Timing secondsPerImage) =>
        new() { ["images_s"] = 1 / secondsPerImage.Median, ["images_s_best"] = 1 / secondsPerImage.Best };

    private static JsonObject Encode(Session session, VaeModel model, ImageDataset images, int count)
    {
        using var encoder = new Encoder(model, session.Backend.Threads);
        float[] x = images.ToFloats(0, count), mu = new float[count * model.Latents], logVar = new float[mu.Length];
        var timing = session.Clock.Time(() => encoder.Encode(x, mu, logVar));
        return Rate(new(timing.Median / count, timing.Best / count));
    }

    /// <summary>The trainer on the convolutional VAE, with a backend of its own.</summary>
    private sealed class Training : IDisposable
    {
        private readonly Compute compute;
        private readonly TrainingData data;
        private readonly Trainer trainer;

        public Training(int threads, ImageDataset images, int batch)
        {
            compute = new(new CpuBackend(threads));
            var configuration = Network.ConvolutionalVae(images, batch);
            data = new(compute, images, Binarise.None, configuration.Training.Seed);
            Model = configuration.CreateModel(compute, new ImageShape(images.Height, images.Width, images.Channels), data.Variance);
            trainer = new(Model, data, configuration);
            Batch = batch;
        }

        public VaeModel Model { get; }

        public int Batch { get; }

        public int StepsPerEpoch => trainer.StepsPerEpoch;

        /// <summary>So many steps, over the ends of epochs.</summary>
        public void Run(int steps)
        {
            long end = trainer.Step + steps;
            while (trainer.Step < end)
                trainer.TrainEpoch(() => trainer.Step >= end);
            if (Model.Noise.Variance is not { } variance || !float.IsFinite(variance))
                throw new InvalidOperationException("training: the variance is not finite");
        }

        public void Dispose()
        {
            trainer.Dispose();
            Model.Dispose();
            data.Dispose();
            compute.Dispose();
        }
    }
}
