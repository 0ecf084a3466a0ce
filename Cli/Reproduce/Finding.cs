using System.Globalization;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>What a measured number must be beside a published one.</summary>
/// <param name="Holds">From published and measured; null where there is nothing to decide.</param>
/// <param name="Met">The verdict when it holds.</param>
/// <param name="Missed">The verdict when it does not.</param>
internal sealed record Target(Func<double, double, bool>? Holds, string Met, string Missed)
{
    /// <summary>Nothing to decide: the number is shown.</summary>
    public static Target Shown { get; } = new(null, "shown", "shown");

    /// <summary>At least as large as published.</summary>
    public static Target AtLeast { get; } = new((published, measured) => measured >= published, "reached", "below");

    /// <summary>At most as large as published.</summary>
    public static Target AtMost { get; } = new((published, measured) => measured <= published, "reached", "above");

    /// <summary>Measured and published cannot be compared, and why.</summary>
    public static Target Incomparable(string why) => new(null, $"not comparable: {why}", "");

    /// <summary>Within a share of the published number; a published 0 must be met to that share of 1.</summary>
    public static Target Within(double share) =>
        new((published, measured) => Math.Abs(measured - published) <= share * (published == 0 ? 1 : Math.Abs(published)),
        string.Create(CultureInfo.InvariantCulture, $"within {100 * share:0.#} %"),
            string.Create(CultureInfo.InvariantCulture, $"not within {100 * share:0.#} %"));

    /// <summary>Within a tolerance of what theory says.</summary>
    public static Target Near(double tolerance) =>
        new((expected, measured) => Math.Abs(measured - expected) <= tolerance, "holds", "fails");
}

/// <summary>One number of a paper beside ours.</summary>
/// <param name="Quantity">What it is, with its unit.</param>
/// <param name="Published">By the paper, or by theory; null where it gives none.</param>
/// <param name="Measured">Null where the run behind it is not finished.</param>
internal sealed record Finding(string Quantity, double? Published, double? Measured, Target Target)
{
    /// <summary>The header of a table of findings.</summary>
    public static string[] Header { get; } = ["quantity", "published", "measured", "difference", "verdict"];

    public string Verdict => Measured is not { } measured ? "not run"
        : Target.Holds is null || Published is null ? Target.Met
        : Target.Holds(Published.Value, measured) ? Target.Met : Target.Missed;

    /// <summary>Whether there was something to meet and it was not met; null where there was nothing to decide.</summary>
    public bool? Missed =>
        Measured is { } measured && Published is { } published && Target.Holds is { } holds ? !holds(published, measured) : null;

    public IReadOnlyList<string> Cells => [Quantity, Number(Published), Number(Measured), Difference, Verdict];

    public JsonObject ToJson() =>
        new() { ["quantity"] = Quantity, ["published"] = Published, ["measured"] = Measured, ["verdict"] = Verdict };

    private string Difference => Published is not { } published || Measured is not { } measured ? "-"
        : Math.Abs(published) < 1e-9 ? string.Create(CultureInfo.InvariantCulture, $"{measured - published:+0.###;-0.###;0}")
        : string.Create(CultureInfo.InvariantCulture, $"{100 * (measured - published) / Math.Abs(published):+0.#;-0.#;0} %");

    private static string Number(double? value) => value is not { } v ? "-"
        : v.ToString(Math.Abs(v) is >= 100 or 0 ? "0.#" : Math.Abs(v) >= 1 ? "0.##" : "0.####", CultureInfo.InvariantCulture);
}
