using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Own;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Cpu;
using VaeFromScratch.Kernels.Gpu;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;
using MatrixPrecision = VaeFromScratch.Kernels.Precision;

namespace VaeFromScratch.Cli;

/// <summary>The options that every command has, and those that every computing command has.</summary>
public sealed class CommonOptions
{
    private static readonly ConditionalWeakTable<Command, (string Title, Option[] Options)[]> OfCommand = [];

    private readonly Option<string> device = new("--device")
    {
        Description = $"{Device.Names}; auto is a CUDA GPU, else an OpenCL GPU, else the CPU (default: auto)",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<int> threads = new("--threads") { Description = "CPU threads; 0 for one per logical processor (default: 0)" };
    private readonly Option<ulong> seed = new("--seed")
    {
        Description = "seed of every random draw (default: the run's own where there is one, else 1)",
        DefaultValueFactory = _ => 1,
    };
    private readonly Option<string?> precision = new Option<string?>("--precision")
    {
        Description =
            "operands of matrix products and convolutions: fp32, tf32 or bf16 (default: tf32 where a CUDA GPU has tensor cores for it, "
            + "else fp32)",
    }.Among([.. Enum.GetNames<MatrixPrecision>().Select(name => name.ToLowerInvariant())]);
    private readonly Option<string?> dataDir = new("--data-dir")
    {
        Description = "folder of the data sets (default: $VAE_DATA, else "
        + "datasets/ here, beside the executable, or above it)"
    };
    private readonly Option<string?> cacheDir =
        new("--cache-dir") { Description = "folder for converted data (default: $XDG_CACHE_HOME/vae, else ~/.cache/vae)" };
    private readonly Option<string[]> plugin = new(Plugins.Option)
    {
        Description =
        "an assembly with models of your own, which is loaded and run; may be repeated",
        DefaultValueFactory = _ => []
    };
    private readonly Option<bool> verbose = new("--verbose") { Description = "show stack traces of failures" };
    private readonly Option<bool> plain = new("--plain") { Description = "plain lines instead of progress bars and colours" };
    private readonly Option<bool> json = new("--json") { Description = "one JSON object on standard output and nothing else there" };

    /// <summary>Adds the options to a command.</summary>
    /// <param name="computes">Whether the command opens a device and draws random numbers.</param>
    public CommonOptions(Command command, bool computes = true)
    {
        (string Title, Option[] Options)[] groups =
        [
            .. computes ? [("Device", [device, threads, precision, seed])] : ((string, Option[])[])[],
            ("Data and models", [dataDir, cacheDir, plugin]),
            ("Output", [json, plain, verbose]),
        ];
        device.CompletionSources.Add([.. Device.Names.Split([" or ", ", "], StringSplitOptions.None).Where(Device.IsName)]);
        foreach (var option in groups.SelectMany(group => group.Options))
        {
            option.Hidden = true;
            command.Options.Add(option);
        }
        OfCommand.Add(command, groups);
        Computes = computes;
    }

    private bool Computes { get; }

    /// <summary>Writes the options that a command shares with others, by group.</summary>
    internal static void WriteHelp(Command command, TextWriter output)
    {
        if (!OfCommand.TryGetValue(command, out var groups))
            return;
        foreach (var (title, options) in groups)
        {
            output.WriteLine();
            output.WriteLine($"{title}:");
            foreach (var option in options)
                output.WriteLine($"  {option.Name,-12} {option.Description}");
        }
    }

    /// <exception cref="OptionException">A value cannot be used.</exception>
    public CommandContext Read(ParseResult parsed)
    {
        var output = new Output(parsed.GetValue(json), parsed.GetValue(plain));
        var (data, cache) = (parsed.GetValue(dataDir), parsed.GetValue(cacheDir));
        if (!Computes)
            return new("auto", 0, 1, false, null, data, cache, output);
        var context = new CommandContext(parsed.GetValue(device)!, parsed.GetValue(threads), parsed.GetValue(seed),
            parsed.GetResult(seed) is { Implicit: false },
            parsed.GetValue(precision), data, cache, output);
        context.Validate();
        return context;
    }
}

/// <summary>What a command was asked to work with, and the ways to open it.</summary>
/// <param name="SeedGiven">Whether the seed was written on the command line; a run's own seed holds otherwise.</param>
/// <param name="Precision">As it was written on the command line; a run's own precision holds when null.</param>
public sealed record CommandContext(string DeviceName, int Threads, ulong Seed, bool SeedGiven, string? Precision, string? DataDir,
    string? CacheDir, Output Output)
{
    private static int hasToldDevice;

    /// <exception cref="OptionException">A value cannot be used.</exception>
    internal void Validate()
    {
        if (!Device.IsName(DeviceName))
            throw new OptionException($"--device {DeviceName}: expected {Device.Names}");
        if (Threads < 0 || Threads > CpuBackend.MostThreads)
            throw new OptionException($"--threads {Threads}: expected 0 (one per logical processor, here {Environment.ProcessorCount}) or "
                + $"a positive number, at most {CpuBackend.MostThreads}");
    }

    /// <summary>Opens the device, with a profiler around it when VAE_PROFILE=1.</summary>
    /// <param name="runPrecision">The precision of a run's configuration, used where the command line names none; tf32 is its default and
    /// stands for the device's.</param>
    /// <param name="trained">Whether that run is trained already: one in bf16 may then be looked at in fp32, on any device.</param>
    /// <exception cref="DeviceException">There is no such device, or it does not multiply in that precision.</exception>
    public Compute OpenCompute(MatrixPrecision? runPrecision = null, bool trained = false) => new(OpenBackend(runPrecision, trained));

    /// <inheritdoc cref="OpenCompute"/>
    public IBackend OpenBackend(MatrixPrecision? runPrecision = null, bool trained = false)
    {
        MatrixPrecision? precision = Precision is { } given ? Enum.Parse<MatrixPrecision>(given, ignoreCase: true)
            : runPrecision == MatrixPrecision.Tf32 ? null : runPrecision;
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
    /// <param name="set">The one that is wanted; where none was named and the current folder's lacks it, the tool's own is taken.</param>
    /// <exception cref="DataException">A folder was named and is not there.</exception>
    internal string ResolveDataDir(DatasetInfo? set = null)
    {
        string? given = DataDir ?? Environment.GetEnvironmentVariable("VAE_DATA");
        if (!string.IsNullOrEmpty(given))
            return Directory.Exists(given) ? given : throw new DataException(
                $"{given}: there is no such data folder; give --data-dir the folder that holds mnist/ and the others");
        string own = BesideExecutable();
        return Directory.Exists("datasets") && (set is null || set.IsPresent("datasets") || !set.IsPresent(own)) ? "datasets" : own;
    }

    /// <summary>The folder beside the executable; of one that was built in a clone, the clone's.</summary>
    private static string BesideExecutable()
    {
        string beside = Path.Combine(AppContext.BaseDirectory, "datasets");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (Directory.Exists(Path.Combine(folder.FullName, "datasets", "mnist")))
                return Path.Combine(folder.FullName, "datasets");
        return beside;
    }

    /// <exception cref="OptionException">There is no data set of that name.</exception>
    /// <exception cref="DataException">A file of it is missing or wrong.</exception>
    public DatasetSplits LoadData(string name)
    {
        var set = FindData(name);
        return set.Open(OwnFile.IsOwn(name) ? "" : ResolveDataDir(set), ResolveCacheDir(), progress: DecodingProgress(name));
    }

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
            Cli.Output.Note(string.Create(CultureInfo.InvariantCulture,
                $"{name}: {done} of {all} pictures decoded into {ResolveCacheDir()}, once for all runs"));
        };
    }

    /// <summary>The folder for converted data; it is made when something is written there.</summary>
    public string ResolveCacheDir() => string.IsNullOrEmpty(CacheDir) ? CacheFolder.Default : CacheDir;

    /// <exception cref="OptionException">There is no data set of that name.</exception>
    internal static DatasetInfo FindData(string name)
    {
        try
        {
            return DatasetCatalogue.Find(name);
        }
        catch (ArgumentException e)
        {
            throw new OptionException(e.Message);
        }
    }

    /// <summary>Opens a trained run: its model with weights, its configuration and its data.</summary>
    /// <param name="toWrite">Whether results are written into it, which one process does at a time: its lock is held until it is
    /// disposed of.</param>
    /// <exception cref="DataException">The folder is no run, or a file in it is damaged.</exception>
    /// <exception cref="OptionException">Another process writes there.</exception>
    public OpenRun OpenRun(string path, bool toWrite = false)
    {
        var run = RunDirectory.Open(path);
        var held = toWrite ? Lock(run) : null;
        try
        {
            return OpenRun(path, run, held);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    /// <summary>Takes the right to write a run directory, and says what the user should know of its lock.</summary>
    /// <exception cref="OptionException">Another process writes there.</exception>
    internal static RunLock Lock(RunDirectory run)
    {
        var held = run.Lock();
        if (held.Notice is { } notice)
            Cli.Output.Note(notice);
        return held;
    }

    private OpenRun OpenRun(string path, RunDirectory run, RunLock? held)
    {
        var configuration = run.LoadConfiguration();
        if (SeedGiven)
            configuration = configuration.With(("seed", Seed));
        if (!File.Exists(run.ModelFile))
            throw new DataException(
                $"{path}: it has no model.safetensors, so its training has not ended; continue it with `vae train --resume --out {path}`");
        DatasetSplits data;
        try
        {
            configuration.Validate();
            data = LoadData(configuration.Data.Name);
            configuration = configuration.OnData(data);
        }
        catch (OptionException e)
        {
            throw new DataException($"{run.ConfigurationFile}: {e.Message}; correct the file or train the model again", e);
        }
        var compute = OpenCompute(configuration.Training.Precision, trained: true);
        try
        {
            var model = configuration.CreateModel(compute, ImageShape.Of(data.Train), pixelVariance: 1, configuration.Data.Limit > 0
                ? Math.Min(configuration.Data.Limit, data.Train.Count) : data.Train.Count);
            run.LoadModel(model);
            return new(run, configuration, data, compute, model) { Held = held };
        }
        catch
        {
            compute.Dispose();
            throw;
        }
    }

    /// <summary>Opens the model of a trained run, without its data set where config.json says how large the images are.</summary>
    /// <exception cref="DataException">The folder is no run, or a file in it is damaged.</exception>
    public OpenModel OpenModel(string path)
    {
        var run = RunDirectory.Open(path);
        var configuration = run.LoadConfiguration();
        // Files of older versions do not say how large the images are.
        ImageShape? image = configuration.Image != "" ? null : FindData(configuration.Data.Name).ImageSize is var (h, w, c) ? new(h, w, c)
            : ImageShape.Of(LoadData(configuration.Data.Name).Train);
        var compute = OpenCompute(configuration.Training.Precision, trained: true);
        try
        {
            return new(run, configuration, compute, StoredModel.Load(compute, run, image));
        }
        catch
        {
            compute.Dispose();
            throw;
        }
    }

    /// <summary>Whether a run was trained on a table or on vectors, which no picture shows.</summary>
    public static bool IsTable(string run) => RunDirectory.IsRun(run)
        && ImageShape.TryParse(RunDirectory.Open(run).LoadConfiguration().Image)?.Table is not null;
}

/// <summary>The model of a trained run.</summary>
public sealed record OpenModel(RunDirectory Directory, RunConfiguration Configuration, Compute Compute, VaeModel Model) : IDisposable
{
    public void Dispose()
    {
        Model.Dispose();
        Compute.Dispose();
    }
}

/// <summary>A trained run, ready to compute with.</summary>
public sealed record OpenRun(RunDirectory Directory, RunConfiguration Configuration, DatasetSplits Data, Compute Compute, VaeModel Model)
    : IDisposable
{
    /// <summary>Where the run keeps its mixture estimate; says when that is used.</summary>
    internal StoredMixture Mixture { get; } = new(Directory.Path, Output.Note);

    /// <summary>The run's lock, where results are written into it.</summary>
    internal RunLock? Held { get; init; }

    /// <summary>The images that the run was trained on.</summary>
    public ImageDataset TrainingImages => Configuration.Data.Limit > 0 ? Data.Train.Take(Configuration.Data.Limit) : Data.Train;

    /// <summary>The names of the splits.</summary>
    internal static string[] Splits { get; } = ["test", "train"];

    /// <param name="name">One of <see cref="Splits"/>.</param>
    public ImageDataset Split(string name) => name == Splits[0] ? Data.Test : Data.Train;

    public void Dispose()
    {
        Model.Dispose();
        Compute.Dispose();
        Held?.Dispose();
    }
}
