using VaeFromScratch.Graphs;

namespace VaeFromScratch.Onnx;

/// <summary>
/// Writes a graph as an ONNX model. Images are NCHW there, and weights have the names and the layouts that they have in weight files, which
/// are PyTorch's.
/// </summary>
internal sealed class OnnxExport
{
    private readonly OnnxModel model;
    private readonly Dictionary<GraphNode, string> names = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<GraphNode, string> rowMajor = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<string> taken = [];

    private OnnxExport(OnnxModel model) => this.model = model;

    /// <param name="name">Of the graph.</param>
    /// <param name="outputs">What the graph computes, by name.</param>
    /// <param name="version">Of this program.</param>
    /// <param name="metadata">Texts that travel with the model.</param>
    /// <exception cref="NotSupportedException">A value has no counterpart in ONNX.</exception>
    public static byte[] Write(string name, IReadOnlyList<(string Name, GraphNode Value)> outputs, string version = "",
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        var model = new OnnxModel(name) { ProducerVersion = version, Metadata = metadata ?? new Dictionary<string, string>() };
        var export = new OnnxExport(model);
        foreach (var (output, value) in outputs)
            if (!export.names.TryAdd(value, output))
                throw new NotSupportedException($"output {output}: it is the same value as {export.names[value]}");
            else
                export.taken.Add(output);
        foreach (var node in GraphNode.InOrder(outputs.Select(o => o.Value)))
        {
            if (node is InputNode input)
            {
                export.names.Add(input, input.Name);
                model.Input(input.Name, Sizes(input));
                continue;
            }
            if (!export.names.ContainsKey(node))
                export.names.Add(node, export.Free(Name(node)));
            export.Emit(node);
        }
        foreach (var (output, value) in outputs)
            model.Output(output, Sizes(value));
        return model.ToArray();
    }

    private void Emit(GraphNode node)
    {
        string to = names[node];
        switch (node)
        {
            case LinearNode linear:
                bool fromImage = IsFromImage(linear.Weight.Layout);
                if (fromImage && !IsChannelsFirst(linear.X))
                    throw new NotSupportedException(
                        $"{linear.Weight.Name}: it reads an image, but its input is not one that was flattened");
                Activated(linear.Activation, to, product => model.Node("Gemm",
                    [fromImage ? names[linear.X] : RowMajor(linear.X), Weight(linear.Weight), Weight(linear.Bias)], product,
                        ("transB", 1L)));
                break;
            case Conv2dNode conv:
                Activated(conv.Activation, to, product => model.Node("Conv", [names[conv.X], Weight(conv.Weight), Weight(conv.Bias)],
                    product,
                    ("kernel_shape", Kernel(conv.Weight)), ("strides", Both(conv.Stride)), ("pads", Sides(conv.Padding))));
                break;
            case ConvTranspose2dNode conv:
                Activated(conv.Activation, to, product => model.Node("ConvTranspose",
                    [names[conv.X], Weight(conv.Weight), Weight(conv.Bias)], product,
                    ("kernel_shape", Kernel(conv.Weight)), ("strides", Both(conv.Stride)), ("pads", Sides(conv.Padding)),
                    ("output_padding", new long[] { conv.OutputPaddingHeight, conv.OutputPaddingWidth })));
                break;
            case BatchNormNode norm:
                string x = norm.X.IsImage || norm.Gamma.Layout.Memory.Length == 3 ? names[norm.X] : RowMajor(norm.X);
                Activated(norm.Activation, to, product => model.Node("BatchNormalization",
                    [x, Weight(norm.Gamma), Weight(norm.Beta), Weight(norm.Mean), Weight(norm.Variance)], product,
                        ("epsilon", norm.Epsilon)));
                break;
            case ReshapeNode reshape:
                Reshape(reshape, to);
                break;
            case FunctionNode function:
                Function(function, to);
                break;
            case AddNode add:
                model.Node("Add", [RowMajor(add.X), model.Floats($"{to}.values", [add.Values.Length], add.Values)], to);
                break;
            case ChannelsNode channels:
                model.Node("Slice", [names[channels.X], model.Integers($"{to}.first", channels.First),
                    model.Integers($"{to}.end", channels.First + channels.Count),
                    model.Integers("axis_1", 1)], to);
                break;
            case MixNode mix:
                model.Node("Reshape", [RowMajor(mix.X), model.Integers($"{to}.parts", -1, mix.Weights.Shape.Length, mix.Shape.Length)],
                    $"{to}.vectors");
                model.Node("Unsqueeze", [names[mix.Weights], model.Integers("axis_2", 2)], $"{to}.weights");
                model.Node("Mul", [$"{to}.vectors", $"{to}.weights"], $"{to}.weighted");
                model.Node("ReduceSum", [$"{to}.weighted", model.Integers("axis_1", 1)], to, ("keepdims", 0L));
                break;
            case MaxPoolNode pool:
                model.Node("MaxPool", [names[pool.X]], to, ("kernel_shape", Both(pool.Kernel)), ("strides", Both(pool.Stride)));
                break;
            case LstmLastNode lstm:
                Lstm(lstm, to);
                break;
            default:
                throw new NotSupportedException($"{node.GetType().Name} has no counterpart in ONNX here");
        }
    }

    private void Activated(Activation activation, string to, Action<string> product)
    {
        if (activation == Activation.None)
        {
            product(to);
            return;
        }
        string before = Free($"{to}.product");
        product(before);
        model.Node("Relu", [before], to);
    }

    private void Reshape(ReshapeNode reshape, string to)
    {
        var (from, row) = (reshape.X, reshape.Row.Sizes.ToArray());
        if (from.IsImage || !reshape.IsImage)
            model.Node("Reshape", [names[from], model.Integers($"{to}.shape",
                [-1, .. reshape.IsImage ? throw new NotSupportedException("an image under another shape of image")
                : row.Select(s => (long)s)])], to);
        else if (IsChannelsFirst(from) || row[0] * row[1] == 1 || row[2] == 1)
            model.Node("Reshape", [names[from], model.Integers($"{to}.shape", -1, row[2], row[0], row[1])], to);
        else
        {
            model.Node("Reshape", [names[from], model.Integers($"{to}.shape", -1, row[0], row[1], row[2])], $"{to}.nhwc");
            model.Node("Transpose", [$"{to}.nhwc"], to, ("perm", new long[] { 0, 3, 1, 2 }));
        }
    }

    private void Function(FunctionNode function, string to)
    {
        string x = names[function.X];
        string Number() => model.Floats($"{to}.parameter", [], [function.Parameter]);
        switch (function.Function)
        {
            case GraphFunction.LeakyRelu:
                model.Node("LeakyRelu", [x], to, ("alpha", function.Parameter));
                break;
            case GraphFunction.AtLeast:
                model.Node("Clip", [x, Number()], to);
                break;
            case GraphFunction.AtMost:
                model.Node("Clip", [x, "", Number()], to);
                break;
            case GraphFunction.Scale:
                model.Node("Mul", [x, Number()], to);
                break;
            default:
                model.Node(function.Function.ToString(), [x], to);
                break;
        }
    }

    /// <summary>PyTorch keeps the gates in the order i, f, g, o; ONNX in the order i, o, f, g.</summary>
    private void Lstm(LstmLastNode lstm, string to)
    {
        int inputs = lstm.InputWeight.Shape[0], hidden = lstm.HiddenWeight.Shape[0];
        float[] Gates(Parameter parameter) => [.. ((int[])[0, 3, 1, 2]).SelectMany(gate =>
            parameter.ToDisk().Chunk(parameter.Shape.Length / 4).ElementAt(gate))];
        model.Node("Transpose", [names[lstm.X]], $"{to}.steps", ("perm", new long[] { 1, 0, 2 }));
        model.Node("LSTM", [$"{to}.steps", model.Floats($"{to}.W", [1, 4 * hidden, inputs], Gates(lstm.InputWeight)),
            model.Floats($"{to}.R", [1, 4 * hidden, hidden], Gates(lstm.HiddenWeight)),
            model.Floats($"{to}.B", [1, 8 * hidden], [.. Gates(lstm.InputBias), .. Gates(lstm.HiddenBias)])], $"{to}.last",
                ("hidden_size", (long)hidden));
        model.Node("Reshape", [$"{to}.last", model.Integers($"{to}.shape", -1, hidden)], to);
    }

    private string Weight(Parameter parameter) => model.Floats(parameter.Name, parameter.Layout.Disk, parameter.ToDisk());

    /// <summary>
    /// The name of a value in the order in which memory holds it: a flattened image is H, W, C there and C, H, W in ONNX.
    /// </summary>
    private string RowMajor(GraphNode node)
    {
        if (node is not ReshapeNode { X: { IsImage: true } image } || image.Shape[2] == 1 || image.Shape[0] * image.Shape[1] == 1)
            return !IsChannelsFirst(node) || node is ReshapeNode ? names[node]
                : throw new NotSupportedException($"{names[node]}: a flattened image is read by a layer that was not made for one");
        if (!rowMajor.TryGetValue(node, out string? name))
        {
            rowMajor.Add(node, name = Free($"{names[node]}.row_major"));
            model.Node("Transpose", [names[image]], $"{name}.nhwc", ("perm", new long[] { 0, 2, 3, 1 }));
            model.Node("Reshape", [$"{name}.nhwc", model.Integers($"{name}.shape", -1, node.Shape.Length)], name);
        }
        return name;
    }

    /// <summary>Whether a flat value is a flattened image, C, H, W.</summary>
    private static bool IsChannelsFirst(GraphNode node) => node switch
    {
        ReshapeNode reshape => reshape.X.IsImage || (!reshape.IsImage && IsChannelsFirst(reshape.X)),
        LinearNode linear => linear.Bias.Layout.Memory.Length == 3,
        FunctionNode or BatchNormNode or AddNode => IsChannelsFirst(node.Inputs[0]),
        _ => false,
    };

    /// <summary>Whether a layout is that of <see cref="DiskLayout.LinearFromImage"/>.</summary>
    private static bool IsFromImage(DiskLayout layout) => layout.Order is [3, 2, 0, 1];

    private static long[] Kernel(Parameter weight) => [weight.Shape[0], weight.Shape[1]];

    private static long[] Both(int size) => [size, size];

    private static long[] Sides(int padding) => [padding, padding, padding, padding];

    private static int[] Sizes(GraphNode node) => node.IsImage ? [node.Shape[2], node.Shape[0], node.Shape[1]] : node.Shape.Sizes.ToArray();

    /// <summary>The layer's name where it has weights.</summary>
    private static string Name(GraphNode node) => node switch
    {
        LinearNode { Bias: var bias } => Layer(bias),
        Conv2dNode { Bias: var bias } => Layer(bias),
        ConvTranspose2dNode { Bias: var bias } => Layer(bias),
        BatchNormNode { Beta: var bias } => Layer(bias),
        FunctionNode { Function: var function } => function.ToString().ToLowerInvariant(),
        _ => node.GetType().Name.Replace("Node", "").ToLowerInvariant(),
    };

    private static string Layer(Parameter bias) =>
        bias.Name.EndsWith(".bias", StringComparison.Ordinal) ? bias.Name[..^".bias".Length] : bias.Name;

    private string Free(string name)
    {
        string free = name;
        for (int i = 2; !taken.Add(free); i++)
            free = $"{name}_{i}";
        return free;
    }
}
