using System.Globalization;
using System.Reflection;
using System.Text;

namespace VaeFromScratch.Kernels.Cuda;

/// <summary>A matrix product or convolution, as the choice of a kernel for it sees it: <paramref name="Classes"/> products C [rows, columns] = A [rows, k] B [k, columns].</summary>
/// <param name="Operation">matmul_nn, matmul_nt, matmul_tn, matmul_tt (n as it is, t transposed), conv_forward, conv_backward_data, conv_backward_weight.</param>
/// <param name="Precision">fp32, tf32 or bf16; where operands lie in memory as bf16 a colon and which of A, B and C, such as bf16:ac.</param>
/// <param name="Rows">Of C; for a convolution pixels, or kernel positions times channels.</param>
/// <param name="Columns">Of C.</param>
/// <param name="K">Terms of each sum.</param>
/// <param name="Classes">Of pixels, where a strided convolution's data gradient falls into several products.</param>
public readonly record struct TileProblem(string Operation, string Precision, int Rows, int Columns, int K, int Classes);

/// <summary>What was measured to be fastest for one problem on one kind of GPU.</summary>
/// <param name="ComputeCapability">Such as 9.0.</param>
/// <param name="Problem">What is computed.</param>
/// <param name="Kernel">The tile and the instruction that multiplies it: "128x128 tma", "128x128 wgmma", "64x64 mma", "64x64 fma".</param>
/// <param name="BlocksPerMultiprocessor">How many blocks for each multiprocessor share the sums of K where the tiles alone are too few.</param>
/// <param name="Microseconds">Of one launch.</param>
/// <param name="RuleMicroseconds">Of one launch of what would have been chosen without a measurement.</param>
public sealed record TileRow(string ComputeCapability, TileProblem Problem, string Kernel, int BlocksPerMultiprocessor, double Microseconds, double RuleMicroseconds);

/// <summary>
/// Which kernel computes which product, by measurement: <c>vae doctor --tune FILE</c> writes such a table. The one in the repository, Kernels/Cuda/tiles.csv, is part of the assembly;
/// VAE_CUDA_TILES names another. Where no row is near enough the backend goes by a rule.
/// </summary>
public sealed class TileTable
{
    /// <summary>Names a table to use in place of the assembly's.</summary>
    public const string FileVariable = "VAE_CUDA_TILES";

    private const string Header = "compute_capability,operation,precision,rows,columns,k,classes,kernel,blocks_per_multiprocessor,microseconds,rule_microseconds";

    /// <summary>Rows, columns and k may differ by a factor of two in all from a measured problem that stands in for another.</summary>
    private const double FarthestInPowersOfTwo = 1;

    /// <summary>Of the largest value: products of the same rounded operands, whose sums are added in another order; and where those are rounded to bf16, to one number or to the next.</summary>
    private const double Tolerance = 1e-3, ToleranceInBf16 = 1.0 / 128;

    private readonly List<TileRow> rows = [];

    /// <summary>No measurement at all.</summary>
    public TileTable()
    {
    }

    /// <summary>No measurement; kernels of warpgroups (compute capability 9.0) wherever there is one, with the copy engine where that can bring the operands, so that tests and self-tests reach them.</summary>
    public static TileTable PreferringWarpgroups { get; } = new() { PrefersWarpgroups = true };

    public bool PrefersWarpgroups { get; private init; }

    public IReadOnlyList<TileRow> Rows => rows;

    /// <summary>The table that VAE_CUDA_TILES names, else the assembly's.</summary>
    /// <exception cref="DeviceException">There is no such file, or it is not such a table.</exception>
    public static TileTable Default()
    {
        string? path = Environment.GetEnvironmentVariable(FileVariable);
        if (!string.IsNullOrEmpty(path))
            return Read(path);
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("tiles.csv")!;
        return Parse(new StreamReader(stream).ReadToEnd(), "tiles.csv");
    }

    /// <exception cref="DeviceException">There is no such file, or it is not such a table.</exception>
    public static TileTable Read(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DeviceException($"{path}: cannot be read ({e.Message}); {FileVariable} must name a table that `vae doctor --tune FILE` wrote", e);
        }
    }

    /// <param name="text">Lines of comma-separated values under a header; lines that begin with # are comments.</param>
    /// <param name="name">What to call it in messages.</param>
    /// <exception cref="DeviceException">A line is not what it should be.</exception>
    public static TileTable Parse(string text, string name)
    {
        var table = new TileTable();
        bool afterHeader = false;
        foreach (var (line, number) in text.Split('\n').Select((l, i) => (l.Trim(), i + 1)).Where(l => l.Item1.Length > 0 && l.Item1[0] != '#'))
        {
            if (!afterHeader && line != Header)
                throw new DeviceException($"{name}, line {number}: found \"{line}\", expected the header {Header}");
            if (afterHeader)
                table.rows.Add(RowOf(line) ?? throw new DeviceException($"{name}, line {number}: \"{line}\" is no row of {Header}"));
            afterHeader = true;
        }
        return afterHeader ? table : throw new DeviceException($"{name}: empty, expected the header {Header}");
    }

    public void Add(TileRow row) => rows.Add(row);

    /// <summary>The measurement of this problem or of the one nearest to it, if any is near enough.</summary>
    public TileRow? Find(string computeCapability, TileProblem problem)
    {
        TileRow? nearest = null;
        double least = FarthestInPowersOfTwo;
        foreach (var row in rows)
        {
            var p = row.Problem;
            if (row.ComputeCapability != computeCapability || p with { Rows = problem.Rows, Columns = problem.Columns, K = problem.K } != problem)
                continue;
            double distance = Distance(p.Rows, problem.Rows) + Distance(p.Columns, problem.Columns) + Distance(p.K, problem.K);
            if (nearest is null ? distance <= least : distance < least)
                (nearest, least) = (row, distance);
        }
        return nearest;
    }

    /// <summary>
    /// Whether two kernels computed the same: no element further apart than a thousandth of the largest expected one, or a unit in the last place of that where results are bf16. What is not a
    /// number agrees with nothing.
    /// </summary>
    public static bool Agree(ReadOnlySpan<float> expected, ReadOnlySpan<float> found, Storage storage = Storage.Float32)
    {
        double largest = 0, worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i]));
            // Max keeps what is not a number.
            worst = Math.Max(worst, Math.Abs((double)expected[i] - found[i]));
        }
        return worst <= (storage == Storage.Bf16 ? ToleranceInBf16 : Tolerance) * largest;
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public string ToCsv()
    {
        var csv = new StringBuilder(Header).Append('\n');
        foreach (var (capability, p, kernel, blocks, microseconds, rule) in rows)
            csv.Append(CultureInfo.InvariantCulture, $"{capability},{p.Operation},{p.Precision},{p.Rows},{p.Columns},{p.K},{p.Classes},{kernel},{blocks},{microseconds:F3},{rule:F3}\n");
        return csv.ToString();
    }

    private static double Distance(int a, int b) => Math.Abs(Math.Log2((double)a / b));

    private static TileRow? RowOf(string line)
    {
        string[] cells = line.Split(',');
        if (cells.Length != Header.Split(',').Length)
            return null;
        var whole = new int[5];
        for (int i = 0; i < whole.Length; i++)
            if (!int.TryParse(cells[i < 4 ? 3 + i : 8], NumberStyles.None, CultureInfo.InvariantCulture, out whole[i]) || whole[i] < 1)
                return null;
        return IsTime(cells[9], out double microseconds) && IsTime(cells[10], out double rule)
            ? new(cells[0], new(cells[1], cells[2], whole[0], whole[1], whole[2], whole[3]), cells[7], whole[4], microseconds, rule) : null;
    }

    private static bool IsTime(string text, out double microseconds) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out microseconds) && double.IsFinite(microseconds);
}
