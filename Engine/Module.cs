using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using VaeFromScratch.Graphs;

namespace VaeFromScratch;

/// <summary>A part of a network: a function of tensors with parameters.</summary>
/// <remarks>
/// Its parts are the parameters, modules and lists of modules in its fields and automatic properties, private ones too; a module that
/// only a lambda holds is not found. Where no module on the way to a parameter has a name, <see cref="ParameterArena.Of"/> calls the
/// parameter by the way itself: "encoder.0.weight".
/// </remarks>
/// <param name="name">What the names of its parameters start with wherever it stands; null for where it stands.</param>
public abstract class Module(string? name = null)
{
    private readonly string? name = name;

    /// <summary>This module's parameters and its parts', in order of declaration, each once.</summary>
    public IEnumerable<Parameter> Parameters
    {
        get
        {
            var found = new List<Parameter>();
            Visit("", [], (_, parameter) => found.Add(parameter));
            return found;
        }
    }

    public abstract Tensor Forward(Tensor x);

    /// <summary>What <see cref="Forward"/> computes in evaluation, as a graph for export and inference.</summary>
    /// <param name="x">One row of the input.</param>
    /// <exception cref="NotSupportedException">The module does not say what it computes.</exception>
    public virtual GraphNode Describe(GraphNode x) => throw new NotSupportedException(
        $"{GetType().Name} does not say what it computes: override {nameof(Describe)}, as the layers of Engine/Nn do; a "
            + $"{nameof(Function)} of one's own cannot");

    /// <summary>Parameters and modules by the names that they have here.</summary>
    internal virtual IEnumerable<(string Name, object Part)> Parts => ModuleParts.Of(this);

    /// <summary>The parameters of several modules, each named by where it stands below them; of one module below it.</summary>
    internal static IReadOnlyList<Parameter> Name(IReadOnlyList<Module> modules)
    {
        var found = new List<Parameter>();
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < modules.Count; i++)
            modules[i].Visit(modules.Count == 1 ? "" : i.ToString(CultureInfo.InvariantCulture), seen, (path, parameter) =>
            {
                parameter.Name = path;
                found.Add(parameter);
            });
        return found;
    }

    /// <summary>The full name of a parameter of this module; its own name where the module has none.</summary>
    protected string Named(string parameter) => name is null ? parameter : $"{name}.{parameter}";

    private void Visit(string path, HashSet<object> seen, Action<string, Parameter> visit)
    {
        string here = name ?? path;
        foreach (var (partName, part) in Parts)
            if (!seen.Add(part))
                continue;
            else if (part is Module module)
                module.Visit(Below(here, partName), seen, visit);
            else
                visit(name is null ? Below(here, ((Parameter)part).OwnName) : ((Parameter)part).OwnName, (Parameter)part);
    }

    private static string Below(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}

/// <summary>Finds the parts of modules in their fields.</summary>
internal static class ModuleParts
{
    private static readonly Type[] Kinds = [typeof(Parameter), typeof(Module), typeof(IEnumerable<Module>)];
    private static readonly ConcurrentDictionary<Type, FieldInfo[]> Fields = new();

    public static IEnumerable<(string Name, object Part)> Of(Module module)
    {
        foreach (var field in Fields.GetOrAdd(module.GetType(), FieldsOf))
        {
            string name = NameOf(field);
            if (field.GetValue(module) is IEnumerable<Module> list)
                foreach (var (i, part) in list.Index())
                    yield return ($"{name}.{i.ToString(CultureInfo.InvariantCulture)}", part);
            else if (field.GetValue(module) is { } part)
                yield return (name, part);
        }
    }

    /// <summary>Those of base classes first, each class's in the order in which they are written.</summary>
    private static FieldInfo[] FieldsOf(Type type) => type.BaseType is not { } parent ? [] :
    [
        .. FieldsOf(parent),
        .. type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Where(f => Kinds.Any(kind => kind.IsAssignableFrom(f.FieldType)))
            .OrderBy(f => f.MetadataToken),
    ];

    /// <summary>As the member is written, in snake case.</summary>
    private static string NameOf(FieldInfo field)
    {
        // The compiler stores a property Q in a field "<Q>k__BackingField", and a parameter q of the class in "<q>P".
        string name = field.Name.StartsWith('<') ? field.Name[1..field.Name.IndexOf('>')] : field.Name.TrimStart('_');
        return JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
    }
}
