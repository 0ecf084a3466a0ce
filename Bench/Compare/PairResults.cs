using System.Text.Json.Nodes;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Bench.Compare;

/// <summary>What compare.sh left behind: one folder for each pair, in it SECTION.ours.json and SECTION.torch.json.</summary>
public sealed class PairResults
{
    /// <summary>Cores that others may use, or the hypervisor take, while a section runs.</summary>
    public const double QuietCores = Interference.QuietCores;

    private readonly List<Pair> pairs;
    private readonly bool keepsDisturbed;

    private PairResults(List<Pair> pairs, bool keepsDisturbed) => (this.pairs, this.keepsDisturbed) = (pairs, keepsDisturbed);

    public int Count => pairs.Count;

    /// <summary>What ours was compared with: PyTorch, unless the other side says LibTorch.</summary>
    public string Peer => (string?)Configuration("torch")?["name"] ?? "PyTorch";

    /// <summary>Sections that any pair measured.</summary>
    public IReadOnlyList<string> Sections => [.. pairs.SelectMany(p => p.Sections).Distinct()];

    /// <param name="keepDisturbed">Count every pair, also where others computed: for a look at the rows, never for figures.</param>
    public static PairResults Load(string directory, bool keepDisturbed = false) =>
        new([.. Directory.GetDirectories(directory).Order(StringComparer.Ordinal).Select(folder => new Pair(
            Directory.GetFiles(folder, "*.json")
                .ToDictionary(f => Path.GetFileNameWithoutExtension(f), f => JsonNode.Parse(File.ReadAllText(f))!)))], keepDisturbed);

    /// <summary>Pairs in which neither side of the section was disturbed.</summary>
    public int QuietPairs(string section) => pairs.Count(p => Counts(p, section));

    public int MeasuredPairs(string section) => pairs.Count(p => p.Sections.Contains(section));

    /// <summary>Both values of a row in each undisturbed pair that has them.</summary>
    public IReadOnlyList<(double Over, double Under)> Values(ComparisonRow row) =>
        [.. pairs.Where(p => Counts(p, row.Section)).Select(p => (p.Value(row.Over), p.Value(row.Under)))
            .Where(v => v.Item1 is not null && v.Item2 is not null).Select(v => (v.Item1!.Value, v.Item2!.Value))];

    /// <summary>A value over the peak measured beside it, in each undisturbed pair.</summary>
    public IReadOnlyList<double> SharesOfPeak(ComparisonRow row) =>
        [.. pairs.Where(p => Counts(p, row.Section))
            .Select(p => p.Value(row.Flops!) / p.Value($"ours/{row.Section}.peak/{row.Section}/gflops")).OfType<double>()];

    /// <summary>The first pair's description of a side, such as versions.</summary>
    public JsonNode? Configuration(string side) =>
        pairs.SelectMany(p => p.Of(side)).Select(json => json["config"]).FirstOrDefault(c => c is not null);

    private bool Counts(Pair pair, string section) => pair.Sections.Contains(section) && (keepsDisturbed || pair.IsQuiet(section));

    private sealed class Pair(Dictionary<string, JsonNode> files)
    {
        public IEnumerable<string> Sections => files.Keys.Select(k => k.Split('.')[0]).Distinct();

        public IEnumerable<JsonNode> Of(string side) =>
            files.Where(f => f.Key.EndsWith("." + side, StringComparison.Ordinal)).Select(f => f.Value);

        public bool IsQuiet(string section) =>
            files.Where(f => f.Key.StartsWith(section + ".", StringComparison.Ordinal)).All(f =>
                f.Value["interference"]?[section] is not { } i
                    || ((double)i["foreign_cores"]! <= QuietCores && (double)i["steal_cores"]! <= QuietCores));

        /// <param name="path">SIDE/SECTION/.. for a measured value, SIDE/SECTION.KEY/.. for what stands beside the section.</param>
        public double? Value(string path)
        {
            string[] steps = path.Split('/');
            string[] section = steps[1].Split('.');
            if (!files.TryGetValue($"{section[0]}.{steps[0]}", out var node))
                return null;
            foreach (string step in (string[])[section.Length > 1 ? section[1] : section[0], .. steps[2..]])
                if (node[step] is { } inner)
                    node = inner;
                else
                    return null;
            return (double)node;
        }
    }
}
