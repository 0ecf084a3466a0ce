using System.Runtime.InteropServices;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>
/// The GPU backend of a test run: one, because a second would compile every kernel again. Where there is no such device, tests that ask for
/// it are skipped by name, or
/// fail if VAE_REQUIRE_OPENCL=1 says so.
/// </summary>
internal static class OnGpu
{
    private static readonly Lazy<GpuBackend> Opened = new(Open);
    private static readonly HashSet<KernelCase> Called = [];

    public static GpuBackend Backend => Opened.Value;

    private static readonly ILookup<string, KernelCase> Cases = KernelCases.All().ToLookup(c => c.Operation);

    /// <summary>
    /// What the cases are grouped by. A test for each of some thousand cases would be too many: from 2 000 on, the adapter ignores a filter
    /// and runs everything.
    /// </summary>
    public static IEnumerable<string> Operations => Cases.Select(group => group.Key);

    public static IEnumerable<KernelCase> CasesOf(string operation) => Cases[operation];

    /// <summary>Fails with what <paramref name="test"/> says of an operation's cases; null where one is right.</summary>
    public static void All(string operation, Func<KernelCase, string?> test)
    {
        var failures = new List<string>();
        foreach (var kernelCase in Cases[operation])
        {
            string? failure;
            try
            {
                failure = test(kernelCase);
            }
            catch (Exception e) when (e is not DeviceException)
            {
                failure = e.ToString();
            }
            if (failure is not null)
                failures.Add($"{kernelCase}: {failure}");
        }
        Assert.That(failures, Is.Empty);
    }

    /// <summary>One more backend on the same device and its compiled kernels, with memory of its own; for tests that close it.</summary>
    public static GpuBackend Open()
    {
        try
        {
            return (GpuBackend)Device.Open(Environment.GetEnvironmentVariable("VAE_TEST_DEVICE") ?? "opencl");
        }
        catch (DeviceException e) when (Environment.GetEnvironmentVariable("VAE_REQUIRE_OPENCL") != "1")
        {
            throw new IgnoreException($"{e.Message}; Debian's pocl-opencl-icd is an OpenCL driver for the CPU");
        }
    }

    /// <summary>A case's arrays, and that it is about to be called.</summary>
    public static CaseContext Prepare(KernelCase kernelCase, int skip = 0)
    {
        Called.Add(kernelCase);
        return CaseContext.Prepare(Backend, kernelCase, skip);
    }

    /// <summary>Calls every case that no test has called yet.</summary>
    public static void CallTheRest()
    {
        foreach (var kernelCase in Cases.SelectMany(group => group).Where(c => !Called.Contains(c)).ToArray())
        {
            using var context = Prepare(kernelCase);
            context.Call!(Backend);
        }
    }

    /// <summary>What a case's arrays hold, as words; arrays of bytes that do not begin at a word are left out.</summary>
    public static List<uint[]> Words(CaseContext context) =>
        [.. context.Buffers.Where(b => b.Address % sizeof(float) == 0).Select(b => Words(context.Backend, b))];

    public static uint[] Words(IBackend backend, Slice<float> slice)
    {
        var words = new uint[slice.Length];
        backend.Download(slice, MemoryMarshal.Cast<uint, float>(words.AsSpan()));
        return words;
    }

    /// <summary>Where two sets of arrays differ; null where they do not.</summary>
    public static string? Difference(List<uint[]> expected, List<uint[]> actual, string when)
    {
        for (int a = 0; a < expected.Count; a++)
            if (expected[a].AsSpan().CommonPrefixLength(actual[a]) is var same && same < expected[a].Length)
                return $"{when}, array {a} at {same}: {BitConverter.UInt32BitsToSingle(expected[a][same]):G9} became "
                    + $"{BitConverter.UInt32BitsToSingle(actual[a][same]):G9}";
        return null;
    }

    /// <summary>Gives the arrays back what they held.</summary>
    public static void Restore(CaseContext context, List<uint[]> words)
    {
        foreach (var (buffer, held) in context.Buffers.Zip(words))
            context.Backend.Upload<float>(MemoryMarshal.Cast<uint, float>(held.AsSpan()), buffer);
    }
}
