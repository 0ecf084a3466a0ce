namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    public void Fill(Slice<float> y, float value) => throw new NotSupportedException("pending: Fill");
    public void CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride, bool accumulate) => throw new NotSupportedException("pending: CopyBlock");
    public void Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y) => throw new NotSupportedException("pending: Permute");
    public void GatherBytes(Slice<byte> table, Slice<int> indices, int width, float scale, Slice<float> y) => throw new NotSupportedException("pending: GatherBytes");
    public void GatherRows(Slice<float> table, Slice<int> indices, int width, Slice<float> y) => throw new NotSupportedException("pending: GatherRows");
    public void Unary<K>(Slice<float> x, Slice<float> y, float parameter) where K : struct, IUnaryKernel => throw new NotSupportedException("pending: Unary");
    public void UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx, bool accumulate, float parameter) where K : struct, IUnaryKernel => throw new NotSupportedException("pending: UnaryGradient");
    public void Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel => throw new NotSupportedException("pending: Binary");
    public void BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d, bool accumulate) where K : struct, IBinaryKernel => throw new NotSupportedException("pending: BinaryGradient");
    public void Sum(Slice<float> x, int outer, int n, int inner, float scale, Slice<float> y, bool accumulate) => throw new NotSupportedException("pending: Sum");
    public void Spread(Slice<float> y, int outer, int n, int inner, float scale, Slice<float> x, bool accumulate) => throw new NotSupportedException("pending: Spread");
    public void Max(Slice<float> x, int outer, int n, int inner, Slice<float> y) => throw new NotSupportedException("pending: Max");
    public void LogSumExp(Slice<float> x, int outer, int n, int inner, Slice<float> y) => throw new NotSupportedException("pending: LogSumExp");
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: Softmax");
    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: LogSoftmax");
    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: SoftmaxGradient");
    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: LogSoftmaxGradient");
    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y) => throw new NotSupportedException("pending: GumbelSoftmax");
    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits, bool accumulate) => throw new NotSupportedException("pending: GumbelSoftmaxGradient");
    public void BatchNormForward(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float momentum, float epsilon, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormForward");
    public void BatchNormInference(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float epsilon, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormInference");
    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> dx, bool accumulateDx, Slice<float> dgamma, Slice<float> dbeta, bool accumulateParameters) => throw new NotSupportedException("pending: BatchNormGradient");
    public void Random(Distribution distribution, RandomDraw draw, Slice<float> y) => throw new NotSupportedException("pending: Random");
    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z, Slice<float> kl) => throw new NotSupportedException("pending: Reparameterise");
    public void ReparameteriseGradient(int rows, int h, Slice<float> gz, Slice<float> gkl, Slice<float> mu, Slice<float> logVar, Slice<float> epsilon, Slice<float> dmu, Slice<float> dlogVar, bool accumulate) => throw new NotSupportedException("pending: ReparameteriseGradient");
    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll, Slice<float> squaredError) => throw new NotSupportedException("pending: GaussianNll");
    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> dmean, bool accumulate) => throw new NotSupportedException("pending: GaussianNllGradient");
    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll) => throw new NotSupportedException("pending: BernoulliNll");
    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits, bool accumulate) => throw new NotSupportedException("pending: BernoulliNllGradient");
    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor, Slice<float> variance) => throw new NotSupportedException("pending: UpdateVariance");
    public void MixtureLogDensity(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal) => throw new NotSupportedException("pending: MixtureLogDensity");
    public void MixtureLogDensityGradient(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz, Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias) => throw new NotSupportedException("pending: MixtureLogDensityGradient");
    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums) => throw new NotSupportedException("pending: EncodingMoments");
    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants, Slice<float> hyper) => throw new NotSupportedException("pending: Adam");
    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon, Slice<float> hyper) => throw new NotSupportedException("pending: RmsProp");
    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay, Slice<float> hyper) => throw new NotSupportedException("pending: Sgd");
}
