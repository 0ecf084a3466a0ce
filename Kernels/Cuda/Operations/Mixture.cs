namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int MixtureRowsPerBlock = 4, MixtureComponentsPerBlock = 128;

    private static readonly KernelSlot MixtureJointKernel = new("mixture", "mixture_joint"), MixtureMarginalKernel = new("mixture", "mixture_marginal"),
        MixtureJointSharesKernel = new("mixture", "mixture_joint_shares"), MixtureGradientZKernel = new("mixture", "mixture_gradient_z"),
        MixtureGradientComponentsKernel = new("mixture", "mixture_gradient_components");

    public void MixtureLogDensity(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset,
        Slice<float> pairBias, Slice<float> joint, Slice<float> marginal)
    {
        if (rows == 0)
            return;
        int rowBlocks = (rows + MixtureRowsPerBlock - 1) / MixtureRowsPerBlock;
        if (!joint.IsAbsent)
            Launch(MixtureJointKernel, rowBlocks, 128, rows, components, h, Read(z), Read(mu), Read(logVar), weights.Own, weights.Next, weights.Other, ownOffset, Read(pairBias), joint);
        if (!marginal.IsAbsent)
            Launch(MixtureMarginalKernel, rowBlocks * ((h + 31) / 32), new(32, 8), rows, components, h, Read(z), Read(mu), Read(logVar), weights.Own, weights.Next, weights.Other, ownOffset, marginal);
    }

    public void MixtureLogDensityGradient(int rows, int components, int h, Slice<float> z, Slice<float> mu, Slice<float> logVar, PairLogWeights weights, int ownOffset,
        Slice<float> pairBias, Slice<float> joint, Slice<float> marginal, Slice<float> gJoint, Slice<float> gMarginal,
        Slice<float> dz, Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias)
    {
        // The coefficients of the joint density are rows x components; rows are taken in portions so that they stay small.
        const int CoefficientFloats = 16 << 20;
        int portion = gJoint.IsAbsent ? rows : Math.Clamp(CoefficientFloats / components, 1, rows);
        for (int first = 0; first < rows; first += portion)
        {
            int n = Math.Min(portion, rows - first);
            Slice<float> zn = z.Part(first * h, n * h), coefficients = default, marginalN = default, gMarginalN = default;
            if (!gJoint.IsAbsent)
            {
                coefficients = workspace.Floats((long)n * components);
                Launch(MixtureJointSharesKernel, new((n + MixtureRowsPerBlock - 1) / MixtureRowsPerBlock, (components + MixtureComponentsPerBlock - 1) / MixtureComponentsPerBlock), 128,
                    n, components, h, Read(zn), Read(mu), Read(logVar), weights.Own, weights.Next, weights.Other, ownOffset + first,
                    Read(PairRows(pairBias, first, n, components)), Read(joint.Part(first, n)), Read(gJoint.Part(first, n)), coefficients, PairRows(dpairBias, first, n, components));
            }
            if (!gMarginal.IsAbsent)
                (marginalN, gMarginalN) = (marginal.Part(first * h, n * h), gMarginal.Part(first * h, n * h));
            var overComponents = PlanReduction(n, components, h, floatsOfState: 0);
            Launch(MixtureGradientZKernel, overComponents.Grid, overComponents.Block, n, components, h, Read(zn), Read(mu), Read(logVar), weights.Own, weights.Next, weights.Other, ownOffset + first,
                Read(coefficients), Read(marginalN), Read(gMarginalN), dz.Part(first * h, n * h));
            var overRows = PlanReduction(components, n, h, floatsOfState: 0);
            Launch(MixtureGradientComponentsKernel, overRows.Grid, overRows.Block, n, components, h, Read(zn), Read(mu), Read(logVar), weights.Own, weights.Next, weights.Other, ownOffset + first,
                Read(coefficients), Read(marginalN), Read(gMarginalN), dmu, dlogVar);
        }
    }

    private static Slice<float> PairRows(Slice<float> pairs, int first, int rows, int components) => pairs.IsAbsent ? default : pairs.Part(first * components, rows * components);
}
