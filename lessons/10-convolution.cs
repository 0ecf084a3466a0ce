// How does a convolution become SIMD on a CPU, and threads on a GPU?
#:project shared/Lesson.csproj
#:property PublishAot=false
using System.Diagnostics;
using System.Numerics;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using VaeFromScratch;
using VaeFromScratch.Kernels;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

// The second convolution of the MNIST network, for a few images: 14 x 14 x 32 to 7 x 7 x 32, kernel 4 x 4, stride 2, padding 1.
var shape = new ConvShape(Batch: 8, Height: 14, Width: 14, InChannels: 32, OutChannels: 32, KernelHeight: 4, KernelWidth: 4,
    Stride: 2, Padding: 1);
var lesson = new Lesson("How does a convolution become SIMD on a CPU, and threads on a GPU?", "10-convolution", args);
lesson.Say("y[n, h, v, o] = sum over kh, kw, c of x[n, 2h + kh - 1, 2v + kw - 1, c] w[kh, kw, c, o], and x = 0 outside of the image.");

var random = new Random(1);
float[] x = [.. Enumerable.Range(0, shape.InSize).Select(_ => 2 * random.NextSingle() - 1)];
float[] w = [.. Enumerable.Range(0, shape.WeightSize).Select(_ => 2 * random.NextSingle() - 1)];
double[] exact = [.. Enumerable.Range(0, shape.OutSize).Select(i => Equation(i))];

using var compute = Compute.Open("cpu", threads: 1);
var rates = new List<double>();
(string Name, string Why, Func<float[]> Run)[] ladder =
[
    ("six loops", "the equation as it is written; every multiply-add waits for the one before", () => Convolution.Loops(shape, x, w)),
    ("SIMD over output channels", "32 weights of a tap lie side by side: one x, broadcast, times whole vectors of w",
        () => Convolution.Vectors(shape, x, w)),
    ("the library's kernel on the CPU", "tiles of pixels times channels in registers; no copy with a border is made", Library),
];
foreach (var (name, why, run) in ladder)
{
    Compare(name, run());
    double best = double.PositiveInfinity;
    for (int i = 0; i < 5; i++)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
    rates.Add(shape.Flops / best / 1e9);
    lesson.Print($"{name}: rate, one thread", rates[^1], "GFLOP/s");
    lesson.Page.Paragraph($"{name}: {why}.");
}

// On a GPU the outer loops are gone: there is a thread for each y, and the loops over taps are what a thread does.
// ILGPU compiles such C# for NVIDIA, AMD and Intel; its simulator runs the threads one after the other, so that a debugger can stop.
using (var context = Context.Create(builder => builder.CPU()))
using (var accelerator = context.CreateCPUAccelerator(0))
{
    using var dx = accelerator.Allocate1D(x);
    using var dw = accelerator.Allocate1D(w);
    using var dy = accelerator.Allocate1D<float>(shape.OutSize);
    var kernel = accelerator.LoadAutoGroupedStreamKernel<Index1D, ConvShape, ArrayView<float>, ArrayView<float>, ArrayView<float>>(
        Convolution.Thread);
    kernel(shape.OutSize, shape, dx.View, dw.View, dy.View);
    accelerator.Synchronize();
    Compare("a thread for each y, ILGPU's simulator", dy.GetAsArray1D());
    lesson.Print("loads a thread does for each multiply-add", 2, "a tile in shared memory needs 1/64: docs/gpu-kernels.md");
}
lesson.Say("The library's GPU kernels are such C# too: vae doctor --ptx prints what a card would load, vae doctor --selftest runs them.");

var bars = new BarChart("GFLOP/s", rates) { Title = "One layer on this machine", YLabel = "GFLOP/s", Labels = ["1", "2", "3"] };
lesson.Page.Section("Pictures").Figure(bars,
    string.Join("; ", ladder.Select((step, i) => $"{i + 1} {step.Name}")) + ". docs/cpu-kernels.md has the whole ladder.");
return lesson.End();

// 512 products of numbers below 1; a float sum of them is good to about 1e-5.
void Compare(string name, float[] y) => lesson.Check($"{name}: largest error", y.Select((v, i) => Math.Abs(v - exact[i])).Max(), 0, 5e-5);

double Equation(int i)
{
    double sum = 0;
    for (int kh = 0; kh < shape.KernelHeight; kh++)
        for (int kw = 0; kw < shape.KernelWidth; kw++)
            for (int c = 0; c < shape.InChannels; c++)
                if (Convolution.Input(shape, i / shape.OutChannels, kh, kw) is >= 0 and var from)
                    sum += (double)x[from + c] * w[Convolution.Weight(shape, kh, kw) + c * shape.OutChannels + i % shape.OutChannels];
    return sum;
}

float[] Library()
{
    using var tape = compute.Tape(gradients: false);
    var images = tape.Constant(new(shape.Batch, shape.Height, shape.Width, shape.InChannels), x);
    var weights = tape.Constant(new(shape.KernelHeight, shape.KernelWidth, shape.InChannels, shape.OutChannels), w);
    return images.Conv2d(weights, bias: null, shape.Stride, shape.Padding).ToArray();
}

public static class Convolution
{
    /// <summary>Where the channels of a pixel under the window of output pixel p begin; -1 outside of the image.</summary>
    public static int Input(ConvShape s, int p, int kh, int kw)
    {
        int row = p / s.OutWidth % s.OutHeight * s.Stride + kh - s.Padding, column = p % s.OutWidth * s.Stride + kw - s.Padding;
        bool inside = row >= 0 && row < s.Height && column >= 0 && column < s.Width;
        return inside ? ((p / (s.OutWidth * s.OutHeight) * s.Height + row) * s.Width + column) * s.InChannels : -1;
    }

    public static int Weight(ConvShape s, int kh, int kw) => (kh * s.KernelWidth + kw) * s.InChannels * s.OutChannels;

    public static float[] Loops(ConvShape s, float[] x, float[] w)
    {
        var y = new float[s.OutSize];
        for (int p = 0; p < y.Length / s.OutChannels; p++)
            for (int o = 0; o < s.OutChannels; o++)
                for (int kh = 0; kh < s.KernelHeight; kh++)
                    for (int kw = 0; kw < s.KernelWidth; kw++)
                        if (Input(s, p, kh, kw) is >= 0 and var from)
                            for (int c = 0; c < s.InChannels; c++)
                                y[p * s.OutChannels + o] += x[from + c] * w[Weight(s, kh, kw) + c * s.OutChannels + o];
        return y;
    }

    public static float[] Vectors(ConvShape s, float[] x, float[] w)
    {
        var y = new float[s.OutSize];
        for (int p = 0; p < y.Length / s.OutChannels; p++)
            for (int o = 0; o < s.OutChannels; o += Vector<float>.Count)
            {
                var sum = Vector<float>.Zero;
                for (int kh = 0; kh < s.KernelHeight; kh++)
                    for (int kw = 0; kw < s.KernelWidth; kw++)
                        if (Input(s, p, kh, kw) is >= 0 and var from)
                            for (int c = 0; c < s.InChannels; c++)
                                sum += new Vector<float>(x[from + c]) * new Vector<float>(w, Weight(s, kh, kw) + c * s.OutChannels + o);
                sum.CopyTo(y, p * s.OutChannels + o);
            }
        return y;
    }

    /// <summary>What one thread of a GPU does: one y.</summary>
    public static void Thread(Index1D i, ConvShape s, ArrayView<float> x, ArrayView<float> w, ArrayView<float> y)
    {
        int o = i % s.OutChannels, p = i / s.OutChannels;
        float sum = 0;
        for (int kh = 0; kh < s.KernelHeight; kh++)
            for (int kw = 0; kw < s.KernelWidth; kw++)
            {
                int from = Input(s, p, kh, kw);
                if (from >= 0)
                    for (int c = 0; c < s.InChannels; c++)
                        sum += x[from + c] * w[Weight(s, kh, kw) + c * s.OutChannels + o];
            }
        y[i] = sum;
    }
}
