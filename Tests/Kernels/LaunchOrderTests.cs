using System.Reflection;
using NUnit.Framework;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cuda;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Which launches of a step with branches wait for which, without a device.</summary>
public sealed class LaunchOrderTests
{
    private static readonly Slice<float> A = new(0x1000, 64), B = new(0x2000, 64), C = new(0x3000, 64), D = new(0x4000, 64);

    [Test]
    public void A_launch_waits_for_those_that_wrote_what_it_reads()
    {
        var order = new LaunchOrder();
        Assert.That(Add(order, writes: [A]), Is.Empty);
        Assert.That(Add(order, writes: [B]), Is.Empty);
        Assert.That(Add(order, reads: [A, B], writes: [C]), Is.EquivalentTo(new[] { 0, 1 }));
        Assert.That(order.LongestChain, Is.EqualTo(2));
    }

    [Test]
    public void A_launch_waits_for_those_that_read_what_it_writes()
    {
        var order = new LaunchOrder();
        Add(order, reads: [A], writes: [B]);
        Add(order, reads: [A], writes: [C]);
        Assert.That(Add(order, writes: [A]), Is.EquivalentTo(new[] { 0, 1 }));
    }

    [Test]
    public void A_launch_waits_for_the_one_that_wrote_what_it_writes()
    {
        var order = new LaunchOrder();
        Add(order, writes: [A]);
        Assert.That(Add(order, writes: [A]), Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void Launches_that_only_read_the_same_run_side_by_side()
    {
        var order = new LaunchOrder();
        Add(order, reads: [A], writes: [B]);
        Assert.That(Add(order, reads: [A], writes: [C]), Is.Empty);
        Assert.That(order.LongestChain, Is.EqualTo(1));
    }

    [TestCase(0, 32, 32, 32, false)]
    [TestCase(0, 33, 32, 32, true)]
    [TestCase(10, 4, 0, 64, true)]
    [TestCase(63, 1, 0, 63, false)]
    [TestCase(0, 0, 0, 64, false)]
    public void Parts_of_an_array_count_by_the_byte(int start, int length, int otherStart, int otherLength, bool waits)
    {
        var order = new LaunchOrder();
        Add(order, writes: [A.Part(start, length)]);
        Assert.That(Add(order, reads: [A.Part(otherStart, otherLength)], writes: [B]), Has.Count.EqualTo(waits ? 1 : 0));
    }

    [Test]
    public void What_others_wait_for_already_needs_no_edge()
    {
        var order = new LaunchOrder();
        Add(order, writes: [A]);
        Add(order, reads: [A], writes: [B]);
        Add(order, reads: [A], writes: [C]);
        Assert.That(Add(order, reads: [A, B], writes: [D]), Is.EqualTo(new[] { 1 }));
        Assert.That(Add(order, reads: [A, C, D]), Is.EquivalentTo(new[] { 2, 3 }));
        Assert.That(order.LongestChain, Is.EqualTo(4));
    }

    [Test]
    public void Launches_of_unknown_memory_wait_for_all_and_all_wait_for_them()
    {
        var order = new LaunchOrder();
        Add(order, writes: [A]);
        Add(order, writes: [B]);
        Assert.That(order.Add(new LaunchMemory { IsUnknown = true }), Is.EquivalentTo(new[] { 0, 1 }));
        Assert.That(Add(order, writes: [C]), Is.EqualTo(new[] { 2 }));
        Assert.That(Add(order, writes: [D]), Is.EqualTo(new[] { 2 }));
    }

    [Test]
    public void Scratch_memory_is_shared_by_launches_that_wait_for_one_another_and_by_no_others_while_there_is_more()
    {
        var order = new LaunchOrder();
        Assert.That(AddWithScratch(order, out int first, writes: [A]), Is.Empty);
        Assert.That(AddWithScratch(order, out int second, writes: [B]), Is.Empty);
        Assert.That(second, Is.Not.EqualTo(first));
        Assert.That(AddWithScratch(order, out int afterFirst, reads: [A], writes: [C]), Is.EqualTo(new[] { 0 }));
        Assert.That(afterFirst, Is.EqualTo(first));
        Assert.That(AddWithScratch(order, out int afterSecond, reads: [B], writes: [D]), Is.EqualTo(new[] { 1 }));
        Assert.That(afterSecond, Is.EqualTo(second));
        // Its own memory is that of launch 0, but its lane's last user is launch 2.
        Assert.That(AddWithScratch(order, out int third, reads: [A]), Is.EqualTo(new[] { 0 }));
        Assert.That(third, Is.Not.AnyOf(first, second));
    }

    [Test]
    public void Where_all_scratch_memory_is_in_use_a_launch_waits_for_the_oldest_user()
    {
        var order = new LaunchOrder();
        var lanes = new HashSet<int>();
        for (int i = 0; i < LaunchOrder.Lanes; i++)
        {
            Assert.That(AddWithScratch(order, out int lane, writes: [new(0x10000 * (i + 1), 16)]), Is.Empty);
            lanes.Add(lane);
        }
        Assert.That(lanes, Has.Count.EqualTo(LaunchOrder.Lanes));
        Assert.That(AddWithScratch(order, out _, writes: [A]), Is.EqualTo(new[] { 0 }));
        Assert.That(AddWithScratch(order, out _, writes: [B]), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void More_than_64_launches_are_told_apart()
    {
        var order = new LaunchOrder();
        for (int i = 0; i < 200; i++)
            Add(order, writes: [new(0x10000 * (i + 1), 16)]);
        Assert.That(Add(order, reads: [new(0x10000 * 66, 1), new(0x10000 * 2, 1)], writes: [A]), Is.EqualTo(new[] { 65, 1 }));
        Assert.That(Add(order, reads: [A, new(0x10000 * 66, 1), new(0x10000 * 200, 1)]), Is.EqualTo(new[] { 200, 199 }));
        Assert.That(order.LongestChain, Is.EqualTo(3));
    }

    /// <summary>A structure marked as sizes must not be able to hold an address.</summary>
    [Test]
    public void Structures_of_sizes_hold_no_addresses()
    {
        var structures = typeof(CudaBackend).Assembly.GetTypes().Where(t => t.IsValueType && t.IsAssignableTo(typeof(ISizes))).ToArray();
        Assert.That(structures, Is.Not.Empty);
        foreach (var structure in structures)
            Assert.That(Fields(structure).Where(f => f.IsPointer || f == typeof(nint) || f == typeof(nuint) || f == typeof(long) || f == typeof(ulong)), Is.Empty, structure.Name);

        static IEnumerable<Type> Fields(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Select(f => f.FieldType)
            .SelectMany(f => f.IsPrimitive || f.IsPointer || !f.IsValueType ? [f] : Fields(f));
    }

    private static IReadOnlyList<int> Add(LaunchOrder order, Slice<float>[]? reads = null, Slice<float>[]? writes = null) => order.Add(Memory(reads, writes));

    private static IReadOnlyList<int> AddWithScratch(LaunchOrder order, out int lane, Slice<float>[]? reads = null, Slice<float>[]? writes = null)
    {
        var memory = Memory(reads, writes);
        lane = memory.Lane = order.ChooseLane(memory);
        return order.Add(memory);
    }

    private static LaunchMemory Memory(Slice<float>[]? reads, Slice<float>[]? writes)
    {
        var memory = new LaunchMemory();
        foreach (var slice in reads ?? [])
            memory.Read(slice);
        foreach (var slice in writes ?? [])
            memory.Write(slice);
        return memory;
    }
}
