using NUnit.Framework;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Kernels;
using Shape = VaeFromScratch.Engine.Shape;

namespace VaeFromScratch.Tests.Engine;

public sealed class TapeTests : OnCpu
{
    [Test]
    public void A_tensor_used_twice_gets_the_sum_of_both_gradients()
    {
        using var tape = new Tape(Compute);
        var x = tape.Constant(new(3), [1, 2, 3], needsGradient: true);
        tape.Backward((x * x + 3 * x).Sum());
        Assert.That(x.GradientToArray(), Is.EqualTo(new float[] { 5, 7, 9 }));
    }

    [Test]
    public void A_view_shares_values_and_gradient()
    {
        using var tape = new Tape(Compute);
        var x = tape.Constant(new(2, 3), [1, 2, 3, 4, 5, 6], needsGradient: true);
        var view = x.Reshape(3, -1);
        tape.Backward(new Seed(view * 2, 1), new Seed(x * 3, 1));
        Assert.That(view.Shape, Is.EqualTo(new Shape(3, 2)));
        Assert.That(x.GradientToArray(), Is.All.EqualTo(5f));
    }

    [Test]
    public void A_relu_output_used_by_a_layer_and_by_plain_arithmetic_is_masked_in_both()
    {
        using var tape = new Tape(Compute);
        var x = tape.Constant(new(1, 2), [1, -1], needsGradient: true);
        var identity = tape.Constant(new(2, 2), [1, 0, 0, 1]);
        var h = x.Linear(identity, null, Activation.Relu);
        tape.Backward(new Seed(h.Linear(identity, null), 1), new Seed(h * 10, 1));
        Assert.That(x.GradientToArray(), Is.EqualTo(new float[] { 11, 0 }));
    }

    [Test]
    public void A_seed_on_a_tensor_that_other_operations_read_counts_too()
    {
        using var tape = new Tape(Compute);
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
        using var tape = new Tape(Compute);
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
        using (var tape = new Tape(Compute))
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
                using var tape = new Tape(Compute);
                var noise = rng.Draw(Distribution.Normal, x.Shape);
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
            using var tape = new Tape(Compute);
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
            using var tape = new Tape(Compute);
            tape.Full(new(2), 1).ToArray();
        }), Throws.InvalidOperationException.With.Message.Contains("captured"));

    [Test]
    public void A_tensor_read_after_its_tape_is_gone_says_so()
    {
        Tensor x;
        using (var tape = new Tape(Compute))
            x = tape.Full(new(2), 1);
        Assert.That(() => x.ToArray(), Throws.InstanceOf<ObjectDisposedException>().With.Message.Contains("tape"));
    }

    [Test]
    public void Operations_without_a_tape_say_so()
    {
        var x = Compute.Allocate(new(2));
        Assert.That(() => x * 2, Throws.InvalidOperationException.With.Message.Contains("new Tape"));
        Compute.Free(x);
    }

    [TestCase("matmul: [2, 3] times [2, 3]")]
    [TestCase("conv2d: input [1, 4, 4, 3]")]
    [TestCase("add: shapes [2, 3] and [2]")]
    [TestCase("reshape: [2, 3]")]
    [TestCase("concat: [3, 3]")]
    public void Shape_errors_name_the_operation_and_the_shapes(string start)
    {
        using var tape = new Tape(Compute);
        var a = tape.Full(new(2, 3), 1);
        Action action = start.Split(':')[0] switch
        {
            "matmul" => () => a.MatMul(a),
            "conv2d" => () => tape.Full(new(1, 4, 4, 3), 1).Conv2d(tape.Full(new(3, 3, 1, 2), 1), null, 1, 1),
            "add" => () => Ops.Add(a, tape.Full(new(2), 1)),
            "reshape" => () => a.Reshape(4, 2),
            _ => () => Ops.Concat(1, a, tape.Full(new(3, 3), 1)),
        };
        Assert.That(action, Throws.ArgumentException.With.Message.StartsWith(start));
    }
}
