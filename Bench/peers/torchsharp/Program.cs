using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

// LibTorch's side of the CPU comparison, through TorchSharp: prints one JSON object with a section for each name in --sections, under the
// row names of `Bench -- compare`. Times are the median over blocks of calls after a warm-up, with the least beside it.
var options = Enumerable.Range(0, args.Length / 2).ToDictionary(i => args[2 * i], i => args[2 * i + 1]);
string Option(string name, string otherwise) => options.GetValueOrDefault("--" + name, otherwise);
int repeats = int.Parse(Option("repeats", "3")), imagesPerBlock = int.Parse(Option("images-per-block", "6000"));
double leastSeconds = double.Parse(Option("min-time", "0.05"));
string folder = Option("data", "datasets");
var sections = new Dictionary<string, Func<JsonObject>>
{
    ["gemm"] = Gemm,
    ["conv"] = Convolutions,
    ["elementwise"] = Elementwise,
    ["mnist"] = Mnist,
    ["celeba"] = CelebA,
    ["imae"] = Imae,
    ["memory_float"] = () => Memory(bytes: false),
    ["memory_bytes"] = () => Memory(bytes: true),
};
torch.set_num_threads(int.Parse(Option("threads", "2")));
torch.set_num_interop_threads(1);
torch.random.manual_seed(0);

JsonObject result = [], interference = [];
foreach (string name in Option("sections", string.Join(',', sections.Keys)).Split(','))
{
    if (!sections.TryGetValue(name, out var section))
    {
        Console.Error.WriteLine($"torchsharp: there is no section {name}; sections are {string.Join(", ", sections.Keys)}");
        return 2;
    }
    var watch = new Interference();
    result[name] = section();
    interference[name] = watch.Report();
}
result["interference"] = interference;
result["config"] = new JsonObject
{
    ["name"] = "LibTorch",
    ["torch"] = $"{torch.__version__} through TorchSharp {typeof(torch).Assembly.GetName().Version}",
    ["threads"] = torch.get_num_threads(),
    ["libs"] = "as shipped",
    ["coretype_env"] = "",
    ["aten_env"] = Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") ?? "",
    ["peak_rss_mib"] = PeakMemoryMib(),
};
Console.WriteLine(result.ToJsonString());
return 0;

// ---------------------------------------------------------------- sections: training

JsonObject Mnist()
{
    JsonObject rows = [];
    var data = MnistFloats();
    ConvVae? last = null;
    foreach (int batch in new[] { 100, 512 })
        foreach (bool tuned in new[] { false, true })
        {
            last = new((1, 28, 28), [32, 32], 256, 128, tuned);
            rows[$"train_b{batch}{(tuned ? "_tuned" : "")}"] = TrainingRate(new(last, data, batch, tuned), imagesPerBlock / batch, batch);
        }
    foreach (int count in new[] { 1, 100, 1000 })
        rows[$"encode_b{count}"] = EncodingRate(last!, data.narrow(0, 0, count));
    return rows;
}

JsonObject CelebA()
{
    JsonObject rows = [];
    var data = torch.rand(2048, 3, 64, 64);
    ConvVae? last = null;
    foreach (bool tuned in new[] { false, true })
    {
        last = new((3, 64, 64), [32, 32, 64, 64], 256, 32, tuned);
        rows[$"train_b64{(tuned ? "_tuned" : "")}"] = TrainingRate(new(last, data, 64, tuned), imagesPerBlock / 640, 64);
    }
    rows["encode_b64"] = EncodingRate(last!, data.narrow(0, 0, 64));
    return rows;
}

JsonObject Imae()
{
    JsonObject rows = [];
    var data = MnistFloats().flatten(1);
    foreach (bool tuned in new[] { false, true })
        rows[$"train_b100{(tuned ? "_tuned" : "")}"] = TrainingRate(new(new ImaeMlp(), data, 100, tuned), imagesPerBlock / 100, 100);
    return rows;
}

// Nothing but the training loop, in a process of its own: images as floats, as most users keep them, or as the stored bytes.
JsonObject Memory(bool bytes)
{
    var data = bytes ? MnistBytes() : MnistFloats();
    new Training(new ConvVae((1, 28, 28), [32, 32], 256, 128, true), data, 100, tuned: true).Run(imagesPerBlock / 100);
    return new() { [bytes ? "train_b100_bytes" : "train_b100_float"] = new JsonObject { ["peak_rss_mib"] = PeakMemoryMib() } };
}

JsonObject TrainingRate(Training training, int steps, int batch)
{
    training.Run(steps);
    return Rate(Blocks(() => training.Run(steps), steps * batch));
}

// Channels last, which is the faster.
JsonObject EncodingRate(ConvVae model, Tensor images)
{
    model.eval();
    var x = Net.Layout(images, channelsLast: true);
    var (median, best) = Time(() =>
    {
        using var mode = torch.inference_mode();
        using var scope = torch.NewDisposeScope();
        model.Encode(x);
    });
    return Rate((median / x.shape[0], best / x.shape[0]));
}

// ---------------------------------------------------------------- sections: operations

JsonObject Gemm()
{
    JsonObject rows = [];
    foreach (var (m, k, n) in new[] { (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (100, 784, 500),
        (100, 500, 1000), (100, 1568, 256), (512, 1568, 256), (100, 256, 1568), (1568, 100, 256) })
    {
        using var scope = torch.NewDisposeScope();
        Tensor a = torch.randn(m, k), b = torch.randn(k, n), transposed = torch.randn(n, k).t();
        double flops = 2.0 * m * n * k;
        var row = Row(() => torch.mm(a, b), flops);
        row["nt"] = Row(() => torch.mm(a, transposed), flops);
        rows[$"{m}x{k}x{n}"] = row;
    }
    return rows;
}

// Forward only: TorchSharp has no gradient of a convolution by itself.
JsonObject Convolutions()
{
    JsonObject rows = [];
    foreach (var (name, batch, inputs, size, outputs) in new[] { ("mnist1", 100, 1, 28, 32), ("mnist2", 100, 32, 14, 32),
        ("mnist1_b512", 512, 1, 28, 32), ("mnist2_b512", 512, 32, 14, 32), ("celeba1", 64, 3, 64, 32), ("celeba2", 64, 32, 32, 32),
        ("celeba3", 64, 32, 16, 64), ("celeba4", 64, 64, 8, 64) })
    {
        using var scope = torch.NewDisposeScope();
        Tensor x = Net.Layout(torch.randn(batch, inputs, size, size), channelsLast: true);
        Tensor w = Net.Layout(torch.randn(outputs, inputs, 4, 4) * 0.1f, channelsLast: true);
        Tensor b = torch.randn(outputs), bias = torch.randn(inputs), g = torch.randn_like(F.conv2d(x, w, b, [2L, 2], [1L, 1]));
        double flops = 2.0 * g.numel() * inputs * 16;
        rows[name] = new JsonObject
        {
            ["fwd"] = Row(() => F.conv2d(x, w, b, [2L, 2], [1L, 1]), flops),
            ["deconv_fwd"] = Row(() => F.conv_transpose2d(g, w, bias, [2L, 2], [1L, 1]), flops),
        };
    }
    return rows;
}

JsonObject Elementwise()
{
    JsonObject rows = [];
    foreach (var (name, count) in new[] { ("10000x128", 10000), ("64x128", 64) })
    {
        using var scope = torch.NewDisposeScope();
        Tensor a = torch.randn(count, 128), b = torch.randn(count, 128);
        rows["relu_" + name] = Row(() => a.relu());
        rows["add_" + name] = Row(() => a.add(b));
        rows["mul_" + name] = Row(() => a.mul(b));
        rows["sum_" + name] = Row(() => a.sum());
        rows["exp_" + name] = Row(() => a.exp());
    }
    return rows;
}

// ---------------------------------------------------------------- timing, as in ../torch_cpu.py

(double Median, double Best) Blocks(Action block, double units)
{
    double[] seconds = [.. Enumerable.Range(0, repeats).Select(_ =>
    {
        long start = Stopwatch.GetTimestamp();
        block();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / units;
    }).Order()];
    return ((seconds[(repeats - 1) / 2] + seconds[repeats / 2]) / 2, seconds[0]);
}

(double Median, double Best) Time(Action call)
{
    // Past the first tier of .NET's compiler.
    for (int i = 0; i < 40; i++)
        call();
    int calls = 1;
    for (int round = 0; round < 2; round++)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            call();
        calls = Math.Max(1, (int)(leastSeconds * calls / Stopwatch.GetElapsedTime(start).TotalSeconds));
    }
    return Blocks(() =>
    {
        for (int i = 0; i < calls; i++)
            call();
    }, calls);
}

JsonObject Row(Func<Tensor> call, double flops = 0)
{
    using var mode = torch.inference_mode();
    var (median, best) = Time(() => call().Dispose());
    return new() { ["us"] = median * 1e6, ["us_best"] = best * 1e6, ["gflops"] = flops / median * 1e-9 };
}

JsonObject Rate((double Median, double Best) secondsPerImage) =>
    new() { ["images_s"] = 1 / secondsPerImage.Median, ["images_s_best"] = 1 / secondsPerImage.Best };

// ---------------------------------------------------------------- data and machine

Tensor MnistBytes()
{
    using var file = new GZipStream(File.OpenRead(Path.Combine(folder, "mnist/train-images-idx3-ubyte.gz")), CompressionMode.Decompress);
    file.ReadExactly(new byte[16]);
    byte[] pixels = new byte[60_000 * 784];
    file.ReadExactly(pixels);
    return torch.tensor(pixels, [60_000, 1, 28, 28]);
}

Tensor MnistFloats()
{
    using var bytes = MnistBytes();
    return bytes.to(float32).div_(255);
}

double PeakMemoryMib() => double.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM"))
    .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]) / 1024;

/// <summary>How many cores others used, or the hypervisor took, since this object was made.</summary>
sealed class Interference
{
    private readonly long start = Stopwatch.GetTimestamp();
    private readonly (double Busy, double Stolen) machine = Machine();
    private readonly double own = Own();

    public JsonObject Report()
    {
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var (busy, stolen) = Machine();
        return new()
        {
            ["seconds"] = Math.Round(seconds, 1),
            ["foreign_cores"] = Math.Round((busy - machine.Busy - (Own() - own)) / seconds, 3),
            ["steal_cores"] = Math.Round((stolen - machine.Stolen) / seconds, 3),
        };
    }

    private static double Own() => Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;

    private static (double Busy, double Stolen) Machine()
    {
        // user, nice, system, idle, waiting, interrupts, soft interrupts, stolen; in hundredths of a second.
        double[] v = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(t => double.Parse(t) / 100)];
        return (v[0] + v[1] + v[2] + v[5] + v[6], v[7]);
    }
}
