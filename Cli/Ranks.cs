using System.Globalization;
using System.Text;
using VaeFromScratch.Distributed;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;

namespace VaeFromScratch.Cli;

/// <summary>
/// The processes of one `vae train --distributed mpi` or nccl, of which this is one. Rank 0 alone speaks, and reads and writes the run
/// directory; the others learn from it what to train.
/// </summary>
internal sealed class Ranks(ICollective collective)
{
    public const string None = "none", Mpi = "mpi", Nccl = "nccl";

    /// <summary>How long a rank that got a signal waits for the others to finish the step and for rank 0 to write the checkpoint.</summary>
    private static readonly TimeSpan MomentToAgree = TimeSpan.FromSeconds(60);

    private bool announced;

    public ICollective Collective => collective;

    /// <summary>Whether this process speaks and writes.</summary>
    public bool IsFirst => collective.Rank == 0;

    public bool AreMany => collective.Size > 1;

    /// <summary>
    /// The device that this rank is to open, instead of the one that the user wrote: each rank of a host takes the GPU of its number there,
    /// unless one is named.
    /// </summary>
    /// <exception cref="Kernels.DeviceException">Gradients do not travel between such devices.</exception>
    public string DeviceFor(string written)
    {
        string kind = written == "auto" && collective is NcclCollective ? "cuda" : written;
        if (collective is NcclCollective && !kind.StartsWith("cuda", StringComparison.Ordinal))
            throw new Kernels.DeviceException($"--distributed {Nccl}: gradients travel between CUDA devices, and --device is {written}; "
                + $"give --device cuda, or --distributed {Mpi}");
        return AreMany && kind == "cuda" ? $"cuda:{OnHost}" : kind;
    }

    /// <summary>This process's number on its host, by which it takes one of the host's GPUs; 0 where nobody has numbered them.</summary>
    private static int OnHost => ((string[])["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"])
        .Select(name => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture,
            out int number) ? number : 0).Max();

    /// <summary>
    /// How many processes the launcher of this one says that it has started together; null where there is no launcher.
    /// </summary>
    private static int? StartedTogether => ((string[])["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"])
        .Select(name => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture,
            out int number) ? number : (int?)null).FirstOrDefault(number => number is not null);

    /// <summary>Does work on all ranks. What one of them cannot do ends all: with its sentence, and its exit code.</summary>
    /// <param name="kind">none, mpi or nccl, as the user wrote it.</param>
    /// <exception cref="OptionException">It is none of them.</exception>
    /// <exception cref="Kernels.DeviceException">There is no library to join the ranks with.</exception>
    public static int Run(string kind, Func<Ranks, int> work)
    {
        if (kind == None)
            return Alone(work);
        using ICollective collective = kind switch
        {
            Mpi => MpiCollective.Open(),
            Nccl => NcclCollective.Open(),
            _ => throw new OptionException($"--distributed {kind}: expected {None}, {Mpi} or {Nccl}"),
        };
        var (ranks, error) = (new Ranks(collective), Console.Error);
        if (!ranks.IsFirst)
        {
            Console.SetOut(TextWriter.Null);
            Console.SetError(TextWriter.Null);
        }
        if (!ranks.AreMany && StartedTogether != 1)
            Output.Note($"--distributed {kind}: there is one rank, which trains alone; `mpirun -n 4 vae train .. --distributed {kind}` "
                + "starts four");
        if (ranks.AreMany)
            Interruption.ManyEndTogether(MomentToAgree);
        try
        {
            return ranks.Work(work);
        }
        catch (Exception e)
        {
            Console.SetError(error);
            int code = CommandLineTool.Fail(e, ranks.IsFirst ? "" : $"rank {collective.Rank}: ");
            collective.Abort(code);
            return code;
        }
    }

    /// <summary>Does work in this process alone, which may be one of several that get into each other's way.</summary>
    private static int Alone(Func<Ranks, int> work)
    {
        try
        {
            return work(new(SingleProcess.Instance));
        }
        catch (RunHeldException e) when (StartedTogether is > 1 and var count)
        {
            throw new RunHeldException($"{e.Message}; {count} processes were started together: --distributed {Mpi} lets them train one run",
                e.Claim);
        }
    }

    /// <summary>Rank 0 tells the others what is trained, when all that can be refused has been.</summary>
    public void Announce(RunConfiguration configuration)
    {
        announced = true;
        byte[] json = Encoding.UTF8.GetBytes(configuration.ToJson());
        collective.Broadcast(BitConverter.GetBytes(json.Length), Collectives.AsLongAsItTakes);
        collective.Broadcast(json);
    }

    /// <summary>What rank 0 announces.</summary>
    /// <param name="exitCode">What to end with where it announces nothing, because it has refused to train.</param>
    public RunConfiguration? Announced(out int exitCode)
    {
        byte[] length = new byte[sizeof(int)];
        collective.Broadcast(length, Collectives.AsLongAsItTakes);
        exitCode = -BitConverter.ToInt32(length);
        if (exitCode >= 0)
            return null;
        byte[] json = new byte[-exitCode];
        collective.Broadcast(json);
        return RunConfiguration.FromJson(Encoding.UTF8.GetString(json));
    }

    /// <summary>Whether training has been stopped on this rank, or a signal came to any of them.</summary>
    public bool Stop(bool stopped) => collective.Any(stopped || Interruption.IsRequested, Collectives.AsLongAsItTakes);

    private int Work(Func<Ranks, int> work)
    {
        int code;
        try
        {
            code = work(this);
        }
        // All ranks find the same numbers not to be finite.
        catch (DivergenceException e)
        {
            code = CommandLineTool.Fail(e);
        }
        catch (Exception e) when (IsFirst && !announced && e is not CollectiveException)
        {
            code = CommandLineTool.Fail(e);
        }
        if (IsFirst && !announced)
            collective.Broadcast(BitConverter.GetBytes(-code), Collectives.AsLongAsItTakes);
        // The launcher ends all when one ends by itself, and rank 0 may still be writing.
        collective.Barrier(Collectives.AsLongAsItTakes);
        return code;
    }
}
