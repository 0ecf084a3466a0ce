using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Models.Runs;

/// <summary>Weights on disk: safetensors with PyTorch's names and layouts.</summary>
internal static class WeightFile
{
    private const string Counter = "num_batches_tracked";

    public static void Save(IEnumerable<Parameter> parameters, string path) => AtomicFile.Write(path, stream => Save(parameters, stream));

    public static void Save(IEnumerable<Parameter> parameters, Stream stream) =>
        Safetensors.Write(stream, [.. parameters.Select(p => (p.Name, new HostArray(p.Layout.Disk, p.ToDisk())))]);

    /// <summary>Reads a file of weights without PyTorch's counters of batches, which are whole numbers that no computation uses.</summary>
    /// <exception cref="DataException">The file cannot be read.</exception>
    public static SafetensorsFile Read(string path) =>
        Safetensors.Read(path, name => name == Counter || name.EndsWith("." + Counter, StringComparison.Ordinal));

    /// <exception cref="DataException">A parameter is missing, has another shape, or the file has one that the model does not
    /// know.</exception>
    public static void Load(IEnumerable<Parameter> parameters, string path) => Load(parameters, Read(path).Arrays, path);

    /// <param name="arrays">By the parameters' names.</param>
    /// <param name="path">The file that they came from, for errors.</param>
    /// <exception cref="DataException">A parameter is missing, has another shape, or there is an array that the model does not
    /// know.</exception>
    public static void Load(IEnumerable<Parameter> parameters, IReadOnlyDictionary<string, HostArray> arrays, string path)
    {
        var known = new HashSet<string>();
        foreach (var parameter in parameters)
        {
            known.Add(parameter.Name);
            if (!arrays.TryGetValue(parameter.Name, out var array))
                throw new DataException(
                    $"{path}: there is no tensor {parameter.Name}; the file holds {Some(arrays.Keys)}, so it belongs to another model or "
                    + $"network");
            if (!array.Shape.AsSpan().SequenceEqual(parameter.Layout.Disk))
                throw new DataException(
                    $"{path}: {parameter.Name} has shape {HostArray.Describe(array.Shape)}, the model needs "
                    + $"{HostArray.Describe(parameter.Layout.Disk)}; check --network, --latents and --data");
            if (Array.FindIndex(array.Data, v => !float.IsFinite(v)) is >= 0 and var bad)
                throw new DataException($"{path}: {parameter.Name} holds {array.Data[bad]} at element {bad}; weights must be finite");
            parameter.FromDisk(array.Data);
        }
        if (arrays.Keys.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
            throw new DataException($"{path}: tensor {unknown} is not part of the model; the file belongs to another model or network");
    }

    private static string Some(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal).Take(4)) + ", ...";
}
