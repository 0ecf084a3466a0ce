using VaeFromScratch.Tests.Cli;
using VaeFromScratch.Tests.Engine;

/// <summary>
/// Loaded into the tool by DOTNET_STARTUP_HOOKS, which asks for this name outside of any namespace: writes the names of the assemblies that
/// were loaded when the process ends, lets writes fail, or lets the tool run many commands.
/// </summary>
internal static class StartupHook
{
    public const string FileVariable = "VAE_TEST_ASSEMBLIES", FaultVariable = "VAE_TEST_FAULT";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(FileVariable) is { } file)
            AppDomain.CurrentDomain.ProcessExit += (_, _) =>
                File.WriteAllLines(file, AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetName().Name!));
        // A method of its own: nothing of the tool is loaded where it is not asked for.
        if (Environment.GetEnvironmentVariable(FaultVariable) is { } fault)
            LetFail(fault);
        if (Environment.GetEnvironmentVariable(ServingTool.Variable) is { } folder)
            Serve(folder);
    }

    private static void Serve(string folder) => ServingTool.Serve(folder);

    private static void LetFail(string fault) => FailingDisk.Install(fault);
}
