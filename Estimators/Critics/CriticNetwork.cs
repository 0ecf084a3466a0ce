namespace VaeFromScratch.Estimators.Critics;

/// <summary>The network of a critic: 0 everywhere before the first step.</summary>
internal abstract class CriticNetwork
{
    /// <summary>The parameters of all layers, for an arena.</summary>
    public abstract IEnumerable<Parameter> Parameters { get; }

    /// <summary>What the network adds to f(x_i, y_j), [B, B].</summary>
    /// <param name="batch">x [B, ..] and y [B, ..].</param>
    /// <param name="size">B.</param>
    public abstract Tensor Scores(Tape tape, (float[] X, float[] Y) batch, int size);

    public static CriticNetwork Create(CriticOptions options, int xColumns, int yColumns, Initialise init) =>
        options.IsJoint(xColumns + yColumns) ? new JointNetwork(options, xColumns, yColumns, init) : new SeparableNetwork(options,
            xColumns, yColumns, init);

    /// <param name="scale">Of the last layer's initial weights.</param>
    internal static Linear[] Perceptron(string name, int inputs, int hidden, int outputs, Initialise init, double scale = 1) =>
    [
        new($"{name}.fc1", inputs, hidden, init, Activation.Relu),
        new($"{name}.fc2", hidden, hidden, init, Activation.Relu),
        new($"{name}.fc3", hidden, outputs, init, scale: scale),
    ];

    internal static Tensor Apply(Linear[] layers, Tensor x) => layers.Aggregate(x, (input, layer) => layer.Forward(input));
}

/// <summary>g(x) . h(y).</summary>
internal sealed class SeparableNetwork(CriticOptions options, int xColumns, int yColumns, Initialise init) : CriticNetwork
{
    private readonly Linear[] g = Perceptron("critic.x", xColumns, options.Hidden, options.Embedding, init, scale: 0);
    private readonly Linear[] h = Perceptron("critic.y", yColumns, options.Hidden, options.Embedding, init);

    public override IEnumerable<Parameter> Parameters => g.Concat(h).SelectMany(layer => layer.Parameters);

    public override Tensor Scores(Tape tape, (float[] X, float[] Y) batch, int size) =>
        Apply(g, tape.Constant(new(size, xColumns), batch.X)).MatMul(Apply(h, tape.Constant(new(size, yColumns), batch.Y)),
            transposeB: true);
}

/// <summary>A network of x_i and y_j side by side, for every i and j.</summary>
internal sealed class JointNetwork(CriticOptions options, int xColumns, int yColumns, Initialise init) : CriticNetwork
{
    private readonly Linear[] layers = Perceptron("critic.xy", xColumns + yColumns, options.Hidden, 1, init, scale: 0);

    public override IEnumerable<Parameter> Parameters => layers.SelectMany(layer => layer.Parameters);

    public override Tensor Scores(Tape tape, (float[] X, float[] Y) batch, int size)
    {
        int columns = xColumns + yColumns;
        var pairs = new float[size * size * columns];
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++)
            {
                var pair = pairs.AsSpan((i * size + j) * columns, columns);
                batch.X.AsSpan(i * xColumns, xColumns).CopyTo(pair);
                batch.Y.AsSpan(j * yColumns, yColumns).CopyTo(pair[xColumns..]);
            }
        return Apply(layers, tape.Constant(new(size * size, columns), pairs)).Reshape(size, size);
    }
}
