using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Nn;
using VaeFromScratch.Engine.Optim;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// Information of paired samples by a critic f(x, y) = g(x) . h(y), two small networks fitted on half of the samples; the value is taken on the other half.
/// </summary>
/// <remarks>A batch of B pairs gives the B x B matrix of scores f(x_i, y_j): its diagonal comes from p(x, y), the rest from p(x) p(y).</remarks>
public abstract class CriticEstimator(CriticOptions? options)
{
    // exp of it is 0 in float32, and it loses no digits of a score added to it that matter.
    private const float Minus = -1e4f;

    protected CriticOptions Options { get; } = options ?? new();

    protected abstract string Name { get; }

    /// <summary>log (B (B - 1)): off-diagonal entries of a matrix of scores.</summary>
    protected float LogOthers => MathF.Log((float)Options.Batch * (Options.Batch - 1));

    /// <summary>Fits the critic and takes the value on held-out samples.</summary>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="seed">Decides the split, the batches and the initial weights.</param>
    /// <exception cref="EstimatorException">Too few samples, a value that is not finite, or a critic that diverged.</exception>
    public Estimate Fit(Compute compute, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, ulong seed)
    {
        var samples = new PairedSamples(Name, x, xColumns, y, yColumns, Options.Batch, seed);
        var init = new Initialise(seed);
        var (g, h) = (Embedding("critic.x", xColumns, init), Embedding("critic.y", yColumns, init));
        using var arena = new ParameterArena(compute, g.Concat(h).SelectMany(layer => layer.Parameters));
        using var adam = new Adam(compute, arena);
        var off = OffDiagonal();
        for (int step = 1; step <= Options.Steps; step++)
        {
            using var tape = new Tape(compute);
            var (diagonal, scores) = Scores(tape, g, h, samples, samples.NextBatch());
            tape.Backward(Loss(diagonal, scores, scores + tape.Constant(scores.Shape, off)));
            adam.BeginStep(step, Options.LearningRate);
            adam.Update();
        }
        var matrices = new List<float[]>();
        for (int b = 0; b < samples.TestBatches; b++)
        {
            using var tape = new Tape(compute, gradients: false);
            matrices.Add(Scores(tape, g, h, samples, samples.TestBatch(b)).Matrix.ToArray());
        }
        var value = Value(new(matrices, Options.Batch));
        if (!(value.Value <= value.Ceiling + 1e-4))
            throw new EstimatorException($"{Name}: {value.Value} nats is outside what the estimator can give (at most {value.Ceiling:G6}); the critic diverged, lower the learning rate or give more samples");
        return value;
    }

    /// <summary>What is minimised: the negative bound, or another objective with the same optimal critic.</summary>
    /// <param name="diagonal">f(x_i, y_i), [B].</param>
    /// <param name="scores">f(x_i, y_j), [B, B].</param>
    /// <param name="others">The same with a diagonal whose exponential is 0.</param>
    protected abstract Tensor Loss(Tensor diagonal, Tensor scores, Tensor others);

    protected abstract Estimate Value(ScoreMatrices scores);

    /// <summary>log of the sum of exp over a whole matrix.</summary>
    protected static Tensor LogSumExpOfAll(Tensor matrix) => matrix.Reshape(1, -1).LogSumExp();

    internal static Linear[] Perceptron(string name, int inputs, int hidden, int outputs, Initialise init) =>
    [
        new($"{name}.fc1", inputs, hidden, init, Activation.Relu),
        new($"{name}.fc2", hidden, hidden, init, Activation.Relu),
        new($"{name}.fc3", hidden, outputs, init),
    ];

    internal static Tensor Apply(Linear[] layers, Tensor x) => layers.Aggregate(x, (input, layer) => layer.Forward(input));

    private Linear[] Embedding(string name, int columns, Initialise init) => Perceptron(name, columns, Options.Hidden, Options.Embedding, init);

    private static (Tensor Diagonal, Tensor Matrix) Scores(Tape tape, Linear[] g, Linear[] h, PairedSamples samples, (float[] X, float[] Y) batch)
    {
        var gx = Apply(g, tape.Constant(new(samples.Batch, samples.XColumns), batch.X));
        var hy = Apply(h, tape.Constant(new(samples.Batch, samples.YColumns), batch.Y));
        return ((gx * hy).SumPerRow(), gx.MatMul(hy, transposeB: true));
    }

    private float[] OffDiagonal()
    {
        var mask = new float[Options.Batch * Options.Batch];
        for (int i = 0; i < Options.Batch; i++)
            mask[i * Options.Batch + i] = Minus;
        return mask;
    }
}

/// <summary>Held-out scores f(x_i, y_j), matrix by matrix, in double precision.</summary>
public sealed class ScoreMatrices(IReadOnlyList<float[]> matrices, int batch)
{
    /// <summary>B.</summary>
    public int Batch => batch;

    /// <summary>Rows of all matrices.</summary>
    public int Rows => matrices.Count * batch;

    /// <summary>f(x_i, y_i).</summary>
    public double Own(int row) => matrices[row / batch][row % batch * (batch + 1)];

    /// <summary>log sum_j exp f(x_i, y_j) over the whole row.</summary>
    public double LogSumExp(int row)
    {
        double top = double.NegativeInfinity, sum = 0;
        for (int j = 0; j < batch; j++)
            top = Math.Max(top, Score(row, j));
        for (int j = 0; j < batch; j++)
            sum += Math.Exp(Score(row, j) - top);
        return top + Math.Log(sum);
    }

    /// <summary>The mean of exp f(x_i, y_j) over the row's other entries.</summary>
    /// <param name="clip">Scores are clipped to [-clip, clip] first.</param>
    public double MeanExpOfOthers(int row, double clip = double.PositiveInfinity)
    {
        double sum = 0;
        for (int j = 0; j < batch; j++)
            if (j != row % batch)
                sum += Math.Exp(Math.Clamp(Score(row, j), -clip, clip));
        return sum / (batch - 1);
    }

    /// <summary>The mean over rows of a number per row, with its spread.</summary>
    public Estimate Mean(Func<int, double> ofRow, BoundKind bound, double ceiling = double.PositiveInfinity)
    {
        var mean = new RunningMean();
        for (int row = 0; row < Rows; row++)
            mean.Add(ofRow(row));
        return mean.ToEstimate(bound, ceiling);
    }

    private double Score(int row, int column) => matrices[row / batch][row % batch * batch + column];
}
