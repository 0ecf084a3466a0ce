using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae data: which data sets are there, whether their files are what they should be, and putting a download in its place.
/// </summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "list the data sets, check their files, or put a download in its place");
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => List(common.Read(parsed)));
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateVerify());
        command.Subcommands.Add(CreatePrepare());
        return command;
    }

    private static Command CreateList()
    {
        var command = new Command("list", "the data sets, and whether their files are there");
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => List(common.Read(parsed)));
        return command;
    }

    private static int List(CommandContext context)
    {
        context.Output.Json(new JsonObject { ["datasets"] = ListCommand.Datasets(context) });
        return ExitCode.Done;
    }

    private static Command CreateVerify()
    {
        var command = new Command("verify",
            "compare the files of a data set with their published checksums, or see whether a file of your own can be trained on");
        var name = new Argument<string>("NAME") { Description = "a data set of `vae list datasets`, or FILE.npz or FILE.csv" };
        command.Arguments.Add(name);
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => Verify(common.Read(parsed), parsed.GetValue(name)!));
        return command;
    }

    private static int Verify(CommandContext context, string name)
    {
        if (OwnFile.IsOwn(name))
            return VerifyOwn(context, name);
        var info = CommandContext.FindData(name);
        string folder = context.ResolveDataDir(info);
        var checks = DataVerify.Verify(name, folder);
        context.Output.Table(["file", "state", "md5"], checks.Select(c => (IReadOnlyList<string>)[c.File, Describe(c), c.ActualMd5 ?? "-"]),
            textColumns: 3);
        context.Output.Json(new JsonObject
        {
            ["name"] = name,
            ["ok"] = !checks.Any(IsBad),
            ["files"] = new JsonArray([.. checks.Select(c => new JsonObject { ["file"] = c.File, ["state"] = Describe(c),
                ["expected_md5"] = c.ExpectedMd5, ["actual_md5"] = c.ActualMd5 })]),
        });
        if (checks.FirstOrDefault(IsBad) is not { } bad)
            return ExitCode.Done;
        Console.Error.WriteLine(bad.State == FileState.Missing
            ? $"vae: {Path.Combine(folder, bad.File)}: there is no such file, plain or .gz; get it from {info.Source}"
            : $"vae: {Path.Combine(folder, bad.File)}: its MD5 is {bad.ActualMd5}; expected {bad.ExpectedMd5}; fetch it again from "
                + $"{info.Source}");
        return ExitCode.Data;
    }

    /// <summary>A file of one's own has no published checksum; whether it can be trained on is what there is to see.</summary>
    private static int VerifyOwn(CommandContext context, string file)
    {
        var splits = OwnFile.Load(file);
        var (train, test) = splits;
        foreach (string note in splits.Notes)
            Output.Note(note);
        context.Output.Line($"{file}: {train.Count} training and {test.Count} test " + (train.Columns is { } columns
            ? $"rows of {columns.All.Count} columns" : $"images of {ImageShape.Of(train)}")
            + (train.Labels is null ? "" : $", {train.Classes} classes"));
        foreach (var column in train.Columns?.All ?? [])
            context.Output.Line(column.IsCategory ? $"{column.Name}: {string.Join(", ", column.Values)}"
                : string.Create(CultureInfo.InvariantCulture,
                    $"{column.Name}: mean {column.Mean:G6}, standard deviation {column.Scale:G6}"));
        context.Output.Json(new JsonObject
        {
            ["name"] = file,
            ["ok"] = true,
            ["sha256"] = splits.Checksum,
            ["train"] = train.Count,
            ["test"] = test.Count,
        });
        return ExitCode.Done;
    }

    private static Command CreatePrepare()
    {
        var command = new Command("prepare",
            "turn a raw download into what is read: pictures of celeba, and sets with known factors, into one cache file, files of the "
                + "others checked and copied into the data folder; synthetic-eeg is written there as files of deap's layout");
        var name = new Argument<string>("NAME") { Description = "a data set of `vae list datasets`" };
        var from = new Option<string?>("--from") { Description = "the folder of the download" };
        command.Arguments.Add(name);
        command.Options.Add(from);
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => Prepare(common.Read(parsed), CommandContext.FindData(parsed.GetValue(name)!), parsed.GetValue(from)));
        return command;
    }

    private static int Prepare(CommandContext context, DatasetInfo info, string? from)
    {
        if (info.Name == "synthetic-eeg")
            return WriteEeg(context, Path.Combine(context.ResolveDataDir(), info.Name));
        if (from is null)
            throw new OptionException($"prepare {info.Name}: it needs --from and the folder of the download");
        if (!Directory.Exists(from))
            throw new DataException($"--from {from}: {(File.Exists(from) ? "it is a file" : "there is no such folder")}; expected the "
                + $"folder of the download of {info.Name}, from {info.Source}");
        if (info.PrepareFrom is { } prepare)
        {
            string cacheDir = context.ResolveCacheDir();
            string nested = Path.Combine(from, info.Name);
            using var cache = prepare(Directory.Exists(nested) ? nested : from, cacheDir, context.DecodingProgress(info.Name));
            foreach (string note in cache.Header.Notes)
                Output.Note(note);
            context.Output.Line(
                $"{info.Name}: {cache.Header.Train} training, {cache.Header.Validation} validation and {cache.Header.Test} test images "
                + $"in {cacheDir}");
            context.Output.Json(new JsonObject { ["name"] = info.Name, ["images"] = cache.Header.Count, ["folder"] = cacheDir });
            return ExitCode.Done;
        }
        if (info.Files.Count == 0)
            throw new OptionException($"prepare {info.Name}: there is nothing to prepare; source: {info.Source}");
        string folder = context.ResolveDataDir();
        var copied = DataPrepare.CopyFiles(info, from, folder);
        foreach (string file in copied)
            context.Output.Line(Path.Combine(folder, file));
        context.Output.Line(copied.Count == 0 ? $"{info.Name}: every file was in its place" : $"{info.Name}: ready in {folder}");
        context.Output.Json(new JsonObject
        {
            ["name"] = info.Name,
            ["folder"] = folder,
            ["copied"] = new JsonArray([.. copied.Select(file => JsonValue.Create(file))])
        });
        return ExitCode.Done;
    }

    private static int WriteEeg(CommandContext context, string folder)
    {
        var files = new JsonArray();
        foreach (string file in SyntheticEeg.WriteDat(folder))
        {
            context.Output.Line(file);
            files.Add(file);
        }
        context.Output.Json(new JsonObject { ["name"] = "synthetic-eeg", ["folder"] = folder, ["copied"] = files });
        return ExitCode.Done;
    }

    private static bool IsBad(FileCheck check) =>
        check.State is FileState.WrongChecksum || (check.State is FileState.Missing && !check.Optional);

    private static string Describe(FileCheck check) => check.State switch
    {
        FileState.Ok => "ok",
        FileState.Missing => check.Optional ? "missing, optional" : "missing",
        FileState.WrongChecksum => "wrong checksum",
        _ => "no published checksum",
    };
}
