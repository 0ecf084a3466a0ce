using System.Text.RegularExpressions;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>An instruction of PTX: "@%p1 bra L_3" has the code "bra", the operands "L_3" and a guard.</summary>
internal readonly record struct PtxInstruction(string Code, string Operands, bool Guarded)
{
    public override string ToString() => $"{Code} {Operands}";
}

/// <summary>A kernel's PTX as instructions and as the loops that its branches make.</summary>
internal sealed partial class PtxText
{
    private readonly List<(int First, int End, List<int> Next)> blocks = [];

    public PtxText(string ptx)
    {
        var labels = new Dictionary<string, int>();
        var starts = new SortedSet<int> { 0 };
        foreach (string line in ptx.Split('\n'))
            if (Label().Match(line) is { Success: true } label)
            {
                labels[label.Groups[1].Value] = Instructions.Count;
                starts.Add(Instructions.Count);
            }
            else if (Instruction().Match(line) is { Success: true } match)
            {
                Instructions.Add(new(match.Groups[2].Value, match.Groups[3].Value.Trim(), match.Groups[1].Success));
                if (Ends(Instructions[^1]))
                    starts.Add(Instructions.Count);
            }
        int[] first = [.. starts.Where(s => s < Instructions.Count)];
        var number = first.Index().ToDictionary(pair => pair.Item, pair => pair.Index);
        for (int b = 0; b < first.Length; b++)
        {
            int end = b + 1 < first.Length ? first[b + 1] : Instructions.Count;
            var last = Instructions[end - 1];
            var next = new List<int>();
            if (last.Code.StartsWith("bra", StringComparison.Ordinal))
                next.Add(number[labels[last.Operands]]);
            if ((!Ends(last) || last.Guarded) && b + 1 < first.Length)
                next.Add(b + 1);
            blocks.Add((first[b], end, next));
        }
    }

    public List<PtxInstruction> Instructions { get; } = [];

    /// <summary>The instructions of each loop that has no other loop in it.</summary>
    public IEnumerable<IReadOnlyList<PtxInstruction>> InnerLoops()
    {
        var dominators = Dominators();
        var loops = new Dictionary<int, HashSet<int>>();
        for (int from = 0; from < blocks.Count; from++)
            foreach (int head in blocks[from].Next.Where(head => dominators[from].Contains(head)))
            {
                if (!loops.TryGetValue(head, out var body))
                    loops[head] = body = [head];
                var open = new Stack<int>([from]);
                while (open.TryPop(out int b))
                    if (body.Add(b))
                        for (int before = 0; before < blocks.Count; before++)
                            if (blocks[before].Next.Contains(b))
                                open.Push(before);
            }
        return loops.Where(loop => !loops.Keys.Any(head => head != loop.Key && loop.Value.Contains(head)))
            .Select(loop => loop.Value.Order().SelectMany(b => Instructions[blocks[b].First..blocks[b].End]).ToList());
    }

    /// <summary>For each block those that every way to it passes.</summary>
    private HashSet<int>[] Dominators()
    {
        var all = Enumerable.Range(0, blocks.Count);
        HashSet<int>[] found = [.. all.Select(b => b == 0 ? new HashSet<int> { 0 } : [.. all])];
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int b = 1; b < blocks.Count; b++)
            {
                var before = all.Where(p => blocks[p].Next.Contains(b)).ToArray();
                var now = before.Length == 0 ? [] : new HashSet<int>(found[before[0]]);
                foreach (int p in before)
                    now.IntersectWith(found[p]);
                now.Add(b);
                if (now.Count != found[b].Count)
                    (found[b], changed) = (now, true);
            }
        }
        return found;
    }

    private static bool Ends(PtxInstruction instruction) =>
        instruction.Code is "ret" or "exit" || instruction.Code.StartsWith("bra", StringComparison.Ordinal);

    [GeneratedRegex(@"^\s*(\w+):\s*$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^\s*(@!?%\w+\s+)?([a-z][\w.]*)\s*(.*);\s*$")]
    private static partial Regex Instruction();
}
