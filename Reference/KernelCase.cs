using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>
/// One kernel call with its inputs and its answer in double precision. A single declaration serves the parity tests of every device, the
/// self-test of
/// <c>vae doctor</c> and the benchmarks' validation.
/// </summary>
/// <param name="Operation">The <see cref="IBackend"/> method; for elementwise kernels "Unary Exp", "BinaryGradient Mul".</param>
/// <param name="Label">The shape and whatever else tells the case apart.</param>
/// <param name="Body">Makes inputs, calls the kernel through <see cref="CaseContext.Run"/>, states what is expected.</param>
public sealed record KernelCase(string Operation, string Label, Action<CaseContext> Body)
{
    /// <summary>Whether the operation multiplies matrices, which a device may do on operands that it rounds first.</summary>
    public bool IsMatrixWork { get; } =
        Array.Exists(["MatMul", "Conv2d"], prefix => Operation.StartsWith(prefix, StringComparison.Ordinal));

    public override string ToString() => $"{Operation} ({Label})";
}

/// <summary>What a <see cref="KernelCase"/> works with: device buffers, reproducible inputs, and the comparison.</summary>
/// <param name="backend">Where the case runs.</param>
/// <param name="leastTolerance">Widens every tolerance relative to the largest reference value: for devices that compute with less than
/// float32.</param>
/// <param name="round">What is done to every input: for devices that round operands, which then have nothing to round.</param>
/// <param name="skip">Elements of its block that lie before each array: for kernels that take more than one element at a time where they
/// may.</param>
public sealed class CaseContext(IBackend backend, double leastTolerance = 0, Func<float, float>? round = null, int skip = 0) : IDisposable
{
    private const float Canary = -7.25e33f;
    private readonly BufferPool pool = new(backend);
    private readonly List<Slice<float>> outputs = [], buffers = [], floats = [];
    private readonly Random random = new(20_240_601);
    private bool stopsAtCall;

    private sealed class CallReached : Exception;

    public IBackend Backend { get; } = backend;

    /// <summary>The largest error of all expectations, each relative to the largest reference value of its array.</summary>
    public double WorstError { get; private set; }

    /// <summary>What did not hold; empty when the kernel is right.</summary>
    public List<string> Failures { get; } = [];

    /// <summary>The kernel call by itself, so that a self-test or benchmark can make it again.</summary>
    public Action<IBackend>? Call { get; private set; }

    /// <summary>Every array that the kernel has been given, as whole words of 32 bits whatever it holds.</summary>
    public IReadOnlyList<Slice<float>> Buffers => buffers;

    /// <summary>Those of <see cref="Buffers"/> whose floats the kernel reads.</summary>
    public IReadOnlyList<Slice<float>> Inputs => floats;

    /// <summary>Those that it writes, each with its guard zone.</summary>
    public IReadOnlyList<Slice<float>> Outputs => outputs;

    /// <summary>Uniform values in [low, high).</summary>
    public float[] Uniform(int n, double low = -1, double high = 1)
    {
        var x = new float[n];
        for (int i = 0; i < n; i++)
            x[i] = Round((float)(low + (high - low) * random.NextDouble()));
        return x;
    }

    /// <summary>Uniform values with planted zeros of both signs, subnormals and outliers of magnitude <paramref name="outlier"/>.</summary>
    public float[] Hard(int n, double low = -1, double high = 1, float outlier = 30)
    {
        var x = Uniform(n, low, high);
        float[] planted = [0f, -0f, float.Epsilon, -1e-40f, outlier, -outlier, 1e-20f];
        for (int i = 0; i < planted.Length && n > 2 * planted.Length; i++)
            if (planted[i] >= low || low < 0)
                x[random.Next(n)] = Round(planted[i]);
        return x;
    }

    private float Round(float x) => round is null ? x : round(x);

    public Slice<T> Upload<T>(T[] values) where T : unmanaged
    {
        var slice = pool.Rent<T>(skip + values.Length).Part(skip, values.Length);
        buffers.Add(new(slice.Address, (int)((long)values.Length * Unsafe.SizeOf<T>() / sizeof(float))));
        if (typeof(T) == typeof(float))
            floats.Add(buffers[^1]);
        Backend.Upload<T>(values, slice);
        return slice;
    }

    /// <summary>An output buffer of n floats, poisoned, with a guard zone behind it that the kernel may not touch.</summary>
    public Slice<float> Output(int n)
    {
        var whole = pool.Rent<float>(skip + n + 32).Part(skip, n + 32);
        var poison = new float[n + 32];
        Array.Fill(poison, Canary);
        Backend.Upload<float>(poison, whole);
        outputs.Add(whole);
        buffers.Add(whole);
        return whole.Part(0, n);
    }

    /// <summary>An output that the kernel adds to: starts as <paramref name="initial"/>.</summary>
    public Slice<float> Output(float[] initial)
    {
        var slice = Output(initial.Length);
        floats.Add(slice);
        Backend.Upload<float>(initial, slice);
        return slice;
    }

    /// <summary>Calls the kernel once, and remembers how.</summary>
    public void Run(Action<IBackend> call)
    {
        Call = call;
        if (stopsAtCall)
            throw new CallReached();
        call(Backend);
        Backend.Synchronise();
    }

    /// <summary>
    /// Compares with the reference: each |error| must be at most relative * |expected| + absolute * (largest |expected|).
    /// NaN and infinities must be equal.
    /// </summary>
    public void Expect(Slice<float> actual, double[] expected, double relative = 1e-6, double absolute = 1e-6, string what = "output") =>
        Compare(Download(actual), expected, relative, absolute, what);

    /// <summary>
    /// As <see cref="Expect"/>, for the entries <paramref name="at"/> only: where the whole reference would take minutes.
    /// </summary>
    public void ExpectAt(Slice<float> actual, int[] at, Func<int, double> expected, double relative = 1e-6, double absolute = 1e-6,
        string what = "output")
    {
        var values = Download(actual);
        Compare(Array.ConvertAll(at, i => values[i]), Array.ConvertAll(at, i => expected(i)), relative, absolute,
            what + " at sampled entries");
    }

    private float[] Download(Slice<float> slice)
    {
        var values = new float[slice.Length];
        Backend.Download<float>(slice, values);
        return values;
    }

    private void Compare(float[] values, double[] expected, double relative, double absolute, string what)
    {
        if (values.Length != expected.Length)
        {
            Failures.Add($"{what}: {values.Length} values, reference has {expected.Length}");
            return;
        }
        absolute = Math.Max(absolute, leastTolerance);
        double scale = 0;
        foreach (double e in expected)
            if (double.IsFinite(e))
                scale = Math.Max(scale, Math.Abs(e));
        for (int i = 0; i < values.Length; i++)
        {
            double e = expected[i];
            if (Math.Abs(e) > float.MaxValue)
                e = e > 0 ? double.PositiveInfinity : double.NegativeInfinity;
            double error = double.IsFinite(e) || double.IsFinite(values[i]) ? Math.Abs(values[i] - e) : e.Equals(values[i]) ? 0
                : double.NaN;
            if (error != 0 && !(error <= relative * Math.Abs(e) + absolute * scale))
            {
                Failures.Add($"{what}[{i}] = {values[i]:G9}, reference {e:G9}, error {error:E2}");
                break;
            }
            if (scale > 0)
                WorstError = Math.Max(WorstError, error / scale);
        }
    }

    /// <summary>Checks that no kernel wrote behind its output. Called when the body is done.</summary>
    public void CheckGuards()
    {
        foreach (var whole in outputs)
        {
            var tail = new float[32];
            Backend.Download<float>(whole.Part(whole.Length - 32, 32), tail);
            if (Array.Exists(tail, t => t != Canary))
                Failures.Add($"the kernel wrote behind an output of {whole.Length - 32} floats");
        }
    }

    public void Dispose() => pool.Dispose();

    /// <summary>Runs a case on a backend and returns its failures.</summary>
    /// <param name="precision">Of the backend's matrix work: what it rounds operands to widens the tolerance of such cases.</param>
    /// <param name="leastTolerance">By default as much as that rounding needs.</param>
    public static CaseContext Evaluate(
        IBackend backend, KernelCase kernelCase, Precision precision = Precision.Fp32, double? leastTolerance = null,
            Func<float, float>? round = null)
    {
        var context = new CaseContext(backend, leastTolerance ?? ToleranceOf(precision, kernelCase), round);
        kernelCase.Body(context);
        context.CheckGuards();
        return context;
    }

    /// <summary>The arrays and the call of a case, for tests that need no reference: nothing has been called yet.</summary>
    public static CaseContext Prepare(IBackend backend, KernelCase kernelCase, int skip = 0)
    {
        var context = new CaseContext(backend, skip: skip) { stopsAtCall = true };
        try
        {
            kernelCase.Body(context);
        }
        catch (CallReached)
        {
        }
        return context;
    }

    /// <summary>Some four units in the last place of an operand, for matrix work on operands that the device rounds.</summary>
    private static double ToleranceOf(Precision precision, KernelCase kernelCase) => !kernelCase.IsMatrixWork ? 0 : precision switch
    {
        Precision.Fp32 => 0,
        Precision.Tf32 => 2e-3,
        _ => 1.6e-2,
    };
}
