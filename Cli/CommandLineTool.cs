using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using VaeFromScratch.Cli.Commands;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>The exit codes of every command.</summary>
public static class ExitCode
{
    public const int Done = 0, Failure = 1, Usage = 2, Device = 3, Data = 4, Interrupted = 130;
}

/// <summary>Parses the command line, runs the command, and turns what went wrong into one sentence and an exit code.</summary>
public static class CommandLineTool
{
    private const string Introduction =
        """
        Variational autoencoders and mutual information, from scratch.

        Examples:
          vae train                                  train a beta-VAE on MNIST, rank its factors, write a report
          vae influence runs/NAME --keep 100,20,10   what the most informative factors alone can reconstruct
          vae estimate encodings.csv                 mutual information of anyone's encodings
        """;

    public static int Run(string[] args)
    {
        var root = new RootCommand(Introduction);
        foreach (var command in All())
            root.Subcommands.Add(command);
        if (args.Length == 0)
            args = ["--help"];
        var parsed = root.Parse(args);
        bool verbose = args.Contains("--verbose");
        if (parsed.Errors.Count > 0)
            return Fail(ExitCode.Usage, $"{parsed.Errors[0].Message.TrimEnd('.')}; `vae {(parsed.CommandResult.Command == root ? "" : parsed.CommandResult.Command.Name + " ")}--help` shows what is possible");
        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e)
        {
            if (verbose)
                Console.Error.WriteLine(e);
            return Fail(CodeOf(e), e is OptionException or DataException or DeviceException or DeviceMemoryException or EstimatorException
                ? e.Message
                : $"{e.Message.ReplaceLineEndings(" ")} (unexpected {e.GetType().Name}; run again with --verbose for the stack trace)");
        }
    }

    private static IEnumerable<Command> All() =>
    [
        TrainCommand.Create(),
        EvaluateCommand.Create(),
    ];

    private static int CodeOf(Exception e) => e switch
    {
        OptionException => ExitCode.Usage,
        DeviceException or DeviceMemoryException => ExitCode.Device,
        DataException or EstimatorException => ExitCode.Data,
        _ => ExitCode.Failure,
    };

    private static int Fail(int code, string message)
    {
        Console.Error.WriteLine($"vae: {message}");
        return code;
    }
}
