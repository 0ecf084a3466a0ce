using System.Net;
using System.Text;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>Who is answered, and what requests can reach: pages of other sites, names that point to this machine, paths, noise.</summary>
public sealed class SafetyTests
{
    private readonly Web web = new(Served.Server);

    [OneTimeTearDown]
    public void Close() => web.Dispose();

    private static int Port => new Uri(Served.Server.Address).Port;

    [Test]
    public async Task Only_this_machines_own_names_are_answered()
    {
        foreach (string host in (string[])[$"127.0.0.1:{Port}", $"localhost:{Port}", $"LOCALHOST:{Port}", $"[::1]:{Port}",
            $"127.0.0.2:{Port}"])
            Assert.That((await web.Send("", null, ("Host", host))).Status, Is.EqualTo(HttpStatusCode.OK), host);
        foreach (string host in (string[])[$"rebound.example:{Port}", "127.0.0.1", $"127.0.0.1:{Port + 1}", $"192.168.0.1:{Port}",
            $"127.0.0.1.example:{Port}", $"localhost.example:{Port}"])
            await web.Refused(HttpStatusCode.Forbidden, "api/runs", null, "the address that", ("Host", host));
    }

    [Test]
    public async Task Pages_of_other_sites_are_refused()
    {
        foreach (string site in (string[])["cross-site", "same-site"])
        {
            await web.Refused(HttpStatusCode.Forbidden, "api/runs", null, "another site", ("Sec-Fetch-Site", site));
            await web.Refused(HttpStatusCode.Forbidden, "api/decode?run=vae", Web.Of(0f, 0f, 0f), "another site",
                ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"));
            // A link to the page is one thing that other sites may have.
            Assert.That((await web.Send("", null, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"))).Status,
                Is.EqualTo(HttpStatusCode.OK));
        }
        foreach (string origin in (string[])["https://example.com", "null", $"http://127.0.0.1:{Port + 1}", $"https://127.0.0.1:{Port}"])
            await web.Refused(HttpStatusCode.Forbidden, "api/decode?run=vae", Web.Of(0f, 0f, 0f), "another site", ("Origin", origin));
        Assert.That((await web.Send("api/decode?run=vae", Web.Of(0f, 0f, 0f), ("Origin", $"http://127.0.0.1:{Port}"))).Status,
            Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task The_page_may_load_nothing_from_elsewhere_and_stand_in_no_frame()
    {
        using var response = await web.Ask("");
        string policy = response.Headers.GetValues("Content-Security-Policy").Single();
        Assert.That(policy, Does.Contain("default-src 'none'").And.Contain("frame-ancestors 'none'").And.Not.Contain("unsafe"));
        Assert.That(response.Headers.GetValues("X-Content-Type-Options").Single(), Is.EqualTo("nosniff"));
    }

    [Test]
    public async Task Other_machines_need_the_token()
    {
        using var server = Served.Start(Served.Folder, IPAddress.Any);
        var address = new Uri(server.Address);
        string token = System.Web.HttpUtility.ParseQueryString(address.Query)["token"]!;
        Assert.That((server.HasToken, token.Length), Is.EqualTo((true, 32)));
        using var client =
            new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = new($"http://127.0.0.1:{address.Port}/") };
        foreach (string path in (string[])["", "app.js", "api/runs", "?token=", $"?token={token[..31]}x", "api/runs?token=0"])
            Assert.That((await client.GetAsync(path)).StatusCode, Is.EqualTo(HttpStatusCode.Forbidden), path);
        using var let = await client.GetAsync($"?token={token}");
        Assert.That(let.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        string cookie = let.Headers.GetValues("Set-Cookie").Single();
        Assert.That(cookie, Does.Contain("httponly").IgnoreCase.And.Contain("samesite=strict").IgnoreCase);
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/runs");
        request.Headers.Add("Cookie", cookie.Split(';')[0]);
        Assert.That((await client.SendAsync(request)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("..")]
    [TestCase("../explore-runs")]
    [TestCase("/etc")]
    [TestCase("vae/../vae")]
    [TestCase("./vae")]
    [TestCase("vae/")]
    [TestCase("")]
    [TestCase("vae\0")]
    [TestCase("VAE")]
    public async Task A_run_is_named_as_the_list_names_it_or_not_at_all(string id)
    {
        foreach (string path in (string[])["run", "metrics", "settings", "plane", "factors"])
            await web.Refused(HttpStatusCode.NotFound, $"api/{path}?run={Uri.EscapeDataString(id)}", null, "no such run");
    }

    [TestCase("../../etc/passwd")]
    [TestCase("%2e%2e/%2e%2e/etc/passwd")]
    [TestCase("index.html/")]
    [TestCase("style.css%00.js")]
    [TestCase("VaeFromScratch.Explore.dll")]
    public async Task No_path_reaches_a_file(string path)
    {
        var (status, _) = await web.Send(path);
        Assert.That(status, Is.EqualTo(HttpStatusCode.NotFound).Or.EqualTo(HttpStatusCode.BadRequest));
    }

    /// <summary>Every endpoint with values that nobody meant: it answers, or says in a sentence why not, and never fails.</summary>
    [Test]
    public async Task Whatever_is_asked_the_answer_is_a_result_or_a_sentence()
    {
        var random = new Random(7);
        string[] paths = ["runs", "metrics", "settings", "run", "sample", "image", "inside", "known", "factors", "plane", "strip",
            "reconstructions", "decode", "mean"];
        string[] names = ["run", "image", "draw", "a", "b", "count", "factor", "from", "x"];
        string[] values = ["vae", "imae", "exon", "0", "1", "2", "119", "120", "-1", "2147483648", "1e3", "NaN", "", " ", "null", "%00",
            "../vae", new string('9', 300), "\u2028", "0x10", "\ud800"];
        var refused = 0;
        for (int round = 0; round < 600; round++)
        {
            string query = string.Join('&', Enumerable.Range(0, random.Next(4)).Select(_ =>
                $"{Pick(names)}={Uri.EscapeDataString(Pick(values))}").Prepend(random.Next(3) == 0 ? "y=1"
                : $"run={Pick(["vae", "imae", "exon"])}"));
            byte[]? body = random.Next(2) == 0 ? null : Body(random);
            string path = $"api/{Pick(paths)}?{query}";
            var (status, answer) = await web.Send(path, body);
            Assert.That((int)status, Is.LessThan(500), $"{path}: {Encoding.UTF8.GetString(answer)}");
            if (status == HttpStatusCode.OK)
                continue;
            refused++;
            Assert.That(status, Is.AnyOf(HttpStatusCode.BadRequest, HttpStatusCode.NotFound, HttpStatusCode.UnprocessableEntity,
                HttpStatusCode.MethodNotAllowed), path);
            if (status == HttpStatusCode.MethodNotAllowed)
                continue;
            string sentence = JsonDocument.Parse(answer).RootElement.GetProperty("error").GetString()!;
            Assert.That(sentence, Is.Not.Empty.And.Not.Contain("\n").And.Not.Contain("   at "), path);
        }
        Assert.That(refused, Is.InRange(100, 590));

        string Pick(string[] from) => from[random.Next(from.Length)];
    }

    [Test]
    public async Task Damaged_pictures_never_end_in_anything_but_an_answer()
    {
        byte[] valid = VaeFromScratch.Engine.IO.Png.Encode(new(20, 20, 3, [.. Enumerable.Range(0, 1200).Select(i => (byte)i)]));
        var random = new Random(3);
        for (int round = 0; round < 150; round++)
        {
            byte[] damaged = [.. valid];
            for (int i = 0; i <= round % 4; i++)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            if (round % 5 == 0)
                damaged = damaged[..random.Next(damaged.Length)];
            var (status, answer) = await web.Send("api/image?run=vae", damaged);
            Assert.That(status, Is.AnyOf(HttpStatusCode.OK, HttpStatusCode.UnprocessableEntity), Encoding.UTF8.GetString(answer));
        }
    }

    [Test]
    public void The_page_is_small_and_names_no_other_place()
    {
        Assert.That(PageFiles.All, Does.ContainKey("index.html").And.ContainKey("app.js"));
        long weight = PageFiles.All.Values.Sum(file => (long)file.Length);
        TestContext.Out.WriteLine($"page weight: {PageFiles.All.Count} files, {weight} bytes");
        Assert.That(weight, Is.LessThanOrEqualTo(250_000));
        foreach (var (name, contents) in PageFiles.All)
        {
            string text = Encoding.UTF8.GetString(contents).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal);
            Assert.That(text, Does.Not.Contain("http://").And.Not.Contain("https://").And.Not.Contain("//cdn"), name);
            Assert.That(text.Count(c => c == '\n'), Is.LessThan(400), name);
        }
        Assert.That(Directory.GetFiles(Path.Combine(TestFiles.RepositoryRoot, "Explore", "Page")).Select(Path.GetFileName),
            Is.EquivalentTo(PageFiles.All.Keys), "every file is served");
    }

    private static byte[] Body(Random random)
    {
        switch (random.Next(5))
        {
            case 0: return [];
            case 1: return Web.Of(0f, random.NextSingle(), float.NaN);
            case 2: return Web.Of(0f, 1f, -1f);
            case 3: return Web.Of(random.Next(-5, 200), random.Next(-5, 200));
            default:
                byte[] noise = new byte[random.Next(64)];
                random.NextBytes(noise);
                return noise;
        }
    }
}
