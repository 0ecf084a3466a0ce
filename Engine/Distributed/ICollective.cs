using VaeFromScratch.Kernels;

namespace VaeFromScratch.Distributed;

/// <summary>
/// Another process of a run that several train together has gone, or has not answered in time; the message is one sentence.
/// </summary>
internal sealed class CollectiveException(string message) : Exception(message);

/// <summary>
/// Processes (ranks) that train one model together. All of them make the same calls in the same order; <see cref="Collectives"/> has what
/// is built on the one call that differs, a pairwise exchange.
/// </summary>
internal interface ICollective : IDisposable
{
    /// <summary>This process, from 0.</summary>
    int Rank { get; }

    /// <summary>How many there are.</summary>
    int Size { get; }

    /// <summary>How long a partner may take to answer when both are doing the same.</summary>
    TimeSpan Patience { get; }

    /// <summary>Sends to a partner and receives from it at the same time; either may be empty.</summary>
    /// <param name="patience">How long the partner may take.</param>
    /// <exception cref="CollectiveException">The partner has gone or takes longer.</exception>
    void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience);

    /// <summary>
    /// The same with numbers in a device's memory; the kernels called before come first, and those called after see them.
    /// </summary>
    /// <exception cref="CollectiveException">The partner has gone or takes longer than <see cref="Patience"/>.</exception>
    void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive);

    /// <summary>Ends all ranks at once, this one too, with an exit code.</summary>
    void Abort(int exitCode);
}

/// <summary>One process alone, which has nobody to exchange anything with.</summary>
internal sealed class SingleProcess : ICollective
{
    /// <summary>The only one there need be.</summary>
    public static readonly SingleProcess Instance = new();

    private SingleProcess()
    {
    }

    public int Rank => 0;

    public int Size => 1;

    public TimeSpan Patience => TimeSpan.Zero;

    public void Exchange(int partner, byte[] send, byte[] receive, TimeSpan patience) => throw Nobody();

    public void Exchange(Compute compute, int partner, Slice<float> send, Slice<float> receive) => throw Nobody();

    public void Abort(int exitCode) => Environment.Exit(exitCode);

    public void Dispose()
    {
    }

    private static InvalidOperationException Nobody() => new("a process alone has no partner to exchange with");
}
