using NUnit.Framework;

namespace VaeFromScratch.Tests.Engine;

public sealed class LstmTests : OnCpu
{
    private const int Inputs = 3, Hidden = 2, Batch = 2, Steps = 4;

    // torch.nn.LSTM(3, 2, batch_first=True) of PyTorch 1.13 with element k of parameter n equal to sin(0.37 k + 0.1 n), element k of the
    // input to
    // cos(0.61 k), and the outputs weighted by sin(0.23 k).
    private static readonly float[] Output =
    [
        -0.0764227f, 0.5143981f, 0.1201186f, 0.146637f, 0.4510274f, 0.29102f, 0.3959911f, 0.8212713f, 0.3173132f, 0.3533883f, 0.1935527f,
            0.0731843f,
        0.7492376f, 0.7650838f, 0.5637954f, 0.6217951f,
    ];

    private static readonly float[] InputGradient =
    [
        -0.516616f, -0.466879f, -0.3539519f, 0.113117f, 0.1975932f, 0.2553261f, 0.2378254f, 0.3289399f, 0.375534f, -0.4568099f, -0.4534835f,
            -0.3887804f,
        0.1392603f, 0.2382909f, 0.3050699f, 0.0852951f, 0.1272409f, 0.1519653f, -0.0079459f, 0.0006298f, 0.0091204f, 0.0116108f,
            -0.0103182f, -0.0308507f,
    ];

    private static readonly float[][] ParameterGradients =
    [
        [
            -0.2522376f, -0.3492505f, -0.3202872f, -0.0050279f, -0.0498878f, -0.0767529f, -0.0635489f, -0.0194501f, 0.0316644f, 0.0135127f,
                0.0314602f, 0.0380599f,
            0.7198119f, 0.8068905f, 0.6029207f, 0.2706595f, 0.2606987f, 0.1567028f, -0.1482299f, -0.1239669f, -0.0549885f, -0.0861966f,
                -0.0857721f, -0.0544091f,
        ],
        [
            0.0070737f, 0.1340928f, 0.0012495f, 0.0305894f, 0.0240181f, 0.0165509f, 0.0152438f, 0.010364f, 0.2107819f, 0.1305307f,
                0.0134085f, -0.0058475f,
            0.0546401f, 0.0677832f, 0.0226778f, 0.0569869f,
        ],
        [
            0.5542258f, 0.1573384f, 0.0996602f, 0.0517669f, 0.94082f, 0.3520356f, 0.3834933f, 0.397137f,
        ],
        [
            0.5542258f, 0.1573384f, 0.0996602f, 0.0517669f, 0.9408199f, 0.3520356f, 0.3834933f, 0.397137f,
        ],
    ];

    [Test]
    public void Outputs_and_gradients_are_PyTorchs()
    {
        var layer = new Lstm("lstm", Inputs, Hidden, new Initialise(1));
        Assert.That(layer.Parameters.Select(p => $"{p.Name} [{string.Join(", ", p.Layout.Disk)}]"),
            Is.EqualTo(new[] { "lstm.weight_ih_l0 [8, 3]", "lstm.weight_hh_l0 [8, 2]", "lstm.bias_ih_l0 [8]", "lstm.bias_hh_l0 [8]" }));
        using var arena = new ParameterArena(Compute, layer.Parameters);
        foreach (var (n, parameter) in arena.Parameters.Index())
            parameter.FromDisk([.. Enumerable.Range(0, parameter.Shape.Length).Select(k => MathF.Sin(0.37f * k + 0.1f * n))]);

        using var tape = Compute.Tape();
        var x = Input(tape);
        var y = layer.Forward(x);
        Assert.That(y.Shape, Is.EqualTo(new Shape(Batch, Steps, Hidden)));
        Assert.That(y.ToArray(), Is.EqualTo(Output).Within(2e-6));
        tape.Backward((y * tape.Constant(y.Shape, [.. Enumerable.Range(0, y.Length).Select(k => MathF.Sin(0.23f * k))])).Sum());
        Assert.That(x.GradientToArray(), Is.EqualTo(InputGradient).Within(5e-6));
        foreach (var (n, parameter) in arena.Parameters.Index())
            Assert.That(parameter.Layout.ToDisk(parameter.Value.GradientToArray()), Is.EqualTo(ParameterGradients[n]).Within(5e-6),
                parameter.Name);
        arena.ClearGradients();
    }

    [Test]
    public void The_last_state_is_the_end_of_the_sequence()
    {
        var layer = new Lstm("lstm", Inputs, Hidden, new Initialise(1));
        using var arena = new ParameterArena(Compute, layer.Parameters);
        using var tape = Compute.Tape(gradients: false);
        var x = Input(tape);
        float[] all = layer.Forward(x).ToArray(), last = layer.Last(x).ToArray();
        for (int b = 0; b < Batch; b++)
            Assert.That(last[(b * Hidden)..((b + 1) * Hidden)],
                Is.EqualTo(all[((b * Steps + Steps - 1) * Hidden)..((b + 1) * Steps * Hidden)]));
    }

    [Test]
    public void Every_gradient_equals_central_differences()
    {
        const float step = 1e-2f;
        var layer = new Lstm("lstm", Inputs, Hidden, new Initialise(3));
        using var arena = new ParameterArena(Compute, layer.Parameters);
        float[] weights = Values(Batch * Hidden, 5, 0.2, 1);
        using (var tape = Compute.Tape())
            tape.Backward((layer.Last(Input(tape)) * tape.Constant(new(Batch, Hidden), weights)).Sum());
        foreach (var parameter in arena.Parameters)
        {
            float[] gradient = parameter.Layout.ToDisk(parameter.Value.GradientToArray()), values = parameter.ToDisk();
            for (int i = 0; i < values.Length; i++)
            {
                float value = values[i];
                double expected = (LossAt(value + step) - LossAt(value - step)) / (2 * step);
                parameter.FromDisk([.. values]);
                Assert.That(gradient[i], Is.EqualTo(expected).Within(2e-3), $"{parameter.Name}, element {i}");

                double LossAt(float moved)
                {
                    float[] copy = [.. values];
                    copy[i] = moved;
                    parameter.FromDisk(copy);
                    using var tape = Compute.Tape(gradients: false);
                    return layer.Last(Input(tape)).ToArray().Zip(weights, (a, w) => (double)a * w).Sum();
                }
            }
        }
        arena.ClearGradients();
    }

    [Test]
    public void A_layer_learns_to_remember_the_first_step()
    {
        var layer = new Lstm("lstm", 1, 8, new Initialise(7));
        var head = new Linear("head", 8, 1, new Initialise(8));
        using var arena = new ParameterArena(Compute, layer.Parameters.Concat(head.Parameters));
        using var optimiser = new Adam(Compute, arena);
        float[] x = Values(32 * 10, 4);
        float[] first = [.. Enumerable.Range(0, 32).Select(i => x[10 * i])];
        double loss = double.NaN;
        for (int t = 0; t < 300; t++)
        {
            using var tape = Compute.Tape();
            var error = (head.Forward(layer.Last(tape.Constant(new(32, 10, 1), x))) - tape.Constant(new(32, 1), first)).Square().Mean();
            tape.Backward(error);
            optimiser.BeginStep(t + 1, 0.02);
            optimiser.Update();
            loss = error.Item();
        }
        Assert.That(loss, Is.LessThan(0.02), "mean squared error; the variance of the first step is a third");
    }

    [Test]
    public void A_wrong_input_is_named()
    {
        var layer = new Lstm("lstm", Inputs, Hidden, new Initialise(1));
        using var tape = Compute.Tape();
        Assert.That(() => layer.Forward(tape.Full(new(2, 3, 4), 0)),
            Throws.TypeOf<ShapeException>().With.Message.Contains("[2, 3, 4]; expected [batch, steps, 3]"));
    }

    private static Tensor Input(Tape tape) =>
        tape.Constant(new(Batch, Steps, Inputs), [.. Enumerable.Range(0, Batch * Steps * Inputs).Select(k => MathF.Cos(0.61f * k))],
            needsGradient: tape.RecordsGradients);
}
