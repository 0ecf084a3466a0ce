using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Functions of one and two tensors, entry by entry.</summary>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Floats a part: a dispatch must be worth its 0.5 us, and three operands of a part fit the second-level cache.</summary>
    private const int ElementwiseChunk = 16_384;

    public void Unary<K>(Slice<float> x, Slice<float> y, float parameter) where K : struct, IUnaryKernel
    {
        Require.Unary<K>(x, y);
        ForEach(Parts(x.Length), new UnaryJob<K>(x.Pointer, y.Pointer, x.Length, parameter));
    }

    public void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter)
        where K : struct, IUnaryKernel
    {
        Require.UnaryGradient<K>(g, x, y, dx);
        // An operand that this gradient does not read may be absent; the loop then loads g in its place.
        float* xs = x.IsAbsent ? g.Pointer : x.Pointer, ys = y.IsAbsent ? g.Pointer : y.Pointer;
        ForEach(Parts(g.Length), new UnaryGradientJob<K>(g.Pointer, xs, ys, dx.Pointer, g.Length, accumulate, parameter));
    }

    public void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel
    {
        Require.Binary<K>(a, b, y);
        ForEach(Parts(y.Length), new BinaryJob<K>(a, b, y.Pointer, y.Length));
    }

    public void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate)
        where K : struct, IBinaryKernel
    {
        int n = g.Length, own = d.Length;
        Require.BinaryGradient<K>(ofA, g, a, b, y, d);
        var x = a.IsAbsent ? g : a;
        var w = b.IsAbsent ? g : b;
        var ys = y.IsAbsent ? g : y;
        if (own == n)
        {
            if (ofA)
                ForEach(Parts(n), new BinaryGradientJob<GradientOfA<K>>(g.Pointer, x, w, ys.Pointer, d.Pointer, n, accumulate));
            else
                ForEach(Parts(n), new BinaryGradientJob<GradientOfB<K>>(g.Pointer, x, w, ys.Pointer, d.Pointer, n, accumulate));
        }
        else if (ofA)
            SumColumns(new RepeatedASource<K>(g.Pointer, x.Pointer, w.Pointer, ys.Pointer), 1, n / own, own, 1, d, accumulate);
        else
            SumColumns(new RepeatedBSource<K>(g.Pointer, x.Pointer, w.Pointer, ys.Pointer), 1, n / own, own, 1, d, accumulate);
    }

    internal static int Parts(int n) => (int)(((long)n + ElementwiseChunk - 1) / ElementwiseChunk);

    internal readonly struct UnaryJob<K>(float* x, float* y, int length, float parameter) : ILaneJob where K : struct, IUnaryKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int i = part * ElementwiseChunk, end = Math.Min(length - i, ElementwiseChunk) + i;
            V p = V.Broadcast(parameter);
            for (; i <= end - IVector<V>.Lanes; i += IVector<V>.Lanes)
                V.Store(K.Forward(V.Load(x + i), p), y + i);
            if (i < end)
                V.StorePart(K.Forward(V.LoadPart(x + i, end - i), p), y + i, end - i);
        }
    }

    private readonly struct UnaryGradientJob<K>(float* g, float* x, float* y, float* dx, int length, bool accumulate, float parameter)
        : ILaneJob where K : struct, IUnaryKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int i = part * ElementwiseChunk, end = Math.Min(length - i, ElementwiseChunk) + i;
            V p = V.Broadcast(parameter);
            if (accumulate)
                for (; i <= end - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(V.Load(dx + i) + K.Gradient(V.Load(g + i), V.Load(x + i), V.Load(y + i), p), dx + i);
            else
                for (; i <= end - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(K.Gradient(V.Load(g + i), V.Load(x + i), V.Load(y + i), p), dx + i);
            int rest = end - i;
            if (rest > 0)
            {
                V d = K.Gradient(V.LoadPart(g + i, rest), V.LoadPart(x + i, rest), V.LoadPart(y + i, rest), p);
                V.StorePart(accumulate ? V.LoadPart(dx + i, rest) + d : d, dx + i, rest);
            }
        }
    }

    private readonly struct BinaryJob<K>(Slice<float> a, Slice<float> b, float* y, int length) : ILaneJob where K : struct, IBinaryKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int from = part * ElementwiseChunk, end = Math.Min(length - from, ElementwiseChunk) + from;
            float* room = stackalloc float[Repeated.Room];
            var repeated = new Repeated(a.Length < b.Length ? a : b, end - from, room);
            bool shortA = a.Length < length, shortB = b.Length < length;
            while (from < end)
            {
                int at = repeated.Position(from), n = Math.Min(repeated.Period - at, end - from);
                float* pa = shortA ? repeated.Values + at : a.Pointer + from, pb = shortB ? repeated.Values + at : b.Pointer + from,
                    py = y + from;
                int i = 0;
                for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                    V.Store(K.Forward(V.Load(pa + i), V.Load(pb + i)), py + i);
                if (i < n)
                    V.StorePart(K.Forward(V.LoadPart(pa + i, n - i), V.LoadPart(pb + i, n - i)), py + i, n - i);
                from += n;
            }
        }
    }

    private readonly struct BinaryGradientJob<K>(float* g, Slice<float> a, Slice<float> b, float* y, float* d, int length, bool accumulate)
        : ILaneJob where K : struct, IOneGradient
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int from = part * ElementwiseChunk, end = Math.Min(length - from, ElementwiseChunk) + from;
            float* room = stackalloc float[Repeated.Room];
            var repeated = new Repeated(a.Length < b.Length ? a : b, end - from, room);
            bool shortA = a.Length < length, shortB = b.Length < length;
            while (from < end)
            {
                int at = repeated.Position(from), n = Math.Min(repeated.Period - at, end - from);
                float* pa = shortA ? repeated.Values + at : a.Pointer + from, pb = shortB ? repeated.Values + at : b.Pointer + from;
                float* pg = g + from, py = y + from, pd = d + from;
                int i = 0;
                if (accumulate)
                    for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                        V.Store(V.Load(pd + i) + K.Of(V.Load(pg + i), V.Load(pa + i), V.Load(pb + i), V.Load(py + i)), pd + i);
                else
                    for (; i <= n - IVector<V>.Lanes; i += IVector<V>.Lanes)
                        V.Store(K.Of(V.Load(pg + i), V.Load(pa + i), V.Load(pb + i), V.Load(py + i)), pd + i);
                int rest = n - i;
                if (rest > 0)
                {
                    V e = K.Of(V.LoadPart(pg + i, rest), V.LoadPart(pa + i, rest), V.LoadPart(pb + i, rest), V.LoadPart(py + i, rest));
                    V.StorePart(accumulate ? V.LoadPart(pd + i, rest) + e : e, pd + i, rest);
                }
                from += n;
            }
        }
    }

    /// <summary>The gradient products that are summed over the repeats of a broadcast a.</summary>
    private readonly struct RepeatedASource<K>(float* g, float* a, float* b, float* y) : IColumnSource where K : struct, IBinaryKernel
    {
        public float* Repeated => a;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V At<V>(nint i, V repeated) where V : struct, IVector<V> =>
            K.GradientA(V.Load(g + i), repeated, V.Load(b + i), V.Load(y + i));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            K.GradientA(V.LoadPart(g + i, count), repeated, V.LoadPart(b + i, count), V.LoadPart(y + i, count));
    }

    /// <summary>The gradient products that are summed over the repeats of a broadcast b.</summary>
    private readonly struct RepeatedBSource<K>(float* g, float* a, float* b, float* y) : IColumnSource where K : struct, IBinaryKernel
    {
        public float* Repeated => b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V At<V>(nint i, V repeated) where V : struct, IVector<V> =>
            K.GradientB(V.Load(g + i), V.Load(a + i), repeated, V.Load(y + i));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V PartAt<V>(nint i, V repeated, int count) where V : struct, IVector<V> =>
            K.GradientB(V.LoadPart(g + i, count), V.LoadPart(a + i, count), repeated, V.LoadPart(y + i, count));
    }

    /// <summary>One of a binary kernel's two gradients.</summary>
    private interface IOneGradient
    {
        static abstract V Of<V>(V g, V a, V b, V y) where V : struct, IVector<V>;
    }

    private readonly struct GradientOfA<K> : IOneGradient where K : struct, IBinaryKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V g, V a, V b, V y) where V : struct, IVector<V> =>
            K.GradientA(g, a, b, y);
    }

    private readonly struct GradientOfB<K> : IOneGradient where K : struct, IBinaryKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Of<V>(V g, V a, V b, V y) where V : struct, IVector<V> =>
            K.GradientB(g, a, b, y);
    }
}
