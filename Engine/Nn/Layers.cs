using VaeFromScratch.Kernels;

namespace VaeFromScratch.Engine.Nn;

/// <summary>x w + b: [B, in] to [B, out].</summary>
public sealed class Linear : Module
{
    private readonly Parameter weight, bias;
    private readonly Activation activation;

    /// <param name="name">Prefix of the names on disk: NAME.weight, NAME.bias.</param>
    /// <param name="weightLayout">For layers that read or write flattened images; a plain linear layer by default.</param>
    /// <param name="scale">Factor on the initial weights and biases.</param>
    public Linear(string name, int inputs, int outputs, Initialise init, Activation activation = Activation.None, DiskLayout? weightLayout = null, DiskLayout? biasLayout = null, double scale = 1)
    {
        weight = new($"{name}.weight", new(inputs, outputs), init.Uniform(inputs * outputs, inputs, scale), weightLayout ?? DiskLayout.Linear(inputs, outputs));
        bias = new($"{name}.bias", new(outputs), init.Uniform(outputs, inputs, scale), biasLayout);
        this.activation = activation;
    }

    public override IEnumerable<Parameter> Parameters => [weight, bias];

    public override Tensor Forward(Tensor x) => x.Linear(weight.Value, bias.Value, activation);
}

/// <summary>Convolution of NHWC images.</summary>
public sealed class Conv2d : Module
{
    private readonly Parameter weight, bias;
    private readonly int stride, padding;
    private readonly Activation activation;

    public Conv2d(string name, int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init, Activation activation = Activation.None)
    {
        int fanIn = inChannels * kernel * kernel;
        weight = new($"{name}.weight", new(kernel, kernel, inChannels, outChannels), init.Uniform(fanIn * outChannels, fanIn), DiskLayout.Convolution(kernel, kernel, inChannels, outChannels));
        bias = new($"{name}.bias", new(outChannels), init.Uniform(outChannels, fanIn));
        (this.stride, this.padding, this.activation) = (stride, padding, activation);
    }

    public override IEnumerable<Parameter> Parameters => [weight, bias];

    public override Tensor Forward(Tensor x) => x.Conv2d(weight.Value, bias.Value, stride, padding, activation);
}

/// <summary>Transposed convolution of NHWC images, with output padding.</summary>
public sealed class ConvTranspose2d : Module
{
    private readonly Parameter weight, bias;
    private readonly int stride, padding, outputPaddingHeight, outputPaddingWidth;
    private readonly Activation activation;

    public ConvTranspose2d(string name, int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init, Activation activation = Activation.None,
        int outputPaddingHeight = 0, int outputPaddingWidth = 0)
    {
        // PyTorch takes the fan-in of a transposed convolution from its output channels.
        int fanIn = outChannels * kernel * kernel;
        weight = new($"{name}.weight", new(kernel, kernel, outChannels, inChannels), init.Uniform(fanIn * inChannels, fanIn), DiskLayout.Convolution(kernel, kernel, outChannels, inChannels));
        bias = new($"{name}.bias", new(outChannels), init.Uniform(outChannels, fanIn));
        (this.stride, this.padding, this.activation) = (stride, padding, activation);
        (this.outputPaddingHeight, this.outputPaddingWidth) = (outputPaddingHeight, outputPaddingWidth);
    }

    public override IEnumerable<Parameter> Parameters => [weight, bias];

    public override Tensor Forward(Tensor x) => x.ConvTranspose2d(weight.Value, bias.Value, stride, padding, outputPaddingHeight, outputPaddingWidth, activation);
}

/// <summary>Batch normalisation over the last axis, with running statistics for evaluation.</summary>
public sealed class BatchNorm : Module
{
    private readonly Parameter gamma, beta, runningMean, runningVariance;
    private readonly Activation activation;

    /// <param name="layout">Of each vector on disk, where the layer reads a flattened image; as in memory by default.</param>
    public BatchNorm(string name, int channels, Activation activation = Activation.None, DiskLayout? layout = null)
    {
        gamma = new($"{name}.weight", new(channels), Initialise.Full(channels, 1), layout);
        beta = new($"{name}.bias", new(channels), Initialise.Full(channels, 0), layout);
        runningMean = new($"{name}.running_mean", new(channels), Initialise.Full(channels, 0), layout, trainable: false);
        runningVariance = new($"{name}.running_var", new(channels), Initialise.Full(channels, 1), layout, trainable: false);
        this.activation = activation;
    }

    public override IEnumerable<Parameter> Parameters => [gamma, beta, runningMean, runningVariance];

    public override Tensor Forward(Tensor x) => x.BatchNorm(gamma.Value, beta.Value, runningMean.Value, runningVariance.Value, activation: activation);
}

/// <summary>Drops elements in training.</summary>
public sealed class Dropout(float probability, Rng rng) : Module
{
    public override IEnumerable<Parameter> Parameters => [];

    public override Tensor Forward(Tensor x) => x.Dropout(probability, rng);
}

/// <summary>The largest entry of each window.</summary>
public sealed class MaxPool2d(int kernel, int stride) : Module
{
    public override IEnumerable<Parameter> Parameters => [];

    public override Tensor Forward(Tensor x) => x.MaxPool2d(kernel, stride);
}

/// <summary>A function without parameters as a layer: a reshape, an activation.</summary>
public sealed class Function(Func<Tensor, Tensor> function) : Module
{
    public override IEnumerable<Parameter> Parameters => [];

    public override Tensor Forward(Tensor x) => function(x);
}

/// <summary>Modules one after another.</summary>
public sealed class Sequential(params Module[] parts) : Module
{
    public override IEnumerable<Parameter> Parameters => parts.SelectMany(p => p.Parameters);

    public override Tensor Forward(Tensor x)
    {
        foreach (var part in parts)
            x = part.Forward(x);
        return x;
    }
}
