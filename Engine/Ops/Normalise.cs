using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

public static partial class Ops
{
    /// <summary>Batch normalisation over all axes but the last; the batch's statistics in training, the running ones otherwise.</summary>
    public static Tensor BatchNorm(this Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance,
        float momentum = 0.1f, float epsilon = 1e-5f,
        Activation activation = Activation.None)
    {
        int channels = x.Shape[-1], rows = x.Length / Math.Max(1, channels);
        if (gamma.Length != channels)
            throw new ShapeException("batch_norm", $"{channels} channels in {x.Shape}", $"{gamma.Length}, as the layer has");
        var tape = Tape.Current;
        var y = Tape.New(x.Shape, x, gamma, beta);
        y.IsReluOutput = activation == Activation.Relu;
        var parameters = new BatchNormParameters(
            gamma.Data, beta.Data, runningMean.Data, runningVariance.Data, tape.KeepsStatistics ? 0 : momentum, epsilon);
        if (!tape.Training)
        {
            if (y.NeedsGradient)
                return Inference(x, gamma, beta, runningMean, runningVariance, epsilon, activation);
            tape.Kernels.BatchNormInference(rows, channels, x.Data, parameters, y.Data, activation);
            return y;
        }
        if (rows < 2)
            throw new ShapeException("batch_norm", $"one value per channel in {x.Shape}",
                "at least 2, as one has no variance; use a larger batch in training");
        var statistics = new BatchNormStatistics(tape.Temporary(channels), tape.Temporary(channels));
        tape.Kernels.BatchNormForward(rows, channels, x.Data, parameters, statistics, y.Data, activation);
        tape.Record(y, () =>
        {
            // A frozen layer still passes the gradient on to its input; what it would add to its own parameters goes to scratch.
            var dgamma = SinkOrScratch(tape, gamma, out bool accumulateGamma);
            var dbeta = SinkOrScratch(tape, beta, out bool accumulateBeta);
            if (accumulateGamma != accumulateBeta)
                tape.Kernels.Fill(accumulateGamma ? dbeta : dgamma, 0);
            var dx = SinkOrScratch(tape, x, out bool add);
            tape.Kernels.BatchNormGradient(rows, channels, y.Gradient, x.Data, gamma.Data, statistics,
                new(dx, add, dgamma, dbeta, accumulateGamma || accumulateBeta));
        });
        return y;
    }

    /// <summary>
    /// By running statistics, from parts that have gradients: for gradients with respect to the input of a network in evaluation mode.
    /// </summary>
    private static Tensor Inference(Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance, float epsilon,
        Activation activation)
    {
        var y = (x - runningMean) / (runningVariance + epsilon).Sqrt() * gamma + beta;
        return activation == Activation.Relu ? y.Relu() : y;
    }

    /// <summary>In training, sets each element to 0 with the given probability and scales the others by 1 / (1 - probability).</summary>
    public static Tensor Dropout(this Tensor x, float probability, Rng rng)
    {
        if (probability is < 0 or >= 1)
            throw new ArgumentException($"dropout: probability {probability} is not in [0, 1)");
        var tape = Tape.Current;
        if (!tape.Training || probability == 0)
            return x;
        var mask = rng.Uniform(x.Shape);
        tape.Kernels.Unary<DropoutMask>(mask.Data, mask.Data, probability);
        return x * mask;
    }
}
