using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.Estimators;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae metrics on codes of anyone, with known answers.</summary>
[Parallelizable]
public sealed class CodeMetricsTests
{
    private const int Values = 5, Points = Values * Values * 80;

    [Test]
    public void A_perfect_code_scores_one()
    {
        var scores = Scores((a, b, _) => (a, b), "mu").GetProperty("disentanglement");
        Assert.That(scores.GetProperty("factors").EnumerateArray().Select(f => f.GetString()), Is.EqualTo(new[] { "width", "height" }));
        foreach (string key in (string[])["mig", "sap", "dci_disentanglement", "dci_completeness", "dci_trees_disentanglement",
            "dci_trees_completeness", "dci_trees_informativeness",
            "dci_size", "modularity", "factor_vae", "beta_vae", "info_modularity", "info_compactness"])
            Assert.That(Mean(scores, key), Is.EqualTo(1).Within(0.05), key);
        Assert.That(Mean(scores, "info_explicitness"), Is.InRange(0.4, 1),
            "a linear classifier tells five values in a row, not perfectly after few steps");
        Assert.That(scores.GetProperty("mig_sampled").ValueKind, Is.EqualTo(JsonValueKind.Null), "without log variances");
    }

    [Test]
    public void A_rotated_code_tells_the_factors_but_not_one_by_one()
    {
        var scores = Scores((a, b, _) => (a + b, a - b), "z").GetProperty("disentanglement");
        foreach (string key in (string[])["mig", "sap", "dci_disentanglement", "dci_trees_disentanglement", "info_modularity",
            "info_compactness"])
            Assert.That(Mean(scores, key), Is.EqualTo(0).Within(0.12), key);
        Assert.That(Mean(scores, "dci_trees_informativeness"), Is.GreaterThan(0.95), "together the codes tell everything");
    }

    [Test]
    public void Noise_scores_nothing()
    {
        var scores = Scores((_, _, noise) => noise, "mu").GetProperty("disentanglement");
        foreach (string key in (string[])["mig", "sap", "dci_informativeness", "info_modularity", "info_explicitness", "info_compactness"])
            Assert.That(Mean(scores, key), Is.EqualTo(0).Within(0.05), key);
        Assert.That(Mean(scores, "dci_trees_informativeness"), Is.EqualTo(1.0 / Values).Within(0.08), "guessing one of five");
        Assert.That(Mean(scores, "dci_trees_disentanglement"), Is.LessThan(0.1));
    }

    [Test]
    public void Log_variances_and_probabilities_are_used()
    {
        var json = Scores((a, b, _) => (a, b), "mu", extra: true);
        Assert.That(json.GetProperty("active_units").GetInt32(), Is.EqualTo(2));
        Assert.That(Mean(json.GetProperty("disentanglement"), "mig_sampled"), Is.GreaterThan(0.9));
        Assert.That(json.GetProperty("category")[0].GetProperty("mi_nats").GetDouble(), Is.EqualTo(Math.Log(Values)).Within(1e-6),
            "the category is the first factor");
        Assert.That(json.GetProperty("disentanglement_ordered").GetProperty("factors").GetArrayLength(), Is.EqualTo(1));
    }

    [Test]
    public void Wrong_files_are_refused()
    {
        string file = Path.Combine(TestFiles.Folder("cli-codes"), "codes.npz");
        Npz.Write(file, [("mu", NpyArray.From([4, 1], [1f, 2, 3, 4]))]);
        Tool.Fails(Tool.Run("metrics", file), 4, "factors");
        Npz.Write(file, [("mu", NpyArray.From([4, 1], [1f, 2, 3, 4])), ("factors", NpyArray.From([3], [1f, 2, 3]))]);
        Tool.Fails(Tool.Run("metrics", file), 4, "3 rows of factors");
        Npz.Write(file, [("mu", NpyArray.From([4, 1], [1f, 2, 3, 4])), ("factors", NpyArray.From([4], [1f, 1, 2, 2]))]);
        Tool.Fails(Tool.Run("metrics", file, "--factor-names", "a,b"), 2, "--factor-names a,b");
        Tool.Fails(Tool.Run("metrics", file, "--categorical", "shape"), 2, "--categorical shape");
    }

    private static double Mean(JsonElement scores, string key) => scores.GetProperty(key).GetProperty("mean").GetDouble();

    /// <summary>Two independent factors of five values each, every pair as often, and a code of two numbers.</summary>
    private static JsonElement Scores(Func<float, float, (float, float), (float, float)> code, string name, bool extra = false)
    {
        // Sampled codes and two sets of factors are several times the work.
        int points = extra ? Points / 4 : Points;
        double[] first = Synthetic.Normal(points, 31), second = Synthetic.Normal(points, 32);
        var (codes, factors, probabilities) = (new float[2 * points], new int[2 * points], new float[Values * points]);
        for (int i = 0; i < points; i++)
        {
            var (a, b) = (i % Values, i / Values % Values);
            (factors[2 * i], factors[2 * i + 1]) = (a, b);
            (codes[2 * i], codes[2 * i + 1]) = code(a, b, ((float)first[i], (float)second[i]));
            probabilities[i * Values + a] = 1;
        }
        string file = Path.Combine(TestFiles.Folder("cli-codes"), "codes.npz");
        List<(string, NpyArray)> arrays = [(name, NpyArray.From([points, 2], codes)), ("factors", NpyArray.From([points, 2], factors))];
        if (extra)
            arrays.AddRange([("logvar", NpyArray.From([points, 2], [.. Enumerable.Repeat(-6f, 2 * points)])), ("probs",
                NpyArray.From([points, Values], probabilities))]);
        Npz.Write(file, arrays);
        return Tool.Run(["metrics", file, "--factor-names", "width,height", .. extra ? (string[])["--categorical", "width"] : [],
            "--json"]).Json();
    }
}
