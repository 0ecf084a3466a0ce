// How does a matrix product get from one percent of the machine's peak to nearly all of it?
#:project shared/Lesson.csproj
#:property PublishAot=false
using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using VaeFromScratch;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

const int N = 384;
var lesson = new Lesson("How does a matrix product get from one percent of the machine's peak to nearly all of it?",
    "09-matrix-product", args);
lesson.Say($"C = A B, {N} x {N} each: {2e-6 * N * N * N:F0} million operations. Every version gives the same C.");

var random = new Random(1);
float[] a = [.. Enumerable.Range(0, N * N).Select(_ => 2 * random.NextSingle() - 1)], b = [.. a.Select(_ => 2 * random.NextSingle() - 1)];
double[] exact = Exact();
using Compute single = Compute.Open("cpu", threads: 1), whole = Compute.Open("cpu");
using var team = new ThreadTeam(1);
double peak = CpuProbe.FmaPeak(team);
lesson.Print("measured peak of one core: independent multiply-adds", peak / 1e9, "GFLOP/s");

(string Name, string Why, Action<float[]> Multiply)[] ladder =
[
    ("as written: a row times a column", "b is read down its columns: a new cache line for every number",
        c => Ladder.AsWritten(a, b, c, N)),
    ("rows of c from rows of b", "neighbours in memory are used one after the other; no compiler may reorder the loops for you",
        c => Ladder.Rows(a, b, c, N)),
    ("the same in vectors", $"{Vector<float>.Count} numbers an instruction; but c is loaded and stored for every multiply-add",
        c => Ladder.Vectors(a, b, c, N)),
    ("a tile of 4 x 2 vectors in registers", "a sum stays where it is until it is finished: 8 multiply-adds for 6 loads",
        c => Ladder.Tile(a, b, c, N)),
    ("the library's, one thread", "tiles as large as the registers allow, operands packed in the order in which they are read",
        c => Library(c, single)),
    ("the library's, all threads", "tasks taken from a counter; the same bits for any number of threads", c => Library(c, whole)),
];
var rates = new List<double>();
foreach (var (name, why, multiply) in ladder)
{
    var c = new float[N * N];
    multiply(c);
    double error = c.Select((v, i) => Math.Abs(v - exact[i])).Max();
    // N products of numbers below 1, each sum rounded to 2^-24 of its size, which is about the root of N / 9.
    lesson.Check($"{name}: largest error", error, 0, 2e-7 * N);
    double best = double.PositiveInfinity;
    for (int i = 0; i < 5; i++)
    {
        long start = Stopwatch.GetTimestamp();
        multiply(c);
        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
    rates.Add(2.0 * N * N * N / best / 1e9);
    lesson.Print($"{name}: rate", rates[^1], "GFLOP/s");
    lesson.Page.Paragraph($"{name}: {why}.");
}
float[] one = new float[N * N], all = new float[N * N];
Library(one, single);
Library(all, whole);
lesson.Check("entries whose bits depend on the number of threads", one.Zip(all, (s, t) => s.Equals(t) ? 0 : 1).Sum(), 0, 0);

lesson.Page.Section("Pictures").Figure(new BarChart("GFLOP/s", rates)
{
    Title = $"A product of {N} x {N} on this machine", YLabel = "GFLOP/s", Labels = [.. ladder.Select((_, i) => $"{i + 1}")],
    Threshold = peak / 1e9, ThresholdLabel = "peak of one core",
}, string.Join("; ", ladder.Select((step, i) => $"{i + 1} {step.Name}")) + ". docs/cpu-kernels.md goes on from here.");
return lesson.End();

double[] Exact()
{
    var c = new double[N * N];
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                c[i * N + j] += (double)a[i * N + k] * b[k * N + j];
    return c;
}

// Copies to and from the library's memory are in its time.
void Library(float[] c, Compute compute)
{
    using var tape = compute.Tape(gradients: false);
    tape.Constant(new(N, N), a).MatMul(tape.Constant(new(N, N), b)).ToArray().CopyTo(c, 0);
}

static class Ladder
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AsWritten(float[] a, float[] b, float[] c, int n)
    {
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                float sum = 0;
                for (int k = 0; k < n; k++)
                    sum += a[i * n + k] * b[k * n + j];
                c[i * n + j] = sum;
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows(float[] a, float[] b, float[] c, int n)
    {
        Array.Clear(c);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++)
                for (int j = 0; j < n; j++)
                    c[i * n + j] += a[i * n + k] * b[k * n + j];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Vectors(float[] a, float[] b, float[] c, int n)
    {
        Array.Clear(c);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++)
            {
                var x = new Vector<float>(a[i * n + k]);
                for (int j = 0; j < n; j += Vector<float>.Count)
                    (new Vector<float>(c, i * n + j) + x * new Vector<float>(b, k * n + j)).CopyTo(c, i * n + j);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile(float[] a, float[] b, float[] c, int n)
    {
        int w = Vector<float>.Count;
        for (int j = 0; j < n; j += 2 * w)
            for (int i = 0; i < n; i += 4)
            {
                Vector<float> c00 = default, c01 = default, c10 = default, c11 = default;
                Vector<float> c20 = default, c21 = default, c30 = default, c31 = default;
                for (int k = 0; k < n; k++)
                {
                    var (b0, b1) = (new Vector<float>(b, k * n + j), new Vector<float>(b, k * n + j + w));
                    Vector<float> x0 = new(a[i * n + k]), x1 = new(a[(i + 1) * n + k]);
                    Vector<float> x2 = new(a[(i + 2) * n + k]), x3 = new(a[(i + 3) * n + k]);
                    (c00, c01, c10, c11) = (c00 + x0 * b0, c01 + x0 * b1, c10 + x1 * b0, c11 + x1 * b1);
                    (c20, c21, c30, c31) = (c20 + x2 * b0, c21 + x2 * b1, c30 + x3 * b0, c31 + x3 * b1);
                }
                c00.CopyTo(c, i * n + j); c01.CopyTo(c, i * n + j + w);
                c10.CopyTo(c, (i + 1) * n + j); c11.CopyTo(c, (i + 1) * n + j + w);
                c20.CopyTo(c, (i + 2) * n + j); c21.CopyTo(c, (i + 2) * n + j + w);
                c30.CopyTo(c, (i + 3) * n + j); c31.CopyTo(c, (i + 3) * n + j + w);
            }
    }
}
