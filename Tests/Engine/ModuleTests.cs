using NUnit.Framework;

namespace VaeFromScratch.Tests.Engine;

public sealed class ModuleTests : OnCpu
{
    private static readonly Initialise Init = new(1);

    private abstract class Base : Module
    {
        private readonly Linear inBase = new(1, 2, Init);

        protected Tensor Start(Tensor x) => inBase.Forward(x);
    }

    private sealed class Network(Module given, Module again) : Base
    {
        private readonly Parameter scale = new("scale", new(2), [1, 1]);
        private readonly Module[] heads = [new Linear(2, 3, Init), new Linear("own", 2, 3, Init)];

        public Sequential LogVarBody { get; } = new(new Function(x => x), new Sequential(new BatchNorm(2), new Linear(2, 2, Init)));

        public override Tensor Forward(Tensor x) =>
            heads[0].Forward(LogVarBody.Forward(again.Forward(Start(x)))) + heads[1].Forward(given.Forward(Start(x) * scale.Value));
    }

    [Test]
    public void Parameters_are_found_once_and_named_by_where_they_stand()
    {
        var shared = new Linear(2, 2, Init);
        using var arena = ParameterArena.Of(Compute, new Network(shared, shared));
        Assert.That(arena.Parameters.Select(p => p.Name), Is.EqualTo(new[]
        {
            "in_base.weight", "in_base.bias", "given.weight", "given.bias", "scale",
            "heads.0.weight", "heads.0.bias", "own.weight", "own.bias",
            "log_var_body.1.0.weight", "log_var_body.1.0.bias", "log_var_body.1.0.running_mean", "log_var_body.1.0.running_var",
            "log_var_body.1.1.weight", "log_var_body.1.1.bias",
        }));
    }

    [Test]
    public void Of_several_modules_each_is_named_by_its_place()
    {
        using var arena = ParameterArena.Of(Compute, new Linear(1, 2, Init), new Sequential(new Lstm(2, 1, Init)),
            new Conv2d("c", 1, 1, 3, 1, 1, Init));
        Assert.That(arena.Parameters.Select(p => p.Name), Is.EqualTo(new[]
        {
            "0.weight", "0.bias", "1.0.weight_ih_l0", "1.0.weight_hh_l0", "1.0.bias_ih_l0", "1.0.bias_hh_l0", "c.weight", "c.bias",
        }));
    }

    [Test]
    public void Layers_without_names_start_from_the_numbers_of_those_with_names()
    {
        var (a, b) = (new Initialise(7), new Initialise(7));
        Module[] nameless =
        [
            new Linear(3, 2, a), new Conv2d(2, 3, 3, 1, 1, a), new ConvTranspose2d(3, 2, 3, 2, 1, a), new BatchNorm(2), new Lstm(2, 3, a),
        ];
        Module[] named =
        [
            new Linear("a", 3, 2, b), new Conv2d("b", 2, 3, 3, 1, 1, b), new ConvTranspose2d("c", 3, 2, 3, 2, 1, b), new BatchNorm("d", 2),
            new Lstm("e", 2, 3, b),
        ];
        Assert.That(Values(nameless), Is.EqualTo(Values(named)));

        static IEnumerable<float[]> Values(Module[] modules) => modules.SelectMany(m => m.Parameters).Select(p => p.ToDisk());
    }

    [Test]
    public void Two_parameters_of_one_name_are_an_error_that_says_what_to_do()
    {
        var net = new Sequential(new Linear(2, 2, Init), new Linear(2, 2, Init));
        Assert.That(() => new ParameterArena(Compute, net.Parameters), Throws.ArgumentException.With.Message.Contains("ParameterArena.Of"));
    }
}
