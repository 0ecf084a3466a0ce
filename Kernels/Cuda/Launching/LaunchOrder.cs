namespace VaeFromScratch.Kernels.Cuda;

/// <summary>
/// Which launches of a step must wait for which earlier ones: a launch that reads what an earlier one wrote, writes what it read, or writes what it wrote. It is found from exact
/// ranges of bytes, so that memory which a step uses twice is as safe as memory of its own.
/// </summary>
internal sealed class LaunchOrder
{
    /// <summary>How many launches may have scratch memory of their own at a time.</summary>
    public const int Lanes = 8;

    /// <param name="Before">One bit for each launch that has ended when this one begins.</param>
    /// <param name="Depth">Launches on the longest chain that ends here.</param>
    private sealed record Node(MemoryUse[] Uses, bool IsUnknown, ulong[] Before, int Depth);

    private readonly List<Node> nodes = [];
    private readonly int[] lastOfLane = new int[Lanes];
    private readonly List<int> found = [];

    public LaunchOrder() => Array.Fill(lastOfLane, -1);

    /// <summary>Launches on the longest chain of those that wait for one another.</summary>
    public int LongestChain { get; private set; }

    /// <summary>
    /// The lane of scratch memory that costs a launch least: one whose last user it waits for in any case, else one that nobody has used, else the one used longest ago.
    /// </summary>
    public int ChooseLane(in LaunchMemory memory)
    {
        var before = Find(memory.Uses, memory.IsUnknown, lane: -1);
        int free = Array.FindIndex(lastOfLane, last => last >= 0 && Contains(before, last));
        if (free < 0)
            free = Array.IndexOf(lastOfLane, -1);
        return free >= 0 ? free : Array.IndexOf(lastOfLane, lastOfLane.Min());
    }

    /// <summary>Adds a launch behind all others and returns those that it must wait for, without those that they wait for themselves. Good until the next call.</summary>
    public IReadOnlyList<int> Add(in LaunchMemory memory)
    {
        var before = Find(memory.Uses, memory.IsUnknown, memory.Lane);
        int depth = 1;
        foreach (int i in found)
            depth = Math.Max(depth, 1 + nodes[i].Depth);
        if (memory.Lane >= 0)
            lastOfLane[memory.Lane] = nodes.Count;
        nodes.Add(new(memory.Uses.ToArray(), memory.IsUnknown, before, depth));
        LongestChain = Math.Max(LongestChain, depth);
        return found;
    }

    /// <summary>From the latest back: what a launch found earlier waits for needs no edge of its own.</summary>
    private ulong[] Find(ReadOnlySpan<MemoryUse> uses, bool isUnknown, int lane)
    {
        var before = new ulong[(nodes.Count + 63) / 64];
        found.Clear();
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            var node = nodes[i];
            if (Contains(before, i) || !(isUnknown || node.IsUnknown || lane >= 0 && lastOfLane[lane] == i || LaunchMemory.Conflict(uses, node.Uses)))
                continue;
            found.Add(i);
            before[i / 64] |= 1ul << i % 64;
            for (int word = 0; word < node.Before.Length; word++)
                before[word] |= node.Before[word];
        }
        return before;
    }

    private static bool Contains(ulong[] set, int i) => (set[i / 64] >> i % 64 & 1) != 0;
}
