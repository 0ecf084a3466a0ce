using NUnit.Framework;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>The thread team: each part once, barriers, failures, more threads than cores.</summary>
public sealed class ThreadTeamTests
{
    private readonly struct Count(int[] visits) : IJob
    {
        public void Run(int index) => Interlocked.Increment(ref visits[index]);
    }

    /// <summary>Writes in turns: after each barrier every thread checks what its neighbour wrote before it.</summary>
    private readonly struct Relay(ThreadTeam team, int[] cells, int rounds, int[] errors) : IJob
    {
        public void Run(int thread)
        {
            for (int round = 1; round <= rounds; round++)
            {
                Volatile.Write(ref cells[thread], round);
                team.Barrier();
                if (Volatile.Read(ref cells[(thread + 1) % cells.Length]) != round)
                    Interlocked.Increment(ref errors[0]);
                team.Barrier();
            }
        }
    }

    private readonly struct Fail(int at) : IJob
    {
        public void Run(int index)
        {
            if (index == at)
                throw new ArithmeticException("planted");
        }
    }

    /// <summary>The first part ends when all others have run.</summary>
    private readonly struct FirstPartWaits(int[] visits) : IJob
    {
        public void Run(int index)
        {
            int[] all = visits;
            if (index == 0 && !SpinWait.SpinUntil(() => all.Skip(1).All(v => v == 1), TimeSpan.FromSeconds(20)))
                throw new TimeoutException("the other parts have not run");
            Interlocked.Increment(ref all[index]);
        }
    }

    /// <summary>As <see cref="Count"/>, for what runs on every thread and takes its parts itself.</summary>
    private struct Taking(ThreadTeam? team, int[] visits) : IJob
    {
        private int alone;

        public void Run(int thread)
        {
            for (int i; (i = ThreadTeam.Take(team, thread, visits.Length, ref alone)) >= 0;)
                Interlocked.Increment(ref visits[i]);
        }
    }

    private static readonly int[] TeamSizes = [1, 2, 3, 4, 8];

    [TestCaseSource(nameof(TeamSizes))]
    public void Every_index_runs_once(int threads)
    {
        using var team = new ThreadTeam(threads);
        foreach (int count in (int[])[0, 1, 2, 3, 7, 100, 10_000])
        {
            int[] visits = new int[count];
            var job = new Count(visits);
            team.ForEach(count, ref job);
            Assert.That(visits, Is.All.EqualTo(1), $"{count} parts");
        }
    }

    [TestCase(2)]
    [TestCase(3)]
    public void A_thread_that_is_held_up_leaves_its_share_to_the_others(int threads)
    {
        using var team = new ThreadTeam(threads);
        int[] visits = new int[11];
        var job = new FirstPartWaits(visits);
        team.ForEach(visits.Length, ref job);
        Assert.That(visits, Is.All.EqualTo(1));
    }

    [TestCaseSource(nameof(TeamSizes))]
    public void Every_part_is_taken_once_by_threads_and_without_a_team(int threads)
    {
        using var team = new ThreadTeam(threads);
        foreach (int count in (int[])[0, 1, 2, 3, 7, 1000])
        {
            int[] visits = new int[count];
            var job = new Taking(threads == 1 ? null : team, visits);
            team.OnEveryThread(ref job);
            Assert.That(visits, Is.All.EqualTo(1), $"{count} parts");
        }
    }

    [TestCaseSource(nameof(TeamSizes))]
    public void Every_thread_runs_once_and_meets_at_barriers(int threads)
    {
        using var team = new ThreadTeam(threads);
        int[] visits = new int[threads], errors = new int[1];
        var count = new Count(visits);
        team.OnEveryThread(ref count);
        Assert.That(visits, Is.All.EqualTo(1));
        var relay = new Relay(team, new int[threads], 200, errors);
        team.OnEveryThread(ref relay);
        Assert.That(errors[0], Is.Zero);
    }

    [TestCaseSource(nameof(TeamSizes))]
    public void A_failure_reaches_the_caller_and_the_team_works_on(int threads)
    {
        using var team = new ThreadTeam(threads);
        foreach (int at in (int[])[0, 5, 9])
        {
            var fail = new Fail(at);
            var thrown = Assert.Catch(() => team.ForEach(10, ref fail))!;
            Assert.That(thrown.ToString(), Does.Contain("planted"));
            int[] visits = new int[50];
            var count = new Count(visits);
            team.ForEach(50, ref count);
            Assert.That(visits, Is.All.EqualTo(1));
        }
    }

    [Test]
    public void Short_jobs_after_pauses_wake_parked_threads()
    {
        using var team = new ThreadTeam(3);
        int[] visits = new int[3];
        var count = new Count(visits);
        for (int i = 0; i < 20; i++)
        {
            team.OnEveryThread(ref count);
            if (i % 5 == 0)
                Thread.Sleep(5);
        }
        Assert.That(visits, Is.All.EqualTo(20));
    }

    [Test]
    public void Many_dispatches_on_more_threads_than_cores_finish()
    {
        using var team = new ThreadTeam(8);
        int[] visits = new int[64];
        var count = new Count(visits);
        for (int i = 0; i < 2_000; i++)
            team.ForEach(64, ref count);
        Assert.That(visits, Is.All.EqualTo(2_000));
    }

    [Test]
    public void A_dispatch_allocates_nothing()
    {
        using var team = new ThreadTeam(2);
        var count = new Count(new int[16]);
        team.ForEach(16, ref count);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            team.ForEach(16, ref count);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void A_disposed_team_refuses_work()
    {
        var team = new ThreadTeam(2);
        team.Dispose();
        team.Dispose();
        var count = new Count(new int[4]);
        Assert.That(() => team.ForEach(4, ref count), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void A_negative_number_of_threads_is_refused() =>
        Assert.That(() => new ThreadTeam(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
}
