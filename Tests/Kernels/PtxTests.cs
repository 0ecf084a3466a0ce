using NUnit.Framework;
using VaeFromScratch.Kernels.Gpu;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>What the PTX of every kernel may and may not contain, for both architectures that it is made for.</summary>
[TestFixture, Category("Gpu")]
public sealed class PtxTests
{
    private static readonly Dictionary<int, PtxCompiler> Compilers =
        PtxCompiler.Architectures.ToDictionary(architecture => architecture, architecture => new PtxCompiler(architecture));

    /// <summary>
    /// All that may be done with a float: arithmetic to nearest, whatever the driver's compiler would like; "less", "equal" and "unequal or
    /// NaN", whose complements an
    /// inverted branch takes rightly; the test for NaN; integers that a float holds exactly, or the part of a float before the point.
    /// </summary>
    private static readonly string[] Float =
    [
        "add.rn.f32", "sub.rn.f32", "mul.rn.f32", "fma.rn.f32", "div.rn.f32", "sqrt.rn.f32", "cvt.rni.f32.f32", "neg.f32", "mov.f32",
            "mov.b32", "selp.f32",
        "setp.lt.f32", "setp.eq.f32", "setp.neu.f32", "testp.notanumber.f32", "cvt.rn.f32.s32", "cvt.rn.f32.u32", "cvt.rzi.s32.f32",
    ];

    private static IEnumerable<string> Kernels => KernelCatalogue.Kernels.Keys;

    private static IEnumerable<string> Tiles => Kernels.Where(kernel => kernel.StartsWith("Product<", StringComparison.Ordinal));

    private static IEnumerable<int> Architectures => PtxCompiler.Architectures;

    [OneTimeTearDown]
    public static void Dispose()
    {
        foreach (var compiler in Compilers.Values)
            compiler.Dispose();
    }

    [Test]
    public void Kernel_says_what_it_means([ValueSource(nameof(Kernels))] string kernel,
        [ValueSource(nameof(Architectures))] int architecture)
    {
        string ptx = Compilers[architecture].Compile(kernel);
        Assert.That(ptx,
            Does.Contain($".target sm_{architecture}")
                .And.Contain($".visible .entry {KernelText.EntryOf(KernelCatalogue.Kernels[kernel])}(")
                .And.Not.Contain(".extern").And.Not.Contain(".local").And.Not.Contain(".f64"));
        var instructions = new PtxText(ptx).Instructions;
        Assert.That(instructions, Has.Count.GreaterThan(3));
        Assert.That(instructions.Where(i => !IsAllowed(i)), Is.Empty);
    }

    /// <summary>Fewer, and shared memory would set the pace instead of arithmetic.</summary>
    [Test]
    public void Tile_multiplies_64_times_for_four_loads_from_shared_memory([ValueSource(nameof(Tiles))] string kernel,
        [ValueSource(nameof(Architectures))] int architecture)
    {
        var loop = new PtxText(Compilers[architecture].Compile(kernel)).InnerLoops().MaxBy(Multiplications)!;
        int loads = loop.Count(i => i.Code == "ld.shared.v4.f32");
        Assert.That(loads, Is.Positive);
        Assert.That(Multiplications(loop), Is.GreaterThanOrEqualTo(64 / 4 * loads));
        Assert.That(loop.Where(i => i.Code.StartsWith("ld.shared", StringComparison.Ordinal) && i.Code != "ld.shared.v4.f32"), Is.Empty);

        static int Multiplications(IReadOnlyList<PtxInstruction> instructions) => instructions.Count(i => i.Code == "fma.rn.f32");
    }

    [Test]
    public void Every_kernel_has_a_name_of_its_own_in_profilers()
    {
        Assert.That(KernelCatalogue.Kernels.Values.Select(KernelText.EntryOf), Is.Unique.And.Contains("Kernel_Unary_Tanh"));
    }

    [Test]
    public void The_text_of_a_kernel_does_not_depend_on_what_was_compiled_before()
    {
        const string First = "struct type_9 *x; struct type_12_kernel y; L_120: goto L_121; var7 = type_9; L_121: ;";
        const string Later = "struct type_31 *x; struct type_34_kernel y; L_98: goto L_99; var7 = type_31; L_99: ;";
        Assert.That(KernelText.Renumbered(Later), Is.EqualTo(KernelText.Renumbered(First)));
        Assert.That(KernelText.Renumbered("type_1 type_2 L_1 L_2").Split(' '), Is.Unique, "what differs stays different");
    }

    [Test]
    public void Unknown_names_are_answered_with_similar_ones()
    {
        Assert.That(() => GpuLoader.Ptx("unary<tan>", 80),
            Throws.ArgumentException.With.Message.Contains("'unary<tan>'").And.Message.Contains("Unary<Tanh>"));
        Assert.That(() => GpuLoader.Ptx("zeta", 80),
            Throws.ArgumentException.With.Message.Contains("'zeta'").And.Message.Contains("Reparameterise"));
        Assert.That(() => GpuLoader.Ptx("Reparameterise", 70),
            Throws.ArgumentException.With.Message.Contains("70").And.Message.Contains("80"));
    }

    [Test]
    public void Loops_are_found()
    {
        // Two nested loops, the inner one's second half behind the end, as ILGPU likes to lay code out.
        var text = new PtxText(
            "\tmov.b32 %r1, 0;\nA:\n\tsetp.lt.s32 %p1, %r1, 9;\n\t@!%p1 bra D;\nB:\n\tadd.s32 %r2, %r2, 1;\n\tbra "
            + "C;\nD:\n\tret;\nC:\n\t@%p2 bra B;\n\tbra A;\n");
        Assert.That(text.InnerLoops().Select(loop => string.Join("; ", loop)), Is.EqualTo(new[] { "add.s32 %r2, %r2, 1; bra C; bra B" }));
    }

    private static bool IsAllowed(PtxInstruction i)
    {
        string[] parts = i.Code.Split('.');
        return parts[0] switch
        {
            // Without a state space an address could be anywhere, which is slow, and unknown to OpenCL.
            "ld" or "st" or "atom" => parts[1] is "global" or "shared" or "param",
            // ILGPU takes results of intrinsics to be the same in all threads; see PtxCompiler.
            "bra" => parts.Length == 1,
            "call" => false,
            _ => !i.Code.Contains("f32", StringComparison.Ordinal) || Float.Contains(i.Code),
        };
    }
}
