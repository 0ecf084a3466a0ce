using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>The gradient of the mixture's log densities, by responsibilities.</summary>
/// <remarks>
/// First each pair's share of the joint, gJoint[i] exp(log term - joint[i]), goes to a [rows, components] array. Then one kernel sums over
/// components for dz and one over rows for dmu and dlogVar; a thread has four results of a latent, so that what is read once serves four.
/// </remarks>
internal sealed partial class GpuBackend
{
    public void MixtureLogDensityGradient(MixtureOperands mixture, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz,
        Slice<float> dmu,
        Slice<float> dlogVar, Slice<float> dpairBias)
    {
        Require.MixtureGradient(mixture, gJoint, gMarginal, dz, dmu, dlogVar, dpairBias);
        var (rows, components, h, _, _, _, _, joint, marginal, _, pairBias) = mixture;
        var terms = Arguments(mixture);
        var shares = workspace.Room<float>(rows * components);
        if (!gJoint.IsAbsent)
            Launch<MixtureShares, MixtureSharesArguments>(Groups(rows, JointTile.Side), Groups(components, JointTile.Side),
                Threads.Wide, Threads.Tall, new(terms, View(pairBias), View(joint), View(gJoint), shares, View(dpairBias),
                    pairBias.IsAbsent ? 0 : 1, dpairBias.IsAbsent ? 0 : 1));
        var arguments = new MixtureGradientArguments(terms, shares, View(marginal), View(gMarginal), View(dz), View(dmu), View(dlogVar),
            gJoint.IsAbsent ? 0 : 1, gMarginal.IsAbsent ? 0 : 1);
        int ofRows = Groups(Groups(rows, MixtureArguments.OfThread) * h, Threads.Wide);
        int ofComponents = Groups(Groups(components, MixtureArguments.OfThread) * h, Threads.Wide);
        Launch<MixtureGradientZ, MixtureGradientArguments>(ofRows, 1, Threads.Wide, Threads.Tall, arguments);
        Launch<MixtureGradientComponents, MixtureGradientArguments>(ofComponents, 1, Threads.Wide, Threads.Tall, arguments);
    }
}

internal readonly record struct MixtureSharesArguments(MixtureArguments Mixture, ArrayView<float> PairBias, ArrayView<float> Joint,
    ArrayView<float> G, ArrayView<float> Shares, ArrayView<float> DpairBias, int HasBias, int HasGradient);

internal readonly struct MixtureShares : IKernel<MixtureSharesArguments>
{
    public static void Run(MixtureSharesArguments a)
    {
        int firstRow = Grid.IdxX * JointTile.Side, first = Grid.IdxY * JointTile.Side;
        int row = firstRow + MixtureArguments.OfThread * Group.IdxY;
        JointTile tile = default;
        tile.Compute(a.Mixture, firstRow, first);
        Put(a, tile.Sums.A, row, first + Group.IdxX);
        Put(a, tile.Sums.B, row + 1, first + Group.IdxX);
        Put(a, tile.Sums.C, row + 2, first + Group.IdxX);
        Put(a, tile.Sums.D, row + 3, first + Group.IdxX);
    }

    private static void Put(MixtureSharesArguments a, Pair logDensity, int row, int component)
    {
        if (row >= a.Mixture.Rows || component >= a.Mixture.Components)
            return;
        int at = row * a.Mixture.Components + component;
        Lane log = JointTile.Term(logDensity, a.Mixture, a.PairBias, a.HasBias, row, component, a.Joint[row]);
        Lane share = (Lane)a.G[row] * Maths.RealMath.Exp(log);
        a.Shares[at] = share;
        if (a.HasGradient != 0)
            Store.To(a.DpairBias, at, share, 1);
    }
}

internal readonly record struct MixtureGradientArguments(MixtureArguments Mixture, ArrayView<float> Shares, ArrayView<float> Marginal,
    ArrayView<float> GMarginal, ArrayView<float> Dz, ArrayView<float> Dmu, ArrayView<float> DlogVar, int HasShares, int HasMarginal)
{
    /// <summary>So many terms are added in float before they are added to a pair.</summary>
    public const int AddedInFloat = 8;

    /// <summary>A component's share of a row's gradient in one latent; 0 behind the last row or component.</summary>
    public Lane Share(int row, int component, Lane g, Lane marginal, Lane quadratic, Lane constant)
    {
        if (row >= Mixture.Rows || component >= Mixture.Components)
            return 0f;
        Lane ofJoint = HasShares != 0 ? Shares[row * Mixture.Components + component] : 0f;
        Lane logWeight = Mixture.LogWeight(row, component);
        return HasMarginal != 0 ? GaussianComponent.Share(ofJoint, g, quadratic, constant, logWeight, marginal) : ofJoint;
    }

    /// <summary>The gradient of the marginal log density of a row and latent, 0 where there is none.</summary>
    public Lane GAt(int row, int column) => HasMarginal != 0 ? Mixture.OfRow(GMarginal, row, column) : 0f;

    public Lane MarginalAt(int row, int column) => HasMarginal != 0 ? Mixture.OfRow(Marginal, row, column) : 0f;
}

/// <summary>dz of four rows and one latent a thread, components over 8 threads.</summary>
internal readonly struct MixtureGradientZ : IKernel<MixtureGradientArguments>
{
    public static void Run(MixtureGradientArguments a)
    {
        var m = a.Mixture;
        int thread = Grid.IdxX * Threads.Wide + Group.IdxX, row = thread / m.H * MixtureArguments.OfThread, column = thread % m.H;
        Lane z0 = m.OfRow(m.Z, row, column), z1 = m.OfRow(m.Z, row + 1, column), z2 = m.OfRow(m.Z, row + 2, column);
        Lane z3 = m.OfRow(m.Z, row + 3, column);
        Lane g0 = a.GAt(row, column), g1 = a.GAt(row + 1, column), g2 = a.GAt(row + 2, column), g3 = a.GAt(row + 3, column);
        Lane l0 = a.MarginalAt(row, column), l1 = a.MarginalAt(row + 1, column), l2 = a.MarginalAt(row + 2, column),
            l3 = a.MarginalAt(row + 3, column);
        FourPairs sums = default;
        for (int j = Group.IdxY; j < m.Components;)
        {
            Lane s0 = 0f, s1 = 0f, s2 = 0f, s3 = 0f;
            for (int k = 0; k < MixtureGradientArguments.AddedInFloat && j < m.Components; k++, j += Threads.Tall)
            {
                Lane mu = m.Mu[j * m.H + column], logVar = m.LogVar[j * m.H + column];
                Lane precision = GaussianComponent.Precision(logVar), constant = GaussianComponent.Constant(logVar);
                s0 += Term(a, row, j, z0 - mu, g0, l0, precision, constant);
                s1 += Term(a, row + 1, j, z1 - mu, g1, l1, precision, constant);
                s2 += Term(a, row + 2, j, z2 - mu, g2, l2, precision, constant);
                s3 += Term(a, row + 3, j, z3 - mu, g3, l3, precision, constant);
            }
            sums.Add(s0, s1, s2, s3);
        }
        sums.SumOverY();
        if (Group.IdxY != 0)
            return;
        Put(a, row, column, sums.A);
        Put(a, row + 1, column, sums.B);
        Put(a, row + 2, column, sums.C);
        Put(a, row + 3, column, sums.D);
    }

    private static Lane Term(
        MixtureGradientArguments a, int row, int component, Lane u, Lane g, Lane marginal, Lane precision, Lane constant) =>
        GaussianComponent.ToLatent(a.Share(row, component, g, marginal, GaussianComponent.Quadratic(u, precision), constant), u, precision);

    private static void Put(MixtureGradientArguments a, int row, int column, Pair sum)
    {
        if (row < a.Mixture.Rows)
            Store.To(a.Dz, row * a.Mixture.H + column, sum.Total, 1);
    }
}

/// <summary>dmu and dlogVar of four components and one latent a thread, rows over 8 threads.</summary>
internal readonly struct MixtureGradientComponents : IKernel<MixtureGradientArguments>
{
    /// <summary>One component's latent, and its gradients' sums over a few rows.</summary>
    private struct Component
    {
        public Lane Mu, Precision, Constant, ToMu, ToLogVar;
    }

    public static void Run(MixtureGradientArguments a)
    {
        var m = a.Mixture;
        int thread = Grid.IdxX * Threads.Wide + Group.IdxX, j = thread / m.H * MixtureArguments.OfThread, column = thread % m.H;
        Component c0 = At(m, j, column), c1 = At(m, j + 1, column), c2 = At(m, j + 2, column), c3 = At(m, j + 3, column);
        FourPairs toMu = default, toLogVar = default;
        for (int row = Group.IdxY; row < m.Rows;)
        {
            for (int k = 0; k < MixtureGradientArguments.AddedInFloat && row < m.Rows; k++, row += Threads.Tall)
            {
                Lane z = m.Z[row * m.H + column], g = a.GAt(row, column), marginal = a.MarginalAt(row, column);
                Add(a, row, j, z, g, marginal, ref c0);
                Add(a, row, j + 1, z, g, marginal, ref c1);
                Add(a, row, j + 2, z, g, marginal, ref c2);
                Add(a, row, j + 3, z, g, marginal, ref c3);
            }
            toMu.Add(c0.ToMu, c1.ToMu, c2.ToMu, c3.ToMu);
            toLogVar.Add(c0.ToLogVar, c1.ToLogVar, c2.ToLogVar, c3.ToLogVar);
            Clear(ref c0);
            Clear(ref c1);
            Clear(ref c2);
            Clear(ref c3);
        }
        toMu.SumOverY();
        toLogVar.SumOverY();
        if (Group.IdxY != 0)
            return;
        Put(a, j, column, toMu.A, toLogVar.A);
        Put(a, j + 1, column, toMu.B, toLogVar.B);
        Put(a, j + 2, column, toMu.C, toLogVar.C);
        Put(a, j + 3, column, toMu.D, toLogVar.D);
    }

    private static Component At(MixtureArguments m, int component, int column)
    {
        int at = IntrinsicMath.Min(component, m.Components - 1) * m.H + column;
        Lane logVar = m.LogVar[at];
        return new() { Mu = m.Mu[at], Precision = GaussianComponent.Precision(logVar), Constant = GaussianComponent.Constant(logVar) };
    }

    private static void Add(MixtureGradientArguments a, int row, int component, Lane z, Lane g, Lane marginal, ref Component c)
    {
        Lane u = z - c.Mu, quadratic = GaussianComponent.Quadratic(u, c.Precision);
        Lane share = a.Share(row, component, g, marginal, quadratic, c.Constant);
        c.ToMu -= GaussianComponent.ToLatent(share, u, c.Precision);
        c.ToLogVar = GaussianComponent.AddToLogVar(share, quadratic, c.ToLogVar);
    }

    private static void Clear(ref Component c) => (c.ToMu, c.ToLogVar) = (0f, 0f);

    private static void Put(MixtureGradientArguments a, int component, int column, Pair toMu, Pair toLogVar)
    {
        if (component >= a.Mixture.Components)
            return;
        Store.To(a.Dmu, component * a.Mixture.H + column, toMu.Total, 1);
        Store.To(a.DlogVar, component * a.Mixture.H + column, toLogVar.Total, 1);
    }
}
