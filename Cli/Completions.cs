using System.CommandLine;
using System.CommandLine.Parsing;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli;

/// <summary>
/// vae completions: a script for a shell, which asks `vae complete` for what may stand where the cursor is: commands, options, models, data
/// sets, run directories and the words that an option takes.
/// </summary>
internal static class Completions
{
    public const string Name = "completions";

    private const string Bash = """
        # vae: put this into ~/.bashrc:  source <(vae completions bash)
        _vae() {
          COMPREPLY=()
          local line word="${COMP_LINE:0:COMP_POINT}"
          # bash takes what is behind a colon for a word of its own.
          word="${word##* }"
          local before="${word%"${COMP_WORDS[COMP_CWORD]}"}"
          while IFS= read -r line; do COMPREPLY+=("${line#"$before"}"); done < <(vae complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
          [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        }
        complete -F _vae vae
        """;

    private const string Zsh = """
        # vae: put this into ~/.zshrc, behind compinit:  source <(vae completions zsh)
        _vae() {
          local -a words_found
          words_found=("${(@f)$(vae complete "$LBUFFER" 2>/dev/null)}")
          [[ -n "$words_found" ]] && compadd -- $words_found || _files
        }
        compdef _vae vae
        """;

    private const string PowerShell = """
        # vae: put this into $PROFILE:  vae completions pwsh | Out-String | Invoke-Expression
        Register-ArgumentCompleter -Native -CommandName vae -ScriptBlock {
          param($word, $tree, $position)
          $line = $tree.ToString().PadRight($position).Substring(0, $position)
          vae complete $line 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
        }
        """;

    /// <summary>The command, and beside it the hidden one that the scripts call.</summary>
    /// <param name="root">Where both are looked up.</param>
    public static Command Create(RootCommand root, ParserConfiguration parser)
    {
        var command = new Command(Name,
            "print a completion script: of commands, options and their values, models, data sets and run directories");
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or pwsh" };
        command.Arguments.Add(shell);
        command.SetAction(parsed =>
        {
            Console.Out.WriteLine(parsed.GetValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                "pwsh" => PowerShell,
                var other => throw new OptionException($"completions {other}: expected bash, zsh or pwsh"),
            });
            return ExitCode.Done;
        });
        var ask = new Command("complete", "print what may stand at the end of a command line, one a line") { Hidden = true };
        var line = new Argument<string>("LINE");
        ask.Arguments.Add(line);
        ask.SetAction(parsed =>
        {
            foreach (string word in Words(root, parser, parsed.GetValue(line)!))
                Console.Out.WriteLine(word);
            return ExitCode.Done;
        });
        root.Subcommands.Add(ask);
        return command;
    }

    /// <summary>What may stand at the end of a line, which begins with the tool's own name.</summary>
    public static IReadOnlyList<string> Words(RootCommand root, ParserConfiguration parser, string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string last = words.Length > 0 && !line.EndsWith(' ') ? words[^1] : "";
        string[] before = words[1..Math.Max(1, words.Length - (last == "" ? 0 : 1))];
        var parsed = root.Parse(before, parser);
        var command = parsed.CommandResult.Command;
        var option = before.Length > 0 ? command.Options.FirstOrDefault(o => o.Name == before[^1] || o.Aliases.Contains(before[^1])) : null;
        IEnumerable<string> possible = option is { ValueType: var type } && type != typeof(bool)
                ? ValuesOf(option.Name).Concat(option.CompletionSources.SelectMany(source => source(parsed.GetCompletionContext()))
                    .Select(item => item.Label))
            : last.StartsWith('-') ? OptionsOf(parsed)
            : command.Subcommands.Count > 0 ? command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name)
            : ValuesOf(command.Arguments.FirstOrDefault(a => parsed.GetResult(a) is not { Tokens.Count: > 0 })?.Name ?? "");
        // The names before the last comma of a list stay, and are not offered again.
        int comma = option is { Name: "--with" } ? last.LastIndexOf(',') + 1 : 0;
        string[] taken = last[..comma].Split(',');
        return [.. possible.Where(word => !taken.Contains(word)).Select(word => last[..comma] + word)
            .Where(word => word.StartsWith(last, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal)];
    }

    private static IEnumerable<string> OptionsOf(ParseResult parsed) =>
        SettingOptions.NamesOf(parsed).Concat(parsed.CommandResult.Command.Options
            .Where(o => !SettingOptions.IsSetting(parsed.CommandResult.Command, o)).Select(o => o.Name));

    private static IEnumerable<string> ValuesOf(string name) => name switch
    {
        "MODEL" or "--model" => ModelCatalogue.Names,
        "--data" or "NAME" => DatasetCatalogue.All.Select(set => set.Name),
        "RUN" or "--out" or "--like" or "--against" => Runs(),
        "SHELL" => ["bash", "zsh", "pwsh"],
        "WHAT" => ["models", "datasets", "devices"],
        _ => [],
    };

    /// <summary>Run directories here and in runs/.</summary>
    private static IEnumerable<string> Runs() =>
        Directory.EnumerateDirectories(".").Select(path => Path.GetFileName(path))
            .Concat(Directory.Exists("runs") ? Directory.EnumerateDirectories("runs") : []).Where(RunDirectory.IsRun);
}
