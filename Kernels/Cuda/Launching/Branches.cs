namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>Steps with branches: what each launch touches, and the scratch memory that launches side by side may not share.</remarks>
public sealed unsafe partial class CudaBackend
{
    /// <summary>An array that a launch only reads.</summary>
    private static KernelArgument Read<T>(Slice<T> slice) where T : unmanaged => KernelArgument.Read(slice);

    /// <summary>Adds to <paramref name="memory"/> what the arguments lead to, and finds the scratch memory that they ask for.</summary>
    private Scratch FindMemory(ReadOnlySpan<KernelArgument> arguments, ref LaunchMemory memory)
    {
        bool declares = !memory.IsEmpty;
        long floats = 0;
        foreach (ref readonly var argument in arguments)
        {
            memory.Add(argument.Use);
            memory.IsUnknown |= argument.HoldsAddresses && !declares;
            floats = Math.Max(floats, argument.ScratchFloats);
        }
        return floats > 0 ? TakeScratch(floats, ref memory) : default;
    }

    /// <summary>Scratch memory for a launch that is about to be queued: in a step with branches not that of another launch which may still run then.</summary>
    private Scratch TakeScratch(long floats, ref LaunchMemory memory)
    {
        Enter();
        memory.Lane = branched?.ChooseLane(memory) ?? 0;
        return workspace.Take(memory.Lane, floats);
    }

    private static int AddToGraph(BranchedGraph graph, nint function, Dim grid, Dim block, int sharedBytes, void** parameters, in LaunchMemory memory) => graph.Add(new()
    {
        Function = function,
        GridX = (uint)grid.X,
        GridY = (uint)grid.Y,
        GridZ = (uint)grid.Z,
        BlockX = (uint)block.X,
        BlockY = (uint)block.Y,
        BlockZ = (uint)block.Z,
        SharedBytes = (uint)sharedBytes,
        Parameters = parameters,
    }, memory);

    /// <summary>What a matrix product or convolution touches, with the sums of columns that join its launch.</summary>
    private static LaunchMemory MemoryOf(TileProduct product, ColumnSums sums)
    {
        var (shape, epilogue, memory) = (product.Product, product.Epilogue, new LaunchMemory());
        Add(product.A.Address, product.A.Bytes, shape.A, writes: false);
        Add(product.B.Address, product.B.Bytes, shape.B, writes: false);
        Add(product.C.Address, product.C.Bytes, shape.C, writes: true);
        Add(epilogue.Bias, sizeof(float) * (long)(shape.Bias.IsPair ? shape.N / 2 : shape.N), shape.Bias, writes: false);
        Add(epilogue.ReluMask, SizeIf(epilogue.Halves & HalfMask) * product.C.Length, default, writes: false);
        Add(sums.G, SizeIf(sums.GIsHalf) * sums.Rows * sums.OfG.Line, sums.OfG, writes: false);
        Add(sums.Out, sizeof(float) * (long)sums.OfOut.Line, sums.OfOut, writes: true);
        return memory;

        static long SizeIf(int half) => Operand.SizeOf(half != 0 ? Storage.Bf16 : Storage.Float32);

        void Add(nint address, long bytes, Columns lies, bool writes)
        {
            memory.Add(new(address, bytes, writes));
            if (lies.IsPair && address != 0)
                memory.Add(new(lies.Second(address), bytes, writes));
        }
    }
}
