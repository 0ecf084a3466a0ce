using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using VaeFromScratch.Distributed;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Tests.Distributed;

/// <summary>Ranks that are threads of this process, each with a CPU device of its own.</summary>
internal sealed class ThreadRanks : ICollective
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly BlockingCollection<byte[]>[,] messages;

    private ThreadRanks(int rank, BlockingCollection<byte[]>[,] messages) => (Rank, this.messages) = (rank, messages);

    public int Rank { get; }

    public int Size => messages.GetLength(0);

    public TimeSpan Patience => Deadline;

    /// <summary>What <paramref name="work"/> gives on each of so many ranks.</summary>
    public static T[] Run<T>(int size, Func<ICollective, Compute, T> work)
    {
        var messages = new BlockingCollection<byte[]>[size, size];
        for (int i = 0; i < size * size; i++)
            messages[i / size, i % size] = [];
        var tasks = Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew(() =>
        {
            using var compute = Compute.Open("cpu", threads: 1);
            return work(new ThreadRanks(rank, messages), compute);
        }, TaskCreationOptions.LongRunning)).ToArray();
        Task.WaitAll(tasks);
        return [.. tasks.Select(t => t.Result)];
    }

    public void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience)
    {
        messages[Rank, partner].Add([.. send]);
        if (!messages[partner, Rank].TryTake(out byte[]? message, Deadline))
            throw new CollectiveException($"rank {partner} has not answered rank {Rank}");
        if (message.Length != receive.Length)
            throw new InvalidOperationException($"rank {partner} sent {message.Length} bytes where rank {Rank} expects {receive.Length}");
        message.CopyTo(receive, 0);
    }

    public void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive)
    {
        byte[] received = new byte[receive.Length * sizeof(float)];
        Exchange(partner, MemoryMarshal.AsBytes(send.AsSpan()).ToArray(), received, Patience);
        MemoryMarshal.Cast<byte, float>(received).CopyTo(receive.AsSpan());
    }

    public void Abort(int exitCode) => throw new InvalidOperationException($"aborted with {exitCode}");

    public void Dispose()
    {
    }
}
