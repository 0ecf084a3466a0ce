using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Bench.Workloads;

/// <summary>Single register tiles on one thread with all operands in the first cache: how near the innermost loop is to the peak.</summary>
internal static class MicrokernelWorkloads
{
    private const int Depth = 128;
    private const int TilesPerCall = 100;

    public static IEnumerable<Workload> All()
    {
        foreach (int rows in new[] { 1, 2, 4, 6, 8, 12, 14 }.Where(r => r <= Microkernels.MaxRows))
            foreach (int width in new[] { Microkernels.Lanes, Microkernels.Panel })
                foreach (bool columns in new[] { true, false })
                {
                    string name = $"tile {(columns ? "columns" : "rows")} {rows}x{width}";
                    yield return new("Microkernel", name, backend => Prepare(backend, name, rows, width, columns));
                }
    }

    private static unsafe Ready Prepare(CpuBackend backend, string name, int rows, int width, bool columns)
    {
        var pool = new BufferPool(backend);
        var random = new Random(1);
        Slice<float> a = pool.Rent<float>(rows * Depth), b = pool.Rent<float>(Depth * width), c = pool.Rent<float>(rows * width),
            zero = pool.Rent<float>(width);
        foreach (var slice in new[] { a, b })
            foreach (ref float value in slice.AsSpan())
                value = random.NextSingle() - 0.5f;
        zero.AsSpan().Clear();
        Slice<nint> aRows = pool.Rent<nint>(rows), cRows = pool.Rent<nint>(rows);
        for (int i = 0; i < rows; i++)
        {
            aRows.AsSpan()[i] = i * Depth;
            cRows.AsSpan()[i] = i * width;
        }
        var kernel = columns ? Microkernels.Columns(rows, width) : Microkernels.Rows(rows, width);
        void Run()
        {
            var tile = new Tile
            {
                A = a.Pointer,
                ARows = aRows.Pointer,
                B = b.Pointer,
                AStep = columns ? rows : 1,
                BStep = width,
                Depth = Depth,
                Runs = 1,
                Groups = 1,
                Initial = zero.Pointer,
                C = c.Pointer,
                CRows = cRows.Pointer,
            };
            for (int i = 0; i < TilesPerCall; i++)
                kernel(&tile);
        }
        Run();
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < width; j++)
            {
                double expected = 0;
                for (int k = 0; k < Depth; k++)
                    expected += (double)a.AsSpan()[columns ? k * rows + i : i * Depth + k] * b.AsSpan()[k * width + j];
                if (Math.Abs(c.AsSpan()[i * width + j] - expected) > 1e-4)
                    throw new WrongResultException($"{name}: [{i}, {j}] is {c.AsSpan()[i * width + j]}, reference {expected}");
            }
        return new(Run, new(name, 2.0 * rows * width * Depth * TilesPerCall, 0), pool, threads: 1);
    }
}
