namespace VaeFromScratch.Engine.IO;

/// <summary>Files that must go when the process ends before its work is done: temporary ones, and locks.</summary>
internal static class UnfinishedFiles
{
    private static readonly Lock Gate = new();
    private static readonly HashSet<string> Paths = [];

    public static void Add(string path)
    {
        lock (Gate)
            Paths.Add(path);
    }

    /// <summary>
    /// Does <paramref name="finish"/>, which renames or deletes the file, and forgets it; not while <see cref="Remove"/> is at work.
    /// </summary>
    public static void Finish(string path, Action finish)
    {
        lock (Gate)
        {
            finish();
            Paths.Remove(path);
        }
    }

    /// <summary>
    /// Deletes them for a process that ends now: from then on nothing is finished any more, and whoever wants to waits for the end.
    /// </summary>
    /// <param name="patience">How long to wait for a file that is being finished.</param>
    public static void Remove(TimeSpan patience)
    {
        if (!Gate.TryEnter(patience))
            return;
        foreach (string path in Paths)
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The folder is gone or locked away; there is nobody left to tell.
            }
        }
    }
}
