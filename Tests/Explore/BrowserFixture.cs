using Microsoft.Playwright;
using NUnit.Framework;

namespace VaeFromScratch.Tests.Explore;

/// <summary>
/// The machine's own Chromium (VAE_CHROMIUM, or what is on the PATH), for all tests of the page. Without one they are skipped by name, or
/// fail where VAE_REQUIRE_CHROMIUM=1 says so.
/// </summary>
internal static class Chromium
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
    private static readonly Lazy<Task<IBrowser>> Started = new(Start);

    private static IPlaywright? playwright;

    public static Task<IBrowser> Browser => Started.Value;

    private static async Task<IBrowser> Start()
    {
        string? path = Environment.GetEnvironmentVariable("VAE_CHROMIUM") is { Length: > 0 } named ? named
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(folder =>
                Names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        if (path is null)
            return Environment.GetEnvironmentVariable("VAE_REQUIRE_CHROMIUM") == "1"
                ? throw new AssertionException("there is no Chromium on the PATH, and VAE_REQUIRE_CHROMIUM=1 asks for one")
                : throw new IgnoreException("there is no Chromium on the PATH; Debian's package is chromium");
        playwright = await Playwright.CreateAsync();
        // A sandbox needs rights that containers and root do not have; the only page that is opened is our own.
        return await playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Args = ["--no-sandbox"] });
    }

    [SetUpFixture]
    internal sealed class AtTheEnd
    {
        [OneTimeTearDown]
        public async Task Close()
        {
            if (Started is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
                await Started.Value.Result.CloseAsync();
            playwright?.Dispose();
        }
    }
}

/// <summary>
/// A fresh page a test. At its end nothing may have gone wrong in it unnoticed, and it may have asked no other host for
/// anything.
/// </summary>
public abstract class BrowserFixture
{
    private const float Patience = 60_000;

    private readonly List<string> errors = [], foreign = [];
    private IBrowserContext? context;

    protected IPage Page { get; private set; } = null!;

    /// <summary>What the page comes from; the shared server where nothing else is said.</summary>
    protected string Address { get; set; } = "";

    /// <summary>Whether the test makes the server refuse something, which a browser reports as an error.</summary>
    protected bool RefusalsAreExpected { get; set; }

    [SetUp]
    public async Task OpenPage()
    {
        Address = Served.Server.Address;
        RefusalsAreExpected = false;
        errors.Clear();
        foreign.Clear();
        Page = await NewPage(new());
    }

    [TearDown]
    public async Task NothingWentWrong()
    {
        if (context is null)
            return;
        await context.CloseAsync();
        context = null;
        Assert.That(foreign, Is.Empty, "requests to other hosts");
        Assert.That(errors.Where(e => !RefusalsAreExpected || !e.Contains("Failed to load resource")), Is.Empty, "errors in the page");
    }

    /// <summary>Takes the place of <see cref="Page"/>.</summary>
    protected async Task<IPage> NewPage(BrowserNewContextOptions options)
    {
        var browser = await Chromium.Browser;
        if (context is not null)
            await context.CloseAsync();
        context = await browser.NewContextAsync(options);
        context.SetDefaultTimeout(Patience);
        return Page = await NewTab();
    }

    /// <summary>One more page, beside the others.</summary>
    protected async Task<IPage> NewTab()
    {
        var page = await context!.NewPageAsync();
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
                errors.Add(message.Text);
        };
        page.PageError += (_, error) => errors.Add(error);
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(Address, StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
                foreign.Add(request.Url);
        };
        return page;
    }

    /// <summary>Goes to a view by what stands behind the # of its address.</summary>
    protected async Task Go(string view, IPage? page = null)
    {
        page ??= Page;
        // Only another address than before is loaded.
        await page.GotoAsync("about:blank");
        await page.GotoAsync(Address + view);
        await page.Locator("h1").WaitForAsync();
    }

    /// <summary>Opens a run, and waits until its image has been decoded.</summary>
    protected async Task OpenRun(string name, string view = "sliders", string more = "", IPage? page = null)
    {
        page ??= Page;
        await Go($"#run={name}&view={view}{more}", page);
        await page.WaitForFunctionAsync(
            "() => document.querySelector('.side canvas.now')?.getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255");
        await page.Locator("[role=tabpanel]:not([hidden]) > *").First.WaitForAsync();
    }

    /// <summary>The pixels of a canvas.</summary>
    protected static Task<string> Pixels(ILocator canvas) =>
        canvas.EvaluateAsync<string>("c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).join()");

    /// <summary>Waits until a canvas shows something else than before.</summary>
    protected async Task<string> Changed(ILocator canvas, string before)
    {
        for (int i = 0; i < Patience / 20; i++)
        {
            string now = await Pixels(canvas);
            if (now != before)
                return now;
            await Task.Delay(20);
        }
        throw new AssertionException("the picture did not change");
    }

    protected ILocator Decoded => Page.Locator(".side canvas.now");

    /// <summary>Waits until some text is there.</summary>
    protected static Task See(ILocator where, string text) =>
        Assertions.Expect(where).ToContainTextAsync(text, new() { Timeout = Patience });
}
