using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels;

/// <summary>The least work a kernel call can do: floating-point operations, and bytes moved when each operand is touched once.</summary>
internal readonly record struct KernelCost(string Name, double Flops, double Bytes);

/// <summary>
/// Passes every call on through one method, <see cref="Invoke"/>, that a subclass records, times or checks; states each kernel's least cost
/// on the way.
/// </summary>
internal abstract class BackendDecorator(IBackend inner) : IBackend
{
    public IBackend Inner { get; } = inner;

    public string Name => Inner.Name;

    public Precision Precision => Inner.Precision;

    /// <summary>Does, or puts off, one kernel call.</summary>
    protected abstract void Invoke(KernelCost cost, Action<IBackend> call);

    public long AvailableBytes => Inner.AvailableBytes;
    public nint Allocate(long bytes) => Inner.Allocate(bytes);
    public void Free(nint address, long bytes) => Inner.Free(address, bytes);
    public virtual void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) where T : unmanaged => Inner.Upload(from, to);
    public virtual void Download<T>(Slice<T> from, Span<T> to) where T : unmanaged => Inner.Download(from, to);
    public virtual void Synchronise() => Inner.Synchronise();
    public abstract ICapturedStep Capture(Action<IBackend> step);
    public abstract void Dispose();

    private void Invoke(string name, double flops, double floats, Action<IBackend> call) =>
        Invoke(new(name, flops, sizeof(float) * floats), call);

    public void Fill(Slice<float> y, float value) => Invoke("fill", 0, y.Length, b => b.Fill(y, value));

    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate) =>
        Invoke("copy_block", 0, 2.0 * rows * columns, b => b.CopyBlock(rows, columns, from, fromStride, to, toStride, accumulate));

    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        int[] s = sizes.ToArray(), o = order.ToArray();
        Invoke("permute", 0, 2.0 * x.Length, b => b.Permute(x, s, o, y));
    }

    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first) =>
        Invoke("gather_bytes", y.Length, 1.25 * y.Length, b => b.GatherBytes(table, indices, width, scale, y, first));

    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y, Slice<int> first) =>
        Invoke("gather_rows", 0, 2.0 * y.Length, b => b.GatherRows(table, indices, width, y, first));

    public void Unary<K>(Slice<float> x, Slice<float> y, float parameter) where K : struct, IUnaryKernel =>
        Invoke(K.Name, x.Length, 2.0 * x.Length, b => b.Unary<K>(x, y, parameter));

    public void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter)
        where K : struct, IUnaryKernel =>
        Invoke(K.Name + "_gradient", x.Length, 3.0 * x.Length, b => b.UnaryGradient<K>(g, x, y, dx, accumulate, parameter));

    public void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel =>
        Invoke(K.Name, y.Length, (double)a.Length + b.Length + y.Length, k => k.Binary<K>(a, b, y));

    public void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate)
        where K : struct, IBinaryKernel =>
        Invoke(K.Name + "_gradient", g.Length, (double)g.Length + a.Length + b.Length + d.Length,
            k => k.BinaryGradient<K>(ofA, g, a, b, y, d, accumulate));

    public void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate) =>
        Invoke("sum", x.Length, (double)x.Length + y.Length, b => b.Sum(x, outer, n, inner, scale, y, accumulate));

    public void SumColumns(ReadOnlySpan<ColumnSum> sums)
    {
        var all = sums.ToArray();
        double entries = all.Sum(s => (double)s.Rows * s.Columns);
        Invoke("sum_columns", entries, entries + all.Sum(s => s.Columns), b => b.SumColumns(all));
    }

    public virtual int ColumnSumsAtOnce => Inner.ColumnSumsAtOnce;

    public void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate) =>
        Invoke("spread", x.Length, (double)x.Length + y.Length, b => b.Spread(y, outer, n, inner, scale, x, accumulate));

    public void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y) =>
        Invoke("max", x.Length, (double)x.Length + y.Length, b => b.Max(x, outer, n, inner, y));

    public void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y) =>
        Invoke("log_sum_exp", 3.0 * x.Length, (double)x.Length + y.Length, b => b.LogSumExp(x, outer, n, inner, y));

    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        Invoke("softmax", 4.0 * rows * n, 2.0 * rows * n, b => b.Softmax(rows, n, x, y));

    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) =>
        Invoke("log_softmax", 4.0 * rows * n, 2.0 * rows * n, b => b.LogSoftmax(rows, n, x, y));

    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        Invoke("softmax_gradient", 4.0 * rows * n, 3.0 * rows * n, b => b.SoftmaxGradient(rows, n, g, y, dx, accumulate));

    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) =>
        Invoke("log_softmax_gradient", 4.0 * rows * n, 3.0 * rows * n, b => b.LogSoftmaxGradient(rows, n, g, y, dx, accumulate));

    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y) =>
        Invoke("gumbel_softmax", 30.0 * rows * n, 2.0 * rows * n, b => b.GumbelSoftmax(rows, n, logits, temperature, draw, y));

    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits,
        bool accumulate) =>
        Invoke("gumbel_softmax_gradient", 5.0 * rows * n, 3.0 * rows * n,
            b => b.GumbelSoftmaxGradient(rows, n, g, y, temperature, dlogits, accumulate));

    public void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss) =>
        Invoke("softmax_cross_entropy", 3.0 * rows * n, (n + 2.0) * rows, b => b.SoftmaxCrossEntropy(rows, n, logits, classes, loss));

    public void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits,
        bool accumulate) =>
        Invoke("softmax_cross_entropy_gradient", 5.0 * rows * n, (2.0 * n + 2) * rows,
            b => b.SoftmaxCrossEntropyGradient(rows, n, g, logits, classes, dlogits, accumulate));

    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias,
        Activation activation, Slice<float> reluMask) =>
        Invoke($"matmul {(shape.TransposeA ? 'T' : 'N')}{(shape.TransposeB ? 'T' : 'N')} {shape.M}x{shape.K}x{shape.N}", shape.Flops,
            (double)shape.M * shape.K + (double)shape.K * shape.N + (double)shape.M * shape.N, k =>
                k.MatMul(shape, a, b, c, bias, activation, reluMask));

    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask) =>
        Invoke(ConvCost("conv_forward", shape), b => b.Conv2dForward(shape, x, w, y, bias, activation, accumulate, reluMask));

    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Activation activation, bool accumulate, Slice<float> reluMask) =>
        Invoke(ConvCost("conv_backward_data", shape), b => b.Conv2dBackwardData(shape, dy, w, dx, bias, activation, accumulate, reluMask));

    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate) =>
        Invoke(ConvCost("conv_backward_weight", shape), b => b.Conv2dBackwardWeight(shape, x, dy, dw, accumulate));

    private static KernelCost ConvCost(string operation, ConvShape s) =>
        new($"{operation} {s.Batch}x{s.Height}x{s.Width}x{s.InChannels}->{s.OutChannels} "
            + $"{s.KernelHeight}x{s.KernelWidth}/{s.Stride}/{s.Padding}", s.Flops,
            sizeof(float) * ((double)s.InSize + s.OutSize + s.WeightSize));

    public void ReluMask(Slice<float> y, Slice<float> g) => Invoke("relu_mask", y.Length, 3.0 * y.Length, b => b.ReluMask(y, g));

    public void BatchNormForward(int rows, int channels, Slice<float> x, BatchNormParameters parameters, BatchNormStatistics statistics,
        Slice<float> y, Activation activation) =>
        Invoke("batch_norm", 7.0 * rows * channels, 2.0 * rows * channels,
            b => b.BatchNormForward(rows, channels, x, parameters, statistics, y, activation));

    public void BatchNormInference(int rows, int channels, Slice<float> x, BatchNormParameters parameters, Slice<float> y,
        Activation activation) =>
        Invoke("batch_norm_inference", 2.0 * rows * channels, 2.0 * rows * channels,
            b => b.BatchNormInference(rows, channels, x, parameters, y, activation));

    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma,
        BatchNormStatistics statistics,
        BatchNormGradients gradients) =>
        Invoke("batch_norm_gradient", 9.0 * rows * channels, 3.0 * rows * channels,
            b => b.BatchNormGradient(rows, channels, g, x, gamma, statistics, gradients));

    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax) =>
        Invoke("max_pool", x.Length, (double)x.Length + 2.0 * y.Length, b => b.MaxPool(shape, x, y, argmax));

    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate) =>
        Invoke("max_pool_gradient", g.Length, dx.Length + 2.0 * g.Length, b => b.MaxPoolGradient(shape, g, argmax, dx, accumulate));

    public void LstmCell(int rows, int h, LstmCellValues values, Slice<float> hidden) =>
        Invoke("lstm_cell", 60.0 * rows * h, 7.0 * rows * h, b => b.LstmCell(rows, h, values, hidden));

    public void LstmCellGradient(int rows, int h, LstmCellValues values, Slice<float> ghidden, Slice<float> gc, Slice<float> dgates,
        Slice<float> dbefore) =>
        Invoke("lstm_cell_gradient", 80.0 * rows * h, 13.0 * rows * h,
            b => b.LstmCellGradient(rows, h, values, ghidden, gc, dgates, dbefore));

    public void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y) =>
        Invoke("affine_warp", 20.0 * y.Length, 2.0 * y.Length, b => b.AffineWarp(shape, x, motion, y));

    public void Random(Distribution distribution, RandomDraw draw, Slice<float> y) =>
        Invoke("random_" + distribution.ToString().ToLowerInvariant(), 40.0 * y.Length, y.Length, b => b.Random(distribution, draw, y));

    public void Shuffle(RandomDraw draw, Slice<int> order) =>
        Invoke("shuffle", 25.0 * order.Length, order.Length, b => b.Shuffle(draw, order));

    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z,
        Slice<float> kl) =>
        Invoke("reparameterise", 60.0 * rows * h, 4.0 * rows * h, b => b.Reparameterise(rows, h, mu, logVar, draw, epsilon, z, kl));

    public void ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl, Slice<float> dmu,
        Slice<float> dlogVar, bool accumulate) =>
        Invoke("reparameterise_gradient", 25.0 * rows * h, 6.0 * rows * h,
            b => b.ReparameteriseGradient(rows, h, sample, gz, gkl, dmu, dlogVar, accumulate));

    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError) =>
        Invoke("gaussian_nll", 3.0 * rows * d, 2.0 * rows * d, b => b.GaussianNll(rows, d, x, mean, variance, nll, squaredError));

    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance,
        Slice<float> dmean, bool accumulate) =>
        Invoke("gaussian_nll_gradient", 2.0 * rows * d, 3.0 * rows * d,
            b => b.GaussianNllGradient(rows, d, g, x, mean, variance, dmean, accumulate));

    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll) =>
        Invoke("bernoulli_nll", 25.0 * rows * d, 2.0 * rows * d, b => b.BernoulliNll(rows, d, x, logits, nll));

    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits,
        bool accumulate) =>
        Invoke("bernoulli_nll_gradient", 15.0 * rows * d, 3.0 * rows * d,
            b => b.BernoulliNllGradient(rows, d, g, x, logits, dlogits, accumulate));

    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor,
        Slice<float> variance) =>
        Invoke("update_variance", squaredError.Length, squaredError.Length,
            b => b.UpdateVariance(squaredError, count, decay, maximumChange, floor, variance));

    public void MixtureLogDensity(MixtureOperands mixture) =>
        InvokeMixture("mixture_log_density", mixture, mixture.Marginal.IsAbsent ? 4 : 20, 1, b => b.MixtureLogDensity(mixture));

    public void MixtureLogDensityGradient(MixtureOperands mixture, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz,
        Slice<float> dmu,
        Slice<float> dlogVar, Slice<float> dpairBias) =>
        InvokeMixture("mixture_log_density_gradient", mixture, 25, 2,
            b => b.MixtureLogDensityGradient(mixture, gJoint, gMarginal, dz, dmu, dlogVar, dpairBias));

    /// <param name="operations">For each point, component and latent.</param>
    /// <param name="passes">How often points and components are read or written.</param>
    private void InvokeMixture(string name, MixtureOperands m, double operations, double passes, Action<IBackend> call) =>
        Invoke($"{name} {m.Rows}x{m.Components}x{m.H}", operations * m.Rows * m.Components * m.H,
            passes * (m.Rows + 2.0 * m.Components) * m.H, call);

    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points,
        Slice<float> indicators) =>
        Invoke("encoding_moments", 20.0 * rows * h, 2.0 * rows * h, b => b.EncodingMoments(rows, h, mu, logVar, sums, points, indicators));

    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants,
        Slice<float> hyper, Slice<float> squaredNorm) =>
        Invoke("adam", 14.0 * parameters.Length, 7.0 * parameters.Length,
            b => b.Adam(parameters, gradients, m, v, constants, hyper, squaredNorm));

    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon,
        Slice<float> hyper, Slice<float> squaredNorm) =>
        Invoke("rmsprop", 10.0 * parameters.Length, 5.0 * parameters.Length,
            b => b.RmsProp(parameters, gradients, v, alpha, epsilon, hyper, squaredNorm));

    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay,
        Slice<float> hyper, Slice<float> squaredNorm) =>
        Invoke("sgd", 7.0 * parameters.Length, 5.0 * parameters.Length,
            b => b.Sgd(parameters, gradients, velocity, momentum, weightDecay, hyper, squaredNorm));
}
