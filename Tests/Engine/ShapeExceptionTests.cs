using NUnit.Framework;

namespace VaeFromScratch.Tests.Engine;

public sealed class ShapeExceptionTests : OnCpu
{
    public static IEnumerable<TestCaseData> Mistakes()
    {
        yield return Case("matmul", "[2, 3] times [2, 3]", "inner sizes", (tape, a) => a.MatMul(a));
        yield return Case("linear", "input [2, 3] and weights [4, 5]", "[batch, 4]", (tape, a) => a.Linear(Full(tape, 4, 5), null));
        yield return Case("conv2d", "input [1, 4, 4, 3] and weights [3, 3, 1, 2]", "channels",
            (tape, a) => Full(tape, 1, 4, 4, 3).Conv2d(Full(tape, 3, 3, 1, 2), null, 1, 1));
        yield return Case("conv_transpose2d", "input [1, 4, 4, 3] and weights [3, 3, 1, 2]", "channels",
            (tape, a) => Full(tape, 1, 4, 4, 3).ConvTranspose2d(Full(tape, 3, 3, 1, 2), null, 1, 1));
        yield return Case("add", "shapes [2, 3] and [2]", "broadcast", (tape, a) => a + Full(tape, 2));
        yield return Case("reshape", "[2, 3] has 6 elements, [4, 2] has 8", "as many", (tape, a) => a.Reshape(4, 2));
        yield return Case("concat", "[3, 3] after [2, 3] along axis 1", "equal", (tape, a) => Ops.Concat(1, a, Full(tape, 3, 3)));
        yield return Case("permute", "(0, 0) for [2, 3]", "2 axes", (tape, a) => a.Permute(0, 0));
        yield return Case("slice", "elements 2 to 4 on axis 1 of [2, 3]", "0 to 3", (tape, a) => a.Slice(1, 2, 2));
        yield return Case("axis", "2 in a tensor of shape [2, 3]", "-2 to 1", (tape, a) => a.Sum(2));
        yield return Case("reparameterise", "mu [2, 3] and logVar [2]", "[batch, latents]",
            (tape, a) => Ops.Reparameterise(a, Full(tape, 2), null!).Z);
        yield return Case("bernoulli_nll", "shapes [2, 3] and [2]", "equal", (tape, a) => Ops.BernoulliNll(a, Full(tape, 2)));
        yield return Case("batch_norm", "3 channels in [2, 3]", "2",
            (tape, a) => a.BatchNorm(Full(tape, 2), Full(tape, 2), Full(tape, 2), Full(tape, 2)));
        yield return Case("lstm", "input [2, 3]", "[batch, steps, 4]", (tape, a) => new Lstm("l", 4, 2, new Initialise(1)).Forward(a));
        yield return Case("tensor", "2 values for shape [3]", "3", (tape, a) => tape.Constant(new(3), [1, 2]));
        yield return Case("parameter p", "2 initial values for shape [3]", "3",
            (tape, a) => new Parameter("p", new(3), [1, 2]).Value);

        static TestCaseData Case(string operation, string got, string expected, Func<Tape, Tensor, Tensor> mistake) =>
            new TestCaseData(operation, got, expected, mistake).SetArgDisplayNames(operation);
    }

    [TestCaseSource(nameof(Mistakes))]
    public void A_mistake_in_shapes_says_what_came_and_what_was_expected(string operation, string got, string expected,
        Func<Tape, Tensor, Tensor> mistake)
    {
        using var tape = Compute.Tape();
        var a = Full(tape, 2, 3);
        var error = Assert.Throws<ShapeException>(() => mistake(tape, a))!;
        Assert.Multiple(() =>
        {
            Assert.That(error.Operation, Is.EqualTo(operation));
            Assert.That(error.Got, Is.EqualTo(got));
            Assert.That(error.Expected, Does.Contain(expected));
            Assert.That(error.Message, Is.EqualTo($"{operation}: {got}; expected {error.Expected}"));
        });
    }

    private static Tensor Full(Tape tape, params int[] sizes) => tape.Full(new(sizes), 1);
}
