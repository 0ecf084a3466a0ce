using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Filling, copying, permuting and gathering.</summary>
public static class MemoryCases
{
    private static readonly (int[] Sizes, int[] Order)[] Permutations =
    [
        ([5], [0]), ([3, 4], [1, 0]), ([33, 17], [1, 0]), ([1, 1, 1], [2, 0, 1]), ([2, 3, 4], [0, 2, 1]), ([2, 3, 4], [2, 1, 0]),
            ([2, 3, 4, 5], [0, 3, 1, 2]), ([2, 3, 4, 5], [0, 2, 3, 1]),
        ([4, 7, 7, 33], [0, 3, 1, 2]), ([4, 33, 7, 7], [0, 2, 3, 1]), ([2, 3, 2, 5, 3], [4, 0, 3, 1, 2]), ([400, 130], [1, 0]),
            ([16, 1, 28, 28], [0, 2, 3, 1]), ([100, 3, 50, 6], [1, 0, 2, 3]), ([0, 3], [1, 0]),
    ];

    public static IEnumerable<KernelCase> All() =>
    [
        .. new[] { 1, 15, 16, 33, 100_003 }.Select(Fill),
        .. from s in new[] { (1, 1, 1, 1), (3, 7, 9, 8), (5, 16, 16, 40), (4, 33, 50, 33), (300, 130, 131, 257), (1, 20, 20, 20),
            (0, 4, 4, 4) }
           from accumulate in new[] { false, true }
           select CopyBlock(s.Item1, s.Item2, s.Item3, s.Item4, accumulate),
        .. Permutations.Select(p => Permute(p.Sizes, p.Order)),
        .. new[] { (5, 1, 3), (10, 17, 4), (7, 784, 9), (50, 33, 2000) }.SelectMany(s => Gather(s.Item1, s.Item2, s.Item3)),
    ];

    public static KernelCase Fill(int n) => new("Fill", $"{n}", c =>
    {
        var y = c.Output(n);
        c.Run(b => b.Fill(y, -1.5f));
        c.Expect(y, Enumerable.Repeat(-1.5, n).ToArray(), 0, 0);
    });

    public static KernelCase CopyBlock(int rows, int columns, int fromStride, int toStride, bool accumulate) =>
        new("CopyBlock", $"{rows}x{columns}, strides {fromStride} and {toStride}{(accumulate ? ", accumulate" : "")}", c =>
    {
        float[] from = c.Uniform(Math.Max(1, rows * fromStride)), to = c.Uniform(Math.Max(1, rows * toStride));
        Slice<float> source = c.Upload(from), target = c.Output(to);
        c.Run(b => b.CopyBlock(rows, columns, source, fromStride, target, toStride, accumulate));
        double[] expected = Array.ConvertAll(to, v => (double)v);
        for (int r = 0; r < rows; r++)
            for (int i = 0; i < columns; i++)
                expected[r * toStride + i] = from[r * fromStride + i] + (accumulate ? to[r * toStride + i] : 0);
        c.Expect(target, expected, 1e-7, 1e-7);
    });

    public static KernelCase Permute(int[] sizes, int[] order) =>
        new("Permute", $"[{string.Join(", ", sizes)}] by {string.Join("", order)}", c =>
    {
        int n = sizes.Aggregate(1, (a, b) => a * b), axes = sizes.Length;
        float[] x = c.Uniform(n);
        Slice<float> from = c.Upload(x), to = c.Output(n);
        c.Run(b => b.Permute(from, sizes, order, to));
        var expected = new double[n];
        var index = new int[axes];
        for (int i = 0; i < n; i++)
        {
            int rest = i;
            for (int d = axes - 1; d >= 0; d--)
                (index[d], rest) = (rest % sizes[d], rest / sizes[d]);
            int target = 0;
            for (int d = 0; d < axes; d++)
                target = target * sizes[order[d]] + index[order[d]];
            expected[target] = x[i];
        }
        c.Expect(to, expected, 0, 0);
    });

    public static IEnumerable<KernelCase> Gather(int rows, int width, int count)
    {
        yield return new("GatherRows", $"{count} of {rows}x{width}", c =>
        {
            float[] table = c.Uniform(rows * width);
            int[] indices = Indices(count, rows);
            Slice<float> t = c.Upload(table), y = c.Output(count * width);
            var i = c.Upload(indices);
            c.Run(b => b.GatherRows(t, i, width, y));
            c.Expect(y, Rows(count, width, (r, k) => table[indices[r] * width + k]), 0, 0);
        });
        yield return new("GatherRows", $"from an index in memory on, {count} of {rows}x{width}", c =>
        {
            float[] table = c.Uniform(rows * width);
            int[] indices = Indices(count + 3, rows);
            Slice<float> t = c.Upload(table), y = c.Output(count * width);
            Slice<int> i = c.Upload(indices), first = c.Upload([2]);
            c.Run(b => b.GatherRows(t, i, width, y, first));
            c.Expect(y, Rows(count, width, (r, k) => table[indices[r + 2] * width + k]), 0, 0);
        });
        yield return new("GatherBytes", $"{count} of {rows}x{width}", c =>
        {
            byte[] table = Array.ConvertAll(c.Uniform(rows * width, 0, 256), v => (byte)v);
            table[0] = 255;
            int[] indices = Indices(count, rows);
            var t = c.Upload(table);
            var i = c.Upload(indices);
            var y = c.Output(count * width);
            c.Run(b => b.GatherBytes(t, i, width, 1 / 255f, y));
            c.Expect(y, Rows(count, width, (r, k) => table[indices[r] * width + k] * (double)(1 / 255f)), 1e-7, 0);
        });
        yield return new("GatherBytes", $"from an index in memory on, {count} of {rows}x{width}", c =>
        {
            byte[] table = Array.ConvertAll(c.Uniform(rows * width, 0, 256), v => (byte)v);
            int[] indices = Indices(count + 3, rows);
            var t = c.Upload(table);
            Slice<int> i = c.Upload(indices), first = c.Upload([2]);
            var y = c.Output(count * width);
            c.Run(b => b.GatherBytes(t, i, width, 1, y, first));
            c.Expect(y, Rows(count, width, (r, k) => table[indices[r + 2] * width + k]), 0, 0);
        });
    }

    private static int[] Indices(int count, int rows) => Enumerable.Range(0, count).Select(i => (i * 7 + 3) % rows).ToArray();

    private static double[] Rows(int rows, int width, Func<int, int, double> f)
    {
        var y = new double[rows * width];
        for (int i = 0; i < y.Length; i++)
            y[i] = f(i / width, i % width);
        return y;
    }
}
