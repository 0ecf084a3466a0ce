using Microsoft.Playwright;
using NUnit.Framework;

namespace VaeFromScratch.Tests.Explore;

/// <summary>The plane of two factors in a real browser: hovering, lasso, rectangle, keys, a designed space.</summary>
public sealed class PlaneTests : BrowserFixture
{
    private ILocator Plane => Page.Locator("canvas.plane");

    private ILocator Found => Page.Locator(".found");

    [Test]
    public async Task Hovering_decodes_the_point_and_shows_the_nearest_image()
    {
        var box = await Open("vae");
        string before = await Pixels(Found.Locator("canvas").First);
        await Page.Mouse.MoveAsync(box.X + box.Width / 2, box.Y + box.Height / 2);
        string middle = await Changed(Found.Locator("canvas").First, before);
        await See(Found, "nearest: image");
        await Page.Mouse.MoveAsync(box.X + box.Width * 0.9f, box.Y + box.Height * 0.2f);
        await Changed(Found.Locator("canvas").First, middle);
    }

    [Test]
    public async Task A_lasso_sums_up_what_is_inside()
    {
        var box = await Open("vae");
        // Around the right half, then around everything.
        await Lasso(box, (0.5f, 0.01f), (0.99f, 0.01f), (0.99f, 0.99f), (0.5f, 0.99f));
        await See(Found, "images are inside");
        int half = await Count();
        Assert.That(half, Is.InRange(1, Served.TestImages - 1));
        Assert.That(await Found.Locator("tbody tr").CountAsync(), Is.Positive);
        await Lasso(box, (0.01f, 0.01f), (0.99f, 0.01f), (0.99f, 0.99f), (0.01f, 0.99f));
        await See(Found, $"{Served.TestImages} of {Served.TestImages} images are inside");
        double[] shares = await Found.Locator("td:last-child").EvaluateAllAsync<double[]>("all => all.map(c => parseFloat(c.textContent))");
        Assert.That(shares.Sum(), Is.EqualTo(100).Within(0.6));
        // The mean of all images is that of the data set.
        var test = VaeFromScratch.Data.Mnist.Load(Engine.TestFiles.Datasets).Test;
        double mean = Enumerable.Range(0, Served.TestImages).Average(i => (double)test.Image(i)[14 * 28 + 14]);
        double shown = await Found.Locator("> canvas").EvaluateAsync<double>("c => c.getContext('2d').getImageData(14, 14, 1, 1).data[0]");
        Assert.That(shown, Is.EqualTo(mean).Within(1));
    }

    [Test]
    public async Task A_click_takes_its_place_into_the_code()
    {
        var box = await Open("vae");
        string before = await Pixels(Decoded);
        await Page.Mouse.ClickAsync(box.X + box.Width * 0.85f, box.Y + box.Height * 0.15f);
        await Changed(Decoded, before);
        await Page.WaitForFunctionAsync("() => location.hash.includes('z=')");
    }

    [Test]
    public async Task Keys_move_a_cross_draw_a_rectangle_and_take_a_place()
    {
        await Open("vae");
        await Plane.FocusAsync();
        string before = await Pixels(Found.Locator("canvas").First);
        await Page.Keyboard.PressAsync("ArrowUp");
        await Changed(Found.Locator("canvas").First, before);
        for (int i = 0; i < 25; i++)
            await Page.Keyboard.PressAsync(i % 2 == 0 ? "Shift+ArrowLeft" : "Shift+ArrowDown");
        await See(Found, "inside");
        string decoded = await Pixels(Decoded);
        await Page.Keyboard.PressAsync("Enter");
        await Changed(Decoded, decoded);
        await Page.Keyboard.PressAsync("Escape");
        await See(Found, "No image is inside");
    }

    /// <summary>The colour of a class's circle is on the canvas where the design has it: right of the centre, at two deviations.</summary>
    [Test]
    public async Task A_designed_space_is_shown_with_its_circles()
    {
        await Open("exon");
        // Ten circles around the middle, which is empty of them: the plane has the same scale on both axes.
        int coloured = await Plane.EvaluateAsync<int>(
            """
            c => {
              const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
              for (let i = 0; i < data.length; i += 4)
                if (data[i + 3] === 255 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60) seen.add([data[i] >> 4, data[i + 1] >> 4, data[i + 2] >> 4].join());
              return seen.size;
            }
            """);
        Assert.That(coloured, Is.GreaterThan(8));
        Assert.That(await Page.GetByLabel("Across").InputValueAsync(), Is.EqualTo("0"));
        Assert.That(await Page.GetByLabel("Up").InputValueAsync(), Is.EqualTo("1"));
    }

    private async Task<LocatorBoundingBoxResult> Open(string run)
    {
        await OpenRun(run, "plane");
        await Page.WaitForFunctionAsync(
            "() => document.querySelector('canvas.plane')?.height > 200 && document.querySelectorAll('.legend button').length > 0 && "
            + "document.querySelector('#status').textContent === ''");
        await Plane.ScrollIntoViewIfNeededAsync();
        return (await Plane.BoundingBoxAsync())!;
    }

    private async Task Lasso(LocatorBoundingBoxResult box, params (float X, float Y)[] corners)
    {
        await Page.Mouse.MoveAsync(box.X + box.Width * corners[0].X, box.Y + box.Height * corners[0].Y);
        await Page.Mouse.DownAsync();
        foreach (var (x, y) in corners[1..])
            await Page.Mouse.MoveAsync(box.X + box.Width * x, box.Y + box.Height * y, new() { Steps = 3 });
        await Page.Mouse.UpAsync();
    }

    private async Task<int> Count() => int.Parse((await Found.Locator("p").First.TextContentAsync())!.Split(' ')[0]);
}
