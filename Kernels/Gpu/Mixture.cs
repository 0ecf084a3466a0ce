using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Log densities under a mixture of all encodings (equations.md (X1), (X2)), without a rows x components x h array.</summary>
/// <remarks>
/// A thread works on four rows, so that what belongs to a component is made once for four. The joint density is bound by multiplications:
/// tiles of 32 rows and 32 components in shared memory. The marginals are bound by one exponential for each row, component and latent.
/// </remarks>
internal sealed partial class GpuBackend
{
    public void MixtureLogDensity(MixtureOperands mixture)
    {
        Require.Mixture("mixture_log_density", mixture);
        var (rows, components, h, _, _, _, _, joint, marginal, _, pairBias) = mixture;
        var terms = Arguments(mixture);
        if (!joint.IsAbsent)
        {
            int groups = Groups(rows, JointTile.Side), parts = PartsOf(components, JointTile.Side, groups);
            int perPart = Groups(Groups(components, parts), JointTile.Side) * JointTile.Side;
            Launch<MixtureJoint, MixtureJointArguments>(groups, parts, Threads.Wide, Threads.Tall, new(terms, View(pairBias), View(joint),
                workspace.Room<LogSum>(parts * rows), workspace.Tickets, parts, perPart, pairBias.IsAbsent ? 0 : 1));
        }
        if (!marginal.IsAbsent)
            Launch<MixtureMarginal, MixtureMarginalArguments>(Groups(Groups(rows, MixtureArguments.OfThread) * h, Threads.Wide), 1,
                Threads.Wide, Threads.Tall, new(terms, View(marginal)));
    }

    private MixtureArguments Arguments(MixtureOperands m) =>
        new(View(m.Z), View(m.Mu), View(m.LogVar), m.Rows, m.Components, m.H, m.Weights, m.OwnOffset);
}

internal readonly record struct MixtureArguments(ArrayView<float> Z, ArrayView<float> Mu, ArrayView<float> LogVar, int Rows, int Components,
    int H, PairLogWeights Weights, int OwnOffset)
{
    /// <summary>Rows, or components, of one thread.</summary>
    public const int OfThread = 4;

    /// <summary>The logarithm of a component's weight for a row.</summary>
    public Lane LogWeight(int row, int component)
    {
        // A row's own component may lie beyond the last: then no component is its own.
        int own = row + OwnOffset, next = own + 1 < Components ? own + 1 : (own + 1) % Components;
        return component == own ? Weights.Own : component == next ? Weights.Next : Weights.Other;
    }

    /// <summary>Entry [row, column] of z or of what has its shape; 0 behind the last row.</summary>
    public Lane OfRow(ArrayView<float> x, int row, int column) => row < Rows ? x[row * H + column] : 0f;
}

/// <summary>The log densities of a tile of 32 rows and 32 components: a thread those of four rows, 4 y and on, under component x.</summary>
internal struct JointTile
{
    public const int Side = Threads.Wide;
    private const int Latents = 16, Stride = Side + 1;

    /// <summary>
    /// Sums over latents. What matters is how much they differ from the joint density, and all can be in the thousands: hence pairs.
    /// </summary>
    public FourPairs Sums;

    /// <summary>Every thread of the group must take part.</summary>
    public void Compute(MixtureArguments a, int firstRow, int firstComponent)
    {
        ArrayView<float> zs = SharedMemory.Allocate<float>(Latents * Stride), mus = SharedMemory.Allocate<float>(Latents * Stride);
        ArrayView<float> precisions = SharedMemory.Allocate<float>(Latents * Stride);
        ArrayView<float> constants = SharedMemory.Allocate<float>(Latents * Stride);
        Sums = default;
        int thread = Group.IdxY * Threads.Wide + Group.IdxX, latent = thread % Latents;
        for (int h = 0; h < a.H; h += Latents)
        {
            Intrinsic.Barrier();
            for (int k = thread / Latents; k < Side; k += Threads.PerGroup / Latents)
            {
                int to = latent * Stride + k, component = firstComponent + k, at = component * a.H + h + latent;
                // Places outside count 0: precision and constant are 0 there.
                int inside = h + latent < a.H && component < a.Components ? 1 : 0;
                zs[to] = h + latent < a.H ? a.OfRow(a.Z, firstRow + k, h + latent) : 0f;
                mus[to] = inside != 0 ? a.Mu[at] : 0f;
                precisions[to] = inside != 0 ? GaussianComponent.Precision<Lane>(a.LogVar[at]) : 0f;
                constants[to] = inside != 0 ? GaussianComponent.Constant<Lane>(a.LogVar[at]) : 0f;
            }
            Intrinsic.Barrier();
            Lane s0 = 0f, s1 = 0f, s2 = 0f, s3 = 0f;
            for (int l = 0; l < Latents; l++)
            {
                int of = l * Stride + Group.IdxX, row = l * Stride + MixtureArguments.OfThread * Group.IdxY;
                Lane mu = mus[of], precision = precisions[of], constant = constants[of];
                s0 += GaussianComponent.LogDensity<Lane>(zs[row], mu, precision, constant);
                s1 += GaussianComponent.LogDensity<Lane>(zs[row + 1], mu, precision, constant);
                s2 += GaussianComponent.LogDensity<Lane>(zs[row + 2], mu, precision, constant);
                s3 += GaussianComponent.LogDensity<Lane>(zs[row + 3], mu, precision, constant);
            }
            Sums.Add(s0, s1, s2, s3);
        }
    }

    /// <summary>The log density of a row with its weight and pair bias, less <paramref name="subtracted"/>.</summary>
    public static Lane Term(Pair logDensity, MixtureArguments a, ArrayView<float> pairBias, int hasBias, int row, int component,
        Lane subtracted)
    {
        logDensity.Add(a.LogWeight(row, component) + (hasBias != 0 ? pairBias[row * a.Components + component] : 0f));
        logDensity.Add(-subtracted);
        return logDensity.Total;
    }
}

internal readonly record struct MixtureJointArguments(MixtureArguments Mixture, ArrayView<float> PairBias, ArrayView<float> Joint,
    ArrayView<LogSum> Partial, ArrayView<int> Tickets, int Parts, int ComponentsPerPart, int HasBias);

/// <summary>
/// 32 rows a group, components over threads and over groups; the last group of some rows to finish merges the groups' sums in order.
/// </summary>
internal readonly struct MixtureJoint : IKernel<MixtureJointArguments>
{
    private const int Stride = JointTile.Side + 1;

    public static void Run(MixtureJointArguments a)
    {
        int firstRow = Grid.IdxX * JointTile.Side, first = Grid.IdxY * a.ComponentsPerPart;
        int last = IntrinsicMath.Min(a.Mixture.Components, first + a.ComponentsPerPart);
        LogSum s0 = LogSum.Empty, s1 = s0, s2 = s0, s3 = s0;
        JointTile tile = default;
        int row = firstRow + MixtureArguments.OfThread * Group.IdxY;
        for (int j = first; j < last; j += JointTile.Side)
        {
            tile.Compute(a.Mixture, firstRow, j);
            int component = j + Group.IdxX;
            Add(a, tile.Sums.A, row, component, ref s0);
            Add(a, tile.Sums.B, row + 1, component, ref s1);
            Add(a, tile.Sums.C, row + 2, component, ref s2);
            Add(a, tile.Sums.D, row + 3, component, ref s3);
        }
        // From here on x counts rows.
        var states = SharedMemory.Allocate<LogSum>(JointTile.Side * Stride);
        int at = MixtureArguments.OfThread * Group.IdxY * Stride + Group.IdxX;
        states[at] = s0;
        states[at + Stride] = s1;
        states[at + 2 * Stride] = s2;
        states[at + 3 * Stride] = s3;
        Intrinsic.Barrier();
        var own = LogSum.Empty;
        for (int k = Group.IdxY; k < JointTile.Side; k += Threads.Tall)
            own.Merge(states[Group.IdxX * Stride + k]);
        own.MergeOverY();
        row = firstRow + Group.IdxX;
        int slot = row * a.Parts;
        if (Group.IdxY == 0 && row < a.Mixture.Rows)
            a.Partial[slot + Grid.IdxY] = own;
        // All groups walk through what follows, for its barriers; only the last has parts to merge.
        int parts = Parts.IsLast(a.Tickets, Grid.IdxX, a.Parts) && row < a.Mixture.Rows ? a.Parts : 0;
        var total = LogSum.Empty;
        for (int p = Group.IdxY; p < parts; p += Threads.Tall)
            total.Merge(a.Partial[slot + p]);
        total.MergeOverY();
        if (Group.IdxY == 0 && parts > 0)
            a.Joint[row] = total.Value;
    }

    private static void Add(MixtureJointArguments a, Pair logDensity, int row, int component, ref LogSum sum)
    {
        if (row < a.Mixture.Rows && component < a.Mixture.Components)
            sum.Add(JointTile.Term(logDensity, a.Mixture, a.PairBias, a.HasBias, row, component, 0f));
    }
}

internal readonly record struct MixtureMarginalArguments(MixtureArguments Mixture, ArrayView<float> Marginal);

/// <summary>Four rows' densities of one latent a thread, components over 8 threads.</summary>
internal readonly struct MixtureMarginal : IKernel<MixtureMarginalArguments>
{
    public static void Run(MixtureMarginalArguments a)
    {
        var m = a.Mixture;
        int thread = Grid.IdxX * Threads.Wide + Group.IdxX, row = thread / m.H * MixtureArguments.OfThread, column = thread % m.H;
        Lane z0 = m.OfRow(m.Z, row, column), z1 = m.OfRow(m.Z, row + 1, column), z2 = m.OfRow(m.Z, row + 2, column);
        Lane z3 = m.OfRow(m.Z, row + 3, column);
        LogSum s0 = LogSum.Empty, s1 = s0, s2 = s0, s3 = s0;
        for (int j = Group.IdxY; j < m.Components; j += Threads.Tall)
        {
            Lane mu = m.Mu[j * m.H + column], logVar = m.LogVar[j * m.H + column];
            Lane precision = GaussianComponent.Precision(logVar), constant = GaussianComponent.Constant(logVar);
            s0.Add(GaussianComponent.LogDensity(z0, mu, precision, constant) + m.LogWeight(row, j));
            s1.Add(GaussianComponent.LogDensity(z1, mu, precision, constant) + m.LogWeight(row + 1, j));
            s2.Add(GaussianComponent.LogDensity(z2, mu, precision, constant) + m.LogWeight(row + 2, j));
            s3.Add(GaussianComponent.LogDensity(z3, mu, precision, constant) + m.LogWeight(row + 3, j));
        }
        s0.MergeOverY();
        s1.MergeOverY();
        s2.MergeOverY();
        s3.MergeOverY();
        if (Group.IdxY != 0)
            return;
        Put(a, row, column, s0);
        Put(a, row + 1, column, s1);
        Put(a, row + 2, column, s2);
        Put(a, row + 3, column, s3);
    }

    private static void Put(MixtureMarginalArguments a, int row, int column, LogSum sum)
    {
        if (row < a.Mixture.Rows)
            a.Marginal[row * a.Mixture.H + column] = sum.Value;
    }
}
