using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Explore.Runs;

/// <summary>A run that the page may show.</summary>
/// <param name="Id">By which requests name it: its place below the folder, or the name of the folder itself.</param>
/// <param name="Path">Of the run directory.</param>
internal sealed record RunEntry(string Id, string Path);

/// <summary>The runs in a folder. Requests name runs only by what is listed here, so that no text of a request becomes a path.</summary>
internal sealed class RunList
{
    private const int Depth = 3, MostRuns = 2000;

    /// <summary>What tells the folder of a run whose config.json is missing from any other folder.</summary>
    private static readonly string[] Marks = ["config.json", "model.safetensors", "checkpoint.safetensors", "metrics.csv",
        RunLock.FileName];

    private readonly string root;

    /// <param name="path">A run directory, or a folder with runs in it or in its folders.</param>
    /// <exception cref="DataException">It is not there.</exception>
    public RunList(string path)
    {
        root = Path.GetFullPath(path);
        if (!Directory.Exists(root))
            throw new DataException(
                $"{path}: there is no such folder; name a run directory, or a folder with runs such as `vae train` makes in runs/");
    }

    /// <summary>The folder's name.</summary>
    public string Folder => Path.GetFileName(Path.TrimEndingDirectorySeparator(root)) is { Length: > 0 } name ? name : root;

    /// <summary>Every run that is there now, by name.</summary>
    public IReadOnlyList<RunEntry> Scan()
    {
        if (IsMarked(root))
            return [new(Folder, root)];
        var found = new List<RunEntry>();
        Add(root, "", Depth, found);
        return found;
    }

    /// <exception cref="Web.RequestException">There is none of that name.</exception>
    public RunEntry Find(string id) => Scan().FirstOrDefault(run => run.Id == id)
        ?? throw new Web.RequestException(404, "there is no such run here; the list of runs shows what there is");

    private static void Add(string folder, string prefix, int depth, List<RunEntry> found)
    {
        string[] children;
        try
        {
            children = Directory.GetDirectories(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return;
        }
        foreach (string child in children.Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(child);
            if (name.StartsWith('.') || found.Count >= MostRuns)
                continue;
            if (IsMarked(child))
                found.Add(new(prefix + name, child));
            else if (depth > 1)
                Add(child, $"{prefix}{name}/", depth - 1, found);
        }
    }

    private static bool IsMarked(string folder) => Marks.Any(mark => File.Exists(Path.Combine(folder, mark)));
}
