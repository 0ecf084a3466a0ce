using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae estimate on files that were not written by the tool.</summary>
[Parallelizable]
public sealed class EstimateCommandTests
{
    private static readonly double Log2 = Math.Log(2);

    // Two factors: mu_0 = +-3 with variance 1, mu_1 = 0 with variance 1.
    private const string TwoFactors =
        """
        mu_0,mu_1,logvar_0,logvar_1
        3,0,0,0
        -3,0,0,0
        3,0,0,0
        -3,0,0,0

        """;

    [Test]
    public void Closed_forms_of_a_hand_written_table()
    {
        var json = Tool.Run("estimate", Write("e.csv", TwoFactors), "--mixture", "none", "--json").Json();
        double information = 0.5 * Math.Log(10);
        Assert.Multiple(() =>
        {
            Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(4));
            Assert.That(json.GetProperty("mi_nats").GetDouble(), Is.EqualTo(information).Within(1e-6));
            Assert.That(json.GetProperty("dtilde_nats").GetDouble(), Is.EqualTo(4.5).Within(1e-6));
            Assert.That(json.GetProperty("d4_nats").GetDouble(), Is.EqualTo(4.5 - information).Within(1e-6));
            Assert.That(json.GetProperty("d5_nats").GetDouble(), Is.EqualTo(4.5 - information).Within(1e-6));
        });
        var factors = json.GetProperty("factors").EnumerateArray().ToList();
        Assert.That(factors.Select(f => f.GetProperty("factor").GetInt32()), Is.EqualTo(new[] { 0, 1 }));
        Assert.Multiple(() =>
        {
            Assert.That(factors[0].GetProperty("mi_nats").GetDouble(), Is.EqualTo(information).Within(1e-6));
            Assert.That(factors[0].GetProperty("mi_centred_nats").GetDouble(), Is.EqualTo(information).Within(1e-6));
            Assert.That(factors[0].GetProperty("mi_variance_ratio_nats").GetDouble(), Is.EqualTo(information).Within(1e-6));
            Assert.That(factors[0].GetProperty("aggregate_variance").GetDouble(), Is.EqualTo(10).Within(1e-5));
            Assert.That(factors[0].GetProperty("kl_nats").GetDouble(), Is.EqualTo(4.5).Within(1e-6));
            Assert.That(factors[1].GetProperty("mi_nats").GetDouble(), Is.Zero);
        });
        foreach (string key in (string[])["mixture_points", "mi_mixture_nats", "total_correlation_nats"])
            Assert.That(json.GetProperty(key).ValueKind, Is.EqualTo(JsonValueKind.Null), key);
        Assert.That(factors[0].GetProperty("mi_mixture_nats").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(factors[0].GetProperty("mi_mixture_standard_error").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void The_mixture_finds_one_bit_where_there_is_one_bit()
    {
        var text = new StringBuilder("mu_0,logvar_0\n");
        for (int i = 0; i < 2000; i++)
            text.Append(i % 2 == 0 ? "3,-4\n" : "-3,-4\n");
        var json = Tool.Run("estimate", Write("bit.csv", text.ToString()), "--json").Json();
        Assert.That(json.GetProperty("mixture_points").GetInt32(), Is.EqualTo(2000));
        Assert.That(json.GetProperty("mi_mixture_nats").GetDouble(), Is.EqualTo(Log2).Within(1e-4));
        Assert.That(json.GetProperty("factors")[0].GetProperty("mi_mixture_nats").GetDouble(), Is.EqualTo(Log2).Within(1e-4));
        Assert.That(json.GetProperty("total_correlation_nats").GetDouble(), Is.EqualTo(0).Within(1e-4),
            "one factor has no total correlation");
        Assert.That(json.GetProperty("mi_nats").GetDouble(), Is.EqualTo(0.5 * (Math.Log(9 + Math.Exp(-4)) + 4)).Within(1e-5),
            "the Gaussian bound knows no better");
    }

    [Test]
    public void A_number_of_mixture_points_is_a_seeded_subset()
    {
        string file = Write("e.csv", TwoFactors);
        var json = Tool.Run("estimate", file, "--mixture", "3", "--json").Json();
        Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(4));
        Assert.That(json.GetProperty("mixture_points").GetInt32(), Is.EqualTo(3));
    }

    [Test]
    public void Categories_and_labels_of_any_numbering()
    {
        string file = Write("c.csv", "mu_0,logvar_0,prob_0,prob_1,label\n0,0,1,0,-7\n0,0,1,0,-7\n0,0,0,1,900000\n0,0,0,1,900000\n");
        var json = Tool.Run("estimate", file, "--json").Json();
        Assert.That(json.GetProperty("mi_category_nats").GetDouble(), Is.EqualTo(Log2).Within(1e-6));
        Assert.That(json.GetProperty("mi_label_nats").GetDouble(), Is.EqualTo(Log2).Within(1e-6));
    }

    [Test]
    public void Npz_as_numpy_writes_it()
    {
        string file = Path.Combine(TestFiles.Folder("cli-estimate"), "e.npz");
        using (var zip = ZipFile.Open(file, ZipArchiveMode.Create))
        {
            AddNpy(zip, "mu", "(4, 2)", [3, 0, -3, 0, 3, 0, -3, 0]);
            AddNpy(zip, "logvar", "(4, 2)", new float[8]);
        }
        var json = Tool.Run("estimate", file, "--json").Json();
        Assert.That(json.GetProperty("mi_nats").GetDouble(), Is.EqualTo(0.5 * Math.Log(10)).Within(1e-6));
        Assert.That(json.TryGetProperty("mi_category_nats", out _), Is.False, "without probs");
    }

    [Test]
    public void Plain_output_names_bound_and_points()
    {
        string text = Tool.Run("estimate", Write("e.csv", TwoFactors)).Succeeded().Out;
        Assert.That(text, Does.Contain("upper bound").And.Contain("from 4 points").And.Contain("mixture of 4"));
    }

    [TestCase("mu_0,sigma_0\n1,2\n", "sigma_0")]
    [TestCase("mu_0,logvar_0\n1,x\n", "line 2")]
    [TestCase("mu_0,logvar_0\n1\n", "line 2")]
    [TestCase("mu_0,logvar_0\n", "without rows")]
    [TestCase("mu_0,logvar_0\n1,500\n", "bad.csv: ", "logvar", "row 0", "500")]
    [TestCase("mu_0,logvar_0,prob_0,prob_1\n1,0,0.7,0.7\n", "sum")]
    [TestCase("", "line 1")]
    public void Wrong_tables_are_refused(string text, params string[] says) =>
        Tool.Fails(Tool.Run("estimate", Write("bad.csv", text)), 4, says);

    [TestCase("0")]
    [TestCase("some")]
    [TestCase("-5")]
    public void Wrong_mixtures_are_refused(string mixture) =>
        Tool.Fails(Tool.Run("estimate", Write("e.csv", TwoFactors), "--mixture", mixture), 2, "--mixture " + mixture);

    private static string Write(string name, string text)
    {
        string file = Path.Combine(TestFiles.Folder("cli-estimate"), name);
        File.WriteAllText(file, text);
        return file;
    }

    private static void AddNpy(ZipArchive zip, string name, string shape, float[] values)
    {
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}";
        header = header.PadRight(128 - 10 - 1) + "\n";
        using var entry = zip.CreateEntry(name + ".npy").Open();
        entry.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0]);
        entry.Write(Encoding.ASCII.GetBytes(header));
        entry.Write(MemoryMarshal.AsBytes<float>(values));
    }
}
