using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels;

/// <summary>The numerical operations of one device. Sizes and addresses only: no tensors, no gradients recorded.</summary>
/// <remarks>
/// Floats are float32, arrays are contiguous and row-major, images NHWC. Reductions are deterministic: same inputs, same device, same bits,
/// whatever the
/// number of threads. Calls are ordered but, on a GPU, asynchronous; only <see cref="Download"/> and <see cref="Synchronise"/> wait.
/// Values that change from step to step (learning rate, step number, temperature) are read from device memory so that a captured step can
/// be replayed.
/// The devices of this library implement it. What is public is what a program calls by itself; layers, optimisers and random numbers have
/// operations beside it, which <c>Ops</c>, modules and <c>Rng</c> of the engine call.
/// Unless said otherwise an output may not overlap an input, and <c>accumulate</c> adds to the output instead of overwriting it.
/// </remarks>
public interface IBackend : IDeviceMemory, IDisposable
{
    /// <summary>For people: "cpu", "cuda:0".</summary>
    string Name { get; }

    /// <summary>How products and convolutions are multiplied here.</summary>
    Precision Precision { get; }

    // ---- memory

    void Upload<T>(ReadOnlySpan<T> from, Slice<T> to) where T : unmanaged;
    void Download<T>(Slice<T> from, Span<T> to) where T : unmanaged;
    void Synchronise();

    /// <summary>
    /// Runs <paramref name="step"/> with a backend that records its calls instead of doing them. Inside, nothing may be downloaded, and
    /// every buffer used must stay
    /// valid for as long as the result is replayed.
    /// </summary>
    internal ICapturedStep Capture(Action<IBackend> step);

    void Fill(Slice<float> y, float value);

    /// <summary>
    /// Copies a [rows, columns] block between arrays with row strides <paramref name="fromStride"/> and <paramref name="toStride"/> (in
    /// elements).
    /// </summary>
    void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate = false);

    /// <summary>y[permuted index] = x[index] for up to five axes: axis d of y is axis order[d] of x.</summary>
    void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y);

    /// <summary>
    /// Row r of y = scale * row indices[r + first[0]] of a table of bytes (a stored image), rows of <paramref name="width"/>; first [1] is
    /// in device memory, and 0 where absent.
    /// </summary>
    void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y, Slice<int> first = default);

    /// <summary>
    /// Row r of y = row indices[r + first[0]] of a table of floats, rows of <paramref name="width"/>; first [1] is in device memory, and 0
    /// where absent.
    /// </summary>
    void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y, Slice<int> first = default);

    // ---- elementwise

    /// <summary>y = f(x, parameter); y may be x.</summary>
    void Unary<K>(Slice<float> x, Slice<float> y, float parameter = 0) where K : struct, IUnaryKernel;

    /// <summary>dx (+)= f'(x) g; dx may be g. An operand that this gradient does not use may be absent.</summary>
    void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter = 0)
        where K : struct, IUnaryKernel;

    /// <summary>
    /// y[i] = f(a[i mod |a|], b[i mod |b|]): the shorter operand's length divides the longer's, which is y's. y may be a full-length
    /// operand.
    /// </summary>
    void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel;

    /// <summary>
    /// d (+)= df/da g or df/db g; where the operand was broadcast, the sum over its repeats. d has the operand's length; an operand that
    /// this gradient does not use may be absent.
    /// </summary>
    void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate)
        where K : struct, IBinaryKernel;

    // ---- reductions; x is [outer, n, inner], y is [outer, inner]

    /// <summary>y (+)= scale * sum over n, right to about 1e-7 of the sum of magnitudes however long it is.</summary>
    void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate = false);

    /// <summary>
    /// Sums down columns that do not depend on one another, such as gradients of biases; no two may have the same result.
    /// </summary>
    internal void SumColumns(ReadOnlySpan<ColumnSum> sums);

    /// <summary>
    /// How many sums <see cref="SumColumns"/> does in the time of one: whoever can wait collects so many. 1 where waiting gains nothing.
    /// </summary>
    internal int ColumnSumsAtOnce { get; }

    /// <summary>x[o, n, i] (+)= scale * y[o, i]: the gradient of <see cref="Sum"/>.</summary>
    void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate = false);

    void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y);

    /// <summary>y = log sum exp over n; -infinity where every entry is.</summary>
    void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y);

    // ---- softmax over rows of n

    void Softmax(int rows, int n, Slice<float> x, Slice<float> y);
    void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y);

    /// <summary>dx (+)= y (g - sum(g y)), y the softmax.</summary>
    void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate);

    /// <summary>dx (+)= g - exp(y) sum(g), y the log-softmax.</summary>
    void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate);

    /// <summary>
    /// y = softmax((log softmax(logits) + Gumbel noise) / temperature[0]) per row (equations.md (C1)); at temperature 0 its limit, 1 at the
    /// first largest entry and 0
    /// elsewhere: an exact sample of the category.
    /// </summary>
    internal void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y);

    /// <summary>
    /// dlogits (+)= y (g - sum(g y)) / temperature[0]: shifting a row's logits does not move y, so log-softmax drops out.
    /// </summary>
    internal void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits,
        bool accumulate);

    /// <summary>loss[r] = log sum_c exp(logits[r, c]) - logits[r, classes[r]], nats; every class is in [0, n).</summary>
    void SoftmaxCrossEntropy(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> loss);

    /// <summary>dlogits (+)= g[r] (softmax(logits[r]) - one-hot(classes[r])).</summary>
    void SoftmaxCrossEntropyGradient(int rows, int n, Slice<float> g, Slice<float> logits, Slice<int> classes, Slice<float> dlogits,
        bool accumulate);

    // ---- matrix products and convolutions, sums in float32

    /// <summary>
    /// c = activation(c, when accumulating, + op(a) op(b) + bias [N], when present). Where <paramref name="reluMask"/> [M, N] is present
    /// and &lt;= 0, product and bias count 0; what is accumulated to stays.
    /// </summary>
    void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias = default,
        Activation activation = Activation.None, Slice<float> reluMask = default);

    /// <summary>y = x * w + bias [OutChannels], then the activation; <paramref name="reluMask"/> as in <see cref="MatMul"/>.</summary>
    void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias = default,
        Activation activation = Activation.None, bool accumulate = false, Slice<float> reluMask = default);

    /// <summary>
    /// dx = the transposed map of dy, + bias [InChannels], then the activation; <paramref name="reluMask"/> as in <see cref="MatMul"/>.
    /// </summary>
    void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias = default,
        Activation activation = Activation.None, bool accumulate = false, Slice<float> reluMask = default);

    /// <summary>dw (+)= the gradient with respect to the weights.</summary>
    void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate);

    /// <summary>g *= (y > 0), in place: the gradient of a fused ReLU whose output was y.</summary>
    void ReluMask(Slice<float> y, Slice<float> g);

    // ---- layers

    /// <summary>
    /// Batch normalisation of x [rows, channels] by the batch's own statistics, then the activation. Writes the statistics for the
    /// gradient,
    /// and moves the running mean and (unbiased) variance by the parameters' momentum, as PyTorch does.
    /// </summary>
    internal void BatchNormForward(int rows, int channels, Slice<float> x, BatchNormParameters parameters, BatchNormStatistics statistics,
        Slice<float> y, Activation activation);

    /// <summary>Batch normalisation by the running statistics.</summary>
    internal void BatchNormInference(int rows, int channels, Slice<float> x, BatchNormParameters parameters, Slice<float> y,
        Activation activation);

    /// <summary>dx (+)= , dgamma (+)= , dbeta (+)= . g is the gradient before the activation (already masked).</summary>
    internal void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma,
        BatchNormStatistics statistics, BatchNormGradients gradients);

    /// <summary>y = the maximum of each window; argmax holds the index into x of the first largest entry.</summary>
    void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax);

    /// <summary>dx (+)= g scattered to argmax.</summary>
    void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate);

    /// <summary>
    /// One step of a long short-term memory from its gates i, f, g, o: c = sigmoid(f) before + sigmoid(i) tanh(g); hidden [rows, h] =
    /// sigmoid(o) tanh(c).
    /// </summary>
    internal void LstmCell(int rows, int h, LstmCellValues values, Slice<float> hidden);

    /// <summary>
    /// The gradients of <see cref="LstmCell"/> with respect to its gates and the cell state before, given that of hidden and, unless
    /// absent,
    /// that of c. dbefore may be gc; it is absent where the state before is.
    /// </summary>
    internal void LstmCellGradient(int rows, int h, LstmCellValues values, Slice<float> ghidden, Slice<float> gc, Slice<float> dgates,
        Slice<float> dbefore);

    /// <summary>
    /// y = each image of x under its own motion about the centre, between pixels bilinear. Motion of an image:
    /// <see cref="WarpShape.MotionSize"/> numbers,
    /// rotation in turns, scale - 1, shear, shift right and down in pixels, and, when positive, a mirror image left to right.
    /// </summary>
    internal void AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y);

    // ---- randomness

    internal void Random(Distribution distribution, RandomDraw draw, Slice<float> y);

    /// <summary>
    /// order = 0, 1, .. shuffled by Fisher and Yates' method, with the words of the draw, as <see cref="Philox.Shuffle"/> does it.
    /// </summary>
    internal void Shuffle(RandomDraw draw, Slice<int> order);

    // ---- fused terms of a VAE

    /// <summary>
    /// z = mu + exp(logVar / 2) eps, eps the normal draw (equations.md (V1)); kl[r] = sum_h KL (V2), nats. All [rows, h] but kl [rows]; eps
    /// is stored for the gradient.
    /// </summary>
    internal void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon,
        Slice<float> z, Slice<float> kl);

    /// <summary>
    /// dmu (+)= gz + gkl[r] mu; dlogVar (+)= gz eps exp(logVar / 2) / 2 + gkl[r] (exp(logVar) - 1) / 2. gz or gkl may be absent.
    /// </summary>
    internal void ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl, Slice<float> dmu,
        Slice<float> dlogVar, bool accumulate);

    /// <summary>
    /// nll[r] = 1/2 sum_d ((x - mean)^2 / s2 + log(2 pi s2)), s2 = variance[0] (equations.md (N1)); squaredError[r] = sum_d (x - mean)^2.
    /// </summary>
    void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError);

    /// <summary>dmean (+)= g[r] (mean - x) / variance[0].</summary>
    void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> dmean,
        bool accumulate);

    /// <summary>nll[r] = sum_d (softplus(a) - x a), a the logits (equations.md (N5)).</summary>
    void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll);

    /// <summary>dlogits (+)= g[r] (sigmoid(a) - x).</summary>
    void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits, bool accumulate);

    /// <summary>
    /// The running closed form of a learned variance (equations.md (N2)): s2 moves towards sum(squaredError) / count by the factor 1 -
    /// decay, but by no more than a
    /// factor 1 +- maximumChange in this call, and never below floor. variance is [1].
    /// </summary>
    internal void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor,
        Slice<float> variance);

    /// <summary>
    /// Log densities of z [rows, h] under the mixture of diagonal Gaussians mu, logVar [components, h] (equations.md (X1), (X2)):
    /// joint[i] = logsumexp_j (log w_ij + pairBias[i, j] + sum_h log N(z_ih | mu_jh, s2_jh)), marginal[i, h] = logsumexp_j (log w_ij + log
    /// N(z_ih | ..)).
    /// </summary>
    internal void MixtureLogDensity(MixtureOperands mixture);

    /// <summary>
    /// Gradients of <see cref="MixtureLogDensity"/>: adds to dz, dmu, dlogVar and (when present) dpairBias. gJoint [rows] or gMarginal
    /// [rows, h] may be absent.
    /// </summary>
    internal void MixtureLogDensityGradient(MixtureOperands mixture, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz,
        Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias);

    /// <summary>
    /// One pass over encodings [rows, h]: adds each factor's sums of exp(logVar), mu^2, mu and logVar to sums [4, h, 2], each as an
    /// unevaluated pair high + low
    /// of about 48 bits. Enough for (I1)-(I5) and (D1)-(D7) of equations.md; call it once per chunk of a stream. Where
    /// <paramref name="indicators"/> [6, h] is present, the
    /// same launch writes each factor's indicators of all <paramref name="points"/> rows summed so far, in nats: s* (I1), (I2), (I4), (I5),
    /// mean KL (its part of (D1)), and
    /// KL(N(0, s*) || N(0, 1)) (its part of (D5)).
    /// </summary>
    void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points = 0,
        Slice<float> indicators = default);

    // ---- optimisers, over one contiguous run of parameters; the sum of the gradients' squares is added to squaredNorm [1], where present

    /// <summary>
    /// Adam or AdamW in one pass. <paramref name="hyper"/> [3]: learning rate, 1 - beta1^t, 1 - beta2^t, in device memory.
    /// </summary>
    internal void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants,
        Slice<float> hyper, Slice<float> squaredNorm = default);

    /// <summary>RMSprop as PyTorch's: v = alpha v + (1 - alpha) g^2; p -= hyper[0] g / (sqrt(v) + epsilon).</summary>
    internal void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon,
        Slice<float> hyper, Slice<float> squaredNorm = default);

    /// <summary>SGD with momentum as PyTorch's: u = momentum u + g + weightDecay p; p -= hyper[0] u.</summary>
    internal void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay,
        Slice<float> hyper, Slice<float> squaredNorm = default);
}

/// <summary>A recorded sequence of kernel calls.</summary>
internal interface ICapturedStep : IDisposable
{
    /// <summary>Kernel calls in the sequence.</summary>
    int Calls { get; }

    void Replay();
}
