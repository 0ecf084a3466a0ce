namespace VaeFromScratch.Kernels;

/// <summary>What a batch normalisation has learned, each [channels], and how its running statistics are kept.</summary>
/// <param name="Momentum">The share of a batch's own statistics in the running ones.</param>
/// <param name="Epsilon">Added to a variance before its root is taken.</param>
internal readonly record struct BatchNormParameters(Slice<float> Gamma, Slice<float> Beta, Slice<float> RunningMean,
    Slice<float> RunningVariance, float Momentum, float Epsilon);

/// <summary>A batch's mean and 1 / sqrt(variance + epsilon), each [channels].</summary>
internal readonly record struct BatchNormStatistics(Slice<float> Mean, Slice<float> InverseDeviation);

/// <summary>Where the gradients of a batch normalisation go, and whether they are added to what is there.</summary>
/// <param name="Dx">The gradient of the input, [rows, channels].</param>
/// <param name="Dgamma">[channels], as <paramref name="Dbeta"/>.</param>
internal readonly record struct BatchNormGradients(Slice<float> Dx, bool AccumulateDx, Slice<float> Dgamma, Slice<float> Dbeta,
    bool AccumulateParameters);

/// <summary>The values of a long short-term memory's step that its gradient reads.</summary>
/// <param name="Gates">[rows, 4 h], before their activations, in PyTorch's order i, f, g, o.</param>
/// <param name="Before">The cell state before the step, [rows, h]; absent where it is 0.</param>
/// <param name="C">The cell state after it, [rows, h].</param>
internal readonly record struct LstmCellValues(Slice<float> Gates, Slice<float> Before, Slice<float> C);

/// <summary>A sample z = mu + exp(logVar / 2) epsilon, (V1): what it was made of, each [rows, h].</summary>
internal readonly record struct ReparameterisedSample(Slice<float> Mu, Slice<float> LogVar, Slice<float> Epsilon);

/// <summary>A mixture of diagonal Gaussians, the points where its log density is asked, and where that stands.</summary>
/// <param name="Rows">The number of points.</param>
/// <param name="H">The number of latents.</param>
/// <param name="Z">The points, [rows, h].</param>
/// <param name="Mu">The components' means, [components, h], as <paramref name="LogVar"/>.</param>
/// <param name="Joint">log density of each point, [rows]; may be absent.</param>
/// <param name="Marginal">log density of each latent alone, [rows, h]; may be absent.</param>
/// <param name="OwnOffset">Row i's own component is i + OwnOffset.</param>
/// <param name="PairBias">Added to the log weight of each pair in the joint, [rows, components]; may be absent.</param>
internal readonly record struct MixtureOperands(int Rows, int Components, int H, Slice<float> Z, Slice<float> Mu, Slice<float> LogVar,
    PairLogWeights Weights, Slice<float> Joint, Slice<float> Marginal, int OwnOffset = 0, Slice<float> PairBias = default);
