using System.Globalization;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>
/// How much memory this process may still take. Systems that lend more than they have end a process that uses it, without a word.
/// </summary>
internal static class HostMemory
{
    private const string System = "/proc/meminfo", Group = "/sys/fs/cgroup/memory.";

    /// <summary>
    /// Bytes: the least of what the system has free, what the process's group may still take and the runtime's own limit.
    /// </summary>
    public static long AvailableBytes
    {
        get
        {
            long runtime = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            long system = OperatingSystem.IsLinux() ? Math.Min(Free(), OfGroup()) : long.MaxValue;
            return Math.Max(0, Math.Min(runtime > 0 ? runtime : long.MaxValue, system));
        }
    }

    private static long Free() => Line(System, "MemAvailable:") is { } kilobytes ? 1024 * kilobytes : long.MaxValue;

    /// <summary>What the group's limit leaves, with the copies of files that the system would drop first.</summary>
    private static long OfGroup() => Parse(Text(Group + "max")) is { } limit && Parse(Text(Group + "current")) is { } used
        ? limit - used + (Line(Group + "stat", "inactive_file") ?? 0) + (Line(Group + "stat", "active_file") ?? 0) : long.MaxValue;

    /// <summary>The number behind a word at the start of a line.</summary>
    private static long? Line(string file, string word) => Text(file).Split('\n')
        .FirstOrDefault(l => l.StartsWith(word, StringComparison.Ordinal)) is { } line
            ? Parse(line[word.Length..].Replace("kB", "", StringComparison.Ordinal)) : null;

    private static string Text(string file) => File.Exists(file) ? File.ReadAllText(file) : "";

    private static long? Parse(string text) =>
        long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
}
