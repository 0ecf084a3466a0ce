namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: Softmax");
    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: LogSoftmax");
    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: SoftmaxGradient");
    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: LogSoftmaxGradient");
    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y) => throw new NotSupportedException("pending: GumbelSoftmax");
    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits, bool accumulate) => throw new NotSupportedException("pending: GumbelSoftmaxGradient");
    public void BatchNormForward(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float momentum, float epsilon, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormForward");
    public void BatchNormInference(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float epsilon, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormInference");
    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> dx, bool accumulateDx, Slice<float> dgamma, Slice<float> dbeta, bool accumulateParameters) => throw new NotSupportedException("pending: BatchNormGradient");
    public void MixtureLogDensity(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal) => throw new NotSupportedException("pending: MixtureLogDensity");
    public void MixtureLogDensityGradient(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz, Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias) => throw new NotSupportedException("pending: MixtureLogDensityGradient");
    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums) => throw new NotSupportedException("pending: EncodingMoments");
}
