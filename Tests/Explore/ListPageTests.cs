using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>
/// The list of runs, comparisons and runs in training in a real browser; every view for those who hear it, see little or hold a
/// phone.
/// </summary>
public sealed class ListPageTests : BrowserFixture
{
    private static readonly string[] Views =
    [
        "", "#run=vae", "#run=imae", "#run=vae&view=traverse", "#run=vae&view=plane", "#run=exon&view=plane", "#run=vae&view=information",
            "#run=vae&view=inside",
        "#run=vae&view=training", "#compare=vae,iwae,exon", "#run=nothing",
    ];

    [Test]
    public async Task Runs_are_listed_and_sorted()
    {
        await Go("");
        var rows = Page.Locator("tbody tr");
        Assert.That(await rows.CountAsync(), Is.EqualTo(ModelCatalogue.All.Count));
        await Page.GetByRole(AriaRole.Button, new() { Name = "EVLB" }).ClickAsync();
        await Assertions.Expect(Page.Locator("th[aria-sort=ascending]")).ToContainTextAsync("EVLB");
        string[] evlb = await rows.EvaluateAllAsync<string[]>("all => all.map(r => r.children[5].textContent)");
        double[] known = [.. evlb.Where(v => v != "–").Select(v => double.Parse(v, System.Globalization.CultureInfo.InvariantCulture))];
        Assert.That(known, Is.Ordered);
        await Page.GetByRole(AriaRole.Button, new() { Name = "EVLB" }).ClickAsync();
        await Assertions.Expect(Page.Locator("th[aria-sort=descending]")).ToContainTextAsync("EVLB");
        await Page.GetByRole(AriaRole.Link, new() { Name = "beta-tcvae" }).ClickAsync();
        await Assertions.Expect(Page.Locator("h1")).ToHaveTextAsync("beta-tcvae");
    }

    [Test]
    public async Task Two_runs_are_compared()
    {
        await Go("");
        var button = Page.GetByRole(AriaRole.Button, new() { Name = "Compare" });
        await Assertions.Expect(button).ToBeDisabledAsync();
        await Page.GetByLabel("choose vae for a comparison").CheckAsync();
        await Page.GetByLabel("choose beta-tcvae for a comparison").CheckAsync();
        await button.ClickAsync();
        await See(Page.Locator("h1"), "Comparison of 2 runs");
        // Both have an nll: two lines, which differ in more than colour.
        var nll = Page.Locator("svg.chart").Filter(new() { Has = Page.Locator("text.title", new() { HasTextRegex = new("^nll$") }) });
        string[] dashes = await nll.Locator("path.line")
            .EvaluateAllAsync<string[]>("all => all.map(p => p.getAttribute('stroke-dasharray'))");
        Assert.That(dashes, Has.Length.EqualTo(2).And.Unique);
        string[] marked = await Page.Locator("tr.differs th").EvaluateAllAsync<string[]>("all => all.map(h => h.textContent.slice(2))");
        Assert.That(marked, Is.EquivalentTo(Differences("vae", "beta-tcvae")));
    }

    [Test]
    public async Task A_run_in_training_appears_and_its_curves_grow()
    {
        string folder = TestFiles.Folder("explore-growing"), path = Path.Combine(folder, "growing");
        using var server = Served.Start(folder);
        Address = server.Address;
        await Go("");
        await See(Page.Locator("tbody"), "There are no runs here yet");
        // An epoch is trained whenever the test says so.
        using var next = new SemaphoreSlim(0);
        var training = Task.Run(() =>
        {
            var all = VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets);
            using var compute = Compute.Open("cpu", 1);
            using var run = TrainingRun.Open(compute, Served.Configuration(ModelCatalogue.Find("vae"), epochs: 3),
                new(all.Train.Take(200), all.Test.Take(60)), path);
            run.Train(epochDone: (_, _) => next.Wait());
        });
        try
        {
            await Assertions.Expect(Page.Locator(".badge.training")).ToBeVisibleAsync(new() { Timeout = 60_000 });
            next.Release();
            await See(Page.Locator("tbody tr"), "1 of 3");
            await Page.GetByRole(AriaRole.Link, new() { Name = "growing" }).ClickAsync();
            await Page.GetByRole(AriaRole.Tab, new() { Name = "Training" }).ClickAsync();
            await See(Page.Locator("[role=tabpanel]:not([hidden])"), "1 of 3 epochs are done");
            var pictures = Page.Locator("[role=tabpanel]:not([hidden]) canvas.grid");
            await Page.WaitForFunctionAsync("() => document.querySelector('[role=tabpanel]:not([hidden]) canvas.grid').width > 350");
            string before = await Pixels(pictures);
            next.Release();
            await See(Page.Locator("[role=tabpanel]:not([hidden])"), "2 of 3 epochs are done");
            await Changed(pictures, before);
            Assert.That(await Page.Locator("svg.chart").First.Locator("circle").CountAsync(), Is.EqualTo(2), "a mark an epoch");
        }
        finally
        {
            next.Release(3);
            await training;
        }
        await See(Page.Locator("[role=tabpanel]:not([hidden])"), "3 of 3 epochs.");
        await NewPage(new());
    }

    [TestCaseSource(nameof(Views))]
    public async Task Views_have_names_roles_and_contrast_for_everybody(string view)
    {
        RefusalsAreExpected = view == "#run=nothing";
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            await NewPage(new() { ColorScheme = scheme });
            await Go(view);
            await Settled();
            var result = await Page.RunAxe();
            Assert.That(result.Violations.SelectMany(v => v.Nodes.Select(n =>
                $"{v.Id}: {n.Html} {string.Join("; ", n.Any.Concat(n.All).Select(c => c.Message))}")), Is.Empty, $"{scheme}");
        }
    }

    [TestCaseSource(nameof(Views))]
    public async Task Views_fit_a_phone(string view)
    {
        RefusalsAreExpected = view == "#run=nothing";
        await NewPage(new() { ViewportSize = new() { Width = 360, Height = 740 }, HasTouch = true, IsMobile = true });
        await Go(view);
        await Settled();
        Assert.That(await Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"), Is.LessThanOrEqualTo(0),
            "what reaches beyond the right edge");
        // Fingers need room.
        string[] small = await Page.Locator("button:visible, select:visible")
            .EvaluateAllAsync<string[]>("all => all.filter(b => b.getBoundingClientRect().height < 24).map(b => b.outerHTML.slice(0, 80))");
        Assert.That(small, Is.Empty);
    }

    private Task Settled() =>
        Page.WaitForFunctionAsync(
            "() => !document.querySelector('.waiting') && document.querySelector('#status').textContent !== 'placing the test images ...'");

    private static IEnumerable<string> Differences(string a, string b)
    {
        var (first, second) = (Settings(a), Settings(b));
        string[] facts = ["started", "commit", "version", "changed"];
        return first.Select(p => p.Key).Union(second.Select(p => p.Key)).Except(facts).Where(key =>
            first[key]?.ToString() != second[key]?.ToString());

        static System.Text.Json.Nodes.JsonObject Settings(string name) =>
            RunDirectory.Open(Path.Combine(Served.Folder, name)).LoadConfiguration().ToJsonObject();
    }
}
