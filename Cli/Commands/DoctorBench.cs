using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae doctor --bench: the GPU's benchmarks as a plain command, timed with CUDA events, under the names of Bench/peers/torch_gpu.py. On the CPU, Bench does this.
/// </summary>
internal sealed class DoctorBench(CudaBackend cuda, bool tiny)
{
    private const int Repetitions = 21;

    /// <summary>Of a training step launch after launch, with launches that overlap, with branches and in chains, so that a drift of the clock rate favours none.</summary>
    private const int Turns = 3;

    private static readonly RunConfiguration ConvolutionalVae = new() { Latents = 128, Epochs = 1 };

    /// <summary>The EXoN of paper 4 for CIFAR-10 (its tables 1 and 2); a step on unlabelled images.</summary>
    private static readonly RunConfiguration Exon = ModelCatalogue.Defaults("exon", "cifar10", recipe: "paper");

    /// <param name="Name">As the peer calls it, where it has the workload.</param>
    /// <param name="Flops">Operations in one run, 0 where bytes are what counts.</param>
    /// <param name="Bytes">Least bytes moved in one run.</param>
    /// <param name="OverlappingSeconds">With launches that overlap; null where it is no training step or the GPU cannot.</param>
    /// <param name="BranchesSeconds">With branches; null where it is no training step.</param>
    /// <param name="ChainedSeconds">With chains of layers as one launch; null where it is no training step or the GPU cannot.</param>
    private sealed record Row(string Name, double Seconds, double Flops, double Bytes, double? OverlappingSeconds = null, double? BranchesSeconds = null, double? ChainedSeconds = null);

    /// <summary>A training step of a model.</summary>
    private sealed record Workload(string Model, int Size, int Channels, RunConfiguration Configuration, int Batch)
    {
        public string Name => $"{Model}_batch_{Batch}";

        /// <summary>Large enough for the bytes to bind it, which are fewer in bf16.</summary>
        public bool IsLarge { get; init; }
    }

    // The emulator runs the same workloads at a size that ends in seconds: that they run is all it can show.
    private int LargestProduct => tiny ? 128 : 4096;

    private Workload[] TrainingSteps => tiny
        ? [new("mnist_conv_vae", 28, 1, ConvolutionalVae, 2) { IsLarge = true }, new("cifar_exon", 8, 3, Exon with { Network = "mlp:8", Classifier = "pool:2,2", Latents = 6 }, 2)]
        : [new("mnist_conv_vae", 28, 1, ConvolutionalVae, 100), new("mnist_conv_vae", 28, 1, ConvolutionalVae, 4096) { IsLarge = true },
            new("celeba_conv_vae", 64, 3, ConvolutionalVae, 256) { IsLarge = true }, new("cifar_exon", 32, 3, Exon, 128)];

    /// <summary>Runs all workloads and returns seconds, FLOP/s and bytes/s by name.</summary>
    public JsonObject Run(Output output)
    {
        Launching(overlap: false, branches: false, chains: false);
        List<Row> rows =
        [
            MatMul(LargestProduct),
            .. In(Precision.Fp32, b => b.MatMul(LargestProduct)),
            .. In(Precision.Bf16, b => b.MatMul(LargestProduct)),
            Information(tiny ? 1000 : 4_000_000, tiny ? 8 : 128),
            Reparameterise(tiny ? 100 : 1_000_000, tiny ? 8 : 128),
            Mixture(tiny ? 64 : 4096, 10),
            .. TrainingSteps.Select(Training),
            .. TrainingSteps.Where(w => w.IsLarge).SelectMany(w => In(Precision.Bf16, b => b.Training(w))),
        ];
        output.Table(["workload", "time, us", "launches overlapping, us", "with branches, us", "in chains, us", "GFLOP/s", "GB/s"], rows.Select(r => (IReadOnlyList<string>)
        [
            r.Name, Number(r.Seconds * 1e6), Microseconds(r.OverlappingSeconds), Microseconds(r.BranchesSeconds), Microseconds(r.ChainedSeconds),
            r.Flops > 0 ? Number(r.Flops / r.Seconds * 1e-9) : "", r.Bytes > 0 ? Number(r.Bytes / r.Seconds * 1e-9) : "",
        ]));
        var json = new JsonObject();
        foreach (var r in rows)
            json[r.Name] = new JsonObject
            {
                ["seconds"] = r.Seconds,
                ["overlapping_seconds"] = r.OverlappingSeconds,
                ["branches_seconds"] = r.BranchesSeconds,
                ["chained_seconds"] = r.ChainedSeconds,
                ["flops_per_second"] = r.Flops / r.Seconds,
                ["bytes_per_second"] = r.Bytes / r.Seconds,
            };
        return json;
    }

    /// <summary>Measures every kernel that can compute a product or convolution of these workloads, and writes the fastest to a table.</summary>
    /// <param name="path">The table, see <see cref="TileTable"/>.</param>
    /// <param name="passed">False where a kernel computed something else; the table is written without it.</param>
    public JsonObject Tune(Output output, string path, out bool passed)
    {
        var table = new TileTable();
        int refused = Measure(into: table);
        if (cuda.Precision != Precision.Bf16)
            using (var inBf16 = new CudaBackend(cuda.Ordinal, Precision.Bf16))
                refused += new DoctorBench(inBf16, tiny).Measure(into: table);
        AtomicFile.WriteText(path, table.ToCsv());
        output.Table(["operation", "precision", "rows", "columns", "k", "kernel", "blocks", "us", "by the rule"], table.Rows.Select(r => (IReadOnlyList<string>)
            [r.Problem.Operation, r.Problem.Precision, $"{r.Problem.Rows}", $"{r.Problem.Columns}", $"{r.Problem.K}", r.Kernel, $"{r.BlocksPerMultiprocessor}", Number(r.Microseconds), Number(r.RuleMicroseconds)]));
        output.Line($"{path}: {table.Rows.Count} products and convolutions; {TileTable.FileVariable}={path} makes every command go by it");
        passed = refused == 0;
        return new() { ["file"] = path, ["rows"] = table.Rows.Count, ["refused"] = refused };
    }

    /// <summary>The kernels of this precision, for everything that the benchmarks compute; returns how many were refused.</summary>
    private int Measure(TileTable into)
    {
        int refused = 0;
        cuda.TuneTiles(() =>
        {
            MatMul(LargestProduct);
            foreach (var workload in TrainingSteps)
                WithStep(workload, (_, step) => step());
        }, into, message =>
        {
            refused++;
            Console.Error.WriteLine($"vae: {message}");
        }, quick: tiny);
        return refused;
    }

    /// <summary>A square product; in bf16 all three matrices are stored in it.</summary>
    private Row MatMul(int n) => WithBuffers([n * n, n * n, n * n], s =>
    {
        using var pool = new BufferPool(cuda);
        var operands = Array.ConvertAll(s, floats => cuda.CompactStorage == Storage.Float32 ? floats : pool.Rent(n * n, cuda.CompactStorage));
        for (int i = 0; i < s.Length; i++)
            cuda.Convert(s[i], operands[i]);
        return new($"matmul_{n}", Time(b => b.MatMul(new(n, n, n), operands[0], operands[1], operands[2])), 2.0 * n * n * n, 3.0 * n * n * operands[0].Size);
    });

    /// <summary>A workload in another precision, whose name it gets; nothing where the GPU does not have it.</summary>
    private Row[] In(Precision precision, Func<DoctorBench, Row> measure)
    {
        using var other = new CudaBackend(cuda.Ordinal, precision);
        if (other.Precision != precision)
            return [];
        var row = measure(new(other, tiny));
        return [row with { Name = $"{row.Name}_{CudaBackend.NameOf(precision)}" }];
    }

    private Row Information(int points, int factors) => WithBuffers([points * factors, points * factors, 8 * factors], s =>
        new($"information_{points}x{factors}", Time(b => b.EncodingMoments(points, factors, s[0], s[1], s[2])), 0, 8.0 * points * factors));

    private Row Reparameterise(int rows, int h) => WithBuffers([rows * h, rows * h, rows * h, rows * h, rows], s =>
    {
        using var pool = new BufferPool(cuda);
        var state = pool.Rent<uint>(4);
        cuda.Upload<uint>([1, 0, 0, 0], state);
        return new($"reparameterise_kl_{rows}x{h}", Time(b => b.Reparameterise(rows, h, s[0], s[1], new(state, 0), s[2], s[3], s[4])), 0, 16.0 * rows * h);
    });

    private Row Mixture(int points, int h) => WithBuffers([points * h, points * h, points * h, points, points * h], s =>
        new($"log_density_{points}x{points}x{h}", Time(b => b.MixtureLogDensity(points, points, h, s[0], s[1], s[2], PairLogWeights.Uniform(points), 0, default, s[3], s[4])),
            20.0 * points * points * h, 0));

    /// <summary>A whole training step, as one graph: gathering the batch, both passes, Adam, the variance; in each way of launching, in turn.</summary>
    private Row Training(Workload workload)
    {
        double[] seconds = [];
        WithStep(workload, (compute, step) =>
        {
            using CapturedStep plain = Capture(), branched = Capture(branches: true);
            using CapturedStep? overlapping = cuda.CanOverlap ? Capture(overlap: true) : null, chained = cuda.CanChain ? Capture(chains: true) : null;
            CapturedStep?[] steps = [plain, overlapping, branched, chained];
            seconds = Array.ConvertAll(steps, s => s is null ? double.NaN : double.PositiveInfinity);
            for (int turn = 0; turn < (tiny ? 1 : Turns); turn++)
                for (int i = 0; i < steps.Length; i++)
                    if (steps[i] is { } timed)
                        seconds[i] = Math.Min(seconds[i], Time(_ => timed.Replay()));

            CapturedStep Capture(bool overlap = false, bool branches = false, bool chains = false)
            {
                Launching(overlap, branches, chains);
                var captured = compute.Capture(step);
                Launching(overlap: false, branches: false, chains: false);
                return captured;
            }
        });
        return new(workload.Name, seconds[0], 0, 0, Measured(1), Measured(2), Measured(3));

        double? Measured(int way) => double.IsNaN(seconds[way]) ? null : seconds[way];
    }

    private void Launching(bool overlap, bool branches, bool chains)
    {
        (cuda.Overlap, cuda.Branches) = (overlap, branches);
        cuda.Chains = chains ? ChainShape.Usual : null;
    }

    private void WithStep(Workload workload, Action<Compute, Action> use)
    {
        var (name, size, channels, configuration, batch) = workload;
        var pixels = new byte[batch * size * size * channels];
        new Random(1).NextBytes(pixels);
        var images = new ImageDataset(name, "train", batch, size, size, channels, pixels, null, 0, ImageDataset.ByteScale);
        var compute = new Compute(cuda);
        using var data = new TrainingData(compute, images, "none", 1);
        using var model = ModelCatalogue.Create(compute, configuration, new(size, size, channels), data.Variance);
        using var adam = new Adam(compute, model.Arena);
        var indices = compute.Pool.Rent<int>(batch);
        cuda.Upload<int>([.. Enumerable.Range(0, batch)], indices);
        adam.BeginStep(1, 1e-4);
        model.Rng.BeginStep(1);
        use(compute, () =>
        {
            model.Rng.RestartDraws();
            using var outer = new Tape(compute, gradients: false, training: true);
            var x = data.Gather(indices, model.Rng);
            using var tape = new Tape(compute);
            tape.Backward(model.Objective(x).Seeds());
            adam.Update();
            model.Noise.AfterStep();
        });
        compute.Pool.Return(indices);
    }

    private double Time(Action<IBackend> work) => cuda.Time(work, tiny ? 1 : Repetitions);

    private Row WithBuffers(int[] lengths, Func<Slice<float>[], Row> measure)
    {
        using var pool = new BufferPool(cuda);
        var slices = Array.ConvertAll(lengths, pool.Rent<float>);
        // Random numbers, as the peer's: tensor cores draw less power, and clock higher, on equal ones.
        var state = pool.Rent<uint>(4);
        cuda.Upload<uint>([1, 0, 0, 0], state);
        for (int i = 0; i < slices.Length; i++)
            cuda.Random(Distribution.Normal, new(state, (uint)i), slices[i]);
        return measure(slices);
    }

    private static string Microseconds(double? seconds) => seconds is { } s ? Number(s * 1e6) : "";

    private static string Number(double value) => value.ToString("N1", CultureInfo.InvariantCulture);
}
