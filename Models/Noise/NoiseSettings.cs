using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Noise;

/// <summary>How a learned variance moves.</summary>
public enum NoiseUpdate
{
    /// <summary>The running mean of the squared residual (equations.md (N2), closed form).</summary>
    ClosedForm,
    /// <summary>By the optimiser, through its logarithm.</summary>
    Gradient,
}

/// <summary>The decoder's noise model.</summary>
public sealed record NoiseSettings
{
    private const string Learned = "noise=learned|mog|table";

    [Setting("the decoder's noise", Expected = NoiseKind.Expected)]
    public NoiseKind Noise { get; init; } = new("learned");

    [Setting("how a learned variance moves", OnlyWith = "noise=learned")]
    public NoiseUpdate NoiseUpdate { get; init; }

    [Setting("sigma^2 before the first step, squared pixel units; 0 for the variance of the training pixels", Least = 0,
        OnlyWith = Learned)]
    public double NoiseStart { get; init; }

    [Setting("decay of the closed form's running average", Least = 0, Below = 1, OnlyWith = Learned)]
    public double NoiseDecay { get; init; } = 0.99;

    [Setting("largest relative change of sigma^2 in one step of the closed form", Above = 0, Below = 1, OnlyWith = Learned)]
    public double NoiseMaximumChange { get; init; } = 0.005;

    [Setting("below which sigma^2 never falls, squared pixel units", Above = 0, MayChange = true, OnlyWith = Learned)]
    public double NoiseFloor { get; init; } = 1e-6;

    /// <summary>Sees that the noise is of numbers such as the data are.</summary>
    /// <exception cref="OptionException">It is for values from 0 to 1, and the data are a table, or have others.</exception>
    internal void RequireFits(ImageDataset data)
    {
        if (Noise.IsOfUnitRange && (data.Columns?.All.Any(c => c.IsCategory) == true || data.Values?.Any(v => v is < 0 or > 1) == true))
            throw new OptionException($"noise {Noise}: it is for values from 0 to 1, and {data.Name} is a table, of standardised numbers "
                + "and of categories; use table, or learned, fixed:VARIANCE, network or mog:K");
    }

    /// <param name="pixelVariance">Variance of the training pixels, where a learned sigma^2 starts.</param>
    /// <param name="penalty">lambda_2 of the penalty on a small learned variance; 0 for none.</param>
    /// <param name="table">How the columns of a table lie; null for pictures.</param>
    /// <exception cref="OptionException">There is a penalty and no learned variance, or the noise is of tables and there is
    /// none.</exception>
    internal NoiseModel Create(double pixelVariance, double penalty = 0, TableLayout? table = null)
    {
        // Images that are all the same have no variance to start from.
        double start = NoiseStart > 0 ? NoiseStart : Math.Max(NoiseFloor, pixelVariance);
        if (penalty > 0 && Noise.Name != "learned")
            throw new OptionException(FormattableString.Invariant(
                $"lambda2 {penalty}: it penalises a learned variance; noise is {Noise}, so set lambda2 to 0 or noise to learned"));
        return Noise switch
        {
            { Name: "learned" } when penalty > 0 => new PenalisedNoise(new(start, NoiseDecay, NoiseMaximumChange, NoiseFloor), penalty),
            { Name: "learned" } when NoiseUpdate == NoiseUpdate.Gradient => new GradientNoise(NoiseStart > 0 ? NoiseStart : 1),
            { Name: "learned" } => new ClosedFormNoise(new(start, NoiseDecay, NoiseMaximumChange, NoiseFloor)),
            { Name: "fixed", Number: { } variance } => new FixedNoise(variance),
            { Name: "network", Number: { } floor } => new NetworkNoise(floor),
            { Name: "network" } => new NetworkNoise(),
            { Name: "mog", Number: { } components } =>
                new MixtureNoise(new((int)components, start, NoiseDecay, NoiseMaximumChange, NoiseFloor)),
            { Name: "bernoulli" } => new BernoulliNoise(),
            // Standardised columns have a variance of 1.
            { Name: "table" } => new TableNoise(table ?? throw new OptionException(
                "noise table: it is for tables and vectors, and the data are pictures; name another noise, or data with columns"),
                new(NoiseStart > 0 ? NoiseStart : 1, NoiseDecay, NoiseMaximumChange, NoiseFloor)),
            { Number: { } epsilon } => new WeightedNoise(epsilon),
            _ => new WeightedNoise(),
        };
    }
}

/// <summary>
/// A noise model as a user writes it: learned, fixed:VARIANCE, network, network:FLOOR (one variance a pixel, by the decoder), mog:K (a
/// mixture of K Gaussians), bernoulli, weighted or weighted:EPSILON, table (of a table's columns, each with its own).
/// </summary>
/// <param name="Number">What stands behind the colon; null for nothing.</param>
public sealed record NoiseKind(string Name, double? Number = null) : IParsable<NoiseKind>
{
    internal const string Expected =
        "learned, fixed:VARIANCE such as fixed:0.01, network, network:FLOOR, mog:K such as mog:2, bernoulli, weighted, weighted:EPSILON "
        + "or table";

    private const int MostComponents = 64;

    /// <summary>Whether sigma^2 or several of them move by the closed form.</summary>
    public bool IsLearned => Name is "learned" or "mog" or "table";

    /// <summary>Whether it means something for values from 0 to 1 only.</summary>
    internal bool IsOfUnitRange => Name is "bernoulli" or "weighted";

    /// <exception cref="FormatException">There is no such noise.</exception>
    public static NoiseKind Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result) ? result
        : throw new FormatException($"'{s}': expected {Expected}");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out NoiseKind result)
    {
        string[] parts = (s ?? "").Split(':', 2);
        double? number = parts.Length < 2 ? null : double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture,
            out double v) && double.IsFinite(v) ? v : 0;
        result = (parts[0], number) switch
        {
            ("learned" or "network" or "bernoulli" or "weighted" or "table", null) or ("fixed" or "network" or "weighted", > 0) =>
                new(parts[0], number),
            ("mog", >= 1 and <= MostComponents) when number == Math.Floor(number.Value) => new("mog", number),
            _ => null,
        };
        return result is not null;
    }

    public override string ToString() => Number is { } number ? string.Create(CultureInfo.InvariantCulture, $"{Name}:{number}") : Name;
}
