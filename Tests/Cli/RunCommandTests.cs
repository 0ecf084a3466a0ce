using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>The commands that work on a finished run.</summary>
[Parallelizable]
public sealed class RunCommandTests
{
    private static readonly string[] EvaluationKeys =
    [
        "model", "data", "split", "images", "nll_nats", "kl_nats", "evlb_nats", "bce_nats", "sigma2", "squared_error", "mi_nats",
            "mi_mixture_nats", "total_correlation_nats",
        "influential_factors", "active_units", "mi_category_nats", "mi_joint_nats", "total_correlation_joint_nats", "accuracy",
            "cluster_accuracy", "mi_label_nats", "test_error",
    ];

    [Test]
    public void Evaluate_repeats_the_numbers_of_training()
    {
        string run = Tool.CopyOfRun(), file = Path.Combine(run, "evaluation.json");
        string before = File.ReadAllText(file);
        File.Delete(file);
        var json = Tool.Run("evaluate", run, "--json").Json();
        Assert.That(json.EnumerateObject().Select(p => p.Name), Is.SupersetOf(EvaluationKeys));
        Assert.That(File.ReadAllText(file), Is.EqualTo(before));
        Assert.That(json.GetProperty("accuracy").ValueKind, Is.EqualTo(JsonValueKind.Null), "what a model does not define is null");
    }

    [Test]
    public void Evaluate_prints_plain_lines_when_redirected()
    {
        string text = Tool.Run("evaluate", Tool.CopyOfRun()).Succeeded().Out;
        Assert.That(text, Does.Contain("EVLB").And.Contain("factor").And.Contain("report.html").And.Contain("##"));
        Assert.That(text.All(c => c is '\n' or >= ' ' and <= '~'), "no colours and no box drawing");
    }

    [Test]
    public void Influence_ranks_the_factors_and_reduces_the_reconstruction()
    {
        string run = Tool.CopyOfRun();
        var json = Tool.Run("influence", run, "--keep", "100,50,12.5,0", "--json").Json();
        var factors = json.GetProperty("factors").EnumerateArray().ToList();
        Assert.That(factors, Has.Count.EqualTo(8));
        Assert.That(factors.Select(f => f.GetProperty("mi_nats").GetDouble()), Is.Ordered.Descending);
        Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(Tool.TestImages));
        Assert.That(json.GetProperty("d4_nats").GetDouble(), Is.EqualTo(json.GetProperty("d5_nats").GetDouble()).Within(1e-5));

        string[] reduced = File.ReadAllLines(Path.Combine(run, "reduced.csv"));
        Assert.That(reduced[0], Is.EqualTo("top_percent,factors,mi_nats,squared_error"));
        Assert.That(reduced.Skip(1).Select(l => string.Join(',', l.Split(',')[..2])),
            Is.EqualTo(new[] { "100,8", "50,4", "12.5,1", "0,0" }));
        double whole = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "evaluation.json"))).RootElement.GetProperty("squared_error")
            .GetDouble();
        Assert.That(double.Parse(reduced[1].Split(',')[3], CultureInfo.InvariantCulture), Is.EqualTo(whole).Within(1e-4 * whole),
            "all factors kept is the full reconstruction");

        string[] table = File.ReadAllLines(Path.Combine(run, "influence.csv"));
        Assert.That(table[0],
            Is.EqualTo("factor,mi_nats,mi_centred_nats,mi_mixture_nats,aggregate_variance,kl_nats,mean_variance,influential"));
        Assert.That(table, Has.Length.EqualTo(9));
        Assert.That(File.ReadAllText(Path.Combine(run, "influence.svg")), Does.StartWith("<svg"));
    }

    [Test]
    public void Influence_takes_a_subset_of_points()
    {
        var json = Tool.Run("influence", Tool.CopyOfRun(), "--points", "50", "--json").Json();
        Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(50));
        Assert.That(json.GetProperty("mixture_points").GetInt32(), Is.EqualTo(50));
        Assert.That(json.GetProperty("reduced").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void Pictures_are_grids_of_the_right_size()
    {
        string run = Tool.CopyOfRun();
        Tool.Run("sample", run, "--images", "6", "--columns", "3").Succeeded();
        var samples = Picture(Path.Combine(run, "samples.png"));
        Assert.That((samples.Width, samples.Height), Is.EqualTo((3 * 58 + 2, 2 * 58 + 2)));

        string other = Path.Combine(TestFiles.Folder("cli-pictures"), "deep", "r.png");
        Tool.Run("reconstruct", run, "--images", "5", "--columns", "4", "--out", other).Succeeded();
        Assert.That(Picture(other).Height, Is.EqualTo(4 * 58 + 2), "two rows of originals, two of reconstructions");

        var json = Tool.Run("traverse", run, "--factors", "3,7", "--steps", "5", "--images", "2", "--json").Json();
        Assert.That(json.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("factor").GetInt32()), Is.EqualTo(new[] { 3, 7 }));
        var traversal = Picture(Path.Combine(run, "traverse-7.png"));
        Assert.That((traversal.Width, traversal.Height), Is.EqualTo((5 * 58 + 2, 2 * 58 + 2)));
    }

    [Test]
    public void A_relative_traversal_is_around_each_images_own_value()
    {
        string run = Tool.CopyOfRun();
        byte[] Traversal(params string[] more)
        {
            Tool.Run(["traverse", run, "--factors", "3", "--steps", "3", "--images", "2", .. more]).Succeeded();
            return File.ReadAllBytes(Path.Combine(run, "traverse-3.png"));
        }
        byte[] absolute = Traversal(), relative = Traversal("--relative");
        Assert.That(relative, Is.Not.EqualTo(absolute));
        // The middle of three values is the image's own: of a range that is almost nothing all three are.
        Assert.That(Traversal("--relative", "--range", "1e-9"), Is.Not.EqualTo(Traversal("--range", "1e-9")),
            "0 in place of the own value");
    }

    [Test]
    public void A_mixture_sampler_says_what_density_it_gains()
    {
        string run = Tool.CopyOfRun();
        string text = Tool.Run("sample", run, "--sampler", "gmm:3", "--images", "4").Succeeded().Out;
        Assert.That(text, Does.Match(@"density +-?\d+\.\d{3} nats per image gained over N\(0, I\), mean of 120 test codes"));
        byte[] mixture = File.ReadAllBytes(Path.Combine(run, "samples.png"));
        Tool.Run("sample", run, "--images", "4").Succeeded();
        Assert.That(File.ReadAllBytes(Path.Combine(run, "samples.png")), Is.Not.EqualTo(mixture));
        Tool.Fails(Tool.Run("sample", run, "--sampler", "gmm:0"), 2, "--sampler gmm:0", "gmm:10");
    }

    [Test]
    public void A_run_against_itself_finds_the_same_factors()
    {
        string run = Tool.CopyOfRun();
        var rows = Tool.Run("metrics", run, "--ssim-images", "0", "--against", Tool.TrainedRun, "--json").Json().GetProperty("against");
        Assert.That(rows.GetArrayLength(), Is.EqualTo(2));
        Assert.That(rows[1].GetProperty("mcc").GetDouble(), Is.EqualTo(1).Within(1e-6));
        Assert.That(rows[0].GetProperty("udr").GetDouble(), Is.EqualTo(rows[1].GetProperty("udr").GetDouble()).Within(1e-9));
        Tool.Fails(Tool.Run("metrics", run, "--against", "nowhere"), 4, "nowhere");
    }

    [Test]
    public void Attributes_are_the_labels_where_nothing_else_is_known()
    {
        string run = Tool.CopyOfRun();
        var result = Tool.Run("influence", run, "--attributes", "--json").Json().GetProperty("attributes");
        Assert.That(result[0].GetProperty("attribute").GetString(), Is.EqualTo("label"));
        double entropy = result[0].GetProperty("entropy_nats").GetDouble();
        Assert.That(entropy, Is.InRange(1.5, Math.Log(10)));
        Assert.That(result[0].GetProperty("mi_nats").EnumerateArray().Select(v => v.GetDouble()), Has.Exactly(8).InRange(0, entropy));
        Assert.That(File.ReadLines(Path.Combine(run, "attributes.csv")).First(), Is.EqualTo("attribute,entropy_nats,factor,mi_nats"));
    }

    [Test]
    public void Pictures_depend_on_the_seed_alone()
    {
        string run = Tool.CopyOfRun();
        byte[] Sample(params string[] more)
        {
            Tool.Run(["sample", run, "--images", "4", .. more]).Succeeded();
            return File.ReadAllBytes(Path.Combine(run, "samples.png"));
        }
        byte[] first = Sample();
        Assert.That(Sample("--threads", "1"), Is.EqualTo(first));
        Assert.That(Sample("--seed", "9"), Is.Not.EqualTo(first));
    }

    [Test]
    public void The_number_of_threads_changes_no_byte_of_encodings_and_traversals()
    {
        byte[][] Files(int threads)
        {
            string folder = TestFiles.Folder($"cli-threads-{threads}"), codes = Path.Combine(folder, "e.csv");
            Tool.Run("encode", Tool.TrainedRun, "--out", codes, "--threads", $"{threads}").Succeeded();
            Tool.Run("traverse", Tool.TrainedRun, "--factors", "top:2", "--out", folder, "--threads", $"{threads}").Succeeded();
            return [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        }
        byte[][] one = Files(1);
        Assert.That(one, Has.Length.EqualTo(3));
        foreach (int threads in (int[])[2, 5])
            Assert.That(Files(threads), Is.EqualTo(one), $"{threads} threads");
    }

    [Test]
    public void Attributes_of_data_of_which_nothing_is_known_are_refused_before_the_work()
    {
        string folder = TestFiles.Folder("cli-attributes"), file = Path.Combine(folder, "numbers.csv"), run = Path.Combine(folder, "run");
        File.WriteAllLines(file, ["a,b", .. Enumerable.Range(0, 60).Select(i => $"{i},{i * i % 7}")]);
        Tool.Run("train", "vae", "--data", file, "--epochs", "1", "--latents", "2", "--network", "mlp:8", "--report", "false", "--out",
            run).Succeeded();
        File.Delete(Path.Combine(run, "influence.csv"));
        var result = Tool.Run("influence", run, "--attributes");
        Tool.Fails(result, 2, "--attributes: nothing is known");
        Assert.That(result.Out, Is.Empty);
        Assert.That(File.Exists(Path.Combine(run, "influence.csv")), Is.False);
    }

    [Test]
    public void Traverse_takes_the_most_informative_factors()
    {
        string run = Tool.CopyOfRun(), folder = TestFiles.Folder("cli-traverse");
        string top = File.ReadAllLines(Path.Combine(run, "influence.csv"))[1].Split(',')[0];
        Tool.Run("traverse", run, "--factors", "top:1", "--out", folder).Succeeded();
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.EqualTo(new[] { $"traverse-{top}.png" }));
    }

    [TestCase("csv")]
    [TestCase("npz")]
    public void Encodings_go_through_estimate_to_the_same_information(string format)
    {
        string file = Path.Combine(TestFiles.Folder("cli-encode"), "e." + format);
        Tool.Run("encode", Tool.TrainedRun, "--out", file).Succeeded();
        var table = EncodingsFile.Read(file);
        Assert.That((table.Points, table.Factors, table.Labels!.Length), Is.EqualTo((Tool.TestImages, 8, Tool.TestImages)));
        var evaluation = JsonDocument.Parse(File.ReadAllText(Path.Combine(Tool.TrainedRun, "evaluation.json"))).RootElement;
        var estimate = Tool.Run("estimate", file, "--json").Json();
        foreach (string key in (string[])["mi_nats", "mi_mixture_nats", "total_correlation_nats", "dtilde_nats"])
            Assert.That(estimate.GetProperty(key).GetDouble(), Is.EqualTo(evaluation.GetProperty(key).GetDouble()).Within(1e-5), key);
    }

    [Test]
    public void Encode_takes_the_training_images_whole()
    {
        string file = Path.Combine(TestFiles.Folder("cli-encode"), "e.npz");
        var json = Tool.Run("encode", Tool.TrainedRun, "--split", "train", "--out", file, "--json").Json();
        Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(Tool.TrainImages), "--limit holds for training only");
    }

    [Test]
    public void Exported_and_imported_weights_evaluate_the_same()
    {
        string folder = TestFiles.Folder("cli-export"), weights = Path.Combine(folder, "w.safetensors"), run = Path.Combine(folder, "run");
        Tool.Run("export", Tool.TrainedRun, "--format", "safetensors", "--out", weights).Succeeded();
        Assert.That(Safetensors.Read(weights).Arrays.Keys,
            Is.SupersetOf(new[] { "encoder.fc1.weight", "encoder.mu.bias", "decoder.fc2.weight", "noise.log_sigma" }));
        Tool.Run("import", weights, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--out", run).Succeeded();
        Tool.Run("evaluate", run).Succeeded();
        Assert.That(File.ReadAllText(Path.Combine(run, "evaluation.json")),
            Is.EqualTo(File.ReadAllText(Path.Combine(Tool.TrainedRun, "evaluation.json"))));
        Assert.That(File.Exists(Path.Combine(run, "report.html")));
        Tool.Fails(Tool.Run("import", weights, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:32", "--out", run), 2, "--out",
            "exists already");
        string failed = Path.Combine(folder, "failed");
        Tool.Fails(Tool.Run("import", weights, "--model", "beta-vae", "--data", "mnist", "--network", "mlp:33", "--out", failed), 4,
            "encoder.fc1.weight", "[32, 784]");
        Assert.That(Directory.Exists(failed), Is.False, "nothing half-written");
    }

    private static PngImage Picture(string file) => Png.Decode(File.ReadAllBytes(file), file);
}
