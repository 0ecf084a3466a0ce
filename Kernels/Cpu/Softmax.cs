using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Softmax and its relatives over rows of n. A row of at most 16 entries lives in one vector.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y)
    {
        Require.Rows("softmax", rows, n, x, y);
        ForEach(RowParts(rows, n), new SoftmaxJob(rows, n, x.Pointer, y.Pointer));
    }

    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y)
    {
        Require.Rows("log_softmax", rows, n, x, y);
        ForEach(RowParts(rows, n), new LogSoftmaxJob(rows, n, x.Pointer, y.Pointer));
    }

    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate)
    {
        Require.Rows("softmax gradient", rows, n, g, y, dx);
        ForEach(RowParts(rows, n), new SoftmaxGradientJob(rows, n, g.Pointer, y.Pointer, 1, dx.Pointer, accumulate));
    }

    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate)
    {
        Require.Rows("log_softmax gradient", rows, n, g, y, dx);
        ForEach(RowParts(rows, n), new LogSoftmaxGradientJob(rows, n, g.Pointer, y.Pointer, dx.Pointer, accumulate));
    }

    public void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss)
    {
        CheckClasses(rows, n, logits, classes, loss);
        ForEach(RowParts(rows, n), new CrossEntropyJob(rows, n, logits.Pointer, classes.Pointer, loss.Pointer));
    }

    public void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Rows("softmax_cross_entropy gradient", rows, n, logits, dlogits);
        CheckClasses(rows, n, logits, classes, g);
        ForEach(RowParts(rows, n),
            new CrossEntropyGradientJob(rows, n, g.Pointer, logits.Pointer, classes.Pointer, dlogits.Pointer, accumulate));
    }

    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y)
    {
        Require.Rows("gumbel_softmax", rows, n, logits, y);
        CheckTemperature(temperature, orZero: true);
        Require.Draw("gumbel_softmax", draw, rows);
        var job = new GumbelSoftmaxJob(rows, n, logits.Pointer, temperature.Pointer[0], new(draw.State, draw.Draw), y.Pointer);
        ForEach(job.Parts, job);
    }

    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits,
        bool accumulate)
    {
        Require.Rows("gumbel_softmax gradient", rows, n, g, y, dlogits);
        CheckTemperature(temperature);
        ForEach(RowParts(rows, n),
            new SoftmaxGradientJob(rows, n, g.Pointer, y.Pointer, 1 / temperature.Pointer[0], dlogits.Pointer, accumulate));
    }

    private static void CheckClasses(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> perRow)
    {
        Require.Classes(rows, n, logits, classes, perRow);
        foreach (int c in classes.AsSpan())
            Require.That((uint)c < (uint)n, "softmax_cross_entropy", $"a class must be from 0 to {n - 1}, got {c}");
    }

    private static void CheckTemperature(Slice<float> temperature, bool orZero = false)
    {
        Require.Temperature(temperature);
        Require.That(temperature.Pointer[0] > 0 || (orZero && temperature.Pointer[0] == 0), "gumbel_softmax",
            $"the temperature must be positive{(orZero ? " or 0" : "")}, got {temperature.Pointer[0]}");
    }

    internal readonly struct SoftmaxJob(int rows, int n, float* x, float* y) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            SoftmaxRows<V>(x + (nint)first * n, y + (nint)first * n, last - first, n);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxRows<V>(float* x, float* y, int rows, int n) where V : struct, IVector<V>
    {
        V none = V.Broadcast(float.NegativeInfinity);
        if (n <= IVector<V>.Lanes)
        {
            for (int r = 0; r < rows; r++, x += n, y += n)
            {
                V v = Lanes.LoadPartOr(x, n, none);
                V e = Softmaxes.Exponential(v, V.Broadcast(V.MaxLanes(v)));
                V.StorePart(e * V.Broadcast((float)(1 / V.SumLanes(e))), y, n);
            }
            return;
        }
        for (int r = 0; r < rows; r++, x += n, y += n)
        {
            V max = V.Broadcast(V.MaxLanes(Rows.Largest<V>(x, n)));
            V sum = V.Broadcast(0f);
            int i = 0;
            for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            {
                V e = Softmaxes.Exponential(V.Load(x + i), max);
                V.Store(e, y + i);
                sum += e;
            }
            if (i < n)
            {
                V e = Softmaxes.Exponential(Lanes.LoadPartOr(x + i, n - i, none), max);
                V.StorePart(e, y + i, n - i);
                sum += e;
            }
            V scale = V.Broadcast((float)(1 / V.SumLanes(sum)));
            for (i = 0; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                V.Store(V.Load(y + i) * scale, y + i);
            if (i < n)
                V.StorePart(V.LoadPart(y + i, n - i) * scale, y + i, n - i);
        }
    }

    private readonly struct LogSoftmaxJob(int rows, int n, float* x, float* y) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            float* from = x + (nint)first * n, to = y + (nint)first * n;
            V none = V.Broadcast(float.NegativeInfinity);
            if (n <= IVector<V>.Lanes)
            {
                for (int r = first; r < last; r++, from += n, to += n)
                {
                    V v = Lanes.LoadPartOr(from, n, none), largest = V.Broadcast(V.MaxLanes(v));
                    V logSum = RealMath.Log(V.Broadcast((float)V.SumLanes(Softmaxes.Exponential(v, largest))));
                    V.StorePart(Softmaxes.LogSoftmax(v, largest, logSum), to, n);
                }
                return;
            }
            for (int r = first; r < last; r++, from += n, to += n)
            {
                V max = V.Broadcast(V.MaxLanes(Rows.Largest<V>(from, n)));
                V sum = V.Broadcast(0f);
                int i = 0;
                for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    sum += Softmaxes.Exponential(V.Load(from + i), max);
                if (i < n)
                    sum += Softmaxes.Exponential(Lanes.LoadPartOr(from + i, n - i, none), max);
                V log = RealMath.Log(V.Broadcast((float)V.SumLanes(sum)));
                for (i = 0; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(Softmaxes.LogSoftmax(V.Load(from + i), max, log), to + i);
                if (i < n)
                    V.StorePart(Softmaxes.LogSoftmax(V.LoadPart(from + i, n - i), max, log), to + i, n - i);
            }
        }
    }

    private readonly struct CrossEntropyJob(int rows, int n, float* logits, int* classes, float* loss) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            for (int r = first; r < last; r++)
            {
                float* x = logits + (nint)r * n;
                double sum = ExponentialSum<V>(x, n, out float largest);
                loss[r] = (float)(Math.Log(sum) - ((double)x[classes[r]] - largest));
            }
        }
    }

    /// <summary>
    /// The sum of exp(x - shift), with the shift of the row's largest entry: where the two differ, the sum is 0 or infinite.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double ExponentialSum<V>(float* x, int n, out float largest) where V : struct, IVector<V>
    {
        largest = V.MaxLanes(Rows.Largest<V>(x, n));
        V shift = Softmaxes.Shift(V.Broadcast(largest)), none = V.Broadcast(float.NegativeInfinity), sum = V.Broadcast(0f);
        int i = 0;
        for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
            sum += Softmaxes.Exponential(V.Load(x + i), shift);
        if (i < n)
            sum += Softmaxes.Exponential(Lanes.LoadPartOr(x + i, n - i, none), shift);
        return V.SumLanes(sum);
    }

    private readonly struct CrossEntropyGradientJob(int rows, int n, float* g, float* logits, int* classes, float* dlogits, bool accumulate)
        : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            for (int r = first; r < last; r++)
            {
                float* x = logits + (nint)r * n, to = dlogits + (nint)r * n;
                V scale = V.Broadcast((float)(g[r] / ExponentialSum<V>(x, n, out float largest)));
                V shift = Softmaxes.Shift(V.Broadcast(largest));
                for (int i = 0; i < n; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(n - i, IVector<V>.Lanes);
                    V d = scale * Softmaxes.Exponential(Lanes.LoadUpTo<V>(x + i, count), shift);
                    Lanes.StoreUpTo(accumulate ? Lanes.LoadUpTo<V>(to + i, count) + d : d, to + i, count);
                }
                to[classes[r]] -= g[r];
            }
        }
    }

    private readonly struct GumbelSoftmaxJob(int rows, int n, float* logits, float temperature, PhiloxLanes philox, float* y) : ILaneJob
    {
        // Four rows are a whole number of counters, whatever n is.
        private readonly int rowsPerPart = Math.Max(1, RandomChunk / Math.Max(1, n) / 4) * 4;

        public int Parts => (rows + rowsPerPart - 1) / rowsPerPart;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * rowsPerPart, last = Math.Min(rows, first + rowsPerPart), count = (last - first) * n;
            float* to = y + (nint)first * n, from = logits + (nint)first * n;
            Draws.Fill<GumbelDraw, V>(philox, first * n, to, count);
            V scale = V.Broadcast(temperature > 0 ? 1 / temperature : 1);
            int i = 0;
            for (; i <= count - IVector<V>.Lanes; i += IVector<V>.Lanes)
                V.Store(Softmaxes.Perturbed(V.Load(from + i), V.Load(to + i), scale), to + i);
            if (i < count)
                V.StorePart(Softmaxes.Perturbed(V.LoadPart(from + i, count - i), V.LoadPart(to + i, count - i), scale), to + i, count - i);
            if (temperature > 0)
                SoftmaxRows<V>(to, to, last - first, n);
            else
                for (int r = first; r < last; r++, to += n)
                    OneHot(to);
        }

        /// <summary>1 at the first largest entry, 0 elsewhere.</summary>
        private void OneHot(float* row)
        {
            int best = 0;
            for (int i = 1; i < n; i++)
                if (row[i] > row[best])
                    best = i;
            for (int i = 0; i < n; i++)
                row[i] = i == best ? 1 : 0;
        }
    }

    private readonly struct SoftmaxGradientJob(int rows, int n, float* g, float* y, float scale, float* dx, bool accumulate) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            V s = V.Broadcast(scale);
            for (int r = first; r < last; r++)
            {
                float* gr = g + (nint)r * n, yr = y + (nint)r * n, to = dx + (nint)r * n;
                V sum = V.Broadcast(0f);
                int i = 0;
                for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    sum = V.Fma(V.Load(gr + i), V.Load(yr + i), sum);
                if (i < n)
                    sum = V.Fma(V.LoadPart(gr + i, n - i), V.LoadPart(yr + i, n - i), sum);
                V mean = V.Broadcast((float)V.SumLanes(sum));
                for (i = 0; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                {
                    V d = Softmaxes.Gradient(V.Load(gr + i), V.Load(yr + i), mean, s);
                    V.Store(accumulate ? V.Load(to + i) + d : d, to + i);
                }
                int rest = n - i;
                if (rest > 0)
                {
                    V d = Softmaxes.Gradient(V.LoadPart(gr + i, rest), V.LoadPart(yr + i, rest), mean, s);
                    V.StorePart(accumulate ? V.LoadPart(to + i, rest) + d : d, to + i, rest);
                }
            }
        }
    }

    private readonly struct LogSoftmaxGradientJob(int rows, int n, float* g, float* y, float* dx, bool accumulate) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(n), last = Math.Min(rows, first + RowsPerPart(n));
            for (int r = first; r < last; r++)
            {
                float* gr = g + (nint)r * n, yr = y + (nint)r * n, to = dx + (nint)r * n;
                V sum = V.Broadcast(0f);
                int i = 0;
                for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    sum += V.Load(gr + i);
                if (i < n)
                    sum += V.LoadPart(gr + i, n - i);
                V total = V.Broadcast((float)V.SumLanes(sum));
                for (i = 0; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                {
                    V d = Softmaxes.LogGradient(V.Load(gr + i), V.Load(yr + i), total);
                    V.Store(accumulate ? V.Load(to + i) + d : d, to + i);
                }
                int rest = n - i;
                if (rest > 0)
                {
                    V d = Softmaxes.LogGradient(V.LoadPart(gr + i, rest), V.LoadPart(yr + i, rest), total);
                    V.StorePart(accumulate ? V.LoadPart(to + i, rest) + d : d, to + i, rest);
                }
            }
        }
    }
}
