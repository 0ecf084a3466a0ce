namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    public void Unary<K>(Slice<float> x, Slice<float> y, float parameter) where K : struct, IUnaryKernel
    {
        if (x.Length > 0)
            Launch(UnarySlots<K>.Forward, Blocks(x.Length, 4), 256, Read(x), y, x.Length, parameter);
    }

    public void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter) where K : struct, IUnaryKernel
    {
        if (g.Length > 0)
            Launch(UnarySlots<K>.Gradient, Blocks(g.Length, 4), 256, Read(g), Read(x), Read(y), dx, g.Length, parameter, accumulate);
    }

    public void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel
    {
        if (y.Length > 0)
            Launch(BinarySlots<K>.Forward, Blocks(y.Length, 4), 256, Read(a), (Divider)a.Length, Read(b), (Divider)b.Length, y, y.Length);
    }

    public void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate) where K : struct, IBinaryKernel
    {
        int n = g.Length;
        if (n == 0)
            return;
        int length = ofA ? a.Length : b.Length;
        if (length == n)
        {
            Launch(BinarySlots<K>.Gradient, Blocks(n), 256, ofA, Read(g), Read(a), (Divider)a.Length, Read(b), (Divider)b.Length, Read(y), d, n, accumulate);
            return;
        }
        var plan = PlanReduction(1, n / length, length, floatsOfState: 2);
        Launch(BinarySlots<K>.GradientSum, plan.Grid, plan.Block, ofA, Read(g), Read(a), (Divider)a.Length, Read(b), (Divider)b.Length, Read(y), d, n / length, length, accumulate, plan.Partial, KernelArgument.Tickets);
    }

    public void ReluMask(Slice<float> y, Slice<float> g)
    {
        if (y.Length > 0)
            Launch(ReluMaskKernel, Blocks(y.Length), 256, Read(y), g, y.Length);
    }
}
