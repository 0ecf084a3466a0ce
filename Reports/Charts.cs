using System.Globalization;
using VaeFromScratch.Estimators;
using VaeFromScratch.Models.Evaluation;

namespace VaeFromScratch.Reports;

/// <summary>The charts of a run.</summary>
internal static class Charts
{
    private const int LargestSpectrum = 256;

    /// <summary>Where the colours of shares end.</summary>
    private const double SmallestShare = 1e-4;

    /// <summary>Each term of the objective over the epochs, on training and test images, and sigma^2 where the model has one.</summary>
    public static IEnumerable<Chart> Training(MetricsTable metrics, string item)
    {
        double[] epochs = metrics.Columns["epoch"];
        foreach (string term in metrics.Terms)
        {
            List<Series> lines = [new("train", epochs, metrics.Columns["train_" + term])];
            if (metrics.Columns.TryGetValue("test_" + term, out double[]? test))
                lines.Add(new("test", epochs, test));
            yield return new LineChart(lines)
            {
                Title = term,
                XLabel = "epoch",
                WholeX = true,
                YLabel = $"nats per {item}",
                Width = 440,
                Height = 280
            };
        }
        if (metrics.Columns.TryGetValue("sigma2", out double[]? sigma2) && sigma2.Any(double.IsFinite))
            yield return new LineChart([new("sigma^2", epochs, sigma2)])
            {
                Title = "noise variance",
                XLabel = "epoch",
                WholeX = true,
                YLabel = "sigma^2 per pixel",
                LogY = true,
                Width = 440,
                Height = 280
            };
    }

    /// <summary>How often each category met each label, in percent of the label.</summary>
    public static HeatMap Confusion(CategoryLabels labels)
    {
        var table = labels.Table;
        double[] ofLabel =
            [.. Enumerable.Range(0, table.Labels).Select(l => (double)Enumerable.Range(0, table.Categories).Sum(k => table[k, l]))];
        return new(table.Categories, table.Labels, [.. Enumerable.Range(0, table.Categories * table.Labels)
            .Select(i => Math.Round(100 * table[i / table.Labels, i % table.Labels] / Math.Max(1, ofLabel[i % table.Labels])))])
        {
            Title = "Categories and labels",
            YLabel = "category, with the label that the training images give it",
            XLabel = "label",
            RowLabels = [.. labels.OneToOne.Select((label, k) => label < 0 ? $"{k}" : $"{k}: {label}")],
            Lowest = 0,
            Highest = 100,
            Height = 520,
        };
    }

    /// <summary>How sure the category was after each epoch: paper 5, figure 4.7, a row an epoch.</summary>
    /// <param name="histograms">probabilities.csv.</param>
    public static HeatMap Certainty(MetricsTable histograms)
    {
        string[] bins = [.. histograms.Names.Skip(1)];
        double[] epochs = histograms.Columns[histograms.Names[0]];
        return new(epochs.Length, bins.Length, [.. from row in Enumerable.Range(0,
            epochs.Length) from bin in bins select Math.Log10(Math.Max(histograms.Columns[bin][row], SmallestShare))])
        {
            Title = "Probabilities of the categories over training",
            YLabel = "epoch",
            XLabel = "q(c|x); colour: log10 of the share of all probabilities in the bin",
            RowLabels = [.. epochs.Select(e => e.ToString(CultureInfo.InvariantCulture))],
            ColumnLabels = [.. bins.Select((_, i) => ((i + 0.5) / bins.Length).ToString("0.##", CultureInfo.InvariantCulture))],
            Lowest = Math.Log10(SmallestShare),
            Highest = 0,
            Height = 320,
        };
    }

    /// <summary>Information of each factor, sorted, and its mean variance as a line: paper 1, figure 1.</summary>
    public static BarChart Spectrum(FactorTable factors)
    {
        var ranked = factors.Indicators.Ranked.Take(LargestSpectrum).ToArray();
        return new("I_h, nats (I2)", [.. ranked.Select(f => f.Information)])
        {
            Title = "Information spectrum",
            XLabel = ranked.Length < factors.Indicators.Factors.Count ? $"factor, the {ranked.Length} most informative"
                : "factor, by falling information",
            YLabel = "information, nats",
            Labels = [.. ranked.Select(f => f.Factor.ToString(CultureInfo.InvariantCulture))],
            Overlay = new("mean posterior variance", "mean variance", [.. ranked.Select(f => f.MeanVariance)]),
            Threshold = FactorIndicators.InfluentialInformation,
            ThresholdLabel = "influential: above 0.5 nats, by (I4) too",
        };
    }
}
