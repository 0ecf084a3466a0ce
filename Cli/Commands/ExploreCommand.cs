using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using VaeFromScratch.Explore;
using VaeFromScratch.Models;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae explore: a page on this machine that shows what runs have learned.</summary>
internal static class ExploreCommand
{
    public static Command Create()
    {
        var command = new Command("explore",
            "a page in the browser: move in a run's latent space, see what each factor carries, watch runs train, compare them");
        var path = new Argument<string>("RUN or FOLDER")
        {
            Description = "a run directory, or a folder with runs",
            DefaultValueFactory = _ => "runs"
        };
        var port = new Option<int>("--port") { Description = "the port; 0 for any free one", DefaultValueFactory = _ => 0 };
        var listen = new Option<string>("--listen")
        {
            Description = "the address of the interface to listen on; with any but this machine's own the page asks for a token",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var open = new Option<bool>("--open") { Description = "open the page in the browser" };
        command.Arguments.Add(path);
        foreach (var option in (Option[])[port, listen, open])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            int number = parsed.GetValue(port);
            if (number is < IPEndPoint.MinPort or > IPEndPoint.MaxPort)
                throw new OptionException($"--port {number}: expected {IPEndPoint.MinPort} to {IPEndPoint.MaxPort}");
            if (!IPAddress.TryParse(parsed.GetValue(listen), out var address))
                throw new OptionException(
                    $"--listen {parsed.GetValue(listen)}: expected the address of an interface, such as 127.0.0.1 or 0.0.0.0 for all");
            if (CommandContext.IsTable(parsed.GetValue(path)!))
                throw new OptionException($"{parsed.GetValue(path)}: it was trained on a table or on vectors, of which there are no "
                    + $"pictures to explore; `vae sample`, `vae reconstruct` and `vae traverse` write rows as CSV");
            if (AspNetCore.Load() is { } missing)
                throw new PlatformNotSupportedException(missing);
            return Serve(context, new(parsed.GetValue(path)!, context.LoadData, configuration =>
                context.OpenCompute(configuration.Training.Precision, trained: true))
            {
                Listen = address,
                Port = number,
            }, parsed.GetValue(open));
        });
        return command;
    }

    /// <summary>Until Ctrl-C, which is how this command ends.</summary>
    private static int Serve(CommandContext context, ExploreOptions options, bool open) => Interruption.EndingByItself(() =>
    {
        using var server = ExploreServer.Start(options);
        if (server.HasToken)
            Output.Warn($"listening on {options.Listen}: whoever has the address below can look at these runs, and what is sent is not "
                + $"encrypted");
        context.Output.Line(server.Address);
        context.Output.Json(new JsonObject { ["address"] = server.Address });
        if (open)
            OpenBrowser(server.Address);
        while (!Interruption.IsRequested)
            Thread.Sleep(50);
        return ExitCode.Done;
    });

    private static void OpenBrowser(string address)
    {
        try
        {
            Process.Start(new ProcessStartInfo(address) { UseShellExecute = true })?.Dispose();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or PlatformNotSupportedException)
        {
            Output.Note($"no browser could be started ({e.Message.TrimEnd('.')}); open the address above");
        }
    }
}
