using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu.Inference;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Graphs;

/// <summary>
/// A graph as it runs on the CPU without a tape: weights copied and packed when it is made, batch normalisation folded into the product
/// before it, buffers kept. Any number of threads may
/// call it at the same time.
/// </summary>
internal sealed class CompiledGraph : IDisposable
{
    private readonly InferenceProgram program;
    private readonly Dictionary<GraphNode, int> values = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<GraphNode, int> readers = new(ReferenceEqualityComparer.Instance);

    /// <param name="outputs">At most three.</param>
    /// <param name="threads">That share the rows of a call, the caller's included.</param>
    /// <exception cref="NotSupportedException">A value cannot be computed here.</exception>
    public CompiledGraph(InputNode input, IReadOnlyList<GraphNode> outputs, int threads = 1)
    {
        program = new(input.Shape.Length, threads);
        var order = GraphNode.InOrder(outputs);
        foreach (var node in order.SelectMany(n => n.Inputs).Concat(outputs))
            readers[node] = readers.GetValueOrDefault(node) + 1;
        values.Add(input, 0);
        foreach (var node in order.Where(n => n != input && !order.Any(o => Folds(o) && ReferenceEquals(o.Inputs[0], n))))
            values.Add(node, Emit(node));
        program.SetOutputs([.. outputs.Select(o => values[o])]);
    }

    /// <summary>Computes the outputs of rows that lie one behind the other, in the order in which they were named.</summary>
    /// <exception cref="ArgumentException">A length does not fit the number of rows.</exception>
    public void Run(ReadOnlySpan<float> input, Span<float> first, Span<float> second = default, Span<float> third = default) =>
        program.Run(input, first, second, third);

    public void Dispose() => program.Dispose();

    /// <summary>Whether a node is a normalisation that becomes part of the product before it.</summary>
    private bool Folds(GraphNode node) =>
        node is BatchNormNode
        {
            X: LinearNode { Activation: Activation.None } or Conv2dNode { Activation: Activation.None }
            or ConvTranspose2dNode { Activation: Activation.None }
        } norm
        && readers[norm.X] == 1;

    private int Emit(GraphNode node) => node switch
    {
        BatchNormNode norm when Folds(norm) => Product(norm.X, norm),
        BatchNormNode norm => norm.Affine() is var (scale, shift)
            ? program.Affine(values[norm.X], norm.IsImage, scale, shift, norm.Activation) : 0,
        LinearNode or Conv2dNode or ConvTranspose2dNode => Product(node, null),
        ReshapeNode reshape => values[reshape.X],
        FunctionNode function => Function(function),
        AddNode add => program.Affine(values[add.X], add.IsImage, [.. add.Values.Select(_ => 1f)], add.Values, Activation.None),
        ChannelsNode channels => program.Channels(values[channels.X], channels.Shape.Length / channels.Count, channels.First,
            channels.Count),
        MixNode mix => program.Mix(values[mix.X], values[mix.Weights]),
        MaxPoolNode { X.Shape: var s } pool => program.MaxPool(values[pool.X], new(1, s[0], s[1], s[2], pool.Kernel, pool.Stride)),
        _ => throw new NotSupportedException($"{node.GetType().Name} cannot be computed without a tape"),
    };

    private int Function(FunctionNode node)
    {
        var (x, images, parameter) = (values[node.X], node.IsImage, node.Parameter);
        return node.Function switch
        {
            GraphFunction.LeakyRelu => program.Function<Kernels.Functions.LeakyRelu>(x, images, parameter),
            GraphFunction.Sigmoid => program.Function<Kernels.Functions.Sigmoid>(x, images, parameter),
            GraphFunction.AtLeast => program.Function<ClampMin>(x, images, parameter),
            GraphFunction.AtMost => program.Function<ClampMax>(x, images, parameter),
            GraphFunction.Scale => program.Function<Scale>(x, images, parameter),
            _ => program.Softmax(x),
        };
    }

    private int Product(GraphNode product, BatchNormNode? norm)
    {
        var (weight, bias, own) = product switch
        {
            LinearNode n => (n.Weight, n.Bias, n.Activation),
            Conv2dNode n => (n.Weight, n.Bias, n.Activation),
            ConvTranspose2dNode n => (n.Weight, n.Bias, n.Activation),
            _ => throw new ArgumentException($"{product.GetType().Name} is no product"),
        };
        float[] w = weight.ToArray(), b = bias.ToArray();
        int x = values[product.Inputs[0]], inner = product is ConvTranspose2dNode ? weight.Shape[3] : 1;
        if (norm?.Affine() is var (scale, shift))
        {
            for (int i = 0; i < w.Length; i++)
                w[i] *= scale[i / inner % scale.Length];
            for (int o = 0; o < b.Length; o++)
                b[o] = b[o] * scale[o] + shift[o];
        }
        var activation = norm?.Activation ?? own;
        var from = product.Inputs[0].Shape;
        switch (product)
        {
            case LinearNode:
                return program.Linear(x, 1, weight.Shape[0], weight.Shape[1], w, b, activation);
            case Conv2dNode { Stride: 1, Padding: 0 } when weight.Shape[0] * weight.Shape[1] == 1:
                return program.Linear(x, from[0] * from[1], weight.Shape[2], weight.Shape[3], w, b, activation);
            case Conv2dNode conv:
                return program.Convolution(x, new(1, from[0], from[1], from[2], weight.Shape[3], weight.Shape[0], weight.Shape[1],
                    conv.Stride, conv.Padding), w, b, activation);
            case ConvTranspose2dNode { Stride: 1, Padding: 0 } when weight.Shape[0] * weight.Shape[1] == 1:
                return program.Linear(x, from[0] * from[1], weight.Shape[3], weight.Shape[2],
                    new DiskLayout([weight.Shape[2], weight.Shape[3]], [1, 0], []).ToDisk(w), b, activation);
            default:
                var transposed = (ConvTranspose2dNode)product;
                var to = transposed.Shape;
                return program.TransposedConvolution(x, new(1, to[0], to[1], weight.Shape[2], weight.Shape[3], weight.Shape[0],
                    weight.Shape[1], transposed.Stride, transposed.Padding), w, b, activation);
        }
    }
}
