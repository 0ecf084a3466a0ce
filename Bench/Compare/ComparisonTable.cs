using System.Globalization;
using System.Text;

namespace VaeFromScratch.Bench.Compare;

/// <summary>The comparison as Markdown: medians over the undisturbed pairs, with the least and largest ratio.</summary>
public static class ComparisonTable
{
    public static string Write(PairResults results)
    {
        var text = new StringBuilder();
        foreach (string section in results.Sections)
        {
            int measured = results.MeasuredPairs(section), quiet = results.QuietPairs(section);
            if (quiet < measured)
                text.Append(CultureInfo.InvariantCulture,
                    $"{section}: {measured - quiet} of {measured} pairs discarded (others used more than {PairResults.QuietCores} "
                    + $"cores).\n\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"| what | ours | {results.Peer} | ratio | min | max | target | met | % of peak |\n");
        text.Append("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- | ---: |\n");
        int targets = 0, met = 0;
        foreach (var row in ComparisonRow.All)
        {
            var values = results.Values(row);
            if (values.Count == 0)
                continue;
            double[] ratios = [.. values.Select(v => v.Over / v.Under)];
            double ratio = Stopclock.Median(ratios);
            var shares = row.Flops is null ? [] : results.SharesOfPeak(row);
            double? share = shares.Count == 0 ? null : Stopclock.Median(shares);
            bool? holds = row.Ratio is { } target ? target.Holds(ratio) && !(share < row.Share) : row.Share is { } least ? share >= least
                : null;
            targets += holds is null ? 0 : 1;
            met += holds == true ? 1 : 0;
            text.Append(CultureInfo.InvariantCulture,
                $"| {row.Label} | {Side("ours")} | {Side("torch")} | {ratio:F2} | {ratios.Min():F2} | {ratios.Max():F2} | "
                    + $"{row.Ratio}{(row.Share is { } s ? $", {100 * s:F0} %" : "")} | {(holds is { } h ? h ? "yes" : "**no**" : "")} | "
                    + $"{(share is { } p ? (100 * p).ToString("F0", CultureInfo.InvariantCulture) : "")} |\n");

            string Side(string side) =>
                (row.Over.StartsWith(side, StringComparison.Ordinal), row.Under.StartsWith(side, StringComparison.Ordinal)) switch
                {
                    (true, true) => $"{Value(values.Select(v => v.Over), row.Over)} / {Value(values.Select(v => v.Under), row.Under)}",
                    (true, _) => Value(values.Select(v => v.Over), row.Over),
                    (_, true) => Value(values.Select(v => v.Under), row.Under),
                    _ => "",
                };
        }
        text.Append(CultureInfo.InvariantCulture, $"\n{met} of {targets} rows with a target reach it.\n");
        return text.ToString();
    }

    private static string Value(IEnumerable<double> values, string path)
    {
        double value = Stopclock.Median(values);
        return path[(path.LastIndexOf('/') + 1)..] switch
        {
            "images_s" => string.Create(CultureInfo.InvariantCulture, $"{value:F0} images/s"),
            "peak_rss_mib" => string.Create(CultureInfo.InvariantCulture, $"{value:F0} MiB"),
            _ when value >= 10_000 => string.Create(CultureInfo.InvariantCulture, $"{value / 1000:F1} ms"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{value:F1} us"),
        };
    }
}
