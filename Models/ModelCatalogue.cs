using System.Reflection;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models;

/// <summary>
/// The models there are, by name. It is open: <see cref="Add"/> takes a model of one's own, which is then trained, resumed, evaluated and
/// reported like ours.
/// </summary>
public static class ModelCatalogue
{
    private static readonly Lock Adding = new();
    private static IReadOnlyList<ModelEntry> all =
        [.. EntriesOf(typeof(ModelCatalogue).Assembly).OrderBy(m => m.Name,
            StringComparer.Ordinal).ThenBy(m => !m.IsFirst).ThenBy(m => m.Code)];

    /// <summary>By name; a name that stands for two kinds of code is there twice.</summary>
    public static IReadOnlyList<ModelEntry> All => all;

    public static IEnumerable<string> Names => all.Select(m => m.Name).Distinct();

    /// <exception cref="OptionException">There is a model of this name already.</exception>
    public static void Add(ModelEntry entry)
    {
        lock (Adding)
        {
            if (all.Any(m => m.Name == entry.Name && m.Code == entry.Code))
                throw new OptionException($"model '{entry.Name}' exists already; give yours another name");
            all = [.. all, entry];
        }
    }

    /// <summary>Adds the entries of every class of an assembly that is <see cref="ICatalogued"/>.</summary>
    /// <returns>Their names.</returns>
    /// <exception cref="OptionException">It has none, or there is a model of one's name already.</exception>
    public static IReadOnlyList<string> AddFrom(Assembly assembly)
    {
        ModelEntry[] entries = [.. EntriesOf(assembly)];
        if (entries.Length == 0)
            throw new OptionException(
                $"{assembly.GetName().Name}: no class in it is {nameof(ICatalogued)}, so that it has no models to add");
        foreach (var entry in entries)
            Add(entry);
        return [.. entries.Select(e => e.Name)];
    }

    /// <param name="code">gaussian, joint, or empty for what the model has by default.</param>
    /// <exception cref="OptionException">There is no such model, or none with such a code.</exception>
    public static ModelEntry Find(string name, string code = "")
    {
        ModelEntry[] found = [.. all.Where(m => m.Name == name)];
        if (found.Length == 0)
            throw new OptionException(
                $"model '{name}' does not exist{Spelling.Suggest(name, Names)}; models are {string.Join(", ", Names)}");
        return (code == "" ? found[0] : found.FirstOrDefault(m => Setting.ToText(m.Code) == code))
            ?? throw new OptionException(
            $"code {code}: the codes of {name} are {string.Join(" or ", found.Select(m => Setting.ToText(m.Code)))}");
    }

    /// <summary>What a run of a model on a data set starts from.</summary>
    /// <param name="data">Null for that of the model's first recipe, whose recipes also hold for data without recipes of their own.</param>
    /// <param name="recipe">Null for the first one that is not <see cref="Recipe.OnRequest"/>, where the model has any.</param>
    /// <param name="code">gaussian, joint, or empty for what the model has by default.</param>
    /// <exception cref="OptionException">There is no such model, or no such recipe of it for these data.</exception>
    public static RunConfiguration Defaults(string model, string? data = null, string? recipe = null, string code = "") =>
        Find(model, code).DefaultsFor(data, recipe);

    private static IEnumerable<ModelEntry> EntriesOf(Assembly assembly) => assembly.GetTypes()
        .Where(t => t is { IsInterface: false, IsAbstract: false } && t.IsAssignableTo(typeof(ICatalogued)))
        .SelectMany(t => (IReadOnlyList<ModelEntry>)t.GetProperty(nameof(ICatalogued.Entries))!.GetValue(null)!);
}
