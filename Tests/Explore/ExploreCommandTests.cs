using System.Diagnostics;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Explore;
using VaeFromScratch.Tests.Cli;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Explore;

/// <summary>`vae explore` as a process: its address, its end, its errors, and machines without ASP.NET Core's runtime.</summary>
public sealed class ExploreCommandTests
{
    [Test]
    public async Task It_prints_its_address_serves_runs_and_ends_with_ctrl_c()
    {
        using var process = Tool.StartInterruptible("explore", Tool.TrainedRun, "--device", "cpu");
        string address = (await process.StandardOutput.ReadLineAsync())!;
        Assert.That(address, Does.Match("^http://127\\.0\\.0\\.1:[0-9]+/$"));
        using (var client = new HttpClient { BaseAddress = new(address) })
        {
            var list = JsonDocument.Parse(await client.GetStringAsync("api/runs")).RootElement;
            Assert.That(list.GetProperty("runs").GetArrayLength(), Is.EqualTo(1));
            var run = JsonDocument.Parse(await client.GetStringAsync("api/run?run=run")).RootElement;
            Assert.That((run.GetProperty("latents").GetInt32(), run.GetProperty("images").GetInt32()), Is.EqualTo((8, Tool.TestImages)));
        }
        Tool.Signal(process, "INT");
        var result = Tool.Finish(process);
        Assert.That((result.ExitCode, result.Error), Is.EqualTo((0, "")));
    }

    [Test]
    public void Options_that_cannot_be_used_are_refused()
    {
        Tool.Fails(Tool.Run("explore", Tool.TrainedRun, "--port", "70000"), 2, "--port 70000");
        Tool.Fails(Tool.Run("explore", Tool.TrainedRun, "--listen", "everywhere"), 2, "--listen everywhere");
        Tool.Fails(Tool.Run("explore", Tool.TrainedRun, "--listen", "192.0.2.1"), 2, "--listen 192.0.2.1");
        Tool.Fails(Tool.Run("explore", "no-such-folder"), 4, "no-such-folder", "there is no such folder");
        using var taken = Served.Start(Served.Folder);
        int port = new Uri(taken.Address).Port;
        Tool.Fails(Tool.Run("explore", Tool.TrainedRun, "--port", $"{port}"), 2, $"--port {port}", "in use");
    }

    /// <summary>.NET's runtime alone: an installation without ASP.NET Core's.</summary>
    [Test]
    public void Without_the_web_server_every_other_command_runs_and_explore_says_what_to_install()
    {
        string root = TestFiles.Folder("dotnet"),
            real = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..",
            ".."));
        string muxer = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        File.Copy(Path.Combine(real, Path.GetFileName(muxer)), muxer);
        CopyFolder(Path.Combine(real, "host"), Path.Combine(root, "host"));
        string runtime = Path.Combine("shared", "Microsoft.NETCore.App", Environment.Version.ToString(3));
        CopyFolder(Path.Combine(real, runtime), Path.Combine(root, runtime));

        Assert.That(Run("list", "models", "--json").ExitCode, Is.Zero);
        var explore = Run("explore", Tool.TrainedRun);
        Directory.Delete(root, recursive: true);
        Tool.Fails(explore, 1, "Microsoft.AspNetCore.App", "is not installed", "aspnetcore-runtime-10.0");

        ToolResult Run(params string[] arguments)
        {
            var start = new ProcessStartInfo(muxer, [Path.Combine(AppContext.BaseDirectory, "vae.dll"),
                .. arguments])
            { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Tool.WorkDir };
            start.Environment["DOTNET_ROOT"] = root;
            using var process = Process.Start(start)!;
            return Tool.Finish(process);
        }
    }

    [Test]
    public void Other_commands_load_nothing_of_the_page()
    {
        string file = Path.Combine(TestFiles.Folder("assemblies"), "loaded");
        Tool.RunWith([("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (StartupHook.FileVariable, file)], "list",
            "models").Succeeded();
        Assert.That(File.ReadAllLines(file).Where(a => a.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal)
            || a == "VaeFromScratch.Explore"), Is.Empty);
        string configuration = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vae.runtimeconfig.json"));
        Assert.That(configuration, Does.Contain("Microsoft.NETCore.App").And.Not.Contain("AspNetCore"));
    }

    [Test]
    public void The_newest_patch_of_the_runtimes_own_version_is_taken()
    {
        string root = TestFiles.Folder("frameworks");
        Assert.That(AspNetCore.Folder(root, new(10, 0, 3)), Is.Null);
        foreach (string version in (string[])["9.0.20", "10.0.2", "10.0.11", "10.1.0", "11.0.0-preview.1", "notes"])
            Directory.CreateDirectory(Path.Combine(root, "shared", "Microsoft.AspNetCore.App", version));
        Assert.That(Path.GetFileName(AspNetCore.Folder(root, new(10, 0, 3))), Is.EqualTo("10.0.11"));
        Assert.That(AspNetCore.Folder(root, new(8, 0, 0)), Is.Null);
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            // No links: the host would follow them to the real installation.
            File.Copy(file, copy);
        }
    }
}
