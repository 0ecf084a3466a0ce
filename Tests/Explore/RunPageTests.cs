using System.Text.Json;
using Microsoft.Playwright;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Explore;

/// <summary>
/// A run's page in a real browser: sliders, categories, pictures of the user's, traverses, the spectrum, the way through the
/// network.
/// </summary>
public sealed class RunPageTests : BrowserFixture
{
    [Test]
    public async Task Dragging_a_slider_changes_the_picture_and_the_address_brings_it_back()
    {
        await OpenRun("vae");
        string before = await Pixels(Decoded);
        var slider = Page.Locator("input.slider").First;
        var box = (await slider.BoundingBoxAsync())!;
        double value = await slider.EvaluateAsync<double>("s => Number(s.value)"),
            range = await slider.EvaluateAsync<double>("s => Number(s.max)");
        float x = (float)(box.X + box.Width * (value + range) / (2 * range)), y = box.Y + box.Height / 2;
        await Page.Mouse.MoveAsync(x, y);
        await Page.Mouse.DownAsync();
        await Page.Mouse.MoveAsync(box.X + box.Width * 0.95f, y, new() { Steps = 8 });
        await Page.Mouse.UpAsync();
        Assert.That(await slider.EvaluateAsync<double>("s => Number(s.value)"), Is.GreaterThan(value));
        string after = await Changed(Decoded, before);

        await Page.WaitForFunctionAsync("() => location.hash.includes('z=')");
        await Page.WaitForTimeoutAsync(400);
        after = await Pixels(Decoded);
        string address = Page.Url;
        var other = await NewTab();
        await other.GotoAsync(address);
        await Assertions.Expect(other.Locator("input.slider").First).ToBeVisibleAsync();
        await other.WaitForTimeoutAsync(500);
        string restored = await Pixels(other.Locator(".side canvas.now"));
        Assert.That(restored.Split(',').Zip(after.Split(','), (a, b) => Math.Abs(int.Parse(a) - int.Parse(b))).Max(),
            Is.LessThanOrEqualTo(1), "the address holds three decimals");

        await Page.GetByRole(AriaRole.Button, new() { Name = "back to the start" }).ClickAsync();
        await Changed(Decoded, after);
    }

    [Test]
    public async Task Two_tabs_do_not_disturb_each_other()
    {
        await OpenRun("vae", more: "&image=3");
        var other = await NewTab();
        await OpenRun("vae", more: "&image=4", page: other);
        string first = await Pixels(Decoded), second = await Pixels(other.Locator(".side canvas.now"));
        Assert.That(first, Is.Not.EqualTo(second));
        await Page.Locator("input.number").First.FillAsync("2.5");
        await Page.Locator("input.number").First.PressAsync("Enter");
        await Changed(Decoded, first);
        Assert.That(await Pixels(other.Locator(".side canvas.now")), Is.EqualTo(second));
    }

    [Test]
    public async Task A_category_is_chosen_by_its_button()
    {
        await OpenRun("imae");
        var buttons = Page.Locator("button.category");
        Assert.That(await buttons.CountAsync(), Is.EqualTo(10));
        string before = await Pixels(Decoded);
        var other = Page.Locator("button.category[aria-pressed=false]").First;
        string name = (await other.TextContentAsync())!;
        await other.ClickAsync();
        await Changed(Decoded, before);
        Assert.That(await Page.Locator("button.category[aria-pressed=true]").TextContentAsync(), Is.EqualTo(name));
    }

    [Test]
    public async Task A_code_starts_from_the_prior_a_sample_or_an_image()
    {
        await OpenRun("vae", more: "&image=0");
        await Page.GetByRole(AriaRole.Button, new() { Name = "test image 7, label 9" }).ClickAsync();
        await See(Page.Locator(".side"), "test image 7, label 9");
        await See(Page.Locator(".side"), "EVLB of this image");
        string ofImage = await Pixels(Decoded);
        await Page.GetByRole(AriaRole.Button, new() { Name = "a sample" }).ClickAsync();
        string ofSample = await Changed(Decoded, ofImage);
        await Assertions.Expect(Page.Locator(".side .figures figure").First).ToBeHiddenAsync();
        await Page.GetByRole(AriaRole.Button, new() { Name = "mean of the prior" }).ClickAsync();
        await Changed(Decoded, ofSample);
        Assert.That(await Page.Locator("input.slider").EvaluateAllAsync<double[]>("all => all.map(s => Number(s.value))"),
            Is.All.EqualTo(0).Within(1e-3));
        // Searched by label: the strip then has none but ones.
        await Page.Locator(".start label.field select").SelectOptionAsync("1");
        await Assertions.Expect(Page.Locator("button.thumb").First).ToHaveAttributeAsync("aria-label", "test image 2, label 1");
        Assert.That(await Page.Locator("button.thumb").EvaluateAllAsync<bool[]>("all => all.map(b => b.ariaLabel.endsWith('label 1'))"),
            Is.All.True);
    }

    [Test]
    public async Task Pictures_of_the_users_are_taken_or_refused_with_a_sentence()
    {
        RefusalsAreExpected = true;
        await OpenRun("vae");
        var pixels = new byte[90 * 120];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = Math.Abs(i % 120 - 60) < 8 ? (byte)255 : (byte)0;
        await Upload("one.png", Png.Encode(new(120, 90, 1, pixels)));
        await See(Page.Locator(".side"), "one.png");
        await See(Page.Locator("#status"), "scaled to 28 x 28");
        string own = await Pixels(Decoded);

        await Upload("bad.png", [0x89, (byte)'P', (byte)'N', (byte)'G', 1, 2, 3, 4]);
        await See(Page.Locator("#status.problem"), "expected");
        await Upload("page.html", "<script>alert(1)</script>"u8.ToArray());
        await See(Page.Locator("#status.problem"), "expected a PNG, JPEG, BMP, GIF or binary PGM (P5)");
        await Upload("large.png", new byte[(8 << 20) + 1]);
        await See(Page.Locator("#status.problem"), "expected at most 8388608");
        Assert.That(await Pixels(Decoded), Is.EqualTo(own), "what was there stays");
        // The network's path takes the same picture.
        await Page.GetByRole(AriaRole.Tab, new() { Name = "Inside" }).ClickAsync();
        await See(Page.Locator("ol.path"), "one.png");

        Task Upload(string name, byte[] contents) => Page.Locator("#picture-file").SetInputFilesAsync(new FilePayload
        {
            Name = name,
            MimeType = "image/png",
            Buffer = contents
        });
    }

    [Test]
    public async Task Traverses_are_drawn_played_and_saved()
    {
        await OpenRun("vae", "traverse", "&steps=5");
        var grid = Page.Locator("canvas.grid");
        await Page.WaitForFunctionAsync("() => document.querySelector('canvas.grid').width > 300");
        string strip = await Pixels(grid);
        int height = await grid.EvaluateAsync<int>("c => c.height");
        await Page.GetByRole(AriaRole.Button, new() { Name = "Play" }).ClickAsync();
        string still = await Pixels(Page.Locator("canvas.player"));
        await Changed(Page.Locator("canvas.player"), still);
        await Page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();

        var png = await Page.RunAndWaitForDownloadAsync(() => Page.GetByRole(AriaRole.Button, new() { Name = "Save as PNG" }).ClickAsync());
        Assert.That(png.SuggestedFilename, Does.Match("^vae-factor-[0-2]\\.png$"));
        var gif = await Page.RunAndWaitForDownloadAsync(() =>
            Page.GetByRole(AriaRole.Button, new() { Name = "animated GIF" }).ClickAsync());
        byte[] bytes = await File.ReadAllBytesAsync(await gif.PathAsync());
        Assert.That(await Frames(bytes), Is.EqualTo(await Strip(grid)), "the frames of the GIF are those of the strip, there and back");

        await Page.GetByRole(AriaRole.Button, new() { Name = "Two factors" }).ClickAsync();
        string square = await Changed(grid, strip);
        Assert.That(await grid.EvaluateAsync<int>("c => c.height"), Is.GreaterThan(2 * height));
        await Page.GetByRole(AriaRole.Button, new() { Name = "Between two images" }).ClickAsync();
        await Changed(grid, square);
        await Page.GetByRole(AriaRole.Button, new() { Name = "another of its class" }).ClickAsync();
        await See(Page.Locator("[role=tabpanel]:not([hidden])"), "to test image");
    }

    /// <summary>The first pixel row of the middle of every frame, as the browser's own decoder reads the GIF.</summary>
    private Task<string[]> Frames(byte[] gif) => Page.EvaluateAsync<string[]>(
        """
        async text => {
          const decoder = new ImageDecoder({ data: Uint8Array.from(atob(text), c => c.charCodeAt(0)), type: "image/gif" });
          await decoder.tracks.ready;
          await decoder.completed;
          const rows = [], scale = 4;
          for (let i = 0; i < decoder.tracks.selectedTrack.frameCount; i++) {
            const { image } = await decoder.decode({ frameIndex: i });
            const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight), context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data, row = [];
            for (let y = 0; y < 28; y++) for (let x = 0; x < 28; x++) row.push(data[4 * (y * scale * canvas.width + x * scale)]);
            rows.push(row.join());
          }
          return rows;
        }
        """, Convert.ToBase64String(gif));

    private static Task<string[]> Strip(ILocator grid) => grid.EvaluateAsync<string[]>(
        """
        canvas => {
          const steps = 5, scale = 3, data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, rows = [];
          for (let i = 0; i < steps; i++) {
            const row = [];
            for (let y = 0; y < 28; y++) for (let x = 0; x < 28; x++) row.push(data[4 * (y * scale * canvas.width + i * (28 * scale + 2) + x * scale)]);
            rows.push(row.join());
          }
          return [...rows, ...rows.slice(1, -1).reverse()];
        }
        """);

    [Test]
    public async Task A_bar_of_the_spectrum_chooses_its_factor()
    {
        await OpenRun("vae", "information");
        await See(Page.Locator("[role=tabpanel]:not([hidden])"), "Ceiling");
        await See(Page.Locator("[role=tabpanel]:not([hidden])"), "log 120 nats");
        var bar = Page.Locator("svg .bar").Nth(1);
        string factor = (await bar.GetAttributeAsync("aria-label"))!.Split(':')[0];
        await bar.ClickAsync();
        await Assertions.Expect(Page.Locator(".factor.chosen label")).ToHaveTextAsync(factor);
        await Page.GoBackAsync();
        await Assertions.Expect(Page.GetByRole(AriaRole.Tab, new() { Name = "Information" })).ToHaveAttributeAsync("aria-selected", "true");
    }

    [Test]
    public async Task The_way_through_the_network_names_every_layer_and_each_term()
    {
        await OpenRun("vae", "inside", "&image=1");
        var path = Page.Locator("ol.path");
        await See(path, "the decoded mean");
        foreach (string name in (string[])["encoder.fc1", "decoder.fc1", "decoder.fc2", "KL = ", "reconstruction −log p(x|z) = ",
            "28 × 28 × 1"])
            await See(path, name);
        Assert.That(await path.Locator(".gaussians figure").CountAsync(), Is.EqualTo(3));
        string before = await Pixels(path.Locator("canvas.now"));
        await Page.GetByRole(AriaRole.Button, new() { Name = "draw another z" }).ClickAsync();
        await Changed(path.Locator("canvas.now"), before);
    }

    [Test]
    public async Task Everything_can_be_done_with_the_keyboard()
    {
        await Go("");
        // From the top of the page to the run by Tab alone, then into it.
        await TabTo("a", "^vae$");
        await Page.Keyboard.PressAsync("Enter");
        await Page.Locator(".side canvas.now").WaitForAsync();
        await TabTo("button", "^Sliders$");
        await Page.Keyboard.PressAsync("ArrowRight");
        await Assertions.Expect(Page.GetByRole(AriaRole.Tab, new() { Name = "Traverse" })).ToHaveAttributeAsync("aria-selected", "true");
        await Page.Keyboard.PressAsync("ArrowLeft");
        await Page.Locator("input.slider").First.WaitForAsync();
        string before = await Pixels(Decoded);
        await TabTo("input", "^factor");
        for (int i = 0; i < 40; i++)
            await Page.Keyboard.PressAsync("ArrowRight");
        await Changed(Decoded, before);

        async Task TabTo(string tag, string label)
        {
            for (int i = 0; i < 200; i++)
            {
                await Page.Keyboard.PressAsync("Tab");
                if (await Page.EvaluateAsync<bool>(
                    "([tag, label]) => { const e = document.activeElement; return e.localName === tag && new "
                    + "RegExp(label).test(e.ariaLabel ?? e.textContent) && e.type !== 'number'; }", new[] { tag, label }))
                    return;
            }
            Assert.Fail($"Tab does not come to {tag} {label}");
        }
    }
}
