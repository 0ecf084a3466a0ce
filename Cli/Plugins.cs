using System.Reflection;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli;

/// <summary>
/// Models of one's own: assemblies named by <c>--plugin</c>, whose entries join the catalogue before the command line is read.
/// </summary>
/// <remarks>An assembly is code, and runs with the user's rights as soon as it is loaded.</remarks>
internal static class Plugins
{
    public const string Option = "--plugin";

    /// <exception cref="OptionException">A file is no assembly with models.</exception>
    public static void Load(string[] args)
    {
        for (int i = 0; i < args.Length; i++)
            if (args[i] == Option && i + 1 < args.Length)
                LoadFile(args[i + 1]);
            else if (args[i].StartsWith(Option + "=", StringComparison.Ordinal))
                LoadFile(args[i][(Option.Length + 1)..]);
    }

    private static void LoadFile(string path)
    {
        if (!File.Exists(path))
            throw new OptionException($"{Option} {path}: there is no such file; name the .dll that `dotnet build` made of your models");
        try
        {
            ModelCatalogue.AddFrom(Assembly.LoadFrom(Path.GetFullPath(path)));
        }
        catch (OptionException e)
        {
            throw new OptionException($"{Option} {path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or ReflectionTypeLoadException or TypeLoadException
            or TargetInvocationException)
        {
            string why = (e as ReflectionTypeLoadException)?.LoaderExceptions.FirstOrDefault()?.Message ?? (e.InnerException ?? e).Message;
            throw new OptionException(
                $"{Option} {path}: {why.ReplaceLineEndings(" ").TrimEnd('.')}; expected a .NET assembly that was built against this "
                + $"version");
        }
    }
}
