using System.Numerics.Tensors;
using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>Every operation of <see cref="IBackend"/> at sizes that training a VAE has, each checked by its kernel case.</summary>
internal static class KernelWorkloads
{
    /// <summary>Encodings of 10 000 images with 128 latents: elementwise work that does not stay in the caches.</summary>
    public const int Rows = 10_000, Latents = 128, Values = Rows * Latents;

    /// <summary>A batch of activations that does.</summary>
    private const int Small = 64 * Latents;

    public static IEnumerable<Workload> Products()
    {
        foreach (var (m, k, n) in NetworkShapes.Products)
            foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false) })
                yield return Workload.Of(SampledProducts.MatMul(new(m, n, k, transposeA, transposeB)));
        yield return Workload.Of(ReduceCases.SumColumns((100, 500)));
        yield return Workload.Of(ReduceCases.SumColumns((19_600, 32)));
        yield return Workload.Of(MatMulCases.ReluMask(100 * 14 * 14 * 32));
    }

    public static IEnumerable<Workload> Convolutions()
    {
        foreach (var (name, shape) in NetworkShapes.Convolutions.Concat(NetworkShapes.CifarConvolutions))
        {
            yield return Workload.Of(SampledProducts.Forward(shape), $"{name} forward");
            yield return Workload.Of(SampledProducts.BackwardData(shape), $"{name} backward data");
            yield return Workload.Of(SampledProducts.BackwardWeight(shape), $"{name} backward weight");
            yield return Workload.Of(SampledProducts.BackwardData(shape, bias: true), $"{name} transposed forward");
        }
        var pool = new PoolShape(128, 32, 32, 32, 2, 2);
        yield return Workload.Of(ConvCases.MaxPool(pool), "max pool 128x32x32x32");
        yield return Workload.Of(ConvCases.MaxPoolGradient(pool, accumulate: false), "max pool gradient 128x32x32x32");
    }

    public static IEnumerable<Workload> Elementwise()
    {
        foreach (int n in new[] { Small, Values })
        {
            foreach (var kernel in ElementwiseReference.Unary)
                foreach (var workload in Plain(ElementwiseCases.Unary(kernel, [n]), n))
                    yield return workload;
            foreach (var kernel in ElementwiseReference.Binary)
                foreach (var workload in Plain(ElementwiseCases.Binary(kernel, [(n, n, n)]), n))
                    yield return workload;
        }
        yield return Opponent("Exp", Values, arrays: 2, (x, _, y) => TensorPrimitives.Exp(x, y), (x, _) => Math.Exp(x));
        yield return Opponent("Tanh", Values, arrays: 2, (x, _, y) => TensorPrimitives.Tanh(x, y), (x, _) => Math.Tanh(x));
        yield return Opponent("Sigmoid", Values, arrays: 2, (x, _, y) => TensorPrimitives.Sigmoid(x, y),
            (x, _) => ElementwiseReference.Sigmoid(x));
        foreach (int n in new[] { Small, Values })
        {
            yield return Opponent("Max with 0", n, arrays: 2, (x, _, y) => TensorPrimitives.Max(x, 0f, y), (x, _) => Math.Max(x, 0));
            yield return Opponent("Add", n, arrays: 3, (x, w, y) => TensorPrimitives.Add(x, w, y), (x, w) => x + w);
            yield return Opponent("Multiply", n, arrays: 3, (x, w, y) => TensorPrimitives.Multiply(x, w, y), (x, w) => x * w);
        }
    }

    public static IEnumerable<Workload> Memory() =>
    [
        Workload.Of(MemoryCases.Fill(Values)),
        Workload.Of(MemoryCases.CopyBlock(100, 784, 784, 784, accumulate: false)),
        Workload.Of(MemoryCases.CopyBlock(Rows, 10, 30, 10, accumulate: false)),
        Workload.Of(MemoryCases.Permute([100, 32, 14, 14], [0, 2, 3, 1])),
        .. Of(MemoryCases.Gather(6000, 784, 100)),
        Workload.Of(WarpCases.Warp(new(250, 28, 28, 1, Reflect: false))),
    ];

    public static IEnumerable<Workload> Reductions() =>
    [
        .. from shape in new[] { (1, Small, 1), (1, Values, 1), (Rows, Latents, 1), (1, Rows, Latents) }
           from workload in Of(ReduceCases.Of(shape.Item1, shape.Item2, shape.Item3))
           select workload,
        SumOpponent(Small),
        SumOpponent(Values),
    ];

    public static IEnumerable<Workload> Softmax() => Of(SoftmaxCases.Of(2000, 10)).Concat(Of(SoftmaxCases.Of(100, 10)));

    public static IEnumerable<Workload> Draws() =>
        [.. Enum.GetValues<Distribution>().Select(d => Workload.Of(RandomCases.Of(d, Values))), Workload.Of(RandomCases.Shuffle(60_000))];

    public static IEnumerable<Workload> Recurrent() =>
        [Workload.Of(RecurrentCases.Cell(16, 128, first: false)), Workload.Of(RecurrentCases.Gradient(16, 128, first: false))];

    public static IEnumerable<Workload> Fused()
    {
        foreach (var (rows, d) in new[] { (Rows, Latents), (100, Latents), (100, 784) })
            foreach (var workload in Of(FusedCases.Of(rows, d)))
                yield return workload;
        yield return Workload.Of(FusedCases.All().First(c => c.Operation == "UpdateVariance"), "UpdateVariance");
    }

    public static IEnumerable<Workload> Mixture() =>
        from shape in new[] { (100, 100, 10), (128, 128, 128), (100, 10_000, 10) }
        from workload in Of(MixtureCases.Of(shape.Item1, shape.Item2, shape.Item3)
            .Where(c => !c.Label.Contains("weights 2", StringComparison.Ordinal)))
        select workload;

    public static IEnumerable<Workload> BatchNorm() =>
        from shape in new[] { (100, 500), (100, 1000), (128 * 16 * 16, 32) }
        from workload in Of(NormaliseCases.Of(shape.Item1, shape.Item2))
        select workload;

    /// <summary>One step over the parameters of the convolutional VAE of 28x28 images.</summary>
    public static IEnumerable<Workload> Optimisers() => Of(OptimiseCases.Of(ConvVaeParameters));

    public const int ConvVaeParameters = 936_866;

    private static IEnumerable<Workload> Of(IEnumerable<KernelCase> cases) =>
        cases.Where(c => !c.Label.Contains("accumulate", StringComparison.Ordinal)).Select(c => Workload.Of(c));

    /// <summary>The cases that time the kernel itself; those of special values and of broadcasting only check.</summary>
    private static IEnumerable<Workload> Plain(IEnumerable<KernelCase> cases, int n) =>
        Of(cases.Where(c => c.Label.StartsWith($"{n}", StringComparison.Ordinal)));

    /// <summary>The same function of one or two arrays by System.Numerics.Tensors, on one thread.</summary>
    /// <param name="arrays">How many are read or written.</param>
    private static Workload Opponent(string name, int n, int arrays, Action<float[], float[], float[]> function,
        Func<double, double, double> reference) =>
        new($"TensorPrimitives {name}", $"TensorPrimitives.{name} {n}", _ =>
        {
            var random = new Random(1);
            float[] x = Inputs(n, random), w = Inputs(n, random), y = new float[n];
            function(x, w, y);
            for (int i = 0; i < n; i++)
                if (!(Math.Abs(y[i] - reference(x[i], w[i])) <= 1e-5 * Math.Max(1, Math.Abs(reference(x[i], w[i])))))
                    throw new WrongResultException($"TensorPrimitives.{name}({x[i]}, {w[i]}) = {y[i]}");
            return new(() => function(x, w, y), new(name, n, (double)arrays * sizeof(float) * n), threads: 1);
        });

    private static Workload SumOpponent(int n) => new("TensorPrimitives Sum", $"TensorPrimitives.Sum {n}", _ =>
    {
        float[] x = Inputs(n, new(1));
        float sum = 0;
        Action call = () => sum = TensorPrimitives.Sum(x);
        call();
        double expected = x.Sum(v => (double)v);
        if (!(Math.Abs(sum - expected) <= 1e-5 * x.Sum(v => (double)Math.Abs(v))))
            throw new WrongResultException($"TensorPrimitives.Sum = {sum}");
        return new(call, new("Sum", n, (double)sizeof(float) * n), threads: 1);
    });

    private static float[] Inputs(int n, Random random) => [.. Enumerable.Range(0, n).Select(_ => 6 * random.NextSingle() - 3)];
}
