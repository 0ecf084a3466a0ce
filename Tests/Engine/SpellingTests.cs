using NUnit.Framework;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine;

/// <summary>A name with a slip of the finger finds what was meant; anything else finds nothing.</summary>
public sealed class SpellingTests
{
    private static readonly string[] Names = ["train", "traverse", "estimate", "beta-vae", "vae", "cifar10"];

    [TestCase("trian", "train")]
    [TestCase("tain", "train")]
    [TestCase("traain", "train")]
    [TestCase("Train", "train")]
    [TestCase("beta_vae", "beta-vae")]
    [TestCase("betavae", "beta-vae")]
    [TestCase("cifar", "cifar10")]
    [TestCase("estimaet", "estimate")]
    public void A_slip_finds_what_was_meant(string given, string meant) =>
        Assert.That(Spelling.Suggest(given, Names), Is.EqualTo($"; did you mean {meant}?"));

    [TestCase("colours")]
    [TestCase("x")]
    [TestCase("")]
    [TestCase("no-such-data")]
    public void What_is_far_from_all_finds_nothing(string given) => Assert.That(Spelling.Suggest(given, Names), Is.Empty);

    [Test]
    public void Without_names_there_is_nothing_to_find() => Assert.That(Spelling.Suggest("train", []), Is.Empty);
}
