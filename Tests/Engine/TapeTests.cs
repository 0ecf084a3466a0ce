using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Engine;

public sealed class TapeTests : OnCpu
{
    [Test]
    public void A_tensor_used_twice_gets_the_sum_of_both_gradients()
    {
        using var tape = Compute.Tape();
        var x = tape.Constant(new(3), [1, 2, 3], needsGradient: true);
        tape.Backward((x * x + 3 * x).Sum());
        Assert.That(x.GradientToArray(), Is.EqualTo(new float[] { 5, 7, 9 }));
    }

    [Test]
    public void A_view_shares_values_and_gradient()
    {
        using var tape = Compute.Tape();
        var x = tape.Constant(new(2, 3), [1, 2, 3, 4, 5, 6], needsGradient: true);
        var view = x.Reshape(3, -1);
        tape.Backward(new Seed(view * 2, 1), new Seed(x * 3, 1));
        Assert.That(view.Shape, Is.EqualTo(new Shape(3, 2)));
        Assert.That(x.GradientToArray(), Is.All.EqualTo(5f));
    }

    [Test]
    public void A_relu_output_used_by_a_layer_and_by_plain_arithmetic_is_masked_in_both()
    {
        using var tape = Compute.Tape();
        var x = tape.Constant(new(1, 2), [1, -1], needsGradient: true);
        var identity = tape.Constant(new(2, 2), [1, 0, 0, 1]);
        var h = x.Linear(identity, null, Activation.Relu);
        tape.Backward(new Seed(h.Linear(identity, null), 1), new Seed(h * 10, 1));
        Assert.That(x.GradientToArray(), Is.EqualTo(new float[] { 11, 0 }));
    }

    [Test]
    public void A_seed_on_a_tensor_that_other_operations_read_counts_too()
    {
        using var tape = Compute.Tape();
        var x = tape.Constant(new(2), [1, 2], needsGradient: true);
        var y = x * 2;
        tape.Backward(new Seed(y * 5, 1), new Seed(y, 0.5f), new Seed(y, 1, tape.Full(Shape.Scalar, 4)));
        Assert.That(x.GradientToArray(), Is.All.EqualTo(2 * (5 + 0.5f + 4)));
    }

    [Test]
    public void An_inner_backward_pass_leaves_the_parameters_alone()
    {
        var layer = new Linear("l", 2, 1, new Initialise(1));
        using var arena = new ParameterArena(Compute, layer.Parameters);
        using var tape = Compute.Tape();
        var x = tape.Constant(new(1, 2), [1, 2], needsGradient: true);
        var y = layer.Forward(x);
        tape.BackwardToInputs(new Seed(y, 1));
        Assert.That(x.GradientToArray(), Is.EqualTo(arena.Parameters[0].Value.ToArray()).Within(1e-6));
        Assert.That(arena.Parameters.All(p => p.Value.Gradient.IsAbsent));
        arena.ClearGradients();
    }

    [Test]
    public void A_frozen_arena_passes_gradients_through_and_keeps_none()
    {
        var layer = new Linear("l", 2, 1, new Initialise(1));
        using var arena = new ParameterArena(Compute, layer.Parameters);
        arena.Frozen = true;
        using (var tape = Compute.Tape())
        {
            var x = tape.Constant(new(1, 2), [1, 2], needsGradient: true);
            tape.Backward(layer.Forward(x).Sum());
            Assert.That(x.GradientToArray(), Has.Some.Not.Zero);
        }
        Assert.That(arena.Parameters.All(p => p.Value.Gradient.IsAbsent));
        arena.Frozen = false;
    }

    [Test]
    public void A_captured_step_replays_to_the_same_bits_as_the_step_itself()
    {
        float[] eager = Train(captured: false), replayed = Train(captured: true);
        Assert.That(replayed, Is.EqualTo(eager));

        float[] Train(bool captured)
        {
            var net = new Sequential(new Linear("a", 6, 5, new Initialise(1), Activation.Relu), new Linear("b", 5, 6, new Initialise(2)));
            using var arena = new ParameterArena(Compute, net.Parameters);
            using var optimiser = new Adam(Compute, arena);
            using var rng = new Rng(Compute, 4);
            var x = Compute.Allocate(new(8, 6), Values(48));
            CapturedStep? step = null;
            for (int t = 0; t < 5; t++)
            {
                rng.BeginStep((uint)t);
                optimiser.BeginStep(t + 1, 0.05);
                if (captured)
                    (step ??= Compute.Capture(Body)).Replay();
                else
                    Body();
            }
            Assert.That(step?.Calls, captured ? Is.GreaterThan(5) : Is.Null);
            step?.Dispose();
            Compute.Free(x);
            return [.. arena.Parameters.SelectMany(p => p.Value.ToArray())];

            void Body()
            {
                rng.RestartDraws();
                using var tape = Compute.Tape();
                var noise = rng.Normal(x.Shape);
                tape.Backward((net.Forward(x) - x - noise * 0.1f).Square().Mean());
                optimiser.Update();
            }
        }
    }

    [Test]
    public void A_replayed_step_allocates_no_managed_memory()
    {
        var net = new Sequential(new Linear("a", 64, 32, new Initialise(1), Activation.Relu), new Linear("b", 32, 64, new Initialise(2)));
        using var arena = new ParameterArena(Compute, net.Parameters);
        using var optimiser = new Adam(Compute, arena);
        var x = Compute.Allocate(new(16, 64), Values(1024));
        using var step = Compute.Capture(() =>
        {
            using var tape = Compute.Tape();
            tape.Backward((net.Forward(x) - x).Square().Mean());
            optimiser.Update();
        });
        optimiser.BeginStep(1, 1e-3);
        step.Replay();
        step.Replay();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            step.Replay();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Compute.Free(x);
    }

    [Test]
    public void Reading_values_while_capturing_is_an_error_that_says_so() =>
        Assert.That(() => Compute.Capture(() =>
        {
            using var tape = Compute.Tape();
            tape.Full(new(2), 1).ToArray();
        }), Throws.InvalidOperationException.With.Message.Contains("captured"));

    [Test]
    public void A_tensor_read_after_its_tape_is_gone_says_so()
    {
        Tensor x;
        using (var tape = Compute.Tape())
            x = tape.Full(new(2), 1);
        Assert.That(() => x.ToArray(), Throws.InstanceOf<ObjectDisposedException>().With.Message.Contains("tape"));
    }

    /// <summary>One layer is applied three times, one bias is computed, and one is part of a penalty too.</summary>
    [Test]
    public void Gradients_of_biases_may_wait_for_one_another()
    {
        using var waiting = new Compute(new FourAtOnce(new CpuBackend(threads: 2)));
        Assert.That(Gradients(waiting), Is.EqualTo(Gradients(Compute)).Within(1e-5));
        Assert.That(waiting.Pool.Outstanding, Is.Zero);

        static float[] Gradients(Compute compute)
        {
            Linear shared = new("shared", 5, 5, new Initialise(1)), other = new("other", 5, 5, new Initialise(2));
            using var arena = new ParameterArena(compute, [.. shared.Parameters, .. other.Parameters]);
            using var tape = compute.Tape();
            var (weight, bias) = (other.Parameters.First().Value, other.Parameters.Last().Value);
            var h = shared.Forward(other.Forward(shared.Forward(tape.Constant(new(7, 5), Values(35)))));
            h = shared.Forward(h.Linear(weight, bias * 2, Activation.Relu));
            tape.Backward(new Seed(h * h, 1), new Seed(bias * bias, 1));
            var gradients = new float[arena.Gradients.Length];
            compute.Backend.Download(arena.Gradients, gradients);
            return gradients;
        }
    }

    private sealed class FourAtOnce(IBackend inner) : BackendDecorator(inner)
    {
        public override int ColumnSumsAtOnce => 4;

        public override ICapturedStep Capture(Action<IBackend> step) => Inner.Capture(step);

        public override void Dispose() => Inner.Dispose();

        protected override void Invoke(KernelCost cost, Action<IBackend> call) => call(Inner);
    }

    [Test]
    public void A_device_is_opened_by_its_name_and_constants_are_on_the_innermost_tape()
    {
        using var compute = Compute.Open("cpu", threads: 1);
        Tensor outer;
        using (compute.Tape())
        {
            outer = compute.Constant(new(2), [1, 2]);
            using (compute.Tape())
                Assert.That((outer * compute.Constant(new(2), [3, 4])).ToArray(), Is.EqualTo(new float[] { 3, 8 }));
            Assert.That(outer.ToArray(), Is.EqualTo(new float[] { 1, 2 }));
        }
        Assert.That(compute.Pool.Outstanding, Is.Zero);
        Assert.That(() => Compute.Open("gpu"), Throws.TypeOf<DeviceException>()
            .With.Message.Contains("'gpu'").And.Message.Contains("simulator"));
    }

    [Test]
    public void Operations_without_a_tape_say_so()
    {
        Assert.That(() => Tape.Current, Throws.InvalidOperationException);
        Assert.That(() => Compute.Constant(new(1), [1]), Throws.InvalidOperationException);
        var x = Compute.Allocate(new(2));
        Assert.That(() => x * 2, Throws.InvalidOperationException.With.Message.Contains("compute.Tape()"));
        Compute.Free(x);
    }
}
