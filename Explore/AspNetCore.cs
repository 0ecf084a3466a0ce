using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace VaeFromScratch.Explore;

/// <summary>
/// Brings ASP.NET Core's shared framework into a process that was started without it. The tool does not name that framework in its
/// runtimeconfig.json, or the runtime's host would refuse to start any command on a machine that has only .NET's own runtime.
/// </summary>
public static class AspNetCore
{
    private const string Framework = "Microsoft.AspNetCore.App";

    private static readonly Lazy<string?> Missing = new(Find);

    /// <summary>
    /// From here on the framework's assemblies are found: those that the process has already, as in a self-contained one, else those of the
    /// newest patch of this runtime's version, beside it.
    /// </summary>
    /// <returns>Null, or one sentence about what is missing and how to install it.</returns>
    public static string? Load() => Missing.Value;

    /// <summary>The folder of the newest patch of one version in an installation of .NET; null where there is none.</summary>
    /// <param name="root">The installation's folder, such as /usr/share/dotnet.</param>
    internal static string? Folder(string root, Version runtime)
    {
        string shared = Path.Combine(root, "shared", Framework);
        if (!Directory.Exists(shared))
            return null;
        return Directory.GetDirectories(shared)
            .Select(folder => (Folder: folder, Known: Version.TryParse(Path.GetFileName(folder), out var version), Version: version))
            .Where(f => f.Known && f.Version!.Major == runtime.Major && f.Version.Minor == runtime.Minor)
            .OrderByDescending(f => f.Version).Select(f => f.Folder).FirstOrDefault();
    }

    private static string? Find()
    {
        if (IsThere())
            return null;
        // .../shared/Microsoft.NETCore.App/10.0.x/
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        if (Folder(root, Environment.Version) is not { } folder)
            return string.Create(CultureInfo.InvariantCulture,
                $"explore: {Framework} {Environment.Version.ToString(2)} is not installed in {root}, and the page is served by it; ")
                + $"install ASP.NET Core's runtime (the package aspnetcore-runtime-{Environment.Version.ToString(2)}, "
                + "or from https://dotnet.microsoft.com/download); every other command does without";
        AssemblyLoadContext.Default.Resolving += (context, name) =>
            Path.Combine(folder, name.Name + ".dll") is var file && File.Exists(file) ? context.LoadFromAssemblyPath(file) : null;
        return null;
    }

    private static bool IsThere()
    {
        try
        {
            Assembly.Load("Microsoft.AspNetCore");
            return true;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }
}
