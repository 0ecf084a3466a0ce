namespace VaeFromScratch.Kernels.Cuda;

/// <remarks>Operands that the copy engine of compute capability 9.0 (TMA) brings into shared memory: what it is told about them, see src/gemm_copies.cuh.</remarks>
public sealed unsafe partial class CudaBackend
{
    /// <summary>Numbers of bf16 in a line of a box, 128 bytes; of an operand across k also the lines of a box.</summary>
    private const int BoxLine = 64;

    /// <summary>Bytes in which two maps find addresses of their alignment.</summary>
    private const int RoomForMaps = 2 * TensorMap.Bytes + TensorMap.Alignment - 1;

    /// <summary>Whether the copy engine can bring the left operand, and for a weight gradient the right one too.</summary>
    private bool CanCopy(TileProduct product) =>
        product.Kernels.Copying.Length > 0 && CanUseWarpgroups(product) && product.Product.K > 0
        && CanBeCopied(product.A, product.Product.A) && (!product.IsWeightGradient || CanBeCopied(product.B, product.Product.B));

    /// <summary>One matrix of bf16 whose lines and address are multiples of 16 bytes.</summary>
    private static bool CanBeCopied(Operand operand, Columns lies) => operand.Storage == Storage.Bf16 && operand.Address % 16 == 0 && lies is { IsPair: false, Line: var line } && line % 8 == 0;

    /// <summary>Both operands as the kernel takes them: a map of what it copies, the address of what it does not.</summary>
    /// <param name="kernel">That copies.</param>
    /// <param name="product">Whose operands <see cref="CanCopy"/> allows it.</param>
    /// <param name="room"><see cref="RoomForMaps"/> bytes that live until the launch.</param>
    private (KernelArgument A, KernelArgument B) Maps(TileKernel kernel, TileProduct product, byte* room)
    {
        var maps = (TensorMap*)(((nuint)room + TensorMap.Alignment - 1) / TensorMap.Alignment * TensorMap.Alignment);
        var shape = product.Product;
        context.MakeCurrent();
        if (!product.IsWeightGradient)
        {
            Describe(product.A, shape.K, shape.M, kernel.Rows, maps);
            return (KernelArgument.Structure(maps), KernelArgument.Declared(product.B.Address));
        }
        Describe(product.A, shape.M, shape.K, BoxLine, maps);
        Describe(product.B, shape.N, shape.K, BoxLine, maps + 1);
        return (KernelArgument.Structure(maps), KernelArgument.Structure(maps + 1));
    }

    /// <summary>A row-major matrix of bf16 in boxes of <see cref="BoxLine"/> columns.</summary>
    private void Describe(Operand matrix, int columns, int rows, int boxRows, TensorMap* map)
    {
        const int Rank = 2;
        ulong* sizes = stackalloc ulong[Rank] { (ulong)columns, (ulong)rows };
        ulong lineBytes = (ulong)columns * (ulong)matrix.Size;
        uint* box = stackalloc uint[Rank] { BoxLine, (uint)boxRows };
        uint* steps = stackalloc uint[Rank] { 1, 1 };
        Check(driver.TensorMapEncodeTiled(map, TensorMap.Bf16, Rank, (ulong)matrix.Address, sizes, &lineBytes, box, steps, TensorMap.None, TensorMap.Swizzle128Bytes, TensorMap.Promote128Bytes, TensorMap.None),
            $"describing a matrix of {rows} x {columns} bf16 to the copy engine");
    }
}
