using NUnit.Framework;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>What is read back from mixture.json is what was computed, to the last bit.</summary>
public sealed class StoredMixtureBitsTests
{
    private const int Points = 60, Factors = 3, Categories = 2;

    [TestCase(0)]
    [TestCase(Categories)]
    public void Every_number_comes_back(int categories)
    {
        using var backend = new CpuBackend(threads: 1);
        var notes = new List<string>();
        var store = new StoredMixture(TestFiles.Folder("stored-mixture"), notes.Add);
        var encodings = Draw(seed: 1, categories);
        var (computed, stored) = (store.Compute(backend, encodings, seed: 3), store.Compute(backend, encodings, seed: 3));
        Assert.That(notes, Has.Count.EqualTo(1));
        foreach (var mixture in (MixtureInformation[])[stored, MixtureInformation.Compute(backend, encodings, seed: 3)])
        {
            Assert.That(mixture.Factors, Is.EqualTo(computed.Factors));
            Assert.That(mixture with { Factors = computed.Factors }, Is.EqualTo(computed));
        }
        Assert.That(stored.Joint is null, Is.EqualTo(categories == 0));
    }

    [Test]
    public void One_number_of_the_encodings_is_enough_to_compute_anew()
    {
        using var backend = new CpuBackend(threads: 1);
        var notes = new List<string>();
        var store = new StoredMixture(TestFiles.Folder("stored-mixture"), notes.Add);
        store.Compute(backend, Draw(seed: 1, Categories), seed: 3);
        var other = Draw(seed: 1, Categories, change: 1e-6f);
        Assert.That(store.Find(backend, other, seed: 3), Is.Null);
        Assert.That(store.Find(backend, Draw(seed: 1, Categories), seed: 4), Is.Null);
        Assert.That(store.Find(backend, Draw(seed: 1, categories: 0), seed: 3), Is.Null);
        Assert.That(notes, Is.Empty);
        Assert.That(store.Find(backend, Draw(seed: 1, Categories), seed: 3), Is.Not.Null);
    }

    private static Encodings Draw(int seed, int categories, float change = 0)
    {
        var random = new Random(seed);
        float[] mu = [.. Enumerable.Range(0, Points * Factors).Select(_ => 3 * random.NextSingle())],
            logVar = [.. mu.Select(_ => -2 * random.NextSingle())],
            shares = [.. Enumerable.Range(0, Points).Select(_ => random.NextSingle())];
        logVar[^1] += change;
        return new(Points, Factors, mu, logVar, categories == 0 ? default : shares.SelectMany(p => (float[])[p, 1 - p]).ToArray());
    }
}
