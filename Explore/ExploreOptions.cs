using System.Net;
using VaeFromScratch.Data;
using VaeFromScratch.Models;

namespace VaeFromScratch.Explore;

/// <summary>What the page shows and how runs are opened for it.</summary>
/// <param name="Path">A run directory, or a folder with runs in it.</param>
/// <param name="LoadData">Reads a data set by the name in a run's configuration.</param>
/// <param name="OpenCompute">A device for one run; disposed of with the run.</param>
public sealed record ExploreOptions(string Path, Func<string, DatasetSplits> LoadData, Func<RunConfiguration, Compute> OpenCompute)
{
    /// <summary>The interface to listen on. Any but the loopback makes a token part of the address.</summary>
    public IPAddress Listen { get; init; } = IPAddress.Loopback;

    /// <summary>0 for any free port.</summary>
    public int Port { get; init; }
}
