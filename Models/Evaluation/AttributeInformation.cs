using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>What each factor of a code says about one thing that is known of the images.</summary>
/// <param name="Name">The known factor, the attribute, or "label".</param>
/// <param name="Entropy">H(attribute), nats: no factor can say more.</param>
/// <param name="Information">I(z_h; attribute) of each factor's mean in 20 bins, nats, [H]; a category stands behind the factors.</param>
internal sealed record AttributeInformation(string Name, double Entropy, IReadOnlyList<double> Information)
{
    /// <summary>The factors by falling information.</summary>
    public IEnumerable<(int Factor, double Nats)> Ranked => Information.Select((nats, h) => (h, nats)).OrderByDescending(f => f.nats);

    /// <summary>
    /// Of all that is known of the images: the factors that they were made from, else their labels, each label's presence where there are
    /// few. Plug-in estimates of 20 bins are
    /// too high by about 19 (V - 1) / 2M for an attribute of V values.
    /// </summary>
    /// <exception cref="OptionException">Nothing is known of them.</exception>
    public static IReadOnlyList<AttributeInformation> Compute(Encodings encodings, ImageDataset images)
    {
        var (names, classes) = Known(images);
        var codes = new LabelledCodes(encodings.Points, encodings.Mu, classes, default, encodings.LogVar, encodings.Probabilities);
        double[,] information = InformationMetrics.BinnedInformation(codes);
        return [.. names.Select((name, f) => new AttributeInformation(name, EntropyOf(codes.Factor(f), codes.Sizes[f]),
            [.. Enumerable.Range(0, codes.CodeSize).Select(h => information[h, f])]))];
    }

    public JsonObject ToJson() => new()
    {
        ["attribute"] = Name,
        ["entropy_nats"] = Entropy,
        ["mi_nats"] = new JsonArray([.. Information.Select(v => JsonValue.Create(v))]),
    };

    /// <summary>To be asked before the images are encoded.</summary>
    /// <exception cref="OptionException">Nothing is known of them.</exception>
    public static void ThrowIfNothingIsKnown(ImageDataset images)
    {
        if (images.Factors is null && images.Labels is null)
            throw new OptionException(
                $"--attributes: nothing is known of the {(images.Columns is null ? "images" : "rows")} of {images.Name}; it takes "
                    + "labels, attributes or factors");
    }

    private static (string[] Names, int[] Classes) Known(ImageDataset images)
    {
        ThrowIfNothingIsKnown(images);
        if (images.Factors is { } truth)
            return (truth.Names, truth.Classes);
        byte[] labels = images.Labels!;
        string[] names = ["label", .. Enumerable.Range(0,
            images.Classes).Select(c => $"label {c.ToString(CultureInfo.InvariantCulture)} or not")];
        var classes = new int[labels.Length * names.Length];
        for (int m = 0; m < labels.Length; m++)
        {
            classes[m * names.Length] = labels[m];
            classes[m * names.Length + 1 + labels[m]] = 1;
        }
        return (names, classes);
    }

    private static double EntropyOf(int[] classes, int size) =>
        new ContingencyTable(classes, classes, size, size).MutualInformation().Value;
}
