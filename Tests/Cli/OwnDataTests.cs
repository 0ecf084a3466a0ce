using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Arrays and tables of one's own through the tool, as a process.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class OwnDataTests
{
    private const int Rows = 200, Tested = 40;

    private static readonly string[] Small = ["--network", "mlp:16", "--latents", "3", "--batch", "50"];

    private static readonly Lazy<(string File, string Run)> OfTable = new(() =>
    {
        string file = Path.Combine(TestFiles.Folder("own-table"), "people.csv"), run = Path.Combine(TestFiles.Folder("own-run"), "run");
        var random = new Random(1);
        string[] plans = ["none", "basic", "full"];
        File.WriteAllLines(file, Enumerable.Range(0, Rows).Select(i => string.Create(CultureInfo.InvariantCulture,
            $"{20 + i % 60},{plans[i % 60 / 20]},{(20 + i % 60) * 900 + random.Next(1000)}")).Prepend("age,plan,income"));
        Tool.Run(["train", "vae", "--data", file, .. Small, "--epochs", "3", "--log", "tensorboard", "--out", run]).Succeeded();
        return (file, run);
    });

    private static readonly Lazy<(string File, string Run)> OfArrays = new(() =>
    {
        string file = Path.Combine(TestFiles.Folder("own-arrays"), "discs.npz"), run = Path.Combine(TestFiles.Folder("own-run"), "run");
        Npz.Write(file, [("x", NpyArray.From([100, 8, 8], [.. Enumerable.Range(0, 6400).Select(i => (float)(i % 97 / 97.0))])),
            ("labels", NpyArray.From([100], (ReadOnlySpan<int>)[.. Enumerable.Range(0, 100).Select(i => i % 2)]))]);
        Tool.Run(["train", "vae", "--data", file, .. Small, "--epochs", "1", "--out", run]).Succeeded();
        return (file, run);
    });

    [Test]
    public void A_table_is_trained_on_with_its_own_noise_and_reported_by_its_columns()
    {
        var (file, run) = OfTable.Value;
        var configuration = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "config.json"))).RootElement;
        Assert.That(configuration.GetProperty("data").GetString(), Is.EqualTo(file));
        Assert.That(configuration.GetProperty("data_sha256").GetString(), Has.Length.EqualTo(64));
        Assert.That(configuration.GetProperty("noise").GetString(), Is.EqualTo("table"));
        Assert.That(configuration.GetProperty("image").GetString(), Is.EqualTo("1x5x1 table 3"));
        string report = File.ReadAllText(Path.Combine(run, "report.html"));
        foreach (string said in (string[])["income", "Columns", "basic", "(N7)"])
            Assert.That(report, Does.Contain(said));
        Assert.That(report, Does.Not.Contain("data:image/png"), "no pictures of what is none");
        // Beside the configuration, whose keys are the same for all data.
        Assert.That(report[report.IndexOf("<body>", StringComparison.Ordinal)..report.IndexOf(">Configuration</h2>",
            StringComparison.Ordinal)], Does.Not.Contain("image"), "rows");
        Assert.That(report, Does.Not.Match(@"<td[^>]*>-?\d\.\d+E"), "incomes have five digits, and no exponent");
        Assert.That(Tool.Run("evaluate", run, "--json").Json().GetProperty("images").GetInt32(), Is.EqualTo(Tested));
        Tool.Run("influence", run, "--keep", "100,50,0").Succeeded();
        Assert.That(Tool.Run("metrics", run, "--json").Json().GetProperty("ssim_images").ValueKind, Is.EqualTo(JsonValueKind.Null));
        string codes = Path.Combine(TestFiles.Folder("own-codes"), "codes.csv");
        Tool.Run("encode", run, "--out", codes).Succeeded();
        Assert.That(File.ReadAllLines(codes), Has.Length.EqualTo(Tested + 1));
        Tool.Run("estimate", codes).Succeeded();
    }

    [Test]
    public void Samples_reconstructions_and_traversals_are_rows_in_the_tables_own_units()
    {
        string run = OfTable.Value.Run, folder = TestFiles.Folder("own-rows"), samples = Path.Combine(folder, "s.csv");
        Tool.Run("sample", run, "--images", "300", "--out", samples).Succeeded();
        var rows = Table(samples);
        Assert.That(rows.Count, Is.EqualTo(301));
        Assert.That(rows[0], Is.EqualTo(new[] { "age", "plan", "income" }));
        Assert.That(rows.Skip(1).Select(r => r[1]).Distinct(), Is.SubsetOf(new[] { "none", "basic", "full" }));
        // Ages are 20 to 79, incomes 900 times as much.
        Assert.That(rows.Skip(1).Average(r => Number(r[0])), Is.EqualTo(50).Within(20));
        Assert.That(rows.Skip(1).Average(r => Number(r[2])), Is.EqualTo(45_000).Within(18_000));
        Assert.That(Tool.Run("sample", run, "--images", "300", "--out", "-").Succeeded().Out, Is.EqualTo(File.ReadAllText(samples)),
            "the same rows by the seed");
        Tool.Run("sample", run, "--sampler", "gmm:2", "--images", "5", "--out", samples).Succeeded();
        Tool.Run("reconstruct", run, "--images", "7", "--out", samples).Succeeded();
        Assert.That(Table(samples).Count, Is.EqualTo(8));
        Tool.Run("traverse", run, "--factors", "top:1", "--images", "2", "--steps", "3", "--out", folder).Succeeded();
        var moved = Table(Directory.GetFiles(folder, "traverse-*.csv").Single());
        Assert.That(moved.Count, Is.EqualTo(7));
        Assert.That(moved.Skip(1).Select(r => Number(r[1])), Is.EqualTo(new[] { -3, 0, 3, -3.0, 0, 3 }));
    }

    [Test]
    public void What_draws_pictures_says_that_a_table_has_none()
    {
        string run = OfTable.Value.Run;
        foreach (string[] command in (string[][])[["sample", run, "--out", "s.png"], ["reconstruct", run, "--out", "r.npz"],
            ["explore", run]])
            AssertRefused(Tool.Run(command), 2, "table");
        AssertRefused(Tool.Run("sample", OfArrays.Value.Run, "--out", "s.csv"), 2, "s.csv");
        foreach (string command in (string[])["sample", "reconstruct"])
            AssertRefused(Tool.Run(command, run, "--columns", "8", "--out", "s.csv"), 2, "--columns 8:");
        AssertRefused(Tool.Run("export", run, "--format", "onnx", "--out", TestFiles.Folder("own-onnx")), 4, "categories");
        AssertRefused(Tool.Run("train", "vae", "--data", OfTable.Value.File, "--binarise", "static", "--out", Out()), 2, "binarise");
        AssertRefused(Tool.Run("train", "vae", "--limit", "10", "--noise", "table", "--out", Out()), 2, "noise table");
    }

    [Test]
    [Platform("Linux")]
    public void The_data_of_a_run_are_not_written_over()
    {
        string folder = TestFiles.Folder("own-kept"), file = Path.Combine(folder, "traverse-0.csv"), run = Out(),
            link = Path.Combine(folder, "link.csv"), there = Path.Combine(folder, "there");
        File.Copy(OfTable.Value.File, file);
        Tool.Run(["train", "vae", "--data", file, .. Small, "--epochs", "1", "--report", "false", "--out", run]).Succeeded();
        File.CreateSymbolicLink(link, file);
        Directory.CreateSymbolicLink(there, folder);
        byte[] before = File.ReadAllBytes(file);
        foreach (string name in (string[])[file, link, Path.Combine(there, "traverse-0.csv"), Path.Combine(run, "..", Path.GetRelativePath(
            Path.GetDirectoryName(run)!, file))])
            foreach (string command in (string[])["sample", "reconstruct", "encode"])
                AssertRefused(Tool.Run(command, run, "--out", name), 2, "data that");
        AssertRefused(Tool.Run("traverse", run, "--factors", "0", "--out", there), 2, "data that");
        Assert.That(File.ReadAllBytes(file), Is.EqualTo(before));
        Tool.Run("sample", run, "--images", "2", "--out", Path.Combine(folder, "other.csv")).Succeeded();
        AssertRefused(Tool.Run("encode", OfArrays.Value.Run, "--out", OfArrays.Value.File), 2, "data that");
    }

    [TestCase("bernoulli")]
    [TestCase("weighted:0.1")]
    public void Noise_of_values_from_0_to_1_is_refused_on_a_table(string noise)
    {
        string run = Out();
        AssertRefused(Tool.Run("train", "vae", "--data", OfTable.Value.File, "--noise", noise, "--out", run), 2, "use table, or learned");
        Assert.That(Directory.Exists(run), Is.False);
    }

    [Test]
    public void Items_of_a_table_are_rows_in_what_is_printed()
    {
        string run = Out();
        var trained = Tool.Run(["train", "vae", "--data", OfTable.Value.File, .. Small, "--epochs", "1", "--out", run]).Succeeded();
        Assert.That(trained.Out, Does.Contain("rows/s"));
        var evaluated = Tool.Run("evaluate", run).Succeeded();
        Assert.That(evaluated.Out, Does.Contain("nats per row").And.Contain($"{Tested} test rows").And.Contain("about the row"));
        var measured = Tool.Run("metrics", run).Succeeded();
        Assert.That(measured.Error, Does.Not.Contain("SSIM"));
        var ranked = Tool.Run("influence", run).Succeeded();
        string all = string.Concat(new[] { trained, evaluated, measured, ranked }.Select(r => r.Out + r.Error));
        Assert.That(all, Does.Not.Contain("image"));
    }

    [Test]
    public void A_run_goes_on_with_the_same_file_and_refuses_a_changed_one()
    {
        string file = Path.Combine(TestFiles.Folder("own-resume"), "t.csv"), run = Out(), whole = Out();
        File.Copy(OfTable.Value.File, file);
        Tool.Run(["train", "vae", "--data", file, .. Small, "--epochs", "1", "--report", "false", "--out", run]).Succeeded();
        Tool.Run("train", "--resume", "--epochs", "2", "--report", "false", "--out", run).Succeeded();
        Tool.Run(["train", "vae", "--data", file, .. Small, "--epochs", "2", "--report", "false", "--out", whole]).Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(run, "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, "model.safetensors"))));
        Tool.Run("train", "--like", run, "--epochs", "1", "--report", "false", "--out", Out()).Succeeded();
        File.AppendAllText(file, "33,none,29000\n");
        AssertRefused(Tool.Run("train", "--resume", "--epochs", "3", "--out", run), 4, "SHA-256");
        AssertRefused(Tool.Run("evaluate", run), 4, "SHA-256");
        Tool.Run("train", "--like", run, "--epochs", "1", "--report", "false", "--out", Out()).Succeeded();
        File.Delete(file);
        AssertRefused(Tool.Run("evaluate", run), 4, file);
    }

    [Test]
    public void A_sweep_takes_a_table()
    {
        string folder = Out();
        Tool.Run(["sweep", "beta-vae", "--data", OfTable.Value.File, .. Small, "--epochs", "1", "--grid", "beta=1,2", "--out", folder])
            .Succeeded();
        Assert.That(File.ReadAllLines(Path.Combine(folder, "summary.csv")), Has.Length.EqualTo(3));
    }

    [Test]
    public void Arrays_with_labels_are_images_like_any_others()
    {
        var (_, run) = OfArrays.Value;
        string codes = Path.Combine(TestFiles.Folder("own-codes"), "codes.csv");
        Tool.Run("encode", run, "--split", "train", "--out", codes).Succeeded();
        Assert.That(Table(codes)[0][^1], Is.EqualTo("label"));
        Assert.That(Table(codes).Count, Is.EqualTo(81));
        Tool.Run("sample", run, "--out", Path.Combine(TestFiles.Folder("own-samples"), "s.png")).Succeeded();
        Tool.Run("classify", run, "--quick", "--keep", "100").Succeeded();
        Assert.That(File.ReadAllText(Path.Combine(run, "report.html")), Does.Contain("data:image/png"));
    }

    [Test]
    public void A_file_that_cannot_be_trained_on_starts_no_run()
    {
        string file = Path.Combine(TestFiles.Folder("own-bad"), "bad.csv"), run = Out();
        File.WriteAllText(file, "a,b\n1,2\n3,\n");
        AssertRefused(Tool.Run("train", "--data", file, "--out", run), 4, "line 3, column b");
        Assert.That(Directory.Exists(run), Is.False);
        AssertRefused(Tool.Run("train", "--data", file + ".csv", "--out", run), 4, file + ".csv");
    }

    private static void AssertRefused(ToolResult result, int code, string said)
    {
        Assert.That(result.ExitCode, Is.EqualTo(code), result.Error);
        string[] lines = result.Error.TrimEnd().Split('\n');
        Assert.That(lines, Has.Length.EqualTo(1), result.Error);
        Assert.That(lines[0], Does.Contain(said));
    }

    private static List<string[]> Table(string file)
    {
        using var text = new StreamReader(file);
        return [.. Csv.Read(text, file).Select(record => record.Cells)];
    }

    private static double Number(string cell) => double.Parse(cell, CultureInfo.InvariantCulture);

    private static string Out() => Path.Combine(TestFiles.Folder("own-out"), "run");
}
