using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace VaeFromScratch.Models.Settings;

/// <summary>Indices of different factors, such as 0,1; may be empty.</summary>
internal sealed record FactorList : IParsable<FactorList>
{
    /// <param name="factors">From 0, each once.</param>
    public FactorList(params int[] factors) => Factors = factors;

    public int[] Factors { get; }

    /// <exception cref="FormatException">They are no different indices with commas between.</exception>
    public static FactorList Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var result)
        ? result : throw new FormatException($"'{s}': expected different factors such as 0,1");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out FactorList result)
    {
        int[] factors = string.IsNullOrEmpty(s) ? [] : [.. s.Split(',')
            .Select(t => int.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out int h) ? h : -1)];
        result = factors.Contains(-1) || factors.Distinct().Count() < factors.Length ? null : new(factors);
        return result is not null;
    }

    /// <summary>The indices, where a code has that many factors.</summary>
    /// <param name="option">The option to name in errors.</param>
    /// <exception cref="OptionException">One is no factor.</exception>
    public int[] Of(int latents, string option) => Factors.All(h => h < latents)
        ? Factors
        : throw new OptionException($"{option} {this}: expected different factors from 0 to {latents - 1} with commas between");

    public bool Equals(FactorList? other) => other is not null && Factors.AsSpan().SequenceEqual(other.Factors);

    public override int GetHashCode() => Factors.Aggregate(0, HashCode.Combine);

    public override string ToString() => string.Join(',', Factors.Select(h => h.ToString(CultureInfo.InvariantCulture)));
}
