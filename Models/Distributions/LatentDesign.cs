using System.Globalization;
using System.Text.Json;

namespace VaeFromScratch.Models.Distributions;

/// <summary>
/// Where each class is to lie in the latent space: a mixture of K Gaussians in H factors that the user designs (paper 4, section 3.1;
/// equations.md (G1), (G5)).
/// </summary>
/// <param name="Weights">w_k, positive, of sum 1, [K].</param>
/// <param name="Centres">m_kh, [K][H].</param>
/// <param name="Variances">v_kh, variances and not standard deviations, [K][H].</param>
public sealed record LatentDesign(double[] Weights, double[][] Centres, double[][] Variances)
{
    internal const string Expected =
        "expected circle, circle:K, line, line:K, or JSON such as {\"centres\": [[-4, 0], [4, 0]], \"variances\": 4} with one centre a "
        + "class (variances: a number, one a factor, or one a class and factor; weights: one a class)";

    /// <summary>The number of components, K.</summary>
    public int Components => Centres.Length;

    /// <param name="text">
    /// circle or circle:K (ten classes, or K, around a circle in the first two factors, with variance 4), line or line:K (on a line in the
    /// first third of the factors, with
    /// variance 0.1), where the other factors have mean 0 and variance 1; or JSON with centres, variances and, where they are not equal,
    /// weights.
    /// </param>
    /// <param name="latents">H.</param>
    /// <exception cref="OptionException">It is none of these, or does not fit the number of factors.</exception>
    public static LatentDesign Parse(string text, int latents)
    {
        string[] parts = text.Split(':', 2);
        int classes = parts.Length < 2 ? 10 : int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int k) ? k : 0;
        return (parts[0], classes) switch
        {
            ("circle", >= 2) when latents >= 2 => Circle(classes, latents),
            ("circle", >= 2) => throw new OptionException($"design {text}: a circle needs two factors, --latents is {latents}"),
            ("line", >= 2) => Line(classes, latents),
            _ when text.TrimStart().StartsWith('{') => FromJson(text, latents),
            _ => throw new OptionException($"design {text}: {Expected}"),
        };
    }

    /// <summary>(G5): neighbours are 8, four standard deviations, apart; for ten classes the radius is 4 / sin(pi / 10) = 12.94.</summary>
    private static LatentDesign Circle(int classes, int latents)
    {
        double radius = 4 / Math.Sin(Math.PI / classes);
        return Uniform(classes, latents, relevant: 2, variance: 4, (k, h) =>
        {
            double angle = (2 * k + 1) * Math.PI / classes;
            return radius * (h == 0 ? Math.Cos(angle) : Math.Sin(angle));
        });
    }

    /// <summary>
    /// Paper 4, section 4.2: the first 100 of 300 factors tell the classes apart, from 6 in all of them to -6 in all of them.
    /// </summary>
    private static LatentDesign Line(int classes, int latents) =>
        Uniform(classes, latents, relevant: (latents + 2) / 3, variance: 0.1, (k, _) => 6 - 12.0 * k / (classes - 1));

    private static LatentDesign Uniform(int classes, int latents, int relevant, double variance, Func<int, int, double> centre) => new(
        [.. Enumerable.Repeat(1.0 / classes, classes)],
        [.. Enumerable.Range(0, classes).Select(k => Enumerable.Range(0, latents).Select(h => h < relevant ? centre(k, h) : 0).ToArray())],
        [.. Enumerable.Range(0, classes).Select(_ => Enumerable.Range(0, latents).Select(h => h < relevant ? variance : 1).ToArray())]);

    private static LatentDesign FromJson(string text, int latents)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            double[][] centres = [], variances = [];
            double[]? weights = null;
            JsonElement variance = default;
            foreach (var property in json.RootElement.EnumerateObject())
                switch (property.Name)
                {
                    case "centres":
                        centres = [.. property.Value.EnumerateArray().Select(Numbers)];
                        break;
                    case "variances":
                        variance = property.Value;
                        break;
                    case "weights":
                        weights = Numbers(property.Value);
                        break;
                    default:
                        throw new OptionException($"design: there is no key '{property.Name}'; {Expected}");
                }
            variances = variance.ValueKind switch
            {
                JsonValueKind.Number => [.. centres.Select(c => c.Select(_ => variance.GetDouble()).ToArray())],
                JsonValueKind.Array when variance.GetArrayLength() > 0 && variance[0].ValueKind == JsonValueKind.Array =>
                    [.. variance.EnumerateArray().Select(Numbers)],
                JsonValueKind.Array => [.. centres.Select(_ => Numbers(variance))],
                _ => throw new OptionException($"design: it has no variances; {Expected}"),
            };
            return new LatentDesign(weights ?? [.. centres.Select(_ => 1.0 / centres.Length)], centres, variances).Checked(latents);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new OptionException($"design: {e.Message.TrimEnd('.')}; {Expected}");
        }

        static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetDouble())];
    }

    private LatentDesign Checked(int latents)
    {
        if (Components < 2)
            throw new OptionException($"design: {Components} centres; {Expected}");
        for (int k = 0; k < Components; k++)
            if (Centres[k].Length != latents || k >= Variances.Length || Variances[k].Length != latents)
                throw new OptionException(
                    $"design: class {k} has {Centres[k].Length} coordinates and {(k < Variances.Length ? Variances[k].Length : 0)} "
                    + $"variances; --latents is {latents}, so that each class needs {latents} of both");
        if (Variances.Length != Components || Weights.Length != Components)
            throw new OptionException(
                $"design: {Components} centres, {Variances.Length} rows of variances and {Weights.Length} weights; expected as many of "
                + $"each");
        if (Centres.SelectMany(c => c).Any(c => !double.IsFinite(c))
            || Variances.SelectMany(v => v).Any(v => !(v > 0) || !double.IsFinite(v)))
            throw new OptionException("design: centres must be finite and variances positive");
        return Weights.All(w => w > 0) && Math.Abs(Weights.Sum() - 1) < 1e-6
            ? this
            : throw new OptionException(
                $"design: weights must be positive and add up to 1, not to {Weights.Sum().ToString(CultureInfo.InvariantCulture)}");
    }
}
