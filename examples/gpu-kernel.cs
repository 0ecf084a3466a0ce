#:project ../Kernels/Kernels.csproj
#:property PublishAot=false
// A kernel of your own, written once in C#: SIMD on the CPU, compiled by ILGPU for CUDA, OpenCL and its simulator.
// Checked against double precision, gradient included, then timed: dotnet run -c Release examples/gpu-kernel.cs -- --device simulator
using System.Diagnostics;
using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

string device = args is ["--device", var named] ? named : "simulator";
int n = device == "simulator" ? 20_000 : 4_000_000;
using var backend = Device.Open(device);
using var pool = new BufferPool(backend);

// Ordinary numbers, and what kernels go wrong at.
var random = new Random(1);
float[] x = [.. Enumerable.Range(0, n).Select(i => i switch
{
    0 => 0f, 1 => -0f, 2 => float.MaxValue, 3 => -float.MaxValue, 4 => float.Epsilon, 5 => 1e-30f, _ => 20 * random.NextSingle() - 10,
})];
Slice<float> dx = pool.Rent<float>(n), dy = pool.Rent<float>(n), dg = pool.Rent<float>(n), slope = pool.Rent<float>(n);
backend.Upload<float>(x, dx);
backend.Fill(dg, 1);
backend.Unary<Softsign>(dx, dy);
backend.UnaryGradient<Softsign>(dg, dx, dy, slope, accumulate: false);

double error = Math.Max(Largest(dy, v => v / (1 + Math.Abs(v))), Largest(slope, v => 1 / Math.Pow(1 + Math.Abs(v), 2)));
Console.WriteLine($"{backend.Name}: largest relative error of function and gradient {error:E1} over {n} numbers");

backend.Synchronise();
double best = double.PositiveInfinity;
for (int i = 0; i < 5; i++)
{
    long start = Stopwatch.GetTimestamp();
    backend.Unary<Softsign>(dx, dy);
    backend.Synchronise();
    best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
}
Console.WriteLine($"{2.0 * sizeof(float) * n / best / 1e9:G3} GB/s: each number is read once and written once, so memory is the limit");
foreach (var slice in (Slice<float>[])[dx, dy, dg, slope])
    pool.Return(slice);
return error < 1e-6 ? 0 : 1;

double Largest(Slice<float> computed, Func<double, double> exact)
{
    var y = new float[n];
    backend.Download(computed, y.AsSpan());
    // A result below the smallest normal float may be rounded to 0 on some devices.
    return y.Select((v, i) => (Got: v, Right: exact(x[i]))).Max(p => Math.Abs(p.Got - p.Right) / Math.Max(Math.Abs(p.Right), 1.2e-38));
}

/// <summary>x / (1 + |x|) and its gradient g / (1 + |x|)^2, for one float on a GPU's thread or sixteen in a CPU's register.</summary>
public readonly struct Softsign : IUnaryKernel
{
    public static string Name => "softsign";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x, V p) where V : struct, IReal<V> => x / (V.Broadcast(1) + V.Abs(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gradient<V>(V g, V x, V y, V p) where V : struct, IReal<V>
    {
        var d = V.Broadcast(1) + V.Abs(x);
        return g / d / d;
    }
}
