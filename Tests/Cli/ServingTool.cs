using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using VaeFromScratch.Cli;

namespace VaeFromScratch.Tests.Cli;

/// <summary>
/// The tool as a process that runs one command line after the other: most of the processor time of a short command is its start and the
/// compilation of its methods. A command line is a JSON array on a line; the answer is a <see cref="ToolResult"/>.
/// </summary>
/// <remarks>
/// The tool writes to file descriptors 1 and 2, and so it does here: they are files during a command. What a process does once, as loading
/// a plugin, needs a process of its own.
/// </remarks>
internal sealed class ServingTool(Process process)
{
    public const string Variable = "VAE_TEST_SERVE";

    private const int Input = 0, Output = 1, Error = 2;

    public async Task<ToolResult?> Run(string[] arguments)
    {
        await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(arguments));
        await process.StandardInput.FlushAsync();
        return await process.StandardOutput.ReadLineAsync() is { } answer ? JsonSerializer.Deserialize<ToolResult>(answer) : null;
    }

    public void Kill() => process.Kill();

    /// <summary>In the tool's process: answers until standard input ends, and ends the process.</summary>
    public static void Serve(string folder)
    {
        using var requests = new StreamReader(Copy(Input, FileAccess.Read));
        using var answers = new StreamWriter(Copy(Output, FileAccess.Write)) { AutoFlush = true };
        using (var nothing = File.OpenHandle("/dev/null"))
            Become(nothing, Input);
        string[] written = [.. ((string[])["out", "error"]).Select(name => Path.Combine(folder, $"{Environment.ProcessId}-{name}"))];
        while (requests.ReadLine() is { } request)
        {
            foreach (var (file, number) in written.Zip((int[])[Output, Error]))
                using (var handle = File.OpenHandle(file, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
                    Become(handle, number);
            int code = CommandLineTool.Run(JsonSerializer.Deserialize<string[]>(request)!);
            answers.WriteLine(JsonSerializer.Serialize(
                new ToolResult(code, File.ReadAllText(written[0]), File.ReadAllText(written[1]))));
        }
        Environment.Exit(0);
    }

    private static FileStream Copy(int number, FileAccess access) => new(new SafeFileHandle(Duplicate(number), ownsHandle: true), access);

    private static void Become(SafeFileHandle file, int number)
    {
        if (Duplicate((int)file.DangerousGetHandle(), number) < 0)
            throw new InvalidOperationException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
    }

    [DllImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static extern int Duplicate(int file);

    [DllImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static extern int Duplicate(int file, int number);
}
