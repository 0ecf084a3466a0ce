namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>
/// A weight gradient is nearly always followed by the gradient of the same layer's bias, which sums an array that the weight gradient reads too. So a weight gradient is put off
/// until the next call: if that is the bias gradient, extra blocks of the same launch do it; if it is anything else, the weight gradient is launched first, or beside a chain that waits
/// (Chain.cs).
/// That saves one launch for each layer of a training step.
/// </remarks>
public sealed unsafe partial class CudaBackend
{
    private const int WidestColumnSums = 32;

    private TileProduct? putOff;

    /// <summary>As src/gemm.cuh's.</summary>
    private struct ColumnSums
    {
        public nint G, Out, Partial, Tickets;
        public int Rows, Columns, Width;
        public uint FirstBlock;
        public int Accumulate, GIsHalf;
        public Columns OfG, OfOut;
    }

    private static ColumnSums ColumnSumsOf(int rows, int columns, Operand g, Columns ofG, Slice<float> sums, Columns ofSums, bool accumulate) => new()
    {
        G = g.Address,
        Out = sums.Address,
        Rows = rows,
        Columns = columns,
        Width = Math.Min(WidestColumnSums, PowerOfTwo(columns)),
        Accumulate = accumulate ? 1 : 0,
        GIsHalf = HalfIf(g, 1),
        OfG = ofG,
        OfOut = ofSums,
    };

    public void BiasGradient(int rows, int columns, Operand g, Slice<float> dbias, bool accumulate)
    {
        if (putOff is not { } gradient || columns == 0 || (g.Address != gradient.A.Address && g.Address != gradient.B.Address))
        {
            SumOf(g, 1, rows, columns, 1, dbias, accumulate);
            return;
        }
        putOff = null;
        LaunchBesideChain(gradient, ColumnSumsOf(rows, columns, g, new(columns), dbias, new(columns), accumulate));
    }

    private void PutOff(TileProduct gradient)
    {
        Ready();
        SettleWeightGradient();
        if (gradient.Product.M > 0 && gradient.Product.N > 0)
            putOff = gradient;
    }

    /// <summary>The weight gradient that waits for its bias gradient, if there is one, has waited in vain.</summary>
    private void SettleWeightGradient()
    {
        if (putOff is not { } gradient)
            return;
        putOff = null;
        LaunchBesideChain(gradient);
    }

    private void LaunchWhatWasPutOff()
    {
        if (launchesBesideChain)
            return;
        SettleWeightGradient();
        LaunchChain();
    }

    private void ForgetWhatWasPutOff()
    {
        putOff = null;
        ForgetChain();
    }
}
