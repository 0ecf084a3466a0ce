using System.CommandLine;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli;

/// <summary>The options that every computing command has.</summary>
public sealed class CommonOptions
{
    private readonly Option<string> device = new("--device") { Description = "auto, cpu, cuda or cuda:N", DefaultValueFactory = _ => "auto" };
    private readonly Option<int> threads = new("--threads") { Description = "CPU threads; 0 for one per logical processor" };
    private readonly Option<ulong> seed = new("--seed") { Description = "seed of every random draw", DefaultValueFactory = _ => 1 };
    private readonly Option<string> precision = new("--precision") { Description = "fp32 or tf32 for matrix products on CUDA", DefaultValueFactory = _ => "fp32" };
    private readonly Option<string?> dataDir = new("--data-dir") { Description = "folder of the data sets (default: $VAE_DATA, else datasets/ here or beside the executable)" };
    private readonly Option<string?> cacheDir = new("--cache-dir") { Description = "folder for converted data (default: $XDG_CACHE_HOME/vae, else ~/.cache/vae)" };
    private readonly Option<bool> verbose = new("--verbose") { Description = "show stack traces of failures" };
    private readonly Option<bool> plain = new("--plain") { Description = "plain lines instead of progress bars and colours" };
    private readonly Option<bool> json = new("--json") { Description = "one JSON object on standard output and nothing else there" };

    /// <summary>Adds the options to a command.</summary>
    public CommonOptions(Command command)
    {
        foreach (Option option in new Option[] { device, threads, seed, precision, dataDir, cacheDir, verbose, plain, json })
            command.Options.Add(option);
    }

    public CommandContext Read(ParseResult parsed) => new(
        parsed.GetValue(device)!, parsed.GetValue(threads), parsed.GetValue(seed), parsed.GetResult(seed) is { Implicit: false },
        parsed.GetValue(precision)!, parsed.GetResult(precision) is { Implicit: false }, parsed.GetValue(dataDir), parsed.GetValue(cacheDir),
        new Output(parsed.GetValue(json), parsed.GetValue(plain)));
}

/// <summary>What a command was asked to work with, and the ways to open it.</summary>
/// <param name="SeedGiven">Whether the seed was written on the command line; a run's own seed holds otherwise.</param>
public sealed record CommandContext(string DeviceName, int Threads, ulong Seed, bool SeedGiven, string Precision, bool PrecisionGiven, string? DataDir, string? CacheDir, Output Output)
{
    /// <summary>Opens the device, with a profiler around it when VAE_PROFILE=1.</summary>
    public Compute OpenCompute()
    {
        if (Threads < 0)
            throw new OptionException($"--threads {Threads}: expected 0 (one per logical processor) or a positive number");
        if (Precision is not ("fp32" or "tf32"))
            throw new OptionException($"--precision {Precision}: expected fp32 or tf32");
        var backend = Device.Open(DeviceName, Threads);
        if (Environment.GetEnvironmentVariable("VAE_PROFILE") != "1")
            return new(backend);
        var profiler = new ProfilingBackend(backend);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => profiler.Report(Console.Error);
        return new(profiler);
    }

    /// <summary>The folder of the data sets.</summary>
    public string ResolveDataDir()
    {
        string? given = DataDir ?? Environment.GetEnvironmentVariable("VAE_DATA");
        if (!string.IsNullOrEmpty(given))
            return Directory.Exists(given) ? given : throw new DataException($"{given}: there is no such data folder; give --data-dir the folder that holds mnist/ and the others");
        return Directory.Exists("datasets") ? "datasets" : Path.Combine(AppContext.BaseDirectory, "datasets");
    }

    public DatasetSplits LoadData(string name) => DatasetCatalogue.Load(name, ResolveDataDir());

    /// <summary>Opens a trained run: its model with weights, its configuration and its data.</summary>
    public OpenRun OpenRun(string path)
    {
        var run = RunDirectory.Open(path);
        var configuration = run.LoadConfiguration();
        if (SeedGiven)
            configuration = configuration with { Seed = Seed };
        var data = LoadData(configuration.Data);
        var compute = OpenCompute();
        try
        {
            var model = ModelCatalogue.Create(compute, configuration, ShapeOf(data.Train), pixelVariance: 1);
            run.LoadModel(model);
            return new(run, configuration, data, compute, model);
        }
        catch
        {
            compute.Dispose();
            throw;
        }
    }

    public static ImageShape ShapeOf(ImageDataset dataset) => new(dataset.Height, dataset.Width, dataset.Channels);
}

/// <summary>A trained run, ready to compute with.</summary>
public sealed record OpenRun(RunDirectory Directory, RunConfiguration Configuration, DatasetSplits Data, Compute Compute, VaeModel Model) : IDisposable
{
    public void Dispose()
    {
        Model.Dispose();
        Compute.Dispose();
    }
}
