using System.Text.Json;
using NUnit.Framework;

namespace VaeFromScratch.Tests.Cli;

/// <summary>vae list, data and doctor.</summary>
[Parallelizable]
public sealed class InformationCommandTests
{
    [Test]
    public void List_models_has_their_defaults()
    {
        var models = Tool.Run("list", "models", "--json").Json().GetProperty("models").EnumerateArray().ToList();
        var beta = models.Single(m => m.GetProperty("name").GetString() == "beta-vae");
        Assert.That(beta.GetProperty("paper").GetString(), Is.Not.Empty);
        Assert.That(beta.GetProperty("equation").GetString(), Does.Contain("V3"));
        Assert.That(beta.GetProperty("defaults").GetProperty("beta").GetDouble(), Is.EqualTo(10));
        var plain = models.Single(m => m.GetProperty("name").GetString() == "vae");
        Assert.That(plain.GetProperty("defaults").GetProperty("beta").GetDouble(), Is.EqualTo(1));
    }

    [Test]
    public void List_without_a_kind_lists_everything()
    {
        var json = Tool.Run("list", "--json").Json();
        Assert.That(json.EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "models", "datasets", "devices" }));
        Assert.That(json.GetProperty("devices").EnumerateArray().Select(d => d.GetProperty("name").GetString()), Does.Contain("cpu"));
        Assert.That(Tool.Run("list").Succeeded().Out, Does.Contain("beta-vae").And.Contain("mnist").And.Contain("cpu"));
    }

    [TestCase("models")]
    [TestCase("datasets")]
    [TestCase("devices")]
    public void Tables_of_lists_fit_a_page(string kind)
    {
        string[] lines = Tool.Run("list", kind).Succeeded().Out.Split('\n'), table = [.. lines.TakeWhile(line => line != "")];
        Assert.That(table, Has.Length.GreaterThan(1).And.All.Length.AtMost(120));
        Assert.That(string.Join(' ', table.Select(line => line.Trim())), Does.Contain(kind switch
        {
            "models" => "kl_warm_up_epochs",
            "datasets" => "Licence:",
            _ => "cpu",
        }), "what goes on in a further line is whole");
    }

    [Test]
    public void Data_says_what_is_there()
    {
        var sets = Tool.Run("data", "--json").Json().GetProperty("datasets").EnumerateArray()
            .ToDictionary(s => s.GetProperty("name").GetString()!, s => s.GetProperty("present").GetBoolean());
        Assert.That(sets["mnist"], Is.True);
        Assert.That(sets["fashion-mnist"], Is.False);
        Assert.That(Tool.Run("data", "list").Succeeded().Out, Does.Contain("absent"));
    }

    [Test]
    public void Doctor_describes_the_machine_and_passes_its_self_test()
    {
        var json = Tool.Run("doctor", "--selftest", "--json").Json();
        Assert.That(json.GetProperty("device").GetString(), Is.EqualTo("cpu"));
        Assert.That(json.GetProperty("copy_bytes_per_second").GetDouble(), Is.Positive);
        Assert.That(json.GetProperty("fma_flops_per_second").GetDouble(), Is.Positive);
        Assert.That(json.GetProperty("threads").GetInt32(), Is.EqualTo(Environment.ProcessorCount));
        var selfTest = json.GetProperty("selftest");
        Assert.That(selfTest.GetProperty("failed").GetInt32(), Is.Zero);
        Assert.That(selfTest.GetProperty("cases").GetArrayLength(), Is.EqualTo(Reference.KernelCases.All().Count()));
        var product = selfTest.GetProperty("cases").EnumerateArray()
            .First(c => c.GetProperty("operation").GetString() == "MatMul" && c.GetProperty("flops").GetDouble() > 0);
        double microseconds = product.GetProperty("microseconds").GetDouble(), bytes = product.GetProperty("bytes").GetDouble(),
            flops = product.GetProperty("flops").GetDouble();
        bool byBytes = product.GetProperty("bound").GetString() == "bytes";
        double ceiling = json.GetProperty(byBytes ? "copy_bytes_per_second" : "fma_flops_per_second").GetDouble();
        Assert.That(product.GetProperty("fraction_of_ceiling").GetDouble(),
            Is.EqualTo((byBytes ? bytes : flops) / (microseconds * 1e-6) / ceiling).Within(1e-6).Percent);
    }

    [Test]
    public void Doctor_times_kernels_and_a_training_step()
    {
        var bench = Tool.Run("doctor", "--bench", "--device", "cpu", "--json").Json().GetProperty("bench");
        var product = bench.GetProperty("matmul_1024");
        double seconds = product.GetProperty("seconds").GetDouble();
        Assert.That(seconds, Is.Positive);
        Assert.That(product.GetProperty("flops_per_second").GetDouble() * seconds,
            Is.EqualTo(2.0 * 1024 * 1024 * 1024).Within(1e-9).Percent);
        Assert.That(bench.GetProperty("mnist_conv_vae_batch_100").GetProperty("seconds").GetDouble(), Is.Positive);
    }
}
