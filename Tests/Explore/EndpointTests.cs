using System.Net;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Explore;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>What the server answers: the models' own numbers, for every model, and a sentence for whatever cannot be answered.</summary>
public sealed class EndpointTests
{
    private readonly Web web = new(Served.Server);

    [OneTimeTearDown]
    public void Close() => web.Dispose();

    private static IEnumerable<string> Models() => ModelCatalogue.All.Select(Served.NameOf);

    [TestCaseSource(nameof(Models))]
    public async Task A_model_of_every_kind_opens(string name)
    {
        var run = await web.Json($"api/run?run={name}");
        int latents = run.GetProperty("latents").GetInt32(), categories = run.GetProperty("categories").GetInt32();
        var entry = ModelCatalogue.All.Single(e => Served.NameOf(e) == name);
        Assert.That(run.GetProperty("title").GetString(), Is.EqualTo(entry.Title));
        Assert.That((latents, categories > 0), Is.EqualTo((3, entry.Code == CodeKind.Joint)));
        Assert.That(run.GetProperty("factors").EnumerateArray().Select(f => f.GetProperty("factor").GetInt32()),
            Is.EquivalentTo(new[] { 0, 1, 2 }));
        Assert.That(run.GetProperty("factors").EnumerateArray().Select(f => f.GetProperty("information").GetDouble()),
            Is.Ordered.Descending);

        var image = await web.Json($"api/image?run={name}&image=5");
        double nll = image.GetProperty("nllTerm").GetDouble(), kl = image.GetProperty("klTerm").GetDouble();
        Assert.That(double.IsFinite(nll) && kl > -1, $"nll {nll}, kl {kl}");
        float[] code = [.. image.GetProperty("mu").EnumerateArray().Select(v => v.GetSingle()), .. new float[categories]];
        if (categories > 0)
        {
            double[] probabilities = [.. image.GetProperty("probabilities").EnumerateArray().Select(v => v.GetDouble())];
            Assert.That(probabilities.Sum(), Is.EqualTo(1).Within(1e-4));
            code[latents + Array.IndexOf(probabilities, probabilities.Max())] = 1;
        }
        // The code that stands for the image decodes to its reconstruction.
        Assert.That(await web.Bytes($"api/decode?run={name}", Web.Of(code)),
            Is.EqualTo(image.GetProperty("reconstruction").GetBytesFromBase64()));
        Assert.That((await web.Json($"api/sample?run={name}&draw=1")).GetProperty("code").GetArrayLength(),
            Is.EqualTo(latents + categories));

        var inside = await web.Json($"api/inside?run={name}&image=5&draw=2");
        Assert.That(inside.GetProperty("encoder").EnumerateArray().Concat(inside.GetProperty("decoder").EnumerateArray()).Select(l =>
            l.GetProperty("name").GetString()),
            Has.Some.StartsWith("encoder.").And.Some.StartsWith("decoder."));
        Assert.That(inside.GetProperty("mean").GetBytesFromBase64(), Has.Length.EqualTo(784));
        Assert.That(await web.Bytes($"api/plane?run={name}&a=0&b=2"), Has.Length.EqualTo(Served.TestImages * 8));
    }

    /// <summary>mu of every image, its parts of the KL and its place in the plane, against the model itself.</summary>
    [Test]
    public async Task Numbers_are_those_of_the_model()
    {
        var directory = RunDirectory.Open(Path.Combine(Served.Folder, "vae"));
        var configuration = directory.LoadConfiguration();
        using var compute = Compute.Open("cpu", 1);
        using var model = configuration.CreateModel(compute, new ImageShape(28, 28, 1), 1);
        directory.LoadModel(model);
        var test = VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Test.Take(Served.TestImages);
        using var evaluator = new Evaluator(model, test, configuration);
        var encodings = evaluator.Encode();

        byte[] plane = await web.Bytes("api/plane?run=vae&a=2&b=1");
        var points = new float[plane.Length / 4];
        Buffer.BlockCopy(plane, 0, points, 0, plane.Length);
        for (int i = 0; i < test.Count; i++)
        {
            // Evaluation encodes without a tape, which may differ in the last bit.
            Assert.That(points[2 * i], Is.EqualTo(encodings.Mu.Span[3 * i + 2]).Within(1e-6));
            Assert.That(points[2 * i + 1], Is.EqualTo(encodings.Mu.Span[3 * i + 1]).Within(1e-6));
        }

        var image = await web.Json("api/image?run=vae&image=17");
        float[] mu = [.. image.GetProperty("mu").EnumerateArray().Select(v => v.GetSingle())],
            logVar = [.. image.GetProperty("logVar").EnumerateArray().Select(v => v.GetSingle())];
        Assert.That(mu, Is.EqualTo(encodings.Mu.Slice(51, 3).ToArray()).Within(1e-5));
        double kl = mu.Zip(logVar, (m, l) => 0.5 * (m * m + Math.Exp(l) - 1 - l)).Sum();
        Assert.That(image.GetProperty("klTerm").GetDouble(), Is.EqualTo(kl).Within(1e-3));
        Assert.That(image.GetProperty("kl").EnumerateArray().Sum(v => v.GetDouble()), Is.EqualTo(kl).Within(1e-3));
        Assert.That(image.GetProperty("pixels").GetBytesFromBase64(), Is.EqualTo(test.Image(17).ToArray()));
    }

    [Test]
    public async Task Means_and_strips_are_of_the_images_asked_for()
    {
        var test = VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Test;
        Assert.That(await web.Bytes("api/strip?run=vae", Web.Of(7, 3)), Is.EqualTo((byte[])[.. test.Image(7), .. test.Image(3)]));
        byte[] mean = await web.Bytes("api/mean?run=vae", Web.Of(7, 3));
        Assert.That(mean, Is.EqualTo(test.Image(7).ToArray().Zip(test.Image(3).ToArray(), (a, b) =>
            (byte)((a + b) / 2.0 + 0.5))).Within(1));
    }

    [Test]
    public async Task A_run_that_was_not_evaluated_is_measured_when_it_is_opened()
    {
        string folder = TestFiles.Folder("explore-plain"), run = Served.Copy("vae", folder);
        File.Delete(Path.Combine(run, "influence.csv"));
        File.Delete(Path.Combine(run, "evaluation.json"));
        using var server = Served.Start(folder);
        using var plain = new Web(server);
        Assert.That((await plain.Json("api/run?run=vae")).GetProperty("factors").ValueKind, Is.EqualTo(JsonValueKind.Null));
        var measured = (await plain.Json("api/factors?run=vae")).EnumerateArray().ToArray();
        var stored = (await web.Json("api/run?run=vae")).GetProperty("factors").EnumerateArray().ToArray();
        Assert.That(measured.Select(f => f.GetProperty("factor").GetInt32()),
            Is.EqualTo(stored.Select(f => f.GetProperty("factor").GetInt32())));
        Assert.That(measured.Select(f => f.GetProperty("information").GetDouble()),
            Is.EqualTo(stored.Select(f => f.GetProperty("information").GetDouble())).Within(1e-4));
    }

    [Test]
    public async Task A_picture_of_the_users_is_cut_and_scaled()
    {
        // White left of the middle: the middle square of a wide picture is half white.
        var pixels = new byte[60 * 120];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = i % 120 < 60 ? (byte)255 : (byte)0;
        var image = await web.Json("api/image?run=vae", Png.Encode(new(120, 60, 1, pixels)));
        byte[] seen = image.GetProperty("pixels").GetBytesFromBase64();
        Assert.That((seen[0], seen[10], seen[17], seen[27]), Is.EqualTo(((byte)255, (byte)255, (byte)0, (byte)0)));
    }

    private static IEnumerable<TestCaseData> Hostile()
    {
        byte[] png = Png.Encode(new(8, 8, 3, new byte[192]));
        yield return new TestCaseData(Array.Empty<byte>(), HttpStatusCode.UnprocessableEntity, "expected") { TestName = "nothing" };
        yield return new TestCaseData("<svg onload='alert(1)'/>"u8.ToArray(), HttpStatusCode.UnprocessableEntity,
            "expected a PNG")
        { TestName = "SVG" };
        yield return new TestCaseData(png[..40], HttpStatusCode.UnprocessableEntity, "ends early") { TestName = "half a PNG" };
        yield return new TestCaseData(Png.Encode(new(7000, 7000, 1, new byte[49_000_000])), HttpStatusCode.UnprocessableEntity,
            "at most 40000000")
        { TestName = "a PNG of 49 million pixels in few bytes" };
        yield return new TestCaseData((byte[])[0xFF, 0xD8, .. new byte[100]], HttpStatusCode.UnprocessableEntity,
            "picture")
        { TestName = "a damaged JPEG" };
        yield return new TestCaseData(new byte[ExploreServer.LargestBody + 1], HttpStatusCode.RequestEntityTooLarge,
            "expected at most")
        { TestName = "a file that is too large" };
    }

    [TestCaseSource(nameof(Hostile))]
    public async Task A_picture_that_cannot_be_read_is_refused(byte[] file, HttpStatusCode status, string says)
    {
        await web.Refused(status, "api/image?run=vae", file, says);
        Assert.That((await web.Json("api/runs")).GetProperty("runs").GetArrayLength(), Is.EqualTo(ModelCatalogue.All.Count),
            "the server goes on");
    }

    [Test]
    public async Task A_broken_run_is_a_row_with_a_sentence()
    {
        string folder = TestFiles.Folder("explore-broken");
        File.WriteAllText(Path.Combine(Served.Copy("vae", folder), "config.json"), "{\"model\": ");
        File.WriteAllText(Path.Combine(Served.Copy("iwae", folder), "metrics.csv"), "epoch,train_loss\n1\n");
        File.WriteAllText(Path.Combine(Served.Copy("info-vae", folder), "evaluation.json"), "[}");
        File.WriteAllBytes(Path.Combine(Served.Copy("imae", folder), "model.safetensors"), [1, 2, 3]);
        Directory.CreateDirectory(Path.Combine(folder, "begun"));
        File.WriteAllText(Path.Combine(folder, "begun", RunLock.FileName), "process 1 on nowhere\n");
        Directory.CreateDirectory(Path.Combine(folder, "no run"));
        using var server = Served.Start(folder);
        using var broken = new Web(server);
        var rows = (await broken.Json("api/runs")).GetProperty("runs").EnumerateArray().ToDictionary(r => r.GetProperty("id").GetString()!);
        Assert.That(rows.Keys, Is.EquivalentTo(new[] { "vae", "iwae", "info-vae", "imae", "begun" }));
        foreach (string id in (string[])["vae", "iwae", "info-vae", "begun"])
        {
            Assert.That(rows[id].GetProperty("state").GetString(), Is.EqualTo("broken"), id);
            Assert.That(rows[id].GetProperty("problem").GetString(), Is.Not.Empty.And.Not.Contain("\n"), id);
        }
        // Its weights are read only when it is opened.
        await broken.Refused(HttpStatusCode.UnprocessableEntity, "api/run?run=imae", null, "model.safetensors");
        await broken.Refused(HttpStatusCode.UnprocessableEntity, "api/metrics?run=vae", null, "config.json");
    }

    [Test]
    public async Task A_run_in_training_is_read_from_its_checkpoint_and_followed()
    {
        string folder = TestFiles.Folder("explore-live"), run = Path.Combine(folder, "live");
        var configuration = Served.Configuration(ModelCatalogue.Find("vae"), epochs: 2);
        using var server = Served.Start(folder);
        using var live = new Web(server);
        using (var compute = Compute.Open("cpu", 1))
        using (var training = TrainingRun.Open(compute, configuration,
            new(VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Train.Take(200),
            VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Test.Take(60)), run))
        {
            JsonElement first = default;
            byte[] before = [];
            training.Train(epochDone: (summary, _) =>
            {
                // Called before the second epoch's checkpoint: what is there is the first's.
                if (summary.Epoch != 2)
                    return;
                first = live.Json("api/metrics?run=live").Result;
                Assert.That(live.Json("api/runs").Result.GetProperty("runs")[0].GetProperty("state").GetString(), Is.EqualTo("training"));
                before = live.Bytes("api/reconstructions?run=live&count=2").Result;
            });
            Assert.That(first.GetProperty("columns").GetProperty("epoch").GetArrayLength(), Is.EqualTo(1));
            Assert.That(before, Has.Length.EqualTo(4 * 784));
            Assert.That((await live.Json("api/metrics?run=live")).GetProperty("columns").GetProperty("epoch").GetArrayLength(),
                Is.EqualTo(2));
            byte[] after = await live.Bytes("api/reconstructions?run=live&count=2");
            Assert.That(after[..(2 * 784)], Is.EqualTo(before[..(2 * 784)]), "the images themselves");
            Assert.That(after, Is.Not.EqualTo(before), "what newer weights make of them");
        }
        Assert.That((await live.Json("api/runs")).GetProperty("runs")[0].GetProperty("state").GetString(), Is.EqualTo("finished"));
    }

    [Test]
    public async Task Only_so_many_models_stay_open()
    {
        foreach (string name in Models().Take(7))
            await web.Json($"api/run?run={name}");
        Assert.That((await web.Json("api/runs")).GetProperty("open").GetInt32(), Is.EqualTo(5));
    }

    [Test]
    public async Task Requests_at_the_same_time_each_get_their_own_answer()
    {
        float[][] codes = [.. Enumerable.Range(0, 24).Select(i => (float[])[i / 8f - 1.5f, 0, i % 5])];
        var alone = new List<byte[]>();
        foreach (float[] code in codes)
            alone.Add(await web.Bytes("api/decode?run=vae", Web.Of(code)));
        byte[][] together = await Task.WhenAll(codes.Select(code => web.Bytes("api/decode?run=vae", Web.Of(code))));
        Assert.That(together, Is.EqualTo(alone));
    }
}
