using System.Diagnostics;
using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Models.Training;

/// <summary>
/// Cuts the batch of a step into shards and adds up what each of them gives: gradients, sums of terms, and the changes of state such as
/// running statistics, in one vector and by the fixed tree of <see cref="ShardSum"/>.
/// </summary>
/// <remarks>
/// The vector of a shard: [sums of terms, whether to stop, changes of the state of all networks, gradients of the network in its turn].
/// Shards begin each turn with the same state and add what they change of it times their share of the images, so that the state of a
/// step is the shards' mean; what nobody changes keeps its bits.
/// </remarks>
internal sealed class DataParallel : IDisposable
{
    // The flag has as many places to itself, so that what follows is aligned.
    private const int StopLength = 16;

    /// <summary>Images that a shard needs at least: one alone has no variance.</summary>
    public const int LeastImages = 2;

    private readonly Compute compute;
    private readonly ShardSum tree;
    private readonly ParameterArena[] arenas;
    private readonly Slice<float>[] before;
    private readonly int sums, states;
    private readonly float[] stop = new float[1];
    private readonly Stopwatch adding = new();

    /// <param name="shards">See <see cref="ShardSum"/>.</param>
    /// <param name="arenas">The networks that are trained.</param>
    /// <param name="sums">How many sums of terms there are.</param>
    public DataParallel(Compute compute, ICollective ranks, int shards, IEnumerable<ParameterArena> arenas, int sums)
    {
        (this.compute, this.sums, this.arenas) = (compute, sums, [.. arenas.Distinct()]);
        states = this.arenas.Sum(a => a.State.Length);
        before = [.. this.arenas.Select(a => compute.Pool.Rent<float>(a.State.Length))];
        tree = new(compute, ranks, shards, sums + StopLength + states + this.arenas.Max(a => a.Gradients.Length));
    }

    /// <summary>S, the number of shards of a batch on all ranks together.</summary>
    public int Shards => tree.Shards;

    /// <summary>The shards of this rank.</summary>
    public IEnumerable<int> Own => Enumerable.Range(tree.First, tree.Count);

    /// <summary>Time in sums over the ranks, waiting for the others included.</summary>
    public TimeSpan TimeAdding => adding.Elapsed;

    /// <summary>
    /// Which images of a batch are a shard's: the parts differ by one image at most, and follow one another. An epoch's last batch that has
    /// fewer than two images for each makes as many parts of two as it can, and nothing for the last shards.
    /// </summary>
    public (int Start, int Count) Part(int shard, int images)
    {
        int parts = Math.Clamp(images / LeastImages, 1, Shards);
        int start = (int)((long)shard * images / parts), end = (int)((shard + 1L) * images / parts);
        return shard < parts ? (start, end - start) : (images, 0);
    }

    /// <summary>The number that a shard's random draws of a step go by.</summary>
    public uint Number(long step, int shard) => (uint)(step * Shards + shard);

    /// <summary>Where a shard adds its terms, between <see cref="BeginShard"/> and <see cref="EndShard"/>.</summary>
    public Slice<float> Sums => tree.Leaf.Part(0, sums);

    /// <summary>Begins a network's turn on a batch.</summary>
    public void Begin(ParameterArena arena)
    {
        foreach (var (i, other) in arenas.Index())
            Copy(other.State, before[i]);
        tree.Begin(Length(arena));
    }

    /// <summary>First of a shard's turn; may be part of a captured step.</summary>
    public void BeginShard()
    {
        foreach (var (i, other) in arenas.Index())
            Copy(before[i], other.State);
        compute.Backend.Fill(Sums, 0);
    }

    /// <summary>Last of a shard's turn, when its backward pass is done; may be part of a captured step.</summary>
    /// <param name="share">Of the batch's images that are the shard's; the gradients have been multiplied by it.</param>
    public void EndShard(ParameterArena arena, double share)
    {
        int start = sums + StopLength;
        foreach (var (i, other) in arenas.Index())
        {
            if (other.State.Length == 0)
                continue;
            var change = tree.Leaf.Part(start, other.State.Length);
            compute.Backend.Binary<Subtract>(other.State, before[i], change);
            compute.Backend.Unary<Scale>(change, change, (float)share);
            start += change.Length;
        }
        arena.CompleteGradients();
        Copy(arena.Gradients, tree.Leaf.Part(start, arena.Gradients.Length));
        arena.ClearGradients();
    }

    /// <summary>In place of a shard's turn when the batch has no images for it.</summary>
    public void LeaveOut(ParameterArena arena) => compute.Backend.Fill(tree.Leaf.Part(0, Length(arena)), 0);

    /// <summary>Adds the shard whose turn has ended.</summary>
    /// <param name="asksToStop">Whether this rank wants all to stop after the step.</param>
    public void Add(bool asksToStop)
    {
        stop[0] = asksToStop ? 1 : 0;
        compute.Backend.Upload<float>(stop, tree.Leaf.Part(sums, 1));
        tree.Add();
    }

    /// <summary>Ends a network's turn: its gradients and all state are the sums over all shards of all ranks.</summary>
    /// <param name="into">What the sums of terms are added to.</param>
    /// <returns>Whether any rank has asked to stop.</returns>
    public bool End(ParameterArena arena, Slice<float> into)
    {
        adding.Start();
        var sum = tree.Result();
        adding.Stop();
        compute.Backend.Binary<Kernels.Functions.Add>(into, sum.Part(0, sums), into);
        int start = sums + StopLength;
        foreach (var (i, other) in arenas.Index())
        {
            if (other.State.Length == 0)
                continue;
            compute.Backend.Binary<Kernels.Functions.Add>(before[i], sum.Part(start, other.State.Length), other.State);
            start += other.State.Length;
        }
        Copy(sum.Part(start, arena.Gradients.Length), arena.Gradients);
        compute.Backend.Download(sum.Part(sums, 1), stop);
        return stop[0] > 0;
    }

    public void Dispose()
    {
        tree.Dispose();
        foreach (var slice in before)
            compute.Pool.Return(slice);
    }

    /// <summary>The length of the vector of a network's turn.</summary>
    private int Length(ParameterArena arena) => sums + StopLength + states + arena.Gradients.Length;

    private void Copy(Slice<float> from, Slice<float> to)
    {
        if (from.Length > 0)
            compute.Backend.CopyBlock(1, from.Length, from, from.Length, to, to.Length);
    }
}
