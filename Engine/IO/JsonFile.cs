using System.Text.Json;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Engine.IO;

/// <summary>Reads the small JSON files that options name, and says in words what is wrong with one.</summary>
internal static class JsonFile
{
    /// <summary>The object that a file holds, as something else.</summary>
    /// <param name="option">The option that names the file.</param>
    /// <param name="file">The file.</param>
    /// <param name="expected">What it should be, for the error.</param>
    /// <param name="convert">May throw a <see cref="JsonException"/> whose message is a clause, without a line.</param>
    /// <exception cref="DataException">The file cannot be read, is no JSON object, or cannot be converted.</exception>
    public static T Read<T>(string option, string file, string expected, Func<JsonObject, T> convert)
    {
        try
        {
            return convert(JsonNode.Parse(File.ReadAllText(file), documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject
                ?? throw new JsonException("it is no JSON object"));
        }
        catch (Exception e) when (e is JsonException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{option} {file}: {Problem(file, e)}; expected {expected}", e);
        }
    }

    /// <summary>What kept a JSON file from being read, as a clause.</summary>
    public static string Problem(string file, Exception problem) => problem switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException when Directory.Exists(file) => "it is a folder",
        // Only what the parser throws knows the line.
        JsonException { LineNumber: not null } when string.IsNullOrWhiteSpace(File.ReadAllText(file)) => "it is empty",
        JsonException { LineNumber: { } line } => $"it is no JSON at line {line + 1}",
        // The parser names the key between quotes.
        JsonException when problem.Message.StartsWith("Duplicate property '", StringComparison.Ordinal) =>
            $"it has the key {problem.Message.Split('\'')[1]} twice",
        _ => problem.Message.Split('\n')[0].TrimEnd('.'),
    };
}
