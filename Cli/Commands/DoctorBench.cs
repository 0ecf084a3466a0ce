using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae doctor --bench: the device's benchmarks as a plain command, under the names of Bench/peers/torch_gpu.py; on a CPU, by
/// OpenCL too, at sizes that end in seconds.
/// </summary>
internal sealed class DoctorBench(IBackend backend)
{
    private static readonly TimeSpan TimePerWorkload = TimeSpan.FromSeconds(1);

    /// <param name="Name">As the peer calls it, where it has the workload.</param>
    /// <param name="Flops">Operations in one run, 0 where bytes are what counts.</param>
    /// <param name="Bytes">Least bytes moved in one run.</param>
    private sealed record Row(string Name, double Seconds, double Flops, double Bytes);

    private readonly bool isSmall = GpuLoader.Describe(backend.Name) is null or { IsCpu: true };

    private IEnumerable<StepWorkload> TrainingSteps => isSmall
        ? [StepWorkload.Mnist(100)]
        : [StepWorkload.Mnist(100), StepWorkload.Mnist(4096), StepWorkload.CelebA(256), StepWorkload.CifarExon(128)];

    /// <summary>Runs all workloads and returns seconds, FLOP/s and bytes/s by name.</summary>
    public JsonObject Run(Output output)
    {
        List<Row> rows =
        [
            MatMul(isSmall ? 1024 : 4096),
            Information(isSmall ? 100_000 : 4_000_000, 128),
            Reparameterise(isSmall ? 100_000 : 1_000_000, 128),
            Mixture(isSmall ? 1024 : 4096, 10),
            .. TrainingSteps.Select(Training),
        ];
        output.Table(["workload", "time, us", "GFLOP/s", "GB/s"], rows.Select(r => (IReadOnlyList<string>)
        [
            r.Name, Number(r.Seconds * 1e6),
            r.Flops > 0 ? Number(r.Flops / r.Seconds * 1e-9) : "", r.Bytes > 0 ? Number(r.Bytes / r.Seconds * 1e-9) : "",
        ]));
        var json = new JsonObject();
        foreach (var r in rows)
            json[r.Name] = new JsonObject
            {
                ["seconds"] = r.Seconds,
                ["flops_per_second"] = r.Flops / r.Seconds,
                ["bytes_per_second"] = r.Bytes / r.Seconds,
            };
        return json;
    }

    private Row MatMul(int n) => WithBuffers([n * n, n * n, n * n], s =>
        new($"matmul_{n}", Time(b => b.MatMul(new(n, n, n), s[0], s[1], s[2])), 2.0 * n * n * n, 12.0 * n * n));

    private Row Information(int points, int factors) => WithBuffers([points * factors, points * factors, 8 * factors], s =>
        new($"information_{points}x{factors}", Time(b => b.EncodingMoments(points, factors, s[0], s[1], s[2])), 0, 8.0 * points * factors));

    private Row Reparameterise(int rows, int h) => WithBuffers([rows * h, rows * h, rows * h, rows * h, rows], s =>
    {
        using var pool = new BufferPool(backend);
        var state = pool.Rent<uint>(4);
        backend.Upload<uint>([1, 0, 0, 0], state);
        return new($"reparameterise_kl_{rows}x{h}", Time(b => b.Reparameterise(rows, h, s[0], s[1], new(state, 0), s[2], s[3], s[4])), 0,
            16.0 * rows * h);
    });

    private Row Mixture(int points, int h) => WithBuffers([points * h, points * h, points * h, points, points * h], s =>
        new($"log_density_{points}x{points}x{h}",
            Time(b => b.MixtureLogDensity(new(points, points, h, s[0], s[1], s[2], PairLogWeights.Uniform(points), s[3], s[4]))),
            20.0 * points * points * h, 0));

    /// <summary>A captured step.</summary>
    private Row Training(StepWorkload workload)
    {
        double seconds = 0;
        workload.With(backend, (compute, step) =>
        {
            using var captured = compute.Capture(step);
            seconds = Time(_ => captured.Replay());
        });
        return new(workload.Name, seconds, 0, 0);
    }

    /// <summary>Seconds of a run until the device is done: the median of some, as the peer's, the first not counted.</summary>
    private double Time(Action<IBackend> work)
    {
        Once();
        List<double> runs = [Once()];
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimePerWorkload;)
            runs.Add(Once());
        runs.Sort();
        return runs[runs.Count / 2];

        double Once()
        {
            long start = Stopwatch.GetTimestamp();
            work(backend);
            backend.Synchronise();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private Row WithBuffers(int[] lengths, Func<Slice<float>[], Row> measure)
    {
        using var pool = new BufferPool(backend);
        var slices = Array.ConvertAll(lengths, pool.Rent<float>);
        // Random numbers, as the peer's: tensor cores draw less power, and clock higher, on equal ones.
        var state = pool.Rent<uint>(4);
        backend.Upload<uint>([1, 0, 0, 0], state);
        for (int i = 0; i < slices.Length; i++)
            backend.Random(Distribution.Normal, new(state, (uint)i), slices[i]);
        return measure(slices);
    }

    private static string Number(double value) => value.ToString("N1", CultureInfo.InvariantCulture);
}
