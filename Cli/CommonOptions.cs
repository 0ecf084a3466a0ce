using System.CommandLine;
using System.Globalization;
using VaeFromScratch.Engine;
using VaeFromScratch.Engine.Data;
using VaeFromScratch.Engine.Data.Streaming;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using MatrixPrecision = VaeFromScratch.Kernels.Precision;

namespace VaeFromScratch.Cli;

/// <summary>The options that every command has, and those that every computing command has.</summary>
public sealed class CommonOptions
{
    private readonly Option<string> device = new("--device")
    {
        Description = $"{Device.Names}; auto is a CUDA GPU, else an OpenCL GPU, else the CPU",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<int> threads = new("--threads") { Description = "CPU threads; 0 for one per logical processor" };
    private readonly Option<ulong> seed = new("--seed") { Description = "seed of every random draw (default: the run's own, or 1)", DefaultValueFactory = _ => 1 };
    private readonly Option<string?> precision = new("--precision")
    {
        Description = "operands of matrix products and convolutions: fp32, tf32 or bf16 (default: tf32 where a CUDA GPU has tensor cores for it, else fp32)",
    };
    private readonly Option<string?> dataDir = new("--data-dir") { Description = "folder of the data sets (default: $VAE_DATA, else datasets/ here or beside the executable)" };
    private readonly Option<string?> cacheDir = new("--cache-dir") { Description = "folder for converted data (default: $XDG_CACHE_HOME/vae, else ~/.cache/vae)" };
    private readonly Option<bool> verbose = new("--verbose") { Description = "show stack traces of failures" };
    private readonly Option<bool> plain = new("--plain") { Description = "plain lines instead of progress bars and colours" };
    private readonly Option<bool> json = new("--json") { Description = "one JSON object on standard output and nothing else there" };

    /// <summary>Adds the options to a command.</summary>
    /// <param name="computes">Whether the command opens a device and draws random numbers.</param>
    public CommonOptions(Command command, bool computes = true)
    {
        Option[] always = [dataDir, cacheDir, verbose, plain, json];
        foreach (var option in computes ? [device, threads, seed, precision, .. always] : always)
            command.Options.Add(option);
        Computes = computes;
    }

    private bool Computes { get; }

    /// <exception cref="OptionException">A value cannot be used.</exception>
    public CommandContext Read(ParseResult parsed)
    {
        var output = new Output(parsed.GetValue(json), parsed.GetValue(plain));
        var (data, cache) = (parsed.GetValue(dataDir), parsed.GetValue(cacheDir));
        if (!Computes)
            return new("auto", 0, 1, false, null, data, cache, output);
        var context = new CommandContext(parsed.GetValue(device)!, parsed.GetValue(threads), parsed.GetValue(seed), parsed.GetResult(seed) is { Implicit: false },
            parsed.GetValue(precision), data, cache, output);
        context.Validate();
        return context;
    }
}

/// <summary>What a command was asked to work with, and the ways to open it.</summary>
/// <param name="SeedGiven">Whether the seed was written on the command line; a run's own seed holds otherwise.</param>
/// <param name="Precision">As it was written on the command line; a run's own precision holds when null.</param>
public sealed record CommandContext(string DeviceName, int Threads, ulong Seed, bool SeedGiven, string? Precision, string? DataDir, string? CacheDir, Output Output)
{
    private static int hasToldDevice;

    /// <exception cref="OptionException">A value cannot be used.</exception>
    internal void Validate()
    {
        if (!Device.IsName(DeviceName))
            throw new OptionException($"--device {DeviceName}: expected {Device.Names}");
        if (Threads < 0)
            throw new OptionException($"--threads {Threads}: expected 0 (one per logical processor) or a positive number");
        if (Precision is not null && !Enum.GetNames<MatrixPrecision>().Any(name => name.ToLowerInvariant() == Precision))
            throw new OptionException($"--precision {Precision}: expected fp32, tf32 or bf16");
    }

    /// <summary>Opens the device, with a profiler around it when VAE_PROFILE=1.</summary>
    /// <param name="runPrecision">The precision of a run's configuration, used where the command line names none; tf32 is its default and stands for the device's.</param>
    /// <param name="trained">Whether that run is trained already: one in bf16 may then be looked at in fp32, on any device.</param>
    /// <exception cref="DeviceException">There is no such device, or it does not multiply in that precision.</exception>
    public Compute OpenCompute(string? runPrecision = null, bool trained = false) => new(OpenBackend(runPrecision, trained));

    /// <inheritdoc cref="OpenCompute"/>
    public IBackend OpenBackend(string? runPrecision = null, bool trained = false)
    {
        string? wanted = Precision ?? (runPrecision == "tf32" ? null : runPrecision);
        MatrixPrecision? precision = wanted is null ? null : Enum.Parse<MatrixPrecision>(wanted, ignoreCase: true);
        var backend = Device.Open(DeviceName, Threads, precision, insist: Precision is not null || !trained);
        if (DeviceName == "auto" && Interlocked.Exchange(ref hasToldDevice, 1) == 0)
            TellDevice(backend.Name);
        if (Environment.GetEnvironmentVariable("VAE_PROFILE") != "1")
            return backend;
        var profiler = new ProfilingBackend(backend);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => profiler.Report(Console.Error);
        return profiler;
    }

    /// <summary>Which GPU was chosen, and why one was not that seems to be there.</summary>
    private static void TellDevice(string name)
    {
        if (GpuLoader.Describe(name) is { } gpu)
            Cli.Output.Note($"computing on {name}, {gpu.Description} ({gpu.Details}); --device chooses another");
        if (!name.StartsWith("cuda", StringComparison.Ordinal))
            foreach (var driver in GpuLoader.Drivers().Where(d => d.Failure is not null))
                Cli.Output.Note($"{driver.Library} is installed, but {driver.Failure}; `vae list devices` shows what there is");
    }

    /// <summary>The folder of the data sets.</summary>
    /// <exception cref="DataException">A folder was named and is not there.</exception>
    public string ResolveDataDir()
    {
        string? given = DataDir ?? Environment.GetEnvironmentVariable("VAE_DATA");
        if (!string.IsNullOrEmpty(given))
            return Directory.Exists(given) ? given : throw new DataException($"{given}: there is no such data folder; give --data-dir the folder that holds mnist/ and the others");
        return Directory.Exists("datasets") ? "datasets" : Path.Combine(AppContext.BaseDirectory, "datasets");
    }

    /// <exception cref="OptionException">There is no data set of that name.</exception>
    /// <exception cref="DataException">A file of it is missing or wrong.</exception>
    public DatasetSplits LoadData(string name) =>
        FindData(name).Open(ResolveDataDir(), ResolveCacheDir(), progress: DecodingProgress(name));

    /// <summary>Says, at the first block of pictures and at every tenth of them, how far the making of a cache file is.</summary>
    public Action<int, int> DecodingProgress(string name)
    {
        int told = -1;
        return (done, all) =>
        {
            int tenth = (int)(10L * done / all);
            if (tenth == told)
                return;
            told = tenth;
            Cli.Output.Note(string.Create(CultureInfo.InvariantCulture, $"{name}: {done} of {all} pictures decoded into {ResolveCacheDir()}, once for all runs"));
        };
    }

    /// <summary>The folder for converted data; it is made when something is written there.</summary>
    public string ResolveCacheDir() => string.IsNullOrEmpty(CacheDir) ? CacheFolder.Default : CacheDir;

    /// <exception cref="OptionException">There is no data set of that name.</exception>
    public static DatasetInfo FindData(string name) => DatasetCatalogue.All.FirstOrDefault(set => set.Name == name)
        ?? throw new OptionException($"data set '{name}' does not exist; data sets are {string.Join(", ", DatasetCatalogue.All.Select(set => set.Name))}");

    /// <summary>Opens a trained run: its model with weights, its configuration and its data.</summary>
    /// <exception cref="DataException">The folder is no run, or a file in it is damaged.</exception>
    public OpenRun OpenRun(string path)
    {
        var run = RunDirectory.Open(path);
        var configuration = run.LoadConfiguration();
        if (SeedGiven)
            configuration = configuration with { Seed = Seed };
        if (!File.Exists(run.ModelFile))
            throw new DataException($"{path}: it has no model.safetensors, so its training has not ended; continue it with `vae train --resume --out {path}`");
        DatasetSplits data;
        try
        {
            configuration.Validate();
            data = LoadData(configuration.Data);
        }
        catch (OptionException e)
        {
            throw new DataException($"{run.ConfigurationFile}: {e.Message}; correct the file or train the model again", e);
        }
        var compute = OpenCompute(configuration.Precision, trained: true);
        try
        {
            var model = ModelCatalogue.Create(compute, configuration, ShapeOf(data.Train), pixelVariance: 1, configuration.Limit > 0 ? Math.Min(configuration.Limit, data.Train.Count) : data.Train.Count);
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
    /// <summary>The images that the run was trained on.</summary>
    public ImageDataset TrainingImages => Configuration.Limit > 0 ? Data.Train.Take(Configuration.Limit) : Data.Train;

    /// <exception cref="OptionException">The split is neither train nor test.</exception>
    public ImageDataset Split(string name) => name switch
    {
        "test" => Data.Test,
        "train" => Data.Train,
        _ => throw new OptionException($"--split {name}: expected test or train"),
    };

    public void Dispose()
    {
        Model.Dispose();
        Compute.Dispose();
    }
}
