using NUnit.Framework;
using VaeFromScratch.Explore.Runs;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>Models that are open: one request at a time computes, and none that nobody waits for any more.</summary>
public sealed class RunPoolTests
{
    private static RunPool NewPool() => new(new(Served.Folder, _ =>
        new(VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Train.Take(10),
        VaeFromScratch.Data.Mnist.Load(TestFiles.Datasets).Test.Take(10)), _ => Compute.Open("cpu", 1)));

    private static RunEntry Entry(string name) => new RunList(Served.Folder).Find(name);

    [Test]
    public async Task A_request_that_is_given_up_while_it_waits_never_computes()
    {
        using var pool = NewPool();
        using var go = new ManualResetEventSlim();
        var first = pool.Use(Entry("vae"), _ => go.Wait(TimeSpan.FromMinutes(1)), default);
        using var givenUp = new CancellationTokenSource();
        bool computed = false;
        var second = pool.Use(Entry("vae"), _ => computed = true, givenUp.Token);
        givenUp.Cancel();
        Assert.That(async () => await second, Throws.InstanceOf<OperationCanceledException>());
        go.Set();
        Assert.That((await first, computed), Is.EqualTo((true, false)));
        Assert.That(await pool.Use(Entry("vae"), run => run.Test.Count, default), Is.EqualTo(10), "the model is free again");
    }

    [Test]
    public async Task One_request_at_a_time_computes_with_a_model_and_models_do_not_wait_for_one_another()
    {
        using var pool = NewPool();
        int inside = 0, most = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => pool.Use(Entry("vae"), _ =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            Thread.Sleep(5);
            return Interlocked.Decrement(ref inside);
        }, default)));
        Assert.That(most, Is.EqualTo(1));

        using var go = new ManualResetEventSlim();
        var held = pool.Use(Entry("vae"), _ => go.Wait(TimeSpan.FromMinutes(1)), default);
        Assert.That(await pool.Use(Entry("iwae"), run => run.Model.Latents, default), Is.EqualTo(3));
        go.Set();
        Assert.That(await held, Is.True);
    }

    [Test]
    public async Task A_run_with_newer_weights_is_opened_again()
    {
        string folder = TestFiles.Folder("explore-newer"), run = Served.Copy("vae", folder);
        using var pool = NewPool();
        var entry = new RunList(folder).Find("vae");
        var first = await pool.Use(entry, r => r, default);
        Assert.That(await pool.Use(entry, r => r, default), Is.SameAs(first));
        File.SetLastWriteTimeUtc(Path.Combine(run, "model.safetensors"), DateTime.UtcNow.AddSeconds(5));
        Assert.That(await pool.Use(entry, r => r, default), Is.Not.SameAs(first));
        Assert.That(pool.Open, Is.EqualTo(1));
    }

    [Test]
    public void A_process_that_has_ended_holds_no_run()
    {
        string folder = TestFiles.Folder("explore-lock");
        Assert.That(VaeFromScratch.Models.Runs.RunLock.SeemsHeld(folder), Is.False, "no file");
        using (VaeFromScratch.Models.Runs.RunLock.Take(folder))
            Assert.That(VaeFromScratch.Models.Runs.RunLock.SeemsHeld(folder), Is.True, "this process");
        File.WriteAllText(Path.Combine(folder, "run.lock"), $"process {int.MaxValue} on {Environment.MachineName}\n");
        Assert.That(VaeFromScratch.Models.Runs.RunLock.SeemsHeld(folder), Is.False, "a number that no process has");
        File.WriteAllText(Path.Combine(folder, "run.lock"), "process 1 on some-other-machine\n");
        Assert.That(VaeFromScratch.Models.Runs.RunLock.SeemsHeld(folder), Is.True, "nothing is known of another machine");
    }
}
