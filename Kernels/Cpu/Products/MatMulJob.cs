using System.Runtime.Intrinsics.X86;

namespace VaeFromScratch.Kernels.Cpu.Products;

/// <summary>
/// One matrix product, as every thread runs it. The operand that all tasks share is packed first, together; then tasks of whole tiles are
/// taken one by one.
/// Each element of C is the sum over the same blocks of k, each block in ascending k, whoever computes it: no result depends on the number
/// of threads.
/// </summary>
internal unsafe struct MatMulJob : IProductJob
{
    /// <summary>
    /// Depth of a block of k: a panel of B and a tile's rows of A stay in the first-level cache, and rounding errors of long sums stay
    /// apart.
    /// </summary>
    private const int BlockDepth = 384;

    /// <summary>
    /// Up to this many rows the tasks are column panels (all of A is shared); above, they are row blocks (all of B is shared).
    /// </summary>
    private const int ColumnSplitRows = 384;

    /// <summary>Up to this many columns packing A costs more than reading it in place.</summary>
    private const int InPlaceColumns = 128;

    /// <summary>
    /// Tiles of a task whose block of A fills half of the second-level cache: the more of them there are, the less often B is fetched from
    /// the third. From 144 rows on nothing is gained.
    /// </summary>
    private static readonly int TilesPerTask =
        Math.Clamp(CpuProbe.SecondLevelBytes / 2 / (BlockDepth * sizeof(float)), 48, 144) / Microkernels.MaxRows;

    /// <summary>Floats of a cache line.</summary>
    private const int LineFloats = 16;

    private ThreadTeam? team;
    private readonly MatMulShape shape;
    private readonly float* a, b, c, bias, mask;
    private readonly bool relu, columnSplit, packA, packB;
    private readonly int firstColumn, columns, panels, rowTiles, tileRows, higherTiles, blocks, tasks, rowParts, packItems;
    private readonly nint lda, ldb, ldc;
    private float* initial, zeros, shared, threadScratch;
    private int nextPack, nextTask;

    public MatMulJob(MatMulShape shape, float* a, float* b, float* c, float* bias, Activation activation, float* mask, int firstColumn,
        int columns, int threads)
    {
        this.shape = shape;
        this.a = a;
        this.c = c + firstColumn;
        this.bias = bias == null ? null : bias + firstColumn;
        this.mask = mask == null ? null : mask + firstColumn;
        this.firstColumn = firstColumn;
        this.columns = columns;
        relu = activation == Activation.Relu;
        lda = shape.TransposeA ? shape.M : shape.K;
        ldb = shape.TransposeB ? shape.K : shape.N;
        ldc = shape.N;
        this.b = b + (shape.TransposeB ? firstColumn * ldb : firstColumn);
        panels = (columns + Microkernels.Panel - 1) / Microkernels.Panel;
        rowTiles = (shape.M + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
        blocks = Math.Max(1, (shape.K + BlockDepth - 1) / BlockDepth);
        columnSplit = shape.M <= ColumnSplitRows && (panels >= 2 * threads || panels >= rowTiles);
        packA = columns > InPlaceColumns && rowTiles > 1;
        packB = shape.TransposeB || !columnSplit || (rowTiles > 2 && ldb % 512 == 0);
        if (columnSplit)
        {
            rowParts = panels % threads == 0 || panels >= 16 * threads ? 1 : Math.Min(2, rowTiles);
            tasks = panels * rowParts;
            packItems = packA ? rowTiles : 0;
        }
        else
        {
            int perThread = Math.Max(1, rowTiles / (4 * threads));
            int least = (rowTiles + Math.Min(TilesPerTask, perThread) - 1) / Math.Min(TilesPerTask, perThread);
            tasks = Math.Min(rowTiles, (least + threads - 1) / threads * threads);
            rowTiles = Math.Min(shape.M, (rowTiles + tasks - 1) / tasks * tasks);
            rowParts = 1;
            packItems = panels;
        }
        tileRows = shape.M / rowTiles;
        higherTiles = shape.M % rowTiles;
    }

    /// <summary>Shared working memory: padded bias, zeros, and the packed operand.</summary>
    public readonly long SharedFloats => (panels + 1L) * Microkernels.Panel + 64
        + (columnSplit ? packA ? (long)shape.M * shape.K : 0 : (long)panels * Microkernels.Panel * shape.K);

    /// <summary>Working memory of each thread: its own packed panel of B, or block of A.</summary>
    public readonly long ThreadFloats => 1024 + (columnSplit ? Microkernels.Panel : packA
        ? (long)(rowTiles / tasks + 1) * Microkernels.MaxRows : 0) * (long)(Math.Min(shape.K, BlockDepth) + 1);

    public void Place(float* sharedBlock, float* threadBlock, ThreadTeam? team)
    {
        this.team = team;
        initial = sharedBlock;
        zeros = initial + (nint)panels * Microkernels.Panel;
        shared = sharedBlock + ((panels + 1) * Microkernels.Panel + 63) / 64 * 64;
        threadScratch = threadBlock;
        if (bias != null)
            Packing.CopyRow(bias, initial, columns);
        Packing.Clear(initial + (bias == null ? 0 : columns), (panels + 1) * Microkernels.Panel - (bias == null ? 0 : columns));
    }

    public void Run(int thread)
    {
        if (packItems > 0)
        {
            for (int i; (i = Interlocked.Increment(ref nextPack) - 1) < packItems;)
                for (int block = 0; block < blocks; block++)
                    if (columnSplit)
                        PackRowTile(i, block, SharedTile(i, block));
                    else
                        PackPanel(i, block, SharedPanel(i, block));
            team?.Barrier();
        }
        float* own = threadScratch + thread * ThreadFloats;
        nint* rowsOfA = stackalloc nint[Microkernels.RowLimit];
        nint* rowsOfC = stackalloc nint[Microkernels.RowLimit];
        for (int i = 0; i < Microkernels.RowLimit; i++)
        {
            rowsOfA[i] = i * lda;
            rowsOfC[i] = i * ldc;
        }
        Tile tile = default;
        tile.ARows = rowsOfA;
        tile.CRows = rowsOfC;
        tile.Runs = tile.Groups = 1;
        for (int i; (i = ThreadTeam.Take(team, thread, tasks, ref nextTask)) >= 0;)
            if (columnSplit)
                ComputePanel(i, &tile, own);
            else
                ComputeRows(i, &tile, own);
    }

    /// <summary>One column panel, all or half of the rows: B is packed here (or read in place), A is shared.</summary>
    private readonly void ComputePanel(int task, Tile* tile, float* own)
    {
        int panel = task / rowParts, part = task % rowParts;
        int from = (int)((long)rowTiles * part / rowParts), to = (int)((long)rowTiles * (part + 1) / rowParts);
        bool pack = packB || Valid(panel) < Microkernels.WidthFor(Valid(panel));
        for (int block = 0; block < blocks; block++)
        {
            if (pack)
                PackPanel(panel, block, own);
            tile->B = pack ? own : b + DepthFrom(block) * ldb + (nint)panel * Microkernels.Panel;
            tile->BStep = pack ? Microkernels.Panel : ldb;
            Multiply(tile, from, to, block, panel, packA ? SharedTile(from, block) : null, next: null);
        }
    }

    /// <summary>A block of rows, all columns: A is packed here (or read in place), B is shared.</summary>
    private readonly void ComputeRows(int task, Tile* tile, float* own)
    {
        int from = (int)((long)rowTiles * task / tasks), to = (int)((long)rowTiles * (task + 1) / tasks);
        tile->BStep = Microkernels.Panel;
        for (int block = 0; block < blocks; block++)
        {
            nint depth = DepthFrom(block + 1) - DepthFrom(block);
            if (packA)
                for (int t = from; t < to; t++)
                    PackRowTile(t, block, own + (RowFrom(t) - RowFrom(from)) * depth);
            for (int panel = 0; panel < panels; panel++)
            {
                tile->B = SharedPanel(panel, block);
                Multiply(tile, from, to, block, panel, packA ? own : null,
                    Sse.IsSupported && Microkernels.Panel <= LineFloats && panel + 1 < panels ? SharedPanel(panel + 1, block) : null);
            }
        }
    }

    /// <summary>
    /// Row tiles <paramref name="from"/> to <paramref name="to"/> of one panel and one block of k. What the tiles have in common is set
    /// once: a tile is computed in half a microsecond, of which a few divisions would be a tenth.
    /// </summary>
    /// <param name="packed">The packed rows of A from the first tile on, or null.</param>
    /// <param name="next">
    /// The panel of B that comes next, or null: every tile brings its share of the lines into the second-level cache.
    /// </param>
    private readonly void Multiply(Tile* tile, int from, int to, int block, int panel, float* packed, float* next)
    {
        int valid = Valid(panel), width = Microkernels.WidthFor(valid);
        nint depthFrom = DepthFrom(block), depth = DepthFrom(block + 1) - depthFrom, column = (nint)panel * Microkernels.Panel;
        tile->Depth = depth;
        tile->Initial = block == 0 ? initial + column : zeros;
        tile->Add = block > 0 || shape.Accumulate;
        tile->Relu = relu && block == blocks - 1;
        tile->Prefetch = depth >= 64;
        tile->Mask = null;
        bool gather = packed == null && !shape.TransposeA;
        // A's rows in place are lda or 1 apart, and its next k is 1 or lda further.
        nint rowStep = gather ? lda : 1;
        float* inPlace = a + (gather ? depthFrom : depthFrom * lda);
        tile->AStep = gather ? 1 : lda;
        nint near = 0, share = (depth + to - from - 1) / (to - from);
        for (int t = from; t < to; t++)
        {
            if (next != null)
                for (nint due = Math.Min(depth, near + share); near < due; near++)
                    Sse.Prefetch1(next + near * Microkernels.Panel);
            nint row = RowFrom(t);
            int rows = tileRows + (t < higherTiles ? 1 : 0);
            nint offset = row * ldc + column;
            tile->C = c + offset;
            if (mask != null)
                tile->Mask = mask + offset;
            if (packed != null)
            {
                tile->A = packed;
                tile->AStep = rows;
                packed += rows * depth;
            }
            else
                tile->A = inPlace + row * rowStep;
            Microkernels.Run(gather ? Microkernels.Rows(rows, width) : Microkernels.Columns(rows, width), tile, rows, width, valid);
        }
    }

    private readonly int Valid(int panel) => Math.Min(Microkernels.Panel, columns - panel * Microkernels.Panel);

    /// <summary>The first tiles have a row more where rows do not divide evenly.</summary>
    private readonly nint RowFrom(int rowTile) => (nint)rowTile * tileRows + Math.Min(rowTile, higherTiles);

    private readonly nint DepthFrom(int block) => (nint)((long)shape.K * block / blocks);

    private readonly float* SharedTile(int rowTile, int block) =>
        shared + DepthFrom(block) * shape.M + RowFrom(rowTile) * (DepthFrom(block + 1) - DepthFrom(block));

    private readonly float* SharedPanel(int panel, int block) =>
        shared + (DepthFrom(block) * panels + panel * (DepthFrom(block + 1) - DepthFrom(block))) * Microkernels.Panel;

    private readonly void PackRowTile(int rowTile, int block, float* to)
    {
        nint row = RowFrom(rowTile), depth = DepthFrom(block);
        int rows = (int)(RowFrom(rowTile + 1) - row), count = (int)(DepthFrom(block + 1) - depth);
        if (shape.TransposeA)
            Packing.Copy(a + depth * lda + row, lda, rows, count, to, rows);
        else
            Packing.Transpose(a + row * lda + depth, lda, rows, count, to, rows);
    }

    private readonly void PackPanel(int panel, int block, float* to)
    {
        nint column = (nint)panel * Microkernels.Panel, depth = DepthFrom(block);
        int count = (int)(DepthFrom(block + 1) - depth);
        if (shape.TransposeB)
            Packing.Transpose(b + column * ldb + depth, ldb, Valid(panel), count, to, Microkernels.Panel);
        else
            Packing.Copy(b + depth * ldb + column, ldb, Valid(panel), count, to, Microkernels.Panel);
    }
}
