using System.Collections.Concurrent;
using VaeFromScratch.Data;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Explore.Runs;

/// <summary>
/// The models that are open: each is opened when it is first asked for, again when its run has newer weights, and closed when nobody
/// has asked for it for a while or when too many are open. One request at a time computes with a model; one that is given up while it
/// waits never does.
/// </summary>
internal sealed class RunPool : IDisposable
{
    public const int MostOpen = 5;

    private static readonly TimeSpan Unused = TimeSpan.FromMinutes(10);

    private readonly ExploreOptions options;
    private readonly Dictionary<string, Slot> slots = [];
    private readonly ConcurrentDictionary<string, Lazy<ImageDataset>> data = new();
    private readonly Timer closing;
    private bool disposed;

    public RunPool(ExploreOptions options)
    {
        this.options = options;
        closing = new(_ => CloseUnused(Unused), null, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1));
    }

    /// <summary>How many models are open.</summary>
    public int Open
    {
        get
        {
            lock (slots)
                return slots.Values.Count(slot => slot.Run is not null);
        }
    }

    /// <summary>Computes with a run's model, after whatever others do with it.</summary>
    /// <exception cref="OperationCanceledException">Nobody waits for the result any more.</exception>
    /// <exception cref="Engine.IO.DataException">The run cannot be opened.</exception>
    public async Task<T> Use<T>(RunEntry entry, Func<HostedRun, T> work, CancellationToken cancelled)
    {
        var slot = Enter(entry);
        try
        {
            await slot.Gate.WaitAsync(cancelled);
            try
            {
                return await Task.Run(() => work(Fresh(slot)), CancellationToken.None);
            }
            finally
            {
                slot.Gate.Release();
            }
        }
        finally
        {
            Leave(slot);
            CloseUnused(unusedFor: null);
        }
    }

    /// <summary>Waits for requests that are computing.</summary>
    public void Dispose()
    {
        closing.Dispose();
        lock (slots)
            disposed = true;
        foreach (var slot in slots.Values)
        {
            slot.Gate.Wait();
            slot.Close();
        }
    }

    private Slot Enter(RunEntry entry)
    {
        lock (slots)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (!slots.TryGetValue(entry.Path, out var slot))
                slots.Add(entry.Path, slot = new(entry));
            slot.Users++;
            return slot;
        }
    }

    private void Leave(Slot slot)
    {
        lock (slots)
        {
            slot.Users--;
            slot.LastUsed = DateTime.UtcNow;
        }
    }

    /// <summary>The slot's model, opened if need be; the caller holds its gate.</summary>
    private HostedRun Fresh(Slot slot)
    {
        string? weights = RunSummary.WeightsOf(RunDirectory.Open(slot.Entry.Path));
        if (slot.Run is { } open && (weights is null || open.Weights == (weights, File.GetLastWriteTimeUtc(weights))))
            return open;
        slot.Close();
        return slot.Run = HostedRun.Open(slot.Entry, options, TestImages);
    }

    /// <summary>The images of one data set, shared by all runs on it.</summary>
    private ImageDataset TestImages(string name)
    {
        var images = data.GetOrAdd(name, key => new(() => options.LoadData(key).Test.Take(HostedRun.MostImages)));
        try
        {
            return images.Value;
        }
        catch
        {
            // The files may be there the next time.
            data.TryRemove(name, out _);
            throw;
        }
    }

    /// <param name="unusedFor">Closes what has not been used for so long; null only closes the longest unused ones where too many are
    /// open.</param>
    private void CloseUnused(TimeSpan? unusedFor)
    {
        lock (slots)
        {
            if (disposed)
                return;
            Slot[] idle = [.. slots.Values.Where(slot => slot is { Users: 0, Run: not null }).OrderBy(slot => slot.LastUsed)];
            int tooMany = slots.Values.Count(slot => slot.Run is not null) - MostOpen;
            foreach (var slot in idle)
                if (tooMany-- > 0 || DateTime.UtcNow - slot.LastUsed > unusedFor)
                    slot.Close();
        }
    }

    private sealed class Slot(RunEntry entry)
    {
        public RunEntry Entry => entry;

        public SemaphoreSlim Gate { get; } = new(1);

        public HostedRun? Run { get; set; }

        public int Users { get; set; }

        public DateTime LastUsed { get; set; }

        public void Close()
        {
            Run?.Dispose();
            Run = null;
        }
    }
}
