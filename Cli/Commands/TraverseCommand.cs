using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae traverse: what each factor does to an image.</summary>
internal static class TraverseCommand
{
    private const int LargestGrid = 10_000;

    public static Command Create()
    {
        var command =
            new Command("traverse", "a PNG grid a factor: rows are test images, columns are values of the factor from -RANGE to RANGE; "
                + "of a run on a table rows as CSV");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var factors = new Option<string>("--factors")
        {
            Description = "top:N for the N most informative, or indices such as 3,7",
            DefaultValueFactory = _ => "top:8"
        };
        var range = new Option<double>("--range")
        {
            Description = "the largest value, in standard deviations of the prior",
            DefaultValueFactory = _ => 3
        };
        var relative = new Option<bool>("--relative")
        {
            Description =
            "values around each image's own, from RANGE below it to RANGE above (paper 2's one-shot traversals)"
        };
        var steps = new Option<int>("--steps") { Description = "values per factor", DefaultValueFactory = _ => 11 };
        var images = new Option<int>("--images") { Description = "test images, the first in file order", DefaultValueFactory = _ => 8 };
        var outDir = new Option<string?>("--out")
        {
            Description = "the folder for traverse-FACTOR.png or .csv (default: the run directory)",
        };
        command.Arguments.Add(path);
        foreach (var option in (Option[])[factors, range, relative, steps, images, outDir])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (r, s, i) = (parsed.GetValue(range), parsed.GetValue(steps), parsed.GetValue(images));
            if (!(r > 0) || !double.IsFinite(r))
                throw new OptionException(FormattableString.Invariant($"--range {r}: expected a positive number"));
            if (s is < 2 or > LargestGrid)
                throw new OptionException($"--steps {s}: expected 2 to {LargestGrid}");
            if (i < 1 || (long)i * s > LargestGrid)
                throw new OptionException($"--images {i}: expected at least 1, and at most {LargestGrid} images times steps");
            string? folder = OutputFile.Folder("--out", parsed.GetValue(outDir));
            using var run = context.OpenRun(parsed.GetValue(path)!);
            Traverse(context, run, parsed.GetValue(factors)!, r, parsed.GetValue(relative), s, i, folder ?? run.Directory.Path);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Traverse(CommandContext context, OpenRun run, string wanted, double range, bool relative, int steps, int images,
        string folder)
    {
        int[] factors = Choose(run, wanted);
        foreach (int factor in factors)
            OutputFile.RequireNotData("--out", RowsFile(folder, factor), run.Directory.Path);
        if (run.Data.Test.Columns is { } columns)
        {
            TraverseRows(context, run, new(run.Model, run.Configuration, columns), factors, range, relative, steps, images, folder);
            return;
        }
        var pictures = new Pictures(run.Model, run.Configuration);
        float[] codes = pictures.First(run.Data.Test, images).Codes;
        var files = new JsonArray();
        foreach (int factor in factors)
        {
            string file = Path.Combine(folder, $"traverse-{factor}.png");
            AtomicFile.WriteBytes(file, pictures.Traversal(codes, factor, range, steps, relative));
            context.Output.Line(file);
            files.Add(new JsonObject { ["factor"] = factor, ["file"] = file });
        }
        context.Output.Json(new JsonObject { ["files"] = files });
    }

    /// <summary>A CSV file for each factor: a line for each row of the table and each value of the factor.</summary>
    private static void TraverseRows(CommandContext context, OpenRun run, TableRows rows, int[] factors, double range, bool relative,
        int steps, int images, string folder)
    {
        float[] codes = rows.First(run.Data.Test, images).Codes;
        int length = run.Model.CodeLength;
        double[] moves = [.. Enumerable.Range(0, steps).Select(s => range * (2.0 * s / (steps - 1) - 1))];
        var files = new JsonArray();
        foreach (int factor in factors)
        {
            double[][] values = [.. Enumerable.Range(0, codes.Length / length).Select(n =>
                Array.ConvertAll(moves, move => move + (relative ? codes[n * length + factor] : 0)))];
            object[][] moved = [.. values.SelectMany((own, n) => rows.Traversal(codes.AsSpan(n * length, length), factor, own))];
            string file = RowsFile(folder, factor);
            AtomicFile.Write(file, stream => rows.Write(stream, moved, ["row", $"z_{factor}"],
                i => [i / steps, values[i / steps][i % steps]]));
            context.Output.Line(file);
            files.Add(new JsonObject { ["factor"] = factor, ["file"] = file });
        }
        context.Output.Json(new JsonObject { ["files"] = files });
    }

    private static string RowsFile(string folder, int factor) => Path.Combine(folder, $"traverse-{factor}.csv");

    private static int[] Choose(OpenRun run, string wanted)
    {
        int h = run.Model.Latents;
        if (wanted.StartsWith("top:", StringComparison.Ordinal))
        {
            if (!int.TryParse(wanted.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out int top) || top < 1)
                throw Bad();
            using var evaluator = new Evaluator(run.Model, run.Data.Test, run.Configuration);
            return [.. evaluator.Indicators().Ranked.Take(top).Select(f => f.Factor)];
        }
        return [.. wanted.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int factor)
            && factor < h ? factor : throw Bad()).Distinct()];

        OptionException Bad() => new($"--factors {wanted}: expected top:N, or indices from 0 to {h - 1} with commas between");
    }
}
