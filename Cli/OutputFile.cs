using VaeFromScratch.Data.Own;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli;

/// <summary>
/// A file that an option names: checked before anything is computed, then written whole, or streamed where it is standard output, a pipe or
/// a device.
/// </summary>
internal sealed class OutputFile
{
    private const string StandardOutput = "-";

    private readonly bool standardOutput;

    private OutputFile(string path, bool standardOutput, string ending) =>
        (Path, this.standardOutput, Ending) = (path, standardOutput, ending);

    public string Path { get; }

    /// <summary>One of the endings that were allowed; the first where the name has none.</summary>
    public string Ending { get; }

    /// <param name="option">The option as written.</param>
    /// <param name="endings">What the name may end in, such as .png; a pipe or a device may have any name and gets the first
    /// format.</param>
    /// <param name="output">Given where "-" may stand for standard output, on which then nothing else is said.</param>
    /// <param name="ownName">The name of the file in a run directory that the command itself keeps there.</param>
    /// <param name="run">The run that is written about, whose data stay as they are.</param>
    /// <exception cref="OptionException">The file cannot be or must not be written.</exception>
    public static OutputFile Named(string option, string path, string[] endings, string run, Output? output = null,
        string? ownName = null)
    {
        string formats = string.Join(" or ", endings);
        if (path == "")
            throw new OptionException($"{option} \"\": the name is empty; expected a file whose name ends in {formats}");
        if (path is StandardOutput or "/dev/stdout")
        {
            if (output is null)
                throw new OptionException($"{option} {path}: this cannot go to standard output; name a file that ends in {formats}");
            if (output.IsJson)
                throw new OptionException(
                    $"{option} {path}: standard output can take the file or the JSON object of --json; leave one of them out");
            output.GivenAway = true;
            return new(path, standardOutput: true, endings[0]);
        }
        string ending = System.IO.Path.GetExtension(path).ToLowerInvariant();
        bool known = endings.Contains(ending);
        if (AtomicFile.IsStream(path))
            return new(path, standardOutput: false, known ? ending : endings[0]);
        if (Directory.Exists(path))
            throw new OptionException($"{option} {path}: it is a folder; expected a file whose name ends in {formats}");
        RequireNotData(option, path, run);
        string target = AtomicFile.Target(path);
        if (RunDirectory.IsFileOfRun(target) && System.IO.Path.GetFileName(target) != ownName)
            throw new OptionException(
                $"{option} {path}: it would replace a file of the run in {System.IO.Path.GetDirectoryName(target)}; name another file");
        if (!known && (ending != "" || endings.Length > 1))
            throw new OptionException($"{option} {path}: expected a name that ends in {formats}");
        return new(path, standardOutput: false, known ? ending : endings[0]);
    }

    /// <summary>Sees that a file is not the one that a run was trained on, under this name or by links.</summary>
    /// <exception cref="OptionException">It is.</exception>
    public static void RequireNotData(string option, string path, string run)
    {
        if (RunDirectory.IsRun(run) && RunDirectory.Open(run).LoadConfiguration().Data.Name is var data && OwnFile.IsOwn(data)
            && RealPath(path).Equals(RealPath(data),
                OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase))
            throw new OptionException($"{option} {path}: it would replace the data that {run} was trained on; name another file");
    }

    /// <summary>A full path without links, neither of the file nor of a folder on the way to it.</summary>
    private static string RealPath(string path)
    {
        string file = AtomicFile.Target(path);
        return System.IO.Path.GetDirectoryName(file) is { } folder
            ? System.IO.Path.Combine(RealPath(folder), System.IO.Path.GetFileName(file)) : file;
    }

    /// <summary>Checks a folder that an option names; null is passed on.</summary>
    /// <exception cref="OptionException">It cannot be a folder.</exception>
    public static string? Folder(string option, string? path) => path switch
    {
        null => null,
        "" => throw new OptionException($"{option} \"\": the name is empty; expected a folder"),
        StandardOutput =>
            throw new OptionException($"{option} -: several files are written, which cannot go to standard output; name a folder"),
        _ when File.Exists(path) => throw new OptionException($"{option} {path}: it is a file that exists already; expected a folder"),
        _ => path,
    };

    public void Write(Action<Stream> write)
    {
        if (!standardOutput)
        {
            AtomicFile.Write(Path, write);
            return;
        }
        write(StandardStreams.Output);
    }
}
