using VaeFromScratch.Graphs;
using VaeFromScratch.Models.Distributions;
using VaeFromScratch.Models.Terms;

namespace VaeFromScratch.Models.Noise;

/// <summary>A variance for each pixel of each image, from the decoder's second head (equations.md (N3)).</summary>
/// <remarks>The decoder puts out twice the image's channels: the mean first, then log sigma^2.</remarks>
internal sealed class NetworkNoise : NoiseModel
{
    /// <summary>Of sigma^2, squared pixel units: about 2.5 grey levels of 255. Pixels that are constant in the data end there.</summary>
    public const double DefaultFloor = 1e-4;

    private readonly float logFloor;

    /// <param name="floor">Below which sigma^2 never falls: the likelihood has no bound as a pixel's residual goes to 0.</param>
    public NetworkNoise(double floor = DefaultFloor)
    {
        if (!(floor > 0) || !double.IsFinite(floor))
            throw new ArgumentException($"noise network: floor {floor} must be a positive number");
        Name = FormattableString.Invariant($"network:{floor}");
        logFloor = (float)Math.Log(floor);
    }

    public override string Name { get; }

    public override int DecoderChannels(int channels) => 2 * channels;

    public override Term NegativeLogLikelihood(Tensor x, Tensor decoded)
    {
        var logVar = LogVar(decoded);
        return new("nll", 0.5f * ((x - Mean(decoded)).Square() * (-logVar).Exp() + logVar + DiagonalGaussian.LogTwoPi).SumPerRow());
    }

    public override Tensor Mean(Tensor decoded) => decoded.Slice(-1, 0, decoded.Shape[-1] / 2);

    public override GraphNode DescribeMean(GraphNode decoded) => decoded.Channels(0, decoded.Shape[-1] / 2);

    public override Tensor PixelVariance(Tensor decoded) => LogVar(decoded).Exp();

    public override Tensor Sample(Tensor decoded, Rng rng) => GaussianSamples.Around(Mean(decoded), PixelVariance(decoded), rng);

    private Tensor LogVar(Tensor decoded) => decoded.Slice(-1, decoded.Shape[-1] / 2, decoded.Shape[-1] / 2).ClampMin(logFloor);
}
