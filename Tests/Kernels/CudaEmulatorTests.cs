using System.Text;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu.Cuda;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The stand-in for the driver refuses what a card would refuse.</summary>
[Category("Cuda")]
public sealed unsafe class CudaEmulatorTests
{
    private const int InvalidValue = 1, InvalidPtx = 218;
    private const int MostOfBlock = 48 << 10;

    private nint stream;

    [SetUp]
    public void Open()
    {
        CudaEmulator.Open();
        stream = CudaEmulator.CreateStream();
    }

    [TearDown]
    public void SetToDefaults() => CudaEmulator.Configure();

    /// <summary>48 KB are for static and dynamic shared memory together, until a kernel asks for more.</summary>
    [TestCase(0, MostOfBlock, false, ExpectedResult = 0)]
    [TestCase(0, MostOfBlock + 16, false, ExpectedResult = InvalidValue)]
    [TestCase(0, MostOfBlock + 16, true, ExpectedResult = 0)]
    [TestCase(128, MostOfBlock - 128, false, ExpectedResult = 0)]
    [TestCase(128, MostOfBlock, false, ExpectedResult = InvalidValue)]
    [TestCase(128, MostOfBlock, true, ExpectedResult = 0)]
    // Static memory is padded to where the dynamic begins.
    [TestCase(4, MostOfBlock - 4, false, ExpectedResult = InvalidValue)]
    public int Static_and_dynamic_shared_memory_share_48_KB(int staticBytes, int dynamicBytes, bool asks)
    {
        nint kernel = Load(Ptx(staticBytes));
        if (asks)
            CudaDriver.Check(CudaDriver.cuFuncSetAttribute(kernel, CudaDriver.MostDynamicSharedBytes, dynamicBytes));
        return Launch(kernel, 1, 32, dynamicBytes);
    }

    [TestCase(80, 163)]
    [TestCase(86, 99)]
    [TestCase(90, 227)]
    public void No_kernel_may_ask_for_more_shared_memory_than_the_card_has(int computeCapability, int kilobytes)
    {
        CudaEmulator.Configure(computeCapability: computeCapability);
        int most;
        CudaDriver.Check(CudaDriver.cuDeviceGetAttribute(&most, CudaDriver.MostSharedBytesOfBlock, 0));
        Assert.That(most, Is.EqualTo(kilobytes << 10));
        nint kernel = Load(Ptx(staticBytes: 128));
        Assert.That(CudaDriver.cuFuncSetAttribute(kernel, CudaDriver.MostDynamicSharedBytes, most), Is.EqualTo(InvalidValue));
        Assert.That(CudaDriver.cuFuncSetAttribute(kernel, CudaDriver.MostDynamicSharedBytes, most - 128), Is.Zero);
    }

    [Test]
    public void A_kernel_with_more_than_48_KB_of_static_shared_memory_does_not_load()
    {
        Assert.That(TryLoad(Ptx(MostOfBlock), out _), Is.Zero);
        Assert.That(TryLoad(Ptx(MostOfBlock + 4), out _), Is.EqualTo(InvalidPtx));
    }

    [Test]
    public void PTX_for_a_newer_card_does_not_load()
    {
        CudaEmulator.Configure(computeCapability: 75);
        Assert.That(TryLoad(Ptx(0), out _), Is.EqualTo(InvalidPtx));
    }

    /// <summary>PTX that was not built again after its source: other parameters, or a kernel that is gone.</summary>
    [TestCase("matmul_nn_64x64_v4_tf32", ".param .u64 p0")]
    [TestCase("matmul_nn_64x64_v4_tf32", ".param .u64 p0, .param .u64 p1, .param .align 4 .b8 p2[16], .param .align 8 .b8 p3[64]")]
    [TestCase("matmul_nn_32x32_v4_tf32", ".param .u64 p0")]
    public void Stale_PTX_of_ours_does_not_load(string name, string parameters)
    {
        const string Good = ".version 7.1\n.target sm_80\n.visible .entry matmul_tt_64x64_v1_tf32("
            + ".param .u64 p0, .param .u64 p1, .param .align 4 .b8 p2[12], .param .align 8 .b8 p3[64])\n{\nret;\n}\n";
        Assert.That(TryLoad(Good, out _), Is.Zero);
        Assert.That(TryLoad($"{Good}.visible .entry {name}({parameters})\n{{\nret;\n}}\n", out _), Is.EqualTo(InvalidPtx));
    }

    [TestCase(1u, 1u, 32u, ExpectedResult = 0)]
    [TestCase(0u, 1u, 32u, ExpectedResult = InvalidValue)]
    [TestCase(1u, 65536u, 32u, ExpectedResult = InvalidValue)]
    [TestCase(1u, 1u, 0u, ExpectedResult = InvalidValue)]
    [TestCase(1u, 1u, 96u, ExpectedResult = InvalidValue)]
    public int Grids_and_blocks_have_limits(uint x, uint y, uint threads)
    {
        nint kernel = Load(Ptx(0, maxThreads: 64));
        ulong argument = 0;
        void** arguments = stackalloc void*[] { &argument };
        return CudaDriver.cuLaunchKernel(kernel, x, y, 1, threads, 1, 1, 0, stream, arguments, null);
    }

    [Test]
    public void Arguments_in_one_buffer_must_be_all_of_them()
    {
        nint kernel = Load(Ptx(0));
        ulong value = 0;
        nuint bytes = sizeof(ulong);
        void** extra = stackalloc void*[] { (void*)1, &value, (void*)2, &bytes, null };
        Assert.That(CudaDriver.cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, null, extra), Is.Zero);
        bytes = sizeof(uint);
        Assert.That(CudaDriver.cuLaunchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, null, extra), Is.EqualTo(InvalidValue));
    }

    [Test]
    public void Calls_are_written_down_with_what_they_were_given()
    {
        nint kernel = Load(Ptx(0));
        Assert.That(CudaEmulator.Record(() => Launch(kernel, 3, 64, 256)),
            Has.One.Matches(@"^cuLaunchKernel Kernel_Test grid 3 1 1 block 64 1 1 shared 256 stream \d+$"));
        Assert.That(CudaEmulator.Record(() => Launch(kernel, 3, 2048, 0)), Has.One.EqualTo("!! cuLaunchKernel: 1"));
    }

    [Test]
    public void Fresh_memory_is_NaN_so_that_nothing_relies_on_zeros()
    {
        nint address;
        CudaDriver.Check(CudaDriver.cuMemAlloc_v2(&address, 64));
        Assert.That(new ReadOnlySpan<float>((void*)address, 16).ToArray(), Is.All.NaN);
        CudaDriver.Check(CudaDriver.cuMemFree_v2(address));
        Assert.That(CudaDriver.cuMemFree_v2(address), Is.EqualTo(InvalidValue));
    }

    /// <summary>A kernel of one 64-bit parameter that reads both kinds of shared memory.</summary>
    private static string Ptx(int staticBytes, int maxThreads = 1024)
    {
        string declaration = staticBytes == 0 ? "" : $".shared .align 4 .b8 fixed_memory[{staticBytes}];\n";
        string use = staticBytes == 0 ? "" : "mov.u64 %rd2, fixed_memory;\n";
        return $".version 7.1\n.target sm_80\n.address_size 64\n.extern .shared .align 128 .b8 dynamic_memory[];\n{declaration}"
            + $".visible .entry Kernel_Test(\n\t.param .u64 Kernel_Test_param_0\n)\n.maxntid {maxThreads}, 1, 1\n"
            + $"{{\nmov.u64 %rd1, dynamic_memory;\n{use}ret;\n}}\n";
    }

    private static int TryLoad(string ptx, out nint module)
    {
        nint handle = 0;
        int result;
        fixed (byte* image = Encoding.UTF8.GetBytes(ptx + '\0'))
            result = CudaDriver.cuModuleLoadDataEx(&handle, image, 0, null, null);
        module = handle;
        return result;
    }

    private static nint Load(string ptx)
    {
        CudaDriver.Check(TryLoad(ptx, out nint module), null, "cuModuleLoadDataEx()");
        nint function;
        fixed (byte* name = "Kernel_Test\0"u8)
            CudaDriver.Check(CudaDriver.cuModuleGetFunction(&function, module, name));
        return function;
    }

    private int Launch(nint kernel, uint blocks, uint threads, int sharedBytes)
    {
        ulong argument = 0;
        void** arguments = stackalloc void*[] { &argument };
        return CudaDriver.cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, (uint)sharedBytes, stream, arguments, null);
    }
}
