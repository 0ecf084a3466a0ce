using VaeFromScratch.Graphs;

namespace VaeFromScratch;

/// <summary>
/// Long short-term memory of one layer over sequences [B, T, in], with PyTorch's parameters: i, f, g, o = W_ih x + b_ih + W_hh h + b_hh,
/// the four gates in
/// that order; c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c); h and c start at 0.
/// </summary>
public sealed class Lstm : Module
{
    private const int Gates = 4;

    private readonly Parameter inputWeight, hiddenWeight, inputBias, hiddenBias;
    private readonly int inputs;

    public Lstm(int inputs, int hidden, Initialise init) : this(null, inputs, hidden, init)
    {
    }

    /// <param name="name">
    /// Prefix of the names on disk, NAME.weight_ih_l0 [4 hidden, in], NAME.weight_hh_l0 [4 hidden, hidden], NAME.bias_ih_l0 and
    /// NAME.bias_hh_l0; null for where the layer stands.
    /// </param>
    public Lstm(string? name, int inputs, int hidden, Initialise init) : base(name)
    {
        (this.inputs, Hidden) = (inputs, hidden);
        int width = Gates * hidden;
        // PyTorch draws all four from the same range, that of the hidden size.
        inputWeight = new(Named("weight_ih_l0"), new(inputs, width), init.Uniform(inputs * width, hidden),
            DiskLayout.Linear(inputs, width));
        hiddenWeight = new(Named("weight_hh_l0"), new(hidden, width), init.Uniform(hidden * width, hidden),
            DiskLayout.Linear(hidden, width));
        inputBias = new(Named("bias_ih_l0"), new(width), init.Uniform(width, hidden));
        hiddenBias = new(Named("bias_hh_l0"), new(width), init.Uniform(width, hidden));
    }

    public int Hidden { get; }

    /// <summary>The hidden state after every step.</summary>
    /// <param name="x">[B, T, in].</param>
    /// <returns>[B, T, hidden].</returns>
    public override Tensor Forward(Tensor x) => Run(x).Permute(1, 0, 2);

    /// <summary>The hidden state after the last step, which sums the sequence up.</summary>
    /// <param name="x">[B, T, in].</param>
    /// <returns>[B, hidden].</returns>
    public Tensor Last(Tensor x)
    {
        var states = Run(x);
        return states.Slice(0, states.Shape[0] - 1, 1).Reshape(states.Shape[1], Hidden);
    }

    /// <summary>What <see cref="Last"/> computes, as a graph.</summary>
    /// <param name="x">One row, [T, in].</param>
    public GraphNode DescribeLast(GraphNode x) => new LstmLastNode(x, inputWeight, hiddenWeight, inputBias, hiddenBias);

    /// <returns>[T, B, hidden].</returns>
    private Tensor Run(Tensor x) => x.Shape.Rank == 3 && x.Shape[2] == inputs && x.Shape[1] > 0
        ? x.Permute(1, 0, 2).Lstm(inputWeight.Value, hiddenWeight.Value, inputBias.Value + hiddenBias.Value)
        : throw new ShapeException("lstm", $"input {x.Shape}",
            $"[batch, steps, {inputs}] with at least one step; reshape it so that the last axis has the layer's {inputs} inputs");
}
