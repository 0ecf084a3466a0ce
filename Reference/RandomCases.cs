using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Reference;

/// <summary>Random draws: every entry against the formula, computed from Philox words in double precision.</summary>
public static class RandomCases
{
    /// <summary>Seed low, seed high, step, stream.</summary>
    public static uint[] State { get; } = [0x12345678, 0x9abcdef0, 41, 7];

    public static IEnumerable<KernelCase> All() =>
    [
        .. from distribution in Enum.GetValues<Distribution>()
           from n in new[] { 1, 3, 4, 31, 32, 33, 1000, 8192, 100_003 }
           select Of(distribution, n),
        // With 300 000 entries some ten words are rejected.
        .. new[] { 1, 2, 3, 1023, 1024, 1025, 60_000, 300_000 }.Select(Shuffle),
    ];

    public static KernelCase Shuffle(int n) => new("Shuffle", $"{n}", c =>
    {
        var draw = new RandomDraw(c.Upload(State), 3);
        var order = c.Upload(new int[n]);
        c.Run(b => b.Shuffle(draw, order));
        var actual = new int[n];
        c.Backend.Download(order, actual);
        int[] expected = [.. Enumerable.Range(0, n)];
        new Philox(State[0] | (ulong)State[1] << 32, State[2], State[3], draw: 3).Shuffle<int>(expected);
        c.Expect(c.Upload(Array.ConvertAll(actual, i => (float)i)), Array.ConvertAll(expected, i => (double)i), 0, 0);
    });

    internal static KernelCase Of(Distribution distribution, int n) => new("Random", $"{distribution}, {n}", c =>
    {
        var draw = new RandomDraw(c.Upload(State), 5);
        var y = c.Output(n);
        c.Run(b => b.Random(distribution, draw, y));
        c.Expect(y, Draw(distribution, State, 5, n), 1e-6, 1e-6);
    });

    /// <summary>The first n entries of a draw.</summary>
    internal static double[] Draw(Distribution distribution, uint[] state, uint draw, int n)
    {
        var y = new double[n];
        for (int i = 0; i < n; i++)
        {
            var (w0, w1, w2, w3) = Philox.Words((uint)i / 4, state[2], draw, state[3], state[0], state[1]);
            var (radius, angle) = i % 4 < 2 ? (w0, w1) : (w2, w3);
            double u = Inside((i % 4) switch { 0 => w0, 1 => w1, 2 => w2, _ => w3 });
            y[i] = distribution switch
            {
                Distribution.Uniform => u,
                Distribution.Gumbel => -Math.Log(-Math.Log(u)),
                _ => Math.Sqrt(-2 * Math.Log(Inside(radius)))
                    * (i % 2 == 0 ? Math.Cos(2 * Math.PI * Inside(angle)) : Math.Sin(2 * Math.PI * Inside(angle))),
            };
        }
        return y;
    }

    /// <summary>The middle of one of 2^23 cells of (0, 1).</summary>
    private static double Inside(uint word) => ((word >> 9) + 0.5) / (1 << 23);
}
