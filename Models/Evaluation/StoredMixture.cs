using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Models.Evaluation;

/// <summary>
/// The mixture estimate of a run's encodings, (I6) and (X1)-(X3), kept in mixture.json of the run directory: whoever asks for the estimate
/// of the same encodings again reads it there.
/// </summary>
/// <remarks>
/// It is found by what it depends on: the encodings themselves, as a hash, in which weights, data, split and the subset of points show
/// alike; the seed; the device, whose last digits are its own; and the version of the estimator. A checksum tells whether the numbers are
/// as they were written.
/// </remarks>
/// <param name="folder">The run directory.</param>
/// <param name="note">Told in a sentence when a stored estimate is taken, and when one is damaged.</param>
internal sealed class StoredMixture(string folder, Action<string>? note = null)
{
    /// <summary>The file in a run directory.</summary>
    public const string FileName = "mixture.json";

    private const string SumKey = "sha256", EstimateKey = "estimate";

    private readonly string file = Path.Combine(folder, FileName);

    /// <summary>
    /// The estimate of <see cref="MixtureInformation.Compute"/>, the stored one where it is of these encodings. One of the default number
    /// of points is stored when it was computed.
    /// </summary>
    /// <inheritdoc cref="MixtureInformation.Compute"/>
    public MixtureInformation Compute(IBackend backend, Encodings encodings, ulong seed, int? components = null)
    {
        var points = MixtureInformation.PointsOf(encodings, seed, components);
        if (Find(backend, points, seed) is { } stored)
            return stored;
        var computed = MixtureInformation.Compute(backend, points, seed, points.Points);
        if (points.Points == PointSubset.SizeFor(encodings.Points, null))
            Save(computed, Key(backend, points, seed));
        return computed;
    }

    /// <summary>The stored estimate of exactly these encodings; null where there is none.</summary>
    /// <param name="points">The encodings that the mixture consists of, after the choice of a subset.</param>
    public MixtureInformation? Find(IBackend backend, Encodings points, ulong seed)
    {
        if (!File.Exists(file))
            return null;
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(file), documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject
                ?? throw new FormatException("it is no JSON object");
            if (!JsonNode.DeepEquals(json["of"], Key(backend, points, seed)))
                return null;
            var estimate = json[EstimateKey] as JsonObject ?? throw new FormatException($"it has no {EstimateKey}");
            if (json[SumKey]?.ToString() != Sum(estimate))
                throw new FormatException("its numbers are not as they were written");
            var found = Read(estimate, points.Points, seed);
            note?.Invoke($"the mixture estimate is the stored one of {file}, made from the same {points.Points} encodings");
            return found;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or IOException
            or UnauthorizedAccessException)
        {
            note?.Invoke($"{file}: {JsonFile.Problem(file, e)}; the mixture estimate is computed anew");
            return null;
        }
    }

    /// <summary>What the estimate depends on.</summary>
    private static JsonObject Key(IBackend backend, Encodings points, ulong seed) => new()
    {
        ["estimator"] = MixtureInformation.Version,
        ["device"] = backend.Name == "cpu" ? $"cpu, {CpuBackend.VectorBits} bits" : backend.Name,
        ["seed"] = seed.ToString(CultureInfo.InvariantCulture),
        ["points"] = points.Points,
        ["factors"] = points.Factors,
        ["categories"] = points.Categories,
        ["encodings_sha256"] = Hash(points),
    };

    private static string Hash(Encodings points)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var array in (ReadOnlyMemory<float>[])[points.Mu, points.LogVar, points.Probabilities])
            hash.AppendData(MemoryMarshal.AsBytes(array.Span));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Save(MixtureInformation mixture, JsonObject key)
    {
        var estimate = ToJson(mixture);
        var json = new JsonObject { ["of"] = key, [SumKey] = Sum(estimate), [EstimateKey] = estimate };
        AtomicFile.WriteText(file, json.ToJsonString() + "\n");
    }

    private static string Sum(JsonObject estimate) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(estimate.ToJsonString())));

    /// <summary>Values in nats, each with its standard error; numbers are written so that they are read back to the last bit.</summary>
    private static JsonObject ToJson(MixtureInformation m) => new()
    {
        ["information"] = Pair(m.Information),
        ["total_correlation"] = Pair(m.TotalCorrelation),
        ["sampled_kl"] = Pair(m.SampledKl),
        ["analytic_kl"] = m.AnalyticKl,
        ["factors"] = new JsonArray([.. m.Factors.Select(f => new JsonArray(Pair(f.Information), Pair(f.PriorKl)))]),
        ["joint"] = m.Joint is { } joint ? new JsonArray(Pair(joint.Information), Pair(joint.TotalCorrelation)) : null,
    };

    private static MixtureInformation Read(JsonObject json, int points, ulong seed)
    {
        double ceiling = Math.Log(points);
        return new()
        {
            Points = points,
            Seed = seed,
            Information = Information(json["information"]),
            TotalCorrelation = Unbounded(json["total_correlation"]),
            SampledKl = Unbounded(json["sampled_kl"]),
            AnalyticKl = Number(json["analytic_kl"]),
            Factors = [.. Values(json["factors"])
                .Select((f, h) => new FactorMixture(h, Information(Values(f)[0]), Unbounded(Values(f)[1])))],
            Joint = json["joint"] is { } joint ? new(Information(Values(joint)[0]), Unbounded(Values(joint)[1])) : null,
        };

        Estimate Information(JsonNode? pair) => Pair(pair, BoundKind.Lower, ceiling);
        Estimate Unbounded(JsonNode? pair) => Pair(pair, BoundKind.Neither, double.PositiveInfinity);
        Estimate Pair(JsonNode? pair, BoundKind kind, double most) =>
            new(Number(Values(pair)[0]), Number(Values(pair)[1]), kind, most, points);
    }

    private static JsonArray Pair(Estimate estimate) => new(estimate.Value, estimate.StandardError);

    private static JsonArray Values(JsonNode? node) => node as JsonArray ?? throw new FormatException("a value is missing");

    private static double Number(JsonNode? node) => node?.GetValue<double>() ?? throw new FormatException("a value is missing");
}
