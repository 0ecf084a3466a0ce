using System.Globalization;
using VaeFromScratch.Graphs;

namespace VaeFromScratch;

/// <summary>x w + b: [B, in] to [B, out].</summary>
public sealed class Linear : Module
{
    private readonly Parameter weight, bias;
    private readonly Activation activation;

    public Linear(int inputs, int outputs, Initialise init, Activation activation = Activation.None)
        : this(null, inputs, outputs, init, activation)
    {
    }

    /// <param name="name">Prefix of the names on disk, NAME.weight and NAME.bias; null for where the layer stands.</param>
    /// <param name="weightLayout">For layers that read or write flattened images; a plain linear layer by default.</param>
    /// <param name="scale">Factor on the initial weights and biases.</param>
    public Linear(string? name, int inputs, int outputs, Initialise init, Activation activation = Activation.None,
        DiskLayout? weightLayout = null, DiskLayout? biasLayout = null, double scale = 1) : base(name)
    {
        weight = new(Named("weight"), new(inputs, outputs), init.Uniform(inputs * outputs, inputs, scale),
            weightLayout ?? DiskLayout.Linear(inputs, outputs));
        bias = new(Named("bias"), new(outputs), init.Uniform(outputs, inputs, scale), biasLayout);
        this.activation = activation;
    }

    public override Tensor Forward(Tensor x) => x.Linear(weight.Value, bias.Value, activation);

    public override GraphNode Describe(GraphNode x) => x.Linear(weight, bias, activation);
}

/// <summary>Convolution of NHWC images.</summary>
public sealed class Conv2d : Module
{
    private readonly Parameter weight, bias;
    private readonly int stride, padding;
    private readonly Activation activation;

    public Conv2d(int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init,
        Activation activation = Activation.None)
        : this(null, inChannels, outChannels, kernel, stride, padding, init, activation)
    {
    }

    /// <param name="name">Prefix of the names on disk, NAME.weight and NAME.bias; null for where the layer stands.</param>
    public Conv2d(string? name, int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init,
        Activation activation = Activation.None) : base(name)
    {
        int fanIn = inChannels * kernel * kernel;
        weight = new(Named("weight"), new(kernel, kernel, inChannels, outChannels), init.Uniform(fanIn * outChannels, fanIn),
            DiskLayout.Convolution(kernel, kernel, inChannels, outChannels));
        bias = new(Named("bias"), new(outChannels), init.Uniform(outChannels, fanIn));
        (this.stride, this.padding, this.activation) = (stride, padding, activation);
    }

    public override Tensor Forward(Tensor x) => x.Conv2d(weight.Value, bias.Value, stride, padding, activation);

    public override GraphNode Describe(GraphNode x) => new Conv2dNode(x, weight, bias, stride, padding, activation);
}

/// <summary>Transposed convolution of NHWC images, with output padding.</summary>
public sealed class ConvTranspose2d : Module
{
    private readonly Parameter weight, bias;
    private readonly int stride, padding, outputPaddingHeight, outputPaddingWidth;
    private readonly Activation activation;

    public ConvTranspose2d(int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init,
        Activation activation = Activation.None, int outputPaddingHeight = 0, int outputPaddingWidth = 0)
        : this(null, inChannels, outChannels, kernel, stride, padding, init, activation, outputPaddingHeight, outputPaddingWidth)
    {
    }

    /// <param name="name">Prefix of the names on disk, NAME.weight and NAME.bias; null for where the layer stands.</param>
    public ConvTranspose2d(string? name, int inChannels, int outChannels, int kernel, int stride, int padding, Initialise init,
        Activation activation = Activation.None, int outputPaddingHeight = 0, int outputPaddingWidth = 0) : base(name)
    {
        // PyTorch takes the fan-in of a transposed convolution from its output channels.
        int fanIn = outChannels * kernel * kernel;
        weight = new(Named("weight"), new(kernel, kernel, outChannels, inChannels), init.Uniform(fanIn * inChannels, fanIn),
            DiskLayout.Convolution(kernel, kernel, outChannels, inChannels));
        bias = new(Named("bias"), new(outChannels), init.Uniform(outChannels, fanIn));
        (this.stride, this.padding, this.activation) = (stride, padding, activation);
        (this.outputPaddingHeight, this.outputPaddingWidth) = (outputPaddingHeight, outputPaddingWidth);
    }

    public override Tensor Forward(Tensor x) =>
        x.ConvTranspose2d(weight.Value, bias.Value, stride, padding, outputPaddingHeight, outputPaddingWidth, activation);

    public override GraphNode Describe(GraphNode x) =>
        new ConvTranspose2dNode(x, weight, bias, stride, padding, outputPaddingHeight, outputPaddingWidth, activation);
}

/// <summary>Batch normalisation over the last axis, with running statistics for evaluation.</summary>
public sealed class BatchNorm : Module
{
    // PyTorch's.
    private const float Momentum = 0.1f, Epsilon = 1e-5f;

    private readonly Parameter gamma, beta, runningMean, runningVariance;
    private readonly Activation activation;

    public BatchNorm(int channels, Activation activation = Activation.None) : this(null, channels, activation)
    {
    }

    /// <param name="name">Prefix of the names on disk, NAME.weight and three more; null for where the layer stands.</param>
    /// <param name="layout">Of each vector on disk, where the layer reads a flattened image; as in memory by default.</param>
    public BatchNorm(string? name, int channels, Activation activation = Activation.None, DiskLayout? layout = null) : base(name)
    {
        gamma = new(Named("weight"), new(channels), Initialise.Full(channels, 1), layout);
        beta = new(Named("bias"), new(channels), Initialise.Full(channels, 0), layout);
        runningMean = new(Named("running_mean"), new(channels), Initialise.Full(channels, 0), layout, trainable: false);
        runningVariance = new(Named("running_var"), new(channels), Initialise.Full(channels, 1), layout, trainable: false);
        this.activation = activation;
    }

    public override Tensor Forward(Tensor x) =>
        x.BatchNorm(gamma.Value, beta.Value, runningMean.Value, runningVariance.Value, Momentum, Epsilon, activation);

    public override GraphNode Describe(GraphNode x) => new BatchNormNode(x, gamma, beta, runningMean, runningVariance, Epsilon, activation);
}

/// <summary>Drops elements in training.</summary>
public sealed class Dropout(float probability, Rng rng) : Module
{
    public override Tensor Forward(Tensor x) => x.Dropout(probability, rng);

    /// <summary>Nothing is dropped in evaluation.</summary>
    public override GraphNode Describe(GraphNode x) => x;
}

/// <summary>The largest entry of each window.</summary>
public sealed class MaxPool2d(int kernel, int stride) : Module
{
    public override Tensor Forward(Tensor x) => x.MaxPool2d(kernel, stride);

    public override GraphNode Describe(GraphNode x) => new MaxPoolNode(x, kernel, stride);
}

/// <summary>Rows under another shape: an image flattened, or features as an image.</summary>
/// <param name="row">Sizes of one row.</param>
public sealed class ReshapeLayer(params int[] row) : Module
{
    public override Tensor Forward(Tensor x) => x.Reshape([-1, .. row]);

    public override GraphNode Describe(GraphNode x) => x.Reshape(new Shape(row));
}

/// <summary>x, or <paramref name="slope"/> times x below 0.</summary>
public sealed class LeakyReluLayer(float slope) : Module
{
    public override Tensor Forward(Tensor x) => x.LeakyRelu(slope);

    public override GraphNode Describe(GraphNode x) => x.Apply(GraphFunction.LeakyRelu, slope);
}

/// <summary>1 / (1 + exp(-x)).</summary>
public sealed class SigmoidLayer : Module
{
    public override Tensor Forward(Tensor x) => x.Sigmoid();

    public override GraphNode Describe(GraphNode x) => x.Apply(GraphFunction.Sigmoid);
}

/// <summary>A function without parameters as a layer; it cannot be exported.</summary>
public sealed class Function(Func<Tensor, Tensor> function) : Module
{
    public override Tensor Forward(Tensor x) => function(x);
}

/// <summary>Modules one after another.</summary>
public sealed class Sequential(params Module[] parts) : Module
{
    internal override IEnumerable<(string Name, object Part)> Parts =>
        parts.Select((part, i) => (i.ToString(CultureInfo.InvariantCulture), (object)part));

    public override Tensor Forward(Tensor x)
    {
        foreach (var part in parts)
        {
            x = part.Forward(x);
            if (part is not Sequential)
                ForwardHook.Current?.Invoke(part, x);
        }
        return x;
    }

    public override GraphNode Describe(GraphNode x) => parts.Aggregate(x, (node, part) => part.Describe(node));
}

/// <summary>
/// Until it is disposed of, sees what each layer of every <see cref="Sequential"/> puts out on this thread: for pictures of what happens
/// inside a network. Layers that stand alone, such as heads, are not seen.
/// </summary>
internal sealed class ForwardHook : IDisposable
{
    [ThreadStatic]
    private static Action<Module, Tensor>? current;

    private readonly Action<Module, Tensor>? outer = current;

    /// <param name="see">Called with a layer and its output, which lives as long as the tape.</param>
    public ForwardHook(Action<Module, Tensor> see) => current = see;

    internal static Action<Module, Tensor>? Current => current;

    /// <summary>Brings back what was there before.</summary>
    public void Dispose() => current = outer;
}
