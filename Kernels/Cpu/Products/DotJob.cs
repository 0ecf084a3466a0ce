using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// A product of a few rows with a transposed matrix, c = a b^T: both are read along k, so every element is a dot product and packing b
/// would cost more than the product.
/// </summary>
internal unsafe struct DotJob(MatMulShape shape, float* a, float* b, float* c, float* bias, bool relu, float* mask) : IJob
{
    private const int ColumnsPerTask = 32;

    public static bool Suits(MatMulShape shape) => shape.TransposeB && (shape.M == 1 || (shape.M <= 4 && !shape.TransposeA));

    public static int Tasks(MatMulShape shape) => (shape.N + ColumnsPerTask - 1) / ColumnsPerTask;

    public readonly void Run(int index)
    {
        for (int j = index * ColumnsPerTask; j < Math.Min(shape.N, (index + 1) * ColumnsPerTask); j++)
            for (int i = 0; i < shape.M; i++)
            {
                nint to = (nint)i * shape.N + j;
                float value = Dot(a + (nint)i * shape.K, b + (nint)j * shape.K, shape.K) + (bias == null ? 0 : bias[j]);
                Microkernels.StoreRow(&value, c + to, mask == null ? null : mask + to, 1, shape.Accumulate, relu);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* x, float* y, int count)
    {
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int k = 0;
        for (; k <= count - 32; k += 32)
        {
            s0 = Vector256.MultiplyAddEstimate(Vector256.Load(x + k), Vector256.Load(y + k), s0);
            s1 = Vector256.MultiplyAddEstimate(Vector256.Load(x + k + 8), Vector256.Load(y + k + 8), s1);
            s2 = Vector256.MultiplyAddEstimate(Vector256.Load(x + k + 16), Vector256.Load(y + k + 16), s2);
            s3 = Vector256.MultiplyAddEstimate(Vector256.Load(x + k + 24), Vector256.Load(y + k + 24), s3);
        }
        for (; k <= count - 8; k += 8)
            s0 = Vector256.MultiplyAddEstimate(Vector256.Load(x + k), Vector256.Load(y + k), s0);
        float sum = Vector256.Sum(s0 + s1 + (s2 + s3));
        for (; k < count; k++)
            sum += x[k] * y[k];
        return sum;
    }
}
