using VaeFromScratch.Kernels.Generator;

// Writes Kernels/Cpu/Products/Microkernels.g.cs, or with --check says whether the committed file is what this program writes.
string output = Path.Combine(FindRoot(), "Kernels", "Cpu", "Products", "Microkernels.g.cs");
string text = MicrokernelWriter.WriteFile();

if (args is ["--check"])
{
    bool same = File.Exists(output) && File.ReadAllText(output) == text;
    Console.WriteLine(same ? "Microkernels.g.cs is up to date"
        : "Microkernels.g.cs is out of date: run 'dotnet run --project Kernels/Cpu/Products/Generator' and commit the result");
    return same ? 0 : 1;
}
if (args.Length > 0)
{
    Console.Error.WriteLine($"generator: unknown arguments '{string.Join(' ', args)}'; use none, or --check");
    return 2;
}
string temporary = output + ".new";
File.WriteAllText(temporary, text);
File.Move(temporary, output, overwrite: true);
Console.WriteLine($"wrote {text.AsSpan().Count('\n')} lines to Kernels/Cpu/Products/Microkernels.g.cs");
return 0;

static string FindRoot()
{
    for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        if (File.Exists(Path.Combine(folder.FullName, "VaeFromScratch.sln")))
            return folder.FullName;
    throw new InvalidOperationException("generator: no VaeFromScratch.sln above the program; run it from inside the repository");
}
