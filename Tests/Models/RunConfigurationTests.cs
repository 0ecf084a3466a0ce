using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;
using VaeFromScratch.Models;

namespace VaeFromScratch.Tests.Models;

/// <summary>config.json.</summary>
public sealed class RunConfigurationTests
{
    [Test]
    public void A_configuration_comes_back_as_it_was()
    {
        foreach (var model in ModelCatalogue.All)
            Assert.That(RunConfiguration.FromJson(model.Defaults.ToJson()), Is.EqualTo(model.Defaults), model.Name);
    }

    [Test]
    public void Keys_that_an_older_version_did_not_write_have_their_defaults()
    {
        var old = new RunConfiguration() with { Beta = 3, Latents = 7 };
        foreach (string key in JsonNode.Parse(old.ToJson())!.AsObject().Select(p => p.Key).Where(key => key is not ("beta" or "latents")))
        {
            var json = JsonNode.Parse(old.ToJson())!.AsObject();
            json.Remove(key);
            Assert.That(RunConfiguration.FromJson(json.ToJsonString()), Is.EqualTo(old), key);
        }
    }

    [TestCase("[]")]
    [TestCase("{\"no_such_key\": 1}")]
    [TestCase("{\"model\": null}")]
    [TestCase("{\"epochs\": \"many\"}")]
    [TestCase("{")]
    public void What_is_no_configuration_is_refused(string json) => Assert.That(() => RunConfiguration.FromJson(json), Throws.InstanceOf<JsonException>());
}
