using System.CommandLine;
using System.Runtime.CompilerServices;

namespace VaeFromScratch.Cli;

/// <summary>Options that take one of a few words: what is named once is completed, checked, and told where another word stands.</summary>
internal static class Choices
{
    private static readonly ConditionalWeakTable<Option, string[]> OfOption = [];

    /// <summary>Lets an option take these words only.</summary>
    public static Option<T> Among<T>(this Option<T> option, params string[] words)
    {
        OfOption.Add(option, words);
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !words.Contains(token.Value)) is { } other)
                result.AddError($"{option.Name} {other.Value}: expected {Expected(option)}");
        });
        return option;
    }

    /// <summary>The words of an option in a sentence; null for an option of other values.</summary>
    public static string? Expected(Option option) => !OfOption.TryGetValue(option, out string[]? words) ? null
        : words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}";
}
