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
        LaunchOrLink(new SampleCall { Rows = rows, H = h, Mu = mu, LogVar = logVar, Draw = draw, Epsilon = epsilon, Z = z, Kl = kl });
    }

    public void ReparameteriseGradient(int rows, int h, Slice<float> gz, Slice<float> gkl, Slice<float> mu, Slice<float> logVar, Slice<float> epsilon,
        Slice<float> dmu, Slice<float> dlogVar, bool accumulate)
    {
        if (rows * h > 0)
            LaunchOrLink(new SampleCall { IsGradient = true, Rows = rows, H = h, Gz = gz, Gkl = gkl, Mu = mu, LogVar = logVar, Epsilon = epsilon, DMu = dmu, DLogVar = dlogVar, Accumulate = accumulate });
    }

    /// <summary>A sample of q(z|x) with its KL, or the gradient of both.</summary>
    private readonly record struct SampleCall
    {
        public bool IsGradient { get; init; }
        public int Rows { get; init; }
        public int H { get; init; }
        public Slice<float> Mu { get; init; }
        public Slice<float> LogVar { get; init; }
        public RandomDraw Draw { get; init; }
        public Slice<float> Epsilon { get; init; }
        public Slice<float> Z { get; init; }
        public Slice<float> Kl { get; init; }
        public Slice<float> Gz { get; init; }
        public Slice<float> Gkl { get; init; }
        public Slice<float> DMu { get; init; }
        public Slice<float> DLogVar { get; init; }
        public bool Accumulate { get; init; }

        /// <summary>Whether four elements can share a Philox call.</summary>
        public bool InQuads => H % 4 == 0 && IsAligned(Mu) && IsAligned(LogVar) && IsAligned(Epsilon) && IsAligned(Z);
    }

    private void Launch(SampleCall c)
    {
        if (c.IsGradient)
        {
            Launch(ReparameteriseGradientKernel, Blocks(c.Rows * c.H), 256, c.Rows * c.H, (Divider)c.H, Read(c.Gz), Read(c.Gkl), Read(c.Mu), Read(c.LogVar), Read(c.Epsilon), c.DMu, c.DLogVar, c.Accumulate);
            return;
        }
        int n = c.InQuads ? c.H / 4 : c.H;
        var plan = PlanReduction(c.Rows, n, 1, floatsOfState: 0);
        Launch(ReparameteriseKernel, plan.Grid, plan.Block, c.Rows, n, c.InQuads, Read(c.Mu), Read(c.LogVar), Read(c.Draw.State), c.Draw.Draw, c.Epsilon, c.Z, c.Kl);
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
