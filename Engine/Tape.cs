using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch;

/// <summary>
/// Owns the tensors that operations make while it is current, remembers how to take their gradients, and gives all memory back at once: a
/// training step has
/// one <c>using var tape = compute.Tape()</c>.
/// </summary>
/// <remarks>Tapes nest; operations go to the innermost. A tape belongs to the thread that made it.</remarks>
public sealed class Tape : IDisposable
{
    [ThreadStatic]
    private static Tape? current;

    private readonly Compute compute;
    private readonly BufferPool pool;
    private readonly Tape? outer;
    private readonly List<Slice<float>> temporaries = [];
    private readonly List<Slice<int>> integers = [];
    private readonly List<Tensor> holdGradients = [];
    private readonly List<(Tensor Output, Tensor? Second, Action Backward)> nodes = [];
    private readonly List<(Tensor Bias, Slice<float> G, int Rows)> columnSums = [];
    private readonly List<Tensor> readBySums = [];

    internal Tape(Compute compute, bool gradients, bool? training)
    {
        this.compute = compute;
        pool = compute.Pool;
        RecordsGradients = gradients;
        Training = training ?? gradients;
        outer = current;
        current = this;
    }

    /// <summary>The tape that operations of this thread go to.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static Tape Current =>
        current ?? throw new InvalidOperationException("no tape: operations on tensors need `using var tape = compute.Tape()`");

    public bool RecordsGradients { get; }

    public bool Training { get; }

    /// <summary>Whether layers leave their running statistics as they are; see <see cref="KeepingStatistics"/>.</summary>
    public bool KeepsStatistics { get; private set; }

    /// <summary>Whether an inner backward pass of this thread is under way that passes parameters over.</summary>
    internal static bool PassesOverParameters => current is { SkipsParameters: true };

    internal bool IsDisposed { get; private set; }

    /// <summary>
    /// Set while an inner backward pass (towards an input, as in adversarial training) must not touch the parameters' gradients.
    /// </summary>
    private bool SkipsParameters { get; set; }

    internal IBackend Kernels => compute.Backend;

    /// <summary>
    /// A tensor with undefined values, owned by the current tape; it takes part in gradients when one of its inputs does.
    /// </summary>
    internal static Tensor New(Shape shape, params ReadOnlySpan<Tensor?> inputs)
    {
        var tape = Current;
        bool needsGradient = false;
        foreach (var input in inputs)
            needsGradient |= input is { NeedsGradient: true };
        return tape.NewTensor(shape, tape.RecordsGradients && needsGradient);
    }

    /// <summary>
    /// A tensor on this tape with the given values; with <paramref name="needsGradient"/> a variable to differentiate by.
    /// </summary>
    public Tensor Constant(Shape shape, ReadOnlySpan<float> values, bool needsGradient = false)
    {
        if (values.Length != shape.Length)
            throw new ShapeException("tensor", $"{values.Length} values for shape {shape}", $"{shape.Length}");
        var tensor = NewTensor(shape, needsGradient);
        Kernels.Upload(values, tensor.Data);
        return tensor;
    }

    /// <summary>
    /// A copy of values already on the device, as a variable to differentiate by; nothing flows back to where they came from.
    /// </summary>
    public Tensor Variable(Tensor values)
    {
        var tensor = NewTensor(values.Shape, true);
        Kernels.CopyBlock(1, values.Length, values.Data, values.Length, tensor.Data, values.Length);
        return tensor;
    }

    /// <summary>
    /// What <paramref name="forward"/> gives, while layers normalise by the statistics of the batch but leave their running ones alone: for
    /// passes over images that are not those of
    /// the data, such as adversarial ones.
    /// </summary>
    public T KeepingStatistics<T>(Func<T> forward)
    {
        bool before = KeepsStatistics;
        KeepsStatistics = true;
        try
        {
            return forward();
        }
        finally
        {
            KeepsStatistics = before;
        }
    }

    /// <summary>A tensor on this tape with undefined values, for a kernel that is called directly to fill.</summary>
    public Tensor Empty(Shape shape) => NewTensor(shape, false);

    /// <summary>A tensor on this tape with one value everywhere.</summary>
    public Tensor Full(Shape shape, float value)
    {
        var tensor = NewTensor(shape, false);
        Kernels.Fill(tensor.Data, value);
        return tensor;
    }

    /// <summary>Gradients of a scalar with respect to everything it came from.</summary>
    public void Backward(Tensor loss) => Backward(new Seed(loss, 1));

    /// <summary>Gradients of the sum of all seeds' weighted elements. Parameters' gradients add up until their optimiser steps.</summary>
    public void Backward(params ReadOnlySpan<Seed> seeds)
    {
        foreach (var seed in seeds)
        {
            if (!seed.Root.NeedsGradient)
                continue;
            var g = seed.Root.GradientSink(out bool accumulate);
            if (seed.Factor is { } factor)
                Kernels.Spread(factor.Data, 1, g.Length, 1, seed.Weight, g, accumulate);
            else if (accumulate)
                Kernels.Unary<AddScalar>(g, g, seed.Weight);
            else
                Kernels.Fill(g, seed.Weight);
        }
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            var (output, second, backward) = nodes[i];
            if (!output.HasGradient && second is not { HasGradient: true })
                continue;
            if (output.GradientUnmasked)
                Kernels.ReluMask(output.Data, output.Gradient);
            backward();
            Release(output);
            if (second is not null)
                Release(second);
        }
        DoColumnSums();
    }

    /// <summary>
    /// As <see cref="Backward(ReadOnlySpan{Seed})"/>, towards variables of the tape only: parameters keep the gradients they have.
    /// </summary>
    public void BackwardToInputs(params ReadOnlySpan<Seed> seeds)
    {
        SkipsParameters = true;
        try
        {
            Backward(seeds);
        }
        finally
        {
            SkipsParameters = false;
        }
    }

    public void Dispose()
    {
        if (IsDisposed)
            return;
        IsDisposed = true;
        foreach (var tensor in holdGradients)
            tensor.ClearGradient(releaseMemory: true);
        foreach (var slice in temporaries)
            pool.Return(slice);
        foreach (var slice in integers)
            pool.Return(slice);
        current = outer;
    }

    /// <param name="second">Of an operation with two results, whose gradients one kernel takes together; either may be without one
    /// then.</param>
    internal void Record(Tensor output, Action backward, Tensor? second = null)
    {
        if (output.NeedsGradient || second is { NeedsGradient: true })
            nodes.Add((output, second, backward));
    }

    /// <summary>
    /// Adds the column sums of g [rows, |bias|] to the gradient of a bias, if it takes one: now, or with others before the backward pass
    /// ends.
    /// </summary>
    internal void AddColumnSums(Tensor? bias, Slice<float> g, int rows)
    {
        if (bias is not { NeedsGradient: true })
            return;
        if (columnSums.Exists(s => s.Bias == bias.Root))
            DoColumnSums();
        columnSums.Add((bias.Root, g, rows));
        // Only a parameter's gradient can wait: that of a tensor is read by what comes before it on the tape.
        if (columnSums.Count >= Kernels.ColumnSumsAtOnce || !bias.Root.IsParameter)
            DoColumnSums();
    }

    private void DoColumnSums()
    {
        if (columnSums.Count == 0)
            return;
        Span<ColumnSum> sums = new ColumnSum[columnSums.Count];
        for (int i = 0; i < sums.Length; i++)
        {
            var (bias, g, rows) = columnSums[i];
            var db = bias.GradientSink(out bool accumulate);
            sums[i] = new(rows, bias.Length, g, db, accumulate);
        }
        Kernels.SumColumns(sums);
        columnSums.Clear();
        readBySums.ForEach(tensor => tensor.ClearGradient(releaseMemory: true));
        readBySums.Clear();
    }

    /// <summary>
    /// Every consumer of a tensor came later on the tape, so nobody reads its gradient again but column sums that are still to do.
    /// </summary>
    private void Release(Tensor output)
    {
        if (columnSums.Exists(s => s.G.Address == output.Gradient.Address))
            readBySums.Add(output);
        else
            output.ClearGradient(releaseMemory: true);
    }

    internal Slice<float> Temporary(int length)
    {
        var slice = pool.Rent<float>(length);
        temporaries.Add(slice);
        return slice;
    }

    internal Slice<int> TemporaryIntegers(int length)
    {
        var slice = pool.Rent<int>(length);
        integers.Add(slice);
        return slice;
    }

    internal Slice<float> RentGradient(Tensor tensor)
    {
        holdGradients.Add(tensor);
        return pool.Rent<float>(tensor.Length);
    }

    private Tensor NewTensor(Shape shape, bool needsGradient) => new(compute, shape, Temporary(shape.Length), this, needsGradient);
}

/// <summary>
/// A tensor whose elements, times a weight, are summed into what <see cref="Tape.Backward(ReadOnlySpan{Seed})"/> differentiates.
/// </summary>
/// <param name="Factor">A scalar in device memory that multiplies the weight, for weights that change from step to step of a captured
/// step.</param>
public readonly record struct Seed(Tensor Root, float Weight, Tensor? Factor = null);
