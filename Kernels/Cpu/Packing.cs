using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Copies of matrix blocks in the order in which a microkernel reads them: k-major, a fixed width of neighbours per k.</summary>
internal static unsafe class Packing
{
    /// <summary>to[k * width + i] = from[i * stride + k]: rows become neighbours. Entries from <paramref name="rows"/> to <paramref name="width"/> are set to 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(float* from, nint stride, int rows, int depth, float* to, int width)
    {
        int i = 0;
        for (; i + 4 <= rows; i += 4)
        {
            float* r0 = from + i * stride, r1 = r0 + stride, r2 = r1 + stride, r3 = r2 + stride;
            float* t = to + i;
            int k = 0;
            for (; k + 4 <= depth; k += 4, t += 4 * width)
            {
                var v0 = Vector128.Load(r0 + k);
                var v1 = Vector128.Load(r1 + k);
                var v2 = Vector128.Load(r2 + k);
                var v3 = Vector128.Load(r3 + k);
                var low01 = Interleave.Low(v0, v1);
                var high01 = Interleave.High(v0, v1);
                var low23 = Interleave.Low(v2, v3);
                var high23 = Interleave.High(v2, v3);
                Vector128.Store(Interleave.LowPairs(low01, low23), t);
                Vector128.Store(Interleave.HighPairs(low01, low23), t + width);
                Vector128.Store(Interleave.LowPairs(high01, high23), t + 2 * width);
                Vector128.Store(Interleave.HighPairs(high01, high23), t + 3 * width);
            }
            for (; k < depth; k++, t += width)
            {
                t[0] = r0[k];
                t[1] = r1[k];
                t[2] = r2[k];
                t[3] = r3[k];
            }
        }
        for (; i < rows; i++)
        {
            float* r = from + i * stride;
            float* t = to + i;
            for (int k = 0; k < depth; k++, t += width)
                *t = r[k];
        }
        for (; i < width; i++)
        {
            float* t = to + i;
            for (int k = 0; k < depth; k++, t += width)
                *t = 0;
        }
    }

    /// <summary>to[k * width + i] = from[k * stride + i], 0 from <paramref name="columns"/> to <paramref name="width"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(float* from, nint stride, int columns, int depth, float* to, int width)
    {
        for (int k = 0; k < depth; k++, from += stride, to += width)
        {
            int i = 0;
            for (; i <= columns - 8; i += 8)
                Vector256.Store(Vector256.Load(from + i), to + i);
            for (; i < columns; i++)
                to[i] = from[i];
            for (; i < width; i++)
                to[i] = 0;
        }
    }

    /// <summary>A short copy without the cost of a call to the runtime.</summary>
    public static void CopyRow(float* from, float* to, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
            Vector256.Store(Vector256.Load(from + i), to + i);
        for (; i < count; i++)
            to[i] = from[i];
    }

    public static void Clear(float* to, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
            Vector256.Store(Vector256<float>.Zero, to + i);
        for (; i < count; i++)
            to[i] = 0;
    }

    /// <summary>The four steps of a 4 x 4 transposition.</summary>
    private static class Interleave
    {
        public static Vector128<float> Low(Vector128<float> a, Vector128<float> b) =>
            System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

        public static Vector128<float> High(Vector128<float> a, Vector128<float> b) =>
            System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

        public static Vector128<float> LowPairs(Vector128<float> a, Vector128<float> b) => Vector128.Create(a.GetLower(), b.GetLower());

        public static Vector128<float> HighPairs(Vector128<float> a, Vector128<float> b) => Vector128.Create(a.GetUpper(), b.GetUpper());
    }
}
