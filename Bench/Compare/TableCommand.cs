using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Bench.Compare;

/// <summary>table: turns what compare.sh measured into one table, on the screen and in a results page.</summary>
internal static class TableCommand
{
    public static Command Create()
    {
        var directory =
            new Argument<string>("DIRECTORY") { Description = "one folder for each pair with SECTION.ours.json and SECTION.torch.json" };
        var outFile = new Option<string>("--out") { Description = "also write the table to this file, with the machine and the versions" };
        var commit = new Option<string>("--commit") { Description = "the commit that was measured" };
        var command = new Option<string>("--command") { Description = "how it was measured" };
        var needed = new Option<int>("--needed") { Description = "print only the sections that have fewer undisturbed pairs than this" };
        var disturbed = new Option<bool>("--keep-disturbed") { Description = "count every pair, also where others computed" };
        var table = new Command("table", "print the comparison of measured pairs") { directory, outFile, commit, command, needed,
            disturbed };
        table.SetAction(parsed =>
        {
            var results = PairResults.Load(parsed.GetValue(directory)!, parsed.GetValue(disturbed));
            if (parsed.GetValue(needed) is > 0 and var pairs)
            {
                Console.WriteLine(string.Join(' ', results.Sections.Where(s => results.QuietPairs(s) < pairs)));
                return 0;
            }
            string text = ComparisonTable.Write(results);
            Console.Write(text);
            if (parsed.GetValue(outFile) is { } file)
                Save(file, Heading(results, parsed.GetValue(commit) ?? "unknown", parsed.GetValue(command) ?? "Bench/compare.sh") + text);
            return 0;
        });
        return table;
    }

    private static string Heading(PairResults results, string commit, string command)
    {
        var (ours, torch) = (results.Configuration("ours"), results.Configuration("torch"));
        string processor = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1]
            .Trim() ?? "unknown"
            : "unknown";
        return string.Create(CultureInfo.InvariantCulture, $"""
            # CPU against {results.Peer}, {DateTime.UtcNow:yyyy-MM-dd}

            | | |
            | --- | --- |
            | processor | {processor}, {Environment.ProcessorCount} logical processors, {RuntimeInformation.OSDescription} |
            | ours | commit {commit}, .NET {ours?["dotnet"]}, {ours?["threads"]} threads, {ours?["vector_bits"]}-bit vectors |
            | {results.Peer} | {torch?["torch"]}, {torch?["threads"]} threads, {torch?["libs"]} |
            | its variables | OPENBLAS_CORETYPE {torch?["coretype_env"]}, ATEN_CPU_CAPABILITY {torch?["aten_env"]} |
            | pairs | {results.Count}, alternated |

                {command.Replace(" --repeats", " \\\n        --repeats", StringComparison.Ordinal)}

            Ratios: rates ours over the peer's and times the peer's over ours, so that more is better; memory ours over the peer's.
            Each is the median over the pairs.
            What "tuned" is: Bench/peers/README.md.


            """);
    }

    private static void Save(string file, string text)
    {
        string temporary = file + ".part";
        File.WriteAllText(temporary, text);
        File.Move(temporary, file, overwrite: true);
    }
}
