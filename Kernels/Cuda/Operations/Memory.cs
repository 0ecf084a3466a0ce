namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private static readonly KernelSlot FillKernel = new("memory", "fill"), CopyBlockKernel = new("memory", "copy_block"), PermuteKernel = new("memory", "permute"),
        GatherBytesKernel = new("memory", "gather_bytes"), GatherRowsKernel = new("memory", "gather_rows"), ConvertKernel = new("memory", "convert");

    public Storage CompactStorage => Precision == Precision.Bf16 ? Storage.Bf16 : Storage.Float32;

    public void Convert(Operand from, Operand to)
    {
        if (to.Length > 0)
            Launch(ConvertKernel, Blocks(to.Length, 4), 256, KernelArgument.Read(from), from.Storage == Storage.Bf16, to, to.Storage == Storage.Bf16, to.Length);
    }

    public void Fill(Slice<float> y, float value)
    {
        if (y.Length > 0)
            Launch(FillKernel, Blocks(y.Length, 4), 256, y, y.Length, value);
    }

    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate)
    {
        int n = rows * columns;
        if (n > 0)
            Launch(CopyBlockKernel, Blocks(n), 256, Read(from), to, n, (Divider)columns, fromStride, toStride, accumulate);
    }

    /// <summary>Axes of the permuted array from the last to the first, as the kernel takes an index apart.</summary>
    private struct Permutation : ISizes
    {
        public fixed uint Sizes[15];
        public fixed uint Strides[5];
    }

    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        const int MaxAxes = 5;
        if (sizes.Length > MaxAxes || order.Length != sizes.Length)
            throw new ArgumentException($"permute: {sizes.Length} sizes and {order.Length} axes; up to {MaxAxes} axes, one order for each, are possible");
        if (x.Length == 0)
            return;
        Span<int> strides = stackalloc int[MaxAxes];
        for (int axis = sizes.Length - 1, stride = 1; axis >= 0; stride *= sizes[axis--])
            strides[axis] = stride;
        Permutation axes;
        for (int i = 0; i < MaxAxes; i++)
        {
            int from = order.Length - 1 - i;
            var size = new Divider(from >= 0 ? sizes[order[from]] : 1);
            (axes.Sizes[3 * i], axes.Sizes[3 * i + 1], axes.Sizes[3 * i + 2]) = (size.Divisor, size.Multiplier, size.Shift);
            axes.Strides[i] = from >= 0 ? (uint)strides[order[from]] : 0;
        }
        Launch(PermuteKernel, Blocks(x.Length), 256, Read(x), y, x.Length, KernelArgument.Sizes(&axes));
    }

    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first)
    {
        if (y.Length > 0)
            Launch(GatherBytesKernel, y.Length / width, 256, Read(table), Read(indices), Read(first), width, scale, y);
    }

    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y)
    {
        if (indices.Length > 0 && width > 0)
            Launch(GatherRowsKernel, indices.Length, 256, Read(table), Read(indices), width, y);
    }
}
