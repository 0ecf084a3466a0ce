using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.Data;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae data: which data sets are there, and whether their files are what they should be.</summary>
internal static class DataCommand
{
    public static Command Create()
    {
        var command = new Command("data", "list the data sets, or check their files");
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => List(common.Read(parsed)));
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateVerify());
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
        var command = new Command("verify", "compare the files of a data set with their published checksums");
        var name = new Argument<string>("NAME") { Description = "a data set of `vae list datasets`" };
        command.Arguments.Add(name);
        var common = new CommonOptions(command, computes: false);
        command.SetAction(parsed => Verify(common.Read(parsed), parsed.GetValue(name)!));
        return command;
    }

    private static int Verify(CommandContext context, string name)
    {
        var info = CommandContext.FindData(name);
        string folder = context.ResolveDataDir();
        var checks = DataVerify.Verify(name, folder);
        context.Output.Table(["file", "state", "md5"], checks.Select(c => (IReadOnlyList<string>)[c.File, Describe(c), c.ActualMd5 ?? "-"]), textColumns: 3);
        context.Output.Json(new JsonObject
        {
            ["name"] = name,
            ["ok"] = !checks.Any(IsBad),
            ["files"] = new JsonArray([.. checks.Select(c => new JsonObject { ["file"] = c.File, ["state"] = Describe(c), ["expected_md5"] = c.ExpectedMd5, ["actual_md5"] = c.ActualMd5 })]),
        });
        if (checks.FirstOrDefault(IsBad) is not { } bad)
            return ExitCode.Done;
        Console.Error.WriteLine(bad.State == FileState.Missing
            ? $"vae: {Path.Combine(folder, bad.File)}: there is no such file, plain or .gz; get it from {info.Source}"
            : $"vae: {Path.Combine(folder, bad.File)}: its MD5 is {bad.ActualMd5}; expected {bad.ExpectedMd5}; fetch it again from {info.Source}");
        return ExitCode.Data;
    }

    private static bool IsBad(FileCheck check) => check.State is FileState.WrongChecksum || (check.State is FileState.Missing && !check.Optional);

    private static string Describe(FileCheck check) => check.State switch
    {
        FileState.Ok => "ok",
        FileState.Missing => check.Optional ? "missing, optional" : "missing",
        FileState.WrongChecksum => "wrong checksum",
        _ => "no published checksum",
    };
}
