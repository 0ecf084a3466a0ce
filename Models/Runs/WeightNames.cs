using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Models.Runs;

/// <summary>How the tensors of a foreign weight file are named here.</summary>
/// <remarks>
/// A map is a JSON object. A key is the name of a tensor or of a layer, whose weight and bias follow it: {"encoder.embedding":
/// "encoder.mu"}. A value is the name here; null to leave the tensor
/// out; {"interleaved": [A, B]} or {"halves": [A, B]} for a layer whose outputs are those of two layers here, dealt out in turn or one half
/// each.
/// </remarks>
internal sealed class WeightNames
{
    private const string Interleaved = "interleaved", Halves = "halves";

    private readonly IReadOnlyDictionary<string, Target> targets;

    private WeightNames(string name, IReadOnlyDictionary<string, Target> targets) => (Name, this.targets) = (name, targets);

    /// <summary>Maps of well-known implementations, by name, from their public names of layers.</summary>
    public static IReadOnlyList<WeightNames> Presets { get; } =
    [
        // pythae's VAE with its default networks for MNIST: --network mlp:512 --noise bernoulli.
        new("pythae", new Dictionary<string, Target>
        {
            ["encoder.layers.0.0"] = new("encoder.fc1"),
            ["encoder.embedding"] = new("encoder.mu"),
            ["encoder.log_var"] = new("encoder.logvar"),
            ["decoder.layers.0.0"] = new("decoder.fc1"),
            ["decoder.layers.1.0"] = new("decoder.fc2"),
        }),
        new("disentangling-vae", Burgess(64)),
        new("disentangling-vae, 32x32", Burgess(32)),
    ];

    /// <summary>
    /// disentangling-vae's VAE of Burgess et al.: --network burgess --noise bernoulli. It reads its head as pairs of mean and log-variance;
    /// images of 64 x 64 have one convolution more each way, which it calls conv_64 and convT_64.
    /// </summary>
    private static Dictionary<string, Target> Burgess(int size)
    {
        var layers = new Dictionary<string, Target> { ["encoder.mu_logvar_gen"] = new("encoder.mu", "encoder.logvar", InTurn: true) };
        int more = size == 64 ? 1 : 0;
        if (more == 1)
            (layers["encoder.conv_64"], layers["decoder.convT_64"]) = (new("encoder.conv4"), new("decoder.deconv1"));
        for (int i = 1; i <= 3; i++)
        {
            layers[$"encoder.conv{i}"] = new($"encoder.conv{i}");
            layers[$"decoder.lin{i}"] = new($"decoder.fc{i}");
            layers[$"decoder.convT{i}"] = new($"decoder.deconv{i + more}");
        }
        for (int i = 1; i <= 2; i++)
            layers[$"encoder.lin{i}"] = new($"encoder.fc{i}");
        return layers;
    }

    public string Name { get; }

    /// <summary>What a user may name of them; a preset may have several versions.</summary>
    public static IReadOnlyList<string> PresetNames { get; } = [.. Presets.Select(NameOf).Distinct()];

    /// <summary>Each foreign name with what it is here, for a user to look at.</summary>
    public IEnumerable<string> Lines => targets.Select(t => $"{t.Key} -> {t.Value}");

    /// <summary>What a tensor or layer is here.</summary>
    /// <param name="First">Null where it is left out.</param>
    /// <param name="Second">A second layer, which has half of the outputs.</param>
    /// <param name="InTurn">Whether the outputs of both are dealt out in turn.</param>
    private sealed record Target(string? First, string? Second = null, bool InTurn = false)
    {
        public override string ToString() => First is null ? "left out" : Second is null ? First
            : $"{First} and {Second}, {(InTurn ? "in turn" : "one half each")}";
    }

    /// <summary>A preset by its name, or a map in a JSON file.</summary>
    /// <param name="arrays">What is to be renamed: a preset may have several versions.</param>
    /// <exception cref="DataException">The file cannot be read as a map.</exception>
    public static WeightNames Read(string nameOrFile, IReadOnlyDictionary<string, HostArray> arrays)
    {
        WeightNames[] versions = [.. Presets.Where(p => NameOf(p) == nameOrFile)];
        return versions.Length > 0 ? versions.FirstOrDefault(v => v.Fits(arrays)) ?? versions[0] : FromJson(nameOrFile);
    }

    /// <summary>
    /// What is likely meant by the names of a file that are not ours: a preset, or our layers in the same order and of the same shapes;
    /// null where neither fits.
    /// </summary>
    public static WeightNames? Guess(IReadOnlyDictionary<string, HostArray> arrays, IEnumerable<Parameter> parameters)
    {
        if (Presets.FirstOrDefault(p => p.Fits(arrays)) is { } preset)
            return preset;
        Parameter[] ours = [.. parameters.Where(p => !IsOfNoise(p.Name))];
        return ours.Length == arrays.Count && ours.Zip(arrays).All(pair =>
            pair.First.Layout.Disk.AsSpan().SequenceEqual(pair.Second.Value.Shape))
            ? new("the order and the shapes of the layers",
                ours.Zip(arrays).ToDictionary(p => p.Second.Key, p => new Target(p.First.Name))) : null;
    }

    /// <summary>Whether all keys of the map are names of a file.</summary>
    public bool Fits(IReadOnlyDictionary<string, HostArray> arrays) =>
        targets.Keys.All(key => Names(key, arrays.Keys)) && arrays.Keys.All(name => Find(name).Target is not null);

    /// <summary>Refuses a map with a key that is the name of nothing in a file: it is a slip, or the map of another model.</summary>
    /// <param name="tensors">The names of the file's tensors, with those that are not computed with.</param>
    /// <exception cref="DataException">Nothing has the name.</exception>
    public void CheckKeys(IReadOnlyCollection<string> tensors, string file)
    {
        if (targets.Keys.FirstOrDefault(key => !Names(key, tensors)) is { } key)
            throw new DataException(
                $"{file}: it has no tensor or layer {key}, which --names {Name} speaks of"
                + $"{(tensors.MinBy(t => Distance(key, t)) is { } nearest ? $" (nearest: {nearest})" : "")}; "
                + "expected keys that are names in the file; correct or remove the key, or give another map");
    }

    private static bool Names(string key, IEnumerable<string> tensors) =>
        tensors.Any(name => name == key || (name.StartsWith(key, StringComparison.Ordinal) && name.LastIndexOf('.') == key.Length));

    /// <summary>The arrays under the names that they have here; those that the map does not know keep theirs.</summary>
    /// <exception cref="DataException">A tensor of two layers cannot be divided, or two tensors get the same name.</exception>
    public IReadOnlyDictionary<string, HostArray> Apply(IReadOnlyDictionary<string, HostArray> arrays, string file)
    {
        var renamed = new Dictionary<string, HostArray>();
        foreach (var (name, array) in arrays)
        {
            var (target, rest) = Find(name);
            if (target is null)
                Add(name, array);
            else if (target.Second is null && target.First is not null)
                Add(target.First + rest, array);
            else if (target.First is not null)
                foreach (var (half, index) in new[] { (target.First, 0), (target.Second!, 1) })
                    Add(half + rest, Half(name, array, index, target.InTurn));

            void Add(string to, HostArray value)
            {
                if (!renamed.TryAdd(to, value))
                    throw new DataException($"{file}: two tensors would be {to} here, {name} one of them; name each once in the map");
            }
        }
        return renamed;

        HostArray Half(string name, HostArray array, int index, bool inTurn)
        {
            if (array.Shape is not [var rows and > 0, ..] || rows % 2 != 0)
                throw new DataException(
                    $"{file}: {name} has shape {HostArray.Describe(array.Shape)}, which cannot be divided between two layers; expected "
                    + $"an even number of outputs");
            int row = array.Data.Length / rows, count = rows / 2;
            var half = new float[array.Data.Length / 2];
            for (int i = 0; i < count; i++)
                array.Data.AsSpan((inTurn ? 2 * i + index : index * count + i) * row, row).CopyTo(half.AsSpan(i * row));
            return new([count, .. array.Shape[1..]], half);
        }
    }

    /// <summary>
    /// Refuses arrays that are not those of a model, naming all that are missing or too many, each with the nearest name.
    /// </summary>
    /// <returns>The parameters of the noise model that are not there: they keep their initial values.</returns>
    /// <exception cref="DataException">A parameter is missing, or there is an array that the model does not know.</exception>
    public static IReadOnlyList<string> Check(IEnumerable<Parameter> parameters, IReadOnlyDictionary<string, HostArray> arrays, string file)
    {
        string[] ours = [.. parameters.Select(p => p.Name)];
        string[] missing = [.. ours.Where(n => !arrays.ContainsKey(n))], extra = [.. arrays.Keys.Except(ours)];
        string[] needed = [.. missing.Where(n => !IsOfNoise(n))];
        if (needed.Length + extra.Length > 0)
            throw new DataException(
                $"{file}: its tensors are not those of the model: "
                + $"{string.Join("; ", ((string[])[List("missing", needed, arrays.Keys), List("not known", extra, ours)]).Where(l => l != ""))}; "
                + "give the network with --network, or the names with --names MAP.json");
        return missing;
    }

    /// <summary>A tensor of the noise model, which files of other programs do not have.</summary>
    private static bool IsOfNoise(string name) => name.StartsWith("noise.", StringComparison.Ordinal);

    private (Target? Target, string Ending) Find(string name)
    {
        if (targets.TryGetValue(name, out var exact))
            return (exact, "");
        int dot = name.LastIndexOf('.');
        return dot > 0 && targets.TryGetValue(name[..dot], out var layer) ? (layer, name[dot..]) : (null, "");
    }

    private static WeightNames FromJson(string file)
    {
        return JsonFile.Read("--names", file,
            $"{string.Join(" or ", PresetNames)}, or a file with a JSON object such as "
                + "{\"encoder.embedding\": \"encoder.mu\", \"loss.weight\": null}",
            map => new WeightNames(file, map.ToDictionary(p => p.Key, p => Parse(p.Key, p.Value))));
    }

    private static string NameOf(WeightNames preset) => preset.Name.Split(',')[0];

    private static Target Parse(string key, JsonNode? value) => value switch
    {
        null => new(null),
        JsonValue text when text.TryGetValue(out string? name) => new(name),
        JsonObject { Count: 1 } both when both.Single() is { Key: Interleaved or Halves, Value: JsonArray { Count: 2 } pair } =>
            new((string?)pair[0] ?? throw new JsonException($"{key} has no name"), (string?)pair[1], both.ContainsKey(Interleaved)),
        _ => throw new JsonException(
            $"{key} is {value.ToJsonString()}; it must be a name, null, {{\"{Interleaved}\": [A, B]}} or {{\"{Halves}\": [A, B]}}"),
    };

    private static string List(string what, string[] names, IEnumerable<string> others)
    {
        const int most = 6;
        string Nearest(string name) => others.MinBy(o => Distance(name, o)) is { } nearest ? $" (nearest: {nearest})" : "";
        return names.Length == 0 ? ""
            : $"{what} {string.Join(", ", names.Take(most).Select(n => n + Nearest(n)))}{(names.Length > most ? $" and {names.Length - most} more" : "")}";
    }

    /// <summary>Insertions, deletions and replacements from one name to the other.</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0]++;
            for (int j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }
}
