namespace VaeFromScratch.Engine.IO;

/// <summary>A file is missing or is not what it should be; the message is one sentence that names the file, what was found, what was expected and what to do.</summary>
public sealed class DataException(string message, Exception? inner = null) : Exception(message, inner)
{
    internal const string FetchAgain = "fetch the file again";

    /// <param name="file">The file, as the user named it.</param>
    /// <param name="found">What is there.</param>
    /// <param name="expected">What should be there, without the word expected.</param>
    /// <param name="advice">What to do.</param>
    public static DataException In(string file, string found, string expected, string advice = FetchAgain, Exception? inner = null) =>
        new($"{file}: {found}; expected {expected}; {advice}", inner);
}
