using NUnit.Framework;

namespace VaeFromScratch.Tests.Engine;

public sealed class OptimiserTests : OnCpu
{
    public static IEnumerable<TestCaseData> Optimisers()
    {
        yield return Case("Adam", (compute, arena) => new Adam(compute, arena));
        yield return Case("RmsProp", (compute, arena) => new RmsProp(compute, arena));
        yield return Case("Sgd", (compute, arena) => new Sgd(compute, arena));

        static TestCaseData Case(string name, Func<Compute, ParameterArena, Optimiser> create) =>
            new TestCaseData(create).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Optimisers))]
    public void An_update_without_a_learning_rate_is_an_error_and_moves_nothing(Func<Compute, ParameterArena, Optimiser> create)
    {
        var p = new Parameter("p", new(2), [1, 2]);
        using var arena = new ParameterArena(Compute, [p]);
        using var optimiser = create(Compute, arena);
        using var tape = Compute.Tape();
        tape.Backward(p.Value.Square().Sum());
        Assert.That(() => optimiser.Update(), Throws.InvalidOperationException.With.Message.Contains("Update(step, learningRate)"));
        Assert.That(p.Value.ToArray(), Is.EqualTo(new float[] { 1, 2 }));
    }

    [TestCaseSource(nameof(Optimisers))]
    public void An_update_with_its_learning_rate_is_both_calls_in_one(Func<Compute, ParameterArena, Optimiser> create)
    {
        float[] one = Train((optimiser, t) => optimiser.Update(t, 0.1)), two = Train((optimiser, t) =>
        {
            optimiser.BeginStep(t, 0.1);
            optimiser.Update();
        });
        Assert.That(one, Is.EqualTo(two).And.All.LessThan(1f));

        float[] Train(Action<Optimiser, long> step)
        {
            var p = new Parameter("p", new(2), [1, 1]);
            using var arena = new ParameterArena(Compute, [p]);
            using var optimiser = create(Compute, arena);
            for (int t = 1; t <= 3; t++)
            {
                using var tape = Compute.Tape();
                tape.Backward(p.Value.Square().Sum());
                step(optimiser, t);
            }
            return p.Value.ToArray();
        }
    }

    [Test]
    public void A_captured_step_that_is_replayed_without_a_learning_rate_shows()
    {
        var p = new Parameter("p", new(1), [1]);
        using var arena = new ParameterArena(Compute, [p]);
        using var adam = new Adam(Compute, arena);
        using var step = Compute.Capture(() =>
        {
            using var tape = Compute.Tape();
            tape.Backward(p.Value.Square().Sum());
            adam.Update();
        });
        step.Replay();
        Assert.That(p.Value.Item(), Is.NaN);
    }
}
