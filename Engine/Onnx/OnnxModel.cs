using System.Runtime.InteropServices;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Onnx;

/// <summary>Numbers of the fields that we write, from the ONNX schema (onnx/onnx.proto3), by message.</summary>
internal static class OnnxFields
{
    public const int ModelIrVersion = 1, ModelProducerName = 2, ModelProducerVersion = 3, ModelGraph = 7, ModelOpsetImport = 8,
        ModelMetadata = 14;
    public const int OpsetVersion = 2, EntryKey = 1, EntryValue = 2;
    public const int GraphNode = 1, GraphName = 2, GraphInitializer = 5, GraphInput = 11, GraphOutput = 12;
    public const int NodeInput = 1, NodeOutput = 2, NodeName = 3, NodeOpType = 4, NodeAttribute = 5;
    public const int AttributeName = 1, AttributeFloat = 2, AttributeInt = 3, AttributeInts = 8, AttributeType = 20;
    public const int TensorDims = 1, TensorDataType = 2, TensorName = 8, TensorRawData = 9;
    public const int ValueName = 1, ValueType = 2, TypeTensor = 1, TensorTypeElement = 1, TensorTypeShape = 2, ShapeDim = 1, DimValue = 1,
        DimParam = 2;

    // Values of enumerations: AttributeProto.AttributeType and TensorProto.DataType.
    public const int FloatAttribute = 1, IntAttribute = 2, IntsAttribute = 7, FloatTensor = 1, Int64Tensor = 7;
}

/// <summary>
/// An ONNX model as it is put together: nodes in the order in which they run, weights, inputs, outputs, and texts by key.
/// </summary>
internal sealed class OnnxModel(string name)
{
    /// <summary>Of the operators that are used.</summary>
    public const int Opset = 17;

    /// <summary>The first version of the file format that may hold them.</summary>
    private const int IrVersion = 8;

    private readonly List<ProtoWriter> nodes = [], initializers = [], inputs = [], outputs = [];
    private readonly HashSet<string> known = [];

    /// <summary>Texts that travel with the model, by key.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>The version of the program that writes the model.</summary>
    public string ProducerVersion { get; init; } = "";

    /// <param name="row">Sizes behind the batch, which is left open.</param>
    public void Input(string name, params int[] row) => inputs.Add(Value(name, row));

    /// <inheritdoc cref="Input"/>
    public void Output(string name, params int[] row) => outputs.Add(Value(name, row));

    /// <summary>A node with one output.</summary>
    /// <param name="attributes">By name: a float, a long, or an array of longs.</param>
    public void Node(string type, string[] from, string to, params (string Name, object Value)[] attributes) => nodes.Add(new ProtoWriter()
        .Each(from, (w, input) => w.Text(OnnxFields.NodeInput, input))
        .Each(NodeOutputs(type, to), (w, output) => w.Text(OnnxFields.NodeOutput, output))
        .Text(OnnxFields.NodeName, to).Text(OnnxFields.NodeOpType, type)
        .Each(attributes, (w, a) => w.Message(OnnxFields.NodeAttribute, Attribute(a.Name, a.Value))));

    /// <summary>A tensor of floats, added once whoever asks.</summary>
    /// <returns>Its name.</returns>
    public string Floats(string name, int[] sizes, ReadOnlySpan<float> values) =>
        Tensor(name, sizes, OnnxFields.FloatTensor, MemoryMarshal.AsBytes(values));

    /// <summary>A tensor of integers, such as a shape.</summary>
    /// <returns>Its name.</returns>
    public string Integers(string name, params long[] values) =>
        Tensor(name, [values.Length], OnnxFields.Int64Tensor, MemoryMarshal.AsBytes<long>(values));

    public byte[] ToArray()
    {
        var graph = new ProtoWriter();
        foreach (var node in nodes)
            graph.Message(OnnxFields.GraphNode, node);
        graph.Text(OnnxFields.GraphName, name);
        foreach (var (field, messages) in new[] { (OnnxFields.GraphInitializer, initializers), (OnnxFields.GraphInput, inputs),
            (OnnxFields.GraphOutput, outputs) })
            foreach (var message in messages)
                graph.Message(field, message);
        return new ProtoWriter().Integer(OnnxFields.ModelIrVersion, IrVersion).Text(OnnxFields.ModelProducerName, "vae")
            .Text(OnnxFields.ModelProducerVersion, ProducerVersion).Message(OnnxFields.ModelGraph, graph)
            .Message(OnnxFields.ModelOpsetImport, new ProtoWriter().Integer(OnnxFields.OpsetVersion, Opset))
            .Each(Metadata, (w, entry) => w.Message(OnnxFields.ModelMetadata,
                new ProtoWriter().Text(OnnxFields.EntryKey, entry.Key).Text(OnnxFields.EntryValue, entry.Value)))
            .ToArray();
    }

    /// <summary>Of an LSTM the second output is the last state; the first, all states, is not asked for.</summary>
    private static string[] NodeOutputs(string type, string to) => type == "LSTM" ? ["", to] : [to];

    private static ProtoWriter Attribute(string name, object value)
    {
        var attribute = new ProtoWriter().Text(OnnxFields.AttributeName, name);
        return value switch
        {
            float number => attribute.Single(OnnxFields.AttributeFloat, number).Integer(OnnxFields.AttributeType,
                OnnxFields.FloatAttribute),
            long number => attribute.Integer(OnnxFields.AttributeInt, number).Integer(OnnxFields.AttributeType, OnnxFields.IntAttribute),
            long[] numbers => attribute.Each(numbers, (w, n) =>
                w.Integer(OnnxFields.AttributeInts, n)).Integer(OnnxFields.AttributeType, OnnxFields.IntsAttribute),
            _ => throw new ArgumentException($"attribute {name}: {value.GetType().Name} is none of float, long, long[]"),
        };
    }

    private string Tensor(string name, int[] sizes, int type, ReadOnlySpan<byte> data)
    {
        if (known.Add(name))
            initializers.Add(new ProtoWriter().Each(sizes, (w, size) =>
                w.Integer(OnnxFields.TensorDims, size)).Integer(OnnxFields.TensorDataType, type)
                .Text(OnnxFields.TensorName, name).Bytes(OnnxFields.TensorRawData, data));
        return name;
    }

    private static ProtoWriter Value(string name, int[] row)
    {
        var shape = new ProtoWriter().Message(OnnxFields.ShapeDim, new ProtoWriter().Text(OnnxFields.DimParam, "batch"))
            .Each(row, (w, size) => w.Message(OnnxFields.ShapeDim, new ProtoWriter().Integer(OnnxFields.DimValue, size)));
        var tensor = new ProtoWriter().Integer(OnnxFields.TensorTypeElement, OnnxFields.FloatTensor).Message(OnnxFields.TensorTypeShape,
            shape);
        return new ProtoWriter().Text(OnnxFields.ValueName, name).Message(OnnxFields.ValueType,
            new ProtoWriter().Message(OnnxFields.TypeTensor, tensor));
    }
}
