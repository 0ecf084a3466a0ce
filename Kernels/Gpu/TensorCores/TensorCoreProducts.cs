using System.IO.Compression;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using static VaeFromScratch.Kernels.Gpu.Cuda.CudaDriver;

namespace VaeFromScratch.Kernels.Gpu.TensorCores;

/// <summary>
/// Matrix products and convolutions on the tensor cores of an NVIDIA GPU of compute capability 8.0 or newer: float32 in memory, operands
/// rounded to tf32 or bf16, sums in float32. They are the products of <see cref="IBackend"/>, on raw device addresses, and give the same
/// bits on every run.
/// </summary>
/// <remarks>
/// Launches go to one stream, in order. The first of them loads the kernels and takes the scratch memory, which a capture forbids: call
/// <see cref="Prepare"/>, or run a step once, before capturing it. After that a call is one launch, without allocation and without
/// waiting. An absent address is 0; every array has fewer than 2^31 elements. A padded pixel counts as 0, so that
/// a weight that is NaN or infinite makes NaN of the pixels whose window it touches, those outside of the image included.
/// </remarks>
internal sealed unsafe class TensorCoreProducts : IDisposable
{
    private const int VectorBytes = 16, LogBytes = 8192;

    private readonly Action bind;
    private readonly nint stream;
    private readonly int multiprocessors;
    private readonly string name;
    private readonly TileKernel[][] kernels;
    private nint module, scratch, tickets;

    /// <param name="bind">Makes the device's context current on the calling thread; called before every call to the driver.</param>
    /// <param name="stream">Of that context.</param>
    /// <param name="multiprocessors">Of the device: how many blocks a launch should have.</param>
    /// <param name="precision">Of the operands; not fp32, for which these kernels are not.</param>
    public TensorCoreProducts(Action bind, nint stream, int multiprocessors, Precision precision)
    {
        if (precision == Precision.Fp32)
            throw new ArgumentException("tensor cores round their operands: tf32 or bf16", nameof(precision));
        this.bind = bind;
        this.stream = stream;
        this.multiprocessors = multiprocessors;
        name = precision == Precision.Bf16 ? "bf16" : "tf32";
        kernels = Array.ConvertAll(Enum.GetValues<TileOperation>(), operation => TileKernel.Of(operation, precision));
    }

    /// <inheritdoc cref="GpuBackend.Preferred"/>
    public ProductKernel? Preferred { get; set; }

    /// <inheritdoc cref="GpuBackend.LastProduct"/>
    public (ProductKernel Kernel, string Name)? Last { get; private set; }

    /// <summary>Loads every kernel and takes the scratch memory, so that what follows can be captured.</summary>
    public void Prepare()
    {
        bind();
        if (module == 0)
            Load();
        if (scratch == 0)
            TakeScratch();
    }

    /// <inheritdoc cref="IBackend.MatMul"/>
    public void MatMul(MatMulShape shape, nint a, nint b, nint c, nint bias = 0, Activation activation = Activation.None, nint reluMask = 0)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        var operation = (TileOperation)((shape.TransposeA ? 2 : 0) + (shape.TransposeB ? 1 : 0));
        bool vectors = (shape.TransposeA ? m : k) % 4 == 0 && (shape.TransposeB ? k : n) % 4 == 0;
        var sizes = new ProductShape(m, n, k);
        Launch(operation, new(m, n, k), &sizes, vectors, a, b, EpilogueOf(c, bias, activation, shape.Accumulate, reluMask));
    }

    /// <inheritdoc cref="IBackend.Conv2dForward"/>
    public void Conv2dForward(ConvShape shape, nint x, nint w, nint y, nint bias = 0, Activation activation = Activation.None,
        bool accumulate = false, nint reluMask = 0)
    {
        var geometry = new ConvGeometry(shape, shape.InChannels);
        int rows = shape.Batch * shape.OutHeight * shape.OutWidth, k = shape.KernelHeight * shape.KernelWidth * shape.InChannels;
        bool vectors = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        var epilogue = EpilogueOf(y, bias, activation, accumulate, reluMask);
        Launch(TileOperation.ConvForward, new(rows, shape.OutChannels, k), &geometry, vectors, x, w, epilogue);
    }

    /// <inheritdoc cref="IBackend.Conv2dBackwardData"/>
    public void Conv2dBackwardData(ConvShape shape, nint dy, nint w, nint dx, nint bias = 0, Activation activation = Activation.None,
        bool accumulate = false, nint reluMask = 0)
    {
        var geometry = new ConvGeometry(shape, shape.OutChannels);
        // The largest class of pixels, see PixelClass in src/product.cuh.
        int s = shape.Stride, rows = shape.Batch * ((shape.Height + s - 1) / s) * ((shape.Width + s - 1) / s);
        int k = (shape.KernelHeight + s - 1) / s * ((shape.KernelWidth + s - 1) / s) * shape.OutChannels;
        bool vectors = shape.OutChannels % 4 == 0;
        var sizes = new ProductSizes(rows, shape.InChannels, k, s * s);
        var epilogue = EpilogueOf(dx, bias, activation, accumulate, reluMask);
        Launch(TileOperation.ConvBackwardData, sizes, &geometry, vectors, dy, w, epilogue);
    }

    /// <inheritdoc cref="IBackend.Conv2dBackwardWeight"/>
    public void Conv2dBackwardWeight(ConvShape shape, nint x, nint dy, nint dw, bool accumulate)
    {
        var geometry = new ConvGeometry(shape, shape.InChannels);
        int rows = shape.KernelHeight * shape.KernelWidth * shape.InChannels, k = shape.Batch * shape.OutHeight * shape.OutWidth;
        bool vectors = shape.InChannels % 4 == 0 && shape.OutChannels % 4 == 0;
        var epilogue = EpilogueOf(dw, 0, Activation.None, accumulate, 0);
        Launch(TileOperation.ConvBackwardWeight, new(rows, shape.OutChannels, k), &geometry, vectors, x, dy, epilogue);
    }

    public void Dispose()
    {
        bind();
        if (module != 0)
            _ = cuModuleUnload(module);
        if (scratch != 0)
            _ = cuMemFree_v2(scratch);
        module = scratch = 0;
    }

    private void Launch(TileOperation operation, ProductSizes sizes, void* shape, bool vectors, nint a, nint b, Epilogue epilogue)
    {
        if (sizes.M == 0 || sizes.N == 0)
            return;
        Prepare();
        bool loads = vectors && IsAligned(a) && IsAligned(b);
        bool stores = sizes.N % 4 == 0 && IsAligned(epilogue.C) && IsAligned(epilogue.Bias) && IsAligned(epilogue.ReluMask);
        var kernel = KernelOf(operation, Tiling.Choose(operation >= TileOperation.ConvForward, sizes, loads, multiprocessors));
        var division = Tiling.Divide(kernel.Tile, kernel.Depth, sizes, multiprocessors);
        if (loads && Preferred is { } preferred and not ProductKernel.FewChannels)
            Prefer(KernelOf(operation, (TileSize)preferred), sizes, ref kernel, ref division);
        Last = ((ProductKernel)kernel.Size, kernel.Name);
        (epilogue.Partial, epilogue.Tickets) = (scratch, tickets);
        (epilogue.Steps, epilogue.Group) = ((uint)division.StepsEach, (uint)division.Group);
        epilogue.Vectors = stores ? 1 : 0;
        void** arguments = stackalloc void*[] { &a, &b, shape, &epilogue };
        Check(cuLaunchKernel(kernel.Function, (uint)division.Tiles, (uint)division.Sharing, (uint)sizes.Classes, (uint)kernel.Threads, 1, 1,
            (uint)kernel.SharedBytes, stream, arguments, null), kernel.Name);
    }

    /// <summary>The last of an operation's tiles serves where it has no other.</summary>
    private TileKernel KernelOf(TileOperation operation, TileSize size) =>
        kernels[(int)operation][Math.Min((int)size, kernels[(int)operation].Length - 1)];

    /// <summary>Takes another kernel, unless its blocks' sums find no room in the scratch memory.</summary>
    private void Prefer(TileKernel other, ProductSizes sizes, ref TileKernel kernel, ref Division division)
    {
        var divided = Tiling.Divide(other.Tile, other.Depth, sizes, multiprocessors);
        if (Tiling.Fits(other.Tile, divided, sizes.Classes, multiprocessors))
            (kernel, division) = (other, divided);
    }

    private void Load()
    {
        byte[] ptx = Embedded(name);
        byte* log = stackalloc byte[LogBytes];
        log[0] = 0;
        int* options = stackalloc int[] { ErrorLog, ErrorLogBytes };
        nint* values = stackalloc nint[] { (nint)log, LogBytes };
        nint handle;
        fixed (byte* image = ptx)
        {
            int result = cuModuleLoadDataEx(&handle, image, 2, options, values);
            if (log[0] != 0 && result != 0)
                throw new DeviceException($"the driver does not accept {name}: {Marshal.PtrToStringUTF8((nint)log)?.Trim()}");
            Check(result, name, nameof(cuModuleLoadDataEx) + "(");
        }
        module = handle;
        foreach (var kernel in kernels.SelectMany(k => k))
        {
            nint function;
            fixed (byte* entry = Encoding.UTF8.GetBytes(kernel.Name + '\0'))
                Check(cuModuleGetFunction(&function, handle, entry), kernel.Name);
            // Always: static shared memory counts too, so that less than 48 KB may already be too much.
            Check(cuFuncSetAttribute(function, MostDynamicSharedBytes, kernel.SharedBytes), kernel.Name);
            kernel.Function = function;
        }
    }

    private void TakeScratch()
    {
        nuint floats = (nuint)Tiling.ScratchFloats(multiprocessors), counters = (nuint)Tiling.Tickets(multiprocessors);
        nint address;
        Check(cuMemAlloc_v2(&address, sizeof(float) * floats + sizeof(uint) * counters), "scratch memory for tensor cores");
        (scratch, tickets) = (address, address + (nint)(sizeof(float) * floats));
        Check(cuMemsetD32Async(tickets, 0, counters, stream));
    }

    private static byte[] Embedded(string name)
    {
        using var packed = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{name}.ptx.gz")
            ?? throw new DeviceException($"{name} is not part of this build; run Kernels/Gpu/TensorCores/build-ptx.sh and build again");
        using var text = new MemoryStream();
        using (var unpacked = new GZipStream(packed, CompressionMode.Decompress))
            unpacked.CopyTo(text);
        text.WriteByte(0);
        return text.ToArray();
    }

    private static bool IsAligned(nint address) => address % VectorBytes == 0;

    private static Epilogue EpilogueOf(nint c, nint bias, Activation activation, bool accumulate, nint reluMask) => new()
    {
        C = c,
        Bias = bias,
        ReluMask = reluMask,
        Relu = activation == Activation.Relu ? 1 : 0,
        Accumulate = accumulate ? 1 : 0,
    };
}
