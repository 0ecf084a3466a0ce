using System.Reflection;

namespace VaeFromScratch.Cli;

/// <summary>Which build this is: both parts come from the assembly's informational version, VERSION+COMMIT.</summary>
internal static class BuildInfo
{
    private static readonly string[] Parts =
        (typeof(BuildInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "").Split('+');

    public static string Version => Parts[0];

    /// <summary>Empty when it was not built from a git checkout.</summary>
    public static string Commit => Parts.Length > 1 ? Parts[1] : "";
}
