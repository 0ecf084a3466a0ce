namespace VaeFromScratch.Estimators.Critics;

/// <summary>
/// Information of paired samples by a critic f(x, y), the log ratio of a fitted t copula plus a network that starts at 0 and learns what is
/// missing. Fitted on three fifths of the samples, stopped early on the rest, which also give the value.
/// </summary>
/// <remarks>
/// A batch of B pairs gives the B x B matrix of scores f(x_i, y_j): its diagonal comes from p(x, y), the rest from p(x) p(y). With few
/// samples in many dimensions a network alone sees little of what is linear; the copula gives it that, and whatever f is, a lower bound
/// remains one.
/// </remarks>
public abstract class CriticEstimator(CriticOptions? options)
{
    // exp of it is 0 in float32, and it loses no digits of a score added to it that matter.
    private const float Minus = -1e4f;

    protected CriticOptions Options { get; } = options ?? new();

    protected abstract string Name { get; }

    /// <summary>On which side of the information the expected value lies.</summary>
    protected abstract BoundKind Bound { get; }

    /// <summary>The largest value there can be, nats.</summary>
    protected virtual double Ceiling => double.PositiveInfinity;

    /// <summary>Fits the critic and takes the value on held-out samples.</summary>
    /// <param name="x">[N, <paramref name="xColumns"/>].</param>
    /// <param name="y">[N, <paramref name="yColumns"/>].</param>
    /// <param name="seed">Decides the split, the batches and the initial weights.</param>
    /// <exception cref="EstimatorException">Too few samples, a value that is not finite, or a critic that diverged.</exception>
    public Estimate Fit(Compute compute, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, ulong seed) =>
        FitBeyondCopula(compute, x, xColumns, y, yColumns, seed).Estimate;

    /// <summary><see cref="Fit"/>, and how much the network adds to the t copula that it starts from.</summary>
    /// <param name="progress">Told the steps done and the most there can be; may throw to end the fit.</param>
    /// <inheritdoc cref="Fit" path="/param|/exception"/>
    public CriticFit FitBeyondCopula(Compute compute, ReadOnlySpan<float> x, int xColumns, ReadOnlySpan<float> y, int yColumns, ulong seed,
        Action<int, int>? progress = null)
    {
        var samples = new PairedSamples(Name, x, xColumns, y, yColumns, Options.Batch, seed);
        var network = CriticNetwork.Create(Options, xColumns, yColumns, new Initialise(seed));
        using var arena = new ParameterArena(compute, network.Parameters);
        using var adam = new Adam(compute, arena);
        int size = Options.FittingBatch(xColumns + yColumns);
        var (own, off) = (Diagonal(size, 1), Diagonal(size, Minus));
        var held = Enumerable.Range(0, samples.TestBatches).Select(b => (Batch: samples.TestBatch(b),
            Copula: samples.CopulaScores(samples.TestBatch(b)))).ToArray();
        var choice = new HeldOutChoice(Options.Patience);
        var copula = HalfByHalf(held.Select(b => b.Copula));
        Look(0, copula);
        for (int step = 1; step <= Options.Steps && !choice.IsOver; step++)
        {
            using (var tape = compute.Tape())
            {
                var batch = samples.NextBatch(size);
                var scores = network.Scores(tape, batch, size) + tape.Constant(new(size, size), samples.CopulaScores(batch));
                tape.Backward(Loss((scores * tape.Constant(scores.Shape, own)).SumPerRow(), scores, scores + tape.Constant(scores.Shape,
                    off), size));
                adam.Update(step, Options.LearningRate);
            }
            progress?.Invoke(step, Options.Steps);
            if (step % Options.CheckEvery == 0 || step == Options.Steps)
                Look(step, HalfByHalf(held.Select(b => Scores(b.Batch, b.Copula))));
        }
        double[] terms = choice.Terms, without = [.. copula.SelectMany(half => Terms(half))];
        var value = Mean(terms, Bound, Ceiling);
        value = value with { StandardError = Math.Sqrt(value.StandardError * value.StandardError + choice.Unseen * choice.Unseen) };
        if (value.Points == 0 || !(value.Value <= value.Ceiling + 1e-4))
            throw new EstimatorException(
                $"{Name}: {value.Value} nats is outside what the estimator can give (at most {value.Ceiling:G6}); the critic diverged, " +
                    $"lower the learning rate or give more samples");
        return new(value, Mean(without, Bound, Ceiling), Mean([.. terms.Zip(without, (a, b) => a - b)], BoundKind.Neither,
            double.PositiveInfinity), choice.Steps);

        void Look(int step, ScoreMatrices[] halves) =>
            choice.Look(step, [.. halves.Select(half => new HeldOutHalf(Criterion(half), Terms(half), Unseen(half)))]);

        float[] Scores((float[] X, float[] Y) batch, float[] copulaScores)
        {
            using var tape = compute.Tape(gradients: false);
            return (network.Scores(tape, batch, samples.Batch) + tape.Constant(new(samples.Batch, samples.Batch), copulaScores)).ToArray();
        }
    }

    /// <summary>What is minimised: the negative bound, or another objective with the same optimal critic.</summary>
    /// <param name="diagonal">f(x_i, y_i), [B].</param>
    /// <param name="scores">f(x_i, y_j), [B, B].</param>
    /// <param name="others">The same with a diagonal whose exponential is 0.</param>
    /// <param name="batch">B.</param>
    protected abstract Tensor Loss(Tensor diagonal, Tensor scores, Tensor others, int batch);

    /// <summary>The bound's term of each held-out row, whose mean is the value.</summary>
    protected abstract double[] Terms(ScoreMatrices scores);

    /// <summary>
    /// By how much the value of a half may be too high without the spread of its terms showing it, nats; part of the standard error.
    /// </summary>
    protected virtual double Unseen(ScoreMatrices scores) => 0;

    /// <summary>What early stopping looks at, the larger the better.</summary>
    protected virtual double Criterion(ScoreMatrices scores) => Terms(scores).Average();

    /// <summary>log of the sum of exp over a whole matrix.</summary>
    protected static Tensor LogSumExpOfAll(Tensor matrix) => matrix.Reshape(1, -1).LogSumExp();

    /// <summary>log (B (B - 1)): off-diagonal entries of a matrix of scores.</summary>
    protected static float LogOthers(int batch) => MathF.Log((float)batch * (batch - 1));

    internal static Estimate Mean(double[] terms, BoundKind bound, double ceiling)
    {
        var mean = new RunningMean();
        foreach (double term in terms)
            mean.Add(term);
        return mean.ToEstimate(bound, ceiling);
    }

    private ScoreMatrices[] HalfByHalf(IEnumerable<float[]> matrices)
    {
        var all = matrices.ToArray();
        return [new([.. all.Where((_, b) => b % 2 == 0)], Options.Batch), new([.. all.Where((_, b) => b % 2 == 1)], Options.Batch)];
    }

    private static float[] Diagonal(int size, float value)
    {
        var matrix = new float[size * size];
        for (int i = 0; i < size; i++)
            matrix[i * size + i] = value;
        return matrix;
    }
}

/// <summary>Held-out scores f(x_i, y_j), matrix by matrix, in double precision.</summary>
public sealed class ScoreMatrices(IReadOnlyList<float[]> matrices, int batch)
{
    /// <summary>Pairs of a batch, B.</summary>
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

    /// <summary>The mean of a function of f(x_i, y_j) over the row's other entries.</summary>
    public double MeanOfOthers(int row, Func<double, double> function)
    {
        double sum = 0;
        for (int j = 0; j < batch; j++)
            if (j != row % batch)
                sum += function(Score(row, j));
        return sum / (batch - 1);
    }

    /// <summary>
    /// The share of rows whose own score is so high that pairs drawn apart would hardly ever show it: where f is the log ratio, that is the
    /// part of the mean of exp f over such pairs that is missing from this sample of them. Large as soon as exp(I) nears their number
    /// (McAllester and Stratos 2020).
    /// </summary>
    public double ShareUnseen()
    {
        const double FewestSeen = 10;
        double highest = Math.Log(Rows * (batch - 1.0) / FewestSeen);
        return Each(row => Own(row) > highest ? 1 : 0).Average();
    }

    /// <summary>A number for each row.</summary>
    public double[] Each(Func<int, double> ofRow)
    {
        var values = new double[Rows];
        for (int row = 0; row < values.Length; row++)
            values[row] = ofRow(row);
        return values;
    }

    private double Score(int row, int column) => matrices[row / batch][row % batch * batch + column];
}
