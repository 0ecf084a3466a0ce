using System.Reflection;
using NUnit.Framework;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Tests.Engine;

/// <summary>The gradient of every operation against central differences of its own forward pass.</summary>
public sealed class GradientTests : OnCpu
{
    /// <param name="Name">The method of <see cref="Ops"/>, then what tells the case apart.</param>
    public sealed record Case(string Name, Shape[] Inputs, Func<Tensor[], Rng, Tensor> Function, double Low = -1, double High = 1)
    {
        public override string ToString() => Name;
    }

    private static Shape S(params int[] sizes) => new(sizes);

    private static Case One(string name, Func<Tensor, Tensor> f, double low = -1, double high = 1) =>
        new(name, [S(5, 7)], (x, _) => f(x[0]), low, high);

    public static IEnumerable<Case> Cases()
    {
        yield return One("Negate", x => -x);
        yield return One("Exp", x => x.Exp());
        yield return One("Log", x => x.Log(), 0.5, 2);
        yield return One("Log1p", x => x.Log1p(), -0.4, 2);
        yield return One("Tanh", x => x.Tanh(), -2, 2);
        yield return One("Sigmoid", x => x.Sigmoid(), -3, 3);
        yield return One("Softplus", x => x.Softplus(), -3, 3);
        yield return One("Relu", x => x.Relu(), 0.1, 1);
        yield return One("Relu negative", x => x.Relu(), -1, -0.1);
        yield return One("LeakyRelu", x => x.LeakyRelu(0.2f), -1, -0.1);
        yield return One("Silu", x => x.Silu(), -3, 3);
        yield return One("GeluTanh", x => x.GeluTanh(), -3, 3);
        yield return One("Square", x => x.Square());
        yield return One("Sqrt", x => x.Sqrt(), 0.5, 2);
        yield return One("Reciprocal", x => x.Reciprocal(), 0.5, 2);
        yield return One("Abs", x => x.Abs(), 0.1, 1);
        yield return One("Scale", x => x.Scale(-2.5f));
        yield return One("AddScalar", x => 3 - x);
        yield return One("ClampMin", x => x.ClampMin(0), 0.1, 1);
        yield return One("ClampMax", x => x.ClampMax(0), 0.1, 1);
        foreach (var (a, b) in new[] { (S(4, 5), S(4, 5)), (S(4, 5), S(5)), (S(5), S(4, 5)), (S(4, 5), Shape.Scalar) })
        {
            yield return new($"Add {a} {b}", [a, b], (x, _) => x[0] + x[1]);
            yield return new($"Subtract {a} {b}", [a, b], (x, _) => x[0] - x[1]);
            yield return new($"Multiply {a} {b}", [a, b], (x, _) => x[0] * x[1]);
            yield return new($"Divide {a} {b}", [a, b], (x, _) => x[0] / x[1], 0.5, 2);
        }
        yield return new("Maximum", [S(4, 5), S(4, 5)], (x, _) => Ops.Maximum(x[0], x[1] + 0.5f), 0, 0.4);
        yield return new("Minimum", [S(4, 5), S(4, 5)], (x, _) => Ops.Minimum(x[0], x[1] + 0.5f), 0, 0.4);
        yield return One("Sum", x => x.Sum());
        yield return One("Mean", x => x.Mean());
        yield return One("SumPerRow", x => x.SumPerRow());
        yield return new("Sum over the middle", [S(2, 3, 4)], (x, _) => x[0].Sum(1));
        yield return new("Mean over the first", [S(2, 3, 4)], (x, _) => x[0].Mean(0));
        yield return new("LogSumExp", [S(2, 3, 4)], (x, _) => x[0].LogSumExp(1));
        yield return new("LogSumExp last", [S(4, 6)], (x, _) => x[0].LogSumExp());
        yield return One("RepeatEach", x => x.RepeatEach(3));
        yield return One("RepeatRows", x => x.RepeatRows(3));
        yield return new("Permute", [S(2, 3, 4)], (x, _) => x[0].Permute(2, 0, 1));
        yield return new("Slice", [S(2, 5, 3)], (x, _) => x[0].Slice(1, 1, 3));
        yield return new("Slice with another use", [S(2, 5)], (x, _) => x[0].Slice(1, 1, 3) * x[0].Slice(1, 2, 3));
        yield return new("Concat", [S(2, 3), S(2, 4)], (x, _) => Ops.Concat(1, x[0], x[1]));
        yield return new("Concat rows", [S(2, 3), S(4, 3)], (x, _) => Ops.Concat(0, x[0], x[1]));
        yield return new("Softmax", [S(4, 6)], (x, _) => x[0].Softmax());
        yield return new("LogSoftmax", [S(4, 6)], (x, _) => x[0].LogSoftmax());
        yield return new("SoftmaxCrossEntropy", [S(4, 6)], (x, _) => x[0].SoftmaxCrossEntropy(Classes(2, 0, 5, 5)));
        yield return new("SoftmaxCrossEntropy with another use", [S(2, 3)],
            (x, _) => x[0].SoftmaxCrossEntropy(Classes(1, 2)).RepeatEach(3).Reshape(2, 3) * x[0]);
        yield return new("Lstm", [S(3, 2, 4), S(4, 12), S(3, 12), S(12)], (x, _) => x[0].Lstm(x[1], x[2], x[3]));
        yield return new("Lstm of one step", [S(1, 3, 2), S(2, 8), S(2, 8), S(8)], (x, _) => x[0].Lstm(x[1], x[2], x[3]));
        yield return new("GumbelSoftmax", [S(4, 6)], (x, rng) => x[0].GumbelSoftmax(Tape.Current.Full(Shape.Scalar, 0.7f), rng));
        foreach (bool ta in new[] { false, true })
            foreach (bool tb in new[] { false, true })
                yield return new($"MatMul {(ta ? 'T' : 'N')}{(tb ? 'T' : 'N')}", [ta ? S(5, 4) : S(4, 5), tb ? S(3, 5) : S(5, 3)],
                    (x, _) => x[0].MatMul(x[1], ta, tb));
        yield return new("Linear", [S(4, 5), S(5, 3), S(3)], (x, _) => x[0].Linear(x[1], x[2]));
        yield return new("Linear relu", [S(4, 5), S(5, 3), S(3)], (x, _) => x[0].Linear(x[1], x[2] + 4, Activation.Relu));
        yield return new("Linear twice and another use", [S(4, 5), S(5, 3), S(3), S(5, 3), S(3)], (x, _) =>
            x[0].Linear(x[1], x[2]) * x[0].Linear(x[3], x[4]) + x[0].Linear(x[1], x[4]) * x[0].MatMul(x[3]));
        yield return new("Linear twice of a relu", [S(4, 5), S(5, 6), S(6), S(6, 3), S(3), S(6, 3), S(3)], (x, _) =>
        {
            var y = x[0].Linear(x[1], x[2] + 4, Activation.Relu);
            return y.Linear(x[3], x[4]) * y.Linear(x[5], x[6]);
        });
        yield return new("Conv2d", [S(2, 6, 5, 3), S(3, 3, 3, 4), S(4)], (x, _) => x[0].Conv2d(x[1], x[2], 2, 1));
        yield return new("Conv2d 4x4/2", [S(1, 7, 9, 2), S(4, 4, 2, 5), S(5)], (x, _) => x[0].Conv2d(x[1], x[2], 2, 1));
        yield return new("ConvTranspose2d", [S(2, 3, 4, 3), S(4, 4, 2, 3), S(2)], (x, _) => x[0].ConvTranspose2d(x[1], x[2], 2, 1));
        yield return new("ConvTranspose2d output padding", [S(1, 3, 4, 3), S(4, 4, 2, 3), S(2)],
            (x, _) => x[0].ConvTranspose2d(x[1], x[2], 2, 1, 1, 1));
        yield return new("MaxPool2d", [S(1, 4, 4, 2)], (x, _) =>
            (x[0] + Tape.Current.Constant(S(1, 4, 4, 2), [.. Enumerable.Range(0, 32).Select(i => (i * 7 % 32) * 3f)])).MaxPool2d(2, 2));
        yield return new("Reparameterise", [S(3, 4), S(3, 4)], (x, rng) =>
        {
            var sample = Ops.Reparameterise(x[0], x[1], rng);
            return sample.Z * 2 + sample.Kl.RepeatEach(4);
        });
        yield return new("Reparameterise z only", [S(3, 4), S(3, 4)], (x, rng) => Ops.Reparameterise(x[0], x[1], rng).Z);
        yield return new("Reparameterise kl only", [S(3, 4), S(3, 4)], (x, rng) => Ops.Reparameterise(x[0], x[1], rng).Kl);
        yield return new("GaussianNll", [S(3, 4), Shape.Scalar], (x, _) =>
            Ops.GaussianNll(Tape.Current.Constant(S(3, 4), Values(12, 9)), x[0], x[1].Exp()).Nll);
        foreach (var (label, weights) in new[] { ("", PairLogWeights.Uniform(4)), ("stratified ", PairLogWeights.Stratified(4, 9)) })
        {
            Shape[] inputs = [S(4, 3), S(4, 3), S(4, 3), S(4, 4)];
            yield return new($"MixtureLogDensity {label}both", inputs, (x, _) =>
            {
                var density = Ops.MixtureLogDensity(x[0], x[1], x[2], weights, x[3]);
                return density.Joint.RepeatEach(3) * 0.5f + density.Marginal;
            });
            yield return new($"MixtureLogDensity {label}joint", inputs[..3],
                (x, _) => Ops.MixtureLogDensity(x[0], x[1], x[2], weights).Joint);
            yield return new($"MixtureLogDensity {label}marginal", inputs[..3],
                (x, _) => Ops.MixtureLogDensity(x[0], x[1], x[2], weights).Marginal);
        }
        yield return new("MixtureLogDensity of its own means", [S(4, 3), S(4, 3)],
            (x, _) => Ops.MixtureLogDensity(x[0], x[0], x[1], PairLogWeights.Stratified(4, 9)).Joint);
        yield return new("BernoulliNll", [S(3, 4)], (x, _) => Ops.BernoulliNll(Tape.Current.Constant(S(3, 4), Values(12, 9, 0, 1)), x[0]));
        yield return new("BatchNorm", [S(6, 3), S(3), S(3)], (x, _) =>
            x[0].BatchNorm(x[1], x[2], Tape.Current.Full(S(3), 0), Tape.Current.Full(S(3), 1)));
        yield return new("BatchNorm relu", [S(6, 3), S(3), S(3)], (x, _) =>
            x[0].BatchNorm(x[1], x[2] + 5, Tape.Current.Full(S(3), 0), Tape.Current.Full(S(3), 1), activation: Activation.Relu), 0.1, 1);
        yield return One("Dropout", x => x.Dropout(0, null!) * 1);
        yield return One("Detach", x => x * 2 + x.Detach() * 0);
        yield return new("SampleOneHot", [S(4, 6)], (x, rng) => x[0] * 2 + x[0].SampleOneHot(rng) * 0);
        yield return new("AffineWarp", [S(2, 3, 4, 1)], (x, _) => x[0] * 2 + x[0].AffineWarp(Tape.Current.Full(S(2, 6), 0.1f)) * 0);
    }

    /// <summary>Integers in memory that the current tape owns.</summary>
    private static Slice<int> Classes(params int[] values)
    {
        var memory = Tape.Current.Empty(S(values.Length));
        var classes = new Slice<int>(memory.Data.Address, values.Length);
        memory.Compute.Backend.Upload<int>(values, classes);
        return classes;
    }

    [TestCaseSource(nameof(Cases))]
    public void Gradient_equals_central_differences(Case c)
    {
        const float step = 1e-2f;
        var inputs = c.Inputs.Select((shape, i) => Values(shape.Length, 10 + i, c.Low, c.High)).ToArray();
        using var rng = new Rng(Compute, 5);
        float[]? weights = null;
        var gradients = new float[inputs.Length][];
        Evaluate(wantGradients: true);
        for (int i = 0; i < inputs.Length; i++)
            for (int j = 0; j < inputs[i].Length; j++)
            {
                float x = inputs[i][j];
                inputs[i][j] = x + step;
                double above = Evaluate(false);
                inputs[i][j] = x - step;
                double below = Evaluate(false);
                inputs[i][j] = x;
                double expected = (above - below) / (2 * step);
                Assert.That(gradients[i][j], Is.EqualTo(expected).Within(4e-3 * Math.Max(1, Math.Abs(expected))),
                    $"input {i}, element {j}");
            }

        double Evaluate(bool wantGradients)
        {
            rng.BeginStep(3);
            using var tape = Compute.Tape(gradients: wantGradients, training: true);
            var x = c.Inputs.Select((shape, i) => tape.Constant(shape, inputs[i], needsGradient: wantGradients)).ToArray();
            var y = c.Function(x, rng);
            weights ??= Values(y.Length, 77, 0.2, 1);
            if (wantGradients)
            {
                tape.Backward((y * tape.Constant(y.Shape, weights)).Sum());
                for (int i = 0; i < x.Length; i++)
                    gradients[i] = x[i].GradientToArray();
            }
            return y.ToArray().Select((v, i) => (double)v * weights[i]).Sum();
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_constant_in_a_reparameterised_sample_takes_no_gradient_and_changes_none(bool constantMu)
    {
        using var rng = new Rng(Compute, 5);
        var constant = Compute.Allocate(S(3, 4), Values(12, constantMu ? 1 : 2));
        Assert.That(Gradient(constant), Is.EqualTo(Gradient(null)));
        Assert.That(constant.Gradient.IsAbsent);
        Compute.Free(constant);

        float[] Gradient(Tensor? constant)
        {
            rng.BeginStep(1);
            using var tape = Compute.Tape();
            var mu = constantMu && constant is not null ? constant : tape.Constant(S(3, 4), Values(12, 1), needsGradient: true);
            var logVar = !constantMu && constant is not null ? constant : tape.Constant(S(3, 4), Values(12, 2), needsGradient: true);
            var sample = Ops.Reparameterise(mu, logVar, rng);
            tape.Backward(new Seed(sample.Z, 1), new Seed(sample.Kl, 2));
            return (constantMu ? logVar : mu).GradientToArray();
        }
    }

    [Test]
    public void A_frozen_scale_of_batch_normalisation_changes_no_other_gradient()
    {
        var gamma = Compute.Allocate(S(3), [1, 2, 3]);
        var (mean, variance) = (Compute.Allocate(S(3), [0, 0, 0]), Compute.Allocate(S(3), [1, 1, 1]));
        Assert.That(Gradients(gamma), Is.EqualTo(Gradients(null)));
        foreach (var tensor in new[] { gamma, mean, variance })
            Compute.Free(tensor);

        float[] Gradients(Tensor? constant)
        {
            using var tape = Compute.Tape();
            var x = tape.Constant(S(6, 3), Values(18), needsGradient: true);
            var beta = tape.Constant(S(3), [0.5f, 0, 0], needsGradient: true);
            var y = x.BatchNorm(constant ?? tape.Constant(S(3), [1, 2, 3], needsGradient: true), beta, mean, variance);
            tape.Backward(new Seed(y.Square() + beta, 1));
            return [.. x.GradientToArray(), .. beta.GradientToArray()];
        }
    }

    [Test]
    public void Every_operation_has_a_gradient_case()
    {
        var covered = Cases().Select(c => c.Name.Split(' ')[0]).ToHashSet();
        var missing = typeof(Ops).GetMethods(BindingFlags.Public | BindingFlags.Static).Select(m => m.Name).Where(n => !covered.Contains(n))
            .Distinct();
        Assert.That(missing, Is.Empty);
    }
}
