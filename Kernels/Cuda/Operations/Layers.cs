namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private static readonly KernelSlot BatchNormStatisticsKernel = new("normalise", "batch_norm_statistics"), BatchNormApplyKernel = new("normalise", "batch_norm_apply"),
        BatchNormGradientSumsKernel = new("normalise", "batch_norm_gradient_sums"), BatchNormGradientKernel = new("normalise", "batch_norm_gradient"),
        MaxPoolKernel = new("normalise", "max_pool"), MaxPoolGradientKernel = new("normalise", "max_pool_gradient"),
        LstmCellKernel = new("recurrent", "lstm_cell"), LstmCellGradientKernel = new("recurrent", "lstm_cell_gradient"), AffineWarpKernel = new("affine", "affine_warp"),
        AdamKernel = new("optimise", "adam"), RmsPropKernel = new("optimise", "rmsprop"), SgdKernel = new("optimise", "sgd");

    public void BatchNormForward(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance,
        float momentum, float epsilon, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> y, Activation activation)
    {
        const float DeviationIsGiven = -1;
        var plan = PlanReduction(1, rows, channels, floatsOfState: 4);
        Launch(BatchNormStatisticsKernel, plan.Grid, plan.Block, rows, channels, Read(x), runningMean, runningVariance, momentum, epsilon, mean, inverseDeviation, plan.Partial, KernelArgument.Tickets);
        Launch(BatchNormApplyKernel, Blocks(rows * channels), 256, rows * channels, (Divider)channels, Read(x), Read(gamma), Read(beta), Read(mean), Read(inverseDeviation), DeviationIsGiven, y, activation == Activation.Relu);
    }

    public void BatchNormInference(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance,
        float epsilon, Slice<float> y, Activation activation) =>
        Launch(BatchNormApplyKernel, Blocks(rows * channels), 256, rows * channels, (Divider)channels, Read(x), Read(gamma), Read(beta), Read(runningMean), Read(runningVariance), epsilon, y, activation == Activation.Relu);

    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma, Slice<float> mean, Slice<float> inverseDeviation,
        Slice<float> dx, bool accumulateDx, Slice<float> dgamma, Slice<float> dbeta, bool accumulateParameters)
    {
        var plan = PlanReduction(1, rows, channels, floatsOfState: 4);
        var sums = workspace.Floats(2L * channels);
        Launch(BatchNormGradientSumsKernel, plan.Grid, plan.Block, rows, channels, Read(g), Read(x), Read(mean), Read(inverseDeviation), sums, dgamma, dbeta, accumulateParameters, plan.Partial, KernelArgument.Tickets);
        if (!dx.IsAbsent)
            Launch(BatchNormGradientKernel, Blocks(rows * channels), 256, rows * channels, (Divider)channels, 1f / rows, Read(g), Read(x), Read(gamma), Read(mean), Read(inverseDeviation), Read(sums), dx, accumulateDx);
    }

    /// <summary>Sizes of what the threads run over, and of the other side of a pooling window.</summary>
    private readonly struct PoolGeometry(PoolShape shape, bool overInput) : ISizes
    {
        public readonly Divider Channels = shape.Channels, Width = overInput ? shape.Width : shape.OutWidth, Height = overInput ? shape.Height : shape.OutHeight;
        public readonly uint OtherHeight = (uint)(overInput ? shape.OutHeight : shape.Height), OtherWidth = (uint)(overInput ? shape.OutWidth : shape.Width);
        public readonly uint Kernel = (uint)shape.Kernel, Stride = (uint)shape.Stride;
    }

    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax)
    {
        var geometry = new PoolGeometry(shape, overInput: false);
        Launch(MaxPoolKernel, Blocks(shape.OutSize), 256, shape.OutSize, KernelArgument.Sizes(&geometry), Read(x), y, argmax);
    }

    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate)
    {
        var geometry = new PoolGeometry(shape, overInput: true);
        Launch(MaxPoolGradientKernel, Blocks(shape.InSize), 256, shape.InSize, KernelArgument.Sizes(&geometry), Read(g), Read(argmax), dx, accumulate);
    }

    public void LstmCell(int rows, int h, Slice<float> gates, Slice<float> before, Slice<float> c, Slice<float> hidden)
    {
        if (rows * h > 0)
            Launch(LstmCellKernel, Blocks(rows * h), 256, rows * h, (Divider)h, Read(gates), Read(before), c, hidden);
    }

    public void LstmCellGradient(int rows, int h, Slice<float> ghidden, Slice<float> gc, Slice<float> gates, Slice<float> before, Slice<float> c, Slice<float> dgates, Slice<float> dbefore)
    {
        if (rows * h > 0)
            Launch(LstmCellGradientKernel, Blocks(rows * h), 256, rows * h, (Divider)h, Read(ghidden), Read(gc), Read(gates), Read(before), Read(c), dgates, dbefore);
    }

    private readonly struct WarpGeometry(WarpShape shape) : ISizes
    {
        public readonly Divider Channels = shape.Channels, Width = shape.Width, Height = shape.Height;
        public readonly int Reflect = shape.Reflect ? 1 : 0;
    }

    public void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y)
    {
        var geometry = new WarpGeometry(shape);
        if (shape.Size > 0)
            Launch(AffineWarpKernel, Blocks(shape.Size), 256, shape.Size, KernelArgument.Sizes(&geometry), Read(x), Read(motion), y);
    }

    // ---- optimisers

    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants, Slice<float> hyper)
    {
        if (parameters.Length > 0)
            Launch(AdamKernel, Blocks(parameters.Length), 256, parameters, Read(gradients), m, v, parameters.Length, constants.Beta1, constants.Beta2, constants.Epsilon, constants.DecoupledWeightDecay, Read(hyper));
    }

    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon, Slice<float> hyper)
    {
        if (parameters.Length > 0)
            Launch(RmsPropKernel, Blocks(parameters.Length), 256, parameters, Read(gradients), v, parameters.Length, alpha, epsilon, Read(hyper));
    }

    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay, Slice<float> hyper)
    {
        if (parameters.Length > 0)
            Launch(SgdKernel, Blocks(parameters.Length), 256, parameters, Read(gradients), velocity, parameters.Length, momentum, weightDecay, Read(hyper));
    }
}
