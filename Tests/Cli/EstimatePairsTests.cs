using System.Globalization;
using System.Text;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Tests.Engine;
using VaeFromScratch.Tests.Estimators;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae estimate --x --y and --benchmark.</summary>
public sealed class EstimatePairsTests
{
    private const int Rows = 1200;
    private static readonly double Truth = VaeFromScratch.Estimators.Gaussian.Information(0.8);

    [Test]
    public void Columns_of_a_table_by_every_closed_form()
    {
        var json = Tool.Run("estimate", Table(), "--x", "a", "--y", "b", "--with", "ksg,cca,copula,binned", "--json").Json();
        Assert.That(json.GetProperty("points").GetInt32(), Is.EqualTo(Rows));
        var estimates = json.GetProperty("estimates").EnumerateArray().ToDictionary(e => e.GetProperty("estimator").GetString()!);
        Assert.That(estimates.Keys, Is.EqualTo(new[] { "ksg", "cca", "copula", "binned" }));
        foreach (var (name, e) in estimates)
        {
            Assert.That(e.GetProperty("nats").GetDouble(), Is.EqualTo(Truth).Within(0.12), name);
            Assert.That(e.GetProperty("standard_error").GetDouble(), Is.InRange(0.005, 0.06), name);
            Assert.That(e.GetProperty("kind").GetString(), Is.EqualTo("neither"), name);
            Assert.That(e.GetProperty("ceiling_nats").GetDouble(), Is.GreaterThan(2), name);
            Assert.That(e.GetProperty("seconds").GetDouble(), Is.GreaterThanOrEqualTo(0), name);
            Assert.That(e.GetProperty("warnings").GetArrayLength(), Is.Zero, name);
        }
        Assert.That(json.GetProperty("advice").GetProperty("estimator").GetString(), Is.EqualTo("copula"));
        Assert.That(json.GetProperty("advice").GetProperty("reason").GetString(), Does.Contain("infonce"),
            "a check by a network was left out");
    }

    [Test]
    public void Arrays_of_an_npz_and_a_network()
    {
        string file = Path.Combine(TestFiles.Folder("cli-pairs"), "pairs.npz");
        var (x, y) = SampleInformationTests.Pairs(Rows, 2, 0.8);
        Npz.Write(file, [("x", NpyArray.From([Rows, 2], x)), ("y", NpyArray.From([Rows, 2], y))]);
        string[] command = ["estimate", file, "--x", "x", "--y", "y", "--with", "infonce,ksg", "--json"];
        var one = Tool.Run([.. command, "--threads", "1"]).Json();
        var two = Tool.Run([.. command, "--threads", "2"]).Json();
        double nats = one.GetProperty("estimates")[0].GetProperty("nats").GetDouble();
        Assert.That(nats, Is.EqualTo(2 * Truth).Within(0.2));
        Assert.That(one.GetProperty("estimates")[0].GetProperty("kind").GetString(), Is.EqualTo("lower"));
        Assert.That(two.GetProperty("estimates")[0].GetProperty("nats").GetDouble(), Is.EqualTo(nats), "threads change no bit");
        Assert.That(two.GetProperty("estimates")[1].GetProperty("nats").GetDouble(), Is.EqualTo(one.GetProperty("estimates")[1]
            .GetProperty("nats").GetDouble()));
    }

    [Test]
    public void Classes_texts_and_conditions()
    {
        string table = Table();
        Assert.That(Only(table, "kind", "sign", []).GetProperty("estimator").GetString(), Is.EqualTo("counts"),
            "the default for two classes");
        Assert.That(Only(table, "kind", "sign", []).GetProperty("nats").GetDouble(), Is.EqualTo(Math.Log(2)).Within(0.01),
            "a text for each sign");
        Assert.That(Only(table, "kind", "a", ["--with", "ross"]).GetProperty("nats").GetDouble(), Is.EqualTo(Math.Log(2)).Within(0.02));
        Assert.That(Only(table, "a", "b", ["--given", "a", "--with", "ksg"]).GetProperty("nats").GetDouble(), Is.EqualTo(0).Within(0.05),
            "a is known already");
        Assert.That(Tool.Run("estimate", table, "--x", "a,b", "--y", "kind").Succeeded().Out, Does.Contain("a,b: 2 columns of numbers")
            .And.Contain("kind: 2 classes").And.Contain("advice: ross"));
    }

    [Test]
    public void A_transform_shows_its_effect_and_a_constant_is_said()
    {
        var tails = Only(Table(), "cubed", "b", ["--with", "cca", "--transform", "rank"]);
        Assert.That(tails.GetProperty("nats").GetDouble(), Is.EqualTo(Truth).Within(0.1));
        Assert.That(tails.GetProperty("untransformed_nats").GetDouble(), Is.LessThan(Truth - 0.1),
            "the cube of a Gaussian has heavy tails");
        string text = Tool.Run("estimate", Table(), "--x", "same", "--y", "b", "--with", "ksg").Succeeded().Out;
        Assert.That(text, Does.Contain("same is constant").And.Contain("0.0000").And.Not.Contain("-0.0000"));
        Assert.That(Tool.Run("estimate", Table(), "--x", "cubed", "--y", "b", "--with", "cca").Succeeded().Out,
            Does.Contain("heavy tails"));
        Assert.That(Tool.Run("estimate", Table(), "--x", "a", "--y", "a", "--with", "ksg").Succeeded().Out,
            Does.Contain("near its ceiling").And.Contain("error: the spread over ten disjoint tenths"));
    }

    [TestCase("--x nothing --y b", 4, "nothing")]
    [TestCase("--x a", 2, "--y")]
    [TestCase("--x a --y b --with magic", 2, "magic")]
    [TestCase("--x a --y kind --with ksg", 2, "ross, gao")]
    [TestCase("--x a --y b --transform log", 2, "--transform log")]
    [TestCase("--x a --y b --quick", 2, "--benchmark")]
    [TestCase("--x hole --y b", 4, "line 3")]
    [TestCase("--benchmark", 2, "its own samples")]
    [TestCase("--x a --y b --transform Rank", 2, "none, rank or asinh")]
    public void Wrong_commands_are_refused(string options, int code, string says) =>
        Tool.Fails(Tool.Run(["estimate", Table(), .. options.Split(' ')]), code, says);

    [Test]
    public void The_benchmark_writes_a_table_and_a_picture()
    {
        string folder = TestFiles.Folder("cli-benchmark");
        var json = Tool.Run("estimate", "--benchmark", "--quick", "--tasks", "student-t 1 x 1", "--with", "ksg,copula", "--out", folder,
            "--json").Json();
        var tasks = json.GetProperty("tasks").EnumerateArray().ToList();
        Assert.That(tasks.Select(t => t.GetProperty("name").GetString()), Is.EqualTo(new[] { "Student-t 1 x 1 (dof=1)",
            "Asinh @ Student-t 1 x 1 (dof=1)" }));
        foreach (var task in tasks)
        {
            Assert.That(task.GetProperty("true_nats").GetDouble(), Is.EqualTo(0.2242).Within(1e-4));
            Assert.That(task.GetProperty("estimates")[1].GetProperty("nats").GetDouble(), Is.EqualTo(0.2242).Within(0.06));
        }
        Assert.That(File.ReadAllLines(Path.Combine(folder, "benchmark.csv")), Has.Length.EqualTo(3).And.ItemAt(0)
            .EqualTo("task,true_nats,ksg,copula,advice,ksg_standard_error,copula_standard_error"));
        foreach (var score in json.GetProperty("estimators").EnumerateArray())
        {
            double[] errors = [.. tasks.Select(t => Math.Abs(Nats(t, score.GetProperty("estimator").GetString()!)
                - t.GetProperty("true_nats").GetDouble()))];
            Assert.That(score.GetProperty("tasks").GetInt32(), Is.EqualTo(2));
            Assert.That(score.GetProperty("mean_error_nats").GetDouble(), Is.EqualTo(errors.Average()).Within(1e-12));
            Assert.That(score.GetProperty("largest_error_nats").GetDouble(), Is.EqualTo(errors.Max()).Within(1e-12));
            Assert.That(score.GetProperty("near").GetInt32(), Is.EqualTo(errors.Count(e => e <= 0.03)));
        }
        Assert.That(File.ReadAllText(Path.Combine(folder, "benchmark.svg")), Does.StartWith("<svg").And.Contain("Student-t 1 x 1"));
        Tool.Fails(Tool.Run("estimate", "--benchmark", "--tasks", "no such task"), 2, "--tasks no such task");
        Tool.Fails(Tool.Run("estimate", "--benchmark", "--with", "ksg,ross"), 2, "--with ross", "for classes");
        Tool.Fails(Tool.Run("estimate"), 2, "FILE");

        static double Nats(JsonElement task, string estimator) => task.GetProperty("estimates").EnumerateArray()
            .Single(e => e.GetProperty("estimator").GetString() == estimator).GetProperty("nats").GetDouble();
    }

    [Test]
    public void A_stopped_benchmark_keeps_what_is_known()
    {
        string folder = TestFiles.Folder("cli-stopped");
        // Stopped before there is anything it says nothing, which on a busy machine may take a while; the critics take far longer.
        ToolResult result;
        int seconds = 4;
        do
        {
            seconds *= 2;
            using var process = Tool.StartInterruptible("estimate", "--benchmark", "--tasks", "Multinormal 50 x 50", "--with",
                "cca,infonce,nwj,mine,smile,club", "--out", folder, "--json");
            Thread.Sleep(TimeSpan.FromSeconds(seconds));
            Assert.That(process.HasExited, Is.False, "five fits of critics take longer");
            Tool.Signal(process, "INT");
            result = Tool.Finish(process);
            Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        }
        while (result.Out.Length == 0 && seconds < 60);
        var task = JsonDocument.Parse(result.Out).RootElement.GetProperty("tasks")[0];
        Assert.That(task.GetProperty("estimates").EnumerateArray().Select(e => e.GetProperty("estimator").GetString()),
            Does.Contain("cca"));
        Assert.That(File.ReadAllText(Path.Combine(folder, "benchmark.csv")), Does.Contain("Multinormal 50 x 50"));
    }

    private static JsonElement Only(string table, string x, string y, string[] options) => Tool.Run(["estimate", table, "--x", x, "--y", y,
        .. options, "--json"]).Json().GetProperty("estimates")[0];

    private static string Table()
    {
        string file = Path.Combine(TestFiles.Folder("cli-pairs"), "table.csv");
        var (a, b) = SampleInformationTests.Pairs(Rows, 1, 0.8);
        var text = new StringBuilder("a,b,cubed,kind,sign,same,hole\n");
        for (int i = 0; i < Rows; i++)
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"{a[i]},{b[i]},{a[i] * a[i] * a[i]},{(a[i] > 0 ? "high" : "low")},{(a[i] > 0 ? 1 : 0)},7,{(i == 1 ? "" : "1.5")}"));
        File.WriteAllText(file, text.ToString());
        return file;
    }
}
