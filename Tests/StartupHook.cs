/// <summary>Loaded into the tool by DOTNET_STARTUP_HOOKS, which asks for this name outside of any namespace: writes the names of the assemblies that were loaded when the process ends.</summary>
internal static class StartupHook
{
    public const string FileVariable = "VAE_TEST_ASSEMBLIES";

    public static void Initialize() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        File.WriteAllLines(Environment.GetEnvironmentVariable(FileVariable)!, AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetName().Name!));
}
