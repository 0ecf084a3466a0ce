using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>
/// The runs on MNIST that papers 1 and 2 share: convolutional network, 128 factors, Adam 1e-3, batch 100, 42 000 training images (0.6 of
/// all), beta from the first step.
/// </summary>
internal static class MnistRuns
{
    private const int PaperEpochs = 200;
    private const int PaperImages = 42_000;

    /// <summary>beta of the run that tables and traversals are about.</summary>
    public const string MainBeta = "10";

    /// <summary>beta with learned noise: all of the papers' values, or a few.</summary>
    public static IReadOnlyList<string> Betas(bool quick) =>
        quick ? ["0.5", "1", "4", MainBeta, "18"] : GridAxis.Parse("beta=paper").Values;

    /// <summary>sigma^2 with specified noise: all of paper 2's values, or a few.</summary>
    public static IReadOnlyList<string> Variances(bool quick) =>
        quick ? ["0.001", "0.004", "0.02", "0.05", "0.11"] : [.. GridAxis.Parse("sigma2=paper").Values.Select(v => v["fixed:".Length..])];

    public static string LearnedName(string beta) => $"mnist-beta-{beta}";

    public static string SpecifiedName(string variance) => $"mnist-sigma2-{variance}";

    public static SweepPoint Learned(string beta, bool quick) =>
        new([("beta", beta)], Start("beta-vae", quick, main: beta == MainBeta).With(("beta", beta))) { Label = LearnedName(beta) };

    public static SweepPoint Specified(string variance, bool quick) =>
        new([("noise", $"fixed:{variance}")], Start("vae", quick).With(("noise", $"fixed:{variance}"))) { Label = SpecifiedName(variance) };

    /// <summary>A VAE with beta 1 and some noise model.</summary>
    public static SweepPoint WithNoise(string name, bool quick, string noise, string update = "closed-form") =>
        new([("noise", noise)], Start("vae", quick).With(("noise", noise), ("noise_update", update))) { Label = $"mnist-noise-{name}" };

    private static RunConfiguration Start(string model, bool quick, bool main = false) => ModelCatalogue.Defaults(model).With(
        ("kl_warm_up_epochs", 0), ("epochs", !quick ? PaperEpochs : main ? 15 : 3), ("limit", !quick || main ? PaperImages : 20_000));
}
