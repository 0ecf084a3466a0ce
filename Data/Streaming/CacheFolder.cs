namespace VaeFromScratch.Data.Streaming;

/// <summary>Where converted data is kept; the data folder itself is never written.</summary>
internal static class CacheFolder
{
    /// <summary>$XDG_CACHE_HOME/vae, else ~/.cache/vae.</summary>
    public static string Default
    {
        get
        {
            string? set = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            string root = string.IsNullOrEmpty(set)
                ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache") : set;
            return Path.Combine(root, "vae");
        }
    }
}
