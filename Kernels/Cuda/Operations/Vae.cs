namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int ShuffleThreads = 1024;

    private static readonly KernelSlot RandomKernel = new("random", "random_draw"), ShuffleKernel = new("random", "shuffle"),
        ReparameteriseKernel = new("vae", "reparameterise"), ReparameteriseGradientKernel = new("vae", "reparameterise_gradient"),
        GaussianNllKernel = new("vae", "gaussian_nll"), GaussianNllGradientKernel = new("vae", "gaussian_nll_gradient"),
        BernoulliNllKernel = new("vae", "bernoulli_nll"), BernoulliNllGradientKernel = new("vae", "bernoulli_nll_gradient"),
        UpdateVarianceKernel = new("vae", "update_variance"), EncodingMomentsKernel = new("vae", "encoding_moments");

    public void Random(Distribution distribution, RandomDraw draw, Slice<float> y)
    {
        if (y.Length > 0)
            Launch(RandomKernel, Blocks(y.Length, 4), 256, (int)distribution, Read(draw.State), draw.Draw, y, y.Length);
    }

    public void Shuffle(RandomDraw draw, Slice<int> order)
    {
        if (order.Length > 0)
            Launch(ShuffleKernel, 1, ShuffleThreads, Read(draw.State), draw.Draw, order.Length, order, new ScratchFloats(3L * order.Length));
    }

    public void Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon, Slice<float> z, Slice<float> kl)
    {
        if (rows == 0)
            return;
        bool quads = h % 4 == 0 && IsAligned(mu) && IsAligned(logVar) && IsAligned(epsilon) && IsAligned(z);
        int n = quads ? h / 4 : h;
        var plan = PlanReduction(rows, n, 1, floatsOfState: 0);
        Launch(ReparameteriseKernel, plan.Grid, plan.Block, rows, n, quads, Read(mu), Read(logVar), Read(draw.State), draw.Draw, epsilon, z, kl);
    }

    public void ReparameteriseGradient(int rows, int h, Slice<float> gz, Slice<float> gkl, Slice<float> mu, Slice<float> logVar, Slice<float> epsilon,
        Slice<float> dmu, Slice<float> dlogVar, bool accumulate)
    {
        if (rows * h > 0)
            Launch(ReparameteriseGradientKernel, Blocks(rows * h), 256, rows * h, (Divider)h, Read(gz), Read(gkl), Read(mu), Read(logVar), Read(epsilon), dmu, dlogVar, accumulate);
    }

    public void GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll, Slice<float> squaredError)
    {
        if (rows == 0)
            return;
        var plan = PlanReduction(rows, d, 1, floatsOfState: 2);
        Launch(GaussianNllKernel, plan.Grid, plan.Block, rows, d, Read(x), Read(mean), Read(variance), nll, squaredError, plan.Partial, KernelArgument.Tickets);
    }

    public void GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> dmean, bool accumulate)
    {
        if (rows * d > 0)
            Launch(GaussianNllGradientKernel, Blocks(rows * d), 256, rows * d, (Divider)d, Read(g), Read(x), Read(mean), Read(variance), dmean, accumulate);
    }

    public void BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll)
    {
        if (rows == 0)
            return;
        var plan = PlanReduction(rows, d, 1, floatsOfState: 2);
        Launch(BernoulliNllKernel, plan.Grid, plan.Block, rows, d, Read(x), Read(logits), nll, plan.Partial, KernelArgument.Tickets);
    }

    public void BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits, bool accumulate)
    {
        if (rows * d > 0)
            Launch(BernoulliNllGradientKernel, Blocks(rows * d), 256, rows * d, (Divider)d, Read(g), Read(x), Read(logits), dlogits, accumulate);
    }

    public void UpdateVariance(Slice<float> squaredError, double count, float decay, float maximumChange, float floor, Slice<float> variance)
    {
        var plan = PlanReduction(1, squaredError.Length, 1, floatsOfState: 2);
        Launch(UpdateVarianceKernel, plan.Grid, plan.Block, Read(squaredError), squaredError.Length, (float)(1 / count), 1 - decay, maximumChange, floor, variance, plan.Partial, KernelArgument.Tickets);
    }

    public void EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points, Slice<float> indicators)
    {
        if (rows == 0 || h == 0)
            return;
        var plan = PlanReduction(1, rows, h, floatsOfState: 8);
        Launch(EncodingMomentsKernel, plan.Grid, plan.Block, rows, h, Read(mu), Read(logVar), sums, points > 0 ? (float)(1.0 / points) : 0f, indicators, plan.Partial, KernelArgument.Tickets);
    }

    /// <summary>Whether four numbers can be read at once.</summary>
    private static bool IsAligned(Operand operand) => operand.Address % (4 * operand.Size) == 0;

    private static bool IsAligned(SlicePair pair) => IsAligned(pair.First) && IsAligned(pair.Second);
}
