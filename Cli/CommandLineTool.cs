using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;
using VaeFromScratch.Cli.Commands;
using VaeFromScratch.Distributed;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Training;

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

    // A file name may start with @; nothing here reads arguments from files.
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null };

    public static int Run(string[] args)
    {
        StandardStreams.Guard();
        Interruption.Watch();
        int code = Execute(args);
        return code == ExitCode.Done && StandardStreams.Lost is { } why
            ? Fail(ExitCode.Failure, $"standard output: {why}; what was printed is not complete") : code;
    }

    private static int Execute(string[] args)
    {
        try
        {
            Plugins.Load(args);
        }
        catch (OptionException e)
        {
            return Fail(ExitCode.Usage, e.Message);
        }
        var root = new RootCommand(Introduction);
        foreach (var command in Groups().SelectMany(group => group.Commands))
            root.Subcommands.Add(command);
        root.Subcommands.Add(Completions.Create(root, Parser));
        foreach (var help in root.Options.OfType<HelpOption>())
            help.Action = new HelpInGroups((HelpAction)help.Action!);
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, Parser);
        if (UnknownOption(parsed) is { } unknown)
            return Fail(ExitCode.Usage,
                $"{unknown}: there is no such option{Spelling.Suggest(unknown, OptionNames(parsed.CommandResult.Command))}; "
                + $"`{Path(parsed.CommandResult)} --help` shows what is possible");
        if (parsed.Errors.Count > 0)
            return Fail(ExitCode.Usage, $"{Describe(parsed)}; `{Path(parsed.CommandResult)} --help` shows what is possible");
        try
        {
            return Invoke(parsed);
        }
        catch (Exception e)
        {
            if (args.Contains("--verbose"))
                Console.Error.WriteLine(e);
            return Fail(e);
        }
    }

    /// <summary>Says what went wrong, in one sentence, and returns the exit code of it.</summary>
    /// <param name="who">Which of several processes says so; empty where it need not be told.</param>
    internal static int Fail(Exception e, string who = "") => Fail(CodeOf(e), who + (IsExplained(e) ? e.Message
        : $"{e.Message.ReplaceLineEndings(" ").TrimEnd('.')} (unexpected {e.GetType().Name}; run again with --verbose for the stack "
            + "trace)"));

    /// <summary>Runs the command, and says when kernels are being compiled and how long that took.</summary>
    private static int Invoke(ParseResult parsed)
    {
        KernelCompilation.Starting += device => Output.Note($"compiling kernels for {device}, each at its first use");
        try
        {
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        finally
        {
            if (KernelCompilation.Total is ( > 0, _) and var (kernels, seconds))
                Output.Note(string.Create(CultureInfo.InvariantCulture,
                    $"{kernels} kernel{(kernels == 1 ? "" : "s")} compiled in {seconds:F1} s"));
        }
    }

    /// <summary>All commands, as the help shows them; each is named here and nowhere else.</summary>
    private static IEnumerable<(string Title, Command[] Commands)> Groups() =>
    [
        ("Train", [TrainCommand.Create(), SweepCommand.Create(), ReproduceCommand.Create()]),
        ("Look at a run",
        [
            EvaluateCommand.Create(),
            InfluenceCommand.Create(),
            TraverseCommand.Create(),
            SampleCommand.Create(),
            ReconstructCommand.Create(),
            ClassifyCommand.Create(),
            MetricsCommand.Create(),
            ExploreCommand.Create(),
        ]),
        ("Encodings and weights, of any origin",
            [EncodeCommand.Create(), EstimateCommand.Create(), ExportCommand.Create(), ImportCommand.Create()]),
        ("This machine", [ListCommand.Create(), DataCommand.Create(), DoctorCommand.Create()]),
    ];

    /// <summary>
    /// The parser's help in groups: the commands; behind a command's own options the model's settings and the options of all.
    /// </summary>
    private sealed class HelpInGroups(HelpAction plain) : SynchronousCommandLineAction
    {
        /// <summary>Whoever asks for help need not know yet what must be given.</summary>
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parsed)
        {
            var configuration = parsed.InvocationConfiguration;
            var (output, text) = (configuration.Output, new StringWriter());
            if (parsed.CommandResult.Command is RootCommand root)
                WriteCommands(root, text);
            else
            {
                // The parser writes to what it is configured with, and fits it to the terminal.
                (configuration.Output, plain.MaxWidth) = (text, int.MaxValue);
                plain.Invoke(parsed);
                configuration.Output = output;
                SettingOptions.WriteHelp(parsed, text);
                CommonOptions.WriteHelp(parsed.CommandResult.Command, text);
            }
            output.Write(HelpText.Set(text.ToString()));
            return ExitCode.Done;
        }

        private static void WriteCommands(RootCommand root, TextWriter output)
        {
            output.WriteLine(root.Description);
            output.WriteLine();
            output.WriteLine("Usage: vae COMMAND [options]; vae COMMAND --help shows a command's options.");
            foreach (var (title, commands) in Groups().Append(("Shell", [.. root.Subcommands.Where(c => c.Name == Completions.Name)])))
            {
                output.WriteLine();
                output.WriteLine($"{title}:");
                foreach (var command in commands)
                    output.WriteLine($"  {command.Name,-12} {command.Description}");
            }
            output.WriteLine();
            output.WriteLine("  --version    the version");
        }
    }

    private static int CodeOf(Exception e) => e switch
    {
        OptionException => ExitCode.Usage,
        DeviceException or DeviceMemoryException => ExitCode.Device,
        DataException or EstimatorException => ExitCode.Data,
        _ => ExitCode.Failure,
    };

    /// <summary>Whether the message alone tells the user what happened; the system's own messages about files name the file.</summary>
    internal static bool IsExplained(Exception e) =>
        CodeOf(e) != ExitCode.Failure
            || e is DivergenceException or CollectiveException or IOException or UnauthorizedAccessException
                or PlatformNotSupportedException;

    /// <summary>An unknown option; the parser would take it for an argument where one is possible.</summary>
    private static string? UnknownOption(ParseResult parsed) =>
        // Behind a command that there is not, no option is known.
        parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens is [not ['-', ..], ..] ? null
        : parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value)
            .Concat(parsed.UnmatchedTokens).FirstOrDefault(t => t.StartsWith("--", StringComparison.Ordinal));

    private static IEnumerable<string> OptionNames(Command command) => command.Options.SelectMany(o => (string[])[o.Name, .. o.Aliases]);

    /// <summary>What is wrong with the command line, in one clause.</summary>
    private static string Describe(ParseResult parsed)
    {
        var error = parsed.Errors[0];
        if (error.SymbolResult is OptionResult { Option: var option } given)
        {
            string values = string.Join(' ', given.Tokens.Select(t => t.Value));
            return given.Implicit ? $"{option.Name}: it must be given ({option.Description})"
                : given.IdentifierTokenCount > 1 ? $"{option.Name}: it is given more than once; expected once"
                : given.Tokens.Count == 0 ? $"{option.Name}: it needs a value ({option.Description})"
                : $"{option.Name} {values}: expected {Choices.Expected(option) ?? Expected(option.ValueType)}";
        }
        if (error.SymbolResult is ArgumentResult { Argument: var argument })
            return $"{argument.Name}: it must be given ({argument.Description})";
        if (parsed.UnmatchedTokens.Count > 0)
            return parsed.CommandResult.Command is RootCommand
                ? $"{parsed.UnmatchedTokens[0]}: there is no such "
                + $"command{Spelling.Suggest(parsed.UnmatchedTokens[0], parsed.CommandResult.Command.Subcommands.Select(c => c.Name))}"
                : $"{parsed.UnmatchedTokens[0]}: not expected here";
        if (parsed.CommandResult.Command.Options.FirstOrDefault(o => o.Required && parsed.GetResult(o) is null) is { } required)
            return $"{required.Name}: it must be given ({required.Description})";
        return error.Message.TrimEnd('.');
    }

    private static string Expected(Type type) =>
        type == typeof(ulong) ? "a whole number of at least 0" : type == typeof(int) ? "a whole number" : type == typeof(double)
            ? "a number" : type == typeof(bool) ? "true or false" : "a value";

    private static string Path(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{Path(parent)} {result.Command.Name}" : "vae";

    private static int Fail(int code, string message)
    {
        Console.Error.WriteLine($"vae: {message}");
        return code;
    }
}
