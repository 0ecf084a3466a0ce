using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace VaeFromScratch.Explore.Web;

/// <summary>The page itself: the files of Page/, which are resources of this assembly.</summary>
internal static class PageFiles
{
    private static readonly Dictionary<string, string> Types = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    /// <summary>Name and contents of each file.</summary>
    public static IReadOnlyDictionary<string, byte[]> All { get; } = Read();

    public static void Map(IEndpointRouteBuilder routes)
    {
        foreach (var (name, contents) in All)
            foreach (string path in name == "index.html" ? ["/"] : (string[])[$"/{name}"])
                routes.MapGet(path, (RequestDelegate)(context => Write(context, name, contents)));
    }

    private static Task Write(HttpContext context, string name, byte[] contents)
    {
        context.Response.ContentType = Types[Path.GetExtension(name)];
        context.Response.ContentLength = contents.Length;
        return context.Response.Body.WriteAsync(contents, context.RequestAborted).AsTask();
    }

    private static Dictionary<string, byte[]> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames().Where(name => Types.ContainsKey(Path.GetExtension(name))).ToDictionary(name => name,
            name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            return bytes.ToArray();
        });
    }
}
