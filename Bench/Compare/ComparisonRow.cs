using System.Globalization;
using VaeFromScratch.Bench.Workloads;

namespace VaeFromScratch.Bench.Compare;

/// <summary>What a ratio has to be.</summary>
public readonly record struct Target(double Low, double High)
{
    public static Target AtLeast(double value) => new(value, double.PositiveInfinity);
    public static Target AtMost(double value) => new(0, value);
    public static Target Within(double share) => new(1 - share, 1 + share);

    public bool Holds(double ratio) => ratio >= Low && ratio <= High;

    public override string ToString() =>
        double.IsPositiveInfinity(High) ? Text($">= {Low:0.0#}") : Low == 0 ? Text($"<= {High:0.0#}") : Text($"{Low:0.0#} to {High:0.0#}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One line of the comparison: the ratio of two measured values.</summary>
/// <param name="Section">Whose interference counts.</param>
/// <param name="Over">Path of the numerator, "ours/mnist/train_b100/images_s" or "torch/..".</param>
/// <param name="Under">Path of the denominator.</param>
/// <param name="Ratio">The target of the ratio; null where the row only informs.</param>
/// <param name="Flops">Path of our rate in GFLOP/s, for the share of the peak; null where that says nothing.</param>
/// <param name="Share">The share of the peak that our rate has to reach.</param>
public sealed record ComparisonRow(string Section, string Label, string Over, string Under, Target? Ratio = null, string? Flops = null,
    double? Share = null)
{
    /// <summary>Every row, in the order of the table. The targets are those that the project set itself.</summary>
    public static IReadOnlyList<ComparisonRow> All { get; } =
        [.. Training(), .. Gemm(), .. Convolutions(), .. Elementwise(), .. MutualInformation(), .. Memory(), .. Growth()];

    private static IEnumerable<ComparisonRow> Training() =>
    [
        Rate("mnist", "MNIST conv VAE, training, batch 100", "train_b100", "train_b100", 3),
        Rate("mnist", "same, over the tuned peer", "train_b100", "train_b100_tuned", 2.2),
        Rate("mnist", "MNIST conv VAE, training, batch 512", "train_b512", "train_b512", 2.8),
        Rate("mnist", "same, over the tuned peer", "train_b512", "train_b512_tuned", 2),
        Rate("mnist", "MNIST encoding, batch 1", "encode_b1", "encode_b1", 1.3),
        Rate("mnist", "MNIST encoding, batch 100", "encode_b100", "encode_b100", 1.3),
        Rate("mnist", "MNIST encoding, batch 1000", "encode_b1000", "encode_b1000", 1.3),
        Rate("celeba", "CelebA conv VAE, training, batch 64", "train_b64", "train_b64", 3),
        Rate("celeba", "same, over the tuned peer", "train_b64", "train_b64_tuned", 2),
        Rate("celeba", "CelebA encoding, batch 64", "encode_b64", "encode_b64", null),
        Rate("imae", "IMAE MLP, training, batch 100", "train_b100", "train_b100", 1.7),
        Rate("imae", "same, over the tuned peer", "train_b100", "train_b100_tuned", 1.7),
    ];

    private static IEnumerable<ComparisonRow> Gemm()
    {
        foreach (var (m, k, n) in NetworkShapes.Products)
        {
            string name = $"{m}x{k}x{n}";
            double? share = Math.Min(m, Math.Min(k, n)) >= 512 ? 0.88 : null;
            yield return Time("gemm", $"product {name}", name, name, 1) with { Flops = $"ours/gemm/{name}/gflops", Share = share };
            yield return Time("gemm", $"product {name}, second transposed", $"{name}/nt", $"{name}/nt", 1)
                with
            { Flops = $"ours/gemm/{name}/nt/gflops", Share = share };
        }
    }

    private static IEnumerable<ComparisonRow> Convolutions()
    {
        foreach (var (name, shape) in NetworkShapes.Convolutions)
            foreach (var (pass, label) in new[] { ("fwd", "forward"), ("bwd_data", "backward data"), ("bwd_weight", "backward weight"),
                ("deconv_fwd", "transposed forward") })
            {
                string path = $"{name}/{pass}";
                yield return Time("conv", $"convolution {name}, {label}", path, path, shape.InChannels == 1 ? 2 : 1.2)
                    with
                { Flops = $"ours/conv/{path}/gflops", Share = shape.InChannels >= 32 ? 0.8 : null };
                if (pass == "deconv_fwd")
                    yield return Time("conv", "same, over the tuned peer", path, path + "_tuned", null);
            }
    }

    private static IEnumerable<ComparisonRow> Elementwise()
    {
        foreach (var (name, target) in new (string, double?)[]
        {
            ("softmax_2000x10", 4), ("log_softmax_2000x10", null), ("reparam_with_randn_10000x128", 3), ("randn_10000x128", 5),
                ("exp_10000x128", null), ("log_10000x128", null), ("tanh_10000x128", null),
            ("sigmoid_10000x128", null), ("relu_10000x128", 1), ("add_10000x128", 1), ("mul_10000x128", 1), ("sum_10000x128", 1),
            ("exp_64x128", null), ("relu_64x128", 1), ("add_64x128", 1), ("mul_64x128", 1), ("sum_64x128", 0.8),
        })
            yield return Time("elementwise", name.Replace('_', ' '), name, name, target);
        yield return Time("elementwise", "adam step 937k", "adam_step_937k", "adam_step_937k", null);
        yield return Time("elementwise", "same, over PyTorch's foreach", "adam_step_937k", "adam_step_937k_foreach", null);
    }

    private static IEnumerable<ComparisonRow> MutualInformation() =>
    [
        Time("mi", "information 10000x128, over eager (I2)", "moments_10000x128", "eager_10000x128", 6),
        Time("mi", "same, over eager closed form", "moments_10000x128", "eager_closed_form", null),
        Time("mi", "same with all input checks, over eager (I2)", "indicators_10000x128", "eager_10000x128", null),
    ];

    private static IEnumerable<ComparisonRow> Memory() =>
    [
        new("memory", "peak memory, MNIST training, PyTorch with float images", "ours/memory/train_b100/peak_rss_mib",
            "torch/memory/train_b100_float/peak_rss_mib", Target.AtMost(0.5)),
        new("memory", "same, PyTorch with images as stored bytes", "ours/memory/train_b100/peak_rss_mib",
            "torch/memory/train_b100_bytes/peak_rss_mib"),
    ];

    private static IEnumerable<ComparisonRow> Growth() =>
    [
        Own("time per image, 60 000 over 6 000 images", "images_10_times", "images_few", Target.Within(0.1)),
        Own("time per image, batch 200 over 100", "batch_200", "batch_100", Target.Within(0.1)),
        Own("time per image, batch 500 over 100", "batch_500", "batch_100", Target.Within(0.1)),
        Own("time per image, batch 1000 over 100", "batch_1000", "batch_100", Target.Within(0.1)),
        Own("speed-up of 2 threads over 1", "threads_1", "threads_2", Target.AtLeast(1.8)),
    ];

    private static ComparisonRow Rate(string section, string label, string ours, string torch, double? target) =>
        new(section, label, $"ours/{section}/{ours}/images_s", $"torch/{section}/{torch}/images_s", target is { } t ? Target.AtLeast(t)
            : null);

    /// <summary>Times: PyTorch's over ours, so that more is better.</summary>
    private static ComparisonRow Time(string section, string label, string ours, string torch, double? target) =>
        new(section, label, $"torch/{section}/{torch}/us", $"ours/{section}/{ours}/us", target is { } t ? Target.AtLeast(t) : null);

    private static ComparisonRow Own(string label, string over, string under, Target target) =>
        new("growth", label, $"ours/growth/{over}/us", $"ours/growth/{under}/us", target);
}
