namespace VaeFromScratch.Kernels.Cpu;

public sealed unsafe partial class CpuBackend
{
    public void Softmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: Softmax");
    public void LogSoftmax(int rows, int n, Slice<float> x, Slice<float> y) => throw new NotSupportedException("pending: LogSoftmax");
    public void SoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: SoftmaxGradient");
    public void LogSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: LogSoftmaxGradient");
    public void GumbelSoftmax(int rows, int n, Slice<float> logits, Slice<float> temperature, RandomDraw draw, Slice<float> y) => throw new NotSupportedException("pending: GumbelSoftmax");
    public void GumbelSoftmaxGradient(int rows, int n, Slice<float> g, Slice<float> y, Slice<float> temperature, Slice<float> dlogits, bool accumulate) => throw new NotSupportedException("pending: GumbelSoftmaxGradient");
    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Activation activation, Slice<float> reluMask) => throw new NotSupportedException("pending: MatMul");
    public void Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask) => throw new NotSupportedException("pending: Conv2dForward");
    public void Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias, Activation activation, bool accumulate, Slice<float> reluMask) => throw new NotSupportedException("pending: Conv2dBackwardData");
    public void Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw, bool accumulate) => throw new NotSupportedException("pending: Conv2dBackwardWeight");
    public void BiasGradient(int rows, int columns, Slice<float> g, Slice<float> dbias, bool accumulate) => throw new NotSupportedException("pending: BiasGradient");
    public void ReluMask(Slice<float> y, Slice<float> g) => throw new NotSupportedException("pending: ReluMask");
    public void BatchNormForward(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float momentum, float epsilon, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormForward");
    public void BatchNormInference(int rows, int channels, Slice<float> x, Slice<float> gamma, Slice<float> beta, Slice<float> runningMean, Slice<float> runningVariance, float epsilon, Slice<float> y, Activation activation) => throw new NotSupportedException("pending: BatchNormInference");
    public void BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma, Slice<float> mean, Slice<float> inverseDeviation, Slice<float> dx, bool accumulateDx, Slice<float> dgamma, Slice<float> dbeta, bool accumulateParameters) => throw new NotSupportedException("pending: BatchNormGradient");
    public void MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax) => throw new NotSupportedException("pending: MaxPool");
    public void MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx, bool accumulate) => throw new NotSupportedException("pending: MaxPoolGradient");
    public void MixtureLogDensity(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal) => throw new NotSupportedException("pending: MixtureLogDensity");
    public void MixtureLogDensityGradient(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset, Slice<float> pairBias, Slice<float> joint, Slice<float> marginal, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz, Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias) => throw new NotSupportedException("pending: MixtureLogDensityGradient");
    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums) => throw new NotSupportedException("pending: EncodingMoments");
}
