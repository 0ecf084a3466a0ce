using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>How dependent layers of few rows are computed by one launch, see src/chain.cuh.</summary>
/// <param name="Blocks">Of a cluster, which share the columns of 16 rows: 1 to 16; more than 8 is not possible on every card.</param>
/// <param name="LeastLinks">Fewer are launched as they are without chains.</param>
public readonly record struct ChainShape(int Blocks, int LeastLinks)
{
    internal const int MostBlocks = 16;

    /// <summary>Eight blocks, which every card with clusters can place.</summary>
    public static ChainShape Usual => new(8, 2);
}

/// <remarks>
/// Calls that can be links of a chain are put off for as long as each reads what the one before has written; the first call that is no such link has them launched as one kernel.
/// Weight gradients lie between the data gradients of a backward pass and need not end a chain: those that touch nothing of it are launched before it, the others after it, and a link that
/// would spoil what such a one still has to read (the pool hands gradients' memory out again) ends the chain.
/// </remarks>
public sealed unsafe partial class CudaBackend
{
    private const int RowsOfCluster = 16, MostLinks = 8, ChainThreads = 256;

    /// <summary>Of x, whose 16 rows are in shared memory.</summary>
    private const int MostKOfLink = 2048;
    private const int SharedFloatsOfX = RowsOfCluster * (MostKOfLink + 16), SharedFloatsOfChain = SharedFloatsOfX + ChainThreads / 32 * RowsOfCluster * 32;

    /// <summary>What a block may have to fetch for one link: by counting, about as long as a launch of its own would take (src/chain.cuh).</summary>
    private const long MostBytesOfLink = 320 << 10;
    private const long LargestResultOfLink = 2 << 20;
    private const string ChainVariable = "VAE_CUDA_CHAIN";

    private static readonly KernelSlot[] ChainKernels = Array.ConvertAll([Precision.Fp32, Precision.Tf32], p => new KernelSlot($"chain_{NameOf(p)}", $"chain_{NameOf(p)}"));

    private readonly List<Link> chain = [];
    private readonly List<Access> chainAccesses = [];
    private readonly List<(TileProduct Gradient, ColumnSums Sums)> afterChain = [];
    private int accessesBeforeLastLink;
    private bool launchesBesideChain;

    /// <summary>As src/chain.cuh's.</summary>
    private enum LinkKind
    {
        Product,
        TransposedProduct,
        Reparameterise,
        ReparameterisationGradient,
    }

    /// <summary>As src/chain.cuh's.</summary>
    private struct LinkProduct
    {
        public nint X, W;
        public int N, K;
        public Columns OfX, OfW, OfY, OfBias;
        public Epilogue Epilogue;
    }

    /// <summary>As src/chain.cuh's.</summary>
    private struct LinkSample
    {
        public nint Mu, LogVar, State, Epsilon, Z, Kl, Gz, Gkl, DMu, DLogVar;
        public Divider H;
        public uint Draw;
        public int Accumulate;
    }

    /// <summary>As src/chain.cuh's.</summary>
    private struct LinkArguments
    {
        public LinkKind Kind;
        public LinkProduct Product;
        public LinkSample Sample;
    }

    [InlineArray(MostLinks)]
    private struct LinkArray
    {
        public LinkArguments First;
    }

    /// <summary>As src/chain.cuh's.</summary>
    private struct ChainArguments
    {
        public int Rows, Count;
        public LinkArray Links;
    }

    /// <summary>A call that waits to be launched with others.</summary>
    /// <param name="Product">Absent where it is the noise or its gradient.</param>
    private readonly record struct Link(LinkKind Kind, int Rows, TileProduct Product, SampleCall Sample);

    /// <summary>Memory that a link touches.</summary>
    /// <param name="Width">Floats of a row, of an array whose row r only those touch who compute row r; 0 where everyone touches everything.</param>
    private readonly record struct Access(MemoryUse Use, int Width)
    {
        /// <summary>Whether each row of the one is that row of the other: clusters then need not wait for each other.</summary>
        public bool HasTheRowsOf(Access other) => Use.Address == other.Use.Address && Width == other.Width && Width > 0;
    }

    /// <summary>A list on the stack.</summary>
    private ref struct Accesses(Span<Access> memory)
    {
        public const int Most = 12;
        private readonly Span<Access> memory = memory;
        private int count;

        public readonly ReadOnlySpan<Access> All => memory[..count];

        public void Add(nint address, long floats, int width, bool written)
        {
            if (address != 0 && floats > 0)
                memory[count++] = new(new(address, sizeof(float) * floats, written), width);
        }

        /// <summary>A matrix, or two of the same size.</summary>
        public void Add(nint address, Columns columns, long floats, int width, bool written)
        {
            Add(address, floats, width, written);
            if (address != 0 && columns.IsPair)
                Add(columns.Second(address), floats, width, written);
        }
    }

    /// <summary>Whether there are kernels that compute chains: on compute capability 9.0, of layers that are stored in float32.</summary>
    public bool CanChain => context.Architecture == CudaContext.Hopper && Precision != Precision.Bf16;

    /// <summary>
    /// Whether and how dependent layers of few rows are launched as one kernel from now on: with VAE_CUDA_CHAIN=1 when the backend was made. Sums are added in another order. Not in a step
    /// captured with <see cref="Branches"/>.
    /// </summary>
    /// <exception cref="DeviceException">Set on a GPU that cannot.</exception>
    public ChainShape? Chains
    {
        get;
        set
        {
            if (value is { } shape && (!CanChain || shape.Blocks is < 1 or > ChainShape.MostBlocks))
                throw new DeviceException($"{Name}: chains are for compute capability 9.0, fp32 and tf32, in clusters of 1 to {ChainShape.MostBlocks} blocks");
            Enter();
            field = value;
        }
    }

    public long LargestBufferToKeep => Chains is null ? 0 : LargestResultOfLink;

    /// <summary>As many as clusters can run at once.</summary>
    private int MostRowsOfChain => Chains is { } shape && branched is null ? RowsOfCluster * Math.Max(1, context.Multiprocessors / shape.Blocks) : 0;

    /// <summary>Puts the product off if it can be a link, launches it otherwise.</summary>
    private void LaunchOrLink(TileProduct product)
    {
        var (m, n, k) = (product.Product.M, product.Product.N, product.Product.K);
        bool isLink = Chains is { } shape && product.Wide.Loads && product.Wide.Stores && n > 0 && k is > 0 and <= MostKOfLink
            && sizeof(float) * ((long)k * n / shape.Blocks + RowsOfCluster * k) <= MostBytesOfLink;
        bool transposed = product.Kernels == MatMulKernels[(int)Precision][1];
        if (!isLink || (!transposed && product.Kernels != MatMulKernels[(int)Precision][0]))
        {
            Launch(product);
            return;
        }
        var touched = new Accesses(stackalloc Access[Accesses.Most]);
        var (s, e) = (product.Product, product.Epilogue);
        touched.Add(product.A.Address, s.A, (long)m * s.A.Line, (int)s.A.Line, false);
        touched.Add(product.B.Address, s.B, s.B.IsPair ? (long)k * n / 2 : (long)k * n, 0, false);
        touched.Add(e.Bias, s.Bias, s.Bias.Line, 0, false);
        touched.Add(e.ReluMask, (long)m * n, n, false);
        touched.Add(product.C.Address, s.C, (long)m * s.C.Line, (int)s.C.Line, true);
        if (!TryLink(new(transposed ? LinkKind.TransposedProduct : LinkKind.Product, m, product, default), touched.All))
            Launch(product);
    }

    /// <summary>Puts the noise or its gradient off if it can be a link, launches it otherwise.</summary>
    private void LaunchOrLink(SampleCall call)
    {
        if (Chains is null || (!call.IsGradient && !call.InQuads))
        {
            Launch(call);
            return;
        }
        var touched = new Accesses(stackalloc Access[Accesses.Most]);
        long n = (long)call.Rows * call.H;
        foreach (var read in (ReadOnlySpan<nint>)[call.Mu.Address, call.LogVar.Address, call.Gz.Address])
            touched.Add(read, n, call.H, false);
        touched.Add(call.Gkl.Address, call.Rows, 1, false);
        touched.Add(call.Draw.State.Address, call.Draw.State.Length, 0, false);
        touched.Add(call.Epsilon.Address, n, call.H, !call.IsGradient);
        foreach (var written in (ReadOnlySpan<nint>)[call.Z.Address, call.DMu.Address, call.DLogVar.Address])
            touched.Add(written, n, call.H, true);
        touched.Add(call.Kl.Address, call.Rows, 1, true);
        if (!TryLink(new(call.IsGradient ? LinkKind.ReparameterisationGradient : LinkKind.Reparameterise, call.Rows, default, call), touched.All))
            Launch(call);
    }

    private bool TryLink(Link link, ReadOnlySpan<Access> touched)
    {
        if (tuning is not null || link.Rows == 0 || link.Rows > MostRowsOfChain)
            return false;
        Ready();
        SettleWeightGradient();
        if (chain.Count > 0 && !Continues(link, touched))
            LaunchChain();
        accessesBeforeLastLink = chainAccesses.Count;
        chain.Add(link);
        chainAccesses.AddRange(touched);
        return true;
    }

    /// <summary>Whether the link can be computed in one launch with those that wait, and gains by it: it reads what the last of them writes.</summary>
    private bool Continues(Link link, ReadOnlySpan<Access> touched)
    {
        if (chain.Count == MostLinks || link.Rows != chain[0].Rows)
            return false;
        bool reads = false;
        for (int i = 0; i < chainAccesses.Count; i++)
            foreach (var access in touched)
            {
                if (!access.Use.ConflictsWith(chainAccesses[i].Use))
                    continue;
                if (!access.HasTheRowsOf(chainAccesses[i]))
                    return false;
                reads |= i >= accessesBeforeLastLink && !access.Use.Writes;
            }
        if (!reads)
            return false;
        foreach (var (gradient, sums) in afterChain)
            if (Conflict(touched, MemoryOf(gradient, sums)))
                return false;
        return true;
    }

    private static bool Conflict(ReadOnlySpan<Access> touched, in LaunchMemory memory)
    {
        foreach (var access in touched)
            foreach (ref readonly var use in memory.Uses)
                if (access.Use.ConflictsWith(use))
                    return true;
        return false;
    }

    /// <summary>Launches a weight gradient: before a chain that waits if it touches nothing of it, else behind it.</summary>
    private void LaunchBesideChain(TileProduct gradient, ColumnSums sums = default)
    {
        if (chain.Count == 0)
        {
            Launch(gradient, sums);
            return;
        }
        var memory = MemoryOf(gradient, sums);
        bool waits = Conflict(CollectionsMarshal.AsSpan(chainAccesses), memory);
        foreach (var (other, otherSums) in afterChain)
            waits |= memory.ConflictsWith(MemoryOf(other, otherSums));
        if (waits)
        {
            afterChain.Add((gradient, sums));
            return;
        }
        launchesBesideChain = true;
        try
        {
            Launch(gradient, sums);
        }
        finally
        {
            launchesBesideChain = false;
        }
    }

    /// <summary>Launches the links that wait, then the weight gradients that wait for them.</summary>
    private void LaunchChain()
    {
        if (chain.Count == 0)
            return;
        Link[] links = [.. chain];
        (TileProduct Gradient, ColumnSums Sums)[] gradients = [.. afterChain];
        ForgetChain();
        if (links.Length >= Chains!.Value.LeastLinks)
            Launch(links, Chains.Value);
        else
            foreach (var link in links)
                if (link.Kind <= LinkKind.TransposedProduct)
                    Launch(link.Product);
                else
                    Launch(link.Sample);
        foreach (var (gradient, sums) in gradients)
            Launch(gradient, sums);
    }

    private void ForgetChain()
    {
        chain.Clear();
        chainAccesses.Clear();
        afterChain.Clear();
    }

    private void Launch(ReadOnlySpan<Link> links, ChainShape shape)
    {
        var arguments = new ChainArguments { Rows = links[0].Rows, Count = links.Length };
        for (int i = 0; i < links.Length; i++)
            arguments.Links[i] = ArgumentsOf(links[i]);
        int clusters = (arguments.Rows + RowsOfCluster - 1) / RowsOfCluster;
        LaunchInClusters(ChainKernels[(int)Precision], clusters * shape.Blocks, ChainThreads, sizeof(float) * SharedFloatsOfChain, shape.Blocks, default, KernelArgument.Structure(&arguments), SharedFloatsOfX);
    }

    private static LinkArguments ArgumentsOf(Link link)
    {
        if (link.Kind <= LinkKind.TransposedProduct)
        {
            var (product, s, epilogue) = (link.Product, link.Product.Product, link.Product.Epilogue);
            epilogue.C = product.C.Address;
            epilogue.Vectors = 1;
            return new()
            {
                Kind = link.Kind,
                Product = new() { X = product.A.Address, W = product.B.Address, N = s.N, K = s.K, OfX = s.A, OfW = s.B, OfY = s.C, OfBias = s.Bias, Epilogue = epilogue },
            };
        }
        var call = link.Sample;
        return new()
        {
            Kind = link.Kind,
            Sample = new()
            {
                Mu = call.Mu.Address,
                LogVar = call.LogVar.Address,
                State = call.Draw.State.Address,
                Epsilon = call.Epsilon.Address,
                Z = call.Z.Address,
                Kl = call.Kl.Address,
                Gz = call.Gz.Address,
                Gkl = call.Gkl.Address,
                DMu = call.DMu.Address,
                DLogVar = call.DLogVar.Address,
                H = call.H,
                Draw = call.Draw.Draw,
                Accumulate = call.Accumulate ? 1 : 0,
            },
        };
    }
}
