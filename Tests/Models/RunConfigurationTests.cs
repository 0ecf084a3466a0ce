using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Noise;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Models.Zoo;

namespace VaeFromScratch.Tests.Models;

/// <summary>config.json, and the settings in it.</summary>
public sealed class RunConfigurationTests
{
    private static IEnumerable<string> Stored =>
        Directory.GetFiles(Path.Combine(TestContext.CurrentContext.TestDirectory, "Models", "Configurations"));

    [Test]
    public void A_configuration_comes_back_as_it_was()
    {
        foreach (var model in ModelCatalogue.All)
            Assert.That(RunConfiguration.FromJson(model.Defaults.ToJson()), Is.EqualTo(model.Defaults), model.Title);
    }

    [Test]
    public void Keys_that_an_older_version_did_not_write_have_their_defaults()
    {
        var old = new RunConfiguration(ModelCatalogue.Find("beta-vae")).With(("beta", 3), ("latents", 7));
        foreach (string key in old.ToJsonObject().Select(p => p.Key).Where(key => key is not ("beta" or "latents")))
        {
            var json = old.ToJsonObject();
            json.Remove(key);
            Assert.That(RunConfiguration.FromJson(json.ToJsonString()), Is.EqualTo(old), key);
        }
    }

    /// <summary>Version 0.1.0 wrote the keys of all models, and latent_kind for code.</summary>
    [Test]
    public void Files_of_earlier_versions_are_read_with_all_that_their_model_uses([ValueSource(nameof(Stored))] string path)
    {
        var file = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var configuration = RunConfiguration.FromJson(file.ToJsonString());
        Assert.That(Setting.ToText(configuration.Model.Code), Is.EqualTo((string)file["latent_kind"]!));
        Assert.That(() => configuration.Validate(), Throws.Nothing);
        var defaults = new RunConfiguration(configuration.Model).ToJsonObject();
        foreach (var (key, value) in configuration.ToJsonObject())
            if (key != "code")
                Assert.That(JsonNode.DeepEquals(value, file.ContainsKey(key) ? file[key] : defaults[key]),
                    $"{key}: {value?.ToJsonString()}, in the file {file[key]?.ToJsonString()}");
        Assert.That(file, Has.Count.GreaterThan(configuration.ToJsonObject().Count), "what other models use is left out");
    }

    /// <summary>A run says how its products were multiplied, and a device without tensor cores knows fp32 only.</summary>
    [TestCase("fp32", "tf32", true)]
    [TestCase("tf32", "tf32", true)]
    [TestCase("tf32", "fp32", false)]
    [TestCase("fp32", "bf16", false)]
    public void A_stored_run_is_that_of_a_configuration_that_asks_for_tensor_cores(string stored, string asked, bool same)
    {
        var defaults = ModelCatalogue.Defaults("vae");
        var run = defaults.With(("precision", stored)) with { Device = "cpu", Started = "2026-01-01T00:00:00Z" };
        Assert.That(run.IsRunOf(defaults.With(("precision", asked))), Is.EqualTo(same));
        Assert.That(run.IsRunOf(defaults.With(("precision", asked), ("latents", 3))), Is.False);
    }

    [TestCase("[]")]
    [TestCase("{\"no_such_key\": 1}")]
    [TestCase("{\"model\": null}")]
    [TestCase("{\"epochs\": \"many\"}")]
    [TestCase("{\"epochs\": [1]}")]
    [TestCase("{")]
    public void What_is_no_configuration_is_refused(string json) =>
        Assert.That(() => RunConfiguration.FromJson(json), Throws.InstanceOf<JsonException>());

    [Test]
    public void Every_setting_says_what_it_is_and_which_values_it_takes()
    {
        foreach (var model in ModelCatalogue.All)
            foreach (var setting in model.Defaults.Groups.SelectMany(g => g.Settings))
            {
                Assert.That(setting.Help, Has.Length.GreaterThan(10), $"{model.Title} {setting.Key}");
                if (setting.Key != "info_alpha")
                    Assert.That(setting.Expected, Is.Not.EqualTo("a number"), $"{model.Title} {setting.Key} has no range");
            }
    }

    [Test]
    public void Recipes_and_differences_are_of_settings_that_the_model_has([Values] bool validate)
    {
        foreach (var model in ModelCatalogue.All)
            foreach (var recipe in model.Recipes)
            {
                var configuration = ModelCatalogue.Defaults(model.Name, recipe.Data, recipe.Name, Setting.ToText(model.Code));
                Assert.That((configuration.Recipe, configuration.Data.Name), Is.EqualTo((recipe.Name, recipe.Data)));
                if (validate)
                    Assert.That(() => configuration.Validate(), Throws.Nothing, $"{model.Title} {recipe.Name}");
            }
    }

    /// <summary>
    /// Papers 1 and 2, tables of networks and captions: what `vae train beta-vae --data NAME` is without further options.
    /// </summary>
    [TestCase("celeba", 40, 1e-4, "mog:2", 20)]
    [TestCase("deap", 6, 1e-4, "learned", 300)]
    [TestCase("yale-b", 120, 1e-4, "learned", 2002)]
    [TestCase("mnist", 10, 1e-3, "learned", 5)]
    public void Beta_vae_on_a_papers_data_is_the_papers_run(string data, double beta, double rate, string noise, int epochs)
    {
        var c = ModelCatalogue.Defaults("beta-vae", data);
        Assert.That((c.Value("beta"), c.Optimiser.LearningRate, c.Noise.Noise.ToString(), c.Training.Epochs), Is.EqualTo((beta, rate,
            noise, epochs)));
        Assert.That((c.Network.Network.Name, c.Network.Latents, c.Training.Batch), Is.EqualTo(("conv", 128, 100)));
        Assert.That(c.Recipe, Is.EqualTo(data == "mnist" ? "" : "paper"), "on MNIST the paper's 200 epochs are asked for by name");
    }

    [Test]
    public void Recipes_of_the_papers_are_their_settings()
    {
        var mnist = ModelCatalogue.Defaults("beta-vae", "mnist", "paper");
        Assert.That((mnist.Training.Epochs, mnist.Data.Limit, mnist.Value("kl_warm_up_epochs")), Is.EqualTo((200, 42_000, 0.0)));
        // Paper 4, section 4.1: "two layer neural network with 200, 400 hidden nodes" both ways.
        Assert.That(ModelCatalogue.Defaults("exon", "mnist", "paper").Network.Network.ToString(), Is.EqualTo("mlp:200,400/200,400"));
        Assert.That(ModelCatalogue.Defaults("exon", "mnist", "tuned").Network.Network.ToString(), Is.EqualTo("mlp:400,200"));
        // (Q5): section 4.3.1 has 32 Gaussian factors, x' drawn from p(x|z) and no category.
        var vmi = ModelCatalogue.Defaults("vmi-vae", "mnist", "paper", "gaussian");
        Assert.That((vmi.Network.Latents, vmi.Value("q_input")!.ToString(), vmi.Value("categories")), Is.EqualTo((32, "Sample",
            (object?)null)));
        Assert.That(ModelCatalogue.Defaults("vmi-vae").Model.Code, Is.EqualTo(CodeKind.Joint), "the name alone means what it meant");
        // Dupont (2018): temperature 0.67, gamma 30, both capacities grow by 5 nats in 25 000 steps of 64.
        var joint = (JointVaeSettings)ModelCatalogue.Defaults("joint-vae", "mnist", "paper").Settings;
        Assert.That((joint.Category.Temperature, joint.Category.TemperatureEnd, joint.Gamma, joint.GammaCategory, joint.Capacity),
            Is.EqualTo((0.67, 0.67, 30.0, 30.0, 5.0)));
        Assert.That(joint.Capacity / joint.CapacityEpochs, Is.EqualTo(Math.Log(10) / joint.CapacityCategoryEpochs).Within(1e-12));
        Assert.That((joint.Category.Vat, joint.Category.Augment, joint.Category.CategoryEpochs, joint.Category.EncoderMi.Weight),
            Is.EqualTo((0.0, 0.0, 0, 0.0)));
    }

    [TestCase("sgd", true)]
    [TestCase("adam", true)]
    [TestCase("rmsprop", false)]
    public void Weight_decay_works_or_is_refused(string optimiser, bool works)
    {
        var c = ModelCatalogue.Defaults("vae").With(("optimiser", optimiser), ("weight_decay", 0.5), ("momentum", 0));
        if (!works)
        {
            Assert.That(() => c.Validate(),
                Throws.TypeOf<OptionException>().With.Message.Contains("rmsprop").And.Message.Contains("weight_decay 0.5"));
            return;
        }
        using var compute = new Compute(new VaeFromScratch.Kernels.Cpu.CpuBackend(threads: 1));
        var p = new Parameter("p", new(1), [1]);
        using var arena = new ParameterArena(compute, [p]);
        using var stepped = c.Optimiser.Create(compute, arena);
        using (var tape = compute.Tape())
            tape.Backward((0 * p.Value).Sum());
        stepped.Update(1, 0.1);
        Assert.That(p.Value.Item(), Is.EqualTo(0.95f).Within(1e-6), "a gradient of 0 leaves the decay, 0.1 times 0.5");
    }

    [TestCase("gamma", "--gamma: beta-vae has no such setting; models that have it: beta-tcvae, capacity-vae, factor-vae, imae, joint-vae")]
    [TestCase("categories", "models that have it: beta-vae --code joint, imae, info-vae --code joint, joint-vae, vmi-vae")]
    [TestCase("colour", "--colour: there is no such key; keys of beta-vae are beta, kl_warm_up_epochs, noise")]
    [TestCase("device", "there is no such key")]
    public void A_setting_that_the_model_has_not_is_refused_with_those_that_have_it(string key, string says) =>
        Assert.That(() => ModelCatalogue.Defaults("beta-vae").With(key, "1", "--" + key),
            Throws.TypeOf<OptionException>().With.Message.Contains(says));

    [TestCase("beta", "-1", "--beta -1: expected a number of at least 0")]
    [TestCase("epochs", "0", "--epochs 0: expected a positive whole number")]
    [TestCase("learning_rate", "0", "--lr 0: expected a positive number")]
    [TestCase("learning_rate_decay", "1.5", "--learning-rate-decay 1.5: expected a number above 0 and at most 1")]
    [TestCase("noise_maximum_change", "1", "--noise-maximum-change 1: expected a number between 0 and 1")]
    [TestCase("leaky_slope", "1", "--leaky-slope 1: expected a number from 0 to below 1")]
    [TestCase("momentum", "NaN", "--momentum NaN: expected a number from 0 to below 1")]
    [TestCase("beta", "Infinity", "--beta Infinity: expected a number of at least 0")]
    public void A_number_out_of_its_range_is_refused(string key, string value, string says) =>
        Assert.That(() => ModelCatalogue.Defaults("beta-vae").With(key, value).Validate(),
            Throws.TypeOf<OptionException>().With.Message.EqualTo(says));

    [TestCase("beta", "much", "--set beta much: expected a number of at least 0")]
    [TestCase("epochs", "1.5", "--set epochs 1.5: expected a positive whole number")]
    [TestCase("optimiser", "Adam", "--set optimiser Adam: expected adam, rmsprop or sgd")]
    [TestCase("noise_update", "gradually", "--set noise_update gradually: expected closed-form or gradient")]
    [TestCase("network", "mlp:", "--set network mlp:: expected conv, conv: and channels")]
    [TestCase("network", "conv:8/8", "expected conv, conv: and channels")]
    [TestCase("noise", "fixed:-1", "--set noise fixed:-1: expected learned, fixed:VARIANCE")]
    [TestCase("noise", "mog:2.5", "mog:K")]
    public void A_value_that_cannot_be_read_is_refused(string key, string value, string says) =>
        Assert.That(() => ModelCatalogue.Defaults("beta-vae").With(key, value),
            Throws.TypeOf<OptionException>().With.Message.Contains(says));

    [TestCase("mlp:500,1000/500,500")]
    [TestCase("conv:8,8")]
    [TestCase("exon")]
    public void A_network_is_written_as_it_is_read(string text) => Assert.That(NetworkKind.Parse(text, null).ToString(), Is.EqualTo(text));

    [TestCase("fixed:0.01")]
    [TestCase("mog:2")]
    [TestCase("weighted")]
    public void A_noise_is_written_as_it_is_read(string text) => Assert.That(NoiseKind.Parse(text, null).ToString(), Is.EqualTo(text));

    [Test]
    public void Settings_of_records_within_a_record_are_read_and_changed_by_their_prefixed_keys()
    {
        var exon = ModelCatalogue.Defaults("exon").With(("augment_mirror", true), ("augment_shift", 3));
        Assert.That(((ExonSettings)exon.Settings).Motion, Is.EqualTo(new Motion(Rotation: 25, Scale: 0, Shear: 0, Shift: 3, Mirror: true)));
        Assert.That(exon.Value("augment_shift"), Is.EqualTo(3.0));
    }
}
