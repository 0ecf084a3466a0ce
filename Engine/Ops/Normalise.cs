using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Engine;

public static partial class Ops
{
    /// <summary>Batch normalisation over all axes but the last; the batch's statistics in training, the running ones otherwise.</summary>
    public static Tensor BatchNorm(this Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance, float momentum = 0.1f, float epsilon = 1e-5f,
        Activation activation = Activation.None)
    {
        int channels = x.Shape[-1], rows = x.Length / Math.Max(1, channels);
        if (gamma.Length != channels)
            throw new ArgumentException($"batch_norm: {channels} channels in {x.Shape}, but the layer has {gamma.Length}");
        var tape = Tape.Required;
        var y = Tape.New(x.Shape, x, gamma, beta);
        y.IsReluOutput = activation == Activation.Relu;
        if (!tape.Training)
        {
            if (y.NeedsGradient)
                return Inference(x, gamma, beta, runningMean, runningVariance, epsilon, activation);
            tape.Kernels.BatchNormInference(rows, channels, x.Data, gamma.Data, beta.Data, runningMean.Data, runningVariance.Data, epsilon, y.Data, activation);
            return y;
        }
        if (rows < 2)
            throw new ArgumentException($"batch_norm: one value per channel in {x.Shape} has no variance; use a batch of at least 2 in training");
        var mean = tape.Temporary(channels);
        var inverseDeviation = tape.Temporary(channels);
        tape.Kernels.BatchNormForward(rows, channels, x.Data, gamma.Data, beta.Data, runningMean.Data, runningVariance.Data, tape.KeepsStatistics ? 0 : momentum, epsilon,
            mean, inverseDeviation, y.Data, activation);
        tape.Record(y, () =>
        {
            // A frozen layer still passes the gradient on to its input; what it would add to its own parameters goes to scratch.
            bool own = gamma.NeedsGradient;
            bool accumulate = false;
            var dgamma = own ? gamma.GradientSink(out accumulate) : tape.Temporary(channels);
            var dbeta = own ? beta.GradientSink(out _) : tape.Temporary(channels);
            bool add = false;
            var dx = x.NeedsGradient ? x.GradientSink(out add) : tape.Temporary(x.Length);
            tape.Kernels.BatchNormGradient(rows, channels, y.Gradient, x.Data, gamma.Data, mean, inverseDeviation, dx, add, dgamma, dbeta, accumulate);
        });
        return y;
    }

    /// <summary>By running statistics, from parts that have gradients: for gradients with respect to the input of a network in evaluation mode.</summary>
    private static Tensor Inference(Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance, float epsilon, Activation activation)
    {
        var y = (x - runningMean) / (runningVariance + epsilon).Sqrt() * gamma + beta;
        return activation == Activation.Relu ? y.Relu() : y;
    }

    /// <summary>In training, sets each element to 0 with the given probability and scales the others by 1 / (1 - probability).</summary>
    public static Tensor Dropout(this Tensor x, float probability, Rng rng)
    {
        if (probability is < 0 or >= 1)
            throw new ArgumentException($"dropout: probability {probability} is not in [0, 1)");
        var tape = Tape.Required;
        if (!tape.Training || probability == 0)
            return x;
        var mask = rng.Draw(Distribution.Uniform, x.Shape);
        tape.Kernels.Unary<DropoutMask>(mask.Data, mask.Data, probability);
        return x * mask;
    }
}
