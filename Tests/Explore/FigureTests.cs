using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Tests.Cli;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>
/// What the page takes, on paper 1's network for MNIST: printed, and held against nothing. Only where VAE_MEASURE=1 asks for it, as
/// scripts/explore-figures.sh does.
/// </summary>
public sealed class FigureTests : BrowserFixture
{
    private const int Drags = 200, Runs = 5;

    [Test]
    public async Task Print_the_figures()
    {
        if (Environment.GetEnvironmentVariable("VAE_MEASURE") != "1")
            Assert.Ignore("scripts/explore-figures.sh runs it");
        string folder = TestFiles.Folder("explore-figures");
        string first = Path.Combine(folder, "run0");
        Tool.Finish(Tool.Start("train", "vae", "--limit", "300", "--epochs", "1", "--latents", "128", "--report", "false", "--data-dir",
            TestFiles.Datasets, "--out", first)).Succeeded();
        for (int i = 1; i < Runs; i++)
        {
            string copy = Directory.CreateDirectory(Path.Combine(folder, $"run{i}")).FullName;
            foreach (string file in Directory.GetFiles(first))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }
        using var process = Tool.StartInterruptible("explore", folder, "--device", "cpu", "--data-dir", TestFiles.Datasets);
        string address = (await process.StandardOutput.ReadLineAsync())!;
        Address = address;
        try
        {
            await MeasureOpening();
            await MeasureDrags();
            Say($"page weight: {PageFiles.All.Values.Sum(f => (long)f.Length) / 1000.0:F0} KB in {PageFiles.All.Count} files");
            await MeasureMemory(process);
        }
        finally
        {
            Tool.Signal(process, "INT");
            Tool.Finish(process);
        }
    }

    /// <summary>From the request of the page, with no model and no data in memory, to the first decoded image.</summary>
    private async Task MeasureOpening()
    {
        await Page.GotoAsync(Address + "#run=run0");
        await Page.WaitForFunctionAsync("() => performance.getEntriesByName('first view').length > 0");
        double cold = await First(Page);
        await Page.ReloadAsync();
        await Page.WaitForFunctionAsync("() => performance.getEntriesByName('first view').length > 0");
        Say($"opening, to the first view: {cold:F0} ms, {await First(Page):F0} ms when the run is open already");

        static Task<double> First(Microsoft.Playwright.IPage page) =>
            page.EvaluateAsync<double>("() => performance.getEntriesByName('first view')[0].startTime");
    }

    /// <summary>
    /// As the page's own stopwatch has it: from the time of the browser's input event until the picture is on the
    /// canvas.
    /// </summary>
    private async Task MeasureDrags()
    {
        var slider = Page.Locator("input.slider").First;
        var box = (await slider.BoundingBoxAsync())!;
        double value = await slider.EvaluateAsync<double>("s => Number(s.value) / Number(s.max)");
        await Page.EvaluateAsync("() => performance.clearMeasures('drag')");
        await Page.Mouse.MoveAsync((float)(box.X + box.Width * (0.5 + value / 2)), box.Y + box.Height / 2);
        await Page.Mouse.DownAsync();
        for (int i = 0; i < Drags; i++)
        {
            await Page.Mouse.MoveAsync((float)(box.X + box.Width * (0.2 + 0.6 * Math.Abs(Math.Sin(i * 0.15)))), box.Y + box.Height / 2);
            await Task.Delay(25);
        }
        await Page.Mouse.UpAsync();
        await Task.Delay(500);
        double[] times = await Page.EvaluateAsync<double[]>("() => performance.getEntriesByName('drag').map(e => e.duration)");
        Array.Sort(times);
        Say($"drag to picture: median {times[times.Length / 2]:F1} ms, 95 % within {times[times.Length * 95 / 100]:F1} ms, {times.Length} pictures of {Drags} moves");
    }

    private async Task MeasureMemory(Process process)
    {
        for (int i = 0; i < Runs; i++)
        {
            await Page.GotoAsync("about:blank");
            await Page.GotoAsync($"{Address}#run=run{i}&view=plane");
            await Page.WaitForFunctionAsync(
                "() => document.querySelector('canvas.plane')?.height > 200 && document.querySelector('#status').textContent === ''");
        }
        if (!OperatingSystem.IsLinux())
            return;
        string[] status = await File.ReadAllLinesAsync($"/proc/{process.Id}/status");
        Say($"memory with {Runs} runs open: {Megabytes("VmRSS:"):F0} MB, at most {Megabytes("VmHWM:"):F0} MB");

        double Megabytes(string name) => double.Parse(status.Single(l => l.StartsWith(name, StringComparison.Ordinal)).Split(' ',
            StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1000;
    }

    private static void Say(FormattableString text) => TestContext.Progress.WriteLine("figure: "
        + text.ToString(CultureInfo.InvariantCulture));
}
