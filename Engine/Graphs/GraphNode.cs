namespace VaeFromScratch.Graphs;

/// <summary>
/// What a network computes from one row of its input, without computing it: a value and the operation that makes it from others. Export and
/// inference read it;
/// <see cref="Module.Describe"/> makes it.
/// </summary>
/// <remarks>A value that several operations read is one object: nodes are told apart by reference, whatever the equality of records
/// says.</remarks>
/// <param name="Shape">Of one row: [H, W, C] for an image, [n] for features.</param>
public abstract record GraphNode(Shape Shape)
{
    /// <summary>The values that this one is computed from.</summary>
    public abstract IReadOnlyList<GraphNode> Inputs { get; }

    /// <summary>Whether a row is an image, [H, W, C].</summary>
    public bool IsImage => Shape.Rank == 3;

    /// <summary>Every value that <paramref name="outputs"/> need, each after what it is computed from.</summary>
    public static IReadOnlyList<GraphNode> InOrder(params IEnumerable<GraphNode> outputs)
    {
        var order = new List<GraphNode>();
        var seen = new HashSet<GraphNode>(ReferenceEqualityComparer.Instance);
        foreach (var output in outputs)
            Visit(output);
        return order;

        void Visit(GraphNode node)
        {
            if (!seen.Add(node))
                return;
            foreach (var input in node.Inputs)
                Visit(input);
            order.Add(node);
        }
    }

    /// <summary>The graph of <see cref="Ops.Linear"/>.</summary>
    public GraphNode Linear(Parameter weight, Parameter bias, Activation activation) => new LinearNode(this, weight, bias, activation);

    public GraphNode Reshape(Shape row) => row.Length == Shape.Length ? new ReshapeNode(this, row)
        : throw new ShapeException("reshape", $"{Shape} has {Shape.Length} elements, {row} has {row.Length}", "as many");

    public GraphNode Apply(GraphFunction function, float parameter = 0) => new FunctionNode(this, function, parameter);

    /// <summary>x + values, [n].</summary>
    public GraphNode Add(float[] values) => new AddNode(this, values);

    /// <summary>The channels from <paramref name="first"/> on, <paramref name="count"/> of them.</summary>
    public GraphNode Channels(int first, int count) => new ChannelsNode(this, first, count);

    /// <summary>sum_k weights_k x_k of K vectors side by side, [K H] to [H].</summary>
    /// <param name="weights">[K].</param>
    public GraphNode Mix(GraphNode weights) => new MixNode(this, weights);
}

/// <summary>Functions of single numbers, and the softmax over a row.</summary>
public enum GraphFunction
{
    /// <summary>x, or x times the parameter below 0.</summary>
    LeakyRelu,
    Sigmoid,
    /// <summary>No less than the parameter.</summary>
    AtLeast,
    /// <summary>No more than the parameter.</summary>
    AtMost,
    /// <summary>x times the parameter.</summary>
    Scale,
    Softmax,
}

/// <summary>What a network is given, one row of it.</summary>
internal sealed record InputNode(string Name, Shape Shape) : GraphNode(Shape)
{
    public override IReadOnlyList<GraphNode> Inputs => [];
}

/// <summary>act(x w + b).</summary>
/// <param name="Weight">The weight, [in, out].</param>
internal sealed record LinearNode(GraphNode X, Parameter Weight, Parameter Bias, Activation Activation)
    : GraphNode(new Shape(Weight.Shape[1]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

/// <summary>A convolution of images.</summary>
/// <param name="Weight">[kh, kw, in, out].</param>
internal sealed record Conv2dNode(GraphNode X, Parameter Weight, Parameter Bias, int Stride, int Padding, Activation Activation)
    : GraphNode(new Shape(
    (X.Shape[0] + 2 * Padding - Weight.Shape[0]) / Stride + 1, (X.Shape[1] + 2 * Padding - Weight.Shape[1]) / Stride + 1, Weight.Shape[3]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

/// <summary>A transposed convolution of images.</summary>
/// <param name="Weight">[kh, kw, out, in].</param>
/// <param name="OutputPaddingHeight">Rows added at the lower edge.</param>
/// <param name="OutputPaddingWidth">Columns added at the right edge.</param>
internal sealed record ConvTranspose2dNode(GraphNode X, Parameter Weight, Parameter Bias, int Stride, int Padding, int OutputPaddingHeight,
    int OutputPaddingWidth,
    Activation Activation) : GraphNode(new Shape((X.Shape[0] - 1) * Stride - 2 * Padding + Weight.Shape[0] + OutputPaddingHeight,
        (X.Shape[1] - 1) * Stride - 2 * Padding + Weight.Shape[1] + OutputPaddingWidth, Weight.Shape[2]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

/// <summary>act(gamma (x - mean) / sqrt(variance + epsilon) + beta) of each channel: batch normalisation by running statistics.</summary>
internal sealed record BatchNormNode(GraphNode X, Parameter Gamma, Parameter Beta, Parameter Mean, Parameter Variance, float Epsilon,
    Activation Activation) : GraphNode(X.Shape)
{
    public override IReadOnlyList<GraphNode> Inputs => [X];

    /// <summary>x scale + shift is the same before the activation.</summary>
    public (float[] Scale, float[] Shift) Affine()
    {
        float[] gamma = Gamma.ToArray(), beta = Beta.ToArray(), mean = Mean.ToArray(), variance = Variance.ToArray();
        var scale = new float[gamma.Length];
        var shift = new float[gamma.Length];
        for (int c = 0; c < scale.Length; c++)
        {
            double s = gamma[c] / Math.Sqrt((double)variance[c] + Epsilon);
            (scale[c], shift[c]) = ((float)s, (float)(beta[c] - mean[c] * s));
        }
        return (scale, shift);
    }
}

/// <summary>The same numbers under another shape.</summary>
internal sealed record ReshapeNode(GraphNode X, Shape Row) : GraphNode(Row)
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

internal sealed record FunctionNode(GraphNode X, GraphFunction Function, float Parameter) : GraphNode(X.Shape)
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

internal sealed record AddNode(GraphNode X, float[] Values) : GraphNode(X.Shape)
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

internal sealed record ChannelsNode(GraphNode X, int First, int Count) : GraphNode(new Shape([.. X.Shape.Sizes[..^1], Count]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

internal sealed record MixNode(GraphNode X, GraphNode Weights) : GraphNode(new Shape(X.Shape.Length / Weights.Shape.Length))
{
    public override IReadOnlyList<GraphNode> Inputs => [X, Weights];
}

/// <summary>The largest entry of each window, channel by channel.</summary>
internal sealed record MaxPoolNode(GraphNode X, int Kernel, int Stride)
    : GraphNode(new Shape((X.Shape[0] - Kernel) / Stride + 1, (X.Shape[1] - Kernel) / Stride + 1, X.Shape[2]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}

/// <summary>The hidden state of an LSTM after the last step of a row [T, in].</summary>
internal sealed record LstmLastNode(GraphNode X, Parameter InputWeight, Parameter HiddenWeight, Parameter InputBias, Parameter HiddenBias)
    : GraphNode(new Shape(HiddenWeight.Shape[0]))
{
    public override IReadOnlyList<GraphNode> Inputs => [X];
}
