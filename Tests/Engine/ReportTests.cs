using System.Globalization;
using System.Xml.Linq;
using NUnit.Framework;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Tests.Engine;

public sealed class ReportTests
{
    private const string Hostile = "<script>alert(\"1\")</script> & 'two' \u0001";

    private static readonly Chart[] Charts =
    [
        new LineChart([new(Hostile, [0, 1, 2], [1, double.NaN, 3]), new("b", [0, 2], [-1, 1e7])]) { Title = Hostile, XLabel = Hostile,
            YLabel = Hostile },
        new LineChart([new("a", [1, 10, 1000], [0.001, -1, 100])]) { LogX = true, LogY = true },
        new LineChart([]),
        new LineChart([new("one point", [5], [5])]),
        new BarChart("bars", [3, 1, double.NaN, -2]) { Labels = ["a", Hostile, "c"],
            Overlay = new("line", "right", [1, 2, 3, double.PositiveInfinity]), Threshold = 2, ThresholdLabel = Hostile },
        new BarChart("none", []),
        new BarChart("many", [.. Enumerable.Range(0, 500).Select(i => 1.0 / (i + 1))]),
        new ScatterChart([1, 2, double.NaN], [1, 2, 3], [0, 1, 0]) { ClassNames = [Hostile, "b"], Circles = [new(0, 0, 2, 12)] },
        new ScatterChart([], []),
        new HeatMap(2, 3, [1, 2, 3, 4, double.NaN, 6]) { Title = Hostile, RowLabels = [Hostile], XLabel = "x" },
        new HeatMap(2, 2, [-1, 0, 0.5, 1]),
        new HeatMap(1, 1, [double.NaN]),
        new HeatMap(1, 2, [3, 3]),
    ];

    [TestCaseSource(nameof(Charts))]
    public void Charts_are_well_formed_self_contained_and_repeatable(Chart chart)
    {
        string svg = chart.ToSvg();
        var root = XDocument.Parse(svg).Root!;
        Assert.Multiple(() =>
        {
            Assert.That(root.Name.LocalName, Is.EqualTo("svg"));
            Assert.That(svg, Does.Not.Contain("NaN").And.Not.Contain("Infinity").And.Not.Contain("∞"));
            Assert.That(svg.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal),
                Does.Not.Contain("http").And.Not.Contain("<script"));
            Assert.That(chart.ToSvg(), Is.EqualTo(svg));
            foreach (var text in Elements(root, "text"))
            {
                Assert.That(Number(text, "x"), Is.InRange(0, chart.Width), text.Value);
                Assert.That(Number(text, "y"), Is.InRange(0, chart.Height), text.Value);
            }
        });
    }

    [Test]
    public void Text_is_shown_as_it_was_given()
    {
        var root = XDocument.Parse(Charts[0].ToSvg()).Root!;
        Assert.That(Elements(root, "text").Count(text => text.Value == "<script>alert(\"1\")</script> & 'two' ?"), Is.EqualTo(4),
            "title, legend and both axes");
    }

    [Test]
    public void Ticks_are_round_and_in_the_right_places()
    {
        var root = XDocument.Parse(new LineChart([new("a", [0, 100], [0, 0.93])]).ToSvg()).Root!;
        string[] labels = [.. Elements(root, "text").Select(text => text.Value)];
        Assert.That(labels, Is.EqualTo(new[] { "0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "0", "20", "40", "60", "80", "100" }));
        double[] places = [.. Elements(root, "text").Take(6).Select(text => Number(text, "y"))];
        Assert.That(places.Zip(places.Skip(1), (a, b) => a - b), Is.All.EqualTo(places[0] - places[1]).Within(0.02), "evenly spaced");
        Assert.That(places[0], Is.GreaterThan(places[5]), "upwards");
    }

    [Test]
    public void Decades_are_evenly_spaced_on_a_logarithmic_axis()
    {
        var root = XDocument.Parse(new LineChart([new("a", [1, 2, 3, 4], [0.001, 0.1, 10, 1000])]) { LogY = true }.ToSvg()).Root!;
        double[] heights = [.. Elements(root, "circle").Select(circle => Number(circle, "cy"))];
        Assert.That(heights.Zip(heights.Skip(1), (a, b) => a - b), Is.All.EqualTo(heights[0] - heights[1]).Within(0.02));
        Assert.That(Elements(root, "text").Select(text => text.Value), Is.SupersetOf(new[] { "0.001", "0.1", "10", "1000" }));
    }

    [Test]
    public void Bars_are_as_high_as_their_values_and_pale_below_the_threshold()
    {
        var root = XDocument.Parse(new BarChart("information", [4, 2, 0.4]) { Threshold = 0.5, ThresholdLabel = "limit" }.ToSvg()).Root!;
        var bars = Elements(root, "rect").Where(rect => rect.HasElements).ToList();
        Assert.That(bars, Has.Count.EqualTo(3));
        Assert.That(Number(bars[0], "height") / Number(bars[1], "height"), Is.EqualTo(2).Within(0.01));
        Assert.That(Number(bars[0], "height") / Number(bars[2], "height"), Is.EqualTo(10).Within(0.05));
        Assert.That(bars[1].Attribute("fill")!.Value,
            Is.EqualTo(bars[0].Attribute("fill")!.Value).And.Not.EqualTo(bars[2].Attribute("fill")!.Value));
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(40)]
    public void What_the_threshold_means_stands_where_no_bar_is(int bars)
    {
        var chart = new BarChart("information", [.. Enumerable.Repeat(4.0, bars)]) { Threshold = 0.5, ThresholdLabel = "limit" };
        var root = XDocument.Parse(chart.ToSvg()).Root!;
        var label = Elements(root, "text").Single(text => text.Value == "limit");
        double top = Elements(root, "rect").Where(rect => rect.HasElements).Min(rect => Number(rect, "y"));
        Assert.That(Number(label, "y"), Is.LessThan(top));
    }

    [Test]
    public void A_heat_map_draws_one_pixel_a_value()
    {
        var root = XDocument.Parse(new HeatMap(2, 3, [0, 1, 2, 3, 4, double.NaN]).ToSvg()).Root!;
        string data = Elements(root, "image").First().Attribute("href")!.Value;
        var picture = Png.Decode(Convert.FromBase64String(data["data:image/png;base64,".Length..]), "heat map");
        Assert.That((picture.Width, picture.Height), Is.EqualTo((3, 2)));
        double[] brightness = [.. Enumerable.Range(0, 5).Select(i => picture.Pixels.Skip(3 * i).Take(3).Average(b => (double)b))];
        Assert.That(brightness, Is.Ordered.Descending);
        Assert.That(() => new HeatMap(2, 3, [1]).ToSvg(), Throws.ArgumentException);
    }

    [Test]
    public void A_page_is_self_contained_and_shows_text_as_text()
    {
        string path = Path.Combine(TestFiles.Folder("page"), "report.html");
        new HtmlPage(Hostile, Hostile)
            .Section(Hostile).Paragraph(Hostile).Note(Hostile).Code(Hostile).Definitions([(Hostile, Hostile)])
            .Section("Two").Table([Hostile, "number"], [[Hostile, "1.5"], ["x", "-2e3"]], Hostile)
            .Section("Three").Figure(Charts[0], Hostile).Figure(Png.Encode(new(1, 1, 1, [0])), Hostile)
            .Save(path);
        string html = File.ReadAllText(path);
        Assert.Multiple(() =>
        {
            Assert.That(html, Does.Not.Contain("<script").And.Not.Contain("\u0001"));
            Assert.That(html.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal),
                Does.Not.Match("(src|href)=\"(?!data:|#)"));
            Assert.That(html, Does.Contain("<td class=\"n\">1.5</td>").And.Contain("<td>x</td>"));
            Assert.That(html, Does.Contain("<nav><a href=\"#s1\">").And.Contain("<h2 id=\"s3\">Three</h2>"));
        });
        Assert.That(() => new HtmlPage("t").Table(["a", "b"], [["1"]]),
            Throws.ArgumentException.With.Message.Contains("1 cells under a header of 2"));
    }

    private static IEnumerable<XElement> Elements(XElement root, string name) =>
        root.Descendants().Where(element => element.Name.LocalName == name);

    private static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);
}
