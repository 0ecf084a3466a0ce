namespace VaeFromScratch.Models.Distributions;

/// <summary>q(c|x), one categorical distribution per image.</summary>
public sealed class Categorical
{
    // Keeps logarithms of probabilities that float32 rounds to 0 finite.
    internal const float SmallestProbability = 1e-20f;

    /// <summary>Temperature at which the softmax of log-probabilities is one-hot but for near ties.</summary>
    private const float AlmostZero = 1e-6f;

    /// <param name="logits">Unnormalised log-probabilities, [B, K].</param>
    public Categorical(Tensor logits)
    {
        Categories = logits.Shape[1];
        LogProbabilities = logits.LogSoftmax();
        Probabilities = logits.Softmax();
    }

    /// <summary>The number of categories, K.</summary>
    public int Categories { get; }

    /// <summary>log q(c|x), nats, [B, K].</summary>
    public Tensor LogProbabilities { get; }

    /// <summary>q(c|x), [B, K].</summary>
    public Tensor Probabilities { get; }

    /// <summary>H(q(c|x)) of each image, nats, [B].</summary>
    public Tensor Entropy() => -(Probabilities * LogProbabilities).SumPerRow();

    /// <summary>KL(q(c|x) || uniform) = log K - H(q(c|x)), nats, [B] (equations.md (C2)).</summary>
    public Tensor KlToUniform() => MathF.Log(Categories) - Entropy();

    /// <summary>q(c) = mean_x q(c|x) over the batch, [K].</summary>
    public Tensor Mean() => Probabilities.Mean(0);

    /// <summary>H(mean_x q(c|x)) over the batch, nats, a scalar; at most log K.</summary>
    public Tensor EntropyOfMean()
    {
        var mean = Mean();
        return -(mean * mean.ClampMin(SmallestProbability).Log()).Sum();
    }

    /// <summary>-sum_c held_c log q(c|x), nats, [B].</summary>
    /// <param name="held">Probabilities of the same images, through which no gradient flows, [B, K].</param>
    public Tensor CrossEntropy(Tensor held) => -(held * LogProbabilities).SumPerRow();

    /// <summary>log q(y|x) of one-hot rows y, or of relaxed ones the log of the probability they point to, nats, [B].</summary>
    public Tensor LogProbability(Tensor y) => (y * Probabilities).SumPerRow().ClampMin(SmallestProbability).Log();

    /// <summary>1 at the most probable category of each image, [B, K].</summary>
    public Tensor MostProbable() => LogProbabilities.Scale(1 / AlmostZero).Softmax();

    /// <summary>The same distributions <paramref name="count"/> times over: row k B + i is image i.</summary>
    public Categorical Repeat(int count) => new(LogProbabilities.RepeatRows(count).Reshape(-1, Categories));
}
