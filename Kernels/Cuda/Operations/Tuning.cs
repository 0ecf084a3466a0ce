namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private static readonly int[] BlocksTried = [1, 2, 4];

    private TileTuning? tuning;

    /// <param name="Table">Takes a row for each problem.</param>
    /// <param name="Launches">Timed together, the shortest of <paramref name="Repetitions"/> times.</param>
    /// <param name="Refused">Told of each kernel that computed something else.</param>
    private sealed record TileTuning(TileTable Table, int Launches, int Repetitions, Action<string> Refused);

    /// <summary>
    /// While <paramref name="work"/> runs, every matrix product and convolution that it is the first to ask for is computed by each kernel that can, and the fastest is added to <paramref name="into"/>.
    /// A kernel whose result is not that of the rule's choice is refused. Captured steps are not measured. Sums that are accumulated on are wrong afterwards: what the work computes is not for use.
    /// </summary>
    /// <param name="work">What to choose kernels for; makes its calls on this backend.</param>
    /// <param name="into">Takes a row for each problem that it has none of yet.</param>
    /// <param name="refused">Told of each kernel that computed something else.</param>
    /// <param name="quick">One timed launch of each kernel, for an emulator.</param>
    public void TuneTiles(Action work, TileTable into, Action<string> refused, bool quick = false)
    {
        ArgumentNullException.ThrowIfNull(work);
        Outside("tuning");
        tuning = quick ? new(into, 1, 1, refused) : new(into, 10, 5, refused);
        try
        {
            work();
            Enter();
        }
        finally
        {
            tuning = null;
        }
    }

    private void Tune(TileProduct product)
    {
        var problem = product.Problem;
        var (table, launches, repetitions, refused) = tuning!;
        if (table.Rows.Any(r => r.Problem == problem && r.ComputeCapability == context.ComputeCapabilityName))
            return;
        byte[] before = new byte[product.C.Bytes];
        Download(Bytes(), before);
        var rule = Rule(product);
        double ofRule = Measure(rule, out float[] expected), best = ofRule;
        var fastest = rule;
        // Where all tiles are occupied anyway the number of blocks changes nothing, and the first of equals stays.
        foreach (var choice in Candidates(product).SelectMany(kernel => BlocksTried.Select(blocks => new TileChoice(kernel, blocks))).DistinctBy(c => (c.Kernel, Sharing(c))))
        {
            double seconds = Measure(choice, out float[] found);
            if (!TileTable.Agree(expected, found, product.C.Storage))
                refused($"{choice.Kernel.Slot.Name} does not compute {problem} as {rule.Kernel.Slot.Name} does and is not used for it");
            else if (seconds < best)
                (fastest, best) = (choice, seconds);
        }
        Upload<byte>(before, Bytes());
        table.Add(new(context.ComputeCapabilityName, problem, fastest.Kernel.Label, fastest.BlocksPerMultiprocessor, best * 1e6, ofRule * 1e6));

        double Measure(TileChoice choice, out float[] result)
        {
            Upload<byte>(before, Bytes());
            Launch(choice, product, default);
            result = Download(product.C);
            return Time(_ =>
            {
                for (int i = 0; i < launches; i++)
                    Launch(choice, product, default);
            }, repetitions) / launches;
        }

        Slice<byte> Bytes() => new(product.C.Address, (int)product.C.Bytes);

        int Sharing(TileChoice choice) => PlanSharing(choice, Tiles(choice.Kernel, product.Product.M, product.Product.N), product.Product.K, product.Classes, out _);
    }

    private float[] Download(Operand operand)
    {
        var values = new float[operand.Length];
        if (operand.Storage == Storage.Float32)
        {
            Download(operand.Floats, values);
            return values;
        }
        var halves = new ushort[operand.Length];
        Download<ushort>(new(operand.Address, operand.Length), halves);
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
        return values;
    }
}
