namespace VaeFromScratch.Models.Nets;

/// <summary>What follows the product of each hidden layer.</summary>
/// <param name="BatchNorm">Whether batch normalisation comes before the activation.</param>
/// <param name="LeakySlope">Slope of the activation below 0; 0 is ReLU.</param>
internal sealed record HiddenLayers(bool BatchNorm = false, double LeakySlope = 0)
{
    /// <summary>A product with what follows it: a ReLU fused into it, or modules of their own.</summary>
    /// <param name="product">From what is fused into the layer to the layer.</param>
    /// <param name="normName">Prefix of the weights of the batch normalisation.</param>
    /// <param name="channels">Size of the layer's last axis.</param>
    public IEnumerable<Module> After(Func<Activation, Module> product, string normName, int channels)
    {
        var activation = LeakySlope > 0 ? Activation.None : Activation.Relu;
        yield return product(BatchNorm ? Activation.None : activation);
        if (BatchNorm)
            yield return new BatchNorm(normName, channels, activation);
        if (LeakySlope > 0)
            yield return new LeakyReluLayer((float)LeakySlope);
    }
}
